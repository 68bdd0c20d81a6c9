"""What is chosen to be seen under the lens of *Your burst*: other assumed noise, maps of a frame's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from kpnviz import figures
from kpnviz.color import displayed
from kpnviz.kernels import KernelField
from kpnviz.noise import NoiseModel
from kpnviz.ui import elements, upload
from kpnviz.ui.elements import plain
from kpnviz.ui.methods import denoiser, markdown_title, own
from kpnviz.ui.parameters import OWN_LOOK
from kpnviz.ui.state import control, of_size, own_map_frame
from kpnviz.ui.upload import Upload


def look_further(
    burst: Upload,
    methods: tuple[str, ...],
    noises: tuple[NoiseModel, ...],
    channel: int,
    crop: tuple[int, int, int],
    payload: bytes,
    pixel: tuple[int, int] | None,
) -> None:
    """What is chosen to be seen under the lens."""
    look = st.segmented_control(
        "Look at", ["Nothing more", "Assumed noise", "Maps"], required=True, **control(OWN_LOOK)
    )
    if look == "Nothing more":
        return
    method = methods[-1]
    shown = upload.inside(payload, len(methods) - 1)
    # What was pinned in a larger part may lie outside of this one.
    if pixel is None or max(pixel) >= crop[2]:
        pixel = shown.start
    if look == "Maps":
        maps(burst, shown, method, pixel)
        return
    bar = elements.progress_bar("own_assumed", f"Denoising with {markdown_title(method)} …")
    found = upload.with_assumed_noise(
        burst, method, channel, noises, crop,
        lambda share: bar.progress(share, f"Denoising {len(upload.ASSUMED)} times with {markdown_title(method)} …"),
    )  # fmt: skip
    bar.empty()
    assumed_noise(found, shown.white_level, method, pixel)


def assumed_noise(
    found: list[tuple[np.ndarray, KernelField | None]],
    white_level: float,
    method: str,
    pixel: tuple[int, int],
) -> None:
    """The same part, with more or less assumed noise than stands in the table."""
    whole = found[0][0].shape[-1]
    sides = sorted({min(33, whole), min(65, whole), whole})
    side = st.segmented_control(
        "Pixels a side, around the pinned one", sides, key=of_size("own_assumed_side", whole), default=sides[0],
        required=True, format_func=lambda n: "all" if n == whole else str(n),
    )  # fmt: skip
    assumed = list(upload.ASSUMED.values())
    elements.strip(
        [(f"assumed noise {text}", "", image) for text, (image, _) in zip(assumed, found, strict=True)],
        white_level,
        pixel,
        side=side,
        width=110,
    )
    kernels = [field.at(*pixel)[0] for _, field in found if field is not None]
    if kernels:
        figure = figures.kernel_rows(
            [kernels],
            ["frame 0"],
            assumed,
            "assumed noise / noise of the table",
            dark=elements.is_dark(),
            height=230,
        )
        elements.chart(figure, "own_assumed_kernels")
    is_told = own(method) is not None or denoiser(method).network.config.noise_map
    blind = "" if is_told else " It takes no assumed noise: nothing changes."
    st.caption(
        f"{markdown_title(method)}, the method chosen last, at y {pixel[0]}, x {pixel[1]} of the part: pin another "
        "pixel in the lens. Factors are of the standard deviation in the table of *Noise*; ×1 is what stands there. "
        "Where ×1 still looks grainy, or a picture with less assumed noise looks as clean and sharper, change the "
        "table."
        f"{blind}"
    )


def maps(burst: Upload, shown: upload.Inside, method: str, pixel: tuple[int, int]) -> None:
    field = shown.kernels
    if field is None:
        st.info(f"{markdown_title(method)} predicts the picture itself: it has no kernels.")
        return
    frame = st.segmented_control(
        "Frame", range(field.frames), default=0, required=True, key=own_map_frame(field.frames)
    )
    values = upload.maps(shown, frame)
    common: dict[str, Any] = dict(step=2, pixel=pixel)
    arrows = figures.displacement(displayed(shown.reference, shown.white_level), values.centroid, 2)
    # A largest kernel of one weight is a delta everywhere: its maps would be all 0.
    widest = min(max(field.reach * 2**0.5, 0.5), values.spread.max() + 0.1)
    bits = max(2 * np.log2(max(field.sizes)), 1.0)
    cells = {
        "Share of the frame": figures.image_map(
            100 * values.share, "%", diverging=True, dark=elements.is_dark(), **common
        ),
        "Spread": figures.image_map(values.spread, "px", limits=(0, widest), **common),
        "Entropy": figures.image_map(values.entropy, "bits", limits=(0, bits), **common),
        "Displacement of the centroid": arrows,
    }
    with elements.grid("own_maps", 380):
        for name, figure in cells.items():
            with st.container(gap="xsmall"):
                st.markdown(f"**{name}**")
                elements.chart(figure, f"own_map_{name}")
    own = burst.own
    file = own.order[frame]
    shift = own.shifts[file]
    left = " before the network sees it" if shift.aligned else ", left to its kernels"
    which = "the reference" if file == own.reference else f"{plain(own.stack.names[file])}, {shift}{left}"
    st.caption(
        f"{markdown_title(method)}, the method chosen last; frame {frame} is {which}. At every second pixel, where the "
        "network predicts. *Share*: signed sum of the weights / N. *Spread*: root mean square distance of |weights| "
        "from their centroid. *Entropy* of |weights| / their sum. Arrows are drawn "
        f"{figures.arrow_scale(arrows):.1f} times as long as they are."
    )
