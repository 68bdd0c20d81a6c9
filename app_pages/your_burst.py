"""Your burst: photos of one's own, aligned, their noise estimated, denoised, and looked into."""

import streamlit as st

from kpnviz.burst_files import GRAY, MAX_FRAMES
from kpnviz.checkpoints import available
from kpnviz.models.zoo import title_of
from kpnviz.noise import NoiseModel
from kpnviz.noise_estimation import NoiseFit
from kpnviz.pictures import Limits
from kpnviz.ui import upload
from kpnviz.ui.controls import default_methods
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.noise_plot import noise_plot
from kpnviz.ui.page import begin
from kpnviz.ui.upload import CHANNELS, Upload, channels_of

SIDES = (96, 128, 192, 256)


def frames_of(burst: Upload) -> None:
    own, stack = burst.own, burst.own.stack
    st.subheader(f"{len(stack)} frames of {stack.width} × {stack.height} pixels", anchor=False)
    st.markdown(own.report)
    for note in stack.notes:
        st.caption(note)
    with st.container(horizontal=True, gap="small"):
        for i, image in enumerate(burst.thumbnails):
            shift = own.shifts[i]
            moved = ", undone" if shift.applied else ""
            text = "**reference**" if i == own.reference else f"shift {shift.dy:+d}, {shift.dx:+d} px{moved}"
            unused = "" if i in own.order else " · not used"
            with st.container(width=150, gap="xxsmall"):
                st.image(image, width=150)
                st.caption(f"{stack.names[i]}  \n{text}{unused}")
    with st.expander("Alignment in numbers"):
        st.dataframe(
            [
                {
                    "frame": stack.names[i],
                    "used": i in own.order,
                    "dy, px": shift.dy,
                    "dx, px": shift.dx,
                    "undone": shift.applied,
                    "correlation": shift.correlation,
                    "sharpness": own.sharpness[i] / max(max(own.sharpness), 1e-12),
                }
                for i, shift in enumerate(own.shifts)
            ],
            hide_index=True,
            column_config={
                "correlation": st.column_config.NumberColumn(
                    format="%.2f", help="With the reference, aligned"
                ),
                "sharpness": st.column_config.NumberColumn(format="percent", help="Of the sharpest frame"),
            },
        )
        st.caption(
            "Whole-pixel shifts of each frame against the reference. Those beyond 2 pixels, a 5×5 kernel's reach, are "
            "undone before the network sees the frame; smaller ones are left to its kernels."
        )


def noise_of(burst: Upload) -> dict[int, NoiseModel]:
    """Plot and editor; the noise that the network is told, by channel."""
    st.subheader("Noise", anchor=False)
    with st.container(horizontal=True, gap="medium"):
        left, right = st.container(width=480), st.container(width=400)
    channels = channels_of(burst.own.stack)
    with right:
        st.markdown(
            "x ~ N(y, read_std² + shot_gain · y), white = 1. Edit what the network is told:",
            help="A network that is told more noise smooths more.",
        )
        rows = st.data_editor(
            upload.told_at_first(burst),
            key=f"own_noise_{hash(burst.ids)}",
            hide_index=True,
            disabled=["channel", "source"],
            column_config={
                "read_std": st.column_config.NumberColumn(
                    min_value=0.0, max_value=1.0, format="%.5f", required=True
                ),
                "shot_gain": st.column_config.NumberColumn(
                    min_value=0.0, max_value=1.0, format="%.6f", required=True
                ),
            },
        )
        shown = channels[0]
        if len(channels) > 1:
            shown = st.segmented_control(
                "Plot",
                channels,
                default=channels[0],
                format_func=CHANNELS.__getitem__,
                required=True,
                key="own_plot",
            )
    noises = {
        channel: NoiseModel(float(row["read_std"]), float(row["shot_gain"]))
        for channel, row in zip(channels, rows, strict=True)
    }
    fit = burst.fits[shown]
    with left:
        if isinstance(fit, NoiseFit):
            st.altair_chart(noise_plot(fit, noises[shown]))
            st.caption(
                f"An estimate from {int(fit.used.sum())} patches of 8×8 pixels over {fit.frames} aligned frames "
                f"({CHANNELS[shown]}): read_std {fit.noise.read_std:.5f}, shot_gain {fit.noise.shot_gain:.6f}."
            )
        else:
            st.info(f"There is no estimate. {fit[0].upper()}{fit[1:]}.")
    return noises


