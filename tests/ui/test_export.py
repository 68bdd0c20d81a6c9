"""What is taken away from a comparison."""

import base64
import csv
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

import kpnviz
from kpnviz.analysis import kernel_stats, metrics
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.ui import export
from kpnviz.ui.numbers import pixel_statistics

RECIPE = kpnviz.BurstRecipe("dog", crop=(60, 60, 40, 32), noise=kpnviz.NoiseModel.for_gain(2), seed=3)
PIXEL = (11, 30)


@pytest.fixture(scope="module")
def burst():
    return kpnviz.synthesize(RECIPE)


@pytest.fixture(scope="module")
def estimates(burst):
    def one(name, sizes, separable):
        shape = (1, 8, factor_channels(sizes, separable), 20, 16)
        factors = torch.randn(shape, generator=torch.Generator().manual_seed(len(sizes)))
        return Estimate(burst.mean * 0.9, KernelField(factors, sizes, separable, 40, 32), name, 0.5)

    return [
        one("mkpn", (1, 3, 5), True),
        one("kpn", (5,), False),
        Estimate(burst.mean, None, "kpn-direct", 0.1),
    ]


def test_the_npz_makes_the_burst_and_the_kernels_again(burst, estimates):
    arrays = np.load(io.BytesIO(export.npz(burst, estimates, PIXEL)), allow_pickle=False)
    np.testing.assert_array_equal(arrays["frames"], burst.frames)
    np.testing.assert_array_equal(arrays["shifts"], burst.shifts)
    np.testing.assert_array_equal(arrays["truth"], burst.truth)
    assert kpnviz.NoiseModel(float(arrays["read_std"]), float(arrays["shot_gain"])) == RECIPE.noise
    recipe = json.loads(str(arrays["recipe"]))
    assert (recipe["photo"], recipe["crop"], recipe["seed"]) == ("dog", [60, 60, 40, 32], 3)
    for estimate in estimates[:2]:
        factors = torch.from_numpy(arrays[f"{estimate.model}.factors"])[None]
        sizes = tuple(map(int, arrays[f"{estimate.model}.sizes"]))
        field = KernelField(factors, sizes, bool(arrays[f"{estimate.model}.separable"]), 40, 32)
        np.testing.assert_allclose(field.at(*PIXEL), estimate.kernels.at(*PIXEL), rtol=1e-6)
        np.testing.assert_allclose(arrays[f"{estimate.model}.kernels"], field.at(*PIXEL), rtol=1e-6)
    np.testing.assert_array_equal(arrays["kpn-direct.image"], burst.mean)
    assert "kpn-direct.factors" not in arrays


def test_the_csv_holds_the_statistics_of_the_pixel(burst, estimates):
    rows = list(csv.DictReader(io.StringIO(export.table_csv(pixel_statistics(burst, estimates, *PIXEL)))))
    assert len(rows) == 16 and rows[0]["method"] == "MKPN" and rows[15]["method"] == "KPN 5×5"
    kernels = estimates[1].kernels.at(*PIXEL)
    shares = [float(row["share"]) for row in rows[8:]]
    np.testing.assert_allclose(shares, kernel_stats.frame_share(kernels), rtol=1e-6)
    assert [int(row["true_dy"]) for row in rows[:8]] == burst.shifts[:, 0].tolist()


def test_scores_are_those_of_the_metrics(burst, estimates):
    rows = export.scores(burst, estimates)
    assert [row["picture"] for row in rows][:2] == ["noisy reference", "mean of the frames"]
    assert rows[2]["psnr_db"] == metrics.psnr(burst.mean * 0.9, burst.truth)
    assert rows[4]["psnr_db"] == rows[1]["psnr_db"] == metrics.psnr(burst.mean, burst.truth)


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.images, self.texts, self.others = [], [], []
        self.feed(text)
        self.text = " ".join(self.texts)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.images.append(dict(attributes)["src"])
        self.others += [tag] if tag in ("script", "link", "iframe") else []

    def handle_data(self, data):
        self.texts.append(data)


def test_the_report_stands_alone_and_says_how_it_was_made(burst, estimates):
    link = "http://localhost:8501/?v=1&photo=dog"
    text = export.report(burst, estimates, PIXEL, link)
    page = Page(text)
    assert len(page.images) == 6 + 2 * 8  # pictures, and kernels of two methods
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    assert not page.others and "url(" not in text and "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert link in page.text and metrics.PROTOCOL in page.text and "KPN 5×5" in page.text
    assert f"{metrics.psnr(burst.mean, burst.truth):.3f}" in page.text
    assert str(RECIPE.noise.read_std) in page.text and str(burst.shifts.tolist()) in page.text


def test_a_burst_without_truth_or_kernels_gets_a_report_too(burst):
    plain = kpnviz.Burst(burst.frames, burst.noise)
    page = Page(export.report(plain, [Estimate(burst.mean, None, "<b>mine</b>", 0.1)], PIXEL, "x"))
    assert len(page.images) == 3
    assert "–" in page.text
    assert "B>MINE" in page.text.upper()  # the name is text, not a tag


def test_pictures_in_the_report_are_after_the_srgb_transfer():

    linear = np.array([[0.0, 0.2140, 1.0, 7.0, -1.0]])  # 0.2140 is 0.5 in sRGB (IEC 61966-2-1)
    data = base64.b64decode(export._picture(linear, 1.0).split(",")[1])
    np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(data))), [[0, 127.5, 255, 255, 0]], atol=0.6)


def test_kernels_in_the_report_are_symmetric_about_white():

    data = base64.b64decode(export._diverging(np.array([[-1.0, 0.0, 1.0]]), 1.0).split(",")[1])
    blue, white, red = np.asarray(Image.open(io.BytesIO(data)))[0].astype(int)
    assert white.tolist() == [247, 247, 247]
    assert blue[2] > blue[0] and red[0] > red[2]
