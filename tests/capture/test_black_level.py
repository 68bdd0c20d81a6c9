"""Which number is black, by the noise: counts of a sensor, made of photons, electrons and what is added to them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, median_filter
from scipy.stats import halfnorm, norm

from kpnviz.burst import BurstRecipe, Misalignment, synthesize
from kpnviz.capture import black_level
from kpnviz.capture.black_level import BlackFit, fit_black
from kpnviz.capture.noise_patches import Patches
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import read_frames
from kpnviz.color import srgb_encode
from kpnviz.noise import NoiseModel

from .picture_makers import npy, tiff

SHAKE = Misalignment(2, 6, 1.5)


def counts(
    black, bits=12, gain=1.0, electrons=2.0, sensitivity=0.0, photo="city", exposures=(1, 1, 1, 1), filters=1
):
    """Frames [N, H, W]; gain is counts per electron, electrons those of read noise, sensitivity the pixels' spread, and
    filters the share of the light that each pixel sees."""
    recipe = BurstRecipe(photo, (40, 40, 192, 224), NoiseModel(0, 0), frames=4, misalignment=SHAKE, seed=2)
    rng = np.random.default_rng(4)
    light = synthesize(recipe).frames * 0.8 * (2**bits - 1 - black) / gain
    light = (
        light * np.array(exposures)[:, None, None] * (1 + sensitivity * rng.standard_normal(light.shape[1:]))
    )
    light = light * filters
    charge = rng.poisson(np.maximum(light, 0)) + electrons * rng.standard_normal(light.shape)
    return np.clip(np.rint(black + gain * charge), 0, 2**bits - 1).astype(np.uint16)


def read(frames):
    return read_frames([("burst.npy", npy(frames))])


@pytest.mark.parametrize(
    "black, bits, gain, electrons",
    [
        (100, 12, 1.0, 2.0),
        (64, 12, 4.0, 2.5),
        (100, 16, 2.2, 1.6),
        (2048, 14, 1.0, 3.0),
        (337, 12, 1.0, 2.0),
        (256, 12, 9.6, 3.16),
    ],
)
def test_black_is_where_the_noise_of_light_begins(black, bits, gain, electrons):
    own = prepare(read(counts(black, bits, gain, electrons)))
    found, white = own.stack.levels
    # Of numbers that makers do not add, it is known but for the read noise: electrons^2 gain.
    assert found == black if black != 337 else abs(found - black) <= 6
    noise = own.noise_of()[0]
    assert noise.shot_gain * (white - found) == pytest.approx(gain, rel=0.05)
    (note,) = own.stack.notes
    assert f"{found:.4g} is taken" in note and "state it (--black)" in note
    assert f"black at {found:g} and" in note or "Read as linear light, as" in note


@pytest.mark.parametrize("sensitivity", [0.0, 0.01])
@pytest.mark.parametrize("photo", ["city", "sand", "dog"])
def test_black_at_0_stays(photo, sensitivity):
    """Nor is that of a sensor whose pixels differ by a percent, which a scene moves over, taken for 100."""
    for bits, gain in ((12, 1.0), (16, 2.2)):
        stack = prepare(read(counts(0, bits, gain, photo=photo, sensitivity=sensitivity))).stack
        assert stack.levels[0] == 0 and "Noise grows" not in " ".join(stack.notes)


def test_codes_of_16_bits_are_counts_where_their_noise_is_that_of_counts():
    """Otherwise they are sRGB's, whose noise does not grow in proportion to the code; and what is stated stays."""

    def as_tiffs(frames):
        return read_frames([(f"{i}.tif", tiff(frame)) for i, frame in enumerate(frames)])

    frames = counts(100, 16, 2.2, 1.6)
    assert frames.max() > 16383 and as_tiffs(frames).encoded
    own = prepare(as_tiffs(frames))
    assert own.stack.levels == (100, 65535) and "Read as linear light, not as sRGB" in own.stack.notes[0]
    assert prepare(as_tiffs(frames).meant("srgb")).stack.encoded
    for gain in (0.2, 1, 4):
        recipe = BurstRecipe("city", (40, 40, 128, 160), NoiseModel.for_gain(gain), frames=3, seed=1)
        codes = np.rint(65535 * srgb_encode(synthesize(recipe).frames.clip(0, 1))).astype(np.uint16)
        assert prepare(as_tiffs(codes)).stack.encoded


