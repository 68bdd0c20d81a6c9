"""The site in a real browser: its pictures are those of Python, it asks no other address, and it says what is wrong."""

import base64
import contextlib
import dataclasses
import functools
import http.server
import io
import json
import re
import threading
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, synthesize
from kpnviz.capture.kernel_file import save_kernels
from kpnviz.color import srgb_decode, srgb_encode
from kpnviz.commands.site import offer
from kpnviz.denoise import load
from kpnviz.estimate import Estimate
from kpnviz.evaluation.results import read_results
from kpnviz.kernels import KernelField
from kpnviz.lens.scene import scene
from kpnviz.lens.texts.examples import EXAMPLES
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.lens.texts.verdicts import verdicts
from kpnviz.models.zoo import title_of
from kpnviz.noise import NoiseModel
from kpnviz.pictures import write_png16
from kpnviz.site.building import single_page, site_files, write_site
from kpnviz.ui import cache, link
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import DEFAULTS

from ..capture.test_meaning import P3, SRGB, p3_profile

pytestmark = pytest.mark.browser

MODELS, PHOTOS = ["kpn-direct", "mkpn"], ["dog", "girl"]


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    write_site(folder / "under" / "here", site_files(MODELS, PHOTOS, offer()))
    return folder


@contextlib.contextmanager
def serving(folder):
    """The address of a folder."""
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def address(folder):
    with serving(folder) as root:
        yield f"{root}under/here/"


@pytest.fixture
def to_damage(tmp_path):
    """The address and the folder of a site that is this test's alone."""
    write_site(tmp_path, site_files(MODELS, PHOTOS, offer()))
    with serving(tmp_path) as root:
        yield root, tmp_path


@pytest.fixture
def open_page(chromium):
    """open_page(address, prepare): a page, and the addresses that it asks and what it complains of."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})

    def opened(address, prepare=""):
        page = context.new_page()
        heard = []
        page.on("request", lambda request: heard.append(request.url))
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        if prepare:
            page.add_init_script(prepare)
        page.goto(address)
        return page, heard

    yield opened
    context.close()


def text(page, name):
    return page.evaluate(f"document.getElementById('{name}').textContent")


def wait_until(page, expression):
    """A strict policy forbids the strings that Playwright's wait_for_function evaluates."""
    end = time.monotonic() + 90
    while not page.evaluate(expression):
        assert time.monotonic() < end, (expression, text(page, "status"), text(page, "problem"))
        time.sleep(0.1)


DONE = "(document.getElementById('status')?.textContent ?? '').includes('denoised here')"
LENS = "document.getElementById('lens').shadowRoot.querySelector('.lens').lens"
PICTURES = f"""() => {LENS}.state.data.panels.map(({{ name, image }}) => {{
  const bytes = new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
  return [name, btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))];
}})"""


def pictures(page):
    return {name: np.frombuffer(base64.b64decode(data), np.float32) for name, data in page.evaluate(PICTURES)}


def expected(query):
    """What Python makes of a link: burst and pictures."""
    state, problem = link.read(dict(part.split("=") for part in query.split("&")))
    assert problem == ""
    burst = synthesize(recipe_of(DEFAULTS | state))
    found = {"frame": burst.reference, "mean": burst.mean, "truth": burst.truth}
    return found | {name: load(name)(burst).image for name in state["methods"]}


def check_pictures(page, query):
    shown, wanted = pictures(page), expected(query)
    assert set(shown) == set(wanted)
    for name, image in wanted.items():
        np.testing.assert_allclose(shown[name], image.reshape(-1), atol=4e-6, rtol=0, err_msg=name)


