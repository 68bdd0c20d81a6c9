"""How one value is written in a link, and read from a link that anybody may have written.

`write(value, state)` gives the text, `read(entry)` is its inverse. What is not valid becomes the nearest value that is,
or the default, and a sentence in `entry.problems` says so. Limits may depend on what was read before: the place of a
crop on its size. Values of a list are joined by ~ and _, which an address keeps as they are.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kpnviz.lens.payload import OWN_PANELS
from kpnviz.models.checkpoints import current_name
from kpnviz.models.zoo import ZOO
from kpnviz.text import visible
from kpnviz.ui.choices import MAX_METHODS, MAX_SHIFT, Shifts, first_look, shifts_for, sized_methods
from kpnviz.ui.methods import offered_names

State = Mapping[str, Any]
Limit = float | Callable[[State], float]

_QUOTED = 40  # characters of a link in a message
_LIST = 1000  # characters of a list that are read


@dataclass
class Entry:
    """A name and a text of a link that is read, the default, the state read so far, and what was wrong."""

    name: str
    text: str
    default: Any
    state: State
    problems: list[str]

    def wrong(self, problem: str) -> None:
        self.problems.append(f"{self.name} {quoted(self.text)} {problem}")


class Format(Protocol):
    def write(self, value: Any, state: State) -> str: ...

    def read(self, entry: Entry) -> Any: ...


def quoted(text: str) -> str:
    """What a stranger wrote, short."""
    return f"“{visible(text, _QUOTED)}”" if text else "(nothing)"


def _at(limit: Limit, state: State) -> float:
    return limit(state) if callable(limit) else limit


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, rounded to so many digits if that is said."""

    low: Limit
    high: Limit
    digits: int | None = None

    def limits(self, state: State) -> tuple[float, float]:
        return _at(self.low, state), _at(self.high, state)

    def write(self, value: float, state: State) -> str:
        return f"{self.nearest(value, state):.12g}"

    def read(self, entry: Entry) -> float:
        try:
            value = float(entry.text)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            entry.wrong(f"is not a number, {entry.default:g} is shown")
            return float(entry.default)
        nearest = self.nearest(value, entry.state)
        if nearest != value:
            low, high = self.limits(entry.state)
            entry.wrong(f"lies outside {low:g} to {high:g}, {nearest:g} is the nearest")
        return nearest if self.digits is None else round(nearest, self.digits)

    def nearest(self, value: float, state: State) -> float:
        low, high = self.limits(state)
        return float(min(max(value, low), high))  # a slider of them takes no int


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`. In the link it is greater by `offset`: people count from 1."""

    low: Limit
    high: Limit
    offset: int = 0

    def limits(self, state: State) -> tuple[int, int]:
        return round(_at(self.low, state)), round(_at(self.high, state))

    def nearest(self, value: int, state: State) -> int:
        low, high = self.limits(state)
        return min(max(int(value), low), high)

    def write(self, value: int, state: State) -> str:
        return f"{self.nearest(value, state) + self.offset}"

    def read(self, entry: Entry) -> int:
        low, high = self.limits(entry.state)
        default = entry.default + self.offset
        written = Entry(entry.name, entry.text, default, entry.state, entry.problems)
        value = Number(low + self.offset, high + self.offset).read(written)
        if not value.is_integer():
            entry.wrong(f"is not a whole number, {round(value)} is shown")
        return round(value) - self.offset


@dataclass(frozen=True)
class Flag:
    """0 or 1."""

    def write(self, value: bool, state: State) -> str:
        return str(int(value))

    def read(self, entry: Entry) -> bool:
        if entry.text in ("0", "1"):
            return entry.text == "1"
        entry.wrong(f"is not 0 (off) or 1 (on), {int(entry.default)} is shown")
        return bool(entry.default)


@dataclass(frozen=True)
class Choice:
    """One of several values by name. `options` are names, or values by name, or a function that gives them."""

    options: Sequence[str] | Mapping[str, Any] | Callable[[], Sequence[str]]

    def _values(self) -> Mapping[str, Any]:
        options = self.options() if callable(self.options) else self.options
        return options if isinstance(options, Mapping) else {name: name for name in options}

    def write(self, value: Any, state: State) -> str:
        return next((name for name, option in self._values().items() if option == value), "")

    def read(self, entry: Entry) -> Any:
        values = self._values()
        if entry.text in values:
            return values[entry.text]
        if entry.text == entry.default == "":
            return ""
        default = self.write(entry.default, entry.state) or next(iter(values), "")
        nearest = next(iter(difflib.get_close_matches(entry.text[:80], list(values), n=1)), default)
        entry.wrong(f"is unknown, {nearest} is shown")
        return values.get(nearest, entry.default)


@dataclass(frozen=True)
class Nearest:
    """One of some whole numbers."""

    options: Sequence[int]

    def write(self, value: int, state: State) -> str:
        return str(value)

    def read(self, entry: Entry) -> int:
        written = Integer(1, 10**6).read(entry)
        nearest = min(self.options, key=lambda option: abs(option - written))
        if nearest != written:
            entry.problems.append(
                f"{entry.name} {written} is not one of {', '.join(map(str, self.options))}, {nearest} is the nearest"
            )
        return nearest


@dataclass(frozen=True)
class Panel:
    """A picture that a lens shows: that of a method by its name, or one of OWN_PANELS."""

    def write(self, value: str, state: State) -> str:
        return value

    def read(self, entry: Entry) -> str:
        name = current_name(entry.text)
        if name in (entry.default, *OWN_PANELS, *offered_names()):
            return name
        entry.wrong(f"is no picture here, {entry.default or 'the last method'} is shown")
        return str(entry.default)


@dataclass(frozen=True)
class Integers:
    """A set of whole numbers, as a list in order; what is not between the limits is left out."""

    low: Limit
    high: Limit
    what: str

    def write(self, value: Sequence[int], state: State) -> str:
        return "~".join(map(str, sorted(value)))

    def read(self, entry: Entry) -> list[int]:
        low, high = _at(self.low, entry.state), _at(self.high, entry.state)
        parts = entry.text[:_LIST].split("~") if entry.text else []
        numbers = {int(part) for part in parts if part.isdecimal() and part.isascii() and len(part) < 9}
        inside = sorted(number for number in numbers if low <= number <= high)
        if len(inside) != len(parts):
            entry.wrong(f"are not {self.what} of {low:g} to {high:g} joined by ~, others are left out")
        return inside


@dataclass(frozen=True)
class Pixel:
    """(y, x) of a square picture, or None."""

    side: Callable[[State], int]

    def write(self, value: tuple[int, int] | None, state: State) -> str:
        return "" if value is None else f"{value[0]}~{value[1]}"

    def read(self, entry: Entry) -> tuple[int, int] | None:
        pair = _numbers(entry.text, (-1e6, -1e6), (1e6, 1e6))
        if pair is None:
            entry.wrong("is not y~x, none is pinned")
            return None
        last = self.side(entry.state) - 1
        y, x = (min(max(round(value), 0), last) for value in pair)
        if not all(0 <= value <= last for value in pair):
            entry.wrong(f"lies outside the crop, {y}~{x} is the nearest")
        elif [y, x] != pair:
            entry.wrong(f"is not whole, {y}~{x} is the nearest")
        return y, x


@dataclass(frozen=True)
class View:
    """The part of a square picture that a lens shows, [top, left, zoom], or None: all of it."""

    side: Callable[[State], int]

    def write(self, value: Sequence[float] | None, state: State) -> str:
        return "" if value is None else "~".join(f"{number:g}" for number in value)

    def read(self, entry: Entry) -> list[float] | None:
        side = self.side(entry.state)
        view = _numbers(entry.text, (0, 0, 0.4), (side, side, side / 4))
        if view is None:
            entry.wrong("is not top~left~zoom, the whole picture is shown")
        return view


@dataclass(frozen=True)
class ShiftTable:
    """dy~dx of each frame, joined by _."""

    frames: Callable[[State], int]

    def write(self, value: Shifts, state: State) -> str:
        return "_".join(f"{dy}~{dx}" for dy, dx in shifts_for(value, self.frames(state)))

    def read(self, entry: Entry) -> Shifts:
        frames, limit = self.frames(entry.state), (MAX_SHIFT, MAX_SHIFT)
        pairs = [_numbers(text, [-v for v in limit], limit) for text in entry.text[:_LIST].split("_")]
        shifts = [(0, 0) if pair is None else (round(pair[0]), round(pair[1])) for pair in pairs]
        if any(pair and tuple(pair) != shift for pair, shift in zip(pairs, shifts, strict=True)):
            entry.wrong("are not whole, the nearest ones are shown")
        if len(pairs) != frames or None in pairs or shifts[0] != (0, 0):
            entry.wrong(
                f"are not dy~dx of {frames} frames, the first 0~0 and all within ±{MAX_SHIFT}, the frames that are "
                "missing or wrong do not move"
            )
            shifts = [(0, 0), *shifts[1:]]
        return shifts_for(tuple(shifts), frames)


@dataclass(frozen=True)
class Methods:
    """Names of methods."""

    def write(self, value: Sequence[str], state: State) -> str:
        return "~".join(value)

    def read(self, entry: Entry) -> list[str]:
        names = [current_name(name) for name in entry.text[:_LIST].split("~") if name]
        here = offered_names()
        methods = [name for name in dict.fromkeys(names) if name in here][:MAX_METHODS]
        for name in names:
            if name not in here:
                known = "has no trained network here" if name in ZOO else "is unknown here"
                entry.problems.append(f"method {quoted(name)} {known}")
            elif name not in methods:
                entry.problems.append(f"method {quoted(name)} is one too many, {MAX_METHODS} are shown")
        return methods or (entry.default if entry.text else [])  # nothing written: a person chose none


@dataclass(frozen=True)
class Compared:
    """What the page Sizes compares: the left and the right picture, and the frame of the kernels."""

    frames: Callable[[State], int]

    def write(self, value: Mapping[str, Any], state: State) -> str:
        shown = first_look() | dict(value)
        return f"{shown['other']}~{shown['shown']}~{min(shown['frame'], self.frames(state) - 1)}"

    def read(self, entry: Entry) -> dict[str, Any]:
        other, shown, frame = [*entry.text[:_LIST].split("~"), "", ""][:3]
        here = (*sized_methods(), *OWN_PANELS)
        if other in here and shown in here and frame in map(str, range(self.frames(entry.state))):
            return first_look() | {"other": other, "shown": shown, "frame": int(frame)}
        entry.wrong(
            "are not two pictures and a frame joined by ~, the smallest and the largest size are shown"
        )
        return first_look()


@dataclass(frozen=True)
class SizesOff:
    """Kernel sizes that are switched off, by method: its name and sizes joined by dots, methods joined by ~."""

    def write(self, value: Mapping[str, Sequence[int]], state: State) -> str:
        return "~".join(
            ".".join([name, *map(str, sorted(sizes))]) for name, sizes in sorted(value.items()) if sizes
        )

    def read(self, entry: Entry) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        parts = entry.text[:_LIST].split("~") if entry.text else []
        for part in parts:
            match = re.fullmatch(r"(.+?)((?:\.[0-9]{1,2})+)", part)
            name = current_name(match[1]) if match else ""
            sizes = sorted({int(size) for size in match[2][1:].split(".")}) if match else []
            network = ZOO.get(name)  # of another method one learns its sizes only once it has run
            known = sizes if network is None else [size for size in sizes if size in network.sizes]
            if name in offered_names() and known == sizes and name not in found:
                found[name] = sizes
            else:
                entry.problems.append(
                    f"{entry.name} {quoted(part)} is not a method here and some of its kernel sizes"
                )
        return found


@dataclass(frozen=True)
class Moved:
    """frame~dy~dx of a frame that is moved by hand, or None."""

    last: Callable[[State], int]
    most: int

    def write(self, value: Sequence[int] | None, state: State) -> str:
        return "" if value is None else "~".join(map(str, value))

    def read(self, entry: Entry) -> list[int] | None:
        last, most = self.last(entry.state), self.most
        values = _numbers(entry.text, (1, -most, -most), (last, most, most))
        if values is None:
            entry.wrong(
                f"is not frame~dy~dx of a frame of 1 to {last} and within ±{most}, none is moved"
                if last
                else "moves a frame, and the burst has no other than frame 0, none is moved"
            )
            return None
        frame, dy, dx = map(round, values)
        return [frame, dy, dx] if dy or dx else None


def _numbers(text: str, low: Sequence[float], high: Sequence[float]) -> list[float] | None:
    """Numbers joined by ~, within their limits; None if they are not."""
    try:
        values = [float(part) for part in text.split("~")]
    except ValueError:
        return None
    inside = len(values) == len(low) and all(
        a <= value <= b for value, a, b in zip(values, low, high, strict=True)
    )
    return values if inside else None
