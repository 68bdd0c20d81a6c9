"""What one takes away from a comparison: NPZ, CSV, and a report or a page with the live lens, each one HTML file."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

import kpnviz
from kpnviz.analysis.metrics import PROTOCOL, has_ssim, psnr, ssim
from kpnviz.burst import Burst, BurstRecipe, MovingObject
from kpnviz.capture.writer import burst_arrays
from kpnviz.color import displayed
from kpnviz.denoise import Estimate
from kpnviz.models.checkpoints import CheckpointError, read_card
from kpnviz.models.zoo import title_of
from kpnviz.photos import gallery
from kpnviz.ui.kernel_lens import DISPLAY, SCRIPTS, Pixel, source, with_header
from kpnviz.ui.numbers import pixel_statistics

# ColorBrewer RdBu, as in the lens: blue below zero, red above.
_DIVERGING = np.array(
    [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]], dtype=np.float64
)


def npz(burst: Burst, estimates: Sequence[Estimate], pixel: Pixel | None = None) -> bytes:
    """Burst, pictures and kernels as an NPZ file.

    What `capture.writer.burst_arrays` gives of the burst. Of each method: `mkpn.image` [H, W], `mkpn.factors`
    [N, F, h, w] at half resolution (what a KernelField is made of, with `mkpn.sizes` and `mkpn.separable`), and
    `mkpn.kernels` [N, K, K], those at `pixel`.
    """
    arrays = burst_arrays(burst) | {"kpnviz": kpnviz.__version__}
    if pixel is not None:
        arrays["pixel"] = np.array(pixel)
    for estimate in estimates:
        arrays[f"{estimate.model}.image"] = estimate.image
        field = estimate.kernels
        if field is None:
            continue
        arrays[f"{estimate.model}.factors"] = field.factors[0].float().cpu().numpy()
        arrays[f"{estimate.model}.sizes"] = np.array(field.sizes)
        arrays[f"{estimate.model}.separable"] = field.separable
        if pixel is not None:
            arrays[f"{estimate.model}.kernels"] = field.at(*pixel)
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def table_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of equal keys as CSV with a header line."""
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def scores(burst: Burst, estimates: Sequence[Estimate]) -> list[dict[str, Any]]:
    """One row per picture: PSNR and SSIM (None without a truth) and the seconds that it took."""
    pictures: list[tuple[str, np.ndarray, float | None]]
    pictures = [("noisy reference", burst.reference, None), ("mean of the frames", burst.mean, None)]
    pictures += [(title_of(e.model), e.image, e.seconds) for e in estimates]
    truth, white = burst.truth, burst.white_level
    return [
        {
            "picture": title,
            "psnr_db": None if truth is None else psnr(image, truth, white),
            "ssim": ssim(image, truth, white) if truth is not None and has_ssim(truth.shape) else None,
            "seconds": seconds,
        }
        for title, image, seconds in pictures
    ]


def report(burst: Burst, estimates: Sequence[Estimate], pixel: Pixel | None, link: str) -> str:
    """The comparison as one HTML file that needs nothing else: pictures, scores, kernels at `pixel`, recipe, link."""
    pictures = [("Noisy reference", burst.reference), ("Mean of the frames", burst.mean)]
    pictures += [(title_of(estimate.model), estimate.image) for estimate in estimates]
    if burst.truth is not None:
        pictures.append(("Truth", burst.truth))
    figures = "".join(
        f'<figure><img alt="{html.escape(title)}" src="{_picture(image, burst.white_level)}">'
        f"<figcaption>{html.escape(title)}</figcaption></figure>"
        for title, image in pictures
    )
    title = f"kpnviz: {' against '.join(title_of(e.model) for e in estimates) or 'a burst'}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f'<div class="pictures">{figures}</div>',
        "<h2>Scores</h2>",
        _table(scores(burst, estimates), {"psnr_db": "PSNR, dB", "ssim": "SSIM", "seconds": "time, s"}),
        f"<p>{PROTOCOL}. The networks were told the true noise. One burst: a comparison of networks needs many.</p>",
    ]
    if pixel is not None:
        parts += _kernels(burst, estimates, pixel)
    parts += [
        "<h2>How to see it again</h2>",
        f'<p><a href="{html.escape(link)}">{html.escape(link)}</a></p>',
        _recipe(burst, estimates),
    ]
    return _document(title, _STYLE, "".join(parts))


PAGE_BYTES = 11 * 2**20
"""An interactive page holds other assumed noise where the payloads together are no larger: 15 MB of HTML."""


