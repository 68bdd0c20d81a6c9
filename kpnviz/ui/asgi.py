"""The app as an ASGI application: Streamlit's pages, what their lenses fetch, and what visitors may upload."""

from __future__ import annotations

from functools import partial

import streamlit as st
from starlette.middleware import Middleware

from kpnviz.lens.scene import scene
from kpnviz.paths import PACKAGE, ROOT
from kpnviz.serving import payloads, tiles
from kpnviz.serving.asgi import Card, ClosedSessions, create_runtime, lifespan, page_routes
from kpnviz.serving.uploads import UploadGate, Uploads
from kpnviz.ui import engine, whole_picture
from kpnviz.ui.server import FIRST_PAGE, prepare

_SCRIPT = ROOT / "app.py"
_BASE = st.get_option("server.baseUrlPath")
_PAGES = sorted(file.stem for file in (ROOT / "app_pages").glob("*.py"))
_CARD = Card(
    "kpnviz: see inside kernel prediction networks", scene()["sentence"], PACKAGE / "ui" / "card.png"
)

uploads = Uploads()
closed_sessions = ClosedSessions(st.get_option("server.disconnectedSessionTTL"))
app = st.App(
    _SCRIPT,
    routes=[
        *payloads.routes(_BASE),
        *tiles.routes(_BASE),
        *whole_picture.routes(_BASE),
        *engine.routes(_BASE),
        *page_routes(_PAGES, FIRST_PAGE, _BASE, _CARD),
    ],
    lifespan=lifespan(prepare, uploads, closed_sessions),
    middleware=[Middleware(UploadGate, uploads=uploads, base=_BASE)],
)
# `streamlit run` looks for a call of st.App in this file: a subclass would not be found.
app._create_runtime = partial(create_runtime, _SCRIPT, uploads, closed_sessions)  # type: ignore[method-assign]
