"""What is taken away from a comparison."""

import base64
import csv
import dataclasses
import gzip
import hashlib
import io
import re
import tomllib
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

import kpnviz
from kpnviz.analysis import kernel_stats, metrics
from kpnviz.analysis.tables import pixel_statistics, scores
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.lens import DISPLAY, document, interactive_page, pack, pack_assumed
from kpnviz.lens.payload import with_header
from kpnviz.paths import ROOT
from kpnviz.ui import export
from kpnviz.ui.assumed_noise import SCALES, assumed_payloads

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
        return Estimate(burst.mean * 0.9, KernelField(factors, sizes, separable, 40, 32), name, 0.5, name)

    return [
        one("mkpn", (1, 3, 5), True),
        one("kpn", (5,), False),
        Estimate(burst.mean, None, "kpn-direct", 0.1, "kpn-direct"),
    ]


def test_the_npz_makes_the_burst_and_the_kernels_again(burst, estimates):
    made = [
        dataclasses.replace(e, image=e.kernels.apply(torch.from_numpy(burst.frames)[None])[0].numpy())
        if e.kernels
        else e
        for e in estimates
    ]
    found, loaded = kpnviz.load_kernels(("explore.npz", export.npz(burst, made)))
    np.testing.assert_array_equal(found.frames, burst.frames)
    np.testing.assert_array_equal(found.shifts, burst.shifts)
    np.testing.assert_array_equal(found.truth, burst.truth)
    assert found.noise == RECIPE.noise and found.recipe == RECIPE
    for estimate, again in zip(made[:2], loaded, strict=True):
        np.testing.assert_allclose(again.kernels.at(*PIXEL), estimate.kernels.at(*PIXEL), rtol=1e-6)
        np.testing.assert_allclose(again.image, estimate.image, atol=1e-6)


def test_without_any_kernels_the_npz_holds_the_burst(burst, estimates):
    with np.load(io.BytesIO(export.npz(burst, estimates[2:])), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["frames"], burst.frames)
        np.testing.assert_array_equal(arrays["truth"], burst.truth)


def test_the_csv_holds_the_statistics_of_the_pixel(burst, estimates):
    rows = list(csv.DictReader(io.StringIO(export.table_csv(pixel_statistics(burst, estimates, *PIXEL)))))
    assert len(rows) == 16 and rows[0]["method"] == "MKPN" and rows[15]["method"] == "KPN 5×5"
    kernels = estimates[1].kernels.at(*PIXEL)
    shares = [float(row["share"]) for row in rows[8:]]
    np.testing.assert_allclose(shares, kernel_stats.frame_share(kernels), rtol=1e-6)
    assert [int(row["true_dy"]) for row in rows[:8]] == burst.shifts[:, 0].tolist()


def test_scores_are_those_of_the_metrics(burst, estimates):
    rows = scores(burst, estimates)
    assert [row["picture"] for row in rows][:2] == ["frame 0", "plain mean"]
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
    assert link in page.text and metrics.PROTOCOL_OF_ONE in page.text and "KPN 5×5" in page.text
    assert f"{metrics.psnr(burst.mean, burst.truth):.3f}" in page.text
    assert str(RECIPE.noise.read_std) in page.text
    assert "; ".join(f"{dy:g}, {dx:g}" for dy, dx in burst.shifts).replace("-", "−") in page.text


def test_the_report_writes_no_negative_zero(burst):
    # Weights beside the middle, the least bit more above it: the centroid is at dy -0.0001.
    kernel = torch.zeros(3, 3)
    kernel[0, 1], kernel[2, 1] = 0.49995, 0.50005
    weights = kernel.flip(0).reshape(1, 1, 9, 1, 1).expand(1, 8, 9, 20, 16).contiguous()
    field = KernelField(weights, (3,), False, 40, 32)
    dy = kernel_stats.centroid(field.at(*PIXEL))[0, 0]
    assert -0.0002 < dy < 0
    text = Page(export.report(burst, [Estimate(burst.mean, field, "kpn-l3", 0.1, "kpn-l3")], PIXEL, "x")).text
    assert not re.search(r"[-−]0\.0+\b", text)


