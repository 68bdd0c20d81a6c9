"""Kernels: what they are made of, what they do over the picture, and what if they were others."""

from typing import Any

import numpy as np
import streamlit as st

from kpnviz import figures
from kpnviz.analysis.maps import KernelKinds, disagreement, mean_kernels
from kpnviz.analysis.tables import protocol
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.color import displayed
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField
from kpnviz.models.zoo import title_of
from kpnviz.serving import work
from kpnviz.serving.in_parts import InParts
from kpnviz.text import percent
from kpnviz.ui import cache, elements, link
from kpnviz.ui.assumed_noise import offered
from kpnviz.ui.choices import KERNEL_VIEWS, MAX_CHANGED_SHIFT
from kpnviz.ui.controls import (
    burst_controls,
    method_controls,
    pin,
    pinned_pixel,
    pixel_controls,
    without_failures,
)
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.methods import markdown_title
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import (
    IF_ANEW,
    IF_DROPPED,
    IF_DX,
    IF_DY,
    IF_FRAME,
    IF_METHOD,
    IF_NONNEGATIVE,
    IF_RENORMALIZE,
    IF_SIZES,
    KERNELS_VIEW,
)
from kpnviz.ui.state import (
    KERNELS_DISPLAY,
    KERNELS_LENS,
    KERNELS_OPENED,
    KERNELS_SHOWN,
    KINDS_COUNT,
    KINDS_FRAME,
    KINDS_METHOD,
    PAIR,
    PIXEL,
    STAGE_DISPLAY,
    STAGE_LENS,
    STAGE_PIXEL,
    control,
    of_size,
)

MAX_KINDS = range(2, 9)
VALUE_NAMES = {None: [""], 3: ["R", "G", "B"]}  # of a pixel's values, by the burst's channels


def choose_method(methods: tuple[str, ...], key: str) -> str:
    """Draw the choice of one of the methods."""
    return elements.choose("Method", methods, key, methods[-1], markdown_title)


def choose_frame(frames: int, key: str) -> int:
    """Draw the choice of a frame; -1 stands for all of them."""
    return elements.choose("Frame", [-1, *range(frames)], key, -1, lambda i: "all" if i < 0 else str(i))


def displaced(burst: Burst, frames: int, pixel: tuple[int, int], reach: int) -> int:
    """The frame of those whose scene at the pixel moved furthest among the ones that a kernel's reach can follow."""
    shifts = burst.shifts_at(*pixel)
    if shifts is None or frames < 2:
        return min(1, frames - 1)
    far = np.abs(np.asarray(shifts)[1:frames]).max(axis=1)
    # Where none is within reach, the nearest.
    return 1 + int(np.where(far <= reach, far, -far).argmax())


