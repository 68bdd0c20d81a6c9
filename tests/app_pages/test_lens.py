"""The kernel lens in a real browser: driven with mouse and keys, and held to the Python core."""

import csv
import dataclasses
import io
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import kpnviz
from kpnviz.analysis.counterfactuals import shift_frame
from kpnviz.analysis.ideal import expected_error, ideal_kernels
from kpnviz.analysis.metrics import psnr
from kpnviz.noise import NoiseModel
from kpnviz.photos import gallery
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import COLOR, DEFAULTS

from .lens_driver import (
    METHODS,
    PATIENCE_MS,
    assumed_noise_is_there,
    at_rest,
    click_pixel,
    color,
    hover,
    lens,
    no_exception,
    open_lens,
    painted,
    point,
    saved,
    until,
    wait_for_another,
    watch,
)

pytestmark = pytest.mark.browser

GRAY = DEFAULTS | {COLOR: False}  # as links of version 1 are


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
    assert lens(page, "p.latency(0.95)") > 0


def test_the_page_kernels_does_not_ask_python_either(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(page, f"{server}/kernels?v=1&methods=kpn-l5~mkpn")
    assumed_noise_is_there(page)
    before, shares = len(page.sent), page.locator(".share").all_inner_texts()
    for x in range(41, 101, 6):
        hover(page, 80, x)
    assert page.locator(".share").all_inner_texts() != shares
    assert len(page.sent) == before
    # A link holds the sizes that are off, and that all frames are shown.
    page.locator("[data-of=mkpn][data-size='11']").click()
    expect(page.locator("[data-method=MKPN] .loss")).to_contain_text("dB")
    page.wait_for_url("**in_off=mkpn.11**")
    page.locator("[name=frame]").select_option("all")
    page.wait_for_url("**in_all=1**")
    open_lens(page, page.url)
    assert lens(page, "[l.byHand.offSizes, l.allFrames, l.look]") == [{"mkpn": [11]}, True, "parts"]
    page.get_by_role("radio", name="Maps").click()
    expect(page.locator(".of-map .here")).to_contain_text("true (")
    page.get_by_role("radio", name="Frequencies").click()
    expect(page.locator("[data-method=MKPN] .total")).to_contain_text("noise ×")
    assert lens(page, "[l.mode, l.look]") == ["picture", "frequencies"]
    no_exception(page)
    page.close()
    assert not page.errors


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
        rows = lens(page, f"l.kernelsAt({y}, {x}).map((m) => [m.sums[0], m.pictures[0]])")
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


@pytest.mark.slow
def test_the_sum_is_taken_step_by_step(page):
    """Kernels of one frame after the other: what is written is what they add up to."""
    hover(page, 64, 64)
    root = page.locator(".lens")
    for _ in ("Sizes", "On the frames", "Sum"):
        root.press("t")
    expect(page.locator('.lens[data-look="sum"]')).to_be_attached()
    adds = lens(page, "l.kernelsAt(64, 64)[1].cells.map((c) => c.adds[0])")
    total, row = page.locator(".row .total").last, page.locator(".row").last
    for key, count in [(",", 7), (",", 6), (".", 7)]:
        root.press(key)
        expect(row.locator(".cell.dim")).to_have_count(8 - count)
        assert float(total.inner_text()[2:].replace("−", "-")) == pytest.approx(sum(adds[:count]), abs=6e-5)
    root.press(" ")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(row.locator(".cell.dim")).to_have_count(0, timeout=PATIENCE_MS)  # it has been played to its end
    expect(page.locator(".lens .play")).to_have_text("Play")


@pytest.mark.slow
def test_one_screen_holds_pictures_and_kernels(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 800}))
    open_lens(page, f"{server}/?v=1&methods=kpn-l3~kpn-l5~mkpn")
    at_rest(page)
    stage = page.locator(".stage.shown").bounding_box()
    assert stage["width"] >= 420 and stage["height"] >= 420
    # The slider, too; of the small pictures the last line, their values at the pixel, may be below.
    for part in (".assumed", ".film .score >> nth=0", ".rows .cell >> nth=23"):
        box = page.locator(part).bounding_box()
        assert box["y"] + box["height"] <= 800, part
    kernels = page.locator(".cell canvas")
    assert kernels.count() == 24
    # Rather small than cut: none is scrolled to.
    assert min(kernel.bounding_box()["width"] for kernel in (kernels.first, kernels.last)) >= 50
    assert page.locator(".rows").evaluate("(e) => e.scrollHeight <= e.clientHeight")
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
    # The ideal kernels are those of the chosen method's size, and both errors are of this pixel.
    until(page, lambda: lens(page, "l.ideal.found && !l.ideal.isStale"))
    burst = kpnviz.synthesize(recipe_of(GRAY))
    clean = kpnviz.synthesize(dataclasses.replace(burst.recipe, noise=NoiseModel(0, 0))).frames
    expected = ideal_kernels(clean, burst.truth, burst.noise, 11, 64, 40)
    found = lens(page, "l.ideal.found.cells.map((c) => Array.from(c.weights))")
    np.testing.assert_allclose(
        np.reshape(found, expected.shape), expected, atol=2e-2 * np.abs(expected).max()
    )
    network = estimates[-1].kernels.at(64, 40)
    for row, kernels in enumerate((expected, network)):
        error = expected_error(kernels, clean, burst.truth, burst.noise, 64, 40)
        expect(page.locator(".row").nth(row)).to_contain_text(f"± {100 * error:.2f} % of white")


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
    read = "Array.from(p.pictures.stages[1].picture.getContext('2d').getImageData(40, 40, 60, 1).data).join()"
    still = lens(page, read)
    page.locator(".lens").focus()
    page.keyboard.down("f")
    painted(page)
    assert lens(page, read) != still
    page.keyboard.up("f")
    painted(page)
    assert lens(page, read) == still


