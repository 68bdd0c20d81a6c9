"""Random numbers and bursts in JavaScript against Python: a link means the same burst in app and site."""

import dataclasses

import numpy as np
import pytest

from kpnviz.analysis.metrics import psnr, ssim
from kpnviz.burst import BurstRecipe, Misalignment, MovingObject, synthesize, with_motion
from kpnviz.camera_motion import CameraMotion
from kpnviz.color import srgb_decode
from kpnviz.denoise import load
from kpnviz.lens import pack, pack_assumed, unpack
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import has_color
from kpnviz.ui.cache import interesting_pixel

from .conftest import JavaScriptError, build, checkpoint, photo_files


def test_normal_numbers_are_numpys_to_the_bit(run_node, tmp_path):
    seeds = ([2, 0], [4, 2, 2**31 - 1], [1, 2**40 + 7, 3, 4, 5])
    count = 300_000  # some 80 of each seed lie in the tail, beyond 3.65
    jobs = [("draw", {"entropy": seed, "what": "normal", "count": count}) for seed in seeds]
    for seed, found in zip(seeds, run_node(tmp_path, jobs), strict=True):
        expected = np.random.default_rng(seed).standard_normal(count)
        different = np.flatnonzero(found["values"] != expected)
        # Beyond the ziggurat's last layer a logarithm is taken, and mathematical libraries differ in its last digit.
        assert (np.abs(expected[different]) > 3.65).all()
        np.testing.assert_allclose(found["values"], expected, rtol=4e-16)


def test_other_numbers_are_numpys(run_node, tmp_path):
    low, high, seed = -7, 33, [5, 6]
    jobs = [
        ("draw", {"entropy": seed, "what": "random", "count": 1000}),
        ("draw", {"entropy": seed, "what": "integer", "low": low, "high": high, "count": 1000}),
        ("draw", {"entropy": seed, "what": "poisson", "rate": 4, "count": 1000}),
        ("draw", {"entropy": seed, "what": "poisson", "rate": 10, "count": 1}),
        ("draw", {"entropy": [1.5], "what": "random", "count": 1}),
    ]
    uniform, whole, poisson, large, fraction = run_node(tmp_path, jobs)
    assert np.array_equal(uniform["values"], np.random.default_rng(seed).random(1000))
    expected = np.random.default_rng(seed).integers(low, np.full(1000, high), endpoint=True)
    assert np.array_equal(whole["values"], expected)
    assert np.array_equal(poisson["values"], np.random.default_rng(seed).poisson(4, 1000))
    assert isinstance(large, JavaScriptError) and "the rate is 10" in str(large)
    assert isinstance(fraction, JavaScriptError) and "1.5 is no seed" in str(fraction)


def test_shifts_are_equal(run_node, tmp_path):
    shakes = [Misalignment(), Misalignment(2, 2, 0), Misalignment(4, 16, 4), Misalignment(subpixel=True)]
    cases = [(shake, frames) for shake in shakes for frames in (1, 2, 8, 32)]
    seeds = [*range(12), 2**31 - 1, 2**52]
    jobs = [
        ("shifts", {"misalignment": dataclasses.asdict(shake), "frames": frames, "seeds": seeds})
        for shake, frames in cases
    ]
    for (shake, frames), found in zip(cases, run_node(tmp_path, jobs), strict=True):
        expected = [shake.sample(frames, np.random.default_rng([1, seed])) for seed in seeds]
        assert np.array_equal(found, expected), (shake, frames)


def test_noise_and_light_are_the_same(run_node, tmp_path):
    gains = [0.3, 1, 1.7, 2, 3.9, 4, 6.5, 8, 16]
    names = ["dog", "pixel"]
    files, said = photo_files(names)
    noises, *tables, colors = run_node(
        tmp_path,
        [
            ("noise", {"gains": gains}),
            ("decoding", {"bits": 8}),
            ("decoding", {"bits": 16}),
            ("colors", {"names": said}),
        ],
        files,
    )
    for gain, noise in zip(gains, noises, strict=True):
        expected = NoiseModel.for_gain(gain)
        np.testing.assert_allclose(
            [noise["read_std"], noise["shot_gain"]], dataclasses.astuple(expected), rtol=1e-15
        )
    for bits, table in zip((8, 16), tables, strict=True):
        codes = np.arange(2**bits, dtype=np.float32) / (2**bits - 1)
        np.testing.assert_allclose(table["table"], srgb_decode(codes).astype(np.float32), rtol=2e-7)
    assert colors == [has_color(name) for name in names]


OBJECT = MovingObject("flowers", (30.0, 20.0), 22.0, (0.4, 2.0), ((0.2, 1.0), (0.1, 3.0)), 1.5)
OTHER = MovingObject("city", (20.0, 30.0), 18.0, (-1.5, 0.5))  # halves are rounded to even pixels
RECIPES = [
    BurstRecipe("dog", (60, 90, 50, 61), GAINS[4], 8, seed=1),
    BurstRecipe("dog", (0, 220, 61, 60), GAINS[1], 20, Misalignment(subpixel=True), seed=3, color=True),
    BurstRecipe("dog", (100, 100, 48, 48), GAINS[8], 4, moving=(OBJECT, OTHER), seed=2**31 - 1),
    BurstRecipe(
        "dog", (40, 40, 40, 40), GAINS[2], 3, Misalignment(2, 9, 3, True), moving=OBJECT, color=True, white_level=0.4
    ),
    BurstRecipe("dog", (5, 8, 32, 32), GAINS[2], 3, shifts=((0, 0), (3, -40), (-7, 250))),
    BurstRecipe("dog", None, GAINS[4], 1, reduction=4),
    with_motion(BurstRecipe("dog", (30, 200, 44, 40), GAINS[2], 4, seed=9, color=True), "handheld"),
    BurstRecipe("dog", (240, 5, 40, 47), GAINS[1], 3, seed=4, camera=CameraMotion(4, 3, 9, 0)),
]  # fmt: skip


