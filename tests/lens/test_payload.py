"""What the kernel lens is sent."""

import dataclasses

import numpy as np
import pytest
import torch

import kpnviz
from kpnviz.analysis import metrics
from kpnviz.analysis.tables import pixel_statistics
from kpnviz.burst import Burst, BurstRecipe, Misalignment, MovingObject
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.lens import pack, pack_assumed, payload, unpack
from kpnviz.noise import NoiseModel


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
    return Estimate(burst.reference, field, name, 0.0)


def test_the_payload_holds_the_pictures_and_the_kernels():
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 21, 34)))
    estimates = [
        random_estimate(burst, (1, 3, 5), True, "mkpn"),
        random_estimate(burst, (5,), False, "kpn"),
        random_estimate(burst, (5,), False, "kpn-1frame", frames=1),
        Estimate(burst.mean, None, "kpn-direct", 0.0),
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
    direct = [Estimate(burst.mean, None, "kpn-direct", 0.0)]
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
