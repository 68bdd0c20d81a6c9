"""A method of one's own in a process of its own: it may raise, crash or never end, and nobody else waits for it.

`python -m kpnviz.methods.isolated SOURCE` is that process. It loads the method, says what it is called, and then
answers bursts with estimates, one after the other, over its standard input and output; what the method prints goes to
stderr, as its tracebacks do. Tasks and answers have numbers: whoever asks takes only the answer to what was asked. An
answer is JSON and plain arrays, never a pickle, so that no code of the method runs where the answer is read.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import numpy as np
import torch

from kpnviz.burst import Burst
from kpnviz.checks import as_numpy
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField
from kpnviz.limits import Limits
from kpnviz.methods import MethodError, check_source, own_method, print_traceback, without_truth
from kpnviz.text import one_line, visible

LOADING_SECONDS = 300.0
"""What loading a method may take: weights, and a first compilation."""

_ASK_EVERY = 0.2  # seconds
_MAX_HEADER = 1_000_000  # bytes of an answer before its arrays
_DTYPES = ("float16", "float32", "float64")
_LENGTH = struct.Struct(">Q")
_FIELD = ("sizes", "separable", "height", "width", "padding", "reduce")


def _nothing() -> None:
    """What is asked where nobody could have left."""


class IsolatedMethod:
    """A method of one's own, as :class:`kpnviz.methods.Method` with the process around it.

    source    FILE.py:FUNCTION, or the name of an entry point
    seconds   what a burst may take; then its process is ended, and the next burst gets a new one.
              None: KPNVIZ_METHOD_SECONDS, else 60

    ValueError, or MethodError, where the method cannot be loaded.
    """

    def __init__(self, source: str, seconds: float | None = None) -> None:
        self.source = check_source(source)
        self.seconds = float(Limits.from_environment().method_seconds if seconds is None else seconds)
        self._turn = threading.Lock()
        self._process: _Process | None = None
        with self._turn:
            found = self._started(_nothing).description
        self.name: str = found["name"]
        self.title: str = found["title"]
        self.frames: frozenset[int] | None = None if found["frames"] is None else frozenset(found["frames"])

    def takes(self, frames: int) -> bool:
        """Whether it denoises bursts of so many frames."""
        return self.frames is None or frames in self.frames

    def __call__(self, burst: Burst, wanted: Callable[[], object] = _nothing) -> Estimate:
        """The estimate. Bursts are done one after the other.

        wanted   is called several times a second while this waits; raise in it to give up, which ends the process
        """
        while not self._turn.acquire(timeout=_ASK_EVERY):
            wanted()
        try:
            process = self._started(wanted)
            late = f"{self.name} took longer than {self.seconds:g} s (KPNVIZ_METHOD_SECONDS) and was stopped"
            try:
                answer = process.ask(without_truth(burst), self.seconds, wanted, late)
            except BaseException:
                self._process = None
                process.close()
                raise
        finally:
            self._turn.release()
        if isinstance(answer, str):
            raise MethodError(answer)
        if not isinstance(answer, Estimate) or answer.image.shape != burst.frames.shape[1:]:
            raise MethodError(f"the process of {self.name} gave no estimate of this burst")
        return answer

    def close(self) -> None:
        """End the process; the next burst starts another."""
        with self._turn:
            if self._process is not None:
                self._process.close()
                self._process = None

    def _started(self, wanted: Callable[[], object]) -> _Process:
        if self._process is None or not self._process.alive:
            if self._process is not None:
                self._process.close()  # what it started may live on
                self._process = None
            process = _Process(self.source)
            late = f"{self.source} took longer than {LOADING_SECONDS:g} s to be loaded"
            try:
                process.description = process.answer(LOADING_SECONDS, wanted, late)
                if not isinstance(process.description, dict):
                    raise MethodError(str(process.description))
            except BaseException:
                process.close()
                raise
            self._process = process
        return self._process


class _Process:
    """The other process, a thread that listens to it and one that speaks to it.

    Each pipe belongs to its thread, which also closes it: another that closed it would wait for whoever reads or
    writes, and that may be for ever, where a process that the method started has the pipe's other end.
    """

    description: Any = None

    def __init__(self, source: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "kpnviz.methods.isolated", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # what the method starts is of its group, and ends with it
        )
        self._asked = 0  # the number of the last task; the description is the answer to 0
        self._heard_all = False
        self._answers: queue.SimpleQueue[tuple[int, Any] | MethodError | None] = queue.SimpleQueue()
        self._tasks: queue.SimpleQueue[tuple[int, Burst] | None] = queue.SimpleQueue()
        for does in (self._listen, self._speak):
            threading.Thread(target=does, daemon=True).start()

    @property
    def alive(self) -> bool:
        return not self._heard_all  # not poll(): until it is waited for, its number is that of no other group

    def ask(self, burst: Burst, seconds: float, wanted: Callable[[], object], late: str) -> Any:
        self._asked += 1
        self._tasks.put((self._asked, burst))
        return self.answer(seconds, wanted, late)

    def answer(self, seconds: float, wanted: Callable[[], object], late: str) -> Any:
        """The answer to the last task; MethodError(late) after so many seconds, and where there will be none."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            wanted()
            with contextlib.suppress(queue.Empty):
                found = self._answers.get(timeout=_ASK_EVERY)
                if isinstance(found, MethodError):
                    raise found
                if found is None:
                    raise MethodError(self._ending())
                number, answer = found
                if number == self._asked:  # else it is to a task before
                    return answer
        raise MethodError(late)

    def _ending(self) -> str:
        try:
            status = self._popen.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "the process of the method closed the pipe that its answers come by"
        return f"the process of the method ended with status {status}; perhaps there was not enough memory"

    def close(self) -> None:
        """End it, and all that it started."""
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):  # they are all gone
                os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.kill()
        self._popen.wait()
        self._tasks.put(None)

    def _listen(self) -> None:
        assert self._popen.stdout is not None
        try:
            with self._popen.stdout as pipe:
                while (found := _read(cast(BinaryIO, pipe))) is not None:
                    self._answers.put(found)
            self._heard_all = True
            self._answers.put(None)
        except Exception as error:  # whatever it is, somebody waits for an answer
            self._heard_all = True
            self._answers.put(
                MethodError(f"the answer of the method's process cannot be read: {one_line(error)}")
            )

    def _speak(self) -> None:
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError), self._popen.stdin as pipe:  # it ended: there will be no answer
            while (task := self._tasks.get()) is not None:
                pickle.dump(task, pipe)
                pipe.flush()


