"""`kpnviz evaluate`: every network and baseline on one fixed test set."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from kpnviz.analysis.alignment import alignment, shifts_and_centroids
from kpnviz.analysis.metrics import psnr, ssim
from kpnviz.burst import ALL_MOTIONS, MOTIONS, Burst, BurstRecipe
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.results import Case, Row, mean_and_error
from kpnviz.evaluation.testset import BURSTS, FRAMES, TEST_GAINS, burst_recipes, made
from kpnviz.methods import Method, MethodError, as_method, check_names, network, own_method, print_traceback
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.text import escaped
from kpnviz.workers import Failure, outcomes

NOISE_SCALES = (0.25, 0.5, 2.0, 4.0)
ROBUSTNESS = ("kpn", "mkpn", "mkpn-robust", "kpn-blind", "kpn-stacked", "mkpn-stacked", "kpn-blind-stacked")
"""What is also given a wrong assumed noise (times NOISE_SCALES) in a whole run."""

FRAME_COUNTS = (1, 2, 4, 16)
BY_FRAMES = ("kpn", "kpn-l5", "kpn-l25", "mkpn", "aligned-mean", "wiener-merge", "nlm")
"""What is measured on bursts of FRAME_COUNTS frames, too, in a whole run."""

_TIMED = 12  # bursts whose time is taken

Predictor = Callable[[Burst], Any]
"""A :class:`kpnviz.methods.Method`, or what :func:`kpnviz.methods.as_method` makes one of."""

Plan = Mapping[Case, Sequence[str]]
"""What is to be measured: the methods, by name, in each case."""


def methods(
    names: Iterable[str] | None = None, device: str = "cpu", own: Iterable[str] = ()
) -> dict[str, Method]:
    """Name -> method: the trained networks, on a device, and the baselines that are named, or all of them; and methods
    of one's own, by their sources (:func:`kpnviz.methods.own_method`): these alone where no names are given.
    """
    mine = [own_method(source) for source in own]
    check_names([method.name for method in mine], BASELINES)
    networks = checkpoints.available()
    if names is None:
        names = () if mine else (*(name for name in networks if name in ZOO), *BASELINES)
    chosen: dict[str, Method] = {}
    for name in names:
        if name in BASELINES:
            chosen[name] = baseline(name)
        elif name in networks:
            chosen[name] = network(name, device)
        else:
            known = ", ".join((*networks, *BASELINES))
            raise ValueError(f"model {name!r} is neither a trained network nor a baseline: {known}")
    chosen |= {method.name: method for method in mine}
    if not chosen:
        raise ValueError("models is empty; name one network or baseline, or more")
    return chosen


def baseline(name: str) -> Method:
    """One of BASELINES as a method."""
    return Method(name, name, BASELINES[name], checked=False)


def whole_plan(names: Iterable[str]) -> Plan:
    """What is behind results.csv: all motions at all gains; on sub-pixel shake other numbers of frames, and a wrong
    assumed noise."""
    names = tuple(names)
    plan: dict[Case, Sequence[str]] = {
        Case(motion=motion, gain=gain): names for motion in ALL_MOTIONS for gain in TEST_GAINS
    }
    for frames, gain in itertools.product(FRAME_COUNTS, TEST_GAINS):
        case = Case(motion="sub-pixel", gain=gain, frames=frames)
        plan[case] = [name for name in names if name in BY_FRAMES]
    for scale, gain in itertools.product(NOISE_SCALES, GAINS):
        case = Case(motion="sub-pixel", gain=gain, noise_scale=scale)
        plan[case] = [name for name in names if name in ROBUSTNESS]
    return plan


def plan_of(
    names: Iterable[str],
    motions: Sequence[str] = MOTIONS,
    gains: Sequence[float] = tuple(GAINS),
    noise_scales: Sequence[float] = (1.0,),
    frames: Sequence[int] = (FRAMES,),
) -> Plan:
    """All combinations. What cannot be is an error now, not minutes later."""
    values = {"motions": motions, "gains": gains, "noise scales": noise_scales, "frames": frames}
    for name, chosen in values.items():
        if not chosen:
            raise ValueError(f"{name} is empty; an evaluation needs one or more")
    for gain, scale in itertools.product(gains, noise_scales):
        try:
            NoiseModel.for_gain(gain).scaled(scale)
        except ValueError as error:
            raise ValueError(f"noise scale {scale:g} at gain {gain:g}: {error}") from None
    for motion, gain, count in itertools.product(motions, gains, frames):
        burst_recipes(gain, 1, motion, count)
    names = tuple(names)
    return {
        Case(motion=motion, gain=float(gain), noise_scale=float(scale), frames=count): names
        for motion, count, scale, gain in itertools.product(motions, frames, noise_scales, gains)
    }


def check_frames(plan: Plan, methods: Mapping[str, Predictor]) -> None:
    """ValueError for a method of one's own that takes none of the plan's bursts: its rows would be missing silently."""
    for name, predictor in methods.items():
        method = as_method(name, predictor)
        counts = sorted({case.frames for case, names in plan.items() if name in names})
        if method.checked and method.frames is not None and not any(map(method.takes, counts)):
            takes, have = (", ".join(map(str, numbers)) for numbers in (sorted(method.frames), counts))
            raise ValueError(f"{name} takes {takes} frames, but the bursts have {have}: choose with --frames")


def left_to_do(
    plan: Plan, methods: Mapping[str, Predictor], rows: Iterable[Row], limit: int | None = None
) -> Plan:
    """The plan without what networks of a fixed number of frames cannot do, and without what rows say already.

    A row counts if it is of as many bursts, keeps the PSNR of each, and was measured with the weights of today. None
    counts of a method of one's own, whose weights nobody knows.
    """
    bursts = BURSTS if limit is None else limit
    chosen = {name: as_method(name, method) for name, method in methods.items()}
    weights = {name: _weights(name) for name, method in chosen.items() if not method.checked}
    done = {
        (row.model, row.case)
        for row in rows
        if row.bursts == len(row.psnrs) == bursts and row.weights == weights.get(row.model)
    }
    left = {
        case: [name for name in names if chosen[name].takes(case.frames) and (name, case) not in done]
        for case, names in plan.items()
    }
    return {case: names for case, names in left.items() if names}


def evaluate(
    methods: Mapping[str, Predictor],
    plan: Plan,
    limit: int | None = None,
    show_progress: bool = False,
    workers: int = 1,
    scheduler: str | None = None,
) -> Iterator[Row]:
    """Run methods on the test set: a row as soon as a method is through with a case.

    The bursts of a motion, gain and number of frames are made once for all methods and noise scales. With a noise
    scale s a method gets a burst with s times the standard deviation in its noise model; the frames stay as they are,
    and nothing of the truth is in it. `limit`: the first bursts only.

    With several `workers`, or those of a Dask `scheduler` (:func:`kpnviz.workers.outcomes`), each burst is a task, for
    all methods that get it; methods are those that :func:`methods` gives by these names. Figures are the same, except
    that `seconds` are NaN, as times of processes that share a machine say little; and the rows of a motion, gain and
    number of frames come together. ValueError if a task fails.
    """
    burst_recipes(1, limit)  # an error of the limit is one before the work
    chosen = {name: as_method(name, method) for name, method in methods.items()}
    bursts_a_row = BURSTS if limit is None else limit
    total = bursts_a_row * sum(map(len, plan.values()))
    with tqdm(total=total, desc="evaluate", unit="picture", disable=not show_progress) as progress:
        cases_in_order = sorted(
            plan, key=lambda case: (ALL_MOTIONS.index(case.motion), case.frames, case.gain)
        )
        if workers > 1 or scheduler is not None:
            tasks = _tasks(chosen, plan, cases_in_order, bursts_a_row)
            yield from _rows_of_workers(
                outcomes(_scores, tasks, workers, scheduler), bursts_a_row, progress.update
            )
            return
        for (motion, gain, frames), cases in itertools.groupby(cases_in_order, key=_scenes):
            bursts = [made(recipe) for recipe in burst_recipes(gain, limit, motion, frames)]
            for case in cases:
                given = [_hidden(burst, case.noise_scale) for burst in bursts]
                for name in plan[case]:
                    progress.set_postfix_str(f"{escaped(name)}, {motion} ×{gain:g}")
                    yield _row(name, chosen[name], case, bursts, given, progress.update)


def _scenes(case: Case) -> tuple[str, float, int]:
    """What of a case makes its bursts."""
    return case.motion, case.gain, case.frames


def _hidden(burst: Burst, noise_scale: float) -> Burst:
    """What a method is given: frames, noise model and white level; neither the truth nor the recipe that makes it."""
    return Burst(burst.frames, burst.gray_noise("evaluation").scaled(noise_scale), burst.white_level)


def _row(
    name: str,
    method: Method,
    case: Case,
    bursts: Sequence[Burst],
    given: Sequence[Burst],
    advance: Callable[[], object],
) -> Row:
    scores, seconds = [], []
    for number, (burst, seen) in enumerate(zip(bursts, given, strict=True)):
        if number < _TIMED:
            seen = dataclasses.replace(seen)  # another burst, so that nothing of it has been done before
        score, time_taken = _score(method, burst, seen)
        scores.append(score)
        seconds.append(time_taken)
        advance()
    return _row_of(name, case, scores, float(np.median(seconds[:_TIMED])))


Score = tuple[float, float, "np.ndarray | None"]
"""PSNR and SSIM of one picture; shifts and centroids of its kernels, if it has any."""


def _score(method: Method, burst: Burst, given: Burst) -> tuple[Score, float]:
    """The score of a method on a burst, and the seconds that it took."""
    result = method(given)
    pairs = None if result.kernels is None else shifts_and_centroids(result.kernels, burst)
    assert burst.truth is not None
    return (psnr(result.image, burst.truth), ssim(result.image, burst.truth), pairs), result.seconds


def _row_of(name: str, case: Case, scores: Sequence[Score], seconds: float) -> Row:
    psnrs, ssims, all_pairs = zip(*scores, strict=True)
    pairs = [one for one in all_pairs if one is not None]
    (mean_psnr, psnr_se), (mean_ssim, ssim_se) = mean_and_error(psnrs), mean_and_error(ssims)
    return Row(
        **dataclasses.asdict(case),
        model=name,
        psnr=mean_psnr,
        psnr_se=psnr_se,
        ssim=mean_ssim,
        ssim_se=ssim_se,
        alignment=alignment(np.concatenate(pairs, axis=1)) if pairs else float("nan"),
        seconds=seconds,
        bursts=len(scores),
        weights=_weights(name),
        psnrs=psnrs,
    )


@dataclass(frozen=True)
class _Task:
    """A burst of the test set, by what makes it and its number, for all cases and methods that get it.

    sources   weights and device of each network, by its name, and the source of a method of one's own; empty else
    """

    scenes: tuple[str, float, int]
    number: int
    plan: Plan
    sources: Mapping[str, tuple[str, str, str]]


def _tasks(
    methods: Mapping[str, Method], plan: Plan, cases_in_order: Iterable[Case], bursts: int
) -> Iterator[_Task]:
    for name, method in methods.items():
        if method.checked and not method.source:
            raise ValueError(f"{name} is a function of this process; with workers, name the file it is in")
    sources = {name: (_weights(name), method.device, method.source) for name, method in methods.items()}
    for scenes, cases in itertools.groupby(cases_in_order, key=_scenes):
        part = {case: plan[case] for case in cases}
        yield from (_Task(scenes, number, part, sources) for number in range(bursts))


def _scores(task: _Task) -> dict[tuple[Case, str], Score]:
    """The scores of a task, in whichever process or machine this is."""
    burst = made(_recipes(*task.scenes)[task.number])
    scores = {}
    for case, names in task.plan.items():
        given = _hidden(burst, case.noise_scale)
        for name in names:
            try:
                scores[case, name], _ = _score(_method(name, *task.sources[name]), burst, given)
            except MethodError as error:
                print_traceback(error)  # only its sentence goes to the process that gave the task
                raise
    return scores


@functools.lru_cache(maxsize=2)
def _recipes(motion: str, gain: float, frames: int) -> list[BurstRecipe]:
    return burst_recipes(gain, None, motion, frames)


@functools.cache
def _method(name: str, weights: str, device: str, source: str) -> Method:
    """A method, loaded once in a process, if its weights are these."""
    if _weights(name) != weights:
        raise ValueError(
            f"the weights of {name} on {socket.gethostname()} are not those of where the command was started"
        )
    if source:
        return own_method(source)
    return network(name, device) if device else baseline(name)


def _rows_of_workers(
    results: Iterable[tuple[_Task, Any]], bursts: int, advance: Callable[[int], object]
) -> Iterator[Row]:
    """The rows of scenes as soon as all their bursts are through."""
    found: dict[tuple[str, float, int], dict[int, dict[tuple[Case, str], Score]]] = {}
    for task, result in results:
        if isinstance(result, Failure):
            raise ValueError(result.sentence)
        by_number = found.setdefault(task.scenes, {})
        by_number[task.number] = result
        advance(len(result))
        if len(by_number) == bursts:
            del found[task.scenes]
            for case, name in result:
                yield _row_of(name, case, [by_number[k][case, name] for k in range(bursts)], math.nan)


def _weights(name: str) -> str:
    return checkpoints.read_card(name)["sha256"][:12] if name in checkpoints.available() else ""
