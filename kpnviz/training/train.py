"""Training the zoo: `kpnviz train MODEL | --all | --shared`, on CPU, one GPU, or several processes (torchrun)."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from kpnviz.analysis.kernel_stats import centroid
from kpnviz.analysis.metrics import psnr
from kpnviz.kernels import KernelField
from kpnviz.models import checkpoints
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.matched import MatchingNetwork
from kpnviz.models.unet import TRUNKS, UNet
from kpnviz.models.zoo import MATCHED, SHIPPED, STACKED, WITHOUT_ANNEALING, WRONG_NOISE, build, config_of
from kpnviz.noise import GAINS
from kpnviz.paths import check_output, held
from kpnviz.photos import find_photos
from kpnviz.text import escaped, one_line
from kpnviz.training import optimizers
from kpnviz.training.data import MOTIONS, Batch, PhotoBank
from kpnviz.training.losses import LAMBDA_1, annealed_loss, annealing_weight, basic_loss
from kpnviz.training.run import Run, RunConfig, World, dead_share, world_of_processes

SHARED = "shared"
"""The run in which networks that match are trained together, and its folder."""

VALIDATED = "mkpn"
"""The network that is measured while the shared run goes on."""

FRAMES = (2, 8)
"""Fewest and most frames of a burst that such networks are trained on."""

LEAST_VALIDATED = 16
"""Pixels a side of the smallest burst for validation: the part of it whose kernels are looked at."""

MAX_WRONG = 1.5
"""Factor by which the assumed noise of a burst is too large or too small at most, where it is wrong."""

_LOG_FLOOR = 1e-5
_DRAWN = 1  # with seed and step, the stream of what a step draws
_WRONG = 3  # the same, of what noise is assumed (2: whose turn a step of the shared run is)


@dataclass(frozen=True)
class TrainingConfig(RunConfig):
    """A training run of a model of the zoo.

    model      a name of the zoo, or SHARED
    trunk      preset of the trunk; None: the model's own
    lambda_1   weight of the intensity term of the basic loss, the gradient term has the rest; None: the recipe's own
    start      folder of the checkpoints of a shared run, from which a network that matches starts; None: random weights
    wrong_noise   share of the bursts whose assumed noise is wrong: a network that matches is told f times their true
               standard deviation, f log-uniform between 1 / MAX_WRONG and MAX_WRONG; None: the model's own share
               (zoo.WRONG_NOISE)
    """

    model: str = ""
    trunk: str | None = None
    lambda_1: float | None = None
    start: Path | None = None
    wrong_noise: float | None = None

    @property
    def told_wrong(self) -> float:
        """`wrong_noise`, or the model's own share."""
        return WRONG_NOISE.get(self.model, 0.0) if self.wrong_noise is None else self.wrong_noise

    @property
    def resumable_part(self) -> dict:
        values = super().resumable_part
        del values["wrong_noise"]
        return {**values, "told_wrong": self.told_wrong}

    def of_state(self, kept: dict) -> dict:
        kept = super().of_state(kept)
        # Older states say wrong_noise, where 0 was the model's own share.
        older = kept.pop("wrong_noise", 0) or WRONG_NOISE.get(self.model, 0.0)
        return {"told_wrong": older, **kept}

    def __post_init__(self) -> None:
        if self.wrong_noise is not None and not 0 <= self.wrong_noise <= 1:
            raise ValueError(f"wrong_noise is {self.wrong_noise!r}; it is a share of the bursts, 0 to 1")
        if self.wrong_noise and self.model in STACKED:
            raise ValueError(
                f"wrong_noise is {self.wrong_noise:g}, but {self.model} does not match: it is told the true noise"
            )
        shared = self.model == SHARED
        if self.start is not None and (shared or not config_of(self.model).matching):
            which = "a shared run" if shared else f"{self.model} does not match: it"
            raise ValueError(f"start is {str(self.start)!r}, but {which} starts at random")
        if not shared:
            config_of(self.model)  # an error if there is none
        if self.schedule == "constant" and self.model in STACKED and self.model not in WITHOUT_ANNEALING:
            raise ValueError(
                f"schedule is 'constant', but the loss of {self.model} is annealed over a run whose end is known; "
                "choose cosine or linear"
            )
        if self.trunk is not None and self.trunk not in TRUNKS:
            raise ValueError(f"trunk is {self.trunk!r}; choose {' or '.join(TRUNKS)}")
        super().__post_init__()


