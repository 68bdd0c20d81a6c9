"""Methods: networks of the zoo, baselines and functions of one's own, which look alike: Burst -> Estimate.

A method of one's own is a function of a Python file, or an entry point of the group `kpnviz.methods`:

    def predict(burst):                 # frames [N, H, W] float32, noise model, white level; no truth
        return my_network(burst.frames)     # a KernelField, an Estimate or a picture [H, W]

    predict.title = "My network"        # how it is written for people; else its name
    predict.frames = 8                  # how many frames it takes, or several numbers; else any
    predict.color = True                # it takes frames in color too, [N, 3, H, W]; else it is shown gray ones

With `color` a method gets frames as the burst has them: [N, 3, H, W] of one in color, [N, H, W] of a gray one, as the
test set of `kpnviz evaluate` is; `burst.channels` is 3 or None. Without it, it gets [N, H, W] always.

With `frames` it gets as many, always. Of files there is a choice: the sharpest are taken where there are more, and some
repeated where there are fewer (:func:`common_frames`, which all commands and the app ask). A synthetic burst in the
app, or one of the test set, has the number that one chose: a method that does not take it is left out, and that is
said.

Python is loaded from where the command line says, in the process that runs the command or in one that it starts
(:mod:`kpnviz.methods.isolated`); nothing that is uploaded, linked or in the environment names a method.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import numbers
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from kpnviz.burst import Burst
from kpnviz.checks import as_numpy, check_unmasked
from kpnviz.denoise import Denoiser, guide, load
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField
from kpnviz.layouts import PICTURE
from kpnviz.limits import MAX_INTENSITY
from kpnviz.models import checkpoints
from kpnviz.models.zoo import title_of
from kpnviz.text import one_line, visible

ENTRY_POINTS = "kpnviz.methods"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_FRAMES = 1024  # of a burst


class MethodError(ValueError):
    """What is wrong with a method or its result, in one sentence; its cause is what the method itself raised."""


@dataclass(frozen=True, eq=False)
class Method:
    """A way to denoise a burst; called with one, it gives an Estimate.

    name     in commands, links and results;  title   for people
    predict  Burst -> KernelField, Estimate or picture [H, W] of linear intensity, NumPy or PyTorch
    frames   the numbers of frames that it takes; None: any
    checked  whether each result is checked: the size of the picture, that it is finite, and that the kernels, if there
             are any, make it. A MethodError says what is wrong. Networks and baselines are tested instead
    source   what :func:`own_method` makes it of; "" for all others
    device   where a network computes; "" for all others
    color    whether a method of one's own takes frames in color, [N, 3, H, W], too. One that does not is shown a
             weighted sum of the channels (denoise.guide), and its kernels are applied to each; where it gives a picture
             in place of kernels, it is asked for each channel's
    """

    name: str
    title: str
    predict: Callable[[Burst], Any]
    frames: frozenset[int] | None = None
    checked: bool = True
    source: str = ""
    device: str = ""
    color: bool = False

    def takes(self, frames: int) -> bool:
        """Whether it denoises bursts of so many frames."""
        return self.frames is None or frames in self.frames

    def __call__(self, burst: Burst) -> Estimate:
        """The estimate; MethodError, a sentence, for a method of one's own that gives none."""
        if burst.channels is None or self.color or not self.checked:
            return self._of(burst)
        seen = self._of(guide(burst) if burst.noise is not None else burst.gray())
        if seen.kernels is not None:
            made = Estimate.of(burst, seen.kernels, name=self.name)
            return dataclasses.replace(made, seconds=seen.seconds + made.seconds)
        planes = [self._of(burst.channel(c)) for c in range(burst.channels)]
        seconds = sum(plane.seconds for plane in planes)
        return Estimate(np.stack([plane.image for plane in planes]), None, self.name, seconds)

    def _of(self, burst: Burst) -> Estimate:
        if not self.takes(len(burst)):
            taken = ", ".join(map(str, sorted(self.frames or ())))
            raise MethodError(f"the burst has {len(burst)} frames; {self.name} takes {taken}")
        begun = time.perf_counter()
        if not self.checked:
            result = self.predict(burst)
            seconds = time.perf_counter() - begun
            return result if isinstance(result, Estimate) else Estimate(result, None, self.name, seconds)
        process = os.getpid()
        try:
            result = self.predict(without_truth(burst))
        except (
            Exception,
            SystemExit,
        ) as error:  # a library's sys.exit would end the command as if all were well
            raise MethodError(
                f"{self.name} raised {type(error).__name__} for a burst of {len(burst)} frames: {one_line(error)}"
            ) from error
        finally:
            if os.getpid() != process:  # a copy that predict forked: it must not do once more what follows
                os._exit(0)
        return self._checked(burst, result, time.perf_counter() - begun)

    def _checked(self, burst: Burst, result: Any, seconds: float) -> Estimate:
        image: Any
        kernels: KernelField | None
        if isinstance(result, Estimate):
            image, kernels = result.image, result.kernels
        elif isinstance(result, KernelField):
            image, kernels = None, result
        elif isinstance(result, np.ndarray | Tensor):
            image, kernels = result, None
        else:
            what = "None" if result is None else f"a value of type {type(result).__name__}"
            raise MethodError(
                f"{self.name} returned {what}; a method gives a KernelField, an Estimate or a picture [H, W]"
            )
        if image is not None:
            image = _picture(self.name, image, burst)
        if kernels is not None and type(kernels) is not KernelField:
            kernels = _plain(self.name, kernels)
        if kernels is None:
            return Estimate(image, None, self.name, seconds)
        try:
            made = Estimate.of(burst, kernels, name=self.name, image=image)
        except (ValueError, RuntimeError) as error:  # PyTorch's, where there is not enough memory, say
            text = str(error) if isinstance(error, ValueError) else one_line(error)
            start = "" if text.startswith(f"{self.name}: ") else f"{self.name}: "
            raise MethodError(f"{start}{text}") from None
        _picture(self.name, made.image, burst)
        return dataclasses.replace(made, seconds=seconds if image is not None else seconds + made.seconds)


