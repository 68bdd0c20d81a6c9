"""What the foot of every page says is what the metadata say."""

import tomllib
from pathlib import Path

import kpnviz
from kpnviz.ui.identity import AUTHORS, LICENSE, citation

ROOT = Path(__file__).parent.parent.parent


def test_authors_and_license_are_those_of_the_metadata():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": AUTHORS}]
    assert project["license"].split(" AND ")[0] == LICENSE
    assert f"license: {LICENSE}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_citation_names_the_version_and_both_papers():
    text = citation()
    assert f"version = {{{kpnviz.__version__}}}" in text
    assert "author = {Marinč and Srinivasan and Gül and Hellge and Samek}" in text
    assert text.count("@inproceedings{") == 2 and text.count("{") == text.count("}")
