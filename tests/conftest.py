"""What tests of several rooms share: networks of every kind that are small enough to run in no time."""

import contextlib
import os
import shutil
import sys

import hypothesis
import pytest
import torch

from kpnviz.models.kpn import ModelConfig
from kpnviz.models.unet import TrunkConfig
from kpnviz.models.zoo import build, config_of

# Tests are not timed: on a busy machine an example may take longer than Hypothesis' 200 ms.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Processes that share a machine (pytest -n) share its cores.
torch.set_num_threads(max(1, torch.get_num_threads() // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))))


_MAIN = sys.modules["__main__"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Streamlit puts the script that it runs in the place of __main__; a new process would begin by running that."""
    sys.modules["__main__"] = _MAIN


def pytest_collection_modifyitems(items):
    """A browser that shares two cores with servers and other tests now and then misses a click, or is too slow for all
    patience. Its tests are run again then, twice at most; the report counts that."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=2))


TINY = TrunkConfig(encoder=(4, 6, 8), decoder=(6,), convs=1)
TINY_MATCHING = TrunkConfig(encoder=(4, 6, 8), decoder=(6, 6), convs=1, leak=0.1)


def tiny(name, seed=0, **changes):
    torch.manual_seed(seed)
    config = config_of(name)
    trunk = TINY_MATCHING if config.matching else TINY
    values = {**ModelConfig.to_dict(config), **changes, "trunk": trunk.__dict__}
    return build(ModelConfig.from_dict(values)).eval()


@contextlib.contextmanager
def dask_cluster(folder):
    """Address of a Dask scheduler with two processes, which live as long as the context."""
    distributed = pytest.importorskip("distributed")
    import dask

    # On a busy machine a process takes longer to start than Dask's 30 s.
    with dask.config.set({"distributed.comm.timeouts.connect": "300s"}):
        local = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(folder)
        )
    with local:
        yield local.scheduler_address


def burst_tensors(N, H, W, B=2, seed=0):
    """Frames [B, N, H, W], and read_std and shot_gain [B] of their noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(B, N, H, W, generator=generator), *(0.2 * torch.rand(2, B, generator=generator))


@pytest.fixture(scope="module")
def chromium():
    """A browser. Tests that ask for it are skipped where there is none; with KPNVIZ_REQUIRE_BROWSER=1 they fail."""
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        reason = f"no browser: none of {', '.join(names)} is installed"
        pytest.fail(reason) if os.environ.get("KPNVIZ_REQUIRE_BROWSER") == "1" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
