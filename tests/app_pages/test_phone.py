"""The app on a telephone: 390 pixels wide, fingers in place of a mouse."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from .lens_driver import at_rest, fingers, lens, open_lens, point, still, until, watch

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(chromium, server):
    """The page Explore; no test may leave an error in the console."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = watch(context.new_page())
    open_lens(page, f"{server}/?v=1&methods=kpn-l5~mkpn&crop=96&pixel=40~20")
    still(page, lambda: point(page, 0, 0), 700)
    yield page
    context.close()
    assert not page.errors


def test_a_tap_looks_a_finger_that_rests_pins_and_kernels_stay_in_sight(phone):
    pin, touch = phone.locator(".where .pin"), fingers(phone)
    expect(pin).to_have_text("Pinned")
    expect(pin).to_be_in_viewport(ratio=1)
    phone.locator(".tabs").scroll_into_view_if_needed()
    main = phone.locator("[data-testid=stMain]")
    main.evaluate("(e) => e.scrollBy(0, 240)")
    # The picture stays below the page's head, and the pixel with all its kernels is seen.
    head = phone.locator("[data-testid=stHeader]").bounding_box()
    still(phone, lambda: point(phone, 0, 0), 300)
    assert phone.locator(".stage.shown").bounding_box()["y"] >= head["y"] + head["height"] - 1
    for part in (".stage.shown", ".rows .cell >> nth=0", ".rows .cell >> nth=7"):
        expect(phone.locator(part)).to_be_in_viewport(ratio=1)
    # A share is read with the frame before it, not with the next one: "0 19 %  1 14 %".
    ends = (
        phone.locator(".rows .cells")
        .first.locator(".label")
        .evaluate_all(
            "(all) => all.map((e) => [...e.children].flatMap((c) => [c.getBoundingClientRect().left, c.offsetWidth]))"
        )
    )
    for (left, width, share, wide), (following, *_) in itertools.pairwise(ends):
        if following > share:  # in the same line
            assert following - share - wide > share - left - width
    phone.touchscreen.tap(*point(phone, 60, 70))
    assert lens(phone, "[l.cursor, l.pinnedAt]") == [[60, 70], [40, 20]]
    touch("touchStart", point(phone, 20, 10))
    until(phone, lambda: lens(phone, "l.pinnedAt") == [20, 10])
    touch("touchEnd")
    phone.wait_for_url("**pixel=20~10**")
    pin.click()
    expect(pin).to_have_text("Pin")
    assert lens(phone, "[l.cursor, l.pinnedAt]") == [[20, 10], None]


@pytest.mark.slow
def test_the_drawer_closes_over_the_page_that_was_chosen_and_figures_are_uncovered(phone):
    phone.get_by_test_id("stExpandSidebarButton").tap()
    drawer = phone.get_by_test_id("stSidebar")
    expect(drawer).to_be_in_viewport()
    assert phone.get_by_test_id("stMain").bounding_box()["width"] == 390  # covered, not squeezed
    phone.get_by_test_id("stSidebarNavLink").filter(has_text=re.compile("^Results$")).tap()
    expect(phone.get_by_role("heading", level=1)).to_have_text("Do the networks keep what the papers say?")
    expect(drawer).not_to_be_in_viewport()
    at_rest(phone)
    # Words are explained where they stand.
    phone.locator(".claim .term", has_text="MKPN").first.tap()
    expect(phone.get_by_role("tooltip")).to_contain_text("a multi-kernel prediction network")
    phone.locator(".js-plotly-plot .main-svg").first.wait_for(state="attached")
    expect(phone.locator(".modebar-container").first).to_be_hidden()


def test_turned_on_its_side_it_has_all_its_width_for_the_page(phone):
    phone.set_viewport_size({"width": 844, "height": 390})
    expect(phone.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    until(phone, lambda: phone.locator(".lens").bounding_box()["width"] > 700)
    phone.get_by_test_id("stExpandSidebarButton").tap()  # who asks for it has it
    expect(phone.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "false")
    phone.wait_for_timeout(700)
    expect(phone.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "false")
