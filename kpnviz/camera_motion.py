"""How a camera moves while it takes a burst: turning, tilting, a rolling shutter, and depth that makes parallax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kpnviz.checks import check_float
from kpnviz.sampling import box_reduce

_FOCAL_LENGTH = 24 / 36  # of the frame's width: a 24 mm lens on 35 mm film, about a phone's
_BLOBS, _IN_FRONT, _SHARP = 20.0, 0.2, 40.0  # px, standard deviations, slope at the edge: see _layer


@dataclass(frozen=True)
class CameraMotion:
    """What the camera does beside the shifts of a burst; each grows evenly, from nothing at frame 0.

    rotation   degrees about the optical axis at the last frame; about a point in the middle of the picture
    tilt       degrees of panning and tilting together: perspective
    shutter    pixels by which a rolling shutter shears the last frame from its top row to its bottom row
    parallax   pixels that a layer in front, which covers about four tenths of the picture, moves more than what is
               behind it

    The burst's seed draws directions, the point and the layer.
    """

    rotation: float = 0.0
    tilt: float = 0.0
    shutter: float = 0.0
    parallax: float = 0.0

    def __post_init__(self) -> None:
        for name, most in (("rotation", 45), ("tilt", 20), ("shutter", 1000), ("parallax", 1000)):
            value = check_float(f"camera: {name}", getattr(self, name), 0, most)
            object.__setattr__(self, name, value)


class CameraPath:
    """The motion of one burst of `frames` frames of `shape` (H, W).

    With q a point of frame 0, p = M_i (q - c) + c + shift_i is where the camera's turn and shift take it, M_i the
    homography K R_i K^-1; then the shutter moves it by s_i (p_y / H - 1/2) to the side. Points of the layer in front
    are moved by i / (N - 1) times the parallax first.
    """

    def __init__(
        self,
        motion: CameraMotion,
        shifts: np.ndarray,
        shape: tuple[int, int],
        rng: np.random.Generator,
    ) -> None:
        self.shifts, self.shape = shifts, shape
        H, W = shape
        self._center = rng.uniform(0.3, 0.7, 2) * (H, W)
        signs = rng.choice([-1.0, 1.0], 2)
        direction, tilted = rng.uniform(0, 2 * np.pi, 2)
        self._share = np.arange(len(shifts)) / max(len(shifts) - 1, 1)
        self._shear = signs[1] * motion.shutter * self._share
        self._parallax = motion.parallax * np.outer(self._share, (np.sin(direction), np.cos(direction)))
        focal = _FOCAL_LENGTH * W
        self._turns = [
            _homography(
                signs[0] * np.deg2rad(motion.rotation) * share,
                np.deg2rad(motion.tilt) * share * np.array([np.sin(tilted), np.cos(tilted)]),
                focal,
            )
            for share in self._share
        ]
        self._margin = int(np.ceil(motion.parallax)) + 8
        self._front = self._layer(rng) if motion.parallax else None

    def _layer(self, rng: np.random.Generator) -> np.ndarray:
        """How much of frame 0, and of a margin around it, the layer in front covers: smooth noise, cut off."""
        from scipy import ndimage  # here and below: the lens does without SciPy

        size = tuple(n + 2 * self._margin for n in self.shape)
        field = ndimage.gaussian_filter(rng.standard_normal(size), _BLOBS, mode="wrap")
        field /= max(float(field.std()), 1e-12)
        cover: np.ndarray = np.clip((field - _IN_FRONT) * _SHARP + 0.5, 0, 1).astype(np.float32)
        return cover

    def where(self, i: int) -> np.ndarray:
        """Displacements (dy, dx) of every pixel of frame 0 in frame i: [H, W, 2], float32."""
        here = np.moveaxis(np.indices(self.shape, dtype=np.float64), 0, -1)
        moved = here.copy()
        if self._front is not None:
            inner = slice(self._margin, -self._margin)
            moved += (self._front[inner, inner] > 0.5)[..., None] * self._parallax[i]
        moved = _apply(self._turns[i], moved - self._center) + self._center + self.shifts[i]
        moved[..., 1] += self._shear[i] * (moved[..., 0] / self.shape[0] - 0.5)
        return np.asarray(moved - here, dtype=np.float32)

    def frame(self, i: int, scene: Any, corner: tuple[int, int], fine: int) -> np.ndarray:
        """Frame i, [H, W] float32: the mean of fine x fine points of a scene in every pixel.

        scene    spline coefficients (``scipy.ndimage.spline_filter``) of a photo with `fine` pixels to a pixel;
        corner   (top, left) of frame 0 in it, in pixels of the frame
        """
        from scipy import ndimage

        H, W = self.shape
        y, x = ((np.arange(n * fine) + 0.5) / fine - 0.5 for n in (H, W))
        p = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
        p[..., 1] -= self._shear[i] * (p[..., 0] / H - 0.5)
        q = _apply(np.linalg.inv(self._turns[i]), p - self._center - self.shifts[i]) + self._center

        def seen(points: np.ndarray) -> np.ndarray:
            place = (points + corner + 0.5) * fine - 0.5
            value = ndimage.map_coordinates(
                scene, np.moveaxis(place, -1, 0), order=3, mode="mirror", prefilter=False
            )
            return np.asarray(value, dtype=np.float32)

        image = seen(q)
        if self._front is not None:
            near = q - self._parallax[i]
            cover = ndimage.map_coordinates(
                self._front, np.moveaxis(near + self._margin, -1, 0), order=1, mode="nearest"
            )
            image = cover * seen(near) + (1 - cover) * image
        return box_reduce(image, fine)


def _homography(turn: float, tilt: np.ndarray, focal: float) -> np.ndarray:
    """K R K^-1 for points (y, x, 1) about the center: a turn about the axis after a tilt (up, to the side)."""
    (sy, sx), (cy, cx) = np.sin(tilt), np.cos(tilt)
    up = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    side = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    scale = np.diag([focal, focal, 1])
    return np.asarray(scale @ about @ up @ side @ np.linalg.inv(scale))


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """A homography of points [..., 2]."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(moved[..., :2] / moved[..., 2:])
