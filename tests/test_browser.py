"""The app in a real browser: the kernel lens is driven with mouse and keys."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from playwright.sync_api import expect, sync_playwright

import kpnviz
from kpnviz.paths import ROOT
from kpnviz.photos import gallery
from kpnviz.ui.controls import DEFAULTS, recipe_of

pytestmark = pytest.mark.browser

METHODS = ("kpn-l5", "mkpn")
PATIENCE_MS = 60_000  # for a loaded machine; nothing waits longer than it must


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
def server(chromium, tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    options = ["--server.headless", "true", "--server.port", str(port), "--server.address", "127.0.0.1"]
    with log.open("w") as output:
        process = subprocess.Popen([*command, *options], cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            break
        except OSError:
            time.sleep(0.1)
    else:
        process.kill()
        pytest.fail(f"the server did not start: {log.read_text()}")
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture
def page(chromium, server):
    """The page with its kernels on it; no test may leave an error in the console."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    errors, page.sent = [], []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: page.sent.append(1)))
    page.goto(server)
    page.locator(".lens[data-y]").wait_for()
    yield page
    page.close()
    assert not errors


@pytest.fixture(scope="module")
def estimates():
    burst = kpnviz.synthesize(recipe_of(DEFAULTS))
    return [kpnviz.load(method)(burst) for method in METHODS]


def lens(page, expression):
    """Evaluate an expression of the lens object `l` and its element `e`."""
    return page.locator(".lens").evaluate(f"(e) => {{ const l = e.lens; return {expression}; }}")


def point(page, y, x, panel=0):
    """Where pixel (y, x) of a panel is on the screen, at any zoom."""
    box = page.locator(".stage").nth(panel).bounding_box()
    view, scale = lens(page, "l.view"), lens(page, "l.scale")
    return box["x"] + (x + 0.5 - view["x"]) * scale, box["y"] + (y + 0.5 - view["y"]) * scale


def wait_for_another(page, identity):
    """Wait until the lens shows another payload than this; the new one's identity."""
    page.locator(".lens").evaluate(
        "(e, id) => new Promise((done) => { const look = () => "
        "e.lens.data.id === id ? setTimeout(look, 20) : done(); look(); })",
        identity,
    )
    return lens(page, "l.data.id")


def hover(page, y, x, panel=0):
    # The page may still be moving into place: then the point is looked up anew.
    for _ in range(50):
        page.mouse.move(*point(page, y, x, panel))
        page.evaluate("() => new Promise(requestAnimationFrame)")
        if lens(page, "l.cursor") == [y, x]:
            break
    expect(page.locator(f'.lens[data-y="{y}"][data-x="{x}"]')).to_be_attached()


def test_hover_changes_the_kernels_without_asking_python(page):
    hover(page, 30, 40, panel=2)
    page.wait_for_load_state("networkidle")
    before, shares = len(page.sent), page.locator(".share").all_inner_texts()
    picture = page.locator(".cell canvas").first.screenshot()
    for x in range(41, 101, 3):
        hover(page, 80, x, panel=x % 5)
    assert page.locator(".share").all_inner_texts() != shares
    assert page.locator(".cell canvas").first.screenshot() != picture
    assert len(page.sent) == before
    assert lens(page, "l.latency(0.95)") > 0


def test_kernels_in_the_browser_are_those_of_python(page, estimates):
    for y, x in [(0, 0), (127, 126), (64, 33), (91, 92)]:
        shown = lens(page, f"l.kernelsAt({y}, {x}).map((m) => m.cells.map((c) => Array.from(c.weights)))")
        for weights, estimate in zip(shown, estimates, strict=True):
            expected = estimate.kernels.at(y, x)
            # Factors travel as float16: 11 bits.
            scale = np.abs(expected).max()
            np.testing.assert_allclose(np.reshape(weights, expected.shape), expected, atol=2e-3 * scale)


