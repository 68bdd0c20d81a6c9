"""The documentation builds without a warning, names all that is public, and its links lead somewhere."""

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kpnviz

pytest.importorskip("sphinx")
pytest.importorskip("furo")

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
sys.path[:0] = [str(DOCS), str(DOCS / "extensions")]

from check_pages import problems  # noqa: E402
from docstrings import as_rest  # noqa: E402
from pages import modules  # noqa: E402

INTERNAL = {
    *("commands", "serving", "site", "ui"),  # programs
    *("checks", "layouts", "paths", "summary", "text", "threads"),
}
"""Rooms and modules that a user of the package has no business with."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The documentation, without running the notebooks."""
    out = tmp_path_factory.mktemp("docs") / "html"
    done = subprocess.run(
        [sys.executable, str(DOCS / "build.py"), "--quick", "--output", str(out)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def names(site):
    from sphinx.util.inventory import InventoryFile

    with open(site / "objects.inv", "rb") as file:
        inventory = InventoryFile.load(file, "", os.path.join)
    return {name for kind, objects in inventory.items() if kind.startswith("py:") for name in objects}


@pytest.mark.slow
def test_every_public_name_is_documented(names):
    assert [name for name in kpnviz.__all__ if f"kpnviz.{name}" not in names] == []
    for name in kpnviz.__all__:
        thing = getattr(kpnviz, name)
        if inspect.isclass(thing):
            members = [
                key for key in vars(thing) if not key.startswith("_") and callable(getattr(thing, key))
            ]
            assert [key for key in members if f"kpnviz.{name}.{key}" not in names] == [], name


def public():
    """(module, name of a function or class of its own, that thing) of every public module; name "" is the module."""
    rooms = {
        path.relative_to(ROOT / "kpnviz").parts[0].removesuffix(".py") for path in ROOT.glob("kpnviz/**/*.py")
    }
    for room in sorted(room for room in rooms - INTERNAL if room[0] != "_"):
        for module in modules(room):
            file = importlib.import_module(module)
            yield module, "", file
            for name in getattr(file, "__all__", vars(file)):
                thing = getattr(file, name, None)
                own = (inspect.isfunction(thing) or inspect.isclass(thing)) and thing.__module__ == module
                if own and name[0] != "_":
                    yield module, name, thing


def test_every_public_name_says_what_it_is():
    """What has no docstring is left out of the documentation without a word."""
    assert [f"{module}.{name}" for module, name, thing in public() if not (thing.__doc__ or "").strip()] == []


@pytest.mark.slow
def test_every_public_room_and_its_names_are_documented(names):
    known = {id(getattr(kpnviz, name)) for name in kpnviz.__all__}
    listed = [f"{module}.{name}".rstrip(".") for module, name, thing in public() if id(thing) not in known]
    assert [name for name in listed if name not in names] == []


@pytest.mark.slow
def test_formulas_are_set(site):
    page = (site / "reference" / "kpnviz.html").read_text()
    assert "<mi>σ</mi>" in page and "sigma_" not in page


@pytest.mark.slow
def test_all_commands_are_listed(site):
    from kpnviz.commands.main import _parser

    (commands,) = (action for action in _parser()._actions if isinstance(action.choices, dict))
    page = (site / "commands.html").read_text()
    assert [name for name in commands.choices if f'id="kpnviz-{name}"' not in page] == []


@pytest.mark.slow
def test_the_live_page_is_in_the_first_page(site):
    assert 'src="live/index.html?v=2"' in (site / "index.html").read_text()
    assert (site / "live" / "models" / "kpn-l5.safetensors").is_file()


@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<a href="b.html#there">', None),
        ('<a href="https://example.org">', None),
        ('<img src="data:image/png;base64,AA">', None),
        ('<a href="c.html">', "c.html leads nowhere"),
        ('<a href="../x/b.html">', "../x/b.html leads nowhere"),
        ('<a href="b.html#here">', "b.html#here: there is no such place on that page"),
        ('<a href="/b.html">', "/b.html begins at the server's root; the site may lie in a folder"),
        ('<script src="https://cdn.example/x.js">', "loads https://cdn.example/x.js from another site"),
        ('<img src="//cdn.example/x.png">', "loads //cdn.example/x.png from another site"),
        ('<p style="background: url(http://a/b.png)">', "loads http://a/b.png from another site"),
    ],
)
def test_what_is_wrong_with_a_page_is_said(tmp_path, html, said):
    (tmp_path / "a.html").write_text(html)
    (tmp_path / "b.html").write_text('<p id="there">')
    assert problems(tmp_path) == ([f"a.html: {said}"] if said else [])


def test_style_sheets_of_other_sites_are_found(tmp_path):
    (tmp_path / "a.css").write_text('@import "https://fonts.example/f.css"; p { background: url("data:x") }')
    assert problems(tmp_path) == ["a.css: loads https://fonts.example/f.css from another site"]


def test_columns_of_a_docstring_become_a_list():
    text = """Filter.

frames   [B, N, H, W], linear
         intensity |x|
a, b     two;  c  another

    x = y

After."""
    assert as_rest(text.split("\n")) == [
        "Filter.",
        "",
        ".. container:: names",
        "",
        "    ``frames``",
        "        ``[B, N, H, W]``, linear",
        r"        intensity \|x\|",
        "",
        "    ``a``, ``b``",
        "        two",
        "",
        "    ``c``",
        "        another",
        "",
        "",
        "::",
        "",
        "    x = y",
        "",
        "After.",
        "",
    ]


def test_the_readme_links_to_the_documentation():
    settings = (ROOT / "pyproject.toml").read_text()
    owner, name = re.search(r'Repository = "https://github.com/([\w-]+)/([\w-]+)"', settings).groups()
    address = f"https://{owner}.github.io/{name}/"
    assert f'Documentation = "{address}"' in settings and f"({address})" in (ROOT / "README.md").read_text()
