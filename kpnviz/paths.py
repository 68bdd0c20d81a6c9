"""Where the app's pages, the trained networks and the photos lie, in a checkout or in a wheel; and safe writing."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_BUNDLE = PACKAGE / "_bundle"

ROOT = _BUNDLE if _BUNDLE.is_dir() else PACKAGE.parent
"""The folder of app.py, app_pages/ and checkpoints/: the repository, or kpnviz/_bundle in a wheel."""

CHECKPOINTS = ROOT / "checkpoints"
GALLERY = PACKAGE / "gallery"


_unfinished: set[Path] = set()


@contextlib.contextmanager
def unfinished(path: Path, folder: bool = False) -> Iterator[Path]:
    """A path beside `path`, or a new folder, to write to and to rename: whatever happens, nothing stays there."""
    if folder:
        temporary = Path(tempfile.mkdtemp(".partial", f".{path.name}.", path.parent))
    else:
        temporary = path.with_name(path.name + ".partial")
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


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole: a reader, or a crash at any moment, sees the old one or the new one."""
    with unfinished(path) as temporary:
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error


def check_output(path: Path, inputs: Iterable[Path] = ()) -> None:
    """ValueError for a file that could not be written, or that is one of the inputs: said before the work."""
    folder = path.parent
    if path.is_dir():
        reason = "it is a folder"
    elif not folder.is_dir():
        reason = f"there is no folder {str(folder)!r}"
    else:
        reason = "" if os.access(folder, os.W_OK) else f"you may not write into {str(folder)!r}"
    if reason:
        raise ValueError(f"output: {str(path)!r} cannot be written: {reason}")
    for one in inputs:
        if path.exists() and one.exists() and path.samefile(one):
            raise ValueError(f"output: {str(path)!r} is one of the files that are read; name another")


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
        yield
    finally:
        os.close(opened)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only process that changes a file, by a lock on its folder; without effect where only POSIX has locks."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder = os.open(Path(path).parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
