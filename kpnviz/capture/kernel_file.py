"""Frames, and the kernels of one or several networks for them, in one NPZ: written by anybody, shown by the lens.

The keys, each an array as ``np.savez`` writes it. Of the burst:

    frames        [N, H, W], or in color [N, C, H, W]; floating point, linear intensity, frame 0 the reference; N to 32
    truth         [H, W] or [C, H, W]                               may be missing, as all but frames may
    read_std, shot_gain     the noise model, a number each, or one of each channel [C]
    white_level   the intensity of white (1)
    shifts [N, 2], moving_mask [M, H, W], moving_shifts [M, N, 2], recipe     as kpnviz.Burst has them

Of a method, the kernels in one of three kinds; K is odd, up to 61:

    kernels                  [N, K, K, h, w], or a set for each channel [N, C, K, K, h, w]
    vertical, horizontal     [N, K, h, w] or [N, C, K, h, w] each; the kernel is vertical[a] horizontal[b]
    basis, coefficients      [F, N, K, K] and [F, h, w]; the kernel of frame i is sum_f coefficients[f] basis[f, i]

and beside them

    title         a name for people
    padding       "reflect" (the default), "zero", "replicate", or "valid": the frames are K - 1 larger than the picture
    reduce        "mean" (the default) or "sum" over the frames
    scale         1: h, w are those of the picture; 2: half of it, rounded up, and kernels are interpolated bilinearly
    image         [H, W] or [C, H, W], the picture that the network gave: it is compared with that of its kernels

A network of several kernel sizes, whose mean is applied, has a pair of keys for each: vertical_3, vertical_5, ...,
or kernels_3, kernels_5, ... Of several methods, each has its number and a slash before its keys, from 0 on: 0/kernels,
0/title, 1/vertical, ...
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from kpnviz.burst import Burst
from kpnviz.capture.kernel_decoding import KERNEL_FORMAT, METHOD_KEY
from kpnviz.capture.npz import base_name
from kpnviz.capture.reader import read_kernel_arrays, read_recipe
from kpnviz.capture.writer import burst_arrays
from kpnviz.consistency import picture_of
from kpnviz.estimate import Estimate, check_fit, check_picture
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.limits import (
    MAX_INTENSITY,
    MAX_KERNEL,
    MAX_KERNEL_FRAMES,
    MAX_KERNEL_METHODS,
    MAX_SHIFT,
    MULTIPLY_ADDS_A_SECOND,
    FileError,
    Limits,
)
from kpnviz.noise import NoiseModel
from kpnviz.paths import check_output, write_atomically
from kpnviz.pictures import check_light
from kpnviz.text import visible

_EXPLAINING = 1 / 4  # of the time that reading may take, to explain why pictures are wrong

KEYS = (__doc__ or "").partition("\n\n")[2]
"""What the keys are, for people."""


def save_kernels(file: str | Path | IO[bytes], burst: Burst, estimates: Sequence[Estimate]) -> None:
    """Write a burst and the kernels of its estimates as an NPZ; the module's docstring says what the keys are.

    file    a path, where the file is replaced as a whole; or a file that is open for writing bytes

    Kernels are kept in their own dtype (bfloat16 as float32). ValueError, one sentence, for an estimate without
    kernels, for kernels that are not those of the burst, for what :func:`load_kernels` would refuse, and for a path
    that cannot be written to; OSError where writing fails.
    """
    if isinstance(file, str | Path):
        check_output(Path(file))
    elif not callable(getattr(file, "write", None)):
        raise ValueError(
            f"file is {visible(repr(file))}; it is a path, or a file that is open for writing bytes"
        )
    if not isinstance(burst, Burst):
        raise ValueError(f"burst is of type {type(burst).__name__}; it is a kpnviz.Burst")
    if isinstance(estimates, str) or not isinstance(estimates, Estimate | Iterable):
        raise ValueError(f"estimates is {visible(repr(estimates))}; it is a list of kpnviz.Estimate")
    estimates = [estimates] if isinstance(estimates, Estimate) else list(estimates)
    for estimate in estimates:
        if not isinstance(estimate, Estimate):
            raise ValueError(
                f"estimates holds {visible(repr(estimate))}, of type {type(estimate).__name__}; it is a list of "
                "kpnviz.Estimate"
            )
    if not 1 <= len(estimates) <= MAX_KERNEL_METHODS:
        raise ValueError(f"there are {len(estimates)} estimates; a file has 1 to {MAX_KERNEL_METHODS}")
    arrays = burst_arrays(burst) | {"format": KERNEL_FORMAT}
    for number, estimate in enumerate(estimates):
        if estimate.kernels is None:
            raise ValueError(
                f"{visible(estimate.model)} has no kernels; a file of kernels holds some of each"
            )
        check_fit(burst, estimate.kernels, estimate.model)
        _check_saved(burst, estimate, estimate.kernels)
        for key, value in _method_arrays(estimate, estimate.kernels):
            arrays[f"{number}/{key}"] = value
    if not isinstance(file, str | Path):
        np.savez(file, **arrays)
        return
    write_atomically(Path(file), lambda opened: np.savez(opened, **arrays))


def _check_saved(burst: Burst, estimate: Estimate, field: KernelField) -> None:
    """ValueError for what a file of kernels does not hold, as it would be refused when it is read."""
    name = visible(estimate.model)
    if len(burst) > MAX_KERNEL_FRAMES:
        raise ValueError(f"{name}: there are N = {len(burst)} frames; a file holds up to {MAX_KERNEL_FRAMES}")
    if max(field.sizes) > MAX_KERNEL:
        raise ValueError(
            f"{name}: the kernels have K = {max(field.sizes)}; a file holds those of up to {MAX_KERNEL}"
        )
    for weights in (field.factors, field.basis):
        if weights is None:
            continue
        low, high = (float(bound) for bound in weights.aminmax())  # either is NaN if any weight is
        if not (low >= -MAX_INTENSITY and high <= MAX_INTENSITY):
            raise ValueError(
                f"{name}: the weights go from {low:g} to {high:g}; a file holds finite ones up to {MAX_INTENSITY:g}"
            )
    C = burst.channels
    shape = (*(() if C is None else (C,)), field.height, field.width)
    if estimate.image.dtype.kind != "f" or estimate.image.shape != shape:
        raise ValueError(
            f"{name}: the picture has dtype {estimate.image.dtype} and shape {estimate.image.shape}; that of its "
            f"kernels is floating point, {shape}"
        )
    check_light(f"{name}: the picture", estimate.image)


def _method_arrays(estimate: Estimate, field: KernelField) -> Iterator[tuple[str, Any]]:
    """(key, array) of a method."""
    yield "title", estimate.model
    yield "padding", field.padding
    yield "reduce", field.reduce
    yield "scale", 1 if field.grid == (field.height, field.width) else 2
    yield "image", estimate.image
    if field.basis is not None:
        yield "basis", _numpy(field.basis)
        yield "coefficients", _numpy(field.factors[0, 0])
        return
    factors, first = field.factors[0], 0  # [N, F, h, w] or [N, C, F, h, w]
    for size in field.sizes:
        suffix = "" if len(field.sizes) == 1 else f"_{size}"
        channels = factor_channels((size,), field.separable)
        one = factors[..., first : first + channels, :, :]
        if field.separable:
            yield f"vertical{suffix}", _numpy(one[..., :size, :, :])
            yield f"horizontal{suffix}", _numpy(one[..., size:, :, :])
        else:
            yield f"kernels{suffix}", _numpy(one.reshape(*one.shape[:-3], size, size, *one.shape[-2:]))
        first += channels


def _numpy(values: Tensor) -> np.ndarray:
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def load_kernels(
    file: str | Path | tuple[str, bytes | memoryview | Path],
    *,
    limits: Limits | None = None,
    wanted: Callable[[], object] = lambda: None,
    turn: Callable[[], AbstractContextManager[object]] = nullcontext,
    pause: Callable[[], object] = lambda: None,
) -> tuple[Burst, list[Estimate]]:
    """The burst and the estimates of a file that :func:`save_kernels`, or anybody, wrote; see the keys above.

    file     a path, or (name, contents): of an upload
    limits   what reading may take. None: those for files of one's own (``Limits.from_environment(generous=True)``);
             what strangers bring is to be read with ``Limits.from_environment()``
    wanted   called twice a second while the file is read; raise in it to end that
    turn     entered while kernels are applied to the frames, in this process
    pause    called in that turn several times a second: let others compute, or raise in it to end that

    A process of its own, with little memory and time, checks every number. Kernels stay mapped from a temporary file.
    FileError, a ValueError of one sentence that names the file, for anything that is not frames and kernels that fit
    them, or whose picture is not that of its kernels.
    """
    name, data = (Path(file).name, Path(file)) if isinstance(file, str | Path) else file
    if isinstance(data, Path) and not data.is_file():
        raise FileError(f"{visible(data)}: there is no such file")
    limits = limits or Limits.from_environment(generous=True)
    label = visible(base_name(name))
    found, arrays = read_kernel_arrays(name, data, limits, wanted)
    values = found["values"]
    burst = _burst(label, arrays, values)
    methods: dict[int, dict[str, Any]] = {}
    for key in (*arrays, *values):
        match = METHOD_KEY.fullmatch(key)
        if match is not None:
            content = arrays[key] if key in arrays else values[key]
            number = int(match["method"] or 0)
            if match["key"] in methods.setdefault(number, {}):
                raise FileError(f"{label} holds {match['key']} of method {number} twice")
            methods[number][match["key"]] = content
    if not methods:
        raise FileError(
            f"{label} holds no kernels; the keys are kernels, or vertical and horizontal, or basis and coefficients"
        )
    if sorted(methods) != list(range(len(methods))) or len(methods) > MAX_KERNEL_METHODS:
        numbers = ", ".join(map(str, sorted(methods)[: MAX_KERNEL_METHODS + 1]))
        more = ", ..." if len(methods) > MAX_KERNEL_METHODS + 1 else ""
        raise FileError(
            f"{label} holds methods {numbers}{more}; they are counted from 0, up to {MAX_KERNEL_METHODS}"
        )
    with turn():
        effort, work = _Effort(limits, pause), 0.0
        fields: list[KernelField] = []
        for number in sorted(methods):  # all of them are checked before any is applied
            with _blamed(label, _title(number, methods[number])) as title:
                field = _field(burst, methods[number])
                check_fit(burst, field, title)
                work += _work(burst, field, limits)
                if work > limits.seconds * MULTIPLY_ADDS_A_SECOND:
                    before = " with those of the methods before" if fields else ""
                    raise ValueError(
                        f"its kernels take {work:.2g} multiply-adds{before} to be applied, longer than "
                        f"{limits.named('seconds')}"
                    )
            fields.append(field)
        estimates = []
        for number, field in enumerate(fields):
            with _blamed(label, _title(number, methods[number])) as title:
                estimates.append(_estimate(burst, title, field, methods[number].get("image"), effort))
        return burst, estimates


class _Effort:
    """Whether there is time left to find out why a picture is wrong; each application of kernels asks first.

    Kernels are applied once to be shown, but some twenty times to explain a picture: that has a part of the time that
    the whole file has, on the clock, without what others computed meanwhile.
    """

    def __init__(self, limits: Limits, pause: Callable[[], object]) -> None:
        self.pause, self._left = pause, limits.seconds * _EXPLAINING
        self._since = 0.0

    def explain(self) -> None:
        """From here on the time counts."""
        self._since = time.monotonic()

    def go_on(self) -> bool:
        self._left -= time.monotonic() - self._since
        self.pause()
        self._since = time.monotonic()
        return self._left > 0


@contextmanager
def _blamed(label: str, title: str) -> Iterator[str]:
    """What is wrong with a method becomes a FileError that names the file and the method."""
    try:
        yield title
    except FileError:
        raise
    except (
        ValueError,
        TypeError,
        RuntimeError,
        MemoryError,
    ) as error:  # PyTorch's, of memory, are RuntimeErrors
        sentence = str(error) if str(error).startswith(title) else f"{title}: {error}"
        raise FileError(f"{label}: {' '.join(sentence.split())}") from error


def _title(number: int, method: Mapping[str, Any]) -> str:
    return visible(method.get("title", "")) or f"method {number}"


def _burst(label: str, arrays: Mapping[str, np.ndarray], values: Mapping[str, Any]) -> Burst:
    noise: NoiseModel | tuple[NoiseModel, ...] | None = None
    try:
        if ("read_std" in values) != ("shot_gain" in values):
            raise ValueError("read_std and shot_gain come together; the noise is both")
        if "read_std" in values:
            # KernelFile has seen to it that each is one number, or one of each channel.
            pairs = np.broadcast(np.atleast_1d(values["read_std"]), np.atleast_1d(values["shot_gain"]))
            models = tuple(NoiseModel(float(r), float(s)) for r, s in pairs)
            noise = models[0] if len(models) == 1 else models
        return Burst(
            arrays["frames"],
            noise,
            values.get("white_level", 1.0),
            arrays.get("truth"),
            None if "shifts" not in values else _whole(values["shifts"]),
            arrays.get("moving_mask"),
            None if "moving_shifts" not in values else _whole(values["moving_shifts"]),
            read_recipe(label, values.get("recipe")),
        )
    except FileError:
        raise
    except ValueError as error:
        raise FileError(f"{label}: {visible(error, 400)}") from error


def _whole(shifts: Any) -> np.ndarray:
    """Shifts as integers, if they are; those that no integer holds are left to Burst, which refuses them."""
    array = np.asarray(shifts, dtype=np.float64)
    whole = np.array_equal(array, np.rint(array)) and (np.abs(array) <= MAX_SHIFT).all()
    return array.astype(np.int64) if whole else array


def _estimate(burst: Burst, title: str, field: KernelField, image: Any, effort: _Effort) -> Estimate:
    """A method's estimate: its kernels, applied to the frames, and its picture compared with theirs."""
    begun = time.perf_counter()
    made = picture_of(burst.frames, field, effort.pause)
    estimate = Estimate(made, field, title, time.perf_counter() - begun)
    if image is not None:
        effort.explain()
        check_picture(burst, field, title, image, made, go_on=effort.go_on)
    return estimate


