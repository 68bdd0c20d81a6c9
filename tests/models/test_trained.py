"""The networks that ship: they denoise, heed the assumed noise, and show what they apply.

`pytest tests/models/test_trained.py -s` prints the table. The photos are the gallery's; no network was trained on them.
"""

import itertools

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kpnviz.analysis.kernel_stats import centroid, frame_share, spread
from kpnviz.analysis.metrics import PROTOCOL, psnr, ssim
from kpnviz.burst import MOTIONS, Burst, BurstRecipe, MovingObject, synthesize
from kpnviz.denoise import load
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.results import difference, read_results
from kpnviz.evaluation.testset import TEST_GAINS, burst_recipes
from kpnviz.models import checkpoints
from kpnviz.models.zoo import MATCHED, SHIPPED, STACKED, WRONG_NOISE, ZOO
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.photos import gallery, read_scene

WITH_KERNELS = tuple(name for name in SHIPPED if not ZOO[name].direct)
MATCHED_HERE = tuple(name for name in SHIPPED if name in MATCHED)
TOLD = tuple(
    name for name in MATCHED_HERE if ZOO[name].noise_map and not ZOO[name].direct and name not in WRONG_NOISE
)
"""Those that match, are told the noise, and have kernels to look at."""
PHOTOS = gallery()[::9]


@pytest.fixture(scope="module")
def denoisers():
    return {name: load(name) for name in checkpoints.available()}


@pytest.fixture(scope="module")
def table(denoisers):
    """Mean PSNR and SSIM on the middle 96x96 of every ninth gallery photo: {gain: {method: (dB, SSIM)}}."""
    scores = {}
    for gain, noise in GAINS.items():
        rows = {}
        for seed, photo in enumerate(PHOTOS):
            burst = synthesize(BurstRecipe(photo, (96, 96, 96, 96), noise, seed=seed))
            images = {"reference": burst.reference, "mean": burst.mean}
            images |= {name: denoiser(burst).image for name, denoiser in denoisers.items()}
            for name, image in images.items():
                rows.setdefault(name, []).append((psnr(image, burst.truth), ssim(image, burst.truth)))
        scores[gain] = {name: np.mean(values, axis=0) for name, values in rows.items()}
    print(f"\n{len(PHOTOS)} gallery photos, 96x96; {PROTOCOL}")
    for name in scores[1]:
        cells = "   ".join(f"{scores[gain][name][0]:5.2f} dB {scores[gain][name][1]:.3f}" for gain in scores)
        print(f"{name:12} {cells}")
    return scores


def test_all_networks_ship_with_cards():
    """Those of a kind trained alike, in at most 4 MB each and 64 MB together."""
    assert checkpoints.available() == SHIPPED
    cards = {name: checkpoints.read_card(name) for name in SHIPPED}
    for kind in (set(MATCHED) - set(WRONG_NOISE), WRONG_NOISE, STACKED):
        alike = {
            tuple(card["training"][key] for key in ("steps", "batch", "crop", "seed", "optimizer"))
            for name, card in cards.items()
            if name in kind
        }
        assert len(alike) == 1
    assert sum(card["bytes"] for card in cards.values()) <= 64e6
    for card in cards.values():
        assert card["bytes"] <= 4e6
        assert {"steps", "seed", "data", "hardware", "loss"} <= set(card["training"])
        assert card["license"]


def test_names_that_only_a_stacked_network_has_still_open_it():
    assert load("kpn-no-anneal").name == "kpn-no-anneal-stacked"
    assert load("kpn").network.config.matching


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("gain", GAINS)
def test_far_above_the_noisy_reference(table, name, gain):
    """By 5 dB; by 3 where the network takes no assumed noise, or may not look at a pixel's neighbors."""
    least = 3 if name in ("kpn-l1", "kpn-blind-stacked") else 5
    assert table[gain][name][0] > table[gain]["reference"][0] + least
    assert table[gain][name][1] > table[gain]["reference"][1]
    assert table[gain][name][0] > table[gain]["mean"][0]


@pytest.mark.parametrize("name", WITH_KERNELS)
def test_what_is_shown_is_what_was_applied(denoisers, name):
    burst = synthesize(BurstRecipe("flowers", (60, 70, 65, 71), NoiseModel.for_gain(4)))
    estimate = denoisers[name](burst)
    field = estimate.kernels
    r, K = field.reach, 2 * field.reach + 1
    frames = burst.frames[: field.frames]  # one network takes the reference alone
    padded = np.pad(frames, ((0, 0), (r, r), (r, r)), mode="reflect")
    patches = np.lib.stride_tricks.sliding_window_view(padded, (K, K), axis=(1, 2))
    shown = np.einsum("nyxab,nyxab->yx", field.region(0, 65, 0, 71), patches) / len(frames)
    np.testing.assert_allclose(shown, estimate.image, atol=1e-5)


