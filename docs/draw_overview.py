"""Draws kpnviz/lens/scene/overview.svg: burst -> network -> patches x kernels -> mean, from the guided scene's burst.

    python docs/draw_overview.py

The README, the documentation and the guided scene show it. A browser makes kpnviz/ui/card.png of it, which is shown
where a link to the app is shared. It follows the theme: lines and letters are `currentColor`.
"""

import base64
import io

import numpy as np
from PIL import Image

import kpnviz
from benchmarks.one_page import browser
from kpnviz.color import displayed
from kpnviz.lens.scene import FOLDER, recipe, scene
from kpnviz.paths import PACKAGE

MARK, SOFT = "#ffb000", "#8b949e"
FRAMES = (0, 1, 3, 7)  # whose patches and kernels are drawn
SIDE = 15  # pixels of a patch
STOPS = ["#053061", "#2166ac", "#4393c3", "#92c5de", "#f7f7f7", "#f4a582", "#d6604d", "#b2182b", "#67001f"]

TITLE = (
    "A burst of noisy frames goes into a network, which predicts a kernel for every pixel and frame. "
    "Around each pixel, the patch of each frame is multiplied with its kernel; the mean over the frames is the pixel "
    "of the picture."
)

STYLE = """
  svg { color: #1f2328; }
  @media (prefers-color-scheme: dark) { svg { color: #e6e8eb; } }
  text { font: 600 27px system-ui, sans-serif; fill: currentColor; text-anchor: middle; }
  .small { font-weight: 400; font-size: 23px; opacity: 0.8; }
  .line { fill: none; stroke: currentColor; stroke-width: 2.5; opacity: 0.55; }
  .sharp { image-rendering: pixelated; }
"""


def picture(values: np.ndarray, x: float, y: float, side: float, format: str = "PNG") -> str:
    """An image element of uint8 [H, W] or [H, W, 3]."""
    file = io.BytesIO()
    Image.fromarray(values).save(file, format, quality=72)
    source = f"data:image/{format.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
    kind = ' class="sharp"' if format == "PNG" else ""
    return f'<image{kind} x="{x}" y="{y}" width="{side}" height="{side}" href="{source}"/>'


def gray(image: np.ndarray) -> np.ndarray:
    return np.rint(255 * displayed(image, 1.0)).astype(np.uint8)


def colors(kernel: np.ndarray, most: float) -> np.ndarray:
    """Weights by their signed root, as the lens colors them."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in STOPS])
    place = (np.sign(kernel) * np.sqrt(np.abs(kernel) / most) + 1) / 2 * (len(STOPS) - 1)
    rgb = [np.interp(place, range(len(STOPS)), stops[:, c]) for c in range(3)]
    return np.rint(np.stack(rgb, axis=-1)).astype(np.uint8)


def box(x: float, y: float, width: float, color: str = SOFT, thick: float = 1.5) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{width}" rx="3" fill="none" stroke="{color}" '
        f'stroke-width="{thick}"/>'
    )


def arrow(path: str) -> str:
    return f'<path class="line" d="{path}" marker-end="url(#tip)"/>'


def draw() -> str:
    burst = kpnviz.synthesize(recipe())
    estimate = kpnviz.load(scene()["networks"]["kernels"])(burst)
    y, x = scene()["pixels"]["eye"]
    kernels, r = estimate.kernels.at(y, x), SIDE // 2
    most = np.abs(kernels).max()
    parts = []
    # The burst: the reference in front.
    side, step = 176, 17
    for place, frame in enumerate((7, 3, 1, 0)):
        left, top = 12 + step * (3 - place), 62 + step * place
        parts += [picture(gray(burst.frames[frame]), left, top, side, "JPEG"), box(left, top, side)]
    unit = side / burst.width
    parts.append(box(12 + (x - r) * unit, 113 + (y - r) * unit, SIDE * unit, MARK, 2.5))
    # The network: an encoder, a decoder, and what goes past both.
    parts.append(arrow("M 246 200 H 280"))
    for i, height in enumerate((150, 104, 62, 104, 150)):
        parts.append(
            f'<rect x="{290 + 27 * i}" y="{200 - height / 2}" width="18" height="{height}" rx="5" '
            f'fill="#2f86d6" fill-opacity="{0.9 - 0.15 * abs(i - 2)}"/>'
        )
    parts.append('<path class="line" d="M 299 121 C 299 92, 407 92, 407 121"/>')
    parts.append(arrow("M 426 190 C 468 190, 446 24, 496 24 H 640 Q 661 24 661 42"))
    # Patches and kernels.
    parts.append(arrow("M 130 306 C 130 356, 420 380, 478 330"))
    for row, frame in enumerate(FRAMES):
        top, end = 50 + 92 * row, 220 + 3 * (row - 1.5)
        patch = burst.frames[frame][y - r : y + r + 1, x - r : x + r + 1]
        parts += [picture(gray(patch), 490, top, 82), box(490, top, 82, MARK, 2.5)]
        parts.append(f'<text x="596" y="{top + 50}">×</text>')
        parts += [picture(colors(kernels[frame], most), 620, top, 82), box(620, top, 82)]
        parts.append(
            f'<path class="line" d="M 708 {top + 41} C 744 {top + 41}, 730 {end + 5 * (row - 1.5)}, 764 {end}"/>'
        )
    # The mean, and the picture.
    parts.append(arrow("M 764 220 H 784"))
    parts += [picture(gray(estimate.image), 796, 140, 160, "JPEG"), box(796, 140, 160)]
    unit = 160 / burst.width
    parts.append(box(796 + (x - 1.5) * unit, 140 + (y - 1.5) * unit, 4 * unit, MARK, 3))
    for at, title, note in (
        (126, "burst", "noisy, shaken"),
        (353, "network", ""),
        (596, "patches × kernels", "a kernel for each"),
        (874, "mean", "the picture"),
    ):
        parts.append(f'<text class="{title.split()[0]}" x="{at}" y="456">{title}</text>')
        parts.append(f'<text class="small" x="{at}" y="487">{note}</text>')
    tip = '<path d="M 0 1 L 9 5 L 0 9 Z" fill="currentColor"/>'
    marker = 'id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" markerHeight="6" orient="auto"'
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 968 500" role="img" aria-labelledby="overview-title">'
        f'<title id="overview-title">{TITLE}</title><style>{STYLE}</style>'
        f"<defs><marker {marker}>{tip}</marker></defs>{''.join(parts)}</svg>\n"
    )


CARD = """<style>
body { margin: 0; padding: 34px 60px; background: #15181d; font-family: system-ui, sans-serif; }
</style>
<body style="color: #e6e8eb">
<b style="font-size: 62px; letter-spacing: -2px">kpnviz</b>
<span style="font-size: 30px; margin-left: 20px">see inside kernel prediction networks</span>
<div style="width: 940px; margin: 22px auto 0">SVG</div></body>"""


def draw_card(svg: str) -> None:
    with browser() as chromium:
        page = chromium.new_page(viewport={"width": 1200, "height": 630}, color_scheme="dark")
        page.set_content(CARD.replace("SVG", svg))
        data = page.screenshot()
    file = Image.open(io.BytesIO(data)).convert("RGB").quantize(256)
    file.save(PACKAGE / "ui" / "card.png", optimize=True)


if __name__ == "__main__":
    svg = draw()
    (FOLDER / "overview.svg").write_text(svg, encoding="utf-8")
    draw_card(svg)
