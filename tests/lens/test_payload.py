"""What the kernel lens is sent."""

import dataclasses

import numpy as np
import pytest
import torch

import kpnviz
from kpnviz.analysis import metrics
from kpnviz.analysis.tables import pixel_statistics
from kpnviz.burst import Burst, BurstRecipe, Misalignment, MovingObject
from kpnviz.camera_motion import CameraMotion
from kpnviz.consistency import picture_of
from kpnviz.estimate import Estimate, Series
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.lens import pack, pack_assumed, payload, unpack
from kpnviz.lens.document import origin
from kpnviz.lens.rounding import as_given, in_8_bits, rounded
from kpnviz.noise import NoiseModel

from .kinds import KINDS, H, W, basis_prediction, frames, monte_carlo, normal, of_kind, pytorch_kpn


def random_estimate(burst, sizes, separable, name, frames=None):
    factors = torch.randn(
        1,
        frames or len(burst),
        factor_channels(sizes, separable),
        (burst.height + 1) // 2,
        (burst.width + 1) // 2,
        generator=torch.Generator().manual_seed(1),
    )
    field = KernelField(factors / max(sizes), sizes, separable, burst.height, burst.width)
    return Estimate(burst.reference, field, name, 0.0, name)


def test_the_payload_holds_the_pictures_and_the_kernels():
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 21, 34)))
    estimates = [
        random_estimate(burst, (1, 3, 5), True, "mkpn"),
        random_estimate(burst, (5,), False, "kpn"),
        random_estimate(burst, (5,), False, "kpn-1frame", frames=1),
        Estimate(burst.mean, None, "kpn-direct", 0.0, "kpn-direct"),
    ]
    header, arrays = unpack(pack(burst, estimates, start=(3, 4)))
    assert header["start"] == [3, 4]
    assert header["noise"] == [dataclasses.asdict(burst.noise)] and header["clean"] is None
    np.testing.assert_array_equal(arrays[header["frames"]], burst.frames)
    titles = [panel["title"] for panel in header["panels"]]
    assert titles == ["Frame", "Plain mean", "MKPN", "KPN 5×5", "kpn-1frame", "KPN direct", "Truth"]
    mean = header["panels"][1]
    np.testing.assert_array_equal(arrays[mean["image"]], burst.mean)
    assert mean["scores"]["psnr"] == pytest.approx(metrics.psnr(burst.mean, burst.truth))
    for method, estimate in zip(header["methods"], estimates, strict=True):
        if estimate.kernels is None:
            assert method["kernels"] is None
            continue
        factors = torch.from_numpy(arrays[method["kernels"]["factors"]].astype(np.float32))[None]
        sent = dataclasses.replace(estimate.kernels, factors=factors)
        np.testing.assert_allclose(sent.at(20, 33), estimate.kernels.at(20, 33), rtol=3e-3, atol=1e-3)


def test_what_other_noise_gives_is_packed_for_the_same_burst():
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 21, 34)))
    estimates = [random_estimate(burst, (1, 3), True, "mkpn"), random_estimate(burst, (1, 3), True, "mkpn")]
    header, arrays = unpack(pack_assumed(burst, (0.5, 2), estimates))
    assert header["burst"] == unpack(pack(burst, estimates))[0]["burst"] and header["scales"] == [0.5, 2]
    np.testing.assert_array_equal(arrays[header["images"]], [estimate.image for estimate in estimates])
    for number, estimate in zip(header["factors"], estimates, strict=True):
        np.testing.assert_allclose(arrays[number], estimate.kernels.factors[0], rtol=2e-3, atol=1e-4)
    # Of a series there is no other noise: its burst has no name to send it to.
    series = Series("step", {1: estimates[0], 2: estimates[1]})
    assert unpack(pack(burst, [series]))[0]["burst"] == ""
    direct = [Estimate(burst.mean, None, "kpn-direct", 0.0, "kpn-direct")]
    assert unpack(pack_assumed(burst, (2,), direct))[0]["factors"] == []