@pytest.mark.parametrize("name", WITH_KERNELS)
def test_the_shares_of_the_frames_sum_to_one(denoisers, name):
    """A picture must not get brighter or darker: the kernels of a pixel sum to about one, frame by frame."""
    burst = synthesize(BurstRecipe("sand", (80, 80, 96, 96), NoiseModel.for_gain(2)))
    shares = frame_share(denoisers[name](burst).kernels.region(16, 80, 16, 80))  # [N, H, W]
    assert np.median(shares.sum(axis=0)) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("name", TOLD)
def test_with_more_assumed_noise_the_kernels_widen(denoisers, name):
    """The KPN review's figure: the same burst, its noise estimate scaled."""
    burst = synthesize(BurstRecipe("reflect", (80, 80, 96, 96), NoiseModel.for_gain(2)))
    widths, reference_shares = [], []
    for scale in (0.25, 0.5, 1):
        kernels = denoisers[name](burst, noise_scale=scale).kernels.region(16, 80, 16, 80)  # [N, H, W, K, K]
        widths.append(np.median(spread(kernels[0])))
        reference_shares.append(frame_share(kernels)[0].mean())
    assert reference_shares == sorted(reference_shares, reverse=True)
    assert reference_shares[0] > 1.5 * reference_shares[2]
    if max(ZOO[name].sizes) > 1:  # a kernel of one weight is as wide as it is
        assert widths[0] < widths[1] < widths[2] and widths[2] > 1.5 * widths[0]


@pytest.mark.slow
def test_kernels_of_a_network_that_was_told_wrongly_widen_less(denoisers):
    """At half, the true noise and twice as much: the README's numbers, means over eight bursts of the test set."""
    bursts = [synthesize(recipe) for recipe in burst_recipes(4, limit=24, motion="sub-pixel")[::3]]
    for name, expected in (("mkpn", (0.85, 2.66, 3.42)), ("mkpn-robust", (1.99, 2.78, 1.88))):
        widths = []
        for scale in (0.5, 1, 2):
            fields = [denoisers[name](burst, noise_scale=scale).kernels for burst in bursts]
            of = [np.median(spread(field.region(32, 96, 32, 96, step=4)[0])) for field in fields]
            widths.append(np.mean(of))
        assert widths == pytest.approx(expected, abs=0.04), name


@pytest.mark.parametrize("name", ["kpn-l13", "kpn-l25", "mkpn", "mkpn-robust"])
def test_kernels_follow_an_object_and_not_the_camera(denoisers, name):
    """A disc moves by one pixel a frame to the right, the scene behind it up: by 3 in the end, within all reaches."""
    shifts = tuple((-i, 0) for i in range(4))
    disc = MovingObject("dog", center=(64, 48), diameter=44, velocity=(0.0, 1.0))
    recipe = BurstRecipe(
        "city", (110, 70, 128, 128), NoiseModel.for_gain(1), frames=4, shifts=shifts, moving=disc, seed=1
    )
    burst = synthesize(recipe)
    kernels = denoisers[name](burst).kernels
    on_disc = centroid(kernels.region(56, 72, 40, 56)).mean((1, 2))  # [N, 2]
    beside = centroid(kernels.region(16, 32, 90, 110)).mean((1, 2))
    moves = np.asarray(burst.moving_shifts)[0]
    assert not np.array_equal(moves, shifts)
    np.testing.assert_allclose(on_disc, moves, atol=0.8)
    np.testing.assert_allclose(beside, shifts, atol=0.8)


def test_noise_that_is_coarse_and_assumed_far_too_strong_makes_no_wild_weights():
    """Features grow to 180 then, where the scene is flat, and without a bound weights with them: to -27 and 13."""
    truth = read_scene("dog")[:192, :192]
    noise, rng = NoiseModel(0.02, 0.005), np.random.default_rng(0)
    coarse = gaussian_filter(rng.standard_normal((8, *truth.shape)), (0, 1, 1))
    frames = (truth + noise.std_map(truth) * coarse / coarse.std()).astype(np.float32)
    strong = NoiseModel(2.7 * noise.read_std, 2.7**2 * noise.shot_gain)
    image = load("mkpn")(Burst(frames, noise=strong)).image
    assert image.min() > -0.1 and image.max() < 1.1
    assert psnr(image, truth) > psnr(frames[0], truth) + 5


