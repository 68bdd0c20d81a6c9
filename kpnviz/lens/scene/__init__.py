"""The guided scene: what the two papers say, in six steps on one burst, shown by any page.

`scene.json` holds its texts, its burst, its networks and its pixels; a page without a server reads the same file. The
browser shows it (`mount.js`) from three payloads of the lens, PARTS, which is all that Python computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from kpnviz.burst import Burst, BurstRecipe, MovingObject, synthesize
from kpnviz.denoise import Estimate
from kpnviz.lens.payload import pack, pack_assumed
from kpnviz.noise import NoiseModel

FOLDER = Path(__file__).parent

PARTS = ("kernels", "noise", "sizes")
"""In the order in which the steps need them: a burst and what one network makes of it; the same with other assumed
noise; what MKPN makes of it."""

Denoise = Callable[[str, Burst, float], Estimate]
"""(name of a network, burst, multiple of the true noise that is assumed) -> what the network makes of it."""


@cache
def scene() -> dict[str, Any]:
    """The contents of scene.json."""
    found: dict[str, Any] = json.loads((FOLDER / "scene.json").read_text(encoding="utf-8"))
    return found


def recipe() -> BurstRecipe:
    """The scene's burst: a shaking camera, a frame beyond the reach of all kernels, a ball that flies by itself."""
    burst = scene()["burst"]
    return BurstRecipe(
        burst["photo"],
        tuple(burst["crop"]),
        NoiseModel.for_gain(burst["gain"]),
        frames=len(burst["shifts"]),
        shifts=tuple(map(tuple, burst["shifts"])),
        moving=MovingObject(**burst["ball"]),
        reduction=burst["reduction"],
        seed=burst["seed"],
    )


def pack_part(part: str, denoise: Denoise) -> bytes:
    """The payload of one of PARTS; ValueError for another name."""
    if part not in PARTS:
        raise ValueError(f"the scene has no part {part!r}; it has {', '.join(PARTS)}")
    burst, networks = synthesize(recipe()), scene()["networks"]
    if part == "noise":
        scales = scene()["scales"]
        return pack_assumed(burst, scales, [denoise(networks["kernels"], burst, scale) for scale in scales])
    return pack(burst, [denoise(networks[part], burst, 1.0)])
