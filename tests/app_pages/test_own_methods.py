"""Methods of one's own in the app: in every choice, beside the networks, and harmless where they fail."""

import textwrap
import threading

import numpy as np
import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

from benchmarks.one_page import serve
from kpnviz.burst import BurstRecipe
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField
from kpnviz.lens.payload import unpack
from kpnviz.methods import MethodError, offered
from kpnviz.models import zoo
from kpnviz.noise import NoiseModel
from kpnviz.paths import ROOT
from kpnviz.serving import in_parts, work
from kpnviz.serving.turns import Turns
from kpnviz.ui import cache, choices, methods
from kpnviz.ui.parameters import METHODS
from kpnviz.ui.state import TRY_AGAIN, widget

from .lens_driver import at_rest, lens, open_lens, until, watch

RECIPE = BurstRecipe("dog", crop=(60, 60, 40, 40), noise=NoiseModel.for_gain(4), frames=4)


def mean_kernels(burst):
    """3x3 kernels whose middle weight is 1: the mean of the frames."""
    kernels = np.zeros((len(burst), 3, 3, burst.height, burst.width), np.float32)
    kernels[:, 1, 1] = 1
    field = KernelField.from_kernels(kernels)
    return Estimate.of(burst, field, name="mine")


class Mine:
    """What IsolatedMethod is to the app, without a process."""

    frames = None

    def __init__(self, name, title, predict=mean_kernels):
        self.name, self.title, self.predict, self.calls = name, title, predict, []

    def takes(self, frames):
        return self.frames is None or frames in self.frames

    def __call__(self, burst, wanted=None):
        self.calls.append(burst)
        return self.predict(burst)

    def close(self):
        pass


@pytest.fixture
def offer(monkeypatch):
    """Offer methods for one test."""

    def to(*mine):
        monkeypatch.setattr(offered, "_offered", {one.name: one for one in mine})
        for one in mine:
            monkeypatch.setitem(zoo.OWN_TITLES, one.name, one.title)
        return mine[0]

    work.cached_values.clear()
    yield to
    work.cached_values.clear()


def refuse(burst):
    raise MethodError("mine raised RuntimeError for a burst of 4 frames: no weights")


