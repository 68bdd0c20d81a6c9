"""Maps against kernels evaluated one by one, Fourier's definition, and pictures whose class is plain to see."""

import numpy as np
import pytest
import torch

from kpnviz.analysis import kernel_stats, metrics
from kpnviz.analysis.maps import (
    PIXEL_CLASSES,
    burst_response,
    class_psnr,
    disagreement,
    frame_maps,
    frequency_response,
    kernel_kinds,
    mean_kernels,
    pixel_classes,
    squared_error,
)
from kpnviz.kernels import KernelField, factor_channels


@pytest.fixture
def field():
    sizes = (1, 5)
    factors = torch.randn(
        1, 3, factor_channels(sizes, True), 7, 9, generator=torch.Generator().manual_seed(0)
    )
    return KernelField(factors, sizes, True, 13, 18)


def test_frame_maps_are_the_statistics_of_the_kernels_as_predicted(field, monkeypatch):
    monkeypatch.setattr("kpnviz.analysis.maps._BLOCK_WEIGHTS", 500)  # several blocks
    maps = frame_maps(field, 2)
    for i, j in [(0, 0), (3, 5), (6, 8)]:
        u, v = {}, {}
        channels = field.factors[0, 2, :, i, j].numpy()
        u[1], v[1], u[5], v[5] = np.split(channels, [1, 2, 7])
        kernel = np.outer(u[5], v[5]) / 2
        kernel[2, 2] += u[1][0] * v[1][0] / 2
        assert maps.share[i, j] == pytest.approx(kernel.sum() / 3, rel=1e-5)
        assert maps.spread[i, j] == pytest.approx(kernel_stats.spread(kernel), rel=1e-5)
        assert maps.entropy[i, j] == pytest.approx(kernel_stats.entropy(kernel), rel=1e-5)
        np.testing.assert_allclose(maps.centroid[i, j], kernel_stats.centroid(kernel), atol=1e-5)


def test_an_unknown_frame_is_named(field):
    for frame in (3, -1, 0.5, True, "0", None):
        with pytest.raises(ValueError, match=f"frame is {frame!r}; this field has frames 0 to 2"):
            frame_maps(field, frame)
    np.testing.assert_array_equal(frame_maps(field, np.uint8(2)).share, frame_maps(field, 2).share)


@pytest.mark.parametrize("thin_out", [False, True])
def test_kinds_are_found_where_they_were_put(monkeypatch, thin_out):
    """Three kinds, laid out in stripes: deltas, boxes, and a shifted delta in frame 1; a little noise on all."""
    monkeypatch.setattr("kpnviz.analysis.maps._BLOCK_WEIGHTS", 500)  # several blocks
    if thin_out:
        monkeypatch.setattr("kpnviz.analysis.maps._FITTED_CELLS", 40)
    kinds = np.zeros((3, 2, 3, 3))
    kinds[0, :, 1, 1] = 1
    kinds[1, 0, 1, 1], kinds[1, 1, 0, 1] = 1, 1
    kinds[2] = 1 / 9
    place = np.arange(14)[:, None] // 5 + np.zeros((1, 12), int)
    rng = np.random.default_rng(0)
    dense = kinds[place] + rng.normal(0, 0.01, (14, 12, 2, 3, 3))
    factors = torch.from_numpy(dense.reshape(14, 12, 2, 9)).permute(2, 3, 0, 1)[None].float()
    field = KernelField(factors, (3,), False, 28, 24)
    found = kernel_kinds(field, None, 3)
    # In the order of how wide they are.
    np.testing.assert_array_equal(found.index, place)
    for kind in range(3):
        np.testing.assert_allclose(found.kernels[kind], dense[place == kind].mean(axis=0), atol=1e-6)
    rest = ((dense - found.kernels[place]) ** 2).sum(axis=(2, 3, 4)).mean()
    variety = ((dense - dense.mean(axis=(0, 1))) ** 2).sum(axis=(2, 3, 4)).mean()
    assert found.explained == pytest.approx(1 - rest / variety, abs=1e-6)
    # Frame 0 alone does not tell the first two apart.
    first = kernel_kinds(field, 0, 2)
    np.testing.assert_array_equal(first.index, place == 2)
    assert first.kernels.shape == (2, 1, 3, 3)


