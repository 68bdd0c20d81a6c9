"""ZIPs and NPZs that nobody has vouched for: what their directories and headers say is checked before they are read."""

from __future__ import annotations

import contextlib
import math
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import IO

import numpy as np

from kpnviz.limits import MAX_DIRECTORY_BYTES, MAX_JSON_BYTES, FileError, Limits
from kpnviz.text import one_line, visible

_CHUNK = 1 << 20  # numbers


def base_name(name: str) -> str:
    """A file's name without its folders, of Windows too."""
    return name.replace("\\", "/").rpartition("/")[2] or name


def is_zip(start: bytes) -> bool:
    return start in (b"PK\3\4", b"PK\5\6")


def check_directory(label: str, file: IO[bytes]) -> None:
    """FileError for a ZIP whose directory, of all that could be taken for one, is too large."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 66_000, 0))
    tail = file.read()
    if b"PK\6\7" in tail:
        raise FileError(f"{label} is a ZIP64; those are for more than 4 GB")
    for found in re.finditer(b"PK\5\6", tail):
        record = tail[found.start() : found.start() + 22]
        if len(record) == 22 and struct.unpack_from("<I", record, 12)[0] > MAX_DIRECTORY_BYTES:
            raise FileError(f"{label} has too many members to be a burst")
    file.seek(0)


@contextlib.contextmanager
def opened(
    label: str, file: IO[bytes], limits: Limits
) -> Iterator[tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]]:
    """A ZIP and its members, none of which has been read; FileError if it is none, or takes more than the limits.

    What goes wrong while it is open is the ZIP's fault: that is a FileError, too, but for MemoryError.
    """
    check_directory(label, file)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            for entry in entries:
                _check_entry(label, entry, limits)
            if sum(entry.file_size for entry in entries) > limits.total_bytes:
                raise FileError(
                    f"{label} unpacks to more than {limits.named('total_bytes')}, the limit in all"
                )
            yield archive, entries
    except (FileError, MemoryError):
        raise
    # zipfile raises BadZipFile, NotImplementedError, zlib.error, struct.error, EOFError, ...
    except Exception as error:
        raise FileError(f"{label} is a ZIP that cannot be read: {one_line(error)}") from error


def _check_entry(label: str, entry: zipfile.ZipInfo, limits: Limits) -> None:
    inside = visible(f"{label}/{base_name(entry.filename)}")
    if entry.flag_bits & 1:
        raise FileError(f"{inside} is encrypted; make a ZIP without a password")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FileError(
            f"{inside} is packed by method {entry.compress_type}; stored and deflated members are read"
        )
    if entry.file_size > limits.file_bytes:
        raise FileError(
            f"{inside} unpacks to {entry.file_size / 1e6:.6g} MB; the limit of one file is "
            f"{limits.named('file_bytes')}"
        )


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """What the header of an NPY says: shape, whether in Fortran order, dtype. ValueError if it is none."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


class StoredArray:
    """An array of an NPZ: what its header says, checked before any of it is read."""

    def __init__(self, label: str, key: str, archive: zipfile.ZipFile) -> None:
        self.label, self.key, self.archive = label, key, archive
        with archive.open(f"{key}.npy") as file:
            self.shape, self.fortran, self.dtype = read_header(file)
            self.start = file.tell()
        if not all(type(length) is int and length >= 0 for length in self.shape):  # NumPy takes True, and -1
            raise FileError(f"{label}: {key} has shape {visible(self.shape)}; axes have lengths of 0 or more")
        size = archive.NameToInfo[f"{key}.npy"].file_size - self.start
        if self.dtype.hasobject:
            raise FileError(f"{label}: {key} holds Python objects (dtype {visible(self.dtype)}), not numbers")
        if math.prod(self.shape) * self.dtype.itemsize != size:
            raise FileError(
                f"{label}: {key} has {size} bytes; dtype {visible(self.dtype)} and shape {visible(self.shape)} "
                "have another number, or are not read"
            )

    def parts(self, count: int) -> Iterator[np.ndarray]:
        """The array in `count` equal parts along its first axis, one after the other: flat."""
        with self.archive.open(f"{self.key}.npy") as file:
            file.read(self.start)
            values = math.prod(self.shape) // count
            if self.fortran and count > 1:
                whole = np.frombuffer(file.read(), self.dtype).reshape(self.shape, order="F")
                yield from (part.ravel() for part in whole)
                return
            for _ in range(count):
                flat = np.frombuffer(file.read(values * self.dtype.itemsize), self.dtype)
                yield flat.reshape(self.shape, order="F").ravel() if self.fortran else flat

    def chunks(self) -> Iterator[np.ndarray]:
        """The array in C order, flat, a few megabytes at a time; one in Fortran order all at once."""
        if self.fortran and len(self.shape) > 1:
            yield from self.parts(1)
            return
        left = math.prod(self.shape)
        with self.archive.open(f"{self.key}.npy") as file:
            file.read(self.start)
            while left:
                count = min(left, _CHUNK)
                yield np.frombuffer(file.read(count * self.dtype.itemsize), self.dtype)
                left -= count

    def numbers(self) -> np.ndarray:
        """A few numbers, as float64."""
        if self.dtype.kind not in "fiub" or math.prod(self.shape) * self.dtype.itemsize > MAX_JSON_BYTES:
            raise FileError(
                f"{self.label}: {self.key} has dtype {visible(self.dtype)} and shape {visible(self.shape)}"
            )
        return next(self.parts(1)).astype(np.float64).reshape(self.shape)

    def text(self) -> str:
        """A short text."""
        if self.dtype.kind != "U" or math.prod(self.shape) != 1 or self.dtype.itemsize > 4 * MAX_JSON_BYTES:
            raise FileError(f"{self.label}: {self.key} is not a text")
        return str(next(self.parts(1))[0])
