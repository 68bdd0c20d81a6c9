"""The app on a telephone: 390 pixels wide, fingers in place of a mouse."""

import re

import pytest
from playwright.sync_api import expect

from .lens_driver import at_rest, lens, open_lens, point, watch

pytestmark = pytest.mark.browser


@pytest.fixture
def phone(chromium, server):
    """The page Explore; no test may leave an error in the console."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = watch(context.new_page())
    open_lens(page, f"{server}/?v=1&methods=kpn-l5~mkpn&crop=96&pixel=40~20")
    place = None
    while place != (place := point(page, 0, 0)):  # until the picture stands still
        page.wait_for_timeout(700)
    yield page
    context.close()
    assert not page.errors


def swipe(page, start, end):
    """Draw a finger over the page, in a few steps."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", start)
    for step in range(1, 5):
        touch("touchMove", tuple(a + (b - a) * step / 4 for a, b in zip(start, end, strict=True)))
    page.wait_for_timeout(
        150
    )  # a finger that is lifted while it moves flings: Chromium then takes no tap for a while
    touch("touchEnd")


def test_a_pinned_pixel_is_told_and_a_finger_takes_it_along(phone):
    pin = phone.locator(".where .pin")
    expect(pin).to_have_text("Pinned")
    expect(pin).to_be_in_viewport(ratio=1)
    swipe(phone, point(phone, 40, 20), point(phone, 60, 70))
    assert lens(phone, "[l.cursor, l.pinnedAt]") == [[60, 70], [60, 70]]
    phone.wait_for_url("**pixel=60~70**")
    pin.click()
    expect(pin).to_have_text("Pin")
    swipe(phone, point(phone, 60, 70), point(phone, 30, 30))
    assert lens(phone, "[l.cursor, l.pinnedAt]") == [[30, 30], None]  # what a finger found stays
    phone.touchscreen.tap(*point(phone, 20, 10))
    assert lens(phone, "[l.cursor, l.pinnedAt]") == [[20, 10], [20, 10]]


def test_the_drawer_closes_over_the_page_that_was_chosen_and_figures_are_uncovered(phone):
    phone.get_by_test_id("stExpandSidebarButton").tap()
    drawer = phone.get_by_test_id("stSidebar")
    expect(drawer).to_be_in_viewport()
    phone.get_by_test_id("stSidebarNavLink").filter(has_text=re.compile("^Kernels$")).tap()
    expect(phone.get_by_role("heading", level=1)).to_have_text(
        "What are the kernels made of, and what do they do?"
    )
    expect(drawer).not_to_be_in_viewport()
    at_rest(phone)
    phone.locator(".st-key-parts .heatmaplayer").wait_for(state="attached")
    expect(phone.locator(".modebar-container").first).to_be_hidden()
