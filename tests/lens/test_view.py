"""kpnviz.show: what it refuses, what objects look like in a notebook, and that it needs NumPy and PyTorch alone."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import kpnviz
from kpnviz.lens import unpack

FRAMES = np.random.default_rng(0).random((3, 24, 30), dtype=np.float32)
FIELD = kpnviz.KernelField.from_kernels(np.ones((3, 1, 1, 24, 30), np.float32))


@pytest.fixture
def burst():
    return kpnviz.Burst(FRAMES, kpnviz.NoiseModel(0.1, 0.01))


@pytest.fixture
def estimate(burst):
    kernels = torch.rand(3, 3, 3, 12, 15, generator=torch.Generator().manual_seed(1)) / 9
    return kpnviz.Estimate.of(burst, kpnviz.KernelField.from_kernels(kernels, size=(24, 30)), name="mine <b>")


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"burst": FRAMES}, "burst is of type ndarray; it is a kpnviz.Burst"),
        ({"estimates": [FRAMES]}, "each is an Estimate or a Series"),
        (
            {"estimates": FIELD},
            "estimates is of type KernelField; it is an Estimate, a Series or a list of them",
        ),
        ({"estimates": {"mine": FIELD}}, "estimates is of type dict; it is an Estimate"),
        ({"height": 20}, "height is 20; it is a whole number from 300 to 4000"),
        ({"theme": "blue"}, "theme is 'blue'; it is 'light', 'dark' or None"),
        ({"pixel": (24, 0)}, "pixel: y is 24; the frames have rows 0 to 23"),
        ({"pixel": 7}, "pixel is 7; it is (y, x)"),
        ({"max_bytes": 1000}, "choose a smaller crop or fewer methods or frames"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(change, sentence, burst, estimate):
    given = {"burst": burst, "estimates": estimate} | change
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        kpnviz.show(given.pop("burst"), given.pop("estimates"), **given)
    assert sentence in str(error.value)


def test_codes_in_place_of_intensities_are_noticed():
    with pytest.warns(
        UserWarning, match=r"white is 1 and half of the frames' values are above 13\d: .*white_level="
    ) as told:
        kpnviz.show(kpnviz.Burst(255 * FRAMES), [])
    assert told[0].filename == __file__


@pytest.mark.filterwarnings("error")
def test_a_stated_white_level_is_believed():
    kpnviz.show(kpnviz.Burst(255 * FRAMES, white_level=255), [])
    kpnviz.show(kpnviz.Burst(3 * FRAMES), [])  # of a rendering


def test_kernels_of_another_burst_are_refused(burst, estimate):
    with pytest.raises(ValueError, match="frames"):
        kpnviz.show(kpnviz.Burst(FRAMES[:2]), estimate)


def test_the_pixel_is_what_was_set_last(burst, estimate):
    view = kpnviz.show(burst, estimate)
    assert view.pixel == (12, 15)  # where the lens begins
    view.pixel = np.array([3, 4])
    assert view.pixel == (3, 4)
    with pytest.raises(ValueError, match="pixel: x is 30"):
        view.pixel = (0, 30)
    assert view.pixel == (3, 4)


def test_a_view_is_saved_with_its_pixel_and_theme(burst, estimate, tmp_path):
    view = kpnviz.show(burst, [estimate], pixel=(3, 4), theme="dark")
    file = view.save(tmp_path / "kernels.html")
    text = file.read_text()
    assert "color-scheme: dark;" in text and "mine &lt;b&gt;" in text and "mine <b>" not in text
    for name, sentence in {
        "kernels.png": "kernels.png: the name of a page ends in .html",
        "no/kernels.html": "there is no folder",
    }.items():
        with pytest.raises(ValueError, match=sentence):
            view.save(tmp_path / name)


def test_the_ideal_kernels_are_there_where_the_recipe_makes_the_truth_again(estimate):
    burst = kpnviz.synthesize(kpnviz.BurstRecipe("dog", (60, 90, 24, 30), frames=3))
    header, arrays = unpack(kpnviz.show(burst).payload)
    np.testing.assert_allclose(arrays[header["clean"]][0], burst.truth, atol=1e-3)
    other = kpnviz.Burst(burst.frames, burst.noise, 1.0, burst.truth + 0.1, recipe=burst.recipe)
    assert unpack(kpnviz.show(other).payload)[0]["clean"] is None


def test_a_page_states_the_largest_error_of_all_steps(burst, tmp_path):
    steps = {}
    for number, scale in ((1, 1.0), (2, 10.0), (3, 0.1)):
        weights = scale * torch.rand(3, 3, 3, 24, 30, generator=torch.Generator().manual_seed(1)) / 9
        steps[number] = kpnviz.Estimate.of(burst, kpnviz.KernelField.from_kernels(weights), name="mine")
    view = kpnviz.show(burst, kpnviz.Series("step", steps), lossy=True)
    (method,) = unpack(view.payload)[0]["methods"]
    errors = [step["kernels"]["error"] for step in method["steps"]]
    page = view.save(tmp_path / "a.html").read_text()
    assert max(errors) == errors[1] and f"by up to: mine {errors[1]:.2g} (linear" in page


def test_objects_of_a_notebook_are_small_and_escaped(burst, estimate):
    series = kpnviz.Series("training <i>", {1: estimate, 2: estimate})
    view = kpnviz.show(burst, estimate)
    for html in (burst._repr_html_(), estimate._repr_html_(), series._repr_html_(), view._summary()):
        assert "<img src=" in html and len(html) < 5000 and "<i>" not in html and "mine <b>" not in html
    assert "3 frames of 24x30" in burst._repr_html_() and "read_std 0.1" in burst._repr_html_()
    assert "mine" in repr(view) and "\n" not in repr(view)
    color = kpnviz.Burst(np.random.default_rng(0).random((2, 3, 400, 300), dtype=np.float32))
    assert "in color" in color._repr_html_() and "noise not known" in color._repr_html_()
    assert (
        len(color._repr_html_()) < 80_000
    )  # 134x100 pixels of noise, that is, which PNG cannot make smaller


def test_the_notebook_gets_a_widget_with_the_payload_as_bytes_once(burst, estimate):
    pytest.importorskip("anywidget")
    view = kpnviz.show(burst, estimate, pixel=(3, 4), height=500)
    bundle = view._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert set(data) >= {"text/plain", "text/html"}
    assert all(len(str(part)) < 5000 for part in data.values())
    widget = view.widget
    assert widget is view.widget and widget.payload == view.payload and widget.height == 500
    widget.pixel = [5, 6]  # as the browser does
    widget.chosen = {**widget.order, "pinned": [5, 6]}
    assert view.pixel == (5, 6) and '"pinned": [5, 6]' in _order_of(view.html())
    view.pixel = (7, 8)
    assert widget.order["pinned"] == (7, 8) and widget.order["number"] == 2 and view.pixel == (7, 8)


def test_without_anywidget_it_is_a_frame_with_a_file(burst, estimate, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "anywidget" else found(name, *a)
    )
    monkeypatch.chdir(tmp_path)
    view = kpnviz.show(burst, estimate)
    data = view._repr_mimebundle_()
    (file,) = tmp_path.glob("kpnviz-lens-*.html")
    assert f'<iframe src="{file.name}"' in data["text/html"] and len(data["text/html"]) < 2000
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    (tmp_path / "folder" / file.name).mkdir()
    assert "cannot be shown" in view._repr_mimebundle_()["text/html"]


def _order_of(page):
    """The text of the order in front of a page's payload."""
    import base64
    import gzip
    import re

    return gzip.decompress(base64.b64decode(re.search(r'id="payload">([^<]*)<', page)[1]))[:600].decode(
        errors="replace"
    )


