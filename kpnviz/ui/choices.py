"""What the controls offer: the values that a person, a link or an example may choose among."""

from __future__ import annotations

from typing import Any

from kpnviz.burst import Misalignment, MovingObject
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.results import YARDSTICK
from kpnviz.evaluation.testset import TEST_GAINS
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.lens.texts.result_tables import METRICS, MOTION_TITLES, beyond_training
from kpnviz.methods.offered import offered
from kpnviz.models.checkpoints import available
from kpnviz.models.zoo import MATCHED, ZOO
from kpnviz.noise import GAINS, TRAINING_READ_STD, TRAINING_SHOT_GAIN
from kpnviz.photos import gallery

PAGES = {
    "explore": "Explore",
    "kernels": "Kernels",
    "noise": "Noise",
    "sizes": "Sizes",
    "results": "Results",
    "learn": "Learn",
    "your_burst": "Your burst",
    "your_kernels": "Your kernels",
}
"""File in app_pages/ -> title, in the order of the navigation.

(A folder named pages/ beside app.py would make Streamlit run a page that is opened by its address without app.py.)
"""

REDUCTION = 2
"""Of the gallery's photos: box-reduced by this factor before a scene is cut out."""

CROPS = (96, 128, 192, 256)
MAX_GAIN = 16.0
MAX_SEED = 2**31 - 1
MAX_SHIFT = 32
MAX_METHODS = 4
MAX_FRAMES = 32
MAX_CHANGED_SHIFT = 16  # of a frame in What if
MATRIX_GAINS = (1, 2, 4, 8, 16)
"""True and assumed, of the matrix on Noise."""
MATRIX_CROP = 64
"""Pixels a side of its bursts."""
MAX_CAMERA = {"rotation": 10.0, "tilt": 5.0, "shutter": 32.0, "parallax": 32.0}
"""Of CameraMotion: degrees, degrees, pixels, pixels."""

CAMERA_TITLES = {
    "rotation": (
        "Rotation, degrees",
        "How far the last frame is turned, about a point in the middle of the picture.",
    ),
    "tilt": ("Pan and tilt, degrees", "How far the camera looks aside by the last frame: perspective."),
    "shutter": (
        "Rolling shutter, px",
        "How far the last frame is sheared, from its top row to its bottom row: rows are exposed one after the other.",
    ),
    "parallax": (
        "Parallax, px",
        "How much further things in front move than what is behind them, by the last frame. They cover about four "
        "tenths of the picture.",
    ),
}
"""How they are written for people, and what they mean."""

LESSON_COUNT = len(LESSONS)

BY_HAND = "by hand"
HANDHELD = "handheld"
SHAKES = {
    "none": Misalignment(0, 0, 0),
    "±2": Misalignment(2, 2, 0),
    "paper": Misalignment(),
    "sub-pixel": Misalignment(subpixel=True),
    HANDHELD: Misalignment(subpixel=True),
    "strong": Misalignment(4, 16, 4),
}
"""Camera shake, beside BY_HAND: a table of shifts. HANDHELD turns the camera, too (burst.draw_handheld)."""

SHAKE_TITLES = {
    "none": "none",
    "±2": "within ±2 px",
    "paper": "as in the paper",
    "sub-pixel": "as in the paper, by half pixels",
    HANDHELD: "of a hand: it turns, too",
    "strong": "strong",
    BY_HAND: "by hand, frame by frame",
}
"""How they are written for people."""

