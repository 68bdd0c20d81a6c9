"""Reading a file of frames and kernels in the process that may use little: headers first, then number by number.

kernel_file.py says what the keys are, and makes a burst and estimates of what this module has checked and written. It
does without torch, as decoding.py does.
"""

from __future__ import annotations

import difflib
import io
import math
import re
from typing import IO, Any

import numpy as np

from kpnviz.capture.npz import StoredArray, is_zip, opened
from kpnviz.layouts import BASIS, COEFFICIENTS, DENSE, FACTORS, FRAMES
from kpnviz.limits import MAX_INTENSITY, MAX_KERNEL_FRAMES, MAX_OBJECTS, FileError, Limits
from kpnviz.pictures import check_light, check_pixels
from kpnviz.text import visible

KERNEL_FORMAT = "kpnviz kernels 1"

BURST_TEXTS = ("format", "recipe")
BURST_LIGHT = ("frames", "truth", "moving_mask")
BURST_NUMBERS = ("white_level", "read_std", "shot_gain", "shifts", "moving_shifts")
METHOD_TEXTS = ("title", "padding", "reduce")
METHOD_NUMBERS = ("scale",)
_AXES = {
    "frames": FRAMES,
    "kernels": DENSE,
    "vertical": FACTORS,
    "horizontal": FACTORS,
    "basis": BASIS,
    "coefficients": COEFFICIENTS,
}
METHOD_KEY = re.compile(
    r"(?:(?P<method>[0-9]{1,2})/)?(?P<key>(?:kernels|vertical|horizontal)(?:_[0-9]{1,2})?|basis|coefficients|image"
    r"|title|padding|reduce|scale)"
)
_METHOD_KEYS = (*(key for key in _AXES if key != "frames"), "image", *METHOD_TEXTS, *METHOD_NUMBERS)


def _meant(key: str) -> str:
    """The end of a sentence: which key may be meant by one that is none."""
    keys = (*BURST_LIGHT, *BURST_NUMBERS, *_METHOD_KEYS)
    close = difflib.get_close_matches(key.lower(), keys, 1)
    return f"; {close[0]} is one" if close else "; it needs frames and, say, kernels"


