"""The page Your burst: without a browser on its example, and in a browser with eight files."""

import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.burst_writer import write_burst
from kpnviz.color import srgb_encode
from kpnviz.denoise import load
from kpnviz.noise import NoiseModel
from kpnviz.noise_estimation import estimate_noise
from kpnviz.paths import ROOT
from kpnviz.pictures import Limits, read_picture
from kpnviz.ui.noise_plot import noise_plot

from .test_browser import PATIENCE_MS, chromium, server  # noqa: F401 -- fixtures


def open_page(**state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for key, value in state.items():
        app.session_state[key] = value
    return app.run().switch_page("app_pages/your_burst.py").run()


def test_the_page_waits_for_files():
    app = open_page()
    assert not app.exception and not app.error
    assert not app.subheader


def test_the_example_is_aligned_measured_and_denoised():
    app = open_page()
    app.toggle(key="own_example").set_value(True).run()
    assert not app.exception and not app.error
    assert app.subheader[0].value == "8 frames of 288 × 288 pixels"
    shifts = app.dataframe[0].value
    assert len(shifts) == 8 and shifts["undone"].any() and list(shifts["used"]) == [True] * 8
    true = NoiseModel.for_gain(4)
    numbers = re.findall(r"(?:read_std|shot_gain) ([0-9.]+)", " ".join(c.value for c in app.caption))
    # Of luminance: the weights' squares add up to 0.562.
    assert float(numbers[0]) == pytest.approx(true.read_std * 0.562**0.5, rel=0.1)
    app.button(key="own_denoise").click().run()
    assert not app.exception and not app.error
    assert len(app.get("download_button")) == 1


def test_noise_plot_draws_patches_and_two_lines():
    rng = np.random.default_rng(0)
    noise = NoiseModel(0.02, 0.004)
    scene = np.repeat(np.repeat(rng.random((20, 20)), 8, 0), 8, 1)
    fit = estimate_noise([np.stack([noise.add_to(scene, rng) for _ in range(4)])])
    spec = noise_plot(fit, noise.scaled(2)).to_dict()
    points, lines = (layer["data"]["values"] for layer in spec["layer"])
    assert 0 < len(points) <= 1500
    told = [row for row in lines if row["line"] == "told"]
    for row in told:
        assert row["variance"] == pytest.approx(4 * (0.02**2 + 0.004 * row["mean"]))


@pytest.mark.browser
def test_eight_files_are_dropped_and_the_result_read(chromium, server, tmp_path):  # noqa: F811
    recipe = BurstRecipe("dog", crop=(60, 90, 96, 112), noise=NoiseModel.for_gain(4), seed=1)
    write_burst(tmp_path, [synthesize(recipe)])
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(server)
    page.get_by_role("link", name="Your burst").click()
    frames = sorted(tmp_path.glob("frame_*.png"))
    files = page.locator("input[type=file]")
    files.set_input_files([*frames, tmp_path / "burst.json"])
    expect(page.get_by_role("heading", name="8 frames of 112 × 96 pixels")).to_be_visible()
    page.locator(".lens[data-y]").wait_for()
    page.get_by_role("button", name="Denoise", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download 16-bit PNG").click()
    data = download.value.path().read_bytes()
    caption = page.get_by_text(re.compile("^Denoised with "))
    method = {"MKPN": "mkpn", "KPN L5": "kpn-l5"}[caption.inner_text().removeprefix("Denoised with ")]
    expected = srgb_encode(np.clip(load(method)(synthesize(recipe)).image, 0, 1))
    written = read_picture("denoised.png", data, Limits()).codes[0] / 65535
    np.testing.assert_allclose(written, expected, atol=1e-3)
    # What is no picture is refused in a sentence, and the server goes on.
    page.reload()
    page.get_by_role("link", name="Your burst").click()
    broken = io.BytesIO()
    Image.new("1", (9, 9)).save(broken, "PNG")
    files.set_input_files([{"name": "black.png", "mimeType": "image/png", "buffer": broken.getvalue()}])
    expect(page.get_by_text("black.png has 1 bit a pixel")).to_be_visible()
    page.close()
    assert not problems