def test_codes_are_counts_also_where_much_of_their_noise_is_read_noise():
    """Of the KPN paper's sensor at gain 2 it is 3.16 electrons of 330 codes each: noise vanishes far below 0."""
    for black in (0, 2048):
        frames = counts(black, 16, 330, 3.16)
        own = prepare(read_frames([(f"{i}.tif", tiff(frame)) for i, frame in enumerate(frames)]))
        assert not own.stack.encoded and "Read as linear light, not as sRGB" in own.stack.notes[0]


@pytest.mark.parametrize("photo, black, bits, gain", [("house", 256, 12, 15), ("bulb", 128, 10, 3)])
def test_black_of_colors_is_that_of_one_photosite(photo, black, bits, gain, monkeypatch):
    """A luminance has .58 of a color's shot noise and .76 of its read noise: 3.16 electrons would seem to be 4.2. And
    green of a mosaic, the mean of two photosites, has half of both variances."""
    fits = []
    monkeypatch.setattr(black_level, "fit_black", lambda *args: fits.append(fit_black(*args)) or fits[-1])
    colors = [counts(black, bits, gain, 3.16, photo=photo, filters=share) for share in (0.5, 1, 0.6)]
    unknown = read_frames([("burst.npy", npy(np.stack(colors, axis=-1)))])
    stack = prepare(unknown).stack
    assert stack.channels == 3 and stack.levels[0] == black
    assert fits[-1].shot_gain * np.ptp(unknown.levels) == pytest.approx(gain, rel=0.06)
    filters = np.tile([[0.5, 1], [1, 0.6]], (96, 112))
    mosaic = read_frames([("burst.npy", npy(counts(black, bits, gain, 3.16, photo=photo, filters=filters)))])
    stack = prepare(mosaic.meant("bayer:RGGB", None, 2**bits - 1)).stack
    assert stack.channels == 3 and stack.levels[0] == black


def test_what_is_stated_stays():
    frames = counts(100)
    assert prepare(read(frames).meant(None, 0.0)).stack.levels == (0, 4095)
    white = prepare(read(frames).meant(None, None, 4000)).stack
    assert white.levels == (100, 4000) and "100 is taken" in white.notes[0]
    again = prepare(white)  # as when another reference is chosen
    assert again.stack.levels == (100, 4000) and len(again.stack.notes) == 1


def test_counts_in_the_upper_bits_have_black_there_too():
    """And a scene that moves by much, so that the brightness of its frames differs before they are aligned."""
    stack = prepare(read(counts(100, photo="dog") << 4)).stack
    assert stack.levels == (1600, 65520)


def test_frames_of_other_exposures_are_alike_once_black_is_known():
    own = prepare(read(counts(256, exposures=(1, 1, 0.5, 0.5))))
    assert own.stack.levels[0] == 256
    shown = [shift.brightness for shift in own.shifts]
    np.testing.assert_allclose(np.array(shown) / shown[0], [1, 1, 0.5, 0.5], rtol=0.01)


@pytest.mark.parametrize("smoothed", [0, 2])
def test_black_is_told_by_the_frames_that_nobody_smoothed(smoothed):
    frames = counts(256, gain=15, photo="dog")
    frames[smoothed] = median_filter(frames[smoothed], 5)
    assert prepare(read(frames)).stack.levels[0] == 256


def test_read_noise_that_hides_black_is_said():
    """Black at 0 with 2.3 electrons, or at 100 with 3.2: at 20 counts an electron the same numbers."""
    stack = prepare(read(counts(100, gain=20.5, electrons=3.16, photo="dog"))).stack
    assert stack.levels[0] == 0
    assert "By their noise it may be from 0 to" in stack.notes[0] and "0 is taken" in stack.notes[0]


