"""Lessons and results as the pages of the site show them: HTML with MathML, made when the site is built.

Texts are those of kpnviz/lens/texts; nothing is typed here twice. A measured number is a link without an address,
``<a data-number="3">``: the page's script gives it that of a burst which shows it.
"""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kpnviz.analysis.maps import CLASS_RULE
from kpnviz.analysis.metrics import HOW_TAKEN, PROTOCOL_OF_ONE
from kpnviz.burst import MOTIONS
from kpnviz.evaluation.baselines import short_title_of, title_of
from kpnviz.evaluation.results import Results, difference
from kpnviz.evaluation.testset import TEST_GAINS
from kpnviz.lens.texts import lessons, pages, verdicts
from kpnviz.lens.texts import result_tables as tables

_ROWS = re.compile(r"\\begin\{gathered\}(.*)\\end\{gathered\}", re.DOTALL)
_LINE = re.compile(r"\\\\")


def texts(results: Results) -> dict[str, Any]:
    """What lessons say, as plain values. Without results (no rows) they state no number."""
    return {"lessons": _lessons(results)}


def results_texts(results: Results) -> dict[str, Any]:
    """What the page Results shows, as plain values: verdicts, figures and tables. Without results it has no motions.

    Of each kind of motion and gain there are the differences of all pairs of methods, as a person chooses the one that
    the others are compared with: means and standard errors of method i less method j, for i < j, one after the other.
    """
    motions = [_motion(results, motion) for motion in tables.motions_in(results)]
    return {
        "verdicts": _verdicts(results),
        "gains": list(TEST_GAINS),
        "metrics": list(tables.METRICS),
        "near": tables.NEAR,
        "motions": motions,
        "answers": markup(tables.ANSWERS_NOTE),
        "compared": markup(tables.COMPARED_NOTE),
        "paper": markup(tables.PAPER_FIGURE_NOTE),
        "costs": markup(tables.COST_NOTE),
        "stamp": {key: html.escape(text) for key, text in results.stamp.items()},
    }


def page_texts(gains: Sequence[float]) -> dict[str, dict[str, str]]:
    """Titles, introductions and captions of the pages that app and site share, as HTML: kpnviz/lens/texts/pages.py.

    Words that a page explains are one text, with " · " between them.

    gains   of the matrix on Noise
    """
    found = {
        name: {
            "title": html.escape(page.title),
            "introduction": markup(page.introduction),
            **{key: markup(text) for key, text in page.texts.items()},
            "words": " · ".join(page.words),
        }
        for name, page in pages.ALL.items()
    }
    found["noise"] |= {
        "beyond": tables.beyond_training(gains),
        "blind": title_of(pages.BLIND),
        "protocol": html.escape(f"PSNR {HOW_TAKEN}"),
    }
    return found | {"classes": {"rule": markup(CLASS_RULE), "protocol": html.escape(PROTOCOL_OF_ONE)}}


def markup(text: str, numbers: Sequence[Mapping[str, Any]] = ()) -> str:
    """Markdown's *emphasis*, **strong**, `code` and $formulas$ as HTML; [[0]], [[1]], … as the numbers' links."""

    def number(match: re.Match[str]) -> str:
        one = numbers[int(match[1])]
        says = html.escape(f"{one['says']}. Opens a burst that shows it.", quote=True)
        return f'<a class="measured" data-number="{match[1]}" title="{says}">{html.escape(one["text"])}</a>'

    def words(part: str) -> str:
        part = html.escape(part, quote=False)
        for mark, tag in ((r"\*\*", "b"), (r"\*", "em"), ("`", "code")):
            part = re.sub(rf"{mark}(.+?){mark}", rf"<{tag}>\1</{tag}>", part)
        return re.sub(r"\[\[(\d+)\]\]", number, part)

    parts = re.split(r"\$(.+?)\$", text)
    return "".join(formula(part) if i % 2 else words(part) for i, part in enumerate(parts))


