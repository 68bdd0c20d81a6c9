"""The parts of the app's server that are not Streamlit's own: closed sessions, uploads, start, addresses of pages."""

from __future__ import annotations

import asyncio
import gc
import html
import json
import logging
import time
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from streamlit.file_util import get_static_dir
from streamlit.runtime import Runtime, RuntimeConfig
from streamlit.runtime.memory_media_file_storage import MemoryMediaFileStorage
from streamlit.runtime.session_manager import SessionInfo, SessionStorage
from streamlit.web.cache_storage_manager_config import create_default_cache_storage_manager

from kpnviz.serving import warm_up
from kpnviz.serving.uploads import Uploads

_log = logging.getLogger(__name__)

_MAX_WARM_UP = (
    5.0  # seconds; a first start compiles for longer, and then one waits on a page that shows its frames
)
_BROWSER_AFTER = 0.5  # seconds until the server answers
_CLEAN_EVERY = 10.0  # seconds

HISTORY = (Path(__file__).parent / "history.js").read_text(encoding="utf-8")
"""Script of every page: what runs of the app may write to the browser's history."""


class ClosedSessions(SessionStorage):
    """Sessions whose tab was closed, for as long as it may come back; then they end, and their memory is freed.

    Streamlit's own storage looks at the clock only when another tab is closed, and a session ends there only when its
    object happens to be collected.
    """

    def __init__(
        self, seconds: float, max_sessions: int = 128, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._max_sessions, self._clock = seconds, max_sessions, clock
        self._closed: dict[str, tuple[float, SessionInfo]] = {}  # in the order in which they end

    def get(self, session_id: str) -> SessionInfo | None:
        self.end_old_ones()
        return self._closed[session_id][1] if session_id in self._closed else None

    def save(self, session_info: SessionInfo) -> None:
        self.delete(session_info.session.id)
        self._closed[session_info.session.id] = self._clock() + self._seconds, session_info
        self.end_old_ones()

    def delete(self, session_id: str) -> None:
        self._closed.pop(session_id, None)

    def list(self) -> list[SessionInfo]:
        return [info for _, info in self._closed.values()]

    def end_old_ones(self) -> bool:
        """End those whose time is over, and the oldest of too many. Returns whether there was one."""
        over = [
            session_id
            for i, (session_id, (until, _)) in enumerate(self._closed.items())
            if until <= self._clock() or i < len(self._closed) - self._max_sessions
        ]
        for session_id in over:
            try:
                self._closed.pop(session_id)[1].session.shutdown()
            except Exception:  # the others are to end all the same
                _log.exception("A closed session did not end cleanly")
        return bool(over)


def create_runtime(script: Path, uploads: Uploads, closed_sessions: ClosedSessions) -> Runtime:
    """Streamlit's runtime of a script, with our own storage of uploads and of closed sessions."""
    return Runtime(
        RuntimeConfig(
            script_path=str(script),
            media_file_storage=MemoryMediaFileStorage("/media"),
            uploaded_file_manager=uploads,
            cache_storage_manager=create_default_cache_storage_manager(),
            session_storage=closed_sessions,
        )
    )


def lifespan(
    prepare: Callable[[], object], uploads: Uploads, closed_sessions: ClosedSessions
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """What the server does from its start to its end.

    It lets visitors in once `prepare` has returned (warm_up.py), opens a browser, which Streamlit leaves to an app with
    routes of its own, and frees what is over again and again.
    """

    @asynccontextmanager
    async def run(_: object) -> AsyncIterator[None]:
        await asyncio.get_running_loop().run_in_executor(None, warm_up.begin(prepare).join, _MAX_WARM_UP)
        if not st.get_option("server.headless"):
            loop = asyncio.get_running_loop()
            loop.call_later(
                _BROWSER_AFTER, lambda: loop.run_in_executor(None, webbrowser.open, _own_address())
            )
        cleaning = asyncio.create_task(_clean(uploads, closed_sessions))
        yield
        cleaning.cancel()
        with suppress(asyncio.CancelledError):
            await cleaning

    return run


def _own_address() -> str:
    """The app's address for a browser on this machine."""
    scheme = "https" if st.get_option("server.sslCertFile") else "http"
    host, port = st.get_option("server.address"), st.get_option("server.port")
    if host in (None, "", "0.0.0.0", "::"):  # it listens on every address, and these name none
        host = "localhost"
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}:{port}/{st.get_option('server.baseUrlPath').strip('/')}"


async def _clean(uploads: Uploads, closed_sessions: ClosedSessions) -> None:
    while True:
        await asyncio.sleep(_CLEAN_EVERY)
        try:
            uploads.drop_old()
            if closed_sessions.end_old_ones():
                gc.collect()  # their bursts and pictures
        except Exception:  # one failure must not end the cleaning
            _log.exception("Cleaning failed; it is tried again in %g s", _CLEAN_EVERY)


@dataclass(frozen=True)
class Card:
    """What a link to the app shows where it is shared (Open Graph): a title, a sentence and a picture, 1200x630."""

    title: str
    description: str
    picture: Path


def page_routes(names: Sequence[str], first: str, base: str, card: Card | None = None) -> Sequence[BaseRoute]:
    """Addresses of the app's pages, at each of which Streamlit's script is told where the server is.

    It would look for the server beside the page's address, at /noise/_stcore/health, where there is nothing. The first
    page has the app's own address: Streamlit would say of its name that this page was not found. With a `card`, all
    pages, the first one too, have what is shown where a link to them is shared. history.js keeps what a person may go
    back and forward to.
    """
    prefix = f"/{base.strip('/')}".rstrip("/")
    where = f"<script>window.__streamlit = {{BACKEND_BASE_URL: location.origin + {json.dumps(prefix + '/')}}}</script>"
    where += f"<script>{HISTORY}</script>"
    page = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")

    async def answer(request: Request) -> HTMLResponse:
        head = where if card is None else where + _tags(card, f"{request.base_url}".rstrip("/") + prefix)
        return HTMLResponse(page.replace("<head>", "<head>" + head, 1), headers={"Cache-Control": "no-cache"})

    async def go_to_start(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{prefix}/{'?' if request.url.query else ''}{request.url.query}")

    routes = [Route(f"{prefix}/{name}", go_to_start if name == first else answer) for name in names]
    if card is not None:
        picture = card.picture

        async def show_picture(_: Request) -> Response:
            return FileResponse(picture, headers={"Cache-Control": "max-age=86400"})

        routes += [Route(f"{prefix}/", answer), Route(f"{prefix}/{picture.name}", show_picture)]
    return routes


def _tags(card: Card, address: str) -> str:
    """Open Graph's tags of a page; `address` is the app's, as the visitor's browser wrote it."""
    tags = {
        "og:type": "website",
        "og:title": card.title,
        "og:description": card.description,
        "og:image": f"{address}/{card.picture.name}",
        "og:image:width": "1200",
        "og:image:height": "630",
        "twitter:card": "summary_large_image",
    }
    return "".join(
        f'<meta property="{html.escape(name)}" content="{html.escape(content)}">'
        for name, content in tags.items()
    )
