"""What one takes away from a comparison: NPZ, CSV, and a report in HTML. (The page with the live lens: kpnviz/lens.)"""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from kpnviz.analysis.tables import pixel_statistics, protocol, scores
from kpnviz.burst import Burst
from kpnviz.capture.kernel_file import save_kernels
from kpnviz.capture.writer import burst_arrays
from kpnviz.color import displayed
from kpnviz.denoise import Estimate
from kpnviz.lens.document import document, origin, table
from kpnviz.lens.payload import Pixel

# ColorBrewer RdBu, as in the lens: blue below zero, red above.
_DIVERGING = np.array(
    [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]], dtype=np.float64
)


def npz(burst: Burst, estimates: Sequence[Estimate]) -> bytes:
    """Burst, pictures and kernels as an NPZ file, which `load_kernels` and the page *Your kernels* open.

    Its keys are those of `capture/kernel_file.py`; without kernels, those of a burst (`capture.writer.burst_arrays`).
    Methods without kernels have no place in it: their picture is the PNG.
    """
    file = io.BytesIO()
    with_kernels = [estimate for estimate in estimates if estimate.kernels is not None]
    if with_kernels:
        save_kernels(file, burst, with_kernels)
    else:
        np.savez_compressed(file, **burst_arrays(burst))
    return file.getvalue()


def table_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of equal keys as CSV with a header line."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def report(burst: Burst, estimates: Sequence[Estimate], pixel: Pixel | None, link: str) -> str:
    """The comparison as one HTML file that needs nothing else: pictures, scores, kernels at `pixel`, recipe, link."""
    pictures = [("Frame 0", burst.reference), ("Plain mean", burst.mean)]
    pictures += [(estimate.title, estimate.image) for estimate in estimates]
    if burst.truth is not None:
        pictures.append(("Truth", burst.truth))
    figures = "".join(
        f'<figure><img alt="{html.escape(title)}" src="{_picture(image, burst.white_level)}">'
        f"<figcaption>{html.escape(title)}</figcaption></figure>"
        for title, image in pictures
    )
    title = f"kpnviz: {' against '.join(e.title for e in estimates) or 'a burst'}"
    columns = {"psnr_db": "PSNR, dB", "ssim": "SSIM"}
    rows = [{name: row[name] for name in ("picture", *columns)} for row in scores(burst, estimates)]
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<div class="pictures">{figures}</div>',
        "<h2>Scores</h2>",
        table(rows, columns),
        f"<p>{protocol(burst)}. The networks were told the true noise. One burst: a comparison of networks needs many."
        "</p>",
    ]
    if pixel is not None:
        parts += _kernels(burst, estimates, pixel)
    parts += [
        "<h2>How to see it again</h2>",
        f'<p><a href="{html.escape(link)}">{html.escape(link)}</a></p>',
        origin(burst, estimates),
    ]
    return document(title, "".join(parts))


def _kernels(burst: Burst, estimates: Sequence[Estimate], pixel: Pixel) -> list[str]:
    kernels = {e.title: e.kernels.at(*pixel) for e in estimates if e.kernels is not None}
    if not kernels:
        return []
    largest = max(float(np.abs(k).max()) for k in kernels.values()) or 1.0
    side = max(k.shape[-1] for k in kernels.values())
    head = "".join(f"<th>frame {i}</th>" for i in range(len(burst)))
    rows = ""
    for name, of_frames in kernels.items():
        margin = (side - of_frames.shape[-1]) // 2
        cells = "".join(
            f'<td><img class="kernel" alt="kernel of frame {i}" src="{_diverging(np.pad(k, margin), largest)}"></td>'
            for i, k in enumerate(of_frames)
        )
        rows += f"<tr><th>{html.escape(name)}</th>{cells}</tr>"
    statistics = pixel_statistics(burst, estimates, *pixel)
    titles = {
        "centroid_dy": "centroid dy, px",
        "centroid_dx": "centroid dx, px",
        "true_dy": "true dy, px",
        "true_dx": "true dx, px",
        "within_reach": "within reach",
        "spread": "spread, px",
        "entropy": "entropy, bits",
    }
    return [
        f"<h2>Kernels of the pixel y {pixel[0]}, x {pixel[1]}</h2>",
        f'<div class="wide"><table class="kernels"><tr><th></th>{head}</tr>{rows}</table></div>',
        f"<p>Boxes of {side}×{side} pixels; colors by the signed square root of the weight, from "
        f"{-largest:.3f} (blue) over 0 (white) to {largest:.3f} (red).</p>",
        f'<div class="wide">{table(statistics, titles)}</div>',
    ]


def _picture(image: np.ndarray, white_level: float) -> str:
    codes = np.round(255 * displayed(image, white_level)).astype(np.uint8)
    return _png(codes if codes.ndim == 2 else np.moveaxis(codes, 0, -1))


def _diverging(weights: np.ndarray, largest: float) -> str:
    position = np.sign(weights) * np.sqrt(np.minimum(np.abs(weights) / largest, 1))  # -1..1
    steps = np.linspace(-1, 1, len(_DIVERGING))
    colors = np.stack([np.interp(position, steps, channel) for channel in _DIVERGING.T], axis=-1)
    return _png(np.round(colors).astype(np.uint8))


def _png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
