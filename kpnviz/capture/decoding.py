"""The process that reads the files of a burst: limits first, then whatever the bytes make of it.

reader.py runs this module, with the limits as JSON. On stdin come the files, each after a line ``["name", bytes]``
(``["name", bytes, "kernels"]`` for a file that save_kernels wrote, which is read by kernel_decoding.py); to
stdout go the frames' codes, as they were stored (and masks of moving objects); on stderr is said, in lines of JSON,
which file is being read, and at the end what they are, or why they are no burst. What goes wrong here, in Pillow,
LibRaw or whatever else reads bytes that nobody has vouched for, goes wrong alone, with little memory and little time.
It does without torch, whose import would take longer than the reading.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import itertools
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np

from kpnviz.capture.burst_json import METADATA, metadata_of, shifts_of, white_level_of
from kpnviz.capture.choosing import LEFT_OUT, frames_among, listed, without_ours
from kpnviz.capture.containers import (
    Frames,
    check_count,
    frames_of,
    frames_of_npz,
)
from kpnviz.capture.extras import frames_of_fits, frames_of_video, kind_of_extra, unpacked
from kpnviz.capture.kernel_decoding import KernelFile
from kpnviz.capture.metadata import About, about, converted, profile_of
from kpnviz.capture.npz import StoredArray, base_name, is_zip, opened
from kpnviz.capture.raw import kind_of, read_raw
from kpnviz.capture.tiff import frames_of_tiff
from kpnviz.limits import (
    MAX_OBJECTS,
    FileError,
    LimitError,
    Limits,
    first_of,
)
from kpnviz.paths import PACKAGE
from kpnviz.pictures import (
    HEAD,
    check_light,
    check_pixels,
    empty_border,
    jpegs_behind,
    read_pictures,
    was_denoised_here,
)
from kpnviz.text import one_line, visible

_NPZ = (
    "frames",
    "read_std",
    "shot_gain",
    "truth",
    "shifts",
    "white_level",
    "moving_mask",
    "moving_shifts",
    "recipe",
)


_OFFICE = "[Content_Types].xml"  # a member of DOCX, XLSX and PPTX, which are ZIPs
_FEW = 2  # frames that are left where files cannot be read
_FEW_REASONS = 4  # sentences on such files
_COLORS = {1: "gray", 3: "color", 4: "four planes"}
_NUMBERS = {"uint8": "8 bits", "uint16": "16 bits", "float32": "floating point"}


_OF_A_KIND = (
    *("bases", "names", "about", "shape", "dtype", "raw", "largest", "used_bits", "counts", "sensor"),
    *("border", "source"),
)
"""Attributes of Burst that are of its frames, which have one size and kind."""


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key in which numbers count: 'f2' before 'f10'."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", name)]


class Burst:
    """Collects files into one burst: their codes go to `output`, :meth:`described` says what they are.

    `begin` is called with each file's name before it is read.
    """

    def __init__(self, limits: Limits, output: IO[bytes], begin: Callable[[str], None]) -> None:
        self.limits, self.output, self.begin = limits, output, begin
        self.bases: list[str] = []  # names of the frames' files
        self.names: list[str] = []  # as they are shown
        self.notes: dict[str, None] = {}
        self.same_notes: dict[str, list[str]] = {}  # the files of which each is said
        self.shape: tuple[int, ...] | None = None
        self.dtype: np.dtype | None = None
        self.raw: dict[str, Any] | None = None  # of the first frame, if it is a raw file
        self.metadata: dict[str, Any] | None = None
        self.archive: dict[str, Any] | None = None
        self.zipped = False  # frames came in a ZIP
        self.bytes_read = 0
        self.about: list[About] = []
        self.border = (0, 0, 0, 0)  # of NaN, over all frames: see pictures.empty_border
        self.largest, self.used_bits = 0.0, 0  # of all numbers
        self.counts, self.sensor, self.why = (
            0,
            False,
            "",
        )  # what files say of them, see Picture and Frames
        self.source = ""  # the one file that the frames are of; "": of one each
        self.alone: tuple[str, str, bytes] | None = None  # the one file, if it is one
        self.given, self.broken = 0, dict[str, str]()  # files; why some cannot be read
        self.unread = 0  # files beyond as many as a burst may have
        self.others: list[Burst] = []  # frames of another size or kind, as bursts of their own

    def check_size(self, name: str, size: int) -> None:
        """FileError for a file that is too large, by itself or with those before it."""
        if size > self.limits.file_bytes:
            raise LimitError(
                f"{name} has {size / 1e6:.6g} MB; the limit of one file is {self.limits.named('file_bytes')}"
            )
        self.bytes_read += size
        if self.bytes_read > self.limits.total_bytes:
            raise LimitError(
                f"{name} takes the files beyond {self.limits.named('total_bytes')}, the limit in all"
            )

    def add(self, name: str, data: bytes) -> None:
        """A file: a frame, or burst.json."""
        self._add_one(base_name(name), self._label(name), data)

    def add_zip(self, name: str, file: IO[bytes]) -> None:
        """A file that begins as a ZIP: one with frames in it, or an NPZ."""
        label = self._label(name)
        readable = False
        with self._left_out_if_broken(label), opened(label, file, self.limits) as (archive, _):
            if _OFFICE in archive.NameToInfo:
                raise FileError(f"{label} is a document, not a picture")
            readable = True
        if readable:
            file.seek(0)
            self._add_zip(label, file)

    def _label(self, name: str) -> str:
        label = visible(base_name(name))
        if self.archive is not None:
            raise FileError(f"{label} comes beside an NPZ; an NPZ is a burst of its own")
        return label

    def _add_one(self, base: str, label: str, data: bytes) -> None:
        if base == METADATA:
            if self.metadata is not None:
                raise FileError(f"{METADATA} comes twice; a burst has one")
            self.metadata = metadata_of(data)
            return
        self.given += 1
        if self._held() > self.limits.frames:  # one more is read: it may be the truth
            self.unread += 1
            return
        with self._left_out_if_broken(label):
            if not data:
                raise FileError(f"{label} is empty")
            inside = unpacked(label, data, self.limits)
            if inside is not data:
                self.check_size(label, len(inside))
            self._add_picture(base, label, inside)

    @contextlib.contextmanager
    def _left_out_if_broken(self, label: str) -> Iterator[None]:
        """A file that cannot be read is left out, for now: whether enough is left is asked at the end."""
        try:
            yield
        except LimitError:
            raise
        except FileError as error:
            self.broken[label] = str(error)

    def _add_picture(self, base: str, label: str, data: bytes) -> None:
        kind = kind_of(label, data)
        self.alone = (base, label, data) if kind == "picture" and not self.names else None
        if kind == "raw":
            frame = read_raw(label, data, self.limits)
            raw = {
                "development": None
                if frame.matrix is None or frame.white_balance is None
                else [frame.matrix.tolist(), frame.white_balance.tolist()],
                "noise": frame.noise,
                "noise_source": "the DNG's NoiseProfile" if frame.noise else "",
            }
            if frame.note:
                self.notes.setdefault(frame.note)
            self._add_frame(base, label, frame.planes, about(data), raw)
            return
        read = frames_of_tiff if kind == "tiff" else frames_of
        read = {"video": frames_of_video, "fits": frames_of_fits}.get(kind_of_extra(data), read)
        self._add_frames(base, label, read(label, data, self.limits), about(data))

    def _add_frames(self, base: str, label: str, frames: Frames, said: About) -> None:
        """The frames of a file, which may be one."""
        if frames.linear is not None and said.linear is None:
            said = dataclasses.replace(said, linear=frames.linear)
            self.why = self.why or frames.why
        left = max(self.limits.frames - self._held(), 0)
        if 1 < frames.count > left:
            self._note(
                f"of its frames the first {left} are read; a burst has up to {self.limits.named('frames')}",
                label,
            )
        pictures = frames.pictures if frames.count == 1 else itertools.islice(frames.pictures, left)
        for number, picture in enumerate(pictures):
            name = label if frames.count == 1 else visible(f"{label}, frame {number}")
            if number:
                self.begin(name)
            for note in picture.notes:
                self._note(note, label)
            source = "" if frames.count == 1 or self.metadata is not None else label
            kind = self._add_frame(
                base, name, self._in_colors(label, picture.codes, said), said, source=source
            )
            kind.counts = max(kind.counts, picture.counts)
            kind.sensor |= frames.sensor

    def _add_frame(
        self,
        base: str,
        label: str,
        codes: np.ndarray,
        said: About,
        raw: dict[str, Any] | None = None,
        source: str = "",
    ) -> Burst:
        """Keep a frame with those of its size and kind, which are returned."""
        kinds = [self, *self.others]
        held = sum(len(kind.names) * math.prod(kind.shape[1:]) for kind in kinds if kind.shape is not None)
        self._check_pixels_in_all(label, held + codes[0].size)
        one = label, codes.shape, codes.dtype, raw is not None, said.icc, source
        kind = next((kind for kind in kinds if not kind.unlike(*one)), None)
        if kind is None:
            kind = Burst(self.limits, tempfile.TemporaryFile(), self.begin)  # noqa: SIM115
            self.others.append(kind)
        if kind.shape is None:
            kind.raw, kind.source = raw, source
        kind.shape, kind.dtype = codes.shape, codes.dtype
        kind.bases.append(base)
        kind.names.append(label)
        kind.about.append(said)
        if codes.dtype == np.float32 and np.isnan(codes.min()):
            ends = zip(kind.border, empty_border(codes), strict=True)
            kind.border = tuple(max(*pair) for pair in ends)  # type: ignore[assignment]
        kind._write(codes)
        return kind

    def _held(self) -> int:
        """How many frames were read."""
        return sum(len(kind.names) for kind in (self, *self.others))

    def unlike(
        self, label: str, shape: tuple[int, ...], dtype: np.dtype, raw: bool, icc: bytes, source: str
    ) -> str:
        """Why a frame is of another size or kind than those here; nothing if it is not."""
        if self.shape is None or self.dtype is None:
            return ""
        (C, H, W), first = self.shape, self.names[0]
        if source != self.source:
            one = source or self.source
            return (
                f"{one} holds several frames, a burst of its own: give it, or the other files, by themselves"
            )
        if shape[1:] != (H, W):
            sizes = f"{label} has {shape[2]}x{shape[1]} pixels and {first} has {W}x{H}"
            return f"{sizes}; the frames of a burst have one size"
        differs = []
        if raw != (self.raw is not None):
            differs.append("a camera raw, not a picture made of one" if raw else "no camera raw")
        elif len(shape) and shape[0] != C:
            differs.append(f"{_COLORS.get(shape[0], 'planes')}, not {_COLORS.get(C, 'planes')}")
        if dtype != self.dtype and not differs:
            differs.append(f"{_NUMBERS.get(dtype.name, dtype.name)}, not {_NUMBERS.get(self.dtype.name, '')}")
        if differs:
            return f"{label} is another kind of picture than {first}: {' and '.join(differs)}"
        if icc != self.about[0].icc:
            return f"{label} has another color profile than {first}; the frames of a burst have one"
        return ""

    def _check_broken(self) -> None:
        """A sentence on files that cannot be read; FileError if hardly a frame is left, or burst.json names them."""
        if not self.broken:
            return
        left = self._held()
        if left < _FEW or self.given < 2 or self.metadata is not None:
            raise FileError(next(iter(self.broken.values())))
        whole = [*self.names, *(name for kind in self.others for name in kind.names)]
        partly = any(name.startswith(f"{label}, frame ") for label in self.broken for name in whole)
        rest = "; of those of several frames, those before are used" if partly else ""
        why = "; ".join([*self.broken.values()][:_FEW_REASONS])
        more = len(self.broken) - _FEW_REASONS
        why += f"; and {more} more" if more > 0 else ""
        which = "it" if len(self.broken) == 1 else "they"
        self.notes.setdefault(f"{LEFT_OUT}, as {which} cannot be read: {why}{rest}.")

    def _leave_few_out(self) -> None:
        """Of frames of several sizes or kinds keep those that at least two of three are; else FileError."""
        kinds = [self, *self.others]
        total = sum(len(kind.names) for kind in kinds)
        most = max(kinds, key=lambda kind: len(kind.names))
        clear = self.metadata is None and 3 * len(most.names) >= 2 * total

        def why(kind: Burst, other: Burst) -> str:
            assert kind.shape is not None and kind.dtype is not None
            return other.unlike(
                kind.names[0], kind.shape, kind.dtype, kind.raw is not None, kind.about[0].icc, kind.source
            )

        if not clear:
            raise FileError(why(self.others[0], self))
        for kind in kinds:
            if kind is not most:
                self.notes.setdefault(f"{LEFT_OUT}: {listed(kind.names)}. {why(kind, most)}.")
        if most is not self:
            self.output.seek(0)
            self.output.truncate()
            most.output.seek(0)
            shutil.copyfileobj(most.output, self.output, 1 << 20)
            for name in _OF_A_KIND:
                setattr(self, name, getattr(most, name))
        self.output.flush()
        self.others.clear()

    def _add_those_behind(self, base: str, label: str, data: bytes) -> None:
        """The other pictures of the one file that is there, if it is several JPEGs in one (MPO)."""
        jpegs = jpegs_behind(data, 2 * self.limits.frames) if data[:2] == b"\xff\xd8" else []
        if len(jpegs) < 2:
            return
        check_count(label, len(jpegs), self.limits)
        if len(jpegs) > self.limits.frames:
            del jpegs[self.limits.frames :]
            most = self.limits.named("frames")
            self._note(f"of its frames the first {len(jpegs)} are read; a burst has up to {most}", label)
        self.names[0] = visible(f"{label}, frame 0")
        for number, jpeg in enumerate(jpegs[1:], 1):
            name = visible(f"{label}, frame {number}")
            codes = next(read_pictures(name, jpeg, self.limits)[1]).codes
            self._add_frame(base, name, self._in_colors(label, codes, self.about[0]), self.about[0])
        self.output.flush()

    def _in_colors(self, label: str, codes: np.ndarray, said: About) -> np.ndarray:
        """A picture's codes, converted where its colors are told by tables; else its profile is kept."""
        profile = profile_of(said.icc, min(len(codes), 3))
        if not isinstance(profile, str):
            return codes
        if codes.dtype == np.uint8 and len(codes) == 3:
            in_srgb = converted(codes, said.icc)
            if in_srgb is not None:
                return in_srgb
        self._note(profile, label)
        return codes

    def _note(self, note: str, label: str) -> None:
        """A sentence on a file; those on which it is the same are named together, at the end."""
        of = self.same_notes.setdefault(note, [])
        if label not in of:
            of.append(label)

    def _check_pixels_in_all(self, label: str, pixels: int) -> None:
        if pixels > self.limits.total_pixels:
            raise LimitError(
                f"{label} takes the frames beyond {self.limits.named('total_pixels')}, the limit in all"
            )

    def _write(self, codes: np.ndarray) -> None:
        for plane in codes:
            largest = float(plane.max())
            self.largest = max(self.largest, float(np.nanmax(plane)) if np.isnan(largest) else largest)
            if plane.dtype == np.uint16:
                self.used_bits |= int(np.bitwise_or.reduce(plane, axis=None))
            self.output.write(np.ascontiguousarray(plane).data)

    def _add_zip(self, label: str, file: IO[bytes]) -> None:
        with opened(label, file, self.limits) as (archive, entries):
            keys = [entry.filename.removesuffix(".npy") for entry in entries]
            # Frames without a word of ours on them are anybody's.
            if "frames.npy" in archive.NameToInfo and len(set(keys) & set(_NPZ)) > 1:
                self._add_npz(label, archive)
                return
            if keys and all(entry.filename.endswith(".npy") for entry in entries):
                frames = frames_of_npz(label, archive, keys, self.limits)
                self._add_frames(label, label, frames, About())
                return
            visible_ones = [
                entry
                for entry in sorted(entries, key=lambda entry: natural(entry.filename))
                if not base_name(entry.filename).startswith(".")
                and not entry.filename.startswith("__MACOSX/")
            ]
            if not visible_ones:
                raise FileError(f"{label} holds no files")
            if self.zipped:
                raise FileError(f"{label} comes beside another ZIP; give one burst at a time")
            self.zipped = True
            read, notes = frames_among([entry.filename for entry in visible_ones])
            chosen = [visible_ones[i] for i in read]
            ours = [_was_denoised_here(archive, entry) for entry in chosen]
            read, more = without_ours([entry.filename for entry in chosen], ours)
            self.notes.update(dict.fromkeys(notes + more))
            for entry in (chosen[i] for i in read):
                base = base_name(entry.filename)
                inside = METADATA if base == METADATA else visible(f"{label}/{base}")
                self.begin(inside)
                # The directory may lie about sizes: no more is unpacked than it says.
                with archive.open(entry) as member:
                    body = member.read(entry.file_size)
                if is_zip(body[:4]):
                    raise FileError(f"{inside} is a ZIP in a ZIP; put the pictures into one")
                self._add_one(base, inside, body)

    def _add_npz(self, label: str, archive: zipfile.ZipFile) -> None:
        if self.names or self.metadata:
            raise FileError(f"{label} comes beside other files; an NPZ is a burst of its own")
        arrays = {key: StoredArray(label, key, archive) for key in _NPZ if f"{key}.npy" in archive.NameToInfo}
        frames = arrays.pop("frames")
        shape = frames.shape if len(frames.shape) != 3 else (frames.shape[0], 1, *frames.shape[1:])
        if frames.dtype.kind != "f" or len(shape) != 4 or shape[1] not in (1, 3):
            raise FileError(
                f"{label}: frames has dtype {frames.dtype} and shape {visible(frames.shape)}; "
                "floating point, [N, H, W] or [N, 3, H, W] are read"
            )
        N, C, H, W = shape
        self._check_count(N)
        check_pixels(label, W, H, self.limits)
        self._check_pixels_in_all(label, N * H * W)
        self._check_kept(label, {"frames": frames} | arrays)
        for frame in frames.parts(N):
            self._write_light(f"{label}: frames", frame.reshape(C, H, W))
        noise = None
        if "read_std" in arrays and "shot_gain" in arrays:
            pairs = []
            for key in ("read_std", "shot_gain"):
                values = arrays[key].numbers()
                if values.size not in (1, C):
                    raise FileError(f"{label}: {key} has {values.size} values; the frames have {C} channels")
                pairs.append(np.broadcast_to(values.ravel(), C).tolist())
            noise = list(zip(*pairs, strict=True))
        truth_place = None
        if "truth" in arrays:
            truth_place, truth = N, arrays["truth"]
            if math.prod(truth.shape) != C * H * W:
                raise FileError(f"{label}: truth does not fit the frames")
            self._write_light(f"{label}: truth", next(truth.parts(1)).reshape(C, H, W))
        moving, moving_shifts = 0, None
        if "moving_mask" in arrays or "moving_shifts" in arrays:
            moving, moving_shifts = self._moving(label, arrays, (N, H, W))
        white, recipe = None, None
        if "white_level" in arrays:
            values = arrays["white_level"].numbers()
            white = values.item() if values.size == 1 else values.shape
        if "recipe" in arrays:
            try:
                recipe = json.loads(arrays["recipe"].text())
            except (ValueError, RecursionError) as error:
                raise FileError(f"{label}: recipe is not that of a burst: {one_line(error)}") from error
        shifts = arrays["shifts"].numbers() if "shifts" in arrays else None
        self.archive = {
            "source": label,
            "shape": [N + (truth_place is not None), C, H, W],
            "dtype": "float32",
            "places": list(range(N)),
            "names": [visible(f"{label}, frame {i}") for i in range(N)],
            "noise": noise,
            "noise_source": label if noise else "",
            "known": True,
            "truth_place": truth_place,
            "shifts": shifts_of(label, shifts, N),
            "white_level": white_level_of(label, white),
            "moving": moving,
            "moving_shifts": moving_shifts,
            "recipe": recipe,
        }

    def _check_kept(self, label: str, arrays: dict[str, StoredArray]) -> None:
        """FileError if what is kept of an NPZ, its numbers as float32, is more than all files may have: a mask of one
        bit a pixel packs to nothing."""
        kept = 0
        for key, array in arrays.items():
            kept += 4 * math.prod(array.shape)
            if kept > self.limits.total_bytes:
                raise FileError(
                    f"{label}: {key} takes the burst beyond {self.limits.total_bytes / 1e6:g} MB, the limit in all "
                    "(4 bytes a number)"
                )

    def _write_light(self, label: str, values: np.ndarray) -> None:
        with np.errstate(over="ignore"):  # what does not fit float32 is said by check_light
            values = values.astype(np.float32, copy=False)
        check_light(label, values)
        self._write(values)

    def _moving(
        self, label: str, arrays: dict[str, StoredArray], shape: tuple[int, int, int]
    ) -> tuple[int, list[list[float]]]:
        """Masks of the moving objects, [M, H, W], are written; their number, and their shifts, M * N times (dy, dx)."""
        N, H, W = shape
        mask, moved = arrays.get("moving_mask"), arrays.get("moving_shifts")
        M = moved.shape[0] if moved is not None and moved.shape else 0
        fits = mask is not None and mask.shape == (M, H, W) and moved is not None and moved.shape == (M, N, 2)
        if not fits or not M:
            raise FileError(f"{label}: moving_mask and moving_shifts do not fit the frames")
        if M > MAX_OBJECTS:
            raise FileError(f"{label} has {M} moving objects; a burst has up to {MAX_OBJECTS}")
        assert mask is not None and moved is not None
        for one in mask.parts(M):
            if not (one.min() >= 0 and one.max() <= 1):
                raise FileError(
                    f"{label}: moving_mask holds values beyond 0 to 1, how much of a pixel is covered"
                )
            self._write_light(f"{label}: moving_mask", one.reshape(1, H, W))
        shifts = shifts_of(label, moved.numbers().reshape(-1, 2), M * N)
        assert shifts is not None
        return M, shifts

    def _cut_off(self) -> tuple[list[int], str]:
        """The part of the frames, [top, bottom, left, right], that lies within the border of NaN, and a sentence; of a
        mosaic, what stays begins with the color that it began with. FileError if little would stay."""
        assert self.shape is not None
        C, H, W = self.shape
        top, bottom, left, right = self.border
        parts = [
            f"{count} {line}{'s' if count > 1 else ''} at the {side}"
            for count, line, side in (
                (top, "row", "top"),
                (bottom, "row", "bottom"),
                (left, "column", "left"),
                (right, "column", "right"),
            )
            if count
        ]
        which = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
        if C == 1:
            top, left = (n + n % 2 for n in (top, left))
        h, w = max(H - top - bottom, 0), max(W - left - right, 0)
        if 2 * h * w < H * W:
            raise FileError(
                f"{self.names[0]} and the frames with it hold no numbers (NaN) in {which} of {W}x{H} pixels; cut the "
                "frames to the part that all of them show"
            )
        return [top, top + h, left, left + w], (
            f"Frames hold no numbers (NaN) in {which}: all were cut to the {w}x{h} pixels within."
        )

    def _check_count(self, frames: int) -> None:
        if frames < 1:
            raise FileError("there are no frames; a burst has 1 or more")
        if frames > self.limits.frames:
            raise FileError(f"there are {frames} frames; a burst has up to {self.limits.named('frames')}")

    def described(self) -> dict[str, Any]:
        """What reader.py makes a FrameStack of; FileError if there is no burst."""
        self.output.flush()
        if self.alone is not None and len(self.names) == 1:
            self._add_those_behind(*self.alone)
        if self.archive is not None:
            return self.archive
        self._check_broken()
        if self.shape is None:
            self._check_count(0)
        if self.others:
            self._leave_few_out()
        assert self.shape is not None and self.dtype is not None
        N, places = len(self.names), list(range(len(self.names)))
        found: dict[str, Any] = {"source": self.names[0], "shape": [N, *self.shape], "dtype": self.dtype.name}
        found |= self.raw or {}
        if self.metadata is not None:
            given, truth_name = self.metadata["frames"], self.metadata["truth"]
            for base, name in zip(self.bases, self.names, strict=True):
                if base not in (*given, truth_name):
                    raise FileError(f"{name} is not named in {METADATA}, which says what the frames are")
            if len(set(self.bases)) != N:
                raise FileError(f"{METADATA} came with two files of one name; give one burst at a time")
            places = [self.bases.index(name) for name in given if name in self.bases]
            if places and given[0] not in self.bases:
                raise FileError(f"{visible(given[0])}, the reference of {METADATA}, is missing")
            kept = [given.index(self.bases[place]) for place in places]
            found |= self._as_metadata_says(self.metadata, self.shape[0], kept)
            found["truth_place"] = self.bases.index(truth_name) if truth_name in self.bases else None
            self._check_count(len(places) + self.unread)
        elif self.unread or len(places) > self.limits.frames:
            places = places[: self.limits.frames]
            self.notes.setdefault(first_of(self.given, self.limits))
        notes = [f"{listed(labels)}: {note}." for note, labels in self.same_notes.items()] + list(self.notes)
        if any(self.border):
            found["part"], sentence = self._cut_off()
            notes.append(sentence)
        if self.metadata is None and self.raw is None:
            found["numbers"] = {
                "largest": self.largest,
                "used_bits": self.used_bits,
                "linear": self.about[0].linear,
                "counts": self.counts,
                "sensor": self.sensor,
                "why": self.why,
            }
            profile = profile_of(self.about[0].icc, min(self.shape[0], 3))
            found["profile"] = None if isinstance(profile, str) else profile
        found["exposures"] = [self.about[i].exposure for i in places]
        found["exif"] = [base64.b64encode(self.about[i].exif).decode() for i in places]
        return found | {"places": places, "names": [self.names[i] for i in places], "notes": notes}

    def _as_metadata_says(self, metadata: dict[str, Any], channels: int, kept: list[int]) -> dict[str, Any]:
        """What burst.json says about the frames `kept` of those it lists."""
        noise, shifts = metadata["noise"], metadata["shifts"]
        if noise is not None and len(noise) != channels:
            raise FileError(
                f"{METADATA} gives the noise of {len(noise)} channels; the frames have {channels}"
            )
        return {
            "source": METADATA,
            "levels": metadata["levels"] if self.dtype != np.float32 else None,
            "noise": noise,
            "noise_source": METADATA if noise else "",
            "known": True,
            "shifts": None if shifts is None else [shifts[i] for i in kept],
            "white_level": metadata["white_level"],
            "recipe": metadata["recipe"],
        }


