"""The table of parameters: all that a person sets, by a control, by a link, by an example or in the lens.

A row gives the key in st.session_state and in the link, the default, how a link writes it, and the pages that show it:

    GAIN = parameter("gain", 4.0, Number(1, MAX_GAIN, digits=1), SCENE, always=True)

and a widget of it is

    st.slider("Sensor gain", **limits(GAIN), step=0.1, **control(GAIN))

The row gives the session its default, writes the value to the address and to links to the pages that show it, and reads
it back, with a sentence where a link is wrong. Keys without a row, of one page's widgets and of the code, are in
state.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from kpnviz.capture.frame_stack import GRAY
from kpnviz.lens.payload import COMPARE, DISPLAY, LOOKS, MODES
from kpnviz.photos import gallery, read_scene
from kpnviz.ui.choices import (
    BY_HAND,
    CROPS,
    HANDHELD,
    KERNEL_VIEWS,
    LESSON_COUNT,
    MAX_CAMERA,
    MAX_CHANGED_SHIFT,
    MAX_FRAMES,
    MAX_GAIN,
    MAX_SEED,
    OF_RESULTS,
    PAGES,
    REDUCTION,
    SHAKES,
    default_methods,
    default_networks,
    first_look,
)
from kpnviz.ui.link_formats import (
    Choice,
    Compared,
    Flag,
    Format,
    Integer,
    Integers,
    Methods,
    Moved,
    Nearest,
    Number,
    Panel,
    Pixel,
    ShiftTable,
    SizesOff,
    State,
    View,
)
from kpnviz.ui.state import KERNELS_DISPLAY, LENS_DISPLAY, NOISE_DISPLAY, PIXEL, SIZES_DISPLAY


@dataclass(frozen=True)
class Parameter:
    """A row of the table.

    key        in st.session_state
    default    a value, or a function that gives it
    format     how a link writes it; None: it stays in the session
    pages      that show it: links to them hold it, where it is not at its default
    always     also at its default, so that a link keeps its meaning when a default changes
    scene      it is part of the burst's recipe: examples and lessons set it too, and recipe_of (controls.py) reads it
    name       in the link
    inside     key of a dictionary in which a lens keeps it up, as long as it is not at its default
    applies    whether it means something in this state
    needs      what has to be so for that, in the words of a link; "": a link may hold it all the same
    """

    key: str
    default: Any
    format: Format | None
    pages: frozenset[str]
    always: bool
    scene: bool
    name: str
    inside: str
    applies: Callable[[State], bool]
    needs: str

    def default_in(self, state: State) -> Any:
        """The default in a state, or what is nearest to it within the limits there."""
        value = self.default() if callable(self.default) else copy(self.default)
        return self.format.nearest(value, state) if isinstance(self.format, Number | Integer) else value

    def of(self, state: State) -> Any:
        """Its value in a state."""
        values = state.get(self.inside) or {} if self.inside else state
        return values[self.key] if self.key in values else self.default_in(state)

    def put(self, state: dict[str, Any], value: Any) -> None:
        """Set its value in a state."""
        if not self.inside:
            state[self.key] = value
            return
        values = state.setdefault(self.inside, {})
        if value != self.default_in(state):
            values[self.key] = value


PARAMETERS: dict[str, Parameter] = {}
"""Rows by their names in a link, in the order in which they are read: a row may depend on those above it."""


def parameter(
    key: str,
    default: Any,
    format: Format | None = None,
    pages: Iterable[str] = (),
    *,
    always: bool = False,
    scene: bool = False,
    name: str = "",
    inside: str = "",
    applies: Callable[[State], bool] = lambda _: True,
    needs: str = "",
) -> str:
    """Add a row to the table; see Parameter. Returns its key."""
    row = Parameter(
        key, default, format, frozenset(pages), always, scene, name or key, inside, applies, needs
    )
    if row.name in PARAMETERS:
        raise ValueError(f"{row.name} is already in the table of parameters")
    PARAMETERS[row.name] = row
    return key


def limits(key: str) -> dict[str, Any]:
    """Arguments `min_value` and `max_value` of a widget of a number whose limits depend on nothing else."""
    format = next(row.format for row in PARAMETERS.values() if row.key == key)
    if not isinstance(format, Number | Integer):
        raise ValueError(f"{key} is no number")
    low, high = format.limits({})
    kind = float if isinstance(format, Number) else int
    return {"min_value": kind(low), "max_value": kind(high)}


def with_defaults(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state in which no parameter is missing."""
    found = dict(state)
    for row in PARAMETERS.values():
        found.setdefault(row.inside or row.key, {} if row.inside else row.default_in(found))
    return found