def train(config: TrainingConfig, runs: Path, output: Path | None = None, show_progress: bool = True) -> dict:
    """Train a model, and write its checkpoint to `output`; returns the card.

    A shared run writes a checkpoint for each of its networks into the folder `output`, else into its own; it returns
    the card of MKPN, which is the one that is validated.

    The state of the run is kept in runs/MODEL/: killed at any moment and started again with the same config, it
    goes on where it was last saved, and with a budget in steps ends with the same weights (batch number t is
    a function of seed and t). A state of another config is an error, never overwritten; so is a run that another
    process is at. Loss and validation, on photos held out of training, go to log.csv there.
    """
    photos = find_photos(config.photos)  # an error before anything is begun
    folder = Path(runs) / config.model
    outputs = _outputs(config, folder, output)
    _check_outputs(outputs)
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(world_of_processes())
        torch.manual_seed(config.seed)
        task = _task(config)
        # Photos that do not fit are an error before the run's folder is made.
        bank, held_out = PhotoBank.from_folder(config.photos, config.crop, world.device)
        bank.check_motions(task.motions)
        task.prepare(held_out, world.device)
        if world.is_main:
            stack.enter_context(held(folder))
        run = Run(config, folder, world, task)
        run.train(bank, show_progress)
        if not world.is_main:
            return {}
        weights, network, measured = run.best()
        card = {"training": {**run.card(weights), **task.card()}, "license": "MIT"}
        side = next(iter(task.validation.values())).truth.shape[-1]
        which = (
            f"held-out training photos ({len(held_out)})" if len(photos) > 1 else "the only training photo"
        )
        metrics = {
            "validation": f"on {which}, {side}x{side}",
            **{key: round(value, 3) for key, value in measured.items()},
        }
        if isinstance(network, SharedNetworks):
            written = {}
            for name, one in network.networks.items():
                own = {**card, "metrics": metrics} if name == VALIDATED else card
                written[name] = checkpoints.save(outputs[name], one.eval(), own)
            return written[VALIDATED]
        return checkpoints.save(outputs[config.model], network.eval(), {**card, "metrics": metrics})


def _task(config: TrainingConfig) -> _Stacked | _Matching | _Shared:
    if config.model == SHARED:
        return _Shared(config)
    return (_Matching if config_of(config.model).matching else _Stacked)(config)


def _outputs(config: TrainingConfig, folder: Path, output: Path | None) -> dict[str, Path]:
    """The checkpoints that a run writes, by model."""
    if config.model == SHARED:
        return {name: (output or folder) / f"{name}.safetensors" for name in shared_models()}
    return {config.model: output or checkpoints.folder() / f"{config.model}.safetensors"}


def _check_outputs(outputs: dict[str, Path]) -> None:
    """ValueError for a checkpoint that could not be written, or not be read: said before the first step."""
    for path in outputs.values():
        if path.suffix != ".safetensors":
            raise ValueError(f"output: {str(path)!r} does not end in .safetensors, as a checkpoint does")
        for file in (path, path.with_suffix(".json")):
            check_output(file, makes_folder=True)


def train_all(
    config: TrainingConfig,
    runs: Path,
    folder: Path,
    show_progress: bool = True,
    start: Path | None = None,
) -> dict[str, dict]:
    """Train every model that ships with the same config; returns the cards by name.

    `config.model` is ignored, and a budget is that of each model. Models whose run in `runs` is complete are not
    trained again. Networks that match begin with the weights of the shared run in `start`, if there is one.
    """
    configs = {
        name: dataclasses.replace(config, model=name, start=start if config_of(name).matching else None)
        for name in SHIPPED
    }
    # What one of them cannot have is said now, not when its turn comes, after hours.
    _check_outputs({name: folder / f"{name}.safetensors" for name in configs})
    for own in configs.values():
        _task(own)
    return {
        name: train(own, runs, folder / f"{name}.safetensors", show_progress) for name, own in configs.items()
    }


