"""A session's own burst: read once from its uploads, kept on disk, gone with the session.

Nothing of it is cached for all sessions: what a person uploads is seen by nobody else. A session keeps one burst, one
denoised picture, one lens, and one of each look into it, also while other pages are visited.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
import torch

from kpnviz.analysis.maps import FrameMaps, frame_maps
from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.capture.copies import without_copies
from kpnviz.capture.detail import lost_detail
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.levels import shade_of
from kpnviz.capture.meaning import Input
from kpnviz.capture.noise_estimation import NoiseFit
from kpnviz.capture.npz import base_name
from kpnviz.capture.overviews import overview
from kpnviz.capture.own_burst import OwnBurst
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import natural, read_frames
from kpnviz.capture.writer import encoded
from kpnviz.color import displayed, luminance
from kpnviz.denoise import CHANNELS as COLOR_MODES
from kpnviz.denoise import Denoiser
from kpnviz.kernels import KernelField
from kpnviz.lens.payload import MAX_BYTES, pack, payload_bytes, unpack
from kpnviz.limits import Limits
from kpnviz.methods import common_frames
from kpnviz.noise import NoiseModel
from kpnviz.pictures import SOFTWARE, icc_profile, write_png16
from kpnviz.serving import uploads, work
from kpnviz.serving.tiles import Layers, Pyramid
from kpnviz.text import times, visible
from kpnviz.ui.cache import interesting_pixel
from kpnviz.ui.elements import plain
from kpnviz.ui.methods import config, denoise, denoiser, frames_of, own
from kpnviz.ui.parameters import IN_COLOR, OWN_MENDED, OWN_UPLOADER
from kpnviz.ui.state import (
    OWN_ASSUMED,
    OWN_BURST,
    OWN_DISPLAY,
    OWN_EXAMPLE,
    OWN_MAPS,
    OWN_MEANT,
    OWN_MIDDLE,
    OWN_NOISE,
    OWN_PAYLOAD,
    OWN_PICTURE,
    OWN_PIXEL,
    OWN_READ,
    OWN_REFERENCE,
)

CHANNELS = {IN_COLOR: "color", GRAY: "gray", 0: "R", 1: "G", 2: "B"}
ASSUMED = {scale: times(scale) for scale in (0.25, 0.5, 1.0, 2.0, 4.0)}
"""Assumed noise as multiples of that in the table, and how they are written."""

_PREVIEW_PIXELS, _THUMBNAIL_PIXELS = 1_500_000, 40_000
_READING, _ALIGNED = 0.3, 0.8  # shares of the work after which frames are read, and aligned
_MOST_ASPECT = 100
_TILE = 640


@dataclass(frozen=True, eq=False)
class Upload:
    """A burst that was read, and which files it is of; the fits of its noise, or why there is none."""

    ids: tuple[str, ...]
    own: OwnBurst
    fits: dict[int, NoiseFit | str]
    thumbnails: list[np.ndarray]

    @property
    def key(self) -> tuple[str, ...]:
        """Which burst it is: its files, what their numbers were taken for, and the reference that was chosen and
        whether defects are mended."""
        chosen = (str(self.own.reference),) if self.own.chosen else ()
        return (*self.ids, str(self.own.stack.meaning), str(self.own.unmended), *chosen)

    @property
    def dark(self) -> bool:
        """Whether no more than a hundredth of the reference is brighter than a tenth of white."""
        return bool(np.quantile(self.thumbnails[self.own.reference], 0.99) < 255 * displayed(np.array(0.1)))


def fitting(upload: Upload, methods: Sequence[str], channel: int, sides: Sequence[int]) -> int:
    """The largest of these sides of a square part of which the lens is sent no more than it may be, else the smallest;
    of a method of one's own it is not known."""
    frames = (len(upload.own.order), 3) if channel == IN_COLOR else (len(upload.own.order),)
    networks = [network for method in methods if (network := config(method)) is not None]
    fit = [side for side in sides if payload_bytes((*frames, side, side), networks, False, True) <= MAX_BYTES]
    return max(fit, default=min(sides))


