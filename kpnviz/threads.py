"""Compiled loops that release the GIL, and plain Python threads for them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

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


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """numba.njit without the GIL. What is compiled is kept beside the code, in the user's cache, or where
    NUMBA_CACHE_DIR says; where nothing can be written, each process compiles anew.
    """
    from numba import njit

    try:
        return njit(nogil=True, cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        return njit(nogil=True, **options)(function)  # type: ignore[no-any-return]
