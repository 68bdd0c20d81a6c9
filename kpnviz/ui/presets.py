"""Examples (lens/texts/examples.py) on a page: what of the session's state they set, and a menu of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from kpnviz.evaluation.results import read_results, results_path
from kpnviz.lens.payload import DISPLAY
from kpnviz.lens.texts.examples import EXAMPLES as PRESETS
from kpnviz.lens.texts.examples import Example
from kpnviz.lens.texts.measured import Measured
from kpnviz.lens.texts.numbers import numbers
from kpnviz.ui import link
from kpnviz.ui.choices import default_methods
from kpnviz.ui.methods import offered_names
from kpnviz.ui.parameters import COLOR, DEFAULTS, METHODS, PARAMETERS, TEACH
from kpnviz.ui.presenter import presenter
from kpnviz.ui.state import EXAMPLES, LENS_DISPLAY, PIXEL, PRESENTED


def state_of(example: Example) -> dict[str, Any]:
    """All that an example sets of the session's state.

    Its methods that are not here are left out; without any, the usual ones are shown.
    """
    here = [name for name in offered_names() if name in example.methods]
    return {
        **DEFAULTS,
        **example.scene,
        METHODS: here or default_methods(),
        PIXEL: example.pixel,
        LENS_DISPLAY: dict(example.display),
    }


def apply(example: Example) -> None:
    """Show it: for a button's on_click."""
    st.session_state.update(state_of(example))


def address_of(example: Example, page: str = "explore") -> str:
    """The address, beside that of any other page, at which a page shows it."""
    return link.address(page, state_of(example))


def is_shown(example: Example, state: Mapping[str, Any]) -> bool:
    """Whether the burst on the page is this one's; in color or gray; pixel, methods and display may be others."""
    mine = DEFAULTS | dict(example.scene)
    rows = (row for row in PARAMETERS.values() if row.scene and row.key != COLOR and row.applies(mine))
    return all(state.get(row.key) == mine[row.key] for row in rows)


def shown_preset(presets: Sequence[Example] = PRESETS) -> Example | None:
    """The example whose burst is on the page."""
    state = st.session_state.to_dict()
    return next((preset for preset in presets if is_shown(preset, state)), None)


@st.cache_resource(show_spinner=False, max_entries=1)
def _numbers(path: Path, changed: float) -> list[Measured]:
    """Of a file of results that was changed then."""
    return numbers(read_results(path))


def shown_number() -> Measured | None:
    """The number, of those that texts state, whose burst is on the page, with its methods, and shown as it is to be."""
    path = results_path()
    try:
        known = _numbers(path, path.stat().st_mtime)
    except (OSError, ValueError):
        return None
    return number_in(st.session_state.to_dict(), known)


def number_in(state: Mapping[str, Any], known: Sequence[Measured]) -> Measured | None:
    """The one of these numbers that a state of the session shows."""
    display = DISPLAY | state.get(LENS_DISPLAY, {})
    compared: dict[str, Any] = {name: DISPLAY[name] for name in ("shown", "other", "compare", "assumed")}

    def shown(burst: Example) -> bool:
        return (
            is_shown(burst, state)
            and state[METHODS] == state_of(burst)[METHODS]
            and all(display[name] == value for name, value in {**compared, **burst.display}.items())
        )

    return next((number for number in known if shown(number.burst)), None)


def preset_menu(presets: Sequence[Example] = PRESETS) -> None:
    """A menu of the examples; for a class, one after the other by key."""
    state = st.session_state
    shown = shown_preset(presets)
    if shown is not None:
        state[PRESENTED] = presets.index(shown)
    if state.get(TEACH):
        titles = [preset.title for preset in presets]
        presenter(titles, state.get(PRESENTED), shown is not None, lambda number: apply(presets[number]))
        return

    def show() -> None:
        number = state[EXAMPLES]
        if number is not None:
            apply(presets[number])

    def title(number: int) -> str:
        text = presets[number].title
        return f"**{text}**" if presets[number] is shown else text

    st.menu_button(
        "Examples",
        range(len(presets)),
        key=EXAMPLES,
        icon=":material/visibility:",
        format_func=title,
        on_click=show,
    )