class Whole(NamedTuple):
    """A whole picture that was denoised: the reference as layer `before` and it as `after`; as 16-bit PNG; its linear
    light [C, H, W], on disk; sentences (without their period) where nearly all of it is of one shade, and where it is
    worse than the reference, or nothing."""

    layers: Layers
    png: bytes
    light: np.ndarray
    one_shade: str
    detail: str


def kept(files: Sequence[Any]) -> Upload | None:
    """What is kept of these files as it was prepared last; without files, of the burst read last, else the example."""
    state, ids = st.session_state, _ids(files)
    found: Upload | None = state.get(OWN_BURST)
    if found is not None and (
        not ids or found.ids == ids
    ):  # a drop zone forgets its files when its page is left
        return found
    if ids:
        return None
    found = state.get(OWN_EXAMPLE)
    return example() if found is None and work.is_cached(example) else found


def is_ready(files: Sequence[Any]) -> bool:
    """Whether :func:`current` gives the burst of these files at once."""
    found = kept(files)
    return found is not None and _chosen(found) is None


def current(files: Sequence[Any], progress: Callable[[float, str], object]) -> Upload:
    """The burst of the uploaded files, read when they change; without files the one read last, else the example.

    `progress` is called with the share done and what is done now (Markdown); raising in it ends the work, which goes on
    from there when it is asked for again. ValueError if the files are no burst: none is kept then.
    """
    state, ids = st.session_state, _ids(files)
    found = kept(files)
    if found is not None or not ids:
        return _as_wanted(found or example(), progress)
    read = state.get(OWN_READ)
    forget()
    if read is None or read[0] != ids:
        read = ids, _read(files, progress)
    state[OWN_READ] = read
    with work.turn():
        upload = _prepared(ids, read[1], progress, mended=state[OWN_MENDED])
    del state[OWN_READ]
    state[OWN_BURST] = upload
    return upload


def _ids(files: Sequence[Any]) -> tuple[str, ...]:
    return tuple(file.file_id for file in files)


def _read(files: Sequence[Any], progress: Callable[[float, str], object]) -> FrameStack:
    """The frames of uploaded files."""
    ordered = sorted(files, key=lambda file: natural(file.name))
    labels = [visible(base_name(file.name)) for file in ordered]
    count, say = len(files), reading(labels, progress)
    progress(0.0, f"Reading {count} file{'s' if count > 1 else ''} …")
    contents = [(file.name, uploads.contents_of(file)) for file in ordered]
    try:
        return read_frames(contents, progress=say, wanted=work.still_wanted)
    finally:
        uploads.were_read(files)


def reading(labels: Sequence[str], progress: Callable[[float, str], object]) -> Callable[[str], None]:
    """A function that is told the name of each file that is read, of those named in `labels`, and calls `progress`."""
    at = 0

    def say(name: str) -> None:
        nonlocal at
        if name in labels[at:]:  # sidecars may lie between; else it is in the ZIP that was named before
            at = labels.index(name, at)
        progress(_READING * at / len(labels), f"Reading {at + 1} of {len(labels)}: {plain(name)}")

    return say


def _as_wanted(kept: Upload, progress: Callable[[float, str], object]) -> Upload:
    """The burst as it was chosen to be, aligned and measured anew."""
    wanted = _chosen(kept)
    if wanted is None:
        return kept
    stack, (meaning, reference, mended) = kept.own.stack, wanted
    try:
        if meaning != stack.meaning:
            assert meaning is not None
            stack = stack.meant(meaning.name, meaning.black, meaning.white)
        with work.turn():
            upload = _prepared(kept.ids, stack, progress, reference, mended)
    except ValueError:
        _leave(kept)
        raise
    # Only now: until it is there, the work may end, and begins again with what is kept.
    place = OWN_BURST if st.session_state.get(OWN_BURST) is kept else OWN_EXAMPLE
    forget()
    st.session_state[place] = upload
    return upload


