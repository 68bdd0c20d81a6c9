"""A server and a page, for the tests that look at the app as a person does."""

import functools
from contextlib import ExitStack

import pytest

import kpnviz
from benchmarks.one_page import serve
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import COLOR, DEFAULTS

from .lens_driver import METHODS, open_lens, watch


@pytest.fixture(scope="session")
def start_server():
    """Starts the server of all tests of this process when one first asks for it; its address."""
    with ExitStack() as stack:
        yield functools.cache(lambda: stack.enter_context(serve()))


@pytest.fixture(scope="module")
def server(chromium, start_server):
    address = start_server()
    chromium.stay(f"{address}/_stcore/health")
    return address


@pytest.fixture
def page(chromium, server):
    """The page with its kernels on it; no test may leave an error in the console."""
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(page, f"{server}/?v=1&methods=kpn-l5~mkpn")
    yield page
    page.close()
    assert not page.errors


@pytest.fixture(scope="module")
def estimates():
    burst = kpnviz.synthesize(recipe_of(DEFAULTS | {COLOR: False}))
    return [kpnviz.load(method)(burst) for method in METHODS]