def without_truth(burst: Burst) -> Burst:
    """The burst as a method gets it: frames, noise and white level, and nothing that would tell the truth."""
    return Burst(burst.frames, burst.noise, burst.white_level)


def _picture(name: str, values: np.ndarray | Tensor, burst: Burst) -> np.ndarray:
    """The picture as float32, if it has the frames' size and is finite."""
    try:
        check_unmasked(f"{name}: the picture", values, "picture")
        image = np.asarray(as_numpy(values))
    except Exception as error:  # a sparse tensor, say
        text = (
            str(error)
            if isinstance(error, ValueError)
            else f"{name} gave no dense picture: {one_line(error)}"
        )
        raise MethodError(text) from error
    expected = burst.frames.shape[1:]
    if image.shape != expected:
        sides = dict(zip("HW", expected[-2:], strict=True))
        hint = PICTURE.of(len(expected)).hint("image", values, sides)
        if not hint and image.ndim > 3 and image.shape[-2:] == expected[-2:]:
            hint = "; if these are kernels, return KernelField.from_kernels(kernels)"
        raise MethodError(
            f"{name} gave a picture of shape {image.shape}; of this burst it is {expected}{hint}"
        )
    if image.dtype.kind != "f":
        raise MethodError(
            f"{name} gave a picture of {image.dtype}; expected floating point, linear intensity with white = "
            f"{burst.white_level:g}"
        )
    with np.errstate(over="ignore"):
        made = image.astype(np.float32)
    bad = np.argwhere(~(np.abs(made) <= MAX_INTENSITY))  # not a number is not below it, either
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        if np.isfinite(image[place]):
            raise MethodError(
                f"{name} gave a picture that holds {image[place]:g} at {place}; intensities are up to "
                f"{MAX_INTENSITY:g} on either side of 0"
            )
        raise MethodError(f"{name} gave a picture that is not finite: it holds {image[place]} at {place}")
    return made


def _plain(name: str, field: KernelField) -> KernelField:
    """Kernels of a class that was made from KernelField, as a KernelField: what is shown is computed by kpnviz."""
    try:
        return KernelField(
            **{each.name: getattr(field, each.name) for each in dataclasses.fields(KernelField)}
        )
    except Exception as error:
        raise MethodError(
            f"{name} gave kernels of type {type(field).__name__}, which make no KernelField: {one_line(error)}"
        ) from error


def common_frames(takes: Mapping[str, frozenset[int] | None], available: int) -> int | None:
    """How many frames methods get together of files with `available` ones.

    takes   the numbers that each method takes, by its name; None: any

    The most that all of them take and that there are; where all take more than there are, the fewest, and frames are
    repeated. None: each takes any number, so all get all. ValueError if there is no number that all of them take.
    """
    counts = {name: numbers for name, numbers in takes.items() if numbers is not None}
    if not counts:
        return None
    common = frozenset.intersection(*counts.values())
    if not common:
        said = ", ".join(f"{name} {' or '.join(map(str, sorted(one)))}" for name, one in counts.items())
        raise ValueError(f"methods: these take different numbers of frames ({said})")
    return max((count for count in common if count <= available), default=min(common))


def network(name: str, device: str = "cpu") -> Method:
    """A trained network as a method."""
    return as_method(name, load(name, device))


