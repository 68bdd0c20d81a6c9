"""All kernel sizes on one burst, for the page Sizes: computed once, shared by all sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kpnviz.analysis.best_size import BestSize, best_size
from kpnviz.analysis.maps import pixel_classes, squared_error
from kpnviz.burst import BurstRecipe
from kpnviz.models.checkpoints import available
from kpnviz.models.zoo import MATCHED
from kpnviz.serving.work import cached
from kpnviz.ui import cache
from kpnviz.ui.kernel_lens import pack

SIZED = tuple(name for name in MATCHED if name.startswith("kpn-l") or name == "mkpn")
"""The networks that are compared: one for each kernel size, and MKPN, which has several."""

MAX_BYTES = 96 * 2**20
"""Of what the lens is sent: 256x256 pixels with nine networks and eight frames is 60 MB."""


@dataclass(frozen=True, eq=False)
class SizeStage:
    """Of each method its squared error of displayed values, [H, W]; which size is best where; the class of each pixel
    (maps.pixel_classes); and what the lens is sent."""

    errors: dict[str, np.ndarray]
    best: BestSize
    classes: np.ndarray
    payload: bytes


def single_size(method: str) -> int | None:
    """The kernel size of a method; None for one that has several."""
    sizes = MATCHED[method].sizes
    return sizes[0] if len(sizes) == 1 else None


@cached
def size_stage(recipe: BurstRecipe, methods: tuple[str, ...]) -> SizeStage:
    """Compare what all methods make of a recipe's burst."""
    burst = cache.burst_of(recipe)
    if burst.truth is None:
        raise ValueError("the burst has no truth to measure a picture against")
    estimates = [cache.estimate(recipe, method) for method in methods]
    errors = {e.model: squared_error(e.image, burst.truth, burst.white_level) for e in estimates}
    best = best_size(list(errors.values()), [single_size(method) for method in methods])
    start = cache.interesting_pixel(burst)
    classes = pixel_classes(burst.truth, burst.white_level)
    return SizeStage(errors, best, classes, pack(burst, estimates, start, best=best, most=MAX_BYTES))


def first_look() -> dict[str, Any]:
    """How the lens shows them at first: the smallest size beside the largest."""
    sizes = [method for method in sized_methods() if single_size(method)] or [""]
    return {"other": sizes[0], "shown": sizes[-1], "frame": 0, "look": "sizes"}


def sized_methods() -> tuple[str, ...]:
    """Those of SIZED that are trained here."""
    here = available()
    return tuple(name for name in SIZED if name in here)
