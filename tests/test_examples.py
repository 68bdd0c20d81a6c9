"""The notebooks of examples/ run, and are committed without what they gave."""

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))
SHORTER = {"STEPS": {"small_kpn": "3", "training_series": "[0, 1, 2]"}, "LIMIT": {"evaluate_own_method": "1"}}
"""The constants that say how long a notebook works, and what is enough to see that it does."""


@pytest.mark.slow
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_notebook_runs(file, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(file, as_version=4)
    for name, values in SHORTER.items():
        if file.stem in values:
            changed = 0
            for cell in notebook.cells:
                cell.source, count = re.subn(
                    rf"^{name} = .*$", f"{name} = {values[file.stem]}", cell.source, flags=re.MULTILINE
                )
                changed += count
            assert changed == 1, f"{name} is set once"
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in shown)
    assert not [output for output in shown if output.get("name") == "stderr"]


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_a_notebook_is_committed_without_outputs(file):
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
    assert "widgets" not in notebook.metadata and len(file.read_bytes()) < 20_000


def test_the_readme_names_every_notebook():
    readme = (EXAMPLES[0].parent.parent / "README.md").read_text()
    assert len(EXAMPLES) == 6
    assert [file.name for file in EXAMPLES if f"(examples/{file.name})" not in readme] == []