def as_json(recipe):
    values = dataclasses.asdict(recipe)
    return values | {"moving": [dataclasses.asdict(one) for one in recipe.objects]}


def test_a_recipe_gives_the_same_burst(run_node, tmp_path):
    files, said = photo_files(["dog", "flowers", "city"])
    jobs = [("synthesize", {"recipe": as_json(recipe), "names": said}) for recipe in RECIPES]
    for recipe, found in zip(RECIPES, run_node(tmp_path, jobs, files), strict=True):
        burst = synthesize(recipe)
        np.testing.assert_allclose(found["frames"], burst.frames.reshape(-1), atol=1e-6, rtol=0)
        clean = synthesize(dataclasses.replace(recipe, noise=NoiseModel(0, 0))).frames
        np.testing.assert_allclose(found["clean"], clean.reshape(-1), atol=5e-7, rtol=0)
        if burst.motion is None:
            assert np.array_equal(found["shifts"], burst.shifts) and found["motion"] is None
        else:
            assert found["shifts"] is None
            np.testing.assert_allclose(found["motion"], burst.motion.reshape(-1), atol=2e-6, rtol=0)
        assert tuple(found["look"]) == interesting_pixel(burst)
        if burst.moving_shifts is None:
            assert found["object_at"] is None
        else:
            assert np.array_equal(found["object_at"], burst.object_at.reshape(-1))
            assert np.array_equal(found["moving_shifts"], burst.moving_shifts)


@pytest.mark.parametrize("color", [False, True])
def test_python_reads_what_javascript_packs(run_node, tmp_path, color):
    recipe = BurstRecipe("dog", (60, 90, 40, 45), GAINS[4], 3, seed=1, color=color)
    recipe = with_motion(recipe, "handheld") if color else dataclasses.replace(recipe, moving=OBJECT)
    names = ["mkpn", "kpn-direct"]
    scales = [0.5, 2.0]
    files, said = photo_files(["dog", "flowers"])
    shown = [{"name": n, "title": n, "checkpoint": checkpoint(n)} for n in names]
    waiting = {"name": "kpn", "title": "kpn", "checkpoint": None}
    job = {"recipe": as_json(recipe), "names": said, "build": build(), "checkpoints": [*shown, waiting],
           "start": [3, 4], "scales": scales}  # fmt: skip
    (found,) = run_node(tmp_path, [("packed", job)], files)
    header, arrays = unpack(found["payload"].tobytes())
    burst = synthesize(recipe)
    clean = synthesize(dataclasses.replace(recipe, noise=NoiseModel(0, 0))).frames
    networks = [load(name) for name in names]
    expected, wanted = unpack(pack(burst, [*(net(burst) for net in networks), "kpn"], (3, 4), clean))

    def comparable(value, values, key=""):
        if key in ("id", "burst", "arrays", "title", "error"):
            return None
        if key in ("image", "factors", "clean", "frames", "object_at", "motion") and value is not None:
            return values[value].shape, str(values[value].dtype)
        if key in ("psnr", "ssim") and value is not None:
            return round(value, 3)
        if isinstance(value, dict):
            return {k: comparable(one, values, k) for k, one in value.items()}
        if isinstance(value, list):
            return [comparable(one, values) for one in value]
        return round(value, 12) if isinstance(value, float) else value

    assert comparable(header, arrays) == comparable(expected, wanted)
    assert len(arrays) == len(wanted)
    assert header["id"] != unpack(found["done"].tobytes())[0]["id"]  # the lens shows what is another
    for panel, other in zip(header["panels"], expected["panels"], strict=True):
        if panel["image"] is not None:
            np.testing.assert_allclose(arrays[panel["image"]], wanted[other["image"]], atol=4e-6, rtol=0)
    np.testing.assert_allclose(arrays[header["clean"]], wanted[expected["clean"]], atol=5e-4, rtol=0)
    kernels, others = (h["methods"][0]["kernels"]["factors"] for h in (header, expected))
    np.testing.assert_allclose(
        arrays[kernels].astype(np.float32), wanted[others].astype(np.float32), atol=2e-4, rtol=1e-3
    )
    header, arrays = unpack(found["assumed"].tobytes())
    expected, wanted = unpack(pack_assumed(burst, scales, [networks[0](burst, scale) for scale in scales]))
    assert header["scales"] == scales and header["factors"] == expected["factors"]
    np.testing.assert_allclose(arrays[0], wanted[0], atol=4e-6, rtol=0)


def test_scores_are_those_of_python(run_node, tmp_path):
    burst, small = (
        synthesize(BurstRecipe("city", (10, 20, height, 47), GAINS[2], 1, color=True)) for height in (40, 20)
    )
    files, jobs = {}, []
    for k, one in enumerate((burst, small)):
        files |= {f"image{k}": one.frames[0], f"truth{k}": one.truth}
        jobs.append(("scores", {"image": f"image{k}", "truth": f"truth{k}", "H": one.height, "W": one.width}))
    large, little = run_node(tmp_path, jobs, files)
    assert large["psnr"] == pytest.approx(psnr(burst.frames[0], burst.truth), abs=1e-4)
    assert large["ssim"] == pytest.approx(ssim(burst.frames[0], burst.truth), abs=1e-6)
    assert little["psnr"] == pytest.approx(psnr(small.frames[0], small.truth), abs=1e-4)
    assert little["ssim"] is None
