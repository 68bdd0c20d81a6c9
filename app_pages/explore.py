"""Explore: one burst, a few methods, and the kernels of the pixel under the mouse."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from kpnviz.analysis.metrics import PROTOCOL
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.denoise import Estimate
from kpnviz.models.zoo import title_of
from kpnviz.ui import cache, elements, export, link, work
from kpnviz.ui.assumed_noise import assumed_noise, assumed_payloads
from kpnviz.ui.controls import burst_controls, method_controls
from kpnviz.ui.kernel_lens import Pixel, kernel_lens
from kpnviz.ui.numbers import pixel_statistics, pixel_table
from kpnviz.ui.page import begin
from kpnviz.ui.presets import preset_menu, shown_preset
from kpnviz.ui.state import GAIN, LENS, LENS_DISPLAY, LINK_PROBLEM, METHODS


@st.fragment
def lens_and_numbers(recipe: BurstRecipe, methods: tuple[str, ...]) -> None:
    burst = cache.burst_of(recipe)
    estimates = [cache.estimate(recipe, method) for method in methods]
    pixel = kernel_lens(cache.lens_payload(recipe, methods), key=LENS)
    link.sync_address()
    if pixel is not None and not (pixel[0] < burst.height and pixel[1] < burst.width):
        pixel = None
    if pixel is not None:
        pixel_table(burst, estimates, *pixel)
    rows = pixel_statistics(burst, estimates, *pixel) if pixel else export.scores(burst, estimates)
    downloads(recipe, methods, pixel, rows)
    st.caption(PROTOCOL + ".")


def downloads(
    recipe: BurstRecipe, methods: tuple[str, ...], pixel: Pixel | None, rows: list[dict[str, Any]]
) -> None:
    """Files of what is on the page, made when they are asked for.

    Streamlit keeps what makes them as long as a session, so that it holds names, and looks up burst and estimates.
    """
    state = st.session_state.to_dict()
    look = {"gain": state[GAIN], "pixel": pixel, "display": state[LENS_DISPLAY]}
    here = link.link(st.context.url, state)

    def shown() -> tuple[Burst, list[Estimate]]:
        return cache.burst_of(recipe), [cache.estimate(recipe, method) for method in methods]

    def interactive() -> str:
        payload = cache.lens_payload(recipe, methods)
        assumed = assumed_payloads(recipe, methods, export.PAGE_BYTES - len(payload))
        return export.interactive_page(*shown(), payload, here, **look, assumed=assumed)

    files: list[tuple[str, str, str, Callable[[], str | bytes]]] = [
        ("Interactive page (HTML)", "_interactive.html", "text/html", interactive),
        ("Report (HTML)", ".html", "text/html", lambda: export.report(*shown(), pixel, here)),
        ("Burst and kernels (NPZ)", ".npz", "application/zip", lambda: export.npz(*shown(), pixel)),
        ("Statistics (CSV)" if pixel else "Scores (CSV)", ".csv", "text/csv", lambda: export.table_csv(rows)),
    ]
    name = f"kpnviz_{recipe.photo}" + (f"_y{pixel[0]}_x{pixel[1]}" if pixel else "")
    with st.container(horizontal=True, gap="small"):
        for label, ending, mime, make in files if methods else files[1:]:
            st.download_button(
                label,
                make,
                f"{name}{ending}",
                mime,
                key=f"download{ending}",
                icon=":material/download:",
                on_click="ignore",
            )


def frames_first(recipe: BurstRecipe, methods: tuple[str, ...]) -> bool:
    """Where there is no lens yet and the networks have to run first, show one with the frames: whether it did."""
    there = LENS in st.session_state or work.is_kept(cache.lens_payload, recipe, methods)
    early = bool(methods) and not there
    if early:
        kernel_lens(cache.frames_payload(recipe), key=LENS)
    return early


preset = shown_preset()
problem = st.session_state.get(LINK_PROBLEM, "")
begin(
    "What does the network do at this pixel?",
    f":material/visibility: **{preset.title}.** {preset.look}"
    if preset
    else "Each network filters every frame with a **kernel** of its own at every pixel, and takes the mean. "
    "**Move over the picture** to see the kernels.",
    tools=preset_menu,
)
status = st.empty()

with st.sidebar:
    recipe = burst_controls()
    methods = method_controls()

try:
    early = frames_first(recipe, methods)
    with status, st.spinner("Denoising with " + ", ".join(map(title_of, methods)) + " …" if methods else "…"):
        cache.lens_payload(recipe, methods)
    if early:
        st.session_state[LINK_PROBLEM] = problem  # what was said of the link is to stay
        st.rerun()
except ValueError as error:
    elements.failure(error)
else:
    if not methods and st.session_state[METHODS]:
        st.info(
            f"None of the methods chosen takes {recipe.frames} frames: choose another number of frames, or others."
        )
    lens_and_numbers(recipe, methods)
    assumed_noise(recipe, methods)
