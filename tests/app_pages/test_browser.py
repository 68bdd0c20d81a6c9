"""The app in a real browser: the kernel lens is driven with mouse and keys."""

import csv
import dataclasses
import io
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import TimeoutError, expect

import kpnviz
from kpnviz.analysis.ideal import ideal_kernels
from kpnviz.analysis.metrics import psnr
from kpnviz.evaluation.app_benchmark import serve
from kpnviz.models.zoo import title_of
from kpnviz.noise import NoiseModel
from kpnviz.paths import CHECKPOINTS
from kpnviz.photos import gallery
from kpnviz.ui.controls import DEFAULTS, recipe_of
from kpnviz.ui.page import PAGES

from .conftest import PATIENCE_MS

pytestmark = pytest.mark.browser

METHODS = ("kpn-l5", "mkpn")


def watch(page):
    """Errors that the page logs, and the messages that it sends to the server."""
    page.set_default_timeout(PATIENCE_MS)
    page.errors, page.sent = [], []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: page.sent.append(1)))
    return page


def open_lens(page, address):
    page.goto(address)
    page.locator(".lens[data-y]").wait_for()
    at_rest(page)
    return page


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


def lens(page, expression):
    """Evaluate an expression of the lens object `l` and its element `e`."""
    return page.locator(".lens").evaluate(f"(e) => {{ const l = e.lens; return {expression}; }}")


def point(page, y, x):
    """Where pixel (y, x) of the large picture is on the screen, at any zoom."""
    box = page.locator(".stage.shown").bounding_box()
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


def at_rest(page):
    """Wait until the script has run."""
    page.locator("[data-test-script-state=notRunning]").first.wait_for(state="attached")


def no_exception(page):
    assert page.get_by_test_id("stException").all_inner_texts() == []


def hover(page, y, x):
    # The page may still be moving into place: then the point is looked up anew.
    for _ in range(50):
        page.mouse.move(*point(page, y, x))
        page.evaluate("() => new Promise(requestAnimationFrame)")
        if lens(page, "l.cursor") == [y, x]:
            break
    expect(page.locator(f'.lens[data-y="{y}"][data-x="{x}"]')).to_be_attached()


def click_pixel(page, y, x):
    """Pin a pixel of the large picture."""
    # Where the page moved between the look and the click, another pixel was meant: let go, and once more.
    for _ in range(20):
        page.mouse.click(*point(page, y, x))
        if lens(page, "[...l.cursor, l.pinned]") == [y, x, True]:
            return
        page.locator(".lens").press("Escape")
    raise AssertionError(f"y {y}, x {x} could not be pinned")


def assumed_noise_is_there(page):
    """Wait until the lens has all that other assumed noise gives, and no message is on its way."""
    page.wait_for_function(
        "() => globalThis.kpnvizAssumed?.methods.every((name) => globalThis.kpnvizAssumed.brought.has(name))"
    )
    sent = None
    while sent != len(page.sent):
        sent = len(page.sent)
        page.wait_for_timeout(500)


def choose(page, box, option):
    """Choose from a list that opens; a page that is still moving closes it at once."""
    for _ in range(20):
        page.get_by_role("combobox", name=box).click()
        try:
            return page.get_by_role("option", name=option).click(timeout=PATIENCE_MS / 20)
        except TimeoutError:
            page.keyboard.press("Escape")
    raise AssertionError(f"{option} could not be chosen in {box}")


def test_hover_changes_the_kernels_without_asking_python(page):
    assumed_noise_is_there(page)
    hover(page, 30, 40)
    page.wait_for_load_state("networkidle")
    before, shares = len(page.sent), page.locator(".share").all_inner_texts()
    picture = page.locator(".cell canvas").first.screenshot()
    for x in range(41, 101, 3):
        hover(page, 80, x)
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
    page.get_by_role("tab", name="Sum").click()
    expect(page.locator('.lens[data-look="sum"]')).to_be_attached()
    for row, estimate in zip(page.locator(".row[data-method]").all(), estimates, strict=True):
        shown = row.locator(".total").inner_text().removeprefix("= ").replace("−", "-")
        assert float(shown) == pytest.approx(estimate.image[64, 64], abs=2e-3)
        added = [float(text.replace("−", "-")) for text in row.locator(".share").all_inner_texts()]
        assert sum(added) == pytest.approx(float(shown), abs=8 * 0.00005 + 1e-4)


