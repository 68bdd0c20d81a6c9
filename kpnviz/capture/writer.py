"""A synthetic burst as files that any program reads: 16-bit frames in linear light, and burst.json."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kpnviz.burst import Burst
from kpnviz.capture.reader import FORMAT, METADATA
from kpnviz.limits import MAX_JSON_BYTES
from kpnviz.paths import locked, unfinished
from kpnviz.pictures import write_png16
from kpnviz.text import escaped

_TOP = 65535
_OWN = re.compile(r"frame_[0-9]{2,4}\.png|truth\.png")


def check_folder(folder: Path) -> None:
    """ValueError for a folder that holds something, but nothing that was written here: its burst.json is the mark."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{escaped(folder)} is a file; a burst is written to a folder")
    if folder.is_dir() and any(folder.iterdir()) and _written(folder) is None:
        raise ValueError(
            f"{escaped(folder)} holds files that kpnviz did not write; name a new folder, or use --force"
        )


def _written(folder: Path) -> list[str] | None:
    """The files of a burst that was written to a folder; None if none was."""
    try:
        with open(folder / METADATA, "rb") as file:
            values = json.loads(file.read(MAX_JSON_BYTES))
        if values["format"] != FORMAT:
            return None
        names = [*values["frames"], *([values["truth"]] if values["truth"] else [])]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None
    return [name for name in names if isinstance(name, str) and _OWN.fullmatch(name)]


def write_burst(folder: Path, bursts: Sequence[Burst]) -> dict:
    """Write one burst (gray) or three (R, G, B) to a folder: frame_00.png ..., truth.png, burst.json.

    x = (code - black_code) / (white_code - black_code); both are chosen so that no value is clipped.
    A frame of an older burst that was written here, and that this one does not overwrite, is removed; no other file is.
    All is written beside the folder first, so that an interrupted command leaves the older burst. Returns what
    burst.json holds.
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

    names = [f"frame_{i:02d}.png" for i in range(len(first))]
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
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(folder.parent) as new:
        new.mkdir(mode=0o700)
        for i, name in enumerate(names):
            (new / name).write_bytes(png([burst.frames[i] for burst in bursts]))
        if metadata["truth"]:
            (new / "truth.png").write_bytes(png(truths))
        (new / METADATA).write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
        folder.mkdir(exist_ok=True)
        with locked(folder / METADATA):  # the frames of two bursts, written at once, are not mixed
            for old in _written(folder) or ():
                (folder / old).unlink(missing_ok=True)
            for name in sorted(file.name for file in new.iterdir() if file.name != METADATA):
                os.replace(new / name, folder / name)
            os.replace(new / METADATA, folder / METADATA)
    return metadata
