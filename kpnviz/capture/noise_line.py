"""The line through what patches show of a burst's noise, variance against mean, and what texture adds to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve
from scipy.optimize import least_squares

from kpnviz.noise import NoiseModel

_ROUNDS, _SETTLED = 12, 1e-4
UNSURE = 0.7
"""Standard deviation of what texture leaves in a patch, as a share of what it leaves in most."""

_TRUSTED = 3.0  # standard deviations of a patch from the line
_LOG_BIAS = 0.613
"""A Cauchy loss, cut off at _TRUSTED standard deviations, puts the center of log(chi^2_k / k) at -0.613 / k (solved
numerically for k from 64 to 1984). Its mean would be -1 / k: the distribution is skewed."""

_ELECTRONS, _FACTOR = 3.0, 0.7  # of a sensor's read noise, before anything is seen; spread of its logarithm
_HALF, _OUTLIER = (
    2.0,
    4.0,
)  # standard deviations from the line: a patch counts half about there, or not at all
_LEAST_LEAK = 0.5  # standard deviations: less is chance
_KNOWN = 0.2  # standard deviation of each term of the first line, as a share
_NOT_LESS = 0.05  # and at least, of the line of dark patches
_NEIGHBORS = 3  # of a patch, at least
_TOGETHER = 2.5  # standard deviations that the mean of neighbors is above the line
_FROM_ROUND = 3  # on, neighbors are asked
_FEWEST = 24  # patches that are left
_LEAST_LINE = 1e-6  # of the median variance


@dataclass(frozen=True, eq=False)
class Samples:
    """What patches show, each in M combinations of the frames, in which the scene cancels.

    means      [P] intensity
    free       [P] degrees of freedom of a combination's variance
    texture    [P] mean square of the second differences of the mean picture
    floor      [P] what noise has of that, as a multiple of its variance
    variances  [P, M] of each combination;  0 where there are fewer
    read       [P, M] how often each holds the variance of read noise; 0 where there are fewer
    weights    [P, M] of each, with sum 1: the quieter, the more
    group      [P] number of the half of a block, whose combinations are the same
    places     [P, 2] row and column; neighbors are neighbors in the picture
    """

    means: np.ndarray
    free: np.ndarray
    texture: np.ndarray
    floor: np.ndarray
    variances: np.ndarray
    read: np.ndarray
    weights: np.ndarray
    group: np.ndarray
    places: np.ndarray

    @property
    def weighted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each patch by these weights the variance, its degrees of freedom, and how often it holds read noise's."""
        variance, read = ((values * self.weights).sum(axis=1) for values in (self.variances, self.read))
        return variance, self.free / (self.weights**2).sum(axis=1), read


def first_line(
    samples: Samples, candidates: np.ndarray, of_sensor: bool = True
) -> tuple[NoiseModel, float, np.ndarray]:
    """The line through candidates [P], variance = read_std^2 read + shot_gain mean + factor left_by_texture, by the
    weights of the samples; that factor; and which patches [P] lie close to it. None of the three terms is below 0.

    Fitted to log variance with a Cauchy loss, again and again to the patches close to it: each has the same relative
    error but for its degrees of freedom and what is unsure of its texture. That read_std / shot_gain, the electrons of
    a sensor's read noise, is 3 within a factor of 2 counts as much as one patch more: where no patches are dark, or all
    are equally bright, they say nothing of it. That is so where `of_sensor`: not of values that are cut off.
    """
    variances, degrees, read = (values[candidates] for values in samples.weighted)
    means, texture, floor = (values[candidates] for values in (samples.means, samples.texture, samples.floor))
    typical = float(np.median(variances))
    brightness = max(float(np.median(means)), 1e-6)
    line_terms = typical * np.stack([read, np.maximum(means, 0) / brightness], axis=1)
    usual = _ELECTRONS * typical**0.5 / brightness if of_sensor else None
    solution, close, _, _ = fitted(line_terms, variances, degrees, texture, floor, (0.5, 0.5, 0.05), usual)
    read_variance, shot, factor = solution * (typical, typical / brightness, 1)
    everywhere = np.zeros(len(samples.means), dtype=bool)
    everywhere[candidates] = close
    return NoiseModel(float(read_variance**0.5), float(shot)), float(factor), everywhere


