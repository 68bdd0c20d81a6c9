"""TIFFs: one picture, or the pages, planes or stacks of ImageJ and OME as frames. Runs in the process that reads files.

Pillow decodes what it can (palettes, LZW, JPEG ...), tifffile the other kinds of numbers.
"""

from __future__ import annotations

import io
import logging
import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from kpnviz.capture.containers import Frames, check_count, in_color
from kpnviz.limits import FileError, LimitError, Limits
from kpnviz.pictures import (
    Picture,
    check_pixels,
    check_tiff,
    codes_of,
    read_pictures,
    tiff_tags,
    upright,
    without_alpha,
)
from kpnviz.text import one_line

# What it finds wrong in a file that nobody vouches for is said by us, once, or does not matter.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_PHOTOMETRIC, _BITS, _ORIENTATION, _PLANES, _PLANAR, _SAMPLE_FORMAT = 262, 258, 274, 284, 2, 339
_SIGNED, _FLOAT = 2, 3
_BLACK_IS_0, _RGB = 1, 2
_ALPHA = ((1,), (2,))  # ExtraSamples (338) of transparency, multiplied in or not
_BIG_ENDIAN_BIG_TIFF = b"MM\0+"  # Pillow opens none
_OF_MICROSCOPES = "those of microscopes are"
_OF_DEPTHS = "its pictures lie along Z: planes of focus are no burst, as they do not show one scene"
_MOST_PAGES = 1000  # so many are counted


def holds_other_numbers(tags: dict[int, tuple[int, ...]]) -> bool:
    """Whether Pillow does not read this picture rightly: several floats a pixel, floats of 16 bits, 16 bits in separate
    planes or of gray with transparency, signed integers, 32 and 64 bits."""
    formats, bits = tags.get(_SAMPLE_FORMAT, ()), tags.get(_BITS, ())
    if (_FLOAT in formats and (len(formats) > 1 or 16 in bits)) or _SIGNED in formats:
        return True
    if max(bits, default=1) in (32, 64) and (_FLOAT not in formats or 64 in bits):
        return True
    return len(bits) > 1 and 16 in bits and (tags.get(_PLANES) == (_PLANAR,) or len(bits) == 2)


def _too_many(label: str, limits: Limits) -> str:
    return (
        f"{label} holds {_MOST_PAGES} or more pictures; a burst has up to {limits.named('frames')}: save a "
        "part of them"
    )


