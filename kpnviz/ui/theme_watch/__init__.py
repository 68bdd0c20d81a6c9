"""Figures whose colors Python chose follow a switch of the theme at once: the page runs again.

Streamlit changes its own colors in the browser and tells Python at the next interaction only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.ui.elements import is_dark
from kpnviz.ui.state import THEME


@cache
def _component() -> Callable[..., Any]:
    script = (Path(__file__).parent / "watch.js").read_text(encoding="utf-8")
    return st.components.v2.component("kpnviz.theme_watch", html="<i hidden></i>", js=script)


def theme_watch() -> None:
    """Run the page again when it is dark and was drawn for a light theme, or the other way round."""
    _component()(data={"dark": is_dark()}, key=THEME, on_dark_change=lambda: None)
