"""Opening a burst as the options of a command say, and denoising it."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpnviz.commands.terminal import say as _say
from kpnviz.paths import check_output, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kpnviz.capture.own_burst import OwnBurst
    from kpnviz.denoise import Denoiser, FrameSource
    from kpnviz.estimate import Estimate
    from kpnviz.methods import Method
    from kpnviz.noise import NoiseModel

_COLORS = ("R", "G", "B")
_MIDDLE_GRAY = 0.18
ALIGN = {"auto": None, "on": True, "off": False}
DEFECTS = {"auto": None, "mend": True, "keep": False}
"""The values of --align and of --defects, and those of capture.prepare.prepare."""

_OF_SHADES = "state the numbers of black and white (--black, --white), or write floating point (--float)."


def check_options(options: argparse.Namespace) -> None:
    """ValueError for options that do not go together."""
    if getattr(options, "channels", None) and not options.color:
        raise ValueError("--channels is of R, G and B: it comes with --color, and not with --gray")
    given = (options.read_std, options.shot_gain)
    if (given[0] is None) != (given[1] is None):
        raise ValueError("--read-std and --shot-gain come together: the noise is both")
    if options.noise and given[0] is not None:
        raise ValueError("--noise auto estimates what --read-std and --shot-gain give; choose one")


def check_input(options: argparse.Namespace) -> None:
    """ValueError for an --input that is none, or levels that do not go with it."""
    if options.input is not None:
        from kpnviz.capture.meaning import Input

        Input.of(options.input, options.black, options.white)


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
    check_input(options)
    from kpnviz.capture.reader import files_of

    check_output(options.output, (file for _, file in files_of(options.files)))


def loading(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of kpnviz.denoise.load that the options give."""
    return {"name": options.model, "device": options.device, "tile": options.tile}


class _OwnDenoiser:
    """A method of one's own, called as a Denoiser: it gets the whole burst in memory."""

    def __init__(self, method: Method, available: int, white_level: float) -> None:
        from kpnviz.methods import common_frames

        self.method, self.name, self.white_level = method, method.name, white_level
        self.frames = common_frames({method.name: method.frames}, available)

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


