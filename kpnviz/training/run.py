"""A training run of any network: budget, rates, exact resume, several processes, log. What it learns is a Task."""

from __future__ import annotations

import contextlib
import copy
import csv
import dataclasses
import gc
import io
import math
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from kpnviz.paths import write_atomically
from kpnviz.text import escaped, one_line
from kpnviz.training.data import Batch, PhotoBank

WARM_UP = 0.02
"""Share of the run in which the learning rate rises linearly from 0."""

CONSTANT_WARM_UP = 300
"""Steps of that rise where the run has no end."""

LINE_EVERY = 60.0
"""Seconds from one line of the log to the next, where stderr is no terminal and shows no progress bar."""

SCHEDULES = ("cosine", "constant", "linear")


@dataclass(frozen=True)
class RunConfig:
    """How a network is trained. Budget: `steps`, or `minutes` of wall time, pauses not counted.

    batch, crop     bursts a step (over all processes), and their side in pixels
    learning_rate   peak; None: the task's own
    schedule        of the rate after its rise: a "cosine" to 0, "linear" to 0, or "constant", for a run that others
                    start from: it may be stopped, or go on, at any step
    ema             decay of the weights' moving average, which is kept if it measures better
    """

    photos: Path
    steps: int | None = None
    minutes: float | None = None
    batch: int = 8
    crop: int = 64
    learning_rate: float | None = None
    schedule: str = "cosine"
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    ema: float = 0.999
    seed: int = 0
    precision: str = "auto"
    validate_every: int = 1000
    save_every: int = 500

    def __post_init__(self) -> None:
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
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule is {self.schedule!r}; choose {', '.join(SCHEDULES)}")

    @property
    def resumable_part(self) -> dict:
        """What must be the same for a run to go on where it stopped."""
        values = dataclasses.asdict(self)
        free = ["photos", "save_every", "validate_every"]
        if self.schedule == "constant":
            free += ["steps", "minutes"]
        for name in free:
            values.pop(name)
        return {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}

    def of_state(self, kept: dict) -> dict:
        """What a state says of `resumable_part`; before a setting existed, runs did what its default says."""
        defaults = {field.name: field.default for field in dataclasses.fields(self)}
        return {
            key: defaults[key]
            for key in self.resumable_part
            if defaults.get(key, dataclasses.MISSING) is not dataclasses.MISSING
        } | kept


class Task(Protocol):
    """What a run learns."""

    @property
    def name(self) -> str: ...

    @property
    def network(self) -> nn.Module: ...

    @property
    def learning_rate(self) -> float:
        """Peak rate where the config names none."""

    @property
    def in_parts(self) -> bool:
        """Whether a step may leave some parameters without a gradient."""

    def optimizers(self, config: RunConfig, learning_rate: float) -> list[torch.optim.Optimizer]:
        """What takes the steps; each group of parameters has a `rate` relative to the run's."""

    def batch(self, bank: PhotoBank, config: RunConfig, step: int, world: World) -> Batch:
        """Batch number `step`, this process's share: a function of seed and step alone."""

    def loss(self, model: nn.Module, batch: Batch, step: int, progress: float) -> tuple[Tensor, float]:
        """The loss of a batch, and what its gradient is divided by. `model` is the network, perhaps wrapped."""

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Measurements for the log; of the first, more is better, and it decides which weights are kept."""


@dataclass(frozen=True)
class World:
    """This process's place among those that torchrun started (or alone)."""

    rank: int
    size: int
    device: str

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def hardware(self) -> str:
        """For a checkpoint's card."""
        if self.device != "cpu":
            name = torch.cuda.get_device_name()
        else:
            name = f"{torch.get_num_threads()} CPU threads ({platform.machine()})"
        return f"{self.size} x {name}" if self.size > 1 else name


@contextlib.contextmanager
def world_of_processes() -> Iterator[World]:
    """Join the processes that torchrun started, if it did."""
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = "cpu"
    if torch.cuda.is_available():
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}"
        torch.cuda.set_device(device)
    if size > 1:
        dist.init_process_group("nccl" if device != "cpu" else "gloo")
    try:
        yield World(rank, size, device)
    finally:
        if size > 1:
            # DistributedDataParallel refers to itself. Still there when Python ends, it aborts the process.
            gc.collect()
            dist.destroy_process_group()


