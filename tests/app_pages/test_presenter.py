"""Steps through examples in front of a class."""

from pathlib import Path

import pytest

from kpnviz.lens import linker
from kpnviz.lens.linker import linked

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def script(chromium):
    page = chromium.new_page()
    steps = linked(Path(linker.__file__).parent / "presenter" / "presenter.js")
    page.add_script_tag(content=steps.partition("export class Presenter")[0].replace("export ", ""))
    yield page.evaluate
    page.close()


@pytest.mark.parametrize(
    ("at", "step", "to"), [(None, 1, 0), (None, -1, 6), (0, 1, 1), (6, 1, 6), (3, -1, 2), (0, -1, 0)]
)
def test_steps_through_examples_end_at_the_ends(script, at, step, to):
    assert script("([at, step]) => stepTo(at, step, 7)", [at, step]) == to