def whole_picture(burst: Upload, method: str, noises: dict[int, NoiseModel]) -> None:
    st.subheader("The whole picture", anchor=False)
    colour = False
    with st.container(horizontal=True, vertical_alignment="center"):
        go = st.button("Denoise", type="primary", icon=":material/auto_fix_high:", key="own_denoise")
        if burst.own.stack.channels == 3:
            colour = st.toggle(
                "In colour", value=True, key="own_colour", help="Each channel with its own noise."
            )
    result = upload.kept_picture(burst, method, noises, colour)
    if go and result is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            bar = st.progress(0.0, f"Denoising with {title_of(method)} …")
            # A click reruns the page, and the next report of progress ends this run.
            cancel = st.container(width="content")
            cancel.button("Cancel", key="own_cancel")
        result = upload.picture(
            burst,
            method,
            noises,
            colour,
            lambda share: bar.progress(share, f"Denoising with {title_of(method)}: {share:.0%}"),
        )
        st.rerun()
    if result is None:
        st.caption("Large pictures are done in tiles, with progress; it can be cancelled.")
        return
    preview, png = result
    with st.container(width=min(900, max(300, 2 * preview.shape[1]))):
        st.image(preview, caption=f"Denoised with {title_of(method)}", width="stretch")
    st.download_button(
        "Download 16-bit PNG", png, "denoised.png", "image/png", icon=":material/download:", on_click="ignore"
    )


def lens(burst: Upload, methods: tuple[str, ...], noises: dict[int, NoiseModel]) -> None:
    st.subheader("Inside: the kernels", anchor=False)
    stack = burst.own.stack
    with st.container(horizontal=True, vertical_alignment="bottom"):
        side = st.segmented_control("Pixels a side", SIDES, default=128, required=True, key="own_side")
        side = min(side, stack.height, stack.width)
        top, left = (stack.height - side) // 2, (stack.width - side) // 2
        with st.container(width=240):
            if stack.height > side:
                top = st.slider("Top, px", 0, stack.height - side, top, key=f"own_top_{side}")
        with st.container(width=240):
            if stack.width > side:
                left = st.slider("Left, px", 0, stack.width - side, left, key=f"own_left_{side}")
        channels = channels_of(stack)
        channel = GRAY
        if len(channels) > 1:
            channel = st.segmented_control(
                "Channel",
                channels,
                default=GRAY,
                format_func=CHANNELS.__getitem__,
                required=True,
                key="own_channel",
            )
    with st.spinner("Denoising …"):
        payload = upload.lens_payload(burst, methods, channel, noises[channel], (top, left, side))
    kernel_lens(payload, key="own_lens", pixel="own_pixel", display="own_display")


begin(
    "What does it do with your photos?",
    "Drop a burst: 2 to 32 photos of one scene taken one after the other. They are aligned, their noise is measured "
    "from what differs between them, and a network denoises them, at any size. They stay on this computer's server "
    "and go with your session.",
)
limits = Limits.from_environment()
files = st.file_uploader(
    "Frames",
    accept_multiple_files=True,
    key="own_files",
    label_visibility="collapsed",
    help=f"PNG, JPEG, TIFF, WebP, camera raw (DNG and others), a ZIP of them, or an NPZ of kpnviz; 2 to {MAX_FRAMES} "
    f"frames of up to {limits.pixels / 1e6:g} megapixels, {limits.total_bytes / 1e6:g} MB in all.",
)
st.caption(
    f"PNG, JPEG, TIFF, WebP, camera raw, ZIP or NPZ · up to {MAX_FRAMES} frames of {limits.pixels / 1e6:g} megapixels, "
    f"{limits.total_bytes / 1e6:g} MB in all"
)
example = st.toggle("Use an example burst", key="own_example") if not files else False

try:
    with st.spinner("Reading, aligning and measuring the noise …"):
        burst = upload.current(files or [], example)
    if burst is not None:
        names = available()
        with st.sidebar:
            methods = tuple(
                st.multiselect(
                    "Methods", names, default=default_methods()[-2:], format_func=title_of, max_selections=3,
                    key="own_methods",
                )
            )  # fmt: skip
        frames_of(burst)
        told = noise_of(burst)
        if not methods:
            st.info("Choose a method in the sidebar.")
        else:
            whole_picture(burst, methods[-1], told)
            lens(burst, methods, told)
except (ValueError, OSError) as error:
    st.error(f"{error}.")
