"""What determines a synthetic burst: photo, noise, camera shake, objects that move."""

from __future__ import annotations

import dataclasses
import enum
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kpnviz.camera_motion import CameraMotion
from kpnviz.checks import check_float, check_int
from kpnviz.limits import MAX_OBJECTS, MIN_WHITE
from kpnviz.noise import NoiseModel
from kpnviz.photos import gallery, photo_path, read_scene
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
    r"""A cut-out of a second photo that travels over the scene and hides what is behind it.

    center      (y, x) in pixels of frame 0
    diameter    mean, in pixels
    velocity    (dy, dx) in pixels a frame, on top of the camera's shake; where it is at each frame is rounded to the
                grid of the burst's shifts, whole or half pixels
    outline     its shape, ((a_0, b_0), (a_1, b_1), ...), as below; empty: a disc
    softness    pixels across which it fades at its edge

    .. math:: \mathrm{radius}(t) = \frac{\mathrm{diameter}}{2} \left( 1 + \sum_k a_k \cos((k + 2)\, t + b_k) \right)

    for the angle t.
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