def test_a_method_that_is_still_at_work_has_a_place_and_no_picture():
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 21, 34)))
    header, arrays = unpack(pack(burst, ["kpn-l5", random_estimate(burst, (3,), True, "mkpn")]))
    waiting, ready = header["panels"][2:4]
    assert waiting == {"kind": "method", "name": "kpn-l5", "title": "KPN L5", "image": None, "scores": None}
    assert arrays[ready["image"]].shape == (21, 34) and ready["scores"]["psnr"] > 0
    assert [(method["title"], method["panel"]) for method in header["methods"]] == [
        ("KPN L5", 2),
        ("MKPN", 3),
    ]
    assert [method["kernels"] is None for method in header["methods"]] == [True, False]


def test_a_burst_without_truth_or_a_single_pixel_can_be_packed():
    burst = Burst(np.full((1, 1, 1), 0.5, np.float32), NoiseModel(0.1, 0.01))
    header, _ = unpack(pack(burst, [random_estimate(burst, (3,), True, "kpn-l3")]))
    assert [panel["kind"] for panel in header["panels"]] == ["frame", "mean", "method"]
    assert header["shifts"] is None
    assert all(panel["scores"] is None for panel in header["panels"])


def test_the_lens_and_the_table_know_where_each_object_went():
    objects = tuple(
        MovingObject(photo, center=center, diameter=18, velocity=velocity)
        for photo, center, velocity in (("city", (20, 20), (0.5, 1)), ("mies", (45, 40), (-1, 0.5)))
    )
    recipe = BurstRecipe("dog", (50, 60, 64, 64), misalignment=Misalignment(subpixel=True), moving=objects)
    burst = kpnviz.synthesize(recipe)
    estimate = random_estimate(burst, (3,), True, "kpn-l3")
    true = burst.shift_map()
    assert (true % 1 != 0).any()
    header, arrays = unpack(pack(burst, [estimate]))
    shifts = np.array([header["shifts"], *header["moving"]["shifts"]])  # looked up as shown.js does
    np.testing.assert_array_equal(np.moveaxis(shifts[arrays[header["moving"]["object_at"]]], 2, 0), true)
    for number, (y, x) in enumerate([(5, 60), (20, 20), (45, 40)]):
        assert burst.object_at[y, x] == number
        rows = pixel_statistics(burst, [estimate], y, x)
        assert [[row["true_dy"], row["true_dx"]] for row in rows] == true[:, y, x].tolist()


def test_equal_results_have_equal_payloads_and_others_do_not():
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 16, 16)))
    estimate = random_estimate(burst, (3,), True, "kpn-l3")
    same, other = pack(burst, [estimate]), pack(burst, [dataclasses.replace(estimate, image=burst.mean)])
    assert same == pack(burst, [estimate])
    assert unpack(same)[0]["id"] != unpack(other)[0]["id"]


def test_a_payload_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(payload, "MAX_BYTES", 10_000)
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 32, 32)))
    with pytest.raises(ValueError, match="smaller crop or fewer methods"):
        pack(burst, [])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("lossy", [False, True])
def test_what_rounding_changes_is_measured(kind, lossy):
    """The picture of the kernels as they travel, against that of the given ones, is within what the payload says."""
    burst, estimate = of_kind(kind)
    field = estimate.kernels
    header, arrays = unpack(pack(burst, [estimate], lossy=lossy))
    sent = header["methods"][0]["kernels"]
    factors = arrays[sent["factors"]].astype(np.float32) * np.float32(sent["unit"])
    if sent["lossy"]:
        assert arrays[sent["factors"]].dtype == np.int8
        factors = factors * np.expand_dims(arrays[sent["scales"]], -3)
    assert sent["lossy"] == (lossy and in_8_bits(field))
    again = dataclasses.replace(field, factors=torch.from_numpy(factors)[None])
    found = np.abs(picture_of(burst.frames, again) - estimate.image).max()
    assert 0.5 * sent["error"] < found + 2e-6 * np.abs(estimate.image).max() and found <= sent["error"]
    assert sent["error"] < (0.02 if sent["lossy"] else 1e-3) * np.abs(estimate.image).max()


