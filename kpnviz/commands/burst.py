"""The commands for bursts of one's own: `kpnviz synth | denoise | kernels`."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpnviz.commands.denoising import ALIGN, DEFECTS, check, denoise_burst, open_burst, view_of
from kpnviz.commands.options import (
    DEVICE_HELP,
    GAIN,
    MOTIONS,
    NOISE,
    SEED,
    WrongOptionError,
    add_method,
    add_workers,
    integer,
    number,
    several,
)
from kpnviz.commands.terminal import say as _say
from kpnviz.paths import write_atomically

if TYPE_CHECKING:
    import numpy as np

    from kpnviz.capture.own_burst import OwnBurst
    from kpnviz.noise import NoiseModel

_CAMERA = {
    "rotation": (45, "degrees that the last frame is turned"),
    "tilt": (20, "degrees of panning and tilting by the last frame"),
    "shutter": (1000, "pixels by which a rolling shutter shears the last frame, top to bottom"),
    "parallax": (1000, "pixels that things in front move more than what is behind, by the last frame"),
}
"""Fields of CameraMotion: the most, and what they are."""

PIXELS = integer(0, 10**6)


def add_commands(commands: Any) -> None:
    """Add the three commands to argparse's subparsers."""
    synth = command(
        commands,
        "synth",
        "make a noisy burst of a photo",
        "  kpnviz synth dog -o burst --gain 4 --seed 1\n"
        "  kpnviz synth holiday.jpg -o burst --color --noise 0.02,0.003\n"
        "  kpnviz synth city -o burst --motion moving\n"
        "FOLDER gets frame_00.png ... (16 bit, linear, with a black level), truth.png and burst.json.",
    )
    synth.add_argument("photo", help="a name of the gallery (dog, city ...), or a file")
    synth.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder to write")
    noise = synth.add_mutually_exclusive_group()
    noise.add_argument("--gain", type=GAIN, default=4.0, help="sensor gain, 1 to 8 in the paper (4)")
    noise.add_argument(
        "--noise",
        type=several(NOISE, NOISE),
        metavar="READ_STD,SHOT_GAIN",
        help="the noise itself, e.g. 0.02,0.003",
    )
    synth.add_argument("--seed", type=SEED, default=0, help="of shake and noise (0)")
    synth.add_argument("--frames", type=integer(1, 1024), default=8, help="N (8)")
    synth.add_argument(
        "--crop",
        type=several(*[PIXELS] * 4),
        metavar="TOP,LEFT,HEIGHT,WIDTH",
        help="part of the reduced photo (all)",
    )
    synth.add_argument(
        "--reduction", type=integer(1, 64), default=2, help="box-reduce the photo by this first (2)"
    )
    synth.add_argument(
        "--shake",
        type=several(integer(0, 4096), integer(0, 4096), number(0, 1000)),
        metavar="SMALL,LARGE,RATE",
        help="misalignment: +-SMALL, now and then +-LARGE (2,16,1.5)",
    )
    synth.add_argument(
        "--motion",
        choices=MOTIONS,
        default=MOTIONS[0],
        help="shake by whole or half pixels; by half pixels with objects that move, or of a hand that turns, with a "
        "rolling shutter and parallax (whole-pixel)",
    )
    for name, (most, text) in _CAMERA.items():
        synth.add_argument(f"--{name}", type=number(0, most), help=f"{text} (0; handheld: drawn)")
    add_color(synth, "R, G and B instead of luminance")
    synth.add_argument("--force", action="store_true", help="write also to a folder with other files in it")
    synth.add_argument("--json", action="store_true", help="print burst.json")
    synth.set_defaults(run=_synth)

    denoise = command(
        commands,
        "denoise",
        "denoise a burst of any size",
        "  kpnviz denoise burst -o clean.png\n"
        "  kpnviz denoise IMG_*.dng -o clean.tif\n"
        "  kpnviz denoise a.jpg b.jpg c.jpg -o clean.png --noise auto --gray --model kpn-l5\n"
        "  kpnviz denoise cells.tif -o clean.tif --counts   # in the counts of the file\n"
        "  kpnviz denoise --each bursts -o clean          # every burst in a folder, each to its own picture\n"
        "Without --noise, files that know their noise (burst.json, DNG) are believed; else it is estimated.\n"
        "--each: a burst is a folder with pictures or a file of several frames, at any depth; bursts/a/b becomes\n"
        "clean/a/b.png, and clean/bursts.jsonl says how. Started again, it leaves out what was done from the same "
        "files in the same way.",
    )
    _add_input(denoise)
    denoise.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="16-bit .png or .tif; .dng: linear light in the camera's colors; with --each, a folder",
    )
    denoise.add_argument(
        "--each", action="store_true", help="each FILE is a folder of bursts: denoise every one by itself"
    )
    denoise.add_argument(
        "--format", choices=("png", "tif", "dng"), help="with --each: of the pictures that are written (png)"
    )
    add_workers(denoise, "with --each: bursts")
    which = denoise.add_mutually_exclusive_group()
    which.add_argument(
        "--gray", dest="color", action="store_false", help="luminance alone, of files in color"
    )
    add_color(which, "R, G and B, where the files have them (as they are denoised anyhow)")
    denoise.set_defaults(color=True)
    _add_channels(denoise)
    denoise.add_argument("--linear", action="store_true", help="write linear light instead of sRGB")
    denoise.add_argument(
        "--float",
        action="store_true",
        help="write linear light in 32-bit floating point, black 0 and white 1, not clipped (.tif)",
    )
    denoise.add_argument(
        "--counts",
        action="store_true",
        help="write the numbers of the files, as a sensor's counts, in 32-bit floating point: black + value of --float "
        "* (white - black) (.tif)",
    )
    denoise.add_argument(
        "--aligned",
        type=Path,
        metavar="FOLDER",
        help="write also the frames as the network reads them: aligned, of one brightness, linear, with their noise",
    )
    denoise.add_argument(
        "--tile",
        type=integer(1, 65536),
        default=896,
        help="side of a tile, a multiple of 8 pixels: memory against time (896)",
    )
    denoise.set_defaults(run=_denoise)

    kernels = command(
        commands,
        "kernels",
        "write the kernels of one pixel",
        "  kpnviz kernels burst --at 120,64 -o kernels.npz\n"
        "FILE holds, for C channels (1, or with --color R, G and B), N frames (the reference first), and K, the\n"
        "largest kernel size:\n"
        "  kernels    [C, N, K, K]  the kernels, sizes fused: rows down, columns across, the pixel in the middle\n"
        "  kernels_S  [C, N, S, S]  those of each size S by itself; their mean, padded with zeros to K, is kernels\n"
        "  patches    [C, N, K, K]  what they are applied to: linear intensity around the pixel in each frame\n"
        "  value      [C]           the denoised value: (kernels * patches).sum((2, 3)).mean(1)\n"
        "  pixel      [2]           row and column, as in --at\n"
        "  shifts     [N, 2]        whole pixels (down, across) that were taken back there before a frame was read\n"
        "R, G and B share one set of kernels, unless --channels each gives each its own.",
    )
    _add_input(kernels)
    kernels.add_argument("--at", type=several(PIXELS, PIXELS), required=True, metavar="Y,X", help="the pixel")
    kernels.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="NPZ to write")
    add_color(kernels, "R, G and B, not luminance")
    _add_channels(kernels)
    kernels.set_defaults(run=_kernels, tile=896)


