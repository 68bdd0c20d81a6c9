"""Bursts worth a look: a recipe, methods and a pixel, and what there is to see."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kpnviz.lens.payload import Pixel


@dataclass(frozen=True)
class Example:
    """A burst, and how it is looked at.

    title    of the burst
    look     what to look for, a sentence or two (Markdown)
    pixel    (y, x) that is pinned; None: one that is worth a look is found
    scene    what of the burst is not at its default, by the names that a page's controls have
    methods  names of networks and other methods; none: the usual ones
    display  options of the lens that are not as in lens.payload.DISPLAY
    """

    title: str
    look: str
    pixel: Pixel | None
    scene: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    display: Mapping[str, Any] = field(default_factory=dict)


BEYOND_REACH = Example(
    "Beyond the reach of 5×5",
    "Each frame is shifted further than the one before. A 5×5 kernel sees two pixels to each side: what happens "
    "to the shares of frames 3 to 7, and does a larger kernel do better?",
    pixel=(64, 61),
    scene={
        "photo": "mies",
        "top": 80,
        "left": 60,
        "gain": 2.0,
        "shake": "by hand",
        "shifts": ((0, 0), (1, 1), (-2, 2), (3, -3), (-4, 4), (6, -6), (-8, 8), (16, -16)),
    },
)

EXAMPLES = (
    Example(
        "Fur at gain ×4",
        "Along a hair or across it: are the kernels elongated as the fur lies? Compare the small kernels with the "
        "large ones: which keeps the hairs, which smooths them away?",
        pixel=(62, 58),
        scene={"photo": "dog", "top": 150, "left": 110, "seed": 3},
    ),
    Example(
        "Moving object",
        "The disc travels two pixels a frame over a scene that stands still. Compare a pixel on it with one "
        "beside it: how much do the later frames weigh, and do their kernels follow the ring?",
        pixel=(66, 48),
        scene={"photo": "city", "top": 110, "left": 70, "shake": "none", "moving": True},
    ),
    BEYOND_REACH,
    Example(
        "Flat sky at gain ×8",
        "Nothing but noise to see: do the kernels spread over all that they reach, and do the small ones leave a "
        "texture in the sky? Move to the lights and watch the kernels change.",
        pixel=(24, 70),
        scene={"photo": "haze", "top": 40, "left": 140, "gain": 8.0},
    ),
    Example(
        "A still camera",
        "Eight frames of the same scene, and nothing moves: all frames deserve the same weight. Does the network see "
        "that? Choose another camera shake and compare the shares.",
        pixel=(60, 64),
        scene={"photo": "guitar", "top": 60, "left": 60, "gain": 4.0, "shake": "none"},
    ),
    Example(
        "A hand that turns",
        "The camera turns and shakes by parts of a pixel, and what is in front moves more than what is behind: "
        "no one shift of a frame is right everywhere. Compare kernels of the same frame at two ends of the "
        "picture.",
        pixel=(70, 66),
        scene={"photo": "flowers", "top": 50, "left": 60, "gain": 2.0, "shake": "handheld", "seed": 6},
    ),
    Example(
        "Noisier than the paper",
        "Gain ×16 is twice the paper's noisiest, and further beyond training than ×4 and ×8. Which methods stay "
        "clean, and which take noise for detail?",
        pixel=(70, 66),
        scene={"photo": "flowers", "top": 50, "left": 60, "gain": 16.0},
    ),
)


def as_json() -> list[dict[str, Any]]:
    """The examples as plain values."""
    return [dataclasses.asdict(example) for example in EXAMPLES]
