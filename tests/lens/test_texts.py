"""Verdicts, lessons and examples: what they state is what results.csv holds, computed here once more from the file."""

import csv
import dataclasses
import json
import math
import re
from collections import defaultdict
from functools import cache

import numpy as np
import pytest

import kpnviz
from kpnviz.analysis.alignment import alignment, shifts_and_centroids
from kpnviz.analysis.metrics import psnr
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.results import Results, is_tie, read_results, results_path
from kpnviz.lens.texts import examples, lessons, result_tables, verdicts
from kpnviz.lens.texts.lessons import LESSONS, said
from kpnviz.lens.texts.measured import MOTION_WORDS, MissingError, Sayer
from kpnviz.noise import NoiseModel
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import DEFAULTS


@pytest.fixture(scope="module")
def results():
    return read_results()


@pytest.fixture(scope="module")
def found(results):
    return verdicts.verdicts(results)


@pytest.fixture(scope="module")
def table():
    """(model, motion, gain, noise, frames) -> the columns of results.csv, as they are written."""
    lines = [line for line in results_path().read_text().splitlines() if not line.startswith("#")]

    def key(row):
        return (
            row["model"],
            row["motion"],
            *(float(row[k]) for k in ("gain", "noise_scale", "frames")),
        )

    return {key(row): row for row in csv.DictReader(lines)}


@pytest.fixture(scope="module")
def numbers(results, found):
    """All numbers of all texts."""
    spoken = [number for lesson in LESSONS for number in said(lesson, results)[1]]
    return [number for verdict in found for number in verdict.numbers] + spoken


def by_hand(table, a, b):
    """Mean difference of two rows, and its error by resampling nothing: deviations of the 24 photos' sums."""
    x, y = (np.array(table[key]["psnrs"].split(), float) for key in (a, b))
    d = x - y
    sums = defaultdict(float)
    for burst, value in enumerate(d):
        sums[burst % 24] += value - d.mean()
    return d.mean(), math.sqrt(24 / 23 * sum(v**2 for v in sums.values())) / len(d)


def test_every_number_is_that_of_the_file(numbers, table):
    assert len(numbers) > 60
    for number in numbers:
        of = number.of
        key = (of["model"], of["motion"], of["gain"], of["noise_scale"], of["frames"])
        written = [float(part) for part in re.findall(r"[+−-]?\d+\.\d+", number.text.replace("−", "-"))]
        if of["figure"] == "alignment":
            assert written == [pytest.approx(float(table[key]["alignment"]), abs=0.00501)]
            continue
        less = of["less"]
        other = (less["model"], key[1], key[2], less["noise_scale"], less["frames"])
        mean, error = by_hand(table, key, other)
        half = 0.5 * 10 ** -len(re.search(r"\.(\d+)", number.text)[1]) + 1e-9
        assert abs(written[0]) == pytest.approx(abs(mean), abs=half), number.says
        assert written[1] == pytest.approx(error, abs=half), number.says
        sure = abs(mean) >= 2 * error
        if re.search("ahead|behind|level|tie", number.text):
            word = ("ahead" if mean > 0 else "behind") if sure else "tie|level"
            assert re.search(word, number.text), number.text
        assert MOTION_WORDS[of["motion"]] in number.says and f"gain ×{of['gain']:g}" in number.says


def test_no_number_of_the_test_set_is_typed(found, results):
    """Beside what is computed there are counts, names and gains, but no decibels and no decimal fractions."""
    texts = [text for verdict in found for text in (*verdict.points, verdict.caption, verdict.answer)]
    texts += [said(lesson, results)[0] for lesson in LESSONS]
    for text in texts:
        assert not re.search(r"\d\.\d|\d dB", text), text
        places = [int(place) for place in re.findall(r"\[\[(\d+)\]\]", text)]
        assert places == sorted(places)


def test_figures_are_those_of_the_file(found, table):
    """The lines of some figures, from the columns."""
    follow, classical, several = (
        next(v for v in found if v.name == name) for name in ("follow", "classical", "several")
    )
    gains = (1, 2, 4, 8, 16)
    line = next(line for line in follow.figure.lines if line.name == "MKPN")
    assert list(line.y) == [float(table["mkpn", "whole-pixel", g, 1, 8]["alignment"]) for g in gains]
    others = ("reference", "mean", "aligned-mean", "wiener-merge", "nlm", "tv", "wavelets")
    for line, motion in zip(
        classical.figure.lines, ("whole-pixel", "sub-pixel", "moving", "handheld"), strict=True
    ):
        for value, error, gain in zip(line.y, line.errors, gains, strict=True):
            key = lambda name, m=motion, g=gain: (name, m, g, 1, 8)  # noqa: E731
            best = max(others, key=lambda name: float(table[key(name)]["psnr"]))
            assert (value, error) == pytest.approx(by_hand(table, key("mkpn"), key(best)), abs=1e-9)
    assert several.figure.x == (5, 7, 9, 11, 13, 25)
    expected = by_hand(table, ("mkpn", "whole-pixel", 16, 1, 8), ("kpn-l25", "whole-pixel", 16, 1, 8))
    assert several.figure.lines[-1].y[-1] == pytest.approx(expected[0], abs=1e-9)


