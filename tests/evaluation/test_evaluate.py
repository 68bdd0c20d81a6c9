"""The test set against stored values, the figures against their formulas, results.csv against a recomputation."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kpnviz.analysis.metrics import PROTOCOL, psnr, ssim
from kpnviz.burst import MOTIONS, Misalignment, synthesize
from kpnviz.color import displayed
from kpnviz.commands.main import main
from kpnviz.denoise import Denoiser
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.evaluate import NOISE_SCALES, ROBUSTNESS, evaluate, mean_and_error, methods
from kpnviz.evaluation.results import (
    PAPER_TABLE_1,
    Results,
    Row,
    as_json,
    as_text,
    read_results,
    write_results,
)
from kpnviz.evaluation.testset import TEST_GAINS, TEST_SET, burst_recipes, pack_photo
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import read_scene

from ..conftest import tiny

PLAIN = {"reference": BASELINES["reference"], "mean": BASELINES["mean"]}
ROW = Row("mkpn", 4.0, 0.5, 31.25, 0.125, 0.875, 0.0625, 0.03125, 72, "0123456789ab")


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


def test_figures_are_means_and_standard_errors_over_the_bursts():
    (row,) = evaluate({"mean": BASELINES["mean"]}, gains=(8,), limit=4)
    bursts = [synthesize(recipe) for recipe in burst_recipes(8, 4)]
    values = np.array([[f(b.frames.mean(axis=0), b.truth) for f in (psnr, ssim)] for b in bursts])
    errors = values.std(axis=0, ddof=1) / 2
    np.testing.assert_allclose([row.psnr, row.ssim], values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose([row.psnr_se, row.ssim_se], errors, rtol=1e-5)
    assert (row.model, row.gain, row.noise_scale, row.bursts, row.weights) == ("mean", 8, 1, 4, "")
    assert row.seconds > 0


def test_standard_error_by_hand():
    assert mean_and_error([1.0, 2.0, 6.0]) == pytest.approx((3.0, math.sqrt((4 + 1 + 9) / 2 / 3)))
    assert mean_and_error([5.0])[0] == 5 and math.isnan(mean_and_error([5.0])[1])


def test_a_perfect_method_has_no_finite_psnr_and_valid_json():
    (row,) = evaluate({"oracle": lambda burst: synthesize(burst.recipe).truth}, gains=(8,), limit=2)
    assert row.psnr == math.inf and math.isnan(row.psnr_se)
    assert row.ssim == pytest.approx(1) and row.ssim_se == pytest.approx(0, abs=1e-9)
    report = json.loads(json.dumps(as_json(Results({}, [row])), allow_nan=False))
    assert report["rows"][0]["psnr"] is None and report["rows"][0]["ssim"] == pytest.approx(1)
    assert "inf" in as_text(Results({}, [row]))


def test_methods_do_not_see_the_truth():
    seen = []
    evaluate({"spy": lambda burst: seen.append(burst) or burst.mean}, gains=(1,), limit=1)
    assert seen[0].truth is None and seen[0].shifts is None


def test_a_noise_scale_is_what_the_denoiser_calls_so():
    denoiser = Denoiser(tiny("kpn"), "kpn")
    rows = evaluate({"kpn": lambda burst: denoiser(burst).image}, (4,), (0.5, 2.0), limit=1)
    burst = synthesize(burst_recipes(4, 1)[0])
    for row, scale in zip(rows, (0.5, 2.0), strict=True):
        assert row.noise_scale == scale
        assert row.psnr == pytest.approx(
            psnr(denoiser(burst, noise_scale=scale).image, burst.truth), abs=1e-4
        )
    assert rows[0].psnr != rows[1].psnr


def test_rows_come_by_method_then_noise_scale_then_gain():
    rows = evaluate(PLAIN, (2, 1), (1.0, 2.0), limit=1)
    found = [(row.model, row.noise_scale, row.gain) for row in rows]
    assert found == [(m, s, g) for m in PLAIN for s in (1, 2) for g in (2, 1)]


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--models", "resnet"], "model 'resnet' is neither a trained network nor a baseline: "),
        (["--models"], "models is empty"),
        (["--gains"], "gains is empty"),
        (["--gains", "0", "--models", "mean"], "gain is 0.0"),
        (["--noise-scales"], "noise scales is empty"),
        (["--noise-scales", "-1", "--models", "mean"], "factor is -1.0"),
        (["--limit", "0", "--models", "mean"], "limit is 0"),
        (["--limit", "73", "--models", "mean"], "limit is 73; the test set has 72"),
        (["--models", "mean", "--output", "/nowhere/x.csv"], "output: the folder '/nowhere'"),
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
    assert [(row["model"], row["gain"]) for row in report["rows"]] == [
        (model, gain) for model in ("mean", "reference") for gain in (4, 16)
    ]
    assert set(report["rows"][0]) == {field.name for field in dataclasses.fields(Row)}
    assert read_results(output).row("mean", 16).psnr == pytest.approx(report["rows"][1]["psnr"], abs=1e-4)
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "gain ×16" in text and "compare down a column, not across" in text and "first 2 only" in text


def test_a_whole_run_writes_results_beside_the_checkpoints(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    monkeypatch.setattr("kpnviz.evaluation.evaluate.BASELINES", PLAIN)
    monkeypatch.setattr(
        "kpnviz.evaluation.evaluate.burst_recipes", lambda gain, limit: burst_recipes(gain, 1)
    )
    card = checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn"), {"training": {"steps": 7}})
    assert main(["evaluate"]) == 0
    assert "35.10 0.925" in capsys.readouterr().out  # the paper's MKPN at gain 1
    results = read_results()
    assert results.stamp["protocol"] == PROTOCOL
    assert {"kpnviz", "numpy", "torch", "processor", "date", "test set"} <= set(results.stamp)
    found = {(row.model, row.gain, row.noise_scale) for row in results.rows}
    truth = {(model, gain, 1) for model in ("mkpn", *PLAIN) for gain in (1, 2, 4, 8, 16)}
    assert found == truth | {("mkpn", gain, scale) for gain in GAINS for scale in (0.25, 0.5, 2, 4)}
    assert {row.weights for row in results.rows if row.model == "mkpn"} == {card["sha256"][:12]}

    assert main(["zoo", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)
    assert (model["name"], model["sizes"], model["steps"]) == ("mkpn", [1, 3, 5, 7, 9, 11], 7)
    assert (model["params"], model["bytes"]) == (card["params"], card["bytes"])
    assert model["psnr"] == {f"{g}": results.row("mkpn", g).psnr for g in (1, 2, 4, 8, 16)}
    assert model["ssim"]["8"] == results.row("mkpn", 8).ssim
    assert main(["zoo"]) == 0
    assert "1,3,5,7,9,11" in capsys.readouterr().out

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
    assert results.rows[0] == ROW == results.row("mkpn", 4, 0.5)
    assert results.rows[1].psnr == math.inf and math.isnan(results.rows[1].psnr_se)
    assert results.row("mkpn", 4) is None


@pytest.mark.parametrize(
    "text, sentence",
    [
        (None, "no results can be read; `kpnviz evaluate` makes them"),
        ("", "the columns are not model, gain"),
        ("model,gain\n", "the columns are not model, gain"),
        ("HEADER\nmkpn,1,1,x,0,0,0,0,72,\n", "row 1 is damaged"),
        ("HEADER\nmkpn,1\n", "row 1 is damaged"),
    ],
)
def test_damaged_results_are_named(text, sentence, tmp_path):
    path = tmp_path / "results.csv"
    if text is not None:
        path.write_text(text.replace("HEADER", ",".join(f.name for f in dataclasses.fields(Row))))
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
    """Made by a whole run, with the weights that ship."""
    assert (shipped.stamp["protocol"], shipped.stamp["test set"]) == (PROTOCOL, TEST_SET)
    networks = [name for name in checkpoints.available() if name in ZOO]
    for name in (*networks, *BASELINES):
        weights = checkpoints.read_card(name)["sha256"][:12] if name in networks else ""
        for gain in TEST_GAINS:
            row = shipped.row(name, gain)
            assert row is not None and (row.bursts, row.weights) == (72, weights), name
    for name in set(ROBUSTNESS) & set(networks):
        for gain in GAINS:
            assert all(shipped.row(name, gain, scale) for scale in NOISE_SCALES)


@pytest.mark.parametrize(
    "name, gain, tolerance",
    [("reference", 1, 1e-3), ("mean", 16, 1e-3), ("tv", 8, 1e-3), ("kpn-l5", 4, 2e-3), ("mkpn", 8, 2e-3)],
)
def test_results_csv_can_be_recomputed(shipped, name, gain, tolerance):
    """Networks predict in fp32, whose rounding depends on the processor: 0.002 dB."""
    (row,) = evaluate(methods([name]), (gain,))
    stored = shipped.row(name, gain)
    assert row.psnr == pytest.approx(stored.psnr, abs=tolerance)
    assert row.psnr_se == pytest.approx(stored.psnr_se, abs=tolerance)
    assert row.ssim == pytest.approx(stored.ssim, abs=tolerance / 10)
