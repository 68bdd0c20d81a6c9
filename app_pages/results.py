"""Results: what `kpnviz evaluate` measured says of the papers' claims, and all of it, beside the paper's Table 1."""

import math
from collections.abc import Sequence

import streamlit as st

from kpnviz import figures
from kpnviz.analysis.metrics import PROTOCOL
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
    read_results,
    results_path,
)
from kpnviz.evaluation.testset import BURSTS, FRAMES, TEST_GAINS
from kpnviz.lens.texts.verdicts import verdicts
from kpnviz.models import checkpoints
from kpnviz.models.zoo import MATCHED, STACKED, STACKED_SUFFIX, ZOO
from kpnviz.noise import GAINS
from kpnviz.ui import elements
from kpnviz.ui.claims import answers, argument
from kpnviz.ui.controls import beyond_training
from kpnviz.ui.page import begin
from kpnviz.ui.state import COMPARED, METRIC, RESULTS_GAIN, RESULTS_MOTION
from kpnviz.ui.tips import line_of_terms, tips

TABLE_1 = tuple(PAPER_TABLE_1)

MOTION_TITLES = {
    "whole-pixel": "Whole-pixel shake",
    "sub-pixel": "Sub-pixel shake",
    "moving": "Moving objects",
}
MOTION_NOTES = {
    "whole-pixel": "In these bursts, made as in the papers, the whole frame moves by whole pixels: the easiest case "
    "for registration, which finds up to 16 pixels, where a kernel reaches 2 (5×5) to 12 (25×25). Nothing moves by "
    "itself here.",
    "sub-pixel": "In these bursts the whole frame moves by half pixels. Registration, which finds up to 16 pixels, has "
    "to interpolate, where a kernel reaches 2 (5×5) to 12 (25×25). Nothing moves by itself here.",
    "moving": "In these bursts one to three objects move by themselves, in front of a scene that moves by half pixels: "
    "no one shift of a frame is right everywhere.",
}

OTHER_SIZES = tuple(name for name in MATCHED if name not in TABLE_1 and name.startswith("mkpn-"))
OTHER_SIZES_NOTE = "*MKPN 25* has eight kernel sizes, 1 to 13 and 25: all those of the other networks."
ABLATIONS = tuple(name for name in MATCHED if name not in (*TABLE_1, *OTHER_SIZES))
ABLATIONS_NOTE = (
    "*KPN blind* is not told how noisy the frames are, and matches as if their noise were always the same. *KPN "
    "direct* predicts no kernels but the pixel itself, as a correction of the mean of the frames that matching "
    "makes. All else is as in KPN 5×5."
)
STACKED_NOTE = (
    "These see the frames as the channels of one picture and have to find the motion by themselves: the papers "
    "gave them a million steps on a GPU, we 8,000 on one CPU core each, in which they learn to denoise frame 0 "
    "and little more. *1frame*, *no-anneal*, *blind* and *direct* leave out one part of KPN each: the other "
    "frames, annealing, the noise map, the kernels."
)

ALIGNMENT_NOTE = (
    "The slope of the kernels' centroids on the true shifts: 1 where the kernels of the other frames go where the "
    "scene went, 0 where they stay. At textured pixels, in frames whose true shift is within the kernel's reach."
)

# The rows of one kind of motion, by method and gain.
Rows = dict[tuple[str, float], Row]

NEAR = 1.0  # dB: methods within it have an axis of their own, which those that lie further off would squash


def value(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, metric.lower())


def error(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, f"{metric.lower()}_se")


def in_file(rows: Rows, names: Sequence[str]) -> list[str]:
    """Those of the names that have results."""
    measured = {name for name, _ in rows}
    return [name for name in names if name in measured]


def written(value: float | None, metric: str, sign: str = "") -> str:
    """A figure as tables have it; nothing where there is none."""
    digits = 2 if metric in ("PSNR", "alignment") else 3
    found = value is not None and math.isfinite(value)
    return f"{value:{sign}z.{digits}f}".replace("-", "−") if found else ""


