"""The page Your burst: without a browser on its example, and in a browser with eight files."""

import base64
import io
import json
import re

import numpy as np
import pytest
import tifffile
from PIL import Image
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from kpnviz.analysis.maps import frame_maps
from kpnviz.burst import BurstRecipe, Misalignment, synthesize
from kpnviz.capture.detail import NEARER
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.meaning import Input
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import natural
from kpnviz.capture.writer import write_burst
from kpnviz.color import displayed, srgb_decode, srgb_encode
from kpnviz.denoise import load
from kpnviz.evaluation.testset import TEST_PHOTOS
from kpnviz.lens.payload import unpack
from kpnviz.limits import Limits
from kpnviz.models.zoo import title_of
from kpnviz.noise import NoiseModel
from kpnviz.paths import ROOT
from kpnviz.pictures import read_picture, write_png16
from kpnviz.ui import upload
from kpnviz.ui.choices import default_methods
from kpnviz.ui.parameters import OWN_LOOK, OWN_MENDED, OWN_METHODS, OWN_UPLOADER
from kpnviz.ui.state import (
    OWN_ASSUMED,
    OWN_BURST,
    OWN_DENOISE,
    OWN_EXAMPLE,
    OWN_LET_GO,
    OWN_MAPS,
    OWN_NOISE,
    OWN_PAYLOAD,
    OWN_PICTURE,
    OWN_PIXEL,
    own_map_frame,
    own_meaning,
    own_reference,
    widget,
)

from ..capture.picture_makers import zipped
from .lens_driver import PATIENCE_MS


def open_page(**state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for key, value in state.items():
        app.session_state[key] = value
    return app.run().switch_page("app_pages/your_burst.py").run()


def test_progress_counts_files_that_are_skipped():
    said = []
    say = upload.reading(
        [".DS_Store", "a.jpg", "a.xmp", "b.zip"], lambda share, text: said.append((share, text[:12]))
    )
    expected = [(0.075, "Reading 2 of"), (0.225, "Reading 4 of"), (0.225, "Reading 4 of")]
    for name in ("a.jpg", "b.zip", "in the zip.png"):
        say(name)
    assert said == [(pytest.approx(share), text) for share, text in expected]


def subheaders(app):
    return [element.value for element in app.main.subheader]


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (40, 3000)])
def test_a_thin_picture_is_shown_and_denoised(shape):
    """Streamlit makes thumbnails 150 pixels wide: nothing was left of a line, and its sentence named no file."""
    rng = np.random.default_rng(0)
    codes = np.clip(rng.normal(0.5, 0.1, (2, 1, *shape)), 0, 1).astype(np.float32)
    own = upload._prepared(("thin",), FrameStack(codes, (0, 1), ("a.png", "b.png")))
    app = open_page(**{OWN_BURST: own, OWN_METHODS: ["kpn-l1"]})
    app.button(key=OWN_DENOISE).click().run()
    assert not app.exception and not app.error
    assert subheaders(app)[-2] == f"2 frames of {shape[1]} × {shape[0]} pixels"
    for image in (*own.thumbnails, upload.preview_of(app.session_state[OWN_PICTURE][1][0])):
        assert max(image.shape[:2]) <= 100 * min(image.shape[:2])


def test_noise_that_colors_have_in_common_is_said():
    noise = np.random.default_rng(0).normal(0.4, 0.02, (4, 1, 64, 64)).astype(np.float32)
    stack = FrameStack(noise.repeat(3, axis=1), (0, 1, 2, 3), ("a.tif", "b.tif", "c.tif", "d.tif"))
    own = upload._prepared(("gray in color",), stack)
    app = open_page(**{OWN_BURST: own, OWN_METHODS: ["kpn-l1"]})
    assert not app.exception
    assert any("R, G and B is partly or all the same (correlation 1)" in w.value for w in app.warning)


def test_a_picture_of_one_shade_is_said():
    codes = np.random.default_rng(0).normal(1e-4, 1e-5, (2, 1, 40, 40)).astype(np.float32)
    own = upload._prepared(("dark",), FrameStack(codes, (0, 1), ("a.tif", "b.tif")))
    app = open_page(**{OWN_BURST: own, OWN_METHODS: ["kpn-l1"]})
    assert any("brighter than a tenth of white" in c.value for c in app.caption)
    app.button(key=OWN_DENOISE).click().run()
    assert not app.exception
    assert any("100 % of the picture is black: if it should not be" in w.value for w in app.warning)


