"""What the kernel lens is sent: a burst, its estimates and their kernels as one run of bytes.

Python makes one payload per set of estimates; the browser interpolates the kernel factors, multiplies and draws them
itself, so the kernels follow the mouse without a round trip. Little-endian:

    uint32            length of the header
    header            JSON, padded with spaces: what `pack` writes, and where each array lies
    arrays            raw, each starting at a multiple of 8 bytes

kpnviz/lens/scripts/payload.js reads it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from kpnviz.analysis.best_size import SIZE_CLASSES, TIE, WINDOW_SIGMA, BestSize
from kpnviz.analysis.metrics import has_ssim, psnr, ssim
from kpnviz.burst import Burst
from kpnviz.denoise import Estimate
from kpnviz.kernels import factor_channels
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.zoo import title_of

MAX_BYTES = 48 * 2**20
"""A larger payload is refused: 256x256 pixels with three methods is 35 MB."""

_ALIGNMENT = 8
Pixel = tuple[int, int]

DISPLAY: dict[str, Any] = {
    "frame": 0,
    "mode": "picture",
    "against": "truth",
    "stops": 0.0,
    "linear": False,
    "view": None,
    "compare": "wipe",
    "shown": "",
    "other": "frame",
    "look": "kernels",
    "assumed": 0.0,
}
"""How the lens shows a burst at first. mode: picture, signed or absolute (error against the panel `against`: truth,
frame, mean or a model's name), or kernels (all over the picture); stops: brightness as a power of two; linear: without
the sRGB transfer; view: the part that is seen as [top, left, zoom], None being the whole picture. compare: one, wipe or
pair (side by side) of the panels `other`, at the left, and `shown` ("" the last method); look: what is shown of each
frame, one of LOOKS; assumed: the assumed noise, as a power of two of the true one, -2 to 2."""

COMPARE = ("wipe", "pair", "one")
LOOKS = ("kernels", "frames", "sum", "uses", "matching", "ideal")
"""The views of the kernels: scripts/views.js."""


def pack(
    burst: Burst,
    estimates: Sequence[Estimate | str],
    start: Pixel | None = None,
    clean: np.ndarray | None = None,
    alone: bool = False,
    best: BestSize | None = None,
    most: int | None = None,
) -> bytes:
    """The payload of a burst and its estimates; the cursor starts at the pixel `start`, (y, x).

    A method that is still at work has its name in place of its estimate: the lens keeps a place for what comes.

    clean   the frames without noise, [N, H, W], where they are known: the ideal kernels need them
    alone   the pictures alone, to pick a pixel from: without kernels, and without other assumed noise (`pack_assumed`)
    best    which kernel size is best where, of these estimates: the lens then shows the map beside the picture, and in
            place of its views the kernels of all estimates for one frame
    most    bytes; else MAX_BYTES

    Pictures travel as float32, kernel factors [N, F, h, w] and clean frames as float16. Raises ValueError beyond
    `most` bytes.
    """
    arrays: list[np.ndarray] = []

    def add(array: np.ndarray, dtype: type) -> int:
        arrays.append(np.ascontiguousarray(array, dtype=dtype))
        return len(arrays) - 1

    def panel(kind: str, name: str, title: str, image: np.ndarray | None) -> dict[str, Any]:
        scores = None
        if burst.truth is not None and image is not None and kind != "truth":
            scores = {
                "psnr": _finite(psnr(image, burst.truth, burst.white_level)),
                "ssim": ssim(image, burst.truth, burst.white_level) if has_ssim(image.shape) else None,
            }
        index = None if image is None else add(image, np.float32)
        return {"kind": kind, "name": name, "title": title, "image": index, "scores": scores}

    panels = [
        panel("frame", "frame", "Frame", burst.reference),
        panel("mean", "mean", "Plain mean", burst.mean),
    ]
    methods = []
    for estimate in estimates:
        name, image, field = (
            (estimate, None, None)
            if isinstance(estimate, str)
            else (estimate.model, estimate.image, estimate.kernels)
        )
        methods.append({"title": title_of(name), "panel": len(panels), "kernels": None})
        panels.append(panel("method", name, title_of(name), image))
        if field is not None and not alone:
            methods[-1]["kernels"] = {
                "sizes": list(field.sizes),
                "separable": field.separable,
                "factors": add(field.factors[0].half().cpu().numpy(), np.float16),
            }
    if burst.truth is not None:
        panels.append(panel("truth", "truth", "Truth", burst.truth))

    moving = None
    if burst.moving_shifts is not None:
        moving = {
            "object_at": add(burst.object_at, np.uint8),
            "shifts": np.asarray(burst.moving_shifts).tolist(),
        }
    header = {
        "height": burst.height,
        "width": burst.width,
        "white_level": burst.white_level,
        "burst": "" if alone or best else burst_id(burst),
        "alone": alone,
        "noise": dataclasses.asdict(burst.gray_noise("the lens")),
        "clean": None if clean is None else add(clean, np.float16),
        "frames": add(burst.frames, np.float32),
        "shifts": None if burst.shifts is None else np.asarray(burst.shifts).tolist(),
        "moving": moving,
        "panels": panels,
        "methods": methods,
        "start": list(start or (burst.height // 2, burst.width // 2)),
        "sizes": None,
    }
    if best is not None:
        header["sizes"] = {
            "titles": SIZE_CLASSES,
            "classes": best.classes,
            "local": add(best.local, np.float32),
            "index": None if best.index is None else add(best.index + 1, np.uint8),
            "sigma": WINDOW_SIGMA,
            "tie": TIE,
        }
    return _write(header, arrays, most or MAX_BYTES)


def payload_bytes(
    frames: int, height: int, width: int, networks: Sequence[ModelConfig], objects: bool, sizes: bool = False
) -> int:
    """About how many bytes `pack` writes of a synthetic burst and these networks: known before one of them has run.

    objects  whether something moves in the burst;  sizes  with the map of the best size, and without clean frames
    """
    pixels, grid = height * width, ((height + 1) // 2) * ((width + 1) // 2)
    pictures = frames + 2 + len(networks) + 1  # the reference once more, the mean, the truth
    factors = sum(
        factor_channels(network.sizes, network.separable) * (frames if network.matching else network.frames)
        for network in networks
        if not network.direct
    )
    others = 4 * len(networks) + 1 if sizes else 2 * frames
    return 4 * pixels * pictures + 2 * grid * factors + pixels * (others + objects)


def check_size(size: int, most: int = MAX_BYTES) -> None:
    """ValueError for a payload of so many bytes, if it is too large to be sent."""
    if size > most:
        raise ValueError(
            f"these pictures and kernels are {math.ceil(size / 2**20)} MB, more than the {most / 2**20:.0f} MB "
            "that are sent to the browser; choose a smaller crop or fewer methods or frames"
        )


def pack_assumed(burst: Burst, scales: Sequence[float], estimates: Sequence[Estimate]) -> bytes:
    """The payload of what one method makes of a burst that it is told has `scales` times its noise.

    Pictures [H, W] and factors [N, F, h, w] of each scale.

    The lens interpolates between them, and the method's own at scale 1: pictures and kernels alike, so that the picture
    stays what the kernels make of the frames. Raises ValueError beyond MAX_BYTES.
    """
    images = np.stack([estimate.image for estimate in estimates])
    fields = [estimate.kernels for estimate in estimates if estimate.kernels is not None]
    factors = [field.factors[0].half().cpu().numpy() for field in fields]
    arrays: list[np.ndarray] = [images.astype(np.float32), *factors]
    header = {
        "burst": burst_id(burst),
        "scales": list(scales),
        "images": 0,
        "factors": list(range(1, 1 + len(factors))),
    }
    return _write(header, arrays, MAX_BYTES)


def burst_id(burst: Burst) -> str:
    """What tells a burst from others: a digest of its frames."""
    return hashlib.blake2b(burst.frames.tobytes(), digest_size=8).hexdigest()


def _finite(value: float) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if np.isfinite(value) else None


def _padding(length: int) -> int:
    return -length % _ALIGNMENT


def _write(header: dict[str, Any], arrays: list[np.ndarray], most: int) -> bytes:
    check_size(sum(array.nbytes + _padding(array.nbytes) for array in arrays), most)
    digest = hashlib.blake2b(digest_size=8)
    blocks: list[bytes | memoryview] = []
    places, offset = [], 0
    for array in arrays:
        block = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        digest.update(block)
        places.append({"dtype": array.dtype.name, "shape": list(array.shape), "offset": offset})
        blocks += [block, b"\0" * _padding(len(block))]
        offset += len(block) + _padding(len(block))
    digest.update(json.dumps(header).encode())
    return with_header(header | {"arrays": places, "id": digest.hexdigest()}, *blocks)


def unpack(payload: bytes) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The header and the arrays of a payload: the inverse of `pack`, as the browser reads it."""
    header, begin = read_header(payload)
    arrays = [
        np.frombuffer(payload, place["dtype"], int(np.prod(place["shape"])), begin + place["offset"]).reshape(
            place["shape"]
        )
        for place in header["arrays"]
    ]
    return header, arrays


def read_header(payload: bytes) -> tuple[dict[str, Any], int]:
    """The header of a payload, and where it ends."""
    (length,) = struct.unpack_from("<I", payload)
    return json.loads(payload[4 : 4 + length]), 4 + length


def with_header(header: dict[str, Any], *rest: bytes | memoryview) -> bytes:
    """A header, padded to a multiple of 8 bytes, before the rest."""
    text = json.dumps(header).encode()
    text += b" " * _padding(4 + len(text))
    return b"".join([struct.pack("<I", len(text)), text, *rest])