def table(rows: Rows, names: Sequence[str], gains: Sequence[float], metric: str, paper: bool = False) -> None:
    """A row a method, a column a gain, its best marked; with the paper's figures beside them, and the gap."""
    columns = ["method"]
    cells: dict[str, list[elements.Cell]] = {name: [] for name in names}
    unit = ", dB" if metric == "PSNR" else ""
    for gain in gains:
        here = [row for name in names if (row := rows.get((name, gain))) is not None]
        best, ties = (None, set()) if metric == "alignment" else best_of(here, metric.lower())
        theirs = {name: _theirs(name, gain, metric) for name in names} if paper and gain in GAINS else {}
        top = max(filter(None, theirs.values()), default=None)
        columns += [f"×{gain:g}{unit}"] + (["paper", "gap"] if theirs else [])
        for name in names:
            row, ours = rows.get((name, gain)), value(rows.get((name, gain)), metric)
            mark = "best" if row is not None and row is best else "tie" if name in ties else ""
            tip = f"A tie with {title_of(best.model)}" if mark == "tie" and best else ""
            cells[name].append(elements.Cell(written(ours, metric), mark, tip))
            if theirs:
                their = theirs[name]
                gap = None if ours is None or their is None else ours - their
                cells[name] += [
                    elements.Cell(written(their, metric), "best" if their and their == top else "less"),
                    elements.Cell(written(gap, metric, "+"), "less"),
                ]
    elements.table(columns, [(title_of(name), line) for name, line in cells.items()])


def _theirs(name: str, gain: float, metric: str) -> float | None:
    """The paper's figure."""
    found = PAPER_TABLE_1.get(name.removesuffix(STACKED_SUFFIX), {}).get(int(gain))
    return None if found is None else found[metric == "SSIM"]


def marked(metric: str, paper: bool = False) -> str:
    """How a table is marked."""
    ties = (
        "; pale, those that tie with it: the mean difference burst by burst is less than two standard errors, "
        "bursts of one photo taken together"
        if metric == "PSNR"
        else "; ties are not known, as SSIM is not kept burst by burst"
    )
    beside = f" Of the {PAPER_NOTE}. Gap: ours less theirs." if paper else ""
    return f"Green: the best of a column{ties}.{beside}"


def alignment_table(rows: Rows) -> None:
    aligning = aligning_in(rows)
    if not aligning:
        return
    with st.expander("Alignment: where kernels follow the scene"):
        st.markdown(ALIGNMENT_NOTE)
        table(rows, aligning, TEST_GAINS, "alignment")


def aligning_in(rows: Rows) -> list[str]:
    """The networks whose alignment has been measured."""
    return [
        name
        for name in ZOO
        if any(n == name and math.isfinite(row.alignment) for (n, _), row in rows.items())
    ]


def differences(rows: Rows, gain: float) -> None:
    """PSNR minus that of a chosen method on the same bursts: methods near it on one axis, all others on another."""
    kept = [name for name in (*ZOO, *BASELINES) if (row := rows.get((name, gain))) and row.psnrs]
    if len(kept) < 2:
        return
    first = YARDSTICK if YARDSTICK in kept else kept[0]
    chosen = st.selectbox(
        "Compared with", kept, index=kept.index(first), format_func=title_of, key=COMPARED, width=320
    )
    found = {name: difference(rows[name, gain], rows[chosen, gain]) for name in kept if name != chosen}
    found = dict(sorted(found.items(), key=lambda item: -item[1][0]))
    near = [name for name, (mean, _) in found.items() if abs(mean) <= NEAR]
    with elements.grid("differences", 420):
        for key, heading, names in (
            ("near", f"Within {NEAR:g} dB", near),
            ("far", "Further off, on an axis of their own", [name for name in found if name not in near]),
        ):
            if not names:
                continue
            means, errors = ([found[name][i] for name in names] for i in (0, 1))
            ties = [name for name in names if is_tie(*found[name])]
            figure = figures.forest(
                [short_title_of(name) for name in names], means, errors,
                f"PSNR minus that of {title_of(chosen)}, dB", [short_title_of(name) for name in ties],
            )  # fmt: skip
            with st.container(gap="xsmall"):
                st.markdown(f"**{heading}**")
                elements.chart(figure, f"differences_{key}")
    st.caption(
        "Means of the differences burst by burst; bars are two standard errors, bursts of one photo taken "
        "together. Gray and hollow: a tie, the bar reaches 0. A bar says how sure a difference is on other photos, "
        "not what another training would give: one seed was trained."
    )


