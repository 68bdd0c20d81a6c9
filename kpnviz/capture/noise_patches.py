"""Patches of aligned frames, and what they show of noise: combinations of the frames in which the scene cancels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kpnviz.capture.frame_noise import FrameVariances, light_of, unlike_frames, variances_alone
from kpnviz.capture.noise_line import Samples, first_line
from kpnviz.threads import results

PATCH = 8
"""Side of a patch in pixels: large enough for a variance, small enough to be of one brightness."""

AROUND = 1
"""Pixels around a patch that are read with it: those of its mean picture explain shifts."""

_CLIPPED = 0.02  # share of clipped values that a patch may have
_DEPENDENT = 1e-9  # of the largest eigenvalue: regressors that are sums of others
_TELLING = 64  # differences that are needed for each combination of frames to tell them apart
_CURVED = 12.0  # variance of the sum of two second differences (1, -2, 1) of white noise
_LOOKS = 3  # at frames of unlike noise: its line tells how much light that takes, which tells the line
_QUIET = 8  # a combination of frames counts by 1 / variance to this power


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches of a block of the picture, each as N aligned frames show it.

    windows    [P, N, 10, 10]: 8x8 pixels with one pixel around, linear intensity
    places     [P, 2] row and column of each in the block, counted in patches
    gains      [N], by which the frames were divided
    bent       whether the frames turn or zoom so much that shifts differ within a patch
    frames     [N], their numbers in the burst; None: 0 to N - 1
    exposures  [N], how much light each has gathered, as its noise tells; None: as much as `gains` say
    """

    windows: np.ndarray
    places: np.ndarray
    gains: np.ndarray
    bent: bool = False
    frames: tuple[int, ...] | None = None
    exposures: np.ndarray | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(range(len(self.gains))) if self.frames is None else self.frames

    def of_light(self, unlike: Mapping[int, float], read_share: float) -> Patches:
        """The same where some frames have so many times the reference's variance, of which that share is read noise's;
        those that have 0 left out."""
        told = [unlike.get(number, np.nan) for number in self.numbers]
        light = np.array([light_of(v, read_share) if v > 0 else v for v in told])
        light = np.where(np.isnan(light), self.gains, light)
        kept = np.flatnonzero(light)
        frames = tuple(self.numbers[n] for n in kept)
        return Patches(self.windows[:, kept], self.places, self.gains[kept], self.bent, frames, light[kept])

    @classmethod
    def of(cls, block: np.ndarray, gains: np.ndarray | None = None) -> Patches:
        """Those of frames [N, h, w] that need no further alignment; beyond the edge pixels are those at the edge."""
        padded = np.pad(block, [(0, 0), (AROUND, AROUND), (AROUND, AROUND)], mode="edge")
        views = np.lib.stride_tricks.sliding_window_view(padded, [PATCH + 2 * AROUND] * 2, axis=(1, 2))
        views = views[:, ::PATCH, ::PATCH]  # [N, rows, columns, 10, 10]
        rows, columns = np.indices(views.shape[1:3])
        return cls(
            views.reshape(len(block), -1, *views.shape[3:]).swapaxes(0, 1),
            np.stack([rows.ravel(), columns.ravel()], axis=1),
            np.ones(len(block)) if gains is None else gains,
        )