def test_the_sum_is_taken_step_by_step(page):
    """Kernels of one frame after the other: what is written is what they add up to."""
    hover(page, 64, 64)
    root = page.locator(".lens")
    root.press("t")
    root.press("t")
    expect(page.locator('.lens[data-look="sum"]')).to_be_attached()
    adds = lens(page, "l.kernelsAt(64, 64)[1].cells.map((c) => c.adds)")
    total, row = page.locator(".row .total").last, page.locator(".row").last
    for key, count in [(",", 7), (",", 6), (".", 7)]:
        root.press(key)
        expect(row.locator(".cell.dim")).to_have_count(8 - count)
        assert float(total.inner_text()[2:].replace("−", "-")) == pytest.approx(sum(adds[:count]), abs=6e-5)
    root.press(" ")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(row.locator(".cell.dim")).to_have_count(0, timeout=PATIENCE_MS)  # it has been played to its end
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_one_screen_holds_pictures_and_kernels(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 800}))
    open_lens(page, f"{server}/?v=1&methods=kpn-l3~kpn-l5~mkpn")
    at_rest(page)
    stage = page.locator(".stage.shown").bounding_box()
    assert stage["width"] >= 420 and stage["height"] >= 420
    for part in (".film", ".rows .cell >> nth=23"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= 800, part
    kernels = page.locator(".cell canvas")
    assert kernels.count() == 24
    assert min(kernel.bounding_box()["width"] for kernel in (kernels.first, kernels.last)) >= 72
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    page.close()
    assert not page.errors


def test_views_show_patches_costs_and_ideal_kernels(page, estimates):
    click_pixel(page, 64, 40)
    pictures = set()
    for name, rows in [
        ("Kernels", 2),
        ("On the frames", 2),
        ("Sum", 2),
        ("Uses", 2),
        ("Matching", 3),
        ("Ideal", 2),
    ]:
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(page.locator(".row")).to_have_count(rows)
        painted(page)
        pictures.add(page.locator(".cell canvas").nth(3).screenshot())
    assert len(pictures) == 6
    assert lens(page, "l.display.look") == "ideal"  # what a link is told
    # The ideal kernels are those of the chosen method's size, and better than it is.
    page.locator(".lens").evaluate("(e) => new Promise((done) => { const look = () => "
        "e.lens.ideal.scores?.done >= 20 ? done() : setTimeout(look, 50); look(); })")  # fmt: skip
    scores = lens(page, "l.ideal.scores")
    assert scores["ideal"] > scores["network"]
    burst = kpnviz.synthesize(recipe_of(DEFAULTS))
    clean = kpnviz.synthesize(dataclasses.replace(burst.recipe, noise=NoiseModel(0, 0))).frames
    expected = ideal_kernels(clean, burst.truth, burst.noise, 11, 64, 40)
    found = lens(page, "l.ideal.found.cells.map((c) => Array.from(c.weights))")
    np.testing.assert_allclose(
        np.reshape(found, expected.shape), expected, atol=2e-2 * np.abs(expected).max()
    )


def test_pictures_come_onto_the_stage_from_the_film(page):
    film = page.locator(".film .thumb")
    film.filter(has_text="Truth").click()
    assert lens(page, "[l.compare, l.other, l.shown]") == ["wipe", "frame", "truth"]
    film.filter(has_text="KPN L5").click(modifiers=["Shift"])
    assert lens(page, "[l.other, l.shown]") == ["kpn-l5", "truth"]
    film.filter(has_text="KPN L5").click()  # they change places
    assert lens(page, "[l.other, l.shown]") == ["truth", "kpn-l5"]
    page.get_by_label("Compare").select_option("pair")
    expect(page.locator(".stage:visible")).to_have_count(2)
    page.wait_for_url("**compare=pair&shown=kpn-l5&other=truth**")
    page.locator(".cell").nth(2).click()  # a kernel chooses its frame, which comes to the left
    assert lens(page, "[l.frame, l.other, l.shown]") == [2, "frame", "kpn-l5"]
    page.get_by_label("Compare").select_option("one")
    expect(page.locator(".stage:visible")).to_have_count(1)
    # Flicker: the other picture while the key is down.
    painted(page)
    read = "Array.from(l.pictures.stages[1].picture.getContext('2d').getImageData(40, 40, 60, 1).data).join()"
    still = lens(page, read)
    page.locator(".lens").focus()
    page.keyboard.down("f")
    painted(page)
    assert lens(page, read) != still
    page.keyboard.up("f")
    painted(page)
    assert lens(page, read) == still


@pytest.mark.parametrize("frames", [1, 4, 16])
def test_any_number_of_frames(chromium, server, frames):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(page, f"{server}/?v=1&methods=kpn-l5~kpn-l5-stacked&frames={frames}")
    expect(page.get_by_text(f"KPN L5 stacked: takes 8 frames, and this burst has {frames}.")).to_be_visible()
    assert lens(page, "[l.frames, l.kernelMethods.length]") == [frames, 1]
    page.locator(".lens").press("]")
    assert lens(page, "l.frame") == min(1, frames - 1)
    page.close()
    assert not page.errors


def test_a_click_pins_and_python_follows(page):
    click_pixel(page, 50, 60)
    expect(page.get_by_text("at the pinned pixel: y 50, x 60")).to_be_visible()
    page.mouse.move(*point(page, 90, 90))
    expect(page.locator('.lens[data-y="50"][data-pinned="true"]')).to_be_attached()
    page.locator(".lens").press("ArrowRight")
    expect(page.get_by_text("at the pinned pixel: y 50, x 61")).to_be_visible()
    page.locator(".lens").press("Escape")
    expect(page.get_by_text("at the pinned pixel")).to_have_count(0)
    hover(page, 90, 90)


def test_keys(page):
    hover(page, 20, 20)
    root = page.locator(".lens")
    root.press("Shift+ArrowDown")
    root.press("ArrowLeft")
    expect(page.locator('.lens[data-y="30"][data-x="19"]')).to_be_attached()
    expect(page.locator(".lens .live")).to_contain_text("Pixel y 30, x 19")
    root.press("3")
    expect(page.locator(".thumb").first).to_contain_text("Frame 3")
    page.wait_for_url("**frame=3**")  # a choice that rests is told to Python
    root.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    sent = len(page.sent)
    root.press("r")  # Streamlit's shortcut for a rerun
    hover(page, 60, 60)
    assert len(page.sent) == sent


def test_zoom_is_shared_by_all_pictures_and_a_double_click_ends_it(page):
    hover(page, 64, 64)
    whole = page.locator(".shown .picture").screenshot()
    page.mouse.wheel(0, -400)
    expect(page.locator(".reset")).not_to_have_text("zoom 1.0×")
    assert page.locator(".shown .picture").screenshot() != whole
    hover(page, 66, 66)
    x, y = point(page, 66, 66)
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


def test_kernels_and_pictures_follow_the_assumed_noise(page, estimates):
    assumed_noise_is_there(page)
    click_pixel(page, 64, 90)
    slider = page.locator("[name=assumed]")
    move = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }"
    burst = kpnviz.synthesize(recipe_of(DEFAULTS))
    before = len(page.sent)
    for power in (2, -1):  # computed
        slider.evaluate(move, power)
        for m, method in enumerate(METHODS):
            expected = kpnviz.load(method)(burst, 2.0**power)
            kernel, scale = expected.kernels.at(64, 90), np.abs(expected.kernels.at(64, 90)).max()
            found = lens(page, f"l.kernelsAt(64, 90)[{m}].cells.map((c) => Array.from(c.weights))")
            np.testing.assert_allclose(np.reshape(found, kernel.shape), kernel, atol=2e-3 * scale)
            assert lens(page, f"l.kernelsAt(64, 90)[{m}].picture") == pytest.approx(
                expected.image[64, 90], abs=1e-4
            )
        shown = page.locator(".chip.shown").locator("visible=true")
        expect(shown).to_contain_text(f"{psnr(expected.image, burst.truth):.2f} dB")
    for power in (0.35, 1.7):  # between: still, what is shown is what was applied
        slider.evaluate(move, power)
        for total, picture in lens(page, "l.kernelsAt(64, 90).map((m) => [m.sum, m.picture])"):
            assert total == pytest.approx(picture, abs=2e-3)
    page.wait_for_url("**assumed=1.7**")
    assert len(page.sent) - before < 6  # Python hears where it came to rest, not of every step
    slider.dblclick()
    assert lens(page, "l.assumed.power") == 0