def _configured(config: TrainingConfig, name: str) -> ModelConfig:
    model = config_of(name)
    return dataclasses.replace(
        model, trunk=TRUNKS[config.trunk or ("matching" if model.matching else "base")]
    )


class _Stacked:
    """A model whose trunk sees the stacked frames: the papers' recipe, shake by whole pixels."""

    learning_rate = 5e-3
    """Of the layers with the fewest inputs. With it, KPN L5 was at 32.3 dB on held-out photos after 9,000 of 12,000
    steps, with 2e-3 at 32.0 dB.
    """
    in_parts = False
    motions: tuple[str, ...] = ("whole-pixel",)
    darkest = 0.1
    """Least white level of a burst: that of the KPN paper."""
    usual_lambda_1 = LAMBDA_1

    def __init__(self, config: TrainingConfig) -> None:
        model = _configured(config, config.model)
        self.name, self.config, self.frames = config.model, config, model.frames
        self.lambda_1 = self.usual_lambda_1 if config.lambda_1 is None else config.lambda_1
        self.network: nn.Module = build(model)
        self.validation: dict[str, Batch] = {}

    def prepare(self, held_out: list[np.ndarray], device: str) -> None:
        """Make the validation bursts from scenes that training does not see."""
        self.validation = validation_bursts(held_out, self.frames, device, self.motions)

    def optimizers(self, config: RunConfig, learning_rate: float) -> list[torch.optim.Optimizer]:
        return optimizers.adamw(self.network, learning_rate, config.weight_decay)

    def batch(self, bank: PhotoBank, config: RunConfig, step: int, world: World) -> Batch:
        return bank.batch(config.seed, step, config.batch, self.frames, world.rank, world.size)

    def loss(self, model: nn.Module, batch: Batch, step: int, progress: float) -> tuple[Tensor, float]:
        """Of the picture, white level divided out; early in the run also of each frame's and size's part."""
        lambda_1, white = self.lambda_1, batch.white_level
        annealing = 0.0 if self.name in WITHOUT_ANNEALING else annealing_weight(progress)
        prediction = model(batch.frames, batch.read_std, batch.shot_gain)
        with torch.autocast(batch.frames.device.type, enabled=False):
            if annealing == 0:  # only the mean is needed: faster
                return picture_loss(prediction, batch, lambda_1).mean(), 1.0
            truth = batch.truth / white[:, None, None]
            parts = prediction.apply(batch.frames, reduce="none") / white[:, None, None, None, None]
            loss = annealed_loss(parts, truth, annealing, lambda_1=lambda_1)
            # The annealed sum starts 100 N |S| times larger than it ends, and AdamW's memory of such
            # gradients would hold the step size down long after annealing.
            return loss, 1 + annealing * parts.shape[1] * parts.shape[2]

    def validate(self, network: nn.Module) -> dict[str, float]:
        return validate(network, self.validation)

    def _data(self) -> str:
        return (
            f"{self.config.photos.name}: photos box-reduced in linear light, made into bursts on the fly; read_std in "
            f"10^[-3, -1.5], shot_gain in 10^[-4, -2], white level in 10^[{np.log10(self.darkest):g}, 0]"
        )

    def card(self) -> dict:
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames, shake by whole pixels"
        return {
            "start": "random weights",
            "optimizer": f"AdamW, betas (0.9, 0.99), learning rate x min(1, {optimizers.FULL_RATE_FAN_IN} / fan-in), "
            f"biases x {optimizers.BIAS_RATE:g}; weight decay {self.config.weight_decay:g}",
            "loss": f"lambda_1 {self.lambda_1:g}, after the sRGB transfer, white level divided out",
            "annealing": "none"
            if self.name in WITHOUT_ANNEALING
            else "beta 100, alpha such that the weight is 0.001 after a fifth of the run",
            "data": f"{self._data()}; {frames}",
        }


