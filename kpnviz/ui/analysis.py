"""What the analysis pages compute and share: bounded caches keyed on recipes and names, the pinned pixel,
rows of pictures.

What the caches return is shared between sessions: nobody writes into it.
"""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from kpnviz.analysis.counterfactuals import ChangedKernels, drop_frames, restrict_sizes, shift_frame
from kpnviz.analysis.maps import FrameMaps, frame_maps
from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.color import displayed
from kpnviz.figures import Figure
from kpnviz.kernels import KernelField
from kpnviz.noise import NoiseModel
from kpnviz.ui import cache

SCALES = (0.25, 0.25 * 2**0.5, 0.5, 0.5**0.5, 1.0, 2**0.5, 2.0, 2 * 2**0.5, 4.0)
"""Multiples of the true noise that a network is told."""

SHOWN_SCALES = SCALES[::2]
"""Those whose pictures and kernels are kept."""

MATRIX_GAINS = (1, 2, 4, 8, 16)
MATRIX_CROP = 64


@st.cache_resource(max_entries=64, show_spinner=False)
def picture(recipe: BurstRecipe, method: str) -> np.ndarray:
    """A method's picture of a burst, [H, W], without its kernels: many fit."""
    return cache.denoise(method, cache.burst_of(recipe), keep_kernels=False).image


@st.cache_resource(max_entries=24, show_spinner=False)
def maps_of(recipe: BurstRecipe, method: str, frame: int) -> FrameMaps:
    return frame_maps(kernels_of(recipe, method), frame)


def kernels_of(recipe: BurstRecipe, method: str) -> KernelField:
    """The kernels that a method applied to a burst."""
    field = cache.estimate(recipe, method).kernels
    if field is None:
        raise ValueError(f"{method} predicts the picture itself: it has no kernels")
    return field


# --- Counterfactuals -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What is changed by hand, all at once; the defaults change nothing. See counterfactuals."""

    dropped: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    nonnegative: bool = False
    renormalise: bool = False
    shifted: int = 0
    shift: tuple[int, int] = (0, 0)
    predict_anew: bool = True


@dataclass(frozen=True, eq=False)
class Changed:
    """The burst after a change, its picture [H, W], and the kernels that made it."""

    burst: Burst
    image: np.ndarray
    kernels: ChangedKernels


@st.cache_resource(max_entries=6, show_spinner=False)
def changed(recipe: BurstRecipe, method: str, change: Change) -> Changed:
    """The picture and kernels of a burst after a change."""
    burst, field = cache.burst_of(recipe), kernels_of(recipe, method)
    if change.shift != (0, 0):
        burst = shift_frame(burst, change.shifted, *change.shift)
        if change.predict_anew:
            field = cache.denoise(method, burst).kernels or field
    predicted = field
    if change.sizes:
        field = restrict_sizes(field, change.sizes)
    if change.dropped:
        field = drop_frames(field, change.dropped)
    kernels = ChangedKernels(field, change.nonnegative, predicted if change.renormalise else None)
    return Changed(burst, kernels.apply(burst.frames[: field.frames]), kernels)


# --- Noise estimate --------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Sweep:
    """A burst denoised by one method, told several multiples of its noise.

    images, fields   of SHOWN_SCALES; the factors in float16, to be looked at, not applied
    spread (px), share, entropy (bits), psnr (dB; None without a truth)   at SCALES; the first three are the
    median over the picture of frame 0's kernels
    """

    images: tuple[np.ndarray, ...]
    fields: tuple[KernelField, ...]
    spread: tuple[float, ...]
    share: tuple[float, ...]
    entropy: tuple[float, ...]
    psnr: tuple[float | None, ...]


