"""What the pages show, computed once and cached by recipes and names, within so many bytes, for all sessions.

Results are shared: nobody writes into them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from skimage.filters import gaussian, sobel

from kpnviz.analysis.counterfactuals import ChangedKernels, restrict_sizes
from kpnviz.analysis.maps import frame_maps
from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField
from kpnviz.lens.payload import MAX_BYTES, Pixel, check_size, pack, payload_bytes
from kpnviz.methods import MethodError
from kpnviz.noise import NoiseModel
from kpnviz.serving import work
from kpnviz.serving.in_parts import InParts
from kpnviz.serving.work import cached, cached_at_once
from kpnviz.ui.choices import MATRIX_CROP, MATRIX_GAINS
from kpnviz.ui.methods import config, denoise, own

SCALES = (0.25, 0.25 * 2**0.5, 0.5, 0.5**0.5, 1.0, 2**0.5, 2.0, 2 * 2**0.5, 4.0)
"""The assumed noise, as multiples of the true one."""

SHOWN_SCALES = SCALES[::2]
"""Those whose pictures and kernels are shown."""


@cached_at_once
def burst_of(recipe: BurstRecipe) -> Burst:
    return synthesize(recipe)


@dataclass(frozen=True)
class Failure:
    """Why a method of one's own gave nothing: a sentence."""

    sentence: str


@cached
def result(recipe: BurstRecipe, method: str) -> Estimate | Failure:
    """What a method makes of a burst. A failure is cached too: what takes too long is not run again at every click."""
    try:
        return denoise(method, burst_of(recipe))
    except MethodError as error:
        return Failure(str(error))


def estimate(recipe: BurstRecipe, method: str) -> Estimate:
    """The same; ValueError where that failed."""
    found = result(recipe, method)
    if isinstance(found, Failure):
        raise ValueError(found.sentence)
    return found


def estimates(recipe: BurstRecipe, methods: tuple[str, ...]) -> list[Estimate]:
    """Those of the methods that did not fail."""
    found = [result(recipe, method) for method in methods]
    return [one for one in found if isinstance(one, Estimate)]


def failures(recipe: BurstRecipe, methods: Sequence[str]) -> dict[str, str]:
    """The methods that failed, and why."""
    found = {method: result(recipe, method) for method in methods if own(method) is not None}
    return {method: failed.sentence for method, failed in found.items() if isinstance(failed, Failure)}


def forget_failures(recipe: BurstRecipe, methods: tuple[str, ...]) -> None:
    """Let methods that failed run again."""
    for method in failures(recipe, methods):
        work.forget(result, recipe, method)
    work.forget(lens_payload, recipe, methods)


def has_kernels(recipe: BurstRecipe, method: str) -> bool:
    """Whether a method predicts kernels, and not the picture itself; one of one's own shows that by what it does."""
    network = config(method)
    if network is not None:
        return not network.direct
    found = result(recipe, method)
    return isinstance(found, Estimate) and found.kernels is not None


def denoised(recipe: BurstRecipe, methods: Sequence[str]) -> InParts[Estimate | Failure]:
    """What several methods make of a burst, as it comes, and the lens' payload of all of them."""
    methods = tuple(methods)
    parts = {method: (recipe, method) for method in methods}
    mine = [method for method in methods if own(method) is not None]
    return InParts(result, parts, whole=(lens_payload, (recipe, methods)), alone=mine)


def check_lens(
    recipe: BurstRecipe, methods: Sequence[str], most: int = MAX_BYTES, sizes: bool = False
) -> None:
    """ValueError, before a network has run, if what the lens shows of a recipe is more than is sent to a browser."""
    burst = burst_of(recipe)
    networks = [network for method in methods if (network := config(method)) is not None]
    size = payload_bytes(burst.frames.shape, networks, bool(recipe.objects), sizes)
    check_size(size, most)


@cached
def lens_payload(recipe: BurstRecipe, methods: tuple[str, ...]) -> bytes:
    """What the kernel lens shows of a recipe."""
    burst = burst_of(recipe)
    clean = burst_of(dataclasses.replace(recipe, noise=NoiseModel(0, 0))).frames
    return pack(burst, estimates(recipe, methods), interesting_pixel(burst), clean)


@cached_at_once
def early_payload(recipe: BurstRecipe, methods: tuple[str, ...], ready: tuple[str, ...]) -> bytes:
    """The same before all methods have denoised: what those that are `ready` made, and places for the others."""
    burst = burst_of(recipe)
    clean = burst_of(dataclasses.replace(recipe, noise=NoiseModel(0, 0))).frames if ready else None
    made = [result(recipe, method) if method in ready else method for method in methods]
    shown = [one for one in made if not isinstance(one, Failure)]
    return pack(burst, shown, interesting_pixel(burst), clean)