class _Matching(_Stacked):
    """A model that is shown matching costs: all motions, 2 to 8 frames."""

    learning_rate = 2e-3
    motions = MOTIONS
    darkest = 10**-1.5
    """In units of the noise a dark burst is a noisy one: of white 1, gains 8 and 16 would hardly occur."""
    usual_lambda_1 = 0.99

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        self.start, self.steps_before = "random weights", 0
        if config.start is not None:
            self.start, self.steps_before = start_from(config.start, config.model, self.network)

    def optimizers(self, config: RunConfig, learning_rate: float) -> list[torch.optim.Optimizer]:
        return optimizers.muon(self.network, learning_rate)

    def batch(self, bank: PhotoBank, config: RunConfig, step: int, world: World) -> Batch:
        rng = np.random.default_rng([config.seed, step, _DRAWN])
        frames, motion = int(rng.integers(*FRAMES, endpoint=True)), MOTIONS[rng.integers(len(MOTIONS))]
        batch = bank.batch(
            config.seed,
            step,
            config.batch,
            frames,
            world.rank,
            world.size,
            motion=motion,
            darkest=self.darkest,
        )
        if self.config.told_wrong > 0:
            rng = np.random.default_rng([config.seed, step, _WRONG])
            wrong = rng.random(config.batch) < self.config.told_wrong
            factors = np.where(wrong, MAX_WRONG ** rng.uniform(-1, 1, config.batch), 1)
            mine = factors.reshape(world.size, -1)[world.rank]
            factor = torch.from_numpy(mine).to(batch.read_std)
            batch = dataclasses.replace(
                batch, read_std=batch.read_std * factor, shot_gain=batch.shot_gain * factor**2
            )
        return batch

    def loss(self, model: nn.Module, batch: Batch, step: int, progress: float) -> tuple[Tensor, float]:
        """Logarithm of each burst's loss: in a plain mean, dark and noisy bursts drown all others."""
        prediction = model(batch.frames, batch.read_std, batch.shot_gain)
        with torch.autocast(batch.frames.device.type, enabled=False):
            return (picture_loss(prediction, batch, self.lambda_1) + _LOG_FLOOR).log().mean(), 1.0

    def card(self) -> dict:
        share = self.config.told_wrong
        wrong = f"; in {share:g} of them the assumed noise is up to {MAX_WRONG:g} times off" if share else ""
        return {
            **super().card(),
            "start": self.start,
            "steps_before": self.steps_before,
            "annealing": "none",
            "optimizer": "Muon (momentum 0.95, weight decay 0.01) for inner convolutions, AdamW at half the rate for "
            "the last ones, biases and scales",
            "loss": f"mean of log(basic loss + {_LOG_FLOOR:g}); lambda_1 {self.lambda_1:g}, after the sRGB "
            "transfer, white level divided out",
            "data": f"{self._data()}; {FRAMES[0]} to {FRAMES[1]} frames; a third each of bursts shaken by whole "
            "pixels, by half pixels, and by half pixels with one to three moving objects" + wrong,
        }


class _Shared(_Matching):
    """All kernel-predicting networks that match, with one trunk; at every step one of them is drawn."""

    in_parts = True

    def __init__(self, config: TrainingConfig) -> None:
        self.name, self.config, self.frames = SHARED, config, 8
        self.start, self.steps_before = "random weights", 0
        self.lambda_1 = self.usual_lambda_1 if config.lambda_1 is None else config.lambda_1
        self.names = shared_models()
        trunk = TRUNKS[config.trunk or "matching"]
        self.network = SharedNetworks({n: dataclasses.replace(config_of(n), trunk=trunk) for n in self.names})
        self.validation = {}

    def drawn(self, step: int) -> str:
        """The model whose turn a step is: each once, in an order that changes from round to round."""
        turn, place = divmod(step, len(self.names))
        order = np.random.default_rng([self.config.seed, turn, _DRAWN + 1]).permutation(len(self.names))
        return self.names[order[place]]

    def loss(self, model: nn.Module, batch: Batch, step: int, progress: float) -> tuple[Tensor, float]:
        name = self.drawn(step)

        def one(*arguments: Tensor) -> KernelField:
            return model(name, *arguments)

        return super().loss(one, batch, step, progress)  # type: ignore[arg-type]

    def validate(self, network: nn.Module) -> dict[str, float]:
        assert isinstance(network, SharedNetworks)
        return validate(network.networks[VALIDATED], self.validation)

    def card(self) -> dict:
        return {**super().card(), "shared": f"one trunk, a step for each in turn: {', '.join(self.names)}"}