def _chosen(kept: Upload) -> tuple[Input | None, int | None, bool] | None:
    """What its numbers are to mean (:func:`read_as`), which frame is to be the reference (:func:`refer_to`), and
    whether defects are to be mended; None: it is as it is to be."""
    own, state = kept.own, st.session_state
    meaning, reference = state.get(OWN_MEANT, own.stack.meaning), state.get(OWN_REFERENCE, own.reference)
    mended = state[OWN_MENDED]
    as_mended = own.stack.known or own.unmended != mended
    if as_mended and meaning == own.stack.meaning and reference == own.reference:
        return None
    return meaning, reference if own.chosen or OWN_REFERENCE in state else None, mended


def _leave(kept: Upload) -> None:
    """Take back what was chosen of a burst since it was prepared."""
    state = st.session_state
    for name in (OWN_MEANT, OWN_REFERENCE):
        state.pop(name, None)
    if not kept.own.stack.known:
        state[OWN_MENDED] = not kept.own.unmended


def cancel(found: Upload | None) -> None:
    """Let go what :func:`current` is at work on, and go back to what was kept of the files (:func:`kept`), else to the
    example; for a button's on_click."""
    if found is None:
        let_go()
    else:
        _leave(found)


def let_go() -> None:
    """Back to the example, with an empty drop zone; for a button's on_click."""
    forget()
    uploads.drop_all()
    st.session_state[OWN_UPLOADER] += 1


def refer_to(frame: int) -> None:
    """Make a frame the reference from now on: for a button's on_click."""
    st.session_state[OWN_REFERENCE] = frame


def read_as(meaning: Input) -> None:
    """Take the burst's numbers for something else from now on: for a button's on_click."""
    st.session_state[OWN_MEANT] = meaning


def preview(upload: Upload, meaning: Input, stops: float = 0.0) -> np.ndarray:
    """The reference as it looks if its numbers mean this, so many EV brighter. ValueError where they cannot."""
    return _thumbnail(upload.own.stack.read_as(meaning), upload.own.reference, work.pauses(), stops)


def forget() -> None:
    """Let the session's burst go, with all that was made and chosen of it."""
    for name in (
        *(OWN_BURST, OWN_EXAMPLE, OWN_PICTURE, OWN_PAYLOAD, OWN_ASSUMED, OWN_MAPS),
        *(OWN_NOISE, OWN_MIDDLE, OWN_PIXEL, OWN_DISPLAY, OWN_READ, OWN_MEANT, OWN_REFERENCE),
    ):
        st.session_state.pop(name, None)


@work.cached
def example() -> Upload:
    """A shaken burst in color of a photo of the gallery, of which the files say nothing; the same for all sessions."""
    codes = synthesize(BurstRecipe("city", noise=NoiseModel.for_gain(4), seed=3, color=True)).frames
    names = tuple(f"example {i}" for i in range(len(codes)))
    return _prepared(("example",), FrameStack(codes, tuple(range(len(codes))), names))


def _prepared(
    ids: tuple[str, ...],
    stack: FrameStack,
    progress: Callable[[float, str], object] = lambda *_: None,
    reference: int | None = None,
    mended: bool = True,
) -> Upload:
    pause = work.pauses()

    def say(share: float, text: str) -> None:
        progress(_READING + (_ALIGNED - _READING) * share, f"{text} …")

    stack, reference = without_copies(stack, reference)
    own = prepare(stack, between=pause, reference=reference, mend=None if mended else False, progress=say)
    fits: dict[int, NoiseFit | str] = {}
    channels = channels_of(own.stack)
    for i, channel in enumerate(channels):
        of = f" of {CHANNELS[channel]}" if len(channels) > 1 else ""
        progress(_ALIGNED + (1 - _ALIGNED) * i / len(channels), f"Measuring the noise{of} …")
        try:
            fits[channel] = own.estimate_noise(channel, pause)
        except ValueError as error:
            fits[channel] = str(error)
    _ = own.noise_correlation  # measured now, and kept by the burst
    shown = replace(own.stack, gains=None)  # as bright as the files are
    return Upload(ids, own, fits, [_thumbnail(shown, i, pause) for i in range(len(stack))])


def for_methods(upload: Upload, methods: Sequence[str]) -> Upload:
    """The burst as these methods take it together: all frames, or as many as they are made for.

    Networks that look at one frame alone take any number. ValueError if there is no number that all of them take.
    """
    takes = {name: frames_of(name) for name in methods}
    alone = [name for name, taken in takes.items() if taken == {1} and own(name) is None]
    count = common_frames(takes | dict.fromkeys(alone), len(upload.own.stack))
    return replace(upload, own=upload.own.taking(count))


