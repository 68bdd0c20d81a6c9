"""A method of one's own in a process of its own: it may raise, crash or never end, and nobody else waits for it.

`python -m kpnviz.methods.isolated SOURCE` is that process. It loads the method, says what it is called, and then
answers bursts with estimates, one after the other, over its standard input and output; what the method prints goes to
stderr, as its tracebacks do.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from kpnviz.burst import Burst
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField
from kpnviz.limits import Limits
from kpnviz.methods import MethodError, check_source, own_method, print_traceback, without_truth

LOADING_SECONDS = 300.0
"""What loading a method may take: weights, and a first compilation."""

_ASK_EVERY = 0.2  # seconds


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
        self.frames: frozenset[int] | None = found["frames"]

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
        assert isinstance(answer, Estimate)
        return answer

    def close(self) -> None:
        """End the process; the next burst starts another."""
        with self._turn:
            if self._process is not None:
                self._process.close()
                self._process = None

    def _started(self, wanted: Callable[[], object]) -> _Process:
        if self._process is None or not self._process.alive:
            self._process = None
            process = _Process(self.source)
            late = f"{self.source} took longer than {LOADING_SECONDS:g} s to be loaded"
            try:
                process.description = process.answer(LOADING_SECONDS, wanted, late)
                if isinstance(process.description, str):
                    raise MethodError(process.description)
            except BaseException:
                process.close()
                raise
            self._process = process
        return self._process


class _Process:
    """The other process, and a thread that listens to it."""

    description: Any = None

    def __init__(self, source: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "kpnviz.methods.isolated", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def ask(self, burst: Burst, seconds: float, wanted: Callable[[], object], late: str) -> Any:
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended: there will be no answer
            pickle.dump(burst, self._popen.stdin)
            self._popen.stdin.flush()
        return self.answer(seconds, wanted, late)

    def answer(self, seconds: float, wanted: Callable[[], object], late: str) -> Any:
        """Its next answer; MethodError(late) after so many seconds, and where the process ends without one."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            wanted()
            with contextlib.suppress(queue.Empty):
                found = self._answers.get(timeout=_ASK_EVERY)
                if found is None:
                    status = self._popen.wait()
                    raise MethodError(
                        f"the process of the method ended with status {status}; perhaps there was not enough memory"
                    )
                return found
        raise MethodError(late)

    def close(self) -> None:
        self._popen.kill()
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def _listen(self) -> None:
        assert self._popen.stdout is not None
        try:
            while True:
                self._answers.put(pickle.load(self._popen.stdout))
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            self._answers.put(None)


def serve(source: str, tasks: BinaryIO, answers: BinaryIO) -> None:
    """What the other process does, until there are no more bursts."""

    def say(answer: Any) -> None:
        pickle.dump(answer, answers)
        answers.flush()

    try:
        method = own_method(source)
    except ValueError as error:
        print_traceback(error)
        say(str(error))
        return
    say({"name": method.name, "title": method.title, "frames": method.frames})
    bursts: queue.SimpleQueue[Burst] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks, bursts), daemon=True).start()
    while True:
        try:
            estimate = method(bursts.get())
        except MethodError as error:
            print_traceback(error)
            say(str(error))
            continue
        say(dataclasses.replace(estimate, kernels=_on_cpu(estimate.kernels)))


def _on_cpu(field: KernelField | None) -> KernelField | None:
    if field is None:
        return None
    basis = None if field.basis is None else field.basis.detach().cpu()
    return dataclasses.replace(field, factors=field.factors.detach().cpu(), basis=basis)


def _receive(tasks: BinaryIO, bursts: queue.SimpleQueue[Burst]) -> None:
    """Put bursts in the queue as they come; end the process when whoever sends them is gone, whatever it computes."""
    try:
        while True:
            bursts.put(pickle.load(tasks))
    except (EOFError, OSError):
        os._exit(0)


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the method prints is no answer
    serve(sys.argv[1], sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