def test_kernels_are_drawn_all_over_the_picture(page):
    picture = "(e) => e.lens.pictures.stages[1].picture.toDataURL()"
    before = page.locator(".lens").evaluate(picture)
    page.get_by_label("Show", exact=True).locator("visible=true").select_option("kernels")
    expect(page.get_by_text("Kernels of frame 0, 8 px apart")).to_be_visible()
    painted(page)
    reference = page.locator(".lens").evaluate(picture)
    assert reference != before
    page.locator(".lens").press("3")
    expect(page.get_by_text("Kernels of frame 3, 8 px apart")).to_be_visible()
    painted(page)
    assert page.locator(".lens").evaluate(picture) != reference
    for _ in range(2):
        page.locator(".lens").press("+")
    expect(page.get_by_text("Kernels of frame 3, 4 px apart")).to_be_visible()
    page.wait_for_url("**mode=kernels**")


def test_the_crop_is_dragged(page):
    assumed_noise_is_there(page)
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


def color(page, panel, y, x):
    """Red, green and blue of a picture's pixel as it is painted, in 0..255."""
    return lens(
        page,
        f"Array.from(l.panelNamed('{panel}').bitmap.getContext('2d').getImageData({x}, {y}, 1, 1).data).slice(0, 3)",
    )


def painted(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_pictures_are_shown_linear_or_after_the_srgb_transfer(page, estimates):
    value = float(np.clip(estimates[1].image[64, 64], 0, 1))
    srgb = 1.055 * value ** (1 / 2.4) - 0.055  # IEC 61966-2-1, above 0.0031
    assert color(page, "mkpn", 64, 64) == pytest.approx([255 * srgb] * 3, abs=1)
    page.get_by_text("Light").click()
    page.get_by_label("sRGB").uncheck()
    painted(page)
    assert color(page, "mkpn", 64, 64) == pytest.approx([255 * value] * 3, abs=1)


def test_errors_are_taken_against_any_picture(page, estimates):
    page.locator("[name=mode]").select_option("signed")
    page.locator("[name=against]").select_option("mkpn")
    painted(page)
    truth = kpnviz.synthesize(recipe_of(DEFAULTS)).truth
    one, other, truth = (np.clip(image, 0, 1) for image in (estimates[0].image, estimates[1].image, truth))
    difference = np.where((one - truth) * (one - other) < 0, one - other, 0)  # not the sign of the error
    for index in (difference.argmax(), difference.argmin()):
        y, x = map(int, np.unravel_index(index, difference.shape))
        red, _, blue = color(page, "kpn-l5", y, x)
        assert (red > blue) == (difference[y, x] > 0)
        assert len(set(color(page, "mkpn", y, x))) == 1  # what others are compared with stays a picture
    page.wait_for_url("**mode=signed&against=mkpn**")
    page.locator(".lens").press("e")
    expect(page.locator("[name=mode]")).to_have_value("absolute")


def test_the_wipe_shows_two_pictures_beside_an_edge_that_is_dragged(page):
    handle = page.get_by_role("slider", name="Edge of the wipe")
    page.get_by_label("Left picture").locator("visible=true").select_option("kpn-l5")
    page.get_by_label("Picture", exact=True).locator("visible=true").select_option("mkpn")
    box, stage = handle.bounding_box(), page.locator(".stage.shown").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + 0.25 * stage["width"], stage["y"] + 20, steps=3)
    page.mouse.up()
    expect(handle).to_have_attribute("aria-valuenow", "25")
    painted(page)
    expression = (
        "[[20, 90], [60, 90]].map(([x, y]) => Array.from(l.pictures.stages[1].picture.getContext('2d')"
        ".getImageData((x + 0.5) * l.scale, (y + 0.5) * l.scale, 1, 1).data))"
    )
    left, right = lens(page, expression)
    assert left == [*color(page, "kpn-l5", 90, 20), 255]
    assert right == [*color(page, "mkpn", 90, 60), 255]
    assert lens(page, "l.pinned") is False  # a drag of the handle is no click
    page.wait_for_url("**shown=mkpn&other=kpn-l5**")
    page.locator(".lens").press("w")
    expect(handle).to_be_hidden()