def _write(pipe: BinaryIO, number: int, answer: Estimate | dict[str, Any] | str) -> None:
    """An answer: the length of a header, the header in JSON, and the numbers of the arrays that it lists."""
    arrays: dict[str, np.ndarray] = {}
    header: dict[str, Any] = {"number": number}
    if isinstance(answer, Estimate):
        arrays["image"] = answer.image
        header |= {"model": answer.model, "seconds": answer.seconds}
        if answer.kernels is not None:
            arrays["factors"] = as_numpy(answer.kernels.factors)
            if answer.kernels.basis is not None:
                arrays["basis"] = as_numpy(answer.kernels.basis)
            header["field"] = {name: getattr(answer.kernels, name) for name in _FIELD}
            header["field"]["sizes"] = [int(size) for size in answer.kernels.sizes]
    else:
        header["answer"] = answer
    header["arrays"] = [[name, values.dtype.name, values.shape] for name, values in arrays.items()]
    # NumPy's whole numbers and truth values are none of JSON's.
    text = json.dumps(header, default=lambda value: value.item()).encode()
    parts = [np.ascontiguousarray(values).reshape(-1).view(np.uint8) for values in arrays.values()]
    pipe.write(_LENGTH.pack(len(text)) + text)
    for part in parts:
        pipe.write(part)  # type: ignore[call-overload]  # an array is a buffer
    pipe.flush()


def _read(pipe: BinaryIO) -> tuple[int, Any] | None:
    """The next answer and its number, None at the end; any error for what :func:`_write` did not write."""
    start = pipe.read(_LENGTH.size)
    if len(start) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(start)
    if length > _MAX_HEADER:
        raise ValueError(f"its header has {length} bytes; the limit is {_MAX_HEADER}")
    text = pipe.read(length)
    if len(text) < length:
        return None
    header = json.loads(text)
    arrays = {}
    for name, dtype, shape in header["arrays"]:
        if dtype not in _DTYPES:
            raise ValueError(
                f"{visible(name)} has dtype {visible(dtype)}; expected one of {', '.join(_DTYPES)}"
            )
        if len(data := pipe.read(math.prod(shape) * np.dtype(dtype).itemsize)) < math.prod(shape):
            return None
        arrays[name] = np.frombuffer(bytearray(data), dtype).reshape(shape)
    if "answer" in header:
        return header["number"], header["answer"]
    field = None
    if "field" in header:
        values = {name: header["field"][name] for name in _FIELD}
        values["sizes"] = tuple(values["sizes"])
        values |= {name: torch.from_numpy(arrays[name]) for name in ("factors", "basis") if name in arrays}
        field = KernelField(**values)
    return header["number"], Estimate(arrays["image"], field, header["model"], header["seconds"])


def serve(source: str, tasks: BinaryIO, answers: BinaryIO) -> None:
    """What the other process does, until there are no more bursts."""
    process = os.getpid()

    def say(number: int, answer: Estimate | dict[str, Any] | str) -> None:
        if os.getpid() != process:  # a copy that the method forked: the answer is the original's to give
            os._exit(0)
        _write(answers, number, answer)

    try:
        method = own_method(source)
    except BaseException as error:
        print_traceback(error)
        unknown = f"{source} cannot be loaded: {type(error).__name__}: {one_line(error)}"
        say(0, str(error) if isinstance(error, ValueError) else unknown)
        return
    say(0, {"name": method.name, "title": method.title, "frames": method.frames and sorted(method.frames)})
    bursts: queue.SimpleQueue[tuple[int, Burst]] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks, bursts), daemon=True).start()
    while True:
        number, burst = bursts.get()
        answer: Estimate | str
        try:
            answer = method(burst)
        except MethodError as error:
            print_traceback(error)
            answer = str(error)
        except BaseException as error:  # KeyboardInterrupt, say: nobody is at this process's keyboard
            answer = f"{method.name} raised {type(error).__name__}: {one_line(error)}"
        say(number, answer)


def _receive(tasks: BinaryIO, bursts: queue.SimpleQueue[tuple[int, Burst]]) -> None:
    """Put bursts in the queue as they come; end the process when whoever sends them is gone, whatever it computes."""
    try:
        while True:
            bursts.put(pickle.load(tasks))
    except (EOFError, OSError):
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)  # with all that the method started
        os._exit(0)


def main() -> None:
    """The process that a method has for itself: tasks from its input, answers on its output."""
    # Both pipes are moved away from 0 and 1, which every process that the method starts would get; and a fork of this
    # process, which has them all the same, gets the empty device in their place.
    nothing = os.open(os.devnull, os.O_RDWR)
    tasks, answers = os.dup(0), os.dup(1)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what the method prints is no answer

    def let_go() -> None:
        for pipe in (tasks, answers):
            os.dup2(nothing, pipe, inheritable=False)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=let_go)
    serve(sys.argv[1], os.fdopen(tasks, "rb"), os.fdopen(answers, "wb"))


if __name__ == "__main__":
    main()