@pytest.mark.parametrize("lossy", [False, True])
def test_kernels_of_a_basis_travel_as_basis_and_coefficients(lossy):
    """Never as dense kernels, which would be 8 x 15 x 15 numbers a pixel in place of 90; `lossy` changes nothing."""
    burst, estimate = of_kind(basis_prediction)
    field = estimate.kernels
    header, arrays = unpack(pack(burst, [estimate], lossy=lossy))
    sent = header["methods"][0]["kernels"]
    assert arrays[sent["factors"]].shape == (1, 90, H, W) and arrays[sent["factors"]].dtype == np.float16
    np.testing.assert_array_equal(arrays[sent["basis"]], field.basis)
    assert not sent["lossy"] and sent["error"] < 2e-4 * np.abs(estimate.image).max()
    pictures = 4 * (burst.frames.size + 3 * H * W)
    written = len(pack(burst, [estimate], lossy=lossy))
    known = pictures + 2 * 90 * H * W + 4 * 90 * 8 * 15 * 15
    assert known < written < known + 4096  # the header
    # That is known before it is made, basis and all.
    with pytest.raises(ValueError, match="raise max_bytes"):
        pack(burst, [estimate], max_bytes=known - 9 * H * W)


def test_kernels_of_any_scale_travel():
    """Beyond float16's range, and below what it resolves: a power of two is taken out, or they stay float32."""
    burst = Burst(frames(2))
    for scale in (1e-9, 1e6):
        field = KernelField.from_kernels(normal(2, 3, 3, H, W) * scale)
        header, _ = unpack(pack(burst, [Estimate.of(burst, field)]))
        image = Estimate.of(burst, field).image
        assert header["methods"][0]["kernels"]["error"] < 1e-3 * np.abs(image).max()
    # Large weights of both signs that all but cancel: float16 would leave nothing of their sum.
    cancelling = torch.zeros(2, 3, 3, H, W)
    cancelling[:, 1, 1], cancelling[:, 1, 2] = 1000.3, -1000.2
    flat = Burst(np.ones((2, H, W), np.float32))
    header, arrays = unpack(pack(flat, [Estimate.of(flat, KernelField.from_kernels(cancelling))]))
    assert arrays[header["methods"][0]["kernels"]["factors"]].dtype == np.float32


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_weights_keep_the_digits_that_float16_has(scale):
    weights = normal(2, 3, 3, H, W) * scale
    sent = rounded(KernelField.from_kernels(weights), frames(2))
    given = weights.flatten(1, 2).numpy()
    large = np.abs(given) > np.abs(given).max() / 100
    np.testing.assert_allclose(as_given(sent)[large], given[large], rtol=6e-4)


def test_in_8_bits_the_sum_of_a_kernel_stays():
    """Within half a step: what rounding takes from one weight is added to the next. Without that it is some steps."""
    burst, field = monte_carlo()
    sent = rounded(field, burst.frames, lossy=True)
    change = as_given(sent).sum(1, dtype=np.float64) - field.factors[0].sum(1, dtype=torch.float64).numpy()
    assert np.abs(change / sent.scales).max() < 0.51


def test_factors_that_float16_does_not_hold_are_not_cast_to_it():
    field = KernelField.from_factors(
        torch.full((2, 3, 8, 8), 1e5), torch.full((2, 3, 8, 8), 1e-6), size=(16, 16)
    )
    for ours in (False, True):
        sent = rounded(field, frames(2, height=16, width=16), from_network=ours)
        np.testing.assert_allclose(as_given(sent), field.factors[0], rtol=1e-3)
        assert sent.error is not None


def test_kernels_named_like_a_network_are_not_certified_as_it():
    burst = Burst(frames(2), NoiseModel(0.1, 0.01))
    other = Estimate.of(burst, KernelField.from_kernels(normal(2, 3, 3, H, W)), name="mkpn")
    header = unpack(pack(burst, [other]))[0]
    assert header["methods"][0]["title"] == "mkpn" and header["matching"] is None
    assert "sha256" not in origin(burst, [other])
    own = kpnviz.load("mkpn")(burst)
    assert own.network == "mkpn" and own.title == "MKPN" and "sha256" in origin(burst, [own])


