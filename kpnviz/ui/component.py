"""The app's own components: a folder with HTML, CSS and JavaScript each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.lens.linker import linked


@cache
def component(folder: Path, name: str) -> Callable[..., Any]:
    """The component of the files NAME.html, NAME.css and NAME.js in a folder; the folder's name is its own."""

    def text(ending: str) -> str:
        return (folder / f"{name}.{ending}").read_text(encoding="utf-8")

    script = linked(folder / f"{name}.js")
    return st.components.v2.component(f"kpnviz.{folder.name}", html=text("html"), css=text("css"), js=script)
