"""What a newcomer and a package index meet first: the Makefile's choice of Python, metadata, links, citation."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import kpnviz

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = SETTINGS["project"]
REPOSITORY = PROJECT["urls"]["Repository"]
DOCUMENTS = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", *PROJECT["license-files"])
]
DOCUMENTS += (ROOT / "docs").glob("*.md")
VERSIONS = [
    classifier.rpartition(" ")[2]
    for classifier in PROJECT["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
]

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(folder, pythons, *arguments):
    """Run the Makefile in a folder of its own, where `pythons` are all that is on the path: name -> shell script."""
    programs = folder / "programs"
    programs.mkdir()
    for name, script in pythons.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt", "hatch_build.py"):
        (folder / name).touch()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PYTHON"))}
    return subprocess.run(
        [shutil.which("make"), *arguments],
        cwd=folder,
        env={**environment, "PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=60,
    )


THIS_PYTHON = f'exec "{sys.executable}" "$@"'
MISSING = 'echo "pyenv: $0: command not found" >&2; exit 127'
TOO_OLD = f'exec "{sys.executable}" -c "import sys; sys.version_info = (3, 10, 9)\n$2"'
WITHOUT_VENV = f'exec "{sys.executable}" -c "import sys; sys.modules[\'ensurepip\'] = None\n$2"'


@needs_make
@pytest.mark.parametrize(
    ("pythons", "expected"),
    [
        ({"python3.13": THIS_PYTHON, "python3.11": THIS_PYTHON, "python3": THIS_PYTHON}, "python3.13"),
        ({"python3.14": MISSING, "python3.12": THIS_PYTHON, "python3.11": THIS_PYTHON}, "python3.12"),
        ({"python3.12": WITHOUT_VENV, "python3.11": THIS_PYTHON}, "python3.11"),
        ({"python3": THIS_PYTHON}, "python3"),
        ({"python3": TOO_OLD, "python": THIS_PYTHON}, "python"),
        ({"python3": TOO_OLD, "python3.11": MISSING}, ""),
        ({}, ""),
    ],
)
def test_make_takes_the_newest_python_that_works(tmp_path, pythons, expected):
    (tmp_path / "show.mk").write_text(
        "include Makefile\nchosen:\n\t@test -f Makefile && echo '<$(PYTHON)>'\n"
    )
    result = make(tmp_path, pythons, "-f", "show.mk", "chosen")
    assert result.stdout == f"<{expected}>\n", result.stderr


@needs_make
@pytest.mark.parametrize(
    ("pythons", "arguments", "named"),
    [({}, [], ""), ({"python3.11": THIS_PYTHON, "old": TOO_OLD}, ["PYTHON=old"], "old")],
)
def test_make_says_in_a_sentence_that_no_python_fits(tmp_path, pythons, arguments, named):
    result = make(tmp_path, pythons, "setup", *arguments)
    sentence, *rest = result.stderr.splitlines()
    assert sentence == (
        f"PYTHON is '{named}'; kpnviz needs Python 3.11 to 3.14, with venv. "
        "Install one, or name it: make PYTHON=/path/to/python"
    )
    assert result.returncode == 2 and len(rest) == 1 and rest[0].startswith("make: ***")
    assert not (tmp_path / ".venv").exists()


def test_every_place_names_the_same_versions_of_python():
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text()
    assert re.findall(r'"(3\.\d+)"', workflow) == VERSIONS
    makefile = (ROOT / "Makefile").read_text()
    assert re.findall(r"python(3\.\d+)", makefile) == VERSIONS[::-1]
    for text in (makefile, (ROOT / "README.md").read_text(), (ROOT / "CONTRIBUTING.md").read_text()):
        assert f"{VERSIONS[0]} to {VERSIONS[-1]}" in text


def test_the_repository_has_one_address():
    for path in [*DOCUMENTS, ROOT / "CITATION.cff", ROOT / "pyproject.toml"]:
        for address in re.findall(r"https://git(?:hub|lab)\.com/[\w.-]*kpnviz[\w./-]*", path.read_text()):
            assert address == REPOSITORY or address.startswith(REPOSITORY + "/"), (path.name, address)
    assert f"repository-code: {REPOSITORY}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if not link.startswith(("https://", "#")):
            assert (path.parent / link.partition("#")[0]).exists(), link


def test_citation_and_changelog_are_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {kpnviz.__version__}\n" in citation
    assert f"\n## {kpnviz.__version__} " in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("paper", ["1902.05392", "1712.02327"])
def test_both_papers_are_cited(paper):
    assert f"arXiv:{paper}" in (ROOT / "CITATION.cff").read_text()
    assert f"arXiv:{paper}" in (ROOT / "README.md").read_text()


def test_the_license_names_what_ships():
    parts = set(PROJECT["license"].split(" AND "))
    assert parts == {"MIT", "BSD-3-Clause", "CC0-1.0", "LicenseRef-Kodak-Unrestricted"}
    first_lines = [(ROOT / name).read_text().split("\n")[0] for name in PROJECT["license-files"]]
    assert first_lines == [
        "MIT License",
        "Copyright (C) 2009 CodePlex Foundation",
        "# Photos of the gallery",
        "# Photos of the test set",
    ]


def test_the_public_modules_are_checked_strictly():
    strict = [table for table in SETTINGS["tool"]["mypy"]["overrides"] if table.get("disallow_untyped_defs")]
    modules = {name for table in strict for name in table["module"]}
    public = {"kpnviz", "kpnviz.local_conv", *kpnviz._LATE.values()}
    assert public <= modules
    assert all(name.rpartition(".")[0] in public for name in modules - public)  # the modules of a public room
