"""Compiled loops that release the GIL, and plain Python threads for them."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

_this_thread = threading.local()
_on_disk = True  # what is compiled is found again by the next process
_COMPILING = "compiling for this machine's processor, which takes a while and happens "
_ONCE = "only once"
_ANEW = "at each start: nothing can be written where NUMBA_CACHE_DIR says, nor beside the code"


def in_threads(run: Callable[[int], None], count: int) -> None:
    """run(0), ..., run(count - 1), shared out among torch.get_num_threads() threads, this one included.

    What is called within has one thread.
    """
    if getattr(_this_thread, "is_shared", False):
        for task in range(count):
            run(task)
        return
    tasks = itertools.count()  # next() on it is atomic
    failures: list[BaseException] = []

    def drain() -> None:
        _this_thread.is_shared = True
        try:
            with _alone():
                while (task := next(tasks)) < count and not failures:
                    run(task)
        except BaseException as failure:
            failures.append(failure)
        finally:
            _this_thread.is_shared = False

    helpers = [threading.Thread(target=drain) for _ in range(min(torch.get_num_threads(), count) - 1)]
    for helper in helpers:
        helper.start()
    drain()
    for helper in helpers:
        helper.join()
    if failures:
        raise failures[0]


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Within, what PyTorch does in this thread, it does without others. (torch.set_num_threads is for all.)"""
    openmp = _openmp()
    if openmp is None:
        yield
        return
    before = torch.get_num_threads()
    openmp.omp_set_num_threads(1)
    try:
        yield
    finally:
        openmp.omp_set_num_threads(before)


@functools.cache
def _openmp() -> ctypes.CDLL | None:
    """The library of threads that PyTorch has with it, where it is to be found."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "omp_set_num_threads") else None


def results(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """function(item) of each item, in threads, for functions that spend their time without the GIL."""
    found: dict[int, Result] = {}

    def run(task: int) -> None:
        found[task] = function(items[task])

    in_threads(run, len(items))
    return [found[task] for task in range(len(items))]


def in_this_thread(call: Callable[..., object]) -> Callable[..., None]:
    """A function that does `call` in the thread that asked for it, and nothing in others."""
    mine = threading.get_ident()

    def run(*arguments: Any) -> None:
        if threading.get_ident() == mine:
            call(*arguments)

    return run


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """numba.njit without the GIL. What is compiled is kept beside the code, in the user's cache, or where
    NUMBA_CACHE_DIR says; where nothing can be written, each process compiles anew.
    """
    from numba import njit

    global _on_disk
    try:
        return njit(nogil=True, cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:
        _on_disk = False
        return njit(nogil=True, **options)(function)  # type: ignore[no-any-return]


@functools.cache
def announce_compilation(say: Callable[[str], object]) -> None:
    """Have it said when loops are compiled, once in this process: `say` gets one sentence."""
    from numba.core import event

    class Listener(event.Listener):  # type: ignore[misc]
        said = False

        def on_start(self, event: Any) -> None:
            if not self.said:
                self.said = True
                say(_COMPILING + (_ONCE if _on_disk else _ANEW))

        def on_end(self, event: Any) -> None:
            pass

    event.register("numba:compile", Listener())