def changed(results, model, by):
    """The results as if a model's pictures were better by so many dB."""
    rows = [
        dataclasses.replace(row, psnr=row.psnr + by, psnrs=tuple(p + by for p in row.psnrs))
        if row.model == model
        else row
        for row in results.rows
    ]
    return {verdict.name: verdict for verdict in verdicts.verdicts(Results(results.stamp, rows))}


def test_answers_follow_from_the_numbers(found, results):
    """Those of the networks that ship, and others where the numbers are others."""
    answers = {verdict.name: verdict.answer for verdict in found}
    assert answers == {
        "follow": "Yes, with matching",
        "classical": "These five, except where registration is perfect",
        "sizes": "Yes, up to 7×7",
        "several": "Better than sizes up to 7×7, about even with larger ones",
        "frames": "Yes",
        "assumed": "With matching, too little costs most",
        "kernels": "The noise map does; kernels do with matching, not without",
        "stacked": "The noise map; annealing and the other frames from ×4 on",
    }
    better, worse = changed(results, "mkpn", 1.0), changed(results, "mkpn", -1.0)
    assert (
        better["classical"].answer == "These five, yes"
        and better["several"].answer == "Yes, better than each of them"
    )
    assert (
        worse["classical"].answer == "With moving objects and a handheld camera alone"
        and worse["several"].answer == "Not better than all"
    )
    assert changed(results, "kpn-l7", -0.5)["sizes"].answer == "Not always"
    assert changed(results, "kpn-direct", 1.0)["kernels"].answer == "Not in all cases"
    without_annealing = changed(results, "kpn-no-anneal-stacked", -1.0)["stacked"].answer
    assert without_annealing == "The noise map and annealing; the other frames from ×4 on"
    assert changed(results, "kpn-stacked", -9.0)["stacked"].answer == "None of their parts does"


@pytest.mark.parametrize(
    ("model", "scale"), [("mkpn", 0.25), ("kpn", 0.5), ("kpn-stacked", 0.5), ("mkpn", 4)]
)
def test_a_wrong_noise_that_costs_otherwise_is_answered_otherwise(results, model, scale):
    """The answer is about every network and factor of its figure: one that behaves otherwise is enough."""
    by = 9.0 if scale < 1 and "stacked" not in model else -9.0
    rows = [
        dataclasses.replace(row, psnrs=tuple(psnr + by for psnr in row.psnrs))
        if (row.model, row.noise_scale) == (model, scale)
        else row
        for row in results.rows
    ]
    answers = {verdict.name: verdict.answer for verdict in verdicts.verdicts(Results(results.stamp, rows))}
    assert answers["assumed"] == "It costs decibels"


def test_a_tie_is_said(results):
    say = Sayer(results)
    say.ahead("mkpn", "kpn-l9", "whole-pixel", 2)
    assert re.fullmatch(r"level with KPN L9 \([+-]0\.00\d ± 0\.\d\d\d dB\)", say.numbers[0].text)
    say.ahead("mkpn", "kpn-l5", "whole-pixel", 16, of=False)
    assert re.fullmatch(r"0\.33 ± 0\.04 dB ahead", say.numbers[1].text)


def test_a_tie_is_one_as_it_is_printed(numbers):
    """Who reads 0.03 ± 0.01 takes it for three standard errors."""
    for number in numbers:
        if number.error is not None:
            value, error = map(float, re.findall(r"\d+\.\d+", number.text))
            assert is_tie(value, error) == is_tie(number.value, number.error), number.text


def test_what_was_not_measured_is_not_said(results):
    few = Results({}, [row for row in results.rows if row.model in ("kpn", "kpn-blind", "kpn-direct")])
    assert [verdict.name for verdict in verdicts.verdicts(few)] == ["kernels"]
    assert said(LESSONS[3], few) == ("", [])
    with pytest.raises(MissingError, match="mkpn, moving, gain 3"):
        Sayer(results).row("mkpn", "moving", 3)
    with pytest.raises(MissingError, match="the other way round"):
        Sayer(results).apart("mkpn", "mkpn", "sub-pixel", 4, noise=(0.5, 1.0), sign=1)


