"""The pages Kernels, Noise, Sizes and Results without a browser."""

import html
import json
import math
import re
import shutil
from urllib.parse import parse_qsl

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import kpnviz
from kpnviz.analysis import kernel_stats, metrics
from kpnviz.burst import MOTIONS
from kpnviz.evaluation.evaluate import NOISE_SCALES
from kpnviz.evaluation.results import Results, Row, read_results, write_results
from kpnviz.lens.texts.verdicts import verdicts
from kpnviz.noise import NoiseModel
from kpnviz.paths import CHECKPOINTS, ROOT
from kpnviz.serving import work
from kpnviz.ui import cache, link
from kpnviz.ui.choices import BY_HAND
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import DEFAULTS, RESULTS_COMPARED, RESULTS_MEASURE, RESULTS_MOTION, with_defaults
from kpnviz.ui.state import KERNELS_DISPLAY, widget

SMALL = {"crop": 96}
METHODS = ["kpn-l5", "mkpn"]


def open_page(name, **state):
    app = AppTest.from_file(str(ROOT / "app_pages" / f"{name}.py"), default_timeout=240)
    for key, value in with_defaults({"methods": METHODS} | SMALL | state).items():
        app.session_state[key] = value
    return app.run()


def charts(app):
    """Key of each figure -> its specification."""
    return {
        chart.proto.id.rsplit("-", 1)[-1]: json.loads(chart.proto.spec) for chart in app.get("plotly_chart")
    }


def tables(app):
    """The numbers of each table: {heading of the names: headings, name: cells}."""
    found = []
    for block in app.get("html"):
        lines = re.findall(r"<tr>(.*?)</tr>", block.body)
        marked = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line) for line in lines]
        cells = [[re.sub("<[^>]*>", "", cell) for cell in line] for line in marked]
        if cells:
            found.append({name: [name, *rest] if i == 0 else rest for i, (name, *rest) in enumerate(cells)})
    return found


def first_table(app):
    return next(block.body for block in app.get("html") if "<table>" in block.body)


def texts(app):
    return " ".join(element.value for element in (*app.markdown, *app.caption, *app.info))


@pytest.fixture(scope="module")
def burst():
    return kpnviz.synthesize(recipe_of(DEFAULTS | SMALL))


@pytest.fixture
def two_networks(tmp_path, monkeypatch):
    """A folder of checkpoints with KPN L5 and MKPN alone, whatever ships."""
    for name in METHODS:
        for suffix in (".json", ".safetensors"):
            shutil.copy(CHECKPOINTS / f"{name}{suffix}", tmp_path)
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("Kinds", {"look": "kinds", "mode": "kinds", "all": True}),
        ("Region", {"look": "region", "mode": "picture"}),
        ("Disagreement", {"mode": "absolute", "against": METHODS[-2], "shown": METHODS[-1]}),
        ("What if", {"look": "change", "mode": "picture"}),
    ],
)
def test_a_view_of_the_page_is_one_of_the_lens(view, shown):
    app = open_page("kernels", kernels_view=view)
    assert not app.exception and not app.error and not charts(app)
    display = app.session_state[KERNELS_DISPLAY]
    assert {name: display[name] for name in shown} == shown


def test_a_view_is_as_a_link_has_it_and_without_a_word_as_it_is_at_first(monkeypatch):
    app = open_page("kernels", kernels_view="Maps", kernels_display={"look": "kernels"})
    assert app.session_state[KERNELS_DISPLAY] == {"look": "kernels"}
    written = link.write({KERNELS_DISPLAY: app.session_state[KERNELS_DISPLAY]})
    assert written["in_look"] == "kernels"  # else it would be opened with a map
    assert link.read(written)[0][KERNELS_DISPLAY] == {"look": "kernels"}

    # Back in the browser: to another view as it was left, and to where the page had not yet said how it shows it.
    monkeypatch.setattr(link, "was_opened", lambda: True)
    app.session_state["kernels_view"] = "Frequencies"
    app.session_state[KERNELS_DISPLAY] = {"look": "sum", "frame": 2}
    assert app.run().session_state[KERNELS_DISPLAY] == {"look": "sum", "frame": 2}
    app.session_state[KERNELS_DISPLAY] = {}
    assert app.run().session_state[KERNELS_DISPLAY]["look"] == "frequencies"


