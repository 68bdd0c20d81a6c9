"""All numbers of the test set that texts state: a page on which one's burst is opened says which number it is."""

from __future__ import annotations

from kpnviz.evaluation.results import Results
from kpnviz.lens.texts.lessons import LESSONS, said
from kpnviz.lens.texts.measured import Measured
from kpnviz.lens.texts.verdicts import verdicts


def numbers(results: Results) -> list[Measured]:
    """Those of the verdicts, then those of the lessons; none where there are no results."""
    of_verdicts = [number for verdict in verdicts(results) for number in verdict.numbers]
    return of_verdicts + [number for lesson in LESSONS for number in said(lesson, results)[1]]