def frames_of_tiff(label: str, data: bytes, limits: Limits) -> Frames:
    """The frames of a TIFF: its pages of one size, or what ImageJ or OME say that they are."""
    try:
        pages = tiff_tags(label, data)[1]
    except struct.error:  # Pillow says what is wrong
        pages = 1
    if pages >= _MOST_PAGES:
        raise LimitError(_too_many(label, limits))
    import tifffile

    try:
        # _multifile: a file of OME may name others, and those on the server are nobody's business.
        with tifffile.TiffFile(io.BytesIO(data), _multifile=False) as file:
            is_ome = bool(file.is_ome)
            described = file.is_imagej or is_ome
            if pages == 1 and not described:
                return Frames(1, iter([_page(label, data, limits, 0)]))
            first, all_pages = file.pages.first, cast(Sequence[Any], file.pages)
            alike = [
                i
                for i, page in enumerate(all_pages)
                if (page.imagewidth, page.imagelength) == (first.imagewidth, first.imagelength)
                and not page.subfiletype & 1
            ]
            left_out = pages - len(alike)
            axes: str = ""
            shape: tuple[int, ...] = ()
            start: int | None = None
            dtype: Any = None
            if described and not left_out:
                series = file.series[0]
                axes, shape, start, dtype = series.axes, series.shape, series.dataoffset, series.dtype
                said = int((file.imagej_metadata or {}).get("images", 1))
                if pages == 1 and said > max(math.prod(shape) // (first.imagewidth * first.imagelength), 1):
                    raise FileError(f"{label} says that it holds {said} pictures, and ends before")
    except (FileError, MemoryError):
        raise
    except Exception:  # of damaged tags: Pillow says what is wrong
        return Frames(1, iter([_page(label, data, limits, 0)]))
    order = [[i] for i in alike]
    notes = (
        [f"{left_out} of its {pages} pictures are of another size or previews, and left out"]
        if left_out
        else []
    )
    if described and not left_out:
        order, more = _order(label, axes, shape, pages, limits, is_ome)
        notes += more
    check_count(label, len(order), limits)
    if pages == 1 and len(order) > 1:  # ImageJ's stack in one page: the numbers lie one after the other
        return _stack(label, data, shape, start, dtype, order, limits)

    def each() -> Iterator[Picture]:
        for indices in order:
            picture = in_color([_page(label, data, limits, i) for i in indices])
            yield Picture(picture.codes, (*picture.notes, *notes), picture.counts)

    bits = max(next(iter(_tags_of(label, data).get(_BITS, ())), 1), 1)
    return Frames(len(order), each(), True if described and bits > 8 else None, _OF_MICROSCOPES)


def _tags_of(label: str, data: bytes) -> dict[int, tuple[int, ...]]:
    try:
        return tiff_tags(label, data)[0]
    except struct.error:
        return {}


def _order(
    label: str, axes: str, shape: tuple[int, ...], pages: int, limits: Limits, is_ome: bool
) -> tuple[list[list[int]], list[str]]:
    """Of each frame, the pages that are its channels; what of the file is left out."""
    lead = dict(zip(axes, shape, strict=True))
    for inside in "YXS":
        lead.pop(inside, None)
    number = math.prod(lead.values())
    if number not in (pages, 1) and pages != 1:
        return [[i] for i in range(pages)], []
    if number >= _MOST_PAGES:
        raise LimitError(_too_many(label, limits))
    long = [axis for axis, length in lead.items() if length > 1 and axis != "C"]
    if len(long) > 1:
        sizes = " and ".join(f"{lead[axis]} along {axis}" for axis in long)
        raise FileError(f"{label} holds pictures along {len(long)} axes ({sizes}); save one series of frames")
    index = np.arange(number).reshape(tuple(lead.values()))
    notes = [_OF_DEPTHS] if long == ["Z"] and is_ome else []
    if not long or "C" not in lead:
        return [[int(i)] for i in index.ravel()], notes
    by_frame = np.moveaxis(index, list(lead).index("C"), -1).reshape(-1, lead["C"])
    if lead["C"] in (1, 3):
        return by_frame.tolist(), notes
    return by_frame[:, :1].tolist(), [*notes, f"of {lead['C']} channels the first is read"]


def _stack(
    label: str, data: bytes, shape: tuple[int, ...], start: int | None, dtype: Any, order: list[list[int]],
    limits: Limits,
) -> Frames:  # fmt: skip
    """Frames that lie one after the other, not packed, behind a single page."""
    height, width = shape[-2:]
    check_pixels(label, width, height, limits)
    count = math.prod(shape)
    if start is None or start + count * dtype.itemsize > len(data):
        raise FileError(f"{label} says that it holds {len(order)} pictures, and ends before")
    numbers = np.frombuffer(data, dtype, count, start).reshape(-1, height, width)

    def each() -> Iterator[Picture]:
        for indices in order:
            codes, counts = codes_of(label, numbers[indices])
            yield Picture(codes, (), counts)

    return Frames(len(order), each(), True if dtype.itemsize > 1 else None, _OF_MICROSCOPES)


def _page(label: str, data: bytes, limits: Limits, index: int) -> Picture:
    """One picture of a TIFF, by whichever library reads it."""
    try:
        tags = tiff_tags(label, data, index)[0]
        other = data[:4] == _BIG_ENDIAN_BIG_TIFF or holds_other_numbers(tags)
    except struct.error:
        other = False
    if not other:
        return next(read_pictures(label, data, limits, only=index)[1])
    return _other_numbers(label, data, tags, limits, index)


def _other_numbers(
    label: str, data: bytes, tags: dict[int, tuple[int, ...]], limits: Limits, index: int
) -> Picture:
    """Gray or RGB of numbers that Pillow does not read. Upright, alpha dropped; 16 bits are codes as of other pictures,
    other integers counts, floating point linear light. FileError, one sentence that names the file."""
    import tifffile

    notes: list[str] = []
    try:
        photometric = next(iter(tags.get(_PHOTOMETRIC, ())), None)
        check_tiff(label, photometric, tags.get(_BITS, ()), tags.get(_SAMPLE_FORMAT, ()))
        with tifffile.TiffFile(io.BytesIO(data), _multifile=False) as file:
            page: Any = file.pages[index]
            color = page.samplesperpixel > 1
            if photometric == 0:
                raise FileError(f"{label} is a TIFF whose 0 is white; save it with 0 as black")
            if photometric not in (_BLACK_IS_0, _RGB):
                if not color:
                    raise FileError(f"{label} is a big-endian BigTIFF with a palette; save it as gray or RGB")
                raise FileError(
                    f"{label} is a TIFF of several values a pixel that are not RGB; convert it to RGB"
                )
            check_pixels(label, page.imagewidth, page.imagelength, limits)
            with_alpha = (
                page.samplesperpixel == 2 and photometric == _BLACK_IS_0 and page.extrasamples[:1] in _ALPHA
            )
            if (page.samplesperpixel not in (1, 3, 4) and not with_alpha) or page.imagedepth != 1:
                raise FileError(f"{label} is a TIFF of shape {page.shape}; [H, W] and [H, W, 3] are read")
            values = page.asarray()
            planar = page.planarconfig == _PLANAR
    except (FileError, MemoryError):
        raise
    except Exception as error:
        raise FileError(f"{label} cannot be read: {one_line(error)}") from error
    if with_alpha and values.ndim == 3:
        values, color = values[0] if planar else values[..., 0], False
        notes.append("transparency was dropped")
    if values.ndim != (3 if color else 2) or (color and values.shape[0 if planar else 2] not in (3, 4)):
        raise FileError(f"{label} is a TIFF of shape {values.shape}; [H, W] and [H, W, 3] are read")
    planes = values[None] if not color else values if planar else values.transpose(2, 0, 1)
    planes = without_alpha(planes, notes)
    codes, counts = codes_of(label, planes)
    return Picture(upright(codes, tags.get(_ORIENTATION, (1,))[0]), tuple(notes), counts)
