"""Every model that kpnviz knows, by name, and how a network is built from its config."""

from __future__ import annotations

import dataclasses

from kpnviz.models.kpn import DirectNetwork, KernelNetwork, ModelConfig
from kpnviz.models.matched import MatchingNetwork
from kpnviz.models.unet import MATCHING

Network = KernelNetwork | DirectNetwork | MatchingNetwork


def build(config: ModelConfig) -> Network:
    """The network of a config, with fresh weights, in float32 whatever PyTorch's default dtype is."""
    if config.matching:
        return MatchingNetwork(config).float()
    return (DirectNetwork(config) if config.direct else KernelNetwork(config)).float()


_TABLE_1: dict[str, ModelConfig] = {
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
}
# The ablations of the KPN paper.
_ABLATIONS: dict[str, ModelConfig] = {
    "kpn-1frame": ModelConfig(sizes=(5,), separable=False, frames=1),
    "kpn-no-anneal": ModelConfig(sizes=(5,), separable=False),
    "kpn-blind": ModelConfig(sizes=(5,), separable=False, noise_map=False),
    "kpn-direct": ModelConfig(sizes=(5,), separable=False, direct=True),
}

# Not in the papers, whose MKPN reaches 5 pixels and whose L25 reaches 12: one network with every size of the others.
_OTHER_SIZES: dict[str, ModelConfig] = {
    "mkpn-25": ModelConfig(sizes=(1, 3, 5, 7, 9, 11, 13, 25)),
}

# MKPN, trained on bursts whose noise is not always known well.
_ROBUST: dict[str, ModelConfig] = {"mkpn-robust": _TABLE_1["mkpn"]}

MATCHED: dict[str, ModelConfig] = {
    name: dataclasses.replace(config, matching=True, trunk=MATCHING)
    for name, config in {**_TABLE_1, **_OTHER_SIZES, **_ROBUST, **_ABLATIONS}.items()
    if name
    not in ("kpn-1frame", "kpn-no-anneal")  # one frame has nothing to match; none of these is annealed
}
"""The networks of the papers, and of other sizes, with matching costs as inputs: they take any number of frames."""

STACKED_SUFFIX = "-stacked"

STACKED: dict[str, ModelConfig] = {
    name + STACKED_SUFFIX: config for name, config in {**_TABLE_1, **_ABLATIONS}.items()
}
"""The same as in the papers: the frames are stacked as channels, and the trunk finds the motion by itself. Their trunk
has a twentieth of the weights of the MKPN paper's (`unet.PAPER`)."""

ZOO: dict[str, ModelConfig] = MATCHED | STACKED

SHIPPED: tuple[str, ...] = (
    *(name for name in MATCHED if name not in _OTHER_SIZES),
    *(name + STACKED_SUFFIX for name in ("kpn", "kpn-l5", "mkpn", *_ABLATIONS)),
)
"""The models whose weights ship. The others can be trained, and some have been measured."""

WRONG_NOISE: dict[str, float] = dict.fromkeys(_ROBUST, 0.2)
"""Networks that are told a wrong noise in a share of the bursts that they are trained on."""

WITHOUT_ANNEALING = frozenset({"kpn-no-anneal-stacked", "kpn-direct-stacked"})
"""Networks of STACKED that are trained on the basic loss alone: the ablation of annealing, and the direct one, which
has no results of single frames and sizes to anneal."""


def config_of(name: str) -> ModelConfig:
    """The config of a model of the zoo."""
    if name not in ZOO:
        raise ValueError(f"model {name!r} is not in the zoo: {', '.join(ZOO)}")
    return ZOO[name]


OWN_TITLES: dict[str, str] = {}
"""Titles of methods of one's own, by name: methods/offered.py has them."""


def title_of(name: str) -> str:
    """How a model is written for people: 'kpn-l5-stacked' -> 'KPN L5 stacked'. A name that is none of the zoo stays."""
    if name in OWN_TITLES:
        return OWN_TITLES[name]
    if name not in ZOO:
        return name
    model = name.removesuffix(STACKED_SUFFIX)
    family, _, variant = model.partition("-")
    if variant[1:].isdigit():
        variant = variant.upper()
    elif not variant and family == "kpn":
        variant = "5×5"
    return " ".join(filter(None, (family.upper(), variant, name[len(model) + 1 :])))