@pytest.mark.slow
def test_a_link_shows_the_pictures_of_python_and_the_newest_change_wins(open_page, address):
    query = "v=2&photo=dog&color=1&crop=96&top=40&left=70&frames=4&gain=2.5&shake=paper&moving=1&seed=3"
    query += "&methods=kpn-direct~mkpn"
    page, heard = open_page(f"{address}?{query}&pixel=50~40&look=sum")
    wait_until(page, DONE)
    check_pictures(page, query)
    assert page.evaluate(f"[{LENS}.state.pinnedAt, {LENS}.state.display.look]") == [[50, 40], "sum"]
    wait_until(page, f"{LENS}.state.assumed.ready")  # other assumed noise came in the background
    seed = page.get_by_label("Seed")
    for _ in range(3):  # each while the one before is computed
        page.get_by_role("button", name="Next").click()
    page.get_by_role("checkbox", name="Color", exact=True).uncheck()
    wait_until(page, f"{DONE} && {LENS}.state.data.frames.shape[1] === 1")
    assert seed.input_value() == "6"
    later = query.replace("color=1", "color=0").replace("seed=3", "seed=6")
    assert later in page.url.replace("%7E", "~")
    check_pictures(page, later)
    assert all(one.startswith((address, "data:", "blob:")) for one in heard), heard


@pytest.mark.slow
def test_one_file_works_from_disk_without_a_request(open_page, tmp_path):
    (tmp_path / "one.html").write_text(single_page(["mkpn"], ["flowers"], offer()))
    query = "v=2&photo=flowers&color=0&crop=96&top=0&left=9&frames=2&gain=8&shake=hand&shifts=0~0_3~-2"
    query += "&moving=0&seed=1&methods=mkpn"
    page, heard = open_page(f"file://{tmp_path}/one.html?{query}")
    wait_until(page, DONE)
    check_pictures(page, query)
    page.get_by_label("Camera shake").select_option("handheld")
    wait_until(page, f"{DONE} && {LENS}.state.data.motion")
    check_pictures(page, query.replace("hand&shifts=0~0_3~-2", "handheld"))
    assert [one for one in heard if not one.startswith(("file:", "data:", "blob:"))] == []


WITHOUT = (
    ("delete globalThis.WebAssembly", "this browser has no WebAssembly"),
    ("WebAssembly.validate = () => false", "WebAssembly without SIMD"),
)


@pytest.mark.slow
def test_what_is_wrong_is_said_in_a_sentence(open_page, to_damage):
    address, folder = to_damage
    for prepare, said in WITHOUT:
        page, _ = open_page(address, prepare)
        wait_until(page, "document.getElementById('problem').textContent !== ''")
        assert said in text(page, "problem")
        page.close()
    page, _ = open_page(f"{address}?photo=cat&methods=mkpn&crop=96")
    wait_until(page, DONE)
    assert "photo “cat” is unknown" in text(page, "problem")
    page.get_by_label("Crop").select_option("128")
    wait_until(page, "document.getElementById('problem').textContent === ''")
    page.context.set_offline(True)  # before a network's weights are there
    page.get_by_role("checkbox", name="KPN DIRECT").check()
    wait_until(page, "document.getElementById('problem').textContent.includes('connection')")
    said = r"models/kpn-direct\.(json|safetensors) cannot be loaded: there is no connection to this site\."
    assert re.fullmatch(f"KPN direct is not shown: {said}", text(page, "problem"))
    page.get_by_role("checkbox", name="KPN DIRECT").uncheck()
    page.context.set_offline(False)
    wait_until(page, f"{DONE} && document.getElementById('problem').textContent === ''")
    card = folder / "models" / "kpn-direct.json"
    card.write_text(re.sub('"sha256": ".', '"sha256": "x', card.read_text()))
    page.get_by_role("checkbox", name="KPN DIRECT").check()
    wait_until(page, "document.getElementById('problem').textContent !== ''")
    assert "models/kpn-direct.safetensors: its sha256 begins with" in text(page, "problem")
    (folder / "photos" / "girl.webp").unlink(missing_ok=True)
    page.get_by_label("Photo", exact=True).select_option("girl")
    wait_until(page, "document.getElementById('problem').textContent.includes('girl')")
    assert text(page, "problem") == "photos/girl.webp cannot be loaded: the server answers 404."
    page.reload()  # now there is no burst at all: no empty lens, and nothing in it that answers
    wait_until(page, "document.getElementById('problem').textContent.includes('girl')")
    lens = "document.getElementById('lens').shadowRoot.querySelector('.lens')"
    assert page.evaluate(f"[{lens}.inert, getComputedStyle({lens}).visibility]") == [True, "hidden"]


