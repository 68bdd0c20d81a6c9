"""kpnviz: see inside kernel prediction networks for burst denoising.

>>> import kpnviz
>>> burst = kpnviz.synthesize(kpnviz.BurstRecipe("dog", crop=(60, 60, 64, 64)))
>>> burst.frames.shape
(8, 64, 64)
"""

from kpnviz.burst import Burst, BurstRecipe, Misalignment, MovingObject, synthesize
from kpnviz.denoise import Denoiser, Estimate, load
from kpnviz.kernels import KernelField
from kpnviz.local_conv import local_conv
from kpnviz.noise import GAINS, NoiseModel

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
    "load",
    "local_conv",
    "synthesize",
]
