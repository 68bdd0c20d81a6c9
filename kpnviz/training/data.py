"""Training bursts, made on the fly on the device that trains."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from kpnviz.burst import Misalignment
from kpnviz.color import luminance, srgb_encode
from kpnviz.noise import TRAINING_READ_STD, TRAINING_SHOT_GAIN, NoiseModel, noise_std
from kpnviz.photos import find_photos, read_photo

SCALES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3), 2.0)
"""Every photo is offered at these reductions, in linear light: a scene holds finer or coarser detail."""

MOTIONS = ("whole-pixel", "sub-pixel", "moving")
"""Kinds of motion that a batch's bursts may have; see :meth:`PhotoBank.batch`."""

_SHAKE = Misalignment()
_STRIDE = 16


@dataclass
class Batch:
    """B noisy bursts.

    frames [B, N, T, T] noisy, truth [B, T, T], white_level [B], read_std and shot_gain [B] of their noise,
    shifts [B, N, 2] of the camera.
    """

    frames: Tensor
    truth: Tensor
    white_level: Tensor
    read_std: Tensor
    shot_gain: Tensor
    shifts: Tensor

    def one(self, b: int) -> Batch:
        """Burst number b alone, as a batch of one."""
        return Batch(*(getattr(self, field.name)[b : b + 1] for field in dataclasses.fields(self)))


