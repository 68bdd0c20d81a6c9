"""The state of a session as a link: a versioned query string, which is checked when it is opened.

    ?v=2&photo=dog&color=1&crop=128&top=64&left=64&frames=8&gain=4&shake=paper&moving=0&seed=0&methods=kpn~mkpn&pixel=60~72

parameters.py says what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kpnviz.models.checkpoints import current_name
from kpnviz.models.zoo import ZOO
from kpnviz.serving import work
from kpnviz.ui.choices import PAGES
from kpnviz.ui.link_formats import Entry, quoted
from kpnviz.ui.parameters import PARAMETERS, named_in, with_defaults
from kpnviz.ui.state import LINK_PROBLEM, OPENED_PLAIN, WRITTEN

VERSION = "2"
_MAX_PROBLEMS = 8  # that are said: a link may hold a thousand

_UPGRADES: dict[str, dict[str, str]] = {"1": {"color": "0"}}
"""What links of an earlier version mean where they say nothing: all bursts of 1 were gray."""


_RENAMED = {
    "if_dropped": "in_dropped",
    "if_nonnegative": "in_nonnegative",
    "if_renormalize": "in_keep",
    "if_method": "in_shown",
    "if_anew": "in_anew",
}
"""Names of What if, before the lens took it over."""


def names() -> set[str]:
    """All names that mean something in a link."""
    return {"v", *(name for name, row in PARAMETERS.items() if row.format is not None)}


def write(state: Mapping[str, Any]) -> dict[str, str]:
    """The query of a state: each parameter that is not at its default, and those that are always written."""
    state = with_defaults(state)
    query = {"v": VERSION}
    for row in PARAMETERS.values():
        if row.format is None or not row.applies(state):
            continue
        text = row.format.write(row.of(state), state)
        if row.always or text != row.format.write(row.default_in(state), state):
            query[row.name] = text
    return query


def read(query: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The state that a query stands for, or the nearest valid one, and a sentence on what was wrong ("" if nothing).

    The sentence is plain text: it quotes the link.
    """
    problems: list[str] = []
    known = names()
    query = upgraded(query)
    version = query.get("v", VERSION)
    if version != VERSION:
        problems.append(f"it is of version {quoted(version)}, and version {VERSION} is read here")
    problems += [f"{quoted(name)} means nothing here" for name in query if name not in known]
    state: dict[str, Any] = {}
    for row in PARAMETERS.values():
        if row.format is None:
            continue
        if not row.applies(state):
            text = query.get(row.name, "0")
            if row.needs and text.strip("0.") != "":
                problems.append(f"{row.name} {quoted(text)} goes only with {row.needs}, it is left out")
            continue
        value = row.default_in(state)
        if row.name in query:
            value = row.format.read(Entry(row.name, query[row.name], value, state, problems))
        row.put(state, value)
    if len(problems) > _MAX_PROBLEMS:
        problems[_MAX_PROBLEMS:] = [f"and {len(problems) - _MAX_PROBLEMS} things more"]
    return state, f"Not all of this link could be followed: {'; '.join(problems)}." if problems else ""


def upgraded(query: Mapping[str, str]) -> Mapping[str, str]:
    """The query of an earlier version as one of VERSION."""
    added = _UPGRADES.get(query.get("v", ""))
    query = query if added is None else {**added, **query, "v": VERSION}
    return _with_new_names(query) if any(name.startswith("if_") for name in query) else query


def _with_new_names(query: Mapping[str, str]) -> dict[str, str]:
    """What *What if* once wrote, as the lens writes it."""
    renamed = {_RENAMED.get(name, name): text for name, text in query.items()}
    if {"if_dy", "if_dx"} & renamed.keys():
        renamed["in_moved"] = "~".join(
            renamed.get(name, start) for name, start in (("if_frame", "1"), ("if_dy", "0"), ("if_dx", "0"))
        )
    network = ZOO.get(current_name(query.get("if_method", "")))
    kept = query.get("if_sizes", "").split("~")
    if network is not None and "if_sizes" in query:
        off = [str(size) for size in network.sizes if str(size) not in kept]
        renamed["in_off"] = ".".join([query["if_method"], *off]) if off else ""
    return {
        name: text for name, text in renamed.items() if name not in ("if_frame", "if_dy", "if_dx", "if_sizes")
    }


def open_session() -> None:
    """Put the state of the page's address, or else the defaults, into the session; called before every page.

    The address is read when the session starts and when a person goes back or forward in the browser; changes
    of the controls are written to it, so that a page that is loaded again shows the same.
    """
    state = st.session_state
    query = upgraded({name: st.query_params[name] for name in st.query_params})
    # A query other than the one written is not enough: what the browser sent before it heard of a change still has the
    # query before, and would take the change back.
    moved = bool(query) and was_opened()
    if not work.is_continued():
        state[LINK_PROBLEM] = ""  # it has been read
    state.setdefault(OPENED_PLAIN, not query)
    if WRITTEN not in state or moved:
        found, state[LINK_PROBLEM] = read(query)
        named = {row.inside or row.key for name, row in PARAMETERS.items() if name in query}
        for key, value in found.items():
            if moved or key in named:
                state[key] = value
    known = state.to_dict()
    for key, value in with_defaults(known).items():
        if key not in known:
            state[key] = value
    sync_address()


def was_opened() -> bool:
    """Whether a person has just gone back or forward to the page's address."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def sync_address() -> None:
    """Write the state to the page's address, if it changed."""
    query = write(st.session_state.to_dict())
    if st.session_state.get(WRITTEN) != query or dict(st.query_params) != query:
        st.session_state[WRITTEN] = query
        st.query_params.from_dict(query)


def page_at(address: str | None) -> str:
    """The page, of PAGES, at an address."""
    name = urlsplit(address or "").path.rstrip("/").rpartition("/")[2]
    return name if name in PAGES else next(iter(PAGES))


def link(address: str | None, state: Mapping[str, Any]) -> str:
    """The whole link to the page at `address`, with what that page shows now."""
    parts = urlsplit(address or "http://localhost:8501/")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, _query(page_at(address), state), ""))


def address(page: str, state: Mapping[str, Any]) -> str:
    """The address of a page of PAGES with what it shows in a state, relative to that of any other page."""
    return f"{page}?{_query(page, state)}"


def _query(page: str, state: Mapping[str, Any]) -> str:
    """What of a state a page's address holds."""
    held = named_in(page) | {"v"}
    return urlencode({name: value for name, value in write(state).items() if name in held}, safe="~")
