"""A burst of noisy frames, and how one is made from a photo."""

from __future__ import annotations

import dataclasses
import enum
import functools
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kpnviz.camera_motion import CameraMotion, CameraPath
from kpnviz.checks import as_numpy, check_float, check_index, check_int, check_unmasked
from kpnviz.color import LUMINANCE_WEIGHTS
from kpnviz.layouts import how_to_bring
from kpnviz.limits import MAX_INTENSITY, MAX_KERNEL_FRAMES, MAX_OBJECTS, MAX_SHIFT, MIN_WHITE
from kpnviz.noise import NoiseModel
from kpnviz.photos import gallery, photo_path, read_scene
from kpnviz.sampling import box_reduce, reflect_index
from kpnviz.summary import summary
from kpnviz.text import visible


class Stream(enum.IntEnum):
    """What random numbers are drawn for; its number goes before the seed: ``default_rng([Stream.SHAKE, seed])``.

    A stream of its own for each, so that turning up the gain leaves the camera's path and the grain as they were.
    """

    SHAKE = 1
    GRAIN = 2
    CROPS = 3  # of the test set's photos
    COLOR_GRAIN = 4
    OBJECTS = 5
    CAMERA = 6


@dataclass(frozen=True)
class Misalignment:
    """How far hand shake moves a frame, in pixels (MKPN paper, section 3.1).

    Each frame but the reference is, with probability n/N, n ~ Poisson(rate), shifted by whole pixels
    uniform in [-large, large] in both directions, else in [-small, small]. With `subpixel` shifts lie on a grid of
    half pixels: hands know nothing of a sensor's (Mildenhall et al. draw shifts on a grid four times finer).
    """

    small: int = 2
    large: int = 16
    rate: float = 1.5
    subpixel: bool = False

    def __post_init__(self) -> None:
        for name in ("small", "large"):
            object.__setattr__(self, name, check_int(f"misalignment: {name}", getattr(self, name), 0, 4096))
        if not self.small <= self.large:
            raise ValueError(
                f"misalignment: small is {self.small} and large is {self.large}; 0 <= small <= large"
            )
        object.__setattr__(self, "rate", check_float("misalignment: rate", self.rate, 0, 1000))

    def sample(self, frames: int, rng: np.random.Generator) -> np.ndarray:
        """Shifts (dy, dx) of a burst's frames: [N, 2]; frame 0 is the reference, (0, 0).

        Integers, or with `subpixel` multiples of 1/2.
        """
        probability = min(rng.poisson(self.rate) / frames, 1.0)
        far = rng.random(frames) < probability
        reach = np.where(far, self.large, self.small)[:, None]
        grid = 2 if self.subpixel else 1
        shifts = rng.integers(-reach * grid, reach * grid, size=(frames, 2), endpoint=True)
        shifts[0] = 0
        return shifts / 2 if self.subpixel else shifts


@dataclass(frozen=True)
class MovingObject:
    """A cut-out of a second photo that travels over the scene and hides what is behind it.

    center      (y, x) in pixels of frame 0
    diameter    mean, in pixels
    velocity    (dy, dx) in pixels a frame, on top of the camera's shake; where it is at each frame is rounded to the
                grid of the burst's shifts, whole or half pixels
    outline     its shape: the radius at angle t is diameter / 2 (1 + sum_k a_k cos((k + 2) t + b_k)), with
                outline ((a_0, b_0), (a_1, b_1), ...); empty: a disc
    softness    pixels across which it fades at its edge
    """

    photo: str
    center: tuple[float, float]
    diameter: float
    velocity: tuple[float, float]
    outline: tuple[tuple[float, float], ...] = ()
    softness: float = 1.0

    def __post_init__(self) -> None:
        _check_photo("moving object: photo", self.photo)
        for name in ("diameter", "softness"):
            object.__setattr__(
                self, name, check_float(f"moving object: {name}", getattr(self, name), 1e-3, 1e5)
            )
        for name in ("center", "velocity"):
            pair = _items(f"moving object: {name}", getattr(self, name), "(y, x)")
            if len(pair) != 2:
                raise ValueError(f"moving object: {name} is {visible(pair)}; it is (y, x)")
            pair = tuple(check_float(f"moving object: {name}", value, -1e5, 1e5) for value in pair)
            object.__setattr__(self, name, pair)
        meaning = "up to 64 pairs of amplitude and phase"
        waves = [
            _items("moving object: a pair of outline", wave, "(amplitude, phase)")
            for wave in _items("moving object: outline", self.outline, meaning)
        ]
        if len(waves) > 64 or any(len(wave) != 2 for wave in waves):
            raise ValueError(f"moving object: outline is not {meaning}")
        outline = tuple(
            tuple(check_float("moving object: a number of outline", value, -1e3, 1e3) for value in wave)
            for wave in waves
        )
        object.__setattr__(self, "outline", outline)

    def coverage(self, dy: np.ndarray, dx: np.ndarray) -> np.ndarray:
        """How much of what lies (dy, dx) pixels from its center the object hides, in 0..1; any shape, float32."""
        radius = self.diameter / 2
        if self.outline:
            angle = np.arctan2(dy, dx)
            radius = radius * (
                1 + sum(a * np.cos((k + 2) * angle + b) for k, (a, b) in enumerate(self.outline))
            )
        cover: np.ndarray = np.clip((radius - np.hypot(dy, dx)) / self.softness + 0.5, 0, 1)
        return cover.astype(np.float32)