@st.cache_resource(max_entries=4, show_spinner=False)
def sweep(recipe: BurstRecipe, method: str) -> Sweep:
    """What a method makes of a burst when the noise that it is told is scaled."""
    burst = cache.burst_of(recipe)
    images, fields, spreads, shares, entropies, scores = [], [], [], [], [], []
    for scale in SCALES:
        estimate = cache.denoise(method, burst, scale)
        if estimate.kernels is None:
            raise ValueError(f"{method} predicts the picture itself: it has no kernels")
        maps = frame_maps(estimate.kernels, 0)
        spreads.append(float(np.median(maps.spread)))
        shares.append(float(np.median(maps.share)))
        entropies.append(float(np.median(maps.entropy)))
        scores.append(None if burst.truth is None else psnr(estimate.image, burst.truth, burst.white_level))
        if scale in SHOWN_SCALES:
            images.append(estimate.image)
            fields.append(dataclasses.replace(estimate.kernels, factors=estimate.kernels.factors.half()))
    return Sweep(tuple(images), tuple(fields), tuple(spreads), tuple(shares), tuple(entropies), tuple(scores))


@st.cache_data(max_entries=1024, show_spinner=False)
def matrix_cell(recipe: BurstRecipe, method: str, true_gain: float, told_gain: float) -> float:
    """PSNR in dB of the recipe's burst, made at one gain, when the network is told the noise of another."""
    burst = cache.burst_of(dataclasses.replace(recipe, noise=NoiseModel.for_gain(true_gain)))
    told = dataclasses.replace(burst, noise=NoiseModel.for_gain(told_gain))
    image = cache.denoise(method, told, keep_kernels=False).image
    if burst.truth is None:
        raise ValueError("the burst has no truth to measure a picture against")
    return psnr(image, burst.truth, burst.white_level)