def interactive_page(
    burst: Burst,
    estimates: Sequence[Estimate],
    payload: bytes,
    link: str,
    *,
    gain: float | None = None,
    pixel: Pixel | None = None,
    display: Mapping[str, Any] | None = None,
    assumed: Mapping[str, bytes] | None = None,
) -> str:
    """The kernel lens as one HTML file that needs nothing else: no server, no network.

    payload   of the burst and its estimates (kernel_lens.pack); it lies in the page as base64 of gzip
    gain      of the sensor, for the heading
    pixel     (y, x), pinned when the page is opened
    display   how the lens shows the burst, where not as in kernel_lens.DISPLAY
    assumed   method -> kernel_lens.pack_assumed; without it the page has no slider of the assumed noise

    The page may run the script that is in it and no other, and may fetch nothing: its policy says so to the browser.
    """
    methods = ", ".join(title_of(estimate.model) for estimate in estimates)
    recipe = burst.recipe
    photo = "A burst" if recipe is None else f"Photo “{recipe.photo}”"
    title = photo + ("" if gain is None else f", gain ×{gain:g}")
    facts = [f"{len(burst)} frames of {burst.height}×{burst.width} pixels"]
    if recipe is not None:
        facts += [] if recipe.crop is None else ["crop at y {}, x {}".format(*recipe.crop)]
        facts.append(f"seed {recipe.seed}")
    if methods:
        facts.append(f"denoised by {methods}")
    shown = DISPLAY | dict(display or {}) | ({} if assumed else {"assumed": DISPLAY["assumed"]})
    order = {"number": 1, "pinned": pixel, "display": shown}
    script = source(*SCRIPTS, "page.js")
    columns = {"psnr_db": "PSNR, dB", "ssim": "SSIM"}
    table = [{name: row[name] for name in ("picture", *columns)} for row in scores(burst, estimates)]
    parts = [
        f"<header><h1>{html.escape(title)}</h1><p>{html.escape(' · '.join(facts))}</p>{_USE}</header>",
        f'<div id="lens"><p>{_WAIT}</p></div>',
        f'<template id="parts"><style>{source("lens.css")}</style>{source("lens.html")}</template>',
        '<div class="text"><h2>Scores</h2>',
        _table(table, columns),
        f"<p>{PROTOCOL}. One burst: a comparison of networks needs many.</p>",
        "<h2>How to see it again</h2>",
        "<p>In this file, on any computer, offline. In the app, which can change the burst and the networks, "
        f'where it runs at this address: <a href="{html.escape(link)}">{html.escape(link)}</a></p>',
        "" if assumed else f"<p>{_WITHOUT_ASSUMED}</p>",
        "<h2>What it was made of</h2>",
        _PHOTOS if recipe is not None and recipe.photo in gallery() else "",
        _recipe(burst, estimates),
        "</div>",
        f'<script type="text/plain" id="payload">{_packed(with_header(order, payload))}</script>',
        *(
            f'<script type="text/plain" data-method="{html.escape(name)}">{_packed(data)}</script>'
            for name, data in (assumed or {}).items()
        ),
        f'<script type="module">{script}</script>',
    ]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; img-src data: blob:; "
    )
    policy += "base-uri 'none'; form-action 'none'"
    return _document(f"kpnviz: {title}", _STYLE + _PAGE_STYLE, "".join(parts), policy)


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _document(title: str, style: str, body: str, policy: str = "") -> str:
    rule = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{rule}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _kernels(burst: Burst, estimates: Sequence[Estimate], pixel: Pixel) -> list[str]:
    kernels = {e.model: e.kernels.at(*pixel) for e in estimates if e.kernels is not None}
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
        rows += f"<tr><th>{html.escape(title_of(name))}</th>{cells}</tr>"
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
        f'<div class="wide">{_table(statistics, titles)}</div>',
    ]


def _recipe(burst: Burst, estimates: Sequence[Estimate]) -> str:
    rows: list[tuple[str, Any]] = [] if burst.recipe is None else _said(burst.recipe)
    if burst.shifts is not None:
        shifts = "; ".join(f"{float(dy):zg}, {float(dx):zg}" for dy, dx in burst.shifts)
        rows.append(("shifts of the frames (dy, dx), px", shifts))
    rows.append(("kpnviz", kpnviz.__version__))
    for estimate in estimates:
        try:
            card = read_card(estimate.model)
        except CheckpointError:
            continue
        rows.append(
            (
                f"network {estimate.model}",
                f"sha256 {card.get('sha256')}, license {card.get('license', 'not said')}",
            )
        )
    lines = "".join(
        f"<tr><th>{html.escape(str(name))}</th><td>{html.escape(str(value))}</td></tr>"
        for name, value in rows
    )
    return f'<div class="wide"><table class="recipe">{lines}</table></div>'


