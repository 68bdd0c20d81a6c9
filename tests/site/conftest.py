"""Runs the site's modules in Node, where there is one."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from kpnviz.limits import Limits
from kpnviz.models.checkpoints import folder
from kpnviz.photos import photo_path
from kpnviz.pictures import read_picture
from kpnviz.site import compiling

DRIVER = Path(__file__).parent / "driver.js"
RELAXED = "--experimental-wasm-relaxed-simd"


class JavaScriptError(Exception):
    """What a module threw; the message is its own."""


@pytest.fixture(scope="session")
def run_node():
    """run_node(jobs, files, flags): what each job, (name of a function of driver.js, its arguments), gives."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        if os.environ.get("KPNVIZ_REQUIRE_BROWSER") == "1":
            pytest.fail("there is no node (Node.js), which runs the site's modules in the tests")
        pytest.skip("there is no node (Node.js 18 or later), which runs the site's modules in the tests")

    def run(place, jobs, files=None, flags=()):
        for name, values in (files or {}).items():
            (place / name).write_bytes(np.ascontiguousarray(values).tobytes())
        (place / "jobs.json").write_text(json.dumps(jobs))
        done = subprocess.run([node, *flags, str(DRIVER), str(place)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [_read(place, result) for result in json.loads((place / "results.json").read_text())]

    return run


def _read(place, result):
    if "error" in result:
        return JavaScriptError(result["error"])

    def found(value):
        if isinstance(value, dict):
            if set(value) == {"file", "dtype"}:
                return np.frombuffer((place / value["file"]).read_bytes(), value["dtype"])
            return {key: found(one) for key, one in value.items()}
        return [found(one) for one in value] if isinstance(value, list) else value

    return found(result.get("value"))


@pytest.fixture(scope="session")
def relaxed_flags(tmp_path_factory):
    """What Node has to be told so that it takes the faster build; None where it never does."""
    node = shutil.which("node") or shutil.which("nodejs")
    build = str(compiling.FOLDER / "engine.relaxed.wasm")
    code = f"process.exit(WebAssembly.validate(require('fs').readFileSync({build!r})) ? 0 : 1)"
    for flags in ((), (RELAXED,)):
        if node and subprocess.run([node, *flags, "-e", code], capture_output=True).returncode == 0:
            return flags
    return None


def build(name="engine.wasm"):
    return str(compiling.FOLDER / name)


def checkpoint(name):
    return str(folder() / f"{name}.safetensors")


def photo_files(names):
    """RGBA bytes of photos of the gallery, by the names of their files, and what driver.js wants to know of them."""
    files, said = {}, []
    for name in names:
        codes = read_picture(name, photo_path(name).read_bytes(), Limits.from_environment()).codes
        codes = np.broadcast_to(codes, (3, *codes.shape[1:])).transpose(1, 2, 0)
        rgba = np.concatenate((codes, np.full((*codes.shape[:2], 1), 255, np.uint8)), axis=2)
        files[f"{name}.rgba"] = rgba
        said.append({"name": name, "file": f"{name}.rgba", "H": rgba.shape[0], "W": rgba.shape[1]})
    return files, said
