"""The state of a session as a link: a versioned query string that is checked when it is opened.

    ?v=1&photo=dog&top=64&left=64&crop=128&frames=8&gain=4&shake=paper&moving=0&seed=0&methods=kpn~mkpn&pixel=60~72

Shifts by hand are dy~dx of each frame, joined by _ (the characters that a query string keeps as they are). A link
names every control, so that it keeps its meaning when a default changes.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from kpnviz.lens.payload import COMPARE, DISPLAY, LOOKS, Pixel
from kpnviz.models.checkpoints import available, current_name
from kpnviz.models.zoo import ZOO
from kpnviz.photos import gallery, read_scene
from kpnviz.text import visible
from kpnviz.ui.controls import (
    BY_HAND,
    CROPS,
    DEFAULTS,
    KERNEL_VIEWS,
    MAX_FRAMES,
    MAX_GAIN,
    MAX_IF_SHIFT,
    MAX_METHODS,
    MAX_SEED,
    MAX_SHIFT,
    REDUCTION,
    SHAKES,
    WHAT_IF,
    Shifts,
    default_methods,
    shifts_for,
)
from kpnviz.ui.lessons import LESSONS
from kpnviz.ui.size_stage import first_look, sized_methods
from kpnviz.ui.state import (
    CROP,
    FRAMES,
    GAIN,
    IF_DROPPED,
    IF_DX,
    IF_DY,
    IF_FRAME,
    IF_METHOD,
    IF_SIZES,
    KERNELS_VIEW,
    LEFT,
    LENS_DISPLAY,
    LESSON,
    LINK_PROBLEM,
    METHODS,
    MOVING,
    PHOTO,
    PIXEL,
    SEED,
    SHAKE,
    SHIFTS,
    SIZES_DISPLAY,
    TEACH,
    TOP,
    WRITTEN,
)

VERSION = "1"

_SHAKE_NAMES = {"±2": "small", BY_HAND: "hand"}  # others are written as they are
_SHAKES = {_SHAKE_NAMES.get(label, label): label for label in (*SHAKES, BY_HAND)}
_MODES = ("picture", "signed", "absolute", "kernels")
_LENS = (
    "frame",
    "mode",
    "against",
    "stops",
    "linear",
    "view",
    "compare",
    "shown",
    "other",
    "look",
    "assumed",
)
_KNOWN = {
    *{"v", *DEFAULTS, "methods", "pixel", "teach", *_LENS},
    *{KERNELS_VIEW, IF_METHOD, *WHAT_IF, LESSON, "sizes"},
}
_SCENE = frozenset({*DEFAULTS, "methods", "pixel"})
OF_PAGE = {
    "explore": _SCENE | {*_LENS},
    "kernels": _SCENE | {KERNELS_VIEW, IF_METHOD, *WHAT_IF},
    "noise": _SCENE,
    "sizes": _SCENE - {"methods"} | {"sizes"},
    "results": frozenset(),
    "learn": frozenset({LESSON}),
    "your_burst": frozenset(),
}
"""What of the state each page shows, by names of the query: a link that is given away holds that, the version and
teacher mode. (The address of the page holds all, so that nothing is lost when it is loaded again.)"""

_FIRST_VIEW = next(iter(KERNEL_VIEWS))
_MAX_SIZE = 99  # of a kernel, pixels a side: what a network has is seen where it is shown
_MAX_STOPS = (-2.0, 4.0)
_ASSUMED = (-2.0, 2.0)


def write(state: Mapping[str, Any]) -> dict[str, str]:
    """The query of a state: its scene, methods and pinned pixel, and where not as usual, how the lens shows it, the
    view and the what-if of Kernels, and the lesson."""
    query = {
        "v": VERSION,
        "photo": state[PHOTO],
        **{name: str(state[name]) for name in (TOP, LEFT, CROP)},
        "frames": str(state[FRAMES]),
        "gain": f"{state[GAIN]:g}",
        "shake": _SHAKE_NAMES.get(state[SHAKE], state[SHAKE]),
        "moving": str(int(state[MOVING])),
        "seed": str(state[SEED]),
        "methods": "~".join(state[METHODS]),
    }
    if state[SHAKE] == BY_HAND:
        shifts = shifts_for(state[SHIFTS], state[FRAMES])
        query["shifts"] = "_".join(f"{dy}~{dx}" for dy, dx in shifts)
    if state.get(PIXEL) is not None:
        query["pixel"] = "~".join(map(str, state[PIXEL]))
    display = DISPLAY | (state.get(LENS_DISPLAY) or {})
    for name in _LENS:
        value = display[name]
        if value != DISPLAY[name]:
            query[name] = "~".join(f"{v:g}" for v in value) if name == "view" else f"{value}"
    if "linear" in query:
        query["linear"] = "1"
    titles = {title: name for name, title in KERNEL_VIEWS.items()}
    view = titles.get(state.get(KERNELS_VIEW, ""), _FIRST_VIEW)
    if view != _FIRST_VIEW:
        query[KERNELS_VIEW] = view
    if state.get(IF_METHOD):
        query[IF_METHOD] = state[IF_METHOD]
    for name, usual in WHAT_IF.items():
        value = state.get(name, usual)
        if value != usual:
            query[name] = "~".join(map(str, sorted(value))) if isinstance(usual, list) else f"{int(value)}"
    compared = _compared(state.get(SIZES_DISPLAY) or {}, state[FRAMES])
    if compared != _compared({}, state[FRAMES]):
        query["sizes"] = compared
    if state.get(LESSON):
        query[LESSON] = f"{state[LESSON] + 1}"
    if state.get(TEACH):
        query["teach"] = "1"
    return query


def _compared(display: Mapping[str, Any], frames: int) -> str:
    """What the page Sizes compares: the left and the right picture, and the frame of the kernels."""
    shown = first_look() | dict(display)
    return f"{shown['other']}~{shown['shown']}~{min(shown['frame'], frames - 1)}"


def read(query: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """The state that a query stands for, or the nearest valid one, and a sentence on what was wrong ("" if nothing).

    The sentence is plain text: it quotes the link.
    """
    reader = _Reader(query)
    version = query.get("v", VERSION)
    if version != VERSION:
        reader.wrong(f"it is of version {_quoted(version)}, and version {VERSION} is read here")
    for name in query:
        if name not in _KNOWN:
            reader.wrong(f"{_quoted(name)} means nothing here")

    state: dict[str, Any] = {"photo": reader.choice("photo", gallery(), DEFAULTS[PHOTO])}
    height, width = read_scene(state[PHOTO], REDUCTION).shape
    side = reader.whole("crop", 1, 10**6, DEFAULTS[CROP])
    state[CROP] = min(CROPS, key=lambda crop: abs(crop - side))
    if side != state[CROP]:
        reader.wrong(
            f"crop {side} is not one of {', '.join(map(str, CROPS))}, {state['crop']} is the nearest"
        )
    size = min(state[CROP], height, width)
    state[TOP] = reader.whole("top", 0, height - size, min(DEFAULTS[TOP], height - size))
    state[LEFT] = reader.whole("left", 0, width - size, min(DEFAULTS[LEFT], width - size))
    state[FRAMES] = reader.whole("frames", 1, MAX_FRAMES, DEFAULTS[FRAMES])
    state[GAIN] = round(reader.number("gain", 1.0, MAX_GAIN, DEFAULTS[GAIN]), 1)
    state[SHAKE] = _SHAKES[reader.choice("shake", tuple(_SHAKES), DEFAULTS[SHAKE])]
    if state[SHAKE] == BY_HAND:
        state[SHIFTS] = reader.shifts(state[FRAMES])
    state[MOVING] = bool(reader.whole("moving", 0, 1, 0))
    state[SEED] = reader.whole("seed", 0, MAX_SEED, DEFAULTS[SEED])
    state[METHODS] = reader.methods()
    state[PIXEL] = reader.pixel(size)
    state[TEACH] = bool(reader.whole("teach", 0, 1, 0))
    state[LENS_DISPLAY] = reader.display(size, state[FRAMES])
    state[SIZES_DISPLAY] = reader.sizes(state[FRAMES])
    state[KERNELS_VIEW] = KERNEL_VIEWS[reader.choice(KERNELS_VIEW, tuple(KERNEL_VIEWS), _FIRST_VIEW)]
    state |= reader.what_if(state[FRAMES])
    state[LESSON] = reader.whole(LESSON, 1, len(LESSONS), 1) - 1
    problems = "; ".join(reader.problems)
    return state, f"Not all of this link could be followed: {problems}." if problems else ""


class _Reader:
    """Values of a query; what is not valid becomes the nearest that is, and is noted."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.query = query
        self.problems: list[str] = []

    def wrong(self, problem: str) -> None:
        self.problems.append(problem)

    def choice(self, name: str, options: Sequence[str], default: str) -> str:
        said = self.query.get(name, default)
        if said in options:
            return said
        nearest = next(iter(difflib.get_close_matches(said[:80], options, n=1)), default)
        self.wrong(f"{name} {_quoted(said)} is unknown, {nearest} is shown")
        return nearest

    def number(self, name: str, low: float, high: float, default: float) -> float:
        said = self.query.get(name)
        if said is None:
            return default
        try:
            value = float(said)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            self.wrong(f"{name} {_quoted(said)} is not a number, {default:g} is shown")
            return default
        nearest = min(max(value, low), high)
        if nearest != value:
            self.wrong(f"{name} {_quoted(said)} lies outside {low:g} to {high:g}, {nearest:g} is the nearest")
        return nearest

    def whole(self, name: str, low: int, high: int, default: int) -> int:
        return round(self.number(name, low, high, default))

    def pair(self, text: str, low: Sequence[float], high: Sequence[float]) -> list[float] | None:
        """Numbers joined by ~, within their bounds; None if they are not."""
        try:
            values = [float(part) for part in text.split("~")]
        except ValueError:
            return None
        inside = len(values) == len(low) and all(
            a <= value <= b for value, a, b in zip(values, low, high, strict=True)
        )
        return values if inside else None

    def shifts(self, frames: int) -> Shifts:
        said = self.query.get("shifts", "")
        limit = (MAX_SHIFT, MAX_SHIFT)
        pairs = [self.pair(text, [-v for v in limit], limit) for text in said[:1000].split("_")]
        shifts = [(0, 0) if pair is None else (round(pair[0]), round(pair[1])) for pair in pairs]
        if len(pairs) != frames or None in pairs or shifts[0] != (0, 0):
            self.wrong(
                f"shifts {_quoted(said)} are not dy~dx of {frames} frames, the first 0~0 and all within "
                f"±{MAX_SHIFT}, the frames that are missing or wrong do not move"
            )
            shifts = [(0, 0), *shifts[1:]]
        return shifts_for(tuple(shifts), frames)

    def methods(self) -> list[str]:
        if "methods" not in self.query:
            return default_methods()
        said = [current_name(name) for name in self.query["methods"].split("~") if name]
        here = available()
        methods = [name for name in dict.fromkeys(said) if name in here][:MAX_METHODS]
        for name in said:
            if name not in here:
                known = "has no trained network here" if name in ZOO else "is unknown"
                self.wrong(f"method {_quoted(name)} {known}")
            elif name not in methods:
                self.wrong(f"method {_quoted(name)} is one too many, {MAX_METHODS} are shown")
        return methods or default_methods()

    def pixel(self, size: int) -> Pixel | None:
        said = self.query.get("pixel")
        if said is None:
            return None
        pair = self.pair(said, (-1e6, -1e6), (1e6, 1e6))
        if pair is None:
            self.wrong(f"pixel {_quoted(said)} is not y~x, none is pinned")
            return None
        y, x = (min(max(round(value), 0), size - 1) for value in pair)
        if (y, x) != (pair[0], pair[1]):
            self.wrong(f"pixel {_quoted(said)} lies outside the crop, {y}~{x} is the nearest")
        return y, x

    def numbers(self, name: str, low: int, high: int, what: str) -> list[int]:
        """Whole numbers joined by ~, in order; those that are not within their bounds are left out."""
        said = self.query.get(name, "")
        parts = said[:400].split("~") if said else []
        numbers = {int(part) for part in parts if part.isdecimal() and part.isascii() and len(part) < 9}
        inside = sorted(number for number in numbers if low <= number <= high)
        if len(inside) != len(parts):
            self.wrong(
                f"{name} {_quoted(said)} are not {what} of {low} to {high} joined by ~, others are left out"
            )
        return inside

    def sizes(self, frames: int) -> dict[str, Any]:
        """The pictures and the frame of the page Sizes."""
        if "sizes" not in self.query:
            return first_look()
        said = self.query["sizes"]
        other, shown, frame = [*said[:200].split("~"), "", ""][:3]
        here = (*sized_methods(), "frame", "mean", "truth")
        if other in here and shown in here and frame in map(str, range(frames)):
            return first_look() | {"other": other, "shown": shown, "frame": int(frame)}
        self.wrong(
            f"sizes {_quoted(said)} are not two pictures and a frame joined by ~, the smallest and the largest size "
            "are shown"
        )
        return first_look()

    def what_if(self, frames: int) -> dict[str, Any]:
        state = {
            name: bool(self.whole(name, 0, 1, usual)) if isinstance(usual, bool) else usual
            for name, usual in WHAT_IF.items()
        }
        state[IF_DROPPED] = self.numbers(IF_DROPPED, 0, frames - 1, "frames")
        state[IF_SIZES] = self.numbers(IF_SIZES, 1, _MAX_SIZE, "kernel sizes")
        state[IF_FRAME] = self.whole(IF_FRAME, 0, frames - 1, min(WHAT_IF[IF_FRAME], frames - 1))
        for name in (IF_DY, IF_DX):
            state[name] = self.whole(name, -MAX_IF_SHIFT, MAX_IF_SHIFT, 0)
        if IF_METHOD in self.query and available():
            state[IF_METHOD] = self.choice(IF_METHOD, available(), available()[-1])
        return state

    def display(self, size: int, frames: int) -> dict[str, Any]:
        display: dict[str, Any] = {
            "frame": self.whole("frame", 0, frames - 1, 0),
            "mode": self.choice("mode", _MODES, "picture"),
            "stops": self.number("stops", *_MAX_STOPS, 0.0),
            "linear": bool(self.whole("linear", 0, 1, 0)),
            "against": self.query.get("against", DISPLAY["against"])[:40],
            "view": None,
            "compare": self.choice("compare", COMPARE, DISPLAY["compare"]),
            "shown": self.query.get("shown", DISPLAY["shown"])[:40],
            "other": self.query.get("other", DISPLAY["other"])[:40],
            "look": self.choice("look", LOOKS, DISPLAY["look"]),
            "assumed": self.number("assumed", *_ASSUMED, 0.0),
        }
        if "view" in self.query:
            display["view"] = self.pair(self.query["view"], (0, 0, 1), (size, size, size / 4))
            if display["view"] is None:
                self.wrong(
                    f"view {_quoted(self.query['view'])} is not top~left~zoom, the whole picture is shown"
                )
        return {name: value for name, value in display.items() if value != DISPLAY[name]}


