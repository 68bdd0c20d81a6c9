"""A burst of one's own: photos, raw files, ZIP, NPZ or a folder, read safely and kept on disk.

Files come as (name, bytes) pairs, from an upload or from disk. Nobody has vouched for them: every one
becomes frames, or one sentence that names it and says why not.
"""

from __future__ import annotations

import io
import json
import mmap
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from kpnviz.burst import BurstRecipe
from kpnviz.capture.frame_stack import FrameStack, decoding_table
from kpnviz.capture.raw import kind_of, read_float_tiff, read_raw
from kpnviz.noise import NoiseModel
from kpnviz.pictures import FileError, Limits, check_pixels, one_line, read_picture

MAX_FRAMES = 32
METADATA = "burst.json"
FORMAT, _FIRST_FORMAT = "kpnviz burst 2", "kpnviz burst 1"
"""What burst.json begins with. In the first format the codes of black and white were black_level and white_level."""

_KNOWN = ("truth", "shifts", "white_level", "moving_mask", "moving_shifts", "recipe")

_JSON_BYTES = 1_000_000
_SRGB_NOTE = (
    "These files are sRGB-encoded and were taken back to linear light; a camera's processing (tone curve, "
    "sharpening, compression, clipping at 0) makes their noise differ a little from the model."
)


def read_frames(files: Iterable[tuple[str, bytes]], limits: Limits | None = None) -> FrameStack:
    """Read 2 to 32 frames from (name, bytes) pairs: pictures, raw files, ZIPs of them, or one NPZ of kpnviz.

    With a `burst.json` among them (``kpnviz synth`` writes one) their codes are linear light. Files are
    taken one by one, so an iterator that reads each from disk keeps one in memory. Raises ValueError, one
    sentence, if no burst can be made of them.
    """
    # A file without a name in any folder; the stack's memory map keeps it after it is closed here.
    with tempfile.TemporaryFile() as file:
        reader = _Reader(limits or Limits.from_environment(), file)
        for name, data in files:
            reader.add(name.replace("\\", "/").rpartition("/")[2] or name, data)
        return reader.stack()


