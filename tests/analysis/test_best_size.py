"""Which kernel size is best where, against sums over windows that are written out."""

import numpy as np
import pytest

from kpnviz.analysis.best_size import SIZE_CLASSES, TIE, WINDOW_SIGMA, best_size, size_class


def in_window(error, y, x):
    """Mean of an error map around a pixel, weighted by a Gaussian cut off at 4 sigma; the border pixel goes on."""
    reach = round(4 * WINDOW_SIGMA)
    place = np.arange(-reach, reach + 1)
    weight = np.exp(-(place**2) / (2 * WINDOW_SIGMA**2))
    rows, columns = np.clip(y + place, 0, error.shape[0] - 1), np.clip(x + place, 0, error.shape[1] - 1)
    return weight @ error[np.ix_(rows, columns)] @ weight / weight.sum() ** 2


@pytest.mark.parametrize(
    ("size", "name"),
    [(1, "small"), (3, "small"), (5, "middle"), (9, "middle"), (11, "large"), (13, "large"), (25, "large")],
)
def test_classes_of_sizes(size, name):
    assert SIZE_CLASSES[size_class(size)] == name


def test_a_class_leads_where_its_best_size_is_ahead_in_the_window():
    rng = np.random.default_rng(0)
    sizes = [1, 3, None, 5, 25, 11]
    errors = [rng.gamma(0.3, 0.01, (30, 40)) for _ in sizes]
    found = best_size(errors, sizes)
    assert found.classes == (0, 0, None, 1, 2, 2)
    ties = 0
    for y, x in [(0, 0), (29, 39), *rng.integers(0, 30, (60, 2))]:
        local = [-10 * np.log10(in_window(error, y, x)) for error in errors]
        np.testing.assert_allclose(found.local[:, y, x], local, atol=1e-6)
        best = {"small": max(local[:2]), "middle": local[3], "large": max(local[4:])}
        first, second = sorted(best, key=best.get, reverse=True)[:2]
        tie = best[first] - best[second] < TIE
        ties += tie
        expected = -1 if tie else SIZE_CLASSES.index(first)
        assert found.index[y, x] == expected
    assert 0 < ties < 62  # both were seen


def test_where_all_are_equally_good_there_is_a_tie():
    same = np.zeros((12, 14))  # no error at all: black, clipped
    found = best_size([same, same, same], [3, 5, 11])
    assert (found.index == -1).all() and np.isfinite(found.local).all()


def test_a_class_that_is_not_there_is_not_compared():
    errors = [np.full((8, 8), 0.01), np.full((8, 8), 0.02)]
    assert (best_size(errors, [25, 3]).index == 2).all()
    assert best_size(errors, [5, 9]).index is None
    assert best_size(errors, [5, None]).index is None
