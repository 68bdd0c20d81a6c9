"""Kernels as five public kinds of networks predict and apply them, each applied in its own way as the oracle."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kpnviz.analysis.alignment import shifts_and_centroids
from kpnviz.analysis.counterfactuals import ChangedKernels, drop_frames, restrict_sizes
from kpnviz.analysis.kernel_stats import centroid, frame_share, mass, spread
from kpnviz.analysis.maps import frame_maps, kernel_kinds, mean_kernels
from kpnviz.burst import Burst
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField, dilated, gathered, odd_sized
from kpnviz.kernels.arrays import check_device

N, H, W = 4, 14, 17
CORNERS = [(0, 0), (0, W - 1), (H - 1, 0), (H - 1, W - 1), (6, 9)]


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


FRAMES = torch.rand(N, H, W, generator=torch.Generator().manual_seed(1))
COLOR = torch.rand(N, 3, H, W, generator=torch.Generator().manual_seed(2))


def unfolded(frames, K, pad=0):
    """Patches of frames [N, H, W] as F.unfold gives them: [N, K, K, H, W]."""
    height, width = frames.shape[1] - K + 1 + 2 * pad, frames.shape[2] - K + 1 + 2 * pad
    return F.unfold(frames[:, None], K, padding=pad).view(len(frames), K, K, height, width)


def kpn():
    """A PyTorch KPN: dense 5x5 kernels at every pixel, zero padding, mean over the frames."""
    k = drawn(N, 5, 5, H, W)
    field = KernelField.from_kernels(k.requires_grad_(), padding="zero", reduce="mean")
    return field, FRAMES, (k.detach() * unfolded(FRAMES, 5, 2)).sum((1, 2)).mean(0)


def sepconv():
    """A frame interpolator: separable kernels of 2 frames, replicated edges, sum over the frames; in color, shared."""
    u, v = drawn(2, 9, H, W, seed=3), drawn(2, 9, H, W, seed=4)
    field = KernelField.from_factors(u.numpy(), v.numpy(), padding="replicate", reduce="sum")
    padded = F.pad(COLOR[:2], (4, 4, 4, 4), mode="replicate")
    expected = [
        (torch.einsum("nahw,nbhw->nabhw", u, v) * unfolded(padded[:, c], 9)).sum((0, 1, 2)) for c in range(3)
    ]
    return field, COLOR[:2], torch.stack(expected)


def basis_prediction():
    """Basis prediction: 6 basis kernels of 15x15 for the whole burst, coefficients of each pixel, sum, zero padding."""
    basis, c = drawn(6, N, 15, 15, seed=5), torch.softmax(drawn(6, H, W, seed=6), 0)
    field = KernelField.from_basis(basis, c, padding="zero", reduce="sum")
    kernels = torch.einsum("fnab,fhw->nabhw", basis, c)
    return field, FRAMES, (kernels * unfolded(FRAMES, 15, 7)).sum((0, 1, 2))


def monte_carlo():
    """A Monte Carlo denoiser: one frame of color, 21x21 weights after a softmax, a picture without padding."""
    k = torch.softmax(drawn(1, 21 * 21, H - 8, W - 8, seed=7), 1).view(1, 21, 21, H - 8, W - 8)
    color = F.interpolate(COLOR[:1], size=(H + 12, W + 12))
    field = KernelField.from_kernels(k.double(), padding="valid", reduce="sum")
    expected = [(k * unfolded(color[:, c], 21)).sum((0, 1, 2)) for c in range(3)]
    return field, color, torch.stack(expected)


def adaptive_convolution():
    """Filter-adaptive convolution: 3x3 kernels of each channel's own, reflected edges."""
    k = drawn(1, 3, 3, 3, H, W, seed=8)
    field = KernelField.from_kernels(k, reduce="sum")
    padded = F.pad(COLOR[:1], (1, 1, 1, 1), mode="reflect")
    expected = [(k[0, c] * unfolded(padded[0, c][None], 3)[0]).sum((0, 1)) for c in range(3)]
    return field, COLOR[:1], torch.stack(expected)


