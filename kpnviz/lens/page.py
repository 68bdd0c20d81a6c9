"""The kernel lens as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpnviz.analysis.metrics import PROTOCOL
from kpnviz.analysis.tables import scores
from kpnviz.burst import Burst
from kpnviz.denoise import Estimate
from kpnviz.lens.document import COLORS, document, origin, table
from kpnviz.lens.linker import linked
from kpnviz.lens.payload import DISPLAY, Pixel, with_header
from kpnviz.models.zoo import title_of
from kpnviz.photos import gallery

SCRIPTS = Path(__file__).parent / "scripts"

PAGE_BYTES = 11 * 2**20
"""An interactive page holds other assumed noise where the payloads together are no larger: 15 MB of HTML."""


def interactive_page(
    burst: Burst,
    estimates: Sequence[Estimate],
    payload: bytes,
    link: str = "",
    *,
    gain: float | None = None,
    pixel: Pixel | None = None,
    display: Mapping[str, Any] | None = None,
    assumed: Mapping[str, bytes] | None = None,
    theme: str | None = None,
) -> str:
    """The kernel lens as one HTML file that needs nothing else: no server, no network.

    payload   of the burst and its estimates (lens.pack); it lies in the page as base64 of gzip
    link      the address at which the app shows the same; empty: it was not made by the app
    gain      of the sensor, for the heading
    pixel     (y, x), pinned when the page is opened
    display   how the lens shows the burst, where not as in lens.DISPLAY
    assumed   method -> lens.pack_assumed; without it the page has no slider of the assumed noise
    theme     "light" or "dark"; None: what the reader's system prefers

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
    order = {"pinned": pixel, "display": shown}
    script = linked(SCRIPTS / "page.js")
    columns = {"psnr_db": "PSNR, dB", "ssim": "SSIM"}
    rows = [{name: row[name] for name in ("picture", *columns)} for row in scores(burst, estimates)]
    parts = [
        f"<header><h1>{html.escape(title)}</h1><p>{html.escape(' · '.join(facts))}</p>{_USE}</header>",
        f'<div id="lens"><p>{_WAIT}</p></div>',
        '<div class="text"><h2>Scores</h2>',
        table(rows, columns),
        f"<p>{PROTOCOL}. One burst: a comparison of networks needs many.</p>",
        "<h2>How to see it again</h2>",
        f"<p>In this file, on any computer, offline.{_in_the_app(link)}</p>",
        f"<p>{_WITHOUT_ASSUMED}</p>" if link and not assumed else "",
        "<h2>What it was made of</h2>",
        _PHOTOS if recipe is not None and recipe.photo in gallery() else "",
        origin(burst, estimates),
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


def _in_the_app(link: str) -> str:
    if not link:
        return ""
    return (
        " In the app, which can change the burst and the networks, where it runs at this address: "
        f'<a href="{html.escape(link)}">{html.escape(link)}</a>'
    )


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


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
