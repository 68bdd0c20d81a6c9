"""What is wrong with the pages of a folder that is to be a site: links that lead nowhere, and other sites' files."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "img": "src",
    "script": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "link": "href",
    "use": "href",
    "image": "href",
}
"""Attributes whose address a browser fetches by itself."""


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[tuple[str, bool]] = []  # address, and whether it is fetched
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.names |= {value for key in ("id", "name") if (value := values.get(key))}
        if tag == "a" and (address := values.get("href")):
            self.links.append((address, False))
        elif tag in LOADED and (address := values.get(LOADED[tag])):
            self.links.append((address, True))
        self.links += [(address, True) for address in _in_style(values.get("style") or "")]


def problems(folder: Path) -> list[str]:
    """One sentence for each; none: the site is whole, from any address, also without a connection to others."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    wrong = []
    for path, page in pages.items():
        for address, fetched in dict.fromkeys(page.links):
            if said := _problem(folder, path, pages, address, fetched):
                wrong.append(f"{path.relative_to(folder)}: {said}")
    for path in sorted(folder.rglob("*.css")):
        for address in _in_style(path.read_text(encoding="utf-8")):
            if said := _problem(folder, path, pages, address, True):
                wrong.append(f"{path.relative_to(folder)}: {said}")
    return wrong


def _in_style(text: str) -> list[str]:
    """Addresses in CSS; fragments of the page itself and data are none."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    found = re.findall(r"""url\(\s*["']?(.*?)["']?\s*\)|@import\s+["'](.*?)["']""", text)
    return [
        address for pair in found for address in pair if address and not address.startswith(("data:", "#"))
    ]


def _problem(folder: Path, path: Path, pages: dict[Path, _Page], address: str, fetched: bool) -> str | None:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return None
    if parts.scheme or parts.netloc:
        return f"loads {address} from another site" if fetched else None
    if parts.path.startswith("/"):
        return f"{address} begins at the server's root; the site may lie in a folder"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(folder.resolve() if parts.path else folder):
        return f"{address} leads nowhere"
    page = next((page for other, page in pages.items() if other.resolve() == target.resolve()), None)
    if parts.fragment and page is not None and unquote(parts.fragment) not in page.names:
        return f"{address}: there is no such place on that page"
    return None
