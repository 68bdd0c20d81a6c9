"""Whether a file is a burst by itself, told by its beginning: no pixel is read."""

from __future__ import annotations

import io
import math
import mmap
import re
import struct
from pathlib import Path

from kpnviz.capture.containers import is_one_color_picture
from kpnviz.capture.extras import beginning, kind_of_extra
from kpnviz.capture.npz import read_header
from kpnviz.limits import FileError
from kpnviz.pictures import tiff_tags

_HEAD = 16384  # bytes in which an animation says so, and in which numbers say how many there are
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TIFF_NAMES = (".tif", ".tiff")  # raws are TIFFs, too
_GIF_FRAME = b"\x21\xf9\x04"  # how long it is shown
_WIDTH, _HEIGHT, _REDUCED = 256, 257, 254  # tags of a TIFF
_IMAGES = re.compile(rb"ImageJ=[^\0]*?\nimages=(\d{1,9})\n(?:channels=(\d{1,9})\n)?")
_OME_SIZES = re.compile(rb'<OME[^\0]{0,9000}? Size([ZT])="(\d{1,9})"[^\0]{0,2000}? Size[ZT]="(\d{1,9})"')


def holds_several(path: Path) -> bool:
    """Whether a file holds more than one frame: a TIFF of pages or a stack, an array [N, H, W], an animation, a video.

    Of one that cannot be looked at, no: whoever reads it says why. (What a ZIP or NPZ holds is not asked.)
    """
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
            if head[:4] in _TIFF:
                return path.suffix.lower() in _TIFF_NAMES and _of_tiff(file.fileno(), head)
            if head[:3] == b"GIF":
                return (head + file.read()).count(_GIF_FRAME) > 1
        if head[:6] == b"\x93NUMPY":
            shape = read_header(io.BytesIO(head))[0]
            return len(shape) > 2 and shape[0] > 1 and not is_one_color_picture(shape)
    except (OSError, ValueError, struct.error, FileError):
        return False
    if head[:4] == b"\x89PNG":
        return b"acTL" in head
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return b"ANIM" in head[:64]
    head = beginning(head, _HEAD)
    kind = kind_of_extra(head)
    if kind == "fits":
        axes = {int(n): int(length) for n, length in re.findall(rb"NAXIS([3-9]) *= +(\d{1,9})", head)}
        return math.prod(axes.values()) > 1
    return kind == "video"


def _of_tiff(number: int, head: bytes) -> bool:
    """A TIFF with two pages of one size that are no previews, or one page that says that more lie behind it."""
    if found := _IMAGES.search(head):
        images, channels = int(found[1]), int(found[2] or 1)
        return images > channels or channels > 3  # tifffile calls the frames of [N, H, W] channels
    if found := _OME_SIZES.search(head):
        return max(int(found[2]), int(found[3])) > 1
    with mmap.mmap(number, 0, access=mmap.ACCESS_READ) as data:
        pages = tiff_tags("", data)[1]  # type: ignore[arg-type]
        sizes = []
        for page in range(min(pages, 4)):
            tags = tiff_tags("", data, page)[0]  # type: ignore[arg-type]
            if not tags.get(_REDUCED, (0,))[0] & 1:
                sizes.append((tags.get(_WIDTH), tags.get(_HEIGHT)))
    return len(sizes) > len(set(sizes))