# An installation that has NumPy and PyTorch, and what these say that they need, and nothing else.
_BARE = """
import re, sys
from importlib.machinery import PathFinder
from importlib.metadata import distribution, packages_distributions, requires

def needed(name, found):
    if name in found:
        return found
    found.add(name)
    for line in requires(name) or ():
        if "extra ==" not in line and ("Linux" not in line or "torch" not in name):
            try:
                needed(distribution(re.match(r"[A-Za-z0-9._-]+", line)[0]).metadata["Name"], found)
            except ModuleNotFoundError:
                pass
    return found

kept = needed("numpy", needed("torch", set()))
other = {module for module, names in packages_distributions().items() if not kept & set(names)} - {"kpnviz"}
find = PathFinder.find_spec

class Bare:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.split(".")[0] in other else find(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
assert {"scipy", "skimage", "PIL", "numba", "safetensors", "streamlit", "plotly", "anywidget", "IPython"} <= other

import kpnviz.lens
import numpy as np, torch, kpnviz
frames = np.random.default_rng(0).random((3, 32, 32), dtype=np.float32)
burst = kpnviz.Burst(frames, kpnviz.NoiseModel(.1, .01), truth=frames[0])
field = kpnviz.KernelField.from_kernels(torch.rand(3, 5, 5, 16, 16), size=(32, 32))
view = kpnviz.show(burst, kpnviz.Estimate.of(burst, field), pixel=(3, 4))
print(view.save(sys.argv[1]), burst._repr_html_()[:4], view._repr_mimebundle_().keys())
"""


def test_it_needs_numpy_and_pytorch_alone(tmp_path):
    file = tmp_path / "kernels.html"
    root = Path(kpnviz.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", _BARE, str(file)], cwd=tmp_path, capture_output=True, text=True,
        env={"PYTHONPATH": str(root), "PATH": "", "OMP_NUM_THREADS": "1", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert file.stat().st_size > 100_000
