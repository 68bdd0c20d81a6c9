"""The whole picture of a burst of one's own: denoised when it is asked for, shown at full size, to be downloaded."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from kpnviz.models.zoo import title_of
from kpnviz.noise import NoiseModel
from kpnviz.ui import upload
from kpnviz.ui.methods import markdown_title
from kpnviz.ui.parameters import OWN_COLOR
from kpnviz.ui.state import OWN_CANCEL, OWN_DENOISE, OWN_WHOLE, control
from kpnviz.ui.upload import Upload
from kpnviz.ui.whole_picture import whole_picture

COLORS = {"shared": "color", "each": "each color by itself", "gray": "gray"}


def denoised_picture(
    burst: Upload, method: str, noises: dict[int, NoiseModel], crop: tuple[int, int, int]
) -> Callable[[], None] | None:
    """Draw the whole picture, or the button that asks for it; what denoises it, where it was asked for."""
    st.subheader("The whole picture", anchor=False)
    color = None
    with st.container(horizontal=True, vertical_alignment="center"):
        go = st.button("Denoise", type="primary", icon=":material/auto_fix_high:", key=OWN_DENOISE)
        if burst.own.stack.channels == 3:
            color = st.segmented_control(
                "Color",
                COLORS,
                format_func=COLORS.__getitem__,
                required=True,
                label_visibility="collapsed",
                help="Red, green and blue *together*: one set of kernels, from a weighted sum of the three. *Each by "
                "itself*: kernels of its own, in three times the time; 0.3 dB better on ten photos of the gallery.",
                **control(OWN_COLOR),
            )
    denoised = upload.kept_picture(burst, method, noises, color)
    if go and denoised is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            bar = st.progress(0.0, f"Denoising with {markdown_title(method)} …")
            # A click reruns the page, and the next report of progress ends this run.
            cancel = st.container(width="content")
            cancel.button("Cancel", key=OWN_CANCEL)

        def make() -> None:
            upload.picture(
                burst,
                method,
                noises,
                color,
                lambda share, tile: bar.progress(share, f"Denoising with {markdown_title(method)}: {tile}"),
            )
            st.rerun()

        return make
    if denoised is None:
        st.caption("Large pictures are done in tiles, with progress; it can be canceled.")
        return None
    layers, png, light, one_shade, detail = denoised
    if one_shade:
        st.warning(
            f"{one_shade}: if it should not be, say which numbers are black and white, under *What the numbers mean*."
        )
    if detail:
        st.warning(f"{detail} under *Noise*.")
    if layers.address is None:
        st.image(upload.preview_of(layers), caption=f"Denoised with {markdown_title(method)}")
    else:
        st.caption(
            f"Left of the edge frame 0, the reference; right of it {markdown_title(method)}'s picture. Drag the "
            "picture to move it, zoom with the wheel or two fingers. **Click a place**: the lens above shows its "
            "kernels."
        )
        names = ("frame 0", title_of(method))
        whole_picture(layers, names, crop, OWN_WHOLE, lambda pixel: upload.look_at(burst, pixel, crop[2]))
    name, stack = upload.file_name(burst), burst.own.stack
    numbers = "black 0, white 1"
    if upload.in_counts(stack) and stack.levels is not None:
        numbers = "the numbers of your files, black {:g}, white {:g}".format(*stack.levels)
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, data, suffix, kind in (
            ("PNG, 16 bits", png, "png", "png"),
            ("TIFF, linear", lambda: upload.tiff(burst, light), "tif", "tiff"),
        ):
            st.download_button(
                label,
                data,
                f"{name}.{suffix}",
                f"image/{kind}",
                icon=":material/download:",
                on_click="ignore",
            )
    st.caption(
        f"The PNG is sRGB-encoded, to be looked at; the TIFF is linear light in floating point: {numbers}."
    )
    return None