def test_one_method_alone_cannot_disagree():
    app = open_page("kernels", kernels_view="Disagreement", methods=["mkpn"])
    assert "Choose two methods" in app.info[0].value


def test_without_a_method_the_page_asks_for_one():
    for name in ("kernels", "noise"):
        app = open_page(name, methods=[])
        assert not app.exception
        assert "Choose a method" in app.info[0].value


def test_maps_open_on_the_frame_that_moved_furthest_within_reach():
    shifts = ((0, 0), (1, 1), (9, 0), (0, -5), (2, 4), (0, 0), (3, 3), (-1, 0))
    app = open_page("kernels", kernels_view="Maps", pixel=(40, 52), shake=BY_HAND, shifts=shifts)
    assert not app.exception and not app.error
    display = app.session_state[KERNELS_DISPLAY]
    assert (display["mode"], display["frame"]) == ("displacement", 3)


def test_an_answer_is_that_of_the_denoiser_with_other_assumed_noise(burst):
    recipe = recipe_of(DEFAULTS | SMALL)
    estimate = kpnviz.load("kpn-l5")(burst, noise_scale=4)
    found = cache.answer(recipe, "kpn-l5", 4)
    assert found.psnr == pytest.approx(metrics.psnr(estimate.image, burst.truth))
    grid = np.stack([estimate.kernels.at(y, x)[0] for y in range(20, 70, 7) for x in range(20, 70, 7)])
    assert found.spread == pytest.approx(np.median(kernel_stats.spread(grid)), rel=0.1)
    assert (
        cache.answer(recipe, "kpn-l5", 0.25).spread < cache.answer(recipe, "kpn-l5", 1).spread < found.spread
    )


def test_on_the_diagonal_of_the_noise_matrix_the_true_noise_is_assumed():
    recipe = cache.matrix_recipe(recipe_of(DEFAULTS | SMALL), (95, 0))
    assert recipe.crop == (64 + 32, 64, 64, 64)  # around the pixel, moved into the crop
    loud = kpnviz.BurstRecipe(**{**vars(recipe), "noise": NoiseModel.for_gain(8)})
    burst = kpnviz.synthesize(loud)
    truthful = metrics.psnr(kpnviz.load("kpn-l5")(burst).image, burst.truth)
    assert cache.matrix_cell(recipe, "kpn-l5", 8, 8) == pytest.approx(truthful, abs=1e-3)
    assert cache.matrix_cell(recipe, "kpn-l5", 8, 1) < truthful - 1


def test_the_noise_page(two_networks):
    app = open_page("noise", methods=["kpn-l5"])
    assert not app.exception and not app.error
    assert "noise_matrix" in charts(app)
    assert len(charts(app)) == 4
    assert "is not among the networks here" in texts(app)
    assert metrics.HOW_TAKEN in texts(app)


def test_the_sizes_page(two_networks):
    app = open_page("sizes")
    assert not app.exception and not app.error
    assert len(charts(app)) == 3
    assert "Not trained here yet: KPN L1, KPN L3" in texts(app)
    shares = [float(m.value.split(": ")[1].split("%")[0]) for m in app.markdown if "of the pixels" in m.value]
    assert sum(shares) == pytest.approx(100, abs=2)


def test_with_one_network_the_sizes_page_says_what_it_needs(two_networks):
    (two_networks / "mkpn.safetensors").unlink()
    app = open_page("sizes", methods=["kpn-l5"])
    assert not app.exception
    assert "it needs two trained networks" in app.info[0].value


