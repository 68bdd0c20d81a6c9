"""Checks of arguments: one sentence that names what was given and what is expected."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from kpnviz.text import visible


def check_int(name: str, value: Any, least: int, most: int) -> int:
    """The value, if it is an integer from `least` to `most` (of Python or NumPy); else ValueError, one sentence."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        found = int(value)
        if least <= found <= most:
            return found
    raise ValueError(f"{name} is {visible(repr(value))}; it is a whole number from {least} to {most}")


def check_float(name: str, value: Any, least: float, most: float) -> float:
    """The value, if it is a number from `least` to `most` (of Python or NumPy); else ValueError, one sentence."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not least <= float(value) <= most:
        raise ValueError(f"{name} is {visible(repr(value))}; it is a number from {least:g} to {most:g}")
    return float(value)


def check_unmasked(name: str, values: Any) -> None:
    """ValueError for a masked array some of whose values are masked: what is under the mask would be computed with."""
    if np.ma.is_masked(values):
        raise ValueError(f"{name} has masked values; give it values there first: {name}.filled(...)")
