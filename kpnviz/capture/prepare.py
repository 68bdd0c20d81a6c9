"""From frames on disk to what a network takes: which frames, aligned how, with what noise."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kpnviz.burst import Burst
from kpnviz.capture import brightness as light
from kpnviz.capture.alignment import find_shift, lies_on, what_is_shared
from kpnviz.capture.black_level import with_black_told
from kpnviz.capture.choosing import LEFT_OUT, SAME_AS, largest_scene, reference_of
from kpnviz.capture.copies import without_copies
from kpnviz.capture.defects import mended
from kpnviz.capture.displaced_reading import blocks, nothing, read_displaced, read_shifted
from kpnviz.capture.fine_motion import at_places, bent_model, find_turn, motion_of_turn, refined_motion
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import (
    CELL,
    TOLERANCE,
    Pyramid,
    camera_of,
    displaced,
    find_tiles,
    motion_of,
    pyramid,
    structure_of,
    whole_blocks,
)
from kpnviz.capture.noise_estimation import noise_of_one_frame
from kpnviz.capture.own_burst import LEAST_ALIGNED, REACH, OwnBurst, Shift
from kpnviz.capture.parallax import Layers, Search
from kpnviz.capture.reader import files_of, read_frames
from kpnviz.limits import Limits
from kpnviz.noise import NoiseModel, stabilize
from kpnviz.sampling import box_reduce, reduction
from kpnviz.text import escaped
from kpnviz.threads import in_this_thread, results

_OVERVIEW_PIXELS = 1_000_000
_OTHER_BRIGHTNESS = 0.1  # EV
_BELOW_WHITE = 0.9  # of white: means of pixels that lie beyond hold some that are cut off
_MUCH_WHITE = 0.05  # of the pixels of a frame
_BY_NOISE = 4.0  # px
_MOVED = 0.75  # px by which a scene has left its place
_SCENE_PIXELS = 40_000  # on which frames of other scenes are found
_TOLD_PIXELS = 250_000  # on which it is told whether frames show anything
_COARSE_PIXELS = 10_000  # on which a turned camera is looked for
_LEAST_SIDE = 128  # px: smaller frames are shifted as a whole
_PART_PIXELS = 2_000_000  # of a frame that are in memory at a time
_SHEET = 256  # px: side of a window that shifts are found on


def overview(
    stack: FrameStack,
    frame: int,
    channel: int = GRAY,
    pixels: int | None = None,
    between: Callable[[], object] = nothing,
    factors: tuple[int, int] | None = None,
) -> np.ndarray:
    """A frame in linear light, box-reduced by `factors`, or to at most `pixels`: [h, w] float32. It is read in parts;
    `between` is called before each."""
    factors = factors or reduction(stack.height, stack.width, pixels or _OVERVIEW_PIXELS)
    down, across = factors
    h, w = stack.height // down, stack.width // across
    wide = min(w, max(1, _PART_PIXELS // (down * across)))
    high = max(1, _PART_PIXELS // (down * across * wide))
    small = np.empty((h, w), dtype=np.float32)
    for top, left in itertools.product(range(0, h, high), range(0, w, wide)):
        between()
        bottom, right = min(top + high, h), min(left + wide, w)
        rows, columns = slice(top * down, bottom * down), slice(left * across, right * across)
        small[top:bottom, left:right] = box_reduce(stack.light(frame, channel, rows, columns), factors)
    return small


def sharpness(image: np.ndarray) -> float:
    """Energy of the edges of a picture [H, W] against its brightness; noise is averaged down first."""
    small = box_reduce(image, min(4, *image.shape))
    dy, dx = np.diff(small, axis=0), np.diff(small, axis=1)
    energy = float((dy**2).sum(dtype=np.float64) + (dx**2).sum(dtype=np.float64)) / small.size
    return energy / max(float(small.mean(dtype=np.float64)) ** 2, 1e-12)


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
    total = len(stack)
    between, progress = in_this_thread(between), in_this_thread(progress)
    progress(0.0, f"Looking at {total} frame{'s' if total > 1 else ''}")
    overviews = results(lambda i: overview(stack, i, between=between), range(total))
    scores = tuple(results(sharpness, overviews))
    stack = replace(stack, gains=None, ceiling=None, mended=None, defect_notes=())
    even = not stack.known if brightness is None else brightness
    gains = np.ones(total)
    if even:
        if stack.clipped is None or not stack.encoded:
            sheets = [
                _contact_sheet(stack, i, channel=c) for i in range(total) for c in range(stack.channels)
            ]
            stack = replace(stack, ceiling=light.ceiling(sheets))
        gains = light.first_gains(overviews, stack.exposures, stack.clipped)
    apply = not stack.known if align is None else align
    apply = apply and min(stack.height, stack.width) >= LEAST_ALIGNED
    chosen = reference is not None
    noises = functools.cache(functools.partial(_noise_at_first, stack))
    if reference is None:
        reference = 0 if stack.known else _best_reference(stack, overviews, gains, scores, noises)
    elif reference != 0 and (stack.shifts is not None or stack.truth_place is not None):
        raise ValueError(
            f"reference is {stack.names[reference]}; what is known of this burst is of its frame 0"
        )
    if even:
        gains = gains / gains[reference]
        stack = replace(stack, gains=np.repeat(gains[:, None], stack.channels, axis=1))
        overviews = [image / np.float32(gain) for image, gain in zip(overviews, gains, strict=True)]
    noise = noises(reference)  # its gain is 1

    def pair(frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Overviews of the reference and a frame; of other brightness, both cut off where either is white."""
        a, b, gain = overviews[reference], overviews[frame], float(gains[frame])
        if stack.clipped is None or abs(np.log2(gain)) < _OTHER_BRIGHTNESS:
            return a, b
        top = np.float32(_BELOW_WHITE * stack.clipped[1] / max(gain, 1.0))
        return np.minimum(a, top), np.minimum(b, top)

    def measure(frame: int) -> tuple[float, float] | None:
        between()
        if frame == reference:
            return 0.0, 0.0
        return _measure(stack, reference, frame, *pair(frame), noise)

    measured: dict[int, tuple[float, float] | None] = {}
    if total > 1 and (not stack.known if mend is None else mend):
        progress(0.15, "Looking for hot pixels and fixed columns")
        some = set(np.linspace(0, total - 1, 5).round().astype(int).tolist()) - {reference}
        measured = dict(zip(some, results(measure, [*some]), strict=True))
        moved = sum(shift is not None and max(map(abs, shift)) > _MOVED for shift in measured.values())
        stack = mended(stack, moved >= len(some) / 2, between)
        if stack.mended is not None:
            measured = {}  # what stays where it is had its part in them
    edges, empty = True, False
    if apply and total > 1:
        asked = sorted(measured) or [i for i in range(min(total, 5)) if i != reference]

        def shared(frame: int) -> tuple[bool, bool]:
            """Whether a frame shares edges with the reference, and large shapes; its shift is kept."""
            if frame not in measured:
                measured[frame] = measure(frame)
            return _what_is_shared(stack, *pair(frame), measured[frame], noise)

        first = shared(asked[0])
        if not first[0]:
            edges, shapes = (
                sum(kind) > len(asked) / 2 for kind in zip(first, *map(shared, asked[1:]), strict=True)
            )
            empty = not edges and not shapes
        if not edges:  # noise alone makes the best shift one of a few pixels
            measured |= {i: measure(i) for i in range(total) if i not in measured and not empty}
            near = [i for i in range(total) if empty or max(map(abs, measured[i] or (np.inf,))) <= _BY_NOISE]
            measured |= dict.fromkeys(near, (0.0, 0.0))
    cells = [-(-n // CELL) for n in (stack.height, stack.width)]
    motion = np.zeros((total, *cells, 2), np.float32)
    displacements = np.zeros(motion.shape, np.int16)
    local = apply and edges and min(stack.height, stack.width) >= _LEAST_SIDE
    levels = pyramid(overview(stack, reference, between=between, factors=(2, 2)), noise) if local else []
    structure = structure_of(levels) if local else np.empty(0)
    search = Search(levels[0]) if local else None
    fine: set[int] = set()
    numbers = itertools.count(1)  # of frames, as they come

    def find(i: int) -> Shift:
        """Where a frame lies, and what of it is undone; its part of `motion` and `displacements` is filled."""
        number = next(numbers)
        progress(0.3 + 0.6 * number / (total + 1), f"Aligning frame {number} of {total}")
        if i == reference:
            return Shift((0.0, 0.0))
        shift = measured[i] if i in measured else measure(i)
        if local:
            found = _measure_motion(stack, i, levels, structure, shift, *pair(i), noise, between)
            if found is not None:
                field, half, bent = found
                motion[i] = field
                if bent:
                    fine.add(i)
                elif search is not None:
                    search.add(i, half, field)
                middle = tuple(float(d) for d in np.median(field, axis=(0, 1)))
                shift = shift or (middle[0], middle[1])
        elif shift is not None:
            motion[i] = shift
        if not apply or shift is None:
            return Shift(shift)
        whole = Shift(shift).whole if max(map(abs, Shift(shift).whole)) > REACH else (0, 0)
        displacements[i] = whole_blocks(motion[i], whole) if local else whole
        center = displacements[i, cells[0] // 2, cells[1] // 2].astype(int)
        bend = float(np.abs(displacements[i] - center).max())
        return Shift(shift, (int(center[0]), int(center[1])), bend)

    shifts = results(find, range(total))
    progress(0.9, "Comparing the brightness of the frames")
    if even:
        stack = _made_even(stack, reference, shifts, motion, between)
    found = {i: motion[i] for i, shift in enumerate(shifts) if shift.measured is not None}
    told = with_black_told(stack, found, reference, between)
    if told.encoded != stack.encoded:  # light is another one
        given = reference if chosen else None
        return prepare(replace(told, gains=None), frames, align, between, brightness, given, mend, progress)
    if told.levels != stack.levels:
        if even:  # what was added to all frames alike had its part in their brightness
            lights = [
                told.relit(image * np.float32(g), stack) for image, g in zip(overviews, gains, strict=True)
            ]
            gains = light.first_gains(lights, told.exposures, told.clipped)
            each = np.repeat((gains / gains[reference])[:, None], told.channels, axis=1)
            told = _made_even(replace(told, gains=each), reference, shifts, motion, between)
        noise = _noise_at_first(told, reference)
    stack = told
    if even:
        shifts = [replace(shift, brightness=stack.gain(i, GRAY)) for i, shift in enumerate(shifts)]
    leave_out = apply and not stack.known
    lost = frozenset(i for i, shift in enumerate(shifts) if leave_out and shift.measured is None)
    unmended = mend is False and not stack.known
    white = frozenset(i for i in lost if _contact_sheet(stack, i, saturated=True).mean() > _MUCH_WHITE)
    layers = None
    if search is not None:
        layers = _layers(stack, search, reference, displacements, noise, between)
    burst = OwnBurst(
        stack,
        (reference,),
        tuple(shifts),
        scores,
        motion,
        displacements,
        lost,
        chosen,
        unmended,
        white,
        layers,
        empty,
        frozenset(fine) if apply else frozenset(),
    )
    return burst.taking(frames)


def _best_reference(
    stack: FrameStack,
    overviews: Sequence[np.ndarray],
    gains: np.ndarray,
    scores: Sequence[float],
    noises: Callable[[int], NoiseModel],
) -> int:
    """The sharpest frame of the scene that most frames show, of the middle exposure. `noises`: of each frame."""
    scene = list(range(len(overviews)))
    if len(overviews) > 2:
        factors = np.array(reduction(stack.height, stack.width, _OVERVIEW_PIXELS))
        h, w = overviews[0].shape
        more = reduction(h, w, _SCENE_PIXELS)
        noise = noises(int(np.argmax(scores)))
        noise = noise.scaled(1 / float(factors.prod() * np.prod(more)) ** 0.5)
        small = [
            box_reduce(image / np.float32(gain), more) for image, gain in zip(overviews, gains, strict=True)
        ]
        white: Sequence[float] = ()
        if stack.clipped is not None and np.ptp(np.log2(gains)) >= _OTHER_BRIGHTNESS:
            white = (_BELOW_WHITE * stack.clipped[1] / gains).tolist()
        scene = largest_scene(small, scores, noise, white)
    in_middle = light.middle_exposure(gains[scene])
    return max((i for i, middle in zip(scene, in_middle, strict=True) if middle), key=lambda i: scores[i])


def _made_even(
    stack: FrameStack,
    reference: int,
    shifts: Sequence[Shift],
    motion: np.ndarray,
    between: Callable[[], object],
) -> FrameStack:
    """The stack with the gains of its frames as they are where the frames show the same, in place of a first guess.

    Of frames that were not found, it is what their files state, else 1.
    """
    assert stack.gains is not None
    stated = light.stated_gains(stack.exposures)
    gains = np.ones_like(stack.gains)

    def sheets(frame: int) -> tuple[np.ndarray, np.ndarray]:
        field = np.rint(motion[frame]).astype(np.int64)
        planes = [_contact_sheet(stack, frame, field, c) for c in range(stack.channels)]
        white = [_contact_sheet(stack, frame, field, c, saturated=True) for c in range(stack.channels)]
        black = -np.inf if stack.clipped is None else stack.clipped[0]
        return np.stack(planes), np.logical_or.reduce([*white, *(plane <= black for plane in planes)])

    here, lost_here = sheets(reference)
    for i, shift in enumerate(shifts):
        if i == reference:
            continue
        between()
        found = None
        if shift.measured is not None:
            there, lost = sheets(i)
            found = light.fit_gains(here, there, lost_here | lost, float(stack.gains[i, 0]))
        if found is not None:
            gains[i] = found
        elif len(stated) == len(gains):
            gains[i] = stated[i] / stated[reference]
    return replace(stack, gains=None if (gains == 1).all() else gains)


def _measure_motion(
    stack: FrameStack,
    frame: int,
    reference: Pyramid,
    structure: np.ndarray,
    shift: tuple[float, float] | None,
    coarse_a: np.ndarray,
    coarse_b: np.ndarray,
    noise: NoiseModel,
    between: Callable[[], object],
) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Where every cell of a frame lies, the frame at half the size, in units of its noise, and whether pixels have
    displacements of their own (fine_motion); None where the frame does not show the scene.

    A camera that turns may have no shift by which whole pictures agree; then it is looked for on coarse pictures, and
    whether the edges agree is asked once the frame is laid onto the reference.
    """
    shape = stack.height, stack.width
    levels = pyramid(overview(stack, frame, between=between, factors=(2, 2)), noise)

    def from_shift(start: tuple[float, float]) -> tuple[np.ndarray, bool]:
        tiles = find_tiles(reference, levels, start, structure)
        camera = camera_of(*tiles)
        model = bent_model(tiles, camera)
        if model is None:
            return motion_of(tiles, camera, shape), False
        return refined_motion(reference, levels, model, shape, structure), True

    if shift is not None:
        motion, bent = from_shift(shift)
        return motion, levels[0], bent
    factors = np.array(reduction(stack.height, stack.width, _OVERVIEW_PIXELS))
    reduced = noise.scaled(1 / float(factors.prod()) ** 0.5)
    more = np.array(reduction(coarse_a.shape[0], coarse_a.shape[1], _COARSE_PIXELS))
    a, b = (box_reduce(image, (int(more[0]), int(more[1]))) for image in (coarse_a, coarse_b))
    of_coarse = reduced.scaled(1 / float(more.prod()) ** 0.5)

    def fits(motion: np.ndarray) -> bool:
        y, x = (np.arange(n) * f + (f - 1) / 2 for n, f in zip(coarse_b.shape, factors, strict=True))
        laid = displaced(coarse_b, at_places(motion, y, x) / factors)
        return lies_on(coarse_a, laid, reduced, TOLERANCE)

    found = find_shift(a, b, of_coarse)
    if found is not None:
        dy, dx = found * factors * more
        motion, bent = from_shift((float(dy), float(dx)))
        if fits(motion):
            return motion, levels[0], bent
    matrix, move = find_turn(a, b, of_coarse)
    guess = motion_of_turn(matrix, move * factors * more, shape)
    motion = refined_motion(
        reference, levels, guess[: structure.shape[0], : structure.shape[1]], shape, structure
    )
    return (motion, levels[0], True) if fits(motion) else None


def _layers(
    stack: FrameStack,
    search: Search,
    reference: int,
    displacements: np.ndarray,
    noise: NoiseModel,
    between: Callable[[], object],
) -> Layers | None:
    """What is near and far, if they move otherwise."""

    def read(frame: int, rows: slice, columns: slice) -> np.ndarray:
        between()
        place = rows.start, rows.stop, columns.start, columns.stop
        return stabilize(read_shifted(stack, frame, GRAY, (0, 0), *place), noise).astype(np.float32)

    return search.layers(read, displacements, reference, (stack.height, stack.width))


def _noise_at_first(stack: FrameStack, reference: int) -> NoiseModel:
    """The noise before anything is aligned: as stated, or as the reference alone shows it."""
    stated = stack.channel_noise(GRAY)
    if stated is not None:
        return stated
    try:
        return noise_of_one_frame(blocks(stack, reference, GRAY), stack.clipped)
    except ValueError:  # too small or too smooth to tell; any will do
        return NoiseModel.for_gain(1)


def _measure(
    stack: FrameStack,
    reference: int,
    frame: int,
    coarse_a: np.ndarray,
    coarse_b: np.ndarray,
    noise: NoiseModel,
) -> tuple[float, float] | None:
    """The shift of a frame in pixels: on the overviews, then on nine windows spread over the picture."""
    factors = np.array(reduction(stack.height, stack.width, _OVERVIEW_PIXELS))
    shift = find_shift(coarse_a, coarse_b, noise.scaled(1 / float(factors.prod()) ** 0.5))
    if shift is not None and factors.max() > 1:
        shift = shift * factors
        dy, dx = map(round, shift)
        still = np.zeros((-(-stack.height // CELL), -(-stack.width // CELL), 2), np.int64)
        here = _contact_sheet(stack, reference)
        there = _contact_sheet(stack, frame, still + np.array([dy, dx]))
        rest = find_shift(here, there, noise, reach=2 * int(factors.max()))
        shift = shift if rest is None else rest + np.array([dy, dx])
    return None if shift is None else (float(shift[0]), float(shift[1]))


def _what_is_shared(
    stack: FrameStack, a: np.ndarray, b: np.ndarray, shift: tuple[float, float] | None, noise: NoiseModel
) -> tuple[bool, bool]:
    """:func:`what_is_shared` by overviews of two frames, on few pixels: it is asked of every burst."""
    factors = np.array(reduction(stack.height, stack.width, _OVERVIEW_PIXELS))
    more = np.array(reduction(a.shape[0], a.shape[1], _TOLD_PIXELS))
    reduced = noise.scaled(1 / float((factors * more).prod()) ** 0.5)
    here, there = (box_reduce(image, (int(more[0]), int(more[1]))) for image in (a, b))
    return what_is_shared(here, there, reduced, None if shift is None else np.array(shift) / (factors * more))


def _contact_sheet(
    stack: FrameStack,
    frame: int,
    field: np.ndarray | None = None,
    channel: int = GRAY,
    saturated: bool = False,
) -> np.ndarray:
    """Three by three windows of up to 256x256 from all over a frame, read where a field of displacements says (None:
    where they are), laid side by side. `saturated`: whether it is white there."""
    h, w = (min(_SHEET, max(1, length // 3)) for length in (stack.height, stack.width))
    tops = [(stack.height - h) * i // 2 for i in range(3)]
    lefts = [(stack.width - w) * i // 2 for i in range(3)]
    if field is None:
        field = np.zeros((-(-stack.height // CELL), -(-stack.width // CELL), 2), np.int64)
    return np.block(
        [
            [
                read_displaced(stack, frame, channel, field, top, top + h, left, left + w, saturated)
                for left in lefts
            ]
            for top in tops
        ]
    )


def read_burst(
    files: str | Path | Sequence[str | Path],
    channel: int = GRAY,
    noise: NoiseModel | None = None,
    frames: int | None = None,
    align: bool | None = None,
    color: bool = False,
    input: str | None = None,
    black: float | None = None,
    white: float | None = None,
    reference: int | str | None = None,
    mend: bool | None = None,
) -> Burst:
    """Photos on disk as a Burst, aligned and with its noise: what ``kpnviz.load(name)`` takes.

    files    a folder, or files: photos or camera raws, files of several frames, a ZIP of them, or one NPZ
    channel  0, 1 or 2 for R, G or B; GRAY (-1) for the luminance (of camera raws: green)
    color    R, G and B together, [N, 3, H, W], in place of one channel; of gray files, [N, H, W]
    noise    of that channel, or of each; None: see :meth:`OwnBurst.noise_of`
    frames   how many, see :meth:`OwnBurst.taking`; None: all of them
    align    see :func:`prepare`
    input    what the files' numbers mean, "srgb", "linear" or "bayer:RGGB", and the numbers of black and white; None:
             what they look like (meaning.guess_input)

    reference   the number or the name of the frame that is to be the reference; None: see :func:`prepare`
    mend        whether hot pixels and fixed columns of the sensor are mended; None: see :func:`prepare`

    The whole burst is held in memory, 4 bytes a pixel, channel and frame. Raises ValueError, one sentence that names
    the file or folder, if no burst can be made of it; warns of files that are left out.
    """
    paths = [files] if isinstance(files, str | Path) else list(files)
    for path in paths:
        if not Path(path).exists():
            raise ValueError(f"{escaped(path)}: there is no such file or folder")
    stack = read_frames(files_of(paths), Limits.from_environment(generous=True)).meant(input, black, white)
    if channel != GRAY and not 0 <= channel < stack.channels:
        raise ValueError(
            f"channel is {channel}; the files have {stack.channels}, counted from 0, and GRAY (-1)"
        )
    place = None if reference is None else reference_of(stack.names, str(reference))
    stack, place = without_copies(stack, place)
    for note in stack.file_notes:
        if note.startswith(LEFT_OUT) or SAME_AS in note:
            warnings.warn(note, stacklevel=2)
    own = prepare(stack, frames, align, reference=place, mend=mend)
    if color and stack.channels == 3:
        noises = [noise] * 3 if noise else [found[0] for found in results(own.noise_of, range(3))]
        return own.color(noises).crop(0, 0, stack.height, stack.width)
    view = own.channel(channel, noise or own.noise_of(channel)[0])
    return view.crop(0, 0, view.height, view.width)
