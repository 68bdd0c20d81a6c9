"""What is on disk stays: folders of others, inputs, runs; interrupted and killed commands."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from kpnviz import paths
from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.writer import write_burst
from kpnviz.commands.main import main
from kpnviz.models import checkpoints, unet, zoo
from kpnviz.models.kpn import ModelConfig
from kpnviz.paths import held
from kpnviz.training.train import TrainingConfig, train

from ..conftest import TINY, tiny

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
SMALL = ["--crop", "0,0,24,24"]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path / "checkpoints"))
    checkpoints.save(tmp_path / "checkpoints" / "mkpn.safetensors", tiny("mkpn"), {})
    monkeypatch.chdir(tmp_path)


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_synth_writes_only_where_nothing_of_others_is(tmp_path, capsys):
    own = tmp_path / "own"
    own.mkdir()
    (own / "frame_00.png").write_bytes(b"mine")
    before = contents(own)
    assert main(["synth", "dog", "-o", "own", *SMALL]) == 1
    assert (
        "own holds files that kpnviz did not write; name a new folder, or use --force"
        in capsys.readouterr().err
    )
    assert contents(own) == before
    (own / "burst.json").write_text('{"format": "another program", "frames": ["frame_00.png"]}')
    assert main(["synth", "dog", "-o", "own", *SMALL]) == 1 and (own / "frame_00.png").read_bytes() == b"mine"
    (own / "frame_77.png").write_bytes(b"mine too")
    assert main(["synth", "dog", "-o", "own", *SMALL, "--force"]) == 0
    assert (own / "frame_77.png").read_bytes() == b"mine too" and len(contents(own)) == 8 + 1 + 2
    # Its own burst is replaced; what lies beside it stays, also where burst.json names it.
    (own / "notes.txt").write_text("mine")
    metadata = json.loads((own / "burst.json").read_text())
    (own / "burst.json").write_text(
        json.dumps(metadata | {"frames": [*metadata["frames"], "notes.txt", "../x"]})
    )
    assert main(["synth", "dog", "-o", "own", *SMALL, "--frames", "3"]) == 0
    assert sorted(contents(own)) == [
        "burst.json", "frame_00.png", "frame_01.png", "frame_02.png", "frame_77.png", "notes.txt", "truth.png",
    ]  # fmt: skip
    (tmp_path / "empty").mkdir()
    assert main(["synth", "dog", "-o", "empty", *SMALL]) == 0
    assert main(["synth", "dog", "-o", "own/notes.txt", *SMALL]) == 1
    assert "notes.txt is a file" in capsys.readouterr().err


def test_a_burst_that_cannot_be_written_leaves_the_older_one(tmp_path, monkeypatch):
    main(["synth", "dog", "-o", "b", *SMALL])
    before = contents("b")
    writes = [0]
    write = Path.write_bytes

    def full(path, data):
        writes[0] += 1
        if writes[0] == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["synth", "city", "-o", "b", *SMALL]) == 1
    assert contents("b") == before and not list(tmp_path.glob("*.partial")) + list(
        tmp_path.glob(".*.partial")
    )


def test_denoise_never_writes_over_what_it_reads(tmp_path, capsys):
    write_burst(tmp_path / "b", synthesize(BurstRecipe("dog", (0, 0, 24, 24))))
    before = contents("b")
    frames = sorted(str(path) for path in Path("b").glob("frame_*"))
    os.symlink(tmp_path / "b" / "frame_01.png", "link.png")
    for inputs, output in ((frames, frames[1]), (["b"], "b/frame_03.png"), (frames, "link.png")):
        assert main(["denoise", *inputs, "-o", output]) == 1
        assert "is one of the files that are read; name another" in capsys.readouterr().err
    for command in (["denoise", "b"], ["kernels", "b", "--at", "3,3"]):
        for output in ("nowhere/out.png", "checkpoints/.."):
            begun = time.perf_counter()
            suffix = [] if output.endswith(".png") or command[0] == "kernels" else [""]
            assert main([*command, "-o", output, *suffix[1:]]) == 1
            assert "cannot be written" in (said := capsys.readouterr().err) or "the picture is" in said
            assert time.perf_counter() - begun < 2
    assert contents("b") == before


def test_a_frame_may_be_called_as_the_output_while_it_is_unfinished(tmp_path, capsys):
    write_burst(tmp_path / "b", synthesize(BurstRecipe("dog", (0, 0, 24, 24), frames=2)))
    inputs = [tmp_path / "v.png.partial", tmp_path / "w.png"]
    for number, path in enumerate(inputs):
        path.write_bytes((tmp_path / "b" / f"frame_0{number}.png").read_bytes())
    before = [path.read_bytes() for path in inputs]
    noise = ["--read-std", "0.01", "--shot-gain", "0.001"]
    assert main(["denoise", *map(str, inputs), "-o", "v.png", *noise]) == 0
    assert [path.read_bytes() for path in inputs] == before and Path("v.png").exists()


def test_an_output_is_replaced_as_a_whole(tmp_path, monkeypatch, capsys):
    write_burst(tmp_path / "b", synthesize(BurstRecipe("dog", (0, 0, 24, 24))))
    Path("out.png").write_bytes(b"older")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    assert main(["denoise", "b", "-o", "out.png"]) == 1
    assert "No space left on device: 'out.png'" in capsys.readouterr().err
    assert Path("out.png").read_bytes() == b"older" and not list(tmp_path.glob("*.partial"))


# --- training


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        coarse = Image.fromarray(rng.integers(20, 235, (24, 24), dtype=np.uint8))
        coarse.resize((136, 132), Image.Resampling.BICUBIC).convert("RGB").save(folder / f"{i}.png")
    return folder


@pytest.fixture
def small_zoo(monkeypatch):
    monkeypatch.setitem(unet.TRUNKS, "base", TINY)
    monkeypatch.setitem(zoo.ZOO, "mkpn", ModelConfig(sizes=(1, 3)))


def quick(photos, **values):
    return TrainingConfig(**{"model": "mkpn", "photos": photos, "steps": 6, "batch": 4, "crop": 24, **values})


def test_a_run_has_one_process(photos, small_zoo, tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from kpnviz.paths import held\n"
        "with held(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "runs" / "mkpn")],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
    )
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(ValueError, match="another process is at work in '.*mkpn'"):
        train(quick(photos), tmp_path / "runs", tmp_path / "o.safetensors", show_progress=False)
    other.kill()  # the lock goes with it
    other.wait()
    notes = tmp_path / "runs" / "mkpn" / "notes.partial"
    notes.write_bytes(b"mine")
    train(quick(photos, steps=1), tmp_path / "runs", tmp_path / "o.safetensors", show_progress=False)
    assert notes.read_bytes() == b"mine"
    with held(tmp_path / "runs" / "mkpn"):
        pass


def test_a_full_disk_leaves_the_last_state_and_says_so(photos, small_zoo, tmp_path, monkeypatch):
    config = quick(photos, save_every=2, validate_every=100)
    sync, saves = os.fsync, [0]

    def fill(opened):
        saves[0] += 1
        if saves[0] == 3:  # of steps 0, 2, 4
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(opened)

    with monkeypatch.context() as patch:
        patch.setattr(paths.os, "fsync", fill)
        sentence = (
            "the state of step 4 cannot be written \\(No space left on device\\); that of step 2 is kept"
        )
        with pytest.raises(OSError, match=sentence):
            train(config, tmp_path, tmp_path / "o.safetensors", show_progress=False)
    assert not list((tmp_path / "mkpn").glob("*.partial"))
    train(config, tmp_path, tmp_path / "resumed.safetensors", show_progress=False)
    train(config, tmp_path / "other", tmp_path / "whole.safetensors", show_progress=False)
    resumed, whole = load_file(tmp_path / "resumed.safetensors"), load_file(tmp_path / "whole.safetensors")
    assert all(np.array_equal(resumed[key], whole[key]) for key in whole)


SCRIPT = """
import sys
from kpnviz.commands.main import main
from kpnviz.models import unet, zoo
from kpnviz.models.kpn import ModelConfig
from tests.conftest import TINY
unet.TRUNKS["base"] = TINY
zoo.ZOO["mkpn"] = ModelConfig(sizes=(1, 3))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_bit_for_bit(photos, tmp_path):
    """Through the command line, with --save-every."""

    def start(folder):
        options = [
            "--steps",
            "24",
            "--batch",
            "4",
            "--crop",
            "24",
            "--save-every",
            "1",
            "--validate-every",
            "20",
        ]
        files = ["--runs", str(tmp_path / folder), "--output", str(tmp_path / folder / "o.safetensors")]
        command = [sys.executable, "-c", SCRIPT, "train", "mkpn", "--photos", str(photos), *options, *files]
        return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL)

    assert start("whole").wait() == 0
    process, random_ = start("killed"), random.Random(0)
    state = tmp_path / "killed" / "mkpn" / "state.pt"
    while not state.exists():
        time.sleep(0.01)
    time.sleep(random_.uniform(0.05, 0.3))
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "o.safetensors").exists()
    assert start("killed").wait() == 0
    whole, resumed = (load_file(tmp_path / folder / "o.safetensors") for folder in ("whole", "killed"))
    assert all(np.array_equal(resumed[key], whole[key]) for key in whole)