def test_what_a_burst_was_made_of_is_said_in_words():
    moving = kpnviz.MovingObject("city", center=(20, 24.5), diameter=16, velocity=(0, 2))
    shaken = kpnviz.Misalignment(2, 16, 1.5, subpixel=True)
    said = {}
    for name, changes in {
        "usual": {},
        "still": {"misalignment": kpnviz.Misalignment(0, 0, 0), "crop": None},
        "small": {"misalignment": kpnviz.Misalignment(2, 2, 0), "moving": (moving, moving)},
        "by hand": {"shifts": ((0, 0), *((1, -2),) * 7), "moving": moving, "reduction": 1},
        "half pixels": {"misalignment": shaken},
    }.items():
        recipe = dataclasses.replace(RECIPE, **changes)
        burst = kpnviz.Burst(np.zeros((8, 9, 9), np.float32), recipe.noise, recipe=recipe)
        text = said[name] = Page(export.report(burst, [], None, "x")).text
        assert not re.search(r"None|[{}\[\]]|'", text.split("How to see it again")[1]), text
    assert "crop 40×32 px at y 60, x 60" in said["usual"]
    assert "camera shake whole pixels within ±2, 1.5 frames on average within ±16" in said["usual"]
    assert "camera shake none" in said["still"] and " crop " not in said["still"]
    assert "camera shake whole pixels within ±2 moving object" in said["small"]
    assert said["small"].count("moving object") == 2
    assert (
        "of the photo city, 16 px wide, at y 20, x 24.5 in frame 0, moves by dy 0, dx 2 px" in said["by hand"]
    )
    assert "camera shake given for each frame" in said["by hand"]
    assert "camera shake half pixels within ±2" in said["half pixels"]


def test_a_burst_without_truth_or_kernels_gets_a_report_too(burst):
    plain = kpnviz.Burst(burst.frames, burst.noise)
    page = Page(export.report(plain, [Estimate(burst.mean, None, "<b>mine</b>", 0.1)], PIXEL, "x"))
    assert len(page.images) == 3
    assert "–" in page.text
    assert "<b>mine</b>" in page.text  # the name is text, not a tag


def test_pictures_in_the_report_are_after_the_srgb_transfer():

    linear = np.array([[0.0, 0.2140, 1.0, 7.0, -1.0]])  # 0.2140 is 0.5 in sRGB (IEC 61966-2-1)
    data = base64.b64decode(export._picture(linear, 1.0).split(",")[1])
    np.testing.assert_allclose(np.asarray(Image.open(io.BytesIO(data))), [[0, 127.5, 255, 255, 0]], atol=0.6)


def test_kernels_in_the_report_are_symmetric_about_white():

    data = base64.b64decode(export._diverging(np.array([[-1.0, 0.0, 1.0]]), 1.0).split(",")[1])
    blue, white, red = np.asarray(Image.open(io.BytesIO(data)))[0].astype(int)
    assert white.tolist() == [247, 247, 247]
    assert blue[2] > blue[0] and red[0] > red[2]


MARKUP = ["</script><script>alert(1)</script>", '"><img src=http://a.b/c onerror=alert(1)>', "<!-- &lt; ]]>"]


class Scripts(Page):
    """The scripts of a page, [(attributes, text)], and its policy."""

    def __init__(self, text):
        self.scripts, self.policy, self.inside = [], "", False
        super().__init__(text)

    def handle_starttag(self, tag, attributes):
        super().handle_starttag(tag, attributes)
        if tag == "script":
            self.scripts.append((dict(attributes), ""))
        self.inside = tag == "script"
        if dict(attributes).get("http-equiv") == "Content-Security-Policy":
            self.policy = dict(attributes)["content"]

    def handle_data(self, data):
        if self.inside:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        else:
            super().handle_data(data)

    def handle_endtag(self, tag):
        self.inside = False


