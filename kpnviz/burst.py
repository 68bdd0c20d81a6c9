"""A burst of noisy frames, and how one is made from a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kpnviz.noise import NoiseModel
from kpnviz.photos import read_photo, read_scene
from kpnviz.sampling import box_reduce, reflect_index

# One random stream each, so that turning up the gain leaves the camera's path and the grain as they were.
_SHIFT_STREAM, _NOISE_STREAM, _COLOR_STREAM = 1, 2, 3


@dataclass(frozen=True)
class Misalignment:
    """How far hand shake moves a frame, in pixels (MKPN paper, section 3.1).

    Each frame but the reference is, with probability n/N, n ~ Poisson(rate), shifted by whole pixels
    uniform in [-large, large] in both directions, else in [-small, small].
    """

    small: int = 2
    large: int = 16
    rate: float = 1.5

    def __post_init__(self) -> None:
        if not 0 <= self.small <= self.large:
            raise ValueError(
                f"misalignment: small is {self.small} and large is {self.large}; 0 <= small <= large"
            )
        if not self.rate >= 0:
            raise ValueError(f"misalignment: rate is {self.rate!r}; it must be 0 or more")

    def sample(self, frames: int, rng: np.random.Generator) -> np.ndarray:
        """Shifts (dy, dx) of a burst's frames: [N, 2], whole pixels; frame 0 is the reference, (0, 0)."""
        probability = min(rng.poisson(self.rate) / frames, 1.0)
        far = rng.random(frames) < probability
        reach = np.where(far, self.large, self.small)[:, None]
        shifts = rng.integers(-reach, reach, size=(frames, 2), endpoint=True)
        shifts[0] = 0
        return shifts


@dataclass(frozen=True)
class MovingObject:
    """A round cut-out of a second photo that travels over the scene (the mouse of the KPN paper's figure).

    center, velocity: (y, x) in pixels of frame 0, and (dy, dx) in pixels a frame on top of the camera's
    shake; diameter in pixels.
    """

    photo: str
    center: tuple[float, float]
    diameter: float
    velocity: tuple[float, float]

    def __post_init__(self) -> None:
        if not self.diameter > 0:
            raise ValueError(f"moving object: diameter is {self.diameter!r}; it must be above 0")


@dataclass(frozen=True)
class BurstRecipe:
    """All that determines a synthetic burst. The same recipe gives the same burst, bit for bit.

    photo       a name of the gallery, or a file
    crop        (top, left, height, width) in pixels of the reduced photo; None: all of it
    noise       the noise model (``NoiseModel.for_gain(4)``)
    frames      N
    misalignment, shifts   a distribution of camera shake; or each frame's own (dy, dx), whole pixels
    moving      an object that travels over the scene
    white_level intensity of white: the photo is multiplied by it before noise is added
    reduction   the photo is box-reduced by this factor, in linear light
    seed        of the shake and the noise
    """

    photo: str
    crop: tuple[int, int, int, int] | None = None
    noise: NoiseModel = field(default_factory=lambda: NoiseModel.for_gain(4))
    frames: int = 8
    misalignment: Misalignment = Misalignment()
    shifts: tuple[tuple[int, int], ...] | None = None
    moving: MovingObject | None = None
    white_level: float = 1.0
    reduction: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames is {self.frames}; a burst has 1 frame or more")
        if not 0 < self.white_level <= 1:
            raise ValueError(f"white_level is {self.white_level!r}; it must be above 0 and at most 1")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be 0 or more")
        if self.shifts is not None:
            if len(self.shifts) != self.frames:
                raise ValueError(f"shifts names {len(self.shifts)} frames; the burst has {self.frames}")
            if tuple(self.shifts[0]) != (0, 0):
                raise ValueError(
                    f"shifts: frame 0 is the reference, its shift is (0, 0), not {self.shifts[0]}"
                )
        if self.crop is not None and (len(self.crop) != 4 or min(self.crop[2:]) < 1):
            raise ValueError(f"crop is {self.crop}; it is (top, left, height, width) with 1 pixel or more")


@dataclass(frozen=True)
class Burst:
    """N noisy frames of one scene, and what is known about them.

    frames       [N, H, W] float32, linear intensity, noise not clipped; frame 0 is the reference
    noise        their noise model
    white_level  the intensity of white
    truth        [H, W] noise-free frame 0, or None
    shifts       [N, 2] (dy, dx) in pixels, or None: the scene at (y, x) of frame 0 lies at (y+dy, x+dx) of
                 frame i. A network that aligns puts the centroid of kernel i there.
    moving_mask, moving_shifts   coverage [H, W] of the moving object in frame 0, and its shifts [N, 2]
    """

    frames: np.ndarray
    noise: NoiseModel
    white_level: float = 1.0
    truth: np.ndarray | None = None
    shifts: np.ndarray | None = None
    moving_mask: np.ndarray | None = None
    moving_shifts: np.ndarray | None = None
    recipe: BurstRecipe | None = None

    def __post_init__(self) -> None:
        if self.frames.ndim != 3 or 0 in self.frames.shape:
            raise ValueError(
                f"frames has shape {self.frames.shape}; a burst is [N, H, W] with 1 or more of each"
            )
        if not np.isfinite(self.frames).all():
            bad = int(np.argwhere(~np.isfinite(self.frames).all(axis=(1, 2)))[0, 0])
            raise ValueError(f"frames: frame {bad} holds values that are not finite (NaN or infinity)")
        if self.truth is not None and self.truth.shape != self.frames.shape[1:]:
            raise ValueError(f"truth has shape {self.truth.shape}; the frames have {self.frames.shape[1:]}")
        if not self.white_level > 0:
            raise ValueError(f"white_level is {self.white_level!r}; it must be above 0")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def height(self) -> int:
        return self.frames.shape[1]

    @property
    def width(self) -> int:
        return self.frames.shape[2]

    @property
    def reference(self) -> np.ndarray:
        return self.frames[0]

    @property
    def mean(self) -> np.ndarray:
        """The plain mean of the frames, [H, W]: what averaging gives when nothing is aligned."""
        return self.frames.mean(axis=0)

    def noise_map(self, scale: float = 1.0) -> np.ndarray:
        """The noise estimate that a network is told: std of frame 0 [H, W] (eq. 8), times `scale`."""
        return self.noise.scaled(scale).std_map(self.reference)

    def shifts_at(self, y: int, x: int) -> np.ndarray | None:
        """Where the scene at (y, x) went: shifts [N, 2] of the moving object there, else of the camera."""
        if self.moving_mask is not None and self.moving_mask[y, x] > 0.5:
            return self.moving_shifts
        return self.shifts


