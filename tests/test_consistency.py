"""Pictures that were made in another way than stated, and the way that is named."""

import dataclasses
import re

import numpy as np
import pytest
import torch

from kpnviz import consistency
from kpnviz.burst import Burst
from kpnviz.color import srgb_encode
from kpnviz.consistency import explain_difference, picture_of
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField
from kpnviz.noise import NoiseModel

from .lens.kinds import KINDS

N, K, H, W = 4, 5, 24, 30
FRAMES = np.random.default_rng(0).random((N, H, W), dtype=np.float32)
KERNELS = np.random.default_rng(1).normal(0.04, 0.02, (N, K, K, H, W)).astype(np.float32)


def applied(frames=FRAMES, kernels=KERNELS, mode="constant"):
    """What each kernel makes of its frame, in NumPy: [N, H, W]."""
    padded = np.pad(frames, ((0, 0), (2, 2), (2, 2)), mode=mode)
    out = np.zeros_like(frames)
    for a in range(K):
        for b in range(K):
            out += kernels[:, a, b] * padded[:, a : a + H, b : b + W]
    return out


FIELD = KernelField.from_kernels(KERNELS, padding="zero", reduce="mean")


def test_the_picture_of_the_kernels_has_nothing_to_explain():
    assert explain_difference(FRAMES, FIELD, applied().mean(0)) == ""
    half = KernelField.from_kernels(torch.from_numpy(KERNELS).half(), padding="zero")
    assert explain_difference(FRAMES, half, applied().mean(0)) == ""


@pytest.mark.parametrize(
    "image, reason",
    [
        (applied(mode="reflect").mean(0), "within 2 pixels of the edge. They agree with padding='reflect'"),
        (applied(mode="edge").sum(0), "They agree with padding='replicate' and reduce='sum'"),
        (applied().sum(0), "They agree with reduce='sum'"),
        (applied(kernels=KERNELS[:, ::-1, ::-1]).mean(0), "kernels flipped (convolution, not correlation)"),
        (applied(kernels=KERNELS.swapaxes(1, 2)).mean(0), "the kernels' axes dy and dx exchanged"),
        (applied(FRAMES[::-1]).mean(0), "kernel by kernel, frames 3, 2, 1, 0"),
        (applied(FRAMES[[2, 0, 3, 1]]).mean(0), "kernel by kernel, frames 2, 0, 3, 1"),
        (
            applied(FRAMES[[0, 0, 0, 0]]).mean(0),
            "with some frames twice: kernel by kernel, frames 0, 0, 0, 0",
        ),
        (applied().mean(0).clip(0.3, 1).clip(None, 0.6), "None of the usual reasons"),
        (applied().mean(0) / (KERNELS.sum((1, 2)).mean(0)), "divided by the sum of the weights"),
        (255 * applied().mean(0), "once what the kernels make is multiplied by 255"),
        (applied().mean(0) + FRAMES[0], "once frame 0 is added"),
        (applied().mean(0) - 0.05, "They agree once -0.05 is added to what the kernels make."),
        (2 * applied().mean(0) + 0.1, "once what the kernels make is multiplied by 2, and 0.1 is added."),
        (applied().mean(1), "It is the mean over the rows in place of the frames"),
        (
            applied(FRAMES[[2, 0, 3, 1]], mode="edge").sum(0),
            "'replicate' and reduce='sum' and the frames in another order: kernel by kernel, frames 2, 0, 3, 1",
        ),
        (
            applied(FRAMES[::-1], KERNELS[:, ::-1, ::-1]).mean(0),
            "correlation) and the frames in another order: kernel by kernel, frames 3, 2, 1, 0",
        ),
        (
            applied(kernels=KERNELS.swapaxes(1, 2)[:, ::-1, ::-1]).mean(0),
            "with kernels flipped and their axes dy and dx exchanged",
        ),
        (applied().mean(0) / applied(np.ones_like(FRAMES)).mean(0), "that lie within the frame"),
        (srgb_encode(applied().mean(0)), "They agree after the sRGB transfer."),
        (np.random.default_rng(2).random((H, W)), "None of the usual reasons explains it"),
        (np.full((H, W), np.nan), "the picture holds nan at (0, 0)"),
    ],
)
def test_what_was_done_otherwise_is_named(image, reason):
    assert reason in explain_difference(FRAMES, FIELD, image)


def test_kernels_of_half_resolution_that_were_repeated():
    few = KERNELS[..., :12, :15]
    field = KernelField.from_kernels(few, size=(H - 1, W), padding="zero")
    repeated = np.kron(few, np.ones((2, 2), np.float32))
    image = applied(np.pad(FRAMES[:, :-1], ((0, 0), (0, 1), (0, 0))), repeated).mean(0)[:-1]
    assert "agree once the kernels of half resolution are repeated" in explain_difference(
        FRAMES[:, :-1], field, image
    )


