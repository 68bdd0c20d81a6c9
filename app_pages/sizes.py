"""Sizes: kernels from 1x1 to 25x25, and MKPN, on one burst."""

import numpy as np
import streamlit as st

from kpnviz import figures
from kpnviz.analysis.maps import CLASS_RULE, PIXEL_CLASSES, best_of, class_psnr, pixel_classes, squared_error
from kpnviz.analysis.metrics import PROTOCOL, inner
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.models.checkpoints import available
from kpnviz.models.zoo import MATCHED, title_of
from kpnviz.ui import cache, elements
from kpnviz.ui.controls import burst_controls, pixel_controls, usable
from kpnviz.ui.page import begin
from kpnviz.ui.state import SIZES_SIDE

# Paul Tol's "muted", color-blind safe: one color for every network of the zoo that is compared here.
COLORS = ("#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499")
SIZED = tuple(name for name in MATCHED if name.startswith("kpn-l") or name == "mkpn")
SMOOTHING = 4.0


def pictures_of(recipe: BurstRecipe, methods: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Each network's picture, with progress."""
    bar = elements.progress_bar("sizes", "Denoising …")
    images = {}
    for done, method in enumerate(methods):
        bar.progress(done / len(methods), f"Denoising with {title_of(method)} …")
        images[method] = cache.picture(recipe, method)
    bar.empty()
    return images


@st.fragment
def crops(burst: Burst, images: dict, pixel: tuple[int, int]) -> None:
    sides = [17, 33, 65, burst.height]
    side = st.segmented_control(
        "Pixels a side", sides, key=SIZES_SIDE, default=33, required=True,
        format_func=lambda n: "all" if n == burst.height else str(n),
    )  # fmt: skip
    items = [
        ("Noisy reference", elements.decibels(burst.reference, burst), burst.reference),
        *((title_of(m), elements.decibels(image, burst), image) for m, image in images.items()),
        *([] if burst.truth is None else [("Truth", "", burst.truth)]),
    ]
    elements.strip(items, burst.white_level, pixel, side=side, width=96)
    st.caption(f"Around the pinned pixel; PSNR of the whole picture. {PROTOCOL}.")


def size_curves(errors: dict, classes) -> None:
    st.subheader("Which pixels want which size?", anchor=False)
    shares = [float((classes[inner(classes.shape)] == i).mean()) for i in range(len(PIXEL_CLASSES))]
    scores = {method: class_psnr(error, classes) for method, error in errors.items()}
    single = [method for method in scores if method != "mkpn"]
    x = [max(MATCHED[method].sizes) for method in single]
    with elements.grid("size_curves", 270):
        for i, name in enumerate(PIXEL_CLASSES):
            with st.container(gap="xsmall"):
                st.markdown(f"**{name.capitalize()}**: {shares[i]:.0%} of the pixels")
                if shares[i] == 0:
                    st.caption("There are none in this crop.")
                    continue
                series = {"KPN Lₙ": [scores[method][i] for method in single]}
                if "mkpn" in scores:
                    series["MKPN"] = [scores["mkpn"][i]] * len(x)
                figure = figures.curves(
                    x,
                    series,
                    "kernel size n, px",
                    "PSNR, dB",
                    log2=True,
                    level=["MKPN"],
                    tick_text=elements.size_ticks(x),
                )
                elements.chart(figure, f"sizes_{name}")
    st.caption(f"{CLASS_RULE} MKPN has all sizes up to 11: a level line.")


def best_map(errors: dict, pixel: tuple[int, int]) -> None:
    st.subheader("Which size is best where?", anchor=False)
    names = list(errors)
    index = best_of(list(errors.values()), SMOOTHING)
    colors = [COLORS[SIZED.index(name)] for name in names]
    with st.container(width=640):
        elements.chart(figures.category_map(index, [title_of(n) for n in names], colors, pixel), "sizes_map")
    st.caption(
        f"The network with the least squared error of the displayed picture, smoothed by a Gaussian of "
        f"σ = {SMOOTHING:g} px. The legend gives each one's share of the pixels. Where two are all but equal, "
        "chance decides."
    )


begin(
    "How large should a kernel be?",
    "A large kernel averages much: good in flat sky. A small one keeps what is fine. **MKPN** predicts six sizes at "
    "once and applies their mean. The same burst, denoised with every size that has been trained.",
)
with st.sidebar:
    recipe = burst_controls()
    burst = cache.burst_of(recipe)
    pixel = pixel_controls(burst)
    methods = usable(tuple(name for name in SIZED if name in available()))

if len(methods) < 2:
    st.info(
        f"This page compares kernel sizes: it needs two trained networks that take {len(burst)} frames, among "
        + ", ".join(map(title_of, SIZED))
        + "."
    )
else:
    try:
        images = pictures_of(recipe, methods)
    except ValueError as error:
        elements.failure(error)
    else:
        missing = [title_of(name) for name in SIZED if name not in available()]
        if missing:
            st.caption("Not trained here yet: " + ", ".join(missing) + ".")
        crops(burst, images, pixel)
        if burst.truth is not None:
            errors = {m: squared_error(image, burst.truth, burst.white_level) for m, image in images.items()}
            size_curves(errors, pixel_classes(burst.truth, burst.white_level))
            best_map(errors, pixel)
