"""Trained networks on disk: weights as fp16 safetensors, and a card beside them that says what they are."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kpnviz.limits import MAX_JSON_BYTES
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.zoo import STACKED_SUFFIX, ZOO, Network, build
from kpnviz.paths import CHECKPOINTS, locked, write_together
from kpnviz.text import escaped, one_line, visible

_SUFFIX = ".safetensors"

MAX_PARAMETERS = 100_000_000
"""Largest network that is read: 50 times those that ship; MKPN of the paper's widths has 35 million."""

_SCHEMA = {"name": str, "config": dict, "params": int, "bytes": int, "sha256": str}
"""Keys that a card must have, and of which type; all others are for people."""

_LATER = {"training": dict, "metrics": dict, "license": str}
"""Keys that it may have, and of which type."""


class CheckpointError(ValueError):
    """A checkpoint that is missing, damaged or not what its card says; the message names file and reason."""

    def __init__(self, message: str) -> None:
        super().__init__(escaped(message))


def folder() -> Path:
    """Where the checkpoints are: the environment variable KPNVIZ_CHECKPOINTS, else those that ship."""
    return Path(os.environ.get("KPNVIZ_CHECKPOINTS") or CHECKPOINTS)


def available() -> tuple[str, ...]:
    """Names of the models that have a checkpoint, in the order of the zoo; others follow by name."""
    found = {path.stem for path in folder().glob("*" + _SUFFIX)}
    return (*(name for name in ZOO if name in found), *sorted(found - set(ZOO)))


def current_name(name: str) -> str:
    """Today's name of a model that had another one before, so that old links and scripts still work.

    Before there was matching, all networks stacked their frames; those have names that end in -stacked now.
    """
    names = available()
    return name + STACKED_SUFFIX if name not in names and name + STACKED_SUFFIX in names else name


def save(path: Path, network: nn.Module, card: dict[str, Any]) -> dict[str, Any]:
    """Write weights (fp16) to `path` and the card to `path` with suffix .json; returns the card written.

    `network` is any module whose `config` has a `to_dict()`. The card gets its config and the weights' sha256, size and
    number of parameters.
    """
    path = Path(path)
    config: Any = network.config
    half = {
        name: value.detach().to("cpu", torch.float16).contiguous()
        for name, value in network.state_dict().items()
    }
    from safetensors.torch import save as save_tensors

    data = save_tensors(half, metadata={"format": "kpnviz 1"})
    card = {
        "name": path.stem,
        "config": config.to_dict(),
        "params": sum(value.numel() for value in half.values()),
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **card,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path):  # weights and card of one network, also where two are saved at once
        write_together({path: data, path.with_suffix(".json"): (json.dumps(card, indent=2) + "\n").encode()})
        return read_card(path)


def read_card(name: str | Path) -> dict[str, Any]:
    """The card of a model: a name of :func:`available`, or the path of a .safetensors file.

    It has name, config, params, bytes and sha256, and the config builds a network: else CheckpointError.
    """
    path = _path(name).with_suffix(".json")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_JSON_BYTES + 1)
        if len(data) > MAX_JSON_BYTES:
            raise CheckpointError(f"{path}: the card has more than {MAX_JSON_BYTES / 1e6:g} MB")
        card = json.loads(data)
        if not isinstance(card, dict):
            raise ValueError("it is not an object")
    except FileNotFoundError:
        raise CheckpointError(f"{path}: this checkpoint's card is missing") from None
    except CheckpointError:
        raise
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the card is not valid JSON ({one_line(error)})") from error
    if "licence" in card:  # the key's first spelling
        card["license"] = card.pop("licence")
    for key, kind in (_SCHEMA | _LATER).items():
        if key in card and (not isinstance(card[key], kind) or isinstance(card[key], bool)):
            raise CheckpointError(
                f"{path}: {key} is {visible(repr(card[key]))} in the card, not {_KINDS[kind]}"
            )
        if key not in card and key in _SCHEMA:
            raise CheckpointError(f"{path}: the card says no {key}")
    config_of(path, card)
    return card


_KINDS = {str: "a text", int: "a whole number", dict: "an object"}


def cards(tell: Callable[[str], object]) -> dict[str, dict[str, Any]]:
    """The card of each checkpoint that there is, by name; of one that cannot be read, `tell` gets a sentence."""
    if not folder().is_dir():
        raise CheckpointError(f"{folder()}: there is no such folder of checkpoints")
    found = {}
    for name in available():
        try:
            found[name] = read_card(name)
        except CheckpointError as error:
            tell(str(error))
    return found


def training_steps(card: dict[str, Any]) -> int | None:
    """How many steps of training a network has seen, with those of the weights that it started from; None where its
    card does not say."""
    training = card.get("training", {})
    steps, before = training.get("steps"), training.get("steps_before", 0)
    return steps + before if isinstance(steps, int) and isinstance(before, int) else None


def config_of(path: Path, card: dict[str, Any]) -> ModelConfig:
    """The config in a card; CheckpointError if it builds no network."""
    try:
        return ModelConfig.from_dict(card["config"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: the config builds no network ({one_line(error)})") from error


def load_network(name: str | Path) -> Network:
    """Rebuild a network from its card and load its weights, in float32, ready to predict.

    The file must have the sha256 of its card, be safetensors (a pickle is refused, unread), and hold
    finite weights of just the shapes that the config asks for: else CheckpointError.
    """
    path = _path(name)
    card = read_card(path)
    if path.stat().st_size > 4 * MAX_PARAMETERS + MAX_JSON_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size / 1e6:.0f} MB; no network here is as large")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.get("sha256"):
        said = str(card.get("sha256"))
        raise CheckpointError(
            f"{path}: its sha256 begins with {digest[:12]}, its card says {visible(said, 12)}"
        )
    config = config_of(path.with_suffix(".json"), card)
    with torch.device("meta"):  # shapes, without memory
        expected = {key: value.shape for key, value in build(config).state_dict().items()}
    parameters = sum(math.prod(shape) for shape in expected.values())
    if parameters > MAX_PARAMETERS:
        raise CheckpointError(
            f"{path.with_suffix('.json')}: the config has {parameters} parameters; up to {MAX_PARAMETERS} are read"
        )
    from safetensors import SafetensorError
    from safetensors.torch import load as load_tensors

    try:
        weights = load_tensors(data)
    except (SafetensorError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not a safetensors file ({one_line(error)}); pickles are not read"
        ) from error
    if set(weights) != set(expected):
        different = sorted(set(weights) ^ set(expected))
        raise CheckpointError(
            f"{path}: weights do not fit the config; missing or unknown: {', '.join(map(visible, different[:3]))}"
        )
    for key, value in weights.items():
        if value.shape != expected[key]:
            raise CheckpointError(
                f"{path}: {key} has shape {list(value.shape)}, the config needs {list(expected[key])}"
            )
        if not value.is_floating_point() or not bool(value.isfinite().all()):
            raise CheckpointError(f"{path}: {key} holds values that are not finite numbers")
    network = build(config)
    network.load_state_dict({key: value.float() for key, value in weights.items()})
    network.eval().requires_grad_(False)
    return network


def _path(name: str | Path) -> Path:
    path = Path(name)
    if path.suffix != _SUFFIX:
        path = folder() / f"{current_name(str(name))}{_SUFFIX}"
    if not path.is_file():
        names = ", ".join(available()) or "none"
        what = f"{path}: there is no such checkpoint"
        if Path(name).suffix != _SUFFIX:
            what = f"there is no network {visible(str(name))}"
        raise CheckpointError(f"{what}; available here: {names}")
    return path