def draw_objects(
    photos: Sequence[str], shape: tuple[int, int], rng: np.random.Generator
) -> tuple[MovingObject, ...]:
    """One to three moving objects for a burst of `shape` (H, W), each cut out of one of `photos`.

    Diameters are .15 to .4 of the shorter side, edges .5 to 3 px soft, speeds .25 to 2 px a frame (log-uniform) in any
    direction: eight frames take an object 2 to 14 px from where the camera's shake alone would put it.
    """
    H, W = shape
    objects = []
    for _ in range(rng.integers(1, 4)):
        photo = str(photos[int(rng.integers(len(photos)))])
        center = (float(rng.uniform(0.1, 0.9) * H), float(rng.uniform(0.1, 0.9) * W))
        diameter = float(rng.uniform(0.15, 0.4) * min(H, W))
        speed, direction = 2 ** rng.uniform(-2, 1), rng.uniform(0, 2 * np.pi)
        velocity = (float(speed * np.sin(direction)), float(speed * np.cos(direction)))
        outline = tuple(
            (float(rng.uniform(0, 0.3 / (k + 1))), float(rng.uniform(0, 2 * np.pi))) for k in range(3)
        )
        objects.append(MovingObject(photo, center, diameter, velocity, outline, float(rng.uniform(0.5, 3))))
    return tuple(objects)


