"""Training on tiny networks: runs are exact, and learning happens."""

import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from kpnviz.models import checkpoints, unet, zoo
from kpnviz.models.checkpoints import load_network
from kpnviz.models.kpn import ModelConfig
from kpnviz.training import run
from kpnviz.training import train as training
from kpnviz.training.data import PhotoBank
from kpnviz.training.optimizers import Muon, orthogonalized, parameter_groups
from kpnviz.training.run import WARM_UP, World, dead_share, learning_rate_factor
from kpnviz.training.train import (
    SHARED,
    TrainingConfig,
    _Matching,
    shared_models,
    start_from,
    train,
    train_all,
)

from ..conftest import TINY, TINY_MATCHING, burst_tensors, tiny

REPOSITORY = Path(__file__).parents[2]

# What a process of its own runs, one after the other: models of the zoo, small.
SCRIPT = """
import dataclasses, json, sys
from pathlib import Path
from kpnviz.models import unet, zoo
from kpnviz.training.train import TrainingConfig, train
from tests.conftest import TINY, TINY_MATCHING
unet.TRUNKS["base"] = TINY
unet.TRUNKS["matching"] = TINY_MATCHING
for name in ("mkpn-stacked", "mkpn"):
    zoo.ZOO[name] = dataclasses.replace(zoo.ZOO[name], sizes=(1, 3))
for values in json.loads(sys.argv[1]):
    config = TrainingConfig(photos=Path(values.pop("photos")), **values)
    train(config, Path(sys.argv[2]) / "runs", Path(sys.argv[2]) / f"{config.model}.safetensors", show_progress=False)
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three photos of smooth random texture, hardly larger than bursts of 24 pixels need: validation is the quicker."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(3):
        coarse = Image.fromarray(rng.integers(20, 235, (24, 24), dtype=np.uint8))
        coarse.resize((136, 132), Image.Resampling.BICUBIC).convert("RGB").save(folder / f"{i}.png")
    return folder


@pytest.fixture
def small_zoo(monkeypatch):
    monkeypatch.setitem(unet.TRUNKS, "base", TINY)
    monkeypatch.setitem(unet.TRUNKS, "matching", TINY_MATCHING)
    monkeypatch.setitem(zoo.ZOO, "mkpn-stacked", ModelConfig(sizes=(1, 3)))
    small = ModelConfig(sizes=(1, 3), matching=True, trunk=TINY_MATCHING)
    monkeypatch.setitem(zoo.ZOO, "mkpn", small)


def quick(photos, model="mkpn-stacked", **values):
    return TrainingConfig(**{"model": model, "photos": photos, "steps": 6, "batch": 4, "crop": 24, **values})


def test_where_there_is_no_terminal_the_log_has_lines(photos, small_zoo, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "LINE_EVERY", 0)
    model = "kpn-direct-stacked"
    shorter, longer = (
        quick(photos, model, steps=steps, schedule="constant", validate_every=4) for steps in (4, 6)
    )
    train(shorter, tmp_path, tmp_path / "o.safetensors")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [f"{model}: step {i}" for i in (1, 2, 3, 4, 4)]
    assert ", 75%, loss " in lines[2] and " s a step" in lines[2] and ", measured: psnr " in lines[4]
    train(longer, tmp_path, tmp_path / "o.safetensors")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{model}: resumed at step 4" and lines[1].startswith(f"{model}: step 5, 83%")
    monkeypatch.setattr(run, "LINE_EVERY", 60)
    train(longer, tmp_path / "other", tmp_path / "o.safetensors")
    assert len(capsys.readouterr().err.splitlines()) == 3  # steps 4 and 6, measured, and the last


@pytest.mark.parametrize("model", ["mkpn-stacked", "kpn-direct-stacked", "mkpn"])
def test_a_run_learns_and_says_how_it_was_trained(photos, small_zoo, tmp_path, model):
    config = quick(photos, model, steps=60, learning_rate=2e-2, validate_every=20, ema=0.9)
    card = train(config, tmp_path, tmp_path / "out.safetensors", show_progress=False)
    rows = list(csv.DictReader((tmp_path / model / "log.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == [20, 40, 60]
    assert float(rows[-1]["psnr"]) > float(rows[0]["psnr"])
    assert card["training"]["steps"] == 60 and card["training"]["seed"] == 0
    prefix = "whole-pixel " if zoo.config_of(model).matching else ""
    assert card["metrics"][prefix + "gain 1"] > card["metrics"][prefix + "gain 8"]
    assert json.loads((tmp_path / "out.json").read_text()) == card
    trunk = TINY_MATCHING if zoo.config_of(model).matching else TINY
    expected = dataclasses.replace(zoo.config_of(model), trunk=trunk)
    assert load_network(tmp_path / "out.safetensors").config == expected


def test_a_budget_in_minutes_ends(photos, small_zoo, tmp_path):
    begun = time.perf_counter()
    card = train(
        quick(photos, steps=None, minutes=0.02), tmp_path, tmp_path / "o.safetensors", show_progress=False
    )
    assert card["training"]["steps"] >= 1 and time.perf_counter() - begun < 60
    assert card["training"]["minutes"] == pytest.approx(0.0, abs=0.1)


LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def start_script(runs, folder, *launcher):
    """Train in a process of its own, or in several of a launcher."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(SCRIPT)
    command = [sys.executable, *launcher, str(folder / "script.py"), json.dumps(runs), str(folder)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run_script(runs, folder, *launcher):
    """The weights of each model, by their names in it."""
    process = start_script(runs, folder, *launcher)
    try:
        output, _ = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        process.terminate()
        raise AssertionError(f"not done after 240 s: {process.communicate()[0]}") from None
    assert process.returncode == 0, output
    weights = {values["model"]: load_file(folder / f"{values['model']}.safetensors") for values in runs}
    return {(model, name): value for model, of in weights.items() for name, value in of.items()}


@pytest.mark.slow
def test_killed_and_resumed_gives_the_same_weights_and_so_do_two_processes(photos, tmp_path):
    common = {"photos": str(photos), "batch": 4, "crop": 24, "save_every": 1, "precision": "fp32"}
    runs = [{"model": model, "steps": 12, **common} for model in ("mkpn-stacked", "mkpn")]
    uninterrupted = run_script(runs, tmp_path / "a")

    process = start_script(runs, tmp_path / "b")
    state = tmp_path / "b" / "runs" / "mkpn" / "state.pt"
    deadline = time.time() + 120
    while not state.exists() or torch.load(state, weights_only=True)["step"] < 4:
        assert process.poll() is None and time.time() < deadline, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (tmp_path / "b" / "mkpn-stacked.safetensors").exists()  # done: it is not trained again
    assert not (tmp_path / "b" / "mkpn.safetensors").exists()
    resumed = run_script(runs, tmp_path / "b")
    for name, value in uninterrupted.items():
        assert torch.equal(value, resumed[name]), name

    # (A process joins others once.)
    two = run_script(runs[1:], tmp_path / "c", *LAUNCHER)
    for name in two:
        # Gradients are summed in another order, and Adam divides small ones by themselves: a few differ by .003.
        torch.testing.assert_close(two[name].float(), uninterrupted[name].float(), rtol=0, atol=6e-3)


@pytest.mark.slow
def test_two_processes_end_with_a_budget_in_minutes(photos, tmp_path):
    """They agree on the time, also while one of them validates."""
    values = {"model": "mkpn-stacked", "minutes": 0.03, "batch": 4, "crop": 24, "validate_every": 1}
    run_script([values | {"photos": str(photos)}], tmp_path, *LAUNCHER)
    rows = list(csv.DictReader((tmp_path / "runs" / "mkpn-stacked" / "log.csv").read_text().splitlines()))
    assert len(rows) >= 1 and float(rows[-1]["seconds"]) >= 1.8  # on a busy machine a step takes as long


def test_two_processes_share_the_bursts_of_stacked_frames(photos, small_zoo):
    task = training._Stacked(quick(photos))
    bank, _ = PhotoBank.from_folder(photos, 24, "cpu")
    whole, *halves = (
        task.batch(bank, task.config, 3, World(rank, size, "cpu")) for rank, size in ((0, 1), (0, 2), (1, 2))
    )
    for name in ("frames", "truth", "read_std", "shot_gain"):
        both = torch.cat([getattr(half, name) for half in halves])
        assert torch.equal(both, getattr(whole, name)), name


def test_what_refers_to_itself_is_gone_before_processes_part(monkeypatch):
    """A DistributedDataParallel that is still there when Python ends aborts its process."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(run.dist, "init_process_group", lambda backend: None)
    parted = []
    monkeypatch.setattr(run.dist, "destroy_process_group", lambda: parted.append(there()))
    with run.world_of_processes():
        model = nn.Linear(1, 1)
        model.own = [model]
        there = weakref.ref(model)
        del model
        assert there() is not None
    assert parted == [None]


@pytest.mark.parametrize(
    ("side", "model", "crop", "sentence"),
    [
        (
            72,
            "mkpn",
            16,
            "none is large enough for sub-pixel bursts of 16 pixels; 112 pixels a side are needed",
        ),
        (72, "mkpn-stacked", 16, "one of 72 pixels a side is kept for validation, which needs 112"),
        (
            180,
            "mkpn",
            64,
            "none is large enough for sub-pixel bursts of 64 pixels; 208 pixels a side are needed",
        ),
        (72, "mkpn", 64, "none of 8 is large enough for windows of 64 pixels|none of 2 is large enough"),
    ],
)
def test_photos_that_are_too_small_are_one_sentence_and_leave_nothing(
    small_zoo, tmp_path, side, model, crop, sentence
):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (side, side, 3), np.uint8)).save(
            folder / f"{i}.png"
        )
    with pytest.raises(ValueError, match=sentence):
        train(quick(folder, model, crop=crop), tmp_path / "runs", tmp_path / "out.safetensors", False)
    assert not (tmp_path / "runs").exists()


def test_photos_of_the_size_that_is_asked_for_are_enough(small_zoo, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(2):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (112, 112, 3), np.uint8)).save(
            folder / f"{i}.png"
        )
    train(quick(folder, "mkpn", crop=16, steps=2), tmp_path / "runs", tmp_path / "out.safetensors", False)
    assert (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("rank", [0, 1])
def test_losses_are_kept_until_the_log_has_them_and_by_the_other_processes_not_at_all(
    photos, small_zoo, monkeypatch, tmp_path, rank
):
    alive, most = weakref.WeakSet(), []

    def step(self, model, bank, progress):
        loss = torch.tensor(1.0)
        alive.add(loss)
        self.step += 1
        most.append(len(alive))
        return loss

    monkeypatch.setattr(run.Run, "_step", step)
    monkeypatch.setattr(run.Run, "_record", lambda self, loss, progress: {})
    monkeypatch.setattr(run.Run, "_save", lambda self: None)
    config = quick(photos, steps=30, validate_every=10)
    task = training._Stacked(config)
    run.Run(config, tmp_path, run.World(rank, 1, "cpu"), task).train(None, show_progress=False)
    assert len(most) == 30 and max(most) <= (11 if rank == 0 else 2)


def test_training_computes_in_float32_whatever_the_default_is(photos, small_zoo, tmp_path):
    plain = train(quick(photos, "mkpn", steps=2), tmp_path / "a", tmp_path / "a.safetensors", False)
    torch.set_default_dtype(torch.float64)
    try:
        double = train(quick(photos, "mkpn", steps=2), tmp_path / "b", tmp_path / "b.safetensors", False)
    finally:
        torch.set_default_dtype(torch.float32)
    assert plain["params"] == double["params"]
    assert {value.dtype for value in load_network(tmp_path / "b.safetensors").state_dict().values()} == {
        torch.float32
    }


def test_a_run_of_another_config_is_not_overwritten(photos, small_zoo, tmp_path):
    train(quick(photos, steps=2), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    before = (tmp_path / "mkpn-stacked" / "state.pt").read_bytes()
    with pytest.raises(ValueError, match="a run of another config is kept there \\(seed was 0, is 1\\)"):
        train(quick(photos, steps=2, seed=1), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    assert (tmp_path / "mkpn-stacked" / "state.pt").read_bytes() == before


def test_a_run_of_before_a_setting_existed_is_resumed_if_it_has_its_default(photos, small_zoo, tmp_path):
    train(quick(photos, "mkpn", steps=2), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    file = tmp_path / "mkpn" / "state.pt"
    state = torch.load(file, weights_only=True)
    del state["config"]["told_wrong"]
    torch.save(state, file)
    with pytest.raises(ValueError, match="told_wrong was 0.0, is 0.1"):
        train(quick(photos, "mkpn", steps=2, wrong_noise=0.1), tmp_path, tmp_path / "o.safetensors", False)
    (tmp_path / "o.safetensors").unlink()
    train(quick(photos, "mkpn", steps=2), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    assert (tmp_path / "o.safetensors").exists()


def test_a_damaged_state_is_an_error_not_a_restart(photos, small_zoo, tmp_path):
    train(quick(photos, steps=2), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    (tmp_path / "mkpn-stacked" / "state.pt").write_bytes(b"nothing of use")
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


@pytest.mark.slow
def test_a_zoo_is_trained_once(photos, monkeypatch, tmp_path):
    """The real trunk, a few steps: every model, and never again."""
    monkeypatch.setattr("kpnviz.training.train.SHIPPED", ("kpn-l3", "kpn-1frame-stacked"))
    config = quick(photos, steps=1, batch=2)
    runs, weights = tmp_path / "runs", tmp_path / "weights"
    cards = train_all(config, runs, weights, show_progress=False)
    assert set(cards) == {"kpn-l3", "kpn-1frame-stacked"}
    again = train_all(config, runs, weights, show_progress=False)
    assert {n: card["sha256"] for n, card in again.items()} == {
        n: card["sha256"] for n, card in cards.items()
    }


@pytest.mark.slow
def test_a_shared_run_is_what_models_start_from(photos, small_zoo, monkeypatch, tmp_path):
    """Made longer, it is one run; it writes each network's weights, which are step 0 of the model alone."""
    three = {n: zoo.config_of(n) for n in ("kpn", "mkpn", "kpn-blind")}
    monkeypatch.setattr("kpnviz.training.train.MATCHED", three)
    shared = quick(photos, SHARED, schedule="constant", batch=2, crop=24, steps=3)
    assert train(shared, tmp_path, show_progress=False)["training"]["steps"] == 3
    card = train(dataclasses.replace(shared, steps=6), tmp_path, show_progress=False)
    assert card["name"] == "mkpn" and "kpn, mkpn" in card["training"]["shared"]
    assert shared_models() == ["kpn", "mkpn"]
    state = torch.load(tmp_path / SHARED / "state.pt", weights_only=True)
    kept, prefix = (
        (state["network"], "")
        if card["training"]["weights"].startswith("last")
        else (state["averaged"], "module.")
    )
    for model, source in (("mkpn", "mkpn"), ("kpn-blind", "kpn")):
        written = load_file(tmp_path / SHARED / f"{source}.safetensors")
        config = quick(photos, model, start=tmp_path / SHARED, steps=1, learning_rate=1e-12, crop=24)
        card = train(config, tmp_path, tmp_path / f"{model}.safetensors", show_progress=False)
        assert card["training"]["start"].startswith("the weights of 6 steps in which networks")
        assert card["training"]["steps_before"] == 6 and checkpoints.training_steps(card) == 7
        for key, value in load_file(tmp_path / f"{model}.safetensors").items():
            trained = kept[f"{prefix}networks.{source}.{key}"]
            torch.testing.assert_close(written[key], trained.half())
            torch.testing.assert_close(value, written[key], atol=2e-3, rtol=2e-3)
    # What was trained from it may be a start as well; the card then says both.
    tuned = quick(photos, "kpn", start=tmp_path / SHARED, steps=2, crop=24)
    train(tuned, tmp_path, tmp_path / "tuned" / "kpn.safetensors", show_progress=False)
    again = dataclasses.replace(tuned, model="kpn-blind", start=tmp_path / "tuned")
    card = train(again, tmp_path / "again", tmp_path / "again.safetensors", show_progress=False)
    assert card["training"]["start"].startswith(
        "the weights of kpn, 2 steps from the weights of 6 steps in which"
    )
    assert checkpoints.training_steps(card) == 6 + 2 + 2


def test_mkpn_25_starts_from_l25(photos, monkeypatch, tmp_path):
    """Its kernels of size 25 are those of L25 but for the brightness of all sizes together, which is what it was."""
    torch.manual_seed(3)
    l25 = tiny("kpn-l25")
    for parameter in l25.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    card = {"training": {"steps": 7, "start": "chance"}}
    checkpoints.save(tmp_path / "kpn-l25.safetensors", l25, card)
    network = tiny("mkpn-25", seed=1)
    assert start_from(tmp_path, "mkpn-25", network) == ("the weights of kpn-l25, 7 steps from chance", 7)
    burst = burst_tensors(3, 16, 18)
    with torch.no_grad():
        one, several = (
            n(*burst) for n in (checkpoints.load_network(tmp_path / "kpn-l25.safetensors"), network)
        )
    largest = several.factors[:, :, -50:]
    for axis in (slice(0, 25), slice(25, 50)):
        a, b = one.factors[:, :, axis], largest[:, :, axis]
        scale = (a * b).sum((1, 2), keepdim=True) / a.square().sum((1, 2), keepdim=True)
        torch.testing.assert_close(b, scale * a, atol=1e-4, rtol=1e-3)
        if axis.start:  # the vertical factors carry the brightness
            torch.testing.assert_close(scale, torch.ones_like(scale), atol=1e-4, rtol=0)
    mass = sum(v.sum(1) * h.sum(1) for v, h in several.factors_at(3, 4).values()).mean() / 8
    assert mass == pytest.approx(1, abs=0.02)


def test_mkpn_robust_starts_from_mkpn_and_is_told_a_wrong_noise(photos, tmp_path):
    """Not from L11, whose largest kernel is as large; a fifth of its bursts, where nobody says another share."""
    card = {"training": {"steps": 7, "start": "chance"}}
    for seed, name in enumerate(("kpn-l11", "mkpn")):
        checkpoints.save(tmp_path / f"{name}.safetensors", tiny(name, seed=seed), card)
    network = tiny("mkpn-robust", seed=5)
    assert start_from(tmp_path, "mkpn-robust", network) == ("the weights of mkpn, 7 steps from chance", 7)
    mkpn = checkpoints.load_network(tmp_path / "mkpn.safetensors").state_dict()
    for key, value in network.state_dict().items():
        torch.testing.assert_close(value, mkpn[key])
    assert quick(photos, "mkpn-robust").told_wrong == 0.2 and quick(photos, "mkpn").told_wrong == 0
    assert quick(photos, "mkpn-robust", wrong_noise=0.1).told_wrong == 0.1
    assert quick(photos, "mkpn-robust", wrong_noise=0).told_wrong == 0


@pytest.mark.parametrize("model, told", [("mkpn", 0.0), ("mkpn-robust", 0.2)])
def test_states_that_say_wrong_noise_0_are_of_the_models_own_share(tmp_path, model, told):
    own = quick(tmp_path, model)
    older = {key: value for key, value in own.resumable_part.items() if key != "told_wrong"}
    assert own.of_state({**older, "wrong_noise": 0.0}) == own.resumable_part
    assert own.of_state({**older, "wrong_noise": 0.3})["told_wrong"] == 0.3
    none = quick(tmp_path, model, wrong_noise=0)
    assert none.of_state(none.resumable_part)["told_wrong"] == 0 and own.resumable_part["told_wrong"] == told


def test_some_bursts_assume_a_wrong_noise(photos):
    """A tenth of them, by a factor of up to 1.5; they are the same bursts, and processes share them."""
    told, wrong = (
        _Matching(quick(photos, "kpn-l3", batch=8, crop=16, wrong_noise=share)) for share in (0.0, 0.1)
    )
    bank, _ = PhotoBank.from_folder(photos, 16, "cpu")
    factors = []
    for step in range(150):
        a, b = (task.batch(bank, task.config, step, World(0, 1, "cpu")) for task in (told, wrong))
        for name in ("frames", "truth", "white_level", "shifts"):
            assert torch.equal(getattr(a, name), getattr(b, name))
        factors.append(b.read_std / a.read_std)
        torch.testing.assert_close(b.shot_gain / a.shot_gain, factors[-1] ** 2)
    halves = [wrong.batch(bank, wrong.config, 149, World(rank, 2, "cpu")) for rank in (0, 1)]
    torch.testing.assert_close(torch.cat([half.read_std for half in halves]), b.read_std)
    factor = torch.cat(factors)
    off = factor[factor != 1].log() / np.log(1.5)
    share = len(off) / len(factor)
    assert share == pytest.approx(0.1, abs=4 * (0.1 * 0.9 / len(factor)) ** 0.5)
    assert off.abs().max() <= 1 + 1e-5 and off.mean().item() == pytest.approx(
        0, abs=4 / (3 * len(off)) ** 0.5
    )
    assert off.std().item() == pytest.approx(1 / 3**0.5, rel=0.2)  # uniform in -1..1
    assert "in 0.1 of them the assumed noise is up to 1.5 times off" in wrong.card()["data"]
    assert "assumed" not in told.card()["data"]


@pytest.mark.parametrize(
    "model, share, sentence",
    [
        ("mkpn", 1.5, "wrong_noise is 1.5; it is a share"),
        ("mkpn-stacked", 0.1, "wrong_noise is 0.1, but mkpn-stacked does not match"),
    ],
)
def test_a_wrong_noise_that_cannot_be_is_named(tmp_path, model, share, sentence):
    with pytest.raises(ValueError, match=sentence):
        quick(tmp_path, model, wrong_noise=share)


def test_networks_that_stack_frames_have_no_start(tmp_path):
    with pytest.raises(ValueError, match="mkpn-stacked does not match"):
        quick(tmp_path, start=tmp_path)


def test_a_shared_run_has_no_start(tmp_path):
    with pytest.raises(ValueError, match=f"start is '{tmp_path}', but a shared run starts at random"):
        quick(tmp_path, SHARED, start=tmp_path)


def test_a_loss_that_is_annealed_needs_an_end(tmp_path):
    with pytest.raises(ValueError, match="schedule is 'constant', but the loss of mkpn-stacked is annealed"):
        quick(tmp_path, schedule="constant")
    for model in ("kpn-direct-stacked", "mkpn", SHARED):
        quick(tmp_path, model, schedule="constant")


@pytest.mark.parametrize(
    "model, output, sentence",
    [
        ("mkpn", "I.pt", "'.*I.pt' does not end in .safetensors"),
        ("mkpn", "mine", "'.*mine' does not end in .safetensors"),
        ("mkpn", "file.txt/x.safetensors", "file.txt/x.safetensors' cannot be written: Not a directory"),
        ("mkpn", "folder.safetensors", "folder.safetensors' cannot be written: it is a folder"),
        ("mkpn", "card.safetensors", "card.json' cannot be written: it is a folder"),
        (SHARED, "file.txt", "file.txt/kpn.safetensors' cannot be written: Not a directory"),
        (SHARED, "file.txt/deep", "file.txt/deep/kpn.safetensors' cannot be written: Not a directory"),
    ],
)
def test_an_output_that_cannot_be_is_said_before_the_first_step(
    photos, small_zoo, tmp_path, monkeypatch, model, output, sentence
):
    monkeypatch.setattr(run.Run, "train", lambda *_: pytest.fail("it trained"))
    (tmp_path / "file.txt").write_text("mine")
    for name in ("folder.safetensors", "card.json"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"output: '.*{sentence.removeprefix(chr(39))}"):
        train(quick(photos, model), tmp_path / "runs", tmp_path / output, show_progress=False)
    assert not (tmp_path / "runs").exists()


def test_the_folder_of_an_output_is_made(tmp_path):
    training._check_outputs({"mkpn": tmp_path / "new" / "deep" / "x.safetensors"})


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"wrong_noise": 0.2}, "wrong_noise is 0.2, but mkpn-stacked does not match"),
        ({"schedule": "constant"}, "schedule is 'constant', but the loss of mkpn-stacked"),
        ({"trunk": "matching"}, "trunk: encoder .* do not end at half resolution"),
    ],
)
def test_what_one_of_all_cannot_have_is_said_before_the_first(
    photos, small_zoo, tmp_path, monkeypatch, values, sentence
):
    monkeypatch.setattr(training, "SHIPPED", ("mkpn", "mkpn-stacked"))
    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("it trained"))
    with pytest.raises(ValueError, match=sentence):
        train_all(quick(photos, "mkpn", **values), tmp_path / "runs", tmp_path / "out")


