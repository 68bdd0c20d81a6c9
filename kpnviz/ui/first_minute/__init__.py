"""The name in the corner of every page; it opens the guided scene (kpnviz/lens/scene), what the papers say in a minute.

The scene opens by itself for who opens the app's own address, as long as this browser has not shown it before; a link
leads straight to what it holds. Nothing is computed or sent before it opens: then the browser fetches its parts, which
a background task computes once for all sessions.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.burst import Burst
from kpnviz.denoise import Estimate
from kpnviz.lens.payload import with_header
from kpnviz.lens.scene import PARTS, pack_part, scene
from kpnviz.serving import payloads, work
from kpnviz.serving.background import BackgroundTasks, Turn
from kpnviz.ui.choices import PAGES
from kpnviz.ui.component import component
from kpnviz.ui.link import page_at
from kpnviz.ui.methods import available, denoiser
from kpnviz.ui.state import FIRST_MINUTE, OPENED_PLAIN, SCENE_BY_MESSAGE

_FOLDER = Path(__file__).parent
_CACHE_BYTES = 32 * 2**20  # more than all parts


@st.cache_resource(show_spinner=False)
def _tasks() -> BackgroundTasks:
    return BackgroundTasks("guided-scene", _CACHE_BYTES)


def _compute(part: str, turn: Turn) -> bytes:
    def denoise(method: str, burst: Burst, noise_scale: float) -> Estimate:
        network = denoiser(method)
        with turn():
            work.share_cores()
            return network(burst, noise_scale)

    return pack_part(part, denoise)


def first_minute() -> None:
    """Draw the name, and have the scene ready to be opened; nothing where its networks are not."""
    if not set(scene()["networks"].values()) <= set(available()):
        return
    state = st.session_state
    addresses = {
        part: payloads.offer(f"scene {part}", partial(_tasks().request, part, partial(_compute, part)))
        for part in PARTS
    }
    header: dict[str, Any] = {
        "opens": bool(state.get(OPENED_PLAIN)) and page_at(st.context.url) == next(iter(PAGES)),
        "addresses": addresses if all(addresses.values()) else None,
        "lengths": [],
    }
    contents: list[bytes] = []
    if state.get(SCENE_BY_MESSAGE):
        contents = [_tasks().wait(part, partial(_compute, part)) for part in PARTS]
        header["lengths"] = [len(content) for content in contents]
    component(_FOLDER, "host")(
        data=with_header(header, *contents), key=FIRST_MINUTE, on_refused_change=_send_messages
    )


def _send_messages() -> None:
    """This session's browser cannot fetch the scene's parts."""
    st.session_state[SCENE_BY_MESSAGE] = True
