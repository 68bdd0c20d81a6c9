"""Your kernels: those of any network, from a file, in the lens."""

from typing import Any

import streamlit as st

from kpnviz.capture import kernel_file
from kpnviz.capture.reader import get_ready
from kpnviz.limits import MAX_KERNEL, MAX_KERNEL_FRAMES, Limits
from kpnviz.serving.uploads import drop_all
from kpnviz.ui import elements, foreign
from kpnviz.ui.elements import plain
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import FOREIGN_UPLOADER
from kpnviz.ui.state import (
    FOREIGN,
    FOREIGN_DISPLAY,
    FOREIGN_LENS,
    FOREIGN_LET_GO,
    FOREIGN_PIXEL,
    foreign_file,
)


def upload() -> Any | None:
    """Draw the drop zone; its file, None when one comes back to the page."""
    limits, key = Limits.from_environment(), foreign_file(st.session_state[FOREIGN_UPLOADER])
    # Of any type: what is none is then refused by its name, in the words of the page.
    file = st.file_uploader("NPZ of kernels", key=key, label_visibility="collapsed")
    st.caption(
        f"An NPZ of frames and kernels · up to {min(limits.frames, MAX_KERNEL_FRAMES)} frames, kernels up to "
        f"{MAX_KERNEL}×{MAX_KERNEL}, {limits.total_bytes / 1e6:g} MB"
    )
    get_ready(limits)
    return file


def let_go() -> None:
    """Back to the example, with an empty drop zone."""
    foreign.forget()
    drop_all()
    st.session_state[FOREIGN_UPLOADER] += 1


def whose(opened: foreign.Opened) -> None:
    """Say whose kernels are shown, and give the way back to the example."""
    own = FOREIGN in st.session_state
    titles = plain(", ".join(opened.titles), 200)
    text = f"**An example**, until you drop a file: {titles}, in the code below."
    if own:
        text = f"**{plain(opened.name)}** stays while you visit other pages: {titles}."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text)
        if own:
            with st.container(width="content"):
                st.button(
                    "Let it go", key=FOREIGN_LET_GO, icon=":material/close:", on_click=let_go,
                    help="Forgets your file and shows the example again.",
                )  # fmt: skip


@elements.fragment
def lens(opened: foreign.Opened) -> None:
    kernel_lens(opened.payload, key=FOREIGN_LENS, pixel=FOREIGN_PIXEL, display=FOREIGN_DISPLAY)


def how_to_write_one() -> None:
    st.subheader("How to write such a file", anchor=False)
    st.markdown(
        "`kpnviz.save_kernels` writes it, after a check that these kernels make that picture of these frames. "
        "This program writes the example:"
    )
    st.code(foreign.EXAMPLE.read_text(encoding="utf-8"), language="python")
    with st.expander("The keys, for a file that is written without kpnviz", icon=":material/key:"):
        st.code(kernel_file.KEYS, language=None)
        st.caption(
            "`numpy.savez` writes such a file, compressed or not. It holds numbers and short texts; objects (pickles) "
            "are refused."
        )


begin(
    "What does your network do?",
    "**Drop the kernels of any network** that predicts some, with the frames that they are applied to: they open in "
    "the lens. They stay on the server, for you alone, and are deleted when your session ends.",
)
file = upload()
with elements.awaited(foreign.is_read(file), "Reading …") as place:
    opened, problem = foreign.current(file)
    with place():
        if problem:
            elements.failure(problem)
        whose(opened)
        if opened.note:
            st.caption(opened.note)
        lens(opened)
how_to_write_one()