def test_a_damaged_checkpoint_is_one_sentence(two_networks):
    (two_networks / "mkpn.safetensors").write_bytes(b"not weights")
    st.cache_resource.clear()  # a network that was loaded before stays in use, and so does what it made
    work.cached_values.clear()
    for name in ("kernels", "noise", "sizes"):
        app = open_page(name)
        assert not app.exception, name
        assert "mkpn" in app.error[0].value and "Traceback" not in app.error[0].value


def test_without_results_the_page_says_what_makes_them(two_networks):
    app = open_page("results")
    assert not app.exception and not app.error
    assert "kpnviz evaluate" in app.info[0].value


def test_damaged_results_are_one_sentence(two_networks):
    (two_networks / "results.csv").write_text("model,psnr\nmkpn,3\n")
    app = open_page("results")
    assert not app.exception
    assert "the columns are not" in app.error[0].value


def row(model, gain, value, **values):
    figures = dict(psnr_se=0.1, ssim=0.8, ssim_se=0.01, seconds=0.05, bursts=72)
    return Row(model=model, gain=gain, psnr=value, **{**figures, **values})


def test_results_stand_beside_the_papers(two_networks):
    gains = (1.0, 2.0, 4.0, 8.0, 16.0)
    rows = [
        row(name, gain, 30.0 + i - gain / 8)
        for i, name in enumerate(("kpn", "kpn-l3", "kpn-l5", "mkpn", "kpn-blind", "nlm"))
        for gain in gains
    ] + [row("mkpn", 4.0, 28.0, noise_scale=scale) for scale in NOISE_SCALES]
    write_results(two_networks / "results.csv", Results({"protocol": "as said", "cpu": "abacus"}, rows))
    app = open_page("results")
    assert not app.exception and not app.error
    found = tables(app)[0]
    assert found["method"][5:7] == ["×4, dB", "paper"]
    assert found["MKPN"][4:6] == ["32.50", "28.61"]
    assert found["KPN L25"][4:6] == ["", "28.44"]
    assert "as said" in texts(app) and "abacus" in texts(app)
    assert "No results here yet: KPN L25" in texts(app)
    assert set(charts(app)) == {
        "robustness"
    }  # no bursts were kept: there are no differences, and no verdicts
    assert "Alignment" not in texts(app)
    app.session_state[RESULTS_MEASURE] = "SSIM"
    app.run()
    assert tables(app)[0]["MKPN"][5] == "0.781"
    assert not app.exception


def test_a_network_of_other_sizes_stands_beside_mkpn_and_not_among_the_ablations(two_networks):
    rows = [
        row(name, 4.0, psnr)
        for name, psnr in (("kpn", 30.0), ("mkpn", 31.0), ("mkpn-25", 32.0), ("kpn-blind", 29.0))
    ]
    write_results(two_networks / "results.csv", Results({}, rows))
    app = open_page("results")
    assert not app.exception and not app.error
    rows = {expander.label: [list(found)[1:] for found in tables(expander)] for expander in app.expander}
    assert rows["MKPN with other kernel sizes"] == [["MKPN 25", "MKPN"]]
    assert rows["One part of KPN left out"] == [["KPN blind", "KPN 5×5"]]