class Run:
    """Trains `task.network`. The state is kept in `folder`, and a run that finds one there goes on with it."""

    def __init__(self, config: RunConfig, folder: Path, world: World, task: Task) -> None:
        if config.batch % world.size:
            raise ValueError(f"batch is {config.batch}; it must be a multiple of the {world.size} processes")
        self.config, self.folder, self.world, self.task = config, folder, world, task
        self.network = task.network.to(world.device)
        self.averaged = torch.optim.swa_utils.AveragedModel(
            self.network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(config.ema)
        )
        self.rate = config.learning_rate or task.learning_rate
        self.optimizers = task.optimizers(config, self.rate)
        self.step, self.seconds = 0, 0.0
        self.saved: int | None = None  # step of the state on disk
        self.log: list[dict] = []
        if self._state_file.exists():
            self._resume()

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.pt"

    def train(self, bank: PhotoBank, show_progress: bool) -> None:
        """Spend the budget."""
        config, world, network = self.config, self.world, self.network
        model: nn.Module = network
        if world.size > 1:
            model = DistributedDataParallel(network, find_unused_parameters=self.task.in_parts)
        if not self.step and world.is_main:
            self._save()
        losses: list[Tensor] = []
        show = show_progress and world.is_main
        in_lines = show and not sys.stderr.isatty()
        if show and self.step:
            self._say(f"resumed at step {self.step}")
        bar = tqdm(total=1.0, initial=self._progress(), disable=in_lines or not show,
                   bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}")  # fmt: skip
        bar.set_description(self.task.name)
        said = time.monotonic()
        while (progress := self._progress()) < 1:
            begun = time.perf_counter()
            loss = self._step(model, bank, progress)
            if world.is_main:  # which alone writes the log, and forgets them when it has
                losses.append(loss)
            self.seconds += time.perf_counter() - begun
            reached = self._progress()
            done = reached >= 1
            if in_lines and (done or time.monotonic() - said >= LINE_EVERY):
                said = time.monotonic()
                self._check_finite(losses)
                mean, each = torch.stack(losses[-100:]).mean().item(), self.seconds / self.step
                self._say(f"step {self.step}, {min(reached, 1):.0%}, loss {mean:.4g}, {each:.2g} s a step")
            measure = self.step % config.validate_every == 0 or done
            if world.is_main and (measure or self.step % config.save_every == 0):
                self._check_finite(losses)
                measured = self._record(torch.stack(losses).mean().item(), progress) if measure else {}
                self._save()  # the state first: where the disk is full, it is worth more than the log
                if measure:
                    self._write_log()
                    losses.clear()
                    bar.set_postfix({"step": self.step, **measured})
                if measure and in_lines:
                    figures = ", ".join(f"{name} {value:.4g}" for name, value in measured.items())
                    self._say(f"step {self.step}, measured: {figures}")
            bar.update(min(self._progress(), 1) - bar.n)
        bar.close()

    def _say(self, message: str) -> None:
        print(f"{self.task.name}: {message}", file=sys.stderr, flush=True)

    def best(self) -> tuple[str, nn.Module, dict[str, float]]:
        """The last weights or their moving average, whichever measures better: name, network, measurements."""
        candidates = {"last": self.network, "moving average": self.averaged.module}
        scores = {name: self.task.validate(network) for name, network in candidates.items()}
        name = max(scores, key=lambda name: next(iter(scores[name].values())))
        return name, candidates[name], scores[name]

    def card(self, weights: str) -> dict:
        """How the network was trained, for its checkpoint."""
        config = self.config
        warm_up = f"{CONSTANT_WARM_UP} steps of" if config.schedule == "constant" else f"{WARM_UP:.0%}"
        return {
            "steps": self.step,
            "minutes": round(self.seconds / 60, 1),
            "batch": config.batch,
            "crop": config.crop,
            "learning_rate": f"peak {self.rate:g}, {warm_up} warm-up then {config.schedule}; gradient norm "
            f"clipped at {config.clip_norm:g}",
            "weights": f"{weights} of the run (moving average: decay {config.ema:g})",
            "seed": config.seed,
            "hardware": self.world.hardware,
            "torch": torch.__version__,
        }

    def _progress(self) -> float:
        """Share of the budget that is used, 0..1; the same in all processes, all of which must call it."""
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
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.rate * group["rate"] * self._rate_factor(progress)
        batch = self.task.batch(bank, config, self.step, world)
        kind = torch.device(world.device).type
        bf16 = config.precision == "bf16" or (config.precision == "auto" and _bf16_pays(kind))
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=bf16):
            loss, scale = self.task.loss(model, batch, self.step, progress)
        (loss / scale).backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), config.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.averaged.update_parameters(self.network)
        self.step += 1
        return loss.detach()

    def _rate_factor(self, progress: float) -> float:
        if self.config.schedule == "constant":
            return min((self.step + 1) / CONSTANT_WARM_UP, 1)
        return learning_rate_factor(progress, self.config.schedule)

    def _record(self, loss: float, progress: float) -> dict[str, float]:
        # At a constant rate the weights wander about their average, which is then what the run is good for.
        constant = self.config.schedule == "constant"
        measured = self.task.validate(self.averaged.module if constant else self.network)
        self.log.append(
            {
                "step": self.step,
                "seconds": round(self.seconds, 1),
                "learning_rate": self.rate * self._rate_factor(progress),
                "loss": loss,
                **measured,
            }
        )
        return measured

    def _write_log(self) -> None:
        text = io.StringIO()
        # (Lines of an earlier version may have other columns.)
        writer = csv.DictWriter(text, dict.fromkeys(name for line in self.log for name in line))
        writer.writeheader()
        writer.writerows(self.log)
        write_atomically(self.folder / "log.csv", text.getvalue().encode())

    def _check_finite(self, losses: list[Tensor]) -> None:
        """ValueError where the run has diverged, so that nothing of it takes the place of the last good state.

        losses  of the last steps
        """
        values = torch.stack(losses)
        bad = (~values.isfinite()).nonzero().flatten().tolist()
        if bad:
            found = f"loss is {values[bad[0]].item():g} at step {self.step - len(losses) + bad[0] + 1}"
        elif not _is_finite(self.network):
            found = f"the weights are not finite after step {self.step}"
        else:
            return
        raise ValueError(
            f"{escaped(self.folder)}: {found}; the state of step {self.saved} is kept; start afresh with a "
            f"--learning-rate below {self.rate:g}"
        )

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
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }
        torch.save(state, buffer)
        try:
            write_atomically(self._state_file, buffer.getvalue())
        except OSError as error:
            kept = "there is none yet" if self.saved is None else f"that of step {self.saved} is kept"
            raise OSError(
                f"{escaped(self._state_file)}: the state of step {self.step} cannot be written "
                f"({error.strerror}); {kept}"
            ) from error
        self.saved = self.step

    def _resume(self) -> None:
        try:
            state = torch.load(self._state_file, map_location=self.world.device, weights_only=True)
            was, now = self.config.of_state(state["config"]), self.config.resumable_part
        except Exception as error:
            raise self._not_resumable(error) from error
        changed = [
            f"{key} was {was.get(key)!r}, is {now.get(key)!r}"
            for key in {**was, **now}
            if was.get(key) != now.get(key)
        ]
        if changed:
            raise ValueError(
                f"{escaped(self._state_file)}: a run of another config is kept there ({'; '.join(changed)}); "
                "move it away to start afresh"
            )
        try:
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.log = [dict(line) for line in state["log"]]
            self.network.load_state_dict(state["network"])
            self.averaged.load_state_dict(state["averaged"])
            for optimizer, values in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(values)
        except Exception as error:
            raise self._not_resumable(error) from error
        if not _is_finite(self.network):
            raise self._not_resumable(ValueError("its weights are not finite"))
        self.saved = self.step

    def _not_resumable(self, error: Exception) -> ValueError:
        why = f"it has no {error}" if isinstance(error, KeyError) else one_line(error)
        return ValueError(
            f"{escaped(self._state_file)}: the run cannot be resumed ({why}); move it away to start afresh"
        )


