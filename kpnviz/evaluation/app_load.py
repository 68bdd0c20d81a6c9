"""`kpnviz bench --load N`: how long N visitors at once wait for the app, in real browsers, and what memory it takes.

Where there are two cores or more, the server has one half of them and the browsers the other, so that neither takes
the other's time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from kpnviz.evaluation.app_benchmark import CROP, KERNELS, begin_change, browser, serve
from kpnviz.evaluation.benchmark import machine

EVERY = 5.0
"""Seconds from a visitor's change to the next one, or until its pictures are there if that is longer."""

CHANGES = 6
_PATIENCE = 60.0  # seconds after which a visitor has failed
_REST = 3.0  # seconds from a wave's end until the memory is read
_NOTICE = """() => {
  window.seconds = null;
  window.changed.then(([begun, done]) => { window.seconds = (done - begun) / 1000; });
}"""


class _Visitor:
    """A page in a browser of its own (without others' cookies), and what its visitor saw."""

    def __init__(self, chromium: Any, address: str) -> None:
        self.page = chromium.new_page(viewport={"width": 1280, "height": 900})
        self.page.set_default_timeout(_PATIENCE * 1000)
        self.failures: list[str] = []
        self.page.on("pageerror", lambda error: self.failures.append(str(error)))
        self.page.on("crash", lambda _: self.failures.append("the page crashed"))
        self.opened, self.changed = 0.0, [0.0] * 0
        self.begun: float | None = time.monotonic()
        self.due = 0.0
        self.page.goto(address, wait_until="commit")

    def look(self) -> None:
        """Take the time if what the visitor waits for is there."""
        if self.begun is None:
            return
        now = time.monotonic()
        if not self.opened:
            if self.page.locator(KERNELS).count():
                self.opened, self.begun = now - self.begun, None
        else:
            seconds = self.page.evaluate("() => window.seconds")
            if seconds is not None:
                self.changed.append(seconds)
                self.begun = None
        if self.begun is not None and now - self.begun > _PATIENCE:
            self.failures.append(f"no pictures after {_PATIENCE:g} s")
            self.begun = None

    def change(self) -> None:
        self.begun = time.monotonic()
        self.due = self.begun + EVERY
        begin_change(self.page)
        self.page.evaluate(_NOTICE)

    def problems(self) -> list[str]:
        """What went wrong on the page, also what it says itself."""
        said = self.page.locator("[data-testid=stException], [data-testid=stAlertContentError]")
        return [*self.failures, *said.all_inner_texts()]


