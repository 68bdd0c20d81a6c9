"""All of results.csv as the page Results shows it, in app and site: plain tables and figures, with their words.

Texts are Markdown of *emphasis* alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kpnviz.evaluation.baselines import BASELINES, short_title_of, title_of
from kpnviz.evaluation.results import (
    PAPER_NOTE,
    PAPER_TABLE_1,
    YARDSTICK,
    Results,
    Row,
    best_of,
    difference,
    is_tie,
)
from kpnviz.evaluation.testset import BURSTS, FRAMES, TEST_GAINS
from kpnviz.lens.texts.verdicts import Curves, Line
from kpnviz.models import checkpoints
from kpnviz.models.zoo import MATCHED, STACKED, STACKED_SUFFIX, WRONG_NOISE, ZOO
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.text import times

TABLE_1 = tuple(PAPER_TABLE_1)
METRICS = ("PSNR", "SSIM")

MOTION_TITLES = {
    "whole-pixel": "Whole-pixel shake",
    "sub-pixel": "Sub-pixel shake",
    "moving": "Moving objects",
    "handheld": "Handheld",
}
MOTION_NOTES = {
    "whole-pixel": "In these bursts, made as in the MKPN paper, the whole frame moves by whole pixels: the easiest "
    "case for registration, which finds up to 16 pixels, where a kernel reaches 2 (5×5) to 12 (25×25). Nothing moves "
    "by itself here.",
    "sub-pixel": "In these bursts the whole frame moves by half pixels. Registration, which finds up to 16 pixels, has "
    "to interpolate, where a kernel reaches 2 (5×5) to 12 (25×25). Nothing moves by itself here.",
    "moving": "In these bursts one to three objects move by themselves, in front of a scene that moves by half pixels: "
    "no one shift of a frame is right everywhere.",
    "handheld": "In these bursts the camera turns by 0.1° to 0.5° while it shakes by half pixels, its shutter is a "
    "rolling one, and a part of the scene is nearer than the rest. Every method gets them aligned by the same field of "
    "displacements, as kpnviz aligns a burst of files.",
}

ROBUST = tuple(WRONG_NOISE)
ROBUST_NOTE = (
    "*MKPN robust* is MKPN after 7,250 more steps, in which the assumed noise of a fifth of the bursts was up to 1.5 "
    "times off."
)
OTHER_SIZES = tuple(name for name in MATCHED if name not in (*TABLE_1, *ROBUST) and name.startswith("mkpn-"))
OTHER_SIZES_NOTE = "*MKPN 25* has eight kernel sizes, 1 to 13 and 25: all those of the other networks."
ABLATIONS = tuple(name for name in MATCHED if name not in (*TABLE_1, *OTHER_SIZES, *ROBUST))
ABLATIONS_NOTE = (
    "*KPN blind* is not told how noisy the frames are, and matches as if their noise were always the same. *KPN "
    "direct* predicts no kernels but the pixel itself, as a correction of the mean of the frames that matching "
    "makes. All else is as in KPN 5×5."
)
STACKED_NOTE = (
    "These see the frames as the channels of one picture and have to find the motion by themselves. The papers "
    "gave them a million steps on a GPU, and the MKPN paper 35 million weights; here they have 1.9 million and 8,000 "
    "steps on one CPU core each, in which they learn to denoise frame 0 and little more. *1frame*, *no-anneal*, "
    "*blind* and *direct* leave out one part of KPN each: the other frames, annealing, the noise map, the kernels. "
    "Of the others, L5's and MKPN's weights ship."
)
ALIGNMENT_NOTE = (
    "The slope of the kernels' centroids on the true shifts: 1 where the kernels of the other frames go where the "
    "scene went, 0 where they stay. At textured pixels, in frames whose true shift is within the kernel's reach. None "
    "is marked as the best: larger kernels are measured on larger shifts."
)

ANSWERS_NOTE = (
    "± is one standard error of the mean difference, burst by burst; a *tie* is a difference of less than two of them, "
    f"and *clearly* means more. Every number opens a burst that shows it, of another photo: what one burst shows need "
    f"not be the mean of {BURSTS}."
)
COMPARED_NOTE = (
    "Means of the differences burst by burst; bars are two standard errors, bursts of one photo taken together. Gray "
    "and hollow: a tie, the bar reaches 0. A bar says how sure a difference is on other photos, not what another "
    "training would give: the README says how far a second one of MKPN and L5 lies from what ships."
)
PAPER_FIGURE_NOTE = (
    f"Each network against {title_of(YARDSTICK)} of the same column: here, on {BURSTS} bursts of Kodak's photos, with "
    "bars of two standard errors; and in Table 1 of the MKPN paper, on other photos. The number is the gap, ours less "
    "theirs. (Absolute figures are in the table; those of different photos do not compare.)"
)

NEAR = 1.0  # dB: methods within it have an axis of their own, which those that lie further off would squash
_NEAR_PAPER = 1.5

# The rows of one kind of motion, by method and gain.
Rows = Mapping[tuple[str, float], Row]


@dataclass(frozen=True)
class Cell:
    """Of a table: its text, how it is marked (best, tie, less or nothing), and what is said on hover."""

    text: str
    mark: str = ""
    tip: str = ""


@dataclass(frozen=True)
class Table:
    """Headings of the columns, the one of the names first; and a line a method: its title and its cells."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class Section:
    """A table with its heading, the words above and below it, and whether it is open at first."""

    heading: str
    words: str
    table: Table
    below: str
    opened: bool = False


