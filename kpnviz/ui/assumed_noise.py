"""The assumed noise as a slider in the lens: what a burst gives with 1/4 to 4 times its noise, in the background.

Once a burst has rested on the page the lens fetches what is missing (parcels.py), one method after the other; networks
run in a thread of their own, between those that a person waits for. The lens interpolates between the results
(lens.payload.pack_assumed). Where parcels are not served, it has no such slider.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import streamlit as st
from cachetools import LRUCache

from kpnviz.burst import Burst, BurstRecipe
from kpnviz.denoise import Denoiser
from kpnviz.lens.payload import MAX_BYTES, burst_id, pack_assumed
from kpnviz.limits import Limits
from kpnviz.ui import cache, parcels, work
from kpnviz.ui.parcels import GivenUpError
from kpnviz.ui.state import BY_MESSAGE

SCALES = tuple(scale for scale in cache.SHOWN_SCALES if scale != 1)
"""Of the assumed noise, beside the true one."""

_FORGOTTEN = 4.0  # seconds after which nobody asks for a burst any more
_SHARE = 1 / 4  # of what may be kept, for payloads

Key = tuple[BurstRecipe, str]


class _Payloads:
    """Payloads that are being made, or were: within so many bytes, shared by all sessions."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="assumed-noise")
        self._lock = threading.RLock()  # what is made before `order` has ended is kept by the same thread
        self._begun: dict[Key, Future[bytes]] = {}
        most = max(MAX_BYTES + 2**20, int(_SHARE * Limits.from_environment().cache_bytes))
        self._made: LRUCache[Key, Future[bytes]] = LRUCache(most, _size)
        self._asked: dict[Key, float] = {}

    def order(self, recipe: BurstRecipe, method: str) -> parcels.Order:
        """What gives the payload of a method, in the making; that is given up if it is not asked for again soon."""
        return partial(self._order, (recipe, method), cache.burst_of(recipe), cache.denoiser(method))

    def _order(self, key: Key, burst: Burst, network: Denoiser) -> Future[bytes]:
        with self._lock:
            if key in self._made:
                return self._made[key]
            self._asked[key] = time.monotonic()
            made = self._begun.get(key)
            if made is None:
                made = self._begun[key] = self._pool.submit(self._make, key, burst, network)
                made.add_done_callback(partial(self._keep, key))
        return made

    def wait(self, recipe: BurstRecipe, method: str) -> bytes:
        """The payload of a method, once it is made."""
        order = self.order(recipe, method)
        while True:
            try:
                return order().result(_FORGOTTEN / 4)
            except (TimeoutError, GivenUpError):
                continue  # still in the making, or begun for somebody who left: ask again

    def _make(self, key: Key, burst: Burst, network: Denoiser) -> bytes:
        def still_asked() -> None:
            if time.monotonic() - self._asked[key] > _FORGOTTEN:
                raise GivenUpError

        estimates = []
        for scale in SCALES:
            with work.turn(self, still_asked, background=True):
                work.share_cores()
                estimates.append(network(burst, scale))
        return pack_assumed(burst, SCALES, estimates)

    def _keep(self, key: Key, made: Future[bytes]) -> None:
        with self._lock:
            del self._begun[key], self._asked[key]
            if not isinstance(made.exception(), GivenUpError):
                self._made[key] = made


def _size(made: Future[bytes]) -> int:
    return 1000 if made.exception() else len(made.result())


@st.cache_resource(show_spinner=False)
def _payloads() -> _Payloads:
    return _Payloads()


def assumed_payloads(recipe: BurstRecipe, methods: Sequence[str], most: int) -> dict[str, bytes]:
    """Of each method, what the slider needs; made now where it was not yet. {} where all are more than `most` bytes."""
    size = 0
    for estimate in (cache.estimate(recipe, method) for method in methods):
        factors = 0 if estimate.kernels is None else estimate.kernels.factors.numel()
        size += len(SCALES) * (
            4 * estimate.image.size + 2 * factors
        )  # float32 and float16, as pack_assumed has them
    return {} if size > most else {method: _payloads().wait(recipe, method) for method in methods}


def offered(recipe: BurstRecipe, methods: Sequence[str]) -> dict[str, Any] | None:
    """Where the lens fetches what a recipe's burst gives with other assumed noise; None where it has to do without."""
    if st.session_state.get(BY_MESSAGE):
        return None
    burst = burst_id(cache.burst_of(recipe))
    addresses = {
        method: parcels.offer(f"{burst} {method}", _payloads().order(recipe, method)) for method in methods
    }
    return {"burst": burst, "parcels": addresses} if all(addresses.values()) else None
