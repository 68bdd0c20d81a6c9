"""What tests do with the kernel lens in a real browser: look, wait, point, click."""

import time

from playwright.sync_api import TimeoutError, expect

PATIENCE_MS = 60_000  # for a loaded machine; nothing waits longer than it must
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
    """Wait until something is so; asked again and again, as the page may put another lens into the place of one."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        page.wait_for_timeout(20)


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


def assumed_noise_is_there(page):
    """Wait until the lens has all that other assumed noise gives, and no message is on its way."""
    until(page, lambda: lens(page, "l.assumed.complete"))
    sent = None
    while sent != len(page.sent):
        sent = len(page.sent)
        page.wait_for_timeout(500)


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
