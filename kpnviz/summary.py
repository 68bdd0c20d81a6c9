"""How objects look in a notebook: a small picture and some numbers, in HTML, never the data themselves."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import numpy as np

from kpnviz.color import displayed

MAX_SIDE = 160
"""Pixels of the small picture's longer side: every n-th row and column is taken of a larger one."""


def summary(rows: Sequence[tuple[str, str]], image: np.ndarray, white_level: float) -> str:
    """(name, text) in rows beside a picture, linear intensity [H, W] or [C, H, W]."""
    lines = "".join(
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(text)}</td></tr>'
        for name, text in rows
    )
    picture = thumbnail(image, white_level)
    shown = f'<img src="{picture}" alt="" style="image-rendering: pixelated">' if picture else ""
    return f'<div style="display: flex; gap: 1em; align-items: center">{shown}<table>{lines}</table></div>'


def thumbnail(image: np.ndarray, white_level: float) -> str:
    """A picture, made small, as the address of a PNG; empty where Pillow is not installed."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        return ""
    step = -(-max(image.shape[-2:]) // MAX_SIDE)
    shown = np.nan_to_num(displayed(image[..., ::step, ::step], white_level))  # what is not a number is black
    codes = np.round(255 * shown).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(codes if codes.ndim == 2 else np.moveaxis(codes, 0, -1)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
