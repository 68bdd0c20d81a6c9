"""The stage: as large whatever is shown, over the whole window, under fingers; frames played and stacked."""

import dataclasses
import itertools

import numpy as np
import pytest
from playwright.sync_api import expect

import kpnviz
from kpnviz.lens import interactive_page, pack
from kpnviz.noise import NoiseModel

from ..app_pages.lens_driver import METHODS, fingers, hover, lens, painted, point, until, watch

pytestmark = pytest.mark.browser

RECIPE = kpnviz.BurstRecipe("dog", (60, 60, 96, 96), NoiseModel.for_gain(4), seed=3)
PHONE, PROJECTOR = {"width": 390, "height": 844}, {"width": 1280, "height": 720}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    burst = kpnviz.synthesize(RECIPE)
    estimates = [kpnviz.load(method)(burst) for method in METHODS]
    page = tmp_path_factory.mktemp("stage") / "page.html"
    text = interactive_page(burst, estimates, pack(burst, estimates, (20, 30)), gain=4.0)
    page.write_text(text, encoding="utf-8")
    return page.as_uri()


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """Four methods in color."""
    burst = kpnviz.synthesize(dataclasses.replace(RECIPE, color=True))
    estimates = 2 * [kpnviz.load(method)(burst) for method in METHODS]
    page = tmp_path_factory.mktemp("crowded") / "page.html"
    page.write_text(interactive_page(burst, estimates, pack(burst, estimates, (20, 30))), encoding="utf-8")
    return page.as_uri()


@pytest.fixture
def opened(chromium, file):
    """Opens the page of a lens; none may leave an error in the console."""
    contexts = []

    def open_page(size, address=file, **options):
        contexts.append(chromium.new_context(viewport=size, **options))
        page = watch(contexts[-1].new_page())
        page.goto(address)
        page.locator(".lens[data-y]").wait_for()
        page.wait_for_timeout(700)  # the lens measures once more what is above it
        contexts[-1].page = page
        return page

    yield open_page
    for context in contexts:
        assert not context.page.errors
        context.close()


def place_of(page):
    """The stage's box on the page, and where the pixel is on a picture of it."""
    box = page.locator(".looking .stages").bounding_box()
    scroll = page.evaluate("document.scrollingElement.scrollTop")
    return [round(box["x"]), round(box["y"] + scroll), round(box["width"]), round(box["height"])]


@pytest.mark.parametrize(
    "size", [pytest.param(PROJECTOR, id="projector"), pytest.param(PHONE, id="phone", marks=pytest.mark.slow)]
)
def test_the_stage_keeps_its_size_and_the_pixel_its_place(opened, size):
    page = opened(size)
    first, at = place_of(page), point(page, 20, 30)
    for look in lens(page, "l.looks"):
        page.locator(f".tab#{look}").click()
        painted(page)
        assert place_of(page) == first, look
    choices = itertools.product(lens(page, "l.modes"), ("one", "wipe", "pair"))
    for mode, compare in choices:
        page.locator("[name=mode]").select_option(mode)
        page.locator("[name=compare]").select_option(compare)
        painted(page)
        assert place_of(page) == first, (mode, compare)
        boxes = [stage.bounding_box() for stage in page.locator(".stage:visible").all()]
        assert [round(box["height"]) for box in boxes] == [first[3]] * len(boxes)
        if compare != "pair":
            assert round(boxes[0]["width"]) == first[2] and point(page, 20, 30) == pytest.approx(at, abs=1)
        else:  # the pixel is at the left: there it stays, in the left one of both
            scale, view = lens(page, "[l.scale, l.view]")
            assert boxes[0]["x"] + (30.5 - view["x"]) * scale == pytest.approx(at[0], abs=1)
            # Whole pictures are a double-click away.
            page.locator(".stage.shown .marks").dblclick(position={"x": 60, "y": 60})
            assert lens(page, "l.isWhole && l.scale * 96 <= l.size[0] + 1")