SCENE = "document.getElementById('scene').shadowRoot.querySelector('dialog')"
STATUS = "document.getElementById('status').textContent"
SEEN = {
    "Explore": DONE,
    "Noise": f"{STATUS}.includes('denoised here with 9')",
    "Sizes": f"{STATUS}.includes('with 3 networks')",
    "Results": "document.querySelector('.verdict svg') !== null",
    "Learn": "document.querySelector('.figure svg, .figure .lesson-lens') !== null",
    "Your photo": "document.querySelector('.drop') !== null",
    "Your kernels": "document.querySelector('.drop') !== null",
}
"""What each page shows once it is there."""


CURVES = {"Noise": 3, "Sizes": 3}  # figures under the lens


def check_matrix(titles):
    """What cells say on hover is what the app's matrix of gains holds, of the first burst and its pixel."""
    recipe = recipe_of(link.read({})[0])
    small = cache.matrix_recipe(recipe, cache.interesting_pixel(synthesize(recipe)))
    shown = [re.fullmatch(r"gain ×(\d+), assumed ×(\d+): ([\d.]+) dB", title).groups() for title in titles]
    assert len(shown) == 25
    for *gains, value in shown[::6]:  # from one corner to the other, so that both gains are told apart
        true, assumed = (NoiseModel.for_gain(int(gain)) for gain in gains)
        burst = dataclasses.replace(synthesize(dataclasses.replace(small, noise=true)), noise=assumed)
        assert float(value) == pytest.approx(psnr(load("mkpn")(burst).image, burst.truth), abs=0.011)


def photo_of_a_telephone():
    """A JPEG that EXIF turns by a quarter, and what it shows."""
    upright = np.zeros((300, 400, 3), np.uint8)
    upright[:, :200] = 200  # the left half is bright
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn it clockwise by 90 degrees"
    Image.fromarray(np.rot90(upright)).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


ORANGE = np.array([0.8, 0.45, 0.2])
"""A color in sRGB, encoded; in Display P3 its numbers are others."""


def photos_in_display_p3():
    """JPEG of 8 bits and PNG of 16, with the profile that telephones write."""
    in_p3 = srgb_encode(np.linalg.inv(P3) @ SRGB @ srgb_decode(ORANGE))
    assert np.abs(in_p3 - ORANGE).max() > 0.04
    picture = np.broadcast_to(in_p3, (160, 160, 3))
    buffer = io.BytesIO()
    eight = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
    eight.save(buffer, "JPEG", quality=100, subsampling=0, icc_profile=p3_profile())
    sixteen = write_png16(np.rint(65535 * picture).astype(np.uint16), p3_profile())
    return {"p3.jpg": buffer.getvalue(), "p3.png": sixteen}