def as_method(name: str, predict: Callable[[Burst], Any]) -> Method:
    """A function, or a Denoiser, as a method of this name; ValueError where it is none."""
    if isinstance(predict, Method):
        return predict
    if isinstance(predict, Denoiser):
        takes = predict.frames
        some = None if takes is None or takes == 1 else frozenset((takes,))
        device = str(next(predict.network.parameters()).device)
        return Method(name, title_of(name), predict, some, checked=False, device=device)
    if not callable(predict):
        raise ValueError(f"{visible(name)} is a {type(predict).__name__}, which cannot be called")
    title = getattr(predict, "title", None)
    if title is not None and not isinstance(title, str):
        raise ValueError(f"{visible(name)}: title is {visible(repr(title))}; it is a text")
    frames, color = _frames(name, getattr(predict, "frames", None)), getattr(predict, "color", False)
    if not isinstance(color, bool):
        raise ValueError(f"{visible(name)}: color is {visible(repr(color))}; it is True or False")
    return Method(name, visible(title or name), predict, frames, color=color)


def check_source(source: str) -> str:
    """The source of a method with its path made absolute; ValueError where no such file or entry point is there.

    source   FILE.py:FUNCTION, or the name of an entry point of the group `kpnviz.methods`
    """
    file, colon, function = source.rpartition(":")
    if colon:
        if not function.isidentifier() or not file.endswith(".py"):
            raise ValueError(
                f"--method is {visible(source)!r}; it is FILE.py:FUNCTION, e.g. my_net.py:predict"
            )
        if not Path(file).is_file():
            raise ValueError(f"--method: {visible(file, 200)}: there is no such file")
        return f"{Path(file).resolve()}:{function}"
    if not entry_points(group=ENTRY_POINTS, name=source):
        known = ", ".join(sorted(entry_points(group=ENTRY_POINTS).names)) or "none is installed"
        raise ValueError(
            f"--method is {visible(source)!r}; it is FILE.py:FUNCTION or an installed method ({known})"
        )
    return source


def own_method(source: str) -> Method:
    """Load a method of one's own, and with it the Python that it is written in.

    source   as :func:`check_source` takes it. A file's name becomes the method's name: my_net.py:predict is my_net,
             my_net.py:other is my_net-other

    ValueError where that is no method, MethodError where loading raises an error.
    """
    source = check_source(source)
    file, colon, function = source.rpartition(":")
    try:
        if colon:
            name = Path(file).stem + ("" if function == "predict" else f"-{function}")
            predict = getattr(_module(Path(file)), function, None)
        else:
            name = source
            predict = next(iter(entry_points(group=ENTRY_POINTS, name=source))).load()
    except (Exception, SystemExit) as error:
        raise MethodError(
            f"{visible(source, 200)} cannot be loaded: {type(error).__name__}: {one_line(error)}"
        ) from error
    if predict is None:
        raise ValueError(f"{visible(file, 200)} has no {function}")
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{visible(name)!r} is no name for a method: letters, digits, dots, - and _, up to 64"
        )
    try:
        method = as_method(name, predict)
    except ValueError:
        raise
    except Exception as error:  # from the method's own title or frames
        raise MethodError(
            f"{visible(source, 200)} cannot be loaded: {type(error).__name__}: {one_line(error)}"
        ) from error
    return dataclasses.replace(method, checked=True, source=source)


def _module(file: Path) -> Any:
    """Run a Python file as a module of its own name, which also other modules of its folder can be imported from."""
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    name = f"kpnviz_method_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there
    spec.loader.exec_module(module)
    return module


def _frames(name: str, value: Any) -> frozenset[int] | None:
    if value is None:
        return None
    several = isinstance(value, Iterable) and not isinstance(value, str)
    values = list(islice(value, _MAX_FRAMES + 1)) if several else [value]  # it may have no end
    for one in values:
        whole = isinstance(one, numbers.Integral) and not isinstance(one, bool)
        if not whole or not 1 <= one <= _MAX_FRAMES:
            raise ValueError(
                f"{name}: frames has {visible(repr(one))}; it is a number of frames from 1 to {_MAX_FRAMES}, or several"
            )
    if len(values) > _MAX_FRAMES:
        raise ValueError(f"{name}: frames has more than {_MAX_FRAMES} numbers; one may stand there once")
    if not values:
        raise ValueError(f"{name}: frames is empty; it is a number of frames, or several")
    return frozenset(map(int, values))


def check_names(names: Iterable[str], reserved: Iterable[str] = ()) -> None:
    """ValueError where two methods have one name, or one has that of a network or one of `reserved`."""
    taken = {*checkpoints.available(), *reserved}
    for name in names:
        if name in taken:
            raise ValueError(f"two methods are called {name}; give the file of yours another name")
        taken.add(name)


def print_traceback(error: BaseException) -> None:
    """What a method raised, on stderr, from the method's own first line on."""
    cause = error.__cause__
    if isinstance(error, MethodError) and cause is not None:
        trace = cause.__traceback__
        own = trace.tb_next if trace is not None else None
        traceback.print_exception(type(cause), cause, own or trace)