def test_a_picture_that_is_worse_than_its_reference_is_said():
    """With hardly any noise, half-pixel shake costs fine detail: the picture has 52 dB, the reference 56."""
    noise = NoiseModel(0.0002, 0.00001)
    recipe = BurstRecipe(
        str(TEST_PHOTOS / "kodim08.png"),
        (0, 0, 128, 128),
        noise,
        misalignment=Misalignment(subpixel=True),
        seed=1,
    )
    frames = synthesize(recipe).frames
    names = tuple(f"{i}.tif" for i in range(len(frames)))
    own = upload._prepared(("clean",), FrameStack(frames[:, None], tuple(range(len(frames))), names))
    app = open_page(**{OWN_BURST: own, OWN_METHODS: ["mkpn"]})
    app.button(key=OWN_DENOISE).click().run()
    assert not app.exception
    assert any(NEARER in w.value and w.value.endswith("state it under *Noise*.") for w in app.warning)


def test_the_example_is_there_at_once_aligned_measured_and_denoised():
    app = open_page()
    assert not app.exception and not app.error
    assert OWN_BURST not in app.session_state and OWN_PAYLOAD in app.session_state
    header, arrays = unpack(app.session_state[OWN_PAYLOAD][1])
    last = default_methods()[-1]
    assert header["panels"][0]["kind"] == "frame" and header["methods"][-1]["title"] == title_of(last)
    own = upload.example().own
    noises = [own.noise_of(c)[0] for c in range(3)]
    expected = load(last)(own.color(noises).crop(48, 48, 192, 192)).image
    np.testing.assert_allclose(arrays[header["panels"][-1]["image"]], expected, atol=1e-6)
    assert any("An example" in m.value for m in app.markdown)
    assert subheaders(app)[-2:] == ["8 frames of 288 × 288 pixels", "Noise"]
    left = json.loads(app.get("plotly_chart")[-2].proto.spec)["data"][0]
    residual, frames = own.remaining()
    np.testing.assert_allclose(decoded(left["z"]), residual)
    assert left["text"][0][0] == f"{residual[0, 0]:.1f} px<br>{frames[0, 0]} frames"
    shifts = app.dataframe[0].value
    assert len(shifts) == 8 and shifts["undone"].any() and list(shifts["used"]) == [True] * 8
    true = NoiseModel.for_gain(4)
    numbers = re.findall(r"(?:read_std|shot_gain) ([0-9.]+)", " ".join(c.value for c in app.caption))
    # Of luminance: the weights' squares add up to 0.562.
    assert float(numbers[0]) == pytest.approx(true.read_std * 0.562**0.5, rel=0.1)
    app.button(key=OWN_DENOISE).click().run()
    assert not app.exception and not app.error
    assert [b.label for b in app.get("download_button")] == ["PNG, 16 bits", "TIFF, linear"]
    assert not any("a tenth of white" in c.value for c in app.caption)  # it is not dark
    # R, G and B have one set of kernels, as on the other pages.
    image = load(last)(own.color(noises).crop(0, 0, 288, 288)).image
    layers = app.session_state[OWN_PICTURE][1][0]
    expected = 255 * displayed(image.transpose(1, 2, 0))
    np.testing.assert_allclose(layers["after"].levels[-1], expected, atol=0.51)
    noisy = 255 * displayed(own.color(noises).crop(0, 0, 288, 288).frames[0].transpose(1, 2, 0))
    np.testing.assert_allclose(layers["before"].levels[-1], noisy, atol=0.51)


@pytest.fixture(scope="module")
def looked():
    """The page on its example, MKPN chosen last, with a pinned pixel; what the lens shows, denoised apart."""
    app = open_page(own_methods=["kpn-l5", "mkpn"], own_side=96)
    app.session_state[OWN_PIXEL] = (40, 50)
    app.run()
    own = upload.example().own
    rows = upload.noise_at_first(upload.example())[1:]
    noises = [NoiseModel(row["read_std"], row["shot_gain"]) for row in rows]
    return app, own.color(noises).crop(96, 96, 96, 96)


