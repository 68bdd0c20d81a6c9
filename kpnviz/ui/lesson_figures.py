"""The figure that a lesson is about (lens/texts/lessons.py), by its name there: its burst's, and nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import streamlit as st
import torch
from skimage.feature import structure_tensor, structure_tensor_eigenvalues

from kpnviz import figures
from kpnviz.analysis.alignment import shifts_and_centroids
from kpnviz.analysis.counterfactuals import restrict_sizes
from kpnviz.analysis.maps import frame_maps
from kpnviz.burst import Burst, BurstRecipe, Misalignment
from kpnviz.color import displayed
from kpnviz.evaluation.baselines import title_of
from kpnviz.lens.payload import Pixel
from kpnviz.lens.texts.lessons import Lesson
from kpnviz.matching import matching_costs
from kpnviz.models.zoo import ZOO
from kpnviz.noise import noise_std, stabilize
from kpnviz.serving.work import cached, is_cached
from kpnviz.text import number, times
from kpnviz.ui import cache, elements, foreign
from kpnviz.ui.choices import SIZED
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.methods import available
from kpnviz.ui.parameters import TEACH
from kpnviz.ui.state import KEPT_SIZES, LESSON_DISPLAY, LESSON_LENS, LESSON_PIXEL

HEIGHT = 320
PAIR = 240  # CSS pixels of each of two figures side by side: both fit a column in front of a class
PATCH = 33  # pixels a side of the pictures of a place
SKY = 24  # pixels a side in which noise is measured

LENS_SHARE = 0.6
"""Of the window's height, for a lens in front of a class: what is said of it is to be seen, too."""

REACHES = ("kpn-l5", "kpn-l11", "kpn-l25")
PAPER_BETA, PAPER_ALPHA = 100.0, 0.9998


def _parts(lesson: Lesson, recipe: BurstRecipe) -> list[tuple[Callable[..., Any], BurstRecipe, str]]:
    """What takes long of a lesson's figure: cached functions of a recipe and a method."""
    if lesson.figure == "assumed":
        return [(cache.sweep, recipe, method) for method in _here(lesson.burst.methods[:1])]
    methods: dict[str, Sequence[str]] = {
        "reach": REACHES,
        "matching": lesson.burst.methods,
        "size": [method for method in SIZED if method in available()],
        "fusing": lesson.burst.methods,
        "real": lesson.burst.methods,
    }
    return [(cache.result, recipe, method) for method in _here(methods.get(lesson.figure, ()))]


def is_ready(lesson: Lesson, recipe: BurstRecipe) -> bool:
    """Whether its figure is drawn at once."""
    return all(is_cached(*part) for part in _parts(lesson, recipe))


def prepare(lesson: Lesson, recipe: BurstRecipe) -> None:
    """Compute what takes long of its figure. ValueError where a network is missing."""
    for function, *args in _parts(lesson, recipe):
        function(*args)


def draw(lesson: Lesson, recipe: BurstRecipe) -> None:
    """Draw the figure of a lesson, and say what is to be seen in it."""
    FIGURES[lesson.figure](lesson, recipe)
    st.caption(lesson.caption)


def noise(lesson: Lesson, recipe: BurstRecipe) -> None:
    burst = cache.burst_of(recipe)
    assert burst.truth is not None
    model = burst.gray_noise("the lesson")
    edges = np.quantile(burst.truth, np.linspace(0, 1, 13)[1:-1])
    place = np.searchsorted(edges, burst.truth)
    levels = [float(burst.truth[place == i].mean()) for i in range(len(edges) + 1)]

    def spread(error: np.ndarray) -> list[float]:
        return [float(error[:, place == i].std()) for i in range(len(levels))]

    linear = spread(burst.frames - burst.truth)
    shown = spread(displayed(burst.frames) - displayed(burst.truth))
    line = noise_std(np.array(levels), model.read_std, model.shot_gain).tolist()
    with elements.grid("lesson_noise", PAIR):
        for heading, series in (
            ("In linear intensity", {"measured": linear, "√(σᵣ² + σₛ y)": line}),
            ("As a screen shows it", {"measured": shown}),
        ):
            with st.container(gap="xsmall"):
                st.markdown(f"**{heading}**")
                figure = figures.curves(
                    levels, series, "true intensity y (white = 1)", "standard deviation (white = 1)",
                    height=HEIGHT, level=["√(σᵣ² + σₛ y)"],
                )  # fmt: skip
                figure.update_xaxes(tickmode="auto", nticks=6)  # round numbers, not those of the levels
                figure.update_yaxes(rangemode="tozero")
                elements.chart(figure, f"lesson_{heading}")