def test_results_of_every_kind_of_motion(two_networks):
    """Each with its own figures, alignment, and differences burst by burst."""
    names = ("kpn-l3", "kpn-l5", "mkpn", "nlm")
    rows = [
        row(
            name,
            gain,
            30.0 + i + 10 * j,
            motion=motion,
            alignment=math.nan if name == "nlm" else 0.25 * j + 0.1 * i,
            psnrs=tuple(30.0 + i + 10 * j + 0.1 * i * (k % 2) for k in range(48)),
        )
        for i, name in enumerate(names)
        for j, motion in enumerate(MOTIONS)
        for gain in (1.0, 4.0)
    ] + [row("mkpn", 4.0, 20.0 + N, motion="sub-pixel", frames=N) for N in (1, 2, 16)]
    write_results(two_networks / "results.csv", Results({}, rows))
    app = open_page("results")
    assert not app.exception and not app.error
    whole = {"paper_near", "paper_far"}
    # L3 lies 1.05 dB below KPN L5 and MKPN as far above: beyond 1 dB; nothing is near.
    assert set(charts(app)) == {"differences_far", "against_frames"} | whole - {"paper_far"}
    for j, motion in enumerate(MOTIONS):
        app.session_state[RESULTS_MOTION] = motion
        app.run()
        assert not app.exception
        first, alignment = tables(app)[:2]
        place = first["method"].index("×4, dB") - 1
        assert first["MKPN"][place] == f"{32 + 10 * j}.00"
        assert ("paper" in first["method"]) == (motion == "whole-pixel")
        assert alignment["MKPN"][0] == f"{0.2 + 0.25 * j:.2f}"
        assert "Non-local means of the aligned mean" not in alignment
        # MKPN is 1 dB better on one half of the photos and 1.1 on the other.
        dots = charts(app)["differences_far"]["data"][0]
        at = [name for name, _ in dots["customdata"]].index("MKPN")
        assert dots["x"][at] == pytest.approx(1.05)
        assert dots["error_x"]["array"][at] == pytest.approx(2 * 0.05 * math.sqrt(24 / 23 / 24))
    assert "one shift of a frame" in texts(app)
    app.selectbox(key=widget(RESULTS_COMPARED)).set_value("nlm").run()
    held = link.address(
        "results", {key: app.session_state[key] for key in (RESULTS_MOTION, RESULTS_COMPARED)}
    )
    assert f"results_motion={MOTIONS[-1]}&results_compared=nlm" in held
    app.session_state[RESULTS_COMPARED] = "kpn-l1"  # a link may name what was not measured
    app.run()
    assert not app.exception and app.selectbox(key=widget(RESULTS_COMPARED)).value == "kpn-l5"


def test_the_best_of_a_column_and_its_ties_are_marked(two_networks):
    """MKPN leads by .01 ± .01 dB: a tie; KPN L3 surely trails."""
    by = {"mkpn": (0.06, -0.04), "kpn-l5": (0.0, 0.0), "kpn-l3": (-1.0, -1.1)}
    rows = [
        row(name, 4.0, 30.0 + np.mean(pair), psnrs=tuple(30.0 + pair[k % 2] for k in range(48)))
        for name, pair in by.items()
    ]
    write_results(two_networks / "results.csv", Results({}, rows))
    app = open_page("results")
    assert not app.exception
    found = first_table(app).split("scope='row'>")[1:]
    lines = {re.sub("<[^>]*>", "", line.partition("</th>")[0]): line for line in found}
    assert "<td class='best' title=''>30.01</td>" in lines["MKPN"]
    assert "<td class='tie' title='A tie with MKPN'>30.00</td>" in lines["KPN L5"]
    assert "<td class='' title=''>28.95</td>" in lines["KPN L3"]


def test_verdicts_stand_first_each_with_its_figure_and_its_bursts():
    app = open_page("results")
    assert not app.exception and not app.error
    names = [verdict.name for verdict in verdicts(read_results())]
    assert [key for key in charts(app) if key.startswith("verdict_")] == [f"verdict_{name}" for name in names]
    blocks = "".join(block.body for block in app.get("html"))
    links = re.findall(r'class="measured"[^>]*href="([^"]+)"', blocks)
    assert len(links) > 40
    for link_to in map(html.unescape, links):
        page, _, query = link_to.partition("?")
        state, problem = link.read(dict(parse_qsl(query, keep_blank_values=True)))
        assert page == "explore" and problem == "" and recipe_of(DEFAULTS | state).color is False
