"""The methods that pages offer: networks that are trained here, those of one's own that the command line named, and to
compare with them a few ways to denoise without a network."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import streamlit as st

from kpnviz import methods
from kpnviz.burst import Burst
from kpnviz.denoise import Denoiser, Estimate, load
from kpnviz.evaluation import baselines
from kpnviz.methods import MethodError
from kpnviz.methods.isolated import IsolatedMethod
from kpnviz.methods.offered import offered
from kpnviz.models import checkpoints
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.zoo import OWN_TITLES, ZOO
from kpnviz.serving import work
from kpnviz.ui.elements import plain

GRACE = 2.0
"""Seconds that a method of one's own has to finish a burst that nobody wants any more; then its process is ended, and
the next burst waits until a new one has loaded it."""


CLASSICAL = ("nlm", "wiener-merge")
"""Of evaluation.baselines: the two that are best somewhere."""
OWN_TITLES.update({name: baselines.short_title_of(name) for name in CLASSICAL})  # as the lens writes them


def available() -> tuple[str, ...]:
    """Names of methods: networks in the order of the zoo, then those of one's own."""
    return (*checkpoints.available(), *offered())


def offered_names() -> tuple[str, ...]:
    """The same, with CLASSICAL behind the networks."""
    return (*checkpoints.available(), *CLASSICAL, *offered())


def method_title(name: str) -> str:
    """How a method is written."""
    return baselines.short_title_of(name)


def markdown_title(name: str) -> str:
    """How a method is written in Markdown: people choose the titles of their own ones."""
    return plain(method_title(name)) if name in offered() else method_title(name)


def config(name: str) -> ModelConfig | None:
    """The config of a network; None for all other methods."""
    return None if name in CLASSICAL or own(name) is not None else denoiser(name).network.config


def own(name: str) -> IsolatedMethod | None:
    """A method of one's own; None: it is a network."""
    return offered().get(name)


@st.cache_resource(max_entries=len(ZOO), show_spinner=False)
def denoiser(name: str) -> Denoiser:
    """A network, ready for bursts."""
    return load(name)


def frames_of(name: str) -> frozenset[int] | None:
    """The numbers of frames that a method takes; None: any."""
    method = own(name)
    if method is not None:
        return method.frames
    if name in CLASSICAL:
        return None
    frames = denoiser(name).frames
    return None if frames is None else frozenset((frames,))


def takes(name: str, frames: int) -> bool:
    """Whether a method denoises bursts of so many frames. (A network that cannot be read says so where it is used.)"""
    try:
        return name in CLASSICAL or (own(name) or denoiser(name)).takes(frames)
    except ValueError:
        return True


def denoise(name: str, burst: Burst, noise_scale: float = 1.0, keep_kernels: bool = True) -> Estimate:
    """Run a method on a burst that is said to have `noise_scale` times its noise.

    A network runs when it is this session's turn, a method of one's own in its own process, while others have theirs.
    MethodError, a sentence, for what goes wrong in that; what it raised stands in the server's terminal.
    """
    method = own(name)
    if name in CLASSICAL:
        with work.turn():
            return methods.as_method(name, baselines.BASELINES[name])(told_noise(burst, noise_scale))
    if method is None:
        network = denoiser(name)
        with work.turn():
            work.share_cores()
            return network(burst, noise_scale, keep_kernels)
    told = told_noise(burst, noise_scale)
    outcome: Estimate | MethodError
    with work.turns.aside():
        try:
            outcome = method(told, _wanted_after_grace())
        except MethodError as error:
            outcome = error
    if isinstance(outcome, MethodError):
        raise outcome
    return outcome


def told_noise(burst: Burst, scale: float) -> Burst:
    """The burst with another noise model than the true one: the standard deviation times `scale`."""
    if scale == 1 or burst.noise is None:
        return burst
    noises = [noise.scaled(scale) for noise in burst.channel_noises("a method")]
    return dataclasses.replace(burst, noise=noises[0] if burst.channels is None else tuple(noises))


def _wanted_after_grace() -> Callable[[], None]:
    """What a method of one's own calls while it runs: it ends the script if nobody wants it, though not at once."""
    begun = time.monotonic()

    def wanted() -> None:
        if work.has_session() and time.monotonic() - begun > GRACE:
            work.still_wanted()

    return wanted