HELPS = {
    "color": "Frames of R, G and B: kernels are predicted once, from their weighted sum, and applied to each. Off: "
    "frames of the luminance.",
    "gain": "The higher the gain, the noisier; ×1 to ×8 are the paper's. "
    f"{beyond_training((*GAINS, MAX_GAIN))} That is: read_std is above {TRAINING_READ_STD[1]:.3f}, or shot_gain above "
    f"{TRAINING_SHOT_GAIN[1]:.3f}, the largest of any training burst. (Those are darkened, down to 1/30 of white, for "
    "stacked networks 1/10: relative to that, some are as noisy.)",
    "frames": "How many noisy frames the burst has. Networks whose frames are stacked take as many as they were "
    "trained with; those that match take any number.",
    "shake": "How far the camera moves each frame. *As in the paper*: within ±2 pixels, now and then within ±16, by "
    "whole pixels or by halves. *Of a hand*: by halves, and it turns meanwhile by 0.1° to 0.5°, with a rolling "
    "shutter, and a part of the scene in front that moves by 1 to 6 pixels more. *Strong*: within ±4, half of the "
    "time within ±16. *By hand*: you say where the scene goes in each frame.",
    "moving": "A round cut-out of another photo travels over the scene, 2 pixels a frame.",
    "seed": "Of the shake and of the noise.",
}
"""What controls mean, by the key of what they set; Markdown."""

Shifts = tuple[tuple[int, int], ...]
"""(dy, dx) of each frame; frame 0 stays."""

KERNEL_VIEWS = {
    "decomposition": "Sizes",
    "maps": "Maps",
    "kinds": "Kinds",
    "frequencies": "Frequencies",
    "region": "Region",
    "disagreement": "Disagreement",
    "what-if": "What if",
}
"""Views of the page Kernels, as a link writes them, and their titles."""

SIZED = ("mkpn", *(name for name in MATCHED if name.startswith("kpn-l")))
"""The networks that the page Sizes compares: MKPN, which has several kernel sizes, and one for each size."""

OF_RESULTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "motion": (next(iter(MOTION_TITLES)), {name: name for name in MOTION_TITLES}),
    "gain": (4, {str(gain): gain for gain in TEST_GAINS}),
    "measure": (METRICS[0], {name: name for name in METRICS}),
    "compared": (YARDSTICK, {name: name for name in (*ZOO, *BASELINES)}),
}
"""What the page Results shows at first, and what it may show: values by their names in a link. The gain is that of the
figures, the measure that of the tables, and all other methods are compared with one."""

_DEFAULT_METHODS = ("kpn", "kpn-l25", "mkpn")


def shifts_for(shifts: Shifts, frames: int) -> Shifts:
    """The shifts of so many frames: those that are missing do not move."""
    return (*shifts[:frames], *((0, 0),) * (frames - len(shifts)))


def moving_object(photo: str, size: int) -> MovingObject:
    """The object that travels over a scene of `size` pixels a side, cut out of the next photo of the gallery."""
    names = gallery()
    other = names[(names.index(photo) + 1) % len(names)]
    return MovingObject(other, center=(size * 0.55, size * 0.35), diameter=size / 4, velocity=(0.0, 2.0))


def default_methods() -> list[str]:
    """The networks that are shown at first, and beside them the methods of one's own that there is room for."""
    return [*default_networks(), *offered()][:MAX_METHODS]


def default_networks() -> list[str]:
    """KPN 5x5, L25 and MKPN, as in the figures of the MKPN paper; else what is trained, MKPN among it."""
    names = available()
    wanted = [name for name in _DEFAULT_METHODS if name in names]
    others = [name for name in ("kpn-l5", *names) if name in names and name not in wanted]
    chosen = {*wanted, *dict.fromkeys(others[: max(0, 2 - len(wanted))])}
    return [name for name in names if name in chosen]


def sized_methods() -> tuple[str, ...]:
    """Those of SIZED that are trained here."""
    here = available()
    return tuple(name for name in SIZED if name in here)


def single_size(method: str) -> int | None:
    """The kernel size of a method; None for one that has several."""
    sizes = MATCHED[method].sizes
    return sizes[0] if len(sizes) == 1 else None


def first_look() -> dict[str, Any]:
    """How the lens of the page Sizes shows them at first: the smallest size and the largest; the only one and MKPN."""
    here = sized_methods()
    sizes = [method for method in here if single_size(method)]
    if len(sizes) < 2:
        sizes += [method for method in here if not single_size(method)]
    other = sizes[0] if len(sizes) > 1 else "frame"
    return {"other": other, "shown": sizes[-1] if sizes else "", "frame": 0, "look": "sizes"}
