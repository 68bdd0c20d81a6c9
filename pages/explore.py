"""Explore: one burst, a few methods, and the kernels of the pixel under the mouse."""

import streamlit as st

from kpnviz.burst import BurstRecipe
from kpnviz.metrics import PROTOCOL
from kpnviz.models.zoo import title_of
from kpnviz.ui import results
from kpnviz.ui.controls import burst_controls, method_controls
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.numbers import pixel_table
from kpnviz.ui.page import begin


@st.fragment
def lens_and_numbers(recipe: BurstRecipe, methods: tuple[str, ...]) -> None:
    burst = results.burst_of(recipe)
    pixel = kernel_lens(results.lens_payload(recipe, methods), key="lens")
    st.caption(PROTOCOL + ".")
    if pixel is None or not (0 <= pixel[0] < burst.height and 0 <= pixel[1] < burst.width):
        return
    y, x = pixel
    st.subheader(f"Pinned pixel: y {y}, x {x}")
    pixel_table(burst, [results.estimate(recipe, method) for method in methods], y, x)


begin(
    "What does the network do at this pixel?",
    "A kernel prediction network makes one clean picture of eight noisy frames: for every pixel and frame it "
    "predicts a small **kernel** of weights, and the picture is the mean of the frames filtered with them. "
    "**Move the mouse over a picture** to see the kernels of that pixel.",
)
status = st.empty()

with st.sidebar:
    recipe = burst_controls()
    methods = method_controls()

try:
    with status, st.spinner("Denoising with " + ", ".join(map(title_of, methods)) + " …" if methods else "…"):
        results.lens_payload(recipe, methods)
except ValueError as error:
    st.error(f"{error}.")
else:
    lens_and_numbers(recipe, methods)