def interesting_pixel(burst: Burst) -> Pixel:
    """A pixel worth a first look, (y, x): on the strongest edge, away from the border."""
    burst = burst.gray()
    image = burst.mean if burst.truth is None else burst.truth
    edges = sobel(gaussian(np.sqrt(np.maximum(image, 0)), sigma=1.5))
    margin = min(20, (min(edges.shape) - 1) // 2)
    inner = edges[margin : edges.shape[0] - margin, margin : edges.shape[1] - margin]
    y, x = np.unravel_index(int(inner.argmax()), inner.shape)
    return int(y) + margin, int(x) + margin


@cached
def picture(recipe: BurstRecipe, method: str) -> np.ndarray:
    """A method's picture of a burst, [H, W] or [3, H, W], without its kernels: many fit."""
    return denoise(method, burst_of(recipe), keep_kernels=False).image


def kernels_of(recipe: BurstRecipe, method: str) -> KernelField:
    """The kernels that a method applied to a burst."""
    field = estimate(recipe, method).kernels
    if field is None:
        raise ValueError(f"{method} predicts the picture itself: it has no kernels")
    return field


@cached
def of_sizes(recipe: BurstRecipe, method: str, sizes: tuple[int, ...]) -> np.ndarray:
    """The picture of some kernel sizes of a method, [H, W] or [3, H, W], as bright as that of all."""
    field = kernels_of(recipe, method)
    kernels = ChangedKernels(restrict_sizes(field, sizes), share_of=field)
    return kernels.apply(burst_of(recipe).frames[: field.frames])


@dataclass(frozen=True)
class Answer:
    """What a method answers to an assumed noise: medians over the picture of frame 0's kernels, and the picture's PSNR.

    spread in px, entropy in bits, psnr in dB (None without a truth)
    """

    spread: float
    share: float
    entropy: float
    psnr: float | None


@cached
def answer(recipe: BurstRecipe, method: str, scale: float) -> Answer:
    """What a method makes of a burst that it is told has `scale` times its noise."""
    burst = burst_of(recipe)
    made = estimate(recipe, method) if scale == 1 else denoise(method, burst, scale)
    if made.kernels is None:
        raise ValueError(f"{method} predicts the picture itself: it has no kernels")
    maps = frame_maps(made.kernels, 0)
    return Answer(
        float(np.median(maps.spread)),
        float(np.median(maps.share)),
        float(np.median(maps.entropy)),
        None if burst.truth is None else psnr(made.image, burst.truth, burst.white_level),
    )


@dataclass(frozen=True, eq=False)
class Sweep:
    """A burst denoised by one method with the assumed noises SHOWN_SCALES; factors in float16, to be looked at."""

    images: tuple[np.ndarray, ...]
    fields: tuple[KernelField, ...]


@cached
def sweep(recipe: BurstRecipe, method: str) -> Sweep:
    """What a method makes of a burst with each of SHOWN_SCALES."""
    images, fields = [], []
    for scale in SHOWN_SCALES:
        work.let_others()
        made = denoise(method, burst_of(recipe), scale)
        if made.kernels is None:
            raise ValueError(f"{method} predicts the picture itself: it has no kernels")
        images.append(made.image)
        fields.append(dataclasses.replace(made.kernels, factors=made.kernels.factors.half()))
    return Sweep(tuple(images), tuple(fields))


@cached
def matrix_cell(recipe: BurstRecipe, method: str, true_gain: float, assumed_gain: float) -> float:
    """PSNR in dB of the recipe's burst, made at one gain, when the assumed noise is that of another."""
    burst = burst_of(dataclasses.replace(recipe, noise=NoiseModel.for_gain(true_gain)))
    assumed = dataclasses.replace(burst, noise=NoiseModel.for_gain(assumed_gain))
    image = denoise(method, assumed, keep_kernels=False).image
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


def matrix_is_kept(recipe: BurstRecipe, method: str) -> bool:
    """Whether `noise_matrix` returns at once."""
    return all(
        work.is_cached(matrix_cell, recipe, method, true, assumed)
        for true in MATRIX_GAINS
        for assumed in MATRIX_GAINS
    )


def noise_matrix(recipe: BurstRecipe, method: str, progress: Callable[[float], object]) -> np.ndarray:
    """PSNR in dB for every pair of MATRIX_GAINS: [assumed, true]; `progress` gets the share done, 0..1."""
    count = len(MATRIX_GAINS)
    values = np.empty((count, count))
    for j, true in enumerate(MATRIX_GAINS):
        for i, assumed in enumerate(MATRIX_GAINS):
            values[i, j] = matrix_cell(recipe, method, true, assumed)
            progress((j * count + i + 1) / count**2)
    return values
