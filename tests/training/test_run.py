"""The arithmetic of a step, on a network of one weight vector and a task whose gradients are known."""

import numpy as np
import pytest
import torch
from torch import nn

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
        config = RunConfig(photos=tmp_path, steps=len(slopes), precision="fp32", **values)
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
