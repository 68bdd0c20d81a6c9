"""The lens where there is NumPy and PyTorch alone."""

import subprocess
import sys

WITHOUT_OTHERS = """
import sys

LEFT_OUT = ("streamlit", "plotly", "skimage", "scipy", "PIL", "safetensors", "numba", "tifffile", "pywt", "cachetools")
# None is what Python itself puts here to say that there is no such module.
sys.modules.update(dict.fromkeys(LEFT_OUT))
import numpy as np
import torch
from kpnviz.burst import Burst
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.lens import interactive_page, pack, pack_assumed
from kpnviz.noise import NoiseModel

frames = np.random.default_rng(0).random((2, 32, 30), dtype=np.float32)
burst = Burst(frames, NoiseModel(0.1, 0.01), truth=frames[0])
field = KernelField(torch.rand(1, 2, factor_channels((3,), True), 16, 15), (3,), True, 32, 30)
estimate = Estimate(burst.mean, field, "mine", 0.1)
assumed = {"mine": pack_assumed(burst, (0.5, 2), [estimate] * 2)}
text = interactive_page(burst, [estimate], pack(burst, [estimate]), "x", assumed=assumed)
assert "<!doctype html>" in text and len(text) > 100_000
print("written")
"""


def test_a_page_is_written():
    found = subprocess.run([sys.executable, "-c", WITHOUT_OTHERS], capture_output=True, text=True)
    assert found.stdout.strip() == "written", found.stderr[-2000:]
