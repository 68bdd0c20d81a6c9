"""All kernel sizes on one burst, for the page Sizes: computed once, shared by all sessions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kpnviz.analysis.best_size import BestSize, best_size
from kpnviz.analysis.maps import pixel_classes, squared_error
from kpnviz.burst import BurstRecipe
from kpnviz.lens.payload import pack
from kpnviz.serving.work import cached
from kpnviz.ui import cache
from kpnviz.ui.choices import single_size

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
    return SizeStage(errors, best, classes, pack(burst, estimates, start, best=best, max_bytes=MAX_BYTES))