def saved(page, click):
    with page.expect_download() as download:
        click()
    return download.value


def test_the_lens_is_saved_as_a_picture(page):
    hover(page, 40, 50)
    file = saved(page, page.get_by_role("button", name="PNG").click)
    assert file.suggested_filename == "kernels_y40_x50.png"
    picture = Image.open(file.path()).convert("RGB")
    box = page.locator(".lens").bounding_box()
    assert picture.width == pytest.approx(2 * (box["width"] + 32), abs=2)
    # The picture is where it is on the page, at twice the size.
    stage, scale = page.locator(".stage.shown").bounding_box(), lens(page, "l.scale")
    at = tuple(int(2 * (stage[axis] - box[axis] + 16 + 90.5 * scale)) for axis in ("x", "y"))
    assert picture.getpixel(at) == tuple(color(page, "mkpn", 90, 90))
    assert len(picture.getcolors(1 << 24)) > 300  # text and kernels are smooth


def test_report_burst_and_statistics_are_downloaded(page, estimates, chromium, tmp_path):
    click_pixel(page, 50, 60)
    page.get_by_text("at the pinned pixel: y 50, x 60").wait_for()
    at_rest(page)  # the buttons are of this pixel
    assumed_noise_is_there(
        page
    )  # Streamlit drops a file that was asked for when the script has run twice more
    buttons = page.get_by_test_id("stDownloadButton").all_inner_texts()
    assert [text.split("\n")[-1] for text in buttons] == [
        "Interactive page (HTML)",
        "Report (HTML)",
        "Burst and kernels (NPZ)",
        "Statistics (CSV)",
    ]
    file = saved(page, page.get_by_role("button", name="Report (HTML)").click)
    assert file.suggested_filename == "kpnviz_dog_y50_x60.html"
    report = tmp_path / "report.html"
    file.save_as(report)
    text = report.read_text(encoding="utf-8")
    assert "pixel y 50, x 60" in text and "pixel=50~60" in text
    reader = chromium.new_page()
    asked = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.goto(report.as_uri())
    assert reader.locator("img").count() == 5 + 2 * 8
    assert all(url.startswith(("file:", "data:")) for url in asked)
    assert reader.evaluate("[...document.images].every((image) => image.naturalWidth > 0)")
    reader.close()
    file = saved(page, page.get_by_role("button", name="Burst and kernels (NPZ)").click)
    arrays = np.load(file.path(), allow_pickle=False)
    np.testing.assert_allclose(arrays["mkpn.kernels"], estimates[1].kernels.at(50, 60), rtol=1e-3, atol=1e-5)
    file = saved(page, page.get_by_role("button", name="Statistics (CSV)").click)
    rows = list(csv.DictReader(io.StringIO(Path(file.path()).read_text(encoding="utf-8"))))
    assert len(rows) == 16


