"""Do these kernels, applied to these frames, give this picture? If not: what would explain the difference."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np
import torch

from kpnviz.color import srgb_encode
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.limits import MULTIPLY_ADDS_A_SECOND
from kpnviz.local_conv import PADDINGS, pad

_ORDER_SIDE = 64  # pixels a side of the middle part on which the order of the frames is sought

_AT_ONCE = MULTIPLY_ADDS_A_SECOND / 4
"""Multiply-adds between two pauses: about a quarter of a second on one core."""


def _go_on() -> bool:
    return True


def picture_of(
    frames: np.ndarray,
    field: KernelField,
    pause: Callable[[], object] = _go_on,
    reduce: str | None = None,
) -> np.ndarray:
    """What a field's kernels (batch of 1) make of frames [N, H, W] or [N, C, H, W]: [H, W] or [C, H, W], float32.

    pause   called between parts of the work, each of which takes about a quarter of a second: let others compute, or
            raise in it to end the work
    reduce  as for :meth:`KernelField.apply`; "size" gives what becomes of each frame, [N, H, W]
    """
    with torch.inference_mode():
        given = torch.from_numpy(np.ascontiguousarray(frames))[None].to(field.factors.device)
        work = field.multiply_adds * (1 if given.ndim == 4 else given.shape[2])
        H, W, r = field.height, field.width, field.reach
        rows = max(int(H * _AT_ONCE / work), 1)
        if rows >= H:
            pause()
            return field.apply(given, reduce)[0].float().cpu().numpy()
        padded, strips = pad(given, r, field.padding), []
        for top in range(0, H, rows):
            pause()
            bottom = min(top + rows, H)
            strip = field.part(top, bottom, 0, W).apply(padded[..., top : bottom + 2 * r, :], reduce)
            strips.append(strip[0].float().cpu())
        return torch.cat(strips, dim=-2).numpy()


def explain_difference(
    frames: np.ndarray,
    field: KernelField,
    image: np.ndarray,
    tolerance: float = 1e-3,
    *,
    made: np.ndarray | None = None,
    go_on: Callable[[], bool] = _go_on,
) -> str:
    """Empty if the field makes this picture of the frames; else one or two sentences: how they differ, and why perhaps.

    frames [N, H, W] or [N, C, H, W], image [H, W] or [C, H, W]; tolerance relative to the picture's largest intensity.
    Tried are other paddings, a sum for the mean, kernels that are flipped or transposed, frames in another order, and
    these together; kernels of half resolution that are repeated, not interpolated; weights divided by their sum,
    clipping, a factor, a constant that is added, both, the sRGB transfer, and a mean over a wrong axis.

    made    what the kernels make of the frames, if that is known
    go_on   asked before the kernels are applied once more to find out why; False: it is not sought further. It is also
            called while they are applied, and may raise to end the work
    """
    if made is None:
        made = picture_of(frames, field, go_on)
    if image.shape != made.shape:
        text = f"the picture has shape {image.shape}, what the kernels make of the frames has {made.shape}"
        return f"{text}.{_wrong_axis(frames, field, image, tolerance, go_on) if go_on() else ''}"
    for whose, picture in (("the kernels make a picture that", made), ("the picture", image)):
        if bad := not_finite(picture):
            return f"{whose} holds {bad}"
    allowed = tolerance * max(float(np.abs(made).max()), float(np.abs(image).max()))
    error = np.abs(image - made)
    if error.max() <= allowed:
        return ""
    place = np.unravel_index(int(error.argmax()), error.shape)
    names = ("row", "column") if image.ndim == 2 else ("channel", "row", "column")
    where = ", ".join(f"{name} {int(i)}" for name, i in zip(names, place, strict=True))
    text = (
        f"the picture is not what the kernels make of the frames: they differ by up to {error[place]:.3g}, at {where} "
        f"({image[place]:.4g} against {made[place]:.4g})"
    )
    r = field.reach
    inside = error[..., r : error.shape[-2] - r, r : error.shape[-1] - r]
    if inside.size and inside.max() <= allowed:
        text += f", and only within {r} pixels of the edge"
    unsought = f"{text}. Why was not sought to the end: it takes too long."
    for reason, explain in _explanations(frames, field, image, made, go_on):
        if not go_on():
            return unsought
        other = explain()
        if other.shape == image.shape and np.abs(other - image).max() <= allowed:
            return f"{text}. They agree {reason}."
    for change, turned in _TURNED.items():
        found = _order(frames, turned(field), image, allowed, go_on)
        if not go_on():
            return unsought
        if found is None:
            continue
        order, reduce = found
        for padding in _paddings(field):
            other = _picture_with(frames[order], lambda: turned(field), padding, reduce, go_on)  # noqa: B023
            if np.abs(other - image).max() <= allowed:
                reasons = _reasons(field, change, padding, reduce)
                exchanged = (
                    "the frames in another order" if len(set(order)) == len(order) else "some frames twice"
                )
                places = ", ".join(map(str, order))
                named = " and ".join([*reasons, exchanged])
                return f"{text}. They agree with {named}: kernel by kernel, frames {places}."
    usual = "padding, sum, flipped or transposed kernels, another order, a factor, a constant"
    return f"{text}. None of the usual reasons explains it: {usual}."


def not_finite(image: np.ndarray) -> str:
    """The first value that is not finite, and where, "nan at (3, 5)"; empty if all are."""
    bad = np.argwhere(~np.isfinite(image))
    if not len(bad):
        return ""
    place = tuple(int(i) for i in bad[0])
    return f"{image[place]} at {place}"


def _paddings(field: KernelField) -> list[str]:
    """Paddings for which the frames have the size that they have, the field's own first."""
    if field.padding == "valid":
        return ["valid"]
    return sorted(
        (padding for padding in PADDINGS if padding != "valid"), key=lambda one: one != field.padding
    )