def decoded(values):
    """An array of a figure's JSON."""
    data = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return data.reshape([int(n) for n in values["shape"].split(",")]) if "shape" in values else data


def charts(app):
    """The figures under the lens; the last on the page are what alignment leaves and the noise fit."""
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")][:-2]


def test_more_and_less_noise_is_assumed(looked):
    app, burst = looked
    assert not charts(app) and OWN_ASSUMED not in app.session_state
    app.segmented_control(key=widget(OWN_LOOK)).set_value("Assumed noise").run()
    assert not app.exception and not app.error
    (figure,) = charts(app)
    assert figure["layout"]["xaxis"]["ticktext"] == ["×0.25", "×0.5", "×1", "×2", "×4"]
    weights = decoded(figure["data"][0]["customdata"])
    found = app.session_state[OWN_ASSUMED][1]
    for i, scale in enumerate((0.25, 0.5, 1, 2, 4)):
        expected = load("mkpn")(burst, scale)
        np.testing.assert_allclose(found[i][0], expected.image, atol=1e-6)
        kernel = expected.kernels.at(40, 50)[0]
        np.testing.assert_allclose(weights[:, 12 * i : 12 * i + 11], kernel, atol=2e-3 * np.abs(kernel).max())
    pictures = [h.proto.body for h in app.get("html") if "class='strip'" in h.proto.body]
    assert len(pictures) == 1 and pictures[0].count("<img") == 5 and " dB" not in pictures[0]
    sides = next(c for c in app.segmented_control if c.label.startswith("Pixels a side, around"))
    assert sides.options == ["33", "65", "all"]  # of a part of 96
    # It is not done again for another pixel.
    app.session_state[OWN_PIXEL] = (20, 20)
    app.run()
    assert app.session_state[OWN_ASSUMED][1] is found


def test_maps_are_those_of_the_lens(looked):
    app, burst = looked
    app.segmented_control(key=widget(OWN_LOOK)).set_value("Maps").run()
    app.segmented_control(key=own_map_frame(8)).set_value(3).run()
    assert not app.exception and not app.error
    share, spread, entropy, arrows = charts(app)
    expected = frame_maps(load("mkpn")(burst).kernels, 3)
    percent = 100 * expected.share
    for figure, values in ((share, percent), (spread, expected.spread), (entropy, expected.entropy)):
        np.testing.assert_allclose(decoded(figure["data"][0]["z"]), values, atol=5e-3 * np.abs(values).max())
    assert decoded(arrows["data"][0]["z"]).shape == (96, 96)
    own = upload.example().own
    assert any(str(own.shifts[own.order[3]]) in c.value for c in app.caption)
    assert app.session_state[OWN_MAPS][0][-1] == 3


def read_in(app, files):
    """Have the drop zone hold files, (name, bytes) each, and run the page."""
    zone = app.get("file_uploader")[0]
    zone.set_value([(name, data, "image/png") for name, data in files]).run()
    assert not app.exception
    return app


def pictures(folder, recipe):
    write_burst(folder, synthesize(recipe))
    return [
        (path.name, path.read_bytes())
        for path in [*sorted(folder.glob("frame_*.png")), folder / "burst.json"]
    ]


RECIPE = BurstRecipe("dog", crop=(60, 90, 96, 112), frames=4, noise=NoiseModel.for_gain(4), seed=1)


def test_a_burst_and_what_was_chosen_stay_while_other_pages_are_visited(tmp_path):
    app = open_page(own_methods=["kpn-l5"], own_side=96)
    files = pictures(tmp_path, RECIPE)
    read_in(app, files)
    assert not app.error
    kept = app.session_state[OWN_BURST]
    assert len(kept.ids) == 5 and subheaders(app)[-2] == "4 frames of 112 × 96 pixels"
    app.multiselect[0].set_value(["mkpn"])
    app.segmented_control(key=widget(OWN_LOOK)).set_value("Maps").run()
    payload = app.session_state[OWN_PAYLOAD]
    app.switch_page("app_pages/learn.py").run()
    app.switch_page("app_pages/your_burst.py").run()
    assert not app.exception and not app.error
    assert app.session_state[OWN_BURST] is kept and subheaders(app)[-2] == "4 frames of 112 × 96 pixels"
    assert any("Your burst of 4 frames" in m.value for m in app.markdown)
    assert app.session_state[OWN_METHODS] == ["mkpn"] and len(charts(app)) == 4
    assert app.session_state[OWN_PAYLOAD] is payload  # it is not denoised again
    # A burst takes the place of the one before, not of the drop zone's files alone.
    read_in(app, files[:2])
    assert app.session_state[OWN_BURST] is not kept and subheaders(app)[-2] == "2 frames of 112 × 96 pixels"
    app.button(key=OWN_LET_GO).click().run()
    assert OWN_BURST not in app.session_state and subheaders(app)[-2] == "8 frames of 288 × 288 pixels"
    assert app.get("file_uploader")[0].value == []


