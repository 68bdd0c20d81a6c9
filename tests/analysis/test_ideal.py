import dataclasses

import numpy as np
import pytest

from kpnviz.analysis.ideal import expected_error, ideal_kernels
from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.denoise import load
from kpnviz.noise import NoiseModel

NOISE = NoiseModel(0.05, 0.01)
RNG = np.random.default_rng(3)
CLEAN = np.random.default_rng(0).uniform(0.1, 0.9, (3, 12, 13))


def test_one_weight_a_frame_on_a_flat_scene_is_wieners():
    """N t = sum_i w_i x_i, all x_i = c: w = N c^2 / (N c^2 + v), v the variance of one measurement."""
    c, N = 0.4, 5
    clean = np.full((N, 9, 9), c)
    v = NOISE.read_std**2 + NOISE.shot_gain * c
    kernels = ideal_kernels(clean, clean[0], NOISE, 1, 4, 4, window=5)
    np.testing.assert_allclose(kernels, N * c**2 / (N * c**2 + v), rtol=1e-9)


@pytest.mark.parametrize(("y", "x"), [(6, 6), (0, 12)])
def test_it_is_the_least_squares_solution_of_the_whole_system(y, x):
    """The same problem written out: one equation a pixel, and one a weight for its noise."""
    K, window, r, half = 3, 5, 1, 2
    padded = np.pad(CLEAN, ((0, 0), (r, r), (r, r)), mode="reflect")
    rows, wanted, variance = [], [], np.zeros(3 * K * K)
    for row in range(max(y - half, 0), min(y + half + 1, 12)):
        for column in range(max(x - half, 0), min(x + half + 1, 13)):
            patch = padded[:, row : row + K, column : column + K].ravel()
            rows.append(patch)
            wanted.append(3 * CLEAN[0, row, column])
            variance += NOISE.read_std**2 + NOISE.shot_gain * patch
    A = np.vstack([rows, np.diag(np.sqrt(variance))])
    expected = np.linalg.lstsq(A, np.concatenate([wanted, np.zeros(len(variance))]), rcond=None)[0]
    found = ideal_kernels(CLEAN, CLEAN[0], NOISE, K, y, x, window)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-8)


def test_kernels_go_where_the_scene_went():
    """On a textured scene that moves by whole pixels, the heaviest weight of each frame is at its true shift."""
    shifts = ((0, 0), (1, -2), (-2, 1), (2, 2))
    recipe = BurstRecipe("grass", (60, 60, 40, 40), noise=NoiseModel.for_gain(1), frames=4, shifts=shifts)
    burst = synthesize(recipe)
    clean = np.stack([np.roll(burst.truth, shift, axis=(0, 1)) for shift in shifts])
    kernels = ideal_kernels(clean, burst.truth, burst.noise, 5, 20, 20)
    found = [np.unravel_index(kernel.argmax(), (5, 5)) for kernel in kernels]
    assert [(int(a) - 2, int(b) - 2) for a, b in found] == list(shifts)


