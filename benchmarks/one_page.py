"""`kpnviz bench --app`: how long a person waits for the app, in a real browser on this machine."""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.denoise import load
from kpnviz.evaluation.benchmark import machine
from kpnviz.noise import NoiseModel
from kpnviz.paths import ROOT

CHANGES = 20
MOVES = 120
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PATIENCE_MS = 120_000
KERNELS = ".lens[data-y]:not(.without-kernels)"  # it has painted pictures and kernels
SCENE = "dialog.scene[open]"
CROP = 128

# When the page sent something to the server, milliseconds; and when its lens first had painted frames, and kernels,
# seconds since 1970. (What drives the browser looks only every half a second.)
_LISTEN = """
window.painted = {};
(function look() {
  const lens = document.querySelector(".st-key-lens [data-testid^=stBidi]")?.shadowRoot?.querySelector(".lens[data-y]");
  const now = (performance.timeOrigin + performance.now()) / 1000;
  if (lens) painted.frames ??= now;
  if (lens?.matches(":not(.without-kernels)")) painted.kernels ??= now;
  if (!painted.kernels) requestAnimationFrame(look);
})();
window.sent = [];
window.WebSocket = class extends WebSocket {
  send(data) {
    sent.push(performance.now());
    super.send(data);
  }
};
"""

# When pictures and kernels had come, milliseconds.
_PAYLOADS = """() => performance.getEntriesByType("resource")
  .filter(({ name }) => name.includes("/payloads/")).map(({ responseEnd }) => responseEnd)"""

# From the key that moves the slider until all methods' results for another burst are painted: milliseconds of both.
_WATCH = """(element) => {
  const { state, painter } = element.lens;
  const before = state.data.id;
  const isThere = () => state.data.id !== before && !state.waiting && !painter.pending;
  window.changed = new Promise((done) => {
    const listen = ({ timeStamp }) => {
      const look = () =>
        requestAnimationFrame(isThere() ? () => done([timeStamp, performance.now()]) : look);
      look();
    };
    document.addEventListener("keydown", listen, { once: true, capture: true });
  });
}"""


@contextmanager
def serve(seconds: float = 60, app: Path | None = None, methods: Sequence[str] = ()) -> Iterator[str]:
    """A server of the app (with `methods` of one's own), or of a script around it, on a free port; its address.

    ValueError if it does not start in time.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--server.headless", "true", "--server.port", str(port), "--server.address", "127.0.0.1"]
    own = [word for source in methods for word in ("--method", source)]
    what = ["kpnviz.ui.server", *own] if app is None else ["streamlit", "run", str(app)]
    command = [sys.executable, "-m", *what, *options]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + seconds
            while not _answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise ValueError(f"the app's server did not start: {' '.join(log.read().split())[-300:]}")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
            return True
    except OSError:
        return False


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ValueError(
            "the app is measured with Playwright, which is not installed: pip install playwright"
        ) from None
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        except Error as error:
            raise ValueError(f"no browser could be started: {str(error).splitlines()[0]}") from None
        try:
            yield chromium
        finally:
            chromium.close()


def run(changes: int = CHANGES, moves: int = MOVES) -> dict:
    """All figures: {machine, app: {browser, methods, pixels, first_page_seconds, ..., change_seconds, hover_ms}}.

    first_page_seconds   from the start of the server's process until the kernels are on the first visitor's page
    frames_seconds       from that page's opening until the noisy frames are on it
    link_seconds         from the opening of a link to a burst that nobody has looked at until its frames and kernels
                         are on the page {frames, kernels}
    change_seconds       from a key on the gain slider until the new burst's pictures and kernels are painted
                         {median, p95, worst, all, parts}; parts are medians: until the page has told the server, until
                         the answer has come, and until it is painted; and what networks alone take, here
    hover_ms             from a move of the mouse until the kernels of the new pixel are painted {p50, p95, moves}
    """
    with browser() as chromium:
        page, begun = _new_page(chromium), time.time()
        with serve() as address:
            opened, painted = _open(page, address)
            skip_scene(page)
            page.wait_for_load_state("networkidle")
            hover = _hover(page, moves)
            found = [_change(page) for _ in range(changes)]
            methods, names = page.locator(".lens").evaluate(
                "(e) => [e.lens.state.data.methods.map((m) => m.title),"
                " e.lens.state.data.methods.map((m) => e.lens.state.data.panels[m.panel].name)]"
            )
            page.close()
            followed, linked = _open(_new_page(chromium), f"{address}/?v=1&crop={CROP}&gain=2&seed=1")
        version = chromium.version
    seconds, asked, answered, shown = zip(*found, strict=True)
    return {
        "machine": machine(),
        "app": {
            "browser": f"Chromium {version}",
            "methods": methods,
            "pixels": f"{CROP}x{CROP}",
            "first_page_seconds": painted["kernels"] - begun,
            "frames_seconds": painted["frames"] - opened,
            "link_seconds": {what: at - followed for what, at in linked.items()},
            "change_seconds": {
                "median": statistics.median(seconds),
                "p95": float(np.quantile(seconds, 0.95)),
                "worst": max(seconds),
                "all": seconds,
                "parts": {
                    "asked": statistics.median(asked),
                    "answered": statistics.median(answered),
                    "painted": statistics.median(shown),
                    "networks": _networks_seconds(names),
                },
            },
            "hover_ms": hover,
        },
    }


def _new_page(chromium: Any) -> Any:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(_PATIENCE_MS)
    page.add_init_script(_LISTEN)
    return page


def _open(page: Any, address: str) -> tuple[float, dict[str, float]]:
    """When an address was opened, and when frames and kernels were painted: seconds since 1970."""
    opened = time.time()
    page.goto(address, wait_until="commit")
    page.locator(KERNELS).wait_for()
    return opened, page.evaluate("painted")


def skip_scene(page: Any) -> None:
    """Leave the guided scene, which is over the page of who comes for the first time."""
    page.locator(SCENE).wait_for()
    page.keyboard.press("Escape")
    page.locator(SCENE).wait_for(state="detached")


def _change(page: Any) -> tuple[float, float, float, float]:
    """Seconds from a key until the new burst is painted; of them until it was asked for, came, and was painted."""
    begin_change(page)
    (begun, done), sent = page.evaluate("async () => [await window.changed, sent]")
    asked = next(at for at in sent if at >= begun)
    came = max(at for at in page.evaluate(_PAYLOADS) if asked <= at <= done)
    return tuple(ms / 1000 for ms in (done - begun, asked - begun, came - asked, done - came))  # type: ignore[return-value]


def begin_change(page: Any) -> None:
    """Turn up the gain by one step; the page's `window.changed` will tell when the key and the paint were, in ms."""
    slider = page.get_by_role("slider", name="Sensor gain")
    slider.focus()
    page.locator(".lens").evaluate(_WATCH)
    page.keyboard.press("ArrowRight")


