"""Arrays whose axes lie in another order than is expected: which well-known layout fits, and what brings it.

A layout is written as it is in docstrings, with blanks: "N K K H W". An axis may be a product ("K*K", "N*K*K": taps, or
all of a network's output channels, in one axis) or 1 (of a batch of one burst), which come first. Nothing is ever
rearranged: an error ends with what the caller can write.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kpnviz.limits import MAX_KERNEL, MAX_KERNEL_FRAMES

_SHOWN = 2
"""Layouts that are named, if several fit."""

Lengths = dict[str, int | None]
"""Of each axis; None: it follows from no number, as for "N*K*K" of 225, which is 9 frames of 5x5, or 25 of 3x3."""


def how_to_bring(
    name: str,
    array: Any,
    expected: Sequence[str],
    layouts: Sequence[str],
    known: Mapping[str, int] | None = None,
) -> str:
    """The end of an error's sentence: in which of these layouts an array may be, and how it becomes what is expected.

    name      of the array, as the caller calls it
    array     a NumPy array, a PyTorch tensor, whose methods are then named, or what has a shape
    expected  layouts that are taken; the one with the same axes, or one more, is the aim
    layouts   other ones, the most usual first
    known     lengths of axes that are known from elsewhere

    >>> import numpy as np
    >>> how_to_bring("k", np.zeros((64, 48, 8, 5, 5)), ["N K K H W"], ["H W N K K"])
    '; if its axes are [H, W, N, K, K]: k.transpose(2, 3, 4, 0, 1)'

    Empty where none fits.
    """
    found: dict[str, str] = {}
    shape = tuple(array.shape) if hasattr(array, "shape") else np.shape(array)
    for layout in layouts:
        lengths = _lengths(layout, shape, known or {})
        if lengths is None:
            continue
        recipe = _recipe(name, layout, lengths, expected, _is_tensor(array))
        if recipe not in (None, name, *found.values()):
            found[layout] = str(recipe)
    named = [
        f"{'they' if number else 'its axes'} are {shown(layout)}: {recipe}"
        for number, (layout, recipe) in enumerate(list(found.items())[:_SHOWN])
    ]
    return f"; if {', or if '.join(named)}" if named else ""


def shown(layout: str) -> str:
    """'[N, K, K, H, W]' of "N K K H W"."""
    return f"[{', '.join(layout.split())}]"


@dataclass(frozen=True)
class Axes:
    """Layouts of an array: those that are taken, and others that networks and people have, the most usual first."""

    expected: tuple[str, ...]
    others: tuple[str, ...]

    def __str__(self) -> str:
        return " or ".join(map(shown, self.expected))

    def of(self, axes: int) -> Axes:
        """The same where so many axes are expected."""
        return Axes(tuple(one for one in self.expected if len(one.split()) == axes), self.others)

    def hint(self, name: str, array: Any, known: Mapping[str, int] | None = None) -> str:
        """How an array is brought that is in one of the others; see :func:`how_to_bring`."""
        return how_to_bring(name, array, self.expected, self.others, known)


_OTHERS = (
    *("1 N K K H W", "1 N C K K H W"),  # a batch of one burst
    *("H W N K K", "N H W K K", "H W K K N", "1 H W K K N", "1 N H W K K", "N H W C K K", "N C H W K K"),
    *("N K*K H W", "1 N K*K H W", "N C K*K H W", "1 N*K*K H W", "N*K*K H W"),  # as convolutions give them
    *("N H W K*K", "H W N K*K", "1 H W N*K*K", "H W N*K*K"),
    *("K K N H W", "K K H W", "K*K H W", "H W K K", "N K K C H W", "N K K W H", "N C K K W H"),
)
DENSE = Axes(("N K K H W", "N C K K H W"), _OTHERS)
ANY_DENSE = Axes(("K K H W", "N K K H W", "N C K K H W"), _OTHERS)
ONE_CHANNEL = Axes(("N K K H W",), _OTHERS)
FACTORS = Axes(
    ("N K H W", "N C K H W"),
    (
        *("1 N K H W", "1 N C K H W"),
        *("H W N K", "N H W K", "H W K N", "1 H W K N", "1 N H W K", "N K C H W", "N C H W K"),
        *("1 N*K H W", "N*K H W", "H W N*K", "K N H W", "K H W", "H W K", "N K W H", "N C K W H"),
    ),
)
BASIS = Axes(
    ("F N K K",),
    (
        *("1 F N K K", "N F K K", "1 N F K K", "K K N F", "1 K K N F", "K K F N", "N K K F", "F K K N"),
        *("F N K*K", "1 F N K*K", "F N*K*K", "F K K"),
    ),
)
FRAMES = Axes(("N H W", "N C H W"), ("1 N H W", "1 N C H W", "N H W C", "1 N H W C", "H W C", "H W"))
PICTURE = Axes(
    ("H W", "C H W"), ("1 H W", "1 1 H W", "1 C H W", "H W C", "1 H W C", "W H", "C W H", "H W 1", "1 H W 1")
)
COEFFICIENTS = Axes(("F H W",), ("1 F H W", "H W F", "1 H W F", "F W H"))


def _is_tensor(array: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def _lengths(layout: str, shape: tuple[int, ...], known: Mapping[str, int]) -> Lengths | None:
    """The length of each axis, if an array of this shape can have the layout; else None."""
    axes = layout.split()
    if len(axes) != len(shape):
        return None
    lengths: Lengths = {}
    products: list[tuple[str, int]] = []
    for axis, length in zip(axes, shape, strict=True):
        if axis.isdecimal():
            if length != int(axis):
                return None
        elif "*" in axis:
            products.append((axis, length))
        elif lengths.setdefault(axis, length) != length:
            return None
    for axis, length in products:
        if not _factorize(axis.split("*"), length, lengths, known):
            return None
    if any(lengths.get(axis, length) not in (length, None) for axis, length in known.items()):
        return None
    K, N, C = (lengths.get(axis) for axis in "KNC")
    if K is not None and not _is_side(K):
        return None
    if (K is not None and N is not None and N > MAX_KERNEL_FRAMES) or C not in (None, 1, 3):
        return None
    # Of H and W exchanged with the kernels' axes, the picture is the larger one.
    return None if K is not None and any((lengths.get(axis) or K) < K for axis in "HW") else lengths


def _is_side(K: int) -> bool:
    return K % 2 == 1 and 3 <= K <= MAX_KERNEL


def _factorize(names: list[str], product: int, lengths: Lengths, known: Mapping[str, int]) -> bool:
    """Set the lengths of axes "K*K", "N*K" or "N*K*K" that were made one; whether there are any."""
    power = names.count("K")
    if "N" not in names:
        K = math.isqrt(product)
        return K**power == product and lengths.setdefault("K", K) == K
    pairs = {
        (product // K**power, K)
        for K in range(3, MAX_KERNEL + 1, 2)
        if product % K**power == 0
        and 1 <= product // K**power <= MAX_KERNEL_FRAMES
        and all(known.get(axis, n) == n for axis, n in zip("NK", (product // K**power, K), strict=True))
    }
    lengths["N"], lengths["K"] = pairs.pop() if len(pairs) == 1 else (None, None)
    return bool(pairs) or lengths["N"] is not None


def _recipe(name: str, layout: str, lengths: Lengths, expected: Sequence[str], tensor: bool) -> str | None:
    """Python that brings an array from a layout to the expected one of the same axes; None if there is none."""
    axes = layout.split()
    while axes[0] == "1":
        name, axes = f"{name}[0]", axes[1:]
    while axes[-1] == "1":
        name, axes = f"{name}[..., 0]", axes[:-1]
    parts = [axis.split("*") for axis in axes]
    split = [part for axis in parts for part in axis]
    # The aim with the same axes; or with one more, of which there is one: of a single frame, say.
    aim, more = next(
        (
            (aim, list(missing.elements()))
            for aim in sorted((one.split() for one in expected), key=len)
            if not Counter(split) - Counter(aim) and (missing := Counter(aim) - Counter(split)).total() <= 1
        ),
        ([], []),
    )
    if not aim or "K" in more:
        return None
    if more:
        name, parts, split = f"{name}[None]", [more, *parts], [*more, *split]

    def written(axis: str) -> str:
        return str(axis if lengths.get(axis, 1) is None else lengths.get(axis, 1))

    for place in [place for place, axis in enumerate(parts) if len(axis) > 1]:
        if tensor:
            name += f".unflatten({place}, ({', '.join(map(written, parts[place]))}))"
        else:
            name += f".reshape({', '.join(map(written, split))})"
    order = []
    for axis in aim:  # the first K is dy, the second dx, in every layout
        order.append(next(place for place, one in enumerate(split) if one == axis and place not in order))
    if order != sorted(order):
        name += f".{'permute' if tensor else 'transpose'}({', '.join(map(str, order))})"
    return name