class SharedNetworks(nn.Module):
    """Networks of one trunk, by name."""

    def __init__(self, configs: dict[str, ModelConfig]) -> None:
        super().__init__()
        first = next(iter(configs.values()))
        self.trunk: UNet = MatchingNetwork(first).trunk
        self.networks = nn.ModuleDict({name: MatchingNetwork(c, self.trunk) for name, c in configs.items()})
        self.float()  # whatever PyTorch's default dtype is

    def forward(self, name: str, frames: Tensor, read_std: Tensor, shot_gain: Tensor) -> KernelField:
        result: KernelField = self.networks[name](frames, read_std, shot_gain)
        return result


def shared_models() -> list[str]:
    """The models that a shared run trains: those that match, predict kernels and are told the true noise."""
    return [n for n, c in MATCHED.items() if c.noise_map and not c.direct and n not in WRONG_NOISE]


def start_from(folder: Path, model: str, network: nn.Module) -> tuple[str, int]:
    """Give a network the weights that a shared run wrote for it, or that were trained from those.

    Returns which these are, in words, and after how many steps.

    A network that the run did not train takes those of one with the same sizes, or else the same largest kernel, as far
    as they fit: MKPN for MKPN robust, KPN 5x5 for its ablations, L25 for MKPN 25.
    """
    config = config_of(model)
    alike = [
        name
        for name, other in ((name, config_of(name)) for name in shared_models())
        if (max(other.sizes), other.separable) == (max(config.sizes), config.separable)
    ]
    alike.sort(key=lambda name: (name != model, config_of(name).sizes != config.sizes))
    there = [name for name in alike if (Path(folder) / f"{name}.safetensors").exists()]
    file = Path(folder) / f"{(there or alike or [model])[0]}.safetensors"
    try:
        found, card = checkpoints.load_network(file), checkpoints.read_card(file)
        training = card["training"]
        steps, before = int(training["steps"]), str(training["start"])
        total: int = checkpoints.training_steps(card) or steps
    except (checkpoints.CheckpointError, KeyError, ValueError) as error:
        raise ValueError(f"start: {str(folder)!r} holds no shared run ({one_line(error)})") from error
    own = network.state_dict()
    fitting = _fitting(found, network)
    if not fitting or (file.stem == model and len(fitting) < len(own)):
        raise ValueError(f"start: {escaped(file)} has no weights that fit {model}")
    network.load_state_dict({**own, **fitting})
    if "shared" in training:
        whose = "" if file.stem == model else f", those of {file.stem} as far as they fit"
        return f"the weights of {steps} steps in which networks that match shared a trunk{whose}", total
    return f"the weights of {file.stem}, {steps} steps from {before}", total


def _fitting(found: nn.Module, network: nn.Module) -> dict[str, Tensor]:
    """The weights of one network as far as they fit another: those of the same name and shape; and of layers with a row
    for each factor, the rows of the kernel sizes that both have. The other rows stay as they are."""
    own, fitting = network.state_dict(), {}
    rows, own_rows = (_rows(n.config) for n in (found, network))  # type: ignore[arg-type]
    for name, value in found.state_dict().items():
        if name in own and own[name].shape == value.shape:
            fitting[name] = value
        elif name in own and (layer := name.split(".")[0]) in rows and layer in own_rows:
            both = [row for row in own_rows[layer] if row in rows[layer]]
            source, place = ([of[layer].index(row) for row in both] for of in (rows, own_rows))
            fitting[name] = own[name].clone()
            fitting[name][place] = value[source]
    return fitting


