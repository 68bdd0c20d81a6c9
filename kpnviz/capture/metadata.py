"""What files say beside their pixels: exposure, EXIF, colors. Runs in the process that reads files (decoding.py)."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from kpnviz.color import srgb_decode
from kpnviz.pictures import formats_of
from kpnviz.text import visible

_TIFF = (b"II*\0", b"MM\0*")
_EXIF, _GPS, _ICC = 0x8769, 0x8825, 0x8773
_EXPOSURE_TIME, _F_NUMBER, _ISO = 0x829A, 0x829D, 0x8827
_KEPT = (0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x8298)  # description, make, model, time, artist, copyright
# Of the files' own pixels: notes of the maker, components, compression, size, other directories, colors.
_DROPPED = (0x927C, 0x9101, 0x9102, 0xA001, 0xA002, 0xA003, 0xA005)
_DESCRIPTION = 0x010E
_OF_A_STACK = ("ImageJ=", "SCIFIO=", "<?xml", "<OME", "<MetaData", '{"shape"', "shape=")
"""How descriptions begin that say how a file's pages are frames; of one picture they are wrong."""
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _CM = 282, 283, 296, 3
_OME_SIZE = re.compile(r'<Pixels[^>]* PhysicalSizeX="([\d.eE+-]{1,30})"')
_OME_UNIT = re.compile(r'<Pixels[^>]* PhysicalSizeXUnit="([^"]{1,9})"')
_IMAGEJ_UNIT = re.compile(r"\nunit=(\S{1,9})")
_UNITS_A_CM = {"nm": 1e7, "mm": 10.0, "cm": 1.0} | dict.fromkeys(
    ("µm", "μm", "um", "micron", r"\u00B5m"), 1e4
)
_MOST_EXIF, _MOST_VALUE = 32_000, 4_000  # bytes
_MOST_PROFILE = 4_000_000
_STRIP = 64  # rows that are converted at a time
_SAMPLES = 1024  # of a tone curve
_SAME_CURVE, _SAME_COLORS = 2e-3, 1e-2
# R, G and B of sRGB in XYZ, adapted to D50, as columns: IEC 61966-2-1 in an ICC profile.
_SRGB = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])


@dataclass(frozen=True)
class About:
    """exposure   time x ISO / f-number^2, or None;  exif  bytes of EXIF, less what does not hold for a new picture
    icc        the color profile's bytes;  linear  whether numbers are said to be linear, True or False; None: not said
    """

    exposure: float | None = None
    exif: bytes = b""
    icc: bytes = b""
    linear: bool | None = None


def about(data: bytes) -> About:
    """What a picture or raw file says of itself; damaged tags say nothing."""
    try:
        if data[:4] in _TIFF:
            exif = Image.Exif()
            exif.load_from_fp(io.BytesIO(data))
            icc = exif.get(_ICC, b"")
            return About(
                _exposure(exif), _kept(exif, _pixel_size(exif)), icc if isinstance(icc, bytes) else b""
            )
        with Image.open(
            io.BytesIO(data), formats=("PNG", "JPEG", "WEBP", "AVIF", *formats_of(data)[:1])
        ) as file:
            exif, icc = file.getexif(), file.info.get("icc_profile") or b""
            gamma, srgb = file.info.get("gamma"), "srgb" in file.info
            linear = None
            if not icc and isinstance(gamma, float) and gamma > 0:
                linear = True if abs(gamma - 1) < 0.02 else False if 0.3 < gamma < 0.6 else None
            return About(_exposure(exif), _kept(exif), icc, False if srgb and not icc else linear)
    except Exception:  # what decoders of tags raise is theirs; the pixels are read without
        return About()


def _exposure(exif: Image.Exif) -> float | None:
    inside = exif.get_ifd(_EXIF)
    try:
        time = float(inside[_EXPOSURE_TIME])
        iso = inside.get(_ISO, 1)
        iso = float(iso[0] if isinstance(iso, tuple) else iso)
        number = float(inside.get(_F_NUMBER, 1)) or 1.0
        exposure = time * iso / number**2
    except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    return exposure if np.isfinite(exposure) and exposure > 0 else None