@pytest.mark.parametrize("name", [*(name for name in TOLD if name != "kpn-l1"), *WRONG_NOISE])
@pytest.mark.parametrize("gain", [1, 4])
def test_frames_of_another_scene_get_no_weight(denoisers, name, gain):
    """Less than 5 % of the absolute weight for all seven together.

    Not so at gain 8, where noise leaves too little to tell flat places apart, nor for kernels of one pixel.
    """
    noise = NoiseModel.for_gain(gain)
    shares = []
    for seed, (here, elsewhere) in enumerate([("dog", "city"), ("mies", "flowers")]):
        frames = synthesize(BurstRecipe(here, (80, 80, 128, 128), noise, seed=seed)).frames.copy()
        frames[1:] = synthesize(BurstRecipe(elsewhere, (80, 80, 128, 128), noise, seed=50 + seed)).frames[1:]
        kernels = denoisers[name](Burst(frames, noise)).kernels.region(8, 120, 8, 120)
        shares.append(np.abs(frame_share(kernels))[1:].sum(0).mean())
    assert np.mean(shares) < 0.05


def test_what_the_readme_says_of_the_table():
    """Of the papers' claims, those that these networks bear out on the Kodak photos."""
    results = read_results()

    def lead(one, other, gain, motion="whole-pixel"):
        return difference(*(results.row(name, gain, motion=motion) for name in (one, other)))

    def sure(one, other, gain, motion="whole-pixel"):
        """Ahead by more than two standard errors."""
        mean, error = lead(one, other, gain, motion)
        return mean > 2 * error

    for motion, gain in itertools.product(MOTIONS, TEST_GAINS):
        assert sure("kpn-l3", "kpn-l1", gain, motion) and sure("kpn-l5", "kpn-l3", gain, motion)
        assert sure("mkpn", "mkpn-stacked", gain, motion)
        for baseline in BASELINES:
            if motion != "whole-pixel":
                assert sure("mkpn", baseline, gain, motion), (baseline, motion, gain)
            assert lead("mkpn", baseline, gain, motion)[0] > -0.7
        assert (motion == "sub-pixel" and gain < 4) or sure("kpn-l9", "kpn-l5", gain, motion)
        assert sure("kpn", "kpn-blind", gain, motion) and sure("kpn", "kpn-direct", gain, motion)
        assert 0.3 < lead("kpn", "kpn-direct", gain, motion)[0] < 1.25
        assert sure("kpn-direct-stacked", "kpn-stacked", gain, motion)
    assert results.row("kpn-blind", 8).alignment < 0.1 and lead("kpn", "kpn-blind", 8)[0] > 4.6
    for gain in TEST_GAINS:
        assert sure("mkpn", "kpn", gain)
        assert sure("mkpn", "kpn-l5", gain)
    assert sure("kpn-l25", "kpn-l9", 1) and sure("kpn-l9", "kpn-l25", 16, "sub-pixel")
    assert sure("kpn-l25", "mkpn", 1) and sure("mkpn", "kpn-l25", 16, "sub-pixel")
    assert sure("nlm", "mkpn", 1) and sure("mkpn", "nlm", 8) and sure("mkpn", "nlm", 16)
    assert not any(sure("mkpn", "nlm", gain) or sure("nlm", "mkpn", gain) for gain in (2, 4))
    assert all(
        abs(lead("mkpn", name, g)[0]) < 0.125 for name in ("kpn-l9", "kpn-l11", "kpn-l13") for g in TEST_GAINS
    )
    for gain, least in ((1, 3), (8, 2)):
        one, eight, sixteen = (
            results.row("mkpn", gain, motion="sub-pixel", frames=n).psnr for n in (1, 8, 16)
        )
        assert eight > one + least and sixteen > eight
    for gain, mkpn, l25 in ((1, 0.87, 0.92), (4, 0.79, 0.85), (8, 0.7, 0.76)):
        assert results.row("mkpn", gain).alignment > mkpn and results.row("kpn-l25", gain).alignment > l25
        assert all(
            abs(results.row(f"{n}-stacked", gain).alignment) < 0.015 for n in ("kpn", "kpn-l5", "mkpn")
        )
    for gain in (4, 16):
        for without in ("kpn-no-anneal-stacked", "kpn-blind-stacked"):
            assert sure("kpn-stacked", without, gain)