KINDS = [kpn, sepconv, basis_prediction, monte_carlo, adaptive_convolution]


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_is_that_of_the_network_itself(kind):
    field, frames, expected = kind()
    image = field.apply(frames[None].to(field.factors.dtype))[0]
    assert image.shape == expected.shape and not image.requires_grad
    torch.testing.assert_close(image.float(), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_patches_times_shown_kernels_are_the_picture_also_in_corners(kind):
    field, frames, expected = kind()
    frames = frames if frames.ndim == 4 else frames[:, None]
    r, K = field.reach, 2 * field.reach + 1
    mode = {"zero": "constant", "replicate": "edge", "reflect": "reflect"}.get(field.padding)
    padded = frames.numpy()
    if mode is not None:
        padded = np.pad(padded, ((0, 0), (0, 0), (r, r), (r, r)), mode=mode)
    expected = expected.reshape(-1, field.height, field.width)
    for y, x in [(0, 0), (0, field.width - 1), (field.height - 1, 0), (field.height // 2, 3)]:
        for c in range(frames.shape[1]):
            kernels = field.channel(c).at(y, x)
            value = (padded[:, c, y : y + K, x : x + K] * kernels).sum() / field.divisor
            assert value == pytest.approx(float(expected[c, y, x]), abs=3e-5)


@pytest.mark.parametrize("kind", [kpn, basis_prediction])
def test_statistics_and_what_if_take_them(kind):
    field, frames, _ = kind()
    maps = frame_maps(field, 1)
    assert maps.share.shape == (H, W)
    assert maps.share[3, 5] == pytest.approx(mass(field.at(3, 5))[1] / field.divisor, rel=1e-4)
    assert kernel_kinds(field, count=2).index.shape == (H, W)
    dropped = drop_frames(field, [0, 2])
    np.testing.assert_array_equal(dropped.at(3, 5)[[0, 2]], 0)
    for changed in (ChangedKernels(dropped), ChangedKernels(dropped, nonnegative=True)):
        image = changed.apply(frames.numpy())
        r, K = field.reach, 2 * field.reach + 1
        padded = np.pad(frames.numpy(), ((0, 0), (r, r), (r, r)))
        for y, x in CORNERS:
            value = (padded[:, y : y + K, x : x + K] * changed.at(y, x)).sum() / field.divisor
            assert image[y, x] == pytest.approx(value, abs=2e-5)


def test_shares_are_kept_where_the_edge_is_black():
    """Zero padding darkens the border; the weights there still have their mass."""
    field, frames, _ = kpn()
    field = KernelField.from_kernels(torch.full((N, 3, 3, H, W), 1 / 9), padding="zero")
    kept = ChangedKernels(drop_frames(field, [0]), share_of=field)
    np.testing.assert_allclose(kept.at(0, 0)[1:], N / (N - 1) / 9, rtol=1e-5)
    np.testing.assert_allclose(kept.apply(frames.numpy())[0, 0],
                               frames.numpy()[1:, :2, :2].sum() / 9 / (N - 1), rtol=1e-5)  # fmt: skip


def test_valid_convolutions_keep_their_largest_size():
    field = KernelField.from_kernels([drawn(N, 3, 3, H, W), drawn(N, 1, 1, H, W)], padding="valid")
    burst = Burst(torch.ones(N, H + 2, W + 2))
    assert Estimate.of(burst, restrict_sizes(field, [3])).image.shape == (H, W)
    with pytest.raises(
        ValueError, match="sizes is 1; without padding the picture belongs to the largest one, 3"
    ):
        restrict_sizes(field, [1])


def test_several_sizes_are_averaged():
    sizes = {s: drawn(N, s, s, H, W, seed=s) for s in (1, 5)}
    field = KernelField.from_kernels(list(sizes.values()))
    expected = sizes[5][..., 6, 9].numpy() / 2
    expected[:, 2, 2] += sizes[1][:, 0, 0, 6, 9].numpy() / 2
    np.testing.assert_allclose(field.at(6, 9), expected, rtol=1e-5)
    np.testing.assert_allclose(field.sizes_at(6, 9)[5], sizes[5][..., 6, 9], rtol=1e-6)


@pytest.mark.parametrize("H, W", [(14, 17), (1, 1), (13, 2)])
def test_kernels_at_half_resolution_are_interpolated(H, W):
    k = drawn(2, 3, 3, (H + 1) // 2, (W + 1) // 2)
    field = KernelField.from_kernels(k, size=(H, W), padding="zero")
    full = F.interpolate(k.flatten(1, 2), scale_factor=2, mode="bilinear", align_corners=False)[..., :H, :W]
    same = KernelField.from_kernels(full.view(2, 3, 3, H, W), padding="zero")
    frames = torch.rand(1, 2, H, W)
    torch.testing.assert_close(field.apply(frames), same.apply(frames), atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(field.at(H - 1, W - 1), same.at(H - 1, W - 1), atol=1e-6)


@pytest.mark.parametrize("kind", [kpn, basis_prediction])
def test_kernels_as_predicted_are_those_of_the_frames_that_are_asked_for(kind):
    """In the order of the question, and of every second row and column of those that are given at every pixel."""
    field, _, _ = kind()
    every = field.region(0, H, 0, W)
    found = field.predicted(slice(1, 4), [3, 0], step=2)
    np.testing.assert_allclose(found, every[[3, 0], ::2, ::2][:, 1:4], rtol=1e-5)


def test_a_basis_is_a_mean_or_a_sum_as_it_says():
    field, frames, expected = basis_prediction()
    mean = dataclasses.replace(field, reduce="mean").apply(frames[None])[0]
    torch.testing.assert_close(mean, expected / N, atol=1e-5, rtol=1e-5)


def test_dilated_kernels_are_what_unfold_with_dilation_applies():
    k = drawn(N, 3, 3, H, W)
    patches = F.unfold(FRAMES[:, None], 3, dilation=2, padding=2).view(N, 3, 3, H, W)
    field = KernelField.from_kernels(dilated(k, 2), padding="zero")
    torch.testing.assert_close(
        field.apply(FRAMES[None])[0], (k * patches).sum((1, 2)).mean(0), atol=1e-5, rtol=1e-5
    )


def test_even_kernels_are_applied_about_their_center():
    k = drawn(N, 4, 4, H, W)
    assert odd_sized(k, (1, 1)).shape == (N, 5, 5, H, W) and odd_sized(k, (3, 0)).shape == (N, 7, 7, H, W)
    patches = unfolded(F.pad(FRAMES, (1, 2, 1, 2)), 4)  # one pixel in front, two behind
    field = KernelField.from_kernels(odd_sized(k, (1, 1)), padding="zero")
    torch.testing.assert_close(
        field.apply(FRAMES[None])[0], (k * patches).sum((1, 2)).mean(0), atol=1e-5, rtol=1e-5
    )


def test_splatting_kernels_gather_what_they_would_have_splatted():
    s = drawn(2, 5, 5, H, W)
    expected = np.zeros((H + 4, W + 4), np.float32)
    for n in range(2):
        for y in range(H):
            for x in range(W):
                expected[y : y + 5, x : x + 5] += (s[n, :, :, y, x] * FRAMES[n, y, x]).numpy()
    field = KernelField.from_kernels(gathered(s), padding="zero", reduce="sum")
    np.testing.assert_allclose(field.apply(FRAMES[None, :2])[0], expected[2:-2, 2:-2], atol=2e-5)


def test_a_field_is_one_line():
    assert repr(basis_prediction()[0]) == (
        "KernelField(4 frames of 14x17, basis of 6 kernels of sizes 15, padding zero, sum)"
    )
    assert repr(adaptive_convolution()[0]) == (
        "KernelField(1 frames of 14x17, dense kernels of sizes 3, padding reflect, sum)"
    )


def from_kernels(*shape, **options):
    return lambda: KernelField.from_kernels(drawn(*shape), **options)


@pytest.mark.parametrize(
    "make, message",
    [
        (from_kernels(5, 5, H, W), r"kernels has shape \(5, 5, 14, 17\); expected \[N, K, K, H, W\]"),
        (from_kernels(N, 4, 4, H, W), "so K = 4; kernels have an odd side up to 61 .odd_sized"),
        (from_kernels(1, 63, 63, 2, 2), "K = 63"),
        (from_kernels(N, 25, 1, H, W), "K = 25 rows and 1 columns"),
        (from_kernels(0, 3, 3, H, W), "an axis is empty"),
        (from_kernels(N, 3, 3, H, W, padding="wrap"), "padding is 'wrap'; choose one of 'reflect'"),
        (from_kernels(N, 3, 3, H, W, reduce="max"), "reduce is 'max'; choose 'mean' or 'sum'"),
        (from_kernels(N, 3, 3, H, W, size=(40, 40)), "given at 14x17 places and size is 40x40"),
        (lambda: KernelField.from_kernels(np.zeros((N, 3, 3, H, W), int)), "kernels has dtype int64"),
        (lambda: KernelField.from_kernels(torch.zeros(N, 3, 3, H, W).int()), "kernels has dtype torch.int32"),
        (lambda: KernelField.from_kernels("abc"), "kernels has dtype <U3"),
        (lambda: KernelField.from_kernels(None), "kernels has dtype object"),
        (lambda: KernelField.from_kernels([]), r"kernels is \[\]; give an array for each kernel size"),
        (
            lambda: KernelField.from_kernels(np.ma.masked_array(np.zeros((N, 3, 3, H, W)), True)),
            "kernels has masked values",
        ),
        (from_kernels(N, 3, 3, H, W, size=14), "size is 14; it must be two whole numbers"),
        (
            from_kernels(N, 3, 3, H, W, size=(14.0, 17.0)),
            r"size is \(14.0, 17.0\); it must be two whole numbers",
        ),
        (
            lambda: KernelField.from_factors([drawn(N, 3, H, W)], [drawn(N, 3, H, W)] * 2),
            "vertical has 1 sizes, horizontal 2; they must agree",
        ),
        (lambda: dilated(drawn(N, 3, 3, H, W), 1.5), "dilation is 1.5"),
        (lambda: odd_sized(drawn(N, 4, 4, H, W), 1), "center is 1; it must be two whole numbers"),
        (
            lambda: adaptive_convolution()[0].channel(0.5),
            "channel is 0.5; there are kernels of channels 0 to 2",
        ),
        (lambda: basis_prediction()[0].apply(FRAMES[None].int()), "frames has dtype torch.int32"),
        (lambda: basis_prediction()[0].apply(FRAMES), r"frames has shape .*; expected \[B, N, H, W\]"),
        (lambda: basis_prediction()[0].apply(FRAMES[None], "max"), "reduce is 'max'; choose one of 'none'"),
        (lambda: KernelField.from_kernels(drawn(N, 3, 3, H, W).log()), r"kernels\[0, .*\] is nan"),
        (lambda: KernelField.from_kernels(1 / drawn(1, 1, 1, 3, 3).relu()), r"kernels\[0, .*\] is inf"),
        (lambda: KernelField.from_kernels([drawn(N, 3, 3, H, W)] * 2), "K = 3, 3 were given; each size once"),
        (lambda: KernelField.from_factors(drawn(N, 3, H, W), drawn(N, 5, H, W)), "they must agree"),
        (
            lambda: KernelField.from_basis(drawn(6, N, 5, 5), drawn(7, H, W)),
            "so F = 6 and 7; they must agree",
        ),
        (lambda: dilated(drawn(N, 3, 3, H, W), 0), "dilation is 0"),
        (
            lambda: odd_sized(drawn(N, 4, 4, H, W), (4, 0)),
            r"center is \(4, 0\); it is a tap of kernels of 4x4",
        ),
        (lambda: adaptive_convolution()[0].apply(FRAMES[None]), "the kernels of 3 channels are applied to"),
        (lambda: adaptive_convolution()[0].channel(3), "channel is 3; there are kernels of channels 0 to 2"),
    ],
)
def test_bad_kernels_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.filterwarnings("error")
def test_a_field_has_numbers_of_its_own():
    """What is done to the arrays later changes nothing, and those that are read only are taken."""
    kernels, basis, weights = (drawn(*shape).numpy() for shape in ((N, 3, 3, H, W), (6, N, 3, 3), (6, H, W)))
    fields = [
        KernelField.from_kernels(kernels),
        KernelField.from_factors(kernels[:, 0], kernels[:, :, 0]),
        KernelField.from_basis(basis, weights),
    ]
    before = [field.at(3, 4) for field in fields]
    for array in (kernels, basis, weights):
        array *= 0
        array.flags.writeable = False
    assert all(np.array_equal(field.at(3, 4), at) for field, at in zip(fields, before, strict=True))
    assert not KernelField.from_kernels(kernels).at(3, 4).any()


def test_a_kernel_of_one_weight_has_no_gaps():
    assert dilated(torch.ones(1, 1, 1, 2, 3), 10**30).shape == (1, 1, 1, 2, 3)


@pytest.mark.parametrize(
    "other", [lambda k: k.astype(">f4"), lambda k: k.astype(np.longdouble), lambda k: k[:, ::-1][:, ::-1]]
)
def test_any_floating_point_array_of_numpy_is_taken(other):
    kernels = drawn(N, 3, 3, H, W).numpy()
    same = KernelField.from_kernels(kernels[::-1].copy()).at(5, 6)
    np.testing.assert_array_equal(KernelField.from_kernels(other(kernels)[::-1]).at(5, 6), same)


def burst_of(frames):
    return Burst(frames, truth=frames[0], shifts=np.zeros((len(frames), 2), int))


@pytest.mark.parametrize("kind", KINDS)
def test_every_analysis_takes_them_or_says_what_it_needs(kind):
    """Of kernels of each channel, one is chosen; what is measured is that of the kernels as they are shown."""
    field, frames, expected = kind()
    estimate = Estimate.of(burst_of(frames), field, image=expected)
    assert estimate.image.shape == tuple(expected.shape) and estimate.seconds > 0
    if field.channels is not None:
        one = dict(match=r"there are kernels of 3 channels; choose one: field.channel\(0\)")
        for refused in (
            lambda: frame_maps(field, 0),
            lambda: kernel_kinds(field),
            lambda: mean_kernels(field, 0, 2, 0, 2),
            lambda: ChangedKernels(field),
            lambda: shifts_and_centroids(field, burst_of(frames)),
        ):
            with pytest.raises(ValueError, **one):
                refused()
        sizes = field.sizes_at(2, 3)
        np.testing.assert_array_equal(sizes[3], field.at(2, 3))
    field = field.channel(0)
    frames = frames if frames.ndim == 3 else frames[:, 0]
    kernels = field.at(2, 3)
    K = kernels.shape[-1]
    assert {size: one.shape for size, one in field.sizes_at(2, 3).items()} == {K: (field.frames, K, K)}
    share = frame_share(kernels, field.reduce)
    maps = frame_maps(field, field.frames - 1)
    assert maps.share[2, 3] == pytest.approx(share[-1], rel=1e-4, abs=1e-6)
    assert maps.spread[2, 3] == pytest.approx(spread(kernels)[-1], rel=1e-4)
    np.testing.assert_allclose(maps.centroid[2, 3], centroid(kernels)[-1], atol=1e-4)
    assert kernel_kinds(field, count=2).kernels.shape[1:] == kernels.shape
    np.testing.assert_allclose(
        mean_kernels(field, 2, 4, 3, 5), field.region(2, 4, 3, 5).mean((1, 2)), atol=1e-6
    )
    # The picture of kernels that are not changed, and of those whose share is kept, is that of the field.
    image = field.apply(frames[None].to(field.factors.dtype))[0]
    assert restrict_sizes(field, [K]).sizes == (K,)
    for changed in (ChangedKernels(field), ChangedKernels(field, share_of=field)):
        tolerance = (
            1e-5 if changed.share_of is None else 1e-4
        )  # shares, of weights of both signs, are rounded
        np.testing.assert_allclose(changed.at(2, 3), kernels, rtol=tolerance)
        np.testing.assert_allclose(changed.apply(frames.numpy()), image, rtol=tolerance, atol=1e-4)
    if kind in (kpn, basis_prediction):  # more frames than one, and a picture as large as they are
        assert shifts_and_centroids(field, burst_of(frames), step=1).shape[0] == 2
    elif field.padding == "valid":
        with pytest.raises(ValueError, match="the kernels are those of 6x9 pixels, the burst has"):
            shifts_and_centroids(field, burst_of(frames))


def test_changed_kernels_are_applied_to_each_channel():
    field, frames, _ = sepconv()
    changed = ChangedKernels(drop_frames(field, [1]), nonnegative=True)
    image = changed.apply(frames.numpy())
    for c in range(3):
        np.testing.assert_array_equal(image[c], changed.apply(frames[:, c].numpy()))


def test_one_set_with_an_axis_of_one_channel_is_shared():
    k = drawn(N, 1, 3, 3, H, W)
    field = KernelField.from_kernels(k)
    assert field.channels is None
    np.testing.assert_array_equal(field.at(1, 2), k[:, 0, :, :, 1, 2])


@pytest.mark.parametrize(
    "frames, change, sentence",
    [
        (FRAMES[:3], {}, "my KPN: the kernels are those of N = 4 frames, the burst has 3"),
        (FRAMES[:, :, 1:], {}, "the kernels are those of 14x17 pixels, the frames have 14x16"),
        (FRAMES, dict(padding="valid"), "frames have 14x17 .H x W., without padding 10x13 of the picture"),
        (FRAMES, dict(batch=2), "the kernels are those of B = 2 bursts; a batch of 1 is taken"),
        (FRAMES, dict(channels=3), r"there are kernels of C = 3 channels, the burst has 1 \(gray\)"),
    ],
)
def test_kernels_that_do_not_fit_the_frames_are_named(frames, change, sentence):
    factors = drawn(change.get("batch", 1), N, *[3] * ("channels" in change), 25, H, W)
    field = KernelField(factors, (5,), False, H, W, padding=change.get("padding", "zero"))
    with pytest.raises(ValueError, match=sentence):
        Estimate.of(Burst(frames), field, name="my KPN")


@pytest.mark.parametrize(
    "field, image, sentence",
    [
        ("kernels", None, "field is of type str; it is a KernelField"),
        (None, np.zeros((H, W), int), "my KPN: the picture has dtype int64"),
        (None, np.full((H, W), np.nan), r"my KPN: the picture holds nan at \(0, 0\)"),
        (
            None,
            np.zeros((W, H)),
            r"the picture has shape \(17, 14\), what the kernels make of the frames has",
        ),
        (None, torch.zeros(H, W).to_sparse(), "my KPN: the picture is no dense array with its numbers"),
        (None, torch.zeros(H, W, device="meta"), "my KPN: the picture is no dense array"),
        (
            None,
            np.ma.masked_array(np.zeros((H, W)), True),
            r"my KPN: the picture has masked .*: image.filled",
        ),
    ],
)
def test_bad_fields_and_pictures_are_named(field, image, sentence):
    with pytest.raises(ValueError, match=sentence):
        Estimate.of(Burst(FRAMES), field or kpn()[0], name="my KPN", image=image)


def test_kernels_of_more_than_32_frames_are_refused():
    for make in (
        lambda: KernelField.from_kernels(torch.ones(33, 1, 1, 2, 2)),
        lambda: KernelField.from_factors(torch.ones(33, 1, 2, 2), torch.ones(33, 1, 2, 2)),
        lambda: KernelField.from_basis(torch.ones(1, 33, 1, 1), torch.ones(1, 2, 2)),
    ):
        with pytest.raises(ValueError, match="so N = 33 frames; kernels are taken of up to 32"):
            make()
    assert KernelField.from_kernels(torch.ones(32, 1, 1, 2, 2)).frames == 32
    with pytest.raises(ValueError, match="so C = 4 channels; C is 3, or 1"):
        KernelField.from_kernels(torch.ones(2, 4, 3, 3, 2, 2))
    with pytest.raises(ValueError, match="horizontal is on meta, vertical on cpu; expected one device"):
        check_device("horizontal", torch.ones(2, device="meta"), "vertical", torch.ones(2))


def test_a_picture_whose_batch_axis_was_kept_is_taken():
    field, frames, expected = kpn()
    for image in (expected, expected[None], expected[None].numpy()):
        assert Estimate.of(Burst(frames), field, image=image).image.shape == (H, W)
    with pytest.raises(ValueError, match=r"the picture has shape \(1, 1, 14, 17\)"):
        Estimate.of(Burst(frames), field, image=expected[None, None])
