"""Every model that kpnviz knows, by name, and how a network is built from its config."""

from __future__ import annotations

import dataclasses

from kpnviz.models.kpn import DirectNetwork, KernelNetwork, ModelConfig
from kpnviz.models.matched import MatchingNetwork
from kpnviz.models.unet import MATCHING

Network = KernelNetwork | DirectNetwork | MatchingNetwork


def build(config: ModelConfig) -> Network:
    """The network of a config, with fresh weights."""
    if config.matching:
        return MatchingNetwork(config)
    return DirectNetwork(config) if config.direct else KernelNetwork(config)


ZOO: dict[str, ModelConfig] = {
    "kpn": ModelConfig(sizes=(5,), separable=False),
    "kpn-l1": ModelConfig(sizes=(1,)),
    "kpn-l3": ModelConfig(sizes=(3,)),
    "kpn-l5": ModelConfig(sizes=(5,)),
    "kpn-l7": ModelConfig(sizes=(7,)),
    "kpn-l9": ModelConfig(sizes=(9,)),
    "kpn-l11": ModelConfig(sizes=(11,)),
    "kpn-l13": ModelConfig(sizes=(13,)),
    "kpn-l25": ModelConfig(sizes=(25,)),
    "mkpn": ModelConfig(sizes=(1, 3, 5, 7, 9, 11)),
    # The ablations of the KPN paper.
    "kpn-1frame": ModelConfig(sizes=(5,), separable=False, frames=1),
    "kpn-no-anneal": ModelConfig(sizes=(5,), separable=False),
    "kpn-blind": ModelConfig(sizes=(5,), separable=False, noise_map=False),
    "kpn-direct": ModelConfig(sizes=(5,), separable=False, direct=True),
}

MATCHING_MODELS: dict[str, ModelConfig] = {
    f"{name}-matching": dataclasses.replace(config, matching=True, trunk=MATCHING)
    for name, config in ZOO.items()
    if name
    not in ("kpn-1frame", "kpn-no-anneal")  # one frame has nothing to match; none of these is annealed
}
"""The same models with matching. They can be trained; none ships yet."""

WITHOUT_ANNEALING = frozenset({"kpn-no-anneal", "kpn-direct"})
"""Trained on the basic loss alone: the ablation of annealing, and the model that has no parts to anneal."""


def config_of(name: str) -> ModelConfig:
    """The config of a model of the zoo, or of MATCHING_MODELS."""
    known = ZOO | MATCHING_MODELS
    if name not in known:
        raise ValueError(f"model {name!r} is not in the zoo: {', '.join(known)}")
    return known[name]


def title_of(name: str) -> str:
    """How a model is written for people: 'kpn-l5' -> 'KPN L5'."""
    family, _, variant = name.partition("-")
    if not variant:
        return family.upper() + (" 5×5" if family == "kpn" else "")
    return f"{family.upper()} {variant.upper() if variant[1:].isdigit() else variant}"
