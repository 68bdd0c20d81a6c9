"""Noise: the same burst, and with more or less assumed noise than there is."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from kpnviz import figures
from kpnviz.analysis.tables import protocol
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.models.zoo import ZOO, title_of
from kpnviz.serving.in_parts import InParts
from kpnviz.ui import cache, elements
from kpnviz.ui.controls import (
    beyond_training,
    burst_controls,
    method_controls,
    pixel_controls,
    without_failures,
)
from kpnviz.ui.methods import available, frames_of, markdown_title, takes
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import FRAMES
from kpnviz.ui.state import MATRIX_METHOD, NOISE_FRAME, NOISE_METHOD, NOISE_SIDE

BLIND = "kpn-blind"  # beside the methods that are chosen


def scale_text(scale: float) -> str:
    """0.25 -> '×1/4'."""
    return f"×{scale:g}" if scale >= 1 else f"×1/{1 / scale:g}"


def default_method(methods: Sequence[str]) -> str:
    """The last method that takes an assumed noise, if there is one: the most to see."""
    return ([method for method in methods if not is_blind(method)] or list(methods))[-1]


def is_blind(method: str) -> bool:
    """Whether a method takes no assumed noise."""
    return method in ZOO and not ZOO[method].noise_map


def results(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    """All parts of the page: their places at once, and what is in them as it comes, that of the chosen method first."""
    burst = cache.burst_of(recipe)
    bar = elements.progress_bar("sweeps", "Denoising …")
    st.subheader("The picture and the kernels at the pinned pixel", anchor=False)
    with st.container(horizontal=True):
        method = elements.choose("Method", methods, NOISE_METHOD, default_method(methods), markdown_title)
        others = range(1, 1 if frames_of(method) == {1} else recipe.frames)
        other = elements.choose("Other frame", others, NOISE_FRAME, 1) if others else None
        side = st.segmented_control(
            "Pixels a side", [33, 65, burst.height], key=NOISE_SIDE, default=33, required=True,
            format_func=lambda n: "all" if n == burst.height else str(n),
        )  # fmt: skip

    parts = InParts(cache.sweep, {name: (recipe, name) for name in methods})
    complete, found = parts.complete, dict[str, cache.Sweep]()

    def say(share: float, name: str) -> None:
        bar.progress(share, f"Denoising {len(cache.SCALES)} times with {markdown_title(name)} …")

    with elements.awaited(parts.is_ready(method), f"Denoising with {markdown_title(method)} …") as for_strips:
        st.subheader("How the kernels and the picture answer", anchor=False)
        waiting = f"Denoising with {len(methods)} networks …"
        with (
            elements.awaited(complete, waiting) as for_curves,
            elements.awaited(complete, waiting) as for_matrix,
        ):
            for name, sweep in parts.results([method], say):
                found[name] = sweep
                if name == method:
                    with for_strips():
                        strips(burst, sweep, other, side, pixel)
                if not complete or len(found) == len(methods):
                    with for_curves():
                        curves(burst, found, methods)
            bar.empty()
            with for_matrix():
                matrix(recipe, methods, pixel)


def strips(burst: Burst, shown: cache.Sweep, other: int | None, side: int, pixel: tuple[int, int]) -> None:
    assumed = [scale_text(scale) for scale in cache.SHOWN_SCALES]
    elements.strip(
        [
            (f"assumed noise {text}", elements.decibels(image, burst), image)
            for text, image in zip(assumed, shown.images, strict=True)
        ],
        burst.white_level,
        pixel,
        side=side,
        width=110,
    )
    kernels = [field.at(*pixel) for field in shown.fields]
    frames = [0] if other is None else [0, other]
    figure = figures.kernel_rows(
        [[k[frame] for k in kernels] for frame in frames], [f"frame {frame}" for frame in frames],
        assumed, "assumed noise / true noise",
        dark=elements.is_dark(), height=70 + 150 * len(frames),
    )  # fmt: skip
    elements.chart(figure, "noise_kernels")


def curves(burst: Burst, found: dict[str, cache.Sweep], methods: tuple[str, ...]) -> None:
    """The curves of those of the methods that are there by now."""
    sweeps = {method: found[method] for method in methods if method in found}
    titles = {method: title_of(method) for method in sweeps}
    ticks = [scale_text(scale) if scale in cache.SHOWN_SCALES else "" for scale in cache.SCALES]
    cells: list[tuple[str, str, Mapping[str, Sequence[float | None]]]] = [
        ("Spread of frame 0's kernels", "median spread, px", {m: s.spread for m, s in sweeps.items()}),
        ("Share of frame 0", "median share", {m: s.share for m, s in sweeps.items()}),
        ("Picture", "PSNR, dB", {m: s.psnr for m, s in sweeps.items() if None not in s.psnr}),
    ]
    with elements.grid(f"noise_curves_{len(sweeps)}", 270):
        for name, unit, series in cells:
            if not series:
                continue
            with st.container(gap="xsmall"):
                st.markdown(f"**{name}**")
                figure = figures.curves(
                    cache.SCALES, {titles[m]: y for m, y in series.items()}, "assumed noise / true noise", unit,
                    log2=True, tick_text=ticks,
                )  # fmt: skip
                elements.chart(figure, f"noise_{name}_{len(sweeps)}")
    flat = " and ".join(markdown_title(method) for method in methods if is_blind(method))
    blind = (
        f" Of networks that take no assumed noise lines are flat: {flat}."
        if flat
        else f" {title_of(BLIND)}, which takes no assumed noise, is not among the networks here."
    )
    st.caption(
        "Medians over the picture, at every second pixel. At ×1 the assumed noise is the true one. "
        + protocol(burst)
        + "."
        + blind
    )


@elements.fragment
def matrix(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    st.subheader("True noise against assumed noise", anchor=False)
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
    gains = [f"×{gain}" for gain in cache.MATRIX_GAINS]
    with elements.grid("matrix", 380):
        left, right = st.container(), st.container()
    with left:
        elements.chart(figures.gain_matrix(values, gains, gains), "noise_matrix")
    height, width = (small.crop or (0, 0, 0, 0))[2:]
    with right:
        diagonal = np.diag(values)
        loss = values.max(axis=0) - diagonal
        st.markdown(
            f"Each cell is the PSNR of one burst of the {height}×{width} pixels around the pinned one: made at the "
            "gain below, denoised with the assumed noise of the gain at the left. The frame marks the "
            "best of each column; where the network makes the most of the truth, it lies on the diagonal."
        )
        st.markdown(
            f"At most **{loss.max():.2f} dB** would be gained here by assuming another noise than the true one."
        )
    st.caption(f"{beyond_training(cache.MATRIX_GAINS)} {protocol(cache.burst_of(small))}.")


begin(
    "What if the assumed noise is wrong?",
    "A kernel prediction network takes an **assumed noise**: how noisy the frames are said to be. Here the **same "
    "burst** is denoised again and again, and only the assumed noise changes: 1/4 of the true standard deviation, the "
    "true one, 4 times as much.",
)
with st.sidebar:
    recipe = burst_controls()
    methods = method_controls()
    pixel = pixel_controls(cache.burst_of(recipe))

frames = st.session_state[FRAMES]
blind = (BLIND,) if BLIND in available() and BLIND not in methods and takes(BLIND, frames) else ()
chosen = (*methods, *blind)
try:
    with st.spinner("Denoising …"):
        with_kernels = tuple(name for name in chosen if cache.has_kernels(recipe, name))
    without_failures(recipe, methods)
    if not methods or not with_kernels:
        st.info("Choose a method that predicts kernels, in the sidebar.")
    else:
        results(recipe, with_kernels, pixel)
except ValueError as error:
    elements.failure(error)
