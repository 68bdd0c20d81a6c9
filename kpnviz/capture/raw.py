"""Camera raw and DNG: runs in the process that reads files (decoding.py)."""

from __future__ import annotations

import importlib.util
import io
import struct
from dataclasses import dataclass

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
_NOISE_PROFILE = 51041
_MOST_GAIN = 100  # of white balance, and of an entry of a color matrix


@dataclass(frozen=True, eq=False)
class RawFrame:
    """planes [3, H/2, W/2] float32 (R, mean of both G, B), linear, black 0, white 1, not clipped.

    noise   (read_std, shot_gain) of each plane, from the NoiseProfile, or None
    matrix  [3, 3], white-balanced camera colors to linear sRGB;  white_balance [3], factors on R, G, B
    """

    planes: np.ndarray
    noise: list[tuple[float, float]] | None
    matrix: np.ndarray
    white_balance: np.ndarray


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
    """The half-size Bayer planes of a raw file, upright. FileError, one sentence with the file's name, if it has none.

    The NoiseProfile holds for one photosite; green is the mean of two with independent noise.
    """
    if importlib.util.find_spec("rawpy") is None:
        raise FileError(
            f"{name} is a camera raw; rawpy, which decodes it, is not installed: pip install 'kpnviz[raw]'"
        )
    import rawpy

    try:
        with rawpy.RawPy() as raw:
            raw.open_buffer(io.BytesIO(data))
            check_pixels(name, raw.sizes.raw_width, raw.sizes.raw_height, limits)
            raw.unpack()
            planes = _planes(name, raw, rawpy.RawType.Flat)
            matrix = np.asarray(raw.color_matrix, dtype=np.float64)[:, :3]
            balance = np.asarray(raw.camera_whitebalance, dtype=np.float64)[:3]
            turns = {3: 2, 5: 1, 6: 3}.get(raw.sizes.flip, 0)
    except (FileError, MemoryError):
        raise
    # LibRaw raises dozens of kinds; whichever it is ends one sentence.
    except Exception as error:
        words = one_line(error).removeprefix("b'").rstrip("'")
        raise FileError(f"{name} cannot be read: {words}") from error
    if (
        matrix.shape != (3, 3)
        or not np.abs(matrix).max() <= _MOST_GAIN
        or not abs(np.linalg.det(matrix)) > 1e-6
    ):
        matrix = np.eye(3)
    if not (balance.min() > 0 and balance.max() <= _MOST_GAIN * balance.min()):
        balance = np.ones(3)
    check_light(name, planes)
    noise = None
    if profile := noise_profile(data):
        noise = [((O / n) ** 0.5, S / n) for (S, O), n in zip(profile, (1, 2, 1), strict=True)]  # noqa: E741
    return RawFrame(np.rot90(planes, turns, axes=(1, 2)), noise, matrix, balance / balance[1])


def _planes(name: str, raw, flat) -> np.ndarray:
    if raw.raw_type != flat:
        raise FileError(f"{name} is a raw file without a color filter array; only Bayer sensors are read")
    if raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
        raise FileError(f"{name} is a raw file of a sensor that is not Bayer (X-Trans or other)")
    # raw_pattern begins at the corner of the sensor, the mosaic at that of its visible part.
    pattern, colors = raw.raw_colors_visible[:2, :2], raw.color_desc
    mosaic = raw.raw_image_visible
    if pattern.shape != (2, 2):
        raise FileError(f"{name} has {mosaic.shape[1]}x{mosaic.shape[0]} pixels; a Bayer block is 2x2")
    letters = [[chr(colors[pattern[y, x]]) for x in range(2)] for y in range(2)]
    if sorted(letters[0] + letters[1]) != ["B", "G", "G", "R"]:
        raise FileError(
            f"{name} is a raw file with the filters {letters}; one red, two green and one blue are read"
        )
    H, W = (length // 2 for length in mosaic.shape)
    planes = np.zeros((3, H, W), dtype=np.float32)
    for y in range(2):
        for x in range(2):
            black = float(raw.black_level_per_channel[pattern[y, x]])
            span = float(raw.white_level) - black
            if not span >= 1:
                raise FileError(f"{name} has the white level {raw.white_level} at a black level of {black:g}")
            plane = (mosaic[y : 2 * H : 2, x : 2 * W : 2].astype(np.float32) - black) / span
            color = "RGB".index(letters[y][x])
            planes[color] += plane / 2 if color == 1 else plane
    return planes


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