@dataclass(frozen=True)
class BurstRecipe:
    """All that determines a synthetic burst. The same recipe gives the same burst, bit for bit.

    photo       a name of the gallery, or a file
    crop        (top, left, height, width) in pixels of the reduced photo; None: all of it
    noise       the noise model (``NoiseModel.for_gain(4)``)
    frames      N
    misalignment, shifts   a distribution of camera shake; or each frame's own (dy, dx), multiples of 1 / reduction px
    moving      an object that travels over the scene, or several, the first one behind
    white_level intensity of white: the photo is multiplied by it before noise is added
    reduction   the photo is box-reduced by this factor, in linear light
    seed        of the shake and the noise
    color       frames of R, G and B, [N, 3, H, W], in place of the luminance: the same scene, shake and objects, noise
                of the same model in each channel
    camera      how the camera turns meanwhile, and how deep the scene is (CameraMotion); or None: it only shifts

    Raises ValueError, one sentence, for values of another kind or range.
    """

    photo: str
    crop: tuple[int, int, int, int] | None = None
    noise: NoiseModel = field(default_factory=lambda: NoiseModel.for_gain(4))
    frames: int = 8
    misalignment: Misalignment = Misalignment()
    shifts: tuple[tuple[float, float], ...] | None = None
    moving: MovingObject | tuple[MovingObject, ...] | None = None
    white_level: float = 1.0
    reduction: int = 2
    seed: int = 0
    color: bool = False
    camera: CameraMotion | None = None

    def __post_init__(self) -> None:
        for name, least, most in (("frames", 1, 1024), ("seed", 0, 2**63 - 1), ("reduction", 1, 64)):
            object.__setattr__(self, name, check_int(name, getattr(self, name), least, most))
        object.__setattr__(self, "white_level", check_float("white_level", self.white_level, MIN_WHITE, 1))
        _check_photo("photo", self.photo)
        if not isinstance(self.color, bool):
            raise ValueError(f"color is {visible(repr(self.color))}; it is True or False")
        for name, kind in (("noise", NoiseModel), ("misalignment", Misalignment)):
            if not isinstance(getattr(self, name), kind):
                raise ValueError(f"{name} is {visible(repr(getattr(self, name)))}; it is a {kind.__name__}")
        if not isinstance(self.camera, CameraMotion | None):
            raise ValueError(f"camera is {visible(repr(self.camera))}; it is a CameraMotion or None")
        if self.camera is not None and self.moving is not None:
            raise ValueError("camera and moving are both set; objects move where the camera only shifts")
        if self.shifts is not None:
            shifts = _items("shifts", self.shifts, "(dy, dx) of each frame")
            if len(shifts) != self.frames:
                raise ValueError(f"shifts names {len(shifts)} frames; the burst has {self.frames}")
            pairs = tuple(_items("shifts: one", shift, "(dy, dx) in pixels") for shift in shifts)
            if pairs[0] != (0, 0):
                raise ValueError(
                    f"shifts: frame 0 is the reference, its shift is (0, 0), not {visible(pairs[0])}"
                )
            for shift in pairs:
                real_pair = len(shift) == 2 and all(isinstance(v, numbers.Real) for v in shift)
                if not real_pair or not all(abs(v) <= 1e5 for v in shift):
                    raise ValueError(f"shifts: {visible(shift)} is not (dy, dx) in pixels")
            object.__setattr__(self, "shifts", pairs)
        if self.crop is not None:
            meaning = "(top, left, height, width) with 1 pixel or more"
            crop = _items("crop", self.crop, meaning)
            if len(crop) == 4:
                crop = tuple(check_int("crop: a number", value, -(10**6), 10**6) for value in crop)
            if len(crop) != 4 or min(crop[2:]) < 1:
                raise ValueError(f"crop is {visible(crop)}; it is {meaning}")
            object.__setattr__(self, "crop", crop)
        if not isinstance(self.moving, MovingObject | None):
            object.__setattr__(self, "moving", _items("moving", self.moving, "a MovingObject or several"))
            for one in self.objects:
                if not isinstance(one, MovingObject):
                    raise ValueError(f"moving holds {visible(repr(one))}; it is a MovingObject or several")
        if len(self.objects) > MAX_OBJECTS:
            raise ValueError(f"moving has {len(self.objects)} objects; a burst has up to {MAX_OBJECTS}")
        if self.misalignment.subpixel and self.shifts is None and self.reduction % 2:
            raise ValueError(
                f"reduction is {self.reduction}; shifts by half pixels need an even one (whole pixels of the photo)"
            )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BurstRecipe:
        """The recipe that ``dataclasses.asdict`` gave, also after a trip through JSON. TypeError or ValueError if
        it is none."""

        def of(kind: Callable[..., Any], value: Any) -> Any:
            return kind(**value) if isinstance(value, dict) else value  # BurstRecipe refuses other values

        values = dict(values)
        kinds: tuple[tuple[str, Callable[..., Any]], ...] = (
            ("noise", NoiseModel),
            ("misalignment", Misalignment),
            ("moving", MovingObject),
            ("camera", CameraMotion),
        )
        for name, kind in kinds:
            if name in values:
                values[name] = of(kind, values[name])
        if isinstance(values.get("moving"), list | tuple):
            values["moving"] = tuple(of(MovingObject, one) for one in values["moving"])
        return cls(**values)

    @property
    def objects(self) -> tuple[MovingObject, ...]:
        """The moving objects, from back to front."""
        if self.moving is None:
            return ()
        return (self.moving,) if isinstance(self.moving, MovingObject) else tuple(self.moving)


MOTIONS = ("whole-pixel", "sub-pixel", "moving")
"""Kinds of motion: shake by whole pixels (MKPN paper), by half pixels, and by half pixels with objects that move."""


ALL_MOTIONS = (*MOTIONS, "handheld")
"""And that of a hand: half-pixel shake while the camera turns by .1 to .5 degree, with a rolling shutter and parallax.

It has names of its own, as the published figures of the test set are of the first three."""


def with_motion(recipe: BurstRecipe, motion: str, photos: Sequence[str] | None = None) -> BurstRecipe:
    """The recipe with one of ALL_MOTIONS in place of its own.

    Shifts that it names frame by frame stay. The seed draws the objects (:func:`draw_objects`), which are cut out of
    `photos`, or the gallery, but never out of the recipe's own photo; and how a hand moves (:func:`draw_handheld`).
    """
    if motion not in ALL_MOTIONS:
        raise ValueError(f"motion is {motion!r}; choose {', '.join(ALL_MOTIONS[:-1])} or {ALL_MOTIONS[-1]}")
    misalignment = dataclasses.replace(recipe.misalignment, subpixel=motion != "whole-pixel")
    objects = None
    if motion == "moving":
        own = photo_path(recipe.photo)
        others = [photo for photo in (gallery() if photos is None else photos) if photo_path(photo) != own]
        if not others:
            raise ValueError("photos names none but the burst's own; moving objects come from another one")
        shape = recipe.crop[2:] if recipe.crop else read_scene(recipe.photo, recipe.reduction).shape
        objects = draw_objects(others, shape, np.random.default_rng([Stream.OBJECTS, recipe.seed]))
    camera = None
    if motion == "handheld":
        camera = draw_handheld(np.random.default_rng([Stream.CAMERA, recipe.seed, 1]))
    return dataclasses.replace(recipe, misalignment=misalignment, moving=objects, camera=camera)


