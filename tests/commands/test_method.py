"""--method: a function of one's own file on the command line."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kpnviz.commands import main as commands
from kpnviz.commands.main import main
from kpnviz.evaluation.results import kept_rows
from kpnviz.methods import offered
from kpnviz.ui import server

METHOD = """
import numpy as np
import kpnviz

def predict(burst):
    N, H, W = burst.frames.shape
    kernels = np.zeros((N, 3, 3, H, W), np.float32)
    kernels[:, 1, 1] = 1
    return kpnviz.KernelField.from_kernels(kernels, padding="reflect", reduce="mean")

def fails(burst):
    raise RuntimeError("out of ideas")

def endless(burst):
    print("begun", flush=True)
    while True: pass

def color(burst):
    return burst.mean

predict.frames = [2, 8]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_net.py"
    path.write_text(METHOD)
    return path


@pytest.fixture(scope="module")
def burst(tmp_path_factory):
    folder = tmp_path_factory.mktemp("burst")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(folder / "photo.png")
    out = folder / "burst"
    assert (
        main(["synth", str(folder / "photo.png"), "-o", str(out), "--frames", "3", "--reduction", "1"]) == 0
    )
    return out


CASE = ["--motion", "whole-pixel", "--gains", "4", "--limit", "2"]


@pytest.mark.parametrize("workers", [(), pytest.param(("--workers", "2"), marks=pytest.mark.slow)])
def test_evaluate_measures_it_beside_others(file, tmp_path, capsys, workers):
    output = tmp_path / "mine.csv"
    arguments = [
        "evaluate",
        "--method",
        f"{file}:predict",
        "--models",
        "mean",
        *CASE,
        "--output",
        str(output),
    ]
    assert main(arguments) == 0
    mine, mean = sorted(kept_rows(output), key=lambda row: row.model, reverse=True)
    assert (mine.model, mean.model) == ("my_net", "mean")
    np.testing.assert_allclose(mine.psnrs, mean.psnrs, atol=1e-3)  # it is the mean of the frames, too
    assert not np.isnan(mine.alignment) and np.isnan(mean.alignment)
    # Its rows are never taken for up to date; in other processes it is the same.
    assert main([*arguments, *workers]) == 0
    again = next(row for row in kept_rows(output) if row.model == "my_net")
    assert again.psnrs == mine.psnrs and np.isnan(again.seconds) == bool(workers)
    assert "my_net" in capsys.readouterr().out


def test_a_method_that_takes_none_of_the_bursts_is_said(file, capsys):
    arguments = ["evaluate", "--method", f"{file}:predict", "--models", "mean", *CASE]
    assert main([*arguments, "--frames", "4"]) == 1
    said = capsys.readouterr()
    assert (
        said.out == "" and "my_net takes 2, 8 frames, but the bursts have 4: choose with --frames" in said.err
    )


def test_evaluate_alone_measures_nothing_else_and_writes_nothing(file, monkeypatch, capsys):
    monkeypatch.setattr("kpnviz.evaluation.results.add_rows", None)
    assert main(["evaluate", "--method", f"{file}:color", *CASE]) == 0
    out = capsys.readouterr().out
    assert "my_net-color" in out and "mkpn" not in out


def test_an_error_of_it_is_a_sentence_after_its_traceback(file, capsys):
    assert main(["evaluate", "--method", f"{file}:fails", *CASE]) == 1
    lines = capsys.readouterr().err.strip().split("\n")
    assert lines[-1] == (
        "kpnviz evaluate: my_net-fails raised RuntimeError for a burst of 8 frames: out of ideas"
    )
    assert any('raise RuntimeError("out of ideas")' in line for line in lines)


@pytest.mark.slow
def test_one_that_never_ends_can_be_interrupted(file):
    import signal

    process = subprocess.Popen(
        [sys.executable, "-m", "kpnviz", "evaluate", "--method", f"{file}:endless", *CASE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and errors.strip().endswith("kpnviz evaluate: stopped")


def test_denoise_and_kernels_take_it(burst, file, tmp_path, capsys):
    picture, kernels = tmp_path / "clean.png", tmp_path / "kernels.npz"
    common = [str(burst), "--method", f"{file}:predict", "--align", "off"]
    assert main(["denoise", *common, "-o", str(picture), "--linear"]) == 0
    clean = np.asarray(Image.open(picture)) / 65535
    assert main(["kernels", *common, "-o", str(kernels), "--at", "0,7"]) == 0
    found = np.load(kernels)
    assert found["kernels"].shape == (1, 2, 3, 3)  # of 3 frames it takes 2
    value = (found["kernels"] * found["patches"]).sum((2, 3)).mean(1)
    np.testing.assert_allclose(value, found["value"], atol=1e-6)
    assert clean[0, 7] == pytest.approx(np.clip(value[0], 0, 1), abs=1e-4)
    assert main(["denoise", "--each", *common, "-o", str(tmp_path / "all")]) == 2
    assert main(["kernels", str(burst), "--method", f"{file}:color", "-o", str(kernels), "--at", "0,7"]) == 1
    errors = capsys.readouterr().err
    assert "--method denoises one burst: not with --each" in errors
    assert "my_net-color predicts the picture itself; it has no kernels" in errors


def test_the_app_gets_it_by_its_command_line_alone(file, monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(commands, "run_beside", lambda command, folder: started.append(command) or 0)
    monkeypatch.chdir(tmp_path)
    assert main(["app", "--method", "my_net.py:predict", "--port", "8765"]) == 0
    (command,) = started
    at = command.index("kpnviz.ui.server")
    assert command[at + 1 : at + 3] == ["--method", f"{file}:predict"]
    assert main(["app", "--method", "their_net.py:predict"]) == 1
    # The server offers it, and Streamlit sees its own options only.
    served = []
    monkeypatch.setattr(server.server, "run", lambda app, prepare, options: served.append(options))
    try:
        server.main(command[at + 1 :])
        assert list(offered.offered()) == ["my_net"]
        assert served == [["--server.address", "127.0.0.1", "--server.port", "8765"]]
    finally:
        offered.offer([])
    file.write_text("1 / 0")
    with pytest.raises(
        SystemExit, match="kpnviz app: .*my_net.py:predict cannot be loaded: ZeroDivisionError"
    ):
        server.main(command[at + 1 :])