def files_of(paths: Sequence[str | Path]) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of files and of the files in folders; with each folder's burst.json, once.

    A folder's files come in the order of their names with numbers counted (frame_2 before frame_10).
    """
    described: set[Path] = set()
    for path in map(Path, paths):
        folder, inside = path.parent, [path]
        if path.is_dir():
            folder = path
            inside = sorted(
                (p for p in path.iterdir() if p.is_file() and not p.name.startswith(".")),
                key=lambda p: natural(p.name),
            )
        for file in inside:
            if file.name != METADATA:
                yield file.name, file.read_bytes()
        metadata = folder / METADATA
        if folder not in described and metadata.is_file():
            described.add(folder)
            yield METADATA, metadata.read_bytes()


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key in which numbers count: 'f2' before 'f10'."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", name)]


class _Reader:
    """Collects files into one stack."""

    def __init__(self, limits: Limits, file: IO[bytes]) -> None:
        self.limits, self.file = limits, file
        self.names: list[str] = []
        self.notes: dict[str, None] = {}
        self.shape: tuple[int, ...] | None = None
        self.dtype: np.dtype | None = None
        self.metadata: dict[str, Any] | None = None
        self.archive: FrameStack | None = None
        self.fields: dict[str, Any] = {}
        self.bytes_read = 0

    def add(self, name: str, data: bytes, inside_zip: bool = False) -> None:
        if not inside_zip:
            self.bytes_read += len(data)
            if self.bytes_read > self.limits.total_bytes:
                raise FileError(
                    f"{name} takes the files beyond {self.limits.total_bytes / 1e6:g} MB, the limit in all"
                )
        if self.archive is not None:
            raise FileError(f"{name} comes beside an NPZ; an NPZ is a burst of its own")
        if not data:
            raise FileError(f"{name} is empty")
        if data[:4] in (b"PK\3\4", b"PK\5\6"):
            if inside_zip:
                raise FileError(f"{name} is a ZIP in a ZIP; put the pictures into one")
            self._add_zip(name, data)
        elif name == METADATA:
            if self.metadata is not None:
                raise FileError(f"{METADATA} comes twice; a burst has one")
            self.metadata = _metadata(data)
        else:
            self._add_frame(name, data)

    def _add_frame(self, name: str, data: bytes) -> None:
        kind = kind_of(data)
        if kind == "raw":
            raw = read_raw(name, data, self.limits)
            if self.shape is None:
                self.fields = {"development": (raw.matrix, raw.white_balance), "noise": raw.noise}
                self.fields["noise_source"] = "the DNG's NoiseProfile" if raw.noise else ""
            codes = raw.planes
        elif kind == "float tiff":
            codes = read_float_tiff(name, data, self.limits)
        else:
            picture = read_picture(name, data, self.limits)
            codes = picture.codes
            self.notes.update(dict.fromkeys(f"{name}: {note}." for note in picture.notes))
        self._append(name, codes, raw=kind == "raw")

    def _append(self, name: str, codes: np.ndarray, raw: bool) -> None:
        if self.shape is not None:
            first, (C, H, W) = self.names[0], self.shape
            if codes.shape[1:] != (H, W):
                raise FileError(
                    f"{name} has {codes.shape[2]}x{codes.shape[1]} pixels and {first} has {W}x{H}; "
                    "the frames of a burst have one size"
                )
            if len(codes) != C or codes.dtype != self.dtype or raw != ("development" in self.fields):
                raise FileError(f"{name} is another kind of picture than {first} (color, bits or raw)")
        if len(self.names) > MAX_FRAMES:
            raise FileError(f"{name} is one frame too many; a burst has up to {MAX_FRAMES}")
        if (len(self.names) + 1) * codes[0].size > self.limits.total_pixels:
            raise FileError(
                f"{name} takes the frames beyond {self.limits.total_pixels / 1e6:g} megapixels, the limit in all"
            )
        self.shape, self.dtype = codes.shape, codes.dtype
        self.names.append(name)
        self.file.write(np.ascontiguousarray(codes).data)

    def _add_zip(self, name: str, data: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
                if any(entry.filename == "frames.npy" for entry in entries):
                    self._add_npz(name, data, entries)
                    return
                visible = [
                    entry
                    for entry in sorted(entries, key=lambda entry: natural(entry.filename))
                    if not _base(entry).startswith(".") and not entry.filename.startswith("__MACOSX/")
                ]
                if not visible:
                    raise FileError(f"{name} holds no files")
                left = self.limits.total_bytes
                for entry in visible:
                    label = f"{name}/{_base(entry)}" if _base(entry) != METADATA else METADATA
                    if entry.flag_bits & 1:
                        raise FileError(f"{label} is encrypted; make a ZIP without a password")
                    # The directory may lie about sizes: what is read is bounded as well.
                    with archive.open(entry) as file:
                        body = file.read(min(left, entry.file_size) + 1)
                    left -= len(body)
                    if left < 0 or entry.file_size > self.limits.total_bytes:
                        raise FileError(
                            f"{name} unpacks to more than {self.limits.total_bytes / 1e6:g} MB, the limit in all"
                        )
                    self.add(label, body, inside_zip=True)
        except FileError:
            raise
        # zipfile raises BadZipFile, NotImplementedError, zlib.error, struct.error, EOFError, ...
        except Exception as error:
            raise FileError(f"{name} is a ZIP that cannot be read: {one_line(error)}") from error

    def _add_npz(self, name: str, data: bytes, entries: list[zipfile.ZipInfo]) -> None:
        if self.names:
            raise FileError(f"{name} comes beside other frames; an NPZ is a burst of its own")
        if sum(entry.file_size for entry in entries) > self.limits.total_bytes:
            raise FileError(
                f"{name} unpacks to more than {self.limits.total_bytes / 1e6:g} MB, the limit in all"
            )
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            frames = arrays["frames"]
            known = {key: arrays[key] for key in ("read_std", "shot_gain", *_KNOWN) if key in arrays}
        if frames.ndim == 3:
            frames = frames[:, None]
        if frames.dtype.kind != "f" or frames.ndim != 4 or frames.shape[1] not in (1, 3):
            raise FileError(
                f"{name}: frames has dtype {frames.dtype} and shape {frames.shape}; "
                "floating point, [N, H, W] or [N, 3, H, W] are read"
            )
        N, C, H, W = frames.shape
        check_pixels(name, W, H, self.limits)
        codes = frames.astype(np.float32)
        if not np.isfinite(codes).all():
            raise FileError(f"{name}: frames holds values that are not finite (NaN or infinity)")
        noise = None
        if "read_std" in known and "shot_gain" in known:
            pairs = [np.resize(np.asarray(known[key], np.float64), C) for key in ("read_std", "shot_gain")]
            noise = tuple(_noise(name, {"read_std": r, "shot_gain": s}) for r, s in zip(*pairs, strict=True))
        truth = known.get("truth")
        if truth is not None:
            truth = np.asarray(truth, np.float32).reshape(-1, H, W)
            if truth.shape != (C, H, W) or not np.isfinite(truth).all():
                raise FileError(f"{name}: truth does not fit the frames")
        mask, moving_shifts = _moving(name, known, (N, H, W))
        recipe = None
        if "recipe" in known:
            try:
                recipe = json.loads(str(known["recipe"]))
            except (ValueError, RecursionError) as error:
                raise FileError(f"{name}: recipe is not that of a burst: {one_line(error)}") from error
        self.archive = FrameStack(
            codes=codes,
            places=tuple(range(N)),
            names=tuple(f"{name}, frame {i}" for i in range(N)),
            noise=noise,
            noise_source=name if noise else "",
            known=True,
            truth=truth,
            shifts=_shifts(name, known.get("shifts"), N),
            white_level=_white_level(name, known.get("white_level")),
            moving_mask=mask,
            moving_shifts=moving_shifts,
            recipe=_recipe(name, recipe),
        )

    def stack(self) -> FrameStack:
        if self.archive is not None:
            _check_count(len(self.archive))
            return self.archive
        if self.shape is None:
            _check_count(0)
        assert self.shape is not None and self.dtype is not None
        N, (C, H, W) = len(self.names), self.shape
        self.file.flush()
        mapping = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_READ)
        codes = np.frombuffer(mapping, self.dtype).reshape(N, C, H, W)
        places = list(range(N))
        fields = dict(self.fields) | {"mapping": mapping}
        if self.metadata is not None:
            listed, base = self.metadata["frames"], [name.rpartition("/")[2] for name in self.names]
            truth_name = self.metadata["truth"]
            for name in base:
                if name not in (*listed, truth_name):
                    raise FileError(f"{name} is not named in {METADATA}, which says what the frames are")
            places = [base.index(name) for name in listed if name in base]
            if len(set(base)) != len(base):
                raise FileError(f"{METADATA} came with two files of one name; give one burst at a time")
            if places and listed[0] not in base:
                raise FileError(f"{listed[0]}, the reference of {METADATA}, is missing")
            fields |= self._described(
                codes, base, truth_name, [listed.index(base[place]) for place in places]
            )
        _check_count(len(places))
        stack = FrameStack(
            codes, tuple(places), tuple(self.names[i] for i in places), notes=tuple(self.notes), **fields
        )
        if stack.encoded:
            object.__setattr__(stack, "notes", (*stack.notes, _SRGB_NOTE))
        return stack

    def _described(
        self, codes: np.ndarray, base: list[str], truth_name: str | None, kept: list[int]
    ) -> dict[str, Any]:
        """What burst.json says about the frames `kept` of those it lists."""
        metadata = self.metadata
        assert metadata is not None
        C = codes.shape[1]
        noise = metadata["noise"]
        if noise is not None and len(noise) != C:
            raise FileError(f"{METADATA} gives the noise of {len(noise)} channels; the frames have {C}")
        levels = metadata["levels"] if codes.dtype != np.float32 else None
        truth = None
        if truth_name in base:
            stored = codes[base.index(truth_name)]
            if codes.dtype == np.float32:
                truth = np.array(stored)
            else:
                truth = decoding_table(np.iinfo(codes.dtype).max, levels)[stored]
        shifts = metadata["shifts"]
        return {
            "levels": levels,
            "noise": noise,
            "noise_source": METADATA if noise else "",
            "known": True,
            "truth": truth,
            "shifts": None if shifts is None else shifts[kept],
            "white_level": metadata["white_level"],
            "recipe": metadata["recipe"],
        }


def _check_count(frames: int) -> None:
    if frames < 2:
        raise FileError(f"there {'is 1 frame' if frames else 'are no frames'}; a burst has 2 to {MAX_FRAMES}")
    if frames > MAX_FRAMES:
        raise FileError(f"there are {frames} frames; a burst has up to {MAX_FRAMES}")


def _base(entry: zipfile.ZipInfo) -> str:
    return entry.filename.replace("\\", "/").rpartition("/")[2]


def _noise(name: str, values: Any) -> NoiseModel:
    try:
        return NoiseModel(float(values["read_std"]), float(values["shot_gain"]))
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise FileError(f"{name}: noise {str(values)[:80]} is not one (read_std and shot_gain)") from error


def _shifts(name: str, values: Any, frames: int) -> np.ndarray | None:
    if values is None:
        return None
    try:
        shifts = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        shifts = np.empty(0)
    if shifts.shape != (frames, 2) or not np.isfinite(shifts).all() or np.abs(shifts).max() > 1e6:
        raise FileError(f"{name}: shifts are not (dy, dx) of each of the {frames} frames")
    whole = np.rint(shifts).astype(np.int64)
    return whole if np.array_equal(whole, shifts) else shifts


def _moving(
    name: str, known: dict[str, Any], shape: tuple[int, int, int]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Masks [M, H, W] and shifts [M, N, 2] of the moving objects of frames [N, H, W], where an NPZ has them."""
    if "moving_mask" not in known and "moving_shifts" not in known:
        return None, None
    N, H, W = shape
    mask, moved = (np.asarray(known.get(key, ())) for key in ("moving_mask", "moving_shifts"))
    if mask.shape != (len(moved), H, W) or moved.shape != (len(moved), N, 2) or not len(moved):
        raise FileError(f"{name}: moving_mask and moving_shifts do not fit the frames")
    mask = mask.astype(np.float32)
    if not np.isfinite(mask).all():
        raise FileError(f"{name}: moving_mask holds values that are not finite (NaN or infinity)")
    shifts = _shifts(name, moved.reshape(-1, 2), len(moved) * N)
    return mask, None if shifts is None else shifts.reshape(moved.shape)