def _is_finite(network: nn.Module) -> bool:
    return all(bool(value.isfinite().all()) for value in network.state_dict().values())


def learning_rate_factor(progress: float, schedule: str = "cosine") -> float:
    """Linear warm-up over WARM_UP of the budget, then a cosine or a line to 0."""
    if progress < WARM_UP:
        return max(progress / WARM_UP, 1e-3)
    rest = (progress - WARM_UP) / (1 - WARM_UP)
    return 1 - rest if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * rest))


@torch.enable_grad()  # else compiled loops may take the layers' place (models/unet.py), and no hook is called
def dead_share(network: nn.Module, inputs: Sequence[tuple[Tensor, ...]]) -> float:
    """Share of the trunk's ReLU channels that are 0 (or, with a leak, below) everywhere on all of `inputs`."""
    network = copy.deepcopy(network)  # hooks must not stay behind
    alive: dict[int, Tensor] = {}

    def note(number: int, output: Tensor) -> None:
        fires = (output > 0).flatten(2).any(2).any(0)
        alive[number] = alive[number] | fires if number in alive else fires

    for number, layer in enumerate(m for m in network.modules() if isinstance(m, nn.ReLU | nn.LeakyReLU)):
        layer.register_forward_hook(lambda _layer, _in, output, number=number: note(number, output))
    for arguments in inputs:
        network(*arguments)
    return 1 - torch.cat(list(alive.values())).float().mean().item()


def _bf16_pays(device_type: str) -> bool:
    """Whether convolutions run faster in bfloat16 here."""
    if device_type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
