"""The brightness of the frames of a stack: a first guess, and what it is where aligned frames show the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from kpnviz.capture import brightness as light
from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.overviews import contact_sheet


def first_brightness(stack: FrameStack, overviews: Sequence[np.ndarray]) -> tuple[FrameStack, np.ndarray]:
    """The stack with the value at which its frames are cut off; and how bright each is, against frame 0."""
    if stack.clipped is None or not stack.encoded:
        sheets = [
            contact_sheet(stack, i, channel=c) for i in range(len(stack)) for c in range(stack.channels)
        ]
        stack = replace(stack, ceiling=light.ceiling(sheets))
    return stack, light.first_gains(overviews, stack.exposures, stack.clipped)


def with_gains(stack: FrameStack, gains: np.ndarray) -> FrameStack:
    """The stack with one gain a frame, [N], for all its channels."""
    return replace(stack, gains=np.repeat(gains[:, None], stack.channels, axis=1))


def made_even(
    stack: FrameStack,
    reference: int,
    motion: Mapping[int, np.ndarray],
    between: Callable[[], object],
) -> FrameStack:
    """The stack with the gains of its frames as they are where the frames show the same, in place of a first guess.

    motion   of frames that were found, by their numbers; of others, gains are what their files state, else 1
    """
    assert stack.gains is not None
    stated = light.stated_gains(stack.exposures)
    gains = np.ones_like(stack.gains)

    def sheets(frame: int) -> tuple[np.ndarray, np.ndarray]:
        field = np.rint(motion[frame]).astype(np.int64)
        planes = [contact_sheet(stack, frame, field, c) for c in range(stack.channels)]
        white = [contact_sheet(stack, frame, field, c, saturated=True) for c in range(stack.channels)]
        black = -np.inf if stack.clipped is None else stack.clipped[0]
        return np.stack(planes), np.logical_or.reduce([*white, *(plane <= black for plane in planes)])

    here, lost_here = sheets(reference)
    for i in range(len(stack)):
        if i == reference:
            continue
        between()
        found = None
        if i in motion:
            there, lost = sheets(i)
            found = light.fit_gains(here, there, lost_here | lost, float(stack.gains[i, 0]))
        if found is not None:
            gains[i] = found
        elif len(stated) == len(gains):
            gains[i] = stated[i] / stated[reference]
    return replace(stack, gains=None if (gains == 1).all() else gains)