def named_in(page: str) -> set[str]:
    """Names that a link to a page may hold."""
    return {row.name for row in PARAMETERS.values() if page in row.pages}


def side(state: State) -> int:
    """Pixels a side of the crop."""
    return min(state[CROP], *read_scene(state[PHOTO], REDUCTION).shape)


def _last(axis: int) -> Callable[[State], int]:
    """The last place at which a crop begins."""
    return lambda state: read_scene(state[PHOTO], REDUCTION).shape[axis] - side(state)


def _frames(state: State) -> int:
    return state[FRAMES]


def _last_frame(state: State) -> int:
    return state[FRAMES] - 1


SCENE = ("explore", "kernels", "noise", "sizes")
_scene: dict[str, Any] = {"pages": SCENE, "always": True, "scene": True}

# --- The burst ---
PHOTO = parameter("photo", "dog", Choice(gallery), **_scene)
COLOR = parameter(
    "color", True, Flag(), **_scene
)  # R, G and B, where the photo has color; else the luminance
CROP = parameter("crop", 128, Nearest(CROPS), **_scene)  # pixels a side
TOP = parameter("top", 64, Integer(0, _last(0)), **_scene)  # of the crop, in the reduced photo
LEFT = parameter("left", 64, Integer(0, _last(1)), **_scene)
FRAMES = parameter("frames", 8, Integer(1, MAX_FRAMES), **_scene)
GAIN = parameter("gain", 4.0, Number(1, MAX_GAIN, digits=1), **_scene)  # of the sensor
_SHAKE_NAMES = {"±2": "small", BY_HAND: "hand"}  # others have their own name in a link
SHAKE = parameter(
    "shake",
    "paper",
    Choice({_SHAKE_NAMES.get(title, title): title for title in (*SHAKES, BY_HAND)}),
    **_scene,
)
SHIFTS = parameter(  # (dy, dx) of each frame
    "shifts", ((0, 0),) * 8, ShiftTable(_frames), **_scene, applies=lambda state: state[SHAKE] == BY_HAND
)
MOVING = parameter(  # whether an object moves
    "moving", False, Flag(), **_scene,
    applies=lambda state: state[SHAKE] != HANDHELD, needs="another camera shake than handheld",
)  # fmt: skip
SEED = parameter("seed", 0, Integer(0, MAX_SEED), **_scene)  # of shake and noise
# What the camera does beside its shake: fields of CameraMotion. Objects move where it only shifts.
CAMERA = tuple(
    parameter(
        name,
        0.0,
        Number(0, most, digits=1),
        SCENE,
        scene=True,
        applies=lambda state: state[SHAKE] != HANDHELD and not state[MOVING],
        needs="moving=0 and another camera shake than handheld",
    )
    for name, most in MAX_CAMERA.items()
)

# --- What is looked at ---
METHODS = parameter("methods", default_methods, Methods(), ("explore", "kernels", "noise"), always=True)
parameter(PIXEL, None, Pixel(side), SCENE)
TEACH = parameter("teach", False, Flag(), PAGES)  # in front of a class: large type, controls folded away

# --- How the lenses of Explore and Kernels show it ---
REGIONS = {"9": 9, "17": 17, "33": 33, "65": 65, "all": 0}
"""Pixels a side of the region whose kernels are averaged, as a link writes them."""

