"""What tests do with the kernel lens in a real browser: look, wait, point, click."""

import re
import time
from contextlib import contextmanager

from playwright.sync_api import Error, TimeoutError, expect

PATIENCE_MS = 120_000  # for a loaded machine; nothing waits longer than it must
expect.set_options(timeout=PATIENCE_MS)

METHODS = ("kpn-l5", "mkpn")


def watch(page):
    """Errors that the page logs, and the messages that it sends to the server."""
    page.set_default_timeout(PATIENCE_MS)
    page.errors, page.sent = [], []
    page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: page.sent.append(1)))
    return page


def open_lens(page, address):
    page.goto(address)
    page.locator(".lens[data-y]").wait_for()
    until(page, lambda: not lens(page, "l.waiting"))
    at_rest(page)
    return page


def lens(page, expression):
    """Evaluate an expression of a lens' state `l`, its painter `p` and its element `e`."""
    lens = "const { state: l, painter: p } = e.lens;"
    return page.locator(".lens").evaluate(f"(e) => {{ {lens} return {expression}; }}")


def point(page, y, x):
    """Where pixel (y, x) of the large picture is on the screen, at any zoom."""
    box = page.locator(".stage.shown").bounding_box()
    view, scale = lens(page, "l.view"), lens(page, "l.scale")
    return box["x"] + (x + 0.5 - view["x"]) * scale, box["y"] + (y + 0.5 - view["y"]) * scale


def until(page, condition):
    """Wait until something is so.

    It is asked again and again: the page may put another lens into the place of one, which has no data for a moment.
    """
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not _holds(condition, deadline):
        assert time.monotonic() < deadline, "it did not come"
        page.wait_for_timeout(20)


def _holds(condition, deadline):
    try:
        return condition()
    except Error:
        if time.monotonic() >= deadline:
            raise
        return False


# What a person chose is taken back, as far as the page holds it; the server is told.
_TAKE_BACK = """(e, { pinned, display }) => {
  const { state: l, painter: p } = e.lens;
  e.getRootNode().activeElement?.blur();
  document.activeElement?.blur();
  for (const menu of e.querySelectorAll("details[open]")) menu.open = false;
  for (const scroller of document.querySelectorAll("[data-testid=stMain]")) scroller.scrollTo(0, 0);
  l.stopPlaying();
  l.stopRolling();
  Object.assign(l, { touched: false, cursor: l.data.start, heldMax: null, summed: null, each: false });
  Object.assign(l, { sameScale: false, marks: true, window: 2, contrast: 0, decibel: true, mapAll: true });
  e.lens.follow({ pinned, display });
  p.pictures.wipe.moveTo(0.5);
  e.lens.told = {};
  l.chosen(0);
}"""


class KeptPages:
    """Pages with a lens that one test after the other uses: opening one takes longer than most of what is tested on it.

    A page is given as it was at first. Where a test chose another burst, or left the page, it is opened anew.
    """

    def __init__(self, chromium, server):
        self.chromium, self.server = chromium, server
        self.pages = {}  # by address and size of the window: page, and how its lens was at first

    @contextmanager
    def page(self, address, height=900):
        key = address, height
        page, first = self.pages.pop(key, (None, None))
        if page and not _taken_back(page, first):
            page.close()
            page = None
        if not page:
            page = watch(self.chromium.new_page(viewport={"width": 1280, "height": height}))
            open_lens(page, f"{self.server}{address}")
            first = _as_it_is(page)
        page.errors.clear()
        self.pages[key] = page, first
        yield page
        if page.errors:
            del self.pages[key]
            page.close()
        assert not page.errors

    def close(self):
        for page, _ in self.pages.values():
            page.close()


def _scene(url):
    """An address without the pictures on the stage: it has them once anything was chosen."""
    return re.sub("&(shown|sizes)=[^&]*", "", url)


def _as_it_is(page):
    return {"scene": _scene(page.url)} | lens(
        page, "{ id: l.data.id, pinned: l.pinnedAt, display: l.display }"
    )


def _taken_back(page, first):
    """Whether the page is as it was at first, once what a person chose is taken back."""
    try:
        if lens(page, "l.data.id") != first["id"]:
            return False
        page.mouse.move(2, 2)
        page.locator(".lens").evaluate(_TAKE_BACK, first)
        page.wait_for_url(lambda url: _scene(url) == first["scene"], timeout=PATIENCE_MS / 12)
        at_rest(page)
        return _as_it_is(page) == first
    except (AssertionError, Error):
        return False


def wait_for_another(page, identity):
    """Wait until the lens shows another payload than this; the new one's identity."""
    until(page, lambda: lens(page, f"!l.waiting && l.data.id !== '{identity}'"))
    return lens(page, "l.data.id")


def at_rest(page):
    """Wait until the script has run."""
    page.locator("[data-test-script-state=notRunning]").first.wait_for(state="attached")


def no_exception(page):
    assert page.get_by_test_id("stException").all_inner_texts() == []


def hover(page, y, x):
    # The page may still be moving into place: then the point is looked up anew.
    for _ in range(50):
        page.mouse.move(*point(page, y, x))
        page.evaluate("() => new Promise(requestAnimationFrame)")
        if lens(page, "l.cursor") == [y, x]:
            break
    expect(page.locator(f'.lens[data-y="{y}"][data-x="{x}"]')).to_be_attached()


def fingers(page):
    """What puts fingers on the page, moves and lifts them."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    return touch


def click_pixel(page, y, x):
    """Pin a pixel of the large picture."""
    # Where the page moved between the look and the click, another pixel was meant: let go, and once more.
    for _ in range(20):
        page.mouse.click(*point(page, y, x))
        if lens(page, "[...l.cursor, l.pinned]") == [y, x, True]:
            return
        page.locator(".lens").press("Escape")
    raise AssertionError(f"y {y}, x {x} could not be pinned")


def still(page, what, pause=500):
    """Wait until something no longer changes, looked at twice with a pause (ms) between; what it is."""
    seen = [what()]

    def rests():
        page.wait_for_timeout(pause)
        seen.append(what())
        return seen[-1] == seen[-2]

    until(page, rests)
    return seen[-1]


def assumed_noise_is_there(page):
    """Wait until the lens has all that other assumed noise gives, and no message is on its way."""
    until(page, lambda: lens(page, "l.assumed.complete"))
    still(page, lambda: len(page.sent))


def choose(page, box, option):
    """Choose from a list that opens; a page that is still moving closes it at once."""
    for _ in range(20):
        page.get_by_role("combobox", name=box).click()
        try:
            return page.get_by_role("option", name=option).click(timeout=PATIENCE_MS / 20)
        except TimeoutError:
            page.keyboard.press("Escape")
    raise AssertionError(f"{option} could not be chosen in {box}")


def color(page, panel, y, x):
    """Red, green and blue of a picture's pixel as it is painted, in 0..255."""
    context = f"p.pictures.bitmaps.get(l.panelNamed('{panel}')).getContext('2d')"
    return lens(page, f"Array.from({context}.getImageData({x}, {y}, 1, 1).data).slice(0, 3)")


def painted(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def saved(page, click):
    with page.expect_download() as download:
        click()
    return download.value
