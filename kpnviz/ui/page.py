"""The pages, and how each of them begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kpnviz.paths import ROOT
from kpnviz.serving import work
from kpnviz.ui.choices import PAGES
from kpnviz.ui.copy_link import copy_link
from kpnviz.ui.drawer import drawer
from kpnviz.ui.elements import plain
from kpnviz.ui.first_minute import first_minute
from kpnviz.ui.link import page_at
from kpnviz.ui.parameters import TEACH, named_in
from kpnviz.ui.state import LINK_PROBLEM, open_page
from kpnviz.ui.theme_watch import theme_watch

# What a link is to, on the pages where it does not hold all that is seen.
_LINKED = {
    "learn": "this lesson",
    "your_burst": "this page with its example: a burst of your own stays with you",
    "your_kernels": "this page with its example: a file of your own stays with you",
}

SIDEBAR = 300
"""CSS pixels that the sidebar is wide at first."""

NAVIGATION = 530
"""CSS pixels that the names of all pages take."""

# Streamlit's wide layout keeps 5rem free on both sides; pictures want them. A spinner floats, so that what
# is on the page does not jump while the next picture is computed; components without a face take no room.
# A slanted letter at an equation's end reaches beyond the box that KaTeX gives it, and would be cut there.
# A line at the top says at once that the page is at work: the controls are ahead of the pictures for up to a second.
# The navigation begins beside the sidebar, also where there is none or it is folded: it does not jump from page to
# page. (A telephone has it in a drawer.)
_STYLE = """<style>
.stApp { --page-head: 3.75rem; }
.st-key-theme, .st-key-drawer, .st-key-assumed { position: absolute; }
[data-testid="stMainBlockContainer"] { padding-left: 2rem; padding-right: 2rem; }
[data-testid="stMainBlockContainer"] h1 { padding-bottom: 0.25rem; }
[data-testid="stElementContainer"]:has([data-testid="stSpinner"]),
[data-testid="stLayoutWrapper"]:has(> .st-key-waiting) {
  position: fixed; bottom: 1.25rem; right: 2rem; z-index: 1000; width: auto; backdrop-filter: blur(12px);
}
[data-testid="stElementContainer"]:has([data-testid="stSpinner"]) {
  padding: 0.5rem 0.9rem; border-radius: 0.5rem; box-shadow: 0 0 0 1px rgb(128 128 128 / 35%);
}
[data-testid="stLayoutWrapper"]:has(> .st-key-waiting) { bottom: 4.5rem; }
.katex-display { padding-inline: 0.25em !important; }
[data-testid="stTopNavLink"]:focus-visible { outline: 2px solid currentColor; outline-offset: -2px; }
.stApp::before { content: ""; position: fixed; inset: 0 0 auto; height: 3px; z-index: 1000000; pointer-events: none;
  background: linear-gradient(90deg, transparent, currentColor, transparent) 0 / 50% no-repeat; opacity: 0; }
.stApp:is([data-test-script-state="running"], [data-test-script-state="rerunRequested"])::before {
  opacity: 0.75; transition: opacity 0s 0.15s; animation: kpnviz-running 1.5s linear infinite; }
.stApp:is([data-test-script-state="running"], [data-test-script-state="rerunRequested"]) [class*="st-key-awaited_"] {
  min-height: min(60vh, 34rem); }
