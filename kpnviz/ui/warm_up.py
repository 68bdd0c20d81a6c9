"""What the server makes while it starts: its first visitor is let in when it is there, and does not wait for it."""

from __future__ import annotations

import functools
import gc
import sys
import threading
from contextlib import suppress


@functools.cache
def begin() -> threading.Thread:
    """The thread that warms up; the first call starts it."""
    thread = threading.Thread(target=warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread


def warm_up() -> None:
    """Import what pages need, and make what the first page shows: compiled code is loaded with the first picture."""
    from kpnviz.threads import announce_compilation
    from kpnviz.ui import cache, export, link, numbers, page, presets  # noqa: F401
    from kpnviz.ui.controls import DEFAULTS, default_methods, recipe_of

    announce_compilation(_say)
    with suppress(ValueError):  # the page will say so, to whom it concerns
        cache.lens_payload(recipe_of(DEFAULTS), tuple(default_methods()))
    # Streamlit collects garbage after every run of a script: 0.2 s, in which nothing is sent, for all that was imported
    # here. That stays anyway: it need not be looked at again.
    gc.collect()
    gc.freeze()


def _say(message: str) -> None:
    print(f"kpnviz: {message}", file=sys.stderr)
