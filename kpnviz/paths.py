"""Where the app's pages, the trained networks and the photos lie, in a checkout or in a wheel; and safe writing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_BUNDLE = PACKAGE / "_bundle"

ROOT = _BUNDLE if _BUNDLE.is_dir() else PACKAGE.parent
"""The folder of app.py, app_pages/ and checkpoints/: the repository, or kpnviz/_bundle in a wheel."""

CHECKPOINTS = ROOT / "checkpoints"
GALLERY = PACKAGE / "gallery"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file as a whole: a reader, or a crash at any moment, sees the old one or the new one."""
    temporary = path.with_name(path.name + ".partial")
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


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
