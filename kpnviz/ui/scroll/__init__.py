"""Brings a page to its top when it shows another thing, as the next lesson: Streamlit stays where it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.ui.state import SCROLL


@cache
def _component() -> Callable[..., Any]:
    script = (Path(__file__).parent / "scroll.js").read_text(encoding="utf-8")
    return st.components.v2.component("kpnviz.scroll", html="<i hidden></i>", js=script)


def to_top(shown: int) -> None:
    """Scroll to the top where `shown` is another number than it was before on this page."""
    _component()(data={"shown": shown}, key=SCROLL)
