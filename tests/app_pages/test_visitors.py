"""Quick changes and other visitors, in a real browser: the newest change counts, and who waits is told."""

import contextlib
import itertools
import re
from collections import Counter

import pytest
from playwright.sync_api import expect

from benchmarks.one_page import serve
from kpnviz.paths import ROOT
from kpnviz.serving.in_parts import PATIENCE

from .lens_driver import METHODS, at_rest, click_pixel, lens, open_lens, until, wait_for_another, watch

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEEDS = itertools.count(1)  # of bursts that no test before has had denoised, its own first try included

# The app, with networks that write down which burst they are given, and wait while there is a file "hold <name>".
APP = f"""
import runpy, sys, time
from pathlib import Path

sys.path.insert(0, {str(ROOT)!r})
from kpnviz.denoise import Denoiser

FOLDER = Path(__file__).parent
call = Denoiser.__call__

def held(self, burst, noise_scale=1.0, *arguments, **more):
    if noise_scale == 1:
        with open(FOLDER / "log", "a") as log:
            log.write(f"{{burst.recipe.seed}} {{burst.noise.read_std:.4f}} {{self.name}}\\n")
        while (FOLDER / f"hold {{self.name}}").exists():
            time.sleep(0.01)
    return call(self, burst, noise_scale, *arguments, **more)

if call.__name__ != "held":
    Denoiser.__call__ = held
runpy.run_path({str(ROOT / "app.py")!r})
"""


