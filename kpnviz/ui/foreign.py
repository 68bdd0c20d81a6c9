"""A file of frames and kernels that a visitor dropped: read within limits, and kept for the session as the lens has it.

Nothing of it is cached for all sessions: what a person uploads is seen by nobody else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.burst import Burst
from kpnviz.capture.kernel_file import load_kernels
from kpnviz.capture.npz import base_name
from kpnviz.estimate import Estimate
from kpnviz.lens.payload import pack
from kpnviz.limits import Limits
from kpnviz.serving import uploads, work
from kpnviz.text import visible
from kpnviz.ui.cache import interesting_pixel
from kpnviz.ui.state import FOREIGN, FOREIGN_DISPLAY, FOREIGN_PIXEL, FOREIGN_READ

EXAMPLE = Path(__file__).with_name("kernel_example.py")


@dataclass(frozen=True, eq=False)
class Opened:
    """What a file holds: its name, its networks, the lens' payload, and a remark on its frames ("": there is none)."""

    name: str
    titles: tuple[str, ...]
    payload: bytes
    note: str


def is_read(file: Any | None) -> bool:
    """Whether `current` returns at once."""
    last = st.session_state.get(FOREIGN_READ)
    return file is None or (last is not None and last[0] == file.file_id)


def current(file: Any | None) -> tuple[Opened, str]:
    """What the uploaded file holds, and "". A file that is refused leaves what was there, with the sentence why.

    A file is read once. Without one, which is how a drop zone comes back to its page, and how it is for a moment while
    another file takes the place of one, the last one is shown, else the example.
    """
    state = st.session_state
    if file is not None and not is_read(file):
        try:
            opened, problem = _read(file), ""
        except (ValueError, OSError) as error:
            problem = str(error)
        else:
            forget()
            state[FOREIGN] = opened
        state[FOREIGN_READ] = (file.file_id, problem)
    shown: Opened | None = state.get(FOREIGN)
    return shown or example(), "" if file is None else state[FOREIGN_READ][1]


def _read(file: Any) -> Opened:
    """What a file holds. It ends, in a quarter of a second, for who has left or dropped another one meanwhile."""
    contents, pause = (file.name, uploads.contents_of(file)), work.pauses()
    try:
        burst, estimates = load_kernels(
            contents,
            limits=Limits.from_environment(),
            wanted=work.still_wanted,
            turn=_turn,
            pause=pause,
        )
    finally:
        uploads.were_read([file])
    with _turn():
        return _opened(visible(base_name(file.name)), burst, estimates, pause)


@contextmanager
def _turn() -> Iterator[None]:
    with work.turn():
        work.share_cores()
        yield


def forget() -> None:
    """Let the session's file go, with what was pinned and chosen in its lens."""
    for name in (FOREIGN, FOREIGN_PIXEL, FOREIGN_DISPLAY):
        st.session_state.pop(name, None)


@st.cache_resource(max_entries=1, show_spinner=False)
def example() -> Opened:
    """What EXAMPLE writes, the same for all sessions."""
    from kpnviz.ui import kernel_example  # it computes

    with work.turn():
        return _opened("example", kernel_example.burst, [kernel_example.mine])


def _opened(
    name: str, burst: Burst, estimates: Sequence[Estimate], pause: Callable[[], object] = lambda: None
) -> Opened:
    titles = tuple(visible(estimate.model) for estimate in estimates)
    payload = pack(burst, estimates, interesting_pixel(burst), pause=pause)
    return Opened(name, titles, payload, above_white(burst))


def above_white(burst: Burst) -> str:
    """A sentence on frames that are shown white nearly everywhere, such as those of 0 to 255; "" on others."""
    if (burst.frames > burst.white_level).mean() < 0.8:  # what no exposure is meant to be
        return ""
    most = float(burst.frames.max())
    white = next((2**bits - 1 for bits in (8, 10, 12, 14, 16) if 2**bits - 1 >= most), math.ceil(most))
    return (
        f"Almost all values of the frames are above white = {burst.white_level:.12g} and are shown white: divide the "
        f"frames by {white / burst.white_level:.12g}, or add the key white_level with the value {white:.12g}."
    )
