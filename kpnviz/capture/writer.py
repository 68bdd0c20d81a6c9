"""A burst as files that any program reads: 16-bit frames in linear light, and burst.json."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kpnviz.burst import Burst
from kpnviz.capture.reader import FORMAT, METADATA
from kpnviz.color import displayed
from kpnviz.limits import MAX_JSON_BYTES
from kpnviz.noise import NoiseModel
from kpnviz.paths import locked, unfinished
from kpnviz.pictures import SOFTWARE, icc_profile, write_dng, write_png16, write_tiff
from kpnviz.text import escaped

if TYPE_CHECKING:
    from kpnviz.capture.frame_stack import FrameStack
    from kpnviz.capture.own_burst import OwnBurst
    from kpnviz.denoise import FrameSource

_TOP = 65535
_OWN = re.compile(r"frame_[0-9]{2,4}\.png|truth\.png")


def check_folder(folder: Path) -> None:
    """ValueError for a folder that holds something else than a synthetic burst that was written here.

    Its burst.json is the mark, with a recipe: without one the frames are somebody's own, and cannot be made again.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{escaped(folder)} is a file; a burst is written to a folder")
    if folder.is_dir() and any(folder.iterdir()) and _written(folder) is None:
        raise ValueError(
            f"{escaped(folder)} holds files that kpnviz did not write; name a new folder, or use --force"
        )
    if folder.is_dir() and any(folder.iterdir()) and not _synthetic(folder):
        raise ValueError(
            f"{escaped(folder)} holds a burst that is no synthetic one; name a new folder, or use --force"
        )


def _synthetic(folder: Path) -> bool:
    """Whether the burst that was written to a folder has a recipe."""
    return bool(_metadata(folder).get("recipe"))


def _metadata(folder: Path) -> dict[str, Any]:
    """What burst.json holds; ValueError or OSError if it is none."""
    with open(folder / METADATA, "rb") as file:
        values = json.loads(file.read(MAX_JSON_BYTES))
    if not isinstance(values, dict):
        raise ValueError(f"{METADATA} is no JSON object")
    return values


def _written(folder: Path) -> list[str] | None:
    """The files of a burst that was written to a folder; None if none was."""
    try:
        values = _metadata(folder)
        if values["format"] != FORMAT:
            return None
        names = [*values["frames"], *([values["truth"]] if values["truth"] else [])]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None
    return [name for name in names if isinstance(name, str) and _OWN.fullmatch(name)]


def burst_arrays(burst: Burst) -> dict[str, Any]:
    """A burst as the arrays of an NPZ, which :func:`kpnviz.read_burst` reads: what is known of it.

    frames [N, H, W] or [N, C, H, W], white_level; read_std and shot_gain (of each channel [C], where they differ),
    truth, shifts [N, 2] (dy, dx), moving_mask [M, H, W], moving_shifts [M, N, 2], recipe (JSON).
    """
    arrays: dict[str, Any] = {"frames": burst.frames, "white_level": burst.white_level}
    if isinstance(burst.noise, NoiseModel):
        arrays |= {"read_std": burst.noise.read_std, "shot_gain": burst.noise.shot_gain}
    elif burst.noise is not None:
        for name in ("read_std", "shot_gain"):
            arrays[name] = np.array([getattr(noise, name) for noise in burst.noise])
    for name in ("truth", "shifts", "moving_mask", "moving_shifts"):
        if getattr(burst, name) is not None:
            arrays[name] = getattr(burst, name)
    if burst.recipe is not None:
        arrays["recipe"] = json.dumps(dataclasses.asdict(burst.recipe))
    return arrays


_ALIGNED = "kpnviz denoise --aligned"