# --- Ctrl-C


@pytest.mark.parametrize("delay", [0.8, *(pytest.param(s, marks=pytest.mark.slow) for s in (0.15, 2.4))])
def test_ctrl_c_at_any_moment_is_one_word(tmp_path, delay):
    write_burst(tmp_path / "b", synthesize(BurstRecipe("dog", (0, 0, 200, 200))))
    before = sorted(os.listdir(tmp_path))
    # What Python does before the command's first line is not the command's: on a busy machine it takes long.
    code = (
        "import sys; from kpnviz.commands.stopping import stop_at_once; stop_at_once(); print('begun', flush=True)\n"
        "from kpnviz.__main__ import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "denoise", "b", "-o", "out.png", "--tile", "16"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert "Traceback" not in error
    if process.returncode != 0:  # it may have been through already
        assert process.returncode == 130 and error.endswith("kpnviz: stopped\n")
        assert sorted(os.listdir(tmp_path)) == before


def test_what_was_measured_before_ctrl_c_is_kept(tmp_path, monkeypatch, capsys):
    from kpnviz.evaluation import evaluate

    real = evaluate.evaluate

    def interrupted(*arguments, **options):
        yield next(real(*arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "evaluate", interrupted)
    command = [
        "evaluate",
        "--models",
        "mean",
        "reference",
        "--motion",
        "sub-pixel",
        "--gains",
        "4",
        "--limit",
        "1",
    ]
    assert main([*command, "--json"]) == 130
    output = capsys.readouterr()
    assert len(json.loads(output.out)["rows"]) == 1 and output.err.endswith("kpnviz evaluate: stopped\n")
