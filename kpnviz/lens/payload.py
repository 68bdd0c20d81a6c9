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
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kpnviz.analysis.best_size import SIZE_CLASSES, TIE, WINDOW_SIGMA, BestSize
from kpnviz.analysis.metrics import has_ssim, psnr, ssim
from kpnviz.burst import Burst
from kpnviz.denoise import GUIDE_WEIGHTS, guide
from kpnviz.estimate import Estimate, Series
from kpnviz.kernels import factor_channels
from kpnviz.lens.rounding import in_8_bits, rounded
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.zoo import MATCHED, title_of
from kpnviz.text import visible

MAX_BYTES = 48 * 2**20
"""A larger payload is refused, unless the caller allows it: 256x256 pixels with three methods is 35 MB."""

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
    "channel": 1,
    "step": None,
    "all": False,
    "region": 33,
    "kinds": 5,
    "off": {},
    "keep": True,
    "dropped": [],
    "nonnegative": False,
    "moved": None,
    "anew": False,
}
"""How the lens shows a burst at first. mode, one of MODES: picture, signed or absolute (error against the panel
`against`: truth, frame, mean or a model's name), kernels (all over the picture), stack (all frames, one above the
other, with the kernels of the pixel on them), or one of MAPS; stops: brightness as a power of two; linear: without
the sRGB transfer; view: the part that is seen as [top, left, zoom], None being the whole picture. compare: one, wipe
or pair (side by side) of the panels `other`, at the left, and `shown` ("" the last method); look: what is shown of
each frame, one of LOOKS; assumed: the assumed noise, as a power of two of the true one, -2 to 2. channel: whose
kernels are shown where R, G and B (0, 1, 2) have their own; step: which of a series is shown, counted from 0, None
being the last. all: views of one frame show all; region: pixels a side of the region whose mean kernels are shown, 0
the whole picture; kinds: how many kernels are sorted into. Kernels changed by hand: off, kernel sizes that are switched
off, by method; keep: kernels are scaled so that shares sum to what they did; dropped: frames whose kernels are 0;
nonnegative: negative weights are 0; moved: a frame that is moved under its kernels, as
[frame, dy, dx]; anew: the networks see it move, and predict anew, where the host of the lens can ask them."""

COMPARE = ("wipe", "pair", "one")
LOOKS = (
    "kernels",
    "parts",
    "frames",
    "sum",
    "uses",
    "matching",
    "frequencies",
    "region",
    "kinds",
    "change",
    "ideal",
)
"""The views of the kernels: scripts/views.js."""

MAPS = ("size", "reach", "displacement", "share", "spread", "entropy", "kinds")
"""The maps of the kernels: scripts/map_overlay.js."""

MODES = ("picture", "signed", "absolute", "kernels", "stack", *MAPS)


