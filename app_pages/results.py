"""Results: what `kpnviz evaluate` measured says of the papers' claims, and all of it, beside the paper's Table 1."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from kpnviz import figures
from kpnviz.analysis.metrics import PROTOCOL
from kpnviz.evaluation.baselines import title_of
from kpnviz.evaluation.results import Results, read_results, results_path
from kpnviz.evaluation.testset import TEST_GAINS
from kpnviz.lens.texts.pages import RESULTS
from kpnviz.lens.texts.result_tables import (
    ANSWERS_NOTE,
    COMPARED_NOTE,
    COST_COLUMNS,
    COST_NOTE,
    METRICS,
    MOTION_TITLES,
    PAPER_FIGURE_NOTE,
    Forest,
    Rows,
    Table,
    beside_the_paper,
    comparable,
    compared,
    cost_fields,
    costs,
    motions_in,
    other_cases,
    rows_of,
    sections,
    words_of,
    yardstick_of,
)
from kpnviz.lens.texts.verdicts import verdicts
from kpnviz.ui import elements
from kpnviz.ui.claims import answers, argument, curves
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import RESULTS_COMPARED, RESULTS_GAIN, RESULTS_MEASURE, RESULTS_MOTION
from kpnviz.ui.state import control
from kpnviz.ui.tips import line_of_terms, tips

SAYS = RESULTS.texts


def table(found: Table) -> None:
    elements.table(found.columns, found.lines)


def forests(key: str, found: Sequence[Forest], legend: tuple[str, str] = ("", "")) -> None:
    with elements.grid(key, 420):
        for forest in found:
            figure = figures.forest(
                forest.titles,
                forest.values,
                forest.errors,
                forest.x_title,
                forest.ties,
                forest.others,
                legend,
            )
            with st.container(gap="xsmall"):
                if forest.heading:
                    st.markdown(f"**{forest.heading}**")
                elements.chart(figure, f"{key}_{'near' if forest.near else 'far'}")


def differences(rows: Rows, gain: float) -> None:
    """PSNR minus that of a chosen method on the same bursts."""
    kept = comparable(rows, gain)
    if len(kept) < 2:
        return
    if st.session_state[RESULTS_COMPARED] not in kept:  # not measured with this motion and gain
        st.session_state[RESULTS_COMPARED] = yardstick_of(kept)
    chosen = st.selectbox("Compared with", kept, format_func=title_of, width=320, **control(RESULTS_COMPARED))
    forests("differences", compared(rows, gain, chosen))
    st.caption(COMPARED_NOTE)


def other_figures(results: Results, motion: str, gain: float, metric: str) -> None:
    """The metric against the assumed noise, and against the number of frames, at a gain."""
    found = other_cases(results, motion, gain, metric)
    if not found:
        st.caption(SAYS["no_other"])
        return
    with elements.grid("other_cases", 420):
        for heading, shown in found:
            with st.container(gap="xsmall"):
                st.markdown(heading)
                elements.chart(curves(shown), "against_frames" if shown.x_title == "frames" else "robustness")


def cost(rows: Rows) -> None:
    """Time of every method; and of networks, parameters, bytes and steps."""
    formats: dict[str, dict[str, Any]] = {
        "time": {"format": "%.0f", "help": "8 frames of 128x128, about: see below."},
        "parameters": {"format": "localized"},
        "file": {"format": "%.2f", "help": "In float16, as they ship."},
        "steps": {"format": "localized", "help": "With those of the weights that it started from."},
    }
    columns: dict[str, Any] = {"title": st.column_config.TextColumn(COST_COLUMNS["title"], width="medium")}
    columns |= {
        name: st.column_config.NumberColumn(COST_COLUMNS[name], **how) for name, how in formats.items()
    }
    with elements.grid("cost", 420):
        for group in costs(rows):
            lines = [{name: getattr(one, name) for name in cost_fields(group)} for one in group]
            st.dataframe(lines, column_config=columns, hide_index=True, height="content")
    st.caption(COST_NOTE)


def show(results: Results) -> None:
    found = verdicts(results)
    tips()
    if found:
        answers(found)
        st.caption(ANSWERS_NOTE)
        for verdict in found:
            argument(verdict)
    st.header(SAYS["all"], anchor=False)
    line_of_terms(RESULTS.words)
    all_numbers(results)


def all_numbers(results: Results) -> None:
    test_set, protocol = results.stamp.get("test set", ""), results.stamp.get("protocol", PROTOCOL)
    test_set, protocol = (elements.plain(text, 400) for text in (test_set, protocol))
    st.caption(SAYS["protocol"].format(test_set=test_set, protocol=protocol))
    motions = motions_in(results)
    if st.session_state[RESULTS_MOTION] not in motions:
        st.session_state[RESULTS_MOTION] = motions[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        motion = st.segmented_control(
            "Motion",
            motions,
            required=True,
            format_func=MOTION_TITLES.__getitem__,
            **control(RESULTS_MOTION),
        )
        gain = st.segmented_control(
            "Gain of the figures",
            list(TEST_GAINS),
            required=True,
            format_func=lambda g: f"×{g}",
            **control(RESULTS_GAIN),
        )
        metric = st.segmented_control(
            "Measure of the tables", METRICS, required=True, **control(RESULTS_MEASURE)
        )
        # Read when it is asked for: what a page sends along is gone once it is left, and a browser that looks for it
        # still would find an error.
        st.download_button(
            "Download CSV", results_path().read_bytes, "results.csv", "text/csv", on_click="ignore"
        )
    rows = rows_of(results, motion)
    st.markdown(words_of(motion))
    st.subheader(SAYS["compared"], anchor=False)
    differences(rows, gain)
    beside = beside_the_paper(rows, gain) if motion == "whole-pixel" else []
    if beside:
        st.subheader(SAYS["paper"], anchor=False)
        forests("paper", beside, ("here", "paper"))
        st.caption(PAPER_FIGURE_NOTE)
    st.subheader(SAYS["other"], anchor=False)
    other_figures(results, motion, gain, metric)

    st.subheader(SAYS["tables"], anchor=False)
    for section in sections(rows, motion, metric):
        with st.expander(section.heading, expanded=section.opened):
            if section.words:
                st.markdown(section.words)
            table(section.table)
            if section.below:
                st.caption(section.below)
    with st.expander(SAYS["costs"]):
        cost(rows)
    machine = [
        elements.plain(f"{key} {text}", 300)
        for key, text in results.stamp.items()
        if key not in ("protocol", "test set")
    ]
    st.caption(SAYS["machine"].format(machine=" · ".join(machine)))


begin(RESULTS.title, RESULTS.introduction)
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
