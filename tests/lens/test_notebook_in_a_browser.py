"""kpnviz.show in JupyterLab in a real browser: the widget, and the frame where anywidget is missing."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from playwright.sync_api import expect

import kpnviz

from ..app_pages.lens_driver import PATIENCE_MS, hover, lens, painted, until, watch

pytest.importorskip("jupyterlab")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

RECIPE = kpnviz.BurstRecipe("dog", (60, 90, 48, 56), frames=3)
SETUP = """import kpnviz
burst = kpnviz.synthesize(kpnviz.BurstRecipe("dog", (60, 90, 48, 56), frames=3))
view = kpnviz.show(burst, kpnviz.load("mkpn")(burst), height=600)
view"""
WITHOUT = "import sys, importlib.util as u; find = u.find_spec\n"
WITHOUT += "u.find_spec = lambda name, *more: None if name == 'anywidget' else find(name, *more)\n"
PIXELS = [(0, 0), (20, 33), (47, 55)]


@pytest.fixture(scope="module")
def estimate():
    return kpnviz.load("mkpn")(kpnviz.synthesize(RECIPE))


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """(address, folder) of a JupyterLab of its own, without the settings of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("jupyter")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False}
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    names = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "IPYTHONDIR",
    )
    environment = os.environ | {name: str(folder / name.lower()) for name in names}
    environment |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "OMP_NUM_THREADS": "1"}
    root = os.path.dirname(os.path.dirname(kpnviz.__file__))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}"]
    command += [
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.extension_manager=readonly",
    ]
    command += ["--LabApp.expose_app_in_browser=True", "--ServerApp.port_retries=0"]
    address = f"http://127.0.0.1:{port}"
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while True:
            try:
                urllib.request.urlopen(f"{address}/api/status").close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
        yield address, folder
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def notebook(chromium, jupyter):
    """Write a notebook, open it and run its cells. Nothing may be logged as an error."""
    import nbformat

    address, folder = jupyter
    pages = []

    def open_notebook(name, *cells):
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
        )
        nbformat.write(content, folder / name)
        page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
        pages.append(page)
        page.goto(f"{address}/lab/tree/{name}?reset")
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        page.evaluate(
            "async () => { const app = window.jupyterapp; await app.restored; "
            "await app.shell.currentWidget.sessionContext.ready; }"
        )
        command(page, "notebook:run-all-cells", wait=False)
        return page

    yield open_notebook
    for page in pages:
        # JupyterLab itself now and then removes an output twice; the lens removes no node by its parent.
        errors = [error for error in page.errors if "removeChild" not in error]
        command(page, "kernelmenu:shutdown", wait=False)
        page.close()
        assert not errors


def command(page, name, arguments=None, wait=True):
    """One of JupyterLab's commands."""
    run = "await" if wait else "void"
    page.evaluate(
        f"async (a) => {{ {run} window.jupyterapp.commands.execute('{name}', a); }}", arguments or {}
    )


def outputs(page, cell):
    """Run a cell, and what it gives."""
    page.evaluate("(i) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", cell)
    command(page, "notebook:run-cell")
    return page.locator(".jp-Cell").nth(cell).locator(".jp-OutputArea-output").all_inner_texts()


def same_kernels(page, estimate):
    """Kernels, their sum and the picture at some pixels are those of Python."""
    for y, x in PIXELS:
        found, total = lens(
            page, f"(([m]) => [m.cells.map((c) => Array.from(c.weights)), m.sums[0]])(l.kernelsAt({y}, {x}))"
        )
        expected = estimate.kernels.at(y, x)
        np.testing.assert_allclose(
            np.reshape(found, expected.shape), expected, atol=2e-3 * np.abs(expected).max()
        )
        assert total == pytest.approx(estimate.image[y, x], abs=2e-3)


def test_the_widget_shows_the_kernels_and_the_pixel_goes_both_ways(notebook, jupyter, estimate):
    page = notebook("widget.ipynb", SETUP, "view.pixel", "view.pixel = (5, 6)")
    page.locator(
        '.lens[data-y="5"][data-x="6"][data-pinned="true"]'
    ).wait_for()  # all cells ran: Python sets it
    same_kernels(page, estimate)
    assert page.locator(".lens").bounding_box()["height"] <= 600

    # The browser tells it once the mouse rests.
    page.locator(".lens").scroll_into_view_if_needed()
    hover(page, 20, 33)
    until(page, lambda: outputs(page, 1) == ["(20, 33)"])
    # Keys in the lens are not the notebook's: x would cut a cell, m make it Markdown.
    page.locator(".lens").press("m")
    page.locator(".lens").press("x")
    assert page.locator(".jp-CodeCell").count() == 3

    # The notebook's theme is followed, also when it changes.
    assert lens(page, "e.classList.contains('dark')") is False
    command(page, "apputils:change-theme", {"theme": "JupyterLab Dark"})
    page.locator(".lens.dark").wait_for()
    command(page, "apputils:change-theme", {"theme": "JupyterLab Light"})
    page.locator(".lens:not(.dark)").wait_for()

    command(page, "docmanager:save")
    text = (jupyter[1] / "widget.ipynb").read_text()
    assert "widget-view+json" in text and len(text) < 100_000  # no payload, of 1 MB


def test_without_anywidget_the_file_is_shown_in_a_frame(notebook, jupyter, estimate):
    page = notebook("frame.ipynb", WITHOUT + SETUP)
    frame = page.frame_locator("iframe[title='Kernel lens']")
    frame.locator(".lens[data-y]").wait_for()
    expect(frame.locator("h1")).to_be_hidden()
    (file,) = jupyter[1].glob("kpnviz-lens-*.html")
    command(page, "docmanager:save")
    assert len((jupyter[1] / "frame.ipynb").read_text()) < 100_000

    # The same file opened by itself shows the same numbers.
    alone = watch(page.context.browser.new_page())
    alone.goto(file.as_uri())
    alone.locator(".lens[data-y]").wait_for()
    expect(alone.locator("h1")).to_be_visible()
    same_kernels(alone, estimate)
    painted(alone)
    assert not alone.errors
    alone.close()
