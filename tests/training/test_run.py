"""The arithmetic of a step, on a network of one weight vector and a task whose gradients are known."""

import csv
import errno

import numpy as np
import pytest
import torch
from torch import nn

from kpnviz.training import run as running
from kpnviz.training.run import Run, RunConfig, World


class Line:
    """loss = slope . weights: the gradient is the slope, whatever the weights are; plain gradient descent."""

    name, in_parts, learning_rate = "line", False, 0.25

    def __init__(self, slopes):
        self.slopes = [torch.tensor(slope) for slope in slopes]
        self.network = nn.Linear(2, 1, bias=False)
        nn.init.zeros_(self.network.weight)
        self.seen = []

    def optimizers(self, config, learning_rate):
        groups = [{"params": list(self.network.parameters()), "rate": 1.0}]
        return [torch.optim.SGD(groups, learning_rate)]

    def batch(self, bank, config, step, world):
        return step

    def loss(self, model, batch, step, progress):
        self.seen.append(self.weights())
        return (self.slopes[step] * model.weight[0]).sum(), 1.0

    def validate(self, network):
        return {"score": 0.0}

    def weights(self):
        return self.network.weight[0].detach().numpy().copy()


@pytest.fixture
def trained(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "_rate_factor", lambda self, progress: 1.0)

    def train(slopes, **values):
        task = Line(slopes)
        config = RunConfig(**{"photos": tmp_path, "steps": len(slopes), "precision": "fp32", **values})
        run = Run(config, tmp_path / "run", World(0, 1, "cpu"), task)
        run.train(bank=None, show_progress=False)
        return task, run

    return train


def test_a_gradient_longer_than_clip_norm_is_shortened_to_it_and_others_are_not(trained):
    task, _ = trained([[300.0, 400.0], [0.3, 0.4]], clip_norm=1.0)
    # Steps of rate x gradient: (3, 4) / 5 of length 1, and (.3, .4) as it is.
    np.testing.assert_allclose(task.seen[1], [-0.25 * 0.6, -0.25 * 0.8], rtol=1e-5)
    np.testing.assert_allclose(task.weights() - task.seen[1], [-0.25 * 0.3, -0.25 * 0.4], rtol=1e-5)


def test_the_moving_average_is_that_of_the_weights_after_each_step(trained):
    task, run = trained([[1.0, 0.0], [0.0, 1.0], [-0.5, 0.5], [0.2, 0.1]], ema=0.75)
    after = [*task.seen[1:], task.weights()]
    expected = after[0]  # the first step's weights begin it
    for weights in after[1:]:
        expected = 0.75 * expected + 0.25 * weights
    np.testing.assert_allclose(run.averaged.module.weight[0].detach(), expected, rtol=1e-6)
    assert np.abs(expected - task.weights()).max() > 0.01


@pytest.mark.parametrize(
    "slopes, values, sentence",
    [
        (
            [[0.3, 0.4], [0.3, 0.4], [np.nan, 0.0], [0.3, 0.4]],
            {},
            "loss is nan at step 3; the state of step 2",
        ),
        # 1e38 times 4 is more than float32 has.
        (
            [[3.0, 4.0]] * 4,
            {"clip_norm": 9.0, "learning_rate": 1e38},
            "the weights are not finite after step 1",
        ),
    ],
)
@pytest.mark.parametrize("validate_every", [1, 1000])
def test_a_run_that_diverges_ends_with_a_sentence_and_keeps_the_last_good_state(
    trained, tmp_path, slopes, values, sentence, validate_every
):
    with pytest.raises(
        ValueError, match=f"run: {sentence}.* is kept; start afresh with a --learning-rate below"
    ):
        trained(slopes, save_every=1, validate_every=validate_every, **values)
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["step"] == int(sentence[-1]) - ("weights" in sentence)
    assert state["network"]["weight"].isfinite().all()


def test_a_run_that_diverges_between_two_states_does_too(trained, tmp_path):
    with pytest.raises(ValueError, match="loss is -inf at step 2; the state of step 0 is kept"):
        trained([[0.3, 0.4], [np.inf, 0.0], [0.3, 0.4]], learning_rate=0.25)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 0


def test_the_state_is_saved_before_a_log_that_cannot_be(trained, tmp_path, monkeypatch):
    write = running.write_atomically

    def full(path, data):
        if path.name == "log.csv":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(running, "write_atomically", full)
        with pytest.raises(OSError, match="No space left"):
            trained([[0.3, 0.4]] * 4, validate_every=2)
    assert torch.load(tmp_path / "run" / "state.pt", weights_only=True)["step"] == 2
    trained([[0.3, 0.4]] * 4, validate_every=2)
    rows = csv.DictReader((tmp_path / "run" / "log.csv").read_text().splitlines())
    assert [row["step"] for row in rows] == ["2", "4"]


def test_a_log_of_other_columns_goes_on_with_those_of_today(trained, tmp_path):
    longer = {"schedule": "constant"}
    trained([[0.3, 0.4]], **longer)
    file = tmp_path / "run" / "state.pt"
    state = torch.load(file, weights_only=True)
    state["log"] = [{"step": 1, "psnr": 3.0}]
    torch.save(state, file)
    trained([[0.3, 0.4]] * 2, **longer)
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").read_text().splitlines()))
    assert [(row["step"], row["psnr"], row["score"]) for row in rows] == [("1", "3.0", ""), ("2", "", "0.0")]


def without(key):
    return lambda state: {name: value for name, value in state.items() if name != key}


@pytest.mark.parametrize(
    "damaged, why",
    [
        (without("step"), "it has no 'step'"),
        (without("config"), "it has no 'config'"),
        (without("optimizers"), "it has no 'optimizers'"),
        (lambda state: state | {"network": {}}, 'Error.*Missing key.* "weight"'),
        (
            lambda state: state | {"network": {"weight": torch.full((1, 2), torch.nan)}},
            "its weights are not finite",
        ),
        (lambda state: state | {"config": 5}, ".*int"),
        (lambda state: state | {"log": 5}, ".*int"),
        (lambda state: [1, 2], "list.*"),
        (None, ".+"),
    ],
)
def test_a_state_that_cannot_be_resumed_is_one_sentence(trained, tmp_path, damaged, why):
    trained([[0.3, 0.4]])
    file = tmp_path / "run" / "state.pt"
    if damaged:
        torch.save(damaged(torch.load(file, weights_only=True)), file)
    else:
        file.write_bytes(b"")
    kept = file.read_bytes()
    sentence = rf"state\.pt: the run cannot be resumed \({why}.*\); move it away to start afresh$"
    with pytest.raises(ValueError, match=sentence) as error:
        trained([[0.3, 0.4]])
    assert "\n" not in str(error.value) and file.read_bytes() == kept


@pytest.mark.parametrize(
    "schedule, rise",
    [("cosine", "2% warm-up then cosine"), ("constant", "300 steps of warm-up then constant")],
)
def test_the_card_says_how_the_rate_rises(trained, schedule, rise):
    _, run = trained([[0.3, 0.4]], schedule=schedule)
    assert run.card("last")["learning_rate"] == f"peak 0.25, {rise}; gradient norm clipped at 1"
