"""The assumed noise as a slider in the lens: what a burst gives with 1/4 to 4 times its noise, in the background.

Once a burst has been on the page for a moment, the lens fetches the payloads of the methods one after the other
(serving/payloads.py). A background task (serving/background.py) computes them while no visitor waits for a network. The
lens interpolates between them (lens.payload.pack_assumed). Where payloads cannot be fetched, it has no such slider, nor
where another method than a network is shown: how long that takes is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from kpnviz.burst import Burst, BurstRecipe
from kpnviz.denoise import Denoiser
from kpnviz.lens.payload import MAX_BYTES, burst_id, pack_assumed
from kpnviz.limits import Limits
from kpnviz.serving import payloads, work
from kpnviz.serving.background import BackgroundTasks, Turn
from kpnviz.ui import cache
from kpnviz.ui.methods import config, denoiser
from kpnviz.ui.state import BY_MESSAGE

SCALES = tuple(scale for scale in cache.SHOWN_SCALES if scale != 1)
"""Of the assumed noise, beside the true one."""

_SHARE = 1 / 4  # of the bytes that the app may cache, for payloads

Key = tuple[BurstRecipe, str]


@st.cache_resource(show_spinner=False)
def _tasks() -> BackgroundTasks:
    most = max(MAX_BYTES + 2**20, int(_SHARE * Limits.from_environment().cache_bytes))
    return BackgroundTasks("assumed-noise", most)


def _task(recipe: BurstRecipe, method: str) -> tuple[Key, Callable[[Turn], bytes]]:
    """Key and task that give the payload of a method."""
    return (recipe, method), partial(_payload, cache.burst_of(recipe), denoiser(method))


def _payload(burst: Burst, network: Denoiser, turn: Turn) -> bytes:
    estimates = []
    for scale in SCALES:
        with turn():
            work.share_cores()
            estimates.append(network(burst, scale))
    return pack_assumed(burst, SCALES, estimates)


def assumed_payloads(recipe: BurstRecipe, methods: tuple[str, ...], most: int) -> dict[str, bytes]:
    """Of each method, what the slider needs, computed now if it was not. {} where all are more than `most` bytes."""
    if not all(map(config, methods)):
        return {}
    size = 0
    for estimate in cache.estimates(recipe, methods):
        factors = 0 if estimate.kernels is None else estimate.kernels.factors.numel()
        # float32 and float16, as pack_assumed has them
        size += len(SCALES) * (4 * estimate.image.size + 2 * factors)
    return {} if size > most else {method: _tasks().wait(*_task(recipe, method)) for method in methods}


def offered(recipe: BurstRecipe, methods: Sequence[str]) -> dict[str, Any] | None:
    """Where the lens fetches what a recipe's burst gives with other assumed noise; None where it has to do without."""
    if st.session_state.get(BY_MESSAGE) or not all(map(config, methods)):
        return None
    burst = burst_id(cache.burst_of(recipe))
    addresses = {
        method: payloads.offer(f"{burst} {method}", partial(_tasks().request, *_task(recipe, method)))
        for method in methods
    }
    return {"burst": burst, "addresses": addresses} if all(addresses.values()) else None