def test_all_texts_are_plain_values(results):
    whole = [examples.as_json(), lessons.as_json(results), verdicts.as_json(results)]
    assert json.loads(json.dumps(whole, allow_nan=False))[1][2]["title"] == "Misalignment and reach"


def test_the_bursts_of_numbers_are_of_their_gain_and_motion(numbers):
    for number in numbers:
        scene, of = number.burst.scene, number.of
        assert scene["gain"] == of["gain"] and scene["color"] is False
        shakes = {
            "whole-pixel": "paper",
            "sub-pixel": "sub-pixel",
            "moving": "sub-pixel",
            "handheld": "handheld",
        }
        assert scene["shake"] == shakes[of["motion"]]
        assert (
            scene.get("moving", False) == (of["motion"] == "moving")
            and scene.get("frames", 8) == of["frames"]
        )
        assert 2 ** number.burst.display.get("assumed", 0) == of["noise_scale"]
        assert of["model"] in number.burst.methods


def test_the_numbers_of_the_lessons():
    assert 10 * np.log10(8) == pytest.approx(9.03, abs=0.005)
    assert np.log(100) / -np.log(0.9998) == pytest.approx(23_000, rel=0.01)
    frame_5 = next(lesson for lesson in LESSONS if lesson.figure == "reach").burst.scene["shifts"][5]
    assert 2 * max(map(abs, frame_5)) + 1 == 13
    sizes = kpnviz.models.zoo.ZOO["mkpn"].sizes
    assert [2 * sum(sizes), max(sizes) ** 2, sum(s**2 for s in sizes)] == [72, 121, 286]
    assert 1000 * math.radians(0.5) == pytest.approx(8.7, abs=0.05)
    still = kpnviz.BurstRecipe(
        "dog", (64, 64, 128, 128), NoiseModel.for_gain(1), misalignment=kpnviz.Misalignment(0, 0, 0)
    )
    burst = kpnviz.synthesize(still)
    error = lambda image: np.mean((image - burst.truth) ** 2)  # noqa: E731
    assert 10 * np.log10(error(burst.reference) / error(burst.mean)) == pytest.approx(9.03, abs=0.15)


def test_lessons_have_one_right_answer_and_one_figure():
    assert (
        len({lesson.title for lesson in LESSONS})
        == len({lesson.figure for lesson in LESSONS})
        == len(LESSONS)
    )
    for lesson in LESSONS:
        assert 0 <= lesson.right < len(lesson.options) == 3 and lesson.burst.scene["color"] is False


def test_the_burst_of_a_number_shows_it(numbers):
    """There the methods differ in the direction that was measured, and kernels follow the scene as far as that."""
    network, synthesize = cache(kpnviz.load), cache(kpnviz.synthesize)

    @cache
    def score(recipe, name, noise):
        burst = synthesize(recipe)
        image = BASELINES[name](burst) if name in BASELINES else network(name)(burst, noise, False).image
        return psnr(image, burst.truth)

    for number in numbers:
        of, scene = number.of, DEFAULTS | dict(number.burst.scene)
        recipe = recipe_of(scene)
        if of["figure"] == "alignment":
            pairs = shifts_and_centroids(network(of["model"])(synthesize(recipe)).kernels, synthesize(recipe))
            assert alignment(pairs) == pytest.approx(number.value, abs=0.2), number.says
        elif not is_tie(number.value, number.error):
            less = of["less"]
            other = score(recipe_of(scene | {"frames": less["frames"]}), less["model"], less["noise_scale"])
            apart = score(recipe, of["model"], of["noise_scale"]) - other
            assert apart * number.value > 0, (number.says, apart)


def test_costs_are_those_that_were_measured(results):
    """With the steps of the weights that a network started from; of handheld bursts no times were taken."""
    networks, others = result_tables.costs(result_tables.rows_of(results, "whole-pixel"))
    cost = {one.title: one for one in networks}
    assert (cost["MKPN"].steps, cost["MKPN robust"].steps, cost["MKPN stacked"].steps) == (
        21_373 + 4_000,
        21_373 + 4_000 + 4_250 + 3_000,
        8_000,
    )
    assert result_tables.cost_table(others).columns == ("method", "ms a burst")
    (only,) = result_tables.costs(result_tables.rows_of(results, "handheld"))
    table = result_tables.cost_table(only)
    assert table.columns == ("method", "parameters", "weights, MiB", "training steps")
    assert dict(table.lines)["MKPN"][-1].text == "25,373"