def beside_the_paper(rows: Rows, gain: float) -> None:
    """How much better each network is than KPN L5, here and in the paper."""
    names = [name for name in TABLE_1 if name != YARDSTICK and (row := rows.get((name, gain))) and row.psnrs]
    yardstick = rows.get((YARDSTICK, gain))
    if not names or yardstick is None or not yardstick.psnrs or gain not in GAINS:
        return
    ours = {name: difference(rows[name, gain], yardstick) for name in names}
    theirs = {name: _theirs(name, gain, "PSNR") for name in (*names, YARDSTICK)}
    base = theirs[YARDSTICK]
    paper = {name: None if (of := theirs[name]) is None or base is None else of - base for name in names}
    near = [name for name in names if max(abs(ours[name][0]), abs(paper[name] or 0)) <= 1.5]
    with elements.grid("paper", 420):
        for key, group in (("near", near), ("far", [name for name in names if name not in near])):
            if group:
                figure = figures.forest(
                    [title_of(name) for name in group], [ours[n][0] for n in group], [ours[n][1] for n in group],
                    f"PSNR minus that of {title_of(YARDSTICK)}, dB", others=[paper[name] for name in group],
                    legend=("here", "paper"),
                )  # fmt: skip
                elements.chart(figure, f"paper_{key}")
    st.caption(
        f"Each network against {title_of(YARDSTICK)} of the same column: here, on {BURSTS} bursts of Kodak's "
        "photos, with bars of two standard errors; and in Table 1 of the MKPN paper, on other photos. The number "
        "is the gap, ours less theirs. (Absolute figures are in the table; those of different photos do not "
        "compare.)"
    )


def other_cases(results: Results, motion: str, gain: float, metric: str) -> None:
    """The metric against the assumed noise, and against the number of frames, at a gain."""
    of_scales = [row for row in results.rows if row.noise_scale != 1]
    of_frames = [row for row in results.rows if row.frames != FRAMES]
    if not of_scales and not of_frames:
        st.caption("This file has no results with a wrong assumed noise or other numbers of frames.")
        return
    unit = f"{metric}, dB" if metric == "PSNR" else metric

    def plot(
        rows: Sequence[Row], quantity: str, x: Sequence[float], ticks: Sequence[str], heading: str
    ) -> None:
        """Of the kind of motion that is shown, or else of one that has been measured."""
        measured = {row.motion for row in rows}
        of = motion if motion in measured else min(measured, key=list(MOTION_TITLES).index)
        names = [n for n in (*ZOO, *BASELINES) if any((r.model, r.motion) == (n, of) for r in rows)]
        series, errors = {}, {}
        for name in names:
            line = [results.row(name, gain, motion=of, **{quantity: at}) for at in x]  # type: ignore[arg-type]
            series[title_of(name)] = [value(row, metric) for row in line]
            errors[title_of(name)] = [error(row, metric) for row in line]
        axis = "assumed noise / true noise" if quantity == "noise_scale" else "frames"
        figure = figures.curves(x, series, axis, unit, log2=True, errors=errors, tick_text=ticks)
        with st.container(gap="xsmall"):
            st.markdown(f"**{heading}** ({MOTION_TITLES[of].lower()})")
            elements.chart(figure, "robustness" if quantity == "noise_scale" else "against_frames")

    with elements.grid("other_cases", 420):
        if of_scales:
            scales = sorted({1.0, *(row.noise_scale for row in of_scales)})
            ticks = [f"×{s:g}" if s >= 1 else f"×1/{1 / s:g}" for s in scales]
            plot(of_scales, "noise_scale", scales, ticks, f"{metric} with a wrong assumed noise")
        if of_frames:
            counts = sorted({FRAMES, *(row.frames for row in of_frames)})
            plot(
                of_frames, "frames", counts, list(map(str, counts)), f"{metric} against the number of frames"
            )


def cost(rows: Rows) -> None:
    """Time of every method; and of networks, parameters, bytes and steps."""
    columns = {
        "method": st.column_config.TextColumn("method", width="medium"),
        "time": st.column_config.NumberColumn(
            "ms a burst", format="%.0f", help="8 frames of 128x128, median."
        ),
        "parameters": st.column_config.NumberColumn("parameters", format="localized"),
        "file": st.column_config.NumberColumn(
            "weights, MiB", format="%.2f", help="In float16, as they ship."
        ),
        "steps": st.column_config.NumberColumn("training steps", format="localized"),
    }
    networks = []
    others = []
    for name in in_file(rows, [*ZOO, *BASELINES]):
        seconds = [row.seconds for (model, _), row in rows.items() if model == name]
        line = {"method": title_of(name), "time": 1000 * sum(seconds) / len(seconds)}
        if name in checkpoints.available():
            card = checkpoints.read_card(name)
            steps = card.get("training", {}).get("steps")
            networks.append(
                line | {"parameters": card["params"], "file": card["bytes"] / 2**20, "steps": steps}
            )
        else:
            others.append(line)
    with elements.grid("cost", 420):
        for lines in filter(None, (networks, others)):
            st.dataframe(lines, column_config=columns, hide_index=True, height="content")


