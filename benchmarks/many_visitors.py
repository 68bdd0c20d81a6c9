"""`kpnviz bench --load N`: how long N visitors at once wait for the app, and what memory it takes.

One visitor has a real browser. The others ask and fetch the same without one (visitor.py): a browser that paints
takes as much time as the server that it asks, and visitors have computers of their own. Where there are two cores or
more, the server has one half of them and the visitors the other, so that neither takes the other's time.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.one_page import CROP, KERNELS, begin_change, browser, serve
from kpnviz.evaluation.benchmark import machine

EVERY = 5.0
"""Seconds from a visitor's change to the next one, or until its pictures are there if that is longer."""

CHANGES = 6
_PATIENCE = 60.0  # seconds after which a visitor has failed
_REST = 3.0  # seconds from a wave's end until the memory is read
_LOOK_EVERY = 0.05  # seconds from one look at the memory to the next
_ERRORS = "[data-testid=stException], [data-testid=stAlertContentError]"


@dataclass
class _Seen:
    """What visitors waited for, seconds: until the first kernels, and from a change to its pictures and kernels."""

    first: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def _in_browser(chromium: Any, address: str, changes: int) -> _Seen:
    """A visitor who sees what a browser paints."""
    from playwright.sync_api import Error

    seen = _Seen()
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(_PATIENCE * 1000)
    page.on("pageerror", lambda error: seen.failures.append(str(error)))
    page.on("crash", lambda _: seen.failures.append("the page crashed"))
    try:
        begun = time.monotonic()
        page.goto(address, wait_until="commit")
        page.locator(KERNELS).wait_for()
        seen.first.append(time.monotonic() - begun)
        for _ in range(changes):
            page.wait_for_timeout(1000 * max(0, begun + EVERY - time.monotonic()))
            begun = time.monotonic()
            begin_change(page)
            pressed, painted = page.evaluate(
                "(most) => Promise.race([changed, new Promise((_, fail) => setTimeout(fail, most))])",
                1000 * _PATIENCE,
            )
            seen.changes.append((painted - pressed) / 1000)
        page.wait_for_timeout(1000 * EVERY)  # it looks at the last one, too
        # What the page says itself.
        seen.failures += page.locator(_ERRORS).all_inner_texts()
    except Error as error:
        seen.failures.append(str(error).splitlines()[0])
    finally:
        page.close()
    return seen


async def _without_browser(address: str, changes: int, wait: float) -> _Seen:
    """A visitor who begins to make changes `wait` seconds after the first kernels have come."""
    from websockets.exceptions import WebSocketException

    from benchmarks.visitor import Visitor

    seen = _Seen()
    begun = time.monotonic()
    try:
        async with Visitor(address) as visitor:
            await asyncio.wait_for(visitor.kernels(), _PATIENCE)
            seen.first.append(time.monotonic() - begun)
            await asyncio.sleep(wait)
            for _ in range(changes):
                begun = time.monotonic()
                seen.changes.append(await asyncio.wait_for(visitor.change(), _PATIENCE))
                await asyncio.sleep(max(0, begun + EVERY - time.monotonic()))
            seen.failures += visitor.failures
    except TimeoutError:
        seen.failures.append(f"no pictures after {_PATIENCE:g} s")
    except (OSError, ValueError, WebSocketException) as error:
        seen.failures.append(str(error))
    return seen


async def _all_without_browser(addresses: Sequence[str], changes: int) -> list[_Seen]:
    """They come at once, and their changes are spread over the time from one to the next."""
    waits = [EVERY * i / len(addresses) for i in range(len(addresses))]
    visits = (_without_browser(a, changes, wait) for a, wait in zip(addresses, waits, strict=True))
    return await asyncio.gather(*visits)


