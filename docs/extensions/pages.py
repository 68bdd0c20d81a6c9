"""What pages are made of: files of the repository that are included, and the rooms of the code as a table."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import kpnviz

PAGES = {
    "README.md": "index",
    "CHANGELOG.md": "changelog",
    "CITATION.cff": "cite",
    "LICENSE": "licenses",
    "kpnviz/gallery/LICENSE.md": "licenses",
    "kpnviz/testset/LICENSE.md": "licenses",
}
"""Files of the repository that have a page here."""


def _links(app: Sphinx, path: Path, parent: str, contents: list[str]) -> None:
    """Links of a file that is included, which are right where it lies, made right for the site."""
    folder = posixpath.normpath(posixpath.join("docs", posixpath.dirname(path.as_posix())))
    contents[0] = re.sub(
        r"(!?\[(?:[^\]\[]|\[[^\]]*\])*\]\()([^)\s#]+)([^)]*\))",
        lambda found: found[1] + _target(app, folder, found[2], found[1][0] == "!") + found[3],
        contents[0],
    )


def _target(app: Sphinx, folder: str, link: str, picture: bool) -> str:
    if re.match(r"\w+:|/", link):
        return link
    path = posixpath.normpath(posixpath.join(folder, link))
    if picture:
        return f"/../{path}"
    if path in PAGES:
        return f"/{PAGES[path]}.md"
    if path.startswith("examples/"):
        return f"/tutorials/{path.removeprefix('examples/')}"
    if path.startswith("docs/"):
        return f"/{path.removeprefix('docs/')}"
    return f"{app.config.html_theme_options['source_repository']}/blob/main/{path}"


INSIDE = {"burst", "figures", "kernels", "lens"}
"""Rooms whose public names are those of the room itself, not of the files in it."""

PROCESSES = {"decoding", "kernel_decoding", "metadata", "npz", "raw", "offered"}
"""What runs in the process that reads files, and in the app's server: nobody imports it."""


def modules(room: str) -> list[str]:
    """The public modules of a room, itself first."""
    folder = Path(kpnviz.__file__).parent / room
    inside = [] if room in INSIDE else sorted(path.stem for path in folder.glob("[!_]*.py"))
    return [f"kpnviz.{room}", *(f"kpnviz.{room}.{name}" for name in inside if name not in PROCESSES)]


def _modules(app: Sphinx, document: str, contents: list[str]) -> None:
    """A line `% modules: capture limits` becomes a section for each of their modules: a new one cannot be forgotten."""
    sections = "## {0}\n\n```{{eval-rst}}\n.. automodule:: {0}\n   :members:\n```\n"
    contents[0] = re.sub(
        r"^% modules: (.*)$",
        lambda found: "\n".join(sections.format(name) for room in found[1].split() for name in modules(room)),
        contents[0],
        flags=re.MULTILINE,
    )


class Rooms(SphinxDirective):
    """A Mermaid flowchart as a table, from top to bottom: each box, what it is, and what it stands on.

    Mermaid itself is three megabytes of script, and its drawing of twenty boxes cannot be read on a telephone.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        boxes: dict[str, tuple[str, str, list[str]]] = {}
        for line in self.content[1:]:
            found = re.fullmatch(r'\s*(\w+)\["([^"]+)"\](?: --> ([\w &]+))?', line)
            if not found:
                raise self.error(f"not a box of a flowchart: {line!r}")
            title, _, text = found[2].partition("<br>")
            boxes[found[1]] = (title, text.removesuffix("<br>"), re.findall(r"\w+", found[3] or ""))
        table = nodes.table("", classes=["rooms"])
        group = nodes.tgroup("", *(nodes.colspec("", colwidth=width) for width in (25, 50, 25)), cols=3)
        group += nodes.thead("", _row(*map(nodes.Text, ("Room", "What it is", "Stands on"))))
        group += nodes.tbody(
            "",
            *(
                _row(nodes.strong("", title), nodes.Text(text), nodes.Text(", ".join(below)))
                for title, text, below in boxes.values()
            ),
        )
        table += group
        return [table]


def _row(*cells: nodes.Node) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("include-read", _links)
    app.connect("source-read", _modules)
    app.add_directive("mermaid", Rooms)
    return {"parallel_read_safe": True}
