"""Words on a page that are explained where they stand: by hover, at the keyboard and by a tap, as in the lens."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.lens.linker import linked
from kpnviz.lens.terms import explained_word
from kpnviz.ui.state import TIPS

_STYLE = """<style>
[data-testid="stMain"] { position: relative; }
[data-testid="stMain"] .term { cursor: help; text-decoration: underline dotted; text-underline-offset: 0.2em;
  border-radius: 2px; }
[data-testid="stMain"] > .tip { position: absolute; z-index: 9; max-width: min(22rem, calc(100% - 12px));
  padding: 0.4rem 0.6rem; border: 1px solid rgb(128 128 128 / 60%); border-radius: 6px; pointer-events: none;
  box-shadow: 0 4px 18px rgb(0 0 0 / 22%); font-size: 0.8125rem; line-height: 1.4; background: var(--tip-paper); }
.words { font-size: 0.875rem; opacity: 0.85; margin: 0; }
</style>"""

# Words as they stand in names of methods and in sentences; numbers of figures, [[3]], are none.
_WORD = re.compile(
    r"\[\[\d+\]\]|\b(MKPN 25|MKPN|KPN|L\d+|5×5|1frame|no-anneal|stacked|blind|direct|reach|share)\b"
)


@cache
def _component() -> Callable[..., Any]:
    script = linked(Path(__file__).parent / "tips.js")
    return st.components.v2.component("kpnviz.tips", html="<i hidden></i>", js=script)


def tips() -> None:
    """Let the words of this page explain themselves; drawn once on a page."""
    st.html(_STYLE)
    _component()(key=TIPS)


def with_terms(text: str) -> str:
    """HTML of plain text in which each word that is explained can be asked, where it first stands."""
    seen: set[str] = set()

    def term(match: re.Match[str]) -> str:
        word = match[1]
        sentence = explained_word(word) if word and word not in seen else ""
        if not sentence:
            return match[0]
        seen.add(word)
        return f"<span class='term' tabindex='0' data-tip='{html.escape(sentence, quote=True)}'>{word}</span>"

    return _WORD.sub(term, html.escape(text))


def line_of_terms(of: Iterable[str]) -> None:
    """Draw a line of words that can be asked."""
    st.html(f"<p class='words'>What the words mean: {' · '.join(map(with_terms, of))}</p>")
