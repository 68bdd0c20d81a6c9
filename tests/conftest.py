"""What tests of several rooms share: networks of every kind that are small enough to run in no time."""

import torch

from kpnviz.models.kpn import ModelConfig, build
from kpnviz.models.unet import TrunkConfig
from kpnviz.models.zoo import config_of

TINY = TrunkConfig(encoder=(4, 6, 8), decoder=(6,), convs=1)


def tiny(name, seed=0, **changes):
    torch.manual_seed(seed)
    values = {**ModelConfig.to_dict(config_of(name)), **changes, "trunk": TINY.__dict__}
    return build(ModelConfig.from_dict(values)).eval()


def burst_tensors(N, H, W, B=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(B, N, H, W, generator=generator), torch.rand(B, H, W, generator=generator)
