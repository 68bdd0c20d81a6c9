"""Memory that large computations use again and again, in place of asking the system for it each time."""

from __future__ import annotations

import contextlib
import ctypes
import platform
import threading
from collections.abc import Iterator

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of glibc's malloc.h, for mallopt
_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _TOP_PAD: 128 * 1024, _MMAP_MAX: 65536}
_KEEPING = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20, _MMAP_MAX: 0}

_lock = threading.Lock()
_users = 0


@contextlib.contextmanager
def reused() -> Iterator[None]:
    """Within, memory that is freed stays with this process, and at the end goes back to the system.

    glibc asks the system for each large array and gives it back when it is freed; each page of the next one is then
    made and cleared anew, which takes a quarter of the time of a network on tile after tile. Elsewhere than with glibc
    nothing is changed.
    """
    global _users
    libc = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
    with _lock:
        _users += 1
        if libc is not None and _users == 1:
            _set(libc, _KEEPING)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if libc is not None and _users == 0:
                _set(libc, _USUAL)
                libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, options: dict[int, int]) -> None:
    for option, value in options.items():
        libc.mallopt(option, value)