def test_what_numbers_mean_is_said_and_changed_with_a_preview(tmp_path):
    codes = np.rint(4095 * np.clip(synthesize(RECIPE).frames, 0, 1)).astype(np.uint16)
    files = [(f"{i}.png", write_png16(frame)) for i, frame in enumerate(codes)]
    app = read_in(open_page(own_methods=["kpn-l1"], own_side=96), files)
    first = app.session_state[OWN_BURST]
    assert "What the numbers mean: linear, white 4095" in [e.label for e in app.expander]
    assert any("largest code is" in caption.value for caption in app.caption)

    def at(name):
        return own_meaning(name, app.session_state[OWN_BURST].key)

    assert app.number_input(key=at("white")).value == 4095 and app.button(key=at("read")).disabled
    app.number_input(key=at("white")).set_value(8190.0).run()
    image = upload.preview(first, Input("linear", "", 0, 8190))
    np.testing.assert_allclose(
        image.mean(), srgb_encode(first.own.stack.light(0, 0, *[slice(0, 96)] * 2) / 2).mean() * 255, rtol=0.2
    )
    assert not app.slider(key=at("exposure")).set_value(-1).run().exception  # as white at twice the number
    dark = upload.preview(first, Input("linear", "", 0, 4095), -1)
    np.testing.assert_allclose(dark, image, atol=1)
    assert app.session_state[OWN_BURST] is first  # only looked at
    app.button(key=at("read")).click().run()
    assert not app.exception and not app.error
    second = app.session_state[OWN_BURST]
    assert second is not first and second.own.stack.levels == (0, 8190)
    assert app.session_state[OWN_NOISE][0]["read_std"] < 0.7 * upload.noise_at_first(first)[0]["read_std"]
    app.segmented_control(key=at("encoding")).set_value("bayer").run()
    assert app.segmented_control(key=at("pattern")).value == "RGGB" and not app.exception
    app.button(key=at("read")).click().run()
    assert subheaders(app)[-2] == "4 frames of 56 × 48 pixels"


def test_files_that_are_taken_away_bring_the_example_back(tmp_path):
    app = read_in(open_page(own_methods=["kpn-l5"]), pictures(tmp_path, RECIPE))
    assert OWN_BURST in app.session_state
    read_in(app, [])
    assert OWN_BURST not in app.session_state and subheaders(app)[-2] == "8 frames of 288 × 288 pixels"


def test_edited_noise_stays(monkeypatch):
    app = open_page(own_methods=["kpn-l5"], own_side=96, own_channel=GRAY)
    rows = [dict(row) for row in app.session_state[OWN_NOISE]]
    rows[0]["read_std"] = 0.2
    app.session_state[OWN_NOISE] = rows
    app.switch_page("app_pages/learn.py").run()
    app.switch_page("app_pages/your_burst.py").run()
    assert app.session_state[OWN_NOISE][0]["read_std"] == 0.2
    noise = NoiseModel(0.2, rows[0]["shot_gain"])
    assert app.session_state[OWN_PAYLOAD][0][-2] == (noise,)


