"""Figures hold the arrays that they were given, where they belong, on scales that say what they are."""

import numpy as np
import pytest

from kpnviz import figures
from kpnviz.figures.kernels import kernel_rows

from .. import test_foreign_kernels as foreign


def traces(figure, kind):
    return [trace for trace in figure.data if trace.type == kind]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_kernels_stand_in_rows_with_a_gap_between_them(rng):
    a, b, c = rng.normal(size=(5, 5)), rng.normal(size=(3, 3)), rng.normal(size=(5, 5))
    figure = figures.kernel_rows([[a, b], [None, c]], ["first", "second"], ["0", "1"], "frame")
    (heatmap,) = traces(figure, "heatmap")
    weights = np.asarray(heatmap.customdata)
    assert weights.shape == (11, 11)
    np.testing.assert_array_equal(weights[:5, :5], a)
    np.testing.assert_array_equal(weights[1:4, 7:10], b)  # in the middle of its cell
    np.testing.assert_array_equal(weights[6:, 6:], c)
    assert np.isnan(weights[:, 5]).all() and np.isnan(weights[6:, :5]).all()
    np.testing.assert_allclose(heatmap.z, np.sign(weights) * np.sqrt(np.abs(weights)))
    assert heatmap.zmin == -heatmap.zmax == -np.sqrt(max(np.abs(k).max() for k in (a, b, c)))
    assert np.asarray(heatmap.text)[1, 7] == "first, frame 1<br>dy -1, dx -1"
    assert list(figure.layout.xaxis.ticktext) == ["0", "1"] and list(figure.layout.xaxis.tickvals) == [
        2,
        8,
    ]


def test_maps_lie_over_the_pixels_that_they_stand_for(rng):
    values = rng.normal(size=(6, 8))
    figure = figures.image_map(values, "px", step=2, pixel=(3, 4), diverging=True)
    heatmap = traces(figure, "heatmap")[0]
    # Cell 0 is the middle of the pixels 0 and 1.
    assert (heatmap.x0, heatmap.dx, heatmap.y0, heatmap.dy) == (0.5, 2, 0.5, 2)
    assert heatmap.zmax == -heatmap.zmin == np.abs(values).max()
    assert list(figure.layout.yaxis.range) == [11.5, -0.5]  # row 0 at the top
    (mark,) = traces(figure, "scatter")
    assert (list(mark.x), list(mark.y)) == ([4], [3])
    assert "px" in heatmap.colorbar.title.text and "px" in heatmap.hovertemplate
    plain = traces(figures.image_map(values, "px", limits=(0, 3)), "heatmap")[0]
    assert (plain.zmin, plain.zmax) == (0, 3)


def test_arrows_point_where_the_centroid_is():
    centroids = np.zeros((16, 16, 2))
    centroids[..., 0], centroids[..., 1] = 0.5, -0.25
    figure = figures.displacement(np.zeros((32, 32)), centroids, 2, (2, 1), (10, 20), arrows=16)
    scale = figures.arrow_scale(figure)
    tips = next(trace for trace in figure.data if trace.name == "centroid")
    from_y, from_x, dy, dx = np.asarray(tips.customdata).T
    np.testing.assert_allclose(np.asarray(tips.y) - from_y, 0.5 * scale)
    np.testing.assert_allclose(np.asarray(tips.x) - from_x, -0.25 * scale)
    assert set(dy) == {0.5} and set(dx) == {-0.25}
    true = next(trace for trace in figure.data if trace.name == "true shift")
    np.testing.assert_allclose([true.y[0] - 10, true.x[0] - 20], np.array([2, 1]) * scale)


def test_long_arrows_do_not_cross_the_picture():
    centroids = np.full((16, 16, 2), 12.0)
    scale = figures.arrow_scale(figures.displacement(np.zeros((32, 32)), centroids, 2))
    assert scale * np.hypot(12, 12) == pytest.approx(1.5 * 2)


def test_curves_have_units_ticks_and_standard_errors():
    series = {"a": [1.0, 2.0, 3.0], "level": [2.0, 2.0, 2.0]}
    figure = figures.curves(
        [1, 2, 4], series, "gain", "PSNR, dB", log2=True, errors={"a": [0.1, 0.2, 0.3]}, level=["level"]
    )
    a, level = figure.data
    assert list(a.error_y.array) == [0.1, 0.2, 0.3] and level.error_y.array is None
    assert a.line.color != level.line.color and level.line.dash == "dash" and level.mode == "lines"
    assert figure.layout.xaxis.type == "log" and list(figure.layout.xaxis.ticktext) == ["1", "2", "4"]
    assert figure.layout.yaxis.title.text == "PSNR, dB"
    (point,) = figures.curves([5], {"level": [1.0]}, "n", "dB", level=["level"]).data
    assert "markers" in point.mode  # a line of one point would not be seen


def test_the_best_of_each_column_is_framed():
    values = np.array([[3.0, 1.0, 7.0], [2.0, 5.0, 7.0], [1.0, 2.0, 7.0]])
    figure = figures.gain_matrix(values, ["×1", "×2", "×4"], ["×1", "×2", "×8"])
    boxes = [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in figure.layout.shapes]
    np.testing.assert_allclose(boxes, [(0, 0), (1, 1)])
    (numbers,) = traces(figure, "scatter")
    assert [float(text) for text in numbers.text] == pytest.approx(np.asarray(values).ravel(), abs=0.05)
    light = np.asarray(values).ravel() > (np.min(values) + np.max(values)) / 2
    assert [color == "black" for color in numbers.textfont.color] == light.tolist()