class Networks:
    """What networks of a server were given, as "seed read_std name"; they can be made to wait."""

    def __init__(self, folder):
        self.folder, self.log = folder, folder / "log"

    def hold(self, name):
        return self.folder / f"hold {name}"

    @contextlib.contextmanager
    def held(self):
        """What happens while they wait, or those that are not let go; what they are given from here on."""
        self.log.write_text("")
        for name in METHODS:
            self.hold(name).touch()
        try:
            yield
        finally:
            for name in METHODS:
                self.let_go(name)

    def let_go(self, name):
        self.hold(name).unlink(missing_ok=True)

    def given(self):
        return self.log.read_text().splitlines()


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    return Networks(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def address(chromium, networks):
    app = networks.log.with_name("slow_app.py")
    app.write_text(APP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPNVIZ_MAX_COMPUTING", "1")
        with serve(app=app) as address:
            yield f"{address}/?v=1&methods=kpn-l5~mkpn&crop=96"


def visitor(chromium, address):
    """A page on which the networks' pictures are."""
    return open_lens(watch(chromium.new_page(viewport={"width": 1280, "height": 900})), address)


def test_quick_changes_end_at_the_last_one_and_skip_what_was_not_begun(chromium, networks, address):
    seed = next(SEEDS)
    page = visitor(chromium, f"{address}&gain=2&seed={seed}")
    before = lens(page, "l.data.id")
    slider = page.get_by_role("slider", name="Sensor gain")
    slider.focus()
    noise = page.get_by_text("Noise at white")

    def read_std():
        return float(re.search(r"read_std (\S+)", noise.inner_text())[1])

    with networks.held():
        for change in range(4):
            said = read_std()
            page.keyboard.press("ArrowRight")
            until(page, lambda said=said: read_std() != said)  # the script knows of it
            if change == 0:
                until(page, networks.given)  # the first change's first network is at work
        last = read_std()
    wait_for_another(page, before)
    first, *others = networks.given()
    assert first.startswith(f"{seed} ") and first.endswith(" mkpn") and f"{last:.4f}" not in first
    assert others == [f"{seed} {last:.4f} mkpn", f"{seed} {last:.4f} kpn-l5"]
    assert lens(page, "l.data.noise[0].read_std") == pytest.approx(last, abs=6e-5)
    page.close()
    assert not page.errors


PICTURES = "l.data.panels.filter((panel) => panel.image).map((panel) => panel.name)"


def test_results_are_shown_one_after_the_other_where_they_take_long(chromium, networks, address):
    page = visitor(chromium, f"{address}&gain=2&seed={next(SEEDS)}&shown=kpn-l5&other=mean")
    before = lens(page, "l.data.id")
    with networks.held():
        page.get_by_role("button", name="×8", exact=True).click()
        until(page, networks.given)
        page.wait_for_timeout(1000 * PATIENCE)
        networks.let_go("kpn-l5")  # that of the large picture is the first
        until(page, lambda: lens(page, "l.data.id") != before)
        assert lens(page, PICTURES) == ["frame", "mean", "kpn-l5", "truth"]
        # The data is there at once, the kernels at the cursor with the next painting.
        until(page, lambda: lens(page, "l.found.length") == 1)
        assert lens(page, "[l.shownPanel.name, l.otherPanel.name]") == ["kpn-l5", "mean"]
        waiting = page.locator(".thumb.waiting .title, .row.waiting .name")
        until(page, lambda: waiting.all_inner_texts() == ["MKPN", "MKPN\n…"])
        box = page.locator(".rows").bounding_box()
        # A method that is still computing can be chosen: the mean is shown until its picture is there.
        page.locator(".thumb.waiting").click()
        until(page, lambda: lens(page, "[l.shown, l.shownPanel.name]") == ["mkpn", "mean"])
        expect(page.get_by_role("button", name="Interactive page")).to_be_visible()
    wait_for_another(page, before)
    assert lens(page, PICTURES) == ["frame", "mean", "kpn-l5", "mkpn", "truth"]
    assert lens(page, "l.shownPanel.name") == "mkpn"
    expect(page.locator(".lens.waiting, .thumb.waiting, .row.waiting")).to_have_count(0)  # once it is painted
    assert page.locator(".rows").bounding_box() == box  # nothing moved
    at_rest(page)
    assert [text.split()[-1] for text in networks.given()] == ["kpn-l5", "mkpn"]
    page.close()
    assert not page.errors


def test_what_a_link_shows_waits_for_the_networks(chromium, networks, address):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    with networks.held():
        page.goto(
            f"{address}&gain=2&seed={next(SEEDS)}&shown=kpn-l5&other=mkpn&mode=signed&against=mkpn&look=ideal&compare=pair"
        )
        page.locator(".lens.waiting[data-y]").wait_for()
        assert lens(page, PICTURES) == ["frame", "mean", "truth"]
        assert lens(page, "[l.shownPanel.name, l.otherPanel.name]") == ["mean", "frame"]
        until(page, networks.given)
    until(page, lambda: not lens(page, "l.waiting"))
    assert lens(page, "[l.shown, l.other, l.against, l.look]") == ["kpn-l5", "mkpn", "mkpn", "ideal"]
    assert lens(page, "[l.shownPanel.name, l.otherPanel.name, l.reference.name]") == [
        "kpn-l5",
        "mkpn",
        "mkpn",
    ]
    at_rest(page)
    assert all(part in page.url for part in ("shown=kpn-l5", "other=mkpn", "against=mkpn", "look=ideal"))
    page.close()
    assert not page.errors


def test_who_waits_is_told_and_a_closed_tab_frees_its_place(chromium, networks, address):
    seeds = [str(next(SEEDS)) for _ in range(3)]
    pages = [visitor(chromium, f"{address}&gain=2&seed={seed}") for seed in seeds]
    note = ".st-key-waiting"
    with networks.held():
        for count, page in enumerate(pages):
            page.get_by_role("button", name="×8", exact=True).click()
            if count == 0:
                until(page, networks.given)
            elif count == 1:
                expect(page.locator(note)).to_contain_text("One computation comes before yours")
        expect(pages[2].locator(note)).to_contain_text("2 computations come before yours")
        expect(pages[0].locator(note)).not_to_contain_text("computation")
        pages[1].close()
        expect(pages[2].locator(note)).to_contain_text("One computation comes before yours")
    expect(pages[2].locator(note)).not_to_contain_text("computation")
    for page in (pages[0], pages[2]):
        # All of it: a page that is closed while one network is still to come is not given that.
        until(page, lambda page=page: lens(page, "!l.waiting && l.data.noise[0].read_std > 0.02"))
        page.close()
        assert not page.errors
    assert Counter(text.split()[0] for text in networks.given()) == {seeds[0]: 2, seeds[2]: 2}


def test_the_text_of_an_example_comes_with_its_pictures(chromium, networks, address):
    page = visitor(chromium, f"{address}&seed={next(SEEDS)}")
    before = lens(page, "l.data.id")
    with networks.held():
        page.get_by_role("button", name="Examples").click()
        page.get_by_role("menuitem", name="A still camera").click()
        expect(page.get_by_role("menuitem")).to_have_count(0)
        until(page, networks.given)
        expect(page.get_by_text("Move over the picture")).to_be_visible()
        assert lens(page, "l.data.id") == before
    expect(page.get_by_text("Eight frames of the same scene")).to_be_visible()
    until(page, lambda: lens(page, "l.data.id") != before)
    page.close()
    assert not page.errors


def test_results_that_take_long_have_a_skeleton_and_come_one_by_one(chromium, networks, address):
    page = watch(chromium.new_page(viewport={"width": 1280, "height": 900}))
    skeletons, lens = page.locator(".skeleton"), page.locator(".lens[data-y]")
    path = address.replace("/?", "/noise?")
    with networks.held():
        page.goto(f"{path}&seed={next(SEEDS)}")
        expect(skeletons).to_have_count(3)
        networks.let_go(METHODS[0])
        expect(skeletons).to_have_count(3)
        networks.let_go(METHODS[1])
        expect(lens).to_be_visible()
    expect(page.get_by_role("heading", name="True noise against assumed noise")).to_be_visible()
    expect(skeletons).to_have_count(0)
    at_rest(page)
    # Of a new burst nothing stands beside what is of the one before.
    with networks.held():
        page.get_by_role("button", name="×8", exact=True).click()
        expect(skeletons).to_have_count(3)
        expect(lens).to_have_count(0)
        expect(page.get_by_test_id("stPlotlyChart")).to_have_count(0)
    expect(skeletons).to_have_count(0)
    page.close()


def test_a_lens_that_is_put_into_its_place_anew_shows_what_was_chosen(chromium, networks, address):
    page = visitor(chromium, address.replace("/?", "/kernels?") + f"&seed={next(SEEDS)}")
    click_pixel(page, 30, 40)
    page.wait_for_url("**pixel=30~40**")
    page.get_by_role("radio", name="Maps").click()
    until(page, lambda: lens(page, "l.mode") == "displacement")
    with networks.held():
        page.get_by_role("button", name="×8", exact=True).click()
        expect(page.locator(".skeleton")).to_have_count(1)
        expect(page.locator(".lens")).to_have_count(0)
    page.locator('.lens[data-y="30"][data-x="40"][data-pinned="true"]').wait_for()
    assert lens(page, "l.mode") == "displacement"
    page.close()