def animated():
    """A GIF of two frames."""
    buffer = io.BytesIO()
    frames = [Image.new("RGB", (160, 160), color) for color in ("#446", "#bbd")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def narrow():
    buffer = io.BytesIO()
    Image.new("RGB", (8000, 140), (90, 120, 150)).save(buffer, "JPEG")
    return buffer.getvalue()


NOTES = {
    "moving.gif": "moving.gif is animated: its first frame is used.",
    "narrow.jpg": "Of narrow.jpg, 8000×140 pixels, the middle 1152×140 is used: it is long and narrow.",
}
"""What is said of photos that are not shown as they are."""


PROBLEM = "document.getElementById('problem').textContent"
CALM = "document.getElementById('problem').className === 'calm'"


def glass():
    buffer = io.BytesIO()
    Image.new("RGBA", (160, 160), (200, 100, 50, 128)).save(buffer, "PNG")
    return buffer.getvalue()


def test_all_pages_are_walked_through_without_a_connection(chromium, tmp_path):
    """Loaded once, the site asks nothing more, and no page complains; what a visitor brings stays in the page."""
    write_site(tmp_path / "sub", site_files(["kpn-l5", "kpn-l11", "mkpn"], ["dog", "flowers"], offer()))
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 2**16, (160, 200, 3), dtype=np.uint16)
    burst = Burst(rng.random((2, 24, 30), np.float32))
    kernels = KernelField.from_kernels(rng.random((2, 3, 3, 24, 30), np.float32))
    save_kernels(tmp_path / "k.npz", burst, [Estimate.of(burst, kernels, name="mine")])
    context = chromium.new_context(viewport={"width": 800, "height": 900})
    with serving(tmp_path) as served:
        page, heard = context.new_page(), []
        page.on("request", lambda request: heard.append(request.url))
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        root = f"{served}sub/"
        page.goto(root)
        wait_until(
            page, f"{SCENE}.dataset.painted === 'burst'"
        )  # the first visit begins with the guided scene
        page.keyboard.press("ArrowRight")
        wait_until(page, f"{SCENE}.dataset.painted === 'kernels'")
        page.keyboard.press("Escape")
        for name, seen in SEEN.items():
            page.get_by_role("link", name=name, exact=True).click()
            wait_until(page, seen)
            assert page.evaluate("document.querySelectorAll('.below svg.chart').length") == CURVES.get(
                name, 0
            )
            if name == "Noise":
                titles = page.evaluate(
                    "[...document.querySelectorAll('.matrix td')].map((cell) => cell.title)"
                )
                check_matrix(titles)
        assert all(one.startswith((root, "data:", "blob:")) for one in heard), heard
        context.set_offline(True)
        heard.clear()
        for name, seen in SEEN.items():
            page.get_by_role("link", name=name, exact=True).click()
            wait_until(page, seen)
            assert text(page, "problem") == ""
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        page.set_input_files(
            ".drop input", {"name": "k.npz", "mimeType": "", "buffer": (tmp_path / "k.npz").read_bytes()}
        )
        wait_until(page, f"{STATUS} === 'k.npz: mine'")
        page.set_input_files(".drop input", {"name": "no.npz", "mimeType": "", "buffer": b"PK"})
        wait_until(page, "document.getElementById('problem').textContent.startsWith('no.npz is no NPZ')")
        assert text(page, "status") == "k.npz: mine"  # it is in the lens still
        photos = {
            "deep.png": (write_png16(deep), None),
            "turned.jpg": (photo_of_a_telephone(), None),
            "no.jpg": (b"no", "no.jpg is damaged, or no picture that this browser can read."),
            "scan.tif": (
                b"II*\0" + bytes(60),
                "scan.tif is a TIFF, which browsers do not read; "
                "save it as PNG, of 16 bits if it has them, or as JPEG.",
            ),
            "moving.gif": (animated(), None),
            "narrow.jpg": (narrow(), None),
            "small.png": (
                write_png16(deep[:100]),
                "small.png has 200×100 pixels; photos of 128 a side or more are read here.",
            ),
            "glass.png": (glass(), "glass.png is transparent in parts; save it without transparency."),
            **{name: (data, None) for name, data in photos_in_display_p3().items()},
        }
        for name, (data, problem) in photos.items():
            page.get_by_role("link", name="Your photo").click()
            page.set_input_files(".drop input", {"name": name, "mimeType": "", "buffer": data})
            if problem:
                wait_until(page, f"document.getElementById('problem').textContent === {problem!r}")
                continue
            wait_until(page, f"{DONE} && {LENS}.state.data.panels.length")
            truth = pictures(page)["truth"]
            assert text(page, "problem") == NOTES.get(name, "")
            assert page.evaluate(CALM) or name not in NOTES  # a note is no error
            if name in NOTES:
                assert np.ptp(truth.reshape(3, -1), axis=1).max() < 0.01
            elif name == "deep.png":  # decoded here, all 16 bits
                light = srgb_decode((deep.transpose(2, 0, 1) / 65535).astype(np.float32))
                wanted = light[:, :160, :200].reshape(3, 80, 2, 100, 2).mean((2, 4))
                shown = truth.reshape(3, 80, 80)
                np.testing.assert_allclose(shown, wanted[:, :, 10:90], atol=1e-5)  # its middle
            elif "p3" in name:  # colors are brought to sRGB: by the browser, or with all 16 bits here
                colors = truth.reshape(3, -1)
                atol = 1e-4 if name == "p3.png" else 0.004
                np.testing.assert_allclose(colors.mean(1), srgb_decode(ORANGE), atol=atol)
                assert colors.std(1).max() < 0.002
            else:
                height, width = page.evaluate(f"[{LENS}.state.data.height, {LENS}.state.data.width]")
                gray = truth.reshape(-1, height, width)[0]
                assert (
                    gray[:, :20].min() > 0.4 and abs(gray[:, :20].std()) < 0.02
                )  # bright at the left, as it was taken
            assert "photo=" not in page.url
        assert heard == [], heard
        context.set_offline(False)
        page.reload()  # the last photo of one's own is there again
        wait_until(page, f"{DONE} && {LENS}.state.data.panels.length")
        assert page.get_by_label("Photo", exact=True).input_value() == "your photo"
        np.testing.assert_array_equal(pictures(page)["truth"], truth)
        page.get_by_role("link", name="Your photo").click()
        page.get_by_role("button", name="Remove from this browser").click()
        wait_until(page, f"{STATUS}.startsWith('No photo of yours is kept')")
        page.go_back()
        wait_until(page, "document.getElementById('problem').textContent.includes('no longer kept')")
        wait_until(page, DONE)
        assert page.get_by_label("Photo", exact=True).input_value() == "dog"
    context.close()


