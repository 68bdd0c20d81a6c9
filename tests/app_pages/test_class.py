"""In front of a class: a projector of 1280x720 pixels, large letters, keys."""

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.ui.presets import PRESETS

from .lens_driver import assumed_noise_is_there, at_rest, lens, open_lens, until, watch

pytestmark = pytest.mark.browser


@pytest.fixture
def projector(chromium, server):
    """Opens a page; none may leave an error in the console."""
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 720}))

    def open_page(address):
        if "/learn" not in address:
            return open_lens(page, f"{server}{address}")
        page.goto(f"{server}{address}")  # its first lesson shows no lens
        return page

    yield open_page
    page.close()
    # Streamlit's script asks for its server beside the page of the address first, and is answered with a 404.
    assert not [error for error in page.errors if "404" not in error]


def test_three_methods_fit_the_screen_without_scrolling(projector):
    page = projector("/?v=1&teach=1&crop=96")
    expect(page.locator(".presenter .number")).to_have_text(
        f"{len(PRESETS)} examples"
    )  # it hears keys by now
    page.keyboard.press("PageDown")
    expect(page.locator(".presenter .title")).to_have_text(PRESETS[0].title)
    until(page, lambda: not lens(page, "l.waiting"))
    assumed_noise_is_there(page)
    at_rest(page)
    # Small pictures may be scrolled to, where the large one gets their height.
    for part in (".looking .stages", ".rows .cell >> nth=23", ".assumed", ".foot"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    until(page, lambda: page.locator(".stage.shown").bounding_box()["width"] >= 335)
    # Nothing that is written is cut: coordinates, names of pictures.
    for text in (".where .pixel", ".film .title", ".row .name b", ".chip select"):
        assert page.locator(text).evaluate_all(
            "(all) => all.every((e) => e.scrollWidth <= e.clientWidth + 1 || !e.clientWidth)"
        )
    bar = page.locator(".looking .bar").first
    assert bar.evaluate("(e) => [...e.children].every((c) => c.scrollWidth <= c.clientWidth + 1)")


@pytest.mark.slow
def test_three_methods_in_color_are_all_in_sight(projector):
    """With usual letters: kernels are smaller rather than cut, in a box in which one would scroll."""
    page = projector("/?v=2&color=1&crop=96&methods=kpn~kpn-l25~mkpn")
    rows = page.locator(".rows")
    until(page, lambda: rows.evaluate("(e) => e.scrollHeight <= e.clientHeight"))
    sides = rows.locator(".cell canvas").evaluate_all("(all) => all.map((e) => e.clientWidth)")
    assert len(sides) == 24 and min(sides) >= 44


@pytest.mark.slow
def test_a_lens_beside_a_text_leaves_it_to_be_seen(projector):
    """Its picture stays in sight as one scrolls, and hides what is under it, but not the page's other column."""
    number = next(i for i, lesson in enumerate(LESSONS) if lesson.figure == "others")
    page = projector(f"/learn?v=2&lesson={number + 1}")
    until(page, lambda: lens(page, "p.desk.laidOut !== ''"))
    at_rest(page)
    seen = Image.open(io.BytesIO(page.get_by_text(LESSONS[number].question).screenshot())).convert("L")
    assert np.ptp(np.asarray(seen)) > 100  # letters


@pytest.mark.slow
def test_lessons_show_their_picture_and_are_stepped_by_key(projector):
    page = projector("/learn?v=1&teach=1")
    expect(page.locator(".presenter .number")).to_have_text(f"1 of {len(LESSONS)}")
    expect(page.locator(".st-key-lesson_figure .js-plotly-plot").first).to_be_in_viewport(ratio=1)
    for key, number in (("ArrowRight", 1), ("PageDown", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1)).to_have_text(LESSONS[number].title)
        expect(page.locator(".presenter .number")).to_have_text(f"{number + 1} of {len(LESSONS)}")
        page.wait_for_url(f"**lesson={number + 1}**")
    expect(page.get_by_text(LESSONS[1].question)).to_be_visible()
    equation = page.locator(".katex-display")
    assert equation.evaluate("(e) => e.scrollWidth <= e.clientWidth")  # all of it
    page.get_by_text(LESSONS[1].options[0], exact=True).click()
    expect(page.get_by_text("The lesson's text")).to_be_visible()  # folded away: the answer is in sight
    expect(page.locator("[data-testid=stMarkdown]", has_text="The right answer").last).to_be_in_viewport()


@pytest.mark.slow
@pytest.mark.parametrize("figure", ["matching", "fusing", "annealing", "others"])
def test_text_and_figure_of_a_lesson_are_in_sight_together(projector, figure):
    number = next(i for i, lesson in enumerate(LESSONS) if lesson.figure == figure)
    page = projector(f"/learn?v=2&teach=1&lesson={number + 1}")
    page.get_by_text(LESSONS[number].caption[:40]).wait_for()
    at_rest(page)
    for part in (".st-key-lesson_text", ".st-key-lesson_figure"):
        expect(page.locator(part)).to_be_in_viewport(ratio=1)


def test_no_line_of_the_kernels_of_each_size_is_cut(projector):
    page = projector("/kernels?v=2&teach=1")
    until(page, lambda: lens(page, "l.taken.length === 3"))
    rows = page.locator(".rows")
    until(page, lambda: rows.evaluate("(e) => e.scrollHeight <= e.clientHeight"))
