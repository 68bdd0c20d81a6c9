"""The test set against stored values, the figures against their formulas, results.csv against a recomputation."""

import dataclasses
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kpnviz.analysis.metrics import PROTOCOL, psnr, ssim
from kpnviz.burst import ALL_MOTIONS, MOTIONS, Misalignment, synthesize
from kpnviz.color import displayed
from kpnviz.commands.main import main
from kpnviz.denoise import Denoiser
from kpnviz.evaluation import baselines
from kpnviz.evaluation import evaluate as evaluation
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.evaluate import (
    NOISE_SCALES,
    ROBUSTNESS,
    evaluate,
    left_to_do,
    methods,
    plan_of,
)
from kpnviz.evaluation.results import (
    PAPER_NOTE,
    PAPER_TABLE_1,
    Case,
    Results,
    Row,
    add_rows,
    as_json,
    as_text,
    best_of,
    difference,
    in_order,
    is_tie,
    kept_rows,
    mean_and_error,
    read_results,
    write_results,
)
from kpnviz.evaluation.testset import TEST_GAINS, TEST_SET, burst_recipes, made, pack_photo
from kpnviz.kernels import KernelField
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import read_scene

from ..conftest import tiny

PLAIN = {"reference": BASELINES["reference"], "mean": BASELINES["mean"]}
ROW = Row(
    model="mkpn",
    motion="moving",
    gain=4.0,
    noise_scale=0.5,
    frames=16,
    psnr=31.25,
    psnr_se=0.125,
    ssim=0.875,
    ssim_se=0.0625,
    alignment=0.75,
    seconds=0.03125,
    bursts=2,
    weights="0123456789ab",
    psnrs=(31.5, 31.0),
)


@pytest.fixture(scope="module")
def shipped():
    """What `kpnviz evaluate` has written; it ships beside the checkpoints."""
    return read_results()


def test_the_set_is_three_crops_of_every_photo_with_room_for_the_shake():
    recipes = burst_recipes(4)
    names = [f"kodim{i:02}" for i in range(1, 25)]
    assert [recipe.photo.rsplit("/", 1)[-1][:-4] for recipe in recipes] == 3 * names
    assert [recipe.seed for recipe in recipes] == list(range(72))
    assert len({(recipe.photo, recipe.crop) for recipe in recipes}) == 72
    for recipe in recipes:
        top, left, H, W = recipe.crop
        height, width = read_scene(recipe.photo, recipe.reduction).shape
        assert (H, W, recipe.frames, recipe.noise) == (128, 128, 8, GAINS[4])
        assert {height, width} == {256, 384}
        assert 16 <= top <= height - 128 - 16 and 16 <= left <= width - 128 - 16
    # The three lie apart along the longer side, from end to end.
    spread = np.array([[max(r.crop[:2]) for r in recipes[i::24]] for i in range(24)])
    assert (spread[:, 0] < 16 + 95).all() and (spread[:, 2] >= 16 + 150).all()


def test_the_three_motions_show_the_same_crops_of_the_same_photos():
    sets = {motion: burst_recipes(4, motion=motion) for motion in MOTIONS}
    assert len({recipe.seed for recipes in sets.values() for recipe in recipes}) == 3 * 72
    assert sets["whole-pixel"] == burst_recipes(4)
    for whole, sub, moving in zip(*sets.values(), strict=True):
        assert whole.crop == sub.crop == moving.crop
        assert Path(whole.photo).name == Path(sub.photo).name == Path(moving.photo).name
        assert sub.misalignment == moving.misalignment == Misalignment(subpixel=True)
        assert not sub.objects and 1 <= len(moving.objects) <= 3
        assert moving.photo not in {thing.photo for thing in moving.objects}
        assert {Path(thing.photo).parent for thing in moving.objects} == {Path(moving.photo).parent}
    # The photos are the same but for 8 bits in place of 16: 1/255 of the displayed value, at most.
    for whole, sub in zip(sets["whole-pixel"][::9], sets["sub-pixel"][::9], strict=True):
        a, b = displayed(read_scene(whole.photo, 1)), displayed(read_scene(sub.photo, 2))
        assert np.abs(a - b).max() < 1 / 255
    burst = synthesize(sets["moving"][0])
    assert (burst.shifts % 1 == 0.5).any() and 0.02 < (burst.object_at > 0).mean() < 0.5


