"""Quick changes and other visitors, in a real browser: the newest change counts, and who waits is told."""

import contextlib
import re

import pytest
from playwright.sync_api import expect

from kpnviz.paths import ROOT
from kpnviz.ui.bench.one_page import serve

from .lens_driver import lens, open_lens, until, watch

pytestmark = pytest.mark.browser

# The app, with networks that write down which burst they are given, and wait while there is a file "hold".
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
        while (FOLDER / "hold").exists():
            time.sleep(0.01)
    return call(self, burst, noise_scale, *arguments, **more)

if call.__name__ != "held":
    Denoiser.__call__ = held
runpy.run_path({str(ROOT / "app.py")!r})
"""


class Networks:
    """What networks of a server were given, as "seed read_std name"; they can be made to wait."""

    def __init__(self, folder):
        self.hold, self.log = folder / "hold", folder / "log"

    @contextlib.contextmanager
    def held(self):
        """What happens while they wait; what they are given from here on."""
        self.log.write_text("")
        self.hold.touch()
        try:
            yield
        finally:
            self.hold.unlink()

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
    page = open_lens(watch(chromium.new_page(viewport={"width": 1280, "height": 900})), address)
    until(page, lambda: len(lens(page, "l.data.methods")) == 2)
    return page


def test_quick_changes_end_at_the_last_one_and_skip_what_was_not_begun(chromium, networks, address):
    page = visitor(chromium, f"{address}&gain=2&seed=7")
    before = lens(page, "l.data.id")
    slider = page.get_by_role("slider", name="Sensor gain")
    slider.focus()
    with networks.held():
        page.keyboard.press("ArrowRight")
        until(page, networks.given)  # the first change's first network is at work
        for _ in range(3):
            said = page.get_by_text("Noise at white").inner_text()
            page.keyboard.press("ArrowRight")
            expect(page.get_by_text("Noise at white")).not_to_have_text(said)  # the script knows of it
        last = float(re.search(r"read_std (\S+)", page.get_by_text("read_std").inner_text())[1])
    until(page, lambda: lens(page, "l.data.id") != before)
    first, *others = networks.given()
    assert first.startswith("7 ") and first.endswith(" kpn-l5") and f"{last:.4f}" not in first
    assert others == [f"7 {last:.4f} kpn-l5", f"7 {last:.4f} mkpn"]
    assert lens(page, "l.data.noise.read_std") == pytest.approx(last, abs=6e-5)
    page.close()
    assert not page.errors


def test_who_waits_is_told_and_a_closed_tab_frees_its_place(chromium, networks, address):
    pages = [visitor(chromium, f"{address}&gain=2&seed={seed}") for seed in (1, 2, 3)]
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
        until(page, lambda page=page: lens(page, "l.data.noise.read_std") > 0.02)
        page.close()
        assert not page.errors
    assert [text.split()[0] for text in networks.given()] == ["1", "1", "3", "3"]