def average(lesson: Lesson, recipe: BurstRecipe) -> None:
    shaken = dataclasses.replace(recipe, misalignment=Misalignment())
    counts = list(range(1, recipe.frames + 1))

    def gained(burst: Burst) -> list[float]:
        """dB by which the mean of the first n frames is closer to the truth than frame 0."""
        sums = accumulate(burst.frames.astype(np.float64))
        errors = [
            float(((total / n - burst.truth) ** 2).mean()) for n, total in zip(counts, sums, strict=True)
        ]
        return [10 * float(np.log10(errors[0] / error)) for error in errors]

    series = {
        "nothing moves": gained(cache.burst_of(recipe)),
        "the hand shakes": gained(cache.burst_of(shaken)),
        "10 log₁₀ n": [10 * float(np.log10(n)) for n in counts],
    }
    figure = figures.curves(
        counts,
        series,
        "frames n",
        "gained over one frame, dB",
        height=HEIGHT,
        level=["10 log₁₀ n"],
        zero=True,
    )
    elements.chart(figure, "lesson_average")


@cached
def _shares(recipe: BurstRecipe, method: str) -> tuple[float, ...]:
    """The share of each frame, the mean over the picture."""
    field = cache.kernels_of(recipe, method)
    return tuple(float(frame_maps(field, i).share.mean()) for i in range(field.frames))