def draw_handheld(rng: np.random.Generator) -> CameraMotion:
    """A hand's motion: .1 to .5 degree of rotation, a shutter's shear of .5 to 2 px, parallax of 1 to 6 px."""
    rotation, shutter, parallax = rng.uniform((0.1, 0.5, 1.0), (0.5, 2.0, 6.0))
    return CameraMotion(rotation=float(rotation), shutter=float(shutter), parallax=float(parallax))


@dataclass(frozen=True, eq=False)
class Burst:
    """N noisy frames of one scene, and what is known about them.

    frames       [N, H, W], or in color [N, C, H, W] with C = 3 channels R, G, B (C = 1 is gray, and that axis is
                 dropped); linear intensity, noise not clipped; frame 0 is the reference. NumPy or PyTorch, floating
                 point; kept as float32. Integers are a ValueError, as their white is not 1
    noise        their noise model, one for all channels or a sequence with one each; None if it is not known: what
                 needs it then (networks, noise maps, most baselines) says so
    white_level  the intensity of white
    truth        [H, W] or [C, H, W], noise-free frame 0, or None
    shifts       [N, 2] (dy, dx) in pixels, or None: the scene at (y, x) of frame 0 lies at (y+dy, x+dx) of
                 frame i. A network that aligns puts the centroid of kernel i there.
    moving_mask, moving_shifts   how much of frame 0 each of M moving objects covers, as it is seen, [M, H, W], 0 to 1,
                 and the objects' shifts [M, N, 2]; or None
    motion       [N, H, W, 2], where every pixel of frame 0 lies in frame i, (dy, dx), if no few shifts say it; or None

    Arrays are copied: what is done to them later does not change the burst. Raises ValueError, one sentence, for values
    that are masked, not finite or beyond 10^6, and for shapes that do not fit the frames.
    """

    frames: np.ndarray
    noise: NoiseModel | tuple[NoiseModel, ...] | None = None
    white_level: float = 1.0
    truth: np.ndarray | None = None
    shifts: np.ndarray | None = None
    moving_mask: np.ndarray | None = None
    moving_shifts: np.ndarray | None = None
    recipe: BurstRecipe | None = None
    motion: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "white_level", check_float("white_level", self.white_level, MIN_WHITE, MAX_INTENSITY)
        )
        frames = _light("frames", self.frames)
        hint = how_to_bring("frames", self.frames, *_LAYOUTS["frames"])
        if frames.ndim not in (3, 4) or 0 in frames.shape:
            raise ValueError(
                f"frames has shape {frames.shape}; a burst is [N, H, W] or [N, C, H, W] with 1 or more of each{hint}"
            )
        if frames.ndim == 4 and frames.shape[1] not in (1, 3):
            raise ValueError(
                f"frames has shape {frames.shape}, so C = {frames.shape[1]} channels; [N, C, H, W] has C = 1 or 3{hint}"
            )
        if frames.ndim == 3 and hint and len(frames) > MAX_KERNEL_FRAMES:
            # One photo in color, [H, W, 3], would be hundreds of frames of three columns.
            raise ValueError(
                f"frames has shape {frames.shape}, so N = {len(frames)} frames of {frames.shape[1]}x{frames.shape[2]} "
                f"pixels; a burst is [N, H, W] or [N, C, H, W]{hint}"
            )
        gray = frames.ndim == 4 and frames.shape[1] == 1
        object.__setattr__(self, "frames", frames[:, 0] if gray else frames)
        object.__setattr__(self, "noise", self._checked_noise())
        N, H, W = len(self), self.height, self.width
        if (self.moving_mask is None) != (self.moving_shifts is None):
            raise ValueError("moving_mask and moving_shifts come together, or both are None")
        M = 0 if self.moving_mask is None else len(self.moving_mask)
        if self.moving_mask is not None and not 1 <= M <= _MOST_OBJECTS:
            raise ValueError(f"moving_mask is of {M} objects; 1 to {_MOST_OBJECTS} are taken")
        shapes: dict[str, tuple[int, ...]] = {
            "truth": self.frames.shape[1:],
            "moving_mask": (M, H, W),
            "shifts": (N, 2),
            "moving_shifts": (M, N, 2),
            "motion": (N, H, W, 2),
        }
        for name, shape in shapes.items():
            if (values := getattr(self, name)) is None:
                continue
            values = _light(name, values) if name in ("truth", "moving_mask") else _offsets(name, values)
            if name == "truth" and gray and values.shape == (1, *shape):
                values = values[0]
            if values.shape != shape:
                of = "the masks and the frames" if name == "moving_shifts" else "the frames"
                expected = [one for one in _LAYOUTS[name][0] if len(one.split()) == len(shape)]
                known = {"N": N, "M": M, "H": H, "W": W}
                hint = how_to_bring(name, getattr(self, name), expected, _LAYOUTS[name][1], known)
                raise ValueError(f"{name} has shape {values.shape}; of {of} it is {shape}{hint}")
            object.__setattr__(self, name, values)
        if self.moving_mask is not None and not (
            self.moving_mask.min() >= -_ROUNDING and self.moving_mask.max() <= 1 + _ROUNDING
        ):
            raise ValueError("moving_mask holds values beyond 0 to 1; it is how much of a pixel is covered")

    def _checked_noise(self) -> NoiseModel | tuple[NoiseModel, ...] | None:
        """One model where all channels have the same; ValueError for anything but one, or one a channel."""
        noise: Any = self.noise
        if noise is None or isinstance(noise, NoiseModel):
            return noise
        if not isinstance(noise, list | tuple) or not all(isinstance(one, NoiseModel) for one in noise):
            raise ValueError(
                f"noise is {visible(repr(noise))}; it is a NoiseModel, one of each channel, or None"
            )
        if len(noise) != (self.channels or 1):
            raise ValueError(f"noise has {len(noise)} models; the frames have {self.channels or 1} channels")
        return noise[0] if len(set(noise)) == 1 else tuple(noise)

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        known = [
            name
            for name in ("truth", "shifts", "moving_mask", "motion", "recipe")
            if getattr(self, name) is not None
        ]
        color = " in color" if self.channels else ""
        return (
            f"Burst({len(self)} frame{'s' if len(self) > 1 else ''} of "
            f"{self.height}x{self.width}{color}, {self._noise_text()}, "
            f"white {self.white_level:g}{''.join(f', {name}' for name in known)})"
        )

    def _repr_html_(self) -> str:
        """In a notebook: the reference, and what is known."""
        known = {
            "truth": self.truth,
            "true shifts": self.shifts,
            "moving objects": self.moving_mask,
            "recipe": self.recipe,
        }
        color = " in color" if self.channels else ""
        rows = [
            (
                "Burst",
                f"{len(self)} frame{'s' if len(self) > 1 else ''} of {self.height}x{self.width} pixels{color}",
            ),
            ("noise", self._noise_text()),
            ("white level", f"{self.white_level:g}"),
            (
                "known",
                ", ".join(name for name, value in known.items() if value is not None) or "nothing more",
            ),
        ]
        return summary(rows, self.reference, self.white_level)

    def _noise_text(self) -> str:
        if isinstance(self.noise, NoiseModel):
            return f"read_std {self.noise.read_std:.4g}, shot_gain {self.noise.shot_gain:.4g}"
        return "noise not known" if self.noise is None else "noise of each channel"

    @property
    def channels(self) -> int | None:
        """3 in color; None: the frames are gray, [N, H, W]."""
        return int(self.frames.shape[1]) if self.frames.ndim == 4 else None

    @property
    def height(self) -> int:
        return int(self.frames.shape[-2])

    @property
    def width(self) -> int:
        return int(self.frames.shape[-1])

    @property
    def reference(self) -> np.ndarray:
        return np.asarray(self.frames[0])

    @property
    def mean(self) -> np.ndarray:
        """The plain mean of the frames, [H, W] or [C, H, W]: what averaging gives when nothing is aligned."""
        return np.asarray(self.frames.mean(axis=0))

    def channel_noises(self, needed_by: str) -> tuple[NoiseModel, ...]:
        """The noise of each channel (of gray frames: of one); ValueError, one sentence, if it is not known."""
        if self.noise is None:
            raise ValueError(
                f"the burst has no noise model, which {needed_by} needs: Burst(frames, noise=NoiseModel(...))"
            )
        return self.noise if isinstance(self.noise, tuple) else (self.noise,) * (self.channels or 1)

    def gray_noise(self, needed_by: str) -> NoiseModel:
        """The noise of gray frames; ValueError, one sentence, if it is not known, or the frames are in color."""
        if self.channels is not None:
            raise ValueError(
                f"the burst is in color, [N, C, H, W]; {needed_by} takes gray ones: burst.gray() or burst.channel(0)"
            )
        return self.channel_noises(needed_by)[0]

    def channel(self, c: int) -> Burst:
        """One channel of a color burst as a gray one; of a gray burst, that is channel 0."""
        c = check_index("channel", c, self.channels or 1, "the burst has channels")
        if self.channels is None:
            return self
        noise = self.noise[c] if isinstance(self.noise, tuple) else self.noise
        truth = None if self.truth is None else self.truth[c]
        return dataclasses.replace(self, frames=self.frames[:, c], noise=noise, truth=truth, recipe=None)

    def gray(self, weights: Sequence[float] = LUMINANCE_WEIGHTS) -> Burst:
        """The weighted sum of the channels, with its noise; by default the luminance. A gray burst is itself."""
        if self.channels is None:
            return self
        noise = None
        if self.noise is not None:
            noise = NoiseModel.of_weighted_sum(self.channel_noises("the sum"), weights)
        truth = None if self.truth is None else weighted_sum(self.truth, weights)
        frames = weighted_sum(self.frames, weights)
        return dataclasses.replace(self, frames=frames, noise=noise, truth=truth, recipe=None)

    def noise_map(self, scale: float = 1.0) -> np.ndarray:
        """The assumed noise that a network is given: std of frame 0 (eq. 8), [H, W] or [C, H, W], times `scale`.

        ValueError if the noise is not known.
        """
        noises = self.channel_noises("a noise map")
        if self.channels is None:
            return noises[0].scaled(scale).std_map(self.reference)
        planes = zip(noises, self.reference, strict=True)
        return np.stack([noise.scaled(scale).std_map(plane) for noise, plane in planes])

    def shifts_at(self, y: int, x: int) -> np.ndarray | None:
        """Where the scene at (y, x) went: shifts [N, 2] of the moving object there, else of the camera.

        ValueError for a pixel beyond the frames.
        """
        if not (0 <= y < self.height and 0 <= x < self.width):
            raise ValueError(
                f"pixel ({y}, {x}) does not lie in the frames, {self.height}x{self.width} pixels"
            )
        if self.motion is not None:
            return np.asarray(self.motion[:, y, x])
        label = self.object_at[y, x]
        return self.shifts if label == 0 or self.moving_shifts is None else self.moving_shifts[label - 1]

    @functools.cached_property
    def object_at(self) -> np.ndarray:
        """Number of the moving object that each pixel of frame 0 shows, 1 ... M, or 0: [H, W] uint8."""
        if self.moving_mask is None:
            return np.zeros((self.height, self.width), dtype=np.uint8)
        shown = self.moving_mask > 0.5  # of no more than one object at a pixel
        return np.where(shown.any(axis=0), shown.argmax(axis=0) + 1, 0).astype(np.uint8)

    def shift_map(self) -> np.ndarray | None:
        """True shifts of every pixel of frame 0, [N, H, W, 2], (dy, dx); None if they are not known."""
        if self.motion is not None or self.shifts is None:
            return self.motion
        table = [self.shifts, *([] if self.moving_shifts is None else self.moving_shifts)]
        shifts: np.ndarray = np.asarray(table, dtype=np.float32)[self.object_at]
        return np.moveaxis(shifts, 2, 0)


