"""Results: what `kpnviz evaluate` measured, beside the paper's Table 1."""

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from kpnviz import figures
from kpnviz.analysis.metrics import PROTOCOL
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.results import (
    PAPER_NOTE,
    PAPER_TABLE_1,
    YARDSTICK,
    Results,
    Row,
    difference,
    read_results,
    results_path,
)
from kpnviz.evaluation.testset import FRAMES, TEST_GAINS
from kpnviz.models import checkpoints
from kpnviz.models.zoo import MATCHED, STACKED, STACKED_SUFFIX, ZOO, title_of
from kpnviz.noise import GAINS
from kpnviz.ui import elements
from kpnviz.ui.controls import beyond_training
from kpnviz.ui.page import begin
from kpnviz.ui.state import METRIC, RESULTS_MOTION, ROBUST_GAIN

TABLE_1 = tuple(PAPER_TABLE_1)

TITLES = {
    "reference": "Frame 0",
    "mean": "Plain mean",
    "aligned-mean": "Aligned mean",
    "wiener-merge": "Wiener merge, as HDR+",
    "nlm": "Non-local means of the aligned mean",
    "tv": "Total variation of the aligned mean",
    "wavelets": "Wavelets of the aligned mean",
}

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
    "direct* predicts no kernels but the pixel itself, as a correction of the mean of the frames that matching makes. "
    "All else is as in KPN 5×5."
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

METHOD = {"method": st.column_config.TextColumn("method", width=240)}

# The rows of one kind of motion, by method and gain.
Rows = dict[tuple[str, float], Row]


def title(name: str) -> str:
    return title_of(name) if name in ZOO else TITLES.get(name, name)


def value(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, metric.lower())


def error(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, f"{metric.lower()}_se")


def table(rows: Rows, names: Sequence[str], gains: Sequence[float], metric: str, paper: bool = False) -> None:
    """A row a method, a column a gain; with the paper's figures beside them."""
    form = "%.2f" if metric in ("PSNR", "alignment") else "%.3f"
    unit = " dB" if metric == "PSNR" else ""
    cells: list[dict[str, object]] = []
    columns: dict[str, Any] = {}
    for name in names:
        line: dict[str, object] = {"method": title(name)}
        for gain in gains:
            found = value(rows.get((name, gain)), metric)
            line[f"×{gain:g}"] = 0.0 if found and abs(found) < 0.005 else found  # not −0.00
            if paper and gain in GAINS:
                theirs = PAPER_TABLE_1.get(name.removesuffix(STACKED_SUFFIX), {}).get(int(gain))
                line[f"×{gain:g} paper"] = theirs and theirs[metric == "SSIM"]
        cells.append(line)
    for name in list(cells[0])[1:]:
        columns[name] = st.column_config.NumberColumn(f"{name}{unit}", format=form)
    st.dataframe(cells, column_config=METHOD | columns, hide_index=True, height="content", placeholder="")


def in_file(rows: Rows, names: Sequence[str]) -> list[str]:
    """Those of the names that have results."""
    measured = {name for name, _ in rows}
    return [name for name in names if name in measured]


def differences(rows: Rows, names: Sequence[str]) -> None:
    """PSNR less that of the yardstick on the same bursts, with its standard error: a row a method, a column a gain."""
    cells = []
    for name in names:
        line: dict[str, object] = {"method": title(name)}
        for gain in TEST_GAINS:
            row, yardstick = rows.get((name, gain)), rows.get((YARDSTICK, gain))
            mean, se = difference(row, yardstick) if row and yardstick else (math.nan, math.nan)
            line[f"×{gain:g} dB"] = f"{mean:+z.2f} ± {se:.2f}" if math.isfinite(mean) else ""
        cells.append(line)
    st.dataframe(cells, column_config=METHOD, hide_index=True, height="content")


def alignment_table(rows: Rows) -> None:
    aligning = aligning_in(rows)
    if not aligning:
        return
    with st.expander("Alignment: where kernels follow the scene"):
        st.markdown(ALIGNMENT_NOTE)
        table(rows, aligning, TEST_GAINS, "alignment")