def test_handheld_bursts_are_of_the_same_crops_and_are_aligned_by_one_field_for_all_methods():
    handheld, sub = burst_recipes(4, 6, "handheld"), burst_recipes(4, 6, "sub-pixel")
    for one, other in zip(handheld, sub, strict=True):
        assert (one.crop, one.photo) == (other.crop, other.photo) and one.camera and one.seed >= 300
    raw, given = synthesize(handheld[1]), made(handheld[1])
    np.testing.assert_array_equal(given.frames[0], raw.frames[0])
    np.testing.assert_array_equal(given.truth, raw.truth)
    assert np.quantile(np.abs(raw.motion), 0.95) > 12 and np.quantile(np.abs(given.motion), 0.95) < 3
    # What a frame shows at a pixel is what it showed where the difference of the two motions says.
    moved = np.rint(raw.motion - given.motion).astype(int)
    for i, y, x in itertools.product(range(8), (40, 70), (30, 90)):
        dy, dx = moved[i, y, x]
        assert given.frames[i, y, x] == raw.frames[i, y + dy, x + dx]
    still = burst_recipes(4, 1)[0]
    np.testing.assert_array_equal(made(still).frames, synthesize(still).frames)
    plan = plan_of(["reference"], motions=["handheld"], gains=[4])
    rows = list(evaluate(methods(["reference"]), plan, limit=2))
    assert [row.motion for row in rows] == ["handheld"]
    expected = np.mean([psnr(b.frames[0], b.truth) for b in map(synthesize, handheld[:2])])
    assert rows[0].psnr == pytest.approx(expected, abs=1e-6)


def test_the_number_of_frames_leaves_the_reference_and_the_shake_of_a_frame_alone():
    one, eight, more = (synthesize(burst_recipes(4, 1, "sub-pixel", N)[0]) for N in (1, 8, 16))
    assert (len(one), len(eight), len(more)) == (1, 8, 16)
    np.testing.assert_array_equal(one.reference, eight.reference)
    np.testing.assert_array_equal(one.reference, more.reference)
    # A frame goes farther than 2 px as often.
    for frames in (2, 4, 16):
        (recipe,) = burst_recipes(4, 1, "sub-pixel", frames)
        shifts = [recipe.misalignment.sample(frames, np.random.default_rng(seed))[1:] for seed in range(2000)]
        far = (np.abs(np.concatenate(shifts)) > 2).any(axis=1).mean()
        assert far == pytest.approx(1.5 / 8, abs=0.03), frames


def test_a_part_of_the_set_is_its_beginning_and_the_gain_leaves_the_shake_alone():
    assert burst_recipes(4, 6) == burst_recipes(4)[:6]
    loud = burst_recipes(8)
    for quiet, other in zip(burst_recipes(1), loud, strict=True):
        assert dataclasses.replace(quiet, noise=other.noise) == other
    assert burst_recipes(16, 1)[0].noise == NoiseModel.for_gain(16)


def test_the_set_is_the_same_on_every_machine():
    """Values of one run, stored: a noisy pixel of the last frame of all 72 bursts; and more of one at every gain."""
    bursts = [synthesize(recipe) for recipe in burst_recipes(4)]
    pixels = [burst.frames[7, (37 * k) % 128, (53 * k) % 128] for k, burst in enumerate(bursts)]
    np.testing.assert_allclose(pixels, STORED_PIXELS, atol=1e-6)
    assert bursts[71].shifts.tolist() == STORED_SHIFTS
    for gain, stored in STORED_BURST.items():
        burst = synthesize(burst_recipes(gain)[71])
        frames = burst.frames.astype(np.float64)
        found = [frames[3, 5, 120], burst.truth[100, 7], frames.mean(), frames.std()]
        np.testing.assert_allclose(found, stored, atol=1e-6)
    for motion, (stored, shift) in STORED_MOTIONS.items():
        burst = synthesize(burst_recipes(4, motion=motion)[71])
        frames = burst.frames.astype(np.float64)
        found = [frames[3, 5, 120], burst.truth[100, 7], frames.mean(), frames.std()]
        np.testing.assert_allclose(found, stored, atol=1e-6)
        assert burst.shifts[7].tolist() == shift