_LENS_FORMATS: dict[str, Format] = {
    "frame": Integer(0, _last_frame),
    "mode": Choice(MODES),
    "against": Panel(),
    "stops": Number(-2, 4),
    "linear": Flag(),
    "view": View(side),
    "compare": Choice(COMPARE),
    "shown": Panel(),
    "other": Panel(),
    "look": Choice(LOOKS),
    "assumed": Number(-2, 2),
    "channel": Choice({"R": 0, "G": 1, "B": 2}),
    "all": Flag(),
    "region": Choice(REGIONS),
    "kinds": Integer(2, 8),
    "off": SizesOff(),
    "keep": Flag(),
    "dropped": Integers(0, _last_frame, "frames"),
    "nonnegative": Flag(),
    "moved": Moved(_last_frame, MAX_CHANGED_SHIFT),
    "anew": Flag(),
}
for _name, _format in _LENS_FORMATS.items():
    parameter(_name, DISPLAY[_name], _format, ("explore",), inside=LENS_DISPLAY)

# --- Kernels ---
KERNELS_VIEW = parameter("kernels_view", KERNEL_VIEWS["decomposition"], Choice(KERNEL_VIEWS), ("kernels",))
for _name, _format in _LENS_FORMATS.items():
    # Which look a view has at first depends on the view: a look is written whenever it is known.
    _default = "" if _name == "look" else DISPLAY[_name]
    parameter(_name, _default, _format, ("kernels",), name=f"in_{_name}", inside=KERNELS_DISPLAY)

# --- Noise, Sizes ---
for _name, _format in _LENS_FORMATS.items():
    parameter(_name, DISPLAY[_name], _format, ("noise",), name=f"noise_{_name}", inside=NOISE_DISPLAY)
parameter(SIZES_DISPLAY, first_look, Compared(_frames), ("sizes",), name="sizes")
_OF_SIZES = ("compare", "mode", "against", "stops", "linear", "view", "channel", "all", "off", "keep")
for _name, _default, _format in (
    ("look", "sizes", Choice(("sizes", "parts"))),
    *((name, DISPLAY[name], _LENS_FORMATS[name]) for name in _OF_SIZES),
):
    parameter(_name, _default, _format, ("sizes",), name=f"sizes_{_name}", inside=SIZES_DISPLAY)

# --- Results ---
RESULTS_MOTION, RESULTS_GAIN, RESULTS_MEASURE, RESULTS_COMPARED = (
    parameter(f"results_{name}", start, Choice(options), ("results",))
    for name, (start, options) in OF_RESULTS.items()
)

# --- Learn ---
LESSON = parameter("lesson", 0, Integer(0, LESSON_COUNT - 1, offset=1), ("learn",))

# --- Your burst: of the session alone ---
OWN_METHODS = parameter("own_methods", lambda: default_networks()[-2:])
OWN_SIDE = parameter("own_side", 192)  # pixels a side of the part in the lens
IN_COLOR = -2
"""R, G and B together, beside GRAY and the numbers of channels."""
OWN_CHANNEL = parameter("own_channel", IN_COLOR)  # of the lens, where the files have three
OWN_PLOT = parameter("own_plot", GRAY)  # channel of the noise plot
OWN_COLOR = parameter(
    "own_color", "shared"
)  # the whole picture: kernels shared by the channels, of each, or gray
OWN_MENDED = parameter("own_mended", True)  # whether defects of the sensor are mended
OWN_LOOK = parameter("own_look", "Nothing more")  # what is shown under the lens
OWN_UPLOADER = parameter("_own_uploader", 0)  # counts the drop zones; see state.own_files

# --- Your kernels: of the session alone ---
FOREIGN_UPLOADER = parameter("_foreign_uploader", 0)  # counts the drop zones; see state.foreign_file

DEFAULTS: dict[str, Any] = {row.key: row.default for row in PARAMETERS.values() if row.scene}
"""The scene at first: all parameters of a recipe."""