def test_one_network_that_is_missing_leaves_the_others(open_page, tmp_path):
    """Also on Sizes; the guided scene says which it is; damaged files are a sentence; a good act takes it away."""
    kernels, sizes = scene()["networks"]["kernels"], scene()["networks"]["sizes"]
    models = ["kpn-l3", kernels, "kpn-l25", sizes]
    write_site(tmp_path, site_files(models, ["dog"], offer()))
    gone = tmp_path / "models" / f"{kernels}.safetensors"
    gone.unlink()
    with serving(tmp_path) as address:
        page, _ = open_page(address)
        waiting = f"{SCENE}.querySelector('.waiting').textContent"
        wait_until(page, f"{SCENE}.dataset.painted === 'burst'")
        page.keyboard.press("ArrowRight")
        said = f"models/{gone.name} cannot be loaded: the server answers 404."
        wait_until(page, f"{waiting} === 'There are no kernels: {said}'")
        page.goto(f"{address}?v=2&crop=96&frames=2&methods={kernels}~kpn-l3~{sizes}")
        wait_until(page, DONE)
        names = f"{LENS}.state.data.panels.map(({{ name, image }}) => (image ? name : '')).join(' ')"
        assert page.evaluate(names) == f"frame mean kpn-l3 {sizes} truth"
        title = title_of(kernels)
        assert text(page, "problem") == f"{title} is not shown: {said}"
        page.get_by_role("checkbox", name=title, exact=True).uncheck()
        wait_until(page, f"{DONE} && {PROBLEM} === ''")
        page.get_by_role("link", name="Sizes", exact=True).click()
        wait_until(page, f"{STATUS}.includes('with 3 networks') && document.querySelector('.below svg')")
        assert text(page, "problem") == f"{title} is not shown: {said}"
        card = tmp_path / "models" / "kpn-l3.json"
        card.write_text("{")
        (tmp_path / "photos" / "dog.webp").write_bytes(b"no")
        page.goto(f"{address}?v=2&crop=96&frames=2&methods=kpn-l3")
        wait_until(page, f"{PROBLEM} !== ''")
        said = "photos/dog.webp is damaged, or of another version of this site; load the page again."
        assert text(page, "problem") == said
        write_site(tmp_path, {"photos/dog.webp": site_files([sizes], ["dog"], offer())["photos/dog.webp"]})
        page.get_by_label("Crop").select_option("128")  # of what was wrong at first, the photo is good now
        wait_until(page, f"{PROBLEM}.startsWith('KPN L3')")
        said = "KPN L3 is not shown: models/kpn-l3.json is damaged: it holds no JSON object; load the page again."
        assert text(page, "problem") == said


