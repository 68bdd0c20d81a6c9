"""The page Sizes and the examples in front of a class, in a real browser."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

import kpnviz
from kpnviz.analysis.best_size import SIZE_CLASSES, best_size
from kpnviz.analysis.maps import squared_error
from kpnviz.analysis.metrics import psnr
from kpnviz.models.zoo import MATCHED
from kpnviz.ui.choices import SIZED
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import COLOR, DEFAULTS
from kpnviz.ui.presets import PRESETS

from .lens_driver import (
    at_rest,
    click_pixel,
    color,
    hover,
    lens,
    no_exception,
    open_lens,
    painted,
    until,
    watch,
)

pytestmark = pytest.mark.browser

SCENE = DEFAULTS | {"crop": 96, COLOR: False}  # as links of version 1 are


@pytest.fixture
def page(kept_pages):
    with kept_pages.page("/sizes?v=1&crop=96&pixel=40~52", height=800) as page:
        yield page
        no_exception(page)


@pytest.fixture(scope="module")
def burst():
    return kpnviz.synthesize(recipe_of(SCENE))


@pytest.fixture(scope="module")
def estimates(burst):
    return [kpnviz.load(method)(burst) for method in SIZED]


@pytest.fixture(scope="module")
def best(burst, estimates):
    sizes = [MATCHED[method].sizes for method in SIZED]
    errors = [squared_error(estimate.image, burst.truth) for estimate in estimates]
    return best_size(errors, [size[0] if len(size) == 1 else None for size in sizes])


@pytest.mark.slow
def test_one_screen_holds_the_picture_the_map_and_kernels_of_all_sizes(page):
    at_rest(page)
    for stage in (".stage.shown", ".stage.map"):
        box = page.locator(stage).bounding_box()
        assert box["width"] >= 400 and box["height"] >= 400, stage
    kernels = page.locator(".cell canvas")
    expect(kernels).to_have_count(len(SIZED))
    boxes = [kernel.bounding_box() for kernel in kernels.all()]
    assert min(box["width"] for box in boxes) >= 72
    assert len({box["y"] for box in boxes}) == 1  # a row
    last = page.locator(".cell").last.bounding_box()
    assert last["y"] + last["height"] <= 800
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_kernels_of_a_frame_are_those_of_python(page, estimates):
    root = page.locator(".lens")
    for frame in (0, 3):
        root.press(str(frame))
        expect(page.get_by_role("combobox", name="Frame")).to_have_value(str(frame))
        painted(page)
        found = lens(page, "l.found.map(({ cells }) => [Array.from(cells[0].weights), cells[0].share])")
        for (weights, share), estimate in zip(found, estimates, strict=True):
            expected = estimate.kernels.at(40, 52)[frame]
            scale = np.abs(expected).max()
            np.testing.assert_allclose(np.reshape(weights, expected.shape), expected, atol=2e-3 * scale)
            assert share == pytest.approx(expected.sum() / 8, abs=2e-3)
    # A frame does not take a picture's place.
    assert lens(page, "[l.other, l.shown]") == [SIZED[1], SIZED[-1]]


def test_the_kernels_move_with_the_mouse_on_the_picture_and_on_the_map(page):
    page.locator(".lens").press("Escape")
    for stage in (".stage.shown", ".stage.map"):
        before = page.locator(".cell canvas").nth(4).screenshot()
        box = page.locator(stage).bounding_box()
        scale = lens(page, "l.scale")
        y, x = (20, 30) if stage == ".stage.map" else (70, 66)
        page.mouse.move(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
        expect(page.locator(f'.lens[data-y="{y}"][data-x="{x}"]')).to_be_attached()
        painted(page)
        assert page.locator(".cell canvas").nth(4).screenshot() != before
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**pixel=20~30**")  # a click on the map pins the pixel


@pytest.mark.slow
def test_another_pair_moves_nothing_and_the_view_sizes_is_of_the_pair(page):
    def places():
        parts = page.locator(".stage:visible, .handle, .map-of-sizes").all()
        return [part.bounding_box() for part in parts]

    lens(page, "p.pictures.wipe.moveTo(0.3)")
    painted(page)
    before = places()
    cells = page.locator(".rows .cell")
    for modifiers, number in (([], 2), (["Shift"], 4), ([], 0)):  # at the right; at the left; MKPN
        cells.nth(number).click(modifiers=modifiers)
        painted(page)
        assert places() == before, number
    page.get_by_role("tab", name="Sizes", exact=True).click()
    painted(page)
    assert places() == before
    expect(page.locator(".row .name b")).to_have_text(["MKPN", "KPN L7"])
    page.locator("[data-of=mkpn][data-size='11']").click()
    expect(page.locator("[data-method=MKPN] .loss")).to_contain_text("dB")
    page.get_by_role("tab", name="All sizes").click()
    expect(cells).to_have_count(len(SIZED))


@pytest.mark.slow
def test_a_kernel_s_true_extent_is_seen(page):
    """By the bar under it, and at equal pixel scale by the kernel itself."""
    sizes = [max(MATCHED[method].sizes) for method in SIZED]
    tracks = [track.bounding_box()["width"] for track in page.locator(".bar-box").all()]
    bars = [bar.bounding_box()["width"] for bar in page.locator(".bar-box i").all()]
    np.testing.assert_allclose(np.divide(bars, tracks), np.divide(sizes, 25), atol=0.02)
    filled = (
        "p.rows.rows[0].cells.map(({ canvas }) => { const { data, width: w } = "
        "canvas.getContext('2d').getImageData(0, canvas.height >> 1, canvas.width, 1); "
        "let n = 0; for (let i = 0; i < w; i++) n += data[4 * i + 3] > 250; return n / w; })"
    )
    assert min(lens(page, filled)) > 0.9
    page.get_by_label("equal pixel scale").check()
    painted(page)
    np.testing.assert_allclose(lens(page, filled), np.divide(sizes, 25), atol=0.05)


@pytest.mark.slow
def test_any_two_sizes_are_compared(page, burst, estimates):
    cells = page.locator(".cell")
    cells.nth(1).click()
    cells.nth(4).click(modifiers=["Shift"])
    assert lens(page, "[l.compare, l.other, l.shown]") == ["wipe", SIZED[4], SIZED[1]]
    assert cells.nth(1).get_attribute("aria-pressed") == "true"
    scores = [f"{psnr(estimates[m].image, burst.truth):.2f} dB" for m in (4, 1)]
    for chip, score in zip((".chip.other", ".chip.shown"), scores, strict=True):
        expect(page.locator(chip).locator("visible=true")).to_contain_text(score)
    page.get_by_role("slider", name="Edge of the wipe").press("ArrowRight")
    painted(page)
    read = (
        "[[10, 60], [80, 60]].map(([x, y]) => Array.from(p.pictures.stages[1].picture.getContext('2d')"
        ".getImageData((x + 0.5) * l.scale, (y + 0.5) * l.scale, 1, 1).data).slice(0, 3))"
    )
    assert lens(page, read) == [color(page, SIZED[4], 60, 10), color(page, SIZED[1], 60, 80)]
    page.wait_for_url(re.compile(f"sizes={SIZED[4]}~{SIZED[1]}~0"))
    page.reload()
    page.locator(".lens[data-y]").wait_for()
    assert lens(page, "[l.other, l.shown]") == [SIZED[4], SIZED[1]]


def test_the_map_and_its_legend_are_those_of_python(page, best):
    index = np.array(lens(page, "Array.from(l.data.sizes.index)")).reshape(best.index.shape)
    assert (index != best.index + 1).mean() < 2e-3  # threads add in another order
    legend = dict(
        re.findall(
            r"(small|middle|large|tie)[^%]*?(\d+) %", page.locator(".map-of-sizes .shares").inner_text()
        )
    )
    for number, name in enumerate((*SIZE_CLASSES, "tie")):
        share = (best.index == (number if name != "tie" else -1)).mean()
        assert float(legend[name]) == pytest.approx(100 * share, abs=1 if share < 0.01 else 0.7), name
    # Colors on the picture: gray where nobody leads, else the class's hue.
    shades = lens(page, "Array.from(p.sizes.bitmap.getContext('2d').getImageData(0, 0, 96, 96).data)")
    rgb = np.reshape(shades, (96, 96, 4))[..., :3]
    assert ((rgb.max(-1) == rgb.min(-1)) == (index == 0)).all()


@pytest.mark.slow
def test_the_sentence_at_the_pixel_is_true(page, best):
    page.locator(".lens").press("Escape")
    seen = set()
    for y, x in [(10, 10), (48, 40), (70, 80), (30, 66), (85, 20), (60, 60)]:
        hover(page, y, x)
        text = page.locator(".map-of-sizes .here").inner_text()
        number = best.index[y, x]
        local = best.local[:, y, x]
        assert ("none leads" in text) == (number < 0), text
        seen.add(int(number))
        if number >= 0:
            mine = max(v for v, c in zip(local, best.classes, strict=True) if c == number)
            others = max(v for v, c in zip(local, best.classes, strict=True) if c not in (number, None))
            assert f"here {SIZE_CLASSES[number]}: " in text
            assert float(re.search(r"([\d.]+) dB", text)[1]) == pytest.approx(mine - others, abs=0.02)
        shown = [float(cell.inner_text().split()[1]) for cell in page.locator(".more").all()]
        np.testing.assert_allclose(shown, local, atol=0.07)


@pytest.mark.slow
def test_narrow_pages_have_all_of_it(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 390, "height": 844}))
    open_lens(page, f"{server}/sizes?v=2&color=1&crop=96")
    at_rest(page)
    read = "Array.from(p.sizes.bitmap.getContext('2d').getImageData(0, 0, 96, 96).data)"
    rgb, index = (
        np.reshape(lens(page, read), (96, 96, 4))[..., :3],
        lens(page, "Array.from(l.data.sizes.index)"),
    )
    # In color, too, a tie is gray, and only that.
    assert ((rgb.max(-1) == rgb.min(-1)) == (np.reshape(index, (96, 96)) == 0)).all()
    kernels = [kernel.bounding_box() for kernel in page.locator(".cell canvas").all()]
    assert len(kernels) == len(SIZED) and min(box["width"] for box in kernels) >= 72
    picture, best = (page.locator(stage).bounding_box() for stage in (".stage.shown", ".stage.map"))
    assert picture["width"] >= 300 and best["width"] == picture["width"]
    assert picture["y"] < kernels[0]["y"] < best["y"]
    main = "document.querySelector('[data-testid=stMain]')"
    assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
    page.close()


# --- In front of a class ---


@pytest.fixture
def teacher(kept_pages):
    with kept_pages.page("/?v=1&methods=kpn-l5~mkpn&teach=1", height=800) as page:
        yield page
        no_exception(page)


def shows(page, number):
    """Title and number of the example, and its scene in the address."""
    preset = PRESETS[number]
    expect(page.locator(".presenter .title")).to_have_text(preset.title)
    expect(page.locator(".presenter .number")).to_have_text(f"{number + 1} of {len(PRESETS)}")
    page.wait_for_url(re.compile(f"photo={preset.scene['photo']}.*pixel={preset.pixel[0]}~{preset.pixel[1]}"))
    expect(page.get_by_text(preset.look[:40])).to_be_visible()


def test_keys_step_through_the_examples(teacher):
    expect(teacher.locator(".presenter .number")).to_have_text(f"{len(PRESETS)} examples")
    teacher.keyboard.press("ArrowRight")
    shows(teacher, 0)
    for _ in range(3):  # faster than pages: none is lost
        teacher.keyboard.press("PageDown")
    shows(teacher, 3)
    teacher.keyboard.press("PageUp")
    shows(teacher, 2)
    teacher.keyboard.press("ArrowLeft")
    shows(teacher, 1)
    teacher.get_by_role("button", name="Next example").click()
    shows(teacher, 2)
    assert "teach=1" in teacher.url


@pytest.mark.slow
def test_the_lens_and_controls_keep_their_keys(teacher):
    y, x = PRESETS[0].pixel
    teacher.keyboard.press("ArrowRight")
    shows(teacher, 0)
    # Until the example's pictures are there, with its pixel, they would still take the place of what is pinned.
    until(teacher, lambda: lens(teacher, "!l.waiting && l.pinnedAt?.join()") == f"{y},{x}")
    at_rest(teacher)
    click_pixel(teacher, 50, 60)
    teacher.wait_for_url("**pixel=50~60**")
    teacher.keyboard.press("ArrowRight")
    expect(teacher.locator('.lens[data-x="61"]')).to_be_attached()
    teacher.get_by_label("Show", exact=True).locator("visible=true").focus()
    teacher.keyboard.press("ArrowLeft")
    expect(teacher.locator(".presenter .number")).to_have_text(f"1 of {len(PRESETS)}")
    # A remote control's keys mean nothing to the lens.
    teacher.locator(".lens").focus()
    teacher.keyboard.press("PageDown")
    shows(teacher, 1)


@pytest.mark.slow
def test_a_lens_that_the_mouse_has_left_gives_the_keys_back(teacher):
    hover(teacher, 50, 60)
    teacher.keyboard.press("ArrowRight")
    expect(teacher.locator('.lens[data-x="61"]')).to_be_attached()
    teacher.mouse.move(600, 40)
    teacher.keyboard.press("ArrowRight")
    shows(teacher, 0)


@pytest.mark.slow
def test_in_front_of_a_class_the_picture_is_larger_kernels_are_not_small_and_marks_thicker(
    chromium, server, teacher
):
    usual = watch(chromium.new_page(viewport={"width": 1280, "height": 800}))
    open_lens(usual, f"{server}/?v=1&methods=kpn-l5~mkpn")
    for page in (usual, teacher):
        at_rest(page)
    expect(teacher.locator(".lens.teach")).to_be_attached()
    painted(teacher)
    kernel, stage = (
        [page.locator(one).first.bounding_box()["width"] for page in (usual, teacher)]
        for one in (".cell canvas", ".stage.shown")
    )
    assert kernel[1] >= 0.95 * kernel[0] and stage[1] >= 1.1 * stage[0], (kernel, stage)
    last = teacher.locator(".cell").last.bounding_box()
    assert last["y"] + last["height"] <= 800
    assert [lens(page, "p.ink.weight") for page in (usual, teacher)] == [1, 2]
    usual.close()
