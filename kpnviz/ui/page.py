"""How every page begins."""

from __future__ import annotations

import streamlit as st

# Streamlit's wide layout keeps 5rem free on both sides; pictures want them. A spinner floats, so that what
# is on the page does not jump while the next result is computed.
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stMainBlockContainer"] h1 { padding-bottom: 0.25rem; }
[data-testid="stElementContainer"]:has([data-testid="stSpinner"]) {
  position: fixed; top: 0.75rem; right: 2rem; z-index: 1000; width: auto;
}
</style>"""


def begin(title: str, introduction: str) -> None:
    """Title and introduction (Markdown): what is seen here, for a person who has not read the papers."""
    st.html(_STYLE)
    st.title(title, anchor=False)
    st.markdown(introduction)
