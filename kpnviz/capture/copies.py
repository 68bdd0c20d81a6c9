"""Frames that are there twice: copies of a file, frames that a video repeats. Each counts once.

The noise of a copy is that of its original, so that an estimate of what differs between frames finds too little of it,
and a mean of both averages nothing out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kpnviz.capture.choosing import SAME_AS, listed
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.text import visible

_SAMPLES = 64  # rows and columns that are compared first
_ROWS = 256  # compared at a time
_WINDOW, _PATCH = 64, 8  # px: sides of nine windows all over a frame, and of what the flattest are chosen of
_FLAT, _FEWEST = 1 / 8, 8  # share of the patches, and how many there are at least
_WITHIN = 0.1  # of the noise within a frame: frames that differ by less have one noise
_AMONG = 0.1  # of the most that two frames of the burst differ by


def without_copies(stack: FrameStack, reference: int | None = None) -> tuple[FrameStack, int | None]:
    """The stack with each frame once (:func:`originals`), and sentences on those that are left out; and which of its
    frames the `reference` is now.

    Bursts of which it is known how they were made stay as they are: a synthetic one without noise may be of equal
    frames.
    """
    if stack.known or stack.shifts is not None or stack.truth_place is not None:
        return stack, reference
    first = originals(stack.codes, stack.places)
    kept = [i for i, original in enumerate(first) if original == i]
    if len(kept) == len(first):
        return stack, reference
    notes = []
    for original in kept:
        copies = [visible(stack.names[i]) for i, one in enumerate(first) if one == original != i]
        if copies:
            be, one = "is" if len(copies) == 1 else "are", visible(stack.names[original])
            notes.append(f"{listed(copies)} {be} {SAME_AS} {one}, and {be} left out.")
    if len(kept) == 1:
        notes = [f"All {len(first)} frames are {SAME_AS} {visible(stack.names[0])}, which is used alone."]

    def of_kept(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(values[i] for i in kept) if values else ()

    once = replace(
        stack,
        places=of_kept(stack.places),
        names=of_kept(stack.names),
        exposures=of_kept(stack.exposures),
        exif=of_kept(stack.exif),
        file_notes=(*stack.file_notes, *notes),
    )
    return once, None if reference is None else kept.index(first[reference])


def originals(codes: np.ndarray, places: Sequence[int]) -> list[int]:
    """Of which frame each is a copy, if that comes before it, else its own number; frames are codes[places], [C, H, W].

    Copies have the same codes; or as after another compression, they differ by much less than noise makes frames
    differ: in the flattest patches of 8x8 pixels the second differences of b - a have less than a tenth of the variance
    that those of a and b have together, and everywhere less than a tenth of what those of the two least alike
    frames have (else a still scene of much texture and little noise would be one of copies). Frames of one value are
    nobody's copies: they show nothing.
    """
    count = len(places)
    first = list(range(count))
    shows = [not _flat(codes[place]) for place in places]
    for j in range(count):
        alike = (i for i in range(j) if first[i] == i and shows[i] and shows[j])
        first[j] = next((i for i in alike if _same(codes[places[i]], codes[places[j]])), j)
    others = [i for i in range(count) if first[i] == i and shows[i]]
    if len(others) < 3 or min(codes.shape[2:]) < 3 * _PATCH:
        return first
    edges = {i: _edges(codes[places[i]]) for i in others}
    differ = {(i, j): _differ(edges[i], edges[j]) for i, j in itertools.combinations(others, 2)}
    most = _AMONG * max(everywhere for _, everywhere in differ.values())
    for (i, j), (in_flat, everywhere) in differ.items():
        if first[j] == j and first[i] == i and in_flat < _WITHIN and everywhere < most:
            first = [i if original == j else original for original in first]
    return first


def _flat(frame: np.ndarray) -> bool:
    return bool((_sampled(frame) == frame[:1, :1, :1]).all() and (frame == frame[:1, :1, :1]).all())


def _sampled(frame: np.ndarray) -> np.ndarray:
    down, across = (max(1, n // _SAMPLES) for n in frame.shape[1:])
    return frame[:, ::down, ::across]


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two frames [C, H, W] are the same to the last digit: a sample of them first."""
    if not np.array_equal(_sampled(a), _sampled(b)):
        return False
    parts = (slice(top, top + _ROWS) for top in range(0, a.shape[1], _ROWS))
    return all(np.array_equal(a[:, rows], b[:, rows]) for rows in parts)


def _edges(frame: np.ndarray) -> np.ndarray:
    """Second differences along both axes, of the middle plane in nine windows: [patches, 8, 8] float64.

    They are of every other pixel, so of one color of a mosaic, which else is a texture that all frames share.
    """
    plane = frame[len(frame) // 2]
    h, w = (min(_WINDOW, n // 3) // _PATCH * _PATCH for n in plane.shape)
    windows = []
    for i, j in itertools.product(range(3), repeat=2):
        top, left = (plane.shape[0] - h) * i // 2, (plane.shape[1] - w) * j // 2
        x = np.pad(plane[top : top + h, left : left + w].astype(np.float64), 2, mode="reflect")
        x = x[4:] - 2 * x[2:-2] + x[:-4]
        windows.append(x[:, 4:] - 2 * x[:, 2:-2] + x[:, :-4])
    x = np.stack(windows).reshape(9, h // _PATCH, _PATCH, w // _PATCH, _PATCH)
    return x.swapaxes(2, 3).reshape(-1, _PATCH, _PATCH)


def _differ(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Variance of b - a in the flattest patches, as a share of that of a and of b together; and everywhere."""
    own = (a**2 + b**2).mean(axis=(1, 2))
    difference = ((b - a) ** 2).mean(axis=(1, 2))
    told = np.flatnonzero(own > 0)
    flattest = told[np.argsort(own[told])][: max(int(_FLAT * len(told)), _FEWEST)]
    if len(flattest) < _FEWEST:
        return np.inf, float(difference.mean())
    return float(difference[flattest].sum() / own[flattest].sum()), float(difference.mean())
