"""What tests of several rooms share: networks of every kind that are small enough to run in no time."""

import contextlib
import functools
import os
import shutil
import sys

import hypothesis
import pytest
import torch

from kpnviz.capture import reader
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.unet import TrunkConfig
from kpnviz.models.zoo import build, config_of

from .reading import ReadsHere

# Tests are not timed: on a busy machine an example may take longer than Hypothesis' 200 ms.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Processes that share a machine (pytest -n) share its cores.
torch.set_num_threads(max(1, torch.get_num_threads() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))))


_MAIN = sys.modules["__main__"]
_browser = contextlib.ExitStack()
_files_with_browser = set()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Streamlit puts the script that it runs in the place of __main__; a new process would begin by running that.

    Playwright has a running event loop while its browser is open, so others cannot have theirs: it is closed where a
    file without tests in a browser begins, and stays open from one file with some to the next.
    """
    sys.modules["__main__"] = _MAIN
    if item.path not in _files_with_browser:
        _browser.close()


def pytest_sessionfinish():
    _browser.close()


# Files that take longest begin first: none is left to one process at the end, while others have nothing to do.
# (With --no-loadscope-reorder, pytest-xdist keeps this order.)
LONGEST = (
    "app_pages/test_lens.py",
    "training/test_train.py",
    "app_pages/test_sizes_page.py",
    "app_pages/test_visitors.py",
    "commands/test_batch.py",
    "app_pages/test_walk.py",
    "app_pages/test_addresses.py",
    "commands/test_nothing_lost.py",
    "lens",
    "app_pages",
    "methods/test_methods.py",
    "commands",
    "test_examples.py",
)


def _place(item):
    name = item.path.as_posix()
    return next((n for n, part in enumerate(LONGEST) if f"/tests/{part}" in name), len(LONGEST))


def pytest_collection_modifyitems(items):
    items.sort(key=_place)
    for item in items:
        if "chromium" in item.fixturenames:
            _files_with_browser.add(item.path)


TINY = TrunkConfig(encoder=(4, 6, 8), decoder=(6,), convs=1)
TINY_MATCHING = TrunkConfig(encoder=(4, 6, 8), decoder=(6, 6), convs=1, leak=0.1)


def tiny(name, seed=0, **changes):
    torch.manual_seed(seed)
    config = config_of(name)
    trunk = TINY_MATCHING if config.matching else TINY
    values = {**ModelConfig.to_dict(config), **changes, "trunk": trunk.__dict__}
    return build(ModelConfig.from_dict(values)).eval()


def burst_tensors(N, H, W, B=2, seed=0):
    """Frames [B, N, H, W], and read_std and shot_gain [B] of their noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(B, N, H, W, generator=generator), *(0.2 * torch.rand(2, B, generator=generator))


@pytest.fixture(autouse=True)
def reads_here(request):
    """Files are read in this process, unless the test is of the one that reads them (marker `reader`)."""
    if request.node.get_closest_marker("reader"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "_Child", ReadsHere)
        yield


# Of a tab that is new: nothing of what tabs before it kept.
FORGETFUL = """try {
  if (!sessionStorage.getItem("tab")) localStorage.clear();
  sessionStorage.setItem("tab", "begun");
} catch {}"""


class Browser:
    """Chromium, whose tabs are cheap: they share what was fetched and compiled, which is most of opening the app."""

    def __init__(self, chromium):
        self.new_context = chromium.new_context  # for a window of its own
        self._tabs = chromium.new_context(accept_downloads=True)
        self._tabs.add_init_script(FORGETFUL)

    def new_page(self, viewport=None, color_scheme="light"):
        """A tab that remembers nothing of others. (Its context they have in common.)"""
        page = self._tabs.new_page()
        page.set_viewport_size(viewport or {"width": 1280, "height": 720})
        page.emulate_media(color_scheme=color_scheme)
        return page

    def stay(self, address):
        """Keep a tab at an address, and so the process in which further tabs of this site are opened."""
        if address not in {page.url for page in self._tabs.pages}:
            self._tabs.new_page().goto(address)


@functools.cache
def _opened():
    """The browser; it is open until `_browser` is closed."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = f"no browser: none of {', '.join(names)} is installed"
        pytest.fail(reason) if os.environ.get("KPNVIZ_REQUIRE_BROWSER") == "1" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    playwright = _browser.enter_context(sync_playwright())
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--process-per-site"]
    chromium = playwright.chromium.launch(executable_path=path, args=arguments)
    _browser.callback(_opened.cache_clear)
    _browser.callback(chromium.close)
    return Browser(chromium)


@pytest.fixture(scope="module")
def chromium():
    """A browser. Tests that ask for it are skipped where there is none; with KPNVIZ_REQUIRE_BROWSER=1 they fail."""
    return _opened()