def synthesize(recipe: BurstRecipe) -> Burst:
    """Make the burst of a recipe.

    Frame i is the scene seen through a window that the camera's shake has moved, with independent noise
    (eq. 7): x_i(y, x) ~ N(s(y - dy_i, x - dx_i), ...). Beyond the photo's edge the scene goes on by
    reflection.
    """
    return _seen(recipe, read_scene(recipe.photo, recipe.reduction), (_NOISE_STREAM, recipe.seed))


def synthesize_color(recipe: BurstRecipe) -> tuple[Burst, ...]:
    """The bursts of a recipe in R, G and B: the shake of :func:`synthesize`, noise of each channel's own."""
    if recipe.moving is not None:
        raise ValueError("moving is set; color bursts have no moving object")
    photo = box_reduce(read_photo(recipe.photo), recipe.reduction)
    return tuple(_seen(recipe, photo[..., c], (_COLOR_STREAM, c, recipe.seed)) for c in range(3))


def _seen(recipe: BurstRecipe, scene: np.ndarray, stream: Sequence[int]) -> Burst:
    """What a recipe makes of a scene [H, W]; `stream` seeds its noise."""
    crop = recipe.crop or (0, 0, *scene.shape)
    top, left, H, W = crop
    if top < 0 or left < 0 or top + H > scene.shape[0] or left + W > scene.shape[1]:
        raise ValueError(
            f"crop {crop} does not fit the photo {recipe.photo!r}, {scene.shape[0]}x{scene.shape[1]}"
        )
    if recipe.shifts is not None:
        shifts = np.asarray(recipe.shifts, dtype=np.int64)
    else:
        shifts = recipe.misalignment.sample(
            recipe.frames, np.random.default_rng([_SHIFT_STREAM, recipe.seed])
        )

    clean = np.empty((recipe.frames, H, W), dtype=np.float32)
    for i, (dy, dx) in enumerate(shifts):
        rows = reflect_index(scene.shape[0], top - dy, top - dy + H)
        columns = reflect_index(scene.shape[1], left - dx, left - dx + W)
        clean[i] = scene[np.ix_(rows, columns)]

    mask = moving_shifts = None
    if recipe.moving is not None:
        steps = np.arange(recipe.frames)[:, None] * np.asarray(recipe.moving.velocity, dtype=np.float64)
        moving_shifts = shifts + np.rint(steps).astype(np.int64)
        masks = [
            _paste(frame, recipe.moving, s, recipe.reduction)
            for frame, s in zip(clean, moving_shifts, strict=True)
        ]
        mask = masks[0]

    clean *= recipe.white_level
    frames = recipe.noise.add_to(clean, np.random.default_rng(stream))
    return Burst(
        frames=frames,
        noise=recipe.noise,
        white_level=recipe.white_level,
        truth=clean[0].copy(),
        shifts=shifts,
        moving_mask=mask,
        moving_shifts=moving_shifts,
        recipe=recipe,
    )


def _paste(frame: np.ndarray, moving: MovingObject, shift: np.ndarray, reduction: int) -> np.ndarray:
    """Draw the moving object into a frame [H, W], in place; returns its coverage [H, W] in 0..1."""
    texture = read_scene(moving.photo, reduction)
    H, W = frame.shape
    cy, cx = round(moving.center[0]) + int(shift[0]), round(moving.center[1]) + int(shift[1])
    y, x = np.mgrid[:H, :W].astype(np.float64)
    # An edge one pixel wide: coverage falls from 1 to 0 across the circle.
    coverage = np.clip(moving.diameter / 2 + 0.5 - np.hypot(y - cy, x - cx), 0, 1).astype(np.float32)
    # The cut-out is the middle of the second photo, and travels with the object.
    top, left = texture.shape[0] // 2 - cy, texture.shape[1] // 2 - cx
    rows, columns = (
        reflect_index(texture.shape[0], top, top + H),
        reflect_index(texture.shape[1], left, left + W),
    )
    frame[:] = coverage * texture[np.ix_(rows, columns)] + (1 - coverage) * frame
    return coverage
