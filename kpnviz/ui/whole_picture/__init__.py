"""A picture of any size, before and after, as a component of Streamlit's: an edge is dragged, tiles come as one looks.

OpenSeadragon draws the tiles and understands mouse, fingers and keys. It lies here as it was published (version 6.1.1,
BSD-3-Clause, openseadragon.LICENSE.txt), so that the app needs no other server.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from kpnviz.serving.tiles import SIDE, Layers
from kpnviz.ui.component import component

_FOLDER = Path(__file__).parent
_SCRIPT = "openseadragon.min.js"


def routes(base: str) -> list[Route]:
    """The route of OpenSeadragon; `base` is the path of the app, or ""."""

    async def answer(_: Request) -> FileResponse:
        return FileResponse(
            _FOLDER / _SCRIPT, media_type="text/javascript", headers={"Cache-Control": "max-age=86400"}
        )

    return [Route(f"/{base.strip('/')}".rstrip("/") + f"/{_SCRIPT}", answer)]


def whole_picture(
    layers: Layers,
    names: tuple[str, str],
    part: tuple[int, int, int],
    key: str,
    on_look: Callable[[tuple[int, int]], None],
) -> None:
    """Show the layers `before` and `after`, which have an address.

    names    of both, for people
    part     (top, left, side) of what the lens shows: it is framed
    on_look  called with the pixel (y, x) that a person clicked at, before the page runs again
    """
    after = layers["after"]

    def looked() -> None:
        at = (st.session_state.get(key) or {}).get("looked")
        if isinstance(at, list) and len(at) == 2:
            on_look((int(at[0]), int(at[1])))

    component(_FOLDER, "viewer")(
        data={
            "address": layers.address,
            "script": _SCRIPT,
            "side": SIDE,
            "levels": len(after.levels),
            "height": after.height,
            "width": after.width,
            "names": list(names),
            "part": list(part),
        },
        key=key,
        on_looked_change=looked,
    )
