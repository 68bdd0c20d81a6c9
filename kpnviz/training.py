"""Training: `kpnviz train MODEL --minutes M | --steps N`, on CPU, one GPU, or several processes (torchrun)."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import math
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from kpnviz import checkpoints
from kpnviz.losses import LAMBDA_1, annealed_loss, annealing_weight, basic_loss
from kpnviz.metrics import psnr
from kpnviz.models.kpn import Network, build
from kpnviz.models.unet import TRUNKS
from kpnviz.models.zoo import WITHOUT_ANNEALING, config_of
from kpnviz.noise import GAINS
from kpnviz.training_data import Batch, PhotoBank

WARM_UP = 0.02
"""Share of the run in which the learning rate rises linearly from 0."""

_LOG_FIELDS = ("step", "seconds", "learning_rate", "loss", "val_psnr", *(f"val_psnr_gain{g}" for g in GAINS))


@dataclass(frozen=True)
class TrainingConfig:
    """A training run. Budget: `steps`, or `minutes` of wall time, pauses not counted.

    trunk           preset of the trunk: base or paper
    batch, crop     bursts a step (over all processes), and their side in pixels
    learning_rate   peak; it rises over WARM_UP of the budget and falls to 0 along a cosine
    lambda_1        weight of the intensity term of the basic loss; the gradient term has the rest
    ema             decay of the weights' moving average, which is kept if it measures better
    """

    model: str
    photos: Path
    steps: int | None = None
    minutes: float | None = None
    trunk: str = "base"
    batch: int = 8
    crop: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    lambda_1: float = LAMBDA_1
    clip_norm: float = 1.0
    ema: float = 0.999
    seed: int = 0
    precision: str = "auto"
    validate_every: int = 1000
    save_every: int = 500

    def __post_init__(self) -> None:
        config_of(self.model)
        if self.trunk not in TRUNKS:
            raise ValueError(f"trunk is {self.trunk!r}; choose {' or '.join(TRUNKS)}")
        if (self.steps is None) == (self.minutes is None):
            raise ValueError(
                f"steps is {self.steps} and minutes is {self.minutes}; a run has one budget of the two"
            )
        for name in ("steps", "minutes", "batch", "crop", "learning_rate", "validate_every", "save_every"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value!r}; it must be above 0")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f"precision is {self.precision!r}; choose auto, fp32 or bf16")

    @property
    def resumable_part(self) -> dict:
        """What must be the same for a run to go on where it stopped."""
        values = dataclasses.asdict(self)
        for free in ("photos", "save_every", "validate_every"):
            values.pop(free)
        return values


@dataclass(frozen=True)
class _World:
    """This process's place among those that torchrun started (or alone)."""

    rank: int
    size: int
    device: str

    @property
    def is_main(self) -> bool:
        return self.rank == 0


@contextlib.contextmanager
def _world() -> Iterator[_World]:
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = "cpu"
    if torch.cuda.is_available():
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(device)
    if size > 1:
        dist.init_process_group("nccl" if device != "cpu" else "gloo")
    try:
        yield _World(rank, size, device)
    finally:
        if size > 1:
            dist.destroy_process_group()


def train(config: TrainingConfig, runs: Path, output: Path | None = None, show_progress: bool = True) -> dict:
    """Train a model of the zoo, and write its checkpoint to `output`; returns the card.

    The state of the run is kept in runs/MODEL/: killed at any moment and started again with the same config, it
    goes on where it was last saved, and with a budget in steps ends with the same weights (batch number t is
    a function of seed and t). A state of another config is an error, never overwritten. The loss and the
    validation PSNR, on photos held out of training, go to log.csv there.
    """
    with _world() as world:
        if config.batch % world.size:
            raise ValueError(f"batch is {config.batch}; it must be a multiple of the {world.size} processes")
        return _Run(config, Path(runs) / config.model, world).train(
            output or checkpoints.folder() / f"{config.model}.safetensors", show_progress
        )