def pack(
    burst: Burst,
    estimates: Sequence[Estimate | Series | str],
    start: Pixel | None = None,
    clean: np.ndarray | None = None,
    best: BestSize | None = None,
    max_bytes: int | None = None,
    lossy: bool = False,
    pause: Callable[[], object] = lambda: None,
) -> bytes:
    """The payload of a burst and its estimates; the cursor starts at the pixel `start`, (y, x) of the frames.

    Estimates have kernels of any kind, or a picture alone. A method that is still at work has its name in place of its
    estimate: the lens keeps a place for what comes. A Series is one method, with a scrubber over its numbers; several
    have the same name and numbers.

    clean   the frames without noise, [N, H, W] or [N, C, H, W], where they are known: the ideal kernels need them
    best    which kernel size is best where, of these estimates: the lens then shows the map beside the picture, and in
            place of its views the kernels of all estimates for one frame
    max_bytes  of what is sent; None: MAX_BYTES
    lossy   dense kernels at every pixel in 8 bits: a half of the size. The largest change of the picture is stated.
            Kernels of a basis travel as basis and coefficients, lossy or not: 90 kernels of 15x15 for 8 frames of
            128x128 pixels are 4.3 MB with all pictures; the same as dense ones 59.7 MB, or 30.7 MB lossy
    pause   called several times a second while the kernels of others are measured: let others compute, or raise in it

    Pictures travel as float32, kernels as float16 (see lens/rounding.py), clean frames as float16. A picture of valid
    convolutions, smaller than the frames, lies in their middle. Raises ValueError, one sentence, beyond `max_bytes`,
    and for pictures and kernels that do not fit the frames.
    """
    arrays: list[np.ndarray] = []
    otherwise = "" if max_bytes is None else ", raise max_bytes"  # where one can: not in the app
    max_bytes = MAX_BYTES if max_bytes is None else max_bytes
    names = _unique([_name(one) for one in estimates])
    expected = 4 * burst.frames.size + sum(_expected_bytes(one, lossy) for one in estimates)
    otherwise += "" if lossy or not otherwise else _smaller(estimates)
    check_size(expected, max_bytes, otherwise)

    def add(array: np.ndarray, dtype: Any = None) -> int:
        arrays.append(np.ascontiguousarray(array, dtype=dtype))
        return len(arrays) - 1

    def scores(image: np.ndarray) -> dict[str, float | None] | None:
        if burst.truth is None:
            return None
        inset = (burst.height - image.shape[-2]) // 2
        truth = burst.truth[..., inset : burst.height - inset, inset : burst.width - inset]
        return {
            "psnr": _finite(psnr(image, truth, burst.white_level)),
            "ssim": ssim(image, truth, burst.white_level) if has_ssim(image.shape) else None,
        }

    def panel(kind: str, name: str, title: str, image: np.ndarray | None) -> dict[str, Any]:
        index = None if image is None else add(image, np.float32)
        known = None if image is None or kind == "truth" else scores(image)
        return {"kind": kind, "name": name, "title": title, "image": index, "scores": known}

    def kernels(estimate: Estimate) -> dict[str, Any] | None:
        field = estimate.kernels
        if field is None:
            return None
        sent = rounded(field, burst.frames, lossy, estimate.network is not None, pause)
        return {
            "sizes": list(field.sizes),
            "separable": field.separable,
            "half": field.half,
            "padding": field.padding,
            "reduce": field.reduce,
            "height": field.height,
            "width": field.width,
            "inset": (burst.height - field.height) // 2,
            "factors": add(sent.factors),
            "scales": None if sent.scales is None else add(sent.scales),
            "basis": None if field.basis is None else add(field.basis.detach().float().cpu().numpy()),
            "unit": sent.unit,
            "error": sent.error,
            "lossy": sent.lossy,
        }

    panels = [
        panel("frame", "frame", "Frame", burst.reference),
        panel("mean", "mean", "Plain mean", burst.mean),
    ]
    methods: list[dict[str, Any]] = []
    for name, one in zip(names, estimates, strict=True):
        made = [one] if isinstance(one, Estimate) else [] if isinstance(one, str) else list(one.values())
        for estimate in made:
            _check_fit(burst, estimate)
        shown = made[-1] if made else None
        # Another's kernels may have the name of a network: they are not written as that network is.
        title = title_of(name) if shown is None or name != shown.model else shown.title
        panels.append(panel("method", name, title, shown.image if shown else None))
        last = {
            "image": panels[-1]["image"],
            "scores": panels[-1]["scores"],
            "kernels": kernels(shown) if shown else None,
        }
        before = [
            {"image": add(one.image, np.float32), "scores": scores(one.image), "kernels": kernels(one)}
            for one in made[:-1]
        ]
        steps = [*before, last] if isinstance(one, Series) else None
        methods.append(
            {
                "title": title,
                "panel": len(panels) - 1,
                "kernels": last["kernels"],
                "steps": steps,
            }
        )
    if burst.truth is not None:
        panels.append(panel("truth", "truth", "Truth", burst.truth))

    moving = None
    if burst.moving_shifts is not None:
        moving = {
            "object_at": add(burst.object_at, np.uint8),
            "shifts": np.asarray(burst.moving_shifts).tolist(),
        }
    noises = None if burst.noise is None else burst.channel_noises("the lens")
    series = _series(estimates)
    header = {
        "height": burst.height,
        "width": burst.width,
        "white_level": burst.white_level,
        "burst": "" if best or series else burst_id(burst),
        "noise": noises and [dataclasses.asdict(noise) for noise in noises],
        "matching": _matching(burst, estimates),
        "clean": None if clean is None else add(clean, np.float16),
        "frames": add(burst.frames, np.float32),
        "shifts": None if burst.shifts is None else np.asarray(burst.shifts).tolist(),
        "motion": None if burst.motion is None else add(burst.motion[:, ::2, ::2], np.float16),
        "moving": moving,
        "panels": panels,
        "methods": methods,
        "series": series,
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
    return _write(header, arrays, max_bytes)


OWN_PANELS = ("frame", "mean", "truth")
"""Names of the pictures beside those of methods."""


def _name(one: Estimate | Series | str) -> str:
    if isinstance(one, Series):
        return one[one.numbers[-1]].model
    if isinstance(one, Estimate | str):
        return one if isinstance(one, str) else one.model
    raise ValueError(
        f"estimates holds something of type {type(one).__name__}; each is an Estimate or a Series"
    )


def _network(one: Estimate | Series | str) -> str | None:
    """The network of this package that made it, or will."""
    last = one[one.numbers[-1]] if isinstance(one, Series) else one
    return last.network if isinstance(last, Estimate) else last


def _unique(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that there are already."""
    unique: list[str] = []
    for name in names:
        number, other = 2, name
        while other in unique or other in OWN_PANELS:
            other, number = f"{name} ({number})", number + 1
        unique.append(other)
    return unique


def _check_fit(burst: Burst, estimate: Estimate) -> None:
    """ValueError for a picture or kernels that do not fit the frames."""
    image, field, name = estimate.image, estimate.kernels, visible(estimate.model)
    less = (burst.height - image.shape[-2], burst.width - image.shape[-1])
    if image.shape[:-2] != burst.frames.shape[1:-2] or less[0] != less[1] or less[0] < 0 or less[0] % 2:
        raise ValueError(
            f"{name}: the picture has shape {image.shape}, the frames {burst.frames.shape[1:]}; they agree, or the "
            "picture is smaller by as much on each side"
        )
    if not np.isfinite(image).all():
        raise ValueError(f"{name}: the picture holds values that are not finite (NaN or infinity)")
    if field is None:
        return
    if (field.height, field.width) != image.shape[-2:] or len(field.factors) != 1:
        raise ValueError(
            f"{name}: the kernels are those of {len(field.factors)} pictures of {field.height}x{field.width} pixels, "
            f"the picture has {image.shape[-2]}x{image.shape[-1]}"
        )
    needed = 2 * field.reach if field.padding == "valid" else 0
    if less[0] != needed:
        raise ValueError(
            f"{name}: the picture is {less[0]} pixels smaller than the frames; with padding {field.padding!r} and "
            f"kernels of {max(field.sizes)} it is {needed}"
        )
    if field.frames > len(burst):
        raise ValueError(
            f"{name}: the kernels are those of N = {field.frames} frames, the burst has {len(burst)}"
        )
    if field.channels not in (None, burst.channels):
        raise ValueError(
            f"{name}: there are kernels of C = {field.channels} channels, the burst has {burst.channels or '1 (gray)'}"
        )


def _series(estimates: Sequence[Estimate | Series | str]) -> dict[str, Any] | None:
    """The name and numbers of the scrubber; ValueError if there are several."""
    found = sorted({(one.name, one.numbers) for one in estimates if isinstance(one, Series)})
    if len(found) > 1:
        names = ", ".join(f"{visible(name)} {numbers}" for name, numbers in found)
        raise ValueError(f"there are series over {names}; one scrubber has one name and the same numbers")
    return {"name": found[0][0], "numbers": list(found[0][1])} if found else None


def _matching(burst: Burst, estimates: Sequence[Estimate | Series | str]) -> dict[str, Any] | None:
    """What networks that are shown what matching says match; None where there is none of them, or no noise is known."""
    if burst.noise is None or not any(_network(one) in MATCHED for one in estimates):
        return None
    weights = [1.0] if burst.channels is None else list(GUIDE_WEIGHTS)
    return {"weights": weights, "noise": dataclasses.asdict(guide(burst).gray_noise("matching"))}


def _expected_bytes(one: Estimate | Series | str, lossy: bool) -> int:
    """About what an estimate takes in a payload."""
    if isinstance(one, str):
        return 0
    if isinstance(one, Series):
        return sum(_expected_bytes(estimate, lossy) for estimate in one.values())
    field = one.kernels
    if field is None:
        return 4 * one.image.size
    basis = 0 if field.basis is None else 4 * field.basis.numel()
    return 4 * one.image.size + basis + field.factors.numel() * (1 if lossy and in_8_bits(field) else 2)


def _smaller(estimates: Sequence[Estimate | Series | str]) -> str:
    """How else one goes on: dense kernels in 8 bits."""
    fields = [
        estimate.kernels
        for one in estimates
        for estimate in (
            [one] if isinstance(one, Estimate) else one.values() if isinstance(one, Series) else []
        )
        if estimate.kernels is not None
    ]
    return ", or say lossy=True, which halves dense kernels" if any(map(in_8_bits, fields)) else ""


def payload_bytes(
    shape: tuple[int, ...], networks: Sequence[ModelConfig], objects: bool, sizes: bool = False
) -> int:
    """About how many bytes `pack` writes of a synthetic burst and these networks: known before one of them has run.

    shape  of the frames, [N, H, W] or [N, C, H, W]
    objects  whether something moves in the burst;  sizes  with the map of the best size, and without clean frames
    """
    frames, height, width = shape[0], *shape[-2:]
    channels = shape[1] if len(shape) == 4 else 1
    pixels, grid = height * width, ((height + 1) // 2) * ((width + 1) // 2)
    pictures = frames + 2 + len(networks) + 1  # the reference once more, the mean, the truth
    factors = sum(
        factor_channels(network.sizes, network.separable) * (frames if network.matching else network.frames)
        for network in networks
        if not network.direct
    )
    others = 4 * len(networks) + 1 if sizes else 2 * frames * channels
    return 4 * pixels * pictures * channels + 2 * grid * factors + pixels * (others + objects)


def check_size(size: int, max_bytes: int = MAX_BYTES, otherwise: str = "") -> None:
    """ValueError for a payload of so many bytes, if it is too large to be sent; `otherwise` is what else one may do."""
    if size > max_bytes:
        raise ValueError(
            f"these pictures and kernels are {math.ceil(size / 2**20)} MB, more than the {max_bytes / 2**20:.0f} MB "
            f"that are sent to the browser; choose a smaller crop or fewer methods or frames{otherwise}"
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


def _write(header: dict[str, Any], arrays: list[np.ndarray], max_bytes: int) -> bytes:
    check_size(sum(array.nbytes + _padding(array.nbytes) for array in arrays), max_bytes)
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