def check_aligned_folder(folder: Path) -> None:
    """ValueError for a file, and for a folder that holds something else than aligned frames that were written here."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{escaped(folder)} is a file; aligned frames are written to a folder")
    if folder.is_dir() and any(folder.iterdir()):
        try:
            ours = _metadata(folder).get("made_by") == _ALIGNED
        except (OSError, ValueError, RecursionError):
            ours = False
        if not ours:
            raise ValueError(f"{escaped(folder)} holds files that --aligned did not write; name a new folder")


def write_aligned(folder: Path, burst: OwnBurst, view: FrameSource) -> None:
    """Write the frames of a burst of one's own as a network reads them: aligned, of one brightness, linear.

    frame_00.png is the reference; burst.json says what is black and white, the noise, and the files' names. It is a
    burst that is aligned: read again, it is taken as it is.
    """
    H, W, N, channels = view.height, view.width, len(view), view.channels or 1
    rows = max(1, _STRIP_NUMBERS // (N * channels * W))
    strips = [slice(top, min(top + rows, H)) for top in range(0, H, rows)]

    def read(strip: slice) -> np.ndarray:
        return view.window(strip, slice(0, W)).reshape(N, channels, -1, W)

    ends = [(float(part.min()), float(part.max())) for part in map(read, strips)]
    black, span = code_levels(min(low for low, _ in ends), max(high for _, high in ends))
    noises = view.channel_noises(METADATA)
    names = [f"frame_{i:02d}.png" for i in range(N)]
    metadata = {
        "format": FORMAT,
        "frames": names,
        "black_code": black,
        "white_code": black + span,
        "white_level": burst.stack.white_level,
        "noise": [dataclasses.asdict(noise) for noise in noises],
        "shifts": None,
        "truth": None,
        "recipe": None,
        "made_by": _ALIGNED,
        "files": [burst.stack.names[i] for i in burst.order],
    }
    with tempfile.TemporaryFile() as file:
        codes = np.memmap(file, np.uint16, "w+", shape=(N, H, W, channels))
        for strip in strips:
            codes[:, strip] = np.moveaxis(_coded(read(strip), black, span), 1, -1)

        def pictures() -> Iterator[tuple[str, bytes]]:
            for name, frame in zip(names, codes, strict=True):
                yield name, write_png16(frame[..., 0] if channels == 1 else frame)

        _write(Path(folder), pictures(), metadata)


def check_counts(stack: FrameStack) -> None:
    """ValueError for files whose numbers are no counts in proportion to light."""
    if stack.encoded or stack.meaning is None:
        what = "sRGB-encoded" if stack.encoded else "what the file says of them"
        raise ValueError(
            f"--counts: the numbers of {stack.names[0]} are {what}, no counts of a sensor; --float writes linear light"
        )


def levels_of(stack: FrameStack) -> tuple[float, float]:
    """(black, span) of linear light as `encoded` writes it in floating point: number = black + span * light."""
    black, white = stack.levels or (0.0, 1.0)
    return black - stack.taken_off * (white - black), white - black


def encoded(
    picture: np.ndarray,
    stack: FrameStack,
    reference: int,
    suffix: str,
    linear: bool,
    floating: bool = False,
    counts: bool = False,
) -> bytes:
    """A picture [C, H, W] as a file: with a color profile, unless colors are a camera's, and the EXIF of the reference.

    A .dng is linear light in the camera's colors, black and white such that nothing is clipped.

    linear   linear light, else sRGB-encoded;  floating   32 bits, not clipped, else 16
    counts   floating point in the numbers of the files, black + (white - black) * light
    """
    C, H, W = picture.shape
    exif = stack.exif[reference] if stack.exif else b""
    if suffix == ".dng":
        black, span = code_levels(float(picture.min()), float(picture.max()))
        dng = np.stack([_coded(plane, black, span) for plane in picture], -1)
        matrix, balance = stack.rendering or (None, None)
        gray = dng[..., 0] if C == 1 else dng
        return write_dng(gray, (black, black + span), matrix, balance, exif, SOFTWARE)
    codes = np.empty((H, W, C), dtype=np.float32 if floating else np.uint16)
    zero, one = levels_of(stack) if counts else (0.0, 1.0)
    for c, plane in enumerate(picture):  # plane by plane: a large picture in float64 is large
        if floating:
            codes[..., c] = (plane + np.float32(stack.taken_off)) * np.float32(one) + np.float32(zero)
        else:
            values = np.clip(plane, 0, 1) if linear else displayed(plane, stack.white_level)
            codes[..., c] = np.rint(values * _TOP)
    of_a_camera = linear and C == 3 and stack.weights is None
    icc = b"" if of_a_camera or counts else icc_profile(C == 1, linear)
    codes = codes[..., 0] if C == 1 else codes
    if suffix == ".png":
        return write_png16(codes, icc, exif, SOFTWARE)
    wide = stack.codes.shape[-1] // stack.width  # 2 of a mosaic
    return write_tiff(codes, icc, exif, software=SOFTWARE, wide=wide)


_STRIP_NUMBERS = 20_000_000  # that are in memory at a time


def code_levels(low: float, high: float) -> tuple[int, int]:
    """The code of black, and how many codes lie between black and white, so that no value is clipped."""
    low, high = min(0.0, low), max(1.0, high)
    span = int(_TOP / (high - low)) - 1
    return int(np.ceil(-low * span)), span


def _coded(picture: np.ndarray, black: int, span: int) -> np.ndarray:
    return np.clip(np.rint(picture.astype(np.float64) * span + black), 0, _TOP).astype(np.uint16)


def write_burst(folder: Path, burst: Burst) -> dict:
    """Write a burst, gray or in color, to a folder: frame_00.png ..., truth.png, burst.json.

    x = (code - black_code) / (white_code - black_code); both are chosen so that no value is clipped.
    A frame of an older burst that was written here, and that this one does not overwrite, is removed; no other file is.
    All is written beside the folder first, so that an interrupted command leaves the older burst. Returns what
    burst.json holds.
    """
    folder = Path(folder)
    black, span = code_levels(float(burst.frames.min()), float(burst.frames.max()))

    def png(picture: np.ndarray) -> bytes:
        codes = _coded(picture, black, span)
        return write_png16(codes if codes.ndim == 2 else np.moveaxis(codes, 0, -1))

    names = [f"frame_{i:02d}.png" for i in range(len(burst))]
    noises = None if burst.noise is None else burst.channel_noises("burst.json")
    metadata = {
        "format": FORMAT,
        "frames": names,
        "black_code": black,
        "white_code": black + span,
        "white_level": burst.white_level,
        "noise": noises and [dataclasses.asdict(noise) for noise in noises],
        "shifts": None if burst.shifts is None else np.asarray(burst.shifts).tolist(),
        "truth": None if burst.truth is None else "truth.png",
        "recipe": None if burst.recipe is None else dataclasses.asdict(burst.recipe),
    }
    pictures = [(name, burst.frames[i]) for i, name in enumerate(names)]
    pictures += [] if burst.truth is None else [("truth.png", burst.truth)]
    _write(folder, ((name, png(picture)) for name, picture in pictures), metadata)
    return metadata


def _write(folder: Path, pictures: Iterable[tuple[str, bytes]], metadata: dict[str, Any]) -> None:
    """Write pictures and burst.json beside a folder, then into it, in place of an older burst that was written so."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(folder.parent) as new:
        new.mkdir(mode=0o700)
        for name, data in pictures:
            (new / name).write_bytes(data)
        (new / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        folder.mkdir(exist_ok=True)
        with locked(folder / METADATA):  # the frames of two bursts, written at once, are not mixed
            for old in _written(folder) or ():
                (folder / old).unlink(missing_ok=True)
            for name in sorted(file.name for file in new.iterdir() if file.name != METADATA):
                os.replace(new / name, folder / name)
            os.replace(new / METADATA, folder / METADATA)