def test_the_line_is_that_of_flat_fields():
    """Patches of one light each: variance 9 + 2 (x - 50), so 0 at 45.5."""
    rng = np.random.default_rng(0)
    levels = np.repeat(50 + np.geomspace(1, 1000, 40), 8)
    shape = (len(levels), 6, 10, 10)
    x = levels[:, None, None, None]
    windows = x + np.sqrt(9 + 2 * (x - 50)) * rng.standard_normal(shape)
    fit = fit_black([Patches(windows, np.stack(np.divmod(np.arange(len(levels)), 8), axis=1), np.ones(6))])
    assert fit.vanishing == pytest.approx(45.5, abs=3 * fit.error) and fit.error < 0.5
    assert fit.shot_gain == pytest.approx(2, rel=0.03) and fit.darkest == pytest.approx(51, abs=0.5)
    assert fit.above_0 and fit.best(whole=True) == 50
    with pytest.raises(ValueError, match="patches are neither clipped nor empty"):
        fit_black([Patches(np.full((9, 2, 10, 10), 3.0), np.argwhere(np.ones((3, 3))), np.ones(2))])


def test_black_is_no_brighter_than_the_darkest_parts():
    fit = BlackFit(vanishing=300, error=2, darkest=303, shot_gain=10)
    assert fit.range[1] == 303 and fit.best(whole=True) == 303 and fit.best(whole=False) == 303
    assert BlackFit(95, 2, 400, 1).best(whole=False) == 99  # 2 electrons


def test_the_darkest_parts_have_their_say_within_what_noise_allows():
    """By 2 electrons alone it would be 200. A dark part at 252 +- 2 is 256 by chance, rather than 52 counts of light
    in the darkest place of a scene; where there is that much light, read noise decides."""
    dark = BlackFit(157, 2, 252, 9.4, unsure=2, brightest=3700)
    assert dark.range == (153, 258) and dark.best(whole=True) == 256
    assert BlackFit(157, 2, 700, 9.4, unsure=3, brightest=3700).best(whole=True) in (200, 256)
    assert BlackFit(95, 1, 700, 1, unsure=1, brightest=3700).best(whole=True) == 100


def test_of_numbers_that_noise_allows_one_that_makers_add_is_taken():
    """As found on a still scene whose darkest parts have some light: a black of 256, read noise of 1.7 electrons."""
    fit = BlackFit(242.7, 1.21, darkest=292.7, shot_gain=11.6, typical=1632.0, unsure=1.23, brightest=3527.0)
    low, high = fit.range
    assert low < 256 < 292 < high and fit.best(whole=True) == 256
    assert fit.best(whole=False) == 292.7


def test_0_is_black_unless_that_is_far_less_likely():
    """The darkest parts are at 105 and noise vanishes at 0: either there is no read noise and no dark part, or black is
    100 and read noise 3.2 electrons. Where the darkest parts are at 400, that says nothing."""
    fit = BlackFit(0.4, 2.8, darkest=105.1, shot_gain=10.2, typical=1613, unsure=2.0, brightest=3318)
    assert not fit.above_0 and fit.best(whole=True) == 100
    for vanishing in (-60, -30):
        fit = BlackFit(vanishing, 2.8, darkest=400, shot_gain=10.2, typical=1613, unsure=2.0, brightest=3318)
        assert fit.allows(256) and fit.best(whole=True) == 0 == fit.best(whole=False)
    stack = prepare(read(counts(100, gain=10.2, electrons=3.16, photo="girl"))).stack
    assert stack.levels[0] == 100 and "of which 100 is taken" in stack.notes[0]


