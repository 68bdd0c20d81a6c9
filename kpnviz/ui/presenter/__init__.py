"""The examples in front of a class: title and number of the one that is shown, and the next one by key.

What is seen is kpnviz/lens/presenter, which the site has too. Arrow keys step, and Page Up and Page Down, which remote
controls send. The page shows a step at once; Python is told which example is wanted, not how far to go: where keys come
faster than pages, none is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.lens.linker import linked
from kpnviz.ui.state import PRESENTER


@cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "kpnviz.presenter",
        html='<div class="presenter-host"></div>',
        js=linked(Path(__file__).parent / "host.js"),
    )


def presenter(titles: Sequence[str], at: int | None, shown: bool, show: Callable[[int], None]) -> None:
    """Show where one is among examples; `show` is called with the number of the one that is wanted.

    at     number of the example that was shown last, from 0
    shown  whether it still is: a person may have changed the scene
    """
    state = st.session_state

    def take() -> None:
        number = state[PRESENTER]["example"] if PRESENTER in state else None
        if number is not None and 0 <= int(number) < len(titles):
            show(int(number))

    _component()(
        data={"titles": list(titles), "at": at, "shown": shown}, key=PRESENTER, on_example_change=take
    )
