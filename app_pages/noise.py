"""Noise: the same burst, and with more or less assumed noise than there is."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from kpnviz import figures
from kpnviz.analysis.tables import protocol
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.lens.texts.pages import BLIND, NOISE
from kpnviz.lens.texts.result_tables import beyond_training
from kpnviz.models.zoo import ZOO, title_of
from kpnviz.serving.in_parts import InParts
from kpnviz.text import times
from kpnviz.ui import cache, elements, link
from kpnviz.ui.assumed_noise import offered
from kpnviz.ui.controls import (
    burst_controls,
    method_controls,
    pinned_pixel,
    without_failures,
)
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.methods import available, markdown_title, takes
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import FRAMES
from kpnviz.ui.state import MATRIX_METHOD, NOISE_DISPLAY, NOISE_LENS
from kpnviz.ui.tips import line_of_terms, tips

SAYS = NOISE.texts


def default_method(methods: Sequence[str]) -> str:
    """The last method that takes an assumed noise, if there is one: the most to see."""
    return ([method for method in methods if not is_blind(method)] or list(methods))[-1]


def is_blind(method: str) -> bool:
    """Whether a method takes no assumed noise."""
    return method in ZOO and not ZOO[method].noise_map


# Of the assumed noise: the true one and the ends first, so that curves have their shape early.
ORDER = sorted(
    cache.SCALES, key=lambda scale: (scale not in (1, min(cache.SCALES), max(cache.SCALES)), scale)
)


@elements.fragment
def lens(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    """The pictures and kernels, with the slider of the assumed noise; the rest of the page is about `pixel`."""
    kernel_lens(
        cache.lens_payload(recipe, methods),
        NOISE_LENS,
        display=NOISE_DISPLAY,
        assumed=offered(recipe, methods),
    )
    link.sync_address()
    if pinned_pixel(cache.burst_of(recipe)) != pixel:
        st.rerun()


def results(
    recipe: BurstRecipe, methods: tuple[str, ...], with_kernels: tuple[str, ...], pixel: tuple[int, int]
) -> None:
    """All parts of the page: their places at once, and what is in them as it comes."""
    burst = cache.burst_of(recipe)
    bar = elements.progress_bar("sweeps", "Denoising …")
    denoised = cache.denoised(recipe, methods)
    parts = InParts(
        cache.answer,
        {f"{name} {scale}": (recipe, name, scale) for scale in ORDER for name in with_kernels},
    )
    complete = parts.complete
    known = parts.is_ready(f"{with_kernels[-1]} {ORDER[0]}")
    with elements.awaited(denoised.complete, "Denoising …") as for_lens:
        st.subheader(SAYS["curves"], anchor=False)
        tips()
        line_of_terms(NOISE.words)
        with (
            elements.awaited(known, f"Denoising with {len(with_kernels)} networks …") as for_curves,
            elements.awaited(complete, "True noise against assumed noise …") as for_matrix,
        ):
            for _ in denoised.results():
                pass
            cache.lens_payload(recipe, methods)
            with for_lens():
                lens(recipe, methods, pixel)
            place, found = None, dict[str, dict[float, cache.Answer]]()
            for done, scale in enumerate(ORDER):
                for name in with_kernels:
                    bar.progress(done / len(ORDER), f"Denoising with assumed noise {times(scale)} …")
                    found.setdefault(name, {})[scale] = cache.answer(recipe, name, scale)
                if complete and scale != ORDER[-1]:
                    continue  # all are drawn at once
                place = place or for_curves().empty()
                with place.container():
                    curves(burst, found)
            bar.empty()
            with for_matrix():
                matrix(recipe, with_kernels, pixel)


def curves(burst: Burst, found: Mapping[str, Mapping[float, cache.Answer]]) -> None:
    """The curves of what is there by now: of each method the answers to some assumed noises."""
    scales = sorted(next(iter(found.values())))
    answers = {name: [of[scale] for scale in scales] for name, of in found.items()}
    ticks = [times(scale) if scale in cache.SHOWN_SCALES else "" for scale in scales]
    cells: list[tuple[str, str, Mapping[str, Sequence[float | None]]]] = [
        (SAYS["spread"], "median spread, px", {m: [a.spread for a in of] for m, of in answers.items()}),
        (SAYS["share"], "median share, %", {m: [100 * a.share for a in of] for m, of in answers.items()}),
        (SAYS["psnr"], "PSNR, dB", {m: [a.psnr for a in of] for m, of in answers.items() if of[0].psnr is not None}),
    ]  # fmt: skip
    with elements.grid(f"noise_curves_{len(scales)}", 270):
        for name, unit, series in cells:
            if not series:
                continue
            with st.container(gap="xsmall"):
                st.markdown(f"**{name}**")
                figure = figures.curves(
                    scales, {title_of(m): y for m, y in series.items()}, "assumed noise / true noise", unit,
                    log2=True, tick_text=ticks,
                )  # fmt: skip
                elements.chart(figure, f"noise_{name}_{len(scales)}")
    flat = " and ".join(markdown_title(method) for method in answers if is_blind(method))
    blind = SAYS["flat"].format(names=flat) if flat else SAYS["no_flat"].format(name=title_of(BLIND))
    st.caption(f"{SAYS['caption'].format(protocol=protocol(burst, 'PSNR'))} {blind}")


@elements.fragment
def matrix(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    st.subheader(SAYS["matrix"], anchor=False)
    method = elements.choose("Method", methods, MATRIX_METHOD, default_method(methods), markdown_title)
    small = cache.matrix_recipe(recipe, pixel)
    bar = elements.progress_bar("matrix", "Denoising a burst for every pair …")
    bursts = f"Denoising {len(cache.MATRIX_GAINS) ** 2} bursts …"
    with elements.awaited(cache.matrix_is_kept(small, method), bursts) as place:
        values = cache.noise_matrix(small, method, lambda share: bar.progress(share, bursts))
        bar.empty()
        with place():
            show_matrix(small, values)


def show_matrix(small: BurstRecipe, values: np.ndarray) -> None:
    gains = [times(gain) for gain in cache.MATRIX_GAINS]
    with elements.grid("matrix", 380):
        left, right = st.container(), st.container()
    with left:
        elements.chart(figures.gain_matrix(values, gains, gains), "noise_matrix")
    height, width = (small.crop or (0, 0, 0, 0))[2:]
    with right:
        diagonal = np.diag(values)
        loss = values.max(axis=0) - diagonal
        st.markdown(SAYS["cells"].format(height=height, width=width))
        loses = loss.max() >= 0.005
        st.markdown(SAYS["better"].format(loss=f"{loss.max():.2f}") if loses else SAYS["best"])
    st.caption(f"{beyond_training(cache.MATRIX_GAINS)} {protocol(cache.burst_of(small), 'PSNR')}.")


begin(NOISE.title, NOISE.introduction)
with st.sidebar:
    recipe = burst_controls()
    methods = method_controls()
pixel = pinned_pixel(cache.burst_of(recipe))

frames = st.session_state[FRAMES]
blind = (BLIND,) if BLIND in available() and BLIND not in methods and takes(BLIND, frames) else ()
chosen = (*methods, *blind)
try:
    cache.check_lens(recipe, methods)
    with st.spinner("Denoising …"):
        with_kernels = tuple(name for name in chosen if cache.has_kernels(recipe, name))
    methods = without_failures(recipe, methods)
    if not methods or not with_kernels:
        st.info(SAYS["without"])
    else:
        results(recipe, methods, with_kernels, pixel)
except ValueError as error:
    elements.failure(error)
