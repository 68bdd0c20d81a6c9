"""The controls of a burst, of the methods and of the pinned pixel.

What they stand at is in st.session_state, the same on all pages: recipes are read from there, or put there
(state.control).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from kpnviz.burst import Burst, BurstRecipe, Misalignment, synthesize, with_motion
from kpnviz.camera_motion import CameraMotion
from kpnviz.lens.terms import with_terms, words_in
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import has_color, read_scene
from kpnviz.ui.cache import failures, forget_failures, interesting_pixel
from kpnviz.ui.choices import (
    BY_HAND,
    CAMERA_TITLES,
    CROPS,
    HANDHELD,
    HELPS,
    MAX_METHODS,
    MAX_SEED,
    MAX_SHIFT,
    REDUCTION,
    SHAKE_TITLES,
    SHAKES,
    Shifts,
    moving_object,
    shifts_for,
)
from kpnviz.ui.elements import failure
from kpnviz.ui.methods import available, frames_of, markdown_title, method_title, offered_names, own, takes
from kpnviz.ui.parameters import (
    CAMERA,
    COLOR,
    CROP,
    DEFAULTS,
    FRAMES,
    GAIN,
    LEFT,
    METHODS,
    MOVING,
    PHOTO,
    SEED,
    SHAKE,
    SHIFTS,
    TOP,
    limits,
)
from kpnviz.ui.scene_picker import chosen, scene_picker
from kpnviz.ui.state import (
    DRAWN,
    PICKER,
    PIXEL,
    SHIFTS_GIVEN,
    TABLE_VERSION,
    TRY_AGAIN,
    control,
    gain_button,
    shift_table,
)
from kpnviz.ui.tips import line_of_terms, tips_aside


def recipe_of(state: Mapping[str, Any]) -> BurstRecipe:
    """The recipe that controls with the values of `DEFAULTS` (or others under those keys) stand for."""
    height, width = read_scene(state[PHOTO], REDUCTION).shape
    size = min(state[CROP], height, width)
    # A larger crop may not fit where the smaller one was.
    top, left = min(state[TOP], height - size), min(state[LEFT], width - size)
    recipe = BurstRecipe(
        photo=state[PHOTO],
        crop=(top, left, size, size),
        noise=NoiseModel.for_gain(state[GAIN]),
        misalignment=SHAKES.get(state[SHAKE], Misalignment()),
        frames=state[FRAMES],
        shifts=shifts_for(state[SHIFTS], state[FRAMES]) if state[SHAKE] == BY_HAND else None,
        moving=moving_object(state[PHOTO], size) if state[MOVING] else None,
        reduction=REDUCTION,
        seed=state[SEED],
        camera=_camera_motion(state),
        color=state[COLOR] and has_color(state[PHOTO]),
    )
    return (
        with_motion(recipe, "handheld") if state[SHAKE] == HANDHELD else recipe
    )  # without an object that moves


def burst_controls() -> BurstRecipe:
    """Draw the controls; the recipe that they stand at."""
    tips_aside()
    st.subheader("Scene")
    place = st.container()
    st.segmented_control(
        "Crop, pixels a side",
        CROPS,
        required=True,
        help="Drag the square on the photo to move it.",
        **control(CROP),
    )
    in_color = has_color(st.session_state[PHOTO])
    st.toggle(
        "Color",
        disabled=not in_color,
        help=HELPS["color"] if in_color else "This photo has no color.",
        **control(COLOR),
    )

    st.subheader("Burst")
    st.slider(
        "Sensor gain",
        **limits(GAIN),
        step=0.1,
        format="×%.1f",
        help=HELPS["gain"],
        **control(GAIN),
    )
    _gain_presets()
    noise_text = st.empty()
    st.slider(
        "Frames",
        **limits(FRAMES),
        help=HELPS["frames"],
        **control(FRAMES, _fit_shifts),
    )
    st.selectbox(
        "Camera shake",
        [*SHAKES, BY_HAND],
        format_func=SHAKE_TITLES.__getitem__,
        help=HELPS["shake"],
        **control(SHAKE, _keep_shifts),
    )
    if st.session_state[SHAKE] == BY_HAND:
        _shift_table()
    _camera_controls()
    turns = st.session_state[SHAKE] == HANDHELD
    st.toggle(
        "Moving object",
        disabled=turns,
        help="There is none where the camera turns." if turns else HELPS["moving"],
        **control(MOVING),
    )
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    left.number_input("Seed", **limits(SEED), help=HELPS["seed"], **control(SEED))
    right.button("Next", on_click=_next_seed, width="stretch", help="Another burst of the same kind.")

    recipe = recipe_of({key: st.session_state[key] for key in DEFAULTS})
    st.session_state[DRAWN] = recipe
    with place:
        scene_picker(recipe, key=PICKER, on_change=_take_scene)
    noise = recipe.noise
    white = (noise.read_std**2 + noise.shot_gain) ** 0.5
    written = with_terms(f"read_std {noise.read_std:.4f} · shot_gain {noise.shot_gain:.4f}")
    noise_text.html(f"<p class='words'>Noise at white: ±{100 * white:.1f} % of white<br>{written}</p>")
    return recipe


def method_controls() -> tuple[str, ...]:
    """Draw the choice of methods, trained networks and one's own; the names chosen that take the burst's frames."""
    names = offered_names()
    if not available():
        st.error(
            "No trained network was found. Train one with `kpnviz train kpn-l5 --photos FOLDER --minutes 30`, or "
            "name a folder with some in the environment variable KPNVIZ_CHECKPOINTS."
        )
        return ()
    chosen_names = st.multiselect(
        "Methods",
        names,
        format_func=method_title,
        max_selections=MAX_METHODS,
        select_all=False,
        **control(METHODS),
    )
    line_of_terms(words_in(method_title(name) for name in names if own(name) is None))
    return usable(tuple(name for name in names if name in chosen_names))


def usable(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the methods that take as many frames as the burst has; a sentence says which do not."""
    frames = st.session_state[FRAMES]
    left_out = [name for name in methods if not takes(name, frames)]
    if left_out:
        titles = ", ".join(map(markdown_title, left_out))
        needed = sorted({count for name in left_out for count in frames_of(name) or ()})
        counts = " or ".join(map(str, needed))
        take = "takes" if len(left_out) == 1 else "take"
        st.caption(
            f":material/info: {titles}: {take} {counts} frames, and this burst has {frames}. "
            f"Choose {needed[-1]} frames, or other methods."
        )
    return tuple(name for name in methods if name not in left_out)


