"""The shape of the code: imports go down only, and importing kpnviz is cheap. docs/ARCHITECTURE.md draws it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kpnviz

PACKAGE = Path(__file__).parent.parent / "kpnviz"

LAYERS = [
    [
        "text",
        "limits",
        "checks",
        "layouts",
        "paths",
        "color",
        "sampling",
        "noise",
        "threads",
        "memory",
        "workers",
    ],  # the ground
    ["summary", "pictures", "photos", "camera_motion", "burst"],
    ["local_conv", "kernels", "consistency"],
    ["matching"],
    ["models"],
    ["estimate"],
    ["denoise"],
    ["methods"],
    ["capture"],
    ["analysis"],
    ["training"],
    ["evaluation"],
    ["figures"],
    ["lens"],
    ["site"],
    ["serving"],
    ["ui"],
    ["commands"],
    ["__main__", "__init__"],
]
"""From the bottom up, modules directly in kpnviz/ and folders; one imports from itself, from its own layer (to its
left) and from the layers above it in this list."""

ORDER = [name for layer in LAYERS for name in layer]


def modules():
    """Every file of the package, and the folder or module that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_bundle" not in path.parts:
            yield path, path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """Rooms and modules at the door of kpnviz that a file imports, and all other packages; at any depth of the code."""
    inside, outside = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            parts = node.module.split(".")
            if parts[0] == "kpnviz":
                inside |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
            else:
                outside.add(parts[0])
        elif isinstance(node, ast.Import):
            for parts in (alias.name.split(".") for alias in node.names):
                if parts[0] == "kpnviz":
                    inside |= set(parts[1:2])
                else:
                    outside.add(parts[0])
    return inside, outside


def test_every_module_has_its_place():
    assert {name for _, name in modules()} <= set(ORDER)


def test_the_architecture_page_names_every_folder():
    page = (PACKAGE.parent / "docs" / "ARCHITECTURE.md").read_text()
    for name in {name for _, name in modules()} - {"__main__", "__init__"}:
        written = f"{name}/" if (PACKAGE / name).is_dir() else name
        assert written in page, written


def test_the_architecture_page_names_what_is_public():
    page = (PACKAGE.parent / "docs" / "ARCHITECTURE.md").read_text()
    section = page.split("## What `import kpnviz` gives")[1].split("\n## ")[0]
    assert set(re.findall(r"`kpnviz\.(\w+)", section)) - {"local_conv"} == set(kpnviz.__all__)
    assert all(getattr(kpnviz, name) is not None for name in kpnviz.__all__)
    assert set(kpnviz.__all__) <= set(dir(kpnviz))


def test_the_operator_does_not_hide_its_folder():
    assert kpnviz.local_conv.__name__ == "kpnviz.local_conv" and callable(kpnviz.local_conv.local_conv)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'kpnviz' has no attribute 'denoize'"):
        kpnviz.denoize  # noqa: B018


def test_imports_go_down_only():
    for path, name in modules():
        if name == "__init__":
            continue
        for other in imported(path)[0] & set(ORDER):
            assert ORDER.index(other) <= ORDER.index(name), f"{path.relative_to(PACKAGE)} imports {other}"


def test_serving_knows_nothing_of_bursts():
    for path, name in modules():
        if name == "serving":
            assert imported(path)[0] <= {"serving", "limits", "text", "color"}, path


def test_only_the_app_knows_streamlit_and_only_figures_plotly():
    for path, name in modules():
        outside = imported(path)[1]
        assert "streamlit" not in outside or name in ("serving", "ui"), path
        assert "plotly" not in outside or name == "figures", path


def test_the_lens_knows_neither_figures_nor_serving():
    """It is shown by any host: between its files and theirs there is one way, down."""
    for path, name in modules():
        if name == "lens":
            assert not imported(path)[0] & {"figures", "serving", "ui"}, path


def test_import_kpnviz_is_light():
    heavy = ["torch", "numpy", "streamlit", "plotly", "numba", "triton", "scipy", "skimage"]
    code = f"import sys, kpnviz; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_pages_have_no_loose_strings():
    """Streamlit shows a string that stands alone in a page, such as a comment on the line above it."""
    for path in (PACKAGE.parent / "app_pages").glob("*.py"):
        for node in ast.parse(path.read_text()).body[1:]:
            assert not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)), (
                path,
                node.lineno,
            )


def test_loading_a_network_does_without_torchs_compiler():
    """It costs 1.4 s, before the first picture, and nothing here is compiled by it."""
    code = (
        "import sys, kpnviz\n"
        "for name in kpnviz.available(): kpnviz.load(name)\n"
        "print(len(kpnviz.available()), 'torch._dynamo' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, found = result.stdout.split()
    assert int(count) >= 10 and found == "False"
