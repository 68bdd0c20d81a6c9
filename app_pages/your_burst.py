"""Your burst: photos of one's own, aligned, their noise estimated, denoised, and looked into."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kpnviz.capture.frame_stack import GRAY
from kpnviz.capture.reader import get_ready
from kpnviz.lens.terms import words_in
from kpnviz.limits import Limits
from kpnviz.models.zoo import title_of
from kpnviz.noise import NoiseModel
from kpnviz.pictures import kinds_read
from kpnviz.ui import elements, upload
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.methods import available, markdown_title, own
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import IN_COLOR, OWN_CHANNEL, OWN_METHODS, OWN_SIDE, OWN_UPLOADER
from kpnviz.ui.state import (
    OWN_BURST,
    OWN_DISPLAY,
    OWN_LEFT,
    OWN_LENS,
    OWN_LET_GO,
    OWN_MIDDLE,
    OWN_PIXEL,
    OWN_STOP,
    OWN_TOP,
    control,
    own_files,
    show_in,
)
from kpnviz.ui.tips import line_of_terms, tips_aside
from kpnviz.ui.upload import CHANNELS, Upload, channels_of
from kpnviz.ui.your_burst.frames import frames_of
from kpnviz.ui.your_burst.looks import look_further
from kpnviz.ui.your_burst.noise import noise_of
from kpnviz.ui.your_burst.picture import denoised_picture

SIDES = (96, 128, 192, 256)


def uploads() -> list[Any]:
    """Draw the drop zone; its files, none when one comes back to the page."""
    state, limits = st.session_state, Limits.from_environment()
    key = own_files(state[OWN_UPLOADER])

    def removed() -> None:
        if not state[key]:
            upload.forget()

    files = st.file_uploader(
        "Frames",
        accept_multiple_files=True,
        key=key,
        on_change=removed,
        label_visibility="collapsed",
        help=f"{kinds_read(burst=True)}; pages of a TIFF, animations and arrays [N, H, W] are bursts. "
        f"{str(limits).capitalize()}.",
    )
    st.caption(f"{kinds_read(burst=True)} · {limits}")
    get_ready(limits)
    return files


def whose(methods: tuple[str, ...]) -> None:
    """Say whose burst it is and what the lens compares, and give the way back to the example."""
    own = st.session_state.get(OWN_BURST)
    text = "**An example**, until you drop files."
    if own is not None:
        count = len(own.own.stack)
        text = f"**Your burst of {count} frame{'s' if count > 1 else ''}** stays while you visit other pages."
    if methods:
        last = markdown_title(methods[-1])
        text += f" **Drag the edge**: left of it frame 0, the reference; right of it {last}'s picture."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text)
        if own is not None:
            with st.container(width="content"):
                st.button(
                    "Let it go", key=OWN_LET_GO, icon=":material/close:", on_click=upload.let_go,
                    help="Forgets your burst and shows the example again.",
                )  # fmt: skip


def part(burst: Upload, methods: tuple[str, ...]) -> tuple[tuple[int, int, int], int]:
    """Draw the choice of what is in the lens: a square part, (top, left, side), in color or of a channel."""
    st.subheader("In the lens", anchor=False)
    stack = burst.own.stack
    state, lengths = st.session_state, (stack.height, stack.width)
    channel, channels = GRAY, channels_of(stack)
    if len(channels) > 1:
        channel = st.segmented_control(
            "Channel",
            [IN_COLOR, *channels],
            format_func=CHANNELS.__getitem__,
            required=True,
            **control(OWN_CHANNEL),
        )
    side = st.segmented_control("Pixels a side", SIDES, required=True, **control(OWN_SIDE))
    side, most = min(side, *lengths), upload.fitting(burst, methods, channel, SIDES)
    if side > most:
        st.caption(
            f"{most} are shown: of {len(burst.own.order)} frames, a larger part with its kernels is more than is sent "
            "to the browser."
        )
        side = most
    half = side // 2
    middle = state.get(OWN_MIDDLE) or (stack.height // 2, stack.width // 2)

    def move() -> None:
        state[OWN_MIDDLE] = (state[OWN_TOP] + half, state[OWN_LEFT] + half)

    for label, key, at, length in zip(
        ("Top, px", "Left, px"), (OWN_TOP, OWN_LEFT), middle, lengths, strict=True
    ):
        show_in(key, min(max(at - half, 0), length - side), length - side)
        if length > side:
            st.slider(label, 0, length - side, key=key, on_change=move)
    return (state[OWN_TOP], state[OWN_LEFT], side), channel


def lens(
    burst: Upload,
    methods: tuple[str, ...],
    noises: tuple[NoiseModel, ...],
    channel: int,
    crop: tuple[int, int, int],
    waiting: DeltaGenerator,
) -> None:
    kept = upload.kept_payload(burst, methods, channel, noises, crop)
    with elements.awaited(kept is not None, "Denoising …") as place:
        waiting.empty()
        payload = kept or upload.lens_payload(burst, methods, channel, noises, crop)
        with place():
            pixel = kernel_lens(payload, key=OWN_LENS, pixel=OWN_PIXEL, display=OWN_DISPLAY)
            look_further(burst, methods, noises, channel, crop, payload, pixel)


def show(burst: Upload, methods: tuple[str, ...], crop: tuple[int, int, int], channel: int) -> None:
    """All that is seen of a burst that is ready."""
    above, stage, whole, below = (st.container() for _ in range(4))
    with stage:
        waiting = st.empty()
        # Once the lens is on the page, it stays there until it is known what it shows next.
        if OWN_LENS not in st.session_state:
            with waiting:
                elements.skeleton("Denoising …")
    with above:
        whose(methods)
        if burst.dark:
            st.caption(
                "Hardly anything in the reference is brighter than a tenth of white. *Light* brightens what is shown, "
                "in the lens and of the whole picture; the numbers stay as they are."
            )
    with below:
        frames_of(burst)
        noises = noise_of(burst)
    make = None
    if methods:
        with whole:
            make = denoised_picture(burst, methods[-1], noises, crop)
    with stage:
        if methods:
            shown = range(3) if channel == IN_COLOR else [channel]
            lens(burst, methods, tuple(noises[c] for c in shown), channel, crop, waiting)
        else:
            waiting.info("Choose a method in the sidebar.")
    if make is not None:
        make()


def progress_of(files: list[Any]) -> Callable[[float, str], object]:
    """Draw how far a burst is prepared, and the button that ends it; what is told so."""
    with st.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, "Preparing a burst …")
        with st.container(width="content"):
            st.button("Cancel", key=OWN_STOP, on_click=upload.cancel, args=(upload.kept(files),))
    return bar.progress


def methods_chosen() -> tuple[str, ...]:
    chosen = st.multiselect(
        "Methods",
        available(),
        format_func=title_of,
        max_selections=3,
        select_all=False,
        **control(OWN_METHODS),
    )
    tips_aside()
    line_of_terms(words_in(title_of(name) for name in available() if own(name) is None))
    return tuple(chosen)


begin(
    "What does it do with your photos?",
    "**Drop a burst**: photos of one scene taken one after the other. They are aligned, their noise is "
    "measured from what differs between them, and a network denoises them, at any size. They stay on the "
    "server, for you alone, and are deleted when your session ends.",
)
files = uploads()
problem, doing = st.container(), st.empty()
with st.sidebar:
    methods = methods_chosen()
# While a burst is prepared, nothing of another one is on the page.
ready = upload.is_ready(files)

try:
    with ExitStack() as places:
        with st.sidebar:
            aside = places.enter_context(elements.awaited(ready, ""))
        body = places.enter_context(
            elements.awaited(ready, "Your burst will be here" if files else "A burst will be here")
        )
        with doing:
            say = (lambda *_: None) if ready else progress_of(files)
        burst = upload.current(files, say)
        doing.empty()
        taken = upload.for_methods(burst, methods)
        with aside():
            crop, channel = part(taken, methods)
        with body():
            show(taken, methods, crop, channel)
except (ValueError, OSError) as error:
    doing.empty()
    with problem:
        elements.failure(error)
