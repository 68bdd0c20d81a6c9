"""Whose turn it is to compute, and what is kept of it: for visitors who share the cores and the memory of a server.

Nothing here knows Streamlit; work.py does.
"""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from cachetools import LRUCache

PATIENCE = 0.1
"""Seconds after which somebody who waits is asked whether the work is still wanted."""

_OBJECT_BYTES = 200  # about what a small object and its place in a cache take


def nothing(*_: Any) -> None:
    """What is done where there is nobody to ask or to tell."""


@dataclass(eq=False)
class _Place:
    """A place in the line, or of those who compute; the line is in the order of `rank`."""

    owner: Hashable
    rank: tuple[bool, int]
    wanted: Callable[[], object]
    tell: Callable[[int], object]

    @property
    def background(self) -> bool:
        return self.rank[0]


@dataclass(eq=False)
class Turns:
    """So many computations at a time, one of each owner, in order of arrival; background work while there is no other.

    `wanted` is called before work begins, again and again while it waits, and where the work says that it can end
    (`check`): it raises when nobody wants the work any more, which frees the place.
    """

    places: int
    _line: list[_Place] = field(default_factory=list)
    _busy: list[_Place] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _arrivals: Iterator[int] = field(default_factory=itertools.count)
    _here: threading.local = field(default_factory=threading.local)

    @contextmanager
    def turn(
        self,
        owner: Hashable,
        wanted: Callable[[], object] = nothing,
        tell: Callable[[int], object] = nothing,
        background: bool = False,
    ) -> Iterator[None]:
        """Compute when it is the owner's turn. Within a turn of this thread it is that one's, and goes on at once.

        tell   called with the number of computations that come before, while this one waits
        """
        if self._mine() is not None:
            self.check()
            yield
            return
        place = _Place(owner, (background, next(self._arrivals)), wanted, tell)
        self._enter(place)
        try:
            yield
        finally:
            self._leave(place)

    def check(self) -> None:
        """Raise if the work of this thread is not wanted any more."""
        place = self._mine()
        if place is not None:
            place.wanted()

    @contextmanager
    def aside(self, again_last: bool = False) -> Iterator[None]:
        """Let others compute meanwhile; then wait for a place, with `again_last` behind those who wait by now."""
        place = self._mine()
        if place is None:
            yield
            return
        self._leave(place)
        yield
        if again_last:
            place.rank = (place.background, next(self._arrivals))
        self._enter(place)

    def share(self, cores: int) -> int:
        """Cores for each of those who compute, at least 1: threads of many would stand in each other's way."""
        with self._changed:
            return max(1, cores // max(1, len(self._busy)))

    @property
    def idle(self) -> bool:
        """Whether nobody computes or waits."""
        with self._changed:
            return not self._busy and not self._line

    def _mine(self) -> _Place | None:
        return getattr(self._here, "place", None)

    def _enter(self, place: _Place) -> None:
        with self._changed:
            self._line.append(place)
            self._line.sort(key=lambda other: other.rank)
        try:
            while True:
                place.wanted()
                with self._changed:
                    if self._is_next(place):
                        self._line.remove(place)
                        self._busy.append(place)
                        self._here.place = place
                        # There may be a place for the one behind it too.
                        self._changed.notify_all()
                        return
                    ahead = len(self._busy) + self._line.index(place)
                place.tell(ahead)
                with self._changed:
                    self._changed.wait_for(lambda: self._is_next(place), PATIENCE)
        except BaseException:
            with self._changed:
                self._line.remove(place)
                self._changed.notify_all()
            raise

    def _leave(self, place: _Place) -> None:
        with self._changed:
            # Work that ended while it was aside has no place among these.
            if place in self._busy:
                self._busy.remove(place)
            self._here.place = None
            self._changed.notify_all()

    def _is_next(self, place: _Place) -> bool:
        if len(self._busy) >= self.places:
            return False
        if place.background and not all(other.background for other in self._busy):
            return False
        owners = {other.owner for other in self._busy}
        return place is next((other for other in self._line if other.owner not in owners), None)


class Kept:
    """Values by key, as many as fit: when they take more than `most` bytes together, those not used for longest go.

    What several ask for at once is made once.
    """

    def __init__(self, most: int) -> None:
        self._values: LRUCache[Hashable, Any] = LRUCache(most, size_of)
        self._making: dict[Hashable, threading.Event] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    @property
    def bytes(self) -> int:
        return int(self._values.currsize)

    def get(
        self,
        key: Hashable,
        make: Callable[[], Any],
        wait: Callable[[threading.Event], object] = threading.Event.wait,
    ) -> Any:
        """The value of a key: kept, made by another thread (for which `wait` waits), or made now."""
        while True:
            with self._lock:
                if key in self._values:
                    return self._values[key]
                other = self._making.get(key)
                if other is None:
                    done = self._making[key] = threading.Event()
                    break
            # What it makes may be too large to be kept, or it may fail: then it is this one's turn.
            wait(other)
        try:
            value = make()
            self.put(key, value)
            return value
        finally:
            with self._lock:
                del self._making[key]
            done.set()

    def put(self, key: Hashable, value: Any) -> None:
        """Keep a value, if it is not larger than all that may be kept."""
        with self._lock:
            if size_of(value) <= self._values.maxsize:
                self._values[key] = value

    def clear(self) -> None:
        with self._lock:
            self._values.clear()


def size_of(value: Any) -> int:
    """Bytes of memory that a value takes: arrays, tensors and bytes in dataclasses and containers, however deep."""
    if isinstance(value, np.ndarray):
        # What is kept of a part of an array is all of it.
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
