"""Files that hold numbers or several frames: arrays of NumPy, PGM and PPM, pages of a TIFF, animations.

Runs in the process that reads files (decoding.py). What headers say is checked before any pixel is read, and frames
are made one after the other.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from kpnviz.capture.npz import StoredArray, read_header
from kpnviz.limits import FileError, LimitError, Limits
from kpnviz.pictures import Picture, check_pixels, codes_of, read_pictures, without_alpha
from kpnviz.text import visible

_NPY = b"\x93NUMPY"
_COLORS = (3, 4)
_LEAST_FRAME, _MUCH = 16, 4  # px; times as long as the last axis
_NAMES = ("frames", "burst", "images", "imgs", "stack", "data", "arr_0")
"""Arrays of an NPZ that are taken for the frames where several might be, the first of them that is there."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The frames of one file.

    count     how many;  pictures  each one, made when it is asked for
    linear    whether files of this kind hold linear light; None: they do not say
    why       which they are, for the sentence "Read as linear light, as ... "
    sensor    four planes are the colors of a Bayer sensor, not R, G, B and transparency
    """

    count: int
    pictures: Iterable[Picture]
    linear: bool | None = None
    why: str = ""
    sensor: bool = False


def check_count(label: str, count: int, limits: Limits, width: int = 0, height: int = 0) -> None:
    """FileError for a file without frames, or whose frames, as many as are read of them, have too many pixels."""
    if count < 1:
        raise FileError(f"{label} holds no frames")
    count = min(count, limits.frames)
    if count * width * height > limits.total_pixels:
        raise LimitError(
            f"{label} holds {count} frames of {width}x{height} pixels; the limit in all is "
            f"{limits.named('total_pixels')}"
        )


def frames_of(label: str, data: bytes, limits: Limits) -> Frames:
    """The frames of a file that is no camera raw, no ZIP and no TIFF. FileError, one sentence, if there are none."""
    if data[:6] == _NPY:
        return _frames_of_npy(label, data, limits)
    if re.match(rb"P[14]\s", data[:3]):
        raise FileError(f"{label} has 1 bit a pixel, no shades")
    if re.match(rb"P[2356Ff]\s", data[:3]):
        return _frames_of_pnm(label, data, limits)
    count, pictures = read_pictures(label, data, limits, burst=True)
    check_count(label, count, limits)
    return Frames(count, pictures)


def is_one_color_picture(shape: Sequence[int]) -> bool:
    """Whether an array is [H, W, 1], [H, W, 3] or [H, W, 4], not [N, H, W]."""
    return len(shape) == 3 and shape[2] in (1, *_COLORS) and min(shape[:2]) > max(_COLORS)


def check_order(label: str, shape: Sequence[int]) -> None:
    """FileError for an array whose last axis, much shorter than the first two, is that of the frames."""
    if len(shape) not in (3, 4) or is_one_color_picture(shape):
        return
    if min(shape[:2]) >= max(_LEAST_FRAME, _MUCH * max(shape[2:])):
        axes = "H, W, N" if len(shape) == 3 else "H, W, C, N"
        raise FileError(
            f"{label} has the shape [{', '.join(map(str, shape))}], which looks like [{axes}]; frames come first: "
            "np.moveaxis(array, -1, 0)"
        )


def frames_of_arrays(
    label: str,
    shape: Sequence[int],
    dtype: np.dtype,
    parts: Callable[[int], Iterable[np.ndarray]],
    limits: Limits,
    why: str = "numbers of arrays are",
) -> Frames:
    """The frames of an array: [H, W], [N, H, W], [H, W, 3], [N, H, W, 3], [N, 3, H, W], or four planes of a sensor
    behind a mosaic, [N, 4, H, W]. RGBA is [H, W, 4] and [N, H, W, 4], unless the last plane is a picture.

    parts   the array, cut into so many equal parts along its first axis
    """
    if dtype.kind not in "uif":
        what = "1 bit a pixel, no shades" if dtype.kind == "b" else f"values of type {visible(dtype)}"
        raise FileError(f"{label} has {what}; integers and floating point are read")
    check_order(label, shape)
    lead = 0 if len(shape) == 2 or is_one_color_picture(shape) else 1
    inside = tuple(shape[lead:])
    first = len(inside) == 3 and inside[0] in (1, *_COLORS)
    if len(shape) < 2:
        what = f"{shape[0]} numbers in one row" if shape else "a single number"
        raise FileError(f"{label} holds {what}, no picture; [H, W], [N, H, W] and [N, H, W, 3] are read")
    if len(inside) not in (2, 3) or (len(inside) == 3 and not first and inside[2] not in (1, *_COLORS)):
        raise FileError(
            f"{label} holds numbers [{', '.join(map(str, shape[:8]))}]; [H, W], [N, H, W], [N, H, W, 3], [N, 3, H, W] "
            "and [N, 4, H, W] are read"
        )
    N = shape[0] if lead else 1
    height, width = inside if len(inside) == 2 else inside[1:] if first else inside[:2]
    check_pixels(label, width, height, limits)
    check_count(label, N, limits, width, height)

    def each() -> Iterator[Picture]:
        for number, part in enumerate(parts(N)):
            values = part.reshape(inside)
            planes = values[None] if values.ndim == 2 else values if first else values.transpose(2, 0, 1)
            notes: list[str] = []
            if not first:
                planes = without_alpha(planes, notes)
            codes, counts = codes_of(label if N == 1 else f"{label}, frame {number}", planes)
            yield Picture(codes, tuple(notes), counts)

    linear = None if dtype == np.uint8 else True
    return Frames(N, each(), linear, why, sensor=first and inside[0] == 4)


def _frames_of_npy(label: str, data: bytes, limits: Limits) -> Frames:
    file = io.BytesIO(data)
    try:
        shape, fortran, dtype = read_header(file)
        if min(shape, default=1) < 0:
            raise ValueError(f"its shape is {shape}")
    except ValueError as error:
        raise FileError(f"{label} is an NPY that cannot be read: {visible(error)}") from error
    start, count = file.tell(), math.prod(shape)
    if dtype.hasobject:
        raise FileError(
            f"{label} holds Python objects (dtype {visible(dtype)}), not numbers; frames of one size make an array of "
            "numbers: np.stack(frames)"
        )
    if count * dtype.itemsize != len(data) - start:
        raise FileError(
            f"{label} has {len(data) - start} bytes of numbers; dtype {visible(dtype)} and shape {visible(shape)} have "
            "another number, or are not read"
        )
    array = np.frombuffer(data, dtype, count, start).reshape(shape, order="F" if fortran else "C")
    return frames_of_arrays(label, shape, dtype, lambda n: array if n > 1 else [array], limits)


def frames_of_npz(label: str, archive: zipfile.ZipFile, keys: Sequence[str], limits: Limits) -> Frames:
    """The frames of an NPZ of arrays `keys`: of the one that can be a burst, or that is called so (frames, burst,
    images, ...), or one of each array where all are pictures of one size."""
    arrays = {key: StoredArray(label, key, archive) for key in keys[: limits.frames + 1]}
    pictures = [key for key, array in arrays.items() if len(array.shape) >= 2 and min(array.shape) > 0]
    bursts = [key for key in pictures if len(arrays[key].shape) > 2]
    chosen = next((key for key in _NAMES if key in pictures), None)
    if len(pictures) > 1 and len({arrays[key].shape for key in pictures}) == 1 and "frames" not in pictures:
        shape, dtype = arrays[pictures[0]].shape, arrays[pictures[0]].dtype
        alone = len(shape) == 2 or (len(shape) == 3 and shape[2] in _COLORS)
        if alone and all(arrays[key].dtype == dtype for key in pictures):

            def each(count: int) -> Iterator[np.ndarray]:
                for key in pictures:
                    yield next(arrays[key].parts(1))

            return frames_of_arrays(label, (len(pictures), *shape), dtype, each, limits)
    if len(bursts or pictures) == 1:
        chosen = (bursts or pictures)[0]
    if chosen is None and "frames" in arrays:
        chosen = "frames"
    if chosen is None:
        names = visible(", ".join(keys)) or "nothing"
        raise FileError(f"{label} holds the arrays {names}; that of the frames is called frames")
    array = arrays[chosen]
    return frames_of_arrays(f"{label}: {visible(chosen)}", array.shape, array.dtype, array.parts, limits)


_PNM = re.compile(rb"P([2356]|[Ff])(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(\d+)(?:\s|#[^\n]*\n)+(-?[\d.]+)\s")


def _frames_of_pnm(label: str, data: bytes, limits: Limits) -> Frames:
    """Netpbm's PGM, PPM and PFM (netpbm.sourceforge.net/doc): of 8 and 16 bits, as text, floating point; several in a
    row are frames. (Pillow keeps 8 of the 16 bits of a PPM.)"""
    headers: list[tuple[int, bytes, int, int, float]] = []
    at = 0
    while at < len(data) and len(headers) <= limits.frames:
        found = _PNM.match(data[:10_000] if at == 0 else data[at : at + 10_000])
        if found is None:
            if headers and not data[at:].strip():
                break
            raise FileError(
                f"{label} is a PGM or PPM whose header cannot be read; P2, P3, P5, P6 and PFM are"
            )
        kind, width, height = found[1], int(found[2][:10]), int(found[3][:10])
        check_pixels(label, width, height, limits)
        top = float(found[4]) if re.fullmatch(rb"-?\d+(\.\d*)?", found[4]) else 0.0
        if top == 0 or (kind not in b"Ff" and not 1 <= top <= 65535):
            raise FileError(f"{label} has the largest code {visible(found[4].decode())}; it is 1 to 65535")
        start = at + found.end()
        values = width * height * (3 if kind in b"36F" else 1)
        size = (
            len(data) - start if kind in b"23" else values * (4 if kind in b"Ff" else 2 if top > 255 else 1)
        )
        if start + size > len(data):
            raise FileError(f"{label} ends before its {width}x{height} pixels do")
        headers.append((start, kind, width, height, top))
        at = start + size
    check_count(label, len(headers), limits)

    def each() -> Iterator[Picture]:
        for start, kind, width, height, top in headers:
            C = 3 if kind in b"36F" else 1
            count = C * width * height
            if kind in b"23":
                # Told how many numbers there are, NumPy would leave those that are missing as the memory was.
                values = np.fromstring(data[start:].decode("ascii", "replace"), np.int64, sep=" ")
                if len(values) != count or values.min() < 0 or values.max() > top:
                    raise FileError(f"{label} does not hold {count} numbers from 0 to {top:g}")
                values = values.astype(np.uint16 if top > 255 else np.uint8)
            else:
                dtype = ("<f4" if top < 0 else ">f4") if kind in b"Ff" else ">u2" if top > 255 else "u1"
                values = np.frombuffer(data, dtype, count, start)
            planes = values.reshape(height, width, C).transpose(2, 0, 1)
            if kind in b"Ff":
                planes = planes[:, ::-1]  # rows from the bottom up
            codes, _ = codes_of(label, planes)
            if codes.dtype == np.uint8 and top < 255:
                codes = np.rint(codes * (255 / top)).astype(np.uint8)
            yield Picture(codes)

    return Frames(len(headers), each())


def in_color(pictures: Sequence[Picture]) -> Picture:
    """Gray pictures as the channels of one."""
    notes = dict.fromkeys(note for picture in pictures for note in picture.notes)
    codes = np.concatenate([picture.codes for picture in pictures])
    return Picture(codes, tuple(notes), pictures[0].counts)
