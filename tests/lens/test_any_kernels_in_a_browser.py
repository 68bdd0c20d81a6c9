"""Kernels of other networks, opened in a page: every view works, in color, without noise and truth, at borders."""

import numpy as np
import pytest
from playwright.sync_api import expect

from kpnviz.burst import Burst
from kpnviz.estimate import Estimate, Series
from kpnviz.kernels import KernelField
from kpnviz.lens import interactive_page, pack, payload
from kpnviz.lens.payload import MODES, read_header

from ..app_pages.lens_driver import color, hover, lens, painted, watch
from .kinds import H, W, fac, frames, normal, of_kind, pytorch_kpn, sepconv, valid

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(chromium, tmp_path):
    """Write a page of a burst and its estimates, and open its file; no test may leave an error."""
    pages = []

    def open_page(burst, estimates, pixel=(0, 1), display=None, **options):
        file = tmp_path / "page.html"
        data = pack(burst, estimates, **options)
        file.write_text(interactive_page(burst, estimates, data, pixel=pixel, display=display), "utf-8")
        pages.append(watch(chromium.new_page(viewport={"width": 1280, "height": 900})))
        pages[-1].goto(file.as_uri())
        pages[-1].locator(".lens[data-y]").wait_for()
        return pages[-1]

    yield open_page
    for page in pages:
        assert not page.errors
        page.close()


@pytest.mark.parametrize(
    "kind",
    [pytorch_kpn, *(pytest.param(kind, marks=pytest.mark.slow) for kind in (sepconv, fac))],
    ids=lambda kind: kind.__name__,
)
def test_every_view_and_mode_works_without_noise_and_truth(opened, kind):
    burst, estimate = of_kind(kind)
    page = opened(burst, [estimate, Estimate(burst.reference, None, "only a picture", 0.0)])
    names = [
        "Kernels",
        "Sizes",
        "On the frames",
        "Sum",
        "Uses",
        "Frequencies",
        "Region",
        "Kinds",
        "What if",
        "Ideal",
    ]
    assert page.get_by_role("tab").all_inner_texts() == names  # no network here is shown what matching says
    for name in names:
        page.get_by_role("tab", name=name, exact=True).click()
        painted(page)
    expect(page.locator(".row.ideal")).to_contain_text("of this burst both are unknown")
    page.get_by_role("tab", name="Sizes").click()
    if kind is sepconv:
        assert len(lens(page, "l.taken[0][0][0].u")) == 51
    else:
        why = "It predicts the 25 weights of its 5×5 kernel one by one: it has one size and no factors"
        expect(page.locator(f"[data-method={kind.__name__}]")).to_contain_text(why)
    page.get_by_role("tab", name="Kernels").click()
    expect(page.locator("[data-method='only a picture']")).to_contain_text("It has a picture alone")
    for mode in (*MODES[1:], "picture"):
        page.locator("[name=mode]").select_option(mode)
        painted(page)
    assert page.locator("[data-method] .name b").first.inner_text() == kind.__name__
    with page.expect_download():
        page.get_by_role("button", name="PNG").click()
    text = page.inner_text("main")
    assert "gain" not in text.lower() and "noisy" not in text and "Scores" not in text