def fitted(
    line_terms: np.ndarray,
    variances: np.ndarray,
    degrees: np.ndarray,
    texture: np.ndarray,
    floor: np.ndarray,
    start: tuple[float, ...],
    usual: float | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Fit variances [P], of so many degrees of freedom, as sums of the line's terms [P, T] and what texture leaves.

    usual   of the root of the first term's factor to the second's: known beforehand within a factor of 2; None: unknown

    Factors of the T + 1 terms, from `start` on; which patches lie close to the line, [P] bool; the terms, [P, T + 1];
    and the standard deviation of each patch's log variance.
    """
    log_v = np.log(variances) + _LOG_BIAS / degrees
    # First the whole cloud, then what lies close to the line: motion only ever adds variance, so a few rounds
    # take the line down from it.
    solution, close = np.array(start), np.ones(len(variances), dtype=bool)

    def off(x: np.ndarray, terms: np.ndarray, target: np.ndarray, spread: np.ndarray) -> np.ndarray:
        rest = (np.log(terms @ x) - target) / spread
        return rest if usual is None else np.append(rest, np.log(x[0] ** 0.5 / x[1] / usual) / _FACTOR)

    def slopes(x: np.ndarray, terms: np.ndarray, target: np.ndarray, spread: np.ndarray) -> np.ndarray:
        of_rest = terms / (terms @ x * spread)[:, None]
        if usual is None:
            return of_rest
        return np.vstack([of_rest, np.append([0.5 / x[0], -1 / x[1]], np.zeros(len(x) - 2)) / _FACTOR])

    for _ in range(_ROUNDS):
        left = left_by_texture(texture, floor, line_terms @ solution[:-1])
        terms = np.column_stack([line_terms, left])
        # Standard deviations of log(chi^2_k / k) and of what texture leaves.
        spread = np.hypot((2 / degrees) ** 0.5, UNSURE * solution[-1] * left / (terms @ solution))
        some, target, each = terms[close], log_v[close], spread[close]
        before, close_before = solution, close
        solution = least_squares(
            off,
            x0=np.maximum(solution, 1e-8),
            jac=slopes,
            args=(some, target, each),
            bounds=(1e-9, np.inf),
            loss="cauchy",
        ).x
        close = np.abs(np.log(terms @ solution) - log_v) < _TRUSTED * spread
        settled = np.abs(solution - before).max() < _SETTLED and (close == close_before).all()
        if close.sum() < len(variances) / 4 or settled:
            break
    return solution, close, terms, spread


def left_by_texture(texture: np.ndarray, floor: np.ndarray, line: np.ndarray) -> np.ndarray:
    """The variance that texture leaves, but for a factor: 2 line (sqrt(1 + t) - 1), t texture / line less noise's part.

    The more there is of it, the better regressions and quiet combinations take it away: it was found to grow like its
    root.
    """
    t = np.maximum(texture / line - floor, 0)
    return np.asarray(2 * line * (np.sqrt(1 + t) - 1))


def refined(
    samples: Samples, candidates: np.ndarray, noise: NoiseModel, close: np.ndarray
) -> tuple[NoiseModel, np.ndarray, np.ndarray, np.ndarray]:
    r"""The line once more, from what every combination of frames shows: from `noise` on, found by the `close` patches.

    .. math:: v_{pj} = \sigma_r^2 r_{pj} + \sigma_s m_p + \kappa_{g(p) j} t_p

    for patch p and combination j, t the texture less what noise has of it: in flat patches all combinations tell of the
    noise, in others those in which shifts cancel. The line and all kappa >= 0 are fitted together by least squares,
    with the variances of chi-square and of what is unsure of texture as weights, again and again.

    Patches far from the line count less (Cauchy). What moves by itself adds little to some patches, but it lies
    together: patches whose neighbors are surely above the line are left out. Their own value is not asked, so that
    chance is not selected.

    Returns the noise and of each patch [P] the variance of frames of gain 1, what texture leaves taken off, its degrees
    of freedom, and whether it was left out.
    """
    seen = samples.read > 0
    y, free = np.maximum(samples.means, 0), samples.free[:, None]
    v, groups = samples.variances, int(samples.group.max()) + 1
    least = _LEAST_LINE * float(np.median(v[seen]))
    # Terms of the line, [P, M] each.
    terms = samples.read, np.where(seen, y[:, None], 0)
    line = first = np.array([noise.read_std**2, noise.shot_gain])
    known = 1 / np.square(_first_spread(line, y[candidates], least))
    leak, trust, out = np.zeros((groups, v.shape[1])), close.astype(float), np.zeros(len(y), dtype=bool)

    def sums(values: np.ndarray) -> np.ndarray:
        total = np.zeros_like(leak)
        np.add.at(total, samples.group, values)
        return total

    for number in range(_ROUNDS):
        at_one = np.maximum(line[0] + line[1] * y, least)
        t = np.maximum(samples.texture - samples.floor * at_one, 0)[:, None]

        def parts(line: np.ndarray, leak: np.ndarray, t: np.ndarray = t) -> tuple[np.ndarray, ...]:
            """What the line says and what texture leaves, and 1 / the variance of what was measured."""
            said = np.where(seen, np.maximum(line[0] * terms[0] + line[1] * terms[1], least), 1)
            left = leak[samples.group] * t
            return said, left, seen / (2 / free * (said + left) ** 2 + (UNSURE * left) ** 2)

        weights = parts(line, leak)[2] * (trust * candidates * ~out)[:, None]
        # Normal equations; each kappa stands in those of its own group and combination alone, and is eliminated.
        own, with_v = sums(weights * t * t), sums(weights * t * v)
        with_line = np.stack([sums(weights * t * term) for term in terms])
        matrix = np.array([[(weights * a * b).sum() for b in terms] for a in terms])
        right = np.array([(weights * a * v).sum() for a in terms])
        positive = own > 0
        while True:
            inverse = np.where(positive, 1 / np.where(positive, own, 1), 0)
            found = _solved(
                matrix - np.einsum("akj,bkj,kj->ab", with_line, with_line, inverse),
                right - np.einsum("akj,kj,kj->a", with_line, with_v, inverse),
                first,
                known,
            )
            leak = (with_v - np.tensordot(found, with_line, 1)) * inverse
            sure = leak * own**0.5 >= _LEAST_LEAK
            if not (positive & ~sure).any():
                break
            positive &= sure
        before, line = line, found
        said, left, precision = parts(line, leak)
        precision = precision * said**2
        ratio = (precision * (v - left) / said).sum(axis=1) / precision.sum(axis=1)
        degrees = 2 * precision.sum(axis=1)
        # Wilson and Hilferty: the cube root of chi^2_k / k is close to normal.
        skew = 2 / (9 * degrees)
        z = (np.cbrt(np.maximum(ratio, 0)) - (1 - skew)) / skew**0.5
        trust = np.where(np.abs(z) < _OUTLIER, 1 / (1 + (z / _HALF) ** 2), 0)
        if number >= _FROM_ROUND:
            out = candidates & _beside_others(np.clip(z, -_TRUSTED, 2 * _TRUSTED), candidates, samples.places)
            if (candidates & ~out).sum() < max(_FEWEST, candidates.sum() / 4):
                out[:] = False
            if np.abs(line - before).max() <= _SETTLED * before.max():
                break
    variances = ratio * np.maximum(line[0] + line[1] * y, least)
    return NoiseModel(float(line[0] ** 0.5), float(line[1])), variances, degrees, out


def _first_spread(line: np.ndarray, y: np.ndarray, least: float) -> np.ndarray:
    """Standard deviations of the first line's read_std^2 and shot_gain, as far as it is believed."""
    dark = max(float(np.quantile(line[0] + line[1] * y, 0.05)), least)
    brightness = max(float(np.median(y)), 1e-6)
    return np.hypot(_KNOWN * line, _NOT_LESS * dark / np.array([1, brightness]))


def _solved(matrix: np.ndarray, right: np.ndarray, first: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The solution of two normal equations, neither below 0, where each is known from the first line, too, with this
    precision: where little tells of the read noise, as in pictures that are bright everywhere, it stays as it was."""
    matrix, right = matrix + np.diag(known), right + known * first
    found = np.linalg.solve(matrix, right)
    if found.min() < 0:
        negative = int(found.argmin())
        found[negative] = 0
        found[1 - negative] = right[1 - negative] / matrix[1 - negative, 1 - negative]
    return np.maximum(found, 1e-12)


def _beside_others(z: np.ndarray, candidates: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Whether the neighbors of a patch, without itself, are together above the line: [P] bool."""
    size = places.max(axis=0) + 1
    total, count = np.zeros(size), np.zeros(size)
    y, x = places[candidates].T
    total[y, x], count[y, x] = z[candidates], 1
    around = np.ones((3, 3))
    around[1, 1] = 0
    y, x = places.T
    total, count = (convolve(values, around, mode="constant")[y, x] for values in (total, count))
    return np.asarray((count >= _NEIGHBORS) & (total > _TOGETHER * count**0.5))
