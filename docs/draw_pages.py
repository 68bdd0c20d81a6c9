"""Draws the pictures of pages that the README shows: docs/explore.png, docs/kernels.png and docs/noise.png.

    python docs/draw_pages.py

It starts the app, opens each page in a browser of 1280 x 880 pixels, waits until all on it is computed, and takes its
picture. (The overview: draw_overview.py.)
"""

import io

from PIL import Image

from benchmarks.one_page import browser, serve
from kpnviz.paths import ROOT

SIZE = {"width": 1280, "height": 880}
ASSUMED = "1.5"  # on the page Noise, a power of two
PATIENCE_MS = 120_000
PAGES = {
    "explore": "?v=2&photo=dog&pixel=35~98&frame=6",
    "kernels": "kernels?v=2&photo=dog&pixel=35~98&kernels_view=kinds&in_shown=mkpn&in_other=frame&in_look=kinds"
    "&in_mode=kinds&in_all=1&in_kinds=4",
    "noise": "noise?v=2&photo=dog&pixel=35~98",
}
DONE = """(e) => {
  const { state } = e.lens;
  return !state.waiting && !state.background.jobs.size && (!state.assumed.offered || state.assumed.ready);
}"""


def main() -> None:
    with serve() as address, browser() as chromium:
        page = chromium.new_page(viewport=SIZE)
        page.set_default_timeout(PATIENCE_MS)
        for name, query in PAGES.items():
            page.goto(f"{address}/{query}")
            lens = page.locator(".lens[data-y]").first
            lens.wait_for()
            page.wait_for_timeout(1500)  # what waits for a rest has begun
            for _ in range(PATIENCE_MS // 200):
                if lens.evaluate(DONE):
                    break
                page.wait_for_timeout(200)
            page.locator("[data-test-script-state=notRunning]").first.wait_for(state="attached")
            if name == "noise":
                page.locator("[name=assumed]").fill(ASSUMED)
            page.wait_for_timeout(1500)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture.save(ROOT / "docs" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
