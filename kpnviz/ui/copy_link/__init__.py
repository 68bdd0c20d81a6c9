"""The button that copies the link to what is on the page.

The browser's address is that link (`link.sync_address`): a click copies it at once, without asking Python.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.ui.state import SHARE

_FOLDER = Path(__file__).parent


@cache
def _component() -> Callable[..., Any]:
    def text(name: str) -> str:
        return (_FOLDER / name).read_text(encoding="utf-8")

    return st.components.v2.component(
        "kpnviz.copy_link", html=text("copy.html"), css=text("copy.css"), js=text("copy.js")
    )


def copy_link() -> None:
    """Show the button, and beside it the one for the same page in teacher mode."""
    _component()(key=SHARE)
