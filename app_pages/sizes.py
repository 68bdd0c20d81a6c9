"""Sizes: kernels from 1x1 to 25x25, and MKPN, on one burst."""

import streamlit as st

from kpnviz import figures
from kpnviz.analysis.maps import CLASS_RULE, PIXEL_CLASSES, class_psnr
from kpnviz.analysis.metrics import inner
from kpnviz.analysis.tables import protocol
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.denoise import Estimate
from kpnviz.models.zoo import title_of
from kpnviz.serving.in_parts import InParts
from kpnviz.text import percent
from kpnviz.ui import cache, elements, link
from kpnviz.ui.choices import SIZED, single_size, sized_methods
from kpnviz.ui.controls import burst_controls, usable
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import TEACH
from kpnviz.ui.presets import preset_menu
from kpnviz.ui.size_stage import MAX_BYTES, SizeStage, size_stage
from kpnviz.ui.state import SIZES_DISPLAY, SIZES_LENS


def with_progress(recipe: BurstRecipe, estimates: InParts[Estimate]) -> SizeStage:
    """What all methods make of the burst, computed with a bar of progress."""
    bar = elements.progress_bar("sizes", "Denoising …")
    for _ in estimates.results(
        progress=lambda share, name: bar.progress(share, f"Denoising with {title_of(name)} …")
    ):
        pass
    shown = size_stage(recipe, estimates.names)
    bar.empty()
    return shown


@elements.fragment
def stage(shown: SizeStage) -> None:
    """The pictures, the map and the kernels."""
    kernel_lens(shown.payload, SIZES_LENS, display=SIZES_DISPLAY)
    link.sync_address()


def size_curves(shown: SizeStage, burst: Burst) -> None:
    st.subheader("Which pixels want which size?", anchor=False)
    inside = shown.classes[inner(shown.classes.shape)]
    shares = [float((inside == i).mean()) for i in range(len(PIXEL_CLASSES))]
    scores = {method: class_psnr(error, shown.classes) for method, error in shown.errors.items()}
    x = [size for method in scores if (size := single_size(method))]
    with elements.grid("size_curves", 225):
        for i, name in enumerate(PIXEL_CLASSES):
            with st.container(gap="xsmall"):
                st.markdown(f"**{name.capitalize()}**: {percent(shares[i])} of the pixels")
                if shares[i] == 0:
                    st.caption("There are none in this crop.")
                    continue
                series = {"KPN Lₙ": [scores[method][i] for method in scores if single_size(method)]}
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
    st.caption(f"{CLASS_RULE} MKPN has all sizes up to 11: a level line. {protocol(burst)}.")


begin(
    "How large should a kernel be?",
    ""  # in front of a class the title is enough, and pictures need the room
    if st.session_state.get(TEACH)
    else "One burst, denoised with kernels of every size. **Move over a picture** to see each size's kernel for that "
    "pixel; click a kernel to see its picture.",
    tools=preset_menu,
)
with st.sidebar:
    recipe = burst_controls()
    methods = usable(sized_methods())

if len(methods) < 2:
    st.info(
        "This page compares kernel sizes: it needs two trained networks that take "
        f"{recipe.frames} frames, among {', '.join(map(title_of, SIZED))}."
    )
else:
    try:
        cache.check_lens(recipe, methods, MAX_BYTES, sizes=True)
        estimates = InParts(
            cache.estimate, {name: (recipe, name) for name in methods}, (size_stage, (recipe, methods))
        )
        complete = estimates.complete
        with elements.awaited(complete, f"Denoising with {len(methods)} networks …") as place:
            shown = size_stage(recipe, methods) if complete else with_progress(recipe, estimates)
            with place():
                missing = [title_of(name) for name in SIZED if name not in sized_methods()]
                if missing:
                    st.caption("Not trained here yet: " + ", ".join(missing) + ".")
                stage(shown)
                size_curves(shown, cache.burst_of(recipe))
    except ValueError as error:
        elements.failure(error)
