"""Whose turn it is to compute, where visitors share the cores of a server. (Sessions of Streamlit: work.py.)"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PATIENCE = 0.1
"""Seconds after which somebody who waits is asked whether the work is still wanted."""


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
