"""A burst of noisy frames, and how one is made from a photo."""

from kpnviz.burst.burst import Burst, weighted_sum
from kpnviz.burst.recipe import (
    ALL_MOTIONS,
    MOTIONS,
    BurstRecipe,
    Misalignment,
    MovingObject,
    Stream,
    draw_handheld,
    draw_objects,
    with_motion,
)
from kpnviz.burst.synthesis import synthesize

__all__ = [
    "ALL_MOTIONS",
    "MOTIONS",
    "Burst",
    "BurstRecipe",
    "Misalignment",
    "MovingObject",
    "Stream",
    "draw_handheld",
    "draw_objects",
    "synthesize",
    "weighted_sum",
    "with_motion",
]
