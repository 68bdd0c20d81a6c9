"""How every page begins."""

from __future__ import annotations

import streamlit as st

# Streamlit's wide layout keeps 5rem free on both sides; pictures want them.
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stMainBlockContainer"] h1 { padding-bottom: 0.25rem; }
</style>"""


def begin(title: str, introduction: str) -> None:
    """Title and introduction (Markdown): what is seen here, for a person who has not read the papers."""
    st.html(_STYLE)
    st.title(title, anchor=False)
    st.markdown(introduction)
