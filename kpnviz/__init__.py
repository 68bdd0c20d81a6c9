"""kpnviz: see inside kernel prediction networks for burst denoising.

>>> import kpnviz
>>> burst = kpnviz.synthesize(kpnviz.BurstRecipe("dog", crop=(60, 60, 64, 64)))
>>> burst.frames.shape
(8, 64, 64)

docs/ARCHITECTURE.md says what each public name is. The operator is `kpnviz.local_conv.local_conv`.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

# Threads of torch that have done their part spin for milliseconds in wait of the next, on the cores that our compiled
# loops want: with two cores a network took a third longer. Read once, when torch is imported (GNU's OpenMP).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from kpnviz.analysis.metrics import psnr, ssim
    from kpnviz.burst import Burst, BurstRecipe, Misalignment, MovingObject, synthesize
    from kpnviz.camera_motion import CameraMotion
    from kpnviz.capture.from_files import read_burst
    from kpnviz.capture.kernel_file import load_kernels, save_kernels
    from kpnviz.denoise import Denoiser, load
    from kpnviz.estimate import Estimate, Series
    from kpnviz.kernels import KernelField
    from kpnviz.lens.view import show
    from kpnviz.models.checkpoints import available
    from kpnviz.noise import GAINS, NoiseModel

__version__ = "0.1.0"

__all__ = [
    "GAINS",
    "Burst",
    "BurstRecipe",
    "CameraMotion",
    "Denoiser",
    "Estimate",
    "KernelField",
    "Misalignment",
    "MovingObject",
    "NoiseModel",
    "Series",
    "available",
    "load",
    "load_kernels",
    "psnr",
    "read_burst",
    "save_kernels",
    "show",
    "ssim",
    "synthesize",
]

# Imported when they are first used: torch takes seconds, and the process that reads files does without.
_FOLDERS = {
    "analysis.metrics": ("psnr", "ssim"),
    "burst": ("Burst", "BurstRecipe", "Misalignment", "MovingObject", "synthesize"),
    "camera_motion": ("CameraMotion",),
    "capture.kernel_file": ("load_kernels", "save_kernels"),
    "capture.from_files": ("read_burst",),
    "denoise": ("Denoiser", "load"),
    "estimate": ("Estimate", "Series"),
    "kernels": ("KernelField",),
    "lens.view": ("show",),
    "models.checkpoints": ("available",),
    "noise": ("GAINS", "NoiseModel"),
}
_LATE = {name: f"kpnviz.{folder}" for folder, names in _FOLDERS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    if name == "local_conv":
        return importlib.import_module("kpnviz.local_conv")
    raise AttributeError(f"module 'kpnviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