def show(results: Results) -> None:
    found = verdicts(results)
    tips()
    if found:
        answers(found)
        st.caption(
            "± is one standard error of the mean difference, burst by burst; a *tie* is a difference of less "
            "than two of them, and *clearly* means more. Every number opens a burst that shows it, of "
            "another photo: what one burst shows need not be the mean of 72."
        )
        for verdict in found:
            argument(verdict)
    st.header("All the numbers", anchor=False)
    line_of_terms(
        ("MKPN", "KPN", "5×5", "L25", "stacked", "blind", "direct", "1frame", "no-anneal", "reach", "share")
    )
    all_numbers(results)


def all_numbers(results: Results) -> None:
    test_set, protocol = results.stamp.get("test set", ""), results.stamp.get("protocol", PROTOCOL)
    st.caption(
        f"{elements.plain(test_set, 400)}. {elements.plain(protocol, 400)}, of gray bursts as in the papers: "
        "the photos' luminance."
    )
    motions = [
        name for name in MOTION_TITLES if any(row.plain and row.motion == name for row in results.rows)
    ]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        motion = st.segmented_control(
            "Motion",
            motions,
            key=RESULTS_MOTION,
            default=motions[0],
            required=True,
            format_func=MOTION_TITLES.__getitem__,
        )
        gain = st.segmented_control(
            "Gain of the figures", list(TEST_GAINS), key=RESULTS_GAIN, default=4, required=True,
            format_func=lambda g: f"×{g}",
        )  # fmt: skip
        metric = st.segmented_control(
            "Measure of the tables", ["PSNR", "SSIM"], key=METRIC, default="PSNR", required=True
        )
        st.download_button(
            "Download CSV", results_path().read_bytes(), "results.csv", "text/csv", on_click="ignore"
        )
    rows = {(row.model, row.gain): row for row in results.rows if row.plain and row.motion == motion}
    st.markdown(f"{MOTION_NOTES[motion]} {beyond_training(TEST_GAINS)}")
    st.subheader("Every method against one", anchor=False)
    differences(rows, gain)
    paper = motion == "whole-pixel"
    if paper and gain in GAINS and in_file(rows, TABLE_1):
        st.subheader("Here and in the paper", anchor=False)
        beside_the_paper(rows, gain)
    st.subheader("A wrong assumed noise, other numbers of frames", anchor=False)
    other_cases(results, motion, gain, metric)

    st.subheader("Tables", anchor=False)
    with st.expander("Table 1, ours and the paper's" if paper else "The methods of Table 1", expanded=True):
        table(rows, TABLE_1, list(GAINS), metric, paper=paper)
        missing = [title_of(name) for name in TABLE_1 if not in_file(rows, [name])]
        st.caption(
            marked(metric, paper) + (f" No results here yet: {', '.join(missing)}." if missing else "")
        )
    alignment_table(rows)
    for heading, words, names, beside in (
        ("Other ways to denoise", "", tuple(BASELINES), "mkpn"),
        ("MKPN with other kernel sizes", OTHER_SIZES_NOTE, OTHER_SIZES, "mkpn"),
        ("One part of KPN left out", ABLATIONS_NOTE, ABLATIONS, "kpn"),
        ("Frames stacked, as the papers print it", STACKED_NOTE, tuple(STACKED), "mkpn"),
    ):
        measured = in_file(rows, names)
        if not measured:
            continue
        with st.expander(heading):
            st.markdown(words)
            wanted = [*measured, *in_file(rows, [beside])]
            beside_paper = paper and names[0] in STACKED
            table(rows, wanted, TEST_GAINS, metric, beside_paper)
            st.caption(marked(metric, beside_paper))
    with st.expander("What it costs"):
        cost(rows)
    machine = [
        elements.plain(f"{key} {text}", 120)
        for key, text in results.stamp.items()
        if key not in ("protocol", "test set")
    ]
    st.caption("Measured with: " + " · ".join(machine) + ".")


begin(
    "Do the networks keep what the papers say?",
    "Every trained network and the usual other ways to denoise, on one fixed test set of photos, none of them "
    "trained on: first the answers, then all the numbers.",
)
if not results_path().is_file():
    st.info("There are no results yet: `kpnviz evaluate` measures them and writes `results.csv`.")
else:
    try:
        found = read_results()
    except ValueError as failure:
        elements.failure(failure)
    else:
        if any(row.plain for row in found.rows):
            show(found)
        else:
            st.info("This file has no results yet: `kpnviz evaluate` measures them and writes `results.csv`.")