def test_the_receipt_sums_to_the_picture(page, estimates):
    for y, x in [(0, 0), (5, 127), (64, 64), (100, 17)]:
        rows = lens(page, f"l.kernelsAt({y}, {x}).map((m) => [m.sum, m.picture])")
        for (total, picture), estimate in zip(rows, estimates, strict=True):
            assert picture == pytest.approx(estimate.image[y, x], abs=1e-4)
            assert total == pytest.approx(picture, abs=2e-3)
    hover(page, 64, 64)
    for row, estimate in zip(page.locator(".row[data-method]").all(), estimates, strict=True):
        shown = row.locator(".sum b").inner_text().removeprefix("= ").replace("−", "-")
        assert float(shown) == pytest.approx(estimate.image[64, 64], abs=2e-3)
        added = [float(text.replace("−", "-")) for text in row.locator(".adds").all_inner_texts()]
        assert sum(added) == pytest.approx(float(shown), abs=8 * 0.0005 + 1e-3)


def test_a_click_pins_and_python_follows(page):
    hover(page, 50, 60, panel=3)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("heading", name="Pinned pixel: y 50, x 60")).to_be_visible()
    page.mouse.move(*point(page, 90, 90))
    expect(page.locator('.lens[data-y="50"][data-pinned="true"]')).to_be_attached()
    page.locator(".lens").press("ArrowRight")
    expect(page.get_by_role("heading", name="Pinned pixel: y 50, x 61")).to_be_visible()
    page.locator(".lens").press("Escape")
    expect(page.get_by_role("heading", name="Pinned pixel")).to_have_count(0)
    hover(page, 90, 90)


def test_keys(page):
    hover(page, 20, 20)
    root = page.locator(".lens")
    root.press("Shift+ArrowDown")
    root.press("ArrowLeft")
    expect(page.locator('.lens[data-y="30"][data-x="19"]')).to_be_attached()
    expect(page.locator(".live")).to_contain_text("Pixel y 30, x 19")
    root.press("3")
    expect(page.locator(".panel").first).to_contain_text("Frame 3")
    root.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    sent = len(page.sent)
    root.press("r")  # Streamlit's shortcut for a rerun
    hover(page, 60, 60)
    assert len(page.sent) == sent


def test_zoom_is_shared_by_all_pictures_and_a_double_click_ends_it(page):
    hover(page, 64, 64, panel=1)
    whole = page.locator(".picture").last.screenshot()
    page.mouse.wheel(0, -400)
    expect(page.locator(".reset")).not_to_have_text("zoom 1.0×")
    assert page.locator(".picture").last.screenshot() != whole
    hover(page, 66, 66, panel=4)
    x, y = point(page, 66, 66, panel=4)
    before = lens(page, "l.view.x")
    page.mouse.down()
    page.mouse.move(x - 20, y)
    page.mouse.up()
    assert lens(page, "l.view.x") > before
    page.mouse.dblclick(x, y)
    expect(page.locator(".reset")).to_have_text("zoom 1.0×")
    expect(page.locator('.lens[data-pinned="false"]')).to_be_attached()


def test_new_bursts_reach_the_lens(page):
    gain_4 = lens(page, "l.data.id")
    page.get_by_role("button", name="×8", exact=True).click()
    gain_8 = wait_for_another(page, gain_4)
    page.locator(".thumbnails button").nth(10).click()
    wait_for_another(page, gain_8)
    expect(page.locator(".photo img")).to_have_attribute("alt", gallery()[10])


def test_the_crop_is_dragged(page):
    identity = lens(page, "l.data.id")
    crop = page.locator(".crop").bounding_box()
    x, y = crop["x"] + crop["width"] / 2, crop["y"] + crop["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 30, y, steps=3)
    sent = len(page.sent)
    page.mouse.up()
    wait_for_another(page, identity)
    assert len(page.sent) == sent + 1
    assert page.locator(".crop").bounding_box()["x"] == pytest.approx(crop["x"] + 30, abs=2)