def _field(burst: Burst, method: Mapping[str, Any]) -> KernelField:
    options: dict[str, Any] = {name: method[name] for name in ("padding", "reduce") if name in method}
    kinds = {
        kind: sorted((key for key in method if key.partition("_")[0] == kind), key=_size_of_key)
        for kind in ("kernels", "vertical", "horizontal", "basis", "coefficients")
    }
    given = [kind for kind, keys in kinds.items() if keys]
    if given not in (["kernels"], ["vertical", "horizontal"], ["basis", "coefficients"]):
        raise ValueError(
            f"it has {', '.join(given) or 'no kernels'}; expected kernels, or vertical and horizontal, or basis and "
            "coefficients"
        )
    arrays = {kind: [method[key] for key in kinds[kind]] for kind in given}
    for key in (key for kind in given for key in kinds[kind] if "_" in key):
        side = method[key].shape[-3]
        if side != _size_of_key(key):
            raise ValueError(
                f"{key} has shape {method[key].shape}, so K = {side}; its name says {_size_of_key(key)}"
            )
    scale = method.get("scale", 1)
    if scale not in (1, 2):
        raise ValueError(f"scale is {visible(repr(scale))}; it is 1, or 2 for kernels at half resolution")
    if scale == 2:
        K = max(one.shape[-1 if given[0] == "basis" else -3] for one in arrays[given[0]])
        less = K - 1 if options.get("padding") == "valid" else 0
        options["size"] = (burst.height - less, burst.width - less)
    if given == ["kernels"]:
        field = KernelField.from_kernels(arrays["kernels"], **options)
    elif given == ["vertical", "horizontal"]:
        field = KernelField.from_factors(arrays["vertical"], arrays["horizontal"], **options)
    else:
        field = KernelField.from_basis(arrays["basis"][0], arrays["coefficients"][0], **options)
    if scale == 2 and not field.half:
        raise ValueError(
            f"scale is 2, half resolution, and the kernels are given at every pixel, {field.height}x{field.width}"
        )
    return field


def _size_of_key(key: str) -> int:
    return int(key.partition("_")[2] or 0)


def _work(burst: Burst, field: KernelField, limits: Limits) -> float:
    """Multiply-adds of one application; ValueError for kernels that take more memory than reading a burst may."""
    # Of one frame: weights upsampled, or those, filtered frames and products.
    copies = 1 if field.basis is None else 3
    at_once = 4 * field.factors.shape[-3] * field.height * field.width * copies
    if at_once > limits.memory_bytes:
        raise ValueError(
            f"its kernels take {at_once / 1e6:.0f} MB a frame to be applied; the limit is "
            f"{limits.named('memory_bytes')}"
        )
    return field.multiply_adds * (burst.channels or 1)