def test_progress_says_which_of_the_files_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(upload.st, "session_state", {OWN_MENDED: True})
    files = pictures(tmp_path, RECIPE)
    said = []

    class File(io.BytesIO):
        def __init__(self, name, data):
            super().__init__(data)
            self.name = self.file_id = name

    found = upload.current([File(*file) for file in files], lambda share, text: said.append((share, text)))
    names = sorted((name for name, _ in files), key=natural)
    read = [(share, text.replace("\\", "")) for share, text in said[1:6]]
    assert read == [
        (pytest.approx(0.06 * i), f"Reading {i + 1} of 5: {name}") for i, name in enumerate(names)
    ]
    shares, texts = zip(*said, strict=True)
    assert sorted(shares) == list(shares) and shares[-1] < 1
    assert texts[6] == "Looking at 4 frames …" and "Aligning frame 1 of 4 …" in texts
    assert texts[-1] == "Measuring the noise …"
    assert len(found.own.stack) == 4


def test_work_that_was_ended_goes_on_from_there(tmp_path, monkeypatch):
    """A click in the middle ends a run of the page. What was there is lost only once the new is ready."""
    state = {OWN_MENDED: True, OWN_UPLOADER: 0}
    monkeypatch.setattr(upload.st, "session_state", state)
    monkeypatch.setattr(upload.work, "still_wanted", lambda: None)
    files = []
    for name, data in pictures(tmp_path, RECIPE)[:-1]:
        files.append(io.BytesIO(data))
        files[-1].name = files[-1].file_id = name

    def ending(at):
        def progress(_, text):
            if text.startswith(at):
                raise KeyboardInterrupt  # as Streamlit ends a script: no Exception

        return progress

    with pytest.raises(KeyboardInterrupt):
        upload.current(files, ending("Aligning frame 1"))
    assert not upload.is_ready(files)
    said = []
    first = upload.current(files, lambda _, text: said.append(text))
    assert said[0].startswith("Looking at")  # nothing is read again
    assert upload.is_ready(files) and upload.kept([]) is first
    # Another reference, ended: the burst stays, and what was chosen of it is done the next time, or taken back.
    other = next(i for i in range(4) if i != first.own.reference)
    upload.refer_to(other)
    assert not upload.is_ready(files)
    with pytest.raises(KeyboardInterrupt):
        upload.current(files, ending("Measuring"))
    assert upload.kept(files) is first
    upload.cancel(first)
    assert upload.current(files, lambda *_: None) is first
    upload.refer_to(other)
    assert upload.current(files, lambda *_: None).own.reference == other
    upload.cancel(None)
    assert upload.kept(files) is None and state[OWN_UPLOADER] == 1


@pytest.mark.parametrize("name", ["burst.zip", f"{'a' * 100}.zip"])
def test_what_is_in_a_zip_does_not_count_as_a_file(tmp_path, monkeypatch, name):
    monkeypatch.setattr(upload.st, "session_state", {OWN_MENDED: True})
    file = io.BytesIO(zipped(pictures(tmp_path, RECIPE)))
    file.name = file.file_id = name
    said = []
    upload.current([file], lambda share, text: said.append(text.replace("\\", "")))
    read = [text for text in said if text.startswith("Reading 1 of 1: ")]
    assert len(read) == 6 and read[-1].endswith(".zip/frame_03.png") and "Reading 1 of 1: burst.json" in said


def test_networks_of_any_number_of_frames_get_them_all(monkeypatch):
    burst = synthesize(BurstRecipe("dog", (0, 0, 40, 40), frames=11))
    stack = FrameStack(burst.frames[:, None], tuple(range(11)), tuple("abcdefghijk"), known=True)
    mine = upload.Upload(("x",), prepare(stack), {}, [])
    takes = {"any": None, "eight": 8, "one": 1, "five": 5}
    made_for = {name: None if count is None else frozenset((count,)) for name, count in takes.items()}
    monkeypatch.setattr(upload, "frames_of", made_for.get)
    for methods, count in (((), 11), (("any", "one"), 11), (("eight", "any"), 8), (("one", "five"), 5)):
        own = upload.for_methods(mine, methods).own
        assert len(own.order) == count and own.shifts is mine.own.shifts, methods
    with pytest.raises(ValueError, match="take different numbers of frames \\(eight 8, five 5\\)"):
        upload.for_methods(mine, ("eight", "five"))


# Resolves when the lens shows pictures of that height.
of_height = """(e, height) => new Promise((done) => {
  const look = () => (e.lens.state.data.height === height ? done() : setTimeout(look, 20));
  look();
})"""


