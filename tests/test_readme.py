"""The numbers of the README's table and verdicts are those of checkpoints/results.csv, computed here from the file."""

import csv
import math
import re
from collections import defaultdict

import numpy as np
import pytest

from kpnviz.evaluation.results import results_path
from kpnviz.paths import ROOT

GAINS = (1, 2, 4, 8, 16)
MOTIONS = ("whole-pixel", "sub-pixel", "moving")
ALL_MOTIONS = (*MOTIONS, "handheld")
CLASSICAL = ("aligned-mean", "wiener-merge", "wavelets", "tv", "nlm")
TITLES = {
    "frame 0": "reference",
    "aligned mean": "aligned-mean",
    "tiled Wiener merge, after HDR+": "wiener-merge",
    "wavelets of the aligned mean": "wavelets",
    "total variation of the aligned mean": "tv",
    "non-local means of the aligned mean": "nlm",
    "KPN 5×5 stacked": "kpn-stacked",
    "KPN L5 stacked": "kpn-l5-stacked",
    "MKPN stacked": "mkpn-stacked",
    **{f"KPN L{size}": f"kpn-l{size}" for size in (1, 3, 5, 7, 9, 11, 13, 25)},
    "KPN 5×5 blind: without the noise": "kpn-blind",
    "KPN 5×5 direct: without kernels": "kpn-direct",
    "KPN 5×5": "kpn",
    "MKPN robust: told a wrong noise in training": "mkpn-robust",
    "MKPN": "mkpn",
}


@pytest.fixture(scope="module")
def readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