def open_burst(
    options: argparse.Namespace, denoiser: Denoiser | None = None, quiet: bool = False
) -> tuple[Denoiser | _OwnDenoiser, OwnBurst, list[int], list[NoiseModel], dict[str, Any]]:
    """The network, the burst, its channels and their noise, and what there is to say about them."""
    from kpnviz.capture.choosing import reference_of
    from kpnviz.capture.copies import without_copies
    from kpnviz.capture.frame_stack import GRAY
    from kpnviz.capture.meaning import as_dict
    from kpnviz.capture.own_burst import LEAST_ALIGNED
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
    from kpnviz.threads import announce_compilation, results

    announce_compilation(say)
    method = own_method(options.method) if options.method else None
    network = None if method else denoiser or load(**loading(options))
    stack = read_frames(files_of(options.files), limits).meant(options.input, options.black, options.white)
    reference = None if options.reference is None else reference_of(stack.names, options.reference)
    stack, reference = without_copies(stack, reference)
    reader = _OwnDenoiser(method, len(stack), stack.white_level) if method else network
    assert reader is not None
    burst = prepare(
        stack, reader.frames, ALIGN[options.align], reference=reference, mend=DEFECTS[options.defects]
    )
    stack = burst.stack
    channels = list(range(stack.channels)) if options.color else [GRAY]
    found = results(lambda channel: noise_of(options, burst, channel), channels)
    noises, sources, cautions = zip(*found, strict=True)
    names = (
        ["gray"] if channels == [GRAY] else [_COLORS[c] for c in channels] if len(channels) > 1 else ["gray"]
    )
    say(verdict(burst, noises[len(noises) // 2], sources[len(noises) // 2]))
    for note in stack.notes:
        say(note)
    say(burst.report)
    aligned = min(stack.height, stack.width) >= LEAST_ALIGNED and not burst.empty
    for i, shift in enumerate(burst.shifts):
        if i != burst.reference and aligned and options.verbose:
            say(f"{stack.names[i]}: {shift}")
    left = burst.remaining_report.splitlines() if options.verbose else [burst.remaining_sentence]
    for line in filter(None, left):
        say(line)
    residual, helping = burst.remaining()
    for name, noise, source in zip(names, noises, sources, strict=True):
        say(f"noise of {name}, {source}: read_std {noise.read_std:.5f}, shot_gain {noise.shot_gain:.6f}")
    in_color = burst.about_correlation if len(channels) > 1 else ""
    for caution in filter(None, [*said_once(names, cautions), in_color]):
        say(caution)
    report = {
        "model": reader.name,
        "height": stack.height,
        "width": stack.width,
        "frames": [stack.names[i] for i in burst.order],
        "shifts": [burst.shifts[i].measured for i in burst.order],  # null: not found
        "left_out": [stack.names[i] for i in sorted(burst.left_out)],
        "undone": [burst.shifts[i].aligned for i in burst.order],
        "bend": [burst.shifts[i].bend for i in burst.order],
        "brightness": [round(burst.shifts[i].brightness, 5) for i in burst.order],
        "mended": stack.mended and {"pixels": stack.mended.pixels, "lines": stack.mended.lines},
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
        "input": stack.meaning and as_dict(stack.meaning),
        "notes": [*stack.notes, *burst.left_out_notes],
    }
    return reader, burst, channels, list(noises), report


def verdict(burst: OwnBurst, noise: NoiseModel, source: str) -> str:
    """How many frames are used, and how strong the noise of the reference is."""
    used, total = len(set(burst.order)), len(burst.stack)
    frames = f"{used} of {total} frames are" if total > 1 else "1 frame is"
    white = burst.stack.white_level
    share = (noise.read_std**2 + noise.shot_gain * _MIDDLE_GRAY * white) ** 0.5 / white
    return f"{frames} used; noise of {share:.2%} of white at middle gray ({_MIDDLE_GRAY:.0%}), {source}."


def said_once(names: Sequence[str], cautions: Sequence[str]) -> list[str]:
    """Of sentences, each of a channel, those that differ by more than numbers; of some channels, with their names."""
    alike: dict[str, list[int]] = {}
    for i, caution in enumerate(cautions):
        if caution:
            alike.setdefault(re.sub(r"[\d.]+", "", caution), []).append(i)
    return [
        ("" if len(of) == len(names) else ", ".join(names[i] for i in of) + ": ") + cautions[of[0]]
        for of in alike.values()
    ]


def noise_of(options: argparse.Namespace, burst: OwnBurst, channel: int) -> tuple[NoiseModel, str, str]:
    """The noise of a channel as the options say: the model, where it is from, and what is doubtful about it."""
    from kpnviz.noise import NoiseModel

    if options.read_std is not None:
        return burst.noise_of(channel, NoiseModel(options.read_std, options.shot_gain))
    return (burst.estimated_noise_of if options.noise else burst.noise_of)(channel)


def view_of(burst: OwnBurst, channels: list[int], noises: list[NoiseModel]) -> FrameSource:
    """The one channel that is wanted, or R, G and B together, as a network reads them."""
    return burst.channel(channels[0], noises[0]) if len(channels) == 1 else burst.color(noises)


def denoise_burst(
    options: argparse.Namespace, denoiser: Denoiser | None = None, quiet: bool = False
) -> dict[str, Any]:
    """Denoise one burst as the options of `kpnviz denoise` say; returns what `--json` prints.

    denoiser   the network, if it is loaded already;  quiet   say nothing on the way
    """
    suffix = options.output.suffix.lower()
    if suffix not in (".png", ".tif", ".tiff", ".dng"):
        raise ValueError(f"{options.output}: the picture is a .png, .tif, .tiff or .dng")
    floating = options.float or options.counts
    if floating and suffix in (".png", ".dng"):
        which = "--counts" if options.counts else "--float"
        raise ValueError(f"{options.output}: {which} writes floating point, which is a .tif")
    check(options)
    if options.aligned:
        from kpnviz.capture.writer import check_aligned_folder

        check_aligned_folder(options.aligned)
    from tqdm import tqdm

    from kpnviz.capture.detail import lost_detail
    from kpnviz.capture.levels import shade_of
    from kpnviz.capture.writer import check_counts, encoded, levels_of

    reader, burst, channels, noises, report = open_burst(options, denoiser, quiet)
    if options.counts:
        check_counts(burst.stack)
    if options.aligned:
        from kpnviz.capture.writer import write_aligned

        write_aligned(options.aligned, burst, view_of(burst, channels, noises))
        report["aligned"] = str(options.aligned)
    shape = (len(channels), burst.stack.height, burst.stack.width)
    hidden = quiet or not sys.stderr.isatty()
    with tqdm(total=100, desc="denoise", disable=hidden, unit="%") as bar:
        estimate = reader(
            view_of(burst, channels, noises),
            keep_kernels=False,
            progress=lambda share: bar.update(100 * share - bar.n),
            channels=options.channels or "shared",
        )
    linear = options.linear or floating or suffix == ".dng"
    picture = estimate.image.reshape(shape)
    stack = burst.stack
    detail = lost_detail(picture, burst, channels, noises, estimate.own_weight)
    if not linear or (stack.profile is not None and not options.counts):
        picture = stack.developed(picture)
    one_shade = ""
    if not floating and suffix != ".dng":
        one_shade = shade_of(picture, 1 if linear else stack.white_level)
    if one_shade:
        one_shade += f": if it should not be, {_OF_SHADES}"
    in_counts = ""
    black, span = levels_of(stack)
    if floating and not options.counts and not stack.encoded and (black, span) != (0, 1):
        in_counts = (
            f"Linear light is written, black 0 and white 1: number in the files = {black:.10g} + {span:.10g} × value. "
            "--counts writes these numbers."
        )
    for note in filter(None, (one_shade, in_counts, detail and f"{detail} (--read-std, --shot-gain).")):
        if not quiet:
            _say(note)
        report["notes"].append(note)
    write_atomically(
        options.output, encoded(picture, stack, burst.reference, suffix, linear, floating, options.counts)
    )
    encoding = "counts" if options.counts else "linear" if linear else "sRGB"
    report |= {"output": str(options.output), "encoding": encoding}
    return report | {"seconds": round(estimate.seconds, 3)}
