"""A synthetic burst as files that any program reads: 16-bit frames in linear light, and burst.json."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kpnviz.burst import Burst
from kpnviz.capture.reader import FORMAT, METADATA
from kpnviz.pictures import write_png16

_TOP = 65535


def write_burst(folder: Path, bursts: Sequence[Burst]) -> dict:
    """Write one burst (gray) or three (R, G, B) to a folder: frame_00.png ..., truth.png, burst.json.

    x = (code - black_code) / (white_code - black_code); both are chosen so that no value is clipped.
    A frame of an older burst that this one does not overwrite is removed. Returns what burst.json holds.
    """
    first, folder = bursts[0], Path(folder)
    values = [burst.frames for burst in bursts]
    low = min(0.0, *(float(frames.min()) for frames in values))
    high = max(1.0, *(float(frames.max()) for frames in values))
    span = int(_TOP / (high - low)) - 1
    black = int(np.ceil(-low * span))

    def png(planes: list[np.ndarray]) -> bytes:
        codes = np.stack([np.rint(plane.astype(np.float64) * span + black) for plane in planes], axis=-1)
        codes = np.clip(codes, 0, _TOP).astype(np.uint16)
        return write_png16(codes[..., 0] if len(planes) == 1 else codes)

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("frame_[0-9][0-9].png"):
        old.unlink()
    names = [f"frame_{i:02d}.png" for i in range(len(first))]
    for i, name in enumerate(names):
        (folder / name).write_bytes(png([burst.frames[i] for burst in bursts]))
    metadata = {
        "format": FORMAT,
        "frames": names,
        "black_code": black,
        "white_code": black + span,
        "white_level": first.white_level,
        "noise": [dataclasses.asdict(burst.noise) for burst in bursts],
        "shifts": None if first.shifts is None else np.asarray(first.shifts).tolist(),
        "truth": None,
        "recipe": None if first.recipe is None else dataclasses.asdict(first.recipe),
    }
    truths = [burst.truth for burst in bursts if burst.truth is not None]
    if len(truths) == len(bursts):
        metadata["truth"] = "truth.png"
        (folder / "truth.png").write_bytes(png(truths))
    (folder / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    return metadata