def _rows(config: ModelConfig) -> dict[str, list]:
    """What the rows of the layers stand for whose number of rows depends on the kernel sizes."""
    if config.direct or not config.separable:
        return {}
    factors = [(size, axis, tap) for size in config.sizes for axis in "yx" for tap in range(size)]
    logits = [("logit", row) for row in range(2 * max(config.sizes))]
    head = [*factors, *logits, "trust"]
    return {"head": head, "reference_head": head, "size_sharpness": list(config.sizes)}


def picture_loss(prediction: KernelField | Tensor, batch: Batch, lambda_1: float) -> Tensor:
    """Basic loss of each burst's picture, white level divided out: [B]."""
    image = prediction if isinstance(prediction, Tensor) else prediction.apply(batch.frames)
    white = batch.white_level[:, None, None]
    return basic_loss(image / white, batch.truth / white, lambda_1)


@torch.no_grad()
def validate(network: nn.Module, bursts: dict[str, Batch]) -> dict[str, float]:
    """Mean PSNR over all bursts, dB, of each kind; alignment: the slope of centroids on true shifts; dead units."""
    scores, centers, shifts = {}, [], []
    for kind, batch in bursts.items():
        values = []
        for one in (batch.one(b) for b in range(len(batch.truth))):
            prediction = network(one.frames, one.read_std, one.shot_gain)
            image = prediction if isinstance(prediction, Tensor) else prediction.apply(one.frames)
            values.append(psnr(image[0].cpu().numpy(), one.truth[0].cpu().numpy(), float(one.white_level)))
            if isinstance(prediction, KernelField) and prediction.frames > 1:
                middle = prediction.height // 2
                kernels = prediction.region(middle - 8, middle + 8, middle - 8, middle + 8)
                moved = centroid(kernels[1:])  # [N-1, 16, 16, 2]
                centers.append(moved.mean((1, 2)))
                shifts.append(one.shifts[0, 1:].cpu().numpy())
        scores[kind] = float(np.mean(values))
    return {
        "psnr": float(np.mean(list(scores.values()))),
        **scores,
        **({"alignment": _slope(np.concatenate(centers), np.concatenate(shifts))} if centers else {}),
        "dead": dead_share(network, [(b.frames, b.read_std, b.shot_gain) for b in bursts.values()]),
    }


def _slope(seen: np.ndarray, true: np.ndarray) -> float:
    """Regression of seen on true shifts [..., 2] within 2 pixels: 1 if all are followed, 0 if none is."""
    near = np.abs(true).max(-1) <= 2
    return float((seen[near] * true[near]).sum() / max(np.square(true[near]).sum(), 1e-9))


def validation_bursts(
    scenes: list[np.ndarray],
    frames: int,
    device: str,
    motions: tuple[str, ...] = ("whole-pixel",),
    side: int = 128,
) -> dict[str, Batch]:
    """Fixed bursts from scenes that training does not see: eight for each gain, four if there are several motions.

    Smaller than `side` where a scene is. ValueError for a scene that is too small for bursts of LEAST_VALIDATED pixels.
    """
    side = min(side, PhotoBank.largest_crop(scenes))
    if side < LEAST_VALIDATED:
        smallest, needed = min(min(s.shape) for s in scenes), LEAST_VALIDATED - side
        raise ValueError(
            f"photos: one of {smallest} pixels a side is kept for validation, which needs {smallest + 2 * needed}"
        )
    bank = PhotoBank(scenes, side, device)
    count = 8 if len(motions) == 1 else 4
    return {
        f"gain {gain}" if len(motions) == 1 else f"{motion} gain {gain}": bank.batch(
            12345, 0, count, frames, noise=noise, motion=motion
        )
        for motion in motions
        for gain, noise in GAINS.items()
    }