@pytest.mark.slow
def test_a_high_picture_is_as_large_at_first_as_later(chromium, tmp_path):
    burst = kpnviz.Burst(np.random.default_rng(0).random((3, 3, 40, 31)))
    kernels = kpnviz.KernelField.from_kernels(np.full((3, 3, 3, 40, 31), 1 / 9))
    view = kpnviz.show(
        burst, kpnviz.Estimate.of(burst, kernels, name="A name without a blank".replace(" ", "_") * 3)
    )
    page = watch(chromium.new_page(viewport={"width": 1440, "height": 900}))
    page.goto(view.save(tmp_path / "page.html").as_uri())
    page.locator(".lens[data-y]").wait_for()
    first = place_of(page)[2:]
    page.locator(".tab#sum").click()
    painted(page)
    assert place_of(page)[2:] == first
    page.close()


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(PHONE, id="phone"),
        pytest.param({"width": 800, "height": 600}, id="tablet", marks=pytest.mark.slow),
        pytest.param(PROJECTOR, id="projector", marks=pytest.mark.slow),
    ],
)
def test_the_lens_fills_the_window_with_pixel_and_kernels_in_sight(opened, size):
    page = opened(size)
    before = place_of(page)
    page.locator(".lens [role=application]").focus()
    page.keyboard.press("b")
    expect(page.locator(".lens.full")).to_have_css("position", "fixed")
    painted(page)
    assert page.locator(".lens").bounding_box() == {"x": 0, "y": 0, **size}
    for part in (".stage.shown", ".rows .cell >> nth=0", ".rows .cell >> nth=15", ".tab#kernels"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    stage = page.locator(".stage.shown").bounding_box()
    assert stage["width"] >= before[2] or size is PHONE
    hover(page, 50, 40)
    page.keyboard.press("Escape")
    assert not page.locator(".lens.full").count() and place_of(page) == before
    page.get_by_role("button", name="Fill the window").click()
    assert page.locator(".lens.full").count()
    page.get_by_role("button", name="Fill the window").click()
    assert not page.locator(".lens.full").count()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(390, 844), (360, 640), (844, 390)], ids=str)
def test_on_a_telephone_all_kernels_of_the_pixel_are_in_sight_beside_it(opened, crowded, size):
    page = opened(dict(zip(("width", "height"), size, strict=True)), crowded, has_touch=True, is_mobile=True)
    if size[0] < size[1]:  # the stage, which stays at the window's top; on its side, the lens
        page.locator(".stages").first.evaluate("(e) => scrollBy(0, e.getBoundingClientRect().top)")
    else:
        page.locator(".lens").evaluate("(e) => e.scrollIntoView()")
    for look in ("kernels", "sum", "parts", "change"):
        page.locator(f".tab#{look}").evaluate("(tab) => tab.click()")
        painted(page)
        seen = [*page.locator(".stage.shown").all(), *page.locator(".rows .cell canvas").all()]
        boxes = [one.bounding_box() for one in seen]
        assert len(boxes) == 1 + (2 * 1 + 2 * 7 if look == "parts" else 4 * 8)
        if look == "sum" and size != (390, 844):
            boxes = boxes[:2]  # its numbers are to be read: one scrolls to the last ones
        assert all(box["y"] > -1 and box["y"] + box["height"] < size[1] + 1 for box in boxes), look
        assert min(box["width"] for box in boxes) >= 14 and boxes[0]["width"] >= 150
    page.touchscreen.tap(*point(page, 40, 50))
    assert lens(page, "l.cursor") == [40, 50]


def test_a_swipe_scrolls_a_tap_looks_and_a_finger_that_rests_pins(opened):
    page = opened(PHONE, has_touch=True, is_mobile=True)
    touch, top = fingers(page), "document.scrollingElement.scrollTop"
    stage = page.locator(".stage.shown").bounding_box()
    x, y = stage["x"] + 100, stage["y"] + 150
    touch("touchStart", (x, y))
    for step in range(1, 7):
        touch("touchMove", (x, y - 20 * step))
    page.wait_for_timeout(200)
    touch("touchEnd")
    page.wait_for_timeout(200)
    assert page.evaluate(top) > 60
    assert lens(page, "[l.cursor, l.pinnedAt]") == [[20, 30], None]
    page.touchscreen.tap(*point(page, 40, 50))
    assert lens(page, "[l.cursor, l.pinnedAt]") == [[40, 50], None]
    scrolled = page.evaluate(top)
    touch("touchStart", point(page, 60, 20))
    until(page, lambda: lens(page, "l.pinned"))
    assert lens(page, "l.pinnedAt") == [60, 20]
    for step in range(1, 5):  # held, it takes the pixel along, also up and down
        touch("touchMove", point(page, 60 - 5 * step, 20))
    touch("touchEnd")
    assert lens(page, "[l.cursor, l.pinnedAt]") == [[40, 20], [40, 20]]
    assert page.evaluate(top) == scrolled
    # The picture stays in sight while one scrolls to kernels below it.
    page.evaluate("document.scrollingElement.scrollTo(0, 500)")
    painted(page)
    expect(page.locator(".stage.shown")).to_be_in_viewport(ratio=1)


