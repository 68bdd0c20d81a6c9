"""From frames on disk to what a network takes: which frames, aligned how, of what brightness."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from kpnviz.capture.black_level import with_black_told
from kpnviz.capture.brightness import first_gains
from kpnviz.capture.choosing import best_reference
from kpnviz.capture.defects import mended
from kpnviz.capture.displaced_reading import blocks, nothing
from kpnviz.capture.frame_gains import first_brightness, made_even, with_gains
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.noise_estimation import NoiseFit, fit_of_one_frame
from kpnviz.capture.overviews import contact_sheet, overview, overview_factors, sharpness
from kpnviz.capture.own_burst import LEAST_ALIGNED, OwnBurst
from kpnviz.capture.pairs import Pairs
from kpnviz.capture.placing import Places, place_frames
from kpnviz.noise import NoiseModel
from kpnviz.threads import in_this_thread, results

_MUCH_WHITE = 0.05  # of the pixels of a frame


def prepare(
    stack: FrameStack,
    frames: int | None = None,
    align: bool | None = None,
    between: Callable[[], object] = nothing,
    brightness: bool | None = None,
    reference: int | None = None,
    mend: bool | None = None,
    progress: Callable[[float, str], object] = nothing,
) -> OwnBurst:
    """Find the reference, align, make frames alike in brightness, choose frames.

    Shifts are found on at most 1 megapixel of each frame, displacements that differ over the picture on frames of half
    the size, brightness on nine windows of 256x256 pixels.

    frames   that the network takes, see :meth:`OwnBurst.taking`; None: any number
    align    undo displacements beyond the kernels' reach; None: for bursts of one's own, not for synthetic ones,
             whose misalignment is what one looks at
    between  called between parts of the work, each of which takes a second or so; raise in it to end the work
    brightness   undo differences of brightness and white balance; None: for bursts of one's own
    reference    the frame that is to be the reference; None: chosen
    mend         mend hot pixels and fixed columns of the sensor, found over the burst (defects.mended); None:
                 for bursts of one's own. Of one frame nothing can be told
    progress     called with the share that is done, 0..1, and what is done now

    The reference is the sharpest frame of those that show the scene that most show, of a bracketed burst the sharpest
    of the middle exposure; of a synthetic burst it is its frame 0. Where frames are aligned, one for which nothing is
    found is left out. ValueError for a reference that is not to be chosen.
    """
    total, own, chosen = len(stack), not stack.known, reference is not None
    between, progress = in_this_thread(between), in_this_thread(progress)
    progress(0.0, f"Looking at {total} frame{'s' if total > 1 else ''}")
    stack = replace(stack, gains=None, ceiling=None, mended=None, defect_notes=())
    overviews = results(lambda i: overview(stack, i, between=between), range(total))
    scores = tuple(results(sharpness, overviews))
    even = own if brightness is None else brightness
    gains = np.ones(total)
    if even:
        stack, gains = first_brightness(stack, overviews)

    fit = functools.cache(functools.partial(_fit_of_frame, stack))

    def noises(frame: int) -> NoiseModel:
        return _noise_at_first(stack, fit(frame))

    if reference is None:
        reference = 0
        if own:
            reduced = 1 / float(np.prod(overview_factors(stack))) ** 0.5
            reference = best_reference(
                overviews, scores, gains, stack.clipped, lambda i: noises(i).scaled(reduced)
            )
    elif reference != 0 and (stack.shifts is not None or stack.truth_place is not None):
        raise ValueError(
            f"reference is {stack.names[reference]}; what is known of this burst is of its frame 0"
        )
    noise = noises(reference)  # its gain is 1
    if even:
        gains = gains / gains[reference]
        stack = with_gains(stack, gains)
        overviews = [image / np.float32(gain) for image, gain in zip(overviews, gains, strict=True)]

    pairs = Pairs(stack, reference, overviews, gains, noise, between)
    if total > 1 and (own if mend is None else mend):
        progress(0.15, "Looking for hot pixels and fixed columns")
        stack = mended(stack, pairs.moves(), between)
        pairs = pairs.of(stack)

    undo = (own if align is None else align) and min(stack.height, stack.width) >= LEAST_ALIGNED
    edges, empty = pairs.what_frames_show() if undo and total > 1 else (True, False)
    places = place_frames(pairs, undo, edges, lambda share, text: progress(0.3 + 0.6 * share, text))

    progress(0.9, "Comparing the brightness of the frames")
    if even:
        stack = made_even(stack, reference, places.found(), between)
    told = with_black_told(stack, places.found(), reference, between)
    if told.encoded != stack.encoded:  # light is another one
        given = reference if chosen else None
        return prepare(replace(told, gains=None), frames, align, between, brightness, given, mend, progress)
    if told.levels != stack.levels:
        if even:
            told = _even_from_another_black(told, stack, pairs, places)
        noise = _noise_at_first(told, _fit_of_frame(told, reference))
    # What the reference shows by itself is asked once more where the noise is estimated.
    alone = fit(reference) if told is stack and stack.mended is None else None
    stack = told

    shifts = places.shifts
    if even:
        shifts = [replace(shift, brightness=stack.gain(i, GRAY)) for i, shift in enumerate(shifts)]
    lost = frozenset(i for i, shift in enumerate(shifts) if undo and own and shift.measured is None)
    burst = OwnBurst(
        stack,
        (reference,),
        tuple(shifts),
        scores,
        places.motion,
        places.displacements,
        left_out=lost,
        chosen=chosen,
        unmended=mend is False and own,
        white=frozenset(
            i
            for i in (range(total) if empty else lost)
            if contact_sheet(stack, i, saturated=True).mean() > _MUCH_WHITE
        ),
        layers=places.layers(stack, reference, noise, between),
        empty=empty,
        fine=places.fine,
        alone=alone,
    )
    return burst.taking(frames)


def _fit_of_frame(stack: FrameStack, frame: int) -> NoiseFit | None:
    """What a frame shows of its noise by itself; None where that is stated, or nothing is seen."""
    if stack.channel_noise(GRAY) is not None:
        return None
    try:
        return fit_of_one_frame(blocks(stack, frame, GRAY), stack.clipped)
    except ValueError:  # too small or too smooth to tell
        return None


def _noise_at_first(stack: FrameStack, alone: NoiseFit | None) -> NoiseModel:
    """The noise before anything is aligned: as stated, or as a frame shows it alone, or else any."""
    return stack.channel_noise(GRAY) or (NoiseModel.for_gain(1) if alone is None else alone.noise)


def _even_from_another_black(told: FrameStack, stack: FrameStack, pairs: Pairs, places: Places) -> FrameStack:
    """A stack as it is `told` now, with the gains that its frames have: what was added to all of them alike had its
    part in those of the `stack` before."""
    lights = [
        told.relit(image * np.float32(gain), stack)
        for image, gain in zip(pairs.overviews, pairs.gains, strict=True)
    ]
    gains = first_gains(lights, told.exposures, told.clipped)
    told = with_gains(told, gains / gains[pairs.reference])
    return made_even(told, pairs.reference, places.found(), pairs.between)