def weighted_sum(planes: np.ndarray, weights: Sequence[float]) -> np.ndarray:
    """sum_c w_c x_c of channels [..., C, H, W]: [..., H, W], float32."""
    return np.tensordot(planes, np.asarray(weights, dtype=np.float32), axes=(-3, 0)).astype(np.float32)


_LAYOUTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "frames": (("N H W", "N C H W"), ("1 N C H W", "N H W C", "1 N H W C", "H W C", "H W")),
    "truth": (("H W", "C H W"), ("1 H W", "1 C H W", "H W C", "1 H W C", "W H", "C W H", "H W 1")),
    "shifts": (("N 2",), ("2 N", "1 N 2")),
    "moving_mask": (("M H W",), ("H W M", "H W", "1 M H W", "M W H")),
    "moving_shifts": (("M N 2",), ("N M 2", "N 2")),
    "motion": (("N H W 2",), ("N 2 H W", "1 N H W 2", "2 N H W")),
}
"""Layouts (kpnviz/layouts.py) of a burst's arrays: those that are taken, and others that people bring."""

_MOST_OBJECTS = 255  # object_at numbers them in 8 bits
_ROUNDING = 1e-4  # of a mask that was averaged down


def _light(name: str, values: Any) -> np.ndarray:
    """A copy of intensities as float32, in the order of their axes; ValueError for anything else."""
    check_unmasked(name, values)
    array = np.asarray(as_numpy(values))
    if array.dtype.kind != "f":
        raise ValueError(f"{name} has dtype {array.dtype}; intensities are floating point, white = 1")
    with np.errstate(over="ignore"):  # that becomes infinite, which is said
        array = np.array(array, dtype=np.float32, order="C")
    low, high = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
    if not np.isfinite((low, high)).all():
        where = ""
        if array.ndim >= 3 and name != "truth":
            where = f": {'frame' if name == 'frames' else 'mask'} {np.argwhere(~np.isfinite(array))[0, 0]}"
        raise ValueError(f"{name}{where} holds values that are not finite (NaN or infinity)")
    if (worst := max(high, -low)) > MAX_INTENSITY:
        raise ValueError(f"{name}: a value of {worst:g} is beyond {MAX_INTENSITY:g} (white = 1)")
    return array


