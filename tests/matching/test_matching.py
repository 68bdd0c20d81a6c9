"""Oracles: loops over the definition, chi-square noise, a scene whose shift is known; the backends agree."""

import importlib.util
import os

import numpy as np
import pytest
import torch

from kpnviz import matching
from kpnviz.matching import CAP, matching_costs, window_sides

TRITON_MISSING = importlib.util.find_spec("triton") is None
TRITON_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
needs_triton = pytest.mark.skipif(
    TRITON_MISSING or not (torch.cuda.is_available() or TRITON_INTERPRETED),
    reason="triton is not installed"
    if TRITON_MISSING
    else "no CUDA device; TRITON_INTERPRET=1 runs the Triton kernels on the CPU",
)
BACKENDS = ["numba", pytest.param("triton", marks=needs_triton)]
SHAPES = [(1, 1, 1, 1), (2, 3, 17, 30), (1, 2, 5, 7), (1, 9, 33, 20), (1, 3, 12, 530)]


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_cell_by_hand():
    """One window, one displacement, written out in numpy from the module's docstring."""
    g = 2 * noise(1, 2, 8, 10).numpy()[0].astype(np.float64)
    full = np.pad(g, ((0, 0), (0, 1), (0, 1)), mode="reflect")
    smooth = (full[:, :-1, :-1] + full[:, 1:, :-1] + full[:, :-1, 1:] + full[:, 1:, 1:]) / 4  # var 1/4
    dy, dx, y, x = 1, -2, 2, 2
    cells = []
    for cy in range(y - 1, y + 2):
        for cx in range(x - 1, x + 2):
            pixels = [(2 * cy + a, 2 * cx + b) for a in (0, 1) for b in (0, 1)]
            # The last row and column, means of themselves and their reflection, are like nothing else.
            if all(py + dy < 7 and px + dx >= 0 and px < 9 for py, px in pixels):
                d = np.mean([(smooth[1, py + dy, px + dx] - smooth[0, py, px]) ** 2 for py, px in pixels])
                cells.append(min(d / (2 / 4) - 1, CAP))
    assert len(cells) == 6  # the lowest row of cells would leave the frame
    cost = matching_costs(torch.from_numpy(g)[None], 2, 1)[0, 1, 0, 2 + dy, 2 + dx, y, x]
    assert float(cost) == pytest.approx(np.mean(cells), rel=1e-5)