class _Windows:
    """Where windows of `side` pixels may begin in the bank's photos, and how likely each is to be drawn.

    The probability is in proportion to the mean gradient of the displayed photo in the window, plus a tenth of the
    average: flat sky is most of many photos, and uniform windows would starve detail. (Windows begin at multiples
    of 16 pixels plus a random offset.)
    """

    def __init__(self, details: list[np.ndarray], offsets: list[int], side: int, margin: int) -> None:
        self.side = side
        starts, widths, weights = [], [], []
        for detail, offset in zip(details, offsets, strict=True):
            H, W = detail.shape
            if min(H, W) < side + 2 * margin + _STRIDE:
                continue
            rows = np.arange(margin, H - margin - side - _STRIDE + 1, _STRIDE)
            columns = np.arange(margin, W - margin - side - _STRIDE + 1, _STRIDE)
            # Mean detail of each window by a summed-area table.
            table = np.pad(detail.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
            y, x = np.meshgrid(rows, columns, indexing="ij")
            total = table[y + side, x + side] - table[y, x + side] - table[y + side, x] + table[y, x]
            starts.append((offset + y * W + x).ravel())
            widths.append(np.full(y.size, W))
            # A small reduction has many windows and a large one few; weigh the scales alike.
            weights.append(total.ravel() / side**2 / y.size)
        self.photos = len(starts)
        if not starts:
            return
        self.starts, self.widths = np.concatenate(starts), np.concatenate(widths)
        weight = np.concatenate(weights)
        uniform = np.concatenate([np.full(len(w), 1 / len(w)) for w in weights]) / len(weights)
        # (Photos without any detail at all are drawn from evenly.)
        weight = weight + max(0.1 * weight.sum(), 1e-12) * uniform
        self.cumulative = weight.cumsum() / weight.sum()

    def draw(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Flat index of the first pixel of `count` windows, and the widths of the photos they lie in."""
        window = np.searchsorted(self.cumulative, rng.random(count))
        widths = self.widths[window]
        jitter = rng.integers(0, _STRIDE, size=(2, count))
        return self.starts[window] + jitter[0] * widths + jitter[1], widths


class PhotoBank:
    """Photos in linear light on one device, and batches of noisy bursts drawn from them.

    All photos at all SCALES lie in one flat tensor, so that the B*N windows of a batch are one gather.
    """

    def __init__(
        self, scenes: list[np.ndarray], crop: int, device: str, misalignment: Misalignment = _SHAKE
    ) -> None:
        self.crop, self.misalignment = crop, misalignment
        margin = misalignment.large
        images = [_reduced(scene, scale) for scene in scenes for scale in SCALES]
        details = [_detail(image) for image in images]
        offsets = np.cumsum([0, *(image.size for image in images)])[:-1].tolist()
        self._pixel = _Windows(details, offsets, crop, margin)
        # Shifts by half a pixel are whole pixels of a picture twice as fine, which is then box-reduced.
        self._fine = _Windows(details, offsets, 2 * crop, 2 * margin)
        if not self._pixel.photos:
            raise ValueError(
                f"photos: none of {len(scenes)} is large enough for windows of {crop} pixels, "
                f"shifted by up to {margin}; {crop + 2 * margin + _STRIDE} pixels are needed"
            )
        self.pixels = torch.from_numpy(np.concatenate([image.ravel() for image in images])).to(device)

    @classmethod
    def from_folder(
        cls, folder: Path, crop: int, device: str, hold_out: int = 15
    ) -> tuple[PhotoBank, list[np.ndarray]]:
        """The bank of a folder's photos; every `hold_out`-th is kept out of it, for validation, and returned."""
        scenes = [luminance(read_photo(path)) for path in find_photos(folder)]
        validation = scenes[::hold_out] if len(scenes) > 1 else scenes
        training = [s for i, s in enumerate(scenes) if i % hold_out] or scenes
        return cls(training, crop, device), validation

    def check_motions(self, motions: Sequence[str]) -> None:
        """ValueError if no photo is large enough for bursts that move in one of these ways: see :meth:`batch`."""
        for motion in motions:
            if motion != "whole-pixel" and not self._fine.photos:
                needed = 2 * self.crop + 4 * self.misalignment.large + _STRIDE
                raise ValueError(
                    f"photos: none is large enough for {motion} bursts of {self.crop} pixels; "
                    f"{needed} pixels a side are needed"
                )

    @staticmethod
    def largest_crop(scenes: list[np.ndarray]) -> int:
        """The side of the largest window, sub-pixel bursts included, that fits all scenes."""
        return (min(min(scene.shape) for scene in scenes) - 4 * _SHAKE.large - _STRIDE) // 2

    def batch(
        self,
        seed: int,
        step: int,
        size: int,
        frames: int,
        rank: int = 0,
        world: int = 1,
        noise: NoiseModel | None = None,
        motion: str = "whole-pixel",
        darkest: float = 0.1,
    ) -> Batch:
        """Batch number `step` of a run: a function of its arguments alone, so that a run can be resumed.

        With `world` processes each takes its share of the same bursts. Noise is drawn from the training ranges and
        the white level from [darkest, 1], log-uniform, or they are `noise` and 1. Motion: shake by whole pixels; by
        half pixels ("sub-pixel"); or that and one to three objects that travel over the scene ("moving"; as
        `burst.draw_objects` draws them).
        """
        if motion not in MOTIONS:
            raise ValueError(f"motion is {motion!r}; choose one of {', '.join(MOTIONS)}")
        fine = motion != "whole-pixel"
        self.check_motions([motion])
        windows, scale = (self._fine, 2) if fine else (self._pixel, 1)
        rng = np.random.default_rng([seed, step])
        starts, widths = windows.draw(size, rng)
        shake = dataclasses.replace(self.misalignment, subpixel=fine)
        shifts = np.stack([shake.sample(frames, rng) for _ in range(size)])  # [B, N, 2]
        # Flips and transposes: the step of the flat index to the next row and to the next column.
        flips, transpose = (
            rng.integers(0, 2, size=(2, size)).astype(bool),
            rng.integers(0, 2, size).astype(bool),
        )

        def log_uniform(low: float, high: float) -> np.ndarray:
            return 10 ** rng.uniform(np.log10(low), np.log10(high), size)

        white_level = log_uniform(darkest, 1)
        reads, shots = log_uniform(*TRAINING_READ_STD), log_uniform(*TRAINING_SHOT_GAIN)
        if noise is not None:
            white_level, reads, shots = (
                np.ones(size),
                np.full(size, noise.read_std),
                np.full(size, noise.shot_gain),
            )
        device = self.pixels.device
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        mine = slice(rank * size // world, (rank + 1) * size // world)

        def tensor(values: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.from_numpy(values[mine]).to(device, dtype)

        def seen(starts: np.ndarray, widths: np.ndarray, shifts: np.ndarray) -> Tensor:
            """The windows [B, N, T, T] whose scene is shifted by [B, N, 2] pixels of frame 0, before it is turned."""
            moved = np.rint(shifts * scale).astype(np.int64)
            origins = starts[:, None] - moved[..., 0] * widths[:, None] - moved[..., 1]
            last = windows.side - 1
            step_y, step_x = np.where(flips[0], -widths, widths), np.where(flips[1], -1, 1)
            origins = origins + (flips[0] * last * widths + flips[1] * last)[:, None]
            step_row, step_column = np.where(transpose, step_x, step_y), np.where(transpose, step_y, step_x)
            line = torch.arange(windows.side, device=device)
            index = (
                tensor(origins, torch.int64)[:, :, None, None]
                + (tensor(step_row, torch.int64)[:, None] * line)[:, None, :, None]
                + (tensor(step_column, torch.int64)[:, None] * line)[:, None, None, :]
            )
            # (An object may have been carried beyond the first or the last photo.)
            picture = self.pixels[index.clamp_(0, len(self.pixels) - 1)]
            return F.avg_pool2d(picture, 2) if fine else picture

        clean = seen(starts, widths, shifts)
        if motion == "moving":
            there = np.ones(size, bool)
            for more in (1, 2 / 3, 1 / 2):  # one, two or three objects, equally often
                there &= rng.random(size) < more  # of the bursts that have all objects so far
                starts, widths = windows.draw(size, rng)
                speed, direction = 2 ** rng.uniform(-2, 1, size), rng.uniform(0, 2 * np.pi, size)
                velocity = speed[:, None] * np.stack((np.sin(direction), np.cos(direction)), 1)  # [B, 2]
                path = shifts + np.rint(2 * np.arange(frames)[:, None] * velocity[:, None]) / 2  # [B, N, 2]
                coverage = self._coverage(path, rng)[mine] * tensor(there)[:, None, None, None]
                coverage = _turned(coverage, tensor(flips.T, torch.bool), tensor(transpose, torch.bool))
                clean = coverage * seen(starts, widths, path) + (1 - coverage) * clean
        shifts = shifts * np.where(flips, -1, 1).T[:, None]
        shifts = np.where(transpose[:, None, None], shifts[..., ::-1], shifts)
        white, read_std, shot_gain = tensor(white_level), tensor(reads), tensor(shots)
        clean = clean * white[:, None, None, None]
        grain = torch.randn(
            (size, *clean.shape[1:]), generator=generator, device=device, dtype=torch.float32
        )[mine]
        noisy = clean + noise_std(clean, *(x[:, None, None, None] for x in (read_std, shot_gain))) * grain
        return Batch(noisy, clean[:, 0], white, read_std, shot_gain, tensor(shifts))

    def _coverage(self, path: np.ndarray, rng: np.random.Generator) -> Tensor:
        """How much of each pixel an object hides that travels along `path` [B, N, 2], px: [B, N, T, T].

        Shape and size as those of `burst.draw_objects`. The angle's multiples are powers of a complex number.
        """
        size, T, device = len(path), self.crop, self.pixels.device

        def drawn(low: float, high: float, *shape: int) -> Tensor:
            return torch.from_numpy(rng.uniform(low, high, (size, *shape))).to(device, torch.float32)

        radius, softness = drawn(0.15, 0.4)[:, None, None, None] * T / 2, drawn(0.5, 3)[:, None, None, None]
        center = drawn(0.1, 0.9, 2)[:, None] * T + torch.from_numpy(path).to(
            device, torch.float32
        )  # [B, N, 2]
        line = torch.arange(T, device=device, dtype=torch.float32)
        dy = line[:, None] - center[..., 0, None, None]
        dx = line - center[..., 1, None, None]
        distance = torch.hypot(dy, dx).clamp(min=1e-6)
        cos, sin = dx / distance, dy / distance
        shape, (c, s) = torch.ones_like(distance), (cos, sin)
        for k in range(3):
            c, s = c * cos - s * sin, c * sin + s * cos  # of angle (k + 2) t
            amplitude, phase = (
                drawn(0, 0.3 / (k + 1))[:, None, None, None],
                drawn(0, 2 * np.pi)[:, None, None, None],
            )
            shape = shape + amplitude * (c * phase.cos() - s * phase.sin())
        return ((radius * shape - distance) / softness + 0.5).clamp(0, 1)


def _turned(images: Tensor, flips: Tensor, transpose: Tensor) -> Tensor:
    """Each burst's images [B, N, T, T] flipped in rows and columns where `flips` [B, 2] says so, then transposed."""
    images = torch.where(flips[:, 0, None, None, None], images.flip(2), images)
    images = torch.where(flips[:, 1, None, None, None], images.flip(3), images)
    return torch.where(transpose[:, None, None, None], images.transpose(2, 3), images)


def _reduced(scene: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return scene.astype(np.float32)
    size = [round(length / scale) for length in scene.shape]
    image = torch.from_numpy(scene.astype(np.float32))[None, None]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)[0, 0].numpy()


def _detail(image: np.ndarray) -> np.ndarray:
    """Magnitude of the gradient of the displayed picture, [H, W]."""
    dy, dx = np.gradient(srgb_encode(image).astype(np.float64))
    return np.hypot(dy, dx)
