"""What the server imports and computes while it starts, so that its first visitor does not wait for it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

_thread: threading.Thread | None = None


def begin(work: Callable[[], object]) -> threading.Thread:
    """The thread that does the work; the first call starts it, and later ones change nothing."""
    global _thread
    if _thread is None:
        _thread = threading.Thread(target=run, args=(work,), name="warm-up", daemon=True)
        _thread.start()
    return _thread


def run(work: Callable[[], object]) -> None:
    """Do the work, and spare the garbage collector what it has imported.

    Streamlit collects garbage after every run of a script. Looking through all imported modules takes 0.2 s each time,
    in which nothing is sent to any visitor.
    """
    work()
    gc.collect()
    gc.freeze()
