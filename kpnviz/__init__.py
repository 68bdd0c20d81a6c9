"""kpnviz: see inside kernel prediction networks for burst denoising.

>>> import kpnviz
>>> burst = kpnviz.synthesize(kpnviz.BurstRecipe("dog", crop=(60, 60, 64, 64)))
>>> burst.frames.shape
(8, 64, 64)

docs/ARCHITECTURE.md says what each public name is. The operator is `kpnviz.local_conv.local_conv`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from kpnviz.burst import Burst, BurstRecipe, Misalignment, MovingObject, synthesize
from kpnviz.denoise import Denoiser, Estimate, load
from kpnviz.kernels import KernelField
from kpnviz.models.checkpoints import available
from kpnviz.noise import GAINS, NoiseModel

if TYPE_CHECKING:
    from kpnviz.analysis.metrics import psnr, ssim
    from kpnviz.capture.prepare import read_burst

__version__ = "0.1.0"

__all__ = [
    "GAINS",
    "Burst",
    "BurstRecipe",
    "Denoiser",
    "Estimate",
    "KernelField",
    "Misalignment",
    "MovingObject",
    "NoiseModel",
    "available",
    "load",
    "psnr",
    "read_burst",
    "ssim",
    "synthesize",
]

# Imported when they are first used: they need SciPy and scikit-image, whose import takes a second.
_LATE = {
    "psnr": "kpnviz.analysis.metrics",
    "read_burst": "kpnviz.capture.prepare",
    "ssim": "kpnviz.analysis.metrics",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module 'kpnviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