def open_app(**state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for key, value in ({"crop": 96, "frames": 4} | state).items():
        app.session_state[key] = value
    return app.run()


def test_it_is_among_the_choices_and_its_kernels_are_shown(offer):
    offer(Mine("mine", "*My* <b>net</b>"))
    assert methods.available()[-1] == "mine" and choices.default_methods()[-1] == "mine"
    app = open_app(methods=["kpn-l1", "mine"])
    assert not app.exception and not app.error
    assert app.multiselect(key=widget(METHODS)).options[-1] == "*My* <b>net</b>"
    assert app.query_params[METHODS] in ("kpn-l1~mine", ["kpn-l1~mine"])
    app.switch_page("app_pages/noise.py").run()
    assert not app.exception and not app.error
    # Markdown of its title is shown as it is written.
    labels = [option.content for control in app.segmented_control for option in control.proto.options]
    assert r"\*My\* \<b\>net\<\/b\>" in labels


def test_the_lens_gets_what_it_made(offer):
    offer(Mine("mine", "My net"))
    header, arrays = unpack(cache.lens_payload(RECIPE, ("kpn-l1", "mine")))
    assert [method["title"] for method in header["methods"]] == ["KPN L1", "My net"]
    image = arrays[header["panels"][header["methods"][1]["panel"]]["image"]]
    np.testing.assert_allclose(image, cache.burst_of(RECIPE).mean, atol=1e-6)
    assert cache.has_kernels(RECIPE, "mine")


def test_it_is_told_the_assumed_noise(offer):
    mine = offer(Mine("mine", "My net"))
    burst = cache.burst_of(RECIPE)
    methods.denoise("mine", burst, 2.0)
    assert mine.calls[0].noise == burst.noise.scaled(2)


def test_what_fails_is_a_sentence_the_others_are_shown_and_it_can_be_tried_again(offer):
    mine = offer(Mine("mine", "My net", refuse))
    for page in ("explore", "kernels", "noise"):
        app = open_app(methods=["kpn-l1", "mine"])
        if page != "explore":
            app.switch_page(f"app_pages/{page}.py").run()
        assert (
            not app.exception
            and [error.value for error in app.error]
            == ["mine raised RuntimeError for a burst of 4 frames\\: no weights\\."]
        ) or "no weights" in app.error[0].value
        assert len(app.error) == 1
    assert len(mine.calls) == 1  # what failed is not run at every click
    mine.predict = mean_kernels
    app.button(key=TRY_AGAIN).click().run()
    assert not app.exception and not app.error and len(mine.calls) >= 2


def test_networks_are_shown_before_it_runs(offer, monkeypatch):
    """It may never end: what is ready is drawn first."""
    monkeypatch.setattr(in_parts, "PATIENCE", 60)  # networks together, on a busy machine too
    drawn, made = [], cache.early_payload
    mine = offer(Mine("mine", "My net", lambda burst: drawn.append("mine") or mean_kernels(burst)))
    monkeypatch.setattr(cache, "early_payload", lambda *of: drawn.append(of[-1]) or made(*of))
    app = open_app(methods=["kpn-l1", "kpn-l3", "mine"])
    assert not app.exception and not app.error
    assert drawn == [(), ("kpn-l1", "kpn-l3"), "mine"]
    app.session_state["lesson"] = 0
    app.switch_page("app_pages/learn.py").run()  # lessons speak of networks
    assert not app.exception and len(mine.calls) == 1


def test_others_compute_while_it_runs(offer, monkeypatch):
    monkeypatch.setattr(work, "turns", Turns(1))
    running, end = threading.Event(), threading.Event()

    def never(burst):
        running.set()
        assert end.wait(60)
        raise MethodError("mine took longer than 60 s")

    offer(Mine("mine", "My net", never))
    stuck = threading.Thread(target=cache.result, args=(RECIPE, "mine"))
    stuck.start()
    assert running.wait(60)
    done = threading.Event()
    other = threading.Thread(target=lambda: (cache.result(RECIPE, "kpn-l1"), done.set()))
    other.start()
    assert done.wait(60)
    end.set()
    stuck.join(60)
    other.join(60)
    assert cache.result(RECIPE, "mine") == cache.Failure("mine took longer than 60 s")


GOOD = """
def predict(burst):
    kernels = np.zeros((len(burst), 5, 5, burst.height, burst.width), np.float32)
    kernels[:, 2, 2] = 1
    return kpnviz.KernelField.from_kernels(kernels, padding="zero")

predict.title = "Mean of 8"
"""
RAISING = """
def predict(burst):
    raise RuntimeError("the weights are at home")
"""


@pytest.mark.slow
@pytest.mark.browser
def test_a_good_and_a_raising_method_in_a_browser(chromium, tmp_path):
    for name, code in {"good": GOOD, "bad": RAISING}.items():
        (tmp_path / f"{name}.py").write_text("import numpy as np\nimport kpnviz\n" + textwrap.dedent(code))
    sources = [f"{tmp_path / name}.py:predict" for name in ("good", "bad")]
    with serve(180, methods=sources) as address:
        page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
        open_lens(page, f"{address}/?v=1&crop=96&methods=kpn-l5~good")
        titles = "l.data.methods.map((method) => method.title)"
        assert lens(page, titles) == ["KPN L5", "Mean of 8"]
        until(page, lambda: lens(page, "l.data.methods[1].kernels !== null"))
        page.goto(f"{address}/?v=1&crop=96&methods=kpn-l5~bad")
        expect(
            page.get_by_text("bad raised RuntimeError for a burst of 8 frames: the weights are at home")
        ).to_be_visible()
        until(page, lambda: lens(page, titles) == ["KPN L5"])
        at_rest(page)
        page.close()
        assert not page.errors
