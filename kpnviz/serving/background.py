"""Background tasks: results that a page may need later, computed while nobody waits for a turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

from cachetools import LRUCache

from kpnviz.serving import work
from kpnviz.serving.payloads import AbandonedError

ABANDONED_AFTER = 4.0
"""Seconds without a request after which a task ends."""

_FAILURE_BYTES = 1000  # what a cached exception counts

Turn = Callable[[], AbstractContextManager[None]]
"""What a task enters for each of its parts: between them, visitors compute."""


class BackgroundTasks:
    """Tasks by key, whose results are bytes: one at a time in a thread of their own, cached for all sessions.

    A task whose result nobody has requested for ABANDONED_AFTER seconds ends with AbandonedError; a later request
    starts it again.
    """

    def __init__(self, name: str, cache_bytes: int) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        # Reentrant: where a task has ended before its callback is added, `_finish` is called within `request`.
        self._lock = threading.RLock()
        self._running: dict[Hashable, Future[bytes]] = {}
        self._finished: LRUCache[Hashable, Future[bytes]] = LRUCache(cache_bytes, _size)
        self._requested: dict[Hashable, float] = {}

    def request(self, key: Hashable, task: Callable[[Turn], bytes]) -> Future[bytes]:
        """The result of a task, which is started unless it is running or cached."""
        with self._lock:
            if key in self._finished:
                return self._finished[key]
            self._requested[key] = time.monotonic()
            result = self._running.get(key)
            if result is None:
                result = self._running[key] = self._pool.submit(self._run, key, task)
                result.add_done_callback(partial(self._finish, key))
        return result

    def wait(self, key: Hashable, task: Callable[[Turn], bytes]) -> bytes:
        """The result of a task, once it is there."""
        while True:
            try:
                return self.request(key, task).result(ABANDONED_AFTER / 4)
            except (TimeoutError, AbandonedError):
                continue  # it is still running, or was started for somebody who has left: request it again

    def _run(self, key: Hashable, task: Callable[[Turn], bytes]) -> bytes:
        def still_requested() -> None:
            if time.monotonic() - self._requested[key] > ABANDONED_AFTER:
                raise AbandonedError

        return task(lambda: work.turn(self, still_requested, background=True))

    def _finish(self, key: Hashable, result: Future[bytes]) -> None:
        with self._lock:
            del self._running[key], self._requested[key]
            if not isinstance(result.exception(), AbandonedError):
                self._finished[key] = result


def _size(result: Future[bytes]) -> int:
    return _FAILURE_BYTES if result.exception() else len(result.result())