def _reasons(field: KernelField, change: str, padding: str, reduce: str) -> list[str]:
    return [
        *([change] if change else []),
        *([f"padding={padding!r}"] if padding != field.padding else []),
        *([f"reduce={reduce!r}"] if reduce != field.reduce else []),
    ]


def _explanations(
    frames: np.ndarray,
    field: KernelField,
    image: np.ndarray,
    made: np.ndarray,
    pause: Callable[[], object],
) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """(a reason, a function that gives the picture which it would lead to), the simplest first."""
    yield "once clipped to 0..1", lambda: made.clip(0, 1)
    for change, turned in _TURNED.items():
        changed = functools.cache(functools.partial(turned, field))  # made when it is needed: it is a copy
        for padding in _paddings(field):
            for reduce in ("mean", "sum"):
                if reasons := _reasons(field, change, padding, reduce):
                    yield (
                        f"with {' and '.join(reasons)}",
                        functools.partial(_picture_with, frames, changed, padding, reduce, pause),
                    )
    if field.half:
        yield (
            "once the kernels of half resolution are repeated for 2x2 pixels (mode='nearest'), not interpolated",
            lambda: picture_of(frames, _repeated(field), pause),
        )

    def divided(padding: str) -> np.ndarray:
        mass = picture_of(np.ones_like(frames), dataclasses.replace(field, padding=padding), pause)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(made / mass)

    endless = "valid" if field.padding == "valid" else "replicate"
    yield "once divided by the sum of the weights at each pixel", lambda: divided(endless)
    if field.padding == "zero":
        inside = "once divided by the sum of those weights at each pixel that lie within the frame"
        yield inside, lambda: divided("zero")
    factor = float((image * made).sum() / max(float((made * made).sum()), 1e-30))  # least squares
    yield f"once what the kernels make is multiplied by {factor:.4g}", lambda: made * factor
    yield from _constants(image, made)
    yield "after the sRGB transfer", lambda: srgb_encode(made)
    yield "after the sRGB transfer and clipping to 0..1", lambda: srgb_encode(made).clip(0, 1)
    if made.ndim == 3:
        yield "with the channels in reverse order", lambda: made[::-1]
    if frames[0].shape == made.shape:
        yield "once frame 0 is added to what the kernels make", lambda: made + frames[0]


def _constants(image: np.ndarray, made: np.ndarray) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    """As `_explanations`: a constant that is added to the picture or to each channel, such as a bias or a black level;
    and a factor with a constant, by least squares."""
    wanted, given = image.astype(np.float64), made.astype(np.float64)
    constant = float((wanted - given).mean())
    yield f"once {constant:.4g} is added to what the kernels make", lambda: given + constant
    if made.ndim == 3:
        each = (wanted - given).mean(axis=(1, 2), keepdims=True)
        named = ", ".join(f"{value:.4g}" for value in each.ravel())
        yield (
            f"once a constant is added to each channel of what the kernels make: {named}",
            lambda: given + each,
        )
    if np.ptp(wanted) == 0:  # such a picture is 0 times whatever the kernels make, with its one value added
        return
    spread = given - given.mean()
    factor = float((spread * wanted).sum() / max(float((spread**2).sum()), 1e-30))
    rest = float(wanted.mean() - factor * given.mean())
    yield (
        f"once what the kernels make is multiplied by {factor:.4g}, and {rest:.4g} is added",
        lambda: factor * given + rest,
    )


def _picture_with(
    frames: np.ndarray,
    changed: Callable[[], KernelField],
    padding: str,
    reduce: str,
    pause: Callable[[], object],
) -> np.ndarray:
    return picture_of(frames, dataclasses.replace(changed(), padding=padding, reduce=reduce), pause)


def _flipped(field: KernelField) -> KernelField:
    return _permuted(field, lambda taps: np.flip(taps), lambda u, v: (u[::-1], v[::-1]))


def _transposed(field: KernelField) -> KernelField:
    return _permuted(field, lambda taps: taps.T, lambda u, v: (v, u))


def _turned(field: KernelField) -> KernelField:
    return _flipped(_transposed(field))


