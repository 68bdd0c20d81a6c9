"""Lessons and results as the pages of the site show them: HTML with MathML, made when the site is built.

Texts are those of kpnviz/lens/texts; nothing is typed here twice. A measured number is a link without an address,
``<a data-number="3">``: the page's script gives it that of a burst which shows it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kpnviz.evaluation.baselines import BASELINES, title_of
from kpnviz.evaluation.results import PAPER_NOTE, PAPER_TABLE_1, Results, Row, best_of
from kpnviz.evaluation.testset import TEST_GAINS
from kpnviz.lens.texts import lessons, verdicts
from kpnviz.lens.texts.measured import MOTION_WORDS
from kpnviz.models.zoo import ZOO

_ROWS = re.compile(r"\\begin\{gathered\}(.*)\\end\{gathered\}", re.DOTALL)
_LINE = re.compile(r"\\\\")


def texts(results: Results) -> dict[str, Any]:
    """All of it, as plain values. Without results (no rows) there are lessons, which then state no number."""
    return {"lessons": _lessons(results), "verdicts": _verdicts(results), "results": _tables(results)}


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
            name: markup(lesson[name]) for name in ("text", "question", "reveal", "caption")
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


def _tables(results: Results) -> dict[str, Any]:
    """PSNR and SSIM of every method at every gain, by the kind of motion, with what is best and what ties with it."""
    motions = []
    for motion, words in MOTION_WORDS.items():
        rows = {(row.model, row.gain): row for row in results.rows if row.plain and row.motion == motion}
        names = [name for name in (*ZOO, *BASELINES) if any(model == name for model, _ in rows)]
        if not names:
            continue
        cells: dict[str, list[Any]] = {name: [] for name in names}
        for gain in TEST_GAINS:
            best, ties = best_of([row for name in names if (row := rows.get((name, gain)))])
            for name in names:
                cells[name].append(_cell(rows.get((name, gain)), best, ties))
        lines = [
            {"name": name, "title": title_of(name), "cells": cells[name], "paper": _paper(name, motion)}
            for name in names
        ]
        motions.append({"name": motion, "title": words, "rows": lines})
    stamp = dict(results.stamp)
    return {"gains": list(TEST_GAINS), "motions": motions, "stamp": stamp, "paper": PAPER_NOTE}


def _cell(row: Row | None, best: Row | None, ties: set[str]) -> dict[str, Any] | None:
    if row is None:
        return None
    mark = "best" if row is best else "tie" if row.model in ties else ""
    return {"psnr": round(row.psnr, 4), "ssim": round(row.ssim, 5), "mark": mark}


def _paper(name: str, motion: str) -> list[Any] | None:
    """PSNR of the paper's Table 1 at each gain, of the motion that it has."""
    theirs = PAPER_TABLE_1.get(name)
    if theirs is None or motion != "whole-pixel":
        return None
    return [theirs[int(gain)][0] if int(gain) in theirs else None for gain in TEST_GAINS]
