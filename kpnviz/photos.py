"""The gallery, and any photo in linear light."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from kpnviz.color import luminance, srgb_decode
from kpnviz.limits import Limits
from kpnviz.paths import GALLERY
from kpnviz.sampling import box_reduce
from kpnviz.text import one_line

_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"}


def gallery() -> tuple[str, ...]:
    """Names of the photos that ship with kpnviz (CC0, 576x576), in alphabetical order."""
    return tuple(sorted(path.stem for path in GALLERY.glob("*.png")))


def photo_path(photo: str | Path) -> Path:
    """The file of a photo: a name of the gallery, or a path."""
    shipped = GALLERY / f"{photo}.png"
    if shipped.parent == GALLERY and shipped.is_file():
        return shipped
    path = Path(photo)
    if not path.is_file():
        raise ValueError(
            f"photo {str(photo)!r} is neither in the gallery ({', '.join(gallery())}) nor a file"
        )
    return path


def find_photos(folder: Path) -> list[Path]:
    """The photos of a folder, sorted by name."""
    found = sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise ValueError(f"photos: no PNG, JPEG, TIFF or WebP file in {str(folder)!r}")
    return found


def read_photo(photo: str | Path) -> np.ndarray:
    """A photo in linear light: [H, W, 3], float32, white = 1.

    PNG, JPEG, TIFF or WebP, as :func:`kpnviz.pictures.read_picture` reads them: integers of 8 and 16 bits are
    sRGB-encoded and are decoded, floating point is linear. Raises ValueError, naming the file and the reason, for what
    cannot be read.
    """
    path = photo_path(photo)
    name = f"photo {path.name!r}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {one_line(error)}") from error
    from kpnviz.pictures import read_picture  # Pillow: what has its frames already does without

    codes = read_picture(name, data, Limits.from_environment(generous=True)).codes[:3]
    if codes.dtype != np.float32:
        codes = srgb_decode(codes.astype(np.float32) / np.iinfo(codes.dtype).max).astype(np.float32)
    return np.broadcast_to(codes, (3, *codes.shape[1:])).transpose(1, 2, 0).copy()


@lru_cache(maxsize=32)
def read_scene(photo: str | Path, reduction: int = 2, color: bool = False) -> np.ndarray:
    """Luminance of a photo in linear light, box-reduced: [H, W], float32, white = 1, read-only.

    color   R, G and B in place of their luminance: [H, W, 3]
    """
    photo_in_light = read_photo(photo)
    scene = box_reduce(photo_in_light if color else luminance(photo_in_light), reduction)
    scene.setflags(write=False)
    return scene


@lru_cache(maxsize=256)
def has_color(photo: str | Path) -> bool:
    """Whether R, G and B of a photo differ anywhere."""
    scene = read_scene(photo, color=True)
    return bool((scene[..., :1] != scene).any())