def _items(name: str, values: Any, meaning: str) -> tuple[Any, ...]:
    """The items of a sequence; ValueError for what has none, and for text, whose letters they would be."""
    try:
        if not isinstance(values, str | bytes):
            return tuple(values)
    except TypeError:
        pass
    raise ValueError(f"{name} is {visible(repr(values))}; it is {meaning}")


def _check_photo(name: str, photo: Any) -> None:
    if not isinstance(photo, str | Path):
        raise ValueError(f"{name} is {visible(repr(photo))}; it is a name of the gallery, or a file")


def _offsets(name: str, values: Any) -> np.ndarray:
    """A copy of shifts in pixels, integers or floating point; ValueError for anything else."""
    check_unmasked(name, values)
    array = np.array(as_numpy(values))
    if array.dtype.kind not in "iuf" or not (np.abs(array.astype(np.float64)) <= MAX_SHIFT).all():
        raise ValueError(f"{name} holds what is no shift in pixels, a number up to {MAX_SHIFT:g}")
    return array


def synthesize(recipe: BurstRecipe) -> Burst:
    """Make the burst of a recipe.

    Frame i is the scene seen through a window that the camera's shake has moved, with independent noise
    (eq. 7): x_i(y, x) ~ N(s(y - dy_i, x - dx_i), ...). Beyond the photo's edge the scene goes on by
    reflection. With a `camera` frames are interpolated (cubic splines) from the photo before its reduction.
    """
    scene = read_scene(recipe.photo, recipe.reduction, recipe.color)  # [h, w] or [h, w, 3]
    crop = recipe.crop or (0, 0, *scene.shape[:2])
    top, left, H, W = crop
    if top < 0 or left < 0 or top + H > scene.shape[0] or left + W > scene.shape[1]:
        raise ValueError(
            f"crop {crop} does not fit the photo {recipe.photo!r}, {scene.shape[0]}x{scene.shape[1]}"
        )
    if recipe.shifts is not None:
        shifts = np.asarray(recipe.shifts)
    else:
        rng = np.random.default_rng([Stream.SHAKE, recipe.seed])
        shifts = recipe.misalignment.sample(recipe.frames, rng)
    if recipe.camera is not None:
        path = CameraPath(recipe.camera, shifts, (H, W), np.random.default_rng([Stream.CAMERA, recipe.seed]))
        clean = _taken(recipe, path, scene[top : top + H, left : left + W], (top, left))
        motion = None
        if recipe.frames * H * W <= _MOST_MOTION:
            motion = np.stack([path.where(i) for i in range(recipe.frames)])
        return _noisy(recipe, clean, motion=motion)
    # Whole pixels: the reduced photo is shifted. Parts of a pixel: the photo is, by whole pixels of its own, and each
    # frame is reduced by itself, as a sensor would do it.
    whole = np.array_equal(shifts, np.rint(shifts))
    shifts = shifts.astype(np.int64) if whole else shifts.astype(np.float64)
    scale = 1 if whole else recipe.reduction
    if not np.array_equal(shifts * scale, np.rint(shifts * scale)):
        raise ValueError(
            f"shifts are not multiples of 1/{recipe.reduction} px: whole pixels of the photo, before its reduction"
        )
    steps = np.arange(recipe.frames)[:, None] * np.array([o.velocity for o in recipe.objects]).reshape(
        -1, 1, 2
    )
    grid = 1 if whole else 2
    moving_shifts = (shifts + np.rint(steps * grid) / grid).astype(shifts.dtype)  # [M, N, 2]

    if not whole:
        scene = read_scene(recipe.photo, 1, recipe.color)
    textures = [read_scene(o.photo, recipe.reduction if whole else 1, recipe.color) for o in recipe.objects]
    clean = np.empty((recipe.frames, H, W, *scene.shape[2:]), dtype=np.float32)
    mask = np.empty((len(textures), H, W), dtype=np.float32)
    for i in range(recipe.frames):
        start = np.rint((np.array([top, left]) - shifts[i]) * scale).astype(np.int64)
        frame = _window(scene, start, (H * scale, W * scale))
        for m, (moving, texture) in enumerate(zip(recipe.objects, textures, strict=True)):
            coverage = _paste(frame, moving, texture, moving_shifts[m, i], scale)
            if i == 0:
                mask[:m] *= 1 - box_reduce(coverage, scale)  # it hides those behind it
                mask[m] = box_reduce(coverage, scale)
        clean[i] = box_reduce(frame, scale)

    return _noisy(
        recipe,
        clean,
        shifts=shifts,
        moving_mask=mask if textures else None,
        moving_shifts=moving_shifts if textures else None,
    )


