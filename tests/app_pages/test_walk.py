"""From page to page in a real browser, as a visitor goes."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from benchmarks.one_page import serve
from kpnviz.models.zoo import title_of
from kpnviz.paths import CHECKPOINTS
from kpnviz.ui.choices import PAGES

from .lens_driver import (
    PATIENCE_MS,
    assumed_noise_is_there,
    at_rest,
    lens,
    no_exception,
    open_lens,
    saved,
    watch,
)

pytestmark = pytest.mark.browser


def test_no_page_logs_an_error_and_all_share_the_scene(kept_pages):
    with kept_pages.page("/?v=1&methods=kpn-l5&crop=96") as page:
        visit_all(page)


def visit_all(page):
    page.get_by_role("button", name="×2", exact=True).click()
    page.wait_for_url("**gain=2**")
    for name, title in PAGES.items():
        if name == "explore":
            continue
        page.get_by_test_id("stTopNavLink").filter(has_text=re.compile(f"^{title}$")).click()
        page.wait_for_url(f"**/{name}?v=2**gain=2**")
        page.get_by_role("heading", level=1).wait_for()
        if name not in ("your_burst", "your_kernels"):  # their examples take long; each has a test of its own
            page.locator(CONTENT[name]).first.wait_for(state="attached")
            at_rest(page)
        no_exception(page)


FAST = ("kpn-l3", "kpn-l5")


CONTENT = {
    "explore": ".st-key-lens .lens[data-y]",
    "kernels": ".st-key-kernels_lens .lens[data-y]",
    "noise": "h3:has-text('True noise against assumed noise')",
    "sizes": ".st-key-sizes_lens .lens.sizes[data-y]",
    "results": "summary:has-text('Table 1, ours and the paper')",
    "learn": ".st-key-lesson_figure .js-plotly-plot",
    "your_burst": ".st-key-own_lens .lens[data-y]",
    "your_kernels": ".st-key-foreign_lens .lens[data-y]",
}
"""What each page shows and no other does."""


@pytest.fixture(scope="module")
def fast_server(chromium, tmp_path_factory):
    """A server that has the two smallest networks only: its pages are soon complete."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for name in (*[f"{model}.{kind}" for model in FAST for kind in ("json", "safetensors")], "results.csv"):
        shutil.copy(CHECKPOINTS / name, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPNVIZ_CHECKPOINTS", str(folder))
        with serve() as address:
            yield address


@pytest.mark.slow
def test_the_interactive_page_shows_what_the_app_shows(chromium, fast_server, tmp_path):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    open_lens(page, f"{fast_server}/?v=1&photo=dog&pixel=50~60&frame=3&look=frames&assumed=1&compare=pair")
    assumed_noise_is_there(page)
    at_rest(page)
    state = "[l.data.id, l.cursor, l.pinned, l.display, l.kernelsAt(50, 60).map((m) => m.sums[0])]"
    expected = lens(page, state)
    file = saved(page, page.get_by_role("button", name="Interactive page (HTML)").click)
    assert file.suggested_filename == "kpnviz_dog_y50_x60_interactive.html"
    saved_page = tmp_path / "page.html"
    file.save_as(saved_page)
    assert saved_page.stat().st_size < 15e6
    reader = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    reader.goto(saved_page.as_uri())
    reader.locator(".lens[data-y]").wait_for()
    assert lens(reader, state) == expected
    expect(reader.locator("[name=assumed]")).to_have_value("1")  # the app had what it needs, and gave it
    expect(reader.get_by_role("heading", level=1)).to_have_text("Photo “dog”, gain ×4")
    address = reader.locator(".text a").first.get_attribute("href")
    assert address.partition("?")[2] == page.url.partition("?")[2]
    page.close()
    reader.close()
    assert not page.errors and not reader.errors


def walk(chromium, fast_server, first, steps):
    """A session in which nobody touches a control: it begins on a page, and from there goes 1, 2, ... pages on."""
    names, place = list(PAGES), list(PAGES).index(first)
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    page.goto(f"{fast_server}/{'' if first == 'explore' else first}")
    page.locator(CONTENT[first]).first.wait_for(state="attached")
    for step in steps:
        place = (place + step) % len(names)
        name = names[place]
        page.get_by_test_id("stTopNavLink").filter(has_text=re.compile(f"^{PAGES[name]}$")).click()
        page.locator(f"{CONTENT[name]}, [data-testid=stAlert]").first.wait_for(state="attached")
        expect(page.get_by_test_id("stAlert")).to_have_count(0)
        if name in ("explore", "kernels", "noise"):
            chosen = re.compile(".*".join(map(title_of, FAST)), re.DOTALL)
            expect(page.get_by_test_id("stMultiSelect")).to_have_text(chosen, timeout=PATIENCE_MS)
        expect(page).to_have_url(re.compile(f"methods={'~'.join(FAST)}"))
        no_exception(page)
    page.close()
    assert not page.errors  # nor does Streamlit's script ask for its server where there is none: asgi.pages


@pytest.mark.slow
@pytest.mark.parametrize("first", PAGES)
def test_the_page_after_the_first_has_methods_and_content(chromium, fast_server, first):
    """Each page is left by a first click once, and is the second once."""
    walk(chromium, fast_server, first, [3])


@pytest.mark.slow
@pytest.mark.parametrize("first", PAGES)
def test_whatever_page_comes_after_another_it_has_methods_and_content(chromium, fast_server, first):
    """Together these go from each page to each other once."""
    walk(chromium, fast_server, first, range(1, len(PAGES)))


@pytest.mark.slow
def test_diverging_scales_follow_the_theme_at_once(chromium, server):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light"))
    page.goto(f"{server}/learn?v=1&lesson=8")
    page.locator(".js-plotly-plot").first.wait_for(state="attached")
    scale = "JSON.stringify(document.querySelector('.js-plotly-plot')?.data?.[0].colorscale)"
    light = page.wait_for_function(scale).json_value()
    page.emulate_media(color_scheme="dark")  # nothing is clicked
    page.wait_for_function(f"(light) => ({scale} ?? light) !== light", arg=light)
    page.close()


@pytest.mark.slow
def test_controls_that_nobody_touched_keep_their_values_on_the_next_page(page):
    page.get_by_role("link", name="Kernels", exact=True).click()
    page.wait_for_url("**/kernels?v=2**crop=128**gain=4**")
    at_rest(page)
    no_exception(page)
    expect(page.get_by_role("radio", name="128")).to_be_checked()
