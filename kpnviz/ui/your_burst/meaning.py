"""What the numbers of uploaded files are taken for, and how the reference looks if they are something else."""

from __future__ import annotations

import streamlit as st

from kpnviz.capture.meaning import ENCODINGS, PATTERNS, Input
from kpnviz.ui import elements, upload
from kpnviz.ui.state import own_meaning
from kpnviz.ui.upload import Upload


def numbers_of(burst: Upload) -> None:
    """What the files' numbers were taken for, and how they look if they are something else."""
    stack = burst.own.stack
    now = stack.meaning
    if now is None:
        return
    name = (
        "sRGB-encoded"
        if now.encoding == "srgb" and stack.profile is None
        else str(now).replace("bayer:", "Bayer ")
    )
    with st.expander(f"What the numbers mean: {name}"), st.container(horizontal=True, gap="medium"):
        with st.container(width=360):
            encoding = st.segmented_control(
                "The numbers are",
                ENCODINGS[: 2 if stack.codes.shape[1] == 3 else 3],
                format_func={
                    "srgb": "encoded",
                    "linear": "linear light",
                    "bayer": "a Bayer sensor's",
                }.__getitem__,
                default=now.encoding,
                required=True,
                key=own_meaning("encoding", burst.key),
                help="*Encoded*: with the curve of sRGB, or of the files' color profile. *Linear*: in proportion to "
                "the light, as sensors count it. *A Bayer sensor's*: linear, one color at each pixel.",
            )
            pattern, black, white = "", None, None
            if encoding == "bayer":
                pattern = st.segmented_control(
                    "Colors of 2×2 pixels, row by row", PATTERNS, default=now.pattern or PATTERNS[0], required=True,
                    key=own_meaning("pattern", burst.key),
                )  # fmt: skip
            if encoding != "srgb":
                low, high = Input("linear", "", now.black, now.white).levels(stack.codes.dtype) or (0.0, 1.0)
                left, right = st.columns(2)
                black = left.number_input(
                    "Black", value=low, key=own_meaning("black", burst.key), format="%g"
                )
                white = right.number_input(
                    "White", value=high, key=own_meaning("white", burst.key), format="%g"
                )
            stops = st.slider(
                "Exposure of the preview, EV", -4, 8, 0, key=own_meaning("exposure", burst.key),
                help="What is dark is seen, too. The frames stay as they are.",
            )  # fmt: skip
            try:
                meaning = Input(encoding, pattern, black, white)
                image = upload.preview(burst, meaning, stops)
            except ValueError as error:
                elements.failure(error)
                return
            same = stack.read_as(meaning).levels == stack.levels and meaning.name == now.name
            st.button(
                "Read them so", icon=":material/check:", disabled=same, on_click=upload.read_as, args=(meaning,),
                key=own_meaning("read", burst.key),
            )  # fmt: skip
        with st.container(width=240):
            st.image(image, width="stretch", caption="The reference, if that is what they mean")
