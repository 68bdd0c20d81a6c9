"""Oracles: the formulas by hand in numpy, and the paper's numbers of annealing."""

import numpy as np
import pytest
import torch

from kpnviz.color import srgb_encode
from kpnviz.training.losses import annealed_loss, annealing_weight, basic_loss


def by_hand(image, truth, lambda_1, transfer):
    if transfer:
        image, truth = srgb_encode(image), srgb_encode(truth)
    intensity = np.mean((image - truth) ** 2)
    dx = np.mean(np.abs((image[:, 1:] - image[:, :-1]) - (truth[:, 1:] - truth[:, :-1])))
    dy = np.mean(np.abs((image[1:] - image[:-1]) - (truth[1:] - truth[:-1])))
    return lambda_1 * intensity + (1 - lambda_1) * (dx + dy)


@pytest.mark.parametrize("transfer", [True, False])
@pytest.mark.parametrize("lambda_1", [0.0, 0.3, 1.0])
def test_basic_loss_is_equation_5(lambda_1, transfer):
    rng = np.random.default_rng(0)
    image, truth = rng.random((2, 9, 7)) * 1.3 - 0.1
    value = basic_loss(torch.from_numpy(image), torch.from_numpy(truth), lambda_1, transfer)
    assert value.item() == pytest.approx(by_hand(image, truth, lambda_1, transfer), rel=1e-12)


def test_gradients_are_not_padded():
    """A constant error has no gradient: padding with zeros would see one at the border."""
    assert basic_loss(torch.full((5, 5), 0.2), torch.zeros(5, 5), lambda_1=0.0, transfer=False).item() == 0


@pytest.mark.parametrize("per_size", [True, False])
def test_annealed_loss_is_equation_6(per_size):
    rng = np.random.default_rng(1)
    parts, truth = rng.random((2, 3, 2, 6, 5)), rng.random((2, 6, 5))
    oracle = []
    for b in range(2):
        alone = [p for frame in parts[b] for p in frame] if per_size else list(parts[b].mean(axis=1))
        total = by_hand(parts[b].mean(axis=(0, 1)), truth[b], 0.5, True)
        oracle.append(total + 0.7 * sum(by_hand(p, truth[b], 0.5, True) for p in alone))
    loss = annealed_loss(torch.from_numpy(parts), torch.from_numpy(truth), 0.7, per_size, lambda_1=0.5)
    assert loss.item() == pytest.approx(np.mean(oracle), rel=1e-12)


def test_without_weight_the_parts_do_not_count():
    parts = torch.rand(1, 2, 3, 4, 4)
    assert annealed_loss(parts, torch.zeros(1, 4, 4), 0.0) == basic_loss(
        parts.mean((1, 2)), torch.zeros(1, 4, 4)
    )


def test_annealing_is_the_papers_with_its_own_numbers():
    """With alpha = .9998, beta alpha^t reaches 1e-3 after ln(1e5) / -ln(.9998) = 57,559 steps."""
    steps, over = 1_000_000, 57_559 / 1_000_000
    for t in (0, 1000, 20_000, 50_000):
        assert annealing_weight(t / steps, over) == pytest.approx(100 * 0.9998**t, rel=1e-3)
    assert annealing_weight(0.06, over) == 0


def test_bad_weight_is_named():
    with pytest.raises(ValueError, match=r"lambda_1 is 1\.5"):
        basic_loss(torch.zeros(2, 2), torch.zeros(2, 2), 1.5)