def clouds(black, light, electrons=3.16, gain=10):
    """Frames [4, 192, 224] of 12 bits, of a scene in counts: light(smooth normal numbers)."""
    rng = np.random.default_rng(1)
    smooth = gaussian_filter(rng.standard_normal((208, 240)), 8)
    scene = light(smooth / smooth.std()) / gain
    views = np.stack([scene[y : y + 192, x : x + 224] for y, x in ((8, 8), (11, 6), (4, 9), (10, 13))])
    charge = rng.poisson(views) + electrons * rng.standard_normal(views.shape)
    return np.clip(np.rint(black + gain * charge), 0, 4095).astype(np.uint16)


@pytest.mark.parametrize("black", [0, 256])
def test_darkest_parts_that_noise_leaves_open_are_not_black_by_being_near_a_number_that_makers_add(black):
    """The least light is 260 counts, or 4 counts above a black of 256: their noise differs."""
    unknown = read(clouds(black, lambda z: 260 - black + 500 * np.maximum(z + 1.2, 0)))
    assert unknown.levels[0] == 256
    stack = prepare(unknown).stack
    assert stack.levels[0] == black
    said = "By their noise it may be from 0 to 2" if black == 0 else "of which 256 is taken"
    assert said in stack.notes[0]


@pytest.mark.parametrize("black", [0, 100])
def test_black_is_not_far_above_many_pixels(black, monkeypatch):
    """A third of the scene is without light. If that is 0, noise is cut off there, and no patch that is not is
    far below 100; if it is 100, the same noise is on both sides of it."""
    fits = []
    monkeypatch.setattr(black_level, "fit_black", lambda *args: fits.append(fit_black(*args)) or fits[-1])
    frames = clouds(black, lambda z: 600 * np.maximum(z - 0.2, 0) ** 2)
    assert (frames < 100).mean() > 0.3
    stack = prepare(read(frames)).stack
    fit = fits[-1].scaled(4095, 0)
    assert stack.levels[0] == black
    assert replace(fit, low=()).allows(100) and fit.allows(100) == (black > 0)


def test_the_most_that_black_is_by_its_pixels():
    """Around 100, exact quantiles of normal noise of 9 counts allow 100, and hardly more, also where few pixels are
    dark; those of its upper half, whose lower one was cut off at 0, allow no more than a little noise."""
    shares, sigma = np.array(black_level._SHARES), 9.0
    known = dict(vanishing=100 - sigma**2 / 2, error=0.0, darkest=400.0, shot_gain=2.0)
    fit = BlackFit(**known, low=tuple(norm(100, sigma).ppf(shares)))
    assert 100 <= fit.range[1] < 100 + 0.01 * sigma and fit.range == (59.5, fit.range[1])
    few = BlackFit(**known, low=(float(norm(100, sigma).ppf(shares[0])), 400, 800, 900))
    assert 100 <= few.range[1] < 100 + 0.8 * sigma
    dark = BlackFit(**known | dict(vanishing=-(sigma**2) / 2), low=tuple(halfnorm(0, sigma).ppf(shares)))
    assert 0 < dark.range[1] < 0.7 * sigma and dark.best(whole=True) == 0


def test_what_is_filled_in_beyond_an_edge_is_not_darker_than_black():
    frames = counts(256, 12, 4.0, 2.5)
    y, x = np.indices(frames.shape[1:])
    frames[:, (y < 0.1 * x) | (x < 0.1 * y)] = 0
    assert (frames == 0).mean() > 0.05 and prepare(read(frames)).stack.levels[0] == 256


def test_black_is_taken_from_where_noise_allows_it():
    rng = np.random.default_rng(5)
    for _ in range(300):
        vanishing, error, light, gain = rng.uniform((-200, 1, 0, 0.5), (300, 60, 300, 15))
        fit = BlackFit(vanishing, error, max(vanishing + light, 1), gain, unsure=3, brightest=3000)
        for suggested in (0, 64, 256):
            low, high = fit.range
            assert low <= fit.best(True, suggested=suggested) <= high
    noisy = BlackFit(-53, 77, darkest=86, shot_gain=13.1, unsure=2.7, brightest=129)
    assert noisy.range[0] == 0 and noisy.best(whole=True) in (0, *black_level.PEDESTALS)
