"""The kernel lens as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpnviz.analysis.tables import protocol
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.estimate import Estimate, Series
from kpnviz.lens.document import COLORS, document, origin, table
from kpnviz.lens.linker import linked
from kpnviz.lens.payload import DISPLAY, Pixel, read_header, with_header
from kpnviz.photos import gallery
from kpnviz.text import visible

SCRIPTS = Path(__file__).parent / "scripts"

PAGE_BYTES = 11 * 2**20
"""An interactive page holds other assumed noise where the payloads together are no larger: 15 MB of HTML."""


def interactive_page(
    burst: Burst,
    estimates: Sequence[Estimate | Series],
    payload: bytes,
    link: str = "",
    *,
    title: str | None = None,
    gain: float | None = None,
    pixel: Pixel | None = None,
    display: Mapping[str, Any] | None = None,
    assumed: Mapping[str, bytes] | None = None,
    theme: str | None = None,
) -> str:
    """The kernel lens as one HTML file that needs nothing else: no server, no network.

    payload   of the burst and its estimates (lens.pack); it lies in the page as base64 of gzip
    link      an address of the app that shows the same; "": there is none
    title     the heading; None: the photo, where it is known, and the gain; else whose kernels these are
    gain      of the sensor, for the heading
    pixel     (y, x), pinned when the page is opened
    display   how the lens shows the burst, where not as in lens.DISPLAY
    assumed   method -> lens.pack_assumed; without it the page has no slider of the assumed noise
    theme     "light" or "dark"; None: what the reader's system prefers

    The page may run the script that is in it and no other, and may fetch nothing: its policy says so to the browser.
    """
    header, _ = read_header(payload)
    methods = ", ".join(method["title"] for method in header["methods"])
    recipe = burst.recipe
    if title is None:
        title = (
            photo_title(recipe) if recipe is not None else f"Kernels of {methods}" if methods else "A burst"
        )
        title += "" if gain is None else f", gain ×{gain:g}"
    color = " in color" if burst.channels else ""
    facts = [
        f"{len(burst)} frame{'s' if len(burst) > 1 else ''} of {burst.height}×{burst.width} pixels{color}"
    ]
    if recipe is not None:
        facts += [] if recipe.crop is None else ["crop at y {}, x {}".format(*recipe.crop)]
        facts.append(f"seed {recipe.seed}")
    if methods and methods not in title:
        facts.append(f"by {methods}")
    if header["series"]:
        numbers = header["series"]["numbers"]
        facts.append(f"{header['series']['name']} {numbers[0]:g} to {numbers[-1]:g}")
    shown = DISPLAY | dict(display or {}) | ({} if assumed else {"assumed": DISPLAY["assumed"]})
    order = {"pinned": pixel, "display": shown}
    script = linked(SCRIPTS / "page.js")
    again = (
        ""
        if not link
        else "<h2>How to see it again</h2>"
        "<p>In this file, on any computer, offline. In the app, which can change the burst and the networks, "
        f'where it runs at this address: <a href="{html.escape(link)}">{html.escape(link)}</a></p>'
    )
    parts = [
        f"<header><h1>{html.escape(title)}</h1><p>{html.escape(' · '.join(facts))}</p>{_USE}</header>",
        f'<div id="lens"><p>{_WAIT}</p></div>',
        '<div class="text">',
        _scores(header, burst),
        _roundings(header),
        again,
        f"<p>{_WITHOUT_ASSUMED}</p>" if link and not assumed else "",
        "<h2>What it was made of</h2>",
        _PHOTOS if recipe is not None and recipe.photo in gallery() else "",
        origin(burst, [one for one in estimates if isinstance(one, Estimate)]),
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
    stated = f":root {{ color-scheme: {theme}; {COLORS[theme]} }}" if theme else ""
    return document(f"kpnviz: {title}", "".join(parts), _STYLE + stated, policy)


def photo_title(recipe: BurstRecipe) -> str:
    """The photo that a burst was made of, by the name that the gallery has, or a file without its folders."""
    photo = str(recipe.photo)
    return f"Photo “{visible(os.path.basename(photo) if os.path.isfile(photo) else photo)}”"


def _scores(header: Mapping[str, Any], burst: Burst) -> str:
    """The scores of the pictures, where there is a truth."""
    columns = {"psnr": "PSNR, dB", "ssim": "SSIM"}
    rows = [{"picture": panel["title"], **panel["scores"]} for panel in header["panels"] if panel["scores"]]
    if not rows:
        return ""
    said = f"<p>{protocol(burst)}. One burst: a comparison of networks needs many.</p>"
    return f"<h2>Scores</h2>{table(rows, columns)}{said}"


def _roundings(header: Mapping[str, Any]) -> str:
    """How far pictures may be from their kernels, where those are in 8 bits."""
    errors: dict[str, float] = {}
    for method in header["methods"]:
        kernels = [method["kernels"], *(step["kernels"] for step in method["steps"] or ())]
        lossy = [one["error"] for one in kernels if one and one["lossy"]]
        if lossy:
            errors[method["title"]] = max(lossy)
    if not errors:
        return ""
    said = ", ".join(f"{html.escape(title)} {error:.2g}" for title, error in errors.items())
    return (
        "<h2>Kernels in 8 bits</h2><p>To make this file smaller, dense kernels are kept in 8 bits. What they make of "
        f"the frames differs from the pictures by up to: {said} (linear intensity). A ✓ or ≈ allows for that, and no "
        "more.</p>"
    )


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


_USE = (
    "<p>A <b>kernel</b> for each frame at every pixel weighs what the frame shows around it; together they make the "
    "picture. <b>Move over the picture</b> to see the kernels (on a touch screen, tap); a click pins a pixel, arrow "
    "keys move it; the button <b>?</b> lists all keys.</p>"
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
_STYLE = """
:root {
  --st-text-color: var(--text); --st-background-color: var(--paper); --st-primary-color: var(--link);
  --st-font: system-ui, sans-serif; font-size: 93.75%;
}
body { font-size: 1rem; }
main { max-width: none; padding: 0.8rem 1.5rem 1.5rem; }
header h1 { margin: 0; } header p { margin: 0.15rem 0; } header { margin-bottom: 0.5rem; }
b { color: var(--text); font-weight: 600; }
.text { max-width: 72rem; }
.framed :is(header, .text) { display: none; } .framed main { padding: 0; } /* in a notebook: the lens alone */
@media (max-width: 600px) { main { padding-inline: 0.8rem; } }
"""