def _quoted(text: str) -> str:
    """What a stranger wrote, short."""
    return f"“{visible(text, 40)}”" if text else "(nothing)"


def open_session() -> None:
    """Put the state of the page's address, or else the defaults, into the session; called before every page.

    The address is read when the session starts and when a person goes back or forward in the browser; changes
    of the controls are written to it, so that a page that is loaded again shows the same.
    """
    state = st.session_state
    query = {name: st.query_params[name] for name in st.query_params}
    context = get_script_run_ctx()
    # A query other than the one written is not enough: what the browser sent before it heard of a change still has the
    # query before, and would take the change back.
    moved = bool(query) and context is not None and context.is_history_navigation
    if WRITTEN not in state or moved:
        found, state[LINK_PROBLEM] = read(query)
        named = set(query)
        for key, value in found.items():
            if moved or _is_named(key, named):
                state[key] = value
    for key, value in (DEFAULTS | {PIXEL: None, LENS_DISPLAY: {}, TEACH: False}).items():
        state.setdefault(key, value)
    state.setdefault(METHODS, default_methods())
    sync_address()


def _is_named(key: str, named: Iterable[str]) -> bool:
    if key == SIZES_DISPLAY:
        return "sizes" in named
    return key in named or (key == LENS_DISPLAY and bool(set(_LENS) & set(named)))


def sync_address() -> None:
    """Write the state to the page's address, if it changed."""
    query = write(st.session_state.to_dict())
    if st.session_state.get(WRITTEN) != query or dict(st.query_params) != query:
        st.session_state[WRITTEN] = query
        st.query_params.from_dict(query)


def page_at(address: str | None) -> str:
    """The page, of OF_PAGE, at an address."""
    name = urlsplit(address or "").path.rstrip("/").rpartition("/")[2]
    return name if name in OF_PAGE else "explore"


def link(address: str | None, state: Mapping[str, Any]) -> str:
    """The whole link to the page at `address`, with what that page shows now."""
    parts = urlsplit(address or "http://localhost:8501/")
    names = OF_PAGE[page_at(address)] | {"v", "teach"}
    query = {name: value for name, value in write(state).items() if name in names}
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(query, safe="~"), ""))