def _pixel_size(exif: Image.Exif) -> dict[int, Any]:
    """Tags of the resolution of a TIFF, in pixels a cm where ImageJ or OME say how large a pixel is, else its own."""
    said = str(exif.get(_DESCRIPTION, ""))
    if "Â" in said or "Î" in said:  # UTF-8 that was taken for Latin-1
        said = said.encode("latin-1", "replace").decode("utf-8", "replace")
    x, y = (exif.get(tag) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    try:
        if found := _OME_SIZE.search(said):
            unit = _OME_UNIT.search(said)
            a_cm = _UNITS_A_CM[unit[1] if unit else "µm"] / float(found[1])
            return {_X_RESOLUTION: a_cm, _Y_RESOLUTION: a_cm, _RESOLUTION_UNIT: _CM}
        if x is None or y is None or not min(float(x), float(y)) > 0:
            return {}
        if said.startswith("ImageJ=") and (named := _IMAGEJ_UNIT.search(said)):
            a_cm = _UNITS_A_CM[named[1]]
            return {
                _X_RESOLUTION: float(x) * a_cm, _Y_RESOLUTION: float(y) * a_cm, _RESOLUTION_UNIT: _CM,
            }  # fmt: skip
        return {_X_RESOLUTION: x, _Y_RESOLUTION: y, _RESOLUTION_UNIT: int(exif.get(_RESOLUTION_UNIT, 2))}
    except (KeyError, ValueError, TypeError, ZeroDivisionError, OverflowError):
        return {}


def _kept(exif: Image.Exif, more: Mapping[int, Any] = MappingProxyType({})) -> bytes:
    """EXIF for a picture that was made of a file: who, when, with what and how; not how the file's pixels lie.

    more   tags that are kept as well
    """

    def small(value: Any) -> bool:
        return len(value if isinstance(value, bytes | str | tuple) else b"") <= _MOST_VALUE

    new = Image.Exif()
    for tag in _KEPT:
        of_a_stack = tag == _DESCRIPTION and str(exif.get(tag, "")).lstrip("\ufeff \n").startswith(
            _OF_A_STACK
        )
        if tag in exif and small(exif[tag]) and not of_a_stack:
            new[tag] = exif[tag]
    for directory in (_EXIF, _GPS):
        inside = exif.get_ifd(directory)
        kept = {
            tag: value
            for tag, value in inside.items()
            if (directory == _GPS or tag not in _DROPPED) and not isinstance(value, dict) and small(value)
        }
        if kept:
            new[directory] = kept
    for tag, value in more.items():
        new[tag] = value
    if not len(new):
        return b""
    data = new.tobytes()
    return data if len(data) <= _MOST_EXIF else b""


def profile_of(icc: bytes, channels: int) -> dict[str, Any] | str | None:
    """The colors and tone curves of an ICC profile, as frame_stack.ColorProfile has them, lists for arrays.

    None: they are sRGB's, or there is no profile; a sentence: it is of a kind that is not converted (tables).
    "linear" says whether the curves are straight.
    """
    if not icc or len(icc) > _MOST_PROFILE:
        return None
    try:
        tags = _tags(icc)
        name = _name(icc, tags)
        if channels == 1:
            if b"kTRC" not in tags:
                return None
            curves, columns = [_curve(tags[b"kTRC"])], _SRGB
        else:
            if not {b"rTRC", b"gTRC", b"bTRC", b"rXYZ", b"gXYZ", b"bXYZ"} <= set(tags):
                return (
                    f"the color profile {name} has tables, which are not converted: colors are taken for sRGB"
                )
            curves = [_curve(tags[key]) for key in (b"rTRC", b"gTRC", b"bTRC")]
            columns = np.stack([_xyz(tags[key]) for key in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=1)
        if (
            abs(np.linalg.det(columns)) < 1e-4
            or not np.abs(columns).max() < 10
            or not np.isfinite(curves).all()
        ):
            return None
    except (struct.error, ValueError, IndexError):
        return None
    matrix = np.linalg.inv(_SRGB) @ columns
    even = np.linspace(0, 1, _SAMPLES)
    same_curve = all(np.abs(curve - srgb_decode(even)).max() < _SAME_CURVE for curve in curves)
    if same_curve and np.abs(matrix - np.eye(3)).max() < _SAME_COLORS:
        return None
    weights = columns[1] / columns[1].sum()
    alike = all(np.array_equal(curve, curves[0]) for curve in curves)
    return {
        "name": name,
        "matrix": matrix.tolist(),
        "weights": weights.tolist(),
        "curves": [curve.round(7).tolist() for curve in (curves[:1] if alike else curves)],
        "linear": all(np.abs(curve - even).max() < _SAME_CURVE for curve in curves),
    }


def converted(codes: np.ndarray, icc: bytes) -> np.ndarray | None:
    """The sRGB codes of others, [3, H, W] uint8, by LittleCMS: for profiles of tables; None where it takes them not."""
    from PIL import ImageCms

    out = np.empty_like(codes)
    try:
        source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(
            source, srgb, "RGB", "RGB", renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
        for top in range(0, codes.shape[1], _STRIP):
            strip = np.ascontiguousarray(codes[:, top : top + _STRIP].transpose(1, 2, 0))
            out[:, top : top + _STRIP] = np.asarray(
                ImageCms.applyTransform(Image.fromarray(strip), transform)
            ).transpose(2, 0, 1)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return out


def _tags(icc: bytes) -> dict[bytes, bytes]:
    count = struct.unpack_from(">I", icc, 128)[0]
    found = {}
    for i in range(min(count, 200)):
        key, start, size = struct.unpack_from(">4sII", icc, 132 + 12 * i)
        found[key] = icc[start : start + size]
    return found


def _xyz(tag: bytes) -> np.ndarray:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> np.ndarray:
    """A tone curve at evenly spaced codes (ICC.1:2022, 10.6 and 10.18)."""
    x = np.linspace(0, 1, _SAMPLES)
    if tag[:4] == b"curv":
        count = struct.unpack_from(">I", tag, 8)[0]
        if count == 0:
            return x
        values = np.array(struct.unpack_from(f">{min(count, 65536)}H", tag, 12))
        if count == 1:
            return np.asarray(x ** (values[0] / 256))
        return np.interp(x, np.linspace(0, 1, len(values)), values / 65535)
    if tag[:4] != b"para":
        raise ValueError("no curve")
    kind = struct.unpack_from(">H", tag, 8)[0]
    g, a, b, c, d, e, f = _parameters(tag, kind)
    power = np.maximum(a * x + b, 0) ** g
    return np.where(x >= d, power + e, c * x + f)


def _parameters(tag: bytes, kind: int) -> tuple[float, ...]:
    """g, a, b, c, d, e, f of y = (a x + b)^g + e from d on, c x + f below."""
    p = [value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)]
    if kind == 0:
        return p[0], 1, 0, 0, 0, 0, 0
    g, a, b = p[:3]
    start = -b / a if a else 0.0
    if kind == 1:
        return g, a, b, 0, start, 0, 0
    if kind == 2:
        return g, a, b, 0, start, p[3], p[3]
    return (g, a, b, p[3], p[4], 0, 0) if kind == 3 else (g, a, b, *p[3:])  # type: ignore[return-value]


def _name(icc: bytes, tags: dict[bytes, bytes]) -> str:
    tag = tags.get(b"desc", b"")
    if tag[:4] == b"desc":
        length = struct.unpack_from(">I", tag, 8)[0]
        return visible(tag[12 : 12 + min(length, 80)].split(b"\0")[0].decode("latin-1"))
    if tag[:4] == b"mluc":
        length, start = struct.unpack_from(">II", tag, 20)
        return visible(tag[start : start + min(length, 160)].decode("utf-16-be", "replace"))
    return "without a name"
