"""Sizes: MKPN, and kernels from 1x1 to 25x25, on one burst."""

import streamlit as st

from kpnviz import figures
from kpnviz.analysis.maps import CLASS_RULE, PIXEL_CLASSES, class_psnr
from kpnviz.analysis.metrics import inner
from kpnviz.analysis.tables import protocol
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.denoise import Estimate
from kpnviz.lens.texts.pages import FAR, SIZES
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
from kpnviz.ui.tips import line_of_terms, tips

SAYS = SIZES.texts


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
    """Of each class of pixels, by how much every size is better or worse than MKPN, or else than the largest size."""
    inside = shown.classes[inner(shown.classes.shape)]
    shares = [float((inside == i).mean()) for i in range(len(PIXEL_CLASSES))]
    scores = {method: class_psnr(error, shown.classes) for method, error in shown.errors.items()}
    sized = [method for method in scores if single_size(method)]
    base = "mkpn" if "mkpn" in scores else sized[-1]
    st.subheader(SAYS["curves"].format(base=title_of(base)), anchor=False)
    x = [size for method in sized if (size := single_size(method))]
    with elements.grid("size_curves", 225):
        for i, name in enumerate(PIXEL_CLASSES):
            with st.container(gap="xsmall"):
                st.markdown(SAYS["share"].format(**{"class": name.capitalize(), "share": percent(shares[i])}))
                if shares[i] == 0:
                    st.caption(SAYS["none"])
                    continue
                series = {"KPN Lₙ": [scores[method][i] - scores[base][i] for method in sized]}
                figure = figures.curves(
                    x,
                    series,
                    "kernel size n, px",
                    SAYS["y"].format(base=title_of(base)),
                    log2=True,
                    tick_text=elements.size_ticks(x),
                    zero=True,
                ).update_layout(showlegend=False, margin_t=16)
                elements.chart(figures.near(figure, FAR), f"sizes_{name}")
    levels = ", ".join(
        f"{name} {scores[base][i]:.2f} dB" for i, name in enumerate(PIXEL_CLASSES) if shares[i] > 0
    )
    of_burst = {"base": title_of(base), "levels": levels, "protocol": protocol(burst)}
    st.caption(SAYS["caption"].format(far=f"{FAR:g}", rule=CLASS_RULE, **of_burst))


begin(
    SIZES.title,
    # In front of a class the title is enough, and pictures need the room.
    "" if st.session_state.get(TEACH) else SIZES.introduction,
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
                tips()
                line_of_terms(SIZES.words)
                size_curves(shown, cache.burst_of(recipe))
    except ValueError as error:
        elements.failure(error)
