"""`kpnviz page`: the kernel lens as a file, of bursts, of files of kernels and of methods of one's own."""

import base64
import gzip
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

import kpnviz
from kpnviz.burst import Burst
from kpnviz.capture.writer import write_burst
from kpnviz.commands.main import main
from kpnviz.lens import unpack
from kpnviz.lens.payload import read_header
from kpnviz.models import checkpoints
from kpnviz.noise import NoiseModel

from ..conftest import tiny


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(folder))
    for name in ("mkpn", "kpn-l5"):
        checkpoints.save(folder / f"{name}.safetensors", tiny(name), {})
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def burst():
    return kpnviz.synthesize(kpnviz.BurstRecipe("dog", (60, 90, 40, 52), frames=3))


def page(*arguments):
    """Run the command; what it reports."""
    assert main(["page", *map(str, arguments), "--json"]) == 0


def shown(file):
    """The order, the header and the arrays that a page holds."""
    packed = re.search(r'id="payload">([^<]*)<', file.read_text())[1]
    data = gzip.decompress(base64.b64decode(packed))
    order, begin = read_header(data)
    return order, *unpack(data[begin:])


def test_the_page_of_a_burst_holds_what_python_computes(tmp_path, burst, capsys):
    write_burst(tmp_path / "burst", burst)
    page("burst", "--model", "mkpn", "kpn-l5", "--at", "12,34", "-o", "lens.html")
    report = json.loads(capsys.readouterr().out)
    assert report["models"] == ["mkpn", "kpn-l5"] and report["pixel"] == [12, 34]
    assert report["bytes"] == (tmp_path / "lens.html").stat().st_size
    order, header, arrays = shown(tmp_path / "lens.html")
    assert order["pinned"] == [12, 34]
    read = kpnviz.read_burst("burst")
    panels = {panel["name"]: arrays[panel["image"]] for panel in header["panels"]}
    for name in ("mkpn", "kpn-l5"):
        np.testing.assert_allclose(panels[name], kpnviz.load(name)(read).image, atol=1e-6)


def test_of_a_large_burst_the_part_around_the_pixel_is_shown(tmp_path, burst, capsys):
    write_burst(tmp_path / "burst", burst)
    read = kpnviz.read_burst("burst")
    for options, (top, left, height, width) in {
        ("--at", "38,3", "--size", "20"): (20, 0, 20, 20),
        ("--size", "16"): (12, 18, 16, 16),
        ("--crop", "5,6,17,18", "--at", "5,23"): (5, 6, 17, 18),
    }.items():
        page("burst", *options, "-o", "lens.html")
        report = json.loads(capsys.readouterr().out)
        _, header, arrays = shown(tmp_path / "lens.html")
        expected = read.frames[:, top : top + height, left : left + width]
        np.testing.assert_allclose(arrays[header["frames"]], expected, atol=1e-6)
        if "--at" in options:
            y, x = map(int, options[options.index("--at") + 1].split(","))
            assert report["pixel"] == [y - top, x - left]


def test_a_file_of_kernels_is_shown_as_it_is_and_networks_beside_it(tmp_path, burst, capsys):
    field = kpnviz.KernelField.from_kernels(torch.rand(3, 3, 3, 20, 26) / 9, size=(40, 52))
    kpnviz.save_kernels(tmp_path / "kernels.npz", burst, kpnviz.Estimate.of(burst, field, name="mine"))
    page("kernels.npz", "-o", "lens.html")
    assert json.loads(capsys.readouterr().out)["models"] == ["mine"]
    page("kernels.npz", "--model", "mkpn", "--at", "3,4", "-o", "lens.html")
    assert json.loads(capsys.readouterr().out)["models"] == ["mine", "mkpn"]
    assert shown(tmp_path / "lens.html")[0]["pinned"] == [3, 4]


def test_a_method_of_ones_own_is_shown(tmp_path, burst, capsys):
    write_burst(tmp_path / "burst", burst)
    (tmp_path / "my_net.py").write_text("def predict(burst):\n    return burst.frames.mean(0)\n")
    page("burst", "--method", "my_net.py:predict", "-o", "lens.html")
    assert json.loads(capsys.readouterr().out)["models"] == ["my_net"]


def test_a_method_of_a_number_of_frames_gets_as_many_here_as_from_denoise(tmp_path, burst, capsys):
    write_burst(tmp_path / "burst", burst)  # of 3 frames
    for name, frames in {"two": 2, "two_or_eight": [2, 8], "five": 5}.items():
        code = f"def predict(burst):\n    return burst.frames.mean(0)\n\n\npredict.frames = {frames}\n"
        (tmp_path / f"{name}.py").write_text(code)
        page("burst", "--method", f"{name}.py:predict", "-o", "lens.html")
        _, header, arrays = shown(tmp_path / "lens.html")
        assert len(arrays[header["frames"]]) == {"five": 5}.get(name, 2)
        options = ["--method", f"{name}.py:predict", "-o", "clean.png", "--linear", "--json"]
        capsys.readouterr()
        assert main(["denoise", "burst", *options]) == 0
        assert len(json.loads(capsys.readouterr().out)["frames"]) == len(arrays[header["frames"]])
        picture = arrays[header["panels"][2]["image"]]
        clean = np.asarray(Image.open(tmp_path / "clean.png")) / 65535
        np.testing.assert_allclose(clean, picture.clip(0, 1), atol=1e-4)
    both = ["--method", "two.py:predict", "--method", "five.py:predict"]
    assert main(["page", "burst", *both, "-o", "lens.html"]) == 1
    assert "these take different numbers of frames (two 2, five 5)" in capsys.readouterr().err


