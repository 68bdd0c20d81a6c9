"""A burst of one's own: photos, raw files, ZIP, NPZ or a folder, read safely and kept on disk.

Files come as (name, bytes or path) pairs, from an upload or from disk. Nobody has vouched for them: a process of its
own (decoding.py) reads them, within Limits, and they become frames, or one sentence that names a file and says why not.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import json
import mmap
import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from kpnviz.burst import BurstRecipe
from kpnviz.capture.burst_json import FORMAT, METADATA
from kpnviz.capture.choosing import frames_among, listed, without_ours
from kpnviz.capture.decoding import how_to_start, natural
from kpnviz.capture.frame_stack import ColorProfile, FrameStack
from kpnviz.capture.levels import below_black
from kpnviz.capture.meaning import guess_input
from kpnviz.capture.npz import base_name
from kpnviz.limits import MAX_JSON_BYTES, FileError, Limits, first_of
from kpnviz.noise import NoiseModel
from kpnviz.pictures import HEAD, was_denoised_here
from kpnviz.text import escaped, one_line, visible

__all__ = ["FORMAT", "METADATA", "files_of", "get_ready", "natural", "read_frames"]

_PATIENCE = 3
"""Wall time that reading may take, as a multiple of the processor time that it has: others compute as well."""

_ASK_EVERY = 0.5  # seconds
_CHUNK = 1 << 20


def _nothing() -> None:
    """What is asked where there is nobody who could have left."""


def read_frames(
    files: Iterable[tuple[str, bytes | memoryview | Path]],
    limits: Limits | None = None,
    progress: Callable[[str], object] | None = None,
    wanted: Callable[[], object] = _nothing,
) -> FrameStack:
    """Read the frames of (name, bytes or path) pairs: pictures, raw files, ZIPs of them, files of several, one NPZ.

    With a `burst.json` among them (``kpnviz synth`` writes one) their codes are linear light. Of a sequence, what is no
    frame by its name is not read (choosing.frames_among), nor a picture that was denoised here (without_ours).
    `progress` is called with the name of each file as its decoding begins, and of each member of a ZIP ("zip/member");
    `wanted` is called twice a second. Raising in either ends the reading. Raises ValueError, one sentence, if no burst
    can be made of them.
    """
    limits = limits or Limits.from_environment()
    notes: list[str] = []
    if isinstance(files, Sequence):
        files, notes = _without_lost_links(files)
        read, more = frames_among([name for name, _ in files])
        files, notes = [files[i] for i in read], notes + more
        read, more = without_ours(
            [name for name, _ in files], [was_denoised_here(_head(data)) for _, data in files]
        )
        files, notes = [files[i] for i in read], notes + more
        if len(files) > limits.frames and METADATA not in {base_name(name) for name, _ in files}:
            notes.append(first_of(len(files), limits))
            files = files[: limits.frames]  # what is not read counts to no limit
    with _turn(limits.readers, wanted), _taken(limits) as child:
        found = child.read(files, progress, wanted)
        found["notes"] = notes + list(found.get("notes", ()))
        mapping = None
        if os.fstat(child.output.fileno()).st_size:
            # A file without a name in any folder; the memory map keeps it after it is closed here.
            mapping = mmap.mmap(child.output.fileno(), 0, access=mmap.ACCESS_READ)
    return _stack(found, mapping)


def _without_lost_links(
    files: Sequence[tuple[str, bytes | memoryview | Path]],
) -> tuple[Sequence[tuple[str, bytes | memoryview | Path]], list[str]]:
    """The files less links to what is not there, unless there is nothing else; and a sentence on these."""
    lost = [isinstance(data, Path) and _leads_nowhere(data) for _, data in files]
    if not any(lost) or all(lost):
        return files, []
    names = listed([visible(name) for (name, _), gone in zip(files, lost, strict=True) if gone])
    kept = [file for file, gone in zip(files, lost, strict=True) if not gone]
    return kept, [f"Not read, as they are links to files that are not there: {names}."]


def _head(data: bytes | memoryview | Path) -> bytes | memoryview:
    """The beginning of a file; nothing of one that cannot be read: who reads all of it says why."""
    if not isinstance(data, Path):
        return data
    with contextlib.suppress(OSError):
        if data.is_file():
            with open(data, "rb") as file:
                return file.read(HEAD)
    return b""


def read_kernel_arrays(
    name: str,
    data: bytes | memoryview | Path,
    limits: Limits,
    wanted: Callable[[], object] = _nothing,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a file of kernels says of itself (kernel_decoding.KernelFile), and its arrays, float32, mapped from disk."""
    with _turn(limits.readers, wanted), _taken(limits) as child:
        found = child.read([(name, data)], wanted=wanted, kind="kernels")
        # Copied on write: PyTorch takes no arrays that must not be written to.
        mapping = mmap.mmap(child.output.fileno(), 0, access=mmap.ACCESS_COPY)
    return found, arrays_in(found, mapping)