def channels_of(stack: FrameStack) -> list[int]:
    return [GRAY] if stack.channels == 1 else [GRAY, 0, 1, 2]


def noise_at_first(upload: Upload) -> list[dict[str, Any]]:
    """One row a channel: the noise that the files state, else the estimate, else a guess."""
    rows = []
    for channel in channels_of(upload.own.stack):
        stated, fit = upload.own.stack.channel_noise(channel), upload.fits[channel]
        if stated is not None:
            noise, source = stated, upload.own.stack.noise_source
        elif isinstance(fit, NoiseFit):
            noise, source = fit.assumed, fit.source
        else:
            noise, source = upload.own.guess_noise(channel)
        row = {"channel": CHANNELS[channel], "read_std": noise.read_std, "shot_gain": noise.shot_gain}
        rows.append(row | {"source": source})
    return rows


def picture(
    upload: Upload,
    method: str,
    noises: dict[int, NoiseModel],
    color: str | None,
    progress: Callable[[float, str], object],
) -> Whole:
    """Denoise the whole picture. Kept until something changes.

    color is "shared" (kernels for R, G and B together), "each" (kernels of its own for each), "gray", or None: the
    files are gray. `progress` is called after every tile with the share done and which one comes next; raising in it
    cancels.
    """
    key = (upload.key, upload.own.order, method, color, tuple(noises.items()))
    kept_before = st.session_state.get(OWN_PICTURE)
    if kept_before is not None and kept_before[0] == key:
        return kept_before[1]
    st.session_state.pop(OWN_PICTURE, None)
    mine, limits = upload.own, Limits.from_environment()
    in_color = color in COLOR_MODES
    channels = [c for c in channels_of(mine.stack) if c != GRAY] if in_color else [GRAY]
    source = mine.color([noises[c] for c in channels]) if in_color else mine.channel(GRAY, noises[GRAY])

    numbers = itertools.count(1)  # of tiles that are done

    def advance(share: float) -> None:
        done = next(numbers)
        total = round(done / share)
        progress(share, f"tile {min(done + 1, total)} of {total}")
        work.let_others()

    if own(method) is None:
        network = denoiser(method)
        with work.turn():
            work.share_cores()
            tiled = Denoiser(network.network, network.name, _TILE)
            how = "each" if color == "each" else "shared"
            estimate = tiled(source, keep_kernels=False, progress=advance, channels=how)
    else:  # in one piece: how far it sees is not known
        size = 4 * len(source) * len(channels) * source.height * source.width
        if size > limits.total_bytes:
            raise ValueError(
                f"{method} gets a burst in one piece, and this one has {size / 1e6:.0f} MB; the limit is "
                f"{limits.named('total_bytes')}"
            )
        estimate = denoise(method, source.crop(0, 0, source.height, source.width), keep_kernels=False)
    planes = estimate.image if in_color else estimate.image[None]
    developed, white = mine.stack.developed(planes), mine.stack.white_level
    codes = np.stack(
        [np.rint(displayed(plane, white) * 65535).astype(np.uint16) for plane in developed], axis=-1
    )
    codes = codes[..., 0] if len(channels) == 1 else codes
    # 16 bits are 257 times 8 bits.
    after = Pyramid(np.rint(codes / np.float32(257)).astype(np.uint8))
    layers = Layers(before=Pyramid(_shown(mine.stack, mine.reference, channels)), after=after)
    # What is written keeps the reference's EXIF, and says that it is sRGB.
    exif = mine.stack.exif[mine.reference] if mine.stack.exif else b""
    png = write_png16(codes, icc_profile(len(channels) == 1, linear=False), exif, SOFTWARE)
    detail = lost_detail(planes, mine, channels, [noises[c] for c in channels], estimate.own_weight)
    kept = Whole(layers, png, _on_disk(planes), shade_of(developed, white), detail)
    st.session_state[OWN_PICTURE] = (key, kept)
    return kept


