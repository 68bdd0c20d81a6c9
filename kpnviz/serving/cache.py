"""A cache with a limit in bytes, shared by all sessions."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache

_OBJECT_BYTES = 200  # about what a small object and its place in a cache take


class SizedCache:
    """Values by key, at most `max_bytes` together: beyond that the least recently used are dropped.

    What several threads request at once is computed once.
    """

    def __init__(self, max_bytes: int) -> None:
        self._values: LRUCache[Hashable, Any] = LRUCache(max_bytes, size_of)
        self._computing: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    @property
    def bytes(self) -> int:
        return int(self._values.currsize)

    def get(
        self,
        key: Hashable,
        compute: Callable[[], Any],
        wait: Callable[[threading.Event], object] = threading.Event.wait,
    ) -> Any:
        """The value of a key: cached, computed by another thread (for which `wait` waits), or computed now."""
        while True:
            with self._lock:
                if key in self._values:
                    return self._values[key]
                other = self._computing.get(key)
                if other is None:
                    done = self._computing[key] = threading.Event()
                    break
            # If it fails, or its value is too large to be cached, this thread computes it.
            wait(other)
        try:
            value = compute()
            self.put(key, value)
            return value
        finally:
            with self._lock:
                del self._computing[key]
            done.set()

    def put(self, key: Hashable, value: Any) -> None:
        """Cache a value, unless it alone is larger than the cache."""
        with self._lock:
            if size_of(value) <= self._values.maxsize:
                self._values[key] = value

    def forget(self, key: Hashable) -> None:
        """Drop the value of a key, if there is one."""
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._values.clear()


def size_of(value: Any) -> int:
    """Bytes of memory that a value takes: arrays, tensors and bytes in dataclasses and containers, however deep."""
    if isinstance(value, np.ndarray):
        # A view keeps the whole array alive.
        return _OBJECT_BYTES + (value.base.nbytes if isinstance(value.base, np.ndarray) else value.nbytes)
    if isinstance(value, torch.Tensor):
        return _OBJECT_BYTES + value.untyped_storage().nbytes()
    if isinstance(value, bytes | bytearray | str):
        return _OBJECT_BYTES + len(value)
    inside: Any = ()
    if dataclasses.is_dataclass(value):
        inside = (getattr(value, part.name) for part in dataclasses.fields(value))
    elif isinstance(value, dict):
        inside = itertools.chain(value, value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        inside = value
    return _OBJECT_BYTES + sum(map(size_of, inside))
