"""Your burst: photos of one's own, aligned, their noise estimated, denoised, and looked into."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from kpnviz import figures
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.meaning import ENCODINGS, PATTERNS, Input
from kpnviz.capture.noise_estimation import NoiseFit
from kpnviz.capture.reader import get_ready
from kpnviz.color import displayed
from kpnviz.kernels import KernelField
from kpnviz.lens.terms import explained_word, words_in
from kpnviz.limits import Limits
from kpnviz.models.zoo import title_of
from kpnviz.noise import NoiseModel
from kpnviz.pictures import kinds_read
from kpnviz.serving.uploads import drop_all
from kpnviz.text import percent
from kpnviz.ui import elements, upload
from kpnviz.ui.elements import plain
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.methods import available, denoiser, markdown_title, own
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import (
    OWN_CHANNEL,
    OWN_COLOR,
    OWN_LOOK,
    OWN_MENDED,
    OWN_METHODS,
    OWN_PLOT,
    OWN_SIDE,
    OWN_UPLOADER,
)
from kpnviz.ui.state import (
    OWN_BURST,
    OWN_CANCEL,
    OWN_DENOISE,
    OWN_DISPLAY,
    OWN_LEFT,
    OWN_LENS,
    OWN_LET_GO,
    OWN_MIDDLE,
    OWN_NOISE,
    OWN_NOISE_GIVEN,
    OWN_PIXEL,
    OWN_TOP,
    OWN_WHOLE,
    control,
    of_size,
    own_files,
    own_map_frame,
    own_meaning,
    own_noise,
    own_reference,
    show_in,
)
from kpnviz.ui.tips import line_of_terms, tips_aside
from kpnviz.ui.upload import CHANNELS, Upload, channels_of
from kpnviz.ui.whole_picture import whole_picture

SIDES = (96, 128, 192, 256)
COLORS = {"shared": "color", "each": "each color by itself", "gray": "gray"}


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


def let_go() -> None:
    """Back to the example, with an empty drop zone."""
    upload.forget()
    drop_all()
    st.session_state[OWN_UPLOADER] += 1


def whose(methods: tuple[str, ...]) -> None:
    """Say whose burst it is and what the lens compares, and give the way back to the example."""
    own = st.session_state.get(OWN_BURST)
    text = "**An example**, until you drop files."
    if own is not None:
        count = len(own.ids)
        text = f"**Your burst of {count} file{'s' if count > 1 else ''}** stays while you visit other pages."
    if methods:
        last = markdown_title(methods[-1])
        text += f" **Drag the edge**: left of it frame 0, the reference; right of it {last}'s picture."
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(text)
        if own is not None:
            with st.container(width="content"):
                st.button(
                    "Let it go", key=OWN_LET_GO, icon=":material/close:", on_click=let_go,
                    help="Forgets your burst and shows the example again.",
                )  # fmt: skip


def frames_of(burst: Upload) -> None:
    own, stack = burst.own, burst.own.stack
    st.subheader(f"{len(stack)} frames of {stack.width} × {stack.height} pixels", anchor=False)
    st.markdown(plain(" ".join(filter(None, (own.report, own.remaining_sentence))), 2000))
    for note in stack.notes:
        # An option of the command line is a control of this page.
        st.caption(
            plain(re.sub(r"\(--(input|black|white)\b.*?\)", "under “What the numbers mean”", note), 400)
        )
    if len(stack) > 1 and not stack.known:
        st.toggle(
            "Mend hot pixels and fixed columns",
            help="A sensor's defects stay where they are while the scene moves. Off, the frames are used "
            "as they are.",
            **control(OWN_MENDED),
        )
    numbers_of(burst)
    with st.container(horizontal=True, gap="small"):
        for i, image in enumerate(burst.thumbnails):
            text = "**reference**" if i == own.reference else str(own.shifts[i])
            unused = "" if i in own.order else " · another scene" if i in own.left_out else " · not used"
            with st.container(width=150, gap="xxsmall"):
                st.image(image, width=150)
                st.caption(f"{plain(stack.names[i])}  \n{text}{unused}")
                if i != own.reference and stack.shifts is None and stack.truth_place is None:
                    st.button(
                        "Make reference", key=own_reference(i), type="tertiary", on_click=upload.refer_to, args=(i,),
                        help="The others are laid onto it, and it is what is denoised.",
                    )  # fmt: skip
    with st.expander("Alignment in numbers"):
        st.dataframe(
            [
                {
                    "frame": stack.names[i],
                    "used": i in own.order,
                    "found": shift.measured is not None,
                    "dy, px": shift.measured and elements.rounded(shift.measured[0], 1),
                    "dx, px": shift.measured and elements.rounded(shift.measured[1], 1),
                    "undone": shift.aligned,
                    "bend, px": shift.bend,
                    "brightness, EV": elements.rounded(float(np.log2(shift.brightness)), 2),
                    "sharpness": 100 * own.sharpness[i] / max(max(own.sharpness), 1e-12),
                }
                for i, shift in enumerate(own.shifts)
            ],
            hide_index=True,
            column_config={
                "dy, px": st.column_config.NumberColumn(format="%.1f"),
                "dx, px": st.column_config.NumberColumn(format="%.1f"),
                "bend, px": st.column_config.NumberColumn(
                    format="%.0f", help="How much displacements elsewhere differ from that in the middle"
                ),
                "brightness, EV": st.column_config.NumberColumn(
                    format="%+.2f", help="Against the reference; undone when the frame is read"
                ),
                "sharpness": st.column_config.NumberColumn(format="%.0f %%", help="Of the sharpest frame"),
            },
        )
        st.caption(
            "Shifts against the reference. Those beyond 2 pixels, a 5×5 kernel's reach, are undone to the "
            "nearest pixel before the network sees the frame; what remains is left to its kernels. A frame whose shift "
            "is not found is used as it is, and has no part in the estimate of the noise. Where one shift would leave "
            "more than 3 pixels, as where the camera turned, blocks of the frame have displacements of their own."
        )
        if len(stack) > 1:
            st.markdown("**Left to the kernels**, and how many frames show it, in each ninth of the picture")
            elements.chart(figures.ninths(*own.remaining(), (stack.height, stack.width)), "own_remaining")
            st.caption(
                "The largest displacement that is not undone, of all frames that were found, but for a hundredth of "
                "each part. MKPN's kernels reach 5 pixels."
            )


def numbers_of(burst: Upload) -> None:
    """What the files' numbers were taken for, and how they look if they are something else."""
    stack = burst.own.stack
    now = stack.meaning
    if now is None:
        return
    name = "sRGB-encoded" if now.encoding == "srgb" and stack.profile is None else str(now)
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
            try:
                meaning = Input(encoding, pattern, black, white)
                image = upload.preview(burst, meaning)
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


