"""A browser and a server, for the tests that look at the app as a person does."""

import os
import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

from kpnviz.evaluation.app_benchmark import serve

PATIENCE_MS = 60_000  # for a loaded machine; nothing waits longer than it must
expect.set_options(timeout=PATIENCE_MS)


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
