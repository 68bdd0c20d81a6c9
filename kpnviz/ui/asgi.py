"""The app as it is served: Streamlit's pages, what their lenses fetch, and what visitors may upload."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse
from starlette.routing import BaseRoute, Route
from streamlit.file_util import get_static_dir
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.session_manager import SessionInfo, SessionStorage
from streamlit.web.cache_storage_manager_config import create_default_cache_storage_manager

from kpnviz.paths import ROOT
from kpnviz.ui import parcels, warm_up
from kpnviz.ui.uploads import UploadGate, Uploads

_log = logging.getLogger(__name__)

_PATIENCE = 5.0  # seconds; for what a first start compiles one waits on a page with its frames
_UNTIL_IT_ANSWERS = 0.5  # seconds from here
FIRST_PAGE = "explore"  # of PAGES in ui/page.py, which takes long to import
_CLEAN_EVERY = 10.0  # seconds


class ClosedSessions(SessionStorage):
    """Sessions whose tab was closed, for as long as it may come back; then they end, and what they hold goes.

    Streamlit's own storage looks at the clock when another tab is closed, and a session ends there when Python happens
    to collect it.
    """

    def __init__(self, seconds: float, most: int = 128, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._kept: dict[str, tuple[float, SessionInfo]] = {}  # in the order in which they end

    def get(self, session_id: str) -> SessionInfo | None:
        self.end_old_ones()
        return self._kept[session_id][1] if session_id in self._kept else None

    def save(self, session_info: SessionInfo) -> None:
        self.delete(session_info.session.id)
        self._kept[session_info.session.id] = self._clock() + self._seconds, session_info
        self.end_old_ones()

    def delete(self, session_id: str) -> None:
        self._kept.pop(session_id, None)

    def list(self) -> list[SessionInfo]:
        return [info for _, info in self._kept.values()]

    def end_old_ones(self) -> bool:
        """End those whose time is over, and the oldest of too many: whether there was one."""
        over = [
            session_id
            for place, (session_id, (until, _)) in enumerate(self._kept.items())
            if until <= self._clock() or place < len(self._kept) - self._most
        ]
        for session_id in over:
            try:
                self._kept.pop(session_id)[1].session.shutdown()
            except Exception:  # the other sessions end all the same
                _log.exception("A closed session did not end cleanly")
        return bool(over)


def create_runtime() -> Runtime:
    """Streamlit's runtime with our own keeping of uploads and of closed sessions."""
    return Runtime(
        RuntimeConfig(
            script_path=str(ROOT / "app.py"),
            media_file_storage=MemoryMediaFileStorage("/media"),
            uploaded_file_manager=uploads,
            cache_storage_manager=create_default_cache_storage_manager(),
            session_storage=closed_sessions,
        )
    )


async def clean() -> None:
    """Let go, again and again, what is over."""
    while True:
        await asyncio.sleep(_CLEAN_EVERY)
        try:
            uploads.let_old_ones_go()
            if closed_sessions.end_old_ones():
                gc.collect()  # their bursts and pictures
        except Exception:  # one failure must not end the cleaning
            _log.exception("Cleaning failed; it is tried again in %g s", _CLEAN_EVERY)


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
    cleaning = asyncio.create_task(clean())
    yield
    cleaning.cancel()
    with suppress(asyncio.CancelledError):
        await cleaning


def pages(base: str) -> Sequence[BaseRoute]:
    """The app's pages at addresses of their own, which say where the server is.

    Streamlit's script asks for it beside the page's address else, at /noise/_stcore/health, where there is nothing.
    The first page's address is that of the app: Streamlit would call its name, /explore, a page that was not found.
    """
    prefix = f"/{base.strip('/')}".rstrip("/")
    where = f"<script>window.__streamlit = {{BACKEND_BASE_URL: location.origin + {json.dumps(prefix + '/')}}}</script>"
    html = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")

    async def answer(_: Request) -> HTMLResponse:
        return HTMLResponse(
            html.replace("<head>", "<head>" + where, 1), headers={"Cache-Control": "no-cache"}
        )

    async def go_to_start(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{prefix}/{'?' if request.url.query else ''}{request.url.query}")

    names = sorted(file.stem for file in (ROOT / "app_pages").glob("*.py"))
    return [Route(f"{prefix}/{name}", go_to_start if name == FIRST_PAGE else answer) for name in names]


_BASE = st.get_option("server.baseUrlPath")
uploads = Uploads()
closed_sessions = ClosedSessions(st.get_option("server.disconnectedSessionTTL"))
app = st.App(
    ROOT / "app.py",
    routes=[*parcels.routes(_BASE), *pages(_BASE)],
    lifespan=come_up,
    middleware=[Middleware(UploadGate, uploads=uploads, base=_BASE)],
)
# `streamlit run` reads this file to find an st.App, and would not see one in a class of our own.
app._create_runtime = create_runtime  # type: ignore[method-assign]
