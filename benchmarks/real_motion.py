"""`python -m benchmarks.real_motion`: what is left of MKPN's picture when the camera moves as hands and cameras do.

A burst of each kind of motion is handed over as files would be: with no word on its motion or noise. Prints README's
table: PSNR with one frame, with one shift a frame, with a field of displacements, and two bounds with the true noise:
the *oracle*, every pixel of every frame read at its true displacement, to the nearest pixel, and *aligned*, frames that
were taken with no motion at all.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from kpnviz.analysis.metrics import PROTOCOL, psnr
from kpnviz.burst import Burst, BurstRecipe, Misalignment, Stream, synthesize
from kpnviz.camera_motion import CameraMotion
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.motion_field import displaced
from kpnviz.capture.own_burst import REACH, OwnBurst
from kpnviz.capture.prepare import prepare
from kpnviz.color import displayed
from kpnviz.denoise import Denoiser, load
from kpnviz.evaluation.results import mean_and_error
from kpnviz.evaluation.testset import TEST_PHOTOS
from kpnviz.noise import NoiseModel
from kpnviz.photos import find_photos, read_scene

MOTIONS = {
    "translation": CameraMotion(),
    "rotation by .1°": CameraMotion(rotation=0.1),
    "rotation by .3°": CameraMotion(rotation=0.3),
    "rotation by 1°": CameraMotion(rotation=1.0),
    "rotation by 8°": CameraMotion(rotation=8.0),
    "pan and tilt by .5°": CameraMotion(tilt=0.5),
    "rolling shutter, 8 px": CameraMotion(shutter=8.0),
    "parallax of 4 px": CameraMotion(parallax=4.0),
    "parallax of 10 px": CameraMotion(parallax=10.0),
}
"""What the camera does until the last frame, beside shake by half pixels."""

COLUMNS = ("one frame", "one shift a frame", "field", "oracle", "aligned")
BOUNDS = ("oracle", "aligned")
GAINS = (1.0, 4.0)
PHOTOS, _EVERY = 4, 4  # every fourth of a folder: neighbors are often alike
FRAMES, SHAPE, REDUCTION = 8, (384, 576), 2
_WINDOW = 192  # px: windows in two opposite corners, where turns move most, are denoised
_EDGE = 16  # px: they keep from the frame's edge, beyond which no frame sees


@dataclass(frozen=True)
class Outcome:
    """Of one burst: PSNR of each of COLUMNS in dB, and the noise that was found as a multiple of the true one."""

    motion: str
    gain: float
    photo: int
    psnrs: tuple[float, ...]
    read_ratio: float
    shot_ratio: float


def scene_of(photo: Path, folder: Path) -> Path:
    """A file of the photo's luminance, mirrored at its edges or cut so that it fills a frame; 16 bit."""
    light = read_scene(str(photo), 1)
    missing = [max(side * REDUCTION - length, 0) for side, length in zip(SHAPE, light.shape, strict=True)]
    filled = np.pad(light, [(0, n) for n in missing], mode="symmetric")
    height, width = (side * REDUCTION for side in SHAPE)
    path = folder / f"{photo.stem}.png"
    Image.fromarray(np.rint(65535 * displayed(filled[:height, :width])).astype(np.uint16)).save(path)
    return path


def measured(denoiser: Denoiser, photos: Sequence[Path], gains: Sequence[float]) -> Iterator[Outcome]:
    """Every motion and gain on every photo."""
    with tempfile.TemporaryDirectory() as folder:
        for number, photo in enumerate(photos):
            scene = scene_of(photo, Path(folder))
            seed = zlib.crc32(photo.stem.encode())
            for motion, camera in MOTIONS.items():
                recipe = BurstRecipe(
                    str(scene),
                    noise=NoiseModel(0, 0),
                    frames=FRAMES,
                    misalignment=Misalignment(subpixel=True),
                    reduction=REDUCTION,
                    seed=seed,
                    camera=camera,
                )
                clean = synthesize(recipe)
                for gain in gains:
                    psnrs, found = _scores(denoiser, clean, NoiseModel.for_gain(gain), seed)
                    yield Outcome(motion, gain, number, psnrs, *found)


