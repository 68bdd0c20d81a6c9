"""The server's start, the addresses of its pages, and sessions whose tab was closed."""

import asyncio
import gc
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.requests import Request
from streamlit.file_util import get_static_dir

from kpnviz.serving import asgi, warm_up


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    "headless, host, opened",
    [
        (False, None, ["http://localhost:8599/own"]),
        (False, "0.0.0.0", ["http://localhost:8599/own"]),
        (False, "127.0.0.1", ["http://127.0.0.1:8599/own"]),
        (False, "::1", ["http://[::1]:8599/own"]),
        (True, "127.0.0.1", []),
    ],
)
def test_it_lets_visitors_in_when_it_is_warm_and_is_shown_in_a_browser_where_there_is_one(
    monkeypatch, headless, host, opened
):
    options = {
        "server.headless": headless,
        "server.port": 8599,
        "server.baseUrlPath": "/own/",
        "server.address": host,
        "server.sslCertFile": None,
    }
    monkeypatch.setattr(asgi.st, "get_option", options.__getitem__)
    monkeypatch.setattr(asgi, "_BROWSER_AFTER", 0)
    found, warm = [], threading.Event()
    monkeypatch.setattr(asgi.webbrowser, "open", found.append)
    monkeypatch.setattr(warm_up, "_thread", None)
    gone = SimpleNamespace(drop_old=lambda: None, end_old_ones=lambda: False)

    async def start():
        asyncio.get_running_loop().call_later(0.2, warm.set)
        async with asgi.lifespan(warm.wait, gone, gone)(None):
            assert warm.is_set()
            await asyncio.sleep(0.2)

    asyncio.run(start())
    gc.unfreeze()
    assert found == opened


def test_closed_sessions_and_old_files_go_by_the_clock(monkeypatch):
    """Streamlit's own storage dropped a closed session when another one was closed."""
    monkeypatch.setattr(asgi, "_CLEAN_EVERY", 0.01)
    clock, ended = Clock(), []

    def closed(name):
        return SimpleNamespace(
            session=SimpleNamespace(id=name, shutdown=lambda: ended.append((name, clock.now)))
        )

    sessions = asgi.ClosedSessions(120, max_sessions=3, clock=clock)
    first, second = closed("A"), closed("B")
    for clock.now, info in ((0, first), (10, second), (30, closed("C"))):
        sessions.save(info)
    assert sessions.get("A") is first and sessions.get("nobody") is None and len(sessions.list()) == 3
    clock.now = 100
    sessions.save(closed("D"))
    assert ended == [("A", 100)]  # one too many
    sessions.delete("C")  # it came back
    sessions.delete("C")
    clock.now = 131
    looked = []
    uploads = SimpleNamespace(drop_old=lambda: looked.append(1))

    async def until_it_has_looked():
        cleaning = asyncio.create_task(asgi._clean(uploads, sessions))
        while len(looked) < 2:
            await asyncio.sleep(0.01)
        cleaning.cancel()

    asyncio.run(until_it_has_looked())
    assert ended == [("A", 100), ("B", 131)]
    assert [info.session.id for info in sessions.list()] == ["D"]


def test_one_failure_does_not_end_the_cleaning(monkeypatch, caplog):
    monkeypatch.setattr(asgi, "_CLEAN_EVERY", 0)
    clock, ended, looked = Clock(), [], []

    def shut_down(name):
        ended.append(name)
        if name == "A":
            raise RuntimeError("its files are locked")

    sessions = asgi.ClosedSessions(120, clock=clock)
    for name in "AB":
        sessions.save(
            SimpleNamespace(session=SimpleNamespace(id=name, shutdown=lambda name=name: shut_down(name)))
        )
    clock.now = 121
    assert sessions.get("C") is None and ended == ["A", "B"] and sessions.list() == []

    def fails_first():
        looked.append(1)
        if len(looked) == 1:
            raise RuntimeError("no memory left")

    async def clean_a_while():
        uploads = SimpleNamespace(drop_old=fails_first)
        cleaning = asyncio.create_task(asgi._clean(uploads, sessions))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not cleaning.done() and len(looked) > 1
        cleaning.cancel()

    asyncio.run(clean_a_while())
    assert [str(record.exc_info[1]) for record in caplog.records] == [
        "its files are locked",
        "no memory left",
    ]


def test_pages_say_where_their_server_is(monkeypatch):
    """Else a browser asks for it beside the page first, and the log has a 404 of /noise/_stcore/health."""
    routes = {route.path: route for route in asgi.page_routes(["explore", "noise"], "explore", "/own/")}
    assert set(routes) == {"/own/explore", "/own/noise"}
    html = asyncio.run(routes["/own/noise"].endpoint(None)).body.decode()
    script = '<script>window.__streamlit = {BACKEND_BASE_URL: location.origin + "/own/"}</script>'
    script += f"<script>{asgi.HISTORY}</script>"
    assert html.count(script) == 1 and html.index(script) < html.index("<script type=")
    plain = (Path(get_static_dir()) / "index.html").read_text()
    assert html.replace(script, "") == plain


def test_the_first_page_is_at_the_address_of_the_app():
    routes = {route.path: route for route in asgi.page_routes(["explore", "noise"], "explore", "/own/")}
    for query, wanted in ((b"", "/own/"), (b"crop=96&gain=2", "/own/?crop=96&gain=2")):
        request = Request({"type": "http", "query_string": query, "headers": [], "path": "/own/explore"})
        answer = asyncio.run(routes["/own/explore"].endpoint(request))
        assert answer.status_code == 307 and answer.headers["location"] == wanted


def test_a_link_that_is_shared_shows_a_card(tmp_path):
    card = asgi.Card('A "title"', "What it is", tmp_path / "card.png")
    card.picture.write_bytes(b"a picture")
    routes = {route.path: route for route in asgi.page_routes(["explore", "noise"], "explore", "own", card)}
    assert set(routes) == {"/own/explore", "/own/noise", "/own/", "/own/card.png"}
    scope = {"type": "http", "method": "GET", "path": "/own/", "headers": [(b"host", b"lab.example")]}
    scope |= {"scheme": "https", "server": ("lab.example", 443), "query_string": b"", "root_path": ""}
    for path in ("/own/", "/own/noise"):
        html = asyncio.run(routes[path].endpoint(Request(scope))).body.decode()
        assert '<meta property="og:title" content="A &quot;title&quot;">' in html
        assert '<meta property="og:image" content="https://lab.example/own/card.png">' in html
