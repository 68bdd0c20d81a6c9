"""One picture from bytes that nobody has vouched for: pixel codes as they were stored, or one sentence why not."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFile

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_REFUSED = {
    "1": "has 1 bit a pixel, no shades",
    "CMYK": "is CMYK; convert it to RGB",
    "LAB": "is Lab; convert it to RGB",
    "YCbCr": "is YCbCr without a transfer to RGB; convert it to RGB",
    "HSV": "is HSV; convert it to RGB",
}


class FileError(ValueError):
    """A file that is no frame of a burst: one sentence that names the file and the reason."""


@dataclass(frozen=True)
class Limits:
    """What is refused before it is decoded.

    pixels   of one frame;  total_bytes   of all files, and of all that a ZIP or NPZ holds
    total_pixels   of all frames: what the temporary file on disk may grow to, 6 bytes each for 16-bit color
    """

    pixels: int = 32_000_000
    total_bytes: int = 400_000_000
    total_pixels: int = 256_000_000

    def __post_init__(self) -> None:
        for name in ("pixels", "total_bytes", "total_pixels"):
            if not getattr(self, name) > 0:
                raise ValueError(f"limit {name} is {getattr(self, name)!r}; it must be above 0")

    @classmethod
    def from_environment(cls) -> Limits:
        """The defaults, or KPNVIZ_MAX_MEGAPIXELS (a frame) and KPNVIZ_MAX_MEGABYTES (in all) where set."""

        def setting(name: str, default: float) -> int:
            text = os.environ.get(name, "")
            try:
                return int(float(text or default) * 1e6)
            except (ValueError, OverflowError):
                raise ValueError(f"{name} is {text!r}; it must be a number") from None

        pixels = setting("KPNVIZ_MAX_MEGAPIXELS", 32)
        return cls(pixels, setting("KPNVIZ_MAX_MEGABYTES", 400), 8 * pixels)


@dataclass(frozen=True, eq=False)
class Picture:
    """codes [C, H, W], C = 1 or 3: uint8 or uint16, sRGB-encoded, as stored; or float32, linear; what was dropped."""

    codes: np.ndarray
    notes: tuple[str, ...] = ()


def check_pixels(name: str, width: int, height: int, limits: Limits) -> None:
    """FileError for a picture without pixels, or with more of them than allowed."""
    if width < 1 or height < 1:
        raise FileError(f"{name} has {width}x{height} pixels; nothing to see")
    if width * height > limits.pixels:
        raise FileError(
            f"{name} has {width}x{height} pixels; the limit is {limits.pixels / 1e6:g} megapixels"
        )


def read_picture(name: str, data: bytes, limits: Limits) -> Picture:
    """Decode a PNG, JPEG, TIFF or WebP, told by its content.

    EXIF rotation is applied, transparency dropped, a palette looked up; 16-bit color keeps its 16 bits.
    Raises FileError, one sentence that names the file and the reason, for everything else.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
            return _decode(name, data, file, limits)
    except FileError:
        raise
    except (Image.DecompressionBombError, MemoryError):
        raise FileError(f"{name} has too many pixels to be decoded") from None
    except Image.UnidentifiedImageError:
        raise FileError(f"{name} is not a picture that can be read: PNG, JPEG, TIFF, WebP") from None
    # Decoders of damaged files raise whatever they stumble over: struct.error, KeyError, OverflowError ...
    except Exception as error:
        raise FileError(f"{name} cannot be read: {one_line(error)}") from error