STORED_PIXELS = [
    0.19870621,
    0.11093921,
    0.14506471,
    0.00031021758,
    -0.00029024176,
    0.035026666,
    0.047973491,
    0.0066025457,
    0.24702576,
    0.43235803,
    0.059741277,
    0.035201244,
    0.19256793,
    0.1376877,
    0.053487297,
    0.24031812,
    0.3767662,
    0.26944798,
    0.15592806,
    0.28456852,
    0.025427882,
    -0.046319295,
    -0.015355087,
    0.16283636,
    0.1528679,
    0.065763481,
    0.12838483,
    0.18264596,
    0.2066754,
    0.11614905,
    0.09119381,
    0.79913247,
    0.21452428,
    0.2287899,
    0.21006215,
    0.24452437,
    0.15961337,
    0.07624878,
    0.033053588,
    0.2042397,
    0.30855805,
    0.039750982,
    0.066909939,
    0.99798089,
    0.12755109,
    0.25285649,
    0.6099999,
    0.27540016,
    0.15551327,
    0.04150271,
    0.18393169,
    0.17741917,
    0.083110884,
    0.17931335,
    0.23635681,
    0.032364115,
    0.6074906,
    0.42359152,
    0.3775183,
    0.83889842,
    0.7047841,
    0.10077174,
    0.086568333,
    0.31617534,
    0.08962933,
    0.10429041,
    0.57191032,
    0.72870767,
    0.35867205,
    0.10613402,
    0.009059146,
    0.5489738,
]
STORED_SHIFTS = [[0, 0], [-14, 10], [2, -1], [-1, 2], [-2, -2], [0, 0], [0, 1], [-2, 2]]
STORED_BURST = {
    1: [0.14259219, 0.11119845, 0.16823657, 0.1715544],
    2: [0.14317359, 0.11119845, 0.16824565, 0.17336615],
    4: [0.14466576, 0.11119845, 0.16826034, 0.18083249],
    8: [0.14719568, 0.11119845, 0.16828345, 0.20170241],
    16: [0.15167028, 0.11119845, 0.1682993, 0.2549703],
}


STORED_MOTIONS = {
    "sub-pixel": ([0.23384286, 0.11161695, 0.16945604, 0.1802099], [-15, 3.5]),
    "moving": ([0.12669964, 0.11161695, 0.17081673, 0.18157136], [1, -0.5]),
}


def test_photos_are_packed_without_loss_that_matters(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "photo.jpg.png")
    path = pack_photo(tmp_path / "photo.jpg.png", tmp_path / "set")
    packed = read_scene(str(path), 1)
    assert packed.shape == (10, 15)
    full = read_scene(str(path.parent / "full" / path.name), 1)
    assert full.shape == (20, 31)
    np.testing.assert_allclose(
        displayed(full), displayed(read_scene(str(tmp_path / "photo.jpg.png"), 1)), atol=0.51 / 255
    )
    # Half a step of 16 bits, at white: 2.4 / 1.055 / 65535 / 2.
    np.testing.assert_allclose(packed, read_scene(str(tmp_path / "photo.jpg.png"), 2), atol=1.8e-5)


def measured(methods, limit, *arguments, **values):
    """Rows of an evaluation of some combinations."""
    return list(evaluate(methods, plan_of(methods, *arguments, **values), limit))


WHOLE = ("whole-pixel",)


def made_anew(burst, gain, motion):
    """The burst of the test set that has these frames, with all that is known of it."""
    bursts = map(synthesize, burst_recipes(gain, motion=motion))
    return next(found for found in bursts if np.array_equal(found.frames, burst.frames))