def command(commands: Any, name: str, text: str, examples: str) -> argparse.ArgumentParser:
    """Add a command with its examples."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"examples:\n{examples}",
    )
    return parser


def _add_input(parser: argparse.ArgumentParser) -> None:
    add_files(parser)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", default="mkpn", help="a trained network (mkpn)")
    add_method(which, "a method of your own instead, which gets the whole burst at once")
    parser.add_argument(
        "--verbose", action="store_true", help="say the shift of every frame, and what it leaves where"
    )


def add_files(parser: argparse.ArgumentParser, count: str = "+") -> None:
    """Add the files of a burst, and how they are read; count "*": there may be none."""
    parser.add_argument(
        "files",
        nargs=count,
        metavar="FILE",
        help="frames, or one folder, ZIP, NPZ, or other file with several of them",
    )
    parser.add_argument("--device", default="cpu", help=DEVICE_HELP)
    parser.add_argument("--noise", choices=("auto",), help="estimate the noise from the burst")
    parser.add_argument("--read-std", type=NOISE, help="read noise, intensity (white = 1)")
    parser.add_argument("--shot-gain", type=NOISE, help="coefficient of the variance, intensity")
    parser.add_argument(
        "--align",
        choices=tuple(ALIGN),
        default="auto",
        help="undo shifts beyond 2 pixels; auto: not for synthetic bursts (auto)",
    )
    parser.add_argument(
        "--defects",
        choices=tuple(DEFECTS),
        default="auto",
        help="hot pixels and fixed columns of the sensor, which stay in place while the scene moves: mend or keep "
        "them; auto: mend, but not in synthetic bursts (auto)",
    )
    parser.add_argument(
        "--input",
        metavar="KIND",
        help="what the numbers of pictures mean: srgb, linear, or bayer:RGGB for the mosaic or the planes of a sensor "
        "(as they look)",
    )
    parser.add_argument("--black", type=number(-5e9, 5e9), help="the number of black in linear light (0)")
    parser.add_argument(
        "--white",
        type=number(-5e9, 5e9),
        help="the number of white in linear light (the largest there can be)",
    )
    parser.add_argument(
        "--reference",
        metavar="FRAME",
        help="the frame that the others are laid onto: its file's name, or its number from 0 (the sharpest of the "
        "scene that most show)",
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def add_color(parser: argparse._ActionsContainer, text: str) -> None:
    """Add --color."""
    parser.add_argument("--color", action="store_true", help=text)
    parser.add_argument("--colour", dest="color", action="store_true", help=argparse.SUPPRESS)


def _add_channels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--channels",
        choices=("shared", "each"),
        help="in color: one set of kernels for R, G and B, or each channel by itself, for three times the time "
        "(shared)",
    )


def _synth(options: argparse.Namespace) -> int:
    from kpnviz.burst import BurstRecipe, Misalignment, synthesize, with_motion
    from kpnviz.camera_motion import CameraMotion
    from kpnviz.capture.writer import check_folder, write_burst
    from kpnviz.limits import Limits
    from kpnviz.noise import NoiseModel
    from kpnviz.photos import read_scene

    if not options.force:
        check_folder(options.output)
    limits = Limits.from_environment(generous=True)
    if not 2 <= options.frames <= limits.frames:
        raise WrongOptionError(
            f"--frames is {options.frames}; a burst of files has 2 to {limits.named('frames')}"
        )
    noise = NoiseModel.for_gain(options.gain)
    if options.noise:
        noise = NoiseModel(*options.noise)
    misalignment = Misalignment()
    if options.shake:
        misalignment = Misalignment(*options.shake)
    recipe = BurstRecipe(
        options.photo,
        crop=options.crop,
        noise=noise,
        frames=options.frames,
        misalignment=misalignment,
        reduction=options.reduction,
        seed=options.seed,
        color=options.color,
    )
    H, W = recipe.crop[2:] if recipe.crop else read_scene(recipe.photo, recipe.reduction).shape
    if options.frames * H * W > limits.total_pixels:
        raise WrongOptionError(
            f"{options.frames} frames of {H}x{W} are more than can be read again, {limits.named('total_pixels')}"
        )
    recipe = with_motion(recipe, options.motion)
    camera = {name: getattr(options, name) for name in _CAMERA if getattr(options, name) is not None}
    if camera:
        if recipe.moving is not None:
            raise WrongOptionError(
                f"--{next(iter(camera))} turns the camera; with --motion moving it only shifts"
            )
        recipe = dataclasses.replace(
            recipe, camera=dataclasses.replace(recipe.camera or CameraMotion(), **camera)
        )
    burst = synthesize(recipe)
    metadata = write_burst(options.output, burst)
    if options.json:
        print(json.dumps(metadata, indent=2))
    else:
        _say(f"{len(metadata['frames'])} frames of {burst.height}x{burst.width} in {options.output}")
    return 0


def _denoise(options: argparse.Namespace) -> int:
    if options.each and options.method:
        raise WrongOptionError("--method denoises one burst: not with --each")
    if options.each and options.aligned:
        raise WrongOptionError("--aligned writes the frames of one burst: not with --each")
    if options.each:
        from kpnviz.commands.batch import denoise_each

        return denoise_each(options)
    for name in ("format", "workers", "scheduler"):
        if getattr(options, name) is not None:
            raise WrongOptionError(f"--{name} is for many bursts: only with --each")
    _report(options, denoise_burst(options))
    return 0


def _kernels(options: argparse.Namespace) -> int:
    check(options)
    if options.output.suffix.lower() != ".npz":
        raise ValueError(f"{options.output}: kernels are written as .npz")
    import numpy as np

    y, x = options.at
    denoiser, burst, channels, noises, report = open_burst(options)
    if not (0 <= y < burst.stack.height and 0 <= x < burst.stack.width):
        raise ValueError(
            f"--at is {y},{x}; the frames have {burst.stack.height}x{burst.stack.width} pixels (height x width)"
        )
    source = view_of(burst, channels, noises)
    estimate, top, left = denoiser.around(source, y, x, options.channels or "shared")
    if estimate.kernels is None:
        raise ValueError(f"{denoiser.name} predicts the picture itself; it has no kernels")
    if (estimate.kernels.padding, estimate.kernels.reduce) != ("reflect", "mean"):
        raise ValueError(
            f"{denoiser.name} pads by {estimate.kernels.padding!r} and takes the {estimate.kernels.reduce} over the "
            "frames; this file is of kernels that are padded by reflection, with the mean"
        )
    fields = [estimate.kernels.channel(c) for c in range(len(channels))]  # shared: the same field again
    arrays: dict[str, Any] = {
        "kernels": np.stack([field.at(y - top, x - left) for field in fields]),
        "patches": np.stack(
            [
                _patches(burst, channel, noise, y, x, field.reach)
                for channel, noise, field in zip(channels, noises, fields, strict=True)
            ]
        ),
        "value": estimate.image[..., y - top, x - left].reshape(len(channels)),
        "pixel": np.array([y, x]),
        "shifts": burst.displacement(y, x),
    }
    frames = arrays["kernels"].shape[1]
    arrays["patches"] = arrays["patches"][:, :frames]
    arrays["shifts"] = arrays["shifts"][:frames]
    for size in estimate.kernels.sizes:
        arrays[f"kernels_{size}"] = np.stack([field.sizes_at(y - top, x - left)[size] for field in fields])
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    write_atomically(options.output, file.getvalue())
    report |= {"output": str(options.output), "pixel": [y, x], "values": arrays["value"].tolist()}
    _report(options, report)
    return 0


def _patches(burst: OwnBurst, channel: int, noise: NoiseModel, y: int, x: int, reach: int) -> np.ndarray:
    """What the kernels at a pixel were applied to: [N, K, K]; beyond the picture's edge, its reflection."""
    import numpy as np

    from kpnviz.sampling import reflect_index

    rows = reflect_index(burst.stack.height, y - reach, y + reach + 1)
    columns = reflect_index(burst.stack.width, x - reach, x + reach + 1)
    inside = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    window = burst.channel(channel, noise).window(*inside)
    return window[:, (rows - rows.min())[:, None], (columns - columns.min())[None, :]].astype(np.float32)


def _report(options: argparse.Namespace, report: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        _say(f"wrote {options.output}")
