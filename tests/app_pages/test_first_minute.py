"""The guided scene in the app: when it opens by itself, and when it does not."""

import pytest

from .lens_driver import PATIENCE_MS, watch

pytestmark = pytest.mark.browser
OPEN = "dialog.scene[open]"


def test_it_opens_once_at_the_plain_address_and_from_the_name_in_the_corner(chromium, server):
    context = chromium.new_context(viewport={"width": 1280, "height": 720})
    page = watch(context.new_page())
    page.goto(f"{server}/")
    page.locator(f"{OPEN}[data-painted=burst]").wait_for()
    page.locator(".lens[data-y]").wait_for(state="attached")  # Explore is made ready behind it
    page.get_by_role("button", name="Skip to Explore").click()
    page.locator(OPEN).wait_for(state="detached")
    page.close()

    again = watch(context.new_page())
    again.goto(f"{server}/")
    again.locator(".lens[data-y]").wait_for()
    assert again.locator(OPEN).count() == 0  # this browser remembers
    again.get_by_role("button", name="kpnviz: what this is").click()
    again.locator(f"{OPEN}[data-painted=burst]").wait_for()
    again.keyboard.press("Escape")
    again.get_by_text("How to cite").scroll_into_view_if_needed(timeout=PATIENCE_MS)
    assert not page.errors and not again.errors
    context.close()


@pytest.mark.slow
def test_a_link_leads_straight_to_what_it_holds(chromium, server):
    page = watch(chromium.new_page())
    page.goto(f"{server}/?v=1&methods=kpn-l5&pixel=40~52")
    page.locator(".lens[data-y]").wait_for()
    assert page.locator(OPEN).count() == 0
    page.close()
    assert not page.errors