def test_kernels_that_make_infinity_agree_with_nothing():
    field = KernelField.from_kernels(KERNELS.astype(np.float64) * 1e200, padding="zero")
    with np.errstate(over="ignore"):
        sentence = "kernels make a picture that .*holds inf at"
        assert re.search(sentence, explain_difference(FRAMES, field, applied().mean(0)))
        for image in (None, applied().mean(0)):
            with pytest.raises(
                ValueError, match="my KPN: the kernels make a picture that is not finite: it holds inf"
            ):
                Estimate.of(Burst(FRAMES), field, name="my KPN", image=image)


def test_a_picture_in_bfloat16_differs_by_its_rounding():
    """2^-9 of a number, more than the usual tolerance; a picture that is off by 2 % is not taken."""
    burst, image = Burst(FRAMES), torch.from_numpy(applied().mean(0))
    assert Estimate.of(burst, FIELD, image=image.bfloat16()).kernels is FIELD
    with pytest.raises(ValueError, match="multiplied by 1.02"):
        Estimate.of(burst, FIELD, image=(1.02 * image).bfloat16())
    with pytest.raises(ValueError, match="multiplied by 1.002"):
        Estimate.of(burst, FIELD, image=1.002 * image)


def test_a_picture_that_was_clipped():
    bright = KernelField.from_kernels(3 * KERNELS, padding="zero")
    assert "They agree once clipped to 0..1" in explain_difference(
        FRAMES, bright, 3 * applied().mean(0).clip(0, 1 / 3)
    )


def test_the_order_of_32_frames_of_a_valid_convolution_in_color():
    rng = np.random.default_rng(7)
    frames, order = rng.random((32, 3, 60, 60), dtype=np.float32), rng.permutation(32)
    kernels = rng.normal(0.1, 0.1, (32, 3, 3, 58, 58)).astype(np.float32)
    field = KernelField.from_kernels(kernels, padding="valid")
    image = sum(
        kernels[:, None, a, b] * frames[order, :, a : a + 58, b : b + 58] for a in range(3) for b in range(3)
    ).mean(0)
    assert f"kernel by kernel, frames {', '.join(map(str, order))}." in explain_difference(
        frames, field, image
    )


@pytest.mark.parametrize("change", ["flipped", "exchanged"])
def test_separable_kernels_and_a_basis_are_turned_too(change):
    u, v = np.random.default_rng(3).normal(0.2, 0.1, (2, N, K, H, W)).astype(np.float32)
    separable = KernelField.from_factors(u, v, padding="zero")
    basis = np.random.default_rng(4).normal(0.04, 0.02, (3, N, K, K)).astype(np.float32)
    c = np.random.default_rng(5).random((3, H, W), dtype=np.float32)
    for field, kernels in (
        (separable, u[:, :, None] * v[:, None]),
        (KernelField.from_basis(basis, c, padding="zero"), np.einsum("fnab,fhw->nabhw", basis, c)),
    ):
        turned = kernels[:, ::-1, ::-1] if change == "flipped" else kernels.swapaxes(1, 2)
        assert change in explain_difference(FRAMES, field, applied(kernels=turned).mean(0))


def test_an_estimate_of_ones_own():
    burst = Burst(FRAMES, NoiseModel(0.1, 0.01))
    estimate = Estimate.of(
        burst, FIELD, name="my KPN", image=torch.from_numpy(applied().mean(0)).requires_grad_()
    )
    np.testing.assert_allclose(estimate.image, applied().mean(0), atol=1e-5)
    assert estimate.kernels is FIELD and estimate.model == "my KPN"
    with pytest.raises(
        ValueError, match=r"my KPN: the picture is not what .* differ by up to .*, at row \d+, column"
    ):
        Estimate.of(burst, FIELD, name="my KPN", image=applied().sum(0))


def test_in_color_the_channel_is_named():
    color = np.random.default_rng(6).random((N, 3, H, W), dtype=np.float32)
    field = dataclasses.replace(FIELD, padding="reflect")
    with torch.inference_mode():
        made = field.apply(torch.from_numpy(color)[None])[0].numpy()
    assert explain_difference(color, field, made) == ""
    levels = np.array([0.1, 0.2, -0.3], np.float32)
    assert explain_difference(color, field, made + levels[:, None, None]).endswith(
        "agree once a constant is added to each channel of what the kernels make: 0.1, 0.2, -0.3."
    )
    made[2, 5, 7] += 0.1
    assert "at channel 2, row 5, column 7" in explain_difference(color, field, made)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("reduce", [None, "size"])
def test_in_parts_kernels_make_the_same_picture_and_the_work_can_end_between_them(kind, reduce, monkeypatch):
    burst, field = kind()
    at_once, pauses = picture_of(burst.frames, field, reduce=reduce), []
    rows = 4
    work = field.multiply_adds * (burst.channels or 1)
    monkeypatch.setattr(consistency, "_AT_ONCE", (rows + 0.5) * work / field.height)
    in_parts = picture_of(burst.frames, field, lambda: pauses.append(1), reduce)
    np.testing.assert_allclose(in_parts, at_once, atol=2e-6 * np.abs(at_once).max())
    assert len(pauses) == -(-field.height // rows)

    def leave():
        pauses.append(1)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    pauses.clear()
    with pytest.raises(KeyboardInterrupt):
        picture_of(burst.frames, field, leave, reduce)
    assert len(pauses) == 2