def _on_disk(planes: np.ndarray) -> np.ndarray:
    """The same numbers, mapped from a temporary file without a name: of large pictures they would fill the memory."""
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, np.float32, "w+", shape=planes.shape)
    mapped[:] = planes
    return mapped


def in_counts(stack: FrameStack) -> bool:
    """Whether the numbers of the files are in proportion to light, so that a picture may have such numbers, too."""
    return stack.meaning is not None and not stack.encoded and stack.levels is not None


def tiff(upload: Upload, light: np.ndarray) -> bytes:
    """A denoised picture as TIFF of 32-bit floating point: in the numbers of the files (`in_counts`), else linear."""
    stack = upload.own.stack
    counts = in_counts(stack)
    picture = light if counts or stack.profile is None else stack.developed(light)
    return encoded(picture, stack, upload.own.reference, ".tif", linear=True, floating=True, counts=counts)


def file_name(upload: Upload) -> str:
    """How a denoised picture's file is called, less its suffix: after that of the reference."""
    name = base_name(upload.own.stack.names[upload.own.reference]).split(", frame ")[0]
    return f"{PurePosixPath(name).stem}-denoised"


def kept_picture(
    upload: Upload, method: str, noises: dict[int, NoiseModel], color: str | None
) -> Whole | None:
    """The picture that was last denoised, if these are still its settings."""
    kept = st.session_state.get(OWN_PICTURE)
    key = (upload.key, upload.own.order, method, color, tuple(noises.items()))
    return kept[1] if kept is not None and kept[0] == key else None


def _shown(stack: FrameStack, frame: int, channels: Sequence[int]) -> np.ndarray:
    """A frame as a screen shows it, uint8 [H, W] or [H, W, 3]; it is read in parts."""
    shown = np.empty((stack.height, stack.width, len(channels)), np.uint8)
    for top in range(0, stack.height, _TILE):
        rows = slice(top, min(top + _TILE, stack.height))
        light = np.stack([stack.light(frame, c, rows, slice(0, stack.width)) for c in channels])
        values = displayed(stack.developed(light), stack.white_level)
        shown[rows] = np.rint(values * 255).astype(np.uint8).transpose(1, 2, 0)
        work.let_others()
    return shown[..., 0] if len(channels) == 1 else shown


def preview_of(layers: Layers) -> np.ndarray:
    """The picture after, reduced to at most 1.5 megapixels: for a page that cannot fetch tiles."""
    levels = layers["after"].levels
    small = [level for level in levels if level.shape[0] * level.shape[1] <= _PREVIEW_PIXELS]
    return _showable(np.asarray((small or levels[:1])[-1]))


