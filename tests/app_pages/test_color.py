"""Color in the app: on where the photo has some, the same kernels for R, G and B, and gray where a person says so."""

import dataclasses

import numpy as np
import pytest
from playwright.sync_api import expect
from streamlit.testing.v1 import AppTest

import kpnviz
from kpnviz.lens.payload import unpack
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.paths import ROOT
from kpnviz.ui import cache, controls
from kpnviz.ui.choices import KERNEL_VIEWS
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import COLOR, DEFAULTS, KERNELS_VIEW
from kpnviz.ui.presets import PRESETS, is_shown, state_of
from kpnviz.ui.state import widget

from .lens_driver import at_rest, lens, open_lens, until, watch

SMALL = {"crop": 96, "frames": 3}


def open_app(page="explore", **state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=300)
    for key, value in (SMALL | {"methods": ["kpn-l1", "kpn-l5"]} | state).items():
        app.session_state[key] = value
    app.run()
    if page != "explore":
        app.switch_page(f"app_pages/{page}.py").run()
    assert not app.exception and not app.error, page
    return app


def captions(app):
    return " ".join(caption.value for caption in app.caption)


def test_the_switch_is_the_recipe_of_the_burst_and_the_scores_are_of_what_is_shown():
    app = open_app()
    recipe = recipe_of(DEFAULTS | SMALL)
    assert recipe.color and app.toggle(key=widget(COLOR)).value
    header, arrays = unpack(cache.lens_payload(recipe, ("kpn-l1", "kpn-l5")))
    burst = kpnviz.synthesize(recipe)
    image = kpnviz.load("kpn-l5")(burst).image
    panel = header["panels"][header["methods"][1]["panel"]]
    np.testing.assert_allclose(arrays[panel["image"]], image, atol=1e-5)
    np.testing.assert_allclose(panel["scores"]["psnr"], kpnviz.psnr(image, burst.truth), atol=1e-3)
    assert "of R, G and B together" in captions(app)
    app.toggle(key=widget(COLOR)).set_value(False).run()
    assert "of the luminance" in captions(app) and app.query_params[COLOR] in ("0", ["0"])
    assert not recipe_of(DEFAULTS | {COLOR: False}).color


def test_a_photo_without_color_has_no_switch(monkeypatch):
    monkeypatch.setattr(controls, "has_color", lambda photo: False)
    app = open_app()
    assert app.toggle(key=widget(COLOR)).disabled and "of the luminance" in captions(app)


@pytest.mark.parametrize("page", ["noise", "sizes"])
def test_pages_show_color(page):
    assert "of R, G and B together" in captions(open_app(page))


@pytest.mark.parametrize("view", KERNEL_VIEWS.values())
def test_every_view_of_kernels_shows_color(view):
    open_app("kernels", **{KERNELS_VIEW: view})


def test_a_gray_and_a_color_burst_start_at_the_same_pixel():
    recipe = recipe_of(DEFAULTS)
    gray = dataclasses.replace(recipe, color=False)
    assert cache.interesting_pixel(cache.burst_of(recipe)) == cache.interesting_pixel(cache.burst_of(gray))


def test_examples_are_in_color_and_lessons_gray():
    for preset in PRESETS:
        assert recipe_of({key: state_of(preset)[key] for key in DEFAULTS}).color
        assert is_shown(preset, state_of(preset) | {COLOR: False})
    for lesson in LESSONS:
        assert not recipe_of({key: state_of(lesson.burst)[key] for key in DEFAULTS}).color


@pytest.mark.slow
@pytest.mark.browser
def test_the_receipt_shows_three_sums_and_gray_one(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(page, f"{server}/?v=2&crop=96&methods=kpn-l5")
    assert lens(page, "l.data.frames.length") == 8 * 3 * 96 * 96 or lens(page, "l.channels") == 3
    before = lens(page, "l.data.id")
    page.get_by_text("Color", exact=True).click()
    page.wait_for_url("**color=0**")
    until(page, lambda: lens(page, "l.data.id") != before and lens(page, "!l.waiting"))
    assert lens(page, "l.channels") == 1
    expect(page.get_by_text("of the luminance")).to_be_visible()
    at_rest(page)
    page.close()
    assert not page.errors