def one_line(error: BaseException) -> str:
    """An error of a library as the end of a sentence."""
    return (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(".")


def _decode(name: str, data: bytes, file: ImageFile.ImageFile, limits: Limits) -> Picture:
    check_pixels(name, file.width, file.height, limits)
    # A phone's JPEG may carry a gain map as a second picture (MPO); the first is the photo.
    pictures = 1 if file.format in ("JPEG", "MPO") else getattr(file, "n_frames", 1)
    if pictures > 1:
        raise FileError(f"{name} holds {pictures} pictures (an animation or pages); give one file a frame")
    if file.mode in _REFUSED:
        raise FileError(f"{name} {_REFUSED[file.mode]}")
    if file.format == "TIFF" and 1 in file.tag_v2.get(258, ()):  # type: ignore[attr-defined]
        raise FileError(f"{name} {_REFUSED['1']}")
    notes: list[str] = []
    codes: np.ndarray
    if file.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in file.info:
        notes.append("transparency was dropped")
    rawmode = _rawmode(file)
    if file.mode == "F":
        codes = np.asarray(file, dtype=np.float32)[..., None]
        if not np.isfinite(codes).all():
            raise FileError(f"{name} holds values that are not finite (NaN or infinity)")
    elif file.mode.startswith("I;16"):
        codes = np.asarray(file).astype(np.uint16)[..., None]
    elif "16" in rawmode:
        codes = _sixteen_bit_color(name, data, rawmode)
    elif file.mode == "I":
        raise FileError(f"{name} has 32-bit integers; save it with 8 or 16 bits, or as floating point")
    else:
        if file.mode == "P":
            notes.append("it has a palette: few colors, and no noise that could be measured")
        gray = file.mode in ("L", "LA", "La")
        codes = np.asarray(file.convert("L" if gray else "RGB"), dtype=np.uint8)
        codes = codes[..., None] if gray else codes
    codes = _upright(codes, file.getexif().get(0x0112, 1))
    return Picture(np.ascontiguousarray(codes.transpose(2, 0, 1)), tuple(notes))


def _rawmode(file: ImageFile.ImageFile) -> str:
    args = file.tile[0].args if file.tile else ""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _sixteen_bit_color(name: str, data: bytes, rawmode: str) -> np.ndarray:
    """16-bit RGB(A), [H, W, 3] uint16.

    Pillow keeps the high byte of such pixels. Told that the file has the other byte order, it keeps the low
    one: two decodings give both.
    """
    orders = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
    colors, _, order = rawmode.partition(";")
    if colors not in ("RGB", "RGBA", "RGBX") or order not in orders:
        raise FileError(
            f"{name} has a 16-bit layout that is not read ({rawmode}); save it as 16-bit RGB or gray"
        )

    def swapped(args: Any) -> Any:
        other = f"{colors};{orders[order]}"
        return other if isinstance(args, str) else (other, *args[1:])

    with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
        high = np.asarray(file)[..., :3].astype(np.uint16)
    with Image.open(io.BytesIO(data), formats=_FORMATS) as file:
        file.tile = [tile._replace(args=swapped(tile.args)) for tile in file.tile]
        low = np.asarray(file)[..., :3].astype(np.uint16)
    return high << 8 | low


def _upright(codes: np.ndarray, orientation: Any) -> np.ndarray:
    """Apply EXIF orientation 1..8 to [H, W, C]; anything else is no orientation."""
    if orientation in (5, 6, 7, 8):
        codes = codes.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):  # the stored top is the bottom: rows run backwards ...
        codes = codes[::-1]
    if orientation in (2, 3, 6, 7):  # ... or columns do
        codes = codes[:, ::-1]
    return codes


def write_png16(codes: np.ndarray) -> bytes:
    """A 16-bit PNG of codes [H, W] or [H, W, 3], uint16. (Pillow writes no 16-bit color.)"""
    H, W = codes.shape[:2]
    rows = np.ascontiguousarray(codes, dtype=">u2").reshape(H, -1).view(np.uint8)
    filtered = np.full((H, 1 + rows.shape[1]), 2, dtype=np.uint8)  # filter 2: difference to the row above
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", W, H, 16, 0 if codes.ndim == 2 else 2, 0, 0, 0)
    data = zlib.compress(filtered.data, 4)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def write_tiff16(codes: np.ndarray) -> bytes:
    """A 16-bit TIFF of codes [H, W] or [H, W, 3], uint16, deflated."""
    import tifffile  # here: whoever reads photos does without

    file = io.BytesIO()
    photometric = "minisblack" if codes.ndim == 2 else "rgb"
    tifffile.imwrite(file, codes, photometric=photometric, compression="zlib", predictor=True, metadata=None)
    return file.getvalue()
