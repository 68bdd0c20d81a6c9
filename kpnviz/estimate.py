"""What kernels make of a burst: an Estimate, and a Series of them over a parameter such as the training step."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kpnviz.burst import Burst
from kpnviz.checks import as_numpy, check_float, check_unmasked
from kpnviz.consistency import explain_difference, not_finite, picture_of
from kpnviz.kernels import KernelField
from kpnviz.layouts import PICTURE
from kpnviz.models.zoo import OWN_TITLES, title_of
from kpnviz.summary import summary
from kpnviz.text import one_line, visible


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a network makes of a burst.

    image    [H, W], or in color [C, H, W], float32, the denoised picture: linear intensity on the burst's scale
    kernels  the KernelField that was applied (batch of 1), or None: a direct network has none, and
             ``keep_kernels=False`` drops them
    model    the network's name;  seconds  wall time of prediction and application
    network  the network of this package whose shipped weights made it, as kpnviz.load(name) alone sets it; None: it is
             someone else's, whatever its name is
    own_weight   of kernels that were dropped: the weight of the reference's own pixel in the picture, on the average;
             each pixel counts as much as the variance of its noise
    """

    image: np.ndarray
    kernels: KernelField | None
    model: str
    seconds: float
    network: str | None = None
    own_weight: float | None = None

    def __post_init__(self) -> None:
        """ValueError, one sentence, for what is no picture or no kernels."""
        image = as_numpy(self.image)
        made = "Estimate.of(burst, field) makes one of kernels"
        if not isinstance(image, np.ndarray):
            raise ValueError(f"image is of type {type(image).__name__}; it is a picture, and {made}")
        if image.ndim not in (2, 3):
            raise ValueError(f"image has shape {image.shape}; it is [H, W] or [C, H, W]")
        if self.kernels is not None and not isinstance(self.kernels, KernelField):
            raise ValueError(
                f"kernels is of type {type(self.kernels).__name__}; it is a KernelField, such as "
                "KernelField.from_kernels(kernels), or None"
            )
        object.__setattr__(self, "image", image)

    @property
    def title(self) -> str:
        """How it is named to people. Another's kernels keep their name, be it that of a network of this package."""
        return title_of(self.model) if self.network else OWN_TITLES.get(self.model, self.model)

    def __repr__(self) -> str:
        H, W = self.image.shape[-2:]
        return f"Estimate({H}x{W} by {self.model} in {self.seconds:.3g} s, kernels: {self.kernels})"

    def _repr_html_(self) -> str:
        """In a notebook: the picture, and which kernels made it."""
        (H, W), white = self.image.shape[-2:], _white_of(self.image)
        rows = [
            ("Estimate", self.model),
            ("picture", f"{H}x{W} pixels, white is {white:.3g} here"),
            ("kernels", "none" if self.kernels is None else str(self.kernels)),
            ("time", f"{self.seconds:.3g} s"),
        ]
        return summary(rows, self.image, white)

    @classmethod
    def of(
        cls,
        burst: Burst,
        field: KernelField,
        *,
        name: str = "kernels",
        image: Any = None,
        tolerance: float = 1e-3,
    ) -> Estimate:
        """The estimate that any network's kernels make of a burst.

        image      what the network itself gave, [H, W] or [C, H, W], PyTorch or NumPy; it is compared with what the
                   kernels make of the frames. None: nothing is compared
        tolerance  largest difference that is rounding, relative to the largest intensity of the picture; of one in
                   bfloat16 at least that of its numbers, 2^-7

        Raises ValueError where the two differ: by how much and where, and what would explain it; and for kernels that
        do not fit the frames.
        """
        if not isinstance(burst, Burst):
            raise ValueError(f"burst is of type {type(burst).__name__}; it is a kpnviz.Burst")
        if not isinstance(field, KernelField):
            raise ValueError(
                f"field is of type {type(field).__name__}; it is a KernelField: KernelField.from_kernels(kernels)"
            )
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name is {visible(repr(name))}; it is a text, such as 'kernels'")
        tolerance = check_float("tolerance", tolerance, 0, float("inf"))
        check_fit(burst, field, name)
        begun = time.perf_counter()
        made = picture_of(burst.frames, field)
        seconds = time.perf_counter() - begun
        if bad := not_finite(made):
            raise ValueError(f"{name}: the kernels make a picture that is not finite: it holds {bad}")
        if image is not None:
            check_picture(burst, field, name, image, made, tolerance)
        return cls(made, field, name, seconds)


