"""The kernel lens (kpnviz/lens) as a component of Streamlit's, components v2.

What is sent is an order, in the way of the payload's header: the pinned pixel and the options of display where Python
set them (a link, a preset, another page), with a number that tells the browser whether it has followed it already; the
lens' name; the address of the payload (serving/payloads.py), or null: then it follows; and the addresses of results
with other assumed noise. Only a pinned pixel and the options of display come back, once they rest, with the number of
the order that the lens had followed by then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.lens.linker import linked
from kpnviz.lens.payload import DISPLAY, Pixel, read_header, with_header
from kpnviz.serving import payloads
from kpnviz.ui.state import BY_MESSAGE, LENS_DISPLAY, PIXEL, lens_order, lens_seen


@cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "kpnviz.kernel_lens", html='<div class="place"></div>', js=linked(Path(__file__).parent / "host.js")
    )


def kernel_lens(
    payload: bytes,
    key: str,
    pixel: str = PIXEL,
    display: str = LENS_DISPLAY,
    on_pin: Callable[[], None] | None = None,
    assumed: dict[str, Any] | None = None,
    share: float | None = None,
) -> Pixel | None:
    """Show a payload. Returns the pinned pixel (y, x), or None: nothing is pinned.

    `pixel` and `display` name what st.session_state knows of it: the pinned pixel and the options that are not as in
    DISPLAY. The lens follows when they are set elsewhere, and keeps them up when a person changes them. `on_pin` is
    called after a person pinned a pixel, or let it go. `assumed` is what assumed_noise.offered gives: with it the lens
    has a slider of the assumed noise. `share`: how much of the window's height it takes; None: what there is.
    """
    state = st.session_state
    told, seen = lens_order(key), lens_seen(key)

    def note(report: dict[str, Any]) -> None:
        # Of a lens that had not heard of the last order: what a person chose is newer, and the lens is told so.
        heard = report.get("order") == state[told]["number"]
        state[seen] = (state[pixel], state[display]) if heard else None

    # Both may come after the lens' page was left: then its key is gone, and with it what was said.
    def take_pinned() -> None:
        if key not in state:
            return
        report = state[key]["pinned"] or {}
        at = report.get("at")
        state[pixel] = None if at is None else (int(at[0]), int(at[1]))
        note(report)
        if on_pin is not None:
            on_pin()

    def take_display() -> None:
        if key not in state:
            return
        report = state[key]["display"]
        state[display] = {name: value for name, value in report.items() if name in DISPLAY}
        note(report)

    state.setdefault(pixel, None)
    state.setdefault(display, {})
    now = (state[pixel], state[display])
    order = state.get(told, {"number": 0})
    wanted = {"pinned": state[pixel], "display": DISPLAY | state[display]}
    # A new lens is told all. One that knows it is not told again: what a person has just chosen would be undone.
    new_lens = key not in state and order != order | wanted
    if new_lens or state.get(seen) != now:  # or set elsewhere
        state[told] = {"number": order["number"] + 1, **wanted}
        state[seen] = now
    identity = read_header(payload)[0]["id"]
    address = None if state.get(BY_MESSAGE) else payloads.offer(identity, payload)
    fetched = address and {"address": address, "id": identity}
    header = state[told] | {
        "lens": key,
        "payload": fetched,
        "assumed": assumed if fetched else None,
        "share": share,
    }
    _component()(
        data=with_header(header, b"" if fetched else payload),
        key=key,
        on_pinned_change=take_pinned,
        on_display_change=take_display,
        on_refused_change=_send_messages,
    )
    return state[pixel]


def _send_messages() -> None:
    """This session's browser cannot fetch payloads."""
    st.session_state[BY_MESSAGE] = True
