"""Titles, introductions and captions of pages that the app and the site both have.

Markdown of *emphasis*, **strong** and `code`; {names} are filled in by who shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Page:
    """A page's question, what is said below it, its other texts by name, and the words that it explains in a line."""

    title: str
    introduction: str
    texts: Mapping[str, str]
    words: tuple[str, ...] = ()


EXPLORE = Page(
    "What does the network do at this pixel?",
    "Each network filters every frame with a **kernel** of its own at every pixel, and takes the mean. **Move over the "
    "picture** or tap it to see the kernels.",
    {
        "number": "**{text}**, measured on the test set. {says}. This burst is one that shows it.",
    },
)

NOISE = Page(
    "What if the assumed noise is wrong?",
    "A kernel prediction network takes an **assumed noise**: how noisy the frames are said to be. **Move the slider** "
    "under the pictures: the same burst, denoised as if its noise had 0.25 to 4 times its true standard deviation. "
    "Below, what that does over the whole picture.",
    {
        "curves": "How the kernels and the picture answer",
        "spread": "Spread of frame 0's kernels",
        "share": "Share of frame 0",
        "psnr": "Picture",
        "caption": "Medians over the picture, at every second pixel. At ×1 the assumed noise is the true one. "
        "{protocol}.",
        "flat": "The lines of networks that take no assumed noise are flat: {names}.",
        "no_flat": "{name}, which takes no assumed noise, is not among the networks here.",
        "matrix": "True noise against assumed noise",
        "cells": "Each cell is the PSNR, in dB, of one burst of the {height}×{width} pixels around the pinned pixel, "
        "or while none is, around one at a strong edge: made at the gain below, denoised with the assumed noise of the "
        "gain at the left. The frame marks the best of each column. On the diagonal the assumed noise is the true one.",
        "best": "No other assumed noise is better here than the true one.",
        "better": "At most **{loss} dB** would be gained here by assuming another noise than the true one.",
        "without": "Choose a method that predicts kernels.",
    },
    ("spread", "share", "PSNR", "blind"),
)

SIZES = Page(
    "How large should a kernel be?",
    "One burst, denoised with MKPN, which fuses six kernel sizes, and with kernels of every size alone. **Move over a "
    "picture** or tap it to see each kernel for that pixel; click a kernel to see its picture.",
    {
        "curves": "Which pixels want which size? Each against {base}",
        "share": "**{class}**: {share} of the pixels",
        "none": "There are none in this crop.",
        "y": "PSNR minus that of {base}, dB",
        "caption": "At 0 stands {base}: {levels}. Above 0 a size is better than it, on this one burst; *Results* has "
        "the mean of 72. ▼ marks what lies more than {far} dB off. {rule} {protocol}.",
    },
    ("MKPN", "KPN", "L5", "PSNR", "reach", "share"),
)

RESULTS = Page(
    "Do the networks keep what the papers say?",
    "Every trained network and the usual other ways to denoise, on one fixed test set of photos, none of them trained "
    "on: first the answers, then all the numbers.",
    {
        "all": "All the numbers",
        "protocol": "{test_set}. {protocol}, of gray bursts: the photos' luminance.",
        "compared": "Every method against one",
        "paper": "Here and in the paper",
        "other": "A wrong assumed noise, other numbers of frames",
        "no_other": "This file has no results with a wrong assumed noise or other numbers of frames.",
        "tables": "Tables",
        "costs": "What it costs",
        "machine": "Measured with: {machine}.",
    },
    (
        *("MKPN", "KPN", "5×5", "L25", "stacked", "robust", "blind", "direct", "1frame", "no-anneal"),
        *("PSNR", "SSIM", "alignment", "reach", "share"),
    ),
)

BLIND = "kpn-blind"
"""The network that takes no assumed noise: on Noise beside those that are chosen."""

FAR = 1.5
"""dB: kernel sizes that lie further off MKPN are written at the end of the axis."""

ALL = {"explore": EXPLORE, "noise": NOISE, "sizes": SIZES, "results": RESULTS}
"""By the names of their pages."""