@dataclass(frozen=True)
class Forest:
    """Differences from one method, a row a method: means, and standard errors.

    near     whether they are small ones; those that lie further off have an axis of their own
    ties     titles of those whose difference says nothing
    others   the paper's differences, where they stand beside
    """

    near: bool
    heading: str
    titles: tuple[str, ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    x_title: str
    ties: tuple[str, ...] = ()
    others: tuple[float | None, ...] | None = None


def beyond_training(gains: Iterable[float]) -> str:
    """A sentence that names those of the gains whose noise is beyond training, or "" if there are none."""
    beyond = [f"×{gain:g}" for gain in gains if NoiseModel.for_gain(gain).beyond_training]
    if len(beyond) < 2:
        return f"Gain {beyond[0]} lies beyond training." if beyond else ""
    return f"Gains {', '.join(beyond[:-1])} and {beyond[-1]} lie beyond training."


def motions_in(results: Results) -> list[str]:
    """The kinds of motion that a run has plain rows of."""
    return [name for name in MOTION_TITLES if any(row.plain and row.motion == name for row in results.rows)]


def rows_of(results: Results, motion: str) -> dict[tuple[str, float], Row]:
    """The plain rows of a kind of motion."""
    return {(row.model, row.gain): row for row in results.rows if row.plain and row.motion == motion}


def words_of(motion: str) -> str:
    """What the bursts of a kind of motion are."""
    beyond = beyond_training(TEST_GAINS)
    dark = " (Training has such noise only in dark bursts, whose white lies below 1.)" if beyond else ""
    return f"{MOTION_NOTES[motion]} {beyond}{dark}"


def in_file(rows: Rows, names: Sequence[str]) -> list[str]:
    """Those of the names that have results."""
    measured = {name for name, _ in rows}
    return [name for name in names if name in measured]


def written(value: float | None, metric: str, sign: str = "") -> str:
    """A figure as tables have it; nothing where there is none."""
    digits = 2 if metric in ("PSNR", "alignment") else 3
    found = value is not None and math.isfinite(value)
    return f"{value:{sign}z.{digits}f}".replace("-", "−") if found else ""


def table(
    rows: Rows, names: Sequence[str], gains: Sequence[float], metric: str, paper: bool = False
) -> Table:
    """A row a method, a column a gain, its best marked; with the paper's figures beside them."""
    columns = ["method"]
    cells: dict[str, list[Cell]] = {name: [] for name in names}
    unit = ", dB" if metric == "PSNR" else ""
    for gain in gains:
        here = [row for name in names if (row := rows.get((name, gain))) is not None]
        best, ties = (None, set()) if metric == "alignment" else best_of(here, metric.lower())
        theirs = {name: _theirs(name, gain, metric) for name in names} if paper and gain in GAINS else {}
        top = max(filter(None, theirs.values()), default=None)
        columns += [f"×{gain:g}{unit}"] + (["paper"] if theirs else [])
        for name in names:
            row, ours = rows.get((name, gain)), _value(rows.get((name, gain)), metric)
            mark = "best" if row is not None and row is best else "tie" if name in ties else ""
            tip = f"A tie with {title_of(best.model)}" if mark == "tie" and best else ""
            cells[name].append(Cell(written(ours, metric), mark, tip))
            if theirs:
                their = theirs[name]
                cells[name].append(Cell(written(their, metric), "best" if their and their == top else "less"))
    return Table(tuple(columns), tuple((title_of(name), tuple(line)) for name, line in cells.items()))


def marked(metric: str, paper: bool = False) -> str:
    """How a table is marked."""
    ties = (
        "; pale, those that tie with it: the mean difference burst by burst is less than two standard errors, "
        "bursts of one photo taken together"
        if metric == "PSNR"
        else "; ties are not known, as SSIM is not kept burst by burst"
    )
    beside = f" Of the {PAPER_NOTE}." if paper else ""
    return f"Green: the best of a column{ties}.{beside}"


def sections(rows: Rows, motion: str, metric: str) -> list[Section]:
    """All tables of a kind of motion."""
    paper = motion == "whole-pixel"
    missing = [title_of(name) for name in TABLE_1 if not in_file(rows, [name])]
    found = [
        Section(
            "Table 1, ours and the paper's" if paper else "The methods of Table 1",
            "",
            table(rows, TABLE_1, list(GAINS), metric, paper),
            marked(metric, paper) + (f" No results here yet: {', '.join(missing)}." if missing else ""),
            opened=True,
        )
    ]
    aligning = [
        name
        for name in ZOO
        if any(model == name and math.isfinite(row.alignment) for (model, _), row in rows.items())
    ]
    if aligning:
        slopes = table(rows, aligning, TEST_GAINS, "alignment")
        found.append(Section("Alignment: where kernels follow the scene", ALIGNMENT_NOTE, slopes, ""))
    for heading, words, names, beside in (
        ("Other ways to denoise", "", tuple(BASELINES), "mkpn"),
        ("MKPN with other kernel sizes", OTHER_SIZES_NOTE, OTHER_SIZES, "mkpn"),
        ("MKPN that was told a wrong noise in training", ROBUST_NOTE, ROBUST, "mkpn"),
        ("One part of KPN left out", ABLATIONS_NOTE, ABLATIONS, "kpn"),
        ("Frames stacked, as in the papers", STACKED_NOTE, tuple(STACKED), "mkpn"),
    ):
        measured = in_file(rows, names)
        if measured:
            beside_paper = paper and names[0] in STACKED
            shown = table(rows, [*measured, *in_file(rows, [beside])], TEST_GAINS, metric, beside_paper)
            found.append(Section(heading, words, shown, marked(metric, beside_paper)))
    return found


def comparable(rows: Rows, gain: float) -> list[str]:
    """Methods whose PSNR of every burst is kept."""
    return [name for name in (*ZOO, *BASELINES) if (row := rows.get((name, gain))) and row.psnrs]


def yardstick_of(names: Sequence[str]) -> str:
    """The method that the others are compared with at first."""
    return YARDSTICK if YARDSTICK in names else names[0]


def compared(rows: Rows, gain: float, chosen: str) -> list[Forest]:
    """PSNR minus that of a chosen method on the same bursts: methods near it on one axis, all others on another."""
    names = [name for name in comparable(rows, gain) if name != chosen]
    found = {name: difference(rows[name, gain], rows[chosen, gain]) for name in names}
    found = dict(sorted(found.items(), key=lambda item: -item[1][0]))
    near = [name for name, (mean, _) in found.items() if abs(mean) <= NEAR]
    groups = (
        (f"Within {NEAR:g} dB", near),
        ("Further off, on an axis of their own", [name for name in found if name not in near]),
    )
    return [
        Forest(
            group is near,
            heading,
            tuple(short_title_of(name) for name in group),
            tuple(found[name][0] for name in group),
            tuple(found[name][1] for name in group),
            f"PSNR minus that of {title_of(chosen)}, dB",
            tuple(short_title_of(name) for name in group if is_tie(*found[name])),
        )
        for heading, group in groups
        if group
    ]


def beside_the_paper(rows: Rows, gain: float) -> list[Forest]:
    """How much better each network is than KPN L5, here and in the paper."""
    names = [name for name in TABLE_1 if name != YARDSTICK and (row := rows.get((name, gain))) and row.psnrs]
    yardstick = rows.get((YARDSTICK, gain))
    if not names or yardstick is None or not yardstick.psnrs or gain not in GAINS:
        return []
    ours = {name: difference(rows[name, gain], yardstick) for name in names}
    theirs = {name: _theirs(name, gain, "PSNR") for name in (*names, YARDSTICK)}
    base = theirs[YARDSTICK]
    paper = {name: None if (of := theirs[name]) is None or base is None else of - base for name in names}
    near = [name for name in names if max(abs(ours[name][0]), abs(paper[name] or 0)) <= _NEAR_PAPER]
    return [
        Forest(
            group is near,
            "",
            tuple(title_of(name) for name in group),
            tuple(ours[name][0] for name in group),
            tuple(ours[name][1] for name in group),
            f"PSNR minus that of {title_of(YARDSTICK)}, dB",
            others=tuple(paper[name] for name in group),
        )
        for group in (near, [name for name in names if name not in near])
        if group
    ]


def other_cases(results: Results, motion: str, gain: float, metric: str) -> list[tuple[str, Curves]]:
    """A heading, *emphasized*, and the metric against the assumed noise; the same against the number of frames.

    Of the kind of motion that is asked for, or else of one that has been measured.
    """
    found = []
    for quantity, words, axis in (
        ("noise_scale", "with a wrong assumed noise", "assumed noise / true noise"),
        ("frames", "against the number of frames", "frames"),
    ):
        usual = 1.0 if quantity == "noise_scale" else FRAMES
        rows = [row for row in results.rows if getattr(row, quantity) != usual]
        if not rows:
            continue
        x: list[float] = sorted({usual, *(getattr(row, quantity) for row in rows)})
        measured = {row.motion for row in rows}
        of = motion if motion in measured else min(measured, key=list(MOTION_TITLES).index)
        names = [n for n in (*ZOO, *BASELINES) if any((r.model, r.motion) == (n, of) for r in rows)]
        lines = []
        for name in names:
            line = [results.row(name, gain, motion=of, **{quantity: at}) for at in x]  # type: ignore[arg-type]
            lines.append(Line(title_of(name), _each(line, _value, metric), _each(line, _error, metric)))
        ticks = [times(at) if quantity == "noise_scale" else f"{at:g}" for at in x]
        unit = f"{metric}, dB" if metric == "PSNR" else metric
        heading = f"**{metric} {words}** ({MOTION_TITLES[of].lower()})"
        found.append((heading, Curves(tuple(x), tuple(ticks), axis, unit, tuple(lines), zero=False)))
    return found


@dataclass(frozen=True)
class Cost:
    """What a method takes: milliseconds a burst of 8 frames of 128x128 (None: not measured); of a network also its
    parameters, MiB of its weights in float16, as they ship, and steps of training, with those of the networks that it
    started from."""

    title: str
    time: float | None
    parameters: int | None = None
    file: float | None = None
    steps: int | None = None


def costs(rows: Rows) -> list[list[Cost]]:
    """Of the networks that have a checkpoint here, and of all else; a group that is empty is left out."""
    networks, others = [], []
    for name in in_file(rows, [*ZOO, *BASELINES]):
        # Runs of several processes at once take no times.
        measured = (row.seconds for (model, _), row in rows.items() if model == name)
        seconds = [value for value in measured if math.isfinite(value)]
        time = 1000 * sum(seconds) / len(seconds) if seconds else None
        if name in checkpoints.available():
            card = checkpoints.read_card(name)
            size = card["bytes"] / 2**20
            networks.append(
                Cost(title_of(name), time, card["params"], size, checkpoints.training_steps(card))
            )
        else:
            others.append(Cost(title_of(name), time))
    return [group for group in (networks, others) if len(cost_fields(group)) > 1]


COST_COLUMNS = {
    "title": "method",
    "time": "ms a burst",
    "parameters": "parameters",
    "file": "weights, MiB",
    "steps": "training steps",
}
"""Headings of the fields of a Cost."""


def cost_fields(group: Sequence[Cost]) -> list[str]:
    """The fields that one of these costs has: of a kind of motion whose runs were not timed there is no time."""
    return [name for name in COST_COLUMNS if any(getattr(one, name) is not None for one in group)]


COST_NOTE = (
    "Of a burst of 8 frames of 128×128: the mean over the gains of the median time, as the runs found the machine, so "
    "about; weights in float16, as they ship. Steps of training include those of the weights that a network started "
    "from: networks with matching took turns in most of them, on one trunk."
)


_COST_FORMATS = {"time": ".0f", "parameters": ",", "file": ".2f", "steps": ","}


def cost_table(group: Sequence[Cost]) -> Table:
    """The same as texts."""
    fields = cost_fields(group)

    def cell(one: Cost, name: str) -> Cell:
        value = getattr(one, name)
        return Cell("" if value is None else format(value, _COST_FORMATS[name]))

    lines = ((one.title, tuple(cell(one, name) for name in fields[1:])) for one in group)
    return Table(tuple(COST_COLUMNS[name] for name in fields), tuple(lines))


def _value(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, metric.lower())


def _error(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, f"{metric.lower()}_se")


def _each(
    rows: Sequence[Row | None], of: Callable[[Row | None, str], float | None], metric: str
) -> tuple[float | None, ...]:
    return tuple(of(row, metric) for row in rows)


def _theirs(name: str, gain: float, metric: str) -> float | None:
    """The paper's figure."""
    found = PAPER_TABLE_1.get(name.removesuffix(STACKED_SUFFIX), {}).get(int(gain))
    return None if found is None else found[metric == "SSIM"]