def test_noise_that_colors_have_in_common_is_said(capsys):
    codes = np.random.default_rng(0).normal(0.4, 0.02, (4, 64, 64, 1)).astype(np.float32)
    np.save("gray.npy", codes.repeat(3, axis=3))
    page("gray.npy", "--color", "--model", "kpn-l5", "-o", "lens.html")
    assert "R, G and B is partly or all the same (correlation 1)" in capsys.readouterr().err


def test_the_heading_is_the_photo_where_it_is_known_and_else_the_file(tmp_path, burst, capsys):
    write_burst(tmp_path / "mine", burst)
    write_burst(tmp_path / "theirs", Burst(burst.frames, burst.noise))
    for folder, heading in {"mine": "Photo “dog”", "theirs": "theirs"}.items():
        page(folder, "-o", "lens.html")
        text = (tmp_path / "lens.html").read_text()
        assert f"<h1>{heading}</h1>" in text and f"<title>kpnviz: {heading}</title>" in text
    field = kpnviz.KernelField.from_kernels(torch.ones(3, 1, 1, 40, 52))
    view = kpnviz.show(Burst(burst.frames), kpnviz.Estimate.of(burst, field, name="my <net>"))
    view.save(tmp_path / "lens.html")
    assert "<h1>Kernels of my &lt;net&gt;</h1>" in (tmp_path / "lens.html").read_text()


@pytest.mark.parametrize(
    "options, sentence",
    [
        (["-o", "lens.txt"], "lens.txt: the name of a page ends in .html"),
        (["--at", "-1,1"], "argument --at: -1 is not a whole number from 0 to 1000000"),
        (["--at", "40,1"], "--at is 40,1; the frames have 40x52 pixels"),
        (["--at", "1,1", "--crop", "5,5,20,20"], "--at is 1,1, which is not in the part that --crop names"),
        (["--crop", "5,5,20,48"], "--crop is 5,5,20,48; the frames have 40x52 pixels"),
        (["--max-mb", "0.1"], "choose a smaller crop or fewer methods or frames"),
        (["--model", "kpn-l7"], "kpn-l7"),
        (["--color"], "--color: the files are gray"),
        (["-o", "nowhere/lens.html"], "there is no folder 'nowhere'"),
    ],
)
def test_what_cannot_be_is_one_sentence(options, sentence, tmp_path, burst, capsys):
    write_burst(tmp_path / "burst", burst)
    try:
        code = main(["page", "burst", *(() if "-o" in options else ("-o", "lens.html")), *options])
    except SystemExit as stopped:
        code = stopped.code
    assert code in (1, 2)
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert sentence in said and not (tmp_path / "lens.html").exists()


def test_a_file_of_kernels_has_no_part(tmp_path, burst, capsys):
    field = kpnviz.KernelField.from_kernels(torch.ones(3, 1, 1, 20, 26), size=(40, 52))
    kpnviz.save_kernels(tmp_path / "kernels.npz", burst, kpnviz.Estimate.of(burst, field))
    assert main(["page", "kernels.npz", "--size", "16", "-o", "lens.html"]) == 2
    assert "--size is of frames; a file of kernels is shown as it is" in capsys.readouterr().err


def test_kernels_are_written_as_npz_alone(tmp_path, burst, capsys):
    write_burst(tmp_path / "burst", burst)
    assert main(["kernels", "burst", "--at", "1,1", "-o", "x.txt"]) == 1
    assert "x.txt: kernels are written as .npz" in capsys.readouterr().err
    assert not (tmp_path / "x.txt").exists()


def test_synth_does_not_replace_a_burst_that_is_not_synthetic(tmp_path, capsys):
    frames = np.random.default_rng(0).random((2, 16, 16), dtype=np.float32)
    write_burst(tmp_path / "own", Burst(frames, NoiseModel(0.01, 0.001)))
    before = {file.name: file.read_bytes() for file in (tmp_path / "own").iterdir()}
    command = ["synth", "dog", "-o", "own", "--crop", "60,90,16,16", "--frames", "2"]
    assert main(command) == 1
    assert (
        "own holds a burst that is no synthetic one; name a new folder, or use --force"
        in capsys.readouterr().err
    )
    assert {file.name: file.read_bytes() for file in (tmp_path / "own").iterdir()} == before
    assert main([*command, "--force"]) == 0
    assert main(command) == 0  # that one is synthetic