def test_the_receipt_in_color_has_a_sum_of_each_channel(opened):
    burst, estimate = of_kind(sepconv)
    page = opened(burst, [estimate])
    painted(page)
    lines = page.locator("[data-method=sepconv] .lines span").all_inner_texts()
    for line, name, value in zip(lines, "RGB", estimate.image[:, 0, 1], strict=False):
        assert line in (f"{name} {value:.4f} ✓", f"{name} {value:.4f} ≈", f"{name} {value + 1e-4:.4f} ≈",
                        f"{name} {value - 1e-4:.4f} ≈")  # fmt: skip
    assert lines[3:] == ["linear intensity", "shares: 100 %"]
    shown = np.clip(estimate.image[:, 7, 9].astype(float), 0.0031308, 1)
    srgb = 255 * (1.055 * shown ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    assert color(page, "sepconv", 7, 9) == pytest.approx(srgb.tolist(), abs=1)


@pytest.mark.slow
def test_kernels_of_a_channel_are_chosen(opened):
    burst, estimate = of_kind(fac)
    page = opened(burst, [estimate], pixel=(9, 12), display={"channel": 2})
    expect(page.locator("[name=channel]")).to_have_value("2")
    for channel in (2, 0):
        page.locator("[name=channel]").select_option(f"{channel}")
        painted(page)
        found = lens(page, "Array.from(l.found[0].cells[0].weights)")
        expected = estimate.kernels.channel(channel).at(9, 12)[0]
        np.testing.assert_allclose(np.reshape(found, (5, 5)), expected, atol=1e-3)
    assert lens(page, "l.display.channel") == 0
    shared = of_kind(sepconv)
    page = opened(shared[0], [shared[1]])
    expect(page.locator("[name=channel]")).to_be_hidden()
    page.get_by_role("tab", name="Sum").click()
    expect(page.locator("[name=channel]")).to_be_visible()


@pytest.mark.slow
def test_beyond_a_smaller_picture_there_is_no_kernel(opened):
    burst, estimate = of_kind(valid)
    page = opened(burst, [estimate], pixel=(0, 0))
    expect(page.locator("[data-method=valid] .lines")).to_have_text("no kernel here")
    hover(page, 9, 12)
    expect(page.locator("[data-method=valid] .agrees")).to_be_visible()
    assert lens(page, "l.found[0].sums") == pytest.approx([estimate.image[9 - 3, 12 - 3]], abs=2e-3)
    data = "p.pictures.bitmaps.get(l.panelNamed('valid')).getContext('2d').getImageData(0, 0, 1, 1).data[3]"
    assert lens(page, data) == 0  # transparent


def test_a_series_is_scrubbed_in_whole_steps(opened):
    burst = Burst(frames(3), truth=frames(3)[0])
    made = {
        step: Estimate.of(burst, KernelField.from_kernels(normal(3, 3, 3, H, W) * step / 2000), name="my KPN")
        for step in (1000, 1500, 4000)
    }
    page = opened(burst, [Series("training step", made)])
    scrubber = page.get_by_role("slider", name="training step")
    shown = page.locator(".stage.shown").bounding_box()
    assert scrubber.bounding_box()["y"] < shown["y"]  # in sight, as the picture
    expect(page.locator(".series output")).to_have_text("4000")

    def agrees(step):
        expect(page.locator(".series output")).to_have_text(f"{step}")
        painted(page)
        sums, pictures, allowed = lens(page, "[l.found[0].sums, l.found[0].pictures, l.found[0].allowed]")
        assert pictures == pytest.approx([made[step].image[0, 1]], abs=1e-6)
        assert sums == pytest.approx(pictures, abs=allowed)

    agrees(4000)
    scrubber.focus()
    scrubber.press("ArrowLeft")
    agrees(1500)
    page.locator(".lens").press("p")
    agrees(1000)
    page.locator(".lens").press("p")  # there is none before
    agrees(1000)
    assert lens(page, "l.display.step") == 0
    header, _ = read_header(pack(burst, [Series("training step", made)]))
    score = header["methods"][0]["steps"][0]["scores"]["psnr"]
    expect(page.locator(".chip.shown .score").locator("visible=true")).to_have_text(f"{score:.2f} dB")
    page.locator(".lens").press("n")
    agrees(1500)


@pytest.mark.slow
def test_the_page_states_what_8_bits_change(opened):
    burst, estimate = of_kind(pytorch_kpn)
    page = opened(burst, [estimate], lossy=True)
    error = payload.unpack(pack(burst, [estimate], lossy=True))[0]["methods"][0]["kernels"]["error"]
    expect(page.locator(".text")).to_contain_text(f"by up to: pytorch_kpn {error:.2g}")
    expect(page.locator(".note")).to_contain_text("with kernels in 8 bits to ")
    assert lens(page, "l.found[0].allowed") == error
