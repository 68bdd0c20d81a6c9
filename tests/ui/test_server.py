"""What the server has ready when its first visitor comes."""

import asyncio
import gc
import threading

import pytest

from kpnviz.ui import cache, parcels, warm_up, work
from kpnviz.ui.controls import DEFAULTS, default_methods, recipe_of


def test_the_first_page_is_made_before_anybody_asks(monkeypatch):
    work.kept_values.clear()
    warm_up.warm_up()
    assert gc.get_freeze_count() > 100_000  # of what was imported, garbage is collected no more
    gc.unfreeze()
    monkeypatch.setattr(cache, "pack", None)  # nothing is packed any more
    assert len(cache.lens_payload(recipe_of(DEFAULTS), tuple(default_methods()))) > 2**20


def test_without_a_network_it_serves_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    work.kept_values.clear()
    warm_up.warm_up()
    work.kept_values.clear()
    gc.unfreeze()


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
    monkeypatch.setattr(parcels, "_served", False)  # it would be from here on: asgi has the routes
    from kpnviz.ui import asgi

    options = {
        "server.headless": headless,
        "server.port": 8599,
        "server.baseUrlPath": "/own/",
        "server.address": host,
        "server.sslCertFile": None,
    }
    monkeypatch.setattr(asgi.st, "get_option", options.__getitem__)
    monkeypatch.setattr(asgi, "_UNTIL_IT_ANSWERS", 0)
    found, warm = [], threading.Event()
    monkeypatch.setattr(asgi.webbrowser, "open", found.append)
    monkeypatch.setattr(warm_up, "warm_up", warm.wait)
    warm_up.begin.cache_clear()

    async def start():
        asyncio.get_running_loop().call_later(0.2, warm.set)
        async with asgi.come_up(None):
            assert warm.is_set()
            await asyncio.sleep(0.2)

    asyncio.run(start())
    warm_up.begin.cache_clear()
    assert found == opened
