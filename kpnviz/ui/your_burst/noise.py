"""The noise of a burst of one's own: its estimate as a figure, and the table of what is assumed."""

from __future__ import annotations

from typing import Any

import streamlit as st

from kpnviz import figures
from kpnviz.capture.noise_estimation import NoiseFit
from kpnviz.capture.own_burst import not_estimated
from kpnviz.lens.terms import explained_word
from kpnviz.noise import NoiseModel
from kpnviz.ui import elements, upload
from kpnviz.ui.elements import plain
from kpnviz.ui.parameters import OWN_PLOT
from kpnviz.ui.state import OWN_NOISE, OWN_NOISE_GIVEN, control, own_noise
from kpnviz.ui.upload import CHANNELS, Upload, channels_of


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
            column_order=["channel", "read_std", "shot_gain"],
            disabled=["channel"],
            column_config={
                name: st.column_config.NumberColumn(
                    min_value=0.0, max_value=1.0, format=form, required=True, help=explained_word(name)
                )
                for name, form in (("read_std", "%.5f"), ("shot_gain", "%.6f"))
            },
        )
        st.caption(_sources(rows))
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
            in_color = burst.own.about_correlation  # "" of files in gray
            for caution in filter(None, (fit.caution, _doubt(burst, shown, fit), in_color)):
                st.warning(caution)
        else:
            st.info(
                f"{plain(not_estimated(fit), 1000)} The table begins with a guess. If the picture is too smooth, "
                "assume less noise; if grain is left, more."
            )
    return noises


def _sources(rows: list[dict[str, Any]]) -> str:
    """Where the noise that the table begins with comes from; by channel, where that differs."""
    channels: dict[str, list[str]] = {}
    for row in rows:
        channels.setdefault(row["source"], []).append(row["channel"])
    if len(channels) == 1:
        return f"At first: {plain(next(iter(channels)))}."
    return (
        "At first: " + "; ".join(f"{', '.join(of)} {plain(source)}" for source, of in channels.items()) + "."
    )


def _doubt(burst: Upload, channel: int, fit: NoiseFit) -> str:
    """A sentence where the files state another noise than the burst shows."""
    stated = burst.own.stack.channel_noise(channel)
    return "" if stated is None else fit.doubt_of(stated, plain(burst.own.stack.noise_source))