@pytest.mark.slow
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
    expect(page.locator(".where .pin")).to_have_text("Pinned")
    hover(page, 90, 90)  # moving shows all the same
    assert lens(page, "l.pinnedAt") == [50, 60]
    film = page.locator(".film").bounding_box()
    page.mouse.move(film["x"] + 5, film["y"] + 5)  # off the picture, the pinned pixel is shown again
    expect(page.locator('.lens[data-y="50"][data-x="60"][data-pinned="true"]')).to_be_attached()
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


def test_tab_stops_once_at_the_pictures_the_tabs_the_film_and_the_kernels(page):
    hover(page, 40, 40)
    stops = "(e, part) => [...e.querySelectorAll(`${part} :is(canvas, button)`)].filter((b) => b.tabIndex === 0).length"
    for part in (".stages", ".tabs", ".film", ".rows"):
        assert page.locator(".lens").evaluate(stops, part) == 1, part
    # Native controls keep their own keys: none is within what takes all keys.
    assert page.locator("[role=application] :is(select, input, button)").count() == 0
    keys = page.locator(".lens [role=application]")
    keys.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator('.lens[data-y="41"][data-x="40"]')).to_be_attached()
    tab = page.get_by_role("tab", name="Kernels")
    tab.focus()
    for key, name in (
        ("ArrowRight", "Sizes"),
        ("End", "Ideal"),
        ("ArrowRight", "Kernels"),
        ("ArrowLeft", "Ideal"),
        ("Home", "Kernels"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
    cells, columns = (
        page.locator(".cell"),
        lens(page, "getComputedStyle(p.parts.find('.cells')).gridTemplateColumns.split(' ').length"),
    )
    cells.first.focus()
    page.keyboard.press("ArrowDown")
    expect(cells.nth(columns)).to_be_focused()
    page.keyboard.press("Enter")
    assert lens(page, "l.frame") == columns
    page.locator(".thumb").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Space")
    assert lens(page, "l.shown") == "truth"


@pytest.mark.slow
def test_arrow_keys_choose_a_photo_and_tab_stops_at_the_chosen_one(page):
    identity = lens(page, "l.data.id")
    photos = page.locator(".thumbnails [role=radio]")
    place = gallery().index(DEFAULTS["photo"])
    assert photos.evaluate_all("(all) => all.map((b) => b.tabIndex).indexOf(0)") == place
    photos.nth(place).focus()
    sent = len(page.sent)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(photos.nth(place + 2)).to_be_focused()
    expect(photos.nth(place + 2)).to_have_attribute("aria-checked", "true")
    wait_for_another(page, identity)
    assert len(page.sent) <= sent + 2  # Python hears of the photo at which the keys rest
    expect(page.locator(".photo img")).to_have_attribute("alt", gallery()[place + 2])
    assert photos.evaluate_all("(all) => all.filter((b) => b.tabIndex === 0).length") == 1


@pytest.mark.slow
def test_ticks_of_a_color_scale_do_not_touch(page):
    ticks = page.locator(".weights .ticks span")
    for end in (12.5, 0.55, 0.061, 0.0072):
        change = "(e, end) => { e.lens.state.heldMax = end; e.lens.painter.invalidate('cursor'); }"
        page.locator(".lens").evaluate(change, end)
        painted(page)
        boxes = [tick.bounding_box() for tick in ticks.all()]
        for one, other in itertools.pairwise(boxes):
            assert other["x"] - (one["x"] + one["width"]) >= 15, end  # two digits and a half
        assert float(ticks.last.inner_text()) == pytest.approx(end, rel=0.03)


@pytest.mark.slow
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


@pytest.mark.slow
def test_kernels_and_pictures_follow_the_assumed_noise(page, estimates):
    assumed_noise_is_there(page)
    click_pixel(page, 64, 90)
    slider = page.locator("[name=assumed]")
    move = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }"
    burst = kpnviz.synthesize(recipe_of(GRAY))
    before = len(page.sent)
    for power in (2, -1):  # computed
        slider.evaluate(move, power)
        for m, method in enumerate(METHODS):
            expected = kpnviz.load(method)(burst, 2.0**power)
            kernel, scale = expected.kernels.at(64, 90), np.abs(expected.kernels.at(64, 90)).max()
            found = lens(page, f"l.kernelsAt(64, 90)[{m}].cells.map((c) => Array.from(c.weights))")
            np.testing.assert_allclose(np.reshape(found, kernel.shape), kernel, atol=2e-3 * scale)
            assert lens(page, f"l.kernelsAt(64, 90)[{m}].pictures[0]") == pytest.approx(
                expected.image[64, 90], abs=1e-4
            )
        shown = page.locator(".chip.shown").locator("visible=true")
        expect(shown).to_contain_text(f"{psnr(expected.image, burst.truth):.2f} dB")
    for power in (0.35, 1.7):  # between: still, what is shown is what was applied
        slider.evaluate(move, power)
        for total, picture in lens(page, "l.kernelsAt(64, 90).map((m) => [m.sums[0], m.pictures[0]])"):
            assert total == pytest.approx(picture, abs=2e-3)
    page.wait_for_url("**assumed=1.7**")
    assert len(page.sent) - before < 6  # Python hears where it came to rest, not of every step
    slider.dblclick()
    assert lens(page, "l.assumed.power") == 0


@pytest.mark.slow
def test_other_noise_is_assumed_for_all_methods_or_for_none(page, chromium):
    assumed_noise_is_there(page)
    fetched = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    last = [name for name in fetched if "/payloads/" in name][-1]  # what MKPN makes of other noise
    other, held = watch(chromium.new_page(viewport={"width": 1280, "height": 900})), []
    other.route(last, lambda route: held.append(route))
    open_lens(other, f"{page.url}&assumed=2")
    until(other, lambda: held)
    slider = other.locator("[name=assumed]")
    state = "[l.assumed.applied, ...l.data.panels.map((panel) => l.assumed.mixed.has(panel))]"
    assert lens(other, "Object.keys(l.assumed.results).length") == 1
    assert lens(other, state) == [0, False, False, False, False, False]
    expect(slider).to_be_disabled()
    expect(slider).to_have_value("0")
    expect(other.get_by_text("×1; ×4 is being computed …")).to_be_visible()
    assert "assumed=2" in other.url
    held[0].continue_()
    expect(slider).to_have_value("2")
    assert lens(other, state) == [2, False, False, True, True, False]
    expect(other.locator("[name=assumed-factor]")).to_have_text("×4")
    other.close()
    assert not other.errors


@pytest.mark.slow
@pytest.mark.parametrize("name", ["View", "Light"])
def test_a_menu_is_folded_by_escape_and_by_a_press_elsewhere(page, name):
    menu = page.locator("details.options").filter(has_text=name)
    opened = "(e) => e.open"
    click_pixel(page, 64, 90)
    menu.locator("summary").click()
    menu.locator("input").first.focus()
    page.keyboard.press("Escape")
    assert not menu.evaluate(opened) and lens(page, "l.pinned")  # one thing at a time
    expect(menu.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    assert menu.evaluate(opened)
    page.get_by_role("heading", name="What does the network do").click()
    assert not menu.evaluate(opened)


@pytest.mark.slow
def test_kernels_are_drawn_all_over_the_picture(page):
    picture = "(e) => e.lens.painter.pictures.stages[1].picture.toDataURL()"
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_pictures_are_shown_linear_or_after_the_srgb_transfer(page, estimates):
    value = float(np.clip(estimates[1].image[64, 64], 0, 1))
    srgb = 1.055 * value ** (1 / 2.4) - 0.055  # IEC 61966-2-1, above 0.0031
    assert color(page, "mkpn", 64, 64) == pytest.approx([255 * srgb] * 3, abs=1)
    page.get_by_text("Light").click()
    page.get_by_label("sRGB").uncheck()
    painted(page)
    assert color(page, "mkpn", 64, 64) == pytest.approx([255 * value] * 3, abs=1)


@pytest.mark.slow
def test_errors_are_taken_against_any_picture(page, estimates):
    page.locator("[name=mode]").select_option("signed")
    page.locator("[name=against]").select_option("mkpn")
    painted(page)
    truth = kpnviz.synthesize(recipe_of(GRAY)).truth
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


@pytest.mark.slow
def test_the_wipe_shows_two_pictures_beside_an_edge_that_is_dragged(page):
    handle = page.get_by_role("slider", name="Edge of the wipe")
    page.get_by_label("Left picture").locator("visible=true").select_option("kpn-l5")
    page.get_by_label("Picture", exact=True).locator("visible=true").select_option("mkpn")
    for _ in range(20):  # the page may still be moving into place: then the handle was missed
        box, stage = handle.bounding_box(), page.locator(".stage.shown").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(stage["x"] + 0.25 * stage["width"], stage["y"] + 20, steps=3)
        page.mouse.up()
        if handle.get_attribute("aria-valuenow") == "25":
            break
    expect(handle).to_have_attribute("aria-valuenow", "25")
    painted(page)
    expression = (
        "[[20, 90], [60, 90]].map(([x, y]) => Array.from(p.pictures.stages[1].picture.getContext('2d')"
        ".getImageData((x + 0.5) * l.scale, (y + 0.5) * l.scale, 1, 1).data))"
    )
    left, right = lens(page, expression)
    assert left == [*color(page, "kpn-l5", 90, 20), 255]
    assert right == [*color(page, "mkpn", 90, 60), 255]
    assert lens(page, "l.pinned") is False  # a drag of the handle is no click
    page.wait_for_url("**shown=mkpn&other=kpn-l5**")
    page.locator(".lens").press("w")
    expect(handle).to_be_hidden()


@pytest.mark.slow
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
    _, loaded = kpnviz.load_kernels(("explore.npz", Path(file.path())))
    kernels = loaded[1].kernels.at(50, 60)
    np.testing.assert_allclose(kernels, estimates[1].kernels.at(50, 60), rtol=1e-3, atol=1e-5)
    file = saved(page, page.get_by_role("button", name="Statistics (CSV)").click)
    rows = list(csv.DictReader(io.StringIO(Path(file.path()).read_text(encoding="utf-8"))))
    assert len(rows) == 16


@pytest.mark.slow
def test_pictures_and_kernels_are_fetched_as_they_are(chromium, server):
    page = watch(chromium.new_page())
    received, payloads = [], []
    page.on(
        "websocket", lambda socket: socket.on("framereceived", lambda message: received.append(len(message)))
    )
    page.on("response", lambda answer: payloads.append(answer) if "/payloads/" in answer.url else None)
    open_lens(page, f"{server}/sizes?v=1&crop=64")  # on a page below the app's address
    open_lens(page, f"{server}/?v=1&methods=kpn-l5~mkpn")
    page.locator(".lens:not(.without-kernels)").wait_for()
    assumed_noise_is_there(page)
    assert sum(received) < 2_000_000 and len(payloads) >= 4
    for answer in payloads:
        assert answer.ok and answer.header_value("content-encoding") == "identity"
    assert max(int(answer.header_value("content-length")) for answer in payloads) > 5_000_000
    page.close()


@pytest.mark.slow
def test_where_they_cannot_be_fetched_they_come_in_messages(chromium, server):
    page = watch(chromium.new_page())
    page.route("**/payloads/**", lambda route: route.fulfill(status=502, body="Bad gateway"))
    open_lens(page, f"{server}/?v=1&methods=kpn-l5~mkpn")
    page.locator(".lens:not(.without-kernels)").wait_for()
    click_pixel(page, 50, 60)
    page.get_by_text("at the pinned pixel: y 50, x 60").wait_for()
    identity = lens(page, "l.data.id")
    page.get_by_role("button", name="×8", exact=True).click()
    wait_for_another(page, identity)
    page.wait_for_timeout(1500)
    assert not page.locator("[name=assumed]").is_visible()  # it needs payloads
    no_exception(page)
    page.close()
    assert page.errors and all("502" in error for error in page.errors)


def test_networks_predict_anew_for_a_frame_that_is_moved(page):
    """The engine of the site, fetched from the app when it is first asked, against the networks in Python."""
    fetched = []
    page.on("request", lambda request: fetched.append(request.url) if "/engine/" in request.url else None)
    page.get_by_role("tab", name="What if").click()
    page.locator("[name=moved]").select_option("3")
    page.locator("[name=dy]").fill("4")
    expect(page.locator(".chip.shown .score").locator("visible=true")).to_contain_text("dB")
    assert not fetched and lens(page, "l.byHand.isMoved && !l.anew.ready")
    page.get_by_label("predict anew").check()
    until(page, lambda: lens(page, "l.anew.ready"))
    burst = shift_frame(kpnviz.synthesize(recipe_of(GRAY)), 3, 4, 0)
    found = kpnviz.load("mkpn")(burst)
    shown = lens(page, "Array.from(l.imageOf(l.panelNamed('mkpn')))")
    np.testing.assert_allclose(np.reshape(shown, found.image.shape), found.image, atol=5e-5)
    hover(page, 64, 50)
    expected = found.kernels.at(64, 50)
    weights = lens(page, "l.found[1].cells.map((c) => Array.from(c.weights))")
    np.testing.assert_allclose(
        np.reshape(weights, expected.shape), expected, atol=2e-3 * np.abs(expected).max()
    )
    expect(page.locator("[data-method=MKPN] .agrees")).to_be_visible()
    page.wait_for_url("**anew=1**")
    # It is there at once, now that the engine is; and goes with the choice.
    page.locator("[name=dy]").fill("-4")
    until(page, lambda: lens(page, "l.anew.ready && l.byHand.moved.shift[0] === -4"))
    page.get_by_label("predict anew").uncheck()
    painted(page)
    assert lens(page, "!l.anew.ready && l.fieldOf(l.kernelMethods[1]) === l.kernelMethods[1].kernels")
