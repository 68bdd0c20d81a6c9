"""Results that come in parts: a page shows those that are ready, and the others as they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import streamlit as st

from kpnviz.serving import work

R = TypeVar("R")

PATIENCE = 1.0
"""Seconds for which a page waits for all parts; then it shows those that are ready."""


class InParts(Generic[R]):
    """Results of a cached function (work.py), by name; and what is made of all of them, if there is such a thing.

    parts   the function's arguments of each
    whole   another cached function and its arguments: computed in the same turn as the last part
    alone   parts that may take any time: what is ready is shown before each of them

    A page that can draw each part where it belongs goes through `results`. One that has to be drawn anew with more
    parts calls `to_show`, draws these, and calls `show_more`.
    """

    def __init__(
        self,
        function: Callable[..., R],
        parts: Mapping[str, tuple[Hashable, ...]],
        whole: tuple[Callable[..., Any], tuple[Hashable, ...]] | None = None,
        alone: Collection[str] = (),
    ) -> None:
        self._function, self._parts, self._whole, self._alone = function, parts, whole, alone

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._parts)

    @property
    def complete(self) -> bool:
        """Whether the whole is cached; without one, all parts."""
        if self._whole is None:
            return all(map(self.is_ready, self._parts))
        function, arguments = self._whole
        return work.is_cached(function, *arguments)

    @property
    def ready(self) -> tuple[str, ...]:
        """Names of the parts that can be shown at once."""
        return self.names if self.complete else tuple(filter(self.is_ready, self._parts))

    def is_ready(self, name: str) -> bool:
        return work.is_cached(self._function, *self._parts[name])

    def results(
        self, order: Sequence[str] = (), progress: Callable[[float, str], object] = lambda *_: None
    ) -> Iterator[tuple[str, R]]:
        """Each name and its result, computed if it is not ready; those of `order` come first.

        `progress` is called before each with the share done and the name.
        """
        names = [*order, *(name for name in self._parts if name not in order)]
        for done, name in enumerate(names):
            progress(done / len(names), name)
            yield name, self._function(*self._parts[name])

    def to_show(self, key: str, order: Sequence[str], wait: bool) -> tuple[str, ...]:
        """Names of the parts that the page shows in this run; where that is all of them, it computes what is missing.

        key     of the session: what its page showed of these parts
        order   in which parts are computed
        wait    the page still shows something else, which may stay for PATIENCE
        """
        state = st.session_state
        these = tuple(self._parts.values())
        shown_of, shown = state.pop(key, (None, 0))
        ready = self.ready
        if (
            shown_of == these and len(ready) <= shown
        ):  # no more of them fit into the cache: all are computed together
            return self.names
        if not ready and wait:
            ready = self._compute(order)
        if ready != self.names:
            state[key] = (these, len(ready))
        return ready

    def show_more(self, order: Sequence[str]) -> None:
        """Compute more parts, and run the page again, which shows them."""
        self._compute(order)
        work.run_again()

    def _compute(self, order: Sequence[str]) -> tuple[str, ...]:
        """Compute parts until PATIENCE is over, one at least; the names of those that are ready."""
        first = True
        with work.turn():
            # Without the wait for this turn: where many visitors wait, showing parts would make each wait longer.
            begun = time.monotonic()
            for name in order:
                if not self.is_ready(name):
                    if name in self._alone and not first:
                        break
                    first = False
                    self._function(*self._parts[name])
                    if time.monotonic() - begun > PATIENCE:
                        break
            if self._whole is not None and all(map(self.is_ready, self._parts)):
                function, arguments = self._whole
                function(*arguments)
        return self.ready
