"""Constants of the Python code for the engine in C and the scripts in JavaScript: each number stands in one place.

``python -m kpnviz.site`` writes them; a test compares what is in the repository with what this module says.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from kpnviz import limits
from kpnviz.analysis import best_size, maps
from kpnviz.burst import Stream
from kpnviz.capture import metadata
from kpnviz.capture.kernel_decoding import KERNEL_FORMAT
from kpnviz.color import LUMINANCE_WEIGHTS
from kpnviz.denoise import GUIDE_NOISE_SCALE, GUIDE_WEIGHTS
from kpnviz.matching import CAP
from kpnviz.models import kpn, matched
from kpnviz.models.kpn import ModelConfig
from kpnviz.noise import _LEAST_STD, _STD_WITHOUT_NOISE, GAINS

FOLDER = Path(__file__).parent
FILES = {"engine/constants.h", "scripts/constants.js"}

_HEADER = "Written by `python -m kpnviz.site` from the constants of the Python code; do not edit."


def text(file: str) -> str:
    """What one of FILES holds."""
    return _header() if file.endswith(".h") else _script()


def _header() -> str:
    """Of kpnviz/matching and kpnviz/models/matched.py, for C."""
    values = {
        "CAP": CAP,
        "BASE": matched._BASE,
        "PLAIN_SHARPNESS": matched._PLAIN_SHARPNESS,
        "PLAIN_SHARPNESS_1D": matched._PLAIN_SHARPNESS_1D,
        "DIFFERENCE_SCALE": matched._DIFFERENCE_SCALE,
        "WIDE_SCALE": matched._WIDE_SCALE,
        **{f"INPUT_GAIN_{k}": gain for k, gain in enumerate(matched._INPUT_GAINS)},
        "NOISE_LEFT_GAIN": matched._NOISE_LEFT_GAIN,
        "BRIGHTNESS_OFFSET": matched._BRIGHTNESS_OFFSET,
        "LOGITS": matched._LOGITS,
        "COST_WEIGHT": matched._COST_WEIGHT,
        "FOUND_WEIGHT": matched._FOUND_WEIGHT,
    }
    lines = [
        f"#define {name} {value!r}{'' if isinstance(value, int) else 'f'}" for name, value in values.items()
    ]
    return f"// {_HEADER}\n" + "\n".join(lines) + "\n"


def _script() -> str:
    """Of bursts, noise and networks, for JavaScript. Numbers are written with all their digits."""
    defaults = ModelConfig().to_dict()
    values: dict[str, tuple[str, Any]] = {
        "STREAMS": (
            "What random numbers are drawn for: kpnviz.burst.Stream",
            {stream.name: stream.value for stream in Stream},
        ),
        "GAINS": (
            "[gain, log10 read_std, log10 shot_gain]: kpnviz.noise.GAINS",
            [[g, math.log10(n.read_std), math.log10(n.shot_gain)] for g, n in sorted(GAINS.items())],
        ),
        "LEAST_STD": ("Of read_std in stabilized frames: kpnviz.noise", _LEAST_STD),
        "STD_WITHOUT_NOISE": ("Of frames without any noise", _STD_WITHOUT_NOISE),
        "BLIND_NOISE": ("read_std and shot_gain that a blind network assumes", list(matched.BLIND_NOISE)),
        "LUMINANCE_WEIGHTS": ("Of linear R, G and B", list(LUMINANCE_WEIGHTS)),
        "FROM_XYZ": (
            "From XYZ at D50, in which color profiles are, to linear R, G and B of sRGB",
            np.linalg.inv(metadata._SRGB).tolist(),
        ),
        "GUIDE_WEIGHTS": ("Of the channel that a network is shown of a burst in color", list(GUIDE_WEIGHTS)),
        "GUIDE_NOISE_SCALE": ("Its assumed noise as a multiple of its own", GUIDE_NOISE_SCALE),
        "ENCODED": ("Channels of a frame's encoded costs", matched.ENCODED),
        "MIXED": ("Channels that a frame's factors are predicted from", matched.MIXED),
        "INPUTS": ("Of the trunk of networks that match, a pixel", matched._INPUTS),
        "MOST_FEATURE": ("Within which its features are held", matched.MOST_FEATURE),
        "LARGEST": ("Side of the largest kernel that a network may predict", kpn.LARGEST),
        "LIMITS": (
            "Of kernels of other networks: kpnviz.limits",
            {
                "kernel": limits.MAX_KERNEL,
                "frames": limits.MAX_KERNEL_FRAMES,
                "methods": limits.MAX_KERNEL_METHODS,
                "intensity": limits.MAX_INTENSITY,
                "format": KERNEL_FORMAT,
            },
        ),
        "BEST_SIZE": (
            "Which kernel size errs least where: kpnviz.analysis.best_size",
            {
                "window_sigma": best_size.WINDOW_SIGMA,
                "tie": best_size.TIE,
                "no_error": best_size._NO_ERROR,
                "titles": list(best_size.SIZE_CLASSES),
            },
        ),
        "PIXEL_CLASSES": (
            "Flat, edge and textured pixels: kpnviz.analysis.maps",
            {
                "names": list(maps.PIXEL_CLASSES),
                "flat_gradient": maps.FLAT_GRADIENT,
                "coherence": maps.COHERENCE,
            },
        ),
        "CONFIG": ("What a network's config holds, and its defaults", defaults),
    }
    parts = [
        f"/** {comment} */\nexport const {name} = {json.dumps(value)};\n"
        for name, (comment, value) in values.items()
    ]
    return f"// {_HEADER}\n\n" + "\n".join(parts)


def written() -> list[Path]:
    """Write FILES; those that changed."""
    changed = []
    for file in sorted(FILES):
        path = FOLDER / file
        if not path.is_file() or path.read_text(encoding="utf-8") != text(file):
            path.write_text(text(file), encoding="utf-8")
            changed.append(path)
    return changed