def look_at(upload: Upload, pixel: tuple[int, int], side: int) -> None:
    """Let the lens show the square part around a pixel of the whole picture, and pin that pixel."""
    stack = upload.own.stack
    st.session_state[OWN_MIDDLE] = pixel
    y, x = (
        at - min(max(at - side // 2, 0), length - side)
        for at, length in zip(pixel, (stack.height, stack.width), strict=True)
    )
    st.session_state[OWN_PIXEL] = (y, x)


def part_of(
    upload: Upload, channel: int, noises: tuple[NoiseModel, ...], crop: tuple[int, int, int]
) -> Burst:
    """A square part, (top, left, side), of one channel or of three, with the noise of each."""
    top, left, side = crop
    view = upload.own.color(noises) if channel == IN_COLOR else upload.own.channel(channel, noises[0])
    return view.crop(top, left, side, side)


def lens_payload(
    upload: Upload,
    methods: tuple[str, ...],
    channel: int,
    noises: tuple[NoiseModel, ...],
    crop: tuple[int, int, int],
) -> bytes:
    """What the kernel lens shows of a part, see :func:`part_of`."""
    kept = kept_payload(upload, methods, channel, noises, crop)
    if kept is not None:
        return kept
    burst = part_of(upload, channel, noises, crop)
    with work.turn():
        payload = pack(burst, [denoise(method, burst) for method in methods], interesting_pixel(burst))
    st.session_state[OWN_PAYLOAD] = ((upload.key, upload.own.order, methods, channel, noises, crop), payload)
    return payload


def kept_payload(
    upload: Upload,
    methods: tuple[str, ...],
    channel: int,
    noises: tuple[NoiseModel, ...],
    crop: tuple[int, int, int],
) -> bytes | None:
    """What the lens was last sent, if that is of this part."""
    kept = st.session_state.get(OWN_PAYLOAD)
    key = (upload.key, upload.own.order, methods, channel, noises, crop)
    return kept[1] if kept is not None and kept[0] == key else None


@dataclass(frozen=True, eq=False)
class Inside:
    """What the lens shows of one method: the reference in gray [H, W], and the kernels, float16, or None.

    id      of the payload and the method;  start   the pixel (y, x) at which the lens starts
    """

    id: str
    reference: np.ndarray
    white_level: float
    start: tuple[int, int]
    kernels: KernelField | None


def inside(payload: bytes, method: int) -> Inside:
    """Read a payload of the lens again: the `method`-th of those that it was made with."""
    header, arrays = unpack(payload)
    kernels = header["methods"][method]["kernels"]
    field = None
    if kernels is not None:
        factors = torch.tensor(arrays[kernels["factors"]])[None]
        field = KernelField(
            factors, tuple(kernels["sizes"]), kernels["separable"], header["height"], header["width"]
        )
    y, x = header["start"]
    reference = arrays[header["panels"][0]["image"]]
    gray = reference if reference.ndim == 2 else luminance(np.moveaxis(reference, 0, -1))
    return Inside(f"{header['id']} {method}", gray, header["white_level"], (y, x), field)


def with_assumed_noise(
    upload: Upload,
    method: str,
    channel: int,
    noises: tuple[NoiseModel, ...],
    crop: tuple[int, int, int],
    progress: Callable[[float], object],
) -> list[tuple[np.ndarray, KernelField | None]]:
    """Denoise a part, see :func:`part_of`, with each assumed noise of ASSUMED: its picture [H, W] or [3, H, W], and
    frame 0's kernels in float16.

    `progress` is called before each with the share done. The last part is kept.
    """
    key = (upload.key, upload.own.order, method, channel, noises, crop)
    kept = st.session_state.get(OWN_ASSUMED)
    if kept is not None and kept[0] == key:
        return kept[1]
    burst = part_of(upload, channel, noises, crop)
    found = []
    for done, scale in enumerate(ASSUMED):
        progress(done / len(ASSUMED))
        estimate = denoise(method, burst, scale)
        field = estimate.kernels
        found.append(
            (estimate.image, field and replace(field, factors=field.factors[:, :1].to(torch.float16)))
        )
    st.session_state[OWN_ASSUMED] = (key, found)
    return found


def maps(shown: Inside, frame: int) -> FrameMaps:
    """The maps of a frame's kernels; the last ones are kept."""
    if shown.kernels is None:
        raise ValueError("this method predicts the picture itself: it has no kernels")
    key = (shown.id, frame)
    kept = st.session_state.get(OWN_MAPS)
    if kept is None or kept[0] != key:
        kept = st.session_state[OWN_MAPS] = (key, frame_maps(shown.kernels, frame))
    return kept[1]


def _thumbnail(stack: FrameStack, frame: int, pause: Callable[[], None], stops: float = 0.0) -> np.ndarray:
    """About 200x150 pixels of a frame in sRGB, uint8, so many EV brighter."""
    channels = range(3) if stack.channels == 3 else [GRAY]
    small = [overview(stack, frame, c, _THUMBNAIL_PIXELS, pause) for c in channels]
    planes = stack.developed(np.stack(small))
    image = np.rint(displayed(planes, stack.white_level / 2**stops) * 255).astype(np.uint8)
    return _showable(image[0] if len(image) == 1 else image.transpose(1, 2, 0))


def _showable(image: np.ndarray) -> np.ndarray:
    """A picture [h, w(, 3)], or its middle where it is so thin that nothing would be left of it when it is made as
    narrow as its place on the page."""
    h, w = (min(length, _MOST_ASPECT * min(image.shape[:2])) for length in image.shape[:2])
    top, left = (image.shape[0] - h) // 2, (image.shape[1] - w) // 2
    return np.ascontiguousarray(image[top : top + h, left : left + w])