def arrays_in(found: dict[str, Any], buffer: bytes | mmap.mmap) -> dict[str, np.ndarray]:
    """The arrays of which KernelFile says where they begin."""
    arrays = {}
    for key, (shape, start) in found["arrays"].items():
        count = int(np.prod(shape, dtype=np.int64))
        arrays[key] = np.frombuffer(buffer, np.float32, count, 4 * start).reshape(shape)
    return arrays


def get_ready(limits: Limits | None = None) -> None:
    """Start the process that will read the next burst, so that nobody waits for its imports."""
    limits = limits or Limits.from_environment()
    with _lock:
        if not _spare or not _spare[0].fits(limits):
            _give_up_spare()
            _spare.append(_Child(limits))


def files_of(paths: Sequence[str | Path]) -> list[tuple[str, Path]]:
    """(name, path) of the files of one burst: as named, or all of one folder; with their folder's burst.json, once,
    and its truth.

    A folder's files come in the order of their names with numbers counted (frame_2 before frame_10). FileError for a
    folder beside other files or folders: it is a burst of its own.
    """
    if len(paths) > 1:
        for path in map(Path, paths):
            if path.is_dir():
                raise FileError(
                    f"{escaped(path)} is a folder, which is a burst of its own; give one folder, or files"
                )
    return list(_files_of(paths))


def _files_of(paths: Sequence[str | Path]) -> Iterator[tuple[str, Path]]:
    described: set[Path] = set()
    given: set[Path] = set()
    for path in map(Path, paths):
        folder, inside = path.parent, [path]
        if path.is_dir():
            folder = path
            inside = sorted(
                (
                    p
                    for p in path.iterdir()
                    if (p.is_file() or _leads_nowhere(p)) and not p.name.startswith(".")
                ),
                key=lambda p: natural(p.name),
            )
        for file in inside:
            if file.name != METADATA:
                given.add(file.resolve())
                yield file.name, file
        metadata = folder / METADATA
        if folder not in described and metadata.is_file():
            described.add(folder)
            yield METADATA, metadata
    # Frames that are named one by one have the truth that lies beside them, too.
    for folder in described:
        truth = _truth_in(folder)
        if truth is not None and truth.resolve() not in given:
            yield truth.name, truth


def _leads_nowhere(path: Path) -> bool:
    """Whether a file is a link to one that is not there."""
    return path.is_symlink() and not path.exists()


def _truth_in(folder: Path) -> Path | None:
    """The noise-free picture that a folder's burst.json names, if it is there."""
    try:
        with open(folder / METADATA, "rb") as file:
            name = json.loads(file.read(MAX_JSON_BYTES))["truth"]
        path = folder / name
        return path if name == path.name and path.is_file() else None
    except (
        OSError,
        ValueError,
        RecursionError,
        KeyError,
        TypeError,
    ):  # whoever reads burst.json says what is wrong
        return None