def differences_table(rows: Rows) -> None:
    kept = {name for (name, _), row in rows.items() if row.psnrs}
    if YARDSTICK not in kept:
        return
    with st.expander(f"Better than {title(YARDSTICK)} by"):
        differences(rows, [name for name in (*ZOO, *BASELINES) if name in kept and name != YARDSTICK])
        st.caption(
            "Means of the differences in PSNR burst by burst, ± one standard error, bursts of one photo taken "
            "together. A difference of less than two standard errors says nothing."
        )


def aligning_in(rows: Rows) -> list[str]:
    """The networks whose alignment has been measured."""
    return [
        name
        for name in ZOO
        if any(n == name and math.isfinite(row.alignment) for (n, _), row in rows.items())
    ]


# What is compared at the top of the page.
LEAD = ("mkpn", "kpn", "kpn-l9", "kpn-l25", "nlm", "wiener-merge")
LEAD_ALIGNMENT = ("mkpn", "kpn", "kpn-l9", "kpn-l25", "kpn-blind", "mkpn-stacked")


def lead(rows: Rows) -> None:
    """How good the pictures are, and whether the kernels follow the scene, against the gain: a line a method."""
    with elements.grid("lead", 420):
        with st.container(gap="xsmall"):
            differences_chart(rows)
        with st.container(gap="xsmall"):
            alignment_chart(rows)


def alignment_chart(rows: Rows) -> None:
    names = [name for name in LEAD_ALIGNMENT if name in aligning_in(rows)]
    if not names:
        return
    gains = [gain for gain in TEST_GAINS if any((name, gain) in rows for name in names)]
    found = {title(n): [value(rows.get((n, gain)), "alignment") for gain in gains] for n in names}
    st.markdown("**Alignment**: 1 where kernels go where the scene went, 0 where they stay")
    figure = figures.curves(
        gains,
        found,
        "gain",
        "slope of centroids on true shifts",
        log2=True,
        tick_text=[f"×{gain:g}" for gain in gains],
        height=420,
    )
    elements.chart(figure, "alignment")


def differences_chart(rows: Rows) -> None:
    """PSNR less that of the yardstick on the same bursts."""
    gains = [gain for gain in TEST_GAINS if (YARDSTICK, gain) in rows]
    found = {
        title(name): [difference(rows[name, gain], rows[YARDSTICK, gain]) for gain in gains]
        for name in LEAD
        if all((name, gain) in rows for gain in gains)
    }
    found = {name: line for name, line in found.items() if all(math.isfinite(mean) for mean, _ in line)}
    if not found:
        return
    st.markdown(f"**Better than {title(YARDSTICK)} by**, dB of PSNR on the same bursts")
    figure = figures.curves(
        gains,
        {name: [mean for mean, _ in line] for name, line in found.items()},
        "gain",
        f"PSNR less that of {title(YARDSTICK)}, dB",
        log2=True,
        errors={name: [se for _, se in line] for name, line in found.items()},
        tick_text=[f"×{gain:g}" for gain in gains],
        height=420,
    )
    elements.chart(figure, "lead")


def against_gain(rows: Rows, names: Sequence[str], metric: str, key: str) -> None:
    """The metric against the gain, a line a method, with standard errors."""
    gains = [gain for gain in TEST_GAINS if any((name, gain) in rows for name in names)]
    series = {title(n): [value(rows.get((n, g)), metric) for g in gains] for n in names}
    errors = {title(n): [error(rows.get((n, g)), metric) for g in gains] for n in names}
    unit = f"{metric}, dB" if metric == "PSNR" else metric
    ticks = [f"×{gain:g}" for gain in gains]
    figure = figures.curves(
        gains, series, "gain", unit, log2=True, errors=errors, tick_text=ticks, height=420
    )
    elements.chart(figure, key)


