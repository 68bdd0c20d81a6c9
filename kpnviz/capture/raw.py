"""Camera raw and DNG: half-size Bayer planes in linear light, decoded in a child process."""

from __future__ import annotations

import importlib.util
import io
import json
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from kpnviz.noise import NoiseModel
from kpnviz.pictures import FileError, Limits

# What it finds wrong in a file that nobody vouches for is said by us, once, or does not matter.
logging.getLogger("tifffile").setLevel(logging.CRITICAL)

_SCRIPT = Path(__file__).with_name("raw_child.py")
_MEMORY_BYTES = 2 * 2**30
_SECONDS = 60

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
_TIFF = (b"II*\0", b"MM\0*")
_DNG_VERSION, _MAKE, _SUB_IFDS, _PHOTOMETRIC, _SAMPLE_FORMAT, _CFA = 50706, 271, 330, 262, 339, 32803


@dataclass(frozen=True, eq=False)
class RawFrame:
    """planes [3, H/2, W/2] float32 (R, mean of both G, B), linear, black 0, white 1, not clipped.

    noise   of each plane, from the NoiseProfile, or None (the mean of two greens has half the variance)
    matrix  [3, 3], white-balanced camera colors to linear sRGB;  white_balance [3], factors on R, G, B
    """

    planes: np.ndarray
    noise: tuple[NoiseModel, ...] | None
    matrix: np.ndarray
    white_balance: np.ndarray


def kind_of(data: bytes) -> str:
    """'raw' for camera raw and DNG, 'float tiff' for floating-point color, else 'picture'; by content."""
    if any(data[offset : offset + len(magic)] == magic for offset, magic in _MAGIC):
        return "raw"
    if data[:4] not in _TIFF:
        return "picture"
    if data[8:10] == b"CR":
        return "raw"
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            tags = {tag.code: tag.value for tag in file.pages.first.tags}
    # Damaged tags: let the decoder of pictures say what is wrong.
    except Exception:
        return "picture"
    if _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) == _CFA or (_MAKE in tags and _SUB_IFDS in tags):
        return "raw"
    formats = tags.get(_SAMPLE_FORMAT, 1)
    return "float tiff" if isinstance(formats, tuple) and 3 in formats else "picture"


def read_raw(name: str, data: bytes, limits: Limits) -> RawFrame:
    """Decode a Bayer raw file. FileError, one sentence with the file's name, if that cannot be."""
    if importlib.util.find_spec("rawpy") is None:
        raise FileError(
            f"{name} is a camera raw; rawpy, which decodes it, is not installed: pip install 'kpnviz[raw]'"
        )
    info, planes = _run("raw", name, data, limits)
    noise = None
    if info["noise"]:
        # Frames are planes: green is the mean of two photosites with independent noise.
        noise = tuple(
            NoiseModel((variance / n) ** 0.5, shot / n)
            for (shot, variance), n in zip(info["noise"], (1, 2, 1), strict=True)
        )
    return RawFrame(planes, noise, np.array(info["matrix"]), np.array(info["white_balance"]))


def read_float_tiff(name: str, data: bytes, limits: Limits) -> np.ndarray:
    """A TIFF of floating-point RGB, taken for linear light: [3, H, W] float32."""
    return _run("float tiff", name, data, limits)[1]


def _run(kind: str, name: str, data: bytes, limits: Limits) -> tuple[dict, np.ndarray]:
    if importlib.util.find_spec("resource") is None:
        raise FileError(
            f"{name} can be read on POSIX systems only, where the decoder's memory can be limited"
        )
    settings = map(str, (kind, limits.pixels, _MEMORY_BYTES, _SECONDS))
    # -P: the script's folder is that of our modules, whose names are not to hide others.
    command = [sys.executable, "-P", str(_SCRIPT), *settings]
    # Threads reserve address space each, and one suffices.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=2 * _SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise FileError(f"{name} took longer than {2 * _SECONDS} s to decode") from None
    if done.returncode == 3:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise FileError(f"{name} {lines[-1] if lines else 'cannot be read'}")
    head, _, body = done.stdout.partition(b"\n")
    if done.returncode != 0 or not head.startswith(b"{"):
        raise FileError(f"{name} cannot be read: the raw decoder stopped with status {done.returncode}")
    info = json.loads(head)
    planes = np.frombuffer(body, np.float32)
    if planes.size != np.prod(info["shape"]):
        raise FileError(f"{name} cannot be read: the raw decoder gave {planes.size} samples")
    return info, planes.reshape(info["shape"])


def develop(planes: np.ndarray, matrix: np.ndarray, white_balance: np.ndarray) -> np.ndarray:
    """Camera colors [3, H, W] -> linear sRGB [3, H, W]: white balance, then the camera's matrix."""
    balanced = planes * white_balance[:, None, None].astype(np.float32)
    return np.einsum("rc,chw->rhw", matrix.astype(np.float32), balanced)
