"""Training on tiny networks: the data is what it says, runs are exact, and learning happens."""

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from kpnviz.burst import Misalignment
from kpnviz.models import unet, zoo
from kpnviz.models.checkpoints import load_network
from kpnviz.models.kpn import ModelConfig
from kpnviz.noise import TRAINING_READ_STD, NoiseModel
from kpnviz.photos import find_photos
from kpnviz.training.data import PhotoBank
from kpnviz.training.run import WARM_UP, dead_share, learning_rate_factor, parameter_groups
from kpnviz.training.train import TrainingConfig, train, train_all

from ..conftest import TINY

REPOSITORY = Path(__file__).parents[2]
SILENT = NoiseModel(0.0, 0.0)

# What a process of its own runs: the zoo's model, small.
SCRIPT = """
import dataclasses, json, sys
from pathlib import Path
from kpnviz.models import unet, zoo
from kpnviz.training.train import TrainingConfig, train
from tests.conftest import TINY
unet.TRUNKS["base"] = TINY
zoo.ZOO["mkpn"] = dataclasses.replace(zoo.ZOO["mkpn"], sizes=(1, 3))
values = json.loads(sys.argv[1])
train(TrainingConfig(model="mkpn", photos=Path(values.pop("photos")), **values),
      Path(sys.argv[2]) / "runs", Path(sys.argv[2]) / "mkpn.safetensors", show_progress=False)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three photos of smooth random texture."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(3):
        coarse = Image.fromarray(rng.integers(20, 235, (24, 24), dtype=np.uint8))
        coarse.resize((180, 160), Image.Resampling.BICUBIC).convert("RGB").save(folder / f"{i}.png")
    return folder


@pytest.fixture
def small_zoo(monkeypatch):
    monkeypatch.setitem(unet.TRUNKS, "base", TINY)
    monkeypatch.setitem(zoo.ZOO, "mkpn", ModelConfig(sizes=(1, 3)))


def quick(photos, model="mkpn", **values):
    return TrainingConfig(**{"model": model, "photos": photos, "steps": 6, "batch": 4, "crop": 24, **values})


# --- data ---


def ramp(H=120, W=140):
    """Every pixel knows where it is: value = 1000 y + x."""
    return (1000.0 * np.arange(H)[:, None] + np.arange(W)).astype(np.float32)


@pytest.fixture
def native_scale(monkeypatch):
    monkeypatch.setattr("kpnviz.training.data.SCALES", (1.0,))


def test_windows_are_the_scene_shifted_flipped_and_transposed(native_scale):
    bank = PhotoBank([ramp()], 16, "cpu")
    batch = bank.batch(0, 0, 64, 8, noise=SILENT)
    assert torch.equal(batch.frames[:, 0], batch.truth)
    steps = set()
    for frames in batch.frames.double():
        # The step of the ramp along rows and columns tells how the window was turned.
        steps.add(
            (
                round((frames[0, 1, 0] - frames[0, 0, 0]).item()),
                round((frames[0, 0, 1] - frames[0, 0, 0]).item()),
            )
        )
        for frame in frames[1:]:
            offset = (frame - frames[0]).unique()
            assert len(offset) == 1
            dy = round(offset.item() / 1000)
            assert abs(dy) <= 16 and abs(offset.item() - 1000 * dy) <= 16
    assert steps == {(a * p, b * q) for a, b in [(1000, 1), (1, 1000)] for p in (1, -1) for q in (1, -1)}


def test_shifts_say_where_the_scene_went_also_in_turned_windows(native_scale):
    scene = np.random.default_rng(0).random((120, 140), dtype=np.float32)
    batch = PhotoBank([scene], 48, "cpu").batch(0, 0, 16, 8, noise=SILENT)
    assert batch.shifts[:, 0].abs().max() == 0 and batch.shifts.abs().max() == 16
    for frames, shifts in zip(batch.frames, batch.shifts.int().tolist(), strict=True):
        for frame, (dy, dx) in zip(frames, shifts, strict=True):
            assert torch.equal(frame[16 + dy : 32 + dy, 16 + dx : 32 + dx], frames[0, 16:32, 16:32])


def test_without_shake_all_frames_are_alike(native_scale):
    bank = PhotoBank([ramp()], 16, "cpu", Misalignment(0, 0, 0))
    batch = bank.batch(0, 0, 8, 5, noise=SILENT)
    assert torch.equal(batch.frames, batch.truth[:, None].expand(-1, 5, -1, -1))


def test_batches_depend_on_seed_and_step_alone_and_processes_share_them(native_scale):
    bank = PhotoBank([ramp() / 1e5], 16, "cpu")
    whole = bank.batch(5, 3, 8, 4)
    again = bank.batch(5, 3, 8, 4)
    parts = [bank.batch(5, 3, 8, 4, rank, 2) for rank in range(2)]
    for name in ("frames", "noise_map", "truth", "white_level", "shifts"):
        assert torch.equal(getattr(whole, name), getattr(again, name))
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts]))
    assert not torch.equal(whole.frames, bank.batch(5, 4, 8, 4).frames)
    assert not torch.equal(whole.frames, bank.batch(6, 3, 8, 4).frames)


def test_noise_and_white_level_cover_the_training_ranges(native_scale):
    bank = PhotoBank([np.zeros((100, 100), np.float32)], 16, "cpu")
    batches = [bank.batch(0, step, 64, 2) for step in range(10)]
    # On black all noise is read noise.
    read = torch.cat([b.frames.flatten(1).std(1) for b in batches]).log10()
    low, high = np.log10(TRAINING_READ_STD)
    assert low - 0.1 < read.min() < low + 0.1 and high - 0.1 < read.max() < high + 0.1
    assert read.mean().item() == pytest.approx((low + high) / 2, abs=0.1)
    white = torch.cat([b.white_level for b in batches])
    assert (
        white.min() > 0.1 and white.max() < 1 and white.log10().mean().item() == pytest.approx(-0.5, abs=0.05)
    )


def test_detail_is_drawn_more_often_than_flat_sky(native_scale):
    scene = np.full((200, 400), 0.5, np.float32)
    scene[:, 200:] = np.random.default_rng(0).random((200, 200))
    truth = PhotoBank([scene], 16, "cpu").batch(0, 0, 400, 1, noise=SILENT).truth
    flat = (truth.flatten(1).std(1) == 0).float().mean()
    assert 0.005 < flat < 0.2


def test_rescaled_photos_keep_their_mean():
    scene = np.random.default_rng(0).random((201, 203), dtype=np.float32)
    bank = PhotoBank([scene], 24, "cpu")
    assert bank.pixels.mean().item() == pytest.approx(scene.mean(), abs=2e-3)
    assert len(bank.pixels) > 2 * scene.size  # 1 + 2^(-2/3) + 2^(-4/3) + 1/4


# --- runs ---


@pytest.mark.parametrize("model", ["mkpn", "kpn-direct"])
def test_a_run_learns_and_says_how_it_was_trained(photos, small_zoo, tmp_path, model):
    config = quick(photos, model, steps=150, learning_rate=2e-2, validate_every=50, ema=0.9)
    card = train(config, tmp_path, tmp_path / "out.safetensors", show_progress=False)
    rows = list(csv.DictReader((tmp_path / model / "log.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [50, 100, 150]
    assert float(rows[-1]["psnr"]) > float(rows[0]["psnr"])
    assert card["training"]["steps"] == 150 and card["training"]["seed"] == 0
    assert card["metrics"]["gain 1"] > card["metrics"]["gain 8"]
    assert json.loads((tmp_path / "out.json").read_text()) == card
    assert load_network(tmp_path / "out.safetensors").config == dataclasses.replace(
        zoo.ZOO[model], trunk=TINY
    )


def test_a_budget_in_minutes_ends(photos, small_zoo, tmp_path):
    begun = time.perf_counter()
    card = train(
        quick(photos, steps=None, minutes=0.02), tmp_path, tmp_path / "o.safetensors", show_progress=False
    )
    assert card["training"]["steps"] >= 1 and time.perf_counter() - begun < 60
    assert card["training"]["minutes"] == pytest.approx(0.0, abs=0.1)


def run_script(values, folder, *launcher, wait=True):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(SCRIPT)
    command = [sys.executable, *launcher, str(folder / "script.py"), json.dumps(values), str(folder)]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if not wait:
        return process
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return load_file(folder / "mkpn.safetensors")


def test_killed_and_resumed_gives_the_same_weights_and_so_do_two_processes(photos, tmp_path):
    values = {
        "photos": str(photos),
        "steps": 40,
        "batch": 4,
        "crop": 24,
        "save_every": 1,
        "precision": "fp32",
    }
    uninterrupted = run_script(values, tmp_path / "a")

    process = run_script(values, tmp_path / "b", wait=False)
    state = tmp_path / "b" / "runs" / "mkpn" / "state.pt"
    deadline = time.time() + 120
    while not state.exists() or torch.load(state, weights_only=True)["step"] < 5:
        assert process.poll() is None and time.time() < deadline, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "b" / "mkpn.safetensors").exists()
    resumed = run_script(values, tmp_path / "b")
    for name, value in uninterrupted.items():
        assert torch.equal(value, resumed[name]), name

    two = run_script(
        values, tmp_path / "c", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"
    )
    for name, value in uninterrupted.items():
        # Gradients are summed in another order, and Adam divides small ones by themselves.
        torch.testing.assert_close(two[name].float(), value.float(), rtol=0, atol=2e-3)


def test_a_run_of_another_config_is_not_overwritten(photos, small_zoo, tmp_path):
    train(quick(photos, steps=2), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    before = (tmp_path / "mkpn" / "state.pt").read_bytes()
    with pytest.raises(ValueError, match="a run of another config is kept there \\(seed was 0, is 1\\)"):
        train(quick(photos, steps=2, seed=1), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    assert (tmp_path / "mkpn" / "state.pt").read_bytes() == before


def test_a_damaged_state_is_an_error_not_a_restart(photos, small_zoo, tmp_path):
    train(quick(photos, steps=2), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    (tmp_path / "mkpn" / "state.pt").write_bytes(b"nothing of use")
    with pytest.raises(ValueError, match=r"state\.pt: the run cannot be resumed"):
        train(quick(photos, steps=2), tmp_path, tmp_path / "o.safetensors", show_progress=False)


def test_learning_rate_rises_and_falls():
    factors = [learning_rate_factor(p) for p in np.linspace(0, 1, 501)]
    assert (
        factors[0] < 0.01 and max(factors) == pytest.approx(1, abs=1e-3) and factors[-1] == pytest.approx(0)
    )
    assert np.argmax(factors) == pytest.approx(500 * WARM_UP, abs=1)
    assert np.all(np.diff(factors[int(500 * WARM_UP) + 1 :]) < 0)


@pytest.mark.parametrize(
    "values, sentence",
    [
        (dict(model="resnet"), "model 'resnet' is not in the zoo"),
        (dict(minutes=3), "steps is 6 and minutes is 3"),
        (dict(steps=None), "steps is None and minutes is None"),
        (dict(steps=0), "steps is 0"),
        (dict(learning_rate=-1), "learning_rate is -1"),
        (dict(precision="fp8"), "precision is 'fp8'"),
        (dict(trunk="huge"), "trunk is 'huge'; choose base or paper"),
    ],
)
def test_bad_configs_are_named(tmp_path, values, sentence):
    with pytest.raises(ValueError, match=sentence):
        quick(tmp_path, **values)


def test_layers_with_more_inputs_learn_more_slowly():
    network = nn.Sequential(nn.Conv2d(8, 4, 3), nn.Conv2d(4, 16, 3), nn.Conv2d(16, 2, 3))
    groups = parameter_groups(network, 0.5)
    rates = {parameter: group["rate"] for group in groups for parameter in group["params"]}
    decays = {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert [rates[layer.weight] for layer in network] == [1, 1, 0.5]
    assert {rates[layer.bias] for layer in network} == {0.1}
    assert {decays[layer.bias] for layer in network} == {0} and decays[network[0].weight] == 0.5


def test_dead_units_are_counted():
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU())
    nn.init.ones_(network[0].weight)
    network[0].bias.data = torch.tensor([0.0, -5.0, 0.0, -5.0])
    # The second fires on one of the inputs, at one pixel.
    inputs = [(torch.rand(1, 1, 4, 4),), (torch.rand(1, 1, 4, 4),)]
    assert dead_share(network, inputs) == 0.5
    network[0].bias.data[1] = -0.999 * max(x.max() for (x,) in inputs)
    assert dead_share(network, inputs) == 0.25
    assert len(network[1]._forward_hooks) == 0


def test_a_zoo_is_trained_once(photos, monkeypatch, tmp_path):
    """The real trunk, a few steps: every model, and never again."""
    monkeypatch.setattr("kpnviz.training.train.ZOO", ("kpn-l3", "kpn-1frame"))
    config = quick(photos, "mkpn", steps=2, crop=32)
    runs, weights = tmp_path / "runs", tmp_path / "weights"
    cards = train_all(config, runs, weights, show_progress=False)
    assert set(cards) == {"kpn-l3", "kpn-1frame"}
    again = train_all(config, runs, weights, show_progress=False)
    assert {n: card["sha256"] for n, card in again.items()} == {
        n: card["sha256"] for n, card in cards.items()
    }


def test_bad_photos_are_named(tmp_path, small_zoo):
    with pytest.raises(ValueError, match="no PNG, JPEG, TIFF or WebP file in"):
        find_photos(tmp_path)
    with pytest.raises(ValueError, match="none of 1 is large enough for windows of 64 pixels"):
        PhotoBank([np.zeros((50, 50))], 64, "cpu")
