"""Words on a page that are explained where they stand: by hover, at the keyboard and by a tap, as in the lens."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.lens.linker import linked
from kpnviz.lens.terms import line_of, with_terms
from kpnviz.ui.state import TIPS, TIPS_ASIDE

__all__ = ["line_of_terms", "tips", "tips_aside", "with_terms"]

# The sidebar's contents are scrolled inside it: what is explained there stands over them.
_STYLE = """<style>
[data-testid="stMain"], [data-testid="stSidebarContent"] { position: relative; }
:is([data-testid="stMain"], [data-testid="stSidebarContent"]) .term { cursor: help; text-decoration: underline dotted;
  text-underline-offset: 0.2em; border-radius: 2px; }
:is([data-testid="stMain"], [data-testid="stSidebarContent"]) > .tip { position: absolute; z-index: 9;
  max-width: min(22rem, calc(100% - 12px)); padding: 0.4rem 0.6rem; border: 1px solid rgb(128 128 128 / 60%);
  border-radius: 6px; pointer-events: none; box-shadow: 0 4px 18px rgb(0 0 0 / 22%); font-size: 0.8125rem;
  line-height: 1.4; background: var(--tip-paper); }
.words { font-size: 0.875rem; opacity: 0.85; margin: 0; }
</style>"""


@cache
def _component() -> Callable[..., Any]:
    script = linked(Path(__file__).parent / "tips.js")
    return st.components.v2.component("kpnviz.tips", html="<i hidden></i>", js=script)


def tips() -> None:
    """Let the words of this page explain themselves; drawn once on a page."""
    st.html(_STYLE)
    _component()(key=TIPS)


def tips_aside() -> None:
    """The same of the sidebar, inside it."""
    st.html(_STYLE)
    _component()(key=TIPS_ASIDE)


def line_of_terms(of: Iterable[str]) -> None:
    """Draw a line of words that can be asked."""
    st.html(f"<p class='words'>{line_of(of)}</p>")
