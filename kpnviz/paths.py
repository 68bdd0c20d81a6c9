"""Where the app's pages, the trained networks and the photos lie, in a checkout or in a wheel; and safe writing."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

PACKAGE = Path(__file__).resolve().parent
_BUNDLE = PACKAGE / "_bundle"

ROOT = _BUNDLE if _BUNDLE.is_dir() else PACKAGE.parent
"""The folder of app.py, app_pages/ and checkpoints/: the repository, or kpnviz/_bundle in a wheel."""

CHECKPOINTS = ROOT / "checkpoints"
GALLERY = PACKAGE / "gallery"


_unfinished: set[Path] = set()


@contextlib.contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A path in `folder` for what is written and then renamed; whatever of it is left at the end is removed.

    Its name holds 128 random bits: no other file has it, and nobody can put a link there first.
    """
    temporary = Path(folder) / f".{secrets.token_hex(16)}.partial"
    _unfinished.add(temporary)
    try:
        yield temporary
    finally:
        _discard(temporary)


def discard_unfinished() -> None:
    """Remove what is half-written, before the process ends."""
    for path in tuple(_unfinished):
        _discard(path)


def _discard(path: Path) -> None:
    _unfinished.discard(path)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes | Callable[[IO[bytes]], object]) -> None:
    """Replace a file as a whole: a reader, or a crash at any moment, sees the old one or the new one.

    Of several writers at once the last one wins. Where `path` is a link, the file that it leads to is replaced; a file
    keeps its mode. OSError names `path`.

    data    the contents, or what writes them into the open file: for what is large
    """
    write_together({path: data})


def write_together(files: Mapping[Path, bytes | Callable[[IO[bytes]], object]]) -> None:
    """The same for files that belong together: none is replaced before all are written, so that a full disk leaves the
    old ones."""
    written: list[tuple[Path, Path]] = []
    path = Path()
    try:
        with contextlib.ExitStack() as temporaries:
            for path, data in files.items():
                target = _regular(path)
                temporary = temporaries.enter_context(unfinished(target.parent))
                with open(temporary, "xb") as file:  # never through a link
                    if target.exists() and hasattr(os, "fchmod"):
                        os.fchmod(file.fileno(), target.stat().st_mode & 0o777)
                    if callable(data):
                        data(file)
                    else:
                        file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                written.append((temporary, target))
            for temporary, path in written:
                os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _regular(path: Path) -> Path:
    """The file that is replaced where `path` is written to: links are followed. OSError for a device or a folder."""
    target = Path(os.path.realpath(path))
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(target.lstat().st_mode):
            raise OSError(
                errno.EINVAL, "it is a folder" if target.is_dir() else "it is not a file", str(path)
            )
    return target


def check_output(path: Path, inputs: Iterable[Path] = (), makes_folder: bool = False) -> None:
    """ValueError for a file that could not be written, or that is one of the inputs: said before the work.

    makes_folder    whether the folder is made where there is none
    """
    try:
        folder = _regular(path).parent
    except (OSError, ValueError) as error:  # ValueError: there is a 0 in it
        why = error.strerror if isinstance(error, OSError) else error
        raise ValueError(f"output: {str(path)!r} cannot be written: {why}") from None
    while makes_folder and not folder.exists():
        folder = folder.parent
    reason = ""
    if not folder.is_dir():
        reason = f"there is no folder {str(folder if path.is_symlink() else path.parent)!r}"
    elif not os.access(folder, os.W_OK):
        reason = f"you may not write into {str(folder)!r}"
    if reason:
        raise ValueError(f"output: {str(path)!r} cannot be written: {reason}")
    for one in inputs:
        if path.exists() and one.exists() and path.samefile(one):
            raise ValueError(f"output: {str(path)!r} is one of the files that are read; name another")


_held: set[Path] = set()
"""Folders that this process holds: in them :func:`locked` would wait for itself."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Be the only process that works in a folder, which is made; ValueError if another one does.

    The lock goes with the process, however it ends. Without effect where only POSIX has locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another process is at work in {str(folder)!r}") from None
        _held.add(folder.resolve())
        yield
    finally:
        _held.discard(folder.resolve())
        os.close(opened)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only process that changes a file, by a lock on its folder; without effect where only POSIX has locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder = Path(path).parent
    if folder.resolve() in _held:
        yield
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
