"""Computations for the sessions of Streamlit: in turns, cached, and canceled when nobody wants them any more.

When a person changes something or closes the tab, Streamlit ends the running script where it next reads the session's
state. So that is read before a computation begins, while it waits for its turn, and between its parts.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import streamlit as st
import torch
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kpnviz.limits import Limits
from kpnviz.serving.cache import SizedCache
from kpnviz.serving.turns import PATIENCE, Turns, nothing

P = ParamSpec("P")
R = TypeVar("R")

_LIMITS = Limits.from_environment()
_CORES = torch.get_num_threads()
_TELL_AFTER = 0.5  # seconds that somebody waits before a note says so
_TRIM_EVERY = 2.0  # seconds
_CONTINUED = "_continued"  # key of the session
_PART = 0.5  # seconds of work, after which others may compute

turns = Turns(_LIMITS.computing)
cached_values = SizedCache(_LIMITS.cache_bytes)
_trimmed = 0.0
_page = threading.local()  # each run of a script is a thread of its own


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: cache what a function returns, for all sessions, and call it when it is the session's turn.

    Arguments must be hashable. What is returned is shared: nobody writes into it.
    """
    return _cached(function, turn)


def cached_at_once(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: cache what a function returns, and call it without a turn: for what takes some milliseconds."""
    return _cached(function, _without_turn)


def is_cached(function: Callable[..., Any], *args: Hashable) -> bool:
    """Whether a function of `cached` returns at once for these arguments."""
    return _key(function, args) in cached_values


def forget(function: Callable[..., Any], *args: Hashable) -> None:
    """Let a function of `cached` compute again for these arguments."""
    cached_values.forget(_key(function, args))


def _cached(function: Callable[P, R], enter: Callable[[], Any]) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **more: P.kwargs) -> R:
        key = _key(function, args, more)
        if key in cached_values:
            return cached_values.get(key, lambda: function(*args, **more), _wait)
        with enter():
            return cached_values.get(key, lambda: function(*args, **more), _wait)

    return call


def _key(
    function: Callable[..., Any], args: tuple[Any, ...], more: Mapping[str, Any] | None = None
) -> Hashable:
    """The key of a call in the cache. Functions of two modules may have the same name."""
    return function.__module__, function.__qualname__, args, tuple((more or {}).items())


@contextmanager
def _without_turn() -> Iterator[None]:
    turns.check()
    yield


@contextmanager
def turn(
    owner: Hashable = None, wanted: Callable[[], object] = nothing, background: bool = False
) -> Iterator[None]:
    """Compute when it is this session's turn; while it waits, a note on the page says so.

    owner        whose turn it is, where that is no session; there is no note then
    wanted       of an owner: raises when the work is not wanted any more
    background   after all work that is not in the background
    """
    context = None if owner else get_script_run_ctx(suppress_warning=True)
    # A file for a download button is made outside of its session's script.
    session = owner or (context.session_id if context else threading.get_ident())
    note = _Note()
    wanted, tell = (still_wanted, note.tell) if context else (wanted, nothing)
    try:
        with turns.turn(session, wanted, tell, background):
            note.remove()
            yield
    finally:
        note.remove()
        _return_memory()


def note_at(place: DeltaGenerator) -> None:
    """Say here that the session waits for its turn: in an empty element that moves nothing when it is filled."""
    _page.note = place


def let_others() -> None:
    """Call it between two parts of long work: those who wait come first. The work ends here if nobody wants it."""
    with turns.aside(again_last=True):
        pass


def pauses() -> Callable[[], None]:
    """A function that long work calls between its many small parts: it lets others compute twice a second."""
    since = time.monotonic()

    def pause() -> None:
        nonlocal since
        if time.monotonic() - since < _PART:
            turns.check()
            return
        let_others()
        since = time.monotonic()

    return pause


def share_cores() -> None:
    """Let torch use this thread's share of the cores."""
    torch.set_num_threads(turns.share(_CORES))


def has_session() -> bool:
    """Whether this thread runs the script of a session."""
    return get_script_run_ctx(suppress_warning=True) is not None


def still_wanted() -> None:
    """End the script here if its person has changed something, or closed the tab."""
    "any key" in st.session_state  # noqa: B015  reading it is what ends the script


def run_again() -> None:
    """Run the page again from its beginning, as a part of the same visit (`is_continued`)."""
    st.session_state[_CONTINUED] = True
    st.rerun()


def is_continued() -> bool:
    """Whether this run of the script was asked for by the last one, and by nothing that a person did. Ask once."""
    return bool(st.session_state.pop(_CONTINUED, False))


def _wait(done: threading.Event) -> None:
    """Wait for what another session computes, and let others compute meanwhile."""
    context = get_script_run_ctx(suppress_warning=True)
    with turns.aside():
        while not done.wait(PATIENCE):
            if context:
                still_wanted()


class _Note:
    """The note on a page whose session waits."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._said = 0

    def tell(self, ahead: int) -> None:
        place = getattr(_page, "note", None)
        if place is None or ahead == self._said or time.monotonic() - self._since < _TELL_AFTER:
            return
        self._said = ahead
        before = "One computation comes" if ahead == 1 else f"{ahead} computations come"
        place.info(f"{before} before yours …", icon=":material/hourglass_top:")

    def remove(self) -> None:
        if self._said:
            self._said = 0
            _page.note.empty()


def _return_memory() -> None:
    """Return freed memory to the system when nobody computes: glibc keeps it otherwise."""
    global _trimmed
    if _malloc_trim is not None and turns.idle and time.monotonic() - _trimmed > _TRIM_EVERY:
        _trimmed = time.monotonic()
        _malloc_trim(0)


def _from_libc(name: str) -> Callable[..., int] | None:
    try:
        return getattr(ctypes.CDLL(None), name)  # type: ignore[no-any-return]
    except (OSError, AttributeError, TypeError):
        return None


_malloc_trim = _from_libc("malloc_trim")

# Each run of a script is a thread. With a malloc arena for each, freed memory is scattered and stays.
if "MALLOC_ARENA_MAX" not in os.environ and (_mallopt := _from_libc("mallopt")) is not None:
    _mallopt(-8, 2)  # M_ARENA_MAX