def test_outputs_of_all_are_checked_before_the_first(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SHIPPED", ("mkpn", "kpn"))
    monkeypatch.setattr(training, "train", lambda *_: pytest.fail("it trained"))
    (tmp_path / "kpn.safetensors").mkdir()
    with pytest.raises(ValueError, match="kpn.safetensors' cannot be written: it is a folder"):
        train_all(quick(photos, "mkpn"), tmp_path / "runs", tmp_path)


@pytest.mark.parametrize(
    "count, sentence",
    [(1, "on the only training photo, 26x26"), (3, "on held-out training photos (1), 26x26")],
)
def test_the_card_says_what_was_validated_on(photos, small_zoo, tmp_path, monkeypatch, count, sentence):
    monkeypatch.setattr(training, "validate", lambda network, bursts: {"psnr": 1.0})
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(count):
        shutil.copy(photos / f"{i}.png", folder)
    card = train(quick(folder, steps=1, crop=16), tmp_path, tmp_path / "o.safetensors", show_progress=False)
    assert card["metrics"]["validation"] == sentence


@pytest.mark.parametrize(
    "model, frames",
    [("kpn-1frame-stacked", "; 1 frame"), ("mkpn-stacked", "; 8 frames, shake by whole pixels")],
)
def test_the_card_says_how_many_frames_a_burst_had(tmp_path, small_zoo, model, frames):
    assert training._task(quick(tmp_path, model)).card()["data"].endswith(frames)


def test_another_seed_is_another_network(photos, small_zoo, tmp_path, monkeypatch):
    """The first weights are of the seed alone: what a run learns in one step is next to nothing."""
    monkeypatch.setattr(training, "validate", lambda network, bursts: {"psnr": 1.0})
    first = []
    for i, seed in enumerate((3, 3, 4)):
        config = quick(photos, "mkpn", steps=1, batch=1, crop=16, seed=seed)
        train(config, tmp_path / f"{i}", tmp_path / f"{i}.safetensors", show_progress=False)
        first.append(load_file(tmp_path / f"{i}.safetensors"))
    assert all(torch.equal(value, first[1][name]) for name, value in first[0].items())
    kernels = [name for name, value in first[0].items() if value.ndim == 4 and value.any()]
    assert kernels and not any(torch.equal(first[0][name], first[2][name]) for name in kernels)


@pytest.mark.parametrize("model", ["mkpn-stacked", "mkpn"])
def test_another_seed_is_other_bursts(photos, small_zoo, model):
    bank, _ = PhotoBank.from_folder(photos, 16, "cpu")
    tasks = [training._task(quick(photos, model, batch=2, crop=16, seed=seed)) for seed in (3, 3, 4)]
    for step in range(3):
        one, same, other = (task.batch(bank, task.config, step, World(0, 1, "cpu")) for task in tasks)
        assert torch.equal(one.frames, same.frames) and not torch.equal(one.read_std, other.read_std)
    if model == "mkpn":  # how many frames a burst has is drawn too
        counts = [
            [task.batch(bank, task.config, s, World(0, 1, "cpu")).frames.shape[1] for s in range(12)]
            for task in tasks[1:]
        ]
        assert counts[0] != counts[1]


def test_turns_of_a_shared_run_are_another_order_in_each_round_and_for_each_seed(tmp_path, monkeypatch):
    def orders(seed):
        task = object.__new__(training._Shared)
        task.config, task.names = quick(tmp_path, SHARED, seed=seed), list("abcdefgh")
        return [[task.drawn(8 * turn + place) for place in range(8)] for turn in range(3)]

    rounds = [*orders(3), *orders(4)]
    assert all(sorted(order) == list("abcdefgh") for order in rounds)
    assert len({tuple(order) for order in [list("abcdefgh"), *rounds]}) == 7
    assert orders(3) == rounds[:3]


def test_a_start_that_is_none_is_named(photos, small_zoo, tmp_path):
    with pytest.raises(ValueError, match="holds no shared run"):
        train(
            quick(photos, "mkpn", start=tmp_path),
            tmp_path,
            tmp_path / "o.safetensors",
            show_progress=False,
        )


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (16, 16)])
def test_muon_steps_have_the_singular_vectors_of_the_gradient_and_values_near_one(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    values = (u.T @ orthogonalized(matrix) @ vh.T).numpy()
    np.testing.assert_allclose(values - np.diag(np.diag(values)), 0, atol=2e-3)
    assert np.diag(values).min() > 0.6 and np.diag(values).max() < 1.3


def test_muon_moves_by_the_rate_and_leaves_what_has_no_gradient():
    moved, resting = nn.Parameter(torch.zeros(4, 2, 3, 3)), nn.Parameter(torch.ones(4, 2))
    moved.grad = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    Muon([{"params": [moved, resting]}], lr=0.1).step()
    # .1 x .2 sqrt(18) times a matrix of four singular values near 1: a norm of about 2.
    assert moved.norm().item() == pytest.approx(0.1 * 0.2 * 18**0.5 * 2, rel=0.2)
    assert torch.equal(resting, torch.ones(4, 2))
