"""On a phone the sidebar lies over the page: it closes when another page was chosen in it, or the phone was turned.

Streamlit leaves it open, and the page that one asked for stays covered; on its side a phone would have it open.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.ui.state import DRAWER


@cache
def _component() -> Callable[..., Any]:
    script = (Path(__file__).parent / "drawer.js").read_text(encoding="utf-8")
    return st.components.v2.component("kpnviz.drawer", html="<i hidden></i>", js=script)


def drawer() -> None:
    """Close the sidebar after a choice of a page, where it covers the page."""
    _component()(key=DRAWER)