def rows_of(path):
    """(model, motion, gain, noise_scale, frames) -> a row of a file of results."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {
        (row["model"], row["motion"], *(float(row[name]) for name in ("gain", "noise_scale", "frames"))): row
        for row in csv.DictReader(lines)
    }


@pytest.fixture(scope="module")
def rows():
    return rows_of(results_path())


@pytest.fixture(scope="module")
def ahead(rows):
    """By how much a is ahead of b: the mean difference burst by burst, and its error with photos taken together."""

    def compare(a, b, motion, gain, *, frames=(8, 8), scales=(1, 1), of=None):
        """`of`: rows of a, and of b, that are not those of the file."""
        x, y = (
            np.array(there[name, motion, gain, scale, count]["psnrs"].split(), float)
            for there, name, scale, count in zip(of or (rows, rows), (a, b), scales, frames, strict=True)
        )
        d = x - y
        sums = defaultdict(float)
        for burst, value in enumerate(d):
            sums[burst % 24] += value - d.mean()
        return d.mean(), math.sqrt(24 / 23 * sum(v**2 for v in sums.values())) / len(d)

    return compare


def short(value, digits=2):
    """As the README writes numbers: .29, 1.62."""
    return f"{abs(value):.{digits}f}".removeprefix("0")


def said(found, digits=2):
    """A mean and its error."""
    return f"{short(found[0], digits)} ± {short(found[1], digits)}"


def span(values):
    return f"{short(min(values), 1)} to {short(max(values), 1)}"


def test_the_table(readme, rows):
    table = re.findall(r"^\| (.+?) \|((?: \*?\*?\d+\.\d\d\*?\*? \|){12})$", readme, re.MULTILINE)
    assert {title for title, _ in table} == set(TITLES)
    cells = np.array([line.strip(" |").split(" | ") for _, line in table])
    bold = np.char.startswith(cells, "*")
    values = np.char.strip(cells, "*").astype(float)
    np.testing.assert_array_equal(bold, values == values.max(axis=0))
    for title, cells in table:
        written = [float(cell) for cell in re.findall(r"\d+\.\d\d", cells)]
        expected = [
            float(rows[TITLES[title], motion, gain, 1, 8]["psnr"])
            for motion in ALL_MOTIONS
            for gain in (1, 4, 8)
        ]
        assert written == pytest.approx(expected, abs=0.00501), title


def test_the_verdicts(readme, rows, ahead):
    text = " ".join(readme.split())

    def alignment(name, gains=(1, 4, 8, 16), motion="whole-pixel"):
        return [float(rows[name, motion, gain, 1, 8]["alignment"]) for gain in gains]

    def over_classical(motion, gain):
        best = max(CLASSICAL, key=lambda name: float(rows[name, motion, gain, 1, 8]["psnr"]))
        return ahead("mkpn", best, motion, gain)

    def everywhere(a, b):
        return [ahead(a, b, motion, gain)[0] for motion in ALL_MOTIONS for gain in GAINS]

    def whole(a, b, gain):
        return ahead(a, b, "whole-pixel", gain)

    def sub(a, b, gain, **more):
        return ahead(a, b, "sub-pixel", gain, **more)

    def costs(name, scale, gain=4):
        motion = next(m for m in MOTIONS if (name, m, gain, scale, 8) in rows)
        return ahead(name, name, motion, gain, scales=(1, scale))

    def cases(a, b):
        """In how many cases a is clearly ahead of b, and by how much there."""
        found = [ahead(a, b, motion, gain) for motion in ALL_MOTIONS for gain in GAINS]
        return [mean for mean, error in found if mean >= 2 * error]

    def handheld(a, b):
        return [ahead(a, b, "handheld", gain) for gain in GAINS]

    stacked = [name for name, motion, *_ in rows if name.endswith("-stacked") and motion == "whole-pixel"]
    slopes = [abs(float(row["alignment"])) for (name, *_), row in rows.items() if name in stacked]
    assert max(value for value in slopes if math.isfinite(value)) < 0.01  # within .01 of 0
    blind, direct = (
        [ahead("kpn", name, m, g) for m in ALL_MOTIONS for g in GAINS] for name in ("kpn-blind", "kpn-direct")
    )
    least, most = min(direct), max(direct)
    near = [whole("mkpn", f"kpn-l{size}", gain)[0] for size in (9, 11, 13) for gain in GAINS]
    assert max(map(abs, near)) < 0.115
    assert all(
        whole("mkpn", f"kpn-l{size}", 1)[0] <= -2 * whole("mkpn", f"kpn-l{size}", 1)[1] for size in (11, 13)
    )
    assert all(mean > 0 for mean, _ in blind + direct)
    assert len(cases("kpn-l7", "kpn-l5")) == 17 and short(max(cases("kpn-l7", "kpn-l5")), 1) == ".2"
    nine = cases("kpn-l9", "kpn-l7")
    assert (len(nine), short(min(nine)), short(max(nine))) == (9, ".02", ".07")
    for name, less in (("kpn-l9", "kpn-l25"), ("mkpn", "kpn-l25")):
        assert all(
            mean >= 2 * error and short(mean, 1) in (".1", ".2") for mean, error in handheld(name, less)
        )
    for gain in GAINS:
        mean, error = whole("mkpn", "nlm", gain)
        assert (mean < -2 * error, mean > 2 * error) == (gain == 1, gain >= 8), gain
    robust = everywhere("mkpn-robust", "mkpn")
    assert min(robust) > 0
    assert {short(whole("mkpn", "nlm", gain)[0], 1) for gain in (8, 16)} == {".2"}

    fragments = [
        "is {} / {} / {} / {} for MKPN at gains ×1 / ×4 / ×8 / ×16".format(*map(short, alignment("mkpn"))),
        "{} / {} / {} / {} for L25, whose reach is longer".format(*map(short, alignment("kpn-l25"))),
        "handheld {} / {} / {} / {} and {} / {} / {} / {})".format(
            *(short(of) for name in ("mkpn", "kpn-l25") for of in alignment(name, motion="handheld"))
        ),
        "by {} / {} / {} dB with sub-pixel shake".format(
            *(said(over_classical("sub-pixel", gain)) for gain in (1, 4, 8))
        ),
        "by {} / {} / {} dB with moving objects".format(
            *(said(over_classical("moving", gain)) for gain in (1, 4, 8))
        ),
        "by {} / {} / {} dB with a handheld camera".format(
            *(said(over_classical("handheld", gain)) for gain in (1, 4, 8))
        ),
        f"non-local means of the aligned mean lead by {said(whole('mkpn', 'nlm', 1))} dB at ×1",
        f"L3 beats L1 by {span(everywhere('kpn-l3', 'kpn-l1'))} dB",
        f"L5 beats L3 by {span(everywhere('kpn-l5', 'kpn-l3'))} dB",
        f"L25 leads L9 at ×1 by {said(whole('kpn-l25', 'kpn-l9', 1))} dB with whole-pixel shake",
        f"trails it at ×16 by {said(sub('kpn-l25', 'kpn-l9', 16))} dB with sub-pixel shake",
        f"it beats L5 by {said(whole('mkpn', 'kpn-l5', 1))} (×1) to {said(whole('mkpn', 'kpn-l5', 16))} dB (×16)",
        f"KPN's dense 5×5 by {said(whole('mkpn', 'kpn', 1))} (×1) to {said(whole('mkpn', 'kpn', 16))} dB",
        f"L25 leads it at ×1 by {said(whole('kpn-l25', 'mkpn', 1))} dB",
        f"trails it with sub-pixel shake at ×16 by {said(sub('kpn-l25', 'mkpn', 16))} dB",
        f"Eight beat one by {said(sub('mkpn', 'mkpn', 1, frames=(8, 1)))} dB at ×1",
        f"and {said(sub('mkpn', 'mkpn', 8, frames=(8, 1)))} dB at ×8 (MKPN, sub-pixel shake)",
        f"sixteen beat eight by {said(sub('mkpn', 'mkpn', 1, frames=(16, 8)))}",
        f"and {said(sub('mkpn', 'mkpn', 8, frames=(16, 8)))} dB.",
        f"Half the true noise costs MKPN {said(costs('mkpn', 0.5), 1)} dB",
        f"twice as much {said(costs('mkpn', 2), 1)} dB",
        f"half the true noise costs MKPN robust {said(costs('mkpn-robust', 0.5), 1)} dB",
        f"twice as much {said(costs('mkpn-robust', 2), 1)} dB, but a quarter {said(costs('mkpn-robust', 0.25), 1)} dB "
        f"(MKPN {said(costs('mkpn', 0.25), 1)})",
        f"ahead of MKPN by {short(min(robust))} to {short(max(robust))} dB",
        f"MKPN stacked {said(costs('mkpn-stacked', 0.5), 1)} and {said(costs('mkpn-stacked', 2), 1)} dB",
        f"Twice the true noise costs KPN 5×5 {said(costs('kpn', 2), 1)} and KPN 5×5 stacked "
        f"{said(costs('kpn-stacked', 2), 1)} dB",
        f"by {said(whole('kpn', 'kpn-blind', 1))} dB at ×1 and {said(whole('kpn', 'kpn-blind', 8))} dB at ×8",
        f"(alignment {short(alignment('kpn-blind', (8,))[0])}; whole-pixel shake)",
        f"predicts the pixel instead of kernels, by {said(least)} to {said(most)} dB",
        f"*direct* beats KPN 5×5 by {span(everywhere('kpn-direct-stacked', 'kpn-stacked'))} dB",
        f"The map gives between {said(whole('kpn-stacked', 'kpn-blind-stacked', 4))} dB (×4) and "
        f"{said(whole('kpn-stacked', 'kpn-blind-stacked', 16))} dB (×16)",
        f"annealing {said(whole('kpn-stacked', 'kpn-no-anneal-stacked', 4))} dB at ×4",
        f"and {said(whole('kpn-stacked', 'kpn-no-anneal-stacked', 16))} dB at ×16",
        f"the other frames {said(whole('kpn-stacked', 'kpn-1frame-stacked', 4))}",
        f"and {said(whole('kpn-stacked', 'kpn-1frame-stacked', 16))} dB",
        f"at ×1 they cost {said(whole('kpn-1frame-stacked', 'kpn-stacked', 1))} dB",
    ]
    missing = [fragment for fragment in fragments if fragment not in text]
    assert not missing


CASES = [(motion, gain) for motion in ALL_MOTIONS for gain in GAINS]


def fits(values, low, high):
    """Whether values run from `low` to `high`, as far as the README writes them."""
    return (round(min(values), 2), round(max(values), 2)) == (low, high)


def test_another_training(readme, rows, ahead):
    second = rows_of(results_path().parent / "other_trainings" / "second_seed.csv")
    apart = {
        name: np.array(
            [
                np.subtract(
                    *(np.array(of[name, *case, 1, 8]["psnrs"].split(), float) for of in (second, rows))
                )
                for case in CASES
            ]
        )
        for name in ("mkpn", "kpn-l5")
    }  # [cases, bursts]
    assert fits(apart["mkpn"].mean(1), -0.03, 0.02) and fits(apart["kpn-l5"].mean(1), -0.15, 0.01)
    other_photos = np.arange(72) % 24 != 18  # kodim19
    assert fits(apart["kpn-l5"][:, other_photos].mean(1), -0.05, 0.01)
    spoiled = apart["kpn-l5"][:, ~other_photos]
    assert (spoiled < -1).sum() == (apart["kpn-l5"] < -1).sum() == 8 and round(spoiled.min()) == -8
    slopes = [[float(of["mkpn", *case, 1, 8]["alignment"]) for case in CASES] for of in (second, rows)]
    np.testing.assert_allclose(*slopes, atol=0.01)
    assert fits([ahead("mkpn", "kpn-l5", *case, of=(second, second))[0] for case in CASES], 0.02, 0.37)
    assert fits([ahead("mkpn", "kpn-l5", *case)[0] for case in CASES], 0.01, 0.33)


def test_longer_training(readme, rows, ahead):
    longer = rows_of(results_path().parent / "other_trainings" / "longer.csv")

    def less(a, b, cases, of):
        return [ahead(a, b, *case, of=of)[0] for case in cases]

    assert fits(less("kpn-l5", "kpn-l5", CASES, (longer, rows)), -0.02, 0.08)
    measured = [(motion, gain) for motion in ("whole-pixel", "sub-pixel") for gain in GAINS]
    assert max(map(abs, less("kpn-l25", "kpn-l25", measured, (longer, rows)))) < 0.025
    assert said(ahead("mkpn-25", "mkpn-robust", "whole-pixel", 1, of=(longer, rows))) == ".07 ± .04"
    assert said(ahead("kpn-l25", "mkpn-25", "whole-pixel", 1, of=(rows, longer))) == ".14 ± .04"
    strongest = [(motion, 16) for motion in ALL_MOTIONS]
    assert fits(less("mkpn-25", "mkpn-robust", strongest, (longer, rows)), -0.18, -0.10)
