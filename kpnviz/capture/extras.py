"""Short videos (PyAV) and FITS (astropy), where these packages are installed. Runs in the process that reads files."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import zlib
from collections.abc import Iterator

import numpy as np

from kpnviz.capture.containers import Frames, frames_of_arrays
from kpnviz.limits import FileError, LimitError, Limits
from kpnviz.pictures import VIDEO_BRANDS, Picture, check_pixels
from kpnviz.text import one_line, visible

_TURNS = {90: 1, 180: 2, 270: 3}  # of a quarter, against the clock


_GZIP, _FITS = b"\x1f\x8b", b"SIMPLE  ="


def unpacked(label: str, data: bytes, limits: Limits) -> bytes:
    """A file, less its gzip where a FITS is in it, as archives of telescopes pack them. FileError for one that unpacks
    to more than a file may have, of which no more is unpacked, or that is not whole."""
    if data[:2] != _GZIP or beginning(data, len(_FITS)) != _FITS:
        return data
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        inside = stream.decompress(data, limits.file_bytes + 1)
    except zlib.error as error:
        raise FileError(f"{label} is packed by gzip and is broken: {one_line(error)}") from error
    if len(inside) > limits.file_bytes:
        raise LimitError(f"{label} unpacks to more than {limits.named('file_bytes')}, the limit of one file")
    if not stream.eof:
        raise FileError(f"{label} is packed by gzip and is incomplete")
    return inside


def beginning(data: bytes, count: int) -> bytes:
    """The first bytes of a file, or of what gzip has packed in it."""
    if data[:2] == _GZIP:
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(data, count)
    return data[:count]


def kind_of_extra(data: bytes) -> str:
    """ "video", "fits", or "" for other files, by their beginning."""
    if data[: len(_FITS)] == _FITS:
        return "fits"
    video = (data[4:8] == b"ftyp" and data[8:12] in VIDEO_BRANDS) or data[8:12] == b"AVI "
    return "video" if video or data[:4] == b"\x1aE\xdf\xa3" else ""


def frames_of_video(label: str, data: bytes, limits: Limits) -> Frames:
    """The first frames of a video, as many as a burst may have: 8 bits, sRGB-encoded, upright."""
    if importlib.util.find_spec("av") is None:
        raise FileError(
            f"{label} is a video; save its frames as PNG, say with ffmpeg, or install PyAV: pip install "
            "'kpnviz[video]'"
        )
    import av

    try:
        with av.open(io.BytesIO(data)) as file:
            if not file.streams.video:
                raise FileError(f"{label} is a sound, without pictures")
            stream = file.streams.video[0]
            check_pixels(label, stream.width, stream.height, limits)
            most = max(1, min(limits.frames, limits.total_pixels // (stream.width * stream.height)))
            held = stream.frames
    except (FileError, MemoryError):
        raise
    except Exception as error:  # FFmpeg has hundreds of kinds
        raise FileError(f"{label} is a video that cannot be read: {_of_ffmpeg(error)}") from error
    notes = [
        "it is a video: what its compression left of the noise is little, and not independent of the picture"
    ]
    if held > most:
        notes.append(f"of {held} frames the first {most} are read")

    def each() -> Iterator[Picture]:
        try:
            with av.open(io.BytesIO(data), "r") as file:
                for number, frame in enumerate(file.decode(video=0)):
                    if number == most:
                        break
                    check_pixels(label, frame.width, frame.height, limits)
                    codes = np.rot90(
                        frame.to_ndarray(format="rgb24"), _TURNS.get(int(frame.rotation) % 360, 0)
                    )
                    yield Picture(np.ascontiguousarray(codes.transpose(2, 0, 1)), tuple(notes))
        except (FileError, MemoryError):
            raise
        except Exception as error:
            raise FileError(f"{label} is a video that cannot be read: {_of_ffmpeg(error)}") from error

    return Frames(2 if held == 0 else min(held, most), each(), linear=False)


def _of_ffmpeg(error: Exception) -> str:
    """What went wrong, less FFmpeg's number of it and the name of a file that has none."""
    import av

    if isinstance(error, av.error.InvalidDataError | av.error.EOFError):
        return "it is incomplete or broken"
    return visible(getattr(error, "strerror", None) or one_line(error), 200)


def frames_of_fits(label: str, data: bytes, limits: Limits) -> Frames:
    """The first picture of a FITS, [H, W] or [N, H, W], as linear light; rows as they are stored."""
    if importlib.util.find_spec("astropy") is None:
        raise FileError(
            f"{label} is a FITS file; astropy, which reads it, is not installed: pip install 'kpnviz[fits]'"
        )
    from astropy.io import fits

    try:
        with fits.open(io.BytesIO(data), memmap=False, lazy_load_hdus=True) as file:
            for unit in file:
                if unit.is_image and len(unit.shape) >= 2 and min(unit.shape) > 0:
                    # Checked before it is read: a header may say anything.
                    probe = np.dtype("f4") if unit.header.get("BITPIX", 0) < 0 else np.dtype("i4")
                    frames_of_arrays(label, unit.shape, probe, lambda n: [], limits)
                    return _frames_of_an_array(label, np.asarray(unit.data), limits)
    except (FileError, MemoryError):
        raise
    except Exception as error:
        raise FileError(f"{label} is a FITS file that cannot be read: {one_line(error)}") from error
    raise FileError(f"{label} is a FITS file without a picture")


def _frames_of_an_array(label: str, values: np.ndarray, limits: Limits) -> Frames:
    return frames_of_arrays(
        label,
        values.shape,
        values.dtype,
        lambda n: values if n > 1 else [values],
        limits,
        why="those of telescopes are",
    )
