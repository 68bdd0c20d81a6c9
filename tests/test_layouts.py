"""Arrays in other layouts: what an error suggests is carried out, and gives what would have been given."""

import re

import numpy as np
import pytest
import torch

from kpnviz.burst import Burst
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField, dilated, gathered
from kpnviz.layouts import how_to_bring

N, C, F, K, H, W = 4, 3, 6, 5, 14, 17


def drawn(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


KERNELS, IN_COLOR, FACTOR = drawn(N, K, K, H, W), drawn(N, C, K, K, H, W), drawn(N, K, H, W)
BASIS, COEFFICIENTS = drawn(F, N, K, K), drawn(F, H, W)
FRAMES = np.random.default_rng(0).uniform(0, 1, (N, H, W)).astype(np.float32)
COLOR = np.random.default_rng(1).uniform(0, 1, (N, C, H, W)).astype(np.float32)


def from_kernels(kernels):
    return KernelField.from_kernels(kernels).factors


def from_factors(vertical):
    return KernelField.from_factors(vertical, vertical).factors


def from_basis(basis):
    return KernelField.from_basis(basis, COEFFICIENTS).basis


def from_coefficients(coefficients):
    return KernelField.from_basis(BASIS, coefficients).factors


def burst(frames):
    return Burst(frames).frames


def truth_in_color(truth):
    return Burst(COLOR, truth=truth).truth


def truth(truth):
    return Burst(FRAMES, truth=truth).truth


def shifts(shifts):
    return Burst(FRAMES, shifts=shifts).shifts


FIELD = KernelField.from_kernels(KERNELS)
IMAGE, IMAGE_IN_COLOR = (Estimate.of(Burst(frames), FIELD).image for frames in (FRAMES, COLOR))


def image(image):
    return Estimate.of(Burst(FRAMES), FIELD, image=image).image


def image_in_color(image):
    return Estimate.of(Burst(COLOR), FIELD, image=image).image


# What takes the array, the array as it is taken, and it in another layout, made by hand.
LAYOUTS = {
    "kernels [1, N, K, K, H, W]": (from_kernels, KERNELS, KERNELS[None]),
    "kernels [1, N, C, K, K, H, W]": (from_kernels, IN_COLOR, IN_COLOR[None]),
    "kernels [H, W, N, K, K]": (from_kernels, KERNELS, np.moveaxis(KERNELS, (3, 4), (0, 1))),
    "kernels [N, H, W, K, K]": (from_kernels, KERNELS, np.moveaxis(KERNELS, (3, 4), (1, 2))),
    "kernels [1, H, W, K, K, N]": (from_kernels, KERNELS, KERNELS.transpose(3, 4, 1, 2, 0)[None]),
    "kernels [H, W, K, K, N]": (from_kernels, KERNELS, KERNELS.transpose(3, 4, 1, 2, 0)),
    "kernels [N, C, H, W, K, K]": (from_kernels, IN_COLOR, np.moveaxis(IN_COLOR, (4, 5), (2, 3))),
    "kernels [N, K, K, C, H, W]": (from_kernels, IN_COLOR, np.moveaxis(IN_COLOR, 1, 3)),
    "kernels [N, K*K, H, W]": (from_kernels, KERNELS, KERNELS.reshape(N, K * K, H, W)),
    "kernels [1, N, K*K, H, W]": (from_kernels, KERNELS, KERNELS.reshape(1, N, K * K, H, W)),
    "kernels [N, C, K*K, H, W]": (from_kernels, IN_COLOR, IN_COLOR.reshape(N, C, K * K, H, W)),
    "kernels [1, N*K*K, H, W]": (from_kernels, KERNELS, KERNELS.reshape(1, N * K * K, H, W)),
    "kernels [N*K*K, H, W]": (from_kernels, KERNELS, KERNELS.reshape(N * K * K, H, W)),
    "kernels [N, H, W, K*K]": (
        from_kernels, KERNELS, np.moveaxis(KERNELS.reshape(N, K * K, H, W), 1, 3)
    ),
    "kernels [1, H, W, N*K*K]": (
        from_kernels, KERNELS, np.moveaxis(KERNELS.reshape(1, N * K * K, H, W), 1, 3)
    ),
    "kernels [K, K, N, H, W]": (from_kernels, KERNELS, np.moveaxis(KERNELS, 0, 2)),
    "kernels [K, K, H, W]": (from_kernels, KERNELS[:1], KERNELS[0]),
    "kernels [K*K, H, W]": (from_kernels, KERNELS[:1], KERNELS[0].reshape(K * K, H, W)),
    "vertical [1, N, K, H, W]": (from_factors, FACTOR, FACTOR[None]),
    "vertical [N, H, W, K]": (from_factors, FACTOR[:, :, :, :16], np.moveaxis(FACTOR[:, :, :, :16], 1, 3)),
    "vertical [1, N*K, H, W]": (from_factors, FACTOR, FACTOR.reshape(1, N * K, H, W)),
    "vertical [K, H, W]": (from_factors, FACTOR[:1], FACTOR[0]),
    "basis [1, F, N, K, K]": (from_basis, BASIS, BASIS[None]),
    "basis [N, F, K, K]": (from_basis, BASIS, BASIS.swapaxes(0, 1)),
    "basis [K, K, N, F]": (from_basis, BASIS, BASIS.transpose(2, 3, 1, 0)),
    "basis [F, N, K*K]": (from_basis, BASIS, BASIS.reshape(F, N, K * K)),
    "coefficients [1, F, H, W]": (from_coefficients, COEFFICIENTS, COEFFICIENTS[None]),
    "coefficients [H, W, F]": (from_coefficients, COEFFICIENTS, np.moveaxis(COEFFICIENTS, 0, 2)),
    "frames [1, N, H, W]": (burst, FRAMES, FRAMES[None]),
    "frames [1, N, C, H, W]": (burst, COLOR, COLOR[None]),
    "frames [N, H, W, C]": (burst, COLOR, np.moveaxis(COLOR, 1, 3)),
    "frames [H, W, C]": (burst, drawn(1, 3, 40, W), np.moveaxis(drawn(1, 3, 40, W)[0], 0, 2)),
    "frames [H, W]": (burst, FRAMES[:1], FRAMES[0]),
    "truth [H, W, C]": (truth_in_color, COLOR[0], np.moveaxis(COLOR[0], 0, 2)),
    "truth [1, C, H, W]": (truth_in_color, COLOR[0], COLOR[:1]),
    "truth [1, H, W]": (truth, FRAMES[0], FRAMES[:1]),
    "truth [1, 1, H, W]": (truth, FRAMES[0], FRAMES[:1, None]),
    "truth [W, H]": (truth, FRAMES[0], FRAMES[0].T),
    "image [1, 1, H, W]": (image, IMAGE, IMAGE[None, None]),
    "image [W, H]": (image, IMAGE, IMAGE.T),
    "image [H, W, C]": (image_in_color, IMAGE_IN_COLOR, np.moveaxis(IMAGE_IN_COLOR, 0, 2)),
    "shifts [2, N]": (shifts, drawn(N, 2), drawn(N, 2).T),
}  # fmt: skip


@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("case", LAYOUTS)
def test_an_error_says_how_another_layout_is_brought_and_that_does_it(case, tensors):
    take, right, given = LAYOUTS[case]
    given = np.ascontiguousarray(given)
    right, given = (torch.from_numpy(right), torch.from_numpy(given)) if tensors else (right, given)
    name, axes = case.split(" ", 1)
    with pytest.raises(ValueError) as raised:
        take(given)
    text = str(raised.value)
    assert str(tuple(given.shape)) in text and "\n" not in text
    found = dict(re.findall(r"are (\[[^\]]+\]): (\w[^;]*?)(?=, or if|$)", text))
    assert axes in found, text
    brought = eval(found[axes], {name: given})
    np.testing.assert_array_equal(take(brought), take(right))


@pytest.mark.parametrize(
    "shape, message",
    [
        # An axis, what came, and what is expected; and no layout that does not fit.
        ((N, K, K, H), r"kernels has shape \(4, 5, 5, 14\); expected \[N, K, K, H, W\] or \[N, C, K, K, H, W\]$"),
        ((N, 4, 4, H, W), r"kernels \[N, K, K, H, W\] has shape \(4, 4, 4, 14, 17\), so K = 4; kernels have an odd "),
        ((N, 7, 5, H, W), r"so K = 7 rows and 5 columns; kernels are square$"),
        ((N, 4, K, K, H, W), r"kernels \[N, C, K, K, H, W\] has shape .*, so C = 4 channels; C is 3, or 1 for kernels"),
        ((33, K, K, H, W), r"so N = 33 frames; kernels are taken of up to 32$"),
        ((N, 63, 63, H, W), r"so K = 63; kernels have an odd side up to 61$"),
        # An axis of 1 is hardly one of 1x1 taps.
        ((N, 1, H, W), r"expected \[N, K, K, H, W\] or \[N, C, K, K, H, W\]$"),
        # Nine frames of 5x5 or 25 of 3x3: letters, as no number follows.
        ((225, H, W), r"its axes are \[N\*K\*K, H, W\]: kernels\.reshape\(N, K, K, 14, 17\)$"),
        # Both fit: [H, W, N, K, K] of 8 frames, and 14 frames of 17 x 8 pixels.
        ((14, 17, 8, 5, 5), r"\[H, W, N, K, K\]: kernels\.transpose\(2, .*\), or if they are \[N, H, W, K, K\]: "),
    ],
)  # fmt: skip
def test_what_no_layout_explains_is_said_without_one(shape, message):
    with pytest.raises(ValueError, match=message):
        KernelField.from_kernels(np.zeros(shape, np.float32))


def test_each_of_several_sizes_is_named():
    with pytest.raises(
        ValueError, match=r"kernels\[1\] .* has shape .*\[H, W, N, K, K\]: kernels\[1\]\.transpose"
    ):
        KernelField.from_kernels([drawn(N, 3, 3, H, W), np.moveaxis(KERNELS, (3, 4), (0, 1))])
    with pytest.raises(
        ValueError, match=r"vertical\[0\] .* has shape \(4, 3, .*, horizontal\[0\] .* \(4, 5,"
    ):
        KernelField.from_factors([drawn(N, 3, H, W)], [drawn(N, 5, H, W)])


def test_the_helpers_of_kernels_say_it_too():
    with pytest.raises(ValueError, match=r"\[N, K\*K, H, W\]: kernels\.reshape\(4, 5, 5, 14, 17\)"):
        dilated(KERNELS.reshape(N, K * K, H, W), 2)
    with pytest.raises(ValueError, match=r"\[H, W, N, K, K\]: splat\.transpose\(2, 3, 4, 0, 1\)"):
        gathered(np.moveaxis(KERNELS, (3, 4), (0, 1)))


@pytest.mark.parametrize(
    "field, frames, hint",
    [
        (KernelField.from_kernels(KERNELS.swapaxes(3, 4)), FRAMES, "kernels.swapaxes(-2, -1)"),
        (KernelField.from_kernels(KERNELS[..., :7, :9]), FRAMES, "size=(14, 17)"),
        (KernelField.from_kernels(KERNELS[..., 2:-2, 2:-2]), FRAMES, "padding='valid'"),
        (KernelField.from_kernels(IN_COLOR[:1]), FRAMES[:3], "kernels[0]"),
        (KernelField.from_kernels(KERNELS[..., 1:]), FRAMES, ""),
    ],
)
def test_kernels_that_are_not_of_the_frames_are_explained(field, frames, hint):
    with pytest.raises(ValueError, match="the kernels are those of") as raised:
        Estimate.of(Burst(frames), field)
    _, colon, found = str(raised.value).partition("; if ")
    assert found.endswith(hint) and bool(colon) == bool(hint)


def test_size_with_height_and_width_exchanged():
    with pytest.raises(ValueError, match=r"given at 14x17 places and size is 17x14 \(H x W\); .* exchanged"):
        KernelField.from_kernels(KERNELS, size=(W, H))


def test_an_array_that_is_as_expected_has_no_hint():
    assert how_to_bring("k", KERNELS, ["N K K H W"], ["N K K H W"]) == ""