def run(visitors: int, waves: int = 1, changes: int = CHANGES) -> dict:
    """All figures: {machine, load: {...}}. In each wave, so many visitors come at once, each with a burst of its own,
    make so many changes of the gain, one every EVERY seconds, and go.

    first_seconds    from the address until the kernels are on the page {p50, p95, worst}
    change_seconds   from a key on the gain slider until the new burst's pictures and kernels are painted, the same
    failures         sentences: no pictures within a minute, errors on a page
    rss              bytes of the server: {start, waves: after each, peak}
    busy             processes that were running or waiting for a core before the start (load average of a minute)
    """
    try:
        import psutil
    except ImportError:
        raise ValueError(
            "the load is measured with psutil, which is not installed: pip install psutil"
        ) from None
    busy = os.getloadavg()[0]
    first: list[float] = []
    seconds: list[float] = []
    failures: list[str] = []
    after: list[int] = []
    with _on_other_cores() as (server_cores, client_cores), ExitStack() as stack:
        address = stack.enter_context(serve())
        server = psutil.Process().children()[0]
        _pin(client_cores)
        chromium = stack.enter_context(browser())

        def rss() -> int:
            return sum(process.memory_info().rss for process in (server, *server.children(recursive=True)))

        peak = start = rss()
        for wave in range(waves):
            crowd = []
            for i in range(visitors):
                link = f"{address}/?v=1&crop={CROP}&gain=2&seed={wave * visitors + i}"
                crowd.append(_Visitor(chromium, link))
            while any(visitor.begun for visitor in crowd):
                peak = max(peak, rss())
                for visitor in crowd:
                    visitor.look()
            here = [visitor for visitor in crowd if visitor.opened]
            for i, visitor in enumerate(here):
                visitor.due = time.monotonic() + EVERY * (1 + i / len(here))
            left = dict.fromkeys(here, changes)
            while any(left.values()) or any(visitor.begun for visitor in here):
                peak = max(peak, rss())
                for visitor in here:
                    visitor.look()
                    if left[visitor] and visitor.begun is None and time.monotonic() >= visitor.due:
                        visitor.change()
                        left[visitor] -= 1
                time.sleep(0.02)
            for visitor in crowd:
                first += [visitor.opened] if visitor.opened else []
                seconds += visitor.changed
                failures += visitor.problems()
                visitor.page.close()
            time.sleep(_REST)
            after.append(rss())
            peak = max(peak, after[-1])
    return {
        "machine": machine(),
        "load": {
            "visitors": visitors,
            "waves": waves,
            "changes": len(seconds),
            "every_seconds": EVERY,
            "pixels": f"{CROP}x{CROP}",
            "server_cores": server_cores,
            "client_cores": client_cores,
            "busy": busy,
            "first_seconds": _figures(first),
            "change_seconds": _figures(seconds),
            "failures": failures,
            "rss": {"start": start, "waves": after, "peak": peak},
        },
    }


def _figures(seconds: Sequence[float]) -> dict[str, float | None]:
    """Median, the time that 95 % do not exceed, and the longest; None where nothing was measured."""
    if not seconds:
        return {"p50": None, "p95": None, "worst": None}
    p50, p95, worst = np.percentile(seconds, (50, 95, 100), method="higher").tolist()
    return {"p50": p50, "p95": p95, "worst": worst}


@contextmanager
def _on_other_cores() -> Iterator[tuple[list[int], list[int]]]:
    """The server's cores and the browsers'; this process starts on the server's, and gets all back at the end."""
    if not hasattr(os, "sched_setaffinity"):
        yield [], []
        return
    cores = sorted(os.sched_getaffinity(0))
    half = (len(cores) + 1) // 2
    _pin(cores[:half])
    try:
        yield cores[:half], cores[half:] or cores
    finally:
        _pin(cores)


def _pin(cores: Sequence[int]) -> None:
    """What is started from here on has these cores."""
    if cores:
        os.sched_setaffinity(0, cores)


def as_text(report: dict) -> str:
    """The report in a few lines."""
    load = report["load"]
    rss = load["rss"]

    def line(name: str, figures: dict[str, float | None]) -> str:
        said = [f"{key} {'none' if value is None else f'{value:.2f} s'}" for key, value in figures.items()]
        return f"{name:30}{'   '.join(said)}"

    waves = " ".join(f"{size / 1e6:.0f}" for size in rss["waves"])
    return "\n".join(
        [
            ", ".join(f"{key} {value}" for key, value in report["machine"].items() if value),
            f"{load['visitors']} visitors, {load['waves']} times; {load['changes']} changes, one every "
            f"{load['every_seconds']:g} s a visitor; bursts of {load['pixels']} pixels",
            f"server on cores {load['server_cores']}, browsers on {load['client_cores']}; "
            f"load average before: {load['busy']:.1f}",
            "",
            line("first pictures", load["first_seconds"]),
            line("change to pictures", load["change_seconds"]),
            f"{'failures':30}{len(load['failures'])}",
            *(f"  {failure}" for failure in load["failures"]),
            f"{'memory of the server, MB':30}start {rss['start'] / 1e6:.0f}   after each time {waves}   "
            f"peak {rss['peak'] / 1e6:.0f}",
        ]
    )