def test_less_noise_less_error():
    def error(noise):
        kernels = ideal_kernels(CLEAN, CLEAN[0], noise, 3, 6, 6, 7)
        padded = np.pad(CLEAN, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        return sum(
            (3 * CLEAN[0, y, x] - (kernels * padded[:, y : y + 3, x : x + 3]).sum()) ** 2
            for y in range(3, 10)
            for x in range(3, 10)
        )

    assert error(NoiseModel(0.001, 0)) < 0.5 * error(NoiseModel(0.1, 0))


def test_the_expected_error_of_one_weight_on_a_flat_scene():
    """(1 - w) c is missing, and noise of w^2 v / N comes in."""
    c, N, w = 0.4, 5, 0.8
    clean, v = np.full((N, 9, 9), c), NOISE.read_std**2 + NOISE.shot_gain * c
    found = expected_error(np.full((N, 1, 1), w), clean, clean[0], NOISE, 4, 4, window=5)
    assert found == pytest.approx(np.sqrt(((1 - w) * c) ** 2 + w**2 * v / N), rel=1e-9)


def test_the_expected_error_is_that_of_many_noisy_frames():
    kernels, (y, x) = RNG.normal(0.1, 0.1, (3, 3, 3)), (6, 5)
    draws = NOISE.add_to(np.repeat(CLEAN[None], 2000, axis=0).astype(np.float32), np.random.default_rng(1))
    squares = [
        (np.einsum("dnab,nab->d", draws[:, :, q - 1 : q + 2, p - 1 : p + 2], kernels) / 3 - CLEAN[0, q, p])
        ** 2
        for q in range(y - 2, y + 3)
        for p in range(x - 2, x + 3)
    ]
    found = expected_error(kernels, CLEAN, CLEAN[0], NOISE, y, x, window=5)
    assert found == pytest.approx(np.sqrt(np.mean(squares)), rel=0.01)


@pytest.mark.parametrize("gain", [1, 8])
def test_no_kernels_that_stay_the_same_over_the_window_have_less_expected_error(gain):
    """Neither others near them, nor those that trained networks predict: at any pixel."""
    recipe = BurstRecipe("dog", (60, 90, 48, 48), noise=NoiseModel.for_gain(gain), seed=1)
    burst = synthesize(recipe)
    clean = synthesize(dataclasses.replace(recipe, noise=NoiseModel(0, 0))).frames
    for method in ("kpn-l5", "mkpn"):
        field = load(method)(burst).kernels
        for y, x in ((0, 0), (20, 31), (47, 9), (24, 24)):
            where = clean, burst.truth, burst.noise, y, x
            ideal = ideal_kernels(*where[:3], max(field.sizes), y, x)
            least = expected_error(ideal, *where)
            assert least < expected_error(field.at(y, x), *where)
            for size in (1e-3, 1e-1):
                assert least < expected_error(ideal + RNG.normal(0, size, ideal.shape), *where)


NAN_NEAR = np.where(np.indices(CLEAN.shape)[1] == 7, np.nan, CLEAN)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"K": 4}, "K is 4"),
        ({"K": 5.0}, "K is 5.0; it is a whole number, odd"),
        ({"window": 0}, "window is 0"),
        ({"window": "5"}, "window is '5'"),
        ({"y": 12}, r"pixel \(12, 6\)"),
        ({"x": -1}, r"pixel \(6, -1\)"),
        ({"y": 6.0}, "y is 6.0; it must be a whole number"),
        ({"truth": np.zeros((20, 20))}, r"truth has shape \(20, 20\), the frames are 12x13"),
        ({"truth": np.zeros((5, 5))}, r"truth has shape \(5, 5\), the frames are 12x13"),
        ({"truth": CLEAN}, r"truth has shape \(3, 12, 13\)"),
        ({"truth": NAN_NEAR[0]}, "truth holds values near pixel \\(6, 6\\) that are not finite"),
        ({"clean": NAN_NEAR}, "clean holds values near pixel"),
        ({"clean": CLEAN[0]}, r"clean has shape \(12, 13\); it is \[N, H, W\]"),
        ({"clean": (CLEAN * 255).astype(np.uint8)}, "clean has dtype uint8"),
        ({"clean": CLEAN.tolist()}, "clean is of type list; it must be a NumPy array"),
        ({"noise": None}, "noise is None; it is a NoiseModel"),
    ],
)
def test_what_makes_no_sense_is_named(changed, message):
    usual = {"clean": CLEAN, "truth": CLEAN[0], "noise": NOISE, "K": 3, "y": 6, "x": 6, "window": 5}
    with pytest.raises(ValueError, match=f"^{message}"):
        ideal_kernels(**usual | changed)


@pytest.mark.parametrize(
    ("kernels", "message"),
    [
        (np.zeros((3, 3, 5)), r"kernels has shape \(3, 3, 5\); for 3 frames it is \[3, K, K\]"),
        (np.zeros((2, 3, 3)), r"kernels has shape \(2, 3, 3\)"),
        (np.full((3, 3, 3), np.nan), "kernels holds values that are not finite"),
        (np.zeros((3, 3, 3), int), "kernels has dtype int64"),
    ],
)
def test_kernels_that_fit_no_frames_are_named(kernels, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        expected_error(kernels, CLEAN, CLEAN[0], NOISE, 6, 6)