def _networks_seconds(names: Sequence[str]) -> float:
    """What the networks alone take for such a burst, one after the other: the median of three, once they are warm."""
    burst = synthesize(BurstRecipe("dog", (64, 64, CROP, CROP), NoiseModel.for_gain(2)))
    networks = [load(name) for name in names]
    times = []
    for _ in range(4):
        begun = time.perf_counter()
        for network in networks:
            network(burst)
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


def _hover(page: Any, moves: int) -> dict:
    picture = page.locator(".stage.shown").bounding_box()
    for i in range(moves):
        across, down = (0.1 + 0.8 * ((i * step) % 97) / 97 for step in (29, 41))
        page.mouse.move(picture["x"] + across * picture["width"], picture["y"] + down * picture["height"])
        page.evaluate("() => new Promise(requestAnimationFrame)")
    p50, p95, measured = page.locator(".lens").evaluate(
        "(e) => [e.lens.painter.latency(0.5), e.lens.painter.latency(0.95), e.lens.painter.latencies.length]"
    )
    return {"p50": p50, "p95": p95, "moves": measured}


def as_text(report: dict) -> str:
    """The report in a few lines."""
    app = report["app"]
    change, hover = app["change_seconds"], app["hover_ms"]
    parts = change["parts"]
    return "\n".join(
        [
            ", ".join(f"{key} {value}" for key, value in report["machine"].items() if value),
            f"{app['browser']}; burst of {app['pixels']} pixels; {', '.join(app['methods'])}",
            "",
            f"first page, from the server's start   {app['first_page_seconds']:7.2f} s",
            f"noisy frames, from its opening        {app['frames_seconds']:7.2f} s",
            f"a link's frames, from its opening     {app['link_seconds']['frames']:7.2f} s   its kernels: "
            f"{app['link_seconds']['kernels']:.2f} s",
            f"new gain to new picture, median       {change['median']:7.2f} s   p95: {change['p95']:.2f} s, "
            f"worst of {len(change['all'])}: {change['worst']:.2f} s",
            f"  until the server was asked {parts['asked']:.3f} s, had answered {parts['answered']:.3f} s, "
            f"the answer was painted {parts['painted']:.3f} s; networks alone {parts['networks']:.3f} s",
            f"hover to paint, p50                   {hover['p50']:7.1f} ms  p95: {hover['p95']:.1f} ms, "
            f"{hover['moves']} moves",
        ]
    )