def test_figures_are_means_and_standard_errors_over_the_bursts():
    (row,) = measured({"mean": BASELINES["mean"]}, 4, WHOLE, (8,))
    bursts = [synthesize(recipe) for recipe in burst_recipes(8, 4)]
    values = np.array([[f(b.frames.mean(axis=0), b.truth) for f in (psnr, ssim)] for b in bursts])
    errors = values.std(axis=0, ddof=1) / 2
    np.testing.assert_allclose([row.psnr, row.ssim], values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose([row.psnr_se, row.ssim_se], errors, rtol=1e-5)
    np.testing.assert_allclose(row.psnrs, values[:, 0], rtol=1e-6)
    assert (row.model, row.case) == ("mean", Case(motion="whole-pixel", gain=8, noise_scale=1, frames=8))
    assert (row.bursts, row.weights) == (4, "") and row.seconds > 0 and math.isnan(row.alignment)


def test_standard_error_by_hand():
    assert mean_and_error([1.0, 2.0, 6.0]) == pytest.approx((3.0, math.sqrt((4 + 1 + 9) / 2 / 3)))
    assert mean_and_error([5.0])[0] == 5 and math.isnan(mean_and_error([5.0])[1])
    assert math.isnan(mean_and_error([1.0, 2.0, 6.0], photos=[4, 4, 4])[1])
    # Two photos, of one and of two crops: deviations -2, -1 and +3 sum to -3 and 3; 2/1 (9 + 9) / 3^2 = 4.
    assert mean_and_error([1.0, 2.0, 6.0], photos=[7, 7, 3]) == pytest.approx((3, 2))


def test_crops_that_are_alike_tell_no_more_than_one_of_them():
    photos = np.random.default_rng(0).normal(30, 2, 24)
    mean, error = mean_and_error(np.tile(photos, 3))
    assert (mean, error) == pytest.approx((photos.mean(), photos.std(ddof=1) / math.sqrt(24)))


def test_standard_errors_cover_the_truth_as_often_as_they_should():
    """Photos differ by 2 dB, crops of a photo by 1: two errors to each side hold the truth in 94 % (t, 23 degrees)."""
    rng = np.random.default_rng(0)
    inside, naive = [], []
    for _ in range(2000):
        values = np.tile(rng.normal(0, 2, 24), 3) + rng.normal(0, 1, 72)
        mean, error = mean_and_error(values)
        inside.append(abs(mean) < 2 * error)
        naive.append(abs(mean) < 2 * values.std(ddof=1) / math.sqrt(72))
    # The standard error of these shares is .005.
    assert np.mean(inside) == pytest.approx(0.943, abs=0.02)
    assert np.mean(naive) < 0.85


def test_differences_are_paired():
    """Two methods whose PSNR goes with the photo: the photos differ by 2 dB, the methods by .5 +- .1."""
    rng = np.random.default_rng(0)
    one = rng.normal(30, 2, 72)
    other = one + rng.normal(0.5, 0.1, 72)
    a, b = (dataclasses.replace(ROW, psnrs=tuple(values)) for values in (other, one))
    mean, error = difference(a, b)
    assert (mean, error) == pytest.approx(mean_and_error(other - one))
    assert mean == pytest.approx(0.5, abs=0.05) and error < 0.02
    assert difference(b, a) == pytest.approx((-mean, error))
    others = (dataclasses.replace(b, psnrs=()), dataclasses.replace(b, gain=2.0))
    assert all(math.isnan(value) for row in others for value in difference(a, row))


def test_the_best_row_and_what_ties_with_it():
    def of(
        model, *psnrs
    ):  # photos are of two kinds: half of how far they lie apart, over sqrt(23), is the error
        values = tuple(psnrs[k % 2] for k in range(48))
        return dataclasses.replace(
            ROW, model=model, psnr=float(np.mean(values)), ssim=sum(psnrs) / 100, psnrs=values
        )

    rows = [of("kpn", 30.0, 30.0), of("kpn-l5", 30.5, 29.7), of("kpn-l3", 29.0, 29.1)]
    best, ties = best_of(rows)
    assert best is rows[1] and ties == {"kpn"}
    assert is_tie(0.19, 0.1) and is_tie(-0.19, 0.1) and not is_tie(0.2, 0.1) and is_tie(1.0, math.nan)
    assert best_of(rows, "ssim") == (rows[1], set())  # SSIM is not kept burst by burst
    assert best_of([]) == (None, set())


def test_a_perfect_method_has_no_finite_psnr_and_valid_json():
    (row,) = measured({"oracle": lambda burst: made_anew(burst, 8, "whole-pixel").truth}, 2, WHOLE, (8,))
    assert row.psnr == math.inf and math.isnan(row.psnr_se)
    assert row.ssim == pytest.approx(1) and row.ssim_se == pytest.approx(0, abs=1e-9)
    report = json.loads(json.dumps(as_json(Results({}, [row])), allow_nan=False))
    assert report["rows"][0]["psnr"] is None and report["rows"][0]["ssim"] == pytest.approx(1)
    assert "inf" in as_text(Results({}, [row]))


def test_methods_do_not_see_the_truth():
    seen = []
    measured({"spy": lambda burst: seen.append(burst) or burst.mean}, 1, ("moving",), (1,))
    (burst,) = seen
    given = {field.name for field in dataclasses.fields(burst) if getattr(burst, field.name) is not None}
    assert given - {"notes", "noise_correlation"} == {"frames", "noise", "white_level"}
    assert not burst.notes and burst.noise_correlation == 0


def test_a_noise_scale_is_what_the_denoiser_calls_so():
    denoiser = Denoiser(tiny("kpn"), "kpn")
    rows = measured({"kpn": denoiser}, 1, WHOLE, (4,), (0.5, 2.0))
    burst = synthesize(burst_recipes(4, 1)[0])
    for row, scale in zip(rows, (0.5, 2.0), strict=True):
        assert row.noise_scale == scale
        assert row.psnr == pytest.approx(
            psnr(denoiser(burst, noise_scale=scale).image, burst.truth), abs=1e-4
        )
    assert rows[0].psnr != rows[1].psnr


def test_alignment_of_a_network_is_that_of_its_kernels():
    """A network that takes frames 1 to 7 from where the scene went, and one that has no kernels."""

    def follow(burst, motion="whole-pixel"):
        shifts = made_anew(burst, 8, motion).shift_map()
        middle = np.rint(shifts[:, ::2, ::2]).clip(-2, 2).astype(int) + 2
        index = torch.from_numpy(middle[..., 0] * 5 + middle[..., 1])
        factors = torch.nn.functional.one_hot(index, 25).permute(0, 3, 1, 2).float()
        return KernelField(factors[None], (5,), False, 128, 128)

    rows = measured({"follow": follow, "direct": Denoiser(tiny("kpn-direct"), "d")}, 3, WHOLE, (8,))
    assert [row.alignment for row in rows] == pytest.approx([1, math.nan], nan_ok=True)
    (row,) = measured({"follow": lambda burst: follow(burst, "moving")}, 3, ("moving",), (8,))
    assert row.alignment == pytest.approx(1, abs=0.15)  # half pixels rounded, and edges of objects


def test_rows_come_as_soon_as_they_are_measured_and_bursts_are_made_once(monkeypatch):
    recipes = []
    monkeypatch.setattr(evaluation, "made", lambda recipe: recipes.append(recipe) or synthesize(recipe))
    plan = plan_of(PLAIN, WHOLE, (2, 1), (1.0, 2.0))
    found = []
    for row in evaluate(PLAIN, plan, 1):
        found.append((row.gain, row.noise_scale, row.model))
        assert len(recipes) == row.gain
    assert found == [(g, s, m) for g in (1, 2) for s in (1, 2) for m in PLAIN]
    rows = in_order(evaluate(PLAIN, plan, 1))
    assert [row.model for row in rows] == 4 * ["reference"] + 4 * ["mean"]


def test_bursts_are_aligned_once_for_all_methods(monkeypatch):
    aligned = []
    original = baselines.find_shift
    monkeypatch.setattr(baselines, "find_shift", lambda *a: aligned.append(1) or original(*a))
    burst = synthesize(burst_recipes(4, 1)[0])
    for name in ("aligned-mean", "nlm", "tv", "wavelets", "wiener-merge"):
        BASELINES[name](burst)
    assert len(aligned) == 7
    baselines.nlm(dataclasses.replace(burst))  # another burst, for all that is known
    assert len(aligned) == 14


def test_networks_of_a_fixed_number_of_frames_are_measured_on_these():
    matching = Denoiser(tiny("mkpn"), "mkpn")
    chosen = {"kpn": Denoiser(tiny("kpn-stacked"), "kpn"), "matching": matching, "mean": BASELINES["mean"]}
    plan = left_to_do(plan_of(chosen, ("sub-pixel",), (4,), frames=(2, 8)), chosen, [])
    assert {case.frames: names for case, names in plan.items()} == {
        2: ["matching", "mean"],
        8: ["kpn", "matching", "mean"],
    }
    two, eight = (row for row in evaluate(chosen, plan, 1) if row.model == "mean")
    burst = synthesize(burst_recipes(4, 1, "sub-pixel", 2)[0])
    assert two.psnr == pytest.approx(psnr(burst.mean, burst.truth)) and two.psnr != eight.psnr


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--models", "resnet"], "model 'resnet' is neither a trained network nor a baseline: "),
        (["--models"], "models is empty"),
        (["--gains"], "gains is empty"),
        (["--noise-scales"], "noise scales is empty"),
        (["--motion"], "motions is empty"),
        (["--frames"], "frames is empty"),
        (
            ["--models", "mean", "--output", "/nowhere/x.csv"],
            "output: '/nowhere/x.csv' cannot be written: there is no",
        ),
        (["--tune", "/nowhere"], "photos: no PNG"),
    ],
)
def test_errors_are_one_sentence(arguments, sentence, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    assert main(["evaluate", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("kpnviz evaluate: " + sentence) and error.count("\n") == 1


def test_the_command_prints_json_or_tables_and_writes_a_file(tmp_path, capsys):
    output = tmp_path / "some.csv"
    command = ["evaluate", "--models", "mean", "reference", "--gains", "4", "16", "--limit", "2"]
    assert main([*command, "--json", "--output", str(output)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["protocol"] == PROTOCOL
    assert [(row["model"], row["motion"], row["gain"]) for row in report["rows"]] == [
        (model, motion, gain) for model in ("reference", "mean") for motion in MOTIONS for gain in (4, 16)
    ]
    assert set(report["rows"][0]) == {field.name for field in dataclasses.fields(Row)}
    row = read_results(output).row("mean", 16, motion="moving")
    assert row.psnr == pytest.approx(report["rows"][-1]["psnr"], abs=1e-4)
    assert row.psnrs == pytest.approx(report["rows"][-1]["psnrs"], abs=0.006)
    assert main(command) == 0
    text = capsys.readouterr().out
    assert all(f"\n{motion.upper()}\n" in text for motion in MOTIONS)
    assert "×16" in text and "first 2 only" in text and PAPER_NOTE not in text
    assert (
        main([*command[:4], "--motion", "moving", "--gains", "4", "--frames", "1", "2", "--limit", "1"]) == 0
    )
    text = capsys.readouterr().out
    assert "against the number of frames" in text and "SUB-PIXEL" not in text


def test_what_cannot_be_assumed_is_refused_before_anything_is_measured(capsys, monkeypatch):
    monkeypatch.setattr(evaluation, "made", None)
    case = ["--motion", "whole-pixel", "--gains", "8", "--noise-scales", "1", "1000", "--limit", "1"]
    assert main(["evaluate", "--models", "mean", *case]) == 1
    assert "noise scale 1000 at gain 8: shot_gain is " in (error := capsys.readouterr().err)
    assert "noise must be a number from 0 to 1000" in error and error.count("\n") == 1


def test_what_was_measured_before_an_error_is_shown(capsys, monkeypatch):
    def broken(burst):
        raise ValueError("broken: this method does not work")

    monkeypatch.setitem(BASELINES, "broken", broken)
    case = ["--motion", "whole-pixel", "--gains", "4", "--limit", "1"]
    assert main(["evaluate", "--models", "mean", "broken", *case, "--json"]) == 1
    output = capsys.readouterr()
    assert [row["model"] for row in json.loads(output.out)["rows"]] == ["mean"]
    assert output.err.endswith("kpnviz evaluate: broken: this method does not work\n")


def test_an_evaluation_goes_on_where_it_stopped(tmp_path, capsys, monkeypatch):
    output = tmp_path / "results.csv"
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn"), {})
    done = []
    original = evaluation._row
    monkeypatch.setattr(evaluation, "_row", lambda *a: done.append((a[0], a[2].gain)) or original(*a))

    def stopped(*arguments):
        if len(done) == 3:
            raise KeyboardInterrupt
        return evaluation_row(*arguments)

    evaluation_row = evaluation._row
    command = [
        "evaluate",
        "--models",
        "mkpn",
        "mean",
        "--motion",
        "sub-pixel",
        "--gains",
        "1",
        "2",
        "--limit",
        "1",
    ]
    command += ["--output", str(output)]
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "_row", stopped)
        assert main(command) == 130
    assert done == [("mkpn", 1), ("mean", 1), ("mkpn", 2)]
    assert [(row.model, row.gain) for row in read_results(output).rows] == [
        ("mkpn", 1),
        ("mkpn", 2),
        ("mean", 1),
    ]
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    assert done[3:] == [("mean", 2)]
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 4
    # Others are measured again: those of new weights, of more bursts, or all when asked.
    for arguments, count in (([], 0), (["--limit", "2"], 4), (["--limit", "2", "--anew"], 4)):
        del done[:]
        assert main([*command, *arguments]) == 0
        assert len(done) == count, arguments
    del done[:]
    checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn", seed=1), {})
    assert main([*command, "--limit", "2"]) == 0
    assert done == [("mkpn", 1), ("mkpn", 2)]


@pytest.mark.slow
def test_two_processes_write_to_one_file(tmp_path):
    path = tmp_path / "results.csv"
    script = """
import dataclasses, sys
from pathlib import Path
from kpnviz.evaluation.results import Row, add_rows
from kpnviz.evaluation.results import PROTOCOL, TEST_SET
for gain in range(1, 21):
    row = Row(model=sys.argv[2], gain=gain, psnr=1, psnr_se=1, ssim=1, ssim_se=1, seconds=1, bursts=1)
    add_rows(Path(sys.argv[1]), [row], {"protocol": PROTOCOL, "test set": TEST_SET})
"""
    both = [subprocess.Popen([sys.executable, "-c", script, str(path), name]) for name in ("nlm", "tv")]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    rows = read_results(path).rows
    assert {(row.model, row.gain) for row in rows} == {(m, g) for m in ("nlm", "tv") for g in range(1, 21)}


def test_a_file_of_another_test_set_is_left_as_it_is(tmp_path):
    path = tmp_path / "results.csv"
    write_results(path, Results({"protocol": PROTOCOL, "test set": "others"}, [ROW]))
    written = path.read_bytes()
    for read in (kept_rows, lambda path: add_rows(path, [ROW], {"protocol": PROTOCOL, "test set": TEST_SET})):
        with pytest.raises(ValueError, match="results.csv: its results are of another protocol or test set"):
            read(path)
    assert path.read_bytes() == written and kept_rows(tmp_path / "none.csv") == []


def test_a_quick_look_does_not_replace_a_whole_run(tmp_path):
    """Nor does it take away what somebody noted above the rows."""
    path = tmp_path / "results.csv"
    facts = {"protocol": PROTOCOL, "test set": TEST_SET}
    whole = dataclasses.replace(ROW, bursts=72, weights="abc")
    add_rows(path, [whole], {**facts, "times": "of a busy machine"})
    add_rows(path, [dataclasses.replace(whole, bursts=1, psnr=20.0)], {**facts, "date": "today"})
    assert [(row.bursts, row.psnr) for row in kept_rows(path)] == [(72, whole.psnr)]
    assert read_results(path).stamp == {**facts, "times": "of a busy machine", "date": "today"}
    for changed in ({"weights": "new", "bursts": 1}, {"weights": "new", "bursts": 1, "psnr": 21.0}):
        add_rows(path, [dataclasses.replace(whole, **changed)], facts)
        assert [row.bursts for row in kept_rows(path)] == [1]
    assert kept_rows(path)[0].psnr == 21.0


def test_a_whole_run_writes_results_beside_the_checkpoints(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr(evaluation, "BASELINES", {**PLAIN, "nlm": BASELINES["mean"]})
    monkeypatch.setattr(evaluation, "BURSTS", 1)
    monkeypatch.setattr(evaluation, "burst_recipes", lambda gain, limit, *more: burst_recipes(gain, 1, *more))
    card = checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn"), {"training": {"steps": 7}})
    assert main(["evaluate"]) == 0
    text = capsys.readouterr().out
    assert "(35.10)" in text and "(0.925)" in text and PAPER_NOTE in text  # the paper's MKPN at gain 1
    results = read_results()
    assert results.stamp["protocol"] == PROTOCOL and results.motions == ALL_MOTIONS
    assert {"kpnviz", "numpy", "torch", "processor", "date", "test set"} <= set(results.stamp)
    found = {(row.model, row.case) for row in results.rows}
    names = ("mkpn", *PLAIN, "nlm")
    expected = {(name, Case(motion=m, gain=g)) for name in names for m in ALL_MOTIONS for g in TEST_GAINS}
    expected |= {
        ("mkpn", Case(motion="sub-pixel", gain=gain, noise_scale=scale))
        for gain in GAINS
        for scale in NOISE_SCALES
    }
    expected |= {
        (name, Case(motion="sub-pixel", gain=g, frames=n))
        for name in ("mkpn", "nlm")
        for g in TEST_GAINS
        for n in (1, 2, 4, 16)
    }
    assert found == expected
    assert {row.weights for row in results.rows if row.model == "mkpn"} == {card["sha256"][:12]}

    assert main(["zoo", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)
    assert (model["name"], model["sizes"], model["steps"]) == ("mkpn", [1, 3, 5, 7, 9, 11], 7)
    assert (model["params"], model["bytes"]) == (card["params"], card["bytes"])
    for motion in ALL_MOTIONS:
        own = {f"{gain}": results.row("mkpn", gain, motion=motion) for gain in TEST_GAINS}
        assert model["psnr"][motion] == {gain: row.psnr for gain, row in own.items()}
        assert model["alignment"][motion]["8"] == own["8"].alignment
    assert main(["zoo"]) == 0
    text = capsys.readouterr().out
    assert "1,3,5,7,9,11" in text and "moving" in text

    # Figures of other weights are not this model's.
    checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn", seed=1), {"training": {"steps": 7}})
    assert main(["zoo", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["psnr"] == {}


def test_results_come_back_from_their_file(tmp_path):
    path = tmp_path / "results.csv"
    one = dataclasses.replace(ROW, model="nlm", weights="", psnr=math.inf, psnr_se=math.nan)
    write_results(path, Results({"protocol": "a, b: c", "torch": "2"}, [ROW, one]))
    results = read_results(path)
    assert results.stamp == {"protocol": "a, b: c", "torch": "2"}
    assert results.rows[0] == ROW == results.row("mkpn", 4, 0.5, "moving", 16)
    assert results.rows[1].psnr == math.inf and math.isnan(results.rows[1].psnr_se)
    assert results.row("mkpn", 4) is None and results.motions == ("moving",)


def test_times_that_were_not_measured_are_not_shown():
    plain = dataclasses.replace(ROW, frames=8, noise_scale=1.0)
    rows = [plain, dataclasses.replace(plain, model="kpn", seconds=math.nan)]
    (line,) = (line for line in as_text(Results({}, rows)).splitlines() if "milliseconds" in line)
    assert "mkpn" in line and "nan" not in line and " kpn" not in line
    assert "milliseconds" not in as_text(Results({}, rows[1:]))


def test_files_from_before_there_were_motions_open(tmp_path):
    path = tmp_path / "results.csv"
    path.write_text(
        "# protocol: as then\nmodel,gain,noise_scale,psnr,psnr_se,ssim,ssim_se,seconds,bursts,weights\n"
        "kpn,16,1,24.1224,0.3111,0.59183,0.01242,0.0626,72,539f184dd4ee\n"
    )
    results = read_results(path)
    row = results.row("kpn", 16)
    assert (row.motion, row.frames, row.psnr, row.psnrs) == ("whole-pixel", 8, 24.1224, ())
    assert math.isnan(row.alignment) and "24.12 ± 0.31" in as_text(results)


def test_the_file_is_small(tmp_path):
    """Of 570 rows, about as many as a whole run has: some hundred kilobytes."""
    write_results(
        tmp_path / "results.csv", Results({}, 570 * [dataclasses.replace(ROW, psnrs=72 * (34.313,))])
    )
    assert (tmp_path / "results.csv").stat().st_size < 300_000


@pytest.mark.parametrize(
    "text, sentence",
    [
        (None, "no results can be read; `kpnviz evaluate` makes them"),
        ("", "the columns are not model, motion, gain"),
        ("model,gain\n", "the columns are not model, motion, gain"),
        ("HEADER,color\n", "the columns are not model, motion, gain"),
        ("HEADER\nmkpn,1,x,0,0,0,0,72,moving\n", "row 1 is damaged"),
        ("HEADER\nmkpn,1,0,0,0,0,0,72,zoom\n", "row 1 is damaged"),
        ("HEADER\nmkpn,1\n", "row 1 is damaged"),
    ],
)
def test_damaged_results_are_named(text, sentence, tmp_path):
    path = tmp_path / "results.csv"
    if text is not None:
        header = "model,gain,psnr,psnr_se,ssim,ssim_se,seconds,bursts,motion"
        path.write_text(text.replace("HEADER", header.replace("gain,", "gain,noise_scale,")))
    with pytest.raises(ValueError, match=sentence):
        read_results(path)


def test_the_papers_table():
    """What the paper's text says of its Table 1: MKPN is best everywhere, and larger separable kernels are better."""
    assert set(PAPER_TABLE_1) < set(ZOO) and len(PAPER_TABLE_1) == 10
    for gain in GAINS:
        for i in (0, 1):
            column = {name: cells[gain][i] for name, cells in PAPER_TABLE_1.items()}
            assert max(column, key=column.get) == "mkpn"
            assert sorted(column, key=column.get)[:2] == ["kpn-l1", "kpn-l3"]
    assert PAPER_TABLE_1["kpn"][8] == (24.90, 0.654) and PAPER_TABLE_1["kpn-l25"][2] == (32.04, 0.871)


def test_results_csv_covers_all_that_ships(shipped):
    """Made by whole runs, with the weights that ship."""
    assert (shipped.stamp["protocol"], shipped.stamp["test set"]) == (PROTOCOL, TEST_SET)
    networks = [name for name in checkpoints.available() if name in ZOO]
    assert shipped.motions
    for name in (*networks, *BASELINES):
        weights = checkpoints.read_card(name)["sha256"][:12] if name in networks else ""
        for motion, gain in itertools.product(shipped.motions, TEST_GAINS):
            row = shipped.row(name, gain, motion=motion)
            assert row is not None and (row.bursts, row.weights) == (72, weights), name
    for name, gain, scale in itertools.product(set(ROBUSTNESS) & set(networks), GAINS, NOISE_SCALES):
        assert any(shipped.row(name, gain, scale, motion) for motion in shipped.motions)


@pytest.mark.parametrize("name, gain", [("reference", 1), ("mean", 16)])
def test_results_csv_can_be_recomputed(shipped, name, gain):
    (row,) = measured(methods([name]), None, WHOLE, (gain,))
    stored = shipped.row(name, gain)
    assert row.psnr == pytest.approx(stored.psnr, abs=1e-3)
    assert row.ssim == pytest.approx(stored.ssim, abs=1e-4)
    if stored.psnrs:
        assert row.psnr_se == pytest.approx(stored.psnr_se, abs=1e-3)


@pytest.mark.parametrize("name, gain, tolerance", [("tv", 8, 1e-3), ("kpn-l5", 4, 2e-3), ("mkpn", 8, 2e-3)])
def test_the_first_bursts_of_results_csv_can_be_recomputed(shipped, name, gain, tolerance):
    """Networks predict in fp32, whose rounding depends on the processor: 0.002 dB."""
    (row,) = measured(methods([name]), 12, WHOLE, (gain,))
    stored = shipped.row(name, gain).psnrs
    assert len(row.psnrs) == 12 and len(stored) == 72
    np.testing.assert_allclose(
        row.psnrs, stored[:12], rtol=0, atol=0.005 + tolerance
    )  # two decimals are kept


def test_handheld_rows_are_those_of_todays_alignment(shipped):
    """Whoever changes how frames are aligned measures them again: kpnviz evaluate --motion handheld --anew."""
    (row,) = measured(methods(["aligned-mean"]), 3, ("handheld",), (4,))
    stored = shipped.row("aligned-mean", 4, motion="handheld").psnrs
    np.testing.assert_allclose(row.psnrs, stored[:3], rtol=0, atol=0.02)
