"""Camera raw and DNG: runs in the process that reads files (decoding.py)."""

from __future__ import annotations

import importlib.util
import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from kpnviz.limits import FileError, Limits
from kpnviz.pictures import check_light, check_pixels, tiff_tags
from kpnviz.text import one_line

# How the files of cameras begin that do not begin as a TIFF: (offset, bytes).
_MAGIC = (
    (0, b"FUJIFILMCCD-RAW"),
    (4, b"ftypcrx "),
    (0, b"IIU\0"),
    (0, b"IIRO"),
    (0, b"IIRS"),
    (0, b"MMOR"),
    (0, b"FOVb"),
    (0, b"\0MRM"),
)
_TIFF, _BIG_TIFF = (b"II*\0", b"MM\0*"), (b"II+\0", b"MM\0+")
_DNG_VERSION, _MAKE, _SUB_IFDS, _PHOTOMETRIC, _CFA = 50706, 271, 330, 262, 32803
_NOISE_PROFILE, _REPEAT, _PATTERN, _LINEAR_RAW = 51041, 33421, 33422, 34892
_LARGEST_PATTERN = 12  # pixels of a mosaic that are looked at
_JPEG_XL, _DEFLATE = 52546, 8
_PREDICTORS = (
    3,
    34894,
    34895,
)  # of floating point: deflate without one, or not in tiles, LibRaw takes for noise
_PACKED = {34892: "lossy JPEG", 8: "deflate", 7: "lossless JPEG"}
_MOST_GAIN = 100  # of white balance, and of an entry of a color matrix


@dataclass(frozen=True, eq=False)
class RawFrame:
    """planes [3, h, w] float32 (means of the R, G and B of each block of the mosaic), or [1, H, W] of a sensor without
    colors; linear, black 0, white 1, not clipped.

    noise   (read_std, shot_gain) of each plane, from the NoiseProfile, or None
    matrix  [3, 3], white-balanced camera colors to linear sRGB;  white_balance [3], factors on R, G, B; None: no colors
    note    a sentence on what the mosaic was, where it is not Bayer's
    """

    planes: np.ndarray
    noise: list[tuple[float, float]] | None
    matrix: np.ndarray | None
    white_balance: np.ndarray | None
    note: str = ""


def kind_of(name: str, data: bytes) -> str:
    """'raw' for camera raw and DNG, 'tiff' for other TIFFs, else 'picture'; by content."""
    if any(data[offset : offset + len(magic)] == magic for offset, magic in _MAGIC):
        return "raw"
    if data[:4] not in _TIFF:
        return "tiff" if data[:4] in _BIG_TIFF else "picture"
    if data[8:10] == b"CR":
        return "raw"
    try:
        tags, _ = tiff_tags(name, data)
    # Damaged tags: let the decoder of pictures say what is wrong.
    except struct.error:
        return "tiff"
    is_raw = (
        _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) == (_CFA,) or (_MAKE in tags and _SUB_IFDS in tags)
    )
    return "raw" if is_raw else "tiff"