def _white_level(name: str, value: Any) -> float:
    if value is None:
        return 1.0
    try:
        level = float(value)
    except (TypeError, ValueError, OverflowError):
        level = 0.0
    if not 0 < level < np.inf:
        raise FileError(f"{name}: white_level is {str(value)[:80]}; it is a number above 0")
    return level


def _recipe(name: str, values: Any) -> BurstRecipe | None:
    if values is None:
        return None
    try:
        return BurstRecipe.from_dict(values)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise FileError(f"{name}: recipe is not that of a burst: {one_line(error)}") from error


def _metadata(data: bytes) -> dict[str, Any]:
    """burst.json, checked: {frames, truth, levels, noise, shifts, white_level, recipe}."""
    if len(data) > _JSON_BYTES:
        raise FileError(f"{METADATA} is {len(data) / 1e6:.0f} MB; it cannot be that of a burst")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{METADATA} is not JSON: {one_line(error)}") from error
    if not isinstance(values, dict) or values.get("format") not in (FORMAT, _FIRST_FORMAT):
        raise FileError(f'{METADATA} does not say "format": "{FORMAT}"')
    frames = values.get("frames")
    if not isinstance(frames, list) or not frames or not all(isinstance(name, str) for name in frames):
        raise FileError(f"{METADATA} does not list the names of its frames")
    if len(set(frames)) != len(frames):
        raise FileError(f"{METADATA} lists a frame twice")
    first = values["format"] == _FIRST_FORMAT
    codes = ("black_level", "white_level") if first else ("black_code", "white_code")
    try:
        levels = (float(values[codes[0]]), float(values[codes[1]]))
    except (KeyError, TypeError, ValueError, OverflowError):
        levels = (0.0, 0.0)
    if not (0 <= levels[0] < levels[1] <= 65535):
        raise FileError(
            f"{METADATA}: {codes[0]} and {codes[1]} are not codes of 0 to 65535, black below white"
        )
    noise = values.get("noise")
    if noise is not None:
        if not isinstance(noise, list) or not noise:
            raise FileError(f"{METADATA}: noise is not a list with one entry a channel")
        noise = tuple(_noise(METADATA, one) for one in noise)
    truth = values.get("truth")
    return {
        "frames": frames,
        "truth": truth if isinstance(truth, str) else None,
        "levels": levels,
        "noise": noise,
        "shifts": _shifts(METADATA, values.get("shifts"), len(frames)),
        "white_level": _white_level(METADATA, None if first else values.get("white_level")),
        "recipe": _recipe(METADATA, values.get("recipe")),
    }
