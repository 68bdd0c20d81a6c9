"""Kernels: what they are made of, what they do over the picture, and what if they were others."""

from typing import Any

import numpy as np
import streamlit as st

from kpnviz.analysis.tables import protocol
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.ui import cache, elements, link
from kpnviz.ui.assumed_noise import offered
from kpnviz.ui.choices import KERNEL_VIEWS
from kpnviz.ui.controls import burst_controls, method_controls, pinned_pixel, without_failures
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import KERNELS_VIEW, TEACH
from kpnviz.ui.state import KERNELS_DISPLAY, KERNELS_LENS, KERNELS_OPENED, control


def displaced(burst: Burst, frames: int, pixel: tuple[int, int], reach: int) -> int:
    """The frame of those whose scene at the pixel moved furthest among the ones that a kernel's reach can follow."""
    shifts = burst.shifts_at(*pixel)
    if shifts is None or frames < 2:
        return min(1, frames - 1)
    far = np.abs(np.asarray(shifts)[1:frames]).max(axis=1)
    # Where none is within reach, the nearest.
    return 1 + int(np.where(far <= reach, far, -far).argmax())


def views(view: str, methods: tuple[str, ...]) -> dict[str, Any]:
    """How the lens shows a view of the page at first."""
    pair = [*methods[-2:-1], *methods[-1:]]
    shown: dict[str, dict[str, Any]] = {
        KERNEL_VIEWS["decomposition"]: {"look": "parts", "mode": "picture", "all": False},
        KERNEL_VIEWS["maps"]: {"look": "kernels", "mode": "displacement"},
        KERNEL_VIEWS["kinds"]: {"look": "kinds", "mode": "kinds", "all": True},
        KERNEL_VIEWS["frequencies"]: {"look": "frequencies", "mode": "picture", "all": False},
        KERNEL_VIEWS["region"]: {"look": "region", "mode": "picture"},
        KERNEL_VIEWS["disagreement"]: {
            "look": "kernels", "mode": "absolute", "compare": "one", "against": pair[0], "shown": pair[-1],
        },
        KERNEL_VIEWS["what-if"]: {"look": "change", "mode": "picture"},
    }  # fmt: skip
    return shown[view]


def open_view(recipe: BurstRecipe, methods: tuple[str, ...], view: str) -> None:
    """Let the lens show a view that was just chosen; maps of a frame that moved, within the kernels' reach."""
    state = st.session_state
    before, state[KERNELS_OPENED] = state.get(KERNELS_OPENED), view
    if link.was_opened():
        before = None
    display = state.get(KERNELS_DISPLAY) or {}
    # A link says how the lens shows the view that it opens.
    if before == view or (before is None and display):
        return
    if before == KERNEL_VIEWS["disagreement"]:
        display = {name: value for name, value in display.items() if name not in ("compare", "against")}
    display = {**display, **views(view, methods)}
    if view == KERNEL_VIEWS["maps"] and not display.get("frame"):
        burst = cache.burst_of(recipe)
        fields = [one.kernels for one in cache.estimates(recipe, methods) if one.kernels is not None]
        display["frame"] = displaced(burst, fields[-1].frames, pinned_pixel(burst), fields[-1].reach)
    state[KERNELS_DISPLAY] = display


@elements.fragment
def inside(recipe: BurstRecipe, methods: tuple[str, ...]) -> None:
    """The lens. It computes what it shows: neither the mouse nor a pin waits for the server."""
    kernel_lens(
        cache.lens_payload(recipe, methods),
        KERNELS_LENS,
        display=KERNELS_DISPLAY,
        assumed=offered(recipe, methods),
    )
    link.sync_address()
    st.caption(f"{protocol(cache.burst_of(recipe))}.")


def in_lens(recipe: BurstRecipe, methods: tuple[str, ...], view: str) -> None:
    cache.check_lens(recipe, methods)
    denoised = cache.denoised(recipe, methods)
    with elements.awaited(denoised.complete, "Denoising …") as place:
        for _ in denoised.results():
            pass
        cache.lens_payload(recipe, methods)
        open_view(recipe, methods, view)
        with place():
            inside(recipe, methods)


begin(
    "What are the kernels made of, and what do they do?",
    ""  # in front of a class the title is enough, and kernels need the room
    if st.session_state.get(TEACH)
    else "**Move over the picture** or tap it: what is shown of the kernels follows. Click a size to switch it off, in "
    "*What if* a frame to leave it out; *Show* has maps of the whole picture. The burst and the methods are in the "
    "sidebar.",
)
with st.sidebar:
    recipe = burst_controls()
    methods = method_controls()

view = st.segmented_control(
    "View", KERNEL_VIEWS.values(), required=True, label_visibility="collapsed", **control(KERNELS_VIEW)
)
try:
    with st.spinner("Denoising …"):
        with_kernels = tuple(name for name in methods if cache.has_kernels(recipe, name))
    methods = without_failures(recipe, methods)
    if not with_kernels:
        st.info("Choose a method that predicts kernels, in the sidebar.")
    elif view == KERNEL_VIEWS["disagreement"] and len(methods) < 2:
        st.info("Choose two methods in the sidebar: this compares them.")
    else:
        in_lens(recipe, methods, view)
except ValueError as error:
    elements.failure(error)