SLOW_READING = """
  const Usual = Worker;
  window.Worker = class extends Usual {
    set onmessage(hear) {
      super.onmessage = async (message) => {
        if (window.reading && message.data.result) {
          window.waiting = true;
          await window.reading;
        }
        hear(message);
      };
    }
  };
"""
"""What workers have done is heard once `reading` is over, as if they had taken so long."""


def test_scripts_of_workers_that_are_missing_or_damaged_are_one_sentence(open_page, tmp_path):
    """Empty ones, too, which would never answer; once they are right again, the next act goes on."""
    files = site_files(["kpn-direct"], ["dog"], offer())
    with serving(tmp_path) as address:
        for script, begin in (("background.js", ""), ("worker.js", "KPN direct is not shown: ")):
            write_site(tmp_path, files)
            (tmp_path / script).unlink()
            page, _ = open_page(f"{address}?v=2&crop=96&frames=2&methods=kpn-direct")
            wait_until(page, f"{PROBLEM} !== ''")
            assert text(page, "problem") == f"{begin}{script} cannot be loaded: the server answers 404."
            damaged = f"{begin}{script} is damaged, or of another version of this site; load the page again."
            (tmp_path / script).write_bytes(b"")
            page.get_by_role("button", name="Next").click()
            wait_until(page, f"{PROBLEM} === {damaged!r}")
            write_site(tmp_path, files)
            page.get_by_role("button", name="Next").click()
            wait_until(page, f"{DONE} && {PROBLEM} === ''")
            page.close()