def matrix_recipe(recipe: BurstRecipe, pixel: tuple[int, int]) -> BurstRecipe:
    """The recipe with a crop of MATRIX_CROP pixels a side around a pixel, or less in a smaller one."""
    if recipe.crop is None:
        return recipe
    top, left, height, width = recipe.crop
    rows, columns = min(MATRIX_CROP, height), min(MATRIX_CROP, width)
    y = min(max(pixel[0] - rows // 2, 0), height - rows)
    x = min(max(pixel[1] - columns // 2, 0), width - columns)
    return dataclasses.replace(recipe, crop=(top + y, left + x, rows, columns), moving=None)


def noise_matrix(recipe: BurstRecipe, method: str, progress: Callable[[float], None]) -> np.ndarray:
    """PSNR in dB for every pair of MATRIX_GAINS: [told, true]; `progress` is told the share done, 0..1."""
    count = len(MATRIX_GAINS)
    values = np.empty((count, count))
    for j, true in enumerate(MATRIX_GAINS):
        for i, told in enumerate(MATRIX_GAINS):
            values[i, j] = matrix_cell(recipe, method, true, told)
            progress((j * count + i + 1) / count**2)
    return values


# --- The pinned pixel ------------------------------------------------------------------------------


def pinned_pixel(burst: Burst) -> tuple[int, int]:
    """The pixel (y, x) that this session has pinned, or one worth a look where it does not lie in the burst."""
    pixel = st.session_state.get("pixel")
    if pixel is None or not (0 <= pixel[0] < burst.height and 0 <= pixel[1] < burst.width):
        return cache.interesting_pixel(burst)
    return int(pixel[0]), int(pixel[1])


def pin(y: int, x: int) -> None:
    """Pin a pixel, for all pages of this session."""
    st.session_state["pixel"] = (int(y), int(x))


def pixel_controls(burst: Burst) -> tuple[int, int]:
    """Draw the controls of the pinned pixel; the pixel (y, x)."""
    y, x = pinned_pixel(burst)
    # The pixel may have been pinned elsewhere: the inputs follow.
    st.session_state["pixel_y"], st.session_state["pixel_x"] = y, x

    def pin_inputs() -> None:
        pin(st.session_state["pixel_y"], st.session_state["pixel_x"])

    st.subheader("Pixel")
    left, right = st.columns(2)
    left.number_input(
        "y", 0, burst.height - 1, key="pixel_y", on_change=pin_inputs, help="Row, from the top."
    )
    right.number_input("x", 0, burst.width - 1, key="pixel_x", on_change=pin_inputs, help="Column.")
    return y, x


# --- Showing ---------------------------------------------------------------------------------------


def is_dark() -> bool:
    return st.context.theme.type == "dark"


# Streamlit's own theme writes figures in a grey that a projector loses. A style sheet follows the theme at once;
# colours given by Python would wait for the next run.
_CHART_STYLE = """<style>
.js-plotly-plot .infolayer text, .js-plotly-plot .xtick text, .js-plotly-plot .ytick text {
  fill: currentColor !important; fill-opacity: 0.88 !important;
}
</style>"""


def chart(figure: Figure, key: str) -> None:
    """Show a figure as wide as its container, its text in the colour of the page's."""
    st.html(_CHART_STYLE)
    bar = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}
    st.plotly_chart(figure, key=key, config=bar)


def progress_bar(key: str, text: str) -> DeltaGenerator:
    """A progress bar that floats at the top right: the last results stay where they are meanwhile."""
    place = "position: fixed; top: 0.75rem; right: 2rem; width: min(22rem, 60vw); z-index: 1000;"
    st.html(f"<style>.st-key-{key}_progress {{ {place} }}</style>")
    return st.container(key=f"{key}_progress").progress(0.0, text)


def size_ticks(sizes: Sequence[int]) -> list[str]:
    """Kernel sizes at an axis with a logarithmic scale, on which 11 has no room between 9 and 13."""
    return ["" if size == 11 and {9, 13} <= set(sizes) else str(size) for size in sizes]


def grid(key: str, width: int) -> DeltaGenerator:
    """A container whose contents stand in equal columns of at least `width` pixels, as many as fit."""
    columns = f"repeat(auto-fit, minmax(min({width}px, 100%), 1fr))"
    style = f".st-key-{key}_grid {{ display: grid; grid-template-columns: {columns}; align-items: start; }}"
    st.html(f"<style>{style}</style>")
    return st.container(key=f"{key}_grid")


def decibels(image: np.ndarray, burst: Burst) -> str:
    """'31.40 dB', or nothing for a burst without a truth."""
    return "" if burst.truth is None else f"{psnr(image, burst.truth, burst.white_level):.2f} dB"


_STRIP = """<style>
.strip { display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fit, minmax(min(WIDTHpx, 100%), 1fr)); }
.strip figure { margin: 0; min-width: 0; max-width: 420px; }
.strip .frame { position: relative; line-height: 0; }
.strip img { width: 100%; image-rendering: pixelated; border-radius: 0.2rem; }
.strip i { position: absolute; outline: 1.5px solid #ffb000; box-shadow: 0 0 0 2.5px rgba(0, 0, 0, 0.5); }
.strip figcaption { font-size: 0.9rem; line-height: 1.35; padding-top: 0.3rem; }
.strip b { font-variant-numeric: tabular-nums; }
</style>"""


def strip(
    items: Sequence[tuple[str, str, np.ndarray]],
    white_level: float = 1.0,
    pixel: tuple[int, int] | None = None,
    side: int | None = None,
    width: int = 150,
) -> None:
    """A row of pictures that wraps: (title, note, linear intensity [H, W]) each, with crisp pixels.

    side    show only this many pixels a side around `pixel`, which is marked
    width   in CSS pixels, the least that a picture is given
    """
    cells = []
    for title, note, image in items:
        H, W = image.shape
        top, bottom, left, right = 0, H, 0, W
        if pixel is not None and side is not None:
            top, bottom = _window(pixel[0], side, H)
            left, right = _window(pixel[1], side, W)
        grey = np.rint(255 * displayed(image[top:bottom, left:right], white_level)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(grey).save(file, "PNG")
        source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
        mark = ""
        if pixel is not None:
            h, w = bottom - top, right - left
            place = (pixel[1] - left) / w, (pixel[0] - top) / h, 1 / w, 1 / h
            mark = "<i style='left:{:.2%};top:{:.2%};width:{:.2%};height:{:.2%}'></i>".format(*place)
        title, note = html.escape(title), html.escape(note)
        cells.append(
            f"<figure><div class='frame'><img src='{source}' alt='{title}'>{mark}</div>"
            f"<figcaption>{title}<br><b>{note}</b></figcaption></figure>"
        )
    st.html(_STRIP.replace("WIDTH", str(width)) + f"<div class='strip'>{''.join(cells)}</div>")


def _window(middle: int, side: int, length: int) -> tuple[int, int]:
    """`side` places around `middle`, moved into 0..length."""
    side = min(side, length)
    start = min(max(middle - side // 2, 0), length - side)
    return start, start + side
