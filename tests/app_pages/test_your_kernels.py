"""The page Your kernels: its example, files that are dropped, and files that are refused."""

import io
import subprocess
import sys

import numpy as np
import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

import kpnviz
from benchmarks.one_page import skip_scene
from kpnviz.capture import kernel_file
from kpnviz.lens.payload import unpack
from kpnviz.paths import ROOT
from kpnviz.ui import foreign
from kpnviz.ui.state import FOREIGN, FOREIGN_LET_GO

from .lens_driver import at_rest, hover, lens, no_exception, until, watch


def open_page():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    app.session_state["methods"] = []
    return app.run().switch_page("app_pages/your_kernels.py").run()


def drop(app, name, data):
    app.get("file_uploader")[0].set_value([] if data is None else [(name, data, "application/zip")]).run()
    assert not app.exception
    return app


def sentence(app):
    return " ".join(error.value for error in app.error).replace("\\", "")


@pytest.fixture(scope="module")
def made():
    """A burst of 4 frames, and dense kernels of 3x3 as they are for a sum with zero padding."""
    rng = np.random.default_rng(0)
    burst = kpnviz.Burst(rng.random((4, 24, 20), dtype=np.float32))
    kernels = rng.random((4, 3, 3, 24, 20), dtype=np.float32) / 36
    field = kpnviz.KernelField.from_kernels(kernels, padding="zero", reduce="sum")
    return burst, kernels, kpnviz.Estimate.of(burst, field, name="My *net*")


@pytest.fixture(scope="module")
def file(made):
    burst, _, estimate = made
    data = io.BytesIO()
    kpnviz.save_kernels(data, burst, [estimate])
    return data.getvalue()


def npz(**arrays):
    data = io.BytesIO()
    np.savez(data, **arrays)
    return data.getvalue()


def test_the_code_on_the_page_writes_the_example_that_is_in_the_lens(tmp_path):
    """The very text, run as a program, by itself."""
    app = open_page()
    assert not app.exception and not app.error
    code = app.code[0].value
    assert "save_kernels" in code and kernel_file.KEYS.strip() == app.code[1].value.strip()
    (tmp_path / "mine.py").write_text(code)
    subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=True)
    burst, (estimate,) = kpnviz.load_kernels(tmp_path / "kernels.npz")
    header, arrays = unpack(foreign.example().payload)
    np.testing.assert_allclose(arrays[header["frames"]], burst.frames)
    panel = header["panels"][header["methods"][0]["panel"]]
    np.testing.assert_allclose(arrays[panel["image"]], estimate.image, atol=1e-6)
    assert panel["title"] == "Bilateral filter"


def test_a_file_opens_and_stays_while_other_pages_are_visited(made, file):
    burst, _, estimate = made
    app = drop(open_page(), "mine.npz", file)
    assert not app.error
    opened = app.session_state[FOREIGN]
    header, arrays = unpack(opened.payload)
    np.testing.assert_allclose(arrays[header["frames"]], burst.frames)
    np.testing.assert_allclose(arrays[header["panels"][2]["image"]], estimate.image, atol=1e-6)
    assert any(r"mine\.npz" in text.value and r"My \*net\*" in text.value for text in app.markdown)
    app.switch_page("app_pages/learn.py").run()
    app.switch_page("app_pages/your_kernels.py").run()
    assert not app.exception and app.session_state[FOREIGN] is opened
    app.button(key=FOREIGN_LET_GO).click().run()
    assert FOREIGN not in app.session_state and any("An example" in text.value for text in app.markdown)


def bad_files(burst, kernels):
    frames = burst.frames
    hole = kernels.copy()
    hole[1, 0, 2, 3, 4] = np.nan
    yield "nan", npz(frames=frames, kernels=hole), "holds weights that are not finite"
    yield "axis", npz(frames=frames, kernels=np.moveaxis(kernels, 0, 2)), "K"
    yield "frames", npz(frames=np.zeros((40, 8, 8), np.float32), kernels=kernels), "N = 40 frames"
    yield "size", npz(frames=frames[:, :-2], kernels=kernels), "24x20 pixels, the frames have 22x20"
    yield "nothing", npz(frames=frames), "holds no kernels"
    yield "pickle", npz(frames=frames, kernels=np.array([{}, print], dtype=object)), "kernels"
    yield "text", b"not a file", "is not an NPZ"
    yield "cut", npz(frames=frames, kernels=kernels)[:-200], "npz"
    yield (
        "image",
        npz(frames=frames, kernels=kernels, image=frames[0] + 1),
        "differ by up to 1",
    )


def test_what_is_refused_is_one_sentence_and_what_was_there_stays(made, file):
    burst, kernels, _ = made
    app = drop(open_page(), "mine.npz", file)
    opened = app.session_state[FOREIGN]
    for name, data, said in bad_files(burst, kernels):
        drop(app, f"{name}.npz", data)
        assert len(app.error) == 1 and said in sentence(app) and f"{name}.npz" in sentence(app), sentence(app)
        assert app.session_state[FOREIGN] is opened
    drop(app, "", None)  # the file that was refused is taken away
    assert not app.error and app.session_state[FOREIGN] is opened


@pytest.mark.browser
def test_a_file_is_dropped_and_looked_into(chromium, server, file, made):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    page.goto(server)
    skip_scene(page)
    page.get_by_role("link", name="Your kernels").click()
    page.locator(".st-key-foreign_lens .lens[data-y]").wait_for()
    expect(page.locator(".lens")).to_have_count(1)  # that of the page before is gone
    expect(page.get_by_text("An example, until you drop a file")).to_be_visible()
    titles = "l.data.methods.map((method) => method.title)"
    until(page, lambda: lens(page, titles) == ["Bilateral filter"])
    zone = page.locator("input[type=file]")
    zone.set_input_files([{"name": "mine.npz", "mimeType": "application/zip", "buffer": file}])
    until(page, lambda: lens(page, titles) == ["My *net*"])
    at_rest(page)
    hover(page, 0, 0)  # a corner, where the padding counts
    zone.set_input_files([{"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG"}])
    expect(page.get_by_text("photo.png is not an NPZ with frames and kernels")).to_be_visible()
    assert lens(page, titles) == ["My *net*"]
    no_exception(page)
    page.close()
    assert not page.errors
