"""Whatever is done with the lens, and in whatever order: what it shows is what was applied."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import kpnviz
from kpnviz import BurstRecipe, Estimate, KernelField, NoiseModel
from kpnviz.kernels import factor_channels
from kpnviz.lens.linker import linked
from kpnviz.lens.payload import pack, pack_assumed

ACTS = 400

# What modules ask of a browser when they are loaded.
STUBS = """import * as files from "node:fs";
globalThis.fs = files;
globalThis.OffscreenCanvas = class { getContext() { return {}; } };
globalThis.ImageData = class { constructor(width, height) { this.data = new Uint8ClampedArray(4 * width * height); } };
"""


def estimate(burst, name, sizes, seed=0):
    """Random kernels, as float16 has them, and the picture that they make."""
    shape = (1, len(burst), factor_channels(sizes, True), (burst.height + 1) // 2, (burst.width + 1) // 2)
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).half().float() / 4
    field = KernelField(factors, sizes, True, burst.height, burst.width)
    given = torch.from_numpy(
        np.moveaxis(burst.frames.reshape(len(burst), -1, burst.height, burst.width), 1, 0)
    )
    with torch.inference_mode():
        image = np.stack([field.apply(channel[None].contiguous())[0].numpy() for channel in given])
    return Estimate(image[0] if burst.channels is None else image, field, name, 0.0, name)


def payloads():
    recipe = BurstRecipe("dog", (60, 60, 25, 30), NoiseModel.for_gain(4), frames=4)
    for changed in ({}, {"color": True}, {"frames": 1}):
        recipe_now = replace(recipe, **changed)
        burst = kpnviz.synthesize(recipe_now)
        clean = kpnviz.synthesize(replace(recipe_now, noise=NoiseModel(0, 0))).frames
        direct = Estimate(burst.mean, None, "kpn-direct", 0.0, "kpn-direct")
        yield pack(
            burst, [estimate(burst, "kpn", (5,)), estimate(burst, "mkpn", (1, 3, 7)), direct], clean=clean
        )
    burst = kpnviz.synthesize(recipe)
    yield pack(burst, [])
    yield pack(burst, ["kpn", estimate(burst, "mkpn", (1, 3, 7))])
    own = replace(burst, truth=None, shifts=None, recipe=None, noise=None)
    yield pack(own, [estimate(own, "mkpn", (1, 3, 7))])


def test_random_acts_leave_what_is_shown_and_what_was_applied_the_same(tmp_path):
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        assert os.environ.get("KPNVIZ_REQUIRE_BROWSER") != "1", "there is no node (Node.js)"
        pytest.skip("there is no node (Node.js 18 or later)")
    for number, payload in enumerate(payloads()):
        (tmp_path / f"payload{number}.bin").write_bytes(payload)
    burst = kpnviz.synthesize(BurstRecipe("dog", (60, 60, 25, 30), NoiseModel.for_gain(4), frames=4))
    for name, sizes in (("kpn", (5,)), ("mkpn", (1, 3, 7))):
        others = [estimate(burst, name, sizes, seed) for seed in (1, 2, 3, 4)]
        (tmp_path / f"assumed_{name}.bin").write_bytes(pack_assumed(burst, (0.25, 0.5, 2, 4), others))
    script = tmp_path / "acts.mjs"
    script.write_text(STUBS + linked(Path(__file__).parent / "random_acts.js"))
    found = subprocess.run([node, script, tmp_path, "1", str(ACTS)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == []
