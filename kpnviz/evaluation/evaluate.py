"""`kpnviz evaluate`: every network and baseline on one fixed test set."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from tqdm import tqdm

from kpnviz.analysis.metrics import psnr, ssim
from kpnviz.burst import Burst, synthesize
from kpnviz.denoise import load
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.results import Row
from kpnviz.evaluation.testset import TEST_GAINS, burst_recipes
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO
from kpnviz.noise import GAINS, NoiseModel

NOISE_SCALES = (0.25, 0.5, 2.0, 4.0)
ROBUSTNESS = ("kpn", "mkpn", "kpn-blind")
"""What is also given a wrong assumed noise (times NOISE_SCALES) in a whole run."""

Method = Callable[[Burst], np.ndarray]
"""A denoiser as it is evaluated: burst -> picture [H, W], linear intensity on the burst's scale."""


def methods(names: Iterable[str] | None = None) -> dict[str, Method]:
    """Name -> method: the trained networks and the baselines that are named, or all of them."""
    networks = checkpoints.available()
    if names is None:
        names = (*(name for name in networks if name in ZOO), *BASELINES)
    chosen: dict[str, Method] = {}
    for name in names:
        if name in BASELINES:
            chosen[name] = BASELINES[name]
        elif name in networks:
            chosen[name] = _of_network(name)
        else:
            known = ", ".join((*networks, *BASELINES))
            raise ValueError(f"model {name!r} is neither a trained network nor a baseline: {known}")
    if not chosen:
        raise ValueError("models is empty; name one network or baseline, or more")
    return chosen


def _of_network(name: str) -> Method:
    denoiser = load(name)
    return lambda burst: denoiser(burst, keep_kernels=False).image


def evaluate(
    methods: Mapping[str, Method],
    gains: Sequence[float] = tuple(GAINS),
    noise_scales: Sequence[float] = (1.0,),
    limit: int | None = None,
    show_progress: bool = False,
) -> list[Row]:
    """Run methods on the test set: a row for each method, noise scale and gain, in this order.

    A noise scale s hands the method the burst with s times the standard deviation in its noise model; the frames stay
    as they are. `limit`: the first bursts only.
    """
    for name, values in (("models", methods), ("gains", gains), ("noise scales", noise_scales)):
        if not values:
            raise ValueError(f"{name} is empty; an evaluation needs one or more")
    recipes = {gain: burst_recipes(gain, limit) for gain in gains}
    for scale in noise_scales:
        NoiseModel(0, 0).scaled(scale)  # a scale that is no number is an error now, not minutes later
    scores: dict[tuple[str, float, float], list[tuple[float, float, float]]] = {
        (name, scale, gain): [] for name in methods for scale in noise_scales for gain in gains
    }
    total = len(scores) * len(recipes[gains[0]])
    with tqdm(total=total, desc="evaluate", unit="picture", disable=not show_progress) as progress:
        for gain in recipes:
            for recipe in recipes[gain]:
                burst = synthesize(recipe)
                assert burst.truth is not None
                for scale in noise_scales:
                    assumed = dataclasses.replace(
                        burst, noise=burst.noise.scaled(scale), truth=None, shifts=None
                    )
                    for name, method in methods.items():
                        begun = time.perf_counter()
                        image = method(assumed)
                        seconds = time.perf_counter() - begun
                        score = (psnr(image, burst.truth), ssim(image, burst.truth), seconds)
                        scores[name, scale, gain].append(score)
                        progress.update()
    return [_row(*case, values) for case, values in scores.items()]


def _row(model: str, scale: float, gain: float, values: list[tuple[float, float, float]]) -> Row:
    psnrs, ssims, seconds = np.asarray(values).T
    weights = checkpoints.read_card(model)["sha256"][:12] if model in checkpoints.available() else ""
    return Row(
        model,
        float(gain),
        float(scale),
        *mean_and_error(psnrs),
        *mean_and_error(ssims),
        seconds=float(np.median(seconds)),
        bursts=len(values),
        weights=weights,
    )


def mean_and_error(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean and its standard error, sqrt(sum (v - mean)^2 / (n - 1) / n).

    NaN for one value, and where values are infinite (the PSNR of a perfect picture), which have no spread.
    """
    mean = float(np.mean(values))
    if len(values) < 2 or not np.isfinite(values).all():
        return mean, math.nan
    return mean, float(np.std(values, ddof=1) / len(values) ** 0.5)


def evaluate_all(limit: int | None = None, show_progress: bool = False) -> list[Row]:
    """The whole run behind results.csv: all at the paper's gains and beyond; then wrong noise estimates."""
    everything = methods()
    rows = evaluate(everything, TEST_GAINS, (1.0,), limit, show_progress)
    robust = {name: method for name, method in everything.items() if name in ROBUSTNESS}
    if robust:
        rows += evaluate(robust, tuple(GAINS), NOISE_SCALES, limit, show_progress)
    return rows