class _Child:
    """A process that reads one burst, and the file that it writes."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.timed_out = limits, False
        self.output = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(**how_to_start(limits), stdin=subprocess.PIPE, stdout=self.output)

    def fits(self, limits: Limits) -> bool:
        return self.limits == limits and self.process.poll() is None

    def close(self) -> None:
        self.process.kill()
        with contextlib.suppress(BrokenPipeError):
            self.process.__exit__(None, None, None)  # closes the pipes and waits
        self.output.close()

    def read(
        self,
        files: Iterable[tuple[str, bytes | memoryview | Path]],
        progress: Callable[[str], object] | None = None,
        wanted: Callable[[], object] = _nothing,
        kind: str | None = None,
    ) -> dict[str, Any]:
        """What decoding.py says the files are; FileError if they are no burst, or not of the `kind`: "kernels"."""
        timer = threading.Timer(_PATIENCE * self.limits.seconds, self._stop)
        timer.daemon = True
        timer.start()
        said = []
        try:
            # One thread sends the files and another one listens which of them is read; this one asks whether
            # anybody still waits for it.
            with ThreadPoolExecutor(2) as pool:
                sent = pool.submit(self._send_all, files, kind)
                lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
                pool.submit(self._listen, lines)
                try:
                    while line := _next(lines, wanted):
                        said.append(_value(line))
                        if progress is not None and isinstance(said[-1], str):
                            progress(said[-1])
                except BaseException:
                    self.process.kill()
                    raise
            sent.result()
            status = self.process.wait()
        finally:
            timer.cancel()
        name = next((value for value in reversed(said) if isinstance(value, str)), "the burst")
        last = said[-1] if said else None
        if status == 0 and isinstance(last, dict) and "refused" in last:
            raise FileError(last["refused"])
        if status == 0 and isinstance(last, dict):
            return dict(last["read"])
        if self.timed_out or status == -getattr(signal, "SIGXCPU", 0):
            raise FileError(
                f"{name} takes longer to be read than {self.limits.named('seconds')}, the limit of all files"
            )
        raise FileError(f"{name} cannot be read: its decoder stopped with status {status}")

    def _stop(self) -> None:
        self.timed_out = True
        self.process.kill()

    def _listen(self, lines: queue.SimpleQueue[bytes]) -> None:
        """Put there what the process says, line by line, and b"" when it has ended."""
        assert self.process.stderr is not None
        try:
            for line in self.process.stderr:
                lines.put(line)
        finally:
            lines.put(b"")

    def _send_all(self, files: Iterable[tuple[str, bytes | memoryview | Path]], kind: str | None) -> None:
        assert self.process.stdin is not None
        # It stops reading when it has seen enough to refuse.
        with contextlib.suppress(BrokenPipeError), self.process.stdin:
            for name, data in files:
                self._send(name, data, kind)

    def _send(self, name: str, data: bytes | memoryview | Path, kind: str | None) -> None:
        pipe = self.process.stdin
        assert pipe is not None
        more = [] if kind is None else [kind]
        if not isinstance(data, Path):
            pipe.write(json.dumps([name, len(data), *more]).encode() + b"\n")
            pipe.write(data)
            pipe.flush()
            return
        label = visible(base_name(name))
        try:
            if not data.is_file():
                raise FileError(f"{label} is not a file")
            with open(data, "rb") as file:
                left = os.fstat(file.fileno()).st_size
                pipe.write(json.dumps([name, left, *more]).encode() + b"\n")
                while left:
                    chunk = file.read(min(left, _CHUNK))
                    if not chunk:
                        raise FileError(f"{label} changed while it was read")
                    pipe.write(chunk)
                    left -= len(chunk)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise FileError(f"{label} cannot be read: {error.strerror}") from error


def _next(lines: queue.SimpleQueue[bytes], wanted: Callable[[], object]) -> bytes:
    while True:
        with contextlib.suppress(queue.Empty):
            return lines.get(timeout=_ASK_EVERY)
        wanted()


def _value(line: bytes) -> Any:
    """What a line of JSON says; None if it is none: of a traceback."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


_lock = threading.Lock()
_spare: list[_Child] = []  # one or none


def _give_up_spare() -> None:
    while _spare:
        _spare.pop().close()


@contextlib.contextmanager
def _taken(limits: Limits) -> Iterator[_Child]:
    """The process that stands ready, or a new one."""
    with _lock:
        if _spare and not _spare[0].fits(limits):
            _give_up_spare()
        child = _spare.pop() if _spare else None
    child = child or _Child(limits)
    try:
        yield child
    finally:
        child.close()


