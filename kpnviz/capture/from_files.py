"""A burst of files on disk, in one call."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kpnviz.burst import Burst
from kpnviz.capture.choosing import LEFT_OUT, SAME_AS, reference_of
from kpnviz.capture.copies import without_copies
from kpnviz.capture.frame_stack import GRAY
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import files_of, read_frames
from kpnviz.limits import Limits
from kpnviz.noise import NoiseModel
from kpnviz.text import escaped
from kpnviz.threads import results


def read_burst(
    files: str | Path | Sequence[str | Path],
    channel: int = GRAY,
    noise: NoiseModel | None = None,
    frames: int | None = None,
    align: bool | None = None,
    color: bool = False,
    input: str | None = None,
    black: float | None = None,
    white: float | None = None,
    reference: int | str | None = None,
    mend: bool | None = None,
) -> Burst:
    """Photos on disk as a Burst, aligned and with its noise: what ``kpnviz.load(name)`` takes.

    files    a folder, or files: photos or camera raws, files of several frames, a ZIP of them, or one NPZ
    channel  0, 1 or 2 for R, G or B; GRAY (-1) for the luminance (of camera raws: green)
    color    R, G and B together, [N, 3, H, W], in place of one channel; of gray files, [N, H, W]
    noise    of that channel, or of each; None: see :meth:`kpnviz.capture.own_burst.OwnBurst.noise_of`
    frames   how many, see :meth:`kpnviz.capture.own_burst.OwnBurst.taking`; None: all of them
    align    see :func:`kpnviz.capture.prepare.prepare`
    input    what the files' numbers mean, "srgb", "linear" or "bayer:RGGB", and the numbers of black and white; None:
             what they look like (meaning.guess_input)

    reference   the number or the name of the frame that is to be the reference; None: chosen
    mend        whether hot pixels and fixed columns of the sensor are mended; None: they are, if they are found

    The whole burst is held in memory, 4 bytes a pixel, channel and frame. Its `notes` say what was done, guessed and
    left out. Raises ValueError, one sentence that names the file or folder, if no burst can be made of it; warns, once,
    of frames that are left out though nobody asked for that.
    """
    paths = [files] if isinstance(files, str | Path) else list(files)
    for path in paths:
        if not Path(path).exists():
            raise ValueError(f"{escaped(path)}: there is no such file or folder")
    stack = read_frames(files_of(paths), Limits.from_environment(generous=True)).meant(input, black, white)
    if channel != GRAY and not 0 <= channel < stack.channels:
        raise ValueError(
            f"channel is {channel}; the files have {stack.channels}, counted from 0, and GRAY (-1)"
        )
    place = None if reference is None else reference_of(stack.names, str(reference))
    stack, place = without_copies(stack, place)
    own = prepare(stack, frames, align, reference=place, mend=mend)
    skipped = [note for note in stack.file_notes if note.startswith(LEFT_OUT) or SAME_AS in note]
    skipped += own.taking(None).left_out_notes
    if skipped:
        warnings.warn(" ".join(skipped), stacklevel=2)
    channels = [*range(3)] if color and stack.channels == 3 else [channel]
    found = results(lambda c: own.noise_of(c, noise), channels)
    noises = [one for one, _, _ in found]
    view = own.color(noises) if len(channels) > 1 else own.channel(channel, noises[0])
    cautions = [caution for *_, caution in found if caution]
    if len(channels) > 1 and own.about_correlation:
        cautions.append(own.about_correlation)
    notes = (*own.stack.notes, own.report, *dict.fromkeys(cautions))
    return replace(view.crop(0, 0, stack.height, stack.width), notes=notes)
