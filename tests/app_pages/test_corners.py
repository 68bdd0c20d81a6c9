"""The corners of the sidebar's controls: each either works or says one sentence."""

import itertools

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from kpnviz.burst import synthesize
from kpnviz.lens.payload import MAX_BYTES, payload_bytes, unpack
from kpnviz.models import checkpoints
from kpnviz.paths import ROOT
from kpnviz.serving import work
from kpnviz.ui import cache
from kpnviz.ui.choices import BY_HAND, CROPS, KERNEL_VIEWS, MAX_FRAMES, MAX_GAIN, MAX_SEED, MAX_SHIFT, SHAKES
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.methods import denoiser
from kpnviz.ui.parameters import DEFAULTS, with_defaults
from kpnviz.ui.size_stage import size_stage

from ..conftest import tiny

METHODS = {
    "none": [],
    "one frame": ["kpn-1frame-stacked"],
    "stacked": ["kpn-stacked", "mkpn-stacked"],
    "without kernels": ["kpn-direct"],
    "smallest": ["kpn-l1"],
    "largest": ["kpn", "kpn-l13", "kpn-l25", "mkpn"],
}
TOO_LARGE = r"more than the \d+ MB that are sent to the browser"


@pytest.fixture(scope="module", autouse=True)
def quick_networks(tmp_path_factory):
    """Networks of every kind with random weights and few channels; their kernels have the sizes of the real ones."""
    folder = tmp_path_factory.mktemp("checkpoints")
    names = {"kpn-l5", "kpn-blind", *itertools.chain(*METHODS.values())}
    for name in names:
        checkpoints.save(folder / f"{name}.safetensors", tiny(name), {"training": {"steps": 1}})

    def forget():
        work.cached_values.clear()
        denoiser.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPNVIZ_CHECKPOINTS", str(folder))
        forget()
        yield
        forget()


def visit(page, **state):
    app = AppTest.from_file(str(ROOT / "app_pages" / f"{page}.py"), default_timeout=300)
    for key, value in with_defaults(state).items():
        app.session_state[key] = value
    return app.run()


def said(app):
    """The sentences in red; no page is to end in an exception."""
    assert not app.exception, app.exception[0].value
    return [error.value.replace("\\", "") for error in app.error]


def denoised(app, methods):
    """Those of the methods that have denoised the burst of the page's controls."""
    recipe = recipe_of({key: app.session_state[key] for key in DEFAULTS})
    return [method for method in methods if work.is_cached(cache.estimate, recipe, method)]


ENDS = ((min(CROPS), max(CROPS)), (1, MAX_FRAMES), (1.0, MAX_GAIN), (False, True), (0, 10**6), (0, MAX_SEED))
PAIRWISE = [
    [one[end] for one, end in zip(ENDS, (a, b, c, a ^ b, a ^ c, b ^ c), strict=True)]
    for a, b, c in itertools.product((0, 1), repeat=3)
]
"""Corners of crop, frames, gain, moving object, place and seed: any two of them come with both ends of each other."""


@pytest.mark.parametrize(
    "shake",
    [pytest.param(shake, marks=[pytest.mark.slow] * (shake == "handheld")) for shake in (*SHAKES, BY_HAND)],
)
def test_the_corners_of_the_controls_are_bursts(shake):
    far = ((0, 0), *[(MAX_SHIFT, -MAX_SHIFT), (-MAX_SHIFT, MAX_SHIFT)] * 16)
    for crop, frames, gain, moving, place, seed in PAIRWISE:
        state = dict(crop=crop, frames=frames, gain=gain, moving=moving, top=place, left=place, seed=seed)
        recipe = recipe_of(DEFAULTS | state | dict(shake=shake, shifts=far[:frames], photo="city"))
        burst = synthesize(recipe)
        assert burst.frames.shape == (frames, 3, crop, crop) and np.isfinite(burst.frames).all()


SOME = [
    (256, 32, "largest"),
    (96, 1, "largest"),
    (256, 1, "none"),
    (96, 32, "without kernels"),
    (96, 1, "stacked"),
]


