"""Ctrl-C: at any moment, also while modules are imported, a command says "stopped" and exits with 130."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn

from kpnviz.paths import discard_unfinished


def stop_at_once() -> None:
    """From now on Ctrl-C ends this process where it stands: files are written as a whole or not at all.

    An exception would be swallowed, or turned into another, by whatever is being imported or called back just then.
    """
    signal.signal(signal.SIGINT, _stop)


def stop_by_exception() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt again, for a command that has something to do before it ends."""
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _stop(*_: Any) -> NoReturn:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    discard_unfinished()
    os.write(2, b"\nkpnviz: stopped\n")
    os._exit(130)