class _Run:
    def __init__(self, config: TrainingConfig, folder: Path, world: _World) -> None:
        self.config, self.folder, self.world = config, folder, world
        torch.manual_seed(config.seed)
        model = dataclasses.replace(config_of(config.model), trunk=TRUNKS[config.trunk])
        self.network: Network = build(model).to(world.device)
        self.averaged = torch.optim.swa_utils.AveragedModel(
            self.network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema)
        )
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        groups: list[dict] = [{"params": decayed}, {"params": plain, "weight_decay": 0.0}]
        # beta_2 = .99: the loss changes its character as annealing ends, and 1/(1-.999) steps of
        # memory are a large part of a short run.
        self.optimizer = torch.optim.AdamW(
            groups, lr=config.learning_rate, betas=(0.9, 0.99), weight_decay=config.weight_decay
        )
        self.step, self.seconds = 0, 0.0
        self.log: list[dict] = []
        if self._state_file.exists():
            self._resume()

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.pt"

    def train(self, output: Path, show_progress: bool) -> dict:
        config, world = self.config, self.world
        bank, held_out = PhotoBank.from_folder(config.photos, config.crop, world.device)
        validation = _validation_bursts(held_out, self.network.config.frames, world.device)
        model: nn.Module = DistributedDataParallel(self.network) if world.size > 1 else self.network
        if not self.step and world.is_main:
            self._save()
        losses: list[Tensor] = []
        bar = tqdm(total=1.0, initial=self._progress(), disable=not (show_progress and world.is_main),
                   bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}")  # fmt: skip
        bar.set_description(config.model)
        while (progress := self._progress()) < 1:
            begun = time.perf_counter()
            losses.append(self._step(model, bank, progress))
            self.seconds += time.perf_counter() - begun
            done = self._progress() >= 1
            if world.is_main and (self.step % config.validate_every == 0 or done):
                self._record(torch.stack(losses).mean().item(), validation)
                losses.clear()
                bar.set_postfix(step=self.step, val=f"{self.log[-1]['val_psnr']:.2f} dB")
            if world.is_main and (self.step % config.save_every == 0 or done):
                self._save()
            bar.update(min(self._progress(), 1) - bar.n)
        bar.close()
        return self._finish(output, validation) if world.is_main else {}

    def _progress(self) -> float:
        """Share of the budget that is used, 0..1; the same in all processes."""
        if self.config.steps is not None:
            return self.step / self.config.steps
        share = self.seconds / (60 * self.config.minutes)  # type: ignore[operator]
        if self.world.size > 1:
            agreed = torch.tensor(share, device=self.world.device)
            dist.broadcast(agreed, 0)
            share = agreed.item()
        return share

    def _step(self, model: nn.Module, bank: PhotoBank, progress: float) -> Tensor:
        config, world = self.config, self.world
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_factor(progress)
        batch = bank.batch(config.seed, self.step, config.batch, self._frames, world.rank, world.size)
        annealing = 0.0 if config.model in WITHOUT_ANNEALING else annealing_weight(progress)
        loss, parts = self._loss(model, batch, annealing)
        # The same loss on another scale: the annealed sum starts 100 N |S| times larger than it ends, and AdamW's
        # memory of such gradients would hold the step size down long after annealing.
        (loss / (1 + annealing * parts)).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.averaged.update_parameters(self.network)
        self.step += 1
        return loss.detach()

    @property
    def _frames(self) -> int:
        return self.network.config.frames

    def _loss(self, model: nn.Module, batch: Batch, annealing: float) -> tuple[Tensor, int]:
        """The loss of a batch, white level divided out, and the number of parts in its annealed term."""
        kind = torch.device(self.world.device).type
        bf16 = self.config.precision == "bf16" or (self.config.precision == "auto" and _bf16_pays(kind))
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16):
            prediction = model(batch.frames, batch.noise_map)
        white = batch.white_level
        truth = batch.truth / white[:, None, None]
        if self.network.config.direct:
            return basic_loss(prediction / white[:, None, None], truth, self.config.lambda_1).mean(), 0
        if annealing == 0:  # only the mean is needed: faster
            image = prediction.apply(batch.frames) / white[:, None, None]
            return basic_loss(image, truth, self.config.lambda_1).mean(), 0
        parts = prediction.apply(batch.frames, reduce="none") / white[:, None, None, None, None]
        loss = annealed_loss(parts, truth, annealing, lambda_1=self.config.lambda_1)
        return loss, parts.shape[1] * parts.shape[2]

    def _record(self, loss: float, validation: dict[int, Batch]) -> None:
        scores = _validate(self.network, validation)
        row = {
            "step": self.step,
            "seconds": round(self.seconds, 1),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "loss": loss,
            "val_psnr": float(np.mean(list(scores.values()))),
            **{f"val_psnr_gain{gain}": value for gain, value in scores.items()},
        }
        self.log.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, _LOG_FIELDS)
        writer.writeheader()
        writer.writerows(self.log)
        checkpoints.write_atomically(self.folder / "log.csv", text.getvalue().encode())

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        state = {
            "config": self.config.resumable_part,
            "step": self.step,
            "seconds": self.seconds,
            "log": self.log,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        torch.save(state, buffer)
        checkpoints.write_atomically(self._state_file, buffer.getvalue())

    def _resume(self) -> None:
        try:
            state = torch.load(self._state_file, map_location=self.world.device, weights_only=True)
            was, now = state["config"], self.config.resumable_part
        except Exception as error:
            raise ValueError(
                f"{self._state_file}: the run cannot be resumed ({error}); move it away"
            ) from error
        if was != now:
            changed = [
                f"{key} was {was.get(key)!r}, is {now[key]!r}" for key in now if was.get(key) != now[key]
            ]
            raise ValueError(
                f"{self._state_file}: a run of another config is kept there ({'; '.join(changed)}); "
                "move it away to start afresh"
            )
        self.step, self.seconds, self.log = state["step"], state["seconds"], state["log"]
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _finish(self, output: Path, validation: dict[int, Batch]) -> dict:
        """Keep the last weights or their moving average, whichever measures better, in fp16."""
        candidates: dict[str, Network] = {"last": self.network, "moving average": self.averaged.module}  # type: ignore[dict-item]
        scores = {name: _validate(network, validation) for name, network in candidates.items()}
        best = max(scores, key=lambda name: float(np.mean(list(scores[name].values()))))
        config = self.config
        card = {
            "training": {
                "steps": self.step,
                "minutes": round(self.seconds / 60, 1),
                "batch": config.batch,
                "crop": config.crop,
                "optimizer": "AdamW, betas (0.9, 0.99), "
                f"peak learning rate {config.learning_rate:g}, weight decay {config.weight_decay:g}, "
                f"{WARM_UP:.0%} warm-up then cosine, gradient norm clipped at {config.clip_norm:g}",
                "loss": f"lambda_1 {config.lambda_1:g}, after the sRGB transfer, white level divided out",
                "annealing": "none" if config.model in WITHOUT_ANNEALING
                else "beta 100, alpha such that the weight is 0.001 after a fifth of the run",
                "weights": f"{best} of the run (moving average: decay {config.ema:g})",
                "seed": config.seed,
                "data": f"{config.photos.name}: photos box-reduced in linear light, made into bursts on the fly; "
                "read_std in 10^[-3, -1.5], shot_gain in 10^[-4, -2], white level 10^[-1, 0]",
                "hardware": _hardware(self.world),
                "torch": torch.__version__,
            },
            "metrics": {
                "validation": "PSNR (dB) on held-out training photos, 128x128, by gain",
                **{f"gain {gain}": round(value, 2) for gain, value in scores[best].items()},
            },
            "licence": "MIT",
        }  # fmt: skip
        return checkpoints.save(output, candidates[best].eval(), card)


def learning_rate_factor(progress: float) -> float:
    """Linear warm-up over WARM_UP of the budget, then a cosine to 0."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def _bf16_pays(device_type: str) -> bool:
    """Whether convolutions run faster in bfloat16 here."""
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def _hardware(world: _World) -> str:
    if world.device != "cpu":
        name = torch.cuda.get_device_name()
    else:
        name = f"{torch.get_num_threads()} CPU threads ({platform.machine()})"
    return f"{world.size} x {name}" if world.size > 1 else name


def _validation_bursts(
    scenes: list[np.ndarray], frames: int, device: str, side: int = 128
) -> dict[int, Batch]:
    """Eight fixed bursts for each gain from scenes that training does not see."""
    bank = PhotoBank(scenes, min(side, PhotoBank.largest_crop(scenes)), device)
    return {gain: bank.batch(12345, 0, 8, frames, noise=noise) for gain, noise in GAINS.items()}


@torch.no_grad()
def _validate(network: Network, validation: dict[int, Batch]) -> dict[int, float]:
    """Mean PSNR by gain, in full precision."""
    scores = {}
    for gain, batch in validation.items():
        values = []
        for b in range(len(batch.truth)):
            frames, noise_map = batch.frames[b : b + 1], batch.noise_map[b : b + 1]
            prediction = network(frames, noise_map)
            image = prediction if isinstance(prediction, Tensor) else prediction.apply(frames)
            values.append(
                psnr(image[0].cpu().numpy(), batch.truth[b].cpu().numpy(), float(batch.white_level[b]))
            )
        scores[gain] = float(np.mean(values))
    return scores
