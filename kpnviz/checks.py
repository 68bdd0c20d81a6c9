"""Checks of arguments: one sentence that names what was given and what is expected."""

from __future__ import annotations

import contextlib
import numbers
import operator
import sys
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
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # an integer beyond all floats
            if least <= (found := float(value)) <= most:
                return found
    raise ValueError(f"{name} is {visible(repr(value))}; it is a number from {least:g} to {most:g}")


def as_int(name: str, value: Any) -> int:
    """The value as an int; ValueError, one sentence, if it is no whole number."""
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"{name} is {visible(repr(value))}; it must be a whole number") from None


def check_index(name: str, value: Any, count: int, of: str) -> int:
    """The value as an int, if it is an index from 0 to count - 1; else ValueError, one sentence.

    of   the words before the indices that there are: "this field has frames"
    """
    try:
        index = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        index = -1
    if not 0 <= index < count:
        raise ValueError(f"{name} is {visible(repr(value))}; {of} 0 to {count - 1}")
    return index


def as_numpy(values: Any) -> Any:
    """A PyTorch tensor as a NumPy array, without its gradient, from whatever device; all else as it is.

    bfloat16, which NumPy does not have, becomes float32. torch is not imported: without it, there are no tensors.
    """
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(values, torch.Tensor):
        return values
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def check_unmasked(name: str, values: Any, variable: str = "") -> None:
    """ValueError for a masked array some of whose values are masked: what is under the mask would be computed with.

    variable   what the caller's array is called, where `name` is more than that
    """
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name} has masked values; give it values there first: {variable or name}.filled(...)"
        )
