"""The app as it is served: Streamlit's pages, and what their lenses fetch."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import streamlit as st

from kpnviz.paths import ROOT
from kpnviz.ui import parcels

_UNTIL_IT_ANSWERS = 0.5  # seconds from here


@asynccontextmanager
async def open_browser(_: object) -> AsyncIterator[None]:
    """Show the app in a browser, as `streamlit run app.py` does; it leaves that to an application like this one."""
    if not st.get_option("server.headless"):
        scheme = "https" if st.get_option("server.sslCertFile") else "http"
        host, port = st.get_option("server.address") or "localhost", st.get_option("server.port")
        address = f"{scheme}://{host}:{port}/{st.get_option('server.baseUrlPath').strip('/')}"
        loop = asyncio.get_running_loop()
        loop.call_later(_UNTIL_IT_ANSWERS, lambda: loop.run_in_executor(None, webbrowser.open, address))
    yield


app = st.App(
    ROOT / "app.py", routes=parcels.routes(st.get_option("server.baseUrlPath")), lifespan=open_browser
)