def measured(
    patches: Patches, clipped: tuple[float, float] | None
) -> tuple[Samples, np.ndarray, FrameVariances]:
    """What the patches of a block show, which of them are intact, [P] bool, and each frame's noise in these."""
    windows = patches.windows.astype(np.float64)
    light = patches.gains if patches.exposures is None else patches.exposures
    black = patches.places.sum(axis=1) % 2 == 0
    P, N = windows.shape[:2]
    mean = np.tensordot(windows, light / light.sum(), axes=(1, 0))  # [P, 10, 10]
    means = mean[:, AROUND:-AROUND, AROUND:-AROUND].mean(axis=(1, 2))
    side = 2 * AROUND + 1
    around = np.lib.stride_tricks.sliding_window_view(mean - means[:, None, None], (side, side), axis=(1, 2))
    regressors = np.ones((P, PATCH**2, 1 + side**2 + 4 * patches.bent))
    taps = regressors[..., 1 : 1 + side**2]
    taps[:] = around.reshape(P, PATCH**2, -1)
    if patches.bent:
        y, x = ((np.indices((PATCH, PATCH)) - (PATCH - 1) / 2) / PATCH).reshape(2, -1, 1)
        slopes = taps[..., [7, 5]] - taps[..., [1, 3]]
        regressors[..., -4:-2], regressors[..., -2:] = y * slopes, x * slopes
    values, vectors = np.linalg.eigh(regressors.swapaxes(1, 2) @ regressors)
    independent = values > _DEPENDENT * values[:, -1:]
    scale = np.where(independent, np.maximum(values, 1e-300) ** -0.5, 0)
    basis = (regressors @ vectors) * scale[:, None]  # orthonormal, [P, 64, 10 or 14]
    # N - 1 orthonormal combinations of the frames in which the scene cancels.
    scene = light**0.5 / light.sum() ** 0.5
    combinations = np.linalg.qr(np.eye(N) - np.outer(scene, scene))[0][:, : N - 1]
    inner = windows[:, :, AROUND:-AROUND, AROUND:-AROUND].reshape(P, N, -1)
    differences = (inner.swapaxes(1, 2) * light**0.5) @ combinations  # [P, 64, N - 1]
    rest = differences - basis @ (basis.swapaxes(1, 2) @ differences)
    free = PATCH**2 - independent.sum(axis=1)
    # The mean of the pixels' variances that is left is that at the mean of their brightness, each with as much as is
    # left of it: the bright ones of a patch with an edge are explained best.
    left = 1 - (basis**2).sum(axis=-1)
    effective_means = means + (left * taps[..., 4]).sum(axis=1) / left.sum(axis=1)

    variances, weights, read = (np.empty((P, N - 1)) for _ in range(3))
    for half in (black, ~black):
        weights[half], axes = _quiet(rest[~half], free[~half])
        variances[half] = np.square(rest[half] @ axes).sum(axis=1) / free[half, None]
        read[half] = ((combinations @ axes) ** 2 / light[:, None]).sum(axis=0)

    yy, xx = (taps[..., 4 - k] - 2 * taps[..., 4] + taps[..., 4 + k] for k in (side, 1))
    texture, floor = (yy**2 + xx**2).mean(axis=1), np.full(P, _CURVED / light.sum())
    intact = np.ones(P, dtype=bool)
    if clipped is not None:
        low, high = (np.float32(end) / patches.gains[:, None].astype(np.float32) for end in clipped)
        intact = ((inner <= low) | (inner >= high)).mean(axis=(1, 2)) <= _CLIPPED
    samples = Samples(
        effective_means, free, texture, floor, variances, read, weights, black.astype(int), patches.places
    )
    beside = np.square(rest @ combinations.T).sum(axis=1) / free[:, None] / light
    alone = variances_alone(windows[:, :, AROUND:-AROUND, AROUND:-AROUND])
    of_frames = FrameVariances(
        patches.numbers,
        patches.gains,
        *(beside[intact], alone[intact], texture[intact], means[intact]),
        floor=float(floor[0]),
    )
    return samples, intact, of_frames


def seen_alike(
    blocks: Sequence[Patches], clipped: tuple[float, float] | None, reference: int
) -> tuple[list[Patches], Samples, np.ndarray, dict[int, float]]:
    """What blocks show, with the light that each frame has gathered, if its noise tells of another than its brightness.

    The blocks, with that light, without frames that were smoothed, and with two frames at least; their samples, and
    which are intact; and the frames that are unlike (:func:`kpnviz.capture.frame_noise.unlike_frames`).
    """

    def look_at(block: Patches) -> tuple[Samples, np.ndarray, FrameVariances]:
        return measured(block, clipped)

    seen, unlike, brightness, read_share = list(blocks), dict[int, float](), 0.0, 0.0
    for number in range(_LOOKS):
        of_blocks = results(look_at, seen)
        samples = together([samples for samples, *_ in of_blocks])
        intact = np.concatenate([intact for _, intact, _ in of_blocks])
        if number == 0:
            unlike, brightness = unlike_frames([frames for *_, frames in of_blocks], reference)
        if not unlike or number == _LOOKS - 1:
            break
        if number:
            some = intact & (samples.weighted[0] > 0)
            noise, _, _ = first_line(samples, some)
            of_read, of_shot = noise.read_std**2, noise.shot_gain * max(brightness, 0)
            read_share = of_read / max(of_read + of_shot, 1e-30)
        told = [block.of_light(unlike, read_share) for block in blocks]
        seen = [block for block in told if len(block.gains) > 1]
    return seen, samples, intact, unlike


def together(blocks: list[Samples]) -> Samples:
    """The samples of all blocks: each has its own combinations, and no neighbors in another."""
    most = max(block.read.shape[1] for block in blocks)

    def wide(values: np.ndarray) -> np.ndarray:
        return np.pad(values, [(0, 0), (0, most - values.shape[1])])

    top, parts = 0, []
    for number, block in enumerate(blocks):
        places = block.places + np.array([top, 0])
        top = int(places.max(axis=0)[0]) + 2
        parts.append(
            (
                *(block.means, block.free, block.texture, block.floor),
                *(wide(values) for values in (block.variances, block.read, block.weights)),
                *(block.group + 2 * number, places),
            )
        )
    return Samples(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _quiet(rest: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Combinations of frames as columns [N - 1, N - 1] and the weight of each, with sum 1, by the differences [p, 64,
    N - 1] that patches have in them; with too few patches to tell, all alike."""
    M = rest.shape[-1]
    if M == 1 or len(rest) * PATCH**2 < _TELLING * M:
        return np.full(M, 1 / M), np.eye(M)
    flat = rest.reshape(-1, M)
    variances, axes = np.linalg.eigh(flat.T @ flat / free.sum())
    least = variances[0]
    if least <= 0:
        return np.full(M, 1 / M), np.eye(M)
    weights = (least / variances) ** _QUIET
    return weights / weights.sum(), axes