def noise_of(burst: Upload) -> dict[int, NoiseModel]:
    """Plot and editor; the assumed noise, by channel."""
    st.subheader("Noise", anchor=False)
    with st.container(horizontal=True, gap="medium"):
        left, right = st.container(width=480), st.container(width=400)
    channels = channels_of(burst.own.stack)
    with right:
        st.markdown(
            "x ~ N(y, read_std² + shot_gain · y), white = 1. Edit the assumed noise:",
            help="The more noise a network assumes, the more it smooths.",
        )
        state, key = st.session_state, own_noise(burst.key)
        if key not in state:  # the page was elsewhere: a new table begins with what the last one came to
            state[OWN_NOISE_GIVEN] = state.get(OWN_NOISE) or upload.noise_at_first(burst)
        rows = state[OWN_NOISE] = st.data_editor(
            state[OWN_NOISE_GIVEN],
            key=key,
            hide_index=True,
            disabled=["channel", "source"],
            column_config={
                "read_std": st.column_config.NumberColumn(
                    min_value=0.0,
                    max_value=1.0,
                    format="%.5f",
                    required=True,
                    help=explained_word("read_std"),
                ),
                "shot_gain": st.column_config.NumberColumn(
                    min_value=0.0,
                    max_value=1.0,
                    format="%.6f",
                    required=True,
                    help=explained_word("shot_gain"),
                ),
            },
        )
        shown = channels[0]
        if len(channels) > 1:
            shown = st.segmented_control(
                "Plot",
                channels,
                format_func=CHANNELS.__getitem__,
                required=True,
                **control(OWN_PLOT),
            )
    noises = {
        channel: NoiseModel(float(row["read_std"]), float(row["shot_gain"]))
        for channel, row in zip(channels, rows, strict=True)
    }
    fit = burst.fits[shown]
    with left:
        if isinstance(fit, NoiseFit):
            assumed = noises[shown]
            lines = {
                "estimate": (fit.noise.read_std, fit.noise.shot_gain),
                "assumed": (assumed.read_std, assumed.shot_gain),
            }
            elements.chart(figures.noise_fit(fit.means, fit.variances, fit.used, lines), "own_noise_fit")
            st.caption(
                f"An estimate from {int(fit.used.sum())} patches of 8×8 pixels over {fit.frames} aligned frames "
                f"({CHANNELS[shown]}): read_std {fit.noise.read_std:.5f}, shot_gain {fit.noise.shot_gain:.6f}."
            )
            if caution := fit.caution:
                st.warning(caution)
        else:
            st.info(f"There is no estimate. {plain(fit[0].upper() + fit[1:], 400)}.")
    return noises


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
                lambda share: bar.progress(
                    share, f"Denoising with {markdown_title(method)}: {percent(share)}"
                ),
            )
            st.rerun()

        return make
    if denoised is None:
        st.caption("Large pictures are done in tiles, with progress; it can be canceled.")
        return None
    layers, png, one_shade = denoised
    if one_shade:
        st.warning(
            f"{one_shade}: if it should not be, say which numbers are black and white, under *What the numbers mean*."
        )
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
    st.download_button(
        "Download 16-bit PNG", png, "denoised.png", "image/png", icon=":material/download:", on_click="ignore"
    )
    return None