@pytest.mark.parametrize("marginal", [False, True])
@pytest.mark.parametrize("reach, windows", [(0, 1), (2, 3), (5, 2), (6, 4)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("backend", BACKENDS)
def test_backend_agrees_with_the_oracle(backend, shape, reach, windows, marginal, monkeypatch):
    B, N, H, W = shape
    K = 2 * reach + 1
    device = "cpu"
    if backend == "triton" and not TRITON_INTERPRETED:
        device = "cuda"
    elif backend == "triton":
        from kpnviz.matching import _cuda

        if B * N * K * windows > 100:
            pytest.skip("minutes in Triton's interpreter; run without TRITON_INTERPRET on a CUDA device")
        monkeypatch.setattr(_cuda, "TILE", 2**14)  # it takes as long for large tiles as for small ones
    g = 2 * noise(*shape)
    expected = matching_costs(g, reach, windows, marginal=marginal, backend="reference")
    costs = matching_costs(g.to(device), reach, windows, marginal=marginal, backend=backend)
    assert costs.device.type == device
    torch.testing.assert_close(costs.cpu(), expected, rtol=1e-5, atol=1e-5)
    assert expected.shape == (B, N, windows, *([2 * K] if marginal else [K, K]), (H + 1) // 2, (W + 1) // 2)


@pytest.mark.parametrize("marginal", [False, True])
@pytest.mark.parametrize("shape, windows", [((1, 3, 61, 44), 2), ((1, 1, 12, 530), 1), ((1, 2, 110, 30), 3)])
def test_parts_of_a_frame_change_nothing(shape, windows, marginal, monkeypatch):
    from kpnviz.matching import _cpu

    g = 2 * noise(*shape)
    whole = matching_costs(g, 3, windows, marginal=marginal, backend="numba")
    monkeypatch.setattr(_cpu, "_TASK", 1)  # as many parts as there can be
    torch.testing.assert_close(matching_costs(g, 3, windows, marginal=marginal, backend="numba"), whole)


@needs_triton
@pytest.mark.skipif(
    TRITON_INTERPRETED, reason="memory of a CUDA device, which TRITON_INTERPRET=1 does not use"
)
def test_triton_never_holds_the_costs_of_all_displacements():
    """Of which there are 625: as large as 12 times the marginal ones."""
    g = noise(1, 4, 256, 256).cuda()
    matching_costs(g, 12, marginal=True, backend="triton")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    costs = matching_costs(g, 12, marginal=True, backend="triton")
    assert torch.cuda.max_memory_allocated() - before < 2 * costs.nbytes


@pytest.mark.parametrize(
    "installed, message", [(False, "triton is not installed"), (True, "tensors on cuda, not cpu")]
)
def test_triton_refuses_what_it_cannot(installed, message, monkeypatch):
    """Where it is installed it may still be handed tensors of the CPU, for which nobody asks for it by default."""
    monkeypatch.setattr(matching, "_installed", lambda package: installed or package != "triton")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    g = noise(1, 2, 8, 8)
    with pytest.raises(ValueError, match=message):
        matching_costs(g, 1, 1, backend="triton")
    torch.testing.assert_close(matching_costs(g, 1, 1), matching_costs(g, 1, 1, backend="reference"))


def test_threads_change_nothing():
    g = noise(2, 8, 40, 36)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = matching_costs(g, 3, 3)
        torch.set_num_threads(3)
        assert torch.equal(matching_costs(g, 3, 3), one)
    finally:
        torch.set_num_threads(before)


def test_noise_alone_costs_nothing():
    """Chi-square: mean 0; the reference itself at d = 0 counts as a perfect match."""
    costs = matching_costs(noise(8, 6, 96, 96), 2, 3)
    # 48 x 48 cells x 25 displacements of 8 x 5 frames, which share much noise. Measured: within .01.
    assert abs(costs[:, 1:, ..., 2:-2, 2:-2].mean().item()) < 0.02
    assert (costs[0, 0, :, 2, 2] == 0).all()


def test_the_least_cost_is_at_the_true_shift():
    scene = 4 * noise(1, 1, 80, 80, seed=1)
    shifts = [(0, 0), (3, -2), (-1, 2), (2, 3)]
    frames = torch.stack([scene[0, 0, 8 - dy : 72 - dy, 8 - dx : 72 - dx] for dy, dx in shifts])[None]
    noisy = frames + noise(*frames.shape, seed=2)
    costs = matching_costs(noisy, 3, 2)[0, :, :, :, :, 4:-4, 4:-4]
    for i, (dy, dx) in enumerate(shifts):
        assert (costs[i].flatten(1, 2).argmin(1) == (dy + 3) * 7 + dx + 3).all()
    marginal = matching_costs(noisy, 3, 2, marginal=True)[0, :, :, :, 4:-4, 4:-4]
    torch.testing.assert_close(marginal[:, :, :7], costs.amin(3))
    torch.testing.assert_close(marginal[:, :, 7:], costs.amin(2))


def test_what_leaves_the_frame_counts_for_nothing():
    """The true shift costs nothing up to the edge, although the frame's other side is unlike the scene there."""
    scene = 4 * noise(1, 1, 60, 60, seed=3)
    frames = torch.stack((scene[0, 0, 10:50, 10:50], scene[0, 0, 10 - 4 : 50 - 4, 10:50]))[None]  # dy = 4
    costs = matching_costs(frames, 4, 2)[0, 1, :, 8, 4]
    # The last three rows of cells lie beyond the edge in frame 1; windows of 3 around the last two have none left.
    # (The last column's pixels are means with their reflection, here as there.)
    assert costs[0, :-2].max() == -1 and (costs[0, -2:] == CAP).all()
    assert costs[1].max() == -1


def test_gradients_stop_here():
    assert not matching_costs(noise(1, 2, 8, 8).requires_grad_(True), 1, 1).requires_grad


def test_sides_of_windows():
    assert window_sides(3) == (6, 18, 54)


@pytest.mark.parametrize(
    "frames, options, message",
    [
        (torch.zeros(2, 8, 8), {}, "shape"),
        (torch.zeros(1, 2, 8, 8, dtype=torch.int32), {}, "dtype"),
        (torch.zeros(1, 2, 8, 8), {"reach": -1}, "reach is -1"),
        (torch.zeros(1, 2, 8, 8), {"windows": 0}, "windows is 0"),
        (torch.zeros(1, 2, 8, 8), {"backend": "mlx"}, "backend is 'mlx'"),
    ],
)
def test_bad_arguments(frames, options, message):
    with pytest.raises(ValueError, match=message):
        matching_costs(frames, **{"reach": 1, **options})
