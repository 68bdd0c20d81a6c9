"""The app's work for its visitors: in turns, dropped when a newer change comes, kept within so many bytes.

A browser session's newer change, or its closed tab, ends what its older one had not begun: Streamlit asks the script to
end, and does so wherever the script touches the session. So that is touched before work begins, while it waits, and
between its parts.
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
from kpnviz.ui.state import TEACH
from kpnviz.ui.turns import PATIENCE, Kept, Turns, nothing

P = ParamSpec("P")
R = TypeVar("R")

_LIMITS = Limits.from_environment()
_CORES = torch.get_num_threads()
_TELL_AFTER = 0.5  # seconds that somebody waits before a note says so
_TRIM_EVERY = 2.0  # seconds
_PART = 0.5  # seconds of work, after which others may compute

turns = Turns(_LIMITS.computing)
kept_values = Kept(_LIMITS.cache_bytes)
_trimmed = 0.0
_page = threading.local()  # a script has a thread of its own


def kept(function: Callable[P, R]) -> Callable[P, R]:
    """Keep what a function returns, for all sessions, and call it when it is the session's turn.

    Arguments must be hashable. Nobody writes into what is returned.
    """
    return _kept(function, turn)


def kept_at_once(function: Callable[P, R]) -> Callable[P, R]:
    """Keep what a function returns; it is called without waiting: for what takes some milliseconds."""
    return _kept(function, at_once)


def is_kept(function: Callable[..., Any], *args: Hashable) -> bool:
    """Whether what a function of `kept` returns for these arguments is there, so that it returns at once."""
    return _key(function, args) in kept_values


def _kept(function: Callable[P, R], enter: Callable[[], Any]) -> Callable[P, R]:
    @functools.wraps(function)
    def call(*args: P.args, **more: P.kwargs) -> R:
        key = _key(function, args, more)
        if key in kept_values:
            return kept_values.get(key, lambda: function(*args, **more), _wait)
        with enter():
            return kept_values.get(key, lambda: function(*args, **more), _wait)

    return call


def _key(
    function: Callable[..., Any], args: tuple[Any, ...], more: Mapping[str, Any] | None = None
) -> Hashable:
    """What the value of a call is kept under: two modules may have functions of one name."""
    return function.__module__, function.__qualname__, args, tuple((more or {}).items())


@contextmanager
def at_once() -> Iterator[None]:
    turns.check()
    yield


@contextmanager
def turn(
    owner: Hashable = None, wanted: Callable[[], object] = nothing, background: bool = False
) -> Iterator[None]:
    """Compute when it is this session's turn; a note on the page says so when it waits.

    Work of an `owner` that is no session waits without a note; `wanted` raises when it is to be given up.
    """
    context = None if owner else get_script_run_ctx(suppress_warning=True)
    # A download is made outside of the script of its session.
    session = owner or (context.session_id if context else threading.get_ident())
    note = _Note()
    wanted, tell = (still_wanted, note.tell) if context else (wanted, nothing)
    try:
        with turns.turn(session, wanted, tell, background):
            note.remove()
            yield
    finally:
        note.remove()
        _give_back()


def note_at(place: DeltaGenerator) -> None:
    """Where the page says that its session waits: an empty place, which moves nothing on the page when it is filled."""
    _page.note = place


def let_others() -> None:
    """Between two parts of long work: those who wait by now come first; it ends here if it is not wanted any more."""
    with turns.aside(again_last=True):
        pass


def pauses() -> Callable[[], None]:
    """What long work of many small parts calls between them: twice a second it lets others compute."""
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
    """Let networks of this thread compute on its share of the cores."""
    torch.set_num_threads(turns.share(_CORES))


def still_wanted() -> None:
    """End the script here if its session has a newer change, or its tab was closed."""
    TEACH in st.session_state  # noqa: B015


def _wait(made: threading.Event) -> None:
    """Wait for what another session is making, and let others compute meanwhile."""
    context = get_script_run_ctx(suppress_warning=True)
    with turns.aside():
        while not made.wait(PATIENCE):
            if context:
                still_wanted()


class _Note:
    """What a page says while its session waits."""

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


def _give_back() -> None:
    """Give memory that was freed back to the system, when nobody computes: glibc keeps it otherwise."""
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

# Each script of Streamlit runs in a thread of its own. With an arena for each, what they free is scattered.
if "MALLOC_ARENA_MAX" not in os.environ and (_mallopt := _from_libc("mallopt")) is not None:
    _mallopt(-8, 2)  # M_ARENA_MAX
