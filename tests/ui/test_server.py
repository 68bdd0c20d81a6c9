"""The app as it is served, and what is ready when its first visitor comes."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.web.server.app_discovery import discover_asgi_app

from kpnviz.serving import payloads, warm_up, work
from kpnviz.serving.uploads import UploadGate
from kpnviz.ui import cache, page, server
from kpnviz.ui.choices import default_methods
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import DEFAULTS


@pytest.fixture
def asgi(monkeypatch):
    monkeypatch.setattr(payloads, "_served", False)  # else it would be from here on: asgi has the routes
    from kpnviz.ui import asgi

    return asgi


def test_the_first_page_is_computed_before_anybody_asks(monkeypatch):
    work.cached_values.clear()
    warm_up.run(server.prepare)
    assert gc.get_freeze_count() > 100_000  # the garbage collector does not look at what was imported again
    gc.unfreeze()
    monkeypatch.setattr(cache, "pack", None)  # nothing is packed any more
    assert len(cache.lens_payload(recipe_of(DEFAULTS), tuple(default_methods()))) > 2**20


def test_without_a_network_it_serves_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    work.cached_values.clear()
    server.prepare()
    work.cached_values.clear()


def test_it_has_an_address_for_every_page(asgi):
    assert next(iter(page.PAGES)) == server.FIRST_PAGE
    assert set(asgi._PAGES) == set(page.PAGES)


def test_streamlit_finds_the_app_and_runs_it_with_our_runtime(asgi, monkeypatch):
    assert discover_asgi_app(Path(asgi.__file__)).app_name == "app"
    create, made = asgi.app._create_runtime, []
    monkeypatch.setattr(asgi.app, "_create_runtime", lambda: made.append(create()) or made[0])
    monkeypatch.setattr(asgi.app, "_runtime", None)
    served = asgi.app._build_starlette_app()
    type(made[0])._instance = None  # the next one of this process is not to find it
    assert made[0].uploaded_file_mgr is asgi.uploads
    assert served.user_middleware[0].cls is UploadGate


def test_pandas_is_there_before_a_second_thread_is():
    """Plotly uses pandas as soon as any thread has begun to import it, and fails where it is not complete."""
    code = (
        "import sys; from kpnviz.serving import server, warm_up; from kpnviz.ui.server import main; "
        "warm_up.begin = lambda prepare: sys.exit(0 if hasattr(sys.modules['pandas'], 'Series') else 'no pandas'); "
        "main([])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