def reach(lesson: Lesson, recipe: BurstRecipe) -> None:
    methods = _here(REACHES)
    far = np.abs(np.asarray(recipe.shifts)).max(axis=1)
    order = np.argsort(far, kind="stable")
    series = {title_of(m): [100 * _shares(recipe, m)[i] for i in order] for m in methods}
    x = [int(far[i]) for i in order]
    figure = figures.curves(
        x,
        series,
        "shift of the frame, the larger of |dy| and |dx|, px",
        "share of the frame, %",
        height=HEIGHT,
        zero=True,
    )
    for method, color in zip(methods, figures.PALETTE, strict=False):
        figure.add_vline(x=max(ZOO[method].sizes) // 2, line={"color": color, "dash": "dot", "width": 1.5})
    elements.chart(figure, "lesson_reach")


def _structure(burst: Burst) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvalues of the structure tensor of the displayed truth, the larger first, [H, W] each."""
    assert burst.truth is not None
    tensor = structure_tensor(displayed(burst.truth.astype(np.float64)), sigma=3, mode="reflect")
    large, small = structure_tensor_eigenvalues(tensor)
    return large, small


def _best(values: np.ndarray) -> Pixel:
    """Where they are largest, PATCH / 2 pixels or more from the border."""
    margin = PATCH // 2 + 1
    inside = values[margin:-margin, margin:-margin]
    y, x = np.unravel_index(int(inside.argmax()), inside.shape)
    return int(y) + margin, int(x) + margin


def matching(lesson: Lesson, recipe: BurstRecipe) -> None:
    methods = _here(lesson.burst.methods)
    burst = cache.burst_of(recipe)
    assert burst.truth is not None and burst.shifts is not None
    large, small = _structure(burst)
    edge = (large - small) * (small < 0.05 * large)
    places = {"flat": _best(-large), "edge": _best(edge), "corner": _best(small)}
    frame = int(np.abs(burst.shifts).max(axis=1).argmax())
    dy, dx = (number(float(v), 0) for v in burst.shifts[frame])
    half = PATCH // 2
    # In front of a class beside each other: all of it is in sight.
    with elements.grid("lesson_matching", PAIR if st.session_state.get(TEACH) else 2 * PAIR):
        left, right = st.container(), st.container()
    with left:
        elements.strip(
            [
                (name, f"y {y}, x {x}", burst.truth[y - half : y + half + 1, x - half : x + half + 1])
                for name, (y, x) in places.items()
            ],
            burst.white_level,
            (half, half),
            width=70,
        )
    field = cache.kernels_of(recipe, methods[0])
    went = f"frame {frame}: the scene went to dy {dy}, dx {dx} px"
    kernels = [
        [_by_matching(burst, frame, field.reach, pixel) for pixel in places.values()],
        [field.at(*pixel)[frame] for pixel in places.values()],
    ]
    figure = figures.kernel_rows(
        kernels,
        ["matching", title_of(methods[0])],
        list(places),
        went,
        dark=elements.is_dark(),
        height=_height(330),
    )
    with left:
        elements.chart(figure, "lesson_matching")
    with right:
        _follow(recipe, burst, methods)


def _by_matching(burst: Burst, frame: int, reach: int, pixel: Pixel) -> np.ndarray:
    """Softmax of minus the cost of each displacement, of the sum of the two narrowest windows: [K, K]."""
    g = torch.from_numpy(stabilize(burst.frames, burst.gray_noise("matching")).astype(np.float32))[None]
    costs = matching_costs(g, reach, 2)[0, frame, :, :, :, pixel[0] // 2, pixel[1] // 2].sum(0).numpy()
    weights: np.ndarray = np.exp(costs.min() - costs)
    return weights / weights.sum()


def _follow(recipe: BurstRecipe, burst: Burst, methods: Sequence[str]) -> None:
    """Where kernels look against where the scene went."""
    x: list[int] = []
    series: dict[str, list[float]] = {}
    errors: dict[str, list[float]] = {}
    for method in methods:
        true, found = shifts_and_centroids(cache.kernels_of(recipe, method), burst)
        x = sorted({round(float(value)) for value in true})
        groups = [found[true == value] for value in x]
        series[title_of(method)] = [float(group.mean()) for group in groups]
        errors[title_of(method)] = [float(group.std()) for group in groups]
    series["follows exactly"] = [float(value) for value in x]
    figure = figures.curves(
        x,
        series,
        "true shift, px",
        "centroid of the kernels, px",
        errors=errors,
        level=["follows exactly"],
        tick_text=[number(value, 0) for value in x],
        height=HEIGHT,
    )
    elements.chart(figure, "lesson_follow")


@cached
def _left(recipe: BurstRecipe, method: str, top: int, left: int) -> float:
    """The variance that a method's kernels leave of white noise in SKY x SKY pixels, as a part of that of one frame."""
    field = cache.kernels_of(recipe, method)
    kernels = field.region(top, top + SKY, left, left + SKY).astype(np.float64)
    return float((kernels**2).sum(axis=(0, 3, 4)).mean()) / field.frames**2


def size(lesson: Lesson, recipe: BurstRecipe) -> None:
    y, x = lesson.burst.pixel or (SKY, SKY)
    place = (y - SKY // 2, x - SKY // 2)
    methods = [method for method in SIZED if method in available()]
    single = [method for method in methods if len(ZOO[method].sizes) == 1]
    if not single:
        raise ValueError("this lesson needs the networks KPN L1 to L25, and none of them is here")
    sizes = [ZOO[method].sizes[0] for method in single]
    least = "equal weights"
    series = {
        "KPN Lₙ": [_left(recipe, method, *place) for method in single],
        least: [1 / (recipe.frames * K**2) for K in sizes],
    }
    level = [least]
    if "mkpn" in methods:
        series["MKPN"] = [_left(recipe, "mkpn", *place)] * len(sizes)
        level.append("MKPN")
    figure = figures.curves(
        sizes, series, "kernel size n, px", "noise variance / that of one frame", log2=True, level=level,
        height=HEIGHT,
    )  # fmt: skip
    figure.update_yaxes(type="log", exponentformat="power", dtick=1)
    elements.chart(figure, "lesson_size")


def fusing(lesson: Lesson, recipe: BurstRecipe) -> None:
    (method,) = _here(lesson.burst.methods)
    burst, field = cache.burst_of(recipe), cache.kernels_of(recipe, method)
    kept = st.pills(
        "Sizes that are fused", field.sizes, selection_mode="multi", default=field.sizes, key=KEPT_SIZES,
        format_func=lambda size: f"{size}×{size}",
    ) or list(field.sizes)  # fmt: skip
    places = {"sky": lesson.burst.pixel or (24, 24), "lights": _best(_structure(burst)[1])}
    changed = restrict_sizes(field, kept)
    rows = []
    for pixel in places.values():
        each = field.sizes_at(*pixel)
        rows.append(
            [*(each[size][0] if size in kept else None for size in field.sizes), changed.at(*pixel)[0]]
        )
    figure = figures.kernel_rows(
        rows, list(places), [*map(str, field.sizes), "mean"], "frame 0: the kernel of each size n×n",
        dark=elements.is_dark(), height=_height(270),
    )  # fmt: skip
    elements.chart(figure, "lesson_fusing")
    pictures = [("Frame 0", burst.reference), ("All six sizes", cache.estimate(recipe, method).image)]
    if len(kept) < len(field.sizes):
        alone = cache.of_sizes(recipe, method, tuple(sorted(kept)))
        pictures.append((", ".join(map(str, sorted(kept))) + " alone", alone))
    elements.strip(
        [(title, elements.decibels(image, burst), image) for title, image in pictures],
        burst.white_level,
        width=150,
    )


def annealing(lesson: Lesson, recipe: BurstRecipe) -> None:
    steps = list(range(0, 50_000, 5_000))
    one = "the basic loss"
    figure = figures.curves(
        steps,
        {"βαᵗ": [PAPER_BETA * PAPER_ALPHA**t for t in steps], one: [1.0] * len(steps)},
        "training step t", "weight in the loss", level=[one], height=_height(HEIGHT),
        tick_text=[(f"{t // 1000}k" if t else "0") if t % 10_000 == 0 else "" for t in steps],
    )  # fmt: skip
    figure.update_yaxes(type="log", dtick=1)
    elements.chart(figure, "lesson_annealing")


def assumed(lesson: Lesson, recipe: BurstRecipe) -> None:
    method = _here(lesson.burst.methods[:1])[0]
    burst, sweep, pixel = cache.burst_of(recipe), cache.sweep(recipe, method), lesson.burst.pixel
    scales = [times(scale) for scale in cache.SHOWN_SCALES]
    elements.strip(
        [
            (text, elements.decibels(image, burst), image)
            for text, image in zip(scales, sweep.images, strict=True)
        ],
        burst.white_level,
        pixel,
        side=PATCH,
        width=84,
    )
    kernels = [[field.at(*pixel)[0] for field in sweep.fields]] if pixel else []
    figure = figures.kernel_rows(
        kernels, ["frame 0"], scales, "assumed noise / true noise", dark=elements.is_dark(), height=220
    )
    elements.chart(figure, "lesson_assumed")


def others(lesson: Lesson, recipe: BurstRecipe) -> None:
    share = LENS_SHARE if st.session_state.get(TEACH) else None
    kernel_lens(foreign.example().payload, LESSON_LENS, LESSON_PIXEL, LESSON_DISPLAY, share=share)


def real(lesson: Lesson, recipe: BurstRecipe) -> None:
    method = _here(lesson.burst.methods)[0]
    burst, field = cache.burst_of(recipe), cache.kernels_of(recipe, method)
    assert burst.truth is not None and burst.motion is not None
    last = len(burst) - 1
    picture = elements.shown_gray(burst.truth, burst.white_level)
    with elements.grid("lesson_real", PAIR):
        for heading, where in (
            ("Where the scene went", burst.motion[last, ::2, ::2]),
            (f"Where {title_of(method)}'s kernels look", frame_maps(field, last).centroid),
        ):
            with st.container(gap="xsmall"):
                st.markdown(f"**{heading}**")
                elements.chart(
                    figures.displacement(picture, where, 2, arrows=8, axes=False), f"lesson_{heading}"
                )


def _height(usual: int) -> int:
    """Of a figure that has another beside it: in front of a class both are in sight."""
    return round(0.7 * usual) if st.session_state.get(TEACH) else usual


def _here(methods: Sequence[str]) -> list[str]:
    """The methods, if all of them are trained here; ValueError that names those that are not."""
    missing = [title_of(method) for method in methods if method not in available()]
    if missing:
        raise ValueError(f"this lesson's figure needs networks that are not here: {', '.join(missing)}")
    return list(methods)


FIGURES: dict[str, Callable[[Lesson, BurstRecipe], None]] = {
    function.__name__: function
    for function in (noise, average, reach, matching, size, fusing, annealing, assumed, others, real)
}
