"""Addresses and links in a real browser: what is on a page is in its address, and comes back from it."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from benchmarks.one_page import serve

from .lens_driver import (
    PATIENCE_MS,
    assumed_noise_is_there,
    at_rest,
    choose,
    click_pixel,
    lens,
    open_lens,
    until,
    wait_for_another,
    watch,
)

pytestmark = pytest.mark.browser


def test_the_address_opens_the_same_state(page, chromium):
    gain_4 = lens(page, "l.data.id")
    page.get_by_role("button", name="×8", exact=True).click()
    page.wait_for_url("**gain=8**")
    wait_for_another(page, gain_4)
    click_pixel(page, 30, 40)
    page.get_by_text("at the pinned pixel: y 30, x 40").wait_for()
    page.locator(".lens").press("+")
    page.locator(".lens").press("2")
    page.wait_for_url("**frame=2&view=**")
    expected = lens(page, "[l.data.id, l.cursor, l.pinned, l.display]")
    other = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(other, page.url)
    expect(other.locator('.lens[data-pinned="true"]')).to_be_attached()
    assert lens(other, "[l.data.id, l.cursor, l.pinned, l.display]") == expected
    # Sessions are apart: what one lets go, the other keeps.
    other.locator(".lens").press("Escape")
    other.get_by_text("at the pinned pixel").wait_for(state="detached")
    expect(page.get_by_text("at the pinned pixel")).to_be_visible()
    other.close()
    assert not other.errors


def test_a_click_copies_the_link_at_once(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assumed_noise_is_there(page)
    page.wait_for_load_state("networkidle")
    sent = len(page.sent)
    for name, link in (("Copy link", page.url), ("for class", f"{page.url}&teach=1")):
        page.get_by_role("button", name=name).click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == link
        expect(page.get_by_role("button", name=name)).to_be_visible()
    assert len(page.sent) == sent
    # A page that came by http has no clipboard.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy link").click()
    field = page.get_by_role("textbox", name="Link")
    expect(field).to_have_value(page.url)
    assert field.evaluate("(e) => e.value.slice(e.selectionStart, e.selectionEnd)") == page.url
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()


@pytest.mark.slow
def test_the_link_to_a_page_holds_what_it_shows_and_the_navigation_stays_in_place(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{server}/learn?v=1&photo=city&lesson=3")
    places = {}
    for name, query, title in (
        ("Learn", "learn?v=2&lesson=3", "Copies the link to this lesson"),
        ("Results", "results?v=2&results_measure=SSIM", "Copies the link to what you see now"),
        ("Your burst", "your_burst?v=2", "Copies the link to this page with its example"),
    ):
        page.get_by_test_id("stTopNavLink").filter(has_text=name).click()
        page.wait_for_url(f"**/{name.lower().replace(' ', '_')}?**photo=city**")
        if name == "Results":
            page.get_by_test_id("stButtonGroup").get_by_text("SSIM", exact=True).click()
            page.wait_for_url("**results_measure=SSIM**")
        button = page.get_by_role("button", name="Copy link")
        expect(button).to_have_attribute("title", re.compile(f"^{title}"))
        button.click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == f"{server}/{query}"
        places[name] = page.get_by_test_id("stTopNavLink").first.bounding_box()
    assert places["Learn"] == places["Results"]  # without a sidebar, and with one
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    until(page, lambda: page.get_by_test_id("stTopNavLink").first.bounding_box() == places["Learn"])
    page.close()


@pytest.mark.slow
def test_back_in_the_browser_takes_the_last_change_back(page):
    before = lens(page, "l.data.id")
    page.get_by_role("button", name="×8", exact=True).click()
    page.wait_for_url("**gain=8**")
    wait_for_another(page, before)
    page.go_back()
    page.wait_for_url("**gain=4**")
    until(page, lambda: lens(page, "l.data.id") == before)


@pytest.mark.slow
def test_a_shift_is_edited_in_the_table(page):
    before = lens(page, "l.data.id")
    choose(page, "Camera shake", "by hand, frame by frame")
    page.wait_for_url("**shifts=0~0_2~-1**")
    assert lens(page, "l.data.id") == before  # it starts from the shake that was there
    table = page.get_by_test_id("stDataFrame")
    at_rest(page)
    editor = page.locator(".gdg-input")

    def is_open():  # the page may still be moving into place
        table.scroll_into_view_if_needed()
        box = table.bounding_box()
        page.mouse.dblclick(box["x"] + 0.55 * box["width"], box["y"] + 1.5 * box["height"] / 8)
        page.wait_for_timeout(500)
        return editor.count()

    until(page, is_open)
    editor.fill("7")
    expect(editor).to_have_value("7")
    editor.press("Enter")
    page.wait_for_url("**shifts=0~0_7~-1**")
    wait_for_another(page, before)
    assert lens(page, "l.data.shifts")[1] == [7, -1]


@pytest.mark.slow
def test_a_link_to_any_page_works_on_a_server_that_has_just_started(chromium):
    with serve() as address:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{address}/learn?v=1&gain=8")
        page.wait_for_url("**/learn?v=2&photo=dog**gain=8**")
        page.get_by_test_id("stTopNavLink").filter(has_text="Explore").wait_for()
        page.close()


@pytest.mark.slow
def test_a_bad_link_is_quoted_as_it_was_written(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    wrong = ["~~a~~ **b** `c` $d$ :red[e] <b>f</b>", ":smile: a--b -> http://g.h www.i.j k@l.m"]
    page.goto(f"{server}/?v=1&methods=kpn-l5&photo={quote(wrong[0])}&mode={quote(wrong[1])}&pixel=0~0_0~0")
    alert = page.get_by_test_id("stAlert")
    alert.wait_for()
    expect(alert).to_contain_text("pixel “0~0_0~0” is not y~x")
    shown = alert.inner_text().replace("\u2060", "")  # a word joiner keeps an address from becoming a link
    assert all(f"“{text}”" in shown for text in wrong)
    assert alert.locator("del, strong, b, code, a, .katex, .stMarkdownColoredText").count() == 0
    page.close()


@pytest.mark.slow
def test_teacher_mode_has_larger_type_and_folded_controls(chromium, server, page):
    teacher = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(teacher, f"{server}/?teach=1")
    expect(teacher.get_by_test_id("stExpandSidebarButton")).to_be_visible()
    expect(teacher.get_by_role("spinbutton", name="Seed")).not_to_be_in_viewport()
    expect(page.get_by_test_id("stExpandSidebarButton")).to_have_count(0)
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    teacher.wait_for_function(f"(usual) => {size} >= 1.3 * usual", arg=page.evaluate(size))
    teacher.close()
    assert not teacher.errors
