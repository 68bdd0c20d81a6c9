"""HTML files that need nothing else, and what they say of a burst and its estimates."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import kpnviz
from kpnviz.burst import Burst, BurstRecipe, MovingObject
from kpnviz.estimate import Estimate
from kpnviz.models.checkpoints import CheckpointError, read_card
from kpnviz.models.zoo import ZOO
from kpnviz.text import number, percent


def document(title: str, body: str, style: str = "", policy: str = "") -> str:
    """A page with a body, HTML, beyond STYLE with a style of its own; `policy` is its Content-Security-Policy."""
    rule = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{rule}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def table(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Rows of equal keys as an HTML table; a key is headed by its title, or else by itself."""

    def text(name: str, value: Any) -> str:
        if value is None:
            return "–"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if name == "share":
            return percent(value, 1)
        return number(value, 3) if isinstance(value, float) else html.escape(str(value))

    head = "".join(f"<th>{html.escape(titles.get(name, name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{text(name, value)}</td>" for name, value in row.items()) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def origin(burst: Burst, estimates: Sequence[Estimate]) -> str:
    """What a burst was made of and which networks were used, as an HTML table."""
    rows: list[tuple[str, Any]] = [] if burst.recipe is None else _said(burst.recipe)
    if burst.shifts is not None:
        shifts = "; ".join(f"{float(dy):zg}, {float(dx):zg}" for dy, dx in burst.shifts).replace("-", "−")
        rows.append(("shifts of the frames (dy, dx), px", shifts))
    rows.append(("kpnviz", kpnviz.__version__))
    for estimate in estimates:
        if estimate.network is None or estimate.network not in ZOO:
            continue  # another's network: its name is no file, and may be that of one of ours
        try:
            card = read_card(estimate.network)
        except CheckpointError:
            continue
        rows.append(
            (
                f"network {estimate.network}",
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
        ("frames", f"{recipe.frames}{' in color' if recipe.color else ''}"),
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
    camera = recipe.camera
    if camera is not None:
        parts = (
            f"turned by {camera.rotation:g}°" if camera.rotation else "",
            f"tilted by {camera.tilt:g}°" if camera.tilt else "",
            f"sheared by {camera.shutter:g} px of rolling shutter" if camera.shutter else "",
            f"{camera.parallax:g} px of parallax" if camera.parallax else "",
        )
        rows.append(("camera motion, by the last frame", ", ".join(filter(None, parts)) or "none"))
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


COLORS = {
    "light": "--text: #1f2328; --soft: #59636e; --paper: #fff; --line: #d1d9e0; --link: #0b6bcb;",
    "dark": "--text: #e6e8eb; --soft: #a0a8b2; --paper: #15181d; --line: #353b44; --link: #6cb6ff;",
}
"""Of the two themes. A page has the one that its reader's system prefers, unless it states one."""

STYLE = f"""
:root {{ color-scheme: light dark; {COLORS["light"]} }}
@media (prefers-color-scheme: dark) {{ :root {{ {COLORS["dark"]} }} }}
"""
STYLE += """
body { margin: 0; background: var(--paper); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1, h2, p { overflow-wrap: anywhere; } h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
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
@media (max-width: 600px) { :is(th, td):first-child { white-space: normal; overflow-wrap: anywhere; } }
@media (max-width: 600px) { .recipe :is(th, td) { display: block; } .recipe th { border: 0; padding-bottom: 0; } }
@media print { .pictures { grid-template-columns: repeat(4, 1fr); } }
"""
