"""A browser and a server, for the tests that look at the app as a person does."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

import kpnviz
from benchmarks.one_page import serve
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import DEFAULTS

from .lens_driver import METHODS, open_lens, watch


@pytest.fixture(scope="module")
def chromium():
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = f"no browser: none of {', '.join(names)} is installed"
        pytest.fail(reason) if os.environ.get("KPNVIZ_REQUIRE_BROWSER") == "1" else pytest.skip(reason)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(chromium):
    with serve() as address:
        yield address


@pytest.fixture
def page(chromium, server):
    """The page with its kernels on it; no test may leave an error in the console."""
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True))
    open_lens(page, f"{server}/?v=1&methods=kpn-l5~mkpn")
    yield page
    page.close()
    assert not page.errors


@pytest.fixture(scope="module")
def estimates():
    burst = kpnviz.synthesize(recipe_of(DEFAULTS))
    return [kpnviz.load(method)(burst) for method in METHODS]