def without_failures(recipe: BurstRecipe, methods: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the methods that gave something; of those of one's own that did not, a sentence says why."""
    failed = failures(recipe, methods)
    if failed:
        with st.container(key="failures"):
            for sentence in failed.values():
                failure(sentence)
            st.button(
                "Try again",
                icon=":material/refresh:",
                on_click=forget_failures,
                args=(recipe, methods),
                key=TRY_AGAIN,
            )
    return tuple(method for method in methods if method not in failed)


def pinned_pixel(burst: Burst) -> tuple[int, int]:
    """The pixel (y, x) that this session has pinned, or one worth a look where it does not lie in the burst."""
    pixel = st.session_state.get(PIXEL)
    if pixel is None or not (0 <= pixel[0] < burst.height and 0 <= pixel[1] < burst.width):
        return interesting_pixel(burst)
    return int(pixel[0]), int(pixel[1])


def _take_scene() -> None:
    scene = chosen(PICKER)
    if scene is not None:
        st.session_state[PHOTO], st.session_state[TOP], st.session_state[LEFT] = scene


def _next_seed() -> None:
    st.session_state[SEED] = (st.session_state[SEED] + 1) % MAX_SEED


def _keep_shifts() -> None:
    """By hand one starts from the shake that was on the page."""
    drawn = st.session_state.get(DRAWN)
    if st.session_state[SHAKE] == BY_HAND and drawn is not None and drawn.shifts is None:
        shifts = np.rint(np.asarray(synthesize(replace(drawn, crop=(0, 0, 8, 8), camera=None)).shifts))
        st.session_state[SHIFTS] = tuple((int(dy), int(dx)) for dy, dx in shifts)


def _camera_controls() -> None:
    """Sliders of how the camera moves beside its shake."""
    state = st.session_state
    fixed = state[MOVING] or state[SHAKE] == HANDHELD
    moves = any(state[key] for key in CAMERA) and not fixed
    with st.expander("Camera motion", expanded=moves):
        for key in CAMERA:
            title, meaning = CAMERA_TITLES[key]
            st.slider(
                title,
                **limits(key),
                step=0.1 if key in ("rotation", "tilt") else 0.5,
                format="%.1f",
                help=meaning,
                disabled=fixed,
                **control(key),
            )
        if state[SHAKE] == HANDHELD:
            st.caption(
                "The shake of a hand has rotation, shutter and parallax of its own, which the seed draws."
            )
        elif fixed:
            st.caption("While an object moves, the camera only shifts.")
        else:
            st.caption("Each grows evenly from frame 0 to the last, on top of the shake.")


def _camera_motion(state: Mapping[str, Any]) -> CameraMotion | None:
    if state[MOVING] or state[SHAKE] == HANDHELD:
        return None
    values = {key: state[key] for key in CAMERA}
    return CameraMotion(**values) if any(values.values()) else None


def _fit_shifts() -> None:
    st.session_state[SHIFTS] = shifts_for(st.session_state[SHIFTS], st.session_state[FRAMES])


def _shift_table() -> None:
    """Each frame's shift, to be edited; what is not a whole number within the limits is refused by the cell.

    The table remembers edits of the shifts that it was given (`_shifts_given`); it is given others, under a new key,
    when they were changed elsewhere: by a link, a preset or another choice of shake.
    """
    state = st.session_state
    if len(state[SHIFTS]) != state[FRAMES]:  # set elsewhere
        _fit_shifts()
    version = state.get(TABLE_VERSION, 0)
    edited = state.get(shift_table(version))
    if (
        edited is None
        or len(state[SHIFTS_GIVEN]) != state[FRAMES]
        or _with_edits(state[SHIFTS_GIVEN], edited) != state[SHIFTS]
    ):
        version = state[TABLE_VERSION] = version + 1
        state[SHIFTS_GIVEN] = state[SHIFTS]
    key = shift_table(version)

    def take() -> None:
        state[SHIFTS] = _with_edits(state[SHIFTS_GIVEN], state[key])

    def column(title: str, meaning: str) -> Any:
        return st.column_config.NumberColumn(
            title,
            min_value=-MAX_SHIFT,
            max_value=MAX_SHIFT,
            step=1,
            required=True,
            format="%+d",
            help=meaning,
        )

    given = list(enumerate(state[SHIFTS_GIVEN]))[1:]
    st.data_editor(
        [{"frame": i, "dy": dy, "dx": dx} for i, (dy, dx) in given],
        column_config={
            "frame": st.column_config.NumberColumn("frame", width="small"),
            "dy": column(
                "dy, px", "Pixels down (negative: up) that the scene lies from where it is in frame 0"
            ),
            "dx": column("dx, px", "Pixels to the right (negative: left)"),
        },
        disabled=["frame"],
        hide_index=True,
        key=key,
        on_change=take,
    )


def _with_edits(shifts: Shifts, edited: Mapping[str, Any]) -> Shifts:
    """Shifts with the edits of the table: {"edited_rows": {row: {column: value}}}, row 0 being frame 1."""
    rows = [list(shift) for shift in shifts]
    for row, values in edited.get("edited_rows", {}).items():
        for axis, name in enumerate(("dy", "dx")):
            value = values.get(name)
            if value is not None and abs(value) <= MAX_SHIFT:
                rows[int(row) + 1][axis] = round(value)
    return tuple((dy, dx) for dy, dx in rows)


def _gain_presets() -> None:
    columns = st.columns(len(GAINS), gap="xsmall")
    for column, gain in zip(columns, GAINS, strict=True):
        column.button(
            f"×{gain}",
            key=gain_button(gain),
            on_click=lambda gain=gain: st.session_state.update({GAIN: float(gain)}),
            type="primary" if st.session_state[GAIN] == gain else "secondary",
            width="stretch",
        )
