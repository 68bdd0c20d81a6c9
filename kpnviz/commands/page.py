"""The command `kpnviz page`: the kernel lens as one HTML file."""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpnviz.commands.burst import PIXELS, add_color, add_files, command
from kpnviz.commands.denoising import ALIGN, DEFECTS, check, noise_of
from kpnviz.commands.options import WrongOptionError, add_method, integer, number, several
from kpnviz.commands.terminal import say
from kpnviz.text import escaped, visible

if TYPE_CHECKING:
    from kpnviz.burst import Burst, BurstRecipe
    from kpnviz.capture.own_burst import OwnBurst
    from kpnviz.denoise import Denoiser
    from kpnviz.estimate import Estimate
    from kpnviz.limits import Limits
    from kpnviz.methods import Method

MAX_SIDE = 256
"""Pixels a side of the part that is shown of a large burst, unless --size or --crop says otherwise: 20 to 50 MB."""


def add_command(commands: Any) -> None:
    """Add the command to argparse's subparsers."""
    page = command(
        commands,
        "page",
        "write the kernel lens as a page to give away",
        "  kpnviz page burst --model mkpn kpn-l5 -o lens.html\n"
        "  kpnviz page IMG_*.dng --at 1200,860 --size 192 -o lens.html\n"
        "  kpnviz page burst --method my_net.py:predict -o lens.html\n"
        "  kpnviz page kernels.npz -o lens.html           # of kpnviz.save_kernels\n"
        "  kpnviz page --live --model kpn-l5 mkpn -o explore.html\n"
        f"Of a burst larger than {MAX_SIDE}x{MAX_SIDE} pixels a part is shown, around --at or in the middle. The page "
        "is one\nfile that needs no server and no network.",
    )
    add_files(page, "*")
    page.add_argument(
        "--live",
        action="store_true",
        help="without FILE: the explorer itself, with networks (--model) and photos inside, that makes its own bursts",
    )
    page.add_argument(
        "--photos", nargs="+", metavar="NAME", help="with --live: photos of the gallery (dog flowers)"
    )
    page.add_argument(
        "--model",
        nargs="+",
        metavar="NAME",
        help="trained networks (mkpn; of a file of kernels, and --method: none)",
    )
    add_method(page, "also a method of your own; may be given several times", True)
    page.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".html to write")
    page.add_argument(
        "--at", type=several(PIXELS, PIXELS), metavar="Y,X", help="a pixel of the whole picture, pinned"
    )
    part = page.add_mutually_exclusive_group()
    part.add_argument(
        "--size", type=integer(16, 4096), metavar="PIXELS", help=f"side of the part ({MAX_SIDE})"
    )
    part.add_argument(
        "--crop",
        type=several(PIXELS, PIXELS, integer(1, 10**6), integer(1, 10**6)),
        metavar="TOP,LEFT,HEIGHT,WIDTH",
        help="the part itself",
    )
    page.add_argument(
        "--max-mb",
        type=number(0.1, 4096),
        metavar="MB",
        help="write also larger pages, up to so much data (48)",
    )
    page.add_argument(
        "--lossy",
        action="store_true",
        help="dense kernels in 8 bits: smaller, and the page says what that changes",
    )
    add_color(page, "R, G and B, not luminance")
    page.set_defaults(run=_page)


def _page(options: argparse.Namespace) -> int:
    if options.output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{options.output}: the name of a page ends in .html")
    if options.live:
        return _live(options)
    if not options.files:
        raise WrongOptionError(
            "FILE: name the frames of a burst, or a file of kernels; without one, say --live"
        )
    if options.photos:
        raise WrongOptionError("--photos: only with --live")
    check(options)
    from kpnviz.capture.reader import get_ready
    from kpnviz.limits import Limits

    limits = Limits.from_environment(generous=True)
    get_ready(limits)
    from tqdm import tqdm

    from kpnviz.denoise import load
    from kpnviz.lens.page import photo_title
    from kpnviz.lens.payload import MAX_BYTES
    from kpnviz.lens.view import show
    from kpnviz.methods import as_method, own_method
    from kpnviz.threads import announce_compilation

    announce_compilation(say)
    of_kernels = holds_kernels(options.files)
    names = options.model or ([] if of_kernels or options.method else ["mkpn"])
    own = [own_method(source) for source in options.method or ()]
    methods: list[Denoiser | Method] = [*(load(name, options.device) for name in names), *own]
    estimates: list[Estimate] = []
    title = visible(Path(options.files[0]).resolve().name)
    if of_kernels:
        burst, estimates, pixel = _of_kernels(options, limits)
        title = photo_title(burst.recipe) if burst.recipe else title
    else:
        takes = {one.name: as_method(one.name, one).frames for one in methods}
        burst, pixel, recipe = _of_files(options, limits, takes)
        title = photo_title(recipe) if recipe else title
    with tqdm(total=len(methods), desc="page", unit="method", disable=not sys.stderr.isatty()) as bar:
        for one in methods:
            bar.set_postfix_str(escaped(one.name))
            estimates.append(one(burst))
            bar.update()
    most = MAX_BYTES if options.max_mb is None else int(options.max_mb * 2**20)
    view = show(burst, estimates, pixel=pixel, lossy=options.lossy, max_bytes=most, title=title)
    written = view.save(options.output)
    size = written.stat().st_size
    report = {
        "output": str(written),
        "models": [estimate.model for estimate in estimates],
        "height": burst.height,
        "width": burst.width,
        "pixel": pixel,
        "bytes": size,
    }
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        say(f"wrote {written}, {size / 1e6:.1f} MB")
    return 0


_PHOTOS = ("dog", "flowers")
"""Of a live page, unless --photos names others."""