def _white_of(image: np.ndarray) -> float:
    """White of a picture whose white level is not known: 99.5 % of its pixels are darker."""
    finite = image[np.isfinite(image)]
    return max(float(np.quantile(finite, 0.995)), 1e-6) if finite.size else 1.0


def check_fit(burst: Burst, field: KernelField, name: str) -> None:
    """ValueError, one sentence that names the axis, for kernels that cannot be applied to the frames of a burst."""
    if len(field.factors) != 1:
        raise ValueError(
            f"{name}: the kernels are those of B = {len(field.factors)} bursts; a batch of 1 is taken"
        )
    if field.frames != len(burst):
        batch = field.frames == 1 and field.channels == len(burst)
        raise ValueError(
            f"{name}: the kernels are those of N = {field.frames} frames, the burst has {len(burst)}"
            f"{'; if their axes are [1, N, K, K, H, W], of a batch of one: kernels[0]' * batch}"
        )
    if field.channels is not None and field.channels != burst.channels:
        raise ValueError(
            f"{name}: there are kernels of C = {field.channels} channels, the burst has "
            f"{burst.channels or '1 (gray)'}"
        )
    less = 2 * field.reach if field.padding == "valid" else 0
    H, W = burst.height - less, burst.width - less
    if (field.height, field.width) != (H, W):
        without = f", without padding {H}x{W} of the picture" if less else ""
        raise ValueError(
            f"{name}: the kernels are those of {field.height}x{field.width} pixels, the frames have "
            f"{burst.height}x{burst.width} (H x W){without}{_why_of_another_size(field, H, W)}"
        )