def part(stack: FrameStack) -> tuple[tuple[int, int, int], int]:
    """Draw the choice of what is in the lens: a square part, (top, left, side), of a channel."""
    st.subheader("In the lens", anchor=False)
    state, lengths = st.session_state, (stack.height, stack.width)
    side = st.segmented_control("Pixels a side", SIDES, required=True, **control(OWN_SIDE))
    side = min(side, *lengths)
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
    channel, channels = GRAY, channels_of(stack)
    if len(channels) > 1:
        channel = st.segmented_control(
            "Channel", channels, format_func=CHANNELS.__getitem__, required=True, **control(OWN_CHANNEL)
        )
    return (state[OWN_TOP], state[OWN_LEFT], side), channel


def lens(
    burst: Upload,
    methods: tuple[str, ...],
    noise: NoiseModel,
    channel: int,
    crop: tuple[int, int, int],
    waiting: DeltaGenerator,
) -> None:
    kept = upload.kept_payload(burst, methods, channel, noise, crop)
    with elements.awaited(kept is not None, "Denoising …") as place:
        waiting.empty()
        payload = kept or upload.lens_payload(burst, methods, channel, noise, crop)
        with place():
            pixel = kernel_lens(payload, key=OWN_LENS, pixel=OWN_PIXEL, display=OWN_DISPLAY)
            look_further(burst, methods, noise, channel, crop, payload, pixel)


def look_further(
    burst: Upload,
    methods: tuple[str, ...],
    noise: NoiseModel,
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
        burst, method, channel, noise, crop,
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
    whole = len(found[0][0])
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


begin(
    "What does it do with your photos?",
    "**Drop a burst**: photos of one scene taken one after the other. They are aligned, their noise is "
    "measured from what differs between them, and a network denoises them, at any size. They stay on the "
    "server, for you alone, and are deleted when your session ends.",
)
files = uploads()
problem, bar = st.container(), st.empty()
above, stage, whole, below = (st.container() for _ in range(4))
with stage:
    waiting = st.empty()
    # Once the lens is on the page, it stays there until it is known what it shows next.
    if OWN_LENS not in st.session_state:
        with waiting:
            elements.skeleton("Denoising …")

try:
    burst = upload.current(files, bar.progress)
    bar.empty()
    with st.sidebar:
        methods = tuple(
            st.multiselect(
                "Methods",
                available(),
                format_func=title_of,
                max_selections=3,
                select_all=False,
                **control(OWN_METHODS),
            )
        )
        tips_aside()
        line_of_terms(words_in(title_of(name) for name in available() if own(name) is None))
        crop, channel = part(burst.own.stack)
    with above:
        whose(methods)
    burst = upload.for_methods(burst, methods)
    with below:
        frames_of(burst)
        noises = noise_of(burst)
    make = None
    if methods:
        with whole:
            make = denoised_picture(burst, methods[-1], noises, crop)
    with stage:
        if methods:
            lens(burst, methods, noises[channel], channel, crop, waiting)
        else:
            waiting.info("Choose a method in the sidebar.")
    if make is not None:
        make()
except (ValueError, OSError) as error:
    bar.empty()
    waiting.empty()
    with problem:
        elements.failure(error)