# What headings there are while a burst is prepared.
headings_meanwhile = """() => {
  globalThis.meanwhile = [];
  new MutationObserver(() => {
    if (!document.querySelector(".st-key-own_stop")) return;
    const now = [...document.querySelectorAll("h3")].map((heading) => heading.textContent).join();
    if (meanwhile.at(-1) !== now) meanwhile.push(now);
  }).observe(document.body, { childList: true, subtree: true });
}"""


@pytest.mark.browser
def test_eight_files_are_dropped_and_the_result_read(chromium, server, tmp_path):
    recipe = BurstRecipe("dog", crop=(60, 90, 96, 112), noise=NoiseModel.for_gain(4), seed=1)
    write_burst(tmp_path, synthesize(recipe))
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{server}/your_burst")
    # It opens with an example, before and after at an edge that can be dragged.
    lens = page.locator(".lens[data-y]")
    lens.wait_for()
    assert lens.evaluate("(e) => [e.lens.state.compare, e.lens.state.other]") == ["wipe", "frame"]
    expect(page.get_by_text("An example, until you drop files.")).to_be_visible()
    zone = page.get_by_test_id("stFileUploaderDropzone").bounding_box()
    assert zone["y"] + zone["height"] < lens.bounding_box()["y"]
    frames = sorted(tmp_path.glob("frame_*.png"))
    files = page.locator("input[type=file]")
    page.evaluate(headings_meanwhile)
    files.set_input_files([*frames, tmp_path / "burst.json"])
    heading = page.get_by_role("heading", name="8 frames of 112 × 96 pixels")
    expect(heading).to_be_visible()
    seen = page.evaluate("meanwhile")  # while it is prepared, nothing of the example is beside it
    assert not any("288" in headings for headings in seen), seen  # (none: it was ready at once)
    expect(page.get_by_role("heading", name="288")).to_have_count(0)
    lens.evaluate(of_height, 96)
    # It stays while another page is visited.
    page.get_by_role("link", name="Learn").click()
    expect(heading).to_have_count(0)
    page.get_by_role("link", name="Your burst").click()
    expect(heading).to_be_visible()
    expect(page.get_by_text("Your burst of 8 frames")).to_be_visible()
    lens.evaluate(of_height, 96)
    with page.expect_response(re.compile("/tiles/.*/after/")) as response:
        page.get_by_role("button", name="Denoise", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG, 16 bits").click()
    data = download.value.path().read_bytes()
    with page.expect_download() as download:
        page.get_by_role("button", name="TIFF, linear").click()
    assert download.value.suggested_filename == "frame_00-denoised.tif"
    linear = tifffile.imread(download.value.path())
    # Its tile is what is downloaded, in 8 bits; what is clicked at comes into the lens, pinned.
    whole = page.locator(".whole")
    expect(whole.get_by_role("status")).to_have_text(re.compile("^[0-9]+ %$"))
    method = {"MKPN": "mkpn", "KPN L5": "kpn-l5"}[whole.locator(".after").inner_text()]
    tile = np.asarray(Image.open(io.BytesIO(page.request.get(response.value.url).body())))
    # Brighter by 2 EV: four times the light.
    stage = whole.locator(".stage")
    shots = []
    for stops in ("0", "2"):
        whole.get_by_label("Light, EV").fill(stops)
        png = Image.open(io.BytesIO(stage.screenshot(animations="disabled"))).convert("RGB")
        h, w = np.asarray(png).shape[:2]
        shots.append(np.asarray(png)[h // 3 : h * 2 // 3, w // 3 : w * 45 // 100] / 255)
    expected = srgb_encode(np.clip(4 * srgb_decode(shots[0]), 0, 1))
    assert np.abs(shots[1] - expected).mean() < 0.01 and shots[1].mean() > 1.3 * shots[0].mean()
    whole.locator(".edge").focus()
    page.keyboard.press("Home")
    expect(whole.locator(".edge")).to_have_attribute("aria-valuenow", "0")
    whole.locator(".stage").click()
    expect(lens).to_have_attribute("data-y", "48")
    expect(lens).to_have_attribute("data-x", "48")
    assert lens.evaluate("(e) => e.lens.state.pinned") is True
    expected = srgb_encode(np.clip(load(method)(synthesize(recipe)).image, 0, 1))
    written = read_picture("denoised.png", data, Limits()).codes[0] / 65535
    np.testing.assert_allclose(written, expected, atol=1e-3)
    np.testing.assert_allclose(srgb_encode(np.clip(linear, 0, 1)), written, atol=1e-4)
    np.testing.assert_allclose(tile / 255, written, atol=0.51 / 255)
    page.get_by_role("button", name="Let it go").click()
    expect(page.get_by_role("heading", name="8 frames of 288 × 288 pixels")).to_be_visible()
    expect(page.get_by_text("An example, until you drop files.")).to_be_visible()
    expect(files).to_have_count(1)  # the drop zone is a new one
    # What is no picture is refused in a sentence, and the server goes on.
    broken = io.BytesIO()
    Image.new("1", (9, 9)).save(broken, "PNG")
    files.set_input_files([{"name": "black.png", "mimeType": "image/png", "buffer": broken.getvalue()}])
    expect(page.get_by_text("black.png has 1 bit a pixel")).to_be_visible()
    page.close()
    assert not problems


def test_a_frame_of_the_strip_becomes_the_reference():
    app = open_page(own_methods=["kpn-l1"], own_side=96, own_channel=GRAY)
    first = upload.example().own
    wanted = next(i for i in range(8) if i != first.reference)
    app.button(key=own_reference(wanted)).click().run()
    assert not app.exception and not app.error
    own = app.session_state[OWN_EXAMPLE].own
    assert own.reference == wanted and own.order[0] == wanted
    said = " ".join(m.value.replace("\\", "") for m in app.markdown)
    assert f"The reference is example {wanted} (as chosen)" in said
    assert any("An example" in m.value for m in app.markdown)
    header, arrays = unpack(app.session_state[OWN_PAYLOAD][1])
    frame = own.channel(GRAY, own.estimate_noise(GRAY).noise).crop(96, 96, 96, 96).frames[0]
    np.testing.assert_allclose(arrays[header["panels"][0]["image"]], frame, atol=1e-6)
    assert upload.example().own.reference == first.reference  # that of all sessions stays


def test_one_frame_has_no_alignment_and_its_noise_is_its_own():
    codes = np.random.default_rng(0).normal(0.4, 0.05, (1, 1, 96, 96)).astype(np.float32)
    own = upload._prepared(("one",), FrameStack(codes, (0,), ("a.png",)))
    app = open_page(**{OWN_BURST: own, OWN_METHODS: ["kpn-l1"], "own_side": 96})
    assert not app.exception and not app.error
    assert "1 frame of 96 × 96 pixels" in subheaders(app)
    assert "Alignment in numbers" not in [e.label for e in app.expander]
    assert any("There is one frame, a.png." in m.value.replace("\\", "") for m in app.markdown)
    (said,) = [info.value for info in app.info]
    assert said.replace("\\", "").startswith(
        "The noise could not be estimated from the burst: there is one frame"
    )
    # Of even light nothing tells how much of it is read noise: what a sensor usually has.
    stated = app.session_state[OWN_NOISE][0]
    noise = NoiseModel(stated["read_std"], stated["shot_gain"])
    assert float(noise.std_map(np.array(0.4))) == pytest.approx(0.05, rel=0.3) and noise.read_std > 0


@pytest.mark.parametrize(
    ("factor", "said"), [(1, ""), (1 / 3, "is 3 times as strong"), (2, "is 0.5 times as strong")]
)
def test_noise_that_is_stated_wrongly_is_said(factor, said):
    true = NoiseModel.for_gain(4)
    codes = synthesize(BurstRecipe("dog", (60, 60, 160, 160), noise=true)).frames[:, None]
    noise = NoiseModel(true.read_std * factor, true.shot_gain * factor**2)
    stack = FrameStack(codes, tuple(range(8)), tuple("abcdefgh"), noise=(noise,), noise_source="a camera")
    app = open_page(
        **{OWN_BURST: upload._prepared(("stated",), stack), OWN_METHODS: ["kpn-l1"], "own_side": 96}
    )
    assert not app.exception and not app.error
    warnings = [warning.value for warning in app.warning]
    assert len(warnings) == bool(said) and all(said in one and "(a camera)" in one for one in warnings), (
        warnings
    )