def _why_of_another_size(field: KernelField, H: int, W: int) -> str:
    """The end of a sentence: how kernels of another size than H x W may be meant."""
    size, less = (field.height, field.width), 2 * field.reach
    if size == (W, H):
        return "; if H and W are exchanged: kernels.swapaxes(-2, -1)"
    if size == ((H + 1) // 2, (W + 1) // 2):
        return f"; if they are at half resolution: size=({H}, {W})"
    if size == (H - less, W - less) and field.padding != "valid":
        return "; if the frames are not padded: padding='valid'"
    return ""


def check_picture(
    burst: Burst,
    field: KernelField,
    name: str,
    image: Any,
    made: np.ndarray,
    tolerance: float = 1e-3,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """ValueError for a picture that is not `made`, what the kernels make of the frames; see explain_difference."""
    array = _picture(name, image, made.shape)
    sides = dict(zip("HW", made.shape[-2:], strict=True))
    if array.shape != made.shape and (hint := PICTURE.of(made.ndim).hint("image", image, sides)):
        raise ValueError(
            f"{name}: the picture has shape {array.shape}, what the kernels make of the frames has {made.shape}{hint}"
        )
    if isinstance(image, Tensor):
        tolerance = max(tolerance, torch.finfo(image.dtype).eps)
    difference = explain_difference(burst.frames, field, array, tolerance, made=made, go_on=go_on)
    if difference:
        raise ValueError(f"{name}: {difference}")


def _picture(name: str, image: Any, shape: tuple[int, ...]) -> np.ndarray:
    """A picture as NumPy, without a leading axis of length 1 (a batch of one, or one channel)."""
    check_unmasked(f"{name}: the picture", image, "image")
    try:
        array = np.asarray(as_numpy(image))
    except Exception as error:  # of a sparse tensor, say
        raise ValueError(
            f"{name}: the picture is no dense array with its numbers: {one_line(error)}"
        ) from error
    if array.dtype.kind != "f":
        raise ValueError(
            f"{name}: the picture has dtype {array.dtype}; intensities are floating point, white = 1"
        )
    return array.reshape(shape) if array.ndim > len(shape) and array.shape == (1, *shape) else array


class Series(Mapping[float, Estimate]):
    """Estimates of one burst for ascending values of a parameter, which the lens shows with a scrubber: training steps,
    say, or the assumed noise.

    name        of the parameter: "training step"
    estimates   {number: Estimate}, two or more, with numbers that ascend, pictures of one shape, and kernels of the
                same kind: sizes, layout, padding and reduction

    >>> series = Series("training step", {1000: early, 4000: late})                        # doctest: +SKIP
    >>> series.numbers, series[4000].image.shape                                           # doctest: +SKIP
    ((1000, 4000), (128, 128))

    A mapping from the numbers to the estimates, in order. ValueError, one sentence, for anything else.
    """

    def __init__(self, name: str, estimates: Mapping[float, Estimate]) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(
                f"name is {visible(repr(name))}; it is what the numbers are, such as 'training step'"
            )
        if not isinstance(estimates, Mapping):
            raise ValueError(f"estimates is of type {type(estimates).__name__}; it is {{number: Estimate}}")
        self.name = name.strip()
        listed = [(_plain_number(self.name, number), estimate) for number, estimate in estimates.items()]
        self.estimates = MappingProxyType(dict(listed))
        if len(self) < len(listed):
            raise ValueError(f"{visible(self.name)}: two of the numbers are the same; the numbers ascend")
        if len(self) < 2:
            raise ValueError(f"{visible(self.name)} has {len(self)} estimates; a series has 2 or more")
        for number, estimate in self.items():
            if not isinstance(estimate, Estimate):
                raise ValueError(
                    f"{visible(self.name)} {number}: {type(estimate).__name__} is given; it is an Estimate"
                )
        for before, after in zip(self.numbers, self.numbers[1:], strict=False):
            if not before < after:
                raise ValueError(f"{visible(self.name)}: {after} comes after {before}; the numbers ascend")
        first = self.numbers[0]
        for number, estimate in self.items():
            for what, of_one, of_first in zip(
                ("a picture of shape", "kernels"), _kind(estimate), _kind(self[first]), strict=True
            ):
                if of_one != of_first:
                    raise ValueError(
                        f"{visible(self.name)}: {number} has {what} {of_one}, {first} has {of_first}; "
                        "those of a series are alike"
                    )

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers, ascending."""
        return tuple(self.estimates)

    def __getitem__(self, number: float) -> Estimate:
        return self.estimates[number]

    def __iter__(self) -> Any:
        return iter(self.estimates)

    def __len__(self) -> int:
        return len(self.estimates)

    def __repr__(self) -> str:
        return f"Series({self.name!r}, {len(self)} estimates, {self.numbers[0]:g} to {self.numbers[-1]:g})"

    def _repr_html_(self) -> str:
        """In a notebook: the last picture, and over what the series goes."""
        last = self[self.numbers[-1]]
        rows = [
            ("Series", f"{len(self)} estimates by {last.model}"),
            (self.name, ", ".join(f"{number:g}" for number in self.numbers)),
            ("kernels", "none" if last.kernels is None else str(last.kernels)),
        ]
        return summary(rows, last.image, _white_of(last.image))


_MOST = 2.0**53
"""Largest integer up to which JavaScript, which shows a series, represents every integer."""


def _plain_number(name: str, number: Any) -> float:
    """A number (of NumPy, or a fraction) as an int or float of Python, as JSON and so the lens takes it."""
    if isinstance(number, numbers.Real) and not isinstance(number, bool):
        if isinstance(number, numbers.Integral):
            if abs(int(number)) <= _MOST:
                return int(number)
            raise ValueError(f"{visible(name)}: a number is beyond 2^53, which the lens cannot show")
        try:
            plain = float(number)
        except OverflowError:  # a fraction
            plain = float("inf")
        if np.isfinite(plain):
            return plain
    raise ValueError(f"{visible(name)}: {visible(repr(number))} is not a finite number")


def _kind(estimate: Estimate) -> tuple[tuple[int, ...], str]:
    """What is equal in all estimates of a series: the picture's shape, and all of the kernels but their values."""
    field = estimate.kernels
    if field is None:
        return estimate.image.shape, "None"
    layout = f"factors of shape {tuple(field.factors.shape)}"
    return estimate.image.shape, f"{field}, {layout}, {'separable' if field.separable else 'dense'}"