class KernelFile:
    """The arrays of one file, as float32 in `output` one after the other, and where; texts and few numbers beside."""

    def __init__(self, label: str, data: bytes, limits: Limits, output: IO[bytes]) -> None:
        self.label, self.limits, self.output = label, limits, output
        self.arrays: dict[str, list[Any]] = {}  # key: [shape, where it begins, in numbers]
        self.values: dict[str, Any] = {}
        self.written = 0
        if not is_zip(data[:4]):
            raise FileError(
                f"{label} is not an NPZ with frames and kernels; numpy.savez or kpnviz.save_kernels writes one"
            )
        with opened(label, io.BytesIO(data), limits) as (archive, entries):
            stored = {}
            for entry in entries:
                key = entry.filename.removesuffix(".npy")
                if key == entry.filename or not self._known(key):
                    raise FileError(
                        f"{label} holds {visible(repr(key))}, which is no key of a file of kernels{_meant(key)}"
                    )
                if key in stored:
                    raise FileError(f"{label} holds {key} twice")
                stored[key] = StoredArray(label, key, archive)
            self._check(stored)
            for key, array in stored.items():
                self._read(key, array)

    @staticmethod
    def _known(key: str) -> bool:
        return key in (*BURST_TEXTS, *BURST_LIGHT, *BURST_NUMBERS) or METHOD_KEY.fullmatch(key) is not None

    def _check(self, stored: dict[str, StoredArray]) -> None:
        """What the headers say: the frames, and how much is kept, 4 bytes a number."""
        if "frames" not in stored:
            raise FileError(f"{self.label} holds no frames, [N, H, W] or [N, C, H, W]")
        shape = stored["frames"].shape
        self._check_axes("frames", stored["frames"], shape)
        if 0 in shape:
            raise FileError(f"{self.label}: frames has shape {visible(shape)}; an axis is empty")
        most = min(MAX_KERNEL_FRAMES, self.limits.frames)
        if shape[0] > most:
            raise FileError(
                f"{self.label}: frames has N = {shape[0]} frames; kernels are read of up to {most}"
            )
        check_pixels(self.label, shape[-1], shape[-2], self.limits)
        for key, array in stored.items():
            self._check_axes(key, array, shape)
        kept = 0
        for key, array in stored.items():
            if self._is_array(key) and array.dtype.kind != "f":
                raise FileError(
                    f"{self.label}: {key} has dtype {visible(array.dtype)}; expected a floating point dtype"
                )
            if 0 in array.shape:
                raise FileError(f"{self.label}: {key} has shape {visible(array.shape)}; an axis is empty")
            kept += 4 * math.prod(array.shape)
            if kept > self.limits.total_bytes:
                raise FileError(
                    f"{self.label}: {key} takes the file beyond {self.limits.named('total_bytes')}, the limit in all "
                    "(4 bytes a number)"
                )

    def _check_axes(self, key: str, stored: StoredArray, frames: tuple[int, ...]) -> None:
        """How many axes an array has, and how many numbers those have that are few: both are relied on from here on."""
        name, shape = key.rpartition("/")[2], stored.shape
        axes = _AXES.get(name.partition("_")[0])
        if axes and len(shape) not in {len(one.split()) for one in axes.expected}:
            raise FileError(
                f"{self.label}: {key} has shape {visible(shape)}; expected {axes}{axes.hint(name, stored)}"
            )
        N, C = frames[0], frames[1] if len(frames) == 4 else 1
        if name in ("read_std", "shot_gain") and shape not in ((), (1,), (C,)):
            # Two that were broadcast against each other would be as many numbers as their product.
            raise FileError(
                f"{self.label}: {key} has shape {visible(shape)}; it is a number, or one of each channel, C = {C}"
            )
        if name in ("white_level", "scale") and shape != ():
            raise FileError(f"{self.label}: {key} has shape {visible(shape)}; it is a number")
        if name == "shifts" and shape != (N, 2):
            raise FileError(f"{self.label}: shifts has shape {visible(shape)}; expected [N, 2], N = {N}")
        if name == "moving_shifts" and (len(shape) != 3 or shape[0] > MAX_OBJECTS or shape[1:] != (N, 2)):
            raise FileError(
                f"{self.label}: moving_shifts has shape {visible(shape)}; expected [M, N, 2], M up to {MAX_OBJECTS}, "
                f"N = {N}"
            )

    @staticmethod
    def _is_array(key: str) -> bool:
        name = key.rpartition("/")[2]
        return name not in (*BURST_TEXTS, *BURST_NUMBERS, *METHOD_TEXTS, *METHOD_NUMBERS)

    def _read(self, key: str, array: StoredArray) -> None:
        name = key.rpartition("/")[2]
        if name in (*BURST_TEXTS, *METHOD_TEXTS):
            self.values[key] = array.text()
            if key == "format" and self.values[key] != KERNEL_FORMAT:
                # What a later format means by the same keys is not known here.
                raise FileError(
                    f"{self.label} has format {visible(repr(self.values[key]))}; this kpnviz reads {KERNEL_FORMAT!r}"
                )
        elif not self._is_array(key):
            self.values[key] = array.numbers().tolist()
        else:
            self.arrays[key] = [list(array.shape), self.written]
            for chunk in array.chunks():
                with np.errstate(over="ignore"):  # what does not fit float32 is infinite, which is said
                    values = chunk.astype(np.float32)
                if name in (*BURST_LIGHT, "image"):
                    check_light(f"{self.label}: {key}", values)
                elif not np.isfinite(values).all() or np.abs(values).max() > MAX_INTENSITY:
                    raise FileError(
                        f"{self.label}: {key} holds weights that are not finite, or beyond {MAX_INTENSITY:g}"
                    )
                self.output.write(values.data)
                self.written += values.size

    def described(self) -> dict[str, Any]:
        self.output.flush()
        return {"source": self.label, "arrays": self.arrays, "values": self.values}