def read_raw(name: str, data: bytes, limits: Limits) -> RawFrame:
    """What a raw file holds, upright: blocks of its mosaic, colors of every pixel (linear DNG), or gray.

    Blocks are the smallest that hold every color: 2x2 of a Bayer sensor, 3x3 of X-Trans, 4x4 of Quad Bayer. The
    NoiseProfile holds for one photosite; a mean of n has a variance of 1/n of it. FileError, one sentence with the
    file's name, for what cannot be read.
    """
    if importlib.util.find_spec("rawpy") is None:
        raise FileError(
            f"{name} is a camera raw; rawpy, which decodes it, is not installed: pip install 'kpnviz[raw]'"
        )
    import rawpy

    said = _said_by_dng(data)
    if said.not_unpacked:
        raise FileError(
            f"{name} is a DNG packed by {said.not_unpacked}, which LibRaw does not unpack; convert it to one with "
            "lossless JPEG compression (DNG 1.6 or before)"
        )
    try:
        with rawpy.RawPy() as raw:
            raw.open_buffer(io.BytesIO(data))
            check_pixels(name, raw.sizes.raw_width, raw.sizes.raw_height, limits)
            raw.unpack()
            planes, counts, note = _planes(name, raw, rawpy.RawType.Flat, said)
            matrix = np.asarray(raw.color_matrix, dtype=np.float64)[:, :3]
            balance = np.asarray(raw.camera_whitebalance, dtype=np.float64)[:3]
            turns = {3: 2, 5: 1, 6: 3}.get(raw.sizes.flip, 0)
    except (FileError, MemoryError):
        raise
    # LibRaw raises dozens of kinds; whichever it is ends one sentence.
    except Exception as error:
        words = one_line(error).removeprefix("b'").rstrip("'")
        if said.compression in _PACKED:
            words += f" (it is a DNG packed by {_PACKED[said.compression]})"
        raise FileError(f"{name} cannot be read: {words}") from error
    check_light(name, planes)
    planes = np.rot90(planes, turns, axes=(1, 2))
    noise = None
    if profile := noise_profile(data):
        pairs = profile if len(planes) == 3 else profile[:1]
        noise = [((O / n) ** 0.5, S / n) for (S, O), n in zip(pairs, counts, strict=True)]  # noqa: E741
    if len(planes) == 1:
        return RawFrame(planes, noise, None, None)
    if (
        matrix.shape != (3, 3)
        or not np.abs(matrix).max() <= _MOST_GAIN
        or not abs(np.linalg.det(matrix)) > 1e-6
    ):
        matrix = np.eye(3)
    if not (balance.min() > 0 and balance.max() <= _MOST_GAIN * balance.min()):
        balance = np.ones(3)
    return RawFrame(planes, noise, matrix, balance / balance[1], note)


@dataclass(frozen=True)
class _Said:
    """What the tags of a DNG say: the colors of its mosaic [p, q], if it is not 2x2, how it is packed, and what that is
    called where LibRaw does not unpack it, or only seems to."""

    pattern: np.ndarray | None = None
    compression: int = 1
    not_unpacked: str = ""


def _said_by_dng(data: bytes) -> _Said:
    """LibRaw reads a mosaic of 4x4 as one of 2x2; damaged tags say nothing."""
    if data[:4] not in _TIFF:
        return _Said()
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data), _multifile=False) as file:
            pages = [file.pages.first, *(file.pages.first.pages or ())]
            for page in pages:
                dim, pattern = page.tags.get(_REPEAT), page.tags.get(_PATTERN)
                if page.photometric in (_CFA, _LINEAR_RAW) and not page.subfiletype & 1:
                    packed = int(page.compression)
                    floating = page.is_tiled and int(page.predictor) in _PREDICTORS
                    lost = (
                        "JPEG XL"
                        if packed == _JPEG_XL
                        else "deflate"
                        if packed == _DEFLATE and not floating
                        else ""
                    )
                    if dim is None or pattern is None:
                        return _Said(None, packed, lost)
                    p, q = (int(n) for n in dim.value)
                    colors = np.frombuffer(bytes(pattern.value), np.uint8)
                    other = (p, q) != (2, 2) and p * q == len(colors) and max(p, q) <= _LARGEST_PATTERN
                    return _Said(colors.reshape(p, q) if other else None, packed, lost)
    except Exception:
        return _Said()
    return _Said()


