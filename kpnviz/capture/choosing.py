"""Which of the files in a folder are frames, and which frames show one scene."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import numpy as np

from kpnviz.capture.brightness import BELOW_WHITE, OTHER_BRIGHTNESS, middle_exposure
from kpnviz.capture.burst_json import METADATA
from kpnviz.capture.npz import base_name
from kpnviz.limits import FileError
from kpnviz.noise import NoiseModel
from kpnviz.sampling import box_reduce, reduction
from kpnviz.text import visible

_RAWS = frozenset(
    re.findall(
        r"\w+",
        "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f",
    )
)
_PICTURES = frozenset({"jpg", "jpeg", "heic", "heif", "hif", "png", "tif", "tiff", "webp", "avif", "jxl"})
_VIDEOS = frozenset({"mov", "mp4", "m4v", "3gp"})
_SIDECARS = frozenset(
    re.findall(
        r"\w+",
        "aae arp bak cos csv db dop exif gpx htm html ini json log lrv md md5 nksc on1 pdf pp3 sha256 spd srt thm txt "
        "url vrd wav xml xmp yaml yml",
    )
)
LEFT_OUT = "Left out"
"""How sentences on frames that are not used begin."""

SAME_AS = "the same as"
"""What sentences say of frames that are there twice."""

NOT_ALIGNED = "another scene, or turned or zoomed too far"
"""What is known of a frame that was not found in the reference."""

_SCENE_PIXELS = 40_000  # on which frames of other scenes are found
_SYSTEM = ("thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r")


def frames_among(names: Sequence[str]) -> tuple[list[int], list[str]]:
    """Which of these files are read, and sentences on those that are not.

    Not read are what systems and programs put beside pictures; of a raw and a picture of one name the picture, which a
    camera made of the raw; and of a picture and a video of one name the video. If nothing would be left, all are read:
    whoever reads them says what they are.
    """
    paths = [PurePosixPath(base_name(name).lower()) for name in names]
    kinds = [path.suffix[1:] for path in paths]
    beside = [
        path.name != METADATA and (path.name.startswith(".") or path.name in _SYSTEM or kind in _SIDECARS)
        for path, kind in zip(paths, kinds, strict=True)
    ]
    raws = {path.stem for path, kind in zip(paths, kinds, strict=True) if kind in _RAWS}
    pictures = {path.stem for path, kind in zip(paths, kinds, strict=True) if kind in _PICTURES} | raws
    paired = [path.stem in raws and kind in _PICTURES for path, kind in zip(paths, kinds, strict=True)]
    lively = [path.stem in pictures and kind in _VIDEOS for path, kind in zip(paths, kinds, strict=True)]
    read = [i for i in range(len(names)) if not (beside[i] or paired[i] or lively[i])]
    if not any(paths[i].name != METADATA for i in read):
        return list(range(len(names))), []
    notes = []
    for chosen, before, after in (
        (beside, "Not read, as they are no frames: ", "."),
        (paired, "Raws and pictures came in pairs; the raws are read, not ", "."),
        (lively, "Not read, as they are videos of the moment around a picture: ", "."),
    ):
        skipped = [visible(base_name(name)) for name, skip in zip(names, chosen, strict=True) if skip]
        if skipped:
            notes.append(before + listed(skipped) + after)
    return read, notes


def without_ours(names: Sequence[str], ours: Sequence[bool]) -> tuple[list[int], list[str]]:
    """Which of these files are read where some are pictures that were denoised here, as one that was written into the
    folder of its burst; and a sentence on them. Where nothing else is there, they are the frames."""
    read = [i for i, made_here in enumerate(ours) if not made_here]
    if len(read) == len(names) or all(base_name(names[i]) == METADATA for i in read):
        return list(range(len(names))), []
    skipped = [visible(base_name(name)) for name, made_here in zip(names, ours, strict=True) if made_here]
    was = "was" if len(skipped) == 1 else "were"
    return read, [f"{listed(skipped)} {was} left out: kpnviz wrote {'it' if was == 'was' else 'them'}."]


def listed(names: Sequence[str], most: int = 4) -> str:
    """Names with commas between them, of many the first."""
    more = f" and {len(names) - most} more" if len(names) > most + 1 else ""
    return ", ".join(names[:most] if more else names) + more


def largest_scene(
    pictures: Sequence[np.ndarray], scores: Sequence[float], noise: NoiseModel, white: Sequence[float] = ()
) -> list[int]:
    """Of small pictures [h, w] in linear intensity, those that show one scene: of several scenes, the one with most.

    white   of each picture, if they differ: two pictures are compared below the lower of theirs

    A scene is what a picture has in common with others: all those that have a shift against it (find_shift). The
    picture with the best score is asked first, then the best one that did not belong to it, until what is left is too
    little.
    """
    from kpnviz.capture.alignment import find_shift  # SciPy, which the process that reads files does without

    def agree(i: int, j: int) -> bool:
        a, b = pictures[i], pictures[j]
        if white and white[i] != white[j]:
            a, b = (np.minimum(x, np.float32(min(white[i], white[j]))) for x in (a, b))
        return find_shift(a, b, noise) is not None

    left, best = set(range(len(pictures))), [0]
    while len(left) > len(best) or best == [0]:
        chosen = max(left, key=lambda i: scores[i])
        alike = [i for i in range(len(pictures)) if i == chosen or agree(chosen, i)]
        if len(alike) > len(best) or best == [0]:
            best = alike
        left -= {chosen, *alike}
        if not left:
            break
    return best


def best_reference(
    overviews: Sequence[np.ndarray],
    scores: Sequence[float],
    gains: np.ndarray,
    clipped: tuple[float, float] | None,
    noise_of: Callable[[int], NoiseModel],
) -> int:
    """The sharpest frame of the scene that most frames show, of a bracketed burst the sharpest of the middle exposure.

    overviews   [h, w] of the frames;  scores   how sharp they are;  gains   how bright, [N]
    clipped     as in FrameStack
    noise_of    what the noise of an overview is taken to be, before anything is aligned
    """
    scene = list(range(len(overviews)))
    if len(overviews) > 2:
        h, w = overviews[0].shape
        more = reduction(h, w, _SCENE_PIXELS)
        noise = noise_of(int(np.argmax(scores))).scaled(1 / float(np.prod(more)) ** 0.5)
        small = [
            box_reduce(image / np.float32(gain), more) for image, gain in zip(overviews, gains, strict=True)
        ]
        white: Sequence[float] = ()
        if clipped is not None and np.ptp(np.log2(gains)) >= OTHER_BRIGHTNESS:
            white = (BELOW_WHITE * clipped[1] / gains).tolist()
        scene = largest_scene(small, scores, noise, white)
    in_middle = middle_exposure(gains[scene])
    return max((i for i, middle in zip(scene, in_middle, strict=True) if middle), key=lambda i: scores[i])


def reference_of(names: Sequence[str], wanted: str) -> int:
    """The frame that a user means: its file's name, or its number, counted from 0. FileError if there is none."""
    for name in (wanted, base_name(wanted)):
        found = [i for i, have in enumerate(names) if name in (have, have.rpartition("/")[2])]
        if len(found) == 1:
            return found[0]
    if wanted.isdecimal() and int(wanted[:9]) < len(names):
        return int(wanted)
    raise FileError(
        f"reference is {visible(wanted)}; it is a frame's name, or its number from 0 to {len(names) - 1}: "
        f"{listed(names)}"
    )
