"""The engine in WebAssembly against PyTorch: every network that ships, any height and width, 1 to 32 frames."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kpnviz.burst import Burst, BurstRecipe, Misalignment, synthesize
from kpnviz.commands.main import main
from kpnviz.denoise import load
from kpnviz.models import matched
from kpnviz.models.checkpoints import available, read_card
from kpnviz.models.zoo import SHIPPED
from kpnviz.noise import NoiseModel
from kpnviz.site import compiling, constants
from kpnviz.site.benchmark import as_text

from .conftest import JavaScriptError, build, checkpoint

PICTURE, FACTORS = 2e-6, 1e-4

SOME = [
    # (network, height, width, frames, gain, color)
    ("mkpn", 33, 47, 1, 2, False),
    ("kpn-direct", 24, 26, 2, 4, True),
    ("kpn-stacked", 37, 95, 8, 4, False),
    ("mkpn-stacked", 5, 3, 8, 4, False),
]
OTHERS = [
    *((name, 40, 52, 8, 4, False) for name in SHIPPED),
    ("mkpn", 64, 21, 32, 8, False),
    ("mkpn", 128, 128, 8, 1, False),
    ("kpn", 21, 30, 2, 4, False),
    ("kpn-l5", 61, 128, 20, 4, False),
    ("kpn-l25", 30, 71, 3, 2, False),
    ("kpn-direct", 35, 39, 2, 4, False),
    ("kpn-direct-stacked", 23, 34, 8, 4, False),
    ("kpn-l1", 1, 5, 2, 4, False),
    ("mkpn", 7, 1, 3, 4, False),
    ("mkpn", 30, 46, 4, 4, True),
]


def burst_of(height, width, frames, gain, color):
    shake = Misalignment(2, 6, 2, subpixel=True)
    noise = NoiseModel.for_gain(gain)
    return synthesize(BurstRecipe("dog", (70, 60, height, width), noise, frames, shake, seed=5, color=color))


def jobs_of(cases, bursts, **options):
    return [
        (
            "estimate",
            {
                "checkpoint": checkpoint(name),
                "frames": f"frames{k}",
                "noise": dataclasses.asdict(burst.recipe.noise),
                "N": len(burst),
                "C": burst.channels or 1,
                "H": burst.height,
                "W": burst.width,
                **options,
            },
        )
        for k, ((name, *_), burst) in enumerate(zip(cases, bursts, strict=True))
    ]


def differences(found, estimate):
    """Largest differences of picture and factors."""
    picture = np.abs(found["image"] - estimate.image.reshape(-1)).max()
    if estimate.kernels is None:
        assert found["factors"] is None
        return picture, 0
    factors = estimate.kernels.factors[0].numpy()
    assert found["shape"] == list(factors.shape)
    assert np.array_equal(found["halves"], found["factors"].astype(np.float16).view(np.uint16))
    return picture, np.abs(found["factors"] - factors.reshape(-1)).max()


@pytest.mark.parametrize(
    "cases", [SOME, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["some", "others"]
)
def test_every_network_gives_the_pictures_and_kernels_of_pytorch(run_node, tmp_path, cases):
    bursts = [burst_of(*case[1:]) for case in cases]
    files = {f"frames{k}": burst.frames for k, burst in enumerate(bursts)}
    found = run_node(tmp_path, jobs_of(cases, bursts, build=build(), scale=1), files)
    wrong = []
    for case, burst, one in zip(cases, bursts, found, strict=True):
        picture, factors = differences(one, load(case[0])(burst))
        if not (picture <= PICTURE and factors <= FACTORS):
            wrong.append((case, picture, factors))
    assert not wrong


def test_the_build_with_fused_multiply_adds_agrees_too(run_node, relaxed_flags, tmp_path):
    if relaxed_flags is None:
        pytest.skip("this Node has no relaxed SIMD")
    cases = [
        ("mkpn", 45, 66, 5, 4, False),
        ("kpn", 40, 40, 8, 4, False),
        ("kpn-stacked", 48, 40, 8, 4, False),
    ]
    bursts = [burst_of(*case[1:]) for case in cases]
    files = {f"frames{k}": burst.frames for k, burst in enumerate(bursts)}
    jobs = jobs_of(cases, bursts, build=build("engine.relaxed.wasm"), scale=2)
    for case, burst, one in zip(cases, bursts, run_node(tmp_path, jobs, files, relaxed_flags), strict=True):
        picture, factors = differences(one, load(case[0])(burst, 2))
        assert picture <= PICTURE and factors <= FACTORS, case


def test_every_checkpoint_is_one_that_was_compared():
    assert set(available()) == set(SHIPPED)


def test_what_the_engine_does_not_know_is_refused(run_node, tmp_path):
    mkpn = read_card("mkpn")["config"]
    trunk = mkpn["trunk"]
    wrong = {
        "attention": mkpn | {"attention": True},
        "normalization": mkpn | {"trunk": trunk | {"normalization": "batch"}},
        "windows is 5": mkpn | {"windows": 5},
        "sizes is [4]": mkpn | {"sizes": [4]},
        "separable is 1": mkpn | {"separable": 1},
        "the card has no config": None,
        "do not end at half resolution": mkpn | {"matching": False},
    }
    jobs = [("config", {"config": config}) for config in wrong.values()]
    for said, found in zip(wrong, run_node(tmp_path, jobs), strict=True):
        assert isinstance(found, JavaScriptError) and said in str(found), (said, found)


def test_weights_that_do_not_fit_their_config_are_refused(run_node, tmp_path):
    mkpn = read_card("mkpn")["config"]
    wrong = {
        "missing or unknown: size_sharpness": mkpn | {"separable": False, "sizes": [11]},
        "sharpness.weight has shape": mkpn | {"windows": 2},
        "head.weight": read_card("kpn-stacked")["config"],
    }
    jobs = [
        ("fitting", {"config": c, "build": build(), "checkpoint": checkpoint("mkpn")}) for c in wrong.values()
    ]
    noise = {"read_std": 0.01, "shot_gain": 0.01}
    three = {"frames": "three", "noise": noise, "scale": 1, "N": 3, "C": 1, "H": 8, "W": 8}
    jobs.append(("estimate", {"build": build(), "checkpoint": checkpoint("kpn-stacked"), **three}))
    *found, frames = run_node(tmp_path, jobs, {"three": np.zeros((3, 8, 8), np.float32)})
    for said, one in zip(wrong, found, strict=True):
        assert isinstance(one, JavaScriptError) and (
            "fit the config" in str(one) or "has shape" in str(one)
        ), (said, one)
    assert str(frames) == "the burst has 3 frames; this network takes 8"


def test_damaged_weights_are_a_sentence(run_node, tmp_path):
    """Browsers have no hashes of files that came without a secure context."""
    good = Path(checkpoint("kpn-l1")).read_bytes()
    length = int.from_bytes(good[:8], "little")
    files = {
        "empty": b"",
        "text": b"<!doctype html>, 404",
        "list": (2).to_bytes(8, "little") + b"[]" + good[8 + length :],
        "header": good[:8] + b"x" + good[9:],
        "cut": good[:-2],
        "moved": good.replace(b'"data_offsets":[0,', b'"data_offsets":[2,', 1),
        "nothing of it": good.replace(b'"shape"', b'"shade"', 1),
    }
    assert files["moved"] != good != files["nothing of it"]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good").write_bytes(good)
    (found,) = run_node(tmp_path, [("tensors", {"files": [*files, "good"]})])
    assert isinstance(found.pop(), int)
    for name, said in zip(files, found, strict=True):
        begins = name in ("empty", "text", "list", "header")
        why = "they do not begin with the header of a .safetensors file" if begins else "does not lie where"
        assert str(said).startswith("the weights are damaged: ") and why in said, (name, said)


def test_a_quiet_frame_has_the_kernels_of_pytorch(run_node, tmp_path):
    """No noise is assumed at all, or very little: what frames are divided by has a floor."""
    burst = burst_of(24, 24, 2, 1, False)
    noises = [NoiseModel(0, 0), NoiseModel(1e-10, 0), NoiseModel(0, 1e-4)]
    bursts = [
        dataclasses.replace(burst, noise=noise, recipe=dataclasses.replace(burst.recipe, noise=noise))
        for noise in noises
    ]
    cases = [("mkpn",)] * 3
    files = {f"frames{k}": burst.frames for k in range(3)}
    for one, given in zip(
        run_node(tmp_path, jobs_of(cases, bursts, build=build(), scale=1), files), bursts, strict=True
    ):
        picture, factors = differences(one, load("mkpn")(given))
        # Where next to no noise is assumed, the trunk is shown far larger numbers than ever: they round more.
        assert picture <= PICTURE and factors <= 10 * FACTORS


def test_features_are_bounded_as_in_pytorch(run_node, tmp_path, monkeypatch):
    """Of noise that is coarse and assumed far too strong they grow to hundreds without."""
    recipe = BurstRecipe("dog", (0, 0, 192, 192), NoiseModel(0.054, 0.0365))  # 2.7 times that of the frames
    truth = synthesize(recipe).truth
    rng, noise = np.random.default_rng(0), NoiseModel(0.02, 0.005)
    coarse = gaussian_filter(rng.standard_normal((8, *truth.shape)), (0, 1, 1))
    frames = (truth + noise.std_map(truth) * coarse / coarse.std()).astype(np.float32)
    given = Burst(frames, noise=recipe.noise, recipe=recipe)
    jobs = jobs_of([("mkpn",)], [given], build=build(), scale=1)
    (one,) = run_node(tmp_path, jobs, {"frames0": frames})
    estimate = load("mkpn")(given)
    picture, factors = differences(one, estimate)
    # Factors are larger than ever, and round more.
    assert picture <= 3 * PICTURE and factors <= 10 * FACTORS
    monkeypatch.setattr(matched, "MOST_FEATURE", 1e9)
    assert np.abs(load("mkpn")(given).image - estimate.image).max() > 0.1


def test_what_is_generated_is_up_to_date():
    """`python -m kpnviz.site` writes it anew."""
    for file in constants.FILES:
        assert (constants.FOLDER / file).read_text(encoding="utf-8") == constants.text(file), file
    assert compiling.up_to_date()


@pytest.mark.slow
def test_the_engine_in_the_repository_is_its_source_compiled():
    pytest.importorskip("ziglang", reason="there is no compiler: pip install ziglang")
    for name in compiling.BUILDS:
        assert compiling.compiled(name) == (compiling.FOLDER / name).read_bytes(), name


def test_the_engine_is_small():
    """What a visitor loads before anything is computed."""
    assert all((compiling.FOLDER / name).stat().st_size < 80_000 for name in compiling.BUILDS)


@pytest.mark.slow
def test_the_benchmark_times_the_engine_beside_pytorch(run_node, capsys):
    assert main(["bench", "--site", "--sides", "16", "--models", "kpn-l1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    (case,) = report["cases"]
    assert case["simd"]["ratio"] == case["simd"]["seconds"] / case["native"]["seconds"] > 0
    assert "kpn-l1" in as_text(report)
    assert main(["bench", "--site", "--sides", "16", "32"]) == 2


def test_without_memory_there_is_a_sentence(run_node, tmp_path):
    (said,) = run_node(tmp_path, [("memory", {"build": build()})])
    assert said == [
        "there is no memory for this burst: 382 MB are needed; choose a smaller crop or fewer frames",
        "this browser gives no memory for a network; close other pages, or choose fewer methods",
    ]


def test_a_damaged_engine_is_told_from_a_browser_without_simd(run_node, relaxed_flags, tmp_path):
    """And each browser asks for the build that it can run, alone."""
    runs = [((), "engine.wasm")] if relaxed_flags != () else []
    runs += [] if relaxed_flags is None else [(relaxed_flags, "engine.relaxed.wasm")]
    for flags, name in runs:
        jobs = [("compiled", {"build": build(name), "cut": cut}) for cut in (4, 1000, 10**6)]
        damaged = [name, f"{name} is damaged; load the page again"]
        assert run_node(tmp_path, jobs, flags=flags) == [damaged, damaged, [name, "compiled"]]
