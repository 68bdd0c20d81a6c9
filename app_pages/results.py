"""Results: what `kpnviz evaluate` measured, beside the paper's Table 1."""

from collections.abc import Sequence

import streamlit as st

from kpnviz import figures
from kpnviz.analysis.metrics import PROTOCOL
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.evaluate import NOISE_SCALES
from kpnviz.evaluation.results import PAPER_NOTE, PAPER_TABLE_1, Results, Row, read_results, results_path
from kpnviz.evaluation.testset import TEST_GAINS
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO, title_of
from kpnviz.noise import GAINS
from kpnviz.ui import elements
from kpnviz.ui.controls import beyond_training
from kpnviz.ui.page import begin
from kpnviz.ui.state import METRIC, ROBUST_GAIN

WIDTH = 620
TABLE_1 = tuple(PAPER_TABLE_1)
ABLATIONS = ("kpn", *(name for name in ZOO if name not in PAPER_TABLE_1))


TITLES = {
    "reference": "Noisy reference",
    "mean": "Mean of the frames",
    "aligned-mean": "Aligned mean",
    "wiener-merge": "Wiener merge, as HDR+",
    "nlm": "Non-local means of the aligned mean",
    "tv": "Total variation of the aligned mean",
    "wavelets": "Wavelets of the aligned mean",
}


def title(name: str) -> str:
    return title_of(name) if name in ZOO else TITLES.get(name, name)


def value(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, metric.lower())


def error(row: Row | None, metric: str) -> float | None:
    return None if row is None else getattr(row, f"{metric.lower()}_se")


def table(
    results: Results, names: Sequence[str], gains: Sequence[float], metric: str, paper: bool = False
) -> None:
    """A row a method, a column a gain; with the paper's figures beside them."""
    form = "%.2f" if metric == "PSNR" else "%.3f"
    unit = " dB" if metric == "PSNR" else ""
    rows, columns = [], {}
    for name in names:
        cells: dict[str, object] = {"method": title(name)}
        for gain in gains:
            cells[f"×{gain:g}"] = value(results.row(name, gain), metric)
            if paper and gain in GAINS:
                theirs = PAPER_TABLE_1.get(name, {}).get(int(gain))
                cells[f"×{gain:g} paper"] = theirs and theirs[metric == "SSIM"]
        rows.append(cells)
    for name in list(rows[0])[1:]:
        columns[name] = st.column_config.NumberColumn(f"{name}{unit}", format=form)
    st.dataframe(rows, column_config=columns, hide_index=True, height="content")


def in_file(results: Results, names: Sequence[str]) -> list[str]:
    """Those of the names that have results."""
    measured = {row.model for row in results.rows}
    return [name for name in names if name in measured]


def against_gain(results: Results, names: Sequence[str], metric: str, key: str) -> None:
    """The metric against the gain, a line a method, with standard errors."""
    gains = [gain for gain in TEST_GAINS if any(results.row(name, gain) for name in names)]
    series = {title(n): [value(results.row(n, g), metric) for g in gains] for n in names}
    errors = {title(n): [error(results.row(n, g), metric) for g in gains] for n in names}
    unit = f"{metric}, dB" if metric == "PSNR" else metric
    ticks = [f"×{gain:g}" for gain in gains]
    figure = figures.curves(
        gains, series, "gain", unit, log2=True, errors=errors, tick_text=ticks, height=420
    )
    elements.chart(figure, key)


def against_size(results: Results, metric: str) -> None:
    """The metric against the kernel size, a line a gain, MKPN as dashes."""
    names = in_file(results, [name for name in ZOO if name.startswith("kpn-l")])
    if len(names) < 2:
        st.caption("This plot needs results of two kernel sizes or more.")
        return
    sizes = [max(ZOO[name].sizes) for name in names]
    series, errors, colors = {}, {}, {}
    for index, gain in enumerate(GAINS):
        line = f"gain ×{gain}"
        series[line] = [value(results.row(name, gain), metric) for name in names]
        errors[line] = [error(results.row(name, gain), metric) for name in names]
        colors[line] = figures.PALETTE[index]
        if (best := results.row("mkpn", gain)) is not None:
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