def test_a_picture_that_is_smaller_than_the_frames_is_compared_with_the_middle_of_the_truth():
    shown = frames(2, height=40, width=44)
    burst = Burst(shown, truth=shown[0] ** 2)
    field = KernelField.from_kernels(normal(2, 7, 7, 34, 38) / 7, padding="valid")
    estimate = Estimate.of(burst, field)
    header, _ = unpack(pack(burst, [estimate]))
    scores = header["panels"][header["methods"][0]["panel"]]["scores"]
    middle = burst.truth[3:-3, 3:-3]
    assert scores["psnr"] == pytest.approx(metrics.psnr(estimate.image, middle))
    assert scores["ssim"] == pytest.approx(metrics.ssim(estimate.image, middle))
    assert header["methods"][0]["kernels"]["inset"] == 3


def test_names_of_other_networks_stay_and_each_has_its_own_panel():
    burst = Burst(frames(1))
    pictures = [Estimate(burst.reference, None, name, 0.0) for name in ("my-net v2", "my-net v2", "truth")]
    header, _ = unpack(pack(burst, pictures))
    assert [panel["name"] for panel in header["panels"]] == [
        *("frame", "mean", "my-net v2", "my-net v2 (2)", "truth (2)")
    ]
    assert header["methods"][0]["title"] == "my-net v2" and header["noise"] is header["matching"] is None


def test_a_series_shares_the_arrays_of_its_last_estimate():
    burst = Burst(frames(2))
    made = {n: Estimate.of(burst, KernelField.from_kernels(normal(2, 3, 3, H, W) / n)) for n in (1, 2)}
    header, arrays = unpack(pack(burst, [Series("step", made)]))
    (method,) = header["methods"]
    assert header["series"] == {"name": "step", "numbers": [1, 2]} and len(method["steps"]) == 2
    assert method["steps"][1]["kernels"] == method["kernels"]
    np.testing.assert_array_equal(arrays[method["steps"][0]["image"]], made[1].image)
    with pytest.raises(ValueError, match="one scrubber"):
        pack(burst, [Series("step", made), Series("epoch", made)])


def misfits():
    burst = Burst(frames(2))
    field = KernelField.from_kernels(normal(2, 3, 3, H, W))
    image = burst.mean
    nan = np.where(np.arange(W) == 3, np.nan, image).astype(np.float32)
    three = KernelField.from_kernels(normal(3, 3, 3, H, W))
    channels = KernelField.from_kernels(normal(2, 3, 3, 3, H, W))
    return {
        "the picture has shape": Estimate(image[1:], None, "x", 0.0),
        "not finite": Estimate(nan, None, "x", 0.0),
        "the kernels are those of": Estimate(image[1:-1, 1:-1], field, "x", 0.0),
        "N = 3 frames, the burst has 2": Estimate(image, three, "x", 0.0),
        "C = 3 channels": Estimate(image, channels, "x", 0.0),
        "pixels smaller than the frames": Estimate(
            image, dataclasses.replace(field, padding="valid"), "x", 0.0
        ),
        "of type int": 3,
    }


@pytest.mark.parametrize("sentence", misfits())
def test_what_does_not_fit_the_frames_is_refused_in_one_sentence(sentence):
    with pytest.raises(ValueError, match=sentence):
        pack(Burst(frames(2)), [misfits()[sentence]])


def test_a_larger_payload_is_allowed_by_the_caller():
    burst, estimate = of_kind(pytorch_kpn)
    with pytest.raises(ValueError, match="raise max_bytes, or say lossy=True"):
        pack(burst, [estimate], max_bytes=100_000)
    size = len(pack(burst, [estimate]))
    assert len(pack(burst, [estimate], max_bytes=size)) == size
    assert len(pack(burst, [estimate], lossy=True)) < 0.75 * size


def test_where_every_pixel_goes_while_the_camera_turns():
    recipe = BurstRecipe("dog", (50, 60, 21, 34), frames=3, camera=CameraMotion(rotation=8, parallax=3))
    burst = kpnviz.synthesize(recipe)
    header, arrays = unpack(pack(burst, []))
    assert header["shifts"] is None
    motion = arrays[header["motion"]]
    assert motion.shape == (3, 11, 17, 2) and motion.dtype == np.float16
    np.testing.assert_allclose(motion[:, 10, 4], burst.shifts_at(20, 8), atol=4e-3)
    still = unpack(pack(kpnviz.synthesize(dataclasses.replace(recipe, camera=None)), []))[0]
    assert still["motion"] is None and len(still["shifts"]) == 3
