"""Names that would be markup, uploaded in a real browser: nothing is fetched, nothing runs, all is shown as it is."""

import numpy as np
import pytest
from playwright.sync_api import expect

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.color import srgb_encode

from ..capture.picture_makers import pillow, zipped
from .lens_driver import PATIENCE_MS

AWAY = "127.0.0.1:9"  # where nobody listens; the request would be seen all the same
NAMES = [
    f"![x](http:&#47;&#47;{AWAY}&#47;a.png)a.png",
    f"<img src=http:&#47;&#47;{AWAY}&#47;b.png onerror=alert(1)>b.png",
    f"[x](http:&#47;&#47;{AWAY}) :material&#47;home: $x^2$ :red[c].png",
    f"`http:&#47;&#47;{AWAY}` www.example.org me@example.org ~~d~~.png",
    "</p><script>alert(1)</script>e.png",
    "f\x1b[31m\u202egnp.png",
    "g" * 300 + ".png",
]


@pytest.mark.slow
@pytest.mark.browser
def test_no_name_is_markup(chromium, server):
    burst = synthesize(BurstRecipe("dog", (60, 60, 96, 96), frames=len(NAMES)))
    codes = [np.rint(255 * np.clip(srgb_encode(frame), 0, 1)).astype(np.uint8) for frame in burst.frames]
    frames = [pillow(frame, "PNG") for frame in codes]
    page = chromium.new_page(viewport={"width": 1280, "height": 1200})
    page.set_default_timeout(PATIENCE_MS)
    away, problems = [], []
    page.on(
        "request", lambda r: away.append(r.url) if not r.url.startswith((server, "data:", "blob:")) else None
    )
    page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    page.goto(f"{server}/your_burst")
    files = page.locator("input[type=file]")

    def upload(*named):
        page.reload()
        page.get_by_text("An example, until you drop files.").wait_for()
        page.locator("[data-test-script-state=notRunning]").wait_for()
        files.set_input_files(
            [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in named]
        )

    upload(("burst.zip", zipped(zip(NAMES, frames, strict=True))))
    expect(page.get_by_role("heading", name=f"{len(NAMES)} frames of 96 × 96 pixels")).to_be_visible()
    page.locator(".lens[data-y]").wait_for()
    shown = page.locator("body").inner_text().replace("\u2060", "")
    assert "burst.zip/![x](http:&#47;&#47;127.0.0.1:9&#47;a.png)a.png" in shown
    assert r"burst.zip/f\x1b[31m\u202egnp.png" in shown and "g" * 60 not in shown
    upload(*((name, data) for name, data in zip(NAMES, frames, strict=True)))
    expect(page.get_by_role("heading", name=f"{len(NAMES)} frames")).to_be_visible()
    page.locator(".lens[data-y]").wait_for()
    for name in NAMES:
        upload((name, b"no picture at all"))
        expect(page.get_by_text("is not a picture that can be read")).to_be_visible()
    assert not away and not problems
    assert page.locator("main img[src*='127.0.0.1:9']").count() == 0
    page.close()
