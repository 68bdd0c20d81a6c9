"""Analytic cases; SSIM against its formula, written out with a Gaussian window from scipy."""

import re

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from kpnviz.analysis.metrics import has_ssim, psnr, ssim
from kpnviz.color import srgb_decode, srgb_encode


def test_psnr_of_a_known_error():
    """An error of 0.1 in the displayed picture is 20 dB."""
    truth = srgb_decode(np.full((40, 40), 0.5))
    assert psnr(srgb_decode(np.full((40, 40), 0.6)), truth) == pytest.approx(20, abs=1e-4)
    assert psnr(truth, truth) == float("inf")


def test_the_border_does_not_count_and_the_rest_does():
    truth = np.full((40, 40), 0.5)
    border = truth.copy()
    border[:8], border[-8:], border[:, :8], border[:, -8:] = 0, 1, 0, 1
    assert psnr(border, truth) == float("inf")
    border[8, 8] = 0
    assert psnr(border, truth) < 60


def test_white_level_is_divided_out_and_the_display_clips():
    rng = np.random.default_rng(0)
    image, truth = rng.random((2, 40, 40))
    assert psnr(0.2 * image, 0.2 * truth, white_level=0.2) == pytest.approx(psnr(image, truth))
    assert psnr(truth * 0 + 3, truth * 0 + 1.5) == float("inf")
    assert psnr(truth * 0 - 3, truth * 0) == float("inf")


def test_ssim_is_wangs_formula():
    rng = np.random.default_rng(1)
    truth = gaussian_filter(rng.random((60, 50)), 2)
    image = truth + 0.02 * rng.standard_normal(truth.shape)
    a, b = (np.clip(srgb_encode(p[8:-8, 8:-8]), 0, 1) for p in (image, truth))
    # An 11x11 window of sigma 1.5: 5 pixels are 3.33 sigma.
    blur = lambda x: gaussian_filter(x, 1.5, truncate=3.5)  # noqa: E731
    c1, c2 = 0.01**2, 0.03**2
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    oracle = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim(image, truth) == pytest.approx(oracle[5:-5, 5:-5].mean(), abs=1e-6)
    assert ssim(truth, truth) == pytest.approx(1)


def test_tiny_pictures():
    one = np.full((1, 1), 0.5)
    assert psnr(one, one + 0.1) < 40
    # An 11x11 window, inside of the 8 pixels that each side loses: 27.
    large = np.full((27, 30), 0.5)
    assert ssim(large, large) == pytest.approx(1) and has_ssim(large.shape)
    for shape in ((3, 3), (26, 200), (200, 26)):
        assert not has_ssim(shape)
        with pytest.raises(
            ValueError, match=f"image has {shape[0]}x{shape[1]} pixels; SSIM needs 27x27 or more"
        ):
            ssim(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_masked_values_are_refused(metric):
    plain = np.full((40, 40), 0.5)
    hidden = np.ma.masked_array(plain, np.zeros((40, 40), bool))
    assert metric(hidden, plain) == metric(plain, plain)  # none is masked
    hidden[20, 20] = np.ma.masked
    for pair, name in (((hidden, plain), "image"), ((plain, hidden), "truth")):
        with pytest.raises(ValueError, match=f"{name} has masked values"):
            metric(*pair)


def test_unlike_shapes_are_named():
    with pytest.raises(ValueError, match=r"image has shape \(4, 4\), truth \(4, 5\)"):
        psnr(np.zeros((4, 4)), np.zeros((4, 5)))


PLAIN = np.full((40, 40), 0.5)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.where(np.eye(40), np.nan, PLAIN), "image holds values that are not finite"),
        (PLAIN * np.inf, "image holds values that are not finite"),
        (
            np.full((40, 40), 128, np.uint8),
            "image has dtype uint8; intensities are floating point, white = 1",
        ),
        (PLAIN > 0, "image has dtype bool"),
        (PLAIN + 1j, "image has dtype complex128"),
        (PLAIN.astype(str), "image has dtype <U32"),
        (PLAIN.astype(object), "image has dtype object"),
        (PLAIN.tolist(), "image is of type list; it must be a NumPy array"),
        (torch.from_numpy(PLAIN), "image is of type Tensor; it must be a NumPy array"),
        (None, "image is of type NoneType; it must be a NumPy array"),
    ],
)
def test_what_is_no_picture_is_one_sentence(metric, image, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        metric(image, PLAIN)
    with pytest.raises(ValueError, match=f"^{sentence.replace('image', 'truth')}"):
        metric(PLAIN, image)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("white", [0, -1, -5, float("nan"), float("inf"), None, "1", True])
def test_white_is_a_number_above_0(metric, white):
    with pytest.raises(ValueError, match="^white_level is .*; it is a number from 1e-06 to 1e"):
        metric(PLAIN, PLAIN + 0.1, white)


@pytest.mark.parametrize("metric", [psnr, ssim])
@pytest.mark.parametrize("shape", [(0, 0), (0, 40), (40,), (40, 40, 3)])
def test_a_picture_has_rows_and_columns(metric, shape):
    with pytest.raises(ValueError, match=re.escape(f"image has shape {shape}; a picture is [H, W]")):
        metric(np.zeros(shape), np.zeros(shape))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f8", np.longdouble])
def test_any_floating_point_is_compared(dtype):
    """1/4 and 1/2 are the same number in each."""
    image, truth = PLAIN / 2, PLAIN
    assert psnr(image.astype(dtype), truth.astype(dtype)) == psnr(image, truth)
    assert ssim(image.astype(dtype), truth.astype(dtype)) == ssim(image, truth)


def test_color_is_measured_over_its_channels_together():
    """PSNR of the mean squared error over R, G and B; SSIM, the mean of the three."""
    rng = np.random.default_rng(0)
    truth = rng.random((3, 40, 44))
    image = truth + np.array([0.01, 0.05, 0.1])[:, None, None] * rng.standard_normal(truth.shape)
    errors = [10 ** (-psnr(a, b) / 10) for a, b in zip(image, truth, strict=True)]
    assert psnr(image, truth) == pytest.approx(-10 * np.log10(np.mean(errors)))
    assert ssim(image, truth) == pytest.approx(
        np.mean([ssim(a, b) for a, b in zip(image, truth, strict=True)])
    )
    with pytest.raises(
        ValueError, match=r"image has shape \(2, 40, 44\); a picture is \[H, W\], or \[3, H, W\]"
    ):
        psnr(image[:2], truth[:2])
