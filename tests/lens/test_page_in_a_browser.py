"""The interactive page, opened from its file in a real browser without a network."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

import kpnviz
from kpnviz.analysis.counterfactuals import ChangedKernels, drop_frames, restrict_sizes, shift_frame
from kpnviz.analysis.maps import disagreement, mean_kernels
from kpnviz.analysis.metrics import psnr
from kpnviz.lens import interactive_page, pack, pack_assumed
from kpnviz.noise import NoiseModel
from kpnviz.text import visible

from ..app_pages import lens_driver
from ..app_pages.lens_driver import METHODS, color, hover, lens, painted, point, watch

pytestmark = pytest.mark.browser

RECIPE = kpnviz.BurstRecipe(
    "dog",
    (60, 60, 96, 96),
    NoiseModel.for_gain(4),
    moving=kpnviz.MovingObject("city", center=(48, 48), diameter=30, velocity=(1, 2)),
)
SCALES = (0.25, 0.5, 2, 4)
LINK = "http://localhost:8501/?v=1&photo=dog"
SIZE = {"width": 1280, "height": 900}
STATE = "document.getElementById('lens').shadowRoot.querySelector('.lens').lens.state"


@pytest.fixture(scope="module")
def burst():
    return kpnviz.synthesize(RECIPE)


@pytest.fixture(scope="module")
def estimates(burst):
    return [kpnviz.load(method)(burst) for method in METHODS]


@pytest.fixture(scope="module")
def payload(burst, estimates):
    clean = kpnviz.synthesize(dataclasses.replace(RECIPE, noise=NoiseModel(0, 0))).frames
    return pack(burst, estimates, (20, 30), clean)


@pytest.fixture
def opened(chromium, tmp_path, burst, estimates, payload):
    """Write a page and open its file offline; no test may leave an error, or have asked for anything."""
    contexts, pages, asked = [], [], []

    def open_page(scheme="light", size=SIZE, **options):
        file = tmp_path / "page.html"
        text = interactive_page(burst, estimates, payload, LINK, gain=4.0, **options)
        file.write_text(text, encoding="utf-8")
        contexts.append(chromium.new_context(viewport=size, color_scheme=scheme, accept_downloads=True))
        contexts[-1].set_offline(True)
        pages.append(watch(contexts[-1].new_page()))
        pages[-1].on("request", lambda request: asked.append(request.url))
        pages[-1].goto(file.as_uri())
        pages[-1].locator(".lens[data-y]").wait_for()
        return pages[-1]

    yield open_page
    for page in pages:
        assert not page.errors
    assert asked and all(address.startswith(("file:", "data:", "blob:")) for address in asked)
    for context in contexts:
        context.close()


def until(page, condition):
    """Wait for a condition. (Playwright's wait_for_function evaluates a text, which the page's policy forbids.)"""
    lens_driver.until(page, lambda: page.evaluate(f"() => Boolean({condition})"))


@pytest.mark.slow
def test_kernels_follow_the_mouse_and_are_those_of_python(opened, estimates):
    page = opened()
    assert lens(page, "[l.cursor, l.pinned]") == [[20, 30], False]
    for y, x in [(40, 50), (95, 0), (3, 94)]:
        before = page.locator(".cell canvas").first.screenshot()
        hover(page, y, x)
        painted(page)
        assert page.locator(".cell canvas").first.screenshot() != before
        rows = lens(
            page, f"l.kernelsAt({y}, {x}).map((m) => [m.cells.map((c) => Array.from(c.weights)), m.sums[0]])"
        )
        for (weights, total), estimate in zip(rows, estimates, strict=True):
            expected = estimate.kernels.at(y, x)
            # Factors travel as float16: 11 bits.
            scale = np.abs(expected).max()
            np.testing.assert_allclose(np.reshape(weights, expected.shape), expected, atol=2e-3 * scale)
            assert total == pytest.approx(estimate.image[y, x], abs=2e-3)
    expect(page.locator("[name=assumed]")).to_be_hidden()  # the file does not hold what it needs


def test_every_view_works_offline(opened):
    page = opened(pixel=(40, 50))
    pictures = set()
    names = ("Kernels", "Sizes", "On the frames", "Sum", "Uses", "Matching", "Frequencies", "Ideal")
    for name in names:
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
        painted(page)
        pictures.add(page.locator(".cell canvas").nth(3).screenshot())
    assert len(pictures) == len(names)
    until(
        page,
        "document.getElementById('lens').shadowRoot.querySelector('.lens').lens.state.ideal.found",
    )
    assert lens(page, "l.ideal.found.error < l.ideal.found.network")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "kernels_y40_x50.png"
    page.locator(".lens").press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_what_if_a_frame_were_left_out_or_moved(opened, burst, estimates):
    """Pictures, their scores and the kernels are those that Python has of the same changes."""
    page = opened(display={"look": "change", "shown": "mkpn"})
    field = dataclasses.replace(
        estimates[1].kernels, factors=estimates[1].kernels.factors.half().float()
    )  # as they travel
    row = page.locator("[data-method=MKPN]")
    score = page.locator(".chip.shown .score").locator("visible=true")
    row.locator("[data-drop='3']").click()
    dropped = ChangedKernels(drop_frames(field, [3]), share_of=field)
    expect(score).to_have_text(f"{psnr(dropped.apply(burst.frames), burst.truth, burst.white_level):.2f} dB")
    expect(row.locator(".loss")).to_have_text(re.compile("^Δ −"))
    page.locator("[name=nonnegative]").check()
    page.locator("[name=moved]").select_option("2")
    page.locator("[name=dx]").fill("-5")
    moved = shift_frame(burst, 2, 0, -5)
    changed = ChangedKernels(drop_frames(field, [3]), True, field)
    image = changed.apply(moved.frames)
    expect(score).to_have_text(f"{psnr(image, burst.truth, burst.white_level):.2f} dB")
    shown = lens(page, "Array.from(l.imageOf(l.panelNamed('mkpn')))")
    np.testing.assert_allclose(np.reshape(shown, image.shape), image, atol=2e-5)
    hover(page, 30, 60)
    painted(page)
    weights = lens(page, "l.found[1].cells.map(({ weights }) => [...weights])")
    np.testing.assert_allclose(np.reshape(weights, (8, 11, 11)), changed.at(30, 60), atol=1e-6)
    expect(
        row.locator(".agrees")
    ).to_be_visible()  # the picture is what these kernels make of the moved frame
    assert lens(page, "l.shifts[2]") == moved.shifts[2].tolist()
    page.get_by_role("button", name="undo changes").click()
    expect(score).to_contain_text(f"{psnr(estimates[1].image, burst.truth, burst.white_level):.2f} dB")


def test_regions_kinds_and_where_pictures_differ_follow_the_pixel(opened, burst, estimates):
    page = opened(
        display={"look": "kinds", "mode": "kinds", "all": True, "kinds": 3, "shown": "mkpn", "frame": 2}
    )
    until(
        page, "document.getElementById('lens').shadowRoot.querySelector('.agrees')"
    )  # the kind of the pixel
    kind = lens(page, "l.kinds.at(l.chosenMethod, ...l.cursor)")
    expect(page.locator(".of-map .here")).to_have_text(f"here {kind + 1}")
    expect(page.locator(".row .cell")).to_have_count(3 * 8)
    page.get_by_role("tab", name="Region").click()
    page.locator("[name=region]").select_option("17")
    hover(page, 40, 50)
    until(page, "document.getElementById('lens').shadowRoot.querySelectorAll('.cell.dim').length === 0")
    found = lens(page, "l.means.of(l.kernelMethods[1]).kernels.map((weights) => [...weights])")
    expected = mean_kernels(estimates[1].kernels, 32, 49, 42, 59)
    np.testing.assert_allclose(np.reshape(found, expected.shape), expected, atol=1e-3)
    page.locator("[name=mode]").select_option("absolute")
    page.locator("[name=against]").select_option("kpn-l5")
    places = disagreement(estimates[1].image, estimates[0].image, burst.white_level)
    for y, x, _ in places[:2]:
        page.locator(".peak").click()
        until(page, f"String({STATE}.pinnedAt) === '{y},{x}'")


def test_sizes_are_those_of_python_and_without_some_the_picture_and_its_score_follow(
    opened, burst, estimates
):
    page = opened(display={"look": "parts", "frame": 3, "shown": "mkpn"})
    field = dataclasses.replace(
        estimates[1].kernels, factors=estimates[1].kernels.factors.half().float()
    )  # as they travel
    row = page.locator("[data-method=MKPN]")
    names = [f"{size}×{size}" for size in field.sizes]
    assert row.locator(".cell .label b").all_inner_texts() == [*names, "fused"]
    assert page.locator("[data-method='KPN L5'] .cell .label b").all_inner_texts() == ["5×5"]
    for y, x in [(40, 50), (95, 0)]:
        hover(page, y, x)
        painted(page)
        parts = lens(
            page, "l.taken[1][0].map(({ size, u, v, weights }) => [size, [...u], [...v], [...weights]])"
        )
        kernels = field.sizes_at(y, x)
        for (size, u, v, weights), n in zip(parts, field.sizes, strict=True):
            assert size == n
            np.testing.assert_allclose(np.outer(u, v), kernels[n][3], atol=1e-6)
            np.testing.assert_allclose(np.reshape(weights, (n, n)), kernels[n][3], atol=1e-6)

    # Off: the largest and 3x3.
    kept = [size for size in field.sizes if size not in (3, field.sizes[-1])]
    for size in (3, field.sizes[-1]):
        row.locator(f"[data-size='{size}']").click()
    expect(row.locator("[data-size='3']")).to_have_attribute("aria-pressed", "false")
    without = ChangedKernels(restrict_sizes(field, kept), share_of=field)  # as bright as before
    image = without.apply(burst.frames)
    score = page.locator(".chip.shown .score").locator("visible=true")
    expect(score).to_have_text(f"{psnr(image, burst.truth, burst.white_level):.2f} dB")
    shown = lens(page, "Array.from(l.imageOf(l.panelNamed('mkpn')))")
    np.testing.assert_allclose(np.reshape(shown, image.shape), image, atol=2e-5)
    hover(page, 30, 60)
    painted(page)
    fused = lens(page, "[...l.found[1].cells[3].weights]")
    margin = (max(field.sizes) - max(kept)) // 2
    np.testing.assert_allclose(np.reshape(fused, (11, 11)), np.pad(without.at(30, 60)[3], margin), atol=1e-6)
    expect(row.locator(".agrees")).to_be_visible()  # the picture is what these kernels make
    page.locator(".inside .options summary").click()
    page.locator(".menu [name=keep]").uncheck()
    plain = restrict_sizes(field, kept).apply(torch.from_numpy(burst.frames)[None])[0].numpy()
    expect(score).to_have_text(f"{psnr(plain, burst.truth, burst.white_level):.2f} dB")
    row.locator("[data-size='']").click()
    expect(score).to_contain_text(f"{psnr(estimates[1].image, burst.truth, burst.white_level):.2f} dB")

    # All frames of the method, size by size; the map of the size with most weight.
    page.locator("[name=frame]").select_option("all")
    expect(page.locator(".row .name b")).to_have_text([*names, re.compile("MKPN")])
    page.locator("[name=mode]").select_option("size")
    weights = [
        np.abs(restrict_sizes(field, [n]).predicted(slice(15, 16), list(range(8))))[:, 0, 30].sum()
        for n in field.sizes
    ]
    heaviest = field.sizes[int(np.argmax(weights))]
    hover(page, 30, 60)
    expect(page.locator(".of-map .here")).to_have_text(f"here {heaviest}×{heaviest} px")
    shares = page.locator(".of-map .entry").all_inner_texts()
    assert sum(int(re.search(r" (\d+) %", text)[1]) for text in shares) == pytest.approx(100, abs=3)


@pytest.mark.slow
def test_it_opens_as_the_app_was_and_keeps_what_is_chosen_when_loaded_again(opened):
    display = {
        "look": "frames",
        "compare": "pair",
        "frame": 2,
        "view": [10.0, 20.0, 2.0],
        "shown": METHODS[0],
    }
    page = opened(pixel=(33, 44), display=display | {"assumed": 1.0})
    state = "[l.cursor, l.pinned, l.look, l.compare, l.frame, l.shown, l.display.view, l.assumed.power]"
    assert lens(page, state) == [[33, 44], True, "frames", "pair", 2, METHODS[0], [10, 20, 2], 0]
    page.mouse.click(*point(page, 50, 40))
    page.locator(".lens").press("t")
    page.locator(".lens").press("5")
    chosen = [[50, 40], True, "sum", "pair", 5, METHODS[0], [10, 20, 2], 0]
    assert lens(page, state) == chosen
    until(page, "history.state?.pinned?.[0] === 50 && history.state.display.frame === 5")
    page.reload()
    page.locator('.lens[data-y="50"][data-pinned="true"]').wait_for()
    assert lens(page, state) == chosen
    page.locator(".lens").press("Escape")
    until(page, "history.state.pinned === null")
    page.reload()
    page.locator('.lens[data-look="sum"][data-pinned="false"]').wait_for()


def test_the_slider_of_the_assumed_noise_is_there_with_what_it_needs(opened, burst):
    of_scales = {m: [kpnviz.load(m)(burst, scale) for scale in SCALES] for m in METHODS}
    assumed = {m: pack_assumed(burst, SCALES, estimates) for m, estimates in of_scales.items()}
    page = opened(pixel=(40, 50), display={"assumed": 1.0}, assumed=assumed)
    slider = page.locator("[name=assumed]")
    expect(slider).to_have_value("1")
    for power in (1, -2):
        slider.evaluate(
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }", power
        )
        for m, method in enumerate(METHODS):
            expected = of_scales[method][SCALES.index(2.0**power)]
            kernel = expected.kernels.at(40, 50)
            found = lens(page, f"l.kernelsAt(40, 50)[{m}].cells.map((c) => Array.from(c.weights))")
            np.testing.assert_allclose(
                np.reshape(found, kernel.shape), kernel, atol=2e-3 * np.abs(kernel).max()
            )
        score = page.locator(".chip.shown").locator("visible=true")
        expect(score).to_contain_text(f"{psnr(expected.image, burst.truth):.2f} dB")
    assert "told the true noise" not in page.inner_text("main")


# WCAG: the ratio of the luminances of text and of what is behind it.
_CONTRAST = """(element) => {
  const rgb = (text) => { // any CSS color, also color(srgb ...)
    const context = new OffscreenCanvas(1, 1).getContext("2d");
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    return Array.from(context.getImageData(0, 0, 1, 1).data.slice(0, 3));
  };
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (color) => {
    const [r, g, b] = rgb(color).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [a, b] = [getComputedStyle(element).color, getComputedStyle(document.body).backgroundColor].map(light);
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
_TEXTS = ("h1", "header p", ".text p", ".text a", ".recipe th", ".where .hint", ".tab >> nth=2", ".thumb .score",
          ".row .total", ".lines .agrees", ".label b >> nth=3", ".note")  # fmt: skip


@pytest.mark.slow
def test_both_themes_are_readable_and_a_switch_is_followed(opened):
    page = opened("light", pixel=(40, 50))
    colors = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.locator(f".lens{'.dark' if scheme == 'dark' else ':not(.dark)'}").wait_for()
        painted(page)
        for text in _TEXTS:
            ratio = page.locator(text).first.evaluate(_CONTRAST)
            assert ratio >= (3 if text == ".lines .agrees" else 4.5), (scheme, text, ratio)
        colors[scheme] = lens(page, "[p.palette.css, p.ink.text, p.ink.shift]")
    assert all(one != other for one, other in zip(colors["light"], colors["dark"], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 800, 390])
def test_it_fits_any_window(opened, width):
    page = opened(size={"width": width, "height": 900})
    page.wait_for_timeout(600)  # the lens measures once more what is above it
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator(".rows").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    if width == 1280:
        for part in (".film", ".rows", ".foot"):
            box = page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= 900, part


def test_no_name_is_markup(chromium, tmp_path, burst, estimates):
    name = "</script><script>alert(1)</script></template><img src=http://127.0.0.1:9/a onerror=alert(2)>"
    named = dataclasses.replace(burst, recipe=dataclasses.replace(RECIPE, photo=name))
    models = [dataclasses.replace(estimates[0], model=name)]
    text = interactive_page(named, models, pack(named, models), LINK + '"><b>', display={"shown": name})
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    page = watch(chromium.new_page(viewport=SIZE))
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.goto(file.as_uri())
    page.locator(".lens[data-y]").wait_for()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Photo “{visible(name)}”")
    assert page.locator("img").count() == 0 and asked == [file.as_uri()] and not said and not page.errors
    # Even what had got in would not run.
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'gone = 1' }))"
    )
    assert page.evaluate("typeof gone") == "undefined"
    page.close()


@pytest.mark.slow
def test_colors_of_pictures_are_those_of_python(opened, estimates):
    page = opened()
    painted(page)
    value = float(np.clip(estimates[1].image[40, 50], 0, 1))
    srgb = 1.055 * value ** (1 / 2.4) - 0.055  # IEC 61966-2-1, above 0.0031
    assert color(page, METHODS[1], 40, 50) == pytest.approx([255 * srgb] * 3, abs=1)