def against_size(rows: Rows, metric: str) -> None:
    """The metric against the kernel size, a line a gain, MKPN as dashes."""
    names = in_file(rows, [name for name in MATCHED if name.startswith("kpn-l")])
    if len(names) < 2:
        st.caption("This plot needs results of two kernel sizes or more.")
        return
    sizes = [max(ZOO[name].sizes) for name in names]
    series, errors, colors = {}, {}, {}
    for index, gain in enumerate(GAINS):
        line = f"gain ×{gain}"
        series[line] = [value(rows.get((name, gain)), metric) for name in names]
        errors[line] = [error(rows.get((name, gain)), metric) for name in names]
        colors[line] = figures.PALETTE[index]
        if (best := rows.get(("mkpn", gain))) is not None:
            series[f"MKPN ×{gain}"] = [value(best, metric)] * len(sizes)
            colors[f"MKPN ×{gain}"] = colors[line]
    unit = f"{metric}, dB" if metric == "PSNR" else metric
    level = [name for name in series if name.startswith("MKPN")]
    figure = figures.curves(
        sizes,
        series,
        "kernel size n, px",
        unit,
        log2=True,
        errors=errors,
        height=420,
        colors=colors,
        level=level,
        tick_text=elements.size_ticks(sizes),
    )
    elements.chart(figure, "against_size")


def other_cases(results: Results, motion: str, metric: str) -> None:
    """The metric against the assumed noise, and against the number of frames, at a gain."""
    of_scales = [row for row in results.rows if row.noise_scale != 1]
    of_frames = [row for row in results.rows if row.frames != FRAMES]
    if not of_scales and not of_frames:
        st.caption("This file has no results with a wrong assumed noise or other numbers of frames.")
        return
    gain = st.segmented_control(
        "Gain", list(GAINS), key=ROBUST_GAIN, default=4, required=True, format_func=lambda g: f"×{g}"
    )
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
            series[title(name)] = [value(row, metric) for row in line]
            errors[title(name)] = [error(row, metric) for row in line]
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
        line = {"method": title(name), "time": 1000 * sum(seconds) / len(seconds)}
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
    together = ", bursts of one photo taken together" if any(row.psnrs for row in results.rows) else ""
    test_set, protocol = results.stamp.get("test set", ""), results.stamp.get("protocol", PROTOCOL)
    st.caption(
        f"{elements.plain(test_set, 400)}. {elements.plain(protocol, 400)}, of gray bursts as in the papers: "
        f"the photos' luminance. Error bars are one standard error of the mean{together}."
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
        metric = st.segmented_control("Measure", ["PSNR", "SSIM"], key=METRIC, default="PSNR", required=True)
        st.download_button(
            "Download CSV", results_path().read_bytes(), "results.csv", "text/csv", on_click="ignore"
        )
    rows = {(row.model, row.gain): row for row in results.rows if row.plain and row.motion == motion}
    st.markdown(f"{MOTION_NOTES[motion]} {beyond_training(TEST_GAINS)}")
    lead(rows)
    with elements.grid("plots", 420):
        with st.container(gap="xsmall"):
            st.markdown(f"**{metric} against gain**")
            against_gain(rows, in_file(rows, TABLE_1), metric, "against_gain")
        with st.container(gap="xsmall"):
            st.markdown(f"**{metric} against kernel size**")
            against_size(rows, metric)
    st.subheader("Other numbers of frames, a wrong assumed noise", anchor=False)
    other_cases(results, motion, metric)

    st.subheader("Tables", anchor=False)
    paper = motion == "whole-pixel"
    with st.expander("Table 1, ours and the paper's" if paper else "The methods of Table 1"):
        table(rows, TABLE_1, list(GAINS), metric, paper=paper)
        missing = [title(name) for name in TABLE_1 if not in_file(rows, [name])]
        notes = [f"Right of ours, the {PAPER_NOTE}."] if paper else []
        notes += [f"No results here yet: {', '.join(missing)}."] if missing else []
        st.caption(" ".join(notes))
    alignment_table(rows)
    differences_table(rows)
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
            table(rows, wanted, TEST_GAINS, metric, paper and names[0] in STACKED)
    with st.expander("What it costs"):
        cost(rows)
    machine = [
        elements.plain(f"{key} {text}", 120)
        for key, text in results.stamp.items()
        if key not in ("protocol", "test set")
    ]
    st.caption("Measured with: " + " · ".join(machine) + ".")


begin(
    "Do the networks keep what the paper says?",
    "Every trained network and the usual other ways to denoise, on one fixed test set of photos, none of them "
    "trained on.",
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
