"""Builds the documentation site, with the live site in it: `make docs`.

Errors are: a warning of Sphinx, a link that leads nowhere, a page that would load something from another site.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import sys
from pathlib import Path

import nbformat
from check_pages import problems
from nbclient import NotebookClient
from sphinx.cmd.build import main as sphinx_build

import kpnviz
from kpnviz.commands.main import main as kpnviz_command

DOCS = Path(__file__).parent
EXAMPLES, TUTORIALS = DOCS.parent / "examples", DOCS / "tutorials"
QUICK_SITE = ["--models", "kpn-l5", "--photos", "dog"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=DOCS / "_build" / "html", metavar="DIR")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="notebooks as they are, not run; one network and one photo in the live site: enough to check the pages",
    )
    options = parser.parse_args()
    if options.output.exists():
        shutil.rmtree(options.output)
    lenses = [
        lens for file in sorted(EXAMPLES.glob("*.ipynb")) for lens in _tutorial(file, run=not options.quick)
    ]
    doctrees = options.output.parent / "doctrees"
    strict = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"]
    if code := sphinx_build(
        [*strict, "-b", "html", "-d", str(doctrees), str(DOCS), str(options.output)],
    ):
        return code
    for lens in lenses:
        shutil.copy(lens, options.output / TUTORIALS.name)
    live = ["site", "-o", str(options.output / "live"), *(QUICK_SITE if options.quick else ())]
    if code := kpnviz_command(live):
        return code
    wrong = problems(options.output)
    print(
        "\n".join(wrong)
        or f"{options.output}: every link leads somewhere, and nothing is loaded from other sites"
    )
    return 1 if wrong else 0


def _tutorial(file: Path, run: bool) -> list[Path]:
    """Write a notebook as a page, run if it has changed since it was run last; the pages of lenses that it shows.

    There are no widgets without Jupyter: with anywidget out of sight, kpnviz.show gives a frame with a file.
    """
    TUTORIALS.mkdir(exist_ok=True)
    target = TUTORIALS / file.name
    notebook = nbformat.read(file, as_version=4)
    state = hashlib.sha256(file.read_bytes() + kpnviz.__version__.encode()).hexdigest()
    done = nbformat.read(target, as_version=4) if target.exists() else None
    if done is not None and done.metadata.get("kpnviz_state") == state:
        notebook = done
    elif run:
        print(f"running {file.name}", flush=True)
        hidden = nbformat.v4.new_code_cell("import sys\nsys.modules['anywidget'] = None")
        notebook.cells.insert(0, hidden)
        NotebookClient(
            notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(TUTORIALS)}}
        ).execute()
        del notebook.cells[0]
        notebook.metadata["kpnviz_state"] = state
    nbformat.write(notebook, target)
    return [
        TUTORIALS / name for name in re.findall(r'<iframe src=\\"(kpnviz-lens-\w+\.html)', target.read_text())
    ]


if __name__ == "__main__":
    sys.exit(main())
