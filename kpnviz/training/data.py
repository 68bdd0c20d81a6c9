"""Training bursts, made on the fly on the device that trains."""

from __future__ import annotations

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

_SHAKE = Misalignment()
_STRIDE = 16


@dataclass
class Batch:
    """frames [B, N, T, T] noisy, noise_map [B, T, T] (eq. 8), truth [B, T, T], white_level [B], shifts [B, N, 2]."""

    frames: Tensor
    noise_map: Tensor
    truth: Tensor
    white_level: Tensor
    shifts: Tensor


class PhotoBank:
    """Photos in linear light on one device, and batches of noisy bursts drawn from them.

    All photos at all SCALES lie in one flat tensor, so that the B*N windows of a batch are one gather.
    Where a window lies is drawn with a probability in proportion to the mean gradient of the displayed
    photo in it, plus a tenth of the average: flat sky is most of many photos, and uniform windows would
    starve detail. (Windows start at multiples of 16 pixels plus a random offset.)
    """

    def __init__(
        self, scenes: list[np.ndarray], crop: int, device: str, misalignment: Misalignment = _SHAKE
    ) -> None:
        self.crop, self.misalignment = crop, misalignment
        margin = misalignment.large
        flat, starts, widths, weights = [], [], [], []
        offset = 0
        for scene in scenes:
            for scale in SCALES:
                image = _reduced(scene, scale)
                H, W = image.shape
                need = crop + 2 * margin + _STRIDE
                if min(H, W) < need:
                    continue
                detail = _detail(image)
                rows = np.arange(margin, H - margin - crop - _STRIDE + 1, _STRIDE)
                columns = np.arange(margin, W - margin - crop - _STRIDE + 1, _STRIDE)
                # Mean detail of each window by a summed-area table.
                table = np.pad(detail.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
                y, x = np.meshgrid(rows, columns, indexing="ij")
                total = table[y + crop, x + crop] - table[y, x + crop] - table[y + crop, x] + table[y, x]
                starts.append((offset + y * W + x).ravel())
                widths.append(np.full(y.size, W))
                # A small reduction has many windows and a large one few; weigh the scales alike.
                weights.append(total.ravel() / crop**2 / y.size)
                flat.append(image.ravel())
                offset += image.size
        if not flat:
            raise ValueError(
                f"photos: none of {len(scenes)} is large enough for windows of {crop} pixels, "
                f"shifted by up to {margin}; {crop + 2 * margin + _STRIDE} pixels are needed"
            )
        self.pixels = torch.from_numpy(np.concatenate(flat)).to(device)
        self.starts, self.widths = np.concatenate(starts), np.concatenate(widths)
        weight = np.concatenate(weights)
        uniform = np.concatenate([np.full(len(w), 1 / len(w)) for w in weights]) / len(weights)
        # (Photos without any detail at all are drawn from evenly.)
        weight = weight + max(0.1 * weight.sum(), 1e-12) * uniform
        self.cumulative = weight.cumsum() / weight.sum()

    @classmethod
    def from_folder(
        cls, folder: Path, crop: int, device: str, hold_out: int = 15
    ) -> tuple[PhotoBank, list[np.ndarray]]:
        """The bank of a folder's photos; every `hold_out`-th is kept out of it, for validation, and returned."""
        scenes = [luminance(read_photo(path)) for path in find_photos(folder)]
        validation = scenes[::hold_out] if len(scenes) > 1 else scenes
        training = [s for i, s in enumerate(scenes) if i % hold_out] or scenes
        return cls(training, crop, device), validation

    @staticmethod
    def largest_crop(scenes: list[np.ndarray]) -> int:
        """The side of the largest window that fits all scenes."""
        return min(min(scene.shape) for scene in scenes) - 2 * _SHAKE.large - _STRIDE

    def batch(
        self,
        seed: int,
        step: int,
        size: int,
        frames: int,
        rank: int = 0,
        world: int = 1,
        noise: NoiseModel | None = None,
    ) -> Batch:
        """Batch number `step` of a run: a function of its arguments alone, so that a run can be resumed.

        With `world` processes each takes its share of the same bursts. Noise and white level are drawn from the
        training ranges, or are `noise` and 1.
        """
        rng = np.random.default_rng([seed, step])
        window = np.searchsorted(self.cumulative, rng.random(size))
        starts, widths = self.starts[window], self.widths[window]
        jitter = rng.integers(0, _STRIDE, size=(2, size))
        starts = starts + jitter[0] * widths + jitter[1]
        shifts = np.stack([self.misalignment.sample(frames, rng) for _ in range(size)])  # [B, N, 2]
        origins = starts[:, None] - shifts[..., 0] * widths[:, None] - shifts[..., 1]  # [B, N]
        # Flips and transposes: the step of the flat index to the next row and to the next column.
        flips, transpose = (
            rng.integers(0, 2, size=(2, size)).astype(bool),
            rng.integers(0, 2, size).astype(bool),
        )
        last = self.crop - 1
        step_y, step_x = np.where(flips[0], -widths, widths), np.where(flips[1], -1, 1)
        origins = origins + (flips[0] * last * widths + flips[1] * last)[:, None]
        step_row, step_column = np.where(transpose, step_x, step_y), np.where(transpose, step_y, step_x)
        shifts = shifts * np.where(flips, -1, 1).T[:, None]
        shifts = np.where(transpose[:, None, None], shifts[..., ::-1], shifts)

        def log_uniform(low: float, high: float) -> np.ndarray:
            return 10 ** rng.uniform(np.log10(low), np.log10(high), size)

        white_level = log_uniform(0.1, 1)
        reads, shots = log_uniform(*TRAINING_READ_STD), log_uniform(*TRAINING_SHOT_GAIN)
        if noise is not None:
            white_level, reads, shots = (
                np.ones(size),
                np.full(size, noise.read_std),
                np.full(size, noise.shot_gain),
            )

        device = self.pixels.device
        mine = slice(rank * size // world, (rank + 1) * size // world)

        def tensor(values: np.ndarray, dtype: torch.dtype) -> Tensor:
            return torch.from_numpy(values[mine]).to(device, dtype)

        line = torch.arange(self.crop, device=device)
        index = (
            tensor(origins, torch.int64)[:, :, None, None]
            + (tensor(step_row, torch.int64)[:, None] * line)[:, None, :, None]
            + (tensor(step_column, torch.int64)[:, None] * line)[:, None, None, :]
        )  # [B, N, T, T]
        white = tensor(white_level, torch.float32)
        read_std = tensor(reads, torch.float32)[:, None, None]
        shot_gain = tensor(shots, torch.float32)[:, None, None]
        clean = self.pixels[index] * white[:, None, None, None]
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        grain = torch.randn((size, *clean.shape[1:]), generator=generator, device=device)[mine]
        noisy = clean + noise_std(clean, read_std[:, None], shot_gain[:, None]) * grain
        noise_map = noise_std(noisy[:, 0], read_std, shot_gain)
        return Batch(noisy, noise_map, clean[:, 0], white, tensor(shifts, torch.float32))


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