_TURNED: dict[str, Callable[[KernelField], KernelField]] = {
    "": lambda field: field,
    "kernels flipped (convolution, not correlation)": _flipped,
    "the kernels' axes dy and dx exchanged": _transposed,
    "kernels flipped and their axes dy and dx exchanged": _turned,
}
"""Ways to read kernels."""


def _repeated(field: KernelField) -> KernelField:
    """The field with kernels at every pixel: those of half resolution, each for 2x2 pixels."""
    factors = field.factors.repeat_interleave(2, -2).repeat_interleave(2, -1)
    return dataclasses.replace(field, factors=factors[..., : field.height, : field.width])


def _permuted(
    field: KernelField,
    dense: Callable[[np.ndarray], np.ndarray],
    separable: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> KernelField:
    """The field with its taps in another order: the functions are given the indices of one size's taps (dense), or of
    its two factors, and return them reordered."""
    if field.basis is not None:
        K = max(field.sizes)
        order = torch.from_numpy(dense(np.arange(K * K).reshape(K, K)).ravel().copy())
        return dataclasses.replace(field, basis=field.basis.flatten(2)[..., order].view_as(field.basis))
    channels, first = [], 0
    for size in field.sizes:
        count = factor_channels((size,), field.separable)
        numbers = np.arange(first, first + count)
        if field.separable:
            channels += [*np.concatenate(separable(numbers[:size], numbers[size:]))]
        else:
            channels += [*dense(numbers.reshape(size, size)).ravel()]
        first += count
    order = torch.tensor(channels, device=field.factors.device)
    return dataclasses.replace(field, factors=field.factors.index_select(field.factors.ndim - 3, order))


def _order(
    frames: np.ndarray, field: KernelField, image: np.ndarray, allowed: float, go_on: Callable[[], bool]
) -> tuple[list[int], str] | None:
    """The frame that each kernel would have to be applied to, by least squares, and "mean" or "sum"; None if no order
    gives the middle of the picture, if too few pixels tell, and once `go_on` returns False.

    With p_ij what kernel i makes of frame j, the picture is fitted by sum_ij a_ij p_ij; kernel i belongs to the frame j
    with the largest a_ij, be that 1 (a sum) or 1/N (a mean).
    """
    if frames.ndim == 4:
        return _order(frames[:, 0], field.channel(0), image[0], allowed, go_on)
    N, r = len(frames), field.reach
    offset = r if field.padding == "valid" else 0  # of the picture in the frames
    spans = []
    # A part in the middle, at least a kernel's reach from the edges.
    for length in (field.height, field.width):
        first = max((length - _ORDER_SIDE) // 2, r - offset)
        spans.append((first, min(first + _ORDER_SIDE, length - (r - offset))))
    (top, bottom), (left, right) = spans
    if N == 1 or (bottom - top) * max(right - left, 0) < 2 * N * N or bottom <= top:
        return None
    part = field.part(top, bottom, left, right)
    rows, columns = (slice(first + offset - r, last + offset + r) for first, last in spans)
    seen = torch.from_numpy(np.ascontiguousarray(frames[:, rows, columns])).to(field.factors.device)
    with torch.inference_mode():
        # made[k][i] is what kernel i makes of frame (i + k) % N.
        made = []
        for k in range(N):
            if not go_on():
                return None
            made.append(part.apply(seen.roll(-k, 0)[None], "size")[0].flatten(1))
        parts = torch.stack(made, dim=1).flatten(0, 1).double().cpu().numpy()  # [N * N, P]
    wanted = image[top:bottom, left:right].ravel().astype(np.float64)
    turns = np.linalg.lstsq(parts.T, wanted, rcond=None)[0].reshape(N, N).argmax(axis=1)
    total = sum(parts[i * N + turn] for i, turn in enumerate(turns))
    for reduce, divisor in (("mean", N), ("sum", 1)):
        if np.abs(total / divisor - wanted).max() <= allowed:
            return [int((i + turn) % N) for i, turn in enumerate(turns)], reduce
    return None


def _wrong_axis(
    frames: np.ndarray,
    field: KernelField,
    image: np.ndarray,
    tolerance: float,
    pause: Callable[[], object],
) -> str:
    """Whether the picture is the mean over rows or columns instead of frames, as a sentence; "" if it is not.

    It becomes that if a batch of 1 is squeezed away before a mean over axis 1.
    """
    if frames.ndim != 3:
        return ""
    per_frame = picture_of(frames, field, pause, "size")  # [N, H, W]
    for axis, name in ((1, "rows"), (2, "columns")):
        for reduce, other in (("mean", per_frame.mean(axis)), ("sum", per_frame.sum(axis))):
            close = (
                other.shape == image.shape and np.abs(other - image).max() <= tolerance * np.abs(other).max()
            )
            if close:
                return (
                    f" It is the {reduce} over the {name} in place of the frames: a network whose batch of 1 was "
                    "squeezed away does that; give it a batch of 2, or mend it."
                )
    return ""
