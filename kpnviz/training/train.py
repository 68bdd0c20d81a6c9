"""Training the zoo: `kpnviz train MODEL | --all`, on CPU, one GPU, or several processes (torchrun)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kpnviz.analysis.kernel_stats import centroid
from kpnviz.analysis.metrics import psnr
from kpnviz.models import checkpoints
from kpnviz.models.kpn import build
from kpnviz.models.unet import TRUNKS
from kpnviz.models.zoo import WITHOUT_ANNEALING, ZOO, config_of
from kpnviz.noise import GAINS
from kpnviz.training.data import Batch, PhotoBank
from kpnviz.training.losses import LAMBDA_1, annealed_loss, annealing_weight, basic_loss
from kpnviz.training.run import Run, RunConfig, dead_share, world_of_processes


@dataclass(frozen=True)
class TrainingConfig(RunConfig):
    """A training run of a model of the zoo.

    trunk      preset of the trunk: base or paper
    lambda_1   weight of the intensity term of the basic loss; the gradient term has the rest
    """

    model: str = ""
    trunk: str = "base"
    lambda_1: float = LAMBDA_1

    def __post_init__(self) -> None:
        config_of(self.model)
        if self.trunk not in TRUNKS:
            raise ValueError(f"trunk is {self.trunk!r}; choose {' or '.join(TRUNKS)}")
        super().__post_init__()


def train(config: TrainingConfig, runs: Path, output: Path | None = None, show_progress: bool = True) -> dict:
    """Train a model, and write its checkpoint to `output`; returns the card.

    The state of the run is kept in runs/MODEL/: killed at any moment and started again with the same config, it
    goes on where it was last saved, and with a budget in steps ends with the same weights (batch number t is
    a function of seed and t). A state of another config is an error, never overwritten. Loss and validation, on
    photos held out of training, go to log.csv there.
    """
    with world_of_processes() as world:
        torch.manual_seed(config.seed)
        task = _Kernels(config)
        run = Run(config, Path(runs) / config.model, world, task)
        bank, held_out = PhotoBank.from_folder(config.photos, config.crop, world.device)
        task.validation = validation_bursts(held_out, task.frames, world.device)
        run.train(bank, show_progress)
        if not world.is_main:
            return {}
        weights, network, measured = run.best()
        card = {
            "training": {**run.card(weights), **task.card()},
            "metrics": {
                "validation": "on held-out training photos, 128x128",
                **{key: round(value, 3) for key, value in measured.items()},
            },
            "license": "MIT",
        }
        output = output or checkpoints.folder() / f"{config.model}.safetensors"
        return checkpoints.save(output, network.eval(), card)


def train_all(
    config: TrainingConfig, runs: Path, folder: Path, show_progress: bool = True
) -> dict[str, dict]:
    """Train every model of the zoo with the same config; returns the cards by name.

    `config.model` is ignored, and a budget is that of each model. Models whose run in `runs` is complete are not
    trained again.
    """
    return {
        name: train(
            dataclasses.replace(config, model=name), runs, folder / f"{name}.safetensors", show_progress
        )
        for name in ZOO
    }


class _Kernels:
    """A model of the zoo: denoise bursts."""

    def __init__(self, config: TrainingConfig) -> None:
        model = dataclasses.replace(config_of(config.model), trunk=TRUNKS[config.trunk])
        self.name, self.config, self.frames = config.model, config, model.frames
        self.network = build(model)
        self.validation: dict[int, Batch] = {}

    def loss(self, model: nn.Module, batch: Batch, progress: float) -> tuple[Tensor, float]:
        """Of the picture, white level divided out; early in the run also of each frame's and size's part."""
        lambda_1, white = self.config.lambda_1, batch.white_level
        annealing = 0.0 if self.name in WITHOUT_ANNEALING else annealing_weight(progress)
        prediction = model(batch.frames, batch.noise_map)
        with torch.autocast(batch.frames.device.type, enabled=False):
            truth = batch.truth / white[:, None, None]
            if isinstance(prediction, Tensor):
                return basic_loss(prediction / white[:, None, None], truth, lambda_1).mean(), 1.0
            if annealing == 0:  # only the mean is needed: faster
                image = prediction.apply(batch.frames) / white[:, None, None]
                return basic_loss(image, truth, lambda_1).mean(), 1.0
            parts = prediction.apply(batch.frames, reduce="none") / white[:, None, None, None, None]
            loss = annealed_loss(parts, truth, annealing, lambda_1=lambda_1)
            # The annealed sum starts 100 N |S| times larger than it ends, and AdamW's memory of such
            # gradients would hold the step size down long after annealing.
            return loss, 1 + annealing * parts.shape[1] * parts.shape[2]

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR, dB; alignment, see :func:`_slope`; and the share of dead units."""
        scores, centers, shifts = {}, [], []
        for gain, batch in self.validation.items():
            values = []
            for b in range(len(batch.truth)):
                frames, noise_map = batch.frames[b : b + 1], batch.noise_map[b : b + 1]
                prediction = network(frames, noise_map)
                image = prediction if isinstance(prediction, Tensor) else prediction.apply(frames)
                truth, white = batch.truth[b].cpu().numpy(), float(batch.white_level[b])
                values.append(psnr(image[0].cpu().numpy(), truth, white))
                if not isinstance(prediction, Tensor) and self.frames > 1:
                    middle = prediction.height // 2
                    kernels = prediction.region(middle - 8, middle + 8, middle - 8, middle + 8)
                    moved = centroid(kernels[1:])  # [N-1, 16, 16, 2]
                    centers.append(moved.mean((1, 2)))
                    shifts.append(batch.shifts[b, 1:].cpu().numpy())
            scores[f"gain {gain}"] = float(np.mean(values))
        return {
            "psnr": float(np.mean(list(scores.values()))),
            **scores,
            **({"alignment": _slope(np.concatenate(centers), np.concatenate(shifts))} if centers else {}),
            "dead": dead_share(network, [(b.frames, b.noise_map) for b in self.validation.values()]),
        }

    def card(self) -> dict:
        return {
            "start": "random weights",
            "loss": f"lambda_1 {self.config.lambda_1:g}, after the sRGB transfer, white level divided out",
            "annealing": "none"
            if self.name in WITHOUT_ANNEALING
            else "beta 100, alpha such that the weight is 0.001 after a fifth of the run",
        }


def _slope(seen: np.ndarray, true: np.ndarray) -> float:
    """Regression of seen on true shifts [..., 2] within 2 pixels: 1 if all are followed, 0 if none is."""
    near = np.abs(true).max(-1) <= 2
    return float((seen[near] * true[near]).sum() / np.square(true[near]).sum())


def validation_bursts(
    scenes: list[np.ndarray], frames: int, device: str, side: int = 128
) -> dict[int, Batch]:
    """Eight fixed bursts for each gain from scenes that training does not see."""
    bank = PhotoBank(scenes, min(side, PhotoBank.largest_crop(scenes)), device)
    return {gain: bank.batch(12345, 0, 8, frames, noise=noise) for gain, noise in GAINS.items()}