def test_the_address_opens_the_same_state(page, chromium):
    gain_4 = lens(page, "l.data.id")
    page.get_by_role("button", name="×8", exact=True).click()
    page.wait_for_url("**gain=8**")
    wait_for_another(page, gain_4)
    click_pixel(page, 30, 40)
    page.get_by_text("at the pinned pixel: y 30, x 40").wait_for()
    page.locator(".lens").press("+")
    page.locator(".lens").press("2")
    page.wait_for_url("**frame=2&view=**")
    expected = lens(page, "[l.data.id, l.cursor, l.pinned, l.display]")
    other = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(other, page.url)
    expect(other.locator('.lens[data-pinned="true"]')).to_be_attached()
    assert lens(other, "[l.data.id, l.cursor, l.pinned, l.display]") == expected
    # Sessions are apart: what one lets go, the other keeps.
    other.locator(".lens").press("Escape")
    other.get_by_text("at the pinned pixel").wait_for(state="detached")
    expect(page.get_by_text("at the pinned pixel")).to_be_visible()
    other.close()
    assert not other.errors


def test_a_click_copies_the_link_at_once(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assumed_noise_is_there(page)
    page.wait_for_load_state("networkidle")
    sent = len(page.sent)
    for name, link in (("Copy link", page.url), ("for class", f"{page.url}&teach=1")):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == link
        expect(page.get_by_role("button", name=name)).to_be_visible()
    assert len(page.sent) == sent
    # A page that came by http has no clipboard.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy link").click()
    field = page.get_by_role("textbox", name="Link")
    expect(field).to_have_value(page.url)
    assert field.evaluate("(e) => e.value.slice(e.selectionStart, e.selectionEnd)") == page.url
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()


def test_a_click_in_the_picture_pins_the_pixel_of_kernels(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(page, f"{server}/kernels?v=1&methods=kpn-l5")
    # It shows the pixel that the view is about, without the lens' own kernels.
    expect(page.get_by_role("spinbutton", name="y")).to_have_value(str(lens(page, "l.cursor[0]")))
    expect(page.get_by_role("region", name="Kernels")).to_be_hidden()
    page.wait_for_load_state("networkidle")
    click_pixel(page, 30, 40)
    page.wait_for_url("**pixel=30~40**")
    expect(page.get_by_role("spinbutton", name="y")).to_have_value("30")
    expect(page.get_by_role("spinbutton", name="x")).to_have_value("40")
    at_rest(page)
    no_exception(page)
    page.close()


def test_back_in_the_browser_takes_the_last_change_back(page):
    before = lens(page, "l.data.id")
    page.get_by_role("button", name="×8", exact=True).click()
    page.wait_for_url("**gain=8**")
    wait_for_another(page, before)
    page.go_back()
    page.wait_for_url("**gain=4**")
    page.locator(".lens").evaluate(
        "(e, id) => new Promise((done) => { const look = () => "
        "e.lens.data.id === id ? done() : setTimeout(look, 20); look(); })",
        before,
    )


def test_a_shift_is_edited_in_the_table(page):
    before = lens(page, "l.data.id")
    choose(page, "Camera shake", "by hand, frame by frame")
    page.wait_for_url("**shifts=0~0_2~-1**")
    assert lens(page, "l.data.id") == before  # it starts from the shake that was there
    table = page.get_by_test_id("stDataFrame")
    at_rest(page)
    editor = page.locator(".gdg-input")
    while not editor.count():  # the page may still be moving into place
        table.scroll_into_view_if_needed()
        box = table.bounding_box()
        page.mouse.dblclick(box["x"] + 0.55 * box["width"], box["y"] + 1.5 * box["height"] / 8)
        page.wait_for_timeout(500)
    editor.fill("7")
    expect(editor).to_have_value("7")
    editor.press("Enter")
    page.wait_for_url("**shifts=0~0_7~-1**")
    wait_for_another(page, before)
    assert lens(page, "l.data.shifts")[1] == [7, -1]


def test_no_page_logs_an_error_and_all_share_the_scene(page):
    page.get_by_role("button", name="×2", exact=True).click()
    page.wait_for_url("**gain=2**")
    for name, title in PAGES.items():
        if name == "explore":
            continue
        page.get_by_test_id("stTopNavLink").filter(has_text=re.compile(f"^{title}$")).click()
        page.wait_for_url(f"**/{name}?v=1**gain=2**")
        page.get_by_role("heading", level=1).wait_for()
        at_rest(page)
        no_exception(page)


FAST = ("kpn-l3", "kpn-l5")
CONTENT = {
    "explore": ".st-key-lens .lens[data-y]",
    "kernels": ".st-key-parts .heatmaplayer",
    "noise": "h3:has-text('True noise against assumed noise')",
    "sizes": "h3:has-text('Which size is best where?')",
    "results": "h3:has-text('Table 1, ours and the paper')",
    "learn": ".st-key-lesson_lens .lens[data-y]",
    "your_burst": "input[type=file]",
}
"""What each page shows and no other does."""


@pytest.fixture(scope="module")
def fast_server(chromium, tmp_path_factory):
    """A server that has the two smallest networks only: its pages are soon complete."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in (*[f"{model}.{kind}" for model in FAST for kind in ("json", "safetensors")], "results.csv"):
        shutil.copy(CHECKPOINTS / name, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPNVIZ_CHECKPOINTS", str(folder))
        with serve() as address:
            yield address


def test_the_interactive_page_shows_what_the_app_shows(chromium, fast_server, tmp_path):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}, accept_downloads=True))
    open_lens(page, f"{fast_server}/?v=1&photo=dog&pixel=50~60&frame=3&look=frames&assumed=1&compare=pair")
    assumed_noise_is_there(page)
    at_rest(page)
    state = "[l.data.id, l.cursor, l.pinned, l.display, l.kernelsAt(50, 60).map((m) => m.sum)]"
    expected = lens(page, state)
    file = saved(page, page.get_by_role("button", name="Interactive page (HTML)").click)
    assert file.suggested_filename == "kpnviz_dog_y50_x60_interactive.html"
    saved_page = tmp_path / "page.html"
    file.save_as(saved_page)
    assert saved_page.stat().st_size < 15e6
    reader = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    reader.goto(saved_page.as_uri())
    reader.locator(".lens[data-y]").wait_for()
    assert lens(reader, state) == expected
    expect(reader.locator("[name=assumed]")).to_have_value("1")  # the app had what it needs, and gave it
    expect(reader.get_by_role("heading", level=1)).to_have_text("Photo “dog”, gain ×4")
    address = reader.locator(".text a").first.get_attribute("href")
    assert address.partition("?")[2] == page.url.partition("?")[2]
    page.close()
    reader.close()
    assert not page.errors and not reader.errors


@pytest.mark.parametrize("first", PAGES)
def test_whatever_page_comes_after_another_it_has_methods_and_content(chromium, fast_server, first):
    """Sessions in which nobody touches a control: each begins on another page, and from there goes 1, 2, ... pages on.

    Together they go from each page to each other once, and every page is left by a first click once.
    """
    names, place = list(PAGES), list(PAGES).index(first)
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    page.goto(f"{fast_server}/{'' if first == 'explore' else first}")
    page.locator(CONTENT[first]).first.wait_for(state="attached")
    for step in range(1, len(names)):
        place = (place + step) % len(names)
        name = names[place]
        page.get_by_test_id("stTopNavLink").filter(has_text=re.compile(f"^{PAGES[name]}$")).click()
        page.locator(f"{CONTENT[name]}, [data-testid=stAlert]").first.wait_for(state="attached")
        expect(page.get_by_test_id("stAlert")).to_have_count(0)
        if name in ("explore", "kernels", "noise"):
            chosen = re.compile(".*".join(map(title_of, FAST)), re.DOTALL)
            expect(page.get_by_test_id("stMultiSelect")).to_have_text(chosen, timeout=PATIENCE_MS)
        expect(page).to_have_url(re.compile(f"methods={'~'.join(FAST)}"))
        no_exception(page)
    page.close()
    # Streamlit's script asks for its server beside the page of the address first, and is answered with a 404.
    assert not [error for error in page.errors if "404" not in error]


def test_diverging_scales_follow_the_theme_at_once(chromium, fast_server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light"))
    page.goto(f"{fast_server}/kernels?v=1&crop=96")
    page.locator(CONTENT["kernels"]).first.wait_for(state="attached")
    scale = "JSON.stringify(document.querySelector('.js-plotly-plot')?.data?.[0].colorscale)"
    light = page.wait_for_function(scale).json_value()
    page.emulate_media(color_scheme="dark")  # nothing is clicked
    page.wait_for_function(f"(light) => ({scale} ?? light) !== light", arg=light)
    page.close()


def test_controls_that_nobody_touched_keep_their_values_on_the_next_page(page):
    page.get_by_test_id("stTopNavLink").filter(has_text="Kernels").click()
    page.wait_for_url("**/kernels?v=1**crop=128**gain=4**")
    at_rest(page)
    no_exception(page)
    expect(page.get_by_role("radio", name="128")).to_be_checked()


def test_a_link_to_any_page_works_on_a_server_that_has_just_started(chromium):
    with serve() as address:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/learn?v=1&gain=8")
        page.wait_for_url("**/learn?v=1&photo=dog**gain=8**")
        page.get_by_test_id("stTopNavLink").filter(has_text="Explore").wait_for()
        page.close()


def test_a_bad_link_is_quoted_as_it_was_written(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    wrong = ["~~a~~ **b** `c` $d$ :red[e] <b>f</b>", ":smile: a--b -> http://g.h www.i.j k@l.m"]
    page.goto(f"{server}/?v=1&methods=kpn-l5&photo={quote(wrong[0])}&mode={quote(wrong[1])}&pixel=0~0_0~0")
    alert = page.get_by_test_id("stAlert")
    alert.wait_for()
    expect(alert).to_contain_text("pixel “0~0_0~0” is not y~x")
    shown = alert.inner_text().replace("\u2060", "")  # a word joiner keeps an address from becoming a link
    assert all(f"“{text}”" in shown for text in wrong)
    assert alert.locator("del, strong, b, code, a, .katex, .stMarkdownColoredText").count() == 0
    page.close()


def test_teacher_mode_has_larger_type_and_folded_controls(chromium, server, page):
    teacher = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(teacher, f"{server}/?teach=1")
    expect(teacher.get_by_test_id("stExpandSidebarButton")).to_be_visible()
    expect(teacher.get_by_role("spinbutton", name="Seed")).not_to_be_in_viewport()
    expect(page.get_by_test_id("stExpandSidebarButton")).to_have_count(0)
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    teacher.wait_for_function(f"(usual) => {size} >= 1.3 * usual", arg=page.evaluate(size))
    teacher.close()
    assert not teacher.errors