def kinds(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    burst = cache.burst_of(recipe)
    with st.container(horizontal=True):
        method = choose_method(methods, KINDS_METHOD)
        field = cache.kernels_of(recipe, method)
        frame = choose_frame(field.frames, KINDS_FRAME)
        count = elements.choose("Kinds", MAX_KINDS, KINDS_COUNT, 5, str)
    which = (recipe, method, None if frame < 0 else frame, count)
    with elements.awaited(
        work.is_cached(cache.kinds_of, *which), "Sorting the kernels of all places …", key="kinds"
    ) as place:
        found = cache.kinds_of(*which)
        with place():
            show_kinds(burst, field, frame, found, cache.estimate(recipe, method).image, pixel)


def show_kinds(
    burst: Burst,
    field: KernelField,
    frame: int,
    found: KernelKinds,
    picture: np.ndarray,
    pixel: tuple[int, int],
) -> None:
    # Each cell of the grid stands for 2x2 pixels.
    index = np.kron(found.index, np.ones((2, 2), int))[: burst.height, : burst.width]
    names = [f"Kind {kind + 1}" for kind in range(len(found.kernels))]
    image = elements.shown_gray(picture, burst.white_level)
    with elements.grid("kinds", 340):
        left, right = st.container(gap="xsmall"), st.container(gap="xsmall")
    with left:
        st.markdown("**Where each kind is**")
        elements.chart(figures.category_map(index, names, figures.PALETTE, pixel, 340, image), "kinds_map")
    with right:
        st.markdown("**The mean kernel of each kind**")
        numbers = [str(i) for i in (range(field.frames) if frame < 0 else [frame])]
        rows = figures.kernel_rows(
            list(map(list, found.kernels)), names, numbers, "frame",
            dark=elements.is_dark(), height=80 + 62 * len(names), colors=figures.PALETTE,
        )  # fmt: skip
        elements.chart(rows, "kinds_kernels")
    widths = " / ".join(f"{width:.2f}" for width in found.spread)
    st.caption(
        "k-means sorts the kernels of all places by how alike they are, weight by weight, into "
        f"{len(names)} kinds, the narrowest first: their mean kernels have a spread of {widths} px (the mean over the "
        "frames, each weighted by its sum of |weights|). It knows kernels alone, not the picture under them. "
        f"These kinds hold {percent(found.explained)} of the kernels' variance; the pinned pixel is of kind "
        f"{index[pixel] + 1}."
    )


def region(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    burst = cache.burst_of(recipe)
    rows, columns = (
        (max(0, middle - 16), min(length, middle + 16))
        for middle, length in zip(pixel, (burst.height, burst.width), strict=True)
    )
    shape = f"{burst.height}x{burst.width}_{pixel}"
    with elements.grid("region", 320):
        left, right = st.container(), st.container()
    with left:
        y0, y1 = st.slider(
            "Rows", 0, burst.height, rows, key=of_size("rows", shape), help="First to last, y."
        )
        x0, x1 = st.slider(
            "Columns", 0, burst.width, columns, key=of_size("columns", shape), help="First to last, x."
        )
        y1, x1 = max(y1, min(y0 + 1, burst.height)), max(x1, min(x0 + 1, burst.width))
        y0, x0 = min(y0, y1 - 1), min(x0, x1 - 1)
    with right:
        image = cache.estimate(recipe, methods[-1]).image
        elements.chart(
            figures.boxed(elements.shown_gray(image, burst.white_level), y0, y1, x0, x1), "region_picture"
        )
    kernels = [mean_kernels(cache.kernels_of(recipe, method), y0, y1, x0, x1) for method in methods]
    most = max(map(len, kernels))
    rows_of = [[*k, *[None] * (most - len(k))] for k in kernels]
    figure = figures.kernel_rows(
        rows_of, [title_of(m) for m in methods], [str(i) for i in range(most)], "frame",
        dark=elements.is_dark(), height=80 + 110 * len(methods),
    )  # fmt: skip
    elements.chart(figure, "region_kernels")
    st.caption(
        f"Mean of the kernels of the {y1 - y0}×{x1 - x0} pixels in the frame: rows {y0} to {y1 - 1}, columns {x0} to "
        f"{x1 - 1}. What is common to them stays, what each pixel does for itself averages out."
    )


def disagree(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    if len(methods) < 2:
        st.info("Choose two methods in the sidebar: this compares them.")
        return
    burst = cache.burst_of(recipe)
    pairs = [(a, b) for i, a in enumerate(methods) for b in methods[i + 1 :]]
    first, second = elements.choose(
        "Methods", pairs, PAIR, pairs[0], lambda pair: " and ".join(map(markdown_title, pair))
    )
    a, b = (cache.estimate(recipe, method).image for method in (first, second))
    found = disagreement(a, b, burst.white_level)
    st.markdown("The pixels on which the two pictures differ most. Choose one to pin it:")
    with st.container(horizontal=True, gap="small"):
        for y, x, difference in found:
            st.button(
                f"{y}, {x}: {difference:.3f}",
                key=f"jump_{y}_{x}",
                on_click=pin,
                args=(y, x),
                type="primary" if (y, x) == pixel else "secondary",
                help="y, x: difference of the displayed values, white = 1",
            )
    truth = [] if burst.truth is None else [("Truth", "", burst.truth)]
    pictures = [
        ("Frame 0", elements.decibels(burst.reference, burst), burst.reference),
        (title_of(first), elements.decibels(a, burst), a),
        (title_of(second), elements.decibels(b, burst), b),
        *truth,
    ]
    elements.strip(pictures, burst.white_level, pixel, side=33, width=170)
    shown = [value_row(burst, title, image, pixel) for title, _, image in pictures]
    st.caption(
        f"33×33 pixels around the pinned one, y {pixel[0]}, x {pixel[1]}. Values are displayed ones (sRGB), white = 1. "
        f"{protocol(burst)}."
    )
    columns = {}
    for channel in VALUE_NAMES[burst.channels]:
        of = f"{channel} " if channel else ""
        columns[f"value{channel}"] = st.column_config.NumberColumn(f"{of}value at the pixel", format="%.3f")
        columns[f"error{channel}"] = st.column_config.NumberColumn(f"{of}minus truth", format="%+.3f")
    st.dataframe(shown, hide_index=True, width="content", column_config=columns)


def value_row(
    burst: Burst, title: str, image: np.ndarray, pixel: tuple[int, int]
) -> dict[str, str | float | None]:
    """Displayed values of a picture at a pixel, and how far they are from the truth's."""
    row: dict[str, str | float | None] = {"picture": title}
    values = np.atleast_1d(displayed(image[..., *pixel], burst.white_level))
    true = (
        None if burst.truth is None else np.atleast_1d(displayed(burst.truth[..., *pixel], burst.white_level))
    )
    for c, channel in enumerate(VALUE_NAMES[burst.channels]):
        row[f"value{channel}"] = float(values[c])
        row[f"error{channel}"] = None if true is None else elements.rounded(values[c] - true[c], 3)
    return row


def what_if(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    burst = cache.burst_of(recipe)
    method = choose_method(methods, IF_METHOD)
    before = cache.estimate(recipe, method)
    field = cache.kernels_of(recipe, method)
    state = st.session_state
    # What was chosen for another network or burst may not be here.
    state[IF_DROPPED] = [i for i in state[IF_DROPPED] if i < field.frames]
    state[IF_SIZES] = [size for size in state[IF_SIZES] if size in field.sizes]
    state[IF_FRAME] = min(state[IF_FRAME], len(burst) - 1)
    with elements.grid("if", 340):
        left, right = st.container(), st.container()
    with left:
        dropped = st.pills(
            "Drop frames",
            range(field.frames),
            selection_mode="multi",
            help="Their kernels become 0.",
            **control(IF_DROPPED),
        )
        sizes: list[int] = []
        if len(field.sizes) > 1:
            sizes = st.pills(
                "Keep only the sizes",
                field.sizes,
                selection_mode="multi",
                help="The fused kernel is then the mean of those. None chosen: all.",
                **control(IF_SIZES),
            )
        nonnegative = st.toggle(
            "Zero the negative weights", help="Of the fused kernel.", **control(IF_NONNEGATIVE)
        )
        renormalize = st.toggle(
            "Renormalize",
            help="Scale each pixel's kernels so that their shares sum to what they did: brightness stays. Off: what is "
            "taken away is missing, and the picture gets darker or brighter.",
            **control(IF_RENORMALIZE),
        )
    with right:
        frame = st.segmented_control("Shift frame", range(len(burst)), required=True, **control(IF_FRAME))
        a, b = st.columns(2)
        most = MAX_CHANGED_SHIFT
        dy = a.number_input("by dy, px", -most, most, help="Down.", **control(IF_DY))
        dx = b.number_input("by dx, px", -most, most, help="To the right.", **control(IF_DX))
        anew = st.toggle(
            "The network sees the shifted burst",
            **control(IF_ANEW),
            help="On: kernels are predicted anew. Off: the old kernels meet the shifted frame.",
        )
    change = cache.Change(
        tuple(sorted(dropped)), tuple(sorted(sizes)), nonnegative, renormalize, frame, (dy, dx), anew
    )
    kept = work.is_cached(cache.changed, recipe, method, change)
    with elements.awaited(kept, "Filtering with the changed kernels …", key="what_if") as place:
        after = cache.changed(recipe, method, change)
        with place():
            show_what_if(burst, before, field, after, pixel)


def show_what_if(
    burst: Burst, before: Estimate, field: KernelField, after: cache.Changed, pixel: tuple[int, int]
) -> None:
    # Where frame 0 was shifted, the truth went with it.
    truth = [] if after.burst.truth is None else [("Truth", "", after.burst.truth)]
    scores = elements.decibels(before.image, burst), elements.decibels(after.image, after.burst)
    pictures = [("As it is", scores[0], before.image), ("What if", scores[1], after.image), *truth]
    elements.strip(pictures, burst.white_level, pixel, width=190)
    old, new = field.at(*pixel), after.kernels.at(*pixel)
    figure = figures.kernel_rows(
        [list(old), list(new)], ["as it is", "what if"], [str(i) for i in range(field.frames)], "frame",
        dark=elements.is_dark(), height=290,
    )  # fmt: skip
    elements.chart(figure, "if_kernels")
    shares = old.sum() / len(old), new.sum() / len(new)
    st.caption(
        f"{markdown_title(before.model)} at y {pixel[0]}, x {pixel[1]}. The shares of all frames sum to "
        f"{percent(shares[0], 1)} as it is and to {percent(shares[1], 1)} here. {protocol(burst)}."
    )


def stage(recipe: BurstRecipe, methods: tuple[str, ...], pixel: tuple[int, int]) -> None:
    """The pictures of the lens: a click on them pins the pixel that the view is about."""
    state = st.session_state
    state[STAGE_PIXEL] = pixel

    def take() -> None:
        state[PIXEL] = state[STAGE_PIXEL]

    kernel_lens(
        cache.stage_payload(recipe, methods),
        STAGE_LENS,
        pixel=STAGE_PIXEL,
        display=STAGE_DISPLAY,
        on_pin=take,
    )


# Views that the browser computes as the mouse moves, and how the lens shows them at first.
IN_LENS: dict[str, dict[str, Any]] = {
    KERNEL_VIEWS["decomposition"]: {"look": "parts", "mode": "picture"},
    KERNEL_VIEWS["maps"]: {"look": "kernels", "mode": "displacement"},
    KERNEL_VIEWS["frequencies"]: {"look": "frequencies", "mode": "picture"},
}
# Views of the pinned pixel or of the whole picture, beside the pictures.
BESIDE = {
    KERNEL_VIEWS["kinds"]: kinds,
    KERNEL_VIEWS["region"]: region,
    KERNEL_VIEWS["disagreement"]: disagree,
    KERNEL_VIEWS["what-if"]: what_if,
}


def open_view(recipe: BurstRecipe, methods: tuple[str, ...], view: str) -> None:
    """Let the lens show a view that was just chosen; maps of a frame that moved, within the kernels' reach."""
    state = st.session_state
    before, state[KERNELS_OPENED] = state.get(KERNELS_OPENED), view
    if before == view:
        return
    display = {**state.get(KERNELS_DISPLAY, {}), **IN_LENS[view]}
    if view == KERNEL_VIEWS["maps"] and not display.get("frame"):
        burst = cache.burst_of(recipe)
        fields = [one.kernels for one in cache.estimates(recipe, methods) if one.kernels is not None]
        display["frame"] = displaced(burst, fields[-1].frames, pinned_pixel(burst), fields[-1].reach)
    state[KERNELS_DISPLAY] = display


@elements.fragment
def inside(recipe: BurstRecipe, methods: tuple[str, ...]) -> None:
    """The lens. It computes what it shows: neither the mouse nor a pin waits for the server."""
    kernel_lens(
        cache.lens_payload(recipe, methods),
        KERNELS_LENS,
        display=KERNELS_DISPLAY,
        assumed=offered(recipe, methods),
    )
    link.sync_address()
    st.caption(f"{protocol(cache.burst_of(recipe))}.")


def in_lens(recipe: BurstRecipe, methods: tuple[str, ...], view: str) -> None:
    cache.check_lens(recipe, methods)
    denoised = cache.denoised(recipe, methods)
    with elements.awaited(denoised.complete, "Denoising …") as place:
        for _ in denoised.results():
            pass
        cache.lens_payload(recipe, methods)
        open_view(recipe, methods, view)
        with place():
            inside(recipe, methods)


def beside(
    recipe: BurstRecipe,
    methods: tuple[str, ...],
    with_kernels: tuple[str, ...],
    view: str,
    pixel: tuple[int, int],
) -> None:
    left, right = elements.beside("kernels")
    estimates = InParts(cache.result, {name: (recipe, name) for name in methods})
    denoised = estimates.complete and work.is_cached(cache.stage_payload, recipe, methods)
    now = (recipe, methods, view)
    same = denoised and st.session_state.get(KERNELS_SHOWN) == now
    with (
        left,
        elements.awaited(denoised, "Denoising …") as pictures,
        right,
        elements.awaited(same, f"{view} …", key="view") as kernels,
    ):
        cache.stage_payload(recipe, methods)
        with pictures():
            stage(recipe, methods, pixel)
        with kernels():
            of = methods if view == KERNEL_VIEWS["disagreement"] else with_kernels
            BESIDE[view](recipe, of, pixel)
    st.session_state[KERNELS_SHOWN] = now


view = st.session_state[KERNELS_VIEW]
begin(
    "What are the kernels made of, and what do they do?",
    "**Move over the picture**: what is shown of the kernels follows. Click a size to switch it off; *Show* has maps "
    "of the whole picture. The burst and the methods are in the sidebar."
    if view in IN_LENS
    else "At the **pinned pixel** and over the whole picture. **Click in the picture** to pin another pixel; the burst "
    "and the methods are in the sidebar.",
)
with st.sidebar:
    recipe = burst_controls()
    methods = method_controls()
    pixel = None if view in IN_LENS else pixel_controls(cache.burst_of(recipe))

st.segmented_control(
    "View", KERNEL_VIEWS.values(), required=True, label_visibility="collapsed", **control(KERNELS_VIEW)
)
try:
    with st.spinner("Denoising …"):
        with_kernels = tuple(name for name in methods if cache.has_kernels(recipe, name))
    methods = without_failures(recipe, methods)
    if not with_kernels:
        st.info("Choose a method that predicts kernels, in the sidebar.")
    elif pixel is None:
        in_lens(recipe, methods, view)
    else:
        beside(recipe, methods, with_kernels, view, pixel)
except ValueError as error:
    elements.failure(error)
