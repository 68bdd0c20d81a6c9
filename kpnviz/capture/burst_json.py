"""burst.json, which `kpnviz synth` writes beside its frames: read and checked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from kpnviz.limits import MAX_INTENSITY, MAX_JSON_BYTES, MAX_SHIFT, MIN_WHITE, FileError
from kpnviz.text import one_line, visible

METADATA = "burst.json"
FORMAT, _FIRST_FORMAT = "kpnviz burst 2", "kpnviz burst 1"
"""What burst.json begins with. In the first format the codes of black and white were black_level and white_level."""


def shifts_of(name: str, values: Any, frames: int) -> list[list[float]] | None:
    """(dy, dx) of each frame; integers if all are whole."""
    if values is None:
        return None
    try:
        shifts = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        shifts = np.empty(0)
    if shifts.shape != (frames, 2) or not np.abs(shifts).max() <= MAX_SHIFT:
        raise FileError(f"{name}: shifts are not (dy, dx) of each of the {frames} frames")
    whole = np.rint(shifts).astype(np.int64)
    found: list[list[float]] = (whole if np.array_equal(whole, shifts) else shifts).tolist()
    return found


def white_level_of(name: str, value: Any) -> float:
    """The brightness in scene units that white stands for; 1 where `value` is None."""
    if value is None:
        return 1.0
    try:
        level = float(value)
    except (TypeError, ValueError, OverflowError):
        level = 0.0
    if not MIN_WHITE <= level <= MAX_INTENSITY:
        raise FileError(
            f"{name}: white_level is {visible(value)}; it is a number above 0 ({MIN_WHITE:g} to {MAX_INTENSITY:g})"
        )
    return level


def metadata_of(data: bytes) -> dict[str, Any]:
    """burst.json, checked: {frames, truth, levels, noise, shifts, white_level, recipe}."""
    if len(data) > MAX_JSON_BYTES:
        raise FileError(f"{METADATA} is {len(data) / 1e6:.0f} MB; it cannot be that of a burst")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{METADATA} is not JSON: {one_line(error)}") from error
    if not isinstance(values, dict) or values.get("format") not in (FORMAT, _FIRST_FORMAT):
        raise FileError(f'{METADATA} does not say "format": "{FORMAT}"')
    frames = values.get("frames")
    if not isinstance(frames, list) or not frames or not all(isinstance(name, str) for name in frames):
        raise FileError(f"{METADATA} does not list the names of its frames")
    if len(set(frames)) != len(frames):
        raise FileError(f"{METADATA} lists a frame twice")
    first = values["format"] == _FIRST_FORMAT
    codes = ("black_level", "white_level") if first else ("black_code", "white_code")
    try:
        levels = (float(values[codes[0]]), float(values[codes[1]]))
    except (KeyError, TypeError, ValueError, OverflowError):
        levels = (0.0, 0.0)
    if not (0 <= levels[0] <= levels[1] - 1 <= 65534):
        raise FileError(
            f"{METADATA}: {codes[0]} and {codes[1]} are not codes of 0 to 65535, black below white"
        )
    noise = values.get("noise")
    if noise is not None:
        if not isinstance(noise, list) or not noise:
            raise FileError(f"{METADATA}: noise is not a list with one entry a channel")
        try:
            noise = [(float(one["read_std"]), float(one["shot_gain"])) for one in noise[:4]]
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise FileError(
                f"{METADATA}: noise {visible(noise)} is not one (read_std and shot_gain)"
            ) from error
    truth = values.get("truth")
    return {
        "frames": frames,
        "truth": truth if isinstance(truth, str) else None,
        "levels": levels,
        "noise": noise,
        "shifts": shifts_of(METADATA, values.get("shifts"), len(frames)),
        "white_level": white_level_of(METADATA, None if first else values.get("white_level")),
        "recipe": values.get("recipe"),
    }