@keyframes kpnviz-running { from { background-position-x: -100%; } to { background-position-x: 200%; } }
@media (prefers-reduced-motion: reduce) { .stApp::before { animation: none !important; background-size: 100%; } }
@media (max-width: 640px) {
  [data-testid="stButtonGroup"] [role="radiogroup"] { flex-wrap: wrap; }
  .katex-display { font-size: 0.85em; }
}
@media (max-width: 767px) { /* it lies over the page, which keeps its width */
  [data-testid="stSidebar"][data-collapsed="false"] { position: fixed !important; inset: 0 auto 0 0; }
}
@media (min-width: 768px) {
  .stApp:is(:not(:has([data-testid="stSidebar"])), :has([data-testid="stExpandSidebarButton"]))
    [data-testid="stTopNav"] { position: absolute; left: min(SIDEBARpx, 100vw - NAVIGATIONpx); right: 0; }
}
.st-key-first_minute { position: fixed; top: 0.75rem; left: 1rem; width: auto; z-index: 1000000; }
.stApp:has([data-testid="stExpandSidebarButton"]) .st-key-first_minute { left: 3.5rem; }
</style>""".replace("SIDEBAR", str(SIDEBAR)).replace("NAVIGATION", str(NAVIGATION))

# All sizes count in the root's: this is read from the last row of a lecture hall.
# What is not the picture takes little of the height.
_TEACHER_STYLE = """<style>
html { font-size: 21px !important; }
.stApp { --page-head: 2.3rem; }
[data-testid="stHeader"] { height: 2.3rem; min-height: 2.3rem; }
.st-key-first_minute { top: 0.3rem; }
[data-testid="stMainBlockContainer"] { padding-top: 2.4rem; padding-bottom: 1rem; }
.st-key-lesson_figure .strip figure { max-width: 13vh; }
.st-key-lesson_figure { gap: 0.5rem; }
.st-key-lesson_figure .strip figcaption { font-size: 0.65rem; }
.st-key-lesson_figure [data-testid="stCaptionContainer"] p { font-size: 0.7rem; line-height: 1.35; }
.st-key-lesson_text { gap: 0.5rem; }
.st-key-lesson_text [data-testid="stMarkdownContainer"] p { font-size: 0.84rem; line-height: 1.35; }
.st-key-lesson_text [data-testid="stCaptionContainer"] p { font-size: 0.7rem; }
.st-key-lesson_text [data-testid="stVerticalBlock"] { gap: 0.5rem; }
.st-key-lesson_text .katex-display { margin: 0.2rem 0; }
.st-key-lesson_text :is(p, label) { font-size: 0.86rem; }
.stApp:has(.st-key-lesson_text) .identity { display: none; } /* a lesson fits the screen */
[data-testid="stMainBlockContainer"] h1 { font-size: 1.25rem; padding-top: 0; }
.st-key-class_head [data-testid="stVerticalBlock"] { gap: 0.9rem; }
.katex-display { font-size: 0.78em; }
.st-key-class_head p { font-size: 0.82rem; line-height: 1.3; }
[class*="st-key-"][class*="_progress"] { /* at the top it would lie over the title */
  top: auto !important; bottom: 1.25rem; padding: 0.5rem 0.9rem; border-radius: 0.5rem; backdrop-filter: blur(12px);
  box-shadow: 0 0 0 1px rgb(128 128 128 / 35%);
}
</style>"""


def pages() -> list[Any]:
    """What st.navigation is given."""
    return [
        st.Page(ROOT / "app_pages" / f"{name}.py", title=title, default=name == "explore")
        for name, title in PAGES.items()
    ]


# What follows is to fit the window together with the title.
_COMPACT_STYLE = """<style>
[data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] { gap: 0.5rem; }
</style>"""


def begin(title: str, introduction: str = "", tools: Callable[[], None] | None = None) -> DeltaGenerator:
    """Title and introduction (Markdown): what is seen here, for a person who has not read the papers.

    `tools` draws what stands beside the title; with it, the page's elements stand closer to each other. Returns the
    container of the introduction, for a page that writes it later.
    """
    state = st.session_state
    open_page()
    st.html(_STYLE + (_COMPACT_STYLE if tools else ""))
    if state.get(TEACH):
        st.html(_TEACHER_STYLE)
    with st.container(key="waiting"):
        work.note_at(st.empty())
    problem = state.get(LINK_PROBLEM, "")
    if problem:
        st.warning(plain(problem, 1000))
    if state.get(TEACH):
        place = _class_head(title, tools)
    else:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.title(title, anchor=False)
            if tools is not None:
                with st.container(width="content"):
                    tools()
            with st.container(width="content"):
                page = page_at(st.context.url)
                copy_link(named_in(page) - {TEACH}, _LINKED.get(page, "what you see now"))
        place = st.container()
    if introduction:
        place.markdown(introduction)
    first_minute()
    theme_watch()
    drawer()
    return place


def _class_head(title: str, tools: Callable[[], None] | None) -> DeltaGenerator:
    """In front of a class: the tools beside title and introduction. (The link is in the browser's address.)"""
    with st.container(horizontal=True, vertical_alignment="center", key="class_head"):
        with st.container():
            st.title(title, anchor=False)
            place = st.container()
        if tools is not None:
            with st.container(width="content"):
                tools()
    return place