def test_figures_of_squares_say_how_tall_their_width_lets_them_be(rng):
    """At every width, the height at which nothing is left empty: margins, and squares as high as they are wide."""
    for figure, rows, columns, bar in (
        (figures.kernel_rows([[np.eye(3)] * 4] * 2, ["a", "b"], list("abcd"), "frame"), 7, 15, 0),
        (figures.image_map(rng.random((20, 30)), "px"), 20, 30, 75),
    ):
        fit, margin = figure.layout.meta["fit"], figure.layout.margin
        width = 640
        height = (width - fit["beside"]) * fit["squares"] + fit["around"]
        square = (width - margin.l - margin.r - bar) / columns
        assert height - margin.t - margin.b == pytest.approx(rows * square)


def test_rows_of_kernels_carry_the_colors_of_the_map():
    figure = figures.kernel_rows(
        [[np.eye(3)], [np.eye(3)]], ["a", "b"], ["0"], "frame", colors=["#111111", "#222222"]
    )
    assert ["#111111" in figure.layout.yaxis.ticktext[0], "#222222" in figure.layout.yaxis.ticktext[1]] == [
        True
    ] * 2


@pytest.mark.parametrize("dark", [False, True])
def test_figures_leave_background_and_text_to_the_page(rng, dark):
    kernel = rng.normal(size=(3, 3))
    for figure in (
        figures.kernel_rows([[kernel]], ["a"], ["b"], "c", dark=dark),
        figures.image_map(kernel, "px", dark=dark, diverging=True),
        figures.curves([1, 2], {"a": [1, 2]}, "x", "y"),
    ):
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
        assert figure.layout.font.color is None


def test_the_noise_fit_draws_patches_and_two_lines():
    rng = np.random.default_rng(0)
    means = rng.random(4000)
    variances, used = (0.02**2 + 0.004 * means) * rng.uniform(0.5, 1.5, 4000), rng.random(4000) < 0.7
    lines = {"estimate": (0.02, 0.004), "assumed": (0.04, 0.016)}
    fitted, left_out, estimate, assumed = figures.noise_fit(means, variances, used, lines).data
    assert 0 < len(fitted.x) + len(left_out.x) <= 1500 and len(fitted.x) > len(left_out.x) > 0
    assert set(fitted.x) <= set(means[used]) and set(left_out.x) <= set(means[~used])
    assert (estimate.line.dash, assumed.line.dash) == ("solid", "dash")
    np.testing.assert_allclose(assumed.y, 0.04**2 + 0.016 * np.asarray(assumed.x))


@pytest.mark.parametrize("kind", foreign.KINDS)
def test_kernels_of_any_network_are_drawn(kind):
    field = kind()[0].channel(0)
    kernels = field.at(2, 3)
    table = kernel_rows([list(kernels)], ["theirs"], [str(i) for i in range(len(kernels))], "frame")
    assert len(table.data[0].z) == kernels.shape[-1]


def test_a_forest_has_its_first_row_at_the_top_and_hollow_ties():
    figure = figures.forest(["a", "b", "c"], [2.0, 0.1, -1.0], [0.2, 0.3, 0.1], "dB", ties=["b"])
    (dots,) = traces(figure, "scatter")
    rows = dict(zip(figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals, strict=True))
    assert rows == {"a": 2, "b": 1, "c": 0} and list(dots.y) == [2, 1, 0] and list(dots.x) == [2.0, 0.1, -1.0]
    np.testing.assert_allclose(dots.error_x.array, [0.4, 0.6, 0.2])  # two standard errors
    assert list(dots.marker.symbol) == ["circle", "circle-open", "circle"]


def test_second_values_of_a_forest_are_joined_to_the_first_and_the_gap_is_written():
    figure = figures.forest(
        ["a", "b"], [2.0, 0.1], [0.2, 0.3], "dB", others=[1.5, None], legend=("here", "paper")
    )
    gap, paper, here = traces(figure, "scatter")
    assert list(gap.x)[:2] == [2.0, 1.5] and list(gap.y)[:2] == [1, 1]
    assert list(paper.x) == [1.5]
    (note,) = figure.layout.annotations  # beside the figure: no line goes through it
    assert (note.text, note.y, note.x, note.xref, note.xanchor) == ("0.50", 1, 1, "paper", "left")
    assert (here.name, paper.name) == ("here", "paper")


def test_values_far_off_are_written_at_the_end_of_the_axis():
    curves = figures.curves([1, 5, 9], {"L": [-6.2, -0.5, 0.1]}, "size", "dB", log2=True, zero=True)
    figure = figures.near(curves, 1.5)
    low, high = figure.layout.yaxis.range
    assert -0.8 < low < -0.5 and 0.1 < high < 0.3
    (note,) = figure.layout.annotations
    assert note.text == "▼<br>−6.2" and note.x == 0 and note.yanchor == "bottom"
    assert note.xanchor == "left"  # at the axis it would touch its numbers
    assert figure.layout.yaxis.zeroline


def test_each_ninth_of_a_picture_says_its_value_and_count():
    values, counts = np.arange(9.0).reshape(3, 3), np.arange(9).reshape(3, 3)
    figure = figures.ninths(values, counts, (90, 120))
    (heatmap,) = traces(figure, "heatmap")
    np.testing.assert_array_equal(heatmap.z, values)
    assert (heatmap.x0, heatmap.dx, heatmap.y0, heatmap.dy) == (20, 40, 15, 30)
    assert heatmap.text[0][1] == "1.0 px<br>1 frame" and heatmap.text[2][2] == "8.0 px<br>8 frames"
    assert (heatmap.zmin, heatmap.zmax) == (0, 8) and figures.ninths(values / 9, counts, (9, 9)).data[
        0
    ].zmax == 4