@pytest.mark.parametrize(
    ("crop", "frames", "methods"),
    [
        pytest.param(*case, marks=[pytest.mark.slow] * (case not in SOME))
        for case in itertools.product((96, 256), (1, 32), METHODS)
    ],
)
def test_explore_works_or_says_one_sentence(crop, frames, methods):
    """256 pixels with 24 or 32 frames ended in "This app has encountered an error"."""
    odd = len(methods) % 2  # each of the other controls at one end or the other
    app = visit(
        "explore",
        crop=crop, frames=frames, methods=METHODS[methods],
        gain=[1.0, MAX_GAIN][odd], shake=["none", BY_HAND][odd], moving=bool(odd), pixel=(crop - 1, 0),
    )  # fmt: skip
    sentences = said(app)
    if (crop, frames, methods) == (256, 32, "largest"):
        (sentence,) = sentences
        assert "choose a smaller crop or fewer methods or frames" in sentence
        assert not denoised(app, METHODS[methods])
    else:
        assert not sentences


def test_what_a_fragment_stumbles_over_is_said(monkeypatch):
    """It also runs by itself, outside of what a page catches."""

    def fail(*_, **__):
        raise ValueError("these pictures are too large")

    monkeypatch.setattr(cache, "lens_payload", fail)
    monkeypatch.setattr(work, "is_cached", lambda *_: True)
    assert said(visit("explore", methods=["kpn-l1"], crop=96)) == ["these pictures are too large."]
    monkeypatch.undo()
    monkeypatch.setattr(cache, "noise_matrix", fail)
    assert said(visit("noise", methods=["kpn-l1"], crop=96)) == ["these pictures are too large."]


@pytest.mark.parametrize("view", KERNEL_VIEWS.values())
def test_kernels_works_at_the_corners(view):
    for frames, methods in ((1, ["kpn-l1", "kpn-1frame-stacked"]), (32, ["kpn-direct", "kpn-l5"])):
        app = visit("kernels", crop=96, frames=frames, methods=methods, kernels_view=view, pixel=(95, 0))
        assert not said(app)


def test_noise_works_at_the_corners_and_when_a_control_changes():
    assert not said(visit("noise", crop=96, frames=1, methods=["kpn-l1", "kpn-direct"]))
    app = visit("noise", crop=96, frames=32, methods=["kpn-l1"], gain=MAX_GAIN, pixel=(95, 95))
    app.session_state["crop"] = 128
    assert not said(app.run())


def test_sizes_refuses_what_is_too_large_before_it_computes():
    app = visit("sizes", crop=256, frames=32, methods=[])
    (sentence,) = said(app)
    assert "choose a smaller crop or fewer methods or frames" in sentence
    assert not denoised(app, ["kpn-l5", "kpn-l13", "mkpn"])
    assert not said(visit("sizes", crop=96, frames=1, methods=[]))


@pytest.mark.parametrize(
    "frames, moving, methods",
    [
        (1, True, ["kpn"]),
        (8, True, ["kpn-1frame-stacked", "mkpn", "kpn-direct"]),
        (8, False, []),
        (8, False, ["kpn-stacked"]),
    ],
)
def test_the_size_of_what_a_lens_is_sent_is_known_before(frames, moving, methods):
    recipe = recipe_of(DEFAULTS | dict(crop=96, frames=frames, moving=moving))
    payload = cache.lens_payload(recipe, tuple(methods))
    networks = [denoiser(method).network.config for method in methods]
    size = payload_bytes((frames, 3, 96, 96), networks, moving)
    header = len(payload) - sum(array.nbytes for array in unpack(payload)[1])
    assert 0 <= len(payload) - header - size <= 8 * len(unpack(payload)[1])
    with pytest.raises(ValueError, match=TOO_LARGE):
        cache.check_lens(recipe, methods, most=size - 1)
    cache.check_lens(recipe, methods, most=size)


def test_the_size_of_the_lens_of_all_sizes_is_known_before():
    recipe, methods = recipe_of(DEFAULTS | dict(crop=96)), ("kpn-l1", "kpn-l13", "mkpn")
    arrays = unpack(size_stage(recipe, methods).payload)[1]
    networks = [denoiser(method).network.config for method in methods]
    assert payload_bytes((8, 3, 96, 96), networks, False, sizes=True) == sum(array.nbytes for array in arrays)
    assert MAX_BYTES < 96 * 2**20
