"""The gallery, and safe reading of any photo into linear light."""

from __future__ import annotations

import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kpnviz.color import luminance, srgb_decode
from kpnviz.paths import GALLERY
from kpnviz.sampling import box_reduce

MAX_PIXELS = 32_000_000
"""A larger photo is refused before it is decoded."""

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
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

    8-bit pictures are sRGB-encoded and are decoded; so is 16-bit gray. EXIF rotation is applied and
    transparency dropped. Raises ValueError, naming the file and the reason, for what cannot be read.
    """
    path = photo_path(photo)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise ValueError(
                        f"photo {path.name!r} has {file.width}x{file.height} pixels; "
                        f"the limit is {MAX_PIXELS // 10**6} megapixels"
                    )
                image = ImageOps.exif_transpose(file)
                if image.mode.startswith("I;16"):
                    gray = np.asarray(image, dtype=np.float32) / 65535
                    encoded = np.repeat(gray[..., None], 3, axis=-1)
                else:
                    encoded = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"photo {path.name!r} cannot be read: {error}") from error
    return srgb_decode(encoded).astype(np.float32)


@lru_cache(maxsize=32)
def read_scene(photo: str | Path, reduction: int = 2) -> np.ndarray:
    """Luminance of a photo in linear light, box-reduced: [H, W], float32, white = 1, read-only."""
    scene = box_reduce(luminance(read_photo(photo)), reduction)
    scene.setflags(write=False)
    return scene