def formula(latex: str, display: str = "inline") -> str:
    """LaTeX as MathML, which browsers draw without a script; the lines of a `gathered` one under the other."""
    from latex2mathml.converter import convert

    gathered = _ROWS.search(latex)
    lines = _LINE.split(gathered[1]) if gathered else [latex]
    return "".join(convert(line.strip(), display=display) for line in lines)


def _lessons(results: Results) -> list[dict[str, Any]]:
    found = []
    for lesson in lessons.as_json(results):
        marked: dict[str, Any] = {
            name: markup(lesson[name]) for name in ("text", "question", "reveal", "caption", "in_lens")
        }
        marked["options"] = [markup(option) for option in lesson["options"]]
        marked["equation"] = formula(lesson["equation"], "block")
        marked["said"] = markup(lesson["said"], lesson["numbers"])
        found.append(lesson | marked | {"numbers": _bursts(lesson["numbers"])})
    return found


def _verdicts(results: Results) -> list[dict[str, Any]]:
    return [
        verdict
        | {
            "points": [markup(point, verdict["numbers"]) for point in verdict["points"]],
            "caption": markup(verdict["caption"]),
            "numbers": _bursts(verdict["numbers"]),
        }
        for verdict in verdicts.as_json(results)
    ]


def _bursts(numbers: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [number["burst"] for number in numbers]


def _motion(results: Results, motion: str) -> dict[str, Any]:
    """Figures and tables of one kind of motion."""
    rows = tables.rows_of(results, motion)
    of_gains = {f"{gain:g}": _pairs(rows, gain) for gain in TEST_GAINS}
    paper = {f"{gain:g}": tables.beside_the_paper(rows, gain) for gain in TEST_GAINS}
    return {
        "name": motion,
        "title": tables.MOTION_TITLES[motion],
        "words": markup(tables.words_of(motion)),
        "pairs": {gain: found for gain, found in of_gains.items() if found},
        "paper": {
            gain: [dataclasses.asdict(forest) for forest in found]
            for gain, found in paper.items()
            if found and motion == MOTIONS[0]
        },
        "other": {
            metric: {
                f"{gain:g}": [
                    {"heading": markup(heading), "figure": _measured(curves)}
                    for heading, curves in tables.other_cases(results, motion, gain, metric)
                ]
                for gain in TEST_GAINS
            }
            for metric in tables.METRICS
        },
        "tables": {metric: _sections(rows, motion, metric) for metric in tables.METRICS},
        "costs": [_plain_table(tables.cost_table(group)) for group in tables.costs(rows)],
    }


def _pairs(rows: tables.Rows, gain: float) -> dict[str, Any] | None:
    names = tables.comparable(rows, gain)
    if len(names) < 2:
        return None
    of = [rows[name, gain] for name in names]
    values = [round(one, 5) for i, a in enumerate(of) for b in of[i + 1 :] for one in difference(a, b)]
    return {
        "names": names,
        "titles": [title_of(name) for name in names],
        "short": [short_title_of(name) for name in names],
        "first": names.index(tables.yardstick_of(names)),
        "values": values,
    }


def _measured(curves: verdicts.Curves) -> dict[str, Any]:
    """Curves as plain values, without the lines of what was not measured."""
    lines = [line for line in curves.lines if sum(value is not None for value in line.y) > 1]
    return dataclasses.asdict(dataclasses.replace(curves, lines=tuple(lines)))


def _sections(rows: tables.Rows, motion: str, metric: str) -> list[dict[str, Any]]:
    return [
        {
            "heading": section.heading,
            "words": markup(section.words),
            "below": markup(section.below),
            "opened": section.opened,
            **_plain_table(section.table),
        }
        for section in tables.sections(rows, motion, metric)
    ]


def _plain_table(table: tables.Table) -> dict[str, Any]:
    """Cells as [text, mark, what is said on hover], without what is empty at the end."""
    lines = [
        {"title": title, "cells": [_without_end([cell.text, cell.mark, cell.tip]) for cell in cells]}
        for title, cells in table.lines
    ]
    return {"columns": list(table.columns), "lines": lines}


def _without_end(texts: list[str]) -> list[str]:
    while len(texts) > 1 and not texts[-1]:
        texts.pop()
    return texts