def test_the_interactive_page_holds_the_payload_and_says_what_it_shows(burst, estimates):
    payload, other = pack(burst, estimates), b"other noise"
    link = "http://localhost:8501/?v=1&photo=dog"
    look = {"look": "sum", "assumed": 1.0}
    text = interactive_page(
        burst, estimates, payload, link, gain=2.0, pixel=PIXEL, display=look, assumed={"kpn": other}
    )
    page = Scripts(text)
    (kept, data), (of_method, assumed), (_, code) = page.scripts
    assert kept["id"] == "payload" and of_method["data-method"] == "kpn"
    order = {"pinned": PIXEL, "display": DISPLAY | look}
    assert gzip.decompress(base64.b64decode(data)) == with_header(order, payload)
    assert gzip.decompress(base64.b64decode(assumed)) == other
    for said in ("Photo “dog”, gain ×2", "8 frames of 40×32 pixels · crop at y 60, x 60 · seed 3", link,
                 "KPN 5×5", metrics.PROTOCOL_OF_ONE, "CC0 1.0", f"{metrics.psnr(burst.mean, burst.truth):.3f}",
                 str(RECIPE.noise.read_std)):  # fmt: skip
        assert said in page.text, said
    # The only script that the browser may run, and nothing that it would fetch.
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'sha256-{digest}';" in page.policy
    assert not re.search(r"\ssrc=|@import|url\(.?(?!data:)\w+:|<link|<iframe", text.replace(data, ""))


def test_without_other_assumed_noise_the_interactive_page_shows_the_true_one(burst, estimates):
    payload = pack(burst, estimates)
    page = Scripts(interactive_page(burst, estimates, payload, "x", display={"assumed": 1.0}))
    assert len(page.scripts) == 2 and "told the true noise" in page.text
    data = gzip.decompress(base64.b64decode(page.scripts[0][1]))
    assert data == with_header({"pinned": None, "display": DISPLAY}, payload)


@pytest.mark.parametrize("name", MARKUP)
def test_no_name_is_markup_in_the_interactive_page(burst, estimates, name):
    named = dataclasses.replace(burst, recipe=dataclasses.replace(RECIPE, photo=name))
    models = [dataclasses.replace(estimates[0], model=name)]
    text = interactive_page(
        named, models, pack(named, models), f"http://x/?{name}", display={"shown": name}, assumed={name: b"1"}
    )
    usual = Scripts(
        interactive_page(burst, estimates[:1], pack(burst, estimates[:1]), "x", assumed={"mkpn": b"1"})
    )
    page = Scripts(text)
    assert [attributes for attributes, _ in page.scripts][1]["data-method"] == name
    assert len(page.scripts) == 3 and page.others == usual.others and not page.images
    assert page.scripts[-1] == usual.scripts[-1] and page.policy == usual.policy
    assert f"Photo “{name}”" in page.text and "CC0" not in page.text


def test_colors_of_files_are_those_of_the_app():
    with (ROOT / ".streamlit" / "config.toml").open("rb") as file:
        themes = tomllib.load(file)["theme"]
    light, dark = document.STYLE.split("prefers-color-scheme: dark")
    names = {"text": "textColor", "paper": "backgroundColor", "link": "primaryColor"}
    for style, theme in ((light, themes["light"]), (dark, themes["dark"])):
        found = dict(re.findall(r"--(text|paper|link): (#\w+)", style))
        for name, color in ((name, theme[key]) for name, key in names.items()):
            assert found[name].lstrip("#") * (2 if len(found[name]) == 4 else 1) == color.lstrip("#"), name


def test_other_assumed_noise_is_made_where_it_is_not_too_large():
    recipe = dataclasses.replace(RECIPE, crop=(60, 60, 32, 32))
    burst, network = kpnviz.synthesize(recipe), kpnviz.load("kpn-l3")
    expected = pack_assumed(burst, SCALES, [network(burst, scale) for scale in SCALES])
    size = len(SCALES) * (4 * 32 * 32 + 2 * 8 * 6 * 16 * 16)  # pictures, and 3 + 3 factors of 8 frames
    assert size < len(expected) < size + 2000
    assert assumed_payloads(recipe, ["kpn-l3"], size) == {"kpn-l3": expected}
    assert assumed_payloads(recipe, ["kpn-l3"], size - 1) == {}