def _was_denoised_here(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    with archive.open(entry) as member:
        return was_denoised_here(member.read(min(HEAD, entry.file_size)))


def limit_resources(limits: Limits) -> None:
    """Memory (address space), processor time and the size of written files are bounded; there is no core file.

    Where there is no `resource`, on Windows, nothing is.
    """
    try:
        import resource
    except ImportError:
        return
    for which, value, grace in (
        (resource.RLIMIT_AS, limits.memory_bytes, 0),
        (resource.RLIMIT_CPU, limits.seconds, 2),  # SIGXCPU, which names the reason; later SIGKILL
        (resource.RLIMIT_FSIZE, max(12 * limits.total_pixels, limits.file_bytes), 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        hard = resource.getrlimit(which)[1]
        allowed = (value, value + grace)
        if hard != resource.RLIM_INFINITY:
            allowed = (min(allowed[0], hard), min(allowed[1], hard))
        resource.setrlimit(which, allowed)


def run(limits: Limits, files: IO[bytes], output: IO[bytes], say: Callable[[object], None]) -> None:
    """Read the files of one burst, say which is read, and at the end {"read": ...} or {"refused": sentence}."""
    at = ["the burst"]

    def begin(name: str) -> None:
        at[0] = name
        say(name)

    try:
        burst = Burst(limits, output, begin)
        kernels = None
        while line := files.readline(1_000_000):
            name, size, *kind = json.loads(line)
            label = visible(base_name(name))
            burst.check_size(label, size)
            begin(label)
            data = files.read(size)
            if kind == ["kernels"]:
                kernels = KernelFile(label, data, limits, output)
            elif is_zip(data[:4]):
                with tempfile.TemporaryFile() as file:
                    file.write(data)
                    del data  # on disk one can seek in it, too
                    burst.add_zip(name, file)
            else:
                burst.add(name, data)
        said: dict[str, Any] = {"read": (kernels or burst).described()}
    except FileError as error:
        said = {"refused": str(error)}
    except MemoryError:
        said = {"refused": f"{at[0]} needs more than {limits.named('memory_bytes')} of memory to be read"}
    # A full disk, and whatever nobody thought of: it is one sentence too.
    except Exception as error:
        said = {"refused": f"{at[0]} cannot be read: {one_line(error)}"}
    say(said)


def how_to_start(limits: Limits) -> dict[str, Any]:
    """Arguments of subprocess.Popen that run this module."""
    path = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
    # Threads reserve address space each, and one suffices.
    environment = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    # -P: files of the working directory are not to hide modules.
    command = [sys.executable, "-P", "-m", "kpnviz.capture.decoding", json.dumps(dataclasses.asdict(limits))]
    return {"args": command, "env": os.environ | environment, "stderr": subprocess.PIPE}


def main() -> None:
    limits = Limits(**json.loads(sys.argv[1]))
    limit_resources(limits)
    # Libraries may print what they like, to nobody.
    output, said = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(2), "w", encoding="ascii")
    nobody = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nobody, 1)
    os.dup2(nobody, 2)

    def say(what: object) -> None:
        said.write(json.dumps(what) + "\n")
        said.flush()

    run(limits, sys.stdin.buffer, output, say)


if __name__ == "__main__":
    main()
