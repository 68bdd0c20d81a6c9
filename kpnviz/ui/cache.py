"""What the pages show, computed once: caches keyed on recipes and names, bounded, shared by all sessions.

What they return is shared between sessions too: nobody writes into it.
"""

from __future__ import annotations

import threading

import numpy as np
import streamlit as st
from skimage.filters import gaussian, sobel

from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.denoise import Denoiser, Estimate, load
from kpnviz.models.zoo import ZOO
from kpnviz.ui.kernel_lens import Pixel, pack

# One burst is denoised at a time: a network takes all cores by itself, and numba's threads are not to
# be started from two sessions at once.
one_at_a_time = threading.Lock()


@st.cache_resource(max_entries=16, show_spinner=False)
def burst_of(recipe: BurstRecipe) -> Burst:
    return synthesize(recipe)


@st.cache_resource(max_entries=len(ZOO), show_spinner=False)
def denoiser(method: str) -> Denoiser:
    return load(method)


def denoise(method: str, burst: Burst, noise_scale: float = 1.0, keep_kernels: bool = True) -> Estimate:
    """Run a method, when it is this session's turn."""
    network = denoiser(method)
    with one_at_a_time:
        return network(burst, noise_scale, keep_kernels)


@st.cache_resource(max_entries=12, show_spinner=False)
def estimate(recipe: BurstRecipe, method: str) -> Estimate:
    return denoise(method, burst_of(recipe))


@st.cache_resource(max_entries=6, show_spinner=False)
def lens_payload(recipe: BurstRecipe, methods: tuple[str, ...]) -> bytes:
    """What the kernel lens shows of a recipe."""
    burst = burst_of(recipe)
    return pack(burst, [estimate(recipe, method) for method in methods], interesting_pixel(burst))


def interesting_pixel(burst: Burst) -> Pixel:
    """A pixel worth a first look, (y, x): on the strongest edge, away from the border."""
    image = burst.mean if burst.truth is None else burst.truth
    edges = sobel(gaussian(np.sqrt(np.maximum(image, 0)), sigma=1.5))
    margin = min(20, (min(edges.shape) - 1) // 2)
    inner = edges[margin : edges.shape[0] - margin, margin : edges.shape[1] - margin]
    y, x = np.unravel_index(int(inner.argmax()), inner.shape)
    return int(y) + margin, int(x) + margin