def robustness(results: Results, metric: str) -> None:
    scales = sorted({1.0, *NOISE_SCALES})
    names = sorted({row.model for row in results.rows if row.noise_scale != 1})
    if not names:
        st.caption("This file has no results at wrong noise estimates.")
        return
    gain = st.segmented_control(
        "Gain", list(GAINS), key=ROBUST_GAIN, default=4, required=True, format_func=lambda g: f"×{g}"
    )
    series = {title(n): [value(results.row(n, gain, s), metric) for s in scales] for n in names}
    errors = {title(n): [error(results.row(n, gain, s), metric) for s in scales] for n in names}
    ticks = [f"×{s:g}" if s >= 1 else f"×1/{1 / s:g}" for s in scales]
    unit = f"{metric}, dB" if metric == "PSNR" else metric
    figure = figures.curves(
        scales, series, "assumed noise / true noise", unit, log2=True, errors=errors, tick_text=ticks
    )
    with st.container(width=WIDTH):
        elements.chart(figure, "robustness")


def cost(results: Results) -> None:
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
    for name in in_file(results, [*ZOO, *BASELINES]):
        seconds = [row.seconds for row in results.rows if row.model == name]
        row = {"method": title(name), "time": 1000 * sum(seconds) / len(seconds)}
        if name in checkpoints.available():
            card = checkpoints.read_card(name)
            steps = card.get("training", {}).get("steps")
            networks.append(
                row | {"parameters": card["params"], "file": card["bytes"] / 2**20, "steps": steps}
            )
        else:
            others.append(row)
    with elements.grid("cost", 420):
        for rows in filter(None, (networks, others)):
            st.dataframe(rows, column_config=columns, hide_index=True, height="content")


def show(results: Results) -> None:
    test_set, protocol = results.stamp.get("test set", ""), results.stamp.get("protocol", PROTOCOL)
    st.caption(
        f"{elements.plain(test_set, 400)}. {elements.plain(protocol, 400)}; error bars are one standard error of the "
        "mean."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        metric = st.segmented_control("Measure", ["PSNR", "SSIM"], key=METRIC, default="PSNR", required=True)
        st.download_button(
            "Download CSV", results_path().read_bytes(), "results.csv", "text/csv", on_click="ignore"
        )

    st.subheader("Table 1, ours and the paper's", anchor=False)
    table(results, TABLE_1, list(GAINS), metric, paper=True)
    missing = [title(name) for name in TABLE_1 if not in_file(results, [name])]
    st.caption(
        f"Right of ours, the {PAPER_NOTE}."
        + (f" No results here yet: {', '.join(missing)}." if missing else "")
    )
    with elements.grid("plots", 420):
        with st.container(gap="xsmall"):
            st.markdown(f"**{metric} against gain**")
            against_gain(results, in_file(results, TABLE_1), metric, "against_gain")
        with st.container(gap="xsmall"):
            st.markdown(f"**{metric} against kernel size**")
            against_size(results, metric)

    for heading, names in (
        ("What KPN owes to its parts", ABLATIONS),
        ("Other ways to denoise", tuple(BASELINES)),
    ):
        measured = in_file(results, names)
        st.subheader(heading, anchor=False)
        if not measured or measured == ["kpn"]:
            st.caption("No results of these yet.")
            continue
        table(
            results,
            [*measured, *(in_file(results, ["mkpn"]) if names[0] != "kpn" else [])],
            TEST_GAINS,
            metric,
        )
    st.caption(
        f"{beyond_training(TEST_GAINS)} In these bursts, made as in the papers, the whole frame "
        "moves by whole pixels: the easiest case for registration, which finds up to 16 pixels, where a kernel reaches "
        "2 (5×5) to 12 (25×25). Nothing moves by itself here."
    )

    st.subheader("With a wrong assumed noise", anchor=False)
    robustness(results, metric)
    st.subheader("What it costs", anchor=False)
    cost(results)
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
        show(found)