def _live(options: argparse.Namespace) -> int:
    """Write the explorer as one file."""
    if options.files:
        raise WrongOptionError(
            f"--live: the page makes its own bursts; it takes no file such as {options.files[0]}"
        )
    for name in ("method", "at", "size", "crop", "max_mb", "lossy", "color", "noise", "read_std"):
        if getattr(options, name):
            raise WrongOptionError(f"--{name.replace('_', '-')}: not with --live")
    from kpnviz.commands.site import chosen, offer
    from kpnviz.paths import write_atomically
    from kpnviz.site.building import single_page

    offered = offer()
    models, photos = chosen(options.model or offered["methods"], options.photos or _PHOTOS, "model")
    page = single_page(models, photos, offered).encode()
    write_atomically(options.output, page)
    if options.json:
        report = {"output": str(options.output), "models": models, "photos": photos, "bytes": len(page)}
        print(json.dumps(report, indent=2))
    else:
        say(f"wrote {options.output}, {len(page) / 1e6:.1f} MB")
    return 0


def holds_kernels(files: list[str]) -> bool:
    """Whether it is one NPZ with kernels, as kpnviz.save_kernels writes it."""
    from kpnviz.capture.kernel_decoding import METHOD_KEY

    if len(files) != 1 or not zipfile.is_zipfile(files[0]):
        return False
    with zipfile.ZipFile(files[0]) as archive:
        found = [METHOD_KEY.fullmatch(name.removesuffix(".npy")) for name in archive.namelist()]
    return any(one and one["key"].partition("_")[0] in ("kernels", "vertical", "basis") for one in found)


def _of_kernels(
    options: argparse.Namespace, limits: Limits
) -> tuple[Burst, list[Estimate], tuple[int, int] | None]:
    """Burst, estimates and pixel of a file of kernels: they are shown as they are."""
    from kpnviz.capture.kernel_file import load_kernels

    for name in ("size", "crop", "noise", "read_std"):
        if getattr(options, name) is not None:
            raise WrongOptionError(
                f"--{name.replace('_', '-')} is of frames; a file of kernels is shown as it is"
            )
    burst, estimates = load_kernels(options.files[0], limits=limits)
    if options.at:
        _check_at(options, burst.height, burst.width)
    return burst, estimates, options.at


def _of_files(
    options: argparse.Namespace, limits: Limits, takes: Mapping[str, frozenset[int] | None]
) -> tuple[Burst, tuple[int, int] | None, BurstRecipe | None]:
    """The burst, or the part of it that is shown, the pinned pixel of that part, and what the whole was made of.

    takes   the numbers of frames that each method takes
    """
    from kpnviz.capture.copies import without_copies
    from kpnviz.capture.frame_stack import GRAY
    from kpnviz.capture.prepare import prepare
    from kpnviz.capture.reader import files_of, read_frames
    from kpnviz.methods import common_frames

    stack = read_frames(files_of(options.files), limits).meant(options.input, options.black, options.white)
    stack, _ = without_copies(stack)
    if options.color and stack.channels != 3:
        raise WrongOptionError("--color: the files are gray; they have no R, G and B")
    H, W = stack.height, stack.width
    if options.at:
        _check_at(options, H, W)
    frames = common_frames(takes, len(stack))
    own = prepare(stack, frames, ALIGN[options.align], mend=DEFECTS[options.defects])
    for note in (*own.stack.notes, own.report):
        say(note)
    top, left, height, width = _part(options, H, W)
    burst = _cropped(options, own, GRAY, top, left, height, width)
    if (height, width) != (H, W):
        say(f"shown are {height}x{width} of {H}x{W} pixels, from row {top}, column {left} on")
    if not options.at:
        return burst, None, stack.recipe
    y, x = options.at[0] - top, options.at[1] - left
    if not (0 <= y < height and 0 <= x < width):
        raise WrongOptionError(
            f"--at is {options.at[0]},{options.at[1]}, which is not in the part that --crop names"
        )
    return burst, (y, x), stack.recipe


def _cropped(
    options: argparse.Namespace, own: OwnBurst, gray: int, top: int, left: int, height: int, width: int
) -> Burst:
    channels = range(3) if options.color else [gray]
    noises = []
    for channel in channels:
        noise, source, caution = noise_of(options, own, channel)
        name = "RGB"[channel] if options.color else "gray"
        say(f"noise of {name}, {source}: read_std {noise.read_std:.5f}, shot_gain {noise.shot_gain:.6f}")
        if caution:
            say(caution)
        noises.append(noise)
    if options.color and own.about_correlation:
        say(own.about_correlation)
    view = own.color(noises) if options.color else own.channel(gray, noises[0])
    return view.crop(top, left, height, width)


def _part(options: argparse.Namespace, H: int, W: int) -> tuple[int, int, int, int]:
    """Top, left, height and width of the part that is shown."""
    if options.crop:
        top, left, height, width = options.crop
        if top + height > H or left + width > W:
            raise WrongOptionError(
                f"--crop is {top},{left},{height},{width}; the frames have {H}x{W} pixels (height x width)"
            )
        return top, left, height, width
    side = options.size or MAX_SIDE
    height, width = min(side, H), min(side, W)
    y, x = options.at or (H // 2, W // 2)
    top, left = (min(max(p - s // 2, 0), length - s) for p, s, length in ((y, height, H), (x, width, W)))
    return top, left, height, width


def _check_at(options: argparse.Namespace, H: int, W: int) -> None:
    y, x = options.at
    if not (y < H and x < W):
        raise WrongOptionError(f"--at is {y},{x}; the frames have {H}x{W} pixels (height x width)")
