"""The app as it is served: Streamlit's pages, and what their lenses fetch."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from kpnviz.paths import ROOT
from kpnviz.ui import parcels, warm_up

_PATIENCE = 5.0  # seconds; for what a first start compiles one waits on a page with its frames
_UNTIL_IT_ANSWERS = 0.5  # seconds from here


@asynccontextmanager
async def come_up(_: object) -> AsyncIterator[None]:
    """Let visitors in once all is warm; and show the app in a browser, which Streamlit leaves to an app with routes."""
    await asyncio.get_running_loop().run_in_executor(None, warm_up.begin().join, _PATIENCE)
    if not st.get_option("server.headless"):
        scheme = "https" if st.get_option("server.sslCertFile") else "http"
        host, port = st.get_option("server.address"), st.get_option("server.port")
        if host in (None, "", "0.0.0.0", "::"):  # every address of this machine, which is no address to go to
            host = "localhost"
        host = f"[{host}]" if ":" in host else host
        address = f"{scheme}://{host}:{port}/{st.get_option('server.baseUrlPath').strip('/')}"
        loop = asyncio.get_running_loop()
        loop.call_later(_UNTIL_IT_ANSWERS, lambda: loop.run_in_executor(None, webbrowser.open, address))
    yield


app = st.App(ROOT / "app.py", routes=parcels.routes(st.get_option("server.baseUrlPath")), lifespan=come_up)
