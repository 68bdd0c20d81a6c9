"""The losses of the two papers; where they differ, both are here."""

from __future__ import annotations

from torch import Tensor

from kpnviz.color import srgb_encode

BETA = 100.0
"""Weight of the annealed term at step 0 (MKPN paper, section 3.2)."""


LAMBDA_1 = 0.95
"""Weight of the intensity term of the basic loss; the gradient term has the rest.

Neither paper's text gives it. The two terms differ in size (a mean square and a mean magnitude), so that equal
weights leave nearly all to the gradient: 1,000 steps of KPN L5 reached 29.7 dB on held-out photos with 0.5 and
30.2 dB with 0.9. At 0.95 the gradient term of a trained KPN L5 is still twice the intensity term.
"""


def basic_loss(image: Tensor, truth: Tensor, lambda_1: float = LAMBDA_1, transfer: bool = True) -> Tensor:
    r"""Basic loss of pictures, eq. 5 of the MKPN paper: [..., H, W] and a truth that broadcasts -> [...].

    .. math:: \ell(a, b) = \lambda_1\, \mathrm{mean}\, |T(a) - T(b)|^2
        + \lambda_2\, \mathrm{mean}\, |\nabla T(a) - \nabla T(b)|, \qquad \lambda_1 + \lambda_2 = 1

    T is the sRGB transfer as in the KPN paper (``transfer=True``, the default) or the identity, as eq. 5
    is printed. Intensities are linear with white = 1: divide the white level out first. Gradients are
    differences of neighbors within the picture; nothing is padded.
    """
    if not 0 <= lambda_1 <= 1:
        raise ValueError(f"lambda_1 is {lambda_1!r}; it lies in 0..1, and lambda_2 = 1 - lambda_1")
    if transfer:
        image, truth = srgb_encode(image), srgb_encode(truth)
    error = image - truth  # the gradient is linear: grad a - grad b = grad (a - b)
    loss = lambda_1 * error.square().mean((-2, -1))
    if error.shape[-1] > 1:
        loss = loss + (1 - lambda_1) * error.diff(dim=-1).abs().mean((-2, -1))
    if error.shape[-2] > 1:
        loss = loss + (1 - lambda_1) * error.diff(dim=-2).abs().mean((-2, -1))
    return loss


def annealed_loss(
    parts: Tensor,
    truth: Tensor,
    weight: float,
    per_size: bool = True,
    lambda_1: float = LAMBDA_1,
    transfer: bool = True,
) -> Tensor:
    r"""Total loss, eq. 6 of the MKPN paper: basic loss of the mean, and of each part on its own.

    .. math:: L = \ell(\hat I, I) + \beta \alpha^t \sum_{i, s} \ell(\hat I_i^s, I)

    `weight` is :math:`\beta \alpha^t`, see :func:`annealing_weight`.

    parts [B, N, S, H, W] (``local_conv(reduce="none")``), truth [B, H, W] -> scalar, mean over the batch.
    ``per_size=False`` is the form of the KPN paper, where the sum runs over frames only: the sizes of a
    frame are averaged first. For a single kernel size the two agree.
    """
    total = basic_loss(parts.mean((1, 2)), truth, lambda_1, transfer)
    if weight > 0:
        if not per_size:
            parts = parts.mean(2, keepdim=True)
        total = total + weight * basic_loss(parts, truth[:, None, None], lambda_1, transfer).sum((1, 2))
    return total.mean()


def annealing_weight(progress: float, over: float = 0.2, beta: float = BETA, end: float = 1e-3) -> float:
    r"""The weight :math:`\beta \alpha^t` of eq. 6 for a run of any length; 0 once it is below `end`.

    The paper's alpha = .9998 takes 57,000 of 1,000,000 steps from beta to 1e-3. Here alpha is such that
    this takes the share `over` of the run:

    .. math:: \beta \alpha^t = \beta\, (\mathrm{end} / \beta)^{\mathrm{progress} / \mathrm{over}}, \qquad
        \mathrm{progress} = t / \mathrm{steps}
    """
    return beta * (end / beta) ** (progress / over) if progress < over else 0.0
