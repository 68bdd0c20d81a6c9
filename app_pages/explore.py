"""Explore: one burst, a few methods, and the kernels of the pixel under the mouse."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import streamlit as st

from kpnviz.analysis.tables import pixel_statistics, protocol, scores
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.denoise import Estimate
from kpnviz.lens.page import PAGE_BYTES, interactive_page
from kpnviz.lens.payload import Pixel
from kpnviz.lens.texts.pages import EXPLORE
from kpnviz.ui import cache, elements, export, link
from kpnviz.ui.assumed_noise import assumed_payloads, offered
from kpnviz.ui.controls import burst_controls, method_controls, without_failures
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.methods import markdown_title, own
from kpnviz.ui.numbers import pixel_table
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import GAIN, METHODS
from kpnviz.ui.presets import preset_menu, shown_number, shown_preset
from kpnviz.ui.state import IN_PARTS, LENS, LENS_DISPLAY


@elements.fragment
def lens_and_numbers(recipe: BurstRecipe, methods: tuple[str, ...], ready: tuple[str, ...]) -> None:
    """The lens, and where all methods are ready what stands under it."""
    if ready != methods:
        kernel_lens(cache.early_payload(recipe, methods, ready), key=LENS)
        return
    burst = cache.burst_of(recipe)
    estimates = cache.estimates(recipe, methods)
    pixel = kernel_lens(cache.lens_payload(recipe, methods), key=LENS, assumed=offered(recipe, methods))
    link.sync_address()
    if pixel is not None and not (pixel[0] < burst.height and pixel[1] < burst.width):
        pixel = None
    if pixel is not None:
        pixel_table(burst, estimates, *pixel)
    rows = pixel_statistics(burst, estimates, *pixel) if pixel else scores(burst, estimates)
    downloads(recipe, methods, pixel, rows)
    st.caption(f"{protocol(burst)}.")


def downloads(
    recipe: BurstRecipe, methods: tuple[str, ...], pixel: Pixel | None, rows: list[dict[str, Any]]
) -> None:
    """Files of what is on the page, made when they are asked for.

    Streamlit keeps what makes them as long as a session, so that it holds names, and looks up burst and estimates.
    """
    state = st.session_state.to_dict()
    look = {"gain": state[GAIN], "pixel": pixel, "display": state[LENS_DISPLAY]}
    here = link.link(st.context.url, state)
    # Pictures, scores and kernels of a report are those of the true noise: so is what its link opens.
    plain = {name: value for name, value in state[LENS_DISPLAY].items() if name != "assumed"}
    true_noise = link.link(st.context.url, state | {LENS_DISPLAY: plain})

    def shown() -> tuple[Burst, list[Estimate]]:
        return cache.burst_of(recipe), cache.estimates(recipe, methods)

    def interactive() -> str:
        payload = cache.lens_payload(recipe, methods)
        assumed = assumed_payloads(recipe, methods, PAGE_BYTES - len(payload))
        return interactive_page(*shown(), payload, here, **look, assumed=assumed)

    files: list[tuple[str, str, str, Callable[[], str | bytes]]] = [
        ("Interactive page (HTML)", "_interactive.html", "text/html", interactive),
        ("Report (HTML)", ".html", "text/html", lambda: export.report(*shown(), pixel, true_noise)),
        ("Burst and kernels (NPZ)", ".npz", "application/zip", lambda: export.npz(*shown())),
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


def in_order_of_view(methods: tuple[str, ...]) -> list[str]:
    """First those of the large pictures, which are at first the last one's; methods of one's own after all networks."""
    display = st.session_state.get(LENS_DISPLAY, {})
    large = [display.get(name) for name in ("shown", "other")]
    last_first = list(reversed(methods))
    return sorted(last_first, key=lambda method: (own(method) is not None, method not in large))


def denoising(methods: tuple[str, ...]) -> AbstractContextManager[None]:
    return st.spinner("Denoising with " + ", ".join(map(markdown_title, methods)) + " …" if methods else "…")


def introduce() -> None:
    """What is to be seen, written when the pictures are drawn that it speaks of."""
    preset, number = shown_preset(), shown_number()
    if number:
        text = EXPLORE.texts["number"].format(text=number.text, says=number.says)
    elif preset:
        text = f":material/visibility: **{preset.title}.** {preset.look}"
    else:
        text = EXPLORE.introduction
    introduction.markdown(text)


# Until new pictures are there, the text is that of the old ones.
introduction = begin(EXPLORE.title, tools=preset_menu)
status = st.empty()

with st.sidebar:
    recipe = burst_controls()
    methods = method_controls()

try:
    cache.check_lens(recipe, methods)
    estimates, order = cache.denoised(recipe, methods), in_order_of_view(methods)
    with status, denoising(methods):
        ready = estimates.to_show(IN_PARTS, order, wait=LENS in st.session_state)
        if ready == methods:
            cache.lens_payload(recipe, methods)
    introduce()
    if ready != methods:
        lens_and_numbers(recipe, methods, ready)
        with status, denoising(methods):
            estimates.show_more(order)
except ValueError as error:
    elements.failure(error)
else:
    if not methods and st.session_state[METHODS]:
        st.info(
            f"None of the methods chosen takes {recipe.frames} frames: choose another number of frames, or others."
        )
    without_failures(recipe, methods)
    lens_and_numbers(recipe, methods, ready)