def test_kinds_come_by_how_wide_each_frames_kernel_is():
    """Deltas that sit apart in two frames are narrower than a row of three, though all frames together are wider."""
    apart, row, faint = np.zeros((3, 2, 5, 5))
    apart[0, 0, 0] = apart[1, 4, 4] = 1  # spread 0; of both frames together sqrt(8)
    row[:, 2, 1:4] = 1 / 3  # sqrt(2 / 3)
    faint[0, 2, 1:4] = 2 / 3
    faint[1] = 1e-9  # hardly there: a box of spread 2
    place = np.arange(12)[:, None] // 4 + np.zeros((1, 8), int)
    dense = np.stack([faint, apart, 3 * row])[place]
    factors = torch.from_numpy(dense.reshape(12, 8, 2, 25)).permute(2, 3, 0, 1)[None].double()
    found = kernel_kinds(KernelField(factors, (5,), False, 24, 16), None, 3)
    assert (found.index[4:8] == 0).all() and (found.index[:4] > 0).all() and (found.index[8:] > 0).all()
    np.testing.assert_allclose(found.spread, [0, (2 / 3) ** 0.5, (2 / 3) ** 0.5], atol=1e-6)
    np.testing.assert_allclose(found.kernels[0], apart, atol=1e-7)


def test_of_kernels_that_are_all_alike_there_is_one_kind():
    factors = torch.ones(1, 2, 9, 4, 5) * torch.linspace(0.1, 0.3, 9)[:, None, None]
    found = kernel_kinds(KernelField(factors, (3,), False, 8, 10), None, 5)
    assert found.kernels.shape == (1, 2, 3, 3) and not found.index.any() and found.explained == 1


def test_kinds_of_an_unknown_frame_or_number_are_named(field):
    with pytest.raises(ValueError, match="frame is 3; this field has frames 0 to 2"):
        kernel_kinds(field, 3)
    with pytest.raises(ValueError, match="frame is 0.5; this field has frames 0 to 2"):
        kernel_kinds(field, 0.5)
    with pytest.raises(ValueError, match="count is 2.5; at least one kind is needed, and a whole number"):
        kernel_kinds(field, 0, 2.5)
    with pytest.raises(ValueError, match="count is 0; at least one kind is needed"):
        kernel_kinds(field, 0, 0)


def test_mean_kernels_are_the_mean_of_kernels(field, monkeypatch):
    monkeypatch.setattr("kpnviz.analysis.maps._BLOCK_WEIGHTS", 500)
    one_by_one = [field.at(y, x) for y in range(2, 9) for x in range(5, 11)]
    np.testing.assert_allclose(mean_kernels(field, 2, 9, 5, 11), np.mean(one_by_one, axis=0), atol=1e-6)
    with pytest.raises(ValueError, match="do not lie in the picture"):
        mean_kernels(field, 5, 5, 0, 4)
    with pytest.raises(ValueError, match="bottom is 5.0; it must be a whole number"):
        mean_kernels(field, 2, 5.0, 0, 4)
    color = KernelField(torch.zeros(1, 2, 3, 9, 4, 5), (3,), False, 8, 10)
    with pytest.raises(ValueError, match="there are kernels of 3 channels; choose one"):
        mean_kernels(color, 0, 4, 0, 4)