@functools.cache
def _places(readers: int) -> threading.Semaphore:
    """So many bursts are read at once."""
    return threading.Semaphore(readers)


@contextlib.contextmanager
def _turn(readers: int, wanted: Callable[[], object]) -> Iterator[None]:
    """Wait for a place, as long as it is wanted."""
    places = _places(readers)
    while not places.acquire(timeout=_ASK_EVERY):
        wanted()
    try:
        yield
    finally:
        places.release()


def _stack(found: dict[str, Any], mapping: mmap.mmap | None) -> FrameStack:
    """What decoding.py found, as a FrameStack. FileError for noise or a recipe that is none."""
    source, shape = found["source"], found["shape"]
    dtype = np.dtype(found["dtype"])
    codes = np.frombuffer(mapping or b"", dtype, int(np.prod(shape))).reshape(shape)
    codes.setflags(write=False)
    if "part" in found:  # a border of NaN is around it
        top, bottom, left, right = found["part"]
        codes = codes[..., top:bottom, left:right]
    N, (_, _, H, W) = len(found["places"]), shape
    stack = FrameStack(
        codes=codes,
        places=tuple(found["places"]),
        names=tuple(found["names"]),
        levels=found.get("levels") and tuple(found["levels"]),
        noise=_noise(source, found.get("noise")),
        noise_source=found.get("noise_source", ""),
        known=found.get("known", False),
        white_level=found.get("white_level", 1.0),
        shifts=None if found.get("shifts") is None else np.array(found["shifts"]),
        recipe=_recipe(source, found.get("recipe")),
        truth_place=found.get("truth_place"),
        file_notes=tuple(found.get("notes", ())),
        exposures=tuple(found.get("exposures", ())),
        exif=tuple(base64.b64decode(text) for text in found.get("exif", ())),
        mapping=mapping,
    )
    more: dict[str, Any] = {}
    numbers, profile = found.get("numbers"), found.get("profile")
    if profile is not None:
        curves = tuple(np.array(curve) for curve in profile["curves"])
        more["profile"] = ColorProfile(
            profile["name"], np.array(profile["matrix"]), tuple(profile["weights"]), curves
        )
    if numbers is not None:
        linear = True if profile is not None and profile["linear"] else numbers["linear"]
        meaning, guess, on_black = guess_input(codes, **(numbers | {"linear": linear}))
        stack = dataclasses.replace(stack, meaning=meaning).read_as(meaning, guess, on_black, guessed=True)
        unsaid = linear is None and profile is None and dtype == np.uint16 and stack.encoded
        stack = dataclasses.replace(stack, encoding_open=unsaid)
    elif dtype == np.float32 and (below := below_black(codes[: len(found["places"])], 0.0)):
        more["file_notes"] = (
            *stack.file_notes,
            below.replace("state a lower one (--black)", "add it to the frames"),
        )
    if found.get("development") is not None:
        matrix, balance = found["development"]
        more["development"] = np.array(matrix), np.array(balance)
    if found.get("moving"):
        masks = np.frombuffer(mapping or b"", np.float32, found["moving"] * H * W, codes.nbytes)
        more["moving_mask"] = masks.reshape(-1, H, W)
        more["moving_shifts"] = np.array(found["moving_shifts"]).reshape(-1, N, 2)
    return dataclasses.replace(stack, **more)


def _noise(name: str, pairs: Sequence[Sequence[float]] | None) -> tuple[NoiseModel, ...] | None:
    if not pairs:
        return None
    try:
        return tuple(NoiseModel(*pair) for pair in pairs)
    except ValueError as error:
        raise FileError(f"{name}: noise {visible(pairs)} is not one: {one_line(error)}") from error


def read_recipe(name: str, text: str | None) -> BurstRecipe | None:
    """The recipe that a file holds as JSON; FileError if it is none."""
    if text is None:
        return None
    try:
        return _recipe(name, json.loads(text))
    except FileError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileError(f"{name}: recipe is not that of a burst: {one_line(error)}") from error


def _recipe(name: str, values: Any) -> BurstRecipe | None:
    if values is None:
        return None
    try:
        return BurstRecipe.from_dict(values)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise FileError(f"{name}: recipe is not that of a burst: {one_line(error)}") from error
