"""The frames of a burst, and what is known about them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kpnviz.burst.recipe import BurstRecipe
from kpnviz.checks import as_numpy, check_float, check_index, check_unmasked
from kpnviz.color import LUMINANCE_WEIGHTS
from kpnviz.layouts import FRAMES, PICTURE, Axes
from kpnviz.limits import MAX_INTENSITY, MAX_KERNEL_FRAMES, MAX_SHIFT, MIN_WHITE
from kpnviz.noise import NoiseModel
from kpnviz.summary import summary
from kpnviz.text import visible


@dataclass(frozen=True, eq=False)
class Burst:
    """N noisy frames of one scene, and what is known about them.

    frames       [N, H, W], or in color [N, C, H, W] with C = 3 channels R, G, B (C = 1 is gray, and that axis is
                 dropped); linear intensity, noise not clipped; frame 0 is the reference. NumPy or PyTorch, floating
                 point; kept as float32. Integers are a ValueError, as their white is not 1
    noise        their noise model, one for all channels or a sequence with one each; None if it is not known: what
                 needs it then (networks, noise maps, most baselines) says so
    white_level  the intensity of white
    truth        [H, W] or [C, H, W], noise-free frame 0, or None
    shifts       [N, 2] (dy, dx) in pixels, or None: the scene at (y, x) of frame 0 lies at (y+dy, x+dx) of
                 frame i. A network that aligns puts the centroid of kernel i there.
    moving_mask, moving_shifts   how much of frame 0 each of M moving objects covers, as it is seen, [M, H, W], 0 to 1,
                 and the objects' shifts [M, N, 2]; or None
    motion       [N, H, W, 2], where every pixel of frame 0 lies in frame i, (dy, dx), if no few shifts say it; or None
    notes        sentences on how it was read, of a burst of files: what was left out and why, what its numbers were
                 taken for, what was done to it
    noise_correlation   in color, how far the noise of R, G and B is the same, from 0 (independent, as a sensor's) to 1

    Arrays are copied: what is done to them later does not change the burst. Raises ValueError, one sentence, for values
    that are masked, not finite or beyond 10^6, and for shapes that do not fit the frames.
    """

    frames: np.ndarray
    noise: NoiseModel | tuple[NoiseModel, ...] | None = None
    white_level: float = 1.0
    truth: np.ndarray | None = None
    shifts: np.ndarray | None = None
    moving_mask: np.ndarray | None = None
    moving_shifts: np.ndarray | None = None
    recipe: BurstRecipe | None = None
    motion: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    noise_correlation: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "white_level", check_float("white_level", self.white_level, MIN_WHITE, MAX_INTENSITY)
        )
        correlation = check_float("noise_correlation", self.noise_correlation, 0.0, 1.0)
        object.__setattr__(self, "noise_correlation", correlation)
        frames = _light("frames", self.frames)
        hint = _AXES["frames"].hint("frames", self.frames)
        if frames.ndim not in (3, 4) or 0 in frames.shape:
            raise ValueError(
                f"frames has shape {frames.shape}; a burst is [N, H, W] or [N, C, H, W] with 1 or more of each{hint}"
            )
        if frames.ndim == 4 and frames.shape[1] not in (1, 3):
            raise ValueError(
                f"frames has shape {frames.shape}, so C = {frames.shape[1]} channels; [N, C, H, W] has C = 1 or 3{hint}"
            )
        if frames.ndim == 3 and hint and len(frames) > MAX_KERNEL_FRAMES:
            # One photo in color, [H, W, 3], would be hundreds of frames of three columns.
            raise ValueError(
                f"frames has shape {frames.shape}, so N = {len(frames)} frames of {frames.shape[1]}x{frames.shape[2]} "
                f"pixels; a burst is [N, H, W] or [N, C, H, W]{hint}"
            )
        gray = frames.ndim == 4 and frames.shape[1] == 1
        object.__setattr__(self, "frames", frames[:, 0] if gray else frames)
        object.__setattr__(self, "noise", self._checked_noise())
        N, H, W = len(self), self.height, self.width
        if (self.moving_mask is None) != (self.moving_shifts is None):
            raise ValueError("moving_mask and moving_shifts come together, or both are None")
        M = 0 if self.moving_mask is None else len(self.moving_mask)
        if self.moving_mask is not None and not 1 <= M <= _MOST_OBJECTS:
            raise ValueError(f"moving_mask is of {M} objects; 1 to {_MOST_OBJECTS} are taken")
        shapes: dict[str, tuple[int, ...]] = {
            "truth": self.frames.shape[1:],
            "moving_mask": (M, H, W),
            "shifts": (N, 2),
            "moving_shifts": (M, N, 2),
            "motion": (N, H, W, 2),
        }
        for name, shape in shapes.items():
            if (values := getattr(self, name)) is None:
                continue
            values = _light(name, values) if name in ("truth", "moving_mask") else _offsets(name, values)
            if name == "truth" and gray and values.shape == (1, *shape):
                values = values[0]
            if values.shape != shape:
                of = "the masks and the frames" if name == "moving_shifts" else "the frames"
                axes = _AXES[name].of(len(shape))
                hint = axes.hint(name, getattr(self, name), {"N": N, "M": M, "H": H, "W": W})
                raise ValueError(f"{name} has shape {values.shape}; of {of} it is {shape}{hint}")
            object.__setattr__(self, name, values)
        if self.moving_mask is not None and not (
            self.moving_mask.min() >= -_ROUNDING and self.moving_mask.max() <= 1 + _ROUNDING
        ):
            raise ValueError("moving_mask holds values beyond 0 to 1; it is how much of a pixel is covered")

    def _checked_noise(self) -> NoiseModel | tuple[NoiseModel, ...] | None:
        """One model where all channels have the same; ValueError for anything but one, or one a channel."""
        noise: Any = self.noise
        if noise is None or isinstance(noise, NoiseModel):
            return noise
        if not isinstance(noise, list | tuple) or not all(isinstance(one, NoiseModel) for one in noise):
            raise ValueError(
                f"noise is {visible(repr(noise))}; it is a NoiseModel, one of each channel, or None"
            )
        if len(noise) != (self.channels or 1):
            raise ValueError(f"noise has {len(noise)} models; the frames have {self.channels or 1} channels")
        return noise[0] if len(set(noise)) == 1 else tuple(noise)

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        known = [
            name
            for name in ("truth", "shifts", "moving_mask", "motion", "recipe")
            if getattr(self, name) is not None
        ]
        color = " in color" if self.channels else ""
        return (
            f"Burst({len(self)} frame{'s' if len(self) > 1 else ''} of "
            f"{self.height}x{self.width}{color}, {self._noise_text()}, "
            f"white {self.white_level:g}{''.join(f', {name}' for name in known)})"
        )

    def _repr_html_(self) -> str:
        """In a notebook: the reference, and what is known."""
        known = {
            "truth": self.truth,
            "true shifts": self.shifts,
            "moving objects": self.moving_mask,
            "recipe": self.recipe,
        }
        color = " in color" if self.channels else ""
        rows = [
            (
                "Burst",
                f"{len(self)} frame{'s' if len(self) > 1 else ''} of {self.height}x{self.width} pixels{color}",
            ),
            ("noise", self._noise_text()),
            ("white level", f"{self.white_level:g}"),
            (
                "known",
                ", ".join(name for name, value in known.items() if value is not None) or "nothing more",
            ),
        ]
        return summary(rows, self.reference, self.white_level)

    def _noise_text(self) -> str:
        if isinstance(self.noise, NoiseModel):
            return f"read_std {self.noise.read_std:.4g}, shot_gain {self.noise.shot_gain:.4g}"
        return "noise not known" if self.noise is None else "noise of each channel"

    @property
    def channels(self) -> int | None:
        """3 in color; None: the frames are gray, [N, H, W]."""
        return int(self.frames.shape[1]) if self.frames.ndim == 4 else None

    @property
    def height(self) -> int:
        """H, in pixels."""
        return int(self.frames.shape[-2])

    @property
    def width(self) -> int:
        """W, in pixels."""
        return int(self.frames.shape[-1])

    @property
    def reference(self) -> np.ndarray:
        """Frame 0, [H, W] or [C, H, W]."""
        return np.asarray(self.frames[0])

    @property
    def mean(self) -> np.ndarray:
        """The plain mean of the frames, [H, W] or [C, H, W]: what averaging gives when nothing is aligned."""
        return np.asarray(self.frames.mean(axis=0))

    def channel_noises(self, needed_by: str) -> tuple[NoiseModel, ...]:
        """The noise of each channel (of gray frames: of one); ValueError, one sentence, if it is not known."""
        if self.noise is None:
            raise ValueError(
                f"the burst has no noise model, which {needed_by} needs: Burst(frames, noise=NoiseModel(...)); "
                "in a file of kernels, read_std and shot_gain"
            )
        return self.noise if isinstance(self.noise, tuple) else (self.noise,) * (self.channels or 1)

    def gray_noise(self, needed_by: str) -> NoiseModel:
        """The noise of gray frames; ValueError, one sentence, if it is not known, or the frames are in color."""
        if self.channels is not None:
            raise ValueError(
                f"the burst is in color, [N, C, H, W]; {needed_by} takes gray ones: burst.gray() or burst.channel(0)"
            )
        return self.channel_noises(needed_by)[0]

    def channel(self, c: int) -> Burst:
        """One channel of a color burst as a gray one; of a gray burst, that is channel 0."""
        c = check_index("channel", c, self.channels or 1, "the burst has channels")
        if self.channels is None:
            return self
        noise = self.noise[c] if isinstance(self.noise, tuple) else self.noise
        truth = None if self.truth is None else self.truth[c]
        return dataclasses.replace(self, frames=self.frames[:, c], noise=noise, truth=truth, recipe=None)

    def gray(self, weights: Sequence[float] = LUMINANCE_WEIGHTS) -> Burst:
        """The weighted sum of the channels, with its noise; by default the luminance. A gray burst is itself."""
        if self.channels is None:
            return self
        noise = None
        if self.noise is not None:
            noise = NoiseModel.of_weighted_sum(
                self.channel_noises("the sum"), weights, self.noise_correlation
            )
        truth = None if self.truth is None else weighted_sum(self.truth, weights)
        frames = weighted_sum(self.frames, weights)
        return dataclasses.replace(self, frames=frames, noise=noise, truth=truth, recipe=None)

    def noise_map(self, scale: float = 1.0) -> np.ndarray:
        """The assumed noise that a network is given: std of frame 0 (eq. 8), [H, W] or [C, H, W], times `scale`.

        ValueError if the noise is not known.
        """
        noises = self.channel_noises("a noise map")
        if self.channels is None:
            return noises[0].scaled(scale).std_map(self.reference)
        planes = zip(noises, self.reference, strict=True)
        return np.stack([noise.scaled(scale).std_map(plane) for noise, plane in planes])

    def shifts_at(self, y: int, x: int) -> np.ndarray | None:
        """Where the scene at (y, x) went: shifts [N, 2] of the moving object there, else of the camera.

        ValueError for a pixel beyond the frames.
        """
        if not (0 <= y < self.height and 0 <= x < self.width):
            raise ValueError(
                f"pixel ({y}, {x}) does not lie in the frames, {self.height}x{self.width} pixels"
            )
        if self.motion is not None:
            return np.asarray(self.motion[:, y, x])
        label = self.object_at[y, x]
        return self.shifts if label == 0 or self.moving_shifts is None else self.moving_shifts[label - 1]

    @functools.cached_property
    def object_at(self) -> np.ndarray:
        """Number of the moving object that each pixel of frame 0 shows, 1 ... M, or 0: [H, W] uint8."""
        if self.moving_mask is None:
            return np.zeros((self.height, self.width), dtype=np.uint8)
        shown = self.moving_mask > 0.5  # of no more than one object at a pixel
        return np.where(shown.any(axis=0), shown.argmax(axis=0) + 1, 0).astype(np.uint8)

    def shift_map(self) -> np.ndarray | None:
        """True shifts of every pixel of frame 0, [N, H, W, 2], (dy, dx); None if they are not known."""
        if self.motion is not None or self.shifts is None:
            return self.motion
        table = [self.shifts, *([] if self.moving_shifts is None else self.moving_shifts)]
        shifts: np.ndarray = np.asarray(table, dtype=np.float32)[self.object_at]
        return np.moveaxis(shifts, 2, 0)


def weighted_sum(planes: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """sum_c w_c x_c of channels [..., C, H, W]: [..., H, W], float32."""
    return np.tensordot(planes, np.asarray(weights, dtype=np.float32), axes=(-3, 0)).astype(np.float32)


_AXES = {
    "frames": FRAMES,
    "truth": PICTURE,
    "shifts": Axes(("N 2",), ("2 N", "1 N 2")),
    "moving_mask": Axes(("M H W",), ("H W M", "H W", "1 M H W", "M W H")),
    "moving_shifts": Axes(("M N 2",), ("N M 2", "N 2")),
    "motion": Axes(("N H W 2",), ("N 2 H W", "1 N H W 2", "2 N H W")),
}

_MOST_OBJECTS = 255  # object_at numbers them in 8 bits
_ROUNDING = 1e-4  # of a mask that was averaged down


def _light(name: str, values: Any) -> np.ndarray:
    """A copy of intensities as float32, in the order of their axes; ValueError for anything else."""
    check_unmasked(name, values)
    array = np.asarray(as_numpy(values))
    if array.dtype.kind != "f":
        codes = f": {name} / {np.iinfo(array.dtype).max}" if array.dtype in (np.uint8, np.uint16) else ""
        raise ValueError(f"{name} has dtype {array.dtype}; intensities are floating point, white = 1{codes}")
    with np.errstate(over="ignore"):  # that becomes infinite, which is said
        array = np.array(array, dtype=np.float32, order="C")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not np.isfinite((low, high)).all():
        where = ""
        if array.ndim >= 3 and name != "truth":
            where = f": {'frame' if name == 'frames' else 'mask'} {np.argwhere(~np.isfinite(array))[0, 0]}"
        raise ValueError(f"{name}{where} holds values that are not finite (NaN or infinity)")
    if (worst := max(high, -low)) > MAX_INTENSITY:
        raise ValueError(f"{name}: a value of {worst:g} is beyond {MAX_INTENSITY:g} (white = 1)")
    return array


def _offsets(name: str, values: Any) -> np.ndarray:
    """A copy of shifts in pixels, integers or floating point; ValueError for anything else."""
    check_unmasked(name, values)
    array = np.array(as_numpy(values))
    if array.dtype.kind not in "iuf" or not (np.abs(array.astype(np.float64)) <= MAX_SHIFT).all():
        raise ValueError(f"{name} holds what is no shift in pixels, a number up to {MAX_SHIFT:g}")
    return array
