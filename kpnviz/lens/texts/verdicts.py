"""What the results say of the papers' claims: a question, the answer, numbers that each open a burst, and a figure.

Answers follow from the numbers by rules that stand here, so that results of other networks have other answers.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kpnviz.burst import ALL_MOTIONS
from kpnviz.evaluation.baselines import BASELINES, title_of
from kpnviz.evaluation.results import Results, is_tie
from kpnviz.evaluation.testset import FRAMES, TEST_GAINS
from kpnviz.lens.texts.measured import MOTION_WORDS, Measured, MissingError, Sayer
from kpnviz.models.zoo import MATCHED, STACKED, WRONG_NOISE, ZOO
from kpnviz.text import times


@dataclass(frozen=True)
class Line:
    """One line of a figure: a value at each x (None: none was measured), and its standard error."""

    name: str
    y: tuple[float | None, ...]
    errors: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Curves:
    """Values against something: x, how its ticks are written, titles of both axes with their units, and the lines.

    zero    whether 0, which is no difference, is drawn
    """

    x: tuple[float, ...]
    ticks: tuple[str, ...]
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    zero: bool = True


@dataclass(frozen=True)
class Verdict:
    """A claim and what was measured of it.

    points   sentences, with *emphasis* as in Markdown, and [[0]], [[1]], … in place of their `numbers`
    caption  of which bursts the figure is
    """

    name: str
    question: str
    answer: str
    points: tuple[str, ...]
    numbers: tuple[Measured, ...]
    figure: Curves
    caption: str


GAIN_TICKS = tuple(f"×{gain:g}" for gain in TEST_GAINS)
_EACH_GAIN = [(f"gain {tick}", gain) for tick, gain in zip(GAIN_TICKS, TEST_GAINS, strict=True)]
SIZED = tuple(name for name in MATCHED if name.startswith("kpn-l"))
"""Networks of one separable kernel size each, the smallest first."""

WHOLE, SUB, MOVING, HANDHELD = ALL_MOTIONS
# Scenes of the bursts that show a number: there it has the sign that it has on the test set.
_CITY = {"photo": "city", "top": 60, "left": 60, "seed": 1}
_DOG = {"photo": "dog", "top": 150, "left": 110, "seed": 3}
_BULB = {"photo": "bulb", "top": 60, "left": 60, "seed": 1}
_GIRL = {"photo": "girl", "top": 60, "left": 60, "seed": 1}
_GAINS = (1, 4, 8)  # named in texts
_GAINS_WORDS = " / ".join(f"×{gain}" for gain in _GAINS)


def verdicts(results: Results) -> list[Verdict]:
    """All verdicts that a file of results has the rows for."""
    found = []
    for make in (_follow, _classical, _sizes, _several, _frames, _wrong_noise, _kernels, _stacked):
        try:
            found.append(make(results))
        except MissingError:
            continue
    return found


def as_json(results: Results) -> list[dict[str, Any]]:
    """The verdicts as plain values."""
    return [dataclasses.asdict(verdict) for verdict in verdicts(results)]


def _follow(results: Results) -> Verdict:
    say = Sayer(results, {"photo": "mies", "top": 80, "left": 60, "pixel": (40, 60)})
    stacked = [
        name
        for name in STACKED
        if any(row.model == name and math.isfinite(row.alignment) for row in results.rows)
    ]
    slopes = {
        name: [say.row(name, WHOLE, gain).alignment for gain in TEST_GAINS] for name in ("mkpn", "kpn-l25")
    }
    still = max(
        (abs(say.row(name, WHOLE, g).alignment) for name in stacked for g in TEST_GAINS), default=math.nan
    )

    def of(name: str) -> str:
        return " / ".join(say.alignment(name, WHOLE, gain, "mkpn-stacked") for gain in _GAINS)

    matched = min(value for line in slopes.values() for value in line)
    answer = "Yes, with matching" if matched > 0.5 and still < 0.1 else "Not all of them, and not always"
    points = (
        "The slope of the kernels' centroids on the true shifts is 1 where kernels go where the scene went, and "
        "0 where they stay.",
        f"With *matching*, at gain {_GAINS_WORDS}: {of('mkpn')} for MKPN and {of('kpn-l25')} for KPN L25. The "
        "noisier the frames, the less a kernel moves.",
        f"With frames *stacked*: {say.alignment('mkpn-stacked', WHOLE, 4, 'mkpn')} for MKPN stacked at ×4. These "
        "networks are smaller than the paper's and were trained much shorter, and do not find the motion.",
    )
    lines = [Line(title_of(name), tuple(values)) for name, values in slopes.items()]
    for name in ("kpn-blind", "mkpn-stacked"):
        lines.append(Line(title_of(name), tuple(say.row(name, WHOLE, gain).alignment for gain in TEST_GAINS)))
    figure = _against_gain("slope of centroids on true shifts", lines)
    return Verdict(
        "follow", "Do the kernels follow the scene?", answer, points, tuple(say.numbers), figure,
        "Whole-pixel shake, frames 1 to 7, textured pixels, shifts within the kernel's reach.",
    )  # fmt: skip


def _classical(results: Results) -> Verdict:
    say = Sayer(results, _CITY)

    def best(motion: str, gain: float) -> str:
        rows = [say.row(name, motion, gain) for name in BASELINES]
        return max(rows, key=lambda row: row.psnr).model

    def lead(motion: str, gain: float) -> tuple[float, float]:
        return say.less(say.row("mkpn", motion, gain), say.row(best(motion, gain), motion, gain))

    leads = {motion: [lead(motion, gain) for gain in TEST_GAINS] for motion in results.motions}
    clearly = [motion for motion in leads if all(m > 0 and not is_tie(m, se) for m, se in leads[motion])]
    if len(clearly) == len(leads):
        answer = "These five, yes"
    elif clearly == [motion for motion in leads if motion != WHOLE]:
        answer = "These five, except where registration is perfect"
    else:
        answer = (
            f"With {' and '.join(map(MOTION_WORDS.__getitem__, clearly))} alone" if clearly else "Not clearly"
        )

    def of(motion: str) -> str:
        return ", ".join(f"{say.ahead('mkpn', best(motion, g), motion, g, of=False)} at ×{g}" for g in _GAINS)

    points = (
        f"MKPN against the best other method, *sub-pixel shake*: {of(SUB)}.",
        f"*Moving objects*: {of(MOVING)}.",
        f"*A handheld camera*: {of(HANDHELD)}.",
        f"*Whole-pixel shake*, which registration solves exactly: {of(WHOLE)}.",
    )
    lines = tuple(
        Line(MOTION_WORDS[motion], tuple(m for m, _ in leads[motion]), tuple(se for _, se in leads[motion]))
        for motion in leads
    )
    return Verdict(
        "classical", "Do networks beat classical methods?", answer, points, tuple(say.numbers),
        _against_gain("MKPN minus the best other, dB", lines),
        "The best of " + ", ".join(title_of(name).lower() for name in ("aligned-mean", "nlm", "tv", "wavelets"))
        + " and " + title_of("wiener-merge") + ". What can be set in them was chosen on whole-pixel shake.",
    )  # fmt: skip


def _sizes(results: Results) -> Verdict:
    say = Sayer(results, _CITY)
    names = _measured(results, SIZED)
    if len(names) < 3:
        raise MissingError("three kernel sizes")
    cases = _cases(results)
    # Of each step to the next size: in how many cases the larger one is clearly ahead.
    ahead = {b: _count(say, b, a, cases)[0] for a, b in pairwise(names)}
    most = [name for name, count in ahead.items() if 2 * count > len(cases)]
    pays = most[-1] if most == list(ahead)[: len(most)] and most else None
    top = max(ZOO[pays].sizes) if pays else 0
    answer = f"Yes, up to {top}×{top}" if pays else "Not always"
    steps = ", ".join(
        f"{_short(b)} is {say.ahead(b, a, WHOLE, 4)} (clearly better in {ahead[b]} of {len(cases)} cases)"
        for a, b in pairwise(names[:5])
    )
    last, other = names[-1], pays or names[0]
    further = say.ahead(last, other, WHOLE, 1)
    say.scene = _GIRL
    points = (
        f"Whole-pixel shake at ×4: {steps}.",
        f"Beyond that it depends: {_short(last)} is {further} with whole-pixel shake at ×1, and "
        f"{say.ahead(last, other, HANDHELD, 4)} with a handheld camera at ×4.",
    )
    shown = [name for name in names if max(ZOO[name].sizes) >= 5]
    lines = _less(say, _EACH_GAIN, shown,
                  lambda name, gain: (say.row(name, WHOLE, gain), say.row(shown[0], WHOLE, gain)))  # fmt: skip
    return Verdict(
        "sizes", "Do larger kernels pay?", answer, points, tuple(say.numbers),
        _against_size(shown, f"PSNR minus that of {title_of(shown[0])}, dB", lines),
        "Whole-pixel shake. A case is one of five gains with one kind of motion. L1 and L3 lie far "
        "below this axis: they are in the table.",
    )  # fmt: skip


def _several(results: Results) -> Verdict:
    say = Sayer(results, _CITY)
    names = _measured(results, SIZED)
    cases = _cases(results)
    counts = {name: _count(say, "mkpn", name, cases) for name in [*names, "kpn"]}
    # Better than a size: clearly ahead in more than half of the cases; behind it: clearly behind in so many.
    most = [name for name in names if 2 * counts[name][0] > len(cases)]
    first = list(itertools.takewhile(most.__contains__, names))
    top = max((max(ZOO[name].sizes) for name in first), default=0)
    if not first or any(2 * worse > len(cases) for _, _, worse in counts.values()):
        answer = "Not better than all"
    elif len(most) == len(names):
        answer = "Yes, better than each of them"
    else:
        answer = f"Better than sizes up to {top}×{top}, about even with larger ones"

    def tally(name: str) -> str:
        better, level, worse = counts[name]
        return f"{_short(name)} {better} / {level} / {worse}"

    points = (
        f"Cases of {len(cases)} in which MKPN is clearly ahead / ties / is clearly behind: "
        f"{', '.join(map(tally, counts))}.",
        f"Whole-pixel shake: it is {say.ahead('mkpn', 'kpn-l5', WHOLE, 1)} at ×1 and "
        f"{say.ahead('mkpn', 'kpn-l5', WHOLE, 16)} at ×16, {say.ahead('mkpn', 'kpn', WHOLE, 16)} (dense) at ×16, and "
        f"{say.ahead('mkpn', 'kpn-l9', WHOLE, 4)} at ×4.",
        f"It is {say.ahead('mkpn', 'kpn-l25', WHOLE, 1)} with whole-pixel shake at ×1, and "
        f"{say.ahead('mkpn', 'kpn-l25', SUB, 16)} with sub-pixel shake at ×16.",
    )
    shown = [name for name in names if max(ZOO[name].sizes) >= 5]
    lines = _less(say, _EACH_GAIN, shown,
                  lambda name, gain: (say.row("mkpn", WHOLE, gain), say.row(name, WHOLE, gain)))  # fmt: skip
    return Verdict(
        "several", "Are several sizes, fused, better than each alone?", answer, points, tuple(say.numbers),
        _against_size(shown, "MKPN minus KPN Lₙ, dB", lines),
        "Whole-pixel shake. Above 0 MKPN is better than that size. One training of each network was measured.",
    )  # fmt: skip


def _frames(results: Results) -> Verdict:
    say = Sayer(results, _CITY)
    counts = sorted({row.frames for row in results.rows if (row.model, row.motion) == ("mkpn", SUB)})
    if not {1, FRAMES, 16} <= set(counts):
        raise MissingError("other numbers of frames")

    def more(gain: float, few: int, many: int) -> str:
        return say.apart("mkpn", "mkpn", SUB, gain, frames=(many, few), sign=1)

    def each(few: int, many: int) -> str:
        return ", ".join(f"{more(gain, few, many)} at ×{gain}" for gain in _GAINS)

    points = (
        f"MKPN of eight frames is better than of one by {each(1, FRAMES)}.",
        f"Sixteen are better than eight by {each(FRAMES, 16)}. It was trained with two to eight.",
    )
    growing = all(
        not is_tie(*pair) and pair[0] > 0
        for gain in TEST_GAINS
        for a, b in pairwise(counts)
        for pair in [say.less(say.row("mkpn", SUB, gain, frames=b), say.row("mkpn", SUB, gain, frames=a))]
    )
    lines = _less(
        say,
        _EACH_GAIN,
        counts,
        lambda n, gain: (say.row("mkpn", SUB, gain, frames=n), say.row("mkpn", SUB, gain, frames=1)),
    )
    figure = Curves(
        tuple(map(float, counts)),
        tuple(map(str, counts)),
        "frames",
        "PSNR minus that of one frame, dB",
        lines,
    )
    return Verdict(
        "frames", "Do more frames help?", "Yes" if growing else "Not always", points, tuple(say.numbers), figure,
        "MKPN, sub-pixel shake.",
    )  # fmt: skip


def _wrong_noise(results: Results) -> Verdict:
    say = Sayer(results, _CITY)
    names: tuple[str, ...] = ("mkpn", "kpn", "mkpn-stacked", "kpn-stacked")
    scales = sorted(
        {
            row.noise_scale
            for row in results.rows
            if (row.model, row.motion, row.frames) == ("mkpn", SUB, FRAMES)
        }
    )
    if not {0.5, 1.0, 2.0} <= set(scales):
        raise MissingError("a wrong assumed noise")

    def cost(name: str, scale: float) -> str:
        return say.apart(name, name, SUB, 4, noise=(scale, 1.0), sign=-1)

    def lost(name: str, scale: float) -> tuple[float, float]:
        return say.less(say.row(name, SUB, 4, scale), say.row(name, SUB, 4))

    # Of networks with matching: is too little worse than as many times too much, and worse than without matching?
    most = all(
        lost(name, s)[0] < min(lost(name, 1 / s)[0], lost(f"{name}-stacked", s)[0])
        for name in ("mkpn", "kpn")
        for s in scales
        if s < 1 and 1 / s in scales
    )
    answer = "With matching, too little costs most" if most else "It costs decibels"

    def each(scale: float) -> str:
        of = [cost(name, scale) for name in names]
        return f"MKPN loses {of[0]} and KPN 5×5 {of[1]}; MKPN stacked {of[2]} and KPN 5×5 stacked {of[3]}"

    points = [
        f"Told half the true noise, {each(0.5)}.",
        f"Told twice the true noise, {each(2)}.",
        "Networks with matching judge in units of the assumed noise whether two patches are alike.",
    ]
    for name in WRONG_NOISE:
        if any(row.model == name and row.noise_scale != 1 for row in results.rows):
            sentence = (
                f"{title_of(name)}, which was told a wrong noise in a fifth of its training, loses "
                f"{cost(name, 0.5)} at half and {cost(name, 2)} at twice"
            )
            if 0.25 in scales:
                sentence += (
                    f", but {cost(name, 0.25)} at a quarter: what is far from the truth it still believes"
                )
            points.append(f"{sentence}.")
            names = (*names, name)
    lines = tuple(
        Line(title_of(name), tuple(lost(name, s)[0] if s != 1 else 0.0 for s in scales),
             tuple(lost(name, s)[1] if s != 1 else 0.0 for s in scales))
        for name in names
    )  # fmt: skip
    ticks = tuple(map(times, scales))
    figure = Curves(tuple(scales), ticks, "assumed noise / true noise", "PSNR minus that at ×1, dB", lines)
    return Verdict(
        "assumed", "What does a wrong assumed noise cost?", answer, tuple(points), tuple(say.numbers), figure,
        "Gain ×4, sub-pixel shake. Noise as a standard deviation.",
    )  # fmt: skip


def _kernels(results: Results) -> Verdict:
    say = Sayer(results, _DOG)
    cases = _cases(results)
    better = {name: _count(say, "kpn", name, cases)[0] for name in ("kpn-blind", "kpn-direct")}
    points = [
        f"KPN 5×5 is {say.ahead('kpn', 'kpn-blind', WHOLE, 1)} at ×1 and "
        f"{say.ahead('kpn', 'kpn-blind', WHOLE, 8)} at ×8. There the alignment of the blind network's kernels is "
        f"{say.alignment('kpn-blind', WHOLE, 8, 'kpn')}.",
        f"It is {say.ahead('kpn', 'kpn-direct', WHOLE, 4)} at ×4, and clearly better than it in "
        f"{better['kpn-direct']} of {len(cases)} cases.",
    ]
    answer = "Yes, both" if min(better.values()) == len(cases) else "Not in all cases"
    if {"kpn-stacked", "kpn-direct-stacked"} <= {row.model for row in results.rows}:
        other = _count(say, "kpn-direct-stacked", "kpn-stacked", cases)[0]
        say.scene = _BULB
        points.append(
            f"Of the stacked networks, both trained from the beginning, *direct* is clearly better in {other} of "
            f"{len(cases)} cases: it is {say.ahead('kpn-direct-stacked', 'kpn-stacked', WHOLE, 4)} at ×4."
        )
        if 2 * other > len(cases) and min(better.values()) == len(cases):
            answer = "The noise map does; kernels do with matching, not without"
    lines = _less(say, [(title_of(name), name) for name in ("kpn-blind", "kpn-direct")], TEST_GAINS,
                  lambda gain, name: (say.row("kpn", WHOLE, gain), say.row(name, WHOLE, gain)))  # fmt: skip
    return Verdict(
        "kernels", "Do the noise map and kernels pay?", answer, tuple(points), tuple(say.numbers),
        _against_gain("KPN 5×5 minus the other, dB", lines),
        "Whole-pixel shake. *Blind* is not told the noise; *direct* predicts the pixel, as a correction of the "
        "mean that matching makes. Both went on from a trunk that was trained before; the last layers of *direct* "
        "were new.",
    )  # fmt: skip


def _stacked(results: Results) -> Verdict:
    say = Sayer(results, _BULB)
    parts = {
        "kpn-blind-stacked": "the noise map",
        "kpn-no-anneal-stacked": "annealing",
        "kpn-1frame-stacked": "the other frames",
        "kpn-direct-stacked": "kernels",
    }

    def of(name: str, gain: float) -> tuple[float, float]:
        return say.less(say.row("kpn-stacked", WHOLE, gain), say.row(name, WHOLE, gain))

    helps = [(_helps_from([of(name, gain) for gain in TEST_GAINS]), what) for name, what in parts.items()]
    answer = "; ".join(
        f"{' and '.join(what for since, what in helps if since == at)}{words}"
        for at, words in ((at, f" from {tick} on" if at else "") for at, tick in enumerate(GAIN_TICKS))
        if any(since == at for since, _ in helps)
    )
    answer = answer[:1].upper() + answer[1:] or "None of their parts does"
    points = (
        "These see the frames as channels of one picture, as the papers have it, but have a twentieth of the MKPN "
        "paper's weights and 8,000 steps of training for its million.",
        f"At ×4 KPN stacked is {say.ahead('kpn-stacked', 'kpn-blind-stacked', WHOLE, 4)}, "
        f"{say.ahead('kpn-stacked', 'kpn-no-anneal-stacked', WHOLE, 4)} and "
        f"{say.ahead('kpn-stacked', 'kpn-1frame-stacked', WHOLE, 4)}.",
        f"At ×1 it is {say.ahead('kpn-stacked', 'kpn-no-anneal-stacked', WHOLE, 1)} and "
        f"{say.ahead('kpn-stacked', 'kpn-1frame-stacked', WHOLE, 1)}, which sees frame 0 alone.",
        f"It is {say.ahead('kpn-stacked', 'kpn-direct-stacked', WHOLE, 4)} at ×4, which predicts the pixel instead of "
        "kernels.",
    )
    lines = _less(say, [(what, name) for name, what in parts.items()], TEST_GAINS,
                  lambda gain, name: (say.row("kpn-stacked", WHOLE, gain), say.row(name, WHOLE, gain)))  # fmt: skip
    return Verdict(
        "stacked", "What helps the stacked networks?", answer, points, tuple(say.numbers),
        _against_gain("with it minus without, dB", lines),
        "Whole-pixel shake. Each line: by how much KPN stacked is better with that part than without it.",
    )  # fmt: skip


def _cases(results: Results) -> list[tuple[str, float]]:
    """Every kind of motion that was measured, at every gain."""
    return [(motion, gain) for motion in results.motions for gain in TEST_GAINS]


def _measured(results: Results, names: Sequence[str]) -> list[str]:
    here = {row.model for row in results.rows if row.plain}
    return [name for name in names if name in here]


def _short(name: str) -> str:
    """KPN L5 -> L5."""
    return title_of(name).removeprefix("KPN ") if name.startswith("kpn-l") else title_of(name)


def _helps_from(differences: Sequence[tuple[float, float]]) -> int | None:
    """The place from which on all differences are clearly above 0; None if the last one is not."""
    found = None
    for at in reversed(range(len(differences))):
        mean, se = differences[at]
        if mean <= 0 or is_tie(mean, se):
            break
        found = at
    return found


def _count(say: Sayer, a: str, b: str, cases: Sequence[tuple[str, float]]) -> tuple[int, int, int]:
    """In how many cases a is clearly ahead of b, they tie, and it is clearly behind."""
    found = [say.less(say.row(a, motion, gain), say.row(b, motion, gain)) for motion, gain in cases]
    level = sum(is_tie(mean, se) for mean, se in found)
    better = sum(mean > 0 and not is_tie(mean, se) for mean, se in found)
    return better, level, len(found) - level - better


def _less(
    say: Sayer,
    names: Sequence[tuple[str, Any]],
    x: Sequence[Any],
    rows: Callable[[Any, Any], tuple[Any, Any]],
) -> tuple[Line, ...]:
    """A line a name: the difference of the two rows at each x. A row beside itself is a 0 without an error."""
    lines = []
    for name, key in names:
        pairs = [rows(at, key) for at in x]
        found = [(0.0, 0.0) if a is b else say.less(a, b) for a, b in pairs]
        lines.append(Line(name, tuple(mean for mean, _ in found), tuple(se for _, se in found)))
    return tuple(lines)


def _against_gain(y_title: str, lines: Sequence[Line]) -> Curves:
    return Curves(tuple(map(float, TEST_GAINS)), GAIN_TICKS, "gain", y_title, tuple(lines))


def _against_size(names: Sequence[str], y_title: str, lines: Sequence[Line]) -> Curves:
    sizes = [max(ZOO[name].sizes) for name in names]
    ticks = tuple(map(str, sizes))
    return Curves(tuple(map(float, sizes)), ticks, "kernel size n, px", y_title, tuple(lines))