def _planes(name: str, raw: Any, flat: Any, said: _Said) -> tuple[np.ndarray, tuple[float, ...], str]:
    """Planes in linear light, of how many photosites each value is the mean, and a note."""
    pixels = raw.raw_image_visible
    if raw.num_colors == 1:
        gray = pixels if pixels.ndim == 2 else pixels[..., 0]
        return _leveled(name, raw, gray, 0)[None], (1.0,), ""
    letters = raw.color_desc.decode("ascii", "replace")
    kinds = dict.fromkeys(letters[: raw.num_colors])
    if raw.num_colors != 3 or set(kinds) != set("RGB"):
        raise FileError(
            f"{name} is a raw file of a sensor with the colors {', '.join(kinds)}; red, green and blue are read"
        )
    if raw.raw_type != flat:  # every pixel has all colors: a linear DNG
        planes = np.stack(
            [_leveled(name, raw, pixels[..., letters.index(c)], letters.index(c)) for c in "RGB"]
        )
        return planes, (1.0, 1.0, 1.0), ""
    colors = raw.raw_colors_visible[:_LARGEST_PATTERN, :_LARGEST_PATTERN]
    if said.pattern is not None:
        tiles = [-(-_LARGEST_PATTERN // n) for n in said.pattern.shape]
        colors = np.tile(said.pattern, tiles)[:_LARGEST_PATTERN, :_LARGEST_PATTERN]
    if min(pixels.shape) < 2:
        raise FileError(f"{name} has {pixels.shape[1]}x{pixels.shape[0]} pixels; a Bayer block is 2x2")
    if colors.max() >= len(letters):
        raise FileError(
            f"{name} is a raw file with the filters {colors.tolist()}; red, green and blue are read"
        )
    names = np.array([*letters])[colors]
    fits = [(b, p, k) for b, p, k in _MOSAICS if _repeats(names, p) and _holds_all(names, b, p)]
    if not fits:
        raise FileError(
            f"{name} is a raw file of a sensor whose colors {[''.join(row[:6]) for row in names[:6]]} do not repeat as "
            "those of Bayer, X-Trans or Quad Bayer sensors"
        )
    block, period, kind = fits[0]
    h, w = (n // block for n in pixels.shape)
    if min(h, w) < 1:
        raise FileError(
            f"{name} has {pixels.shape[1]}x{pixels.shape[0]} pixels; a block of {kind} is {block}x{block}"
        )
    planes = np.zeros((3, h, w), dtype=np.float32)
    step = period // block
    for y in range(period):
        for x in range(period):
            of_block = names[y // block * block :, x // block * block :][:block, :block]
            part = pixels[y : h * block : period, x : w * block : period]
            if part.size:
                light = _leveled(name, raw, part, int(colors[y, x])) / np.float32(
                    (of_block == names[y, x]).sum()
                )
                planes["RGB".index(names[y, x]), y // block :: step, x // block :: step] += light
    counts = tuple(float((names[:block, :block] == c).sum()) for c in "RGB")
    note = f"{name} is of a {kind} sensor: each {block}x{block} of its pixels are read as one."
    return planes, counts, note if block > 2 else ""


_MOSAICS = ((2, 2, "Bayer"), (3, 6, "X-Trans"), (4, 4, "Quad Bayer"), (6, 6, "Nona Bayer"))
"""Side of the smallest block that holds all colors, of what repeats, and what such sensors are called."""


def _repeats(names: np.ndarray, period: int) -> bool:
    """Whether a mosaic is the same again after so many pixels."""
    n = min(names.shape) - period
    return n < 1 or bool(
        (names[period:] == names[:-period]).all() and (names[:, period:] == names[:, :-period]).all()
    )


def _holds_all(names: np.ndarray, block: int, period: int) -> bool:
    corners = range(0, period, block)
    parts = (names[y : y + block, x : x + block] for y in corners for x in corners)
    return all(set(part.ravel()) == set("RGB") for part in parts if part.size)


def _leveled(name: str, raw: Any, values: np.ndarray, color: int) -> np.ndarray:
    """Codes of a color (its number in LibRaw) as light: float32."""
    black = float(raw.black_level_per_channel[color])
    span = float(raw.white_level) - black
    if not span >= 1:
        raise FileError(f"{name} has the white level {raw.white_level} at a black level of {black:g}")
    return np.asarray((values.astype(np.float32) - np.float32(black)) / np.float32(span))


def noise_profile(data: bytes) -> list[list[float]] | None:
    """(S, O) of R, G and B from a DNG's NoiseProfile (tag 51041), or None: there is none that makes sense.

    The signal's variance is S x + O, x in 0..1 from black to white (DNG 1.4, NoiseProfile). Either one pair
    for all colors, or one a plane in the order of CFAPlaneColor, which is R, G, B unless it says otherwise.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = [file.pages.first, *(file.pages.first.pages or ())]
            for page in pages:
                tag = page.tags.get(_NOISE_PROFILE)
                if tag is None:
                    continue
                values = np.atleast_1d(np.asarray(tag.value, dtype=np.float64))
                # A variance of more than white squared is none.
                if values.shape not in ((2,), (6,)) or not (values.min() >= 0 and values.max() <= 1):
                    return None
                return np.resize(values, 6).reshape(3, 2).tolist()
    # A raw file that is no TIFF, or one whose tags are damaged, has no profile; its pixels may be fine.
    except Exception:
        return None
    return None