def test_a_damaged_engine_shows_nothing_half_and_a_file_wins_over_the_example(open_page, tmp_path):
    files = site_files(["mkpn"], ["dog"], offer())
    write_site(tmp_path, files | dict.fromkeys(("engine.wasm", "engine.relaxed.wasm"), b"\0asm"))
    rng = np.random.default_rng(0)
    burst = Burst(rng.random((2, 24, 30), np.float32))
    kernels = KernelField.from_kernels(rng.random((2, 3, 3, 24, 30), np.float32))
    save_kernels(tmp_path / "k.npz", burst, [Estimate.of(burst, kernels, name="mine")])
    with serving(tmp_path) as address:
        page, _ = open_page(f"{address}?v=2&crop=96&frames=2")
        said = (
            r"MKPN is not shown: engine(\.relaxed)?\.wasm is damaged, or of another version of this site; .*"
        )
        wait_until(page, f"{PROBLEM} !== ''")
        shown = page.evaluate(f"{LENS}.state.data.id")
        page.get_by_role("button", name="Next").click()
        wait_until(page, f"{LENS}.state.data?.id !== {shown!r} && {PROBLEM} !== ''")
        names = f"{LENS}.state.data.panels.map(({{ name }}) => name).join(' ')"
        assert (page.evaluate(names), text(page, "status")) == ("frame mean truth", "")
        assert re.fullmatch(said, text(page, "problem"))
        held = []
        page.add_init_script(SLOW_READING)
        page.route("**/photos/*", lambda route: held.append(route))  # the example waits for its photo
        page.goto(f"{address}your_kernels/")
        wait_until(page, f"{STATUS}.startsWith('Loading an example')")
        page.set_input_files(".drop input", {"name": "no.npz", "mimeType": "", "buffer": b"PK"})
        wait_until(
            page, f"{PROBLEM}.startsWith('no.npz is no NPZ') && {STATUS}.startsWith('Loading an example')"
        )
        # The example's photo is there while the file is still being read, as a large one: it is not given up.
        page.evaluate("void (window.reading = new Promise((done) => (window.read = done)))")
        page.set_input_files(".drop input", tmp_path / "k.npz")
        wait_until(page, "window.waiting")
        for route in held:
            route.continue_()
        page.wait_for_timeout(500)  # it is decoded
        page.evaluate("window.read()")
        wait_until(page, f"{STATUS} === 'k.npz: mine' && {PROBLEM} === ''")
        bright = Burst(200 * burst.frames)
        save_kernels(tmp_path / "k.npz", bright, [Estimate.of(bright, kernels, name="mine")])
        page.set_input_files(".drop input", tmp_path / "k.npz")
        wait_until(page, f"{PROBLEM}.startsWith('Almost all values') && {CALM}")
        page.evaluate(
            "history.pushState(null, '', '?v=2&photo=cat'); dispatchEvent(new PopStateEvent('popstate'))"
        )
        wait_until(page, f"{PROBLEM}.includes('photo “cat” is unknown') && {PROBLEM}.includes('Almost all')")
        page.goto(f"file://{tmp_path}/index.html")  # scripts of modules are not read from there
        wait_until(page, "document.querySelector('main').innerText.includes('kpnviz page --live')")


def test_back_leads_to_where_one_was_and_a_number_is_named(open_page, address):
    page, _ = open_page(f"{address}results/")
    found = [number for verdict in verdicts(read_results()) for number in verdict.numbers]
    says = [number.says for number in found if number.burst.scene["photo"] in PHOTOS][-1]
    number = page.locator(f'.verdict .measured[title^="{says}"]')
    number.scroll_into_view_if_needed()
    top = page.evaluate("scrollY")
    assert top > 500
    number.click()
    wait_until(page, "location.search.includes('photo=')")
    introduction = page.locator(".introduction")
    assert says in introduction.inner_text()
    page.reload()
    assert says in introduction.inner_text()
    page.go_back()
    wait_until(page, f"Math.abs(scrollY - {top}) <= 2")
    # What is chosen is in the address, as in the app's.
    page.goto(f"{address}results/?v=2&results_gain=8&results_compared=mkpn")
    assert page.get_by_label("Compared with").input_value() == "mkpn"
    assert page.get_by_label("Gain of the figures").input_value() == "8"
    page.get_by_label("Measure of the tables").select_option("SSIM")
    wait_until(page, "location.search.endsWith('results_gain=8&results_measure=SSIM&results_compared=mkpn')")


KEYS = """(slider) => ["keydown", "input", "keydown", "input"].forEach((type) => {
  if (type === "input") slider.stepUp();
  slider.dispatchEvent(new KeyboardEvent(type, { key: "ArrowRight", bubbles: true }));
})"""


