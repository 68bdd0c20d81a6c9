"""The controls of a burst. Each has a key in st.session_state: recipes are read from there, or put there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from kpnviz.burst import BurstRecipe, Misalignment, MovingObject
from kpnviz.checkpoints import available
from kpnviz.models.zoo import title_of
from kpnviz.noise import GAINS, TRAINING_READ_STD, TRAINING_SHOT_GAIN, NoiseModel
from kpnviz.photos import gallery, read_scene
from kpnviz.ui.scene_picker import chosen, scene_picker

REDUCTION = 2
CROPS = (96, 128, 192, 256)
MAX_GAIN = 16.0

SHAKES = {
    "none": Misalignment(0, 0, 0),
    "±2": Misalignment(2, 2, 0),
    "paper": Misalignment(),
    "strong": Misalignment(4, 16, 4),
}
_SHAKE_HELP = (
    "How far the hand moves each frame. *±2*: within ±2 pixels. *Paper*: within ±2, now and then within "
    "±16 (the distribution of the MKPN paper). *Strong*: within ±4, half of the time within ±16."
)

DEFAULTS = {
    "photo": "dog",
    "top": 64,
    "left": 64,
    "crop": 128,
    "gain": 4.0,
    "shake": "paper",
    "moving": False,
    "seed": 0,
}
_DEFAULT_METHODS = ("kpn-l5", "mkpn")


def recipe_of(state: Mapping[str, Any]) -> BurstRecipe:
    """The recipe that controls with the values of `DEFAULTS` (or others under those keys) stand for."""
    height, width = read_scene(state["photo"], REDUCTION).shape
    size = min(state["crop"], height, width)
    # A larger crop may not fit where the smaller one was.
    top, left = min(state["top"], height - size), min(state["left"], width - size)
    return BurstRecipe(
        photo=state["photo"],
        crop=(top, left, size, size),
        noise=NoiseModel.for_gain(state["gain"]),
        misalignment=SHAKES[state["shake"]],
        moving=_moving_object(state["photo"], size) if state["moving"] else None,
        reduction=REDUCTION,
        seed=state["seed"],
    )


def burst_controls() -> BurstRecipe:
    """Draw the controls; the recipe that they stand at."""
    for key, value in DEFAULTS.items():
        st.session_state.setdefault(key, value)
    st.subheader("Scene")
    place = st.container()
    st.segmented_control(
        "Crop, pixels a side",
        CROPS,
        key="crop",
        required=True,
        help="Drag the square on the photo to move it.",
    )

    st.subheader("Burst")
    st.slider(
        "Sensor gain",
        1.0,
        MAX_GAIN,
        step=0.1,
        format="×%.1f",
        key="gain",
        help="The higher the gain, the noisier. Training reached read_std "
        f"{TRAINING_READ_STD[1]:.3f} and shot_gain {TRAINING_SHOT_GAIN[1]:.3f}; gains from 4 lie beyond.",
    )
    _gain_presets()
    noise_text = st.empty()
    st.segmented_control("Camera shake", list(SHAKES), key="shake", required=True, help=_SHAKE_HELP)
    st.toggle(
        "Moving object",
        key="moving",
        help="A round cut-out of another photo travels over the scene, 2 pixels a frame.",
    )
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.number_input("Seed", 0, 2**31 - 1, key="seed", help="Of the shake and of the noise.")
    right.button("Next", on_click=_next_seed, width="stretch", help="Another burst of the same kind.")

    recipe = recipe_of({key: st.session_state[key] for key in DEFAULTS})
    with place:
        scene_picker(recipe, key="picker", on_change=_take_scene)
    noise = recipe.noise
    noise_text.caption(
        f"Noise at white: ±{(noise.read_std**2 + noise.shot_gain) ** 0.5:.3f}  \n"
        f"read_std {noise.read_std:.4f} · shot_gain {noise.shot_gain:.4f}",
        help="x ~ N(y, read_std² + shot_gain · y), in linear intensity with white = 1.",
    )
    return recipe


def method_controls() -> tuple[str, ...]:
    """Draw the choice of methods among the trained networks; the names chosen."""
    names = available()
    if not names:
        st.error(
            "No trained network was found. Train one with `kpnviz train kpn-l5 --photos FOLDER --minutes 30`, or "
            "name a folder with some in the environment variable KPNVIZ_CHECKPOINTS."
        )
        return ()
    st.session_state.setdefault(
        "methods", [name for name in _DEFAULT_METHODS if name in names] or list(names[:2])
    )
    chosen_names = st.multiselect("Methods", names, key="methods", format_func=title_of, max_selections=4)
    return tuple(name for name in names if name in chosen_names)


def _take_scene() -> None:
    scene = chosen("picker")
    if scene is not None:
        st.session_state.photo, st.session_state.top, st.session_state.left = scene


def _next_seed() -> None:
    st.session_state.seed += 1


def _gain_presets() -> None:
    columns = st.columns(len(GAINS), gap="xsmall")
    for column, gain in zip(columns, GAINS, strict=True):
        column.button(
            f"×{gain}",
            key=f"gain_{gain}",
            on_click=lambda gain=gain: st.session_state.update(gain=float(gain)),
            type="primary" if st.session_state.gain == gain else "secondary",
            width="stretch",
        )


def _moving_object(photo: str, size: int) -> MovingObject:
    names = gallery()
    other = names[(names.index(photo) + 1) % len(names)]
    return MovingObject(other, center=(size * 0.55, size * 0.35), diameter=size / 4, velocity=(0.0, 2.0))