def _scores(
    denoiser: Denoiser, clean: Burst, noise: NoiseModel, seed: int
) -> tuple[tuple[float, ...], tuple[float, float]]:
    frames = noise.add_to(clean.frames, np.random.default_rng([Stream.GRAIN, seed]))
    names = tuple(f"frame {i}" for i in range(len(frames)))
    # Frame 0, whose truth is known, is the reference; else nothing is said of the burst.
    own = prepare(FrameStack(frames[:, None], tuple(range(FRAMES)), names), reference=0)
    alone = prepare(FrameStack(frames[:1, None], (0,), names[:1]))
    whole = [shift.whole if max(map(abs, shift.whole)) > REACH else (0, 0) for shift in own.shifts]
    everywhere = np.zeros_like(own.displacements) + np.array(whole, np.int16)[:, None, None]
    shifted = replace(own, displacements=everywhere, motion=everywhere.astype(np.float32), layers=None)
    fit = own.estimate_noise()
    assert clean.motion is not None and clean.truth is not None
    oracle = np.stack([displaced(frame, field) for frame, field in zip(frames, clean.motion, strict=True)])
    still = np.repeat(clean.truth[None], FRAMES, axis=0)
    aligned = noise.add_to(still, np.random.default_rng([Stream.GRAIN, seed]))

    def part(burst: OwnBurst, rows: slice, columns: slice) -> Burst:
        assumed = burst.noise_of()[0]
        return Burst(burst.channel(GRAY, assumed).window(rows, columns), assumed)

    scores = []
    for top, left in ((_EDGE, _EDGE), tuple(n - _WINDOW - _EDGE for n in SHAPE)):
        rows, columns = slice(top, top + _WINDOW), slice(left, left + _WINDOW)
        bursts = (
            part(alone, rows, columns),
            part(shifted, rows, columns),
            part(own, rows, columns),
            Burst(np.ascontiguousarray(oracle[:, rows, columns]), noise),
            Burst(np.ascontiguousarray(aligned[:, rows, columns]), noise),
        )
        truth = clean.truth[rows, columns]
        scores.append([psnr(denoiser(burst, keep_kernels=False).image, truth) for burst in bursts])
    psnrs = tuple(float(value) for value in np.mean(scores, axis=0))
    return psnrs, (fit.noise.read_std / noise.read_std, fit.noise.shot_gain / noise.shot_gain)


def as_text(outcomes: Sequence[Outcome]) -> str:
    """The table in Markdown, and what it is of."""
    gains = sorted({one.gain for one in outcomes})
    names = (*COLUMNS, *(f"field less {bound}" for bound in BOUNDS))
    head = [f"×{gain:g}: {name}" for gain in gains for name in names]
    lines = [f"| PSNR, dB | {' | '.join(head)} |", "|---" * (1 + len(head)) + "|"]
    for motion in MOTIONS:
        cells = []
        for gain in gains:
            here = [one for one in outcomes if (one.motion, one.gain) == (motion, gain)]
            values = np.array([one.psnrs for one in here])
            cells += [f"{value:.2f}" for value in values.mean(axis=0)]
            for bound in BOUNDS:
                less = values[:, COLUMNS.index("field")] - values[:, COLUMNS.index(bound)]
                gap, error = mean_and_error(less, [one.photo for one in here])
                cells.append(f"{gap:+.2f} ± {error:.2f}".replace("-", "−"))
        lines.append(f"| {motion} | {' | '.join(cells)} |")
    found = np.array([(one.read_ratio, one.shot_ratio) for one in outcomes])
    within = (np.abs(found - 1) <= 0.1).mean(axis=0)
    photos = len({one.photo for one in outcomes})
    return "\n".join(
        [
            *lines,
            "",
            f"{photos} photos, one burst of each: {FRAMES} frames of {SHAPE[1]}x{SHAPE[0]}, mean of two corners of "
            f"{_WINDOW}x{_WINDOW}; ± is the standard error of the mean paired difference. {PROTOCOL}.",
            f"Noise as found with the field: read_std within 10 % of the true one in {within[0]:.0%} of the bursts, "
            f"shot_gain in {within[1]:.0%}.",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_motion", description=__doc__)
    parser.add_argument(
        "--photos", type=Path, default=TEST_PHOTOS / "full", help="a folder of photos (Kodak's, which ship)"
    )
    parser.add_argument("--count", type=int, default=PHOTOS, help=f"how many of them ({PHOTOS})")
    parser.add_argument("--gains", type=float, nargs="+", default=GAINS, help="sensor gains (1 4)")
    parser.add_argument("--model", default="mkpn", help="network (mkpn)")
    options = parser.parse_args()
    found = find_photos(options.photos)
    photos = (found[::_EVERY] if len(found) >= _EVERY * options.count else found)[: options.count]
    total = len(photos) * len(MOTIONS) * len(options.gains)
    outcomes = measured(load(options.model), photos, options.gains)
    print(as_text(list(tqdm(outcomes, total=total, unit="burst", disable=not os.isatty(2)))))


if __name__ == "__main__":
    main()
