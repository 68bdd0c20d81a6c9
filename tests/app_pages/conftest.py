"""A server and a page, for the tests that look at the app as a person does."""

import functools
from contextlib import ExitStack

import pytest

import kpnviz
from benchmarks.one_page import serve
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import COLOR, DEFAULTS

from .lens_driver import METHODS, KeptPages


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


@pytest.fixture(scope="module")
def kept_pages(chromium, server):
    """Pages that the tests of a file share, each as it was at first; no test may leave an error in the console."""
    kept = KeptPages(chromium, server)
    yield kept
    kept.close()


@pytest.fixture
def page(kept_pages):
    """The page Explore with its kernels on it."""
    with kept_pages.page("/?v=1&methods=kpn-l5~mkpn") as page:
        yield page


@pytest.fixture(scope="module")
def estimates():
    burst = kpnviz.synthesize(recipe_of(DEFAULTS | {COLOR: False}))
    return [kpnviz.load(method)(burst) for method in METHODS]
