"""What takes the steps: AdamW for networks that see stacked frames, Muon and AdamW for those that match."""

from __future__ import annotations

import torch
from torch import Tensor, nn

FULL_RATE_FAN_IN = 72
BIAS_RATE = 0.1
OUTPUT_LAYERS = frozenset({"head", "reference_head", "sharpness"})
"""Layers of matching networks that start at zero and give the factors: AdamW takes their steps."""

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    r"""Momentum whose steps are made orthogonal, for weights of convolutions as matrices [out, in * height * width].

    .. math::
        m \leftarrow \mu m + (1 - \mu) g, \qquad u = (1 - \mu) g + \mu m = U S V^\mathsf{T}, \qquad
        w \leftarrow w - \mathrm{rate}\, (.2 \sqrt{\max(\mathrm{out},\ \mathrm{in}\, h w)}\, U V^\mathsf{T}
        + \mathrm{decay}\, w)

    with :math:`U V^\mathsf{T}` by five Newton-Schulz iterations of degree 5. The factor gives steps the size of
    AdamW's. Sources: K. Jordan et al., Muon, 2024; Liu et al., Muon is Scalable for LLM Training, 2025.
    (torch.optim.Muon takes matrices alone, and computes in bfloat16: ten times slower on a CPU without it.)
    """

    def __init__(
        self, parameters: list[dict], lr: float, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            rate, mu = group["lr"], group["momentum"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                moment = self.state[weight].setdefault("moment", torch.zeros_like(weight))
                moment.lerp_(weight.grad, 1 - mu)
                step = orthogonalized(weight.grad.lerp(moment, mu).flatten(1))
                size = 0.2 * max(step.shape) ** 0.5
                weight.mul_(1 - rate * group["weight_decay"]).add_(step.view_as(weight), alpha=-rate * size)


def orthogonalized(matrix: Tensor) -> Tensor:
    """U V^T of a matrix U S V^T, roughly: singular values between .7 and 1.2 instead of S.

    X <- a X + (b A + c A^2) X with A = X X^T, five times. All factors of X are polynomials of the first A, so that but
    the last product is of the smaller side's square matrices.
    """
    a, b, c = _NEWTON_SCHULZ
    x = matrix.float()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    gram = x @ x.T
    identity = torch.eye(len(gram), dtype=x.dtype, device=x.device)
    product = identity
    for _ in range(5):
        factor = a * identity + b * gram + c * gram @ gram
        product = factor @ product
        gram = factor @ gram @ factor
    x = product @ x
    return x.T if tall else x


def adamw(network: nn.Module, learning_rate: float, weight_decay: float) -> list[torch.optim.Optimizer]:
    """One AdamW for all parameters, see :func:`parameter_groups`."""
    # beta_2 = .99: the loss changes its character as annealing ends, and 1/(1-.999) steps of
    # memory are a large part of a short run.
    groups = parameter_groups(network, weight_decay)
    return [torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99), fused=True)]


def muon(network: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the weights of convolutions; AdamW at half the rate for OUTPUT_LAYERS, biases and scales."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in network.named_parameters():
        inner = parameter.ndim > 1 and not OUTPUT_LAYERS & set(name.split("."))
        (matrices if inner else others).append(parameter)
    return [
        Muon([{"params": matrices, "rate": 1.0}], lr=learning_rate),
        torch.optim.AdamW(
            [{"params": others, "rate": 0.5}], lr=learning_rate, betas=(0.9, 0.99), weight_decay=0, fused=True
        ),
    ]


def parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Groups for AdamW with a relative `rate` each: min(1, 72 / fan-in) for weights, .1 for biases.

    One step of Adam moves every weight by about the rate, and so a unit by the rate times the number of its
    inputs: of ReLU units with 1152 positive inputs nearly all were dead after 400 steps at 1e-3, and with
    them all that the trunk sees below a quarter of the resolution. (72 = 8 x 3 x 3, about the fan-in of the
    first layer. The scaling is that of muP for Adam: Yang et al., Tensor Programs V, 2022.)
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.ndim > 1:
            key = min(1.0, FULL_RATE_FAN_IN / parameter[0].numel()), weight_decay
        else:
            key = BIAS_RATE, 0.0
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "rate": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