def _said(recipe: BurstRecipe) -> list[tuple[str, Any]]:
    """What a burst was made of, in words."""
    rows: list[tuple[str, Any]] = [("photo", recipe.photo)]
    if recipe.reduction != 1:
        rows.append(("reduction of the photo", f"{recipe.reduction} times"))
    if recipe.crop is not None:
        top, left, height, width = recipe.crop
        rows.append(("crop", f"{height}×{width} px at y {top}, x {left}"))
    rows += [
        ("noise", f"read_std {recipe.noise.read_std}, shot_gain {recipe.noise.shot_gain}"),
        ("white level", f"{recipe.white_level:g}"),
        ("frames", recipe.frames),
    ]
    shake = recipe.misalignment
    if recipe.shifts is not None:
        rows.append(("camera shake", "given for each frame"))
    elif shake.large == 0:
        rows.append(("camera shake", "none"))
    else:
        steps = "half pixels" if shake.subpixel else "whole pixels"
        often = f", {shake.rate:g} frames on average within ±{shake.large}" if shake.rate else ""
        rows.append(("camera shake", f"{steps} within ±{shake.small}{often}"))
    moving = recipe.moving
    for item in (moving,) if isinstance(moving, MovingObject) else moving or ():
        (y, x), (dy, dx) = item.center, item.velocity
        rows.append(
            (
                "moving object",
                f"of the photo {item.photo}, {item.diameter:g} px wide, at y {y:g}, x {x:g} in frame 0, "
                f"moves by dy {dy:g}, dx {dx:g} px a frame",
            )
        )
    rows.append(("seed", recipe.seed))
    return rows


def _table(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    def text(name: str, value: Any) -> str:
        if value is None:
            return "–"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if name == "share":
            return f"{100 * value:z.1f} %"
        return f"{value:z.3f}" if isinstance(value, float) else html.escape(str(value))

    head = "".join(f"<th>{html.escape(titles.get(name, name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{text(name, value)}</td>" for name, value in row.items()) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _picture(image: np.ndarray, white_level: float) -> str:
    encoded = displayed(image, white_level)
    return _png(np.round(255 * encoded).astype(np.uint8))


def _diverging(weights: np.ndarray, largest: float) -> str:
    position = np.sign(weights) * np.sqrt(np.minimum(np.abs(weights) / largest, 1))  # -1..1
    steps = np.linspace(-1, 1, len(_DIVERGING))
    colors = np.stack([np.interp(position, steps, channel) for channel in _DIVERGING.T], axis=-1)
    return _png(np.round(colors).astype(np.uint8))


def _png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


_STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #59636e; --paper: #fff; --line: #d1d9e0; --link: #0b6bcb; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e8eb; --soft: #a0a8b2; --paper: #15181d; --line: #353b44; --link: #6cb6ff; }
}
body { margin: 0; background: var(--paper); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
p, figcaption { color: var(--soft); } a { color: var(--link); overflow-wrap: anywhere; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 0.8rem; }
figure { margin: 0; } img { width: 100%; image-rendering: pixelated; display: block; }
.kernel { min-width: 3.5rem; max-width: 7rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.6rem 0; }
th, td { padding: 0.25rem 0.7rem; text-align: right; border-bottom: 1px solid var(--line); font-weight: 400; }
th { color: var(--soft); } :is(th, td):first-child { text-align: left; white-space: nowrap; }
.kernels th, .kernels td { border: 0; padding: 0.2rem; text-align: center; }
.recipe td { text-align: left; overflow-wrap: anywhere; }
@media (max-width: 600px) { .recipe :is(th, td) { display: block; } .recipe th { border: 0; padding-bottom: 0; } }
@media print { .pictures { grid-template-columns: repeat(4, 1fr); } }
"""

_USE = (
    "<p>Each network filters every frame with a <b>kernel</b> of its own at every pixel, and takes the mean. "
    "<b>Move over the picture</b> to see the kernels (on a touch screen, drag); a click pins a pixel, arrow keys move "
    "it; the button <b>?</b> lists all keys.</p>"
)
_WAIT = "The pictures and kernels come here. They need JavaScript and a browser of 2023 or later."
_WITHOUT_ASSUMED = (
    "Here the networks are told the true noise. The slider of the assumed noise is in the app only: what it needs "
    "would make this file too large."
)
_PHOTOS = (
    '<p>Photos: <a href="https://github.com/gianni-rosato/gb82-image-set">GB82 image set</a>, '
    '<a href="https://creativecommons.org/publicdomain/zero/1.0/">CC0 1.0</a>. '
    "kpnviz: MIT license.</p>"
)

# The lens takes its colors from where Streamlit has them, and counts in the root's type.
_PAGE_STYLE = """
:root {
  --st-text-color: var(--text); --st-background-color: var(--paper); --st-primary-color: var(--link);
  --st-font: system-ui, sans-serif; font-size: 93.75%;
}
body { font-size: 1rem; }
main { max-width: none; padding: 0.8rem 1.5rem 1.5rem; }
header h1 { margin: 0; } header p { margin: 0.15rem 0; } header { margin-bottom: 0.5rem; }
b { color: var(--text); font-weight: 600; }
.text { max-width: 72rem; }
@media (max-width: 600px) { main { padding-inline: 0.8rem; } }
"""
