"""Bursts worth a look: a recipe, methods and a pixel, and what there is to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from kpnviz.lens.payload import Pixel
from kpnviz.models.checkpoints import available
from kpnviz.ui.choices import BY_HAND, default_methods
from kpnviz.ui.parameters import (
    COLOR,
    DEFAULTS,
    GAIN,
    LEFT,
    METHODS,
    MOVING,
    PHOTO,
    SEED,
    SHAKE,
    SHIFTS,
    TEACH,
    TOP,
)
from kpnviz.ui.presenter import presenter
from kpnviz.ui.state import EXAMPLES, LENS_DISPLAY, PIXEL, PRESENTED


@dataclass(frozen=True)
class Preset:
    """`scene`: the controls (keys of DEFAULTS) that are not at their defaults; `look`: what to look for.

    `methods` that have no trained network are left out; without any, the usual ones are shown.
    """

    title: str
    look: str
    pixel: Pixel
    scene: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    display: Mapping[str, Any] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """All that it sets of the session's state."""
        here = [name for name in available() if name in self.methods]
        return {
            **DEFAULTS,
            **self.scene,
            METHODS: here or default_methods(),
            PIXEL: self.pixel,
            LENS_DISPLAY: dict(self.display),
        }

    def apply(self) -> None:
        """Show it: for a button's on_click."""
        st.session_state.update(self.state())

    def is_shown(self, state: Mapping[str, Any]) -> bool:
        """Whether the burst on the page is this one's; in color or gray; pixel, methods and display may be others."""
        mine = DEFAULTS | dict(self.scene)
        compared = set(DEFAULTS) - {COLOR} - (set() if mine[SHAKE] == BY_HAND else {SHIFTS})
        return all(state.get(key) == mine[key] for key in compared)


PRESETS = (
    Preset(
        "Fur at gain ×4",
        "Along a hair or across it: are the kernels elongated as the fur lies? Compare the small kernels with the "
        "large ones: which keeps the hairs, which smooths them away?",
        pixel=(62, 58),
        scene={PHOTO: "dog", TOP: 150, LEFT: 110, SEED: 3},
    ),
    Preset(
        "Moving object",
        "The disc travels two pixels a frame over a scene that stands still. Compare a pixel on it with one beside it: "
        "how much do the later frames weigh, and do their kernels follow the ring?",
        pixel=(66, 48),
        scene={PHOTO: "city", TOP: 110, LEFT: 70, SHAKE: "none", MOVING: True},
    ),
    Preset(
        "Beyond the reach of 5×5",
        "Each frame is shifted further than the one before. A 5×5 kernel sees two pixels to each side: what happens "
        "to the shares of frames 3 to 7, and does a larger kernel do better?",
        pixel=(64, 61),
        scene={
            PHOTO: "mies",
            TOP: 80,
            LEFT: 60,
            GAIN: 2.0,
            SHAKE: BY_HAND,
            SHIFTS: ((0, 0), (1, 1), (-2, 2), (3, -3), (-4, 4), (6, -6), (-8, 8), (16, -16)),
        },
    ),
    Preset(
        "A turning camera",
        "The camera turns by 4 degrees about a point in the middle. There the scene stays; towards the corners it "
        "moves further in each frame. Move from the middle to a corner: where do kernels point, and which sizes still "
        "follow the last frames?",
        pixel=(14, 16),
        scene={PHOTO: "city", TOP: 110, LEFT: 70, GAIN: 2.0, SHAKE: "none", "rotation": 4.0},
    ),
    Preset(
        "Flat sky at gain ×8",
        "Nothing but noise to see: do the kernels spread over all that they reach, and do the small ones leave a "
        "texture in the sky? Move to the lights and watch the kernels change.",
        pixel=(24, 70),
        scene={PHOTO: "haze", TOP: 40, LEFT: 140, GAIN: 8.0},
    ),
    Preset(
        "A still camera",
        "Eight frames of the same scene, and nothing moves: all frames deserve the same weight. Does the network see "
        "that? Add shake in the sidebar and compare the shares.",
        pixel=(60, 64),
        scene={PHOTO: "guitar", TOP: 60, LEFT: 60, GAIN: 4.0, SHAKE: "none"},
    ),
    Preset(
        "Noisier than the paper",
        "Gain ×16 is twice the paper's noisiest, and further beyond training than ×4 and ×8. Which methods stay clean, "
        "and which take noise for detail?",
        pixel=(70, 66),
        scene={PHOTO: "flowers", TOP: 50, LEFT: 60, GAIN: 16.0},
    ),
)


def shown_preset(presets: Sequence[Preset] = PRESETS) -> Preset | None:
    """The preset whose burst is on the page."""
    state = st.session_state.to_dict()
    return next((preset for preset in presets if preset.is_shown(state)), None)


def preset_menu(presets: Sequence[Preset] = PRESETS) -> None:
    """A menu of the presets; for a class, one after the other by key."""
    state = st.session_state
    shown = shown_preset(presets)
    if shown is not None:
        state[PRESENTED] = presets.index(shown)
    if state.get(TEACH):
        titles = [preset.title for preset in presets]
        presenter(titles, state.get(PRESENTED), shown is not None, lambda number: presets[number].apply())
        return

    def show() -> None:
        number = state[EXAMPLES]
        if number is not None:
            presets[number].apply()

    def title(number: int) -> str:
        text = presets[number].title
        return f"**{text}**" if presets[number] is shown else text

    st.menu_button(
        "Examples",
        range(len(presets)),
        key=EXAMPLES,
        icon=":material/visibility:",
        format_func=title,
        on_click=show,
    )
