"""How long a visitor waits for the site, in a real browser on this machine: `python -m benchmarks.site_opening`.

The guided scene's first pictures, from a cold cache and from a warm one; and what is transferred for them, compressed
as web servers do. The address is a local server's, so that the network takes no time.
"""

from __future__ import annotations

import functools
import gzip
import http.server
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.one_page import browser
from kpnviz.commands.site import offer
from kpnviz.lens.scene import scene
from kpnviz.site.building import site_files, write_site

OPENINGS = 3
_PAINTED = "document.getElementById('scene')?.shadowRoot?.querySelector('dialog')?.dataset.painted ?? ''"
_PATIENCE = 60  # seconds


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")  # as GitHub Pages has it
        super().end_headers()


def run(openings: int = OPENINGS) -> dict[str, Any]:
    """Seconds until the burst is painted, and until the first network's picture: of a browser's first opening, which
    loads all files, and the least of the next ones, which have them; and bytes of the files, compressed."""
    networks, burst = scene()["networks"], scene()["burst"]
    photos = [burst["photo"], burst["ball"]["photo"]]
    files = site_files(sorted(set(networks.values())), photos, offer())
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        write_site(Path(folder), files)
        handler = functools.partial(_Handler, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_port}/"
            context = chromium.new_context(viewport={"width": 1280, "height": 800})
            found = []
            loaded: set[str] = set()
            for _ in range(openings + 1):
                page = context.new_page()
                page.on("request", lambda request: loaded.add(urlsplit(request.url).path.lstrip("/")))
                page.add_init_script("localStorage.clear()")  # whoever saw the scene is not shown it again
                begun = time.perf_counter()
                page.goto(address, wait_until="commit")
                times = [_until(page, step, begun) for step in ("burst", "kernels")]
                found.append(times)
                page.close()
            server.shutdown()
    names = {name or "index.html" for name in loaded} & set(files)
    least = [min(times) for times in zip(*found[1:], strict=True)]
    return {
        "cold_seconds": dict(zip(("burst", "network"), found[0], strict=True)),
        "warm_seconds": dict(zip(("burst", "network"), least, strict=True)),
        "bytes": sum(len(gzip.compress(files[name])) for name in names),
        "files": sorted(names),
    }


def _until(page: Any, step: str, begun: float) -> float:
    """Seconds until a step of the scene is painted; the first is left by a key."""
    if step != "burst":
        page.keyboard.press("ArrowRight")
    while page.evaluate(_PAINTED) != step:
        if time.perf_counter() - begun > _PATIENCE:
            raise ValueError(f"the step {step!r} of the scene was not painted within {_PATIENCE} s")
        time.sleep(0.01)
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
