"""The commands for bursts of one's own: `kpnviz synth | denoise | kernels`."""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from kpnviz.paths import check_output, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from kpnviz.capture.prepare import OwnBurst
    from kpnviz.denoise import Denoiser, FrameSource
    from kpnviz.estimate import Estimate
    from kpnviz.methods import Method
    from kpnviz.noise import NoiseModel

_COLORS = ("R", "G", "B")
_CAMERA = {
    "rotation": (45, "degrees that the last frame is turned"),
    "tilt": (20, "degrees of panning and tilting by the last frame"),
    "shutter": (1000, "pixels by which a rolling shutter shears the last frame, top to bottom"),
    "parallax": (1000, "pixels that things in front move more than what is behind, by the last frame"),
}
"""Fields of CameraMotion: the most, and what they are."""

PIXELS = integer(0, 10**6)
ALIGN = {"auto": None, "on": True, "off": False}
"""The values of --align, and those of capture.prepare.prepare."""


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
        "  kpnviz denoise IMG_*.dng -o clean.tif --color\n"
        "  kpnviz denoise a.jpg b.jpg c.jpg -o clean.png --noise auto --color --model kpn-l5\n"
        "  kpnviz denoise --each bursts -o clean          # every burst in a folder, each to its own picture\n"
        "Without --noise, files that know their noise (burst.json, DNG) are believed; else it is estimated.\n"
        "--each: a burst is a folder with pictures, a ZIP or an NPZ, at any depth; bursts/a/b becomes clean/a/b.png,\n"
        "and clean/bursts.jsonl says how. Started again, it leaves out what was done from the same files in the same "
        "way.",
    )
    _add_input(denoise)
    denoise.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="16-bit .png, .tif or .tiff; with --each, a folder",
    )
    denoise.add_argument(
        "--each", action="store_true", help="each FILE is a folder of bursts: denoise every one by itself"
    )
    denoise.add_argument(
        "--format", choices=("png", "tif"), help="with --each: of the pictures that are written (png)"
    )
    add_workers(denoise, "with --each: bursts")
    add_color(denoise, "R, G and B, not luminance")
    _add_channels(denoise)
    denoise.add_argument("--linear", action="store_true", help="write linear light instead of sRGB")
    denoise.add_argument(
        "--tile", type=integer(1, 65536), default=640, help="side of a tile: memory against time (640)"
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
    kernels.set_defaults(run=_kernels, tile=640)


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


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the files of a burst, and how they are read."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="2 or more frames, or one folder, ZIP or NPZ of kpnviz with them",
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
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def add_color(parser: argparse.ArgumentParser, text: str) -> None:
    """Add --color."""
    parser.add_argument("--color", action="store_true", help=text)
    parser.add_argument("--colour", dest="color", action="store_true", help=argparse.SUPPRESS)


def _add_channels(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--channels",
        choices=("shared", "each"),
        help="with --color: one set of kernels for R, G and B, or each channel by itself, for three times the time "
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
    if options.each:
        from kpnviz.commands.batch import denoise_each

        return denoise_each(options)
    for name in ("format", "workers", "scheduler"):
        if getattr(options, name) is not None:
            raise WrongOptionError(f"--{name} is for many bursts: only with --each")
    _report(options, denoise_burst(options))
    return 0


def denoise_burst(
    options: argparse.Namespace, denoiser: Denoiser | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Denoise one burst as the options of `kpnviz denoise` say; returns what `--json` prints.

    denoiser   the network, if it is loaded already;  quiet   say nothing on the way
    """
    suffix = options.output.suffix.lower()
    if suffix not in (".png", ".tif", ".tiff"):
        raise ValueError(f"{options.output}: the picture is a .png, .tif or .tiff")
    check(options)
    import numpy as np
    from tqdm import tqdm

    from kpnviz.color import displayed
    from kpnviz.pictures import write_png16, write_tiff16

    reader, burst, channels, noises, report = _open(options, denoiser, quiet)
    shape = (len(channels), burst.stack.height, burst.stack.width)
    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=100, desc="denoise", disable=hidden, unit="%") as bar:
        estimate = reader(
            _view(burst, channels, noises),
            keep_kernels=False,
            progress=lambda share: bar.update(100 * share - bar.n),
            channels=options.channels or "shared",
        )
    picture = estimate.image.reshape(shape)
    if not options.linear:
        picture = burst.stack.developed(picture)
    codes = np.empty((*shape[1:], shape[0]), dtype=np.uint16)
    for c, plane in enumerate(picture):  # plane by plane: a large picture in float64 is large
        encoded = np.clip(plane, 0, 1) if options.linear else displayed(plane, burst.stack.white_level)
        codes[..., c] = np.rint(encoded * 65535)
    written = write_png16 if suffix == ".png" else write_tiff16
    write_atomically(options.output, written(codes[..., 0] if shape[0] == 1 else codes))
    report |= {"output": str(options.output), "encoding": "linear" if options.linear else "sRGB"}
    return report | {"seconds": round(estimate.seconds, 3)}


def _kernels(options: argparse.Namespace) -> int:
    check(options)
    if options.output.suffix.lower() != ".npz":
        raise ValueError(f"{options.output}: kernels are written as .npz")
    import numpy as np

    y, x = options.at
    denoiser, burst, channels, noises, report = _open(options)
    if not (0 <= y < burst.stack.height and 0 <= x < burst.stack.width):
        raise ValueError(
            f"--at is {y},{x}; the frames have {burst.stack.height}x{burst.stack.width} pixels (height x width)"
        )
    source = _view(burst, channels, noises)
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


class _OwnDenoiser:
    """A method of one's own, called as a Denoiser: it gets the whole burst in memory."""

    def __init__(self, method: Method, available: int, white_level: float) -> None:
        self.method, self.name, self.white_level = method, method.name, white_level
        taken = method.frames
        # As many of the frames as it takes; where it takes more than there are, frames are repeated.
        self.frames = None if taken is None else max((n for n in taken if n <= available), default=min(taken))

    def __call__(
        self,
        source: FrameSource,
        keep_kernels: bool = True,
        progress: Callable[[float], object] = lambda share: None,
        channels: str = "shared",
    ) -> Estimate:
        from kpnviz.burst import Burst

        if channels == "each":
            raise ValueError("--channels each: a method of your own gets R, G and B together")
        noises = source.channel_noises("a method")
        frames = source.window(slice(0, source.height), slice(0, source.width))
        estimate = self.method(Burst(frames, noises if source.channels else noises[0], self.white_level))
        progress(1.0)
        return estimate

    def around(
        self, source: FrameSource, y: int, x: int, channels: str = "shared"
    ) -> tuple[Estimate, int, int]:
        return self(source, channels=channels), 0, 0


def _view(burst: OwnBurst, channels: list[int], noises: list[NoiseModel]) -> FrameSource:
    """The one channel that is wanted, or R, G and B together, as a network reads them."""
    return burst.channel(channels[0], noises[0]) if len(channels) == 1 else burst.color(noises)


def _patches(burst: OwnBurst, channel: int, noise: NoiseModel, y: int, x: int, reach: int) -> np.ndarray:
    """What the kernels at a pixel were applied to: [N, K, K]; beyond the picture's edge, its reflection."""
    import numpy as np

    from kpnviz.sampling import reflect_index

    rows = reflect_index(burst.stack.height, y - reach, y + reach + 1)
    columns = reflect_index(burst.stack.width, x - reach, x + reach + 1)
    inside = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    window = burst.channel(channel, noise).window(*inside)
    return window[:, (rows - rows.min())[:, None], (columns - columns.min())[None, :]].astype(np.float32)


def check_options(options: argparse.Namespace) -> None:
    """ValueError for options that do not go together."""
    if getattr(options, "channels", None) and not options.color:
        raise ValueError("--channels is of R, G and B: it comes with --color")
    given = (options.read_std, options.shot_gain)
    if (given[0] is None) != (given[1] is None):
        raise ValueError("--read-std and --shot-gain come together: the noise is both")
    if options.noise and given[0] is not None:
        raise ValueError("--noise auto estimates what --read-std and --shot-gain give; choose one")


def loading(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of kpnviz.denoise.load that the options give."""
    return {"name": options.model, "device": options.device, "tile": options.tile}


def check(options: argparse.Namespace) -> None:
    """What can be refused at once is refused before PyTorch is imported, which takes seconds."""
    check_options(options)
    for name in options.files:
        if not Path(name).exists():
            raise ValueError(f"{name}: there is no such file or folder")
        alone = len(options.files) == 1 and Path(name).is_dir()
        if alone and not any(entry.is_file() for entry in Path(name).iterdir()):
            raise ValueError(
                f"{name} holds no files; of a folder of bursts `kpnviz denoise --each` denoises every one"
            )
    check_output(options.output)
    from kpnviz.capture.reader import files_of

    check_output(options.output, (file for _, file in files_of(options.files)))


def _open(
    options: argparse.Namespace, denoiser: Denoiser | None = None, quiet: bool = False
) -> tuple[Denoiser | _OwnDenoiser, OwnBurst, list[int], list[NoiseModel], dict[str, Any]]:
    """The network, the burst, its channels and their noise, and what there is to say about them."""
    from kpnviz.capture.frame_stack import GRAY
    from kpnviz.capture.prepare import prepare
    from kpnviz.capture.reader import files_of, get_ready, read_frames
    from kpnviz.limits import Limits

    def say(message: str) -> None:
        if not quiet:
            _say(message)

    limits = Limits.from_environment(generous=True)
    get_ready(limits)
    from kpnviz.denoise import load
    from kpnviz.methods import own_method
    from kpnviz.threads import announce_compilation

    announce_compilation(say)
    method = own_method(options.method) if options.method else None
    network = None if method else denoiser or load(**loading(options))
    stack = read_frames(files_of(options.files), limits)
    reader = _OwnDenoiser(method, len(stack), stack.white_level) if method else network
    assert reader is not None
    burst = prepare(stack, reader.frames, ALIGN[options.align])
    channels = list(range(stack.channels)) if options.color else [GRAY]
    noises, sources, cautions = zip(*(noise_of(options, burst, channel) for channel in channels), strict=True)
    for note in stack.notes:
        say(note)
    say(burst.report)
    for i, shift in enumerate(burst.shifts):
        if i != burst.reference:
            say(f"{stack.names[i]}: {shift}")
    if burst.remaining_report:
        say(burst.remaining_report)
    residual, helping = burst.remaining()
    names = (
        ["gray"] if channels == [GRAY] else [_COLORS[c] for c in channels] if len(channels) > 1 else ["gray"]
    )
    for name, noise, source, caution in zip(names, noises, sources, cautions, strict=True):
        say(f"noise of {name}, {source}: read_std {noise.read_std:.5f}, shot_gain {noise.shot_gain:.6f}")
        if caution:
            say(caution)
    report = {
        "model": reader.name,
        "height": stack.height,
        "width": stack.width,
        "frames": [stack.names[i] for i in burst.order],
        "shifts": [burst.shifts[i].measured for i in burst.order],  # null: not found
        "undone": [burst.shifts[i].aligned for i in burst.order],
        "bend": [burst.shifts[i].bend for i in burst.order],
        "remaining": {"pixels": residual.round(2).tolist(), "frames": helping.tolist()},
        "noise": [
            {
                "channel": name,
                "read_std": noise.read_std,
                "shot_gain": noise.shot_gain,
                "source": source,
                "caution": caution,
            }
            for name, noise, source, caution in zip(names, noises, sources, cautions, strict=True)
        ],
        "notes": list(stack.notes),
    }
    return reader, burst, channels, list(noises), report


def noise_of(options: argparse.Namespace, burst: OwnBurst, channel: int) -> tuple[NoiseModel, str, str]:
    """The noise of a channel as the options say: the model, where it is from, and what is doubtful about it."""
    from kpnviz.noise import NoiseModel

    if options.read_std is not None:
        return NoiseModel(options.read_std, options.shot_gain), "given", ""
    return (burst.estimated_noise_of if options.noise else burst.noise_of)(channel)


def _report(options: argparse.Namespace, report: dict[str, Any]) -> None:
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        _say(f"wrote {options.output}")