def test_each_change_is_one_entry_of_the_history(open_page, address):
    """A drag is one change; Back and Forward bring what was set to the page that is there."""
    page, heard = open_page(f"{address}?v=2&crop=96&frames=2&gain=4&methods=kpn-direct")
    wait_until(page, DONE)
    gain, frames = page.get_by_label("Sensor gain"), page.get_by_role("slider", name="Frames")
    photo = page.get_by_label("Photo", exact=True)
    before = page.evaluate("history.length")
    box = gain.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 40, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, y, steps=20)
    page.mouse.up()
    dragged = gain.input_value()
    assert float(dragged) > 4
    frames.evaluate(KEYS)  # keys that follow each other on a slider are one change, too
    page.locator("h1").click()  # nothing changes
    page.keyboard.press("a")
    wait_until(page, f"{DONE} && {LENS}.state.data.frames.shape[0] === 4")
    page.locator("#lens .marks:visible").first.click(position={"x": 50, "y": 60})
    wait_until(page, "location.search.includes('pixel=')")
    pinned = page.evaluate(f"{LENS}.state.pinnedAt")
    photo.select_option("girl")
    for _ in range(2):  # the second time it is there already
        page.get_by_role("link", name="Results", exact=True).click()
    assert page.evaluate("history.length") == before + 5
    page.go_back()
    wait_until(page, DONE)
    page.evaluate(f"window.lens = {LENS}")
    states = [
        ("girl", dragged, "4", pinned),
        ("dog", dragged, "4", pinned),
        ("dog", dragged, "4", None),
        ("dog", dragged, "2", None),
        ("dog", "4", "2", None),
    ]
    for i, state in enumerate(states + states[-2::-1]):
        if i:
            page.go_back() if i < len(states) else page.go_forward()
        at = json.dumps(state[-1], separators=(",", ":"))
        shown = f'{LENS}.state.data.id.includes(\'"photo":"{state[0]}"\')'
        wait_until(page, f"{DONE} && {shown} && JSON.stringify({LENS}.state.pinnedAt) === '{at}'")
        assert (photo.input_value(), gain.input_value(), frames.input_value()) == state[:3]
        assert f"gain={state[1]}&" in page.url and ("pixel" in page.url) == (state[-1] is not None)
    assert page.evaluate(f"window.lens === {LENS}")  # the lens stays, and shows another burst
    assert not [one for one in heard if one.startswith(("console", "error"))], heard


def test_in_front_of_a_class(open_page, address):
    """As in the app: examples and lessons are stepped by key, controls are folded away, none lies over another."""
    page, heard = open_page(f"{address}?v=2&teach=1&crop=96&frames=2")
    page.set_viewport_size({"width": 1280, "height": 720})
    controls, title = page.locator("#controls"), page.locator(".presenter .title")
    wait_until(page, DONE)
    assert controls.is_hidden() and title.inner_text() == "Own scene"
    # A picture for a projector, and beside it all kernels and the slider, with its value.
    wait_until(page, f"{LENS}.state.assumed.ready")
    page.wait_for_timeout(1500)  # it is laid out with all that there is
    assert page.locator("#lens .looking .stages").bounding_box()["width"] >= 470
    for part in ("#lens .looking .stages", "#lens .rows .cell >> nth=-1", "#lens .assumed", "#lens .foot"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    assert page.locator("#lens .assumed output").evaluate("(e) => e.scrollWidth <= e.clientWidth")
    page.keyboard.press("PageDown")
    here = [one.title for one in EXAMPLES if one.scene.get("photo", "dog") in PHOTOS]
    assert title.inner_text() == here[0] and here[0] in page.locator(".introduction").inner_text()
    page.get_by_role("button", name="Controls").click()
    wait_until(page, DONE)
    assert controls.is_visible()
    bars = page.locator("#lens .looking .bar > *, #lens .tab")
    page.wait_for_timeout(1500)  # it is laid out anew beside the controls
    boxes = bars.evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().toJSON())")
    boxes = [box for box in boxes if box["width"]]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            beside = a["x"] + a["width"] < b["x"] + 2 or b["x"] + b["width"] < a["x"] + 2
            assert beside or a["y"] + a["height"] < b["y"] + 2 or b["y"] + b["height"] < a["y"] + 2, (a, b)
    page.get_by_role("link", name="Learn", exact=True).click()
    wait_until(page, "document.querySelector('.figure svg') !== null")
    page.locator("h1").click()
    page.keyboard.press("ArrowRight")
    assert page.locator("h1").inner_text() == LESSONS[1].title
    assert "lesson=2" in page.url and "teach=1" in page.url
    assert not [one for one in heard if one.startswith(("console", "error"))], heard
