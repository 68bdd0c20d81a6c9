"""Plain Python threads for compiled loops that release the GIL."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable

import torch


def in_threads(run: Callable[[int], None], count: int) -> None:
    """run(0), ..., run(count - 1), shared out among torch.get_num_threads() threads, this one included."""
    tasks = itertools.count()  # next() on it is atomic
    failures: list[BaseException] = []

    def drain() -> None:
        try:
            while (task := next(tasks)) < count and not failures:
                run(task)
        except BaseException as failure:
            failures.append(failure)

    helpers = [threading.Thread(target=drain) for _ in range(min(torch.get_num_threads(), count) - 1)]
    for helper in helpers:
        helper.start()
    drain()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]
