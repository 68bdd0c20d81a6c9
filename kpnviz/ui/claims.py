"""Texts with measured numbers (lens/texts) on a page: each number is a link to a burst that shows it."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

import streamlit as st

from kpnviz import figures
from kpnviz.lens.texts.measured import Measured
from kpnviz.lens.texts.verdicts import Curves, Verdict
from kpnviz.ui import elements
from kpnviz.ui.presets import address_of
from kpnviz.ui.tips import with_terms

_STYLE = """<style>
.claim h3 { margin: 0; padding: 0; font-size: 1.25rem; scroll-margin-top: 5rem; }
.claim .answer { font-size: 1.1rem; font-weight: 600; margin: 0.3rem 0 0.5rem; }
.claim ul { margin: 0; padding-left: 1.1rem; } .claim li { margin: 0.3rem 0; line-height: 1.5; }
.claim small { display: block; margin-top: 0.6rem; opacity: 0.75; line-height: 1.4; font-size: 0.8rem; }
.measured { color: inherit; font-variant-numeric: tabular-nums; text-decoration: underline dotted;
  text-underline-offset: 0.2em; }
.measured:hover, .measured:focus-visible { text-decoration-style: solid; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(240px, 100%), 1fr)); gap: 0.6rem; }
.answers a { display: block; padding: 0.55rem 0.8rem; border-radius: 0.45rem; color: inherit; text-decoration: none;
  background: color-mix(in srgb, currentColor 6%, transparent); line-height: 1.35; }
.answers a:hover, .answers a:focus-visible { background: color-mix(in srgb, currentColor 12%, transparent); }
.answers span { display: block; font-size: 0.85rem; opacity: 0.8; } .answers b { font-weight: 600; }
</style>"""

HEIGHT = 330


def claim(text: str, numbers: Sequence[Measured]) -> str:
    """A text as HTML: its numbers as links, *emphasis*, all else as it is."""

    def link(match: re.Match[str]) -> str:
        number = numbers[int(match[1])]
        address, says = (html.escape(s, quote=True) for s in (address_of(number.burst), number.says))
        return (
            f'<a class="measured" target="_blank" href="{address}" title="{says}. Opens a burst that shows it.">'
            f"{html.escape(number.text)}</a>"
        )

    emphasized = re.sub(r"\*(.+?)\*", r"<em>\1</em>", with_terms(text))
    return re.sub(r"\[\[(\d+)\]\]", link, emphasized)


def sentence(text: str, numbers: Sequence[Measured]) -> None:
    """Draw one."""
    st.html(f"{_STYLE}<p>{claim(text, numbers)}</p>")


def answers(found: Sequence[Verdict]) -> None:
    """All questions and their answers, each a link to where it stands."""
    cards = "".join(
        f'<a href="#{verdict.name}"><span>{html.escape(verdict.question)}</span>'
        f"<b>{html.escape(verdict.answer)}</b></a>"
        for verdict in found
    )
    st.html(f'{_STYLE}<nav class="answers" aria-label="Answers">{cards}</nav>')


def argument(verdict: Verdict) -> None:
    """A verdict beside its figure."""
    points = "".join(f"<li>{claim(point, verdict.numbers)}</li>" for point in verdict.points)
    with elements.grid(f"verdict_{verdict.name}", 420):
        st.html(
            f'{_STYLE}<section class="claim"><h3 id="{verdict.name}">{html.escape(verdict.question)}</h3>'
            f'<p class="answer">{with_terms(verdict.answer)}</p><ul>{points}</ul>'
            f"<small>{claim(verdict.caption, ())}</small></section>"
        )
        elements.chart(curves(verdict.figure), f"verdict_{verdict.name}")


def curves(figure: Curves) -> figures.Figure:
    return figures.curves(
        figure.x,
        {line.name: line.y for line in figure.lines},
        figure.x_title,
        figure.y_title,
        log2=True,
        errors={line.name: line.errors for line in figure.lines if line.errors},
        tick_text=figure.ticks,
        height=HEIGHT,
        zero=figure.zero,
    )