GRAY = np.full((40, 50), 0.5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: squared_error(GRAY, GRAY[:, :1]), r"image has shape \(40, 50\), truth \(40, 1\)"),
        (lambda: squared_error(GRAY, GRAY, 0), "white_level is 0"),
        (lambda: disagreement(GRAY, GRAY[:1]), r"a has shape \(40, 50\), b \(1, 50\)"),
        (lambda: disagreement(GRAY, GRAY * np.nan), "b holds values that are not finite"),
        (lambda: pixel_classes(GRAY * np.inf), "truth holds values that are not finite"),
        (lambda: pixel_classes(np.zeros((4, 4, 3))), r"truth has shape \(4, 4, 3\); a picture is \[H, W\]"),
        (lambda: pixel_classes(np.zeros((4, 4), int)), "truth has dtype int64"),
        (
            lambda: class_psnr(GRAY, np.zeros((30, 40), int)),
            r"error has shape \(40, 50\), classes \(30, 40\)",
        ),
        (lambda: frequency_response(np.zeros((3, 4))), r"kernel has shape \(3, 4\); it is square"),
        (lambda: burst_response(np.zeros((2, 3, 4))), r"kernels has shape \(2, 3, 4\); kernels are square"),
        (
            lambda: burst_response(np.zeros((2, 3, 3)), [(0, 0)]),
            r"shifts has shape \(1, 2\); it is \[N, 2\] with N = 2",
        ),
    ],
)
def test_pictures_that_make_no_sense_are_named(call, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        call()


def test_the_response_is_fouriers():
    kernel = np.random.default_rng(0).normal(size=(5, 5))
    frequencies, response = frequency_response(kernel, points=5)
    np.testing.assert_allclose(frequencies, [-0.5, -0.25, 0, 0.25, 0.5])
    oracle = np.abs(np.fft.fftshift(np.fft.fft2(np.pad(kernel, ((0, 3), (0, 3))))))  # at multiples of 1/8
    np.testing.assert_allclose(response[:4, :4], oracle[::2, ::2][:4, :4])
    np.testing.assert_allclose(response, response[::-1, ::-1])  # a real kernel


def test_responses_of_plain_kernels():
    delta = np.zeros((7, 7))
    delta[2, 5] = -3
    np.testing.assert_allclose(frequency_response(delta)[1], 3)
    row = np.zeros((3, 3))
    row[1] = 1 / 3
    frequencies, response = frequency_response(row)
    expected = np.abs(1 + 2 * np.cos(2 * np.pi * frequencies)) / 3
    np.testing.assert_allclose(response, np.broadcast_to(expected, response.shape))  # along x only


def test_kernels_that_follow_the_scene_let_everything_pass_once_its_shift_is_taken_out():
    shifts = [(0, 0), (2, -1), (-1, 3)]
    kernels = np.zeros((3, 7, 7))
    for kernel, (dy, dx) in zip(kernels, shifts, strict=True):
        kernel[3 + dy, 3 + dx] = 1
    np.testing.assert_allclose(burst_response(kernels, shifts)[1], 1)
    frequencies, still = burst_response(kernels)
    waves = [np.exp(2j * np.pi * (0.5 * dy + 0.25 * dx)) for dy, dx in shifts]
    assert still[64, list(frequencies).index(0.25)] == pytest.approx(abs(sum(waves)) / 3)
    np.testing.assert_allclose(burst_response(kernels, shifts, divisor=1)[1], 3)


def test_the_pixels_of_most_disagreement_come_first():
    a = np.full((60, 80), 0.5)
    b = a.copy()
    b[30, 40], b[20, 60], b[31, 42], b[2, 2] = 0.9, 0.1, 0.7, 0.0
    found = disagreement(a, b)
    # (31, 42) is too near the first, (2, 2) too near the border.
    assert [(y, x) for y, x, _ in found] == [(20, 60), (30, 40)]
    assert found[0][2] == pytest.approx(1.055 * (0.5 ** (1 / 2.4) - 0.1 ** (1 / 2.4)))
    assert disagreement(a, a) == []
    assert disagreement(a[:1, :1], b[:1, :1]) == []


def test_classes_of_pictures_that_leave_no_doubt():
    flat = np.full((32, 32), 0.4)
    assert (pixel_classes(flat) == PIXEL_CLASSES.index("flat")).all()
    edge = np.where(np.arange(32) < 16, 0.1, 0.6) * np.ones((32, 1))
    classes = pixel_classes(edge)
    assert (classes[:, 14:18] == PIXEL_CLASSES.index("edge")).all()
    assert (classes[:, :6] == PIXEL_CLASSES.index("flat")).all()
    checks = 0.3 + 0.2 * ((np.indices((32, 32)) // 3).sum(axis=0) % 2)
    assert (pixel_classes(checks)[4:-4, 4:-4] == PIXEL_CLASSES.index("textured")).all()


def test_the_flat_threshold_is_a_gradient_of_the_displayed_picture():
    for slope, name in [(0.012, "flat"), (0.018, "edge")]:
        displayed = 0.2 + slope * np.arange(40) * np.ones((40, 1))
        linear = ((displayed + 0.055) / 1.055) ** 2.4
        assert (pixel_classes(linear)[10:-10, 10:-10] == PIXEL_CLASSES.index(name)).all()


def test_class_psnr_of_one_class_is_the_psnr():
    rng = np.random.default_rng(0)
    truth = rng.random((40, 50))
    image = truth + rng.normal(0, 0.1, truth.shape)
    error = squared_error(image, truth)
    values = class_psnr(error, np.ones(truth.shape, int))
    assert values[1] == pytest.approx(metrics.psnr(image, truth))
    assert np.isnan(values[0]) and np.isnan(values[2])
    halves = np.broadcast_to(np.arange(50) // 25, truth.shape)
    left, right, _ = class_psnr(error, halves)
    np.testing.assert_allclose(left, -10 * np.log10(error[8:-8, 8:25].mean()))
    np.testing.assert_allclose(right, -10 * np.log10(error[8:-8, 25:-8].mean()))


def test_maps_of_color_are_those_of_the_channels_together():
    rng = np.random.default_rng(0)
    truth, image = rng.random((2, 3, 30, 32))
    error = squared_error(image, truth)
    np.testing.assert_allclose(
        error, np.mean([squared_error(a, b) for a, b in zip(image, truth, strict=True)], axis=0)
    )
    assert metrics.psnr(image, truth) == pytest.approx(-10 * np.log10(error[8:-8, 8:-8].mean()))
    np.testing.assert_array_equal(pixel_classes(np.stack([truth[0]] * 3)), pixel_classes(truth[0]))
    gray = np.stack([truth[0]] * 3), np.stack([image[0]] * 3)
    for one, other in zip(disagreement(*gray), disagreement(truth[0], image[0]), strict=True):
        assert one == pytest.approx(other)
