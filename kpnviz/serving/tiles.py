"""Large pictures that a browser fetches tile by tile, at the size at which it shows them.

A picture is kept at full size and reduced by 2, 4, 8, ..., as programs for maps do it. Whoever looks at all of it
fetches one tile of a small picture, and whoever looks at a detail the tiles that hold it.
"""

from __future__ import annotations

import io
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from weakref import WeakValueDictionary

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kpnviz.color import displayed, srgb_decode

SIDE = 256
"""Pixels of a tile's side; those at the right and at the bottom may have fewer."""

_LINEAR = srgb_decode(np.arange(256) / 255).astype(np.float32)
_STRIP = 512  # rows that are reduced at a time, even
_served = False


class Pyramid:
    """A picture, [H, W] or [H, W, 3], uint8 in sRGB, and itself reduced.

    levels   from the smallest, which one tile holds, to the picture as it is. Each pixel is the mean of 2x2 of the next
             level, in linear light; an odd row or column at the edge counts twice

    All levels lie in a temporary file: the system keeps of them in memory what is looked at.
    """

    def __init__(self, picture: np.ndarray) -> None:
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or 0 in picture.shape:
            raise ValueError(
                f"picture is {picture.dtype} {picture.shape}; expected uint8 [H, W] or [H, W, 3]"
            )
        self.levels = [_on_disk(picture.shape)]
        self.levels[0][:] = picture
        while max(self.levels[0].shape[:2]) > SIDE:
            self.levels.insert(0, _halved(self.levels[0]))

    @property
    def height(self) -> int:
        return int(self.levels[-1].shape[0])

    @property
    def width(self) -> int:
        return int(self.levels[-1].shape[1])

    def tile(self, level: int, row: int, column: int) -> bytes:
        """The tile that begins at pixel (row * SIDE, column * SIDE) of a level: PNG. LookupError if there is none."""
        if not 0 <= level < len(self.levels) or min(row, column) < 0:
            raise LookupError((level, row, column))
        part = self.levels[level][row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        if 0 in part.shape:
            raise LookupError((level, row, column))
        file = io.BytesIO()
        Image.fromarray(np.asarray(part)).save(file, "PNG", compress_level=1)
        return file.getvalue()


def _on_disk(shape: tuple[int, ...]) -> np.ndarray:
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _halved(picture: np.ndarray) -> np.ndarray:
    H, W = picture.shape[:2]
    small = _on_disk(((H + 1) // 2, (W + 1) // 2, *picture.shape[2:]))
    for top in range(0, H, _STRIP):
        light = _LINEAR[picture[top : top + _STRIP]]
        edges = [(0, light.shape[0] % 2), (0, W % 2), *[(0, 0)] * (light.ndim - 2)]
        light = np.pad(light, edges, mode="edge")
        rows = (light[::2] + light[1::2]) / 2
        mean = (rows[:, ::2] + rows[:, 1::2]) / 2
        small[top // 2 : top // 2 + len(mean)] = np.rint(displayed(mean) * 255)
    return small


class Layers(Mapping[str, Pyramid]):
    """Pictures of one size, by name, and the address at which they are served for as long as this object is kept."""

    def __init__(self, **pyramids: Pyramid) -> None:
        if len({(one.height, one.width) for one in pyramids.values()}) != 1:
            raise ValueError("layers are one or more pictures of the same size")
        self._pyramids = pyramids
        self._token = secrets.token_urlsafe(16)  # nobody can guess the address of another visitor's picture
        _offered[self._token] = self

    def __getitem__(self, name: str) -> Pyramid:
        return self._pyramids[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pyramids)

    def __len__(self) -> int:
        return len(self._pyramids)

    @property
    def address(self) -> str | None:
        """Relative to a page's: tiles are at ADDRESS/NAME/LEVEL/ROW/COLUMN. None where no server has :func:`routes`."""
        return f"tiles/{self._token}" if _served else None


_offered: WeakValueDictionary[str, Layers] = WeakValueDictionary()


def routes(base: str) -> list[Route]:
    """The route of all tiles; `base` is the path of the app, or ""."""
    global _served
    _served = True
    prefix = f"/{base.strip('/')}".rstrip("/")
    where = "tiles/{token}/{name}/{level:int}/{row:int}/{column:int}"
    return [Route(f"{prefix}/{where}", _answer)]


def _answer(request: Request) -> Response:  # not async: it runs in a thread, beside the pages
    at = request.path_params
    try:
        png = _offered[at["token"]][at["name"]].tile(at["level"], at["row"], at["column"])
    except LookupError:
        return PlainTextResponse("There is no such tile.", 404)
    return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=86400"})