def run(visitors: int, waves: int = 1, changes: int = CHANGES) -> dict:
    """All figures: {machine, load: {...}}. In each wave, so many visitors come at once, each with a burst of its own,
    make so many changes of the gain, one every EVERY seconds, and go.

    first_seconds     from the address until the kernels have come {p50, p95, worst}
    change_seconds    from a change of the gain until the new burst's pictures and kernels have come, the same
    painted_seconds   in the browser, from the key until they are painted, the same
    failures          sentences: no pictures within a minute, errors on a page
    rss               bytes of the server: {start, waves: after each, peak}
    busy              processes that were running or waiting for a core before the start (load average of a minute)
    """
    try:
        import psutil
    except ImportError:
        raise ValueError(
            "the load is measured with psutil, which is not installed: pip install psutil"
        ) from None
    busy = os.getloadavg()[0]
    painted, others = _Seen(), _Seen()
    after: list[int] = []
    with _on_other_cores() as (server_cores, client_cores), ExitStack() as stack:
        others_here = set(psutil.Process().children())
        address = stack.enter_context(serve())
        (server,) = set(psutil.Process().children()) - others_here
        _pin(client_cores)
        chromium = stack.enter_context(browser())

        def rss() -> int:
            return sum(process.memory_info().rss for process in (server, *server.children(recursive=True)))

        start = rss()
        highest = stack.enter_context(_highest(rss))
        for wave in range(waves):
            links = [f"{address}/?v=1&crop={CROP}&gain=2&seed={wave * visitors + i}" for i in range(visitors)]
            found: list[_Seen] = []
            crowd = threading.Thread(
                target=lambda links=links[1:], found=found: found.extend(
                    asyncio.run(_all_without_browser(links, changes))
                )
            )
            crowd.start()
            _add(painted, _in_browser(chromium, links[0], changes))
            crowd.join()
            for seen in found:
                _add(others, seen)
            time.sleep(_REST)
            after.append(rss())
        peak = max(*highest, *after)
    return {
        "machine": machine(),
        "load": {
            "visitors": visitors,
            "waves": waves,
            "changes": len(painted.changes) + len(others.changes),
            "every_seconds": EVERY,
            "pixels": f"{CROP}x{CROP}",
            "server_cores": server_cores,
            "client_cores": client_cores,
            "busy": busy,
            "first_seconds": _figures(others.first),
            "change_seconds": _figures(others.changes),
            "painted_seconds": _figures(painted.changes),
            "failures": painted.failures + others.failures,
            "rss": {"start": start, "waves": after, "peak": peak},
        },
    }


def _add(total: _Seen, seen: _Seen) -> None:
    total.first += seen.first
    total.changes += seen.changes
    total.failures += seen.failures


@contextmanager
def _highest(rss: Callable[[], int]) -> Iterator[list[int]]:
    """A list of one: the highest value so far, looked at again and again."""
    highest, ended = [rss()], threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_EVERY):
            highest[0] = max(highest[0], rss())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield highest
    finally:
        ended.set()
        thread.join()


def _figures(seconds: Sequence[float]) -> dict[str, float | None]:
    """Median, the time that 95 % do not exceed, and the longest; None where nothing was measured."""
    if not seconds:
        return {"p50": None, "p95": None, "worst": None}
    p50, p95, worst = np.percentile(seconds, (50, 95, 100), method="higher").tolist()
    return {"p50": p50, "p95": p95, "worst": worst}


@contextmanager
def _on_other_cores() -> Iterator[tuple[list[int], list[int]]]:
    """The server's cores and the visitors'; this process starts on the server's, and gets all back at the end."""
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
            f"server on cores {load['server_cores']}, visitors on {load['client_cores']}; "
            f"load average before: {load['busy']:.1f}",
            "",
            line("first pictures", load["first_seconds"]),
            line("change to pictures", load["change_seconds"]),
            line("painted, in the browser", load["painted_seconds"]),
            f"{'failures':30}{len(load['failures'])}",
            *(f"  {failure}" for failure in load["failures"]),
            f"{'memory of the server, MB':30}start {rss['start'] / 1e6:.0f}   after each time {waves}   "
            f"peak {rss['peak'] / 1e6:.0f}",
        ]
    )