_MOST_MOTION = 20_000_000  # pixels of all frames of which the motion is kept: 160 MB


def _taken(recipe: BurstRecipe, path: CameraPath, first: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Clean frames of a camera that moves, [N, H, W] or [N, H, W, 3]; `first` is frame 0."""
    from scipy import ndimage  # here: the lens does without SciPy

    photo = read_scene(recipe.photo, 1, recipe.color)
    planes = [
        ndimage.spline_filter(plane, 3, mode="mirror") for plane in np.atleast_3d(photo).transpose(2, 0, 1)
    ]
    clean = [first]
    for i in range(1, recipe.frames):
        frame = np.stack([path.frame(i, plane, corner, recipe.reduction) for plane in planes], axis=-1)
        clean.append(frame.reshape(first.shape))
    return np.stack(clean)


def _noisy(recipe: BurstRecipe, clean: np.ndarray, **known: Any) -> Burst:
    """The burst of clean frames [N, H, W] or [N, H, W, 3], with white at 1, and of what else is known of it."""
    clean = clean * np.float32(recipe.white_level)
    if recipe.color:
        clean = np.ascontiguousarray(np.moveaxis(clean, -1, 1))  # [N, 3, H, W]
        planes = [
            recipe.noise.add_to(clean[:, c], np.random.default_rng([Stream.COLOR_GRAIN, c, recipe.seed]))
            for c in range(3)
        ]
        frames = np.stack(planes, axis=1)
    else:
        frames = recipe.noise.add_to(clean, np.random.default_rng([Stream.GRAIN, recipe.seed]))
    return Burst(
        frames=frames,
        noise=recipe.noise,
        white_level=recipe.white_level,
        truth=clean[0].copy(),
        recipe=recipe,
        **known,
    )


def _window(scene: np.ndarray, start: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part [H, W] of a scene (in color [H, W, 3]) that begins at `start` (y, x); beyond the edge it goes on by
    reflection."""
    rows, columns = (
        reflect_index(length, int(first), int(first) + side)
        for length, first, side in zip(scene.shape[:2], start, size, strict=True)
    )
    return np.asarray(scene[np.ix_(rows, columns)])


def _paste(
    frame: np.ndarray, moving: MovingObject, texture: np.ndarray, shift: np.ndarray, scale: int
) -> np.ndarray:
    """Draw an object, moved by `shift`, into a frame `scale` times as fine, in place; returns its coverage."""
    middle = np.rint((np.rint(moving.center) + shift) * scale).astype(np.int64)
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]].astype(np.float64)
    # Pixel centers of the finer grid lie half a fine pixel beside those of the coarse one.
    fine = (scale - 1) / 2
    coverage = moving.coverage((y - middle[0] - fine) / scale, (x - middle[1] - fine) / scale)
    # The cut-out is the middle of the second photo, and travels with the object.
    cut = _window(texture, np.array(texture.shape[:2]) // 2 - middle, frame.shape[:2])
    share = coverage.reshape(*coverage.shape, *[1] * (frame.ndim - 2))  # the same in every channel
    frame[:] = share * cut + (1 - share) * frame
    return coverage