@pytest.mark.slow
def test_frames_are_played_and_stand_still_where_motion_is_not_wanted(opened):
    page = opened(PROJECTOR)
    hover(page, 20, 30)
    read = "p.pictures.stages[1].picture.toDataURL()"
    before = lens(page, read)
    page.keyboard.press("v")
    seen = set()
    until(page, lambda: seen.add(lens(page, "l.rolling")) or len(seen) == 8)
    expect(page.locator(".roll-bar")).to_contain_text("Frame")
    assert lens(page, read) != before
    page.get_by_role("button", name="Stop").click()
    painted(page)
    assert lens(page, "[l.rolling, l.frame, l.shown]") == [None, 0, METHODS[-1]]
    assert lens(page, read) == before
    page.emulate_media(reduced_motion="reduce")
    for frame in (0, 1):
        page.keyboard.press("v")
        page.wait_for_timeout(500)
        assert lens(page, "l.rolling") == frame
    painted(page)
    # What is seen is that frame.
    colors = "(c) => Array.from(c.getContext('2d').getImageData({}, 1, 1).data)"
    shown = lens(page, f"({colors.format('40.5 * l.scale, 70.5 * l.scale')})(p.pictures.stages[1].picture)")
    assert shown == lens(page, f"({colors.format('40, 70')})(p.pictures.bitmapOf(1))")


def test_stacked_frames_carry_the_kernels_of_the_pixel(opened):
    page = opened(PROJECTOR)
    page.locator("[name=mode]").select_option("stack")
    painted(page)
    marks = "p.pictures.stages[1].marks.toDataURL()"
    before = lens(page, marks)
    # Under the mouse is the pixel of the sheet that is seen there: the middle of the topmost one.
    place = lens(page, "[l.stack, l.size]")
    (stack, (width, height)) = place
    box, (x, y) = page.locator(".stage.shown").bounding_box(), stack["origins"][0]
    u, v = 0.5 * width, 0.25 * height
    page.mouse.move(box["x"] + x + stack["across"] * u - stack["lean"] * v, box["y"] + y + stack["down"] * v)
    painted(page)
    assert lens(page, "l.cursor") == [24, 48]
    assert lens(page, marks) != before
    expect(page.get_by_text("kernels of MKPN on all frames")).to_be_visible()
    box = page.locator(".cell canvas").nth(1).bounding_box()
    assert box["width"] >= 72


@pytest.mark.slow
def test_the_legend_has_every_mark_and_words_are_explained_where_they_stand(opened):
    page = opened(PROJECTOR, has_touch=True)
    legend = page.locator(".legend.of-kernels")
    for look, marks in {
        "kernels": ("centroid", "shift", "beyond", "share", "negative"),
        "frames": ("reach", "shift", "beyond", "share", "negative"),
        "sum": ("share", "negative"),
        "uses": ("centroid", "shift", "share", "negative"),
    }.items():
        page.locator(f".tab#{look}").click()
        for mark in marks:
            expect(legend.locator(f".{mark}").first).to_be_visible()
    on_picture = page.locator(".legend.on-picture")
    expect(on_picture).to_contain_text("kernels: 5×5, 11×11 px")
    page.locator(".cell").nth(2).click()
    expect(on_picture).to_contain_text("its scene in frame 2")
    page.locator(".pin").click()
    expect(on_picture.locator(".pinned")).to_be_visible()
    tip = page.locator(".tip")
    word = page.locator(".row .term", has_text="KPN L5")
    expect(tip).to_be_hidden()
    word.hover()
    expect(tip).to_contain_text("L5: kernels of 5×5 pixels")
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    page.keyboard.press("Escape")
    word.focus()
    expect(tip).to_be_visible()
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    legend.locator(".negative").tap()
    expect(tip).to_contain_text("less than 0")
