"""Many tasks: one after the other in this process, in several processes of this machine, or on others through Dask."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar, cast

from tqdm import tqdm

from kpnviz.limits import cores
from kpnviz.paths import discard_unfinished
from kpnviz.text import one_line, visible

Task = TypeVar("Task")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?([^/\s:]+|\[[0-9a-fA-F:]+\]):(?P<port>[0-9]{1,5})")
_PATIENCE = 30  # seconds that a scheduler may take to answer


@dataclass(frozen=True)
class Failure:
    """What came of a task instead of a result: why, in one sentence."""

    sentence: str


def outcomes(
    function: Callable[[Task], Any], tasks: Iterable[Task], workers: int = 1, scheduler: str | None = None
) -> Iterator[tuple[Task, Any]]:
    """(task, function(task)) of every task, as they come; a :class:`Failure` where the function raises an error.

    function   of a module, not nested; its task and its result can be pickled
    workers    processes on this machine. They share the cores: each computes with its part of them as threads.
               A process that dies fails its task alone, and another takes its place
    scheduler  address of a Dask scheduler, e.g. tcp://10.0.0.5:8786: its workers do the tasks instead

    One worker is this process itself. Raises ValueError for a scheduler that does not answer or has workers with
    another kpnviz, and where Dask is not installed.
    """
    if scheduler is not None:
        return _on_a_cluster(function, tasks, scheduler)
    if workers > 1:
        return _in_processes(function, iter(tasks), workers)
    return ((task, _outcome(function, task)) for task in tasks)


def _outcome(function: Callable[[Task], Any], task: Task) -> Any:
    try:
        return function(task)
    except ValueError as error:
        return Failure(str(error))
    except OSError as error:
        return Failure(os_sentence(error))
    except Exception as error:  # one task of thousands does not end the others
        return Failure(f"{type(error).__name__}: {one_line(error)}")


def os_sentence(error: OSError) -> str:
    """An error of the operating system as a sentence: `'a/b': Permission denied`, without its number."""
    if error.filename is None or not error.strerror:
        return one_line(error)
    return f"{str(error.filename)!r}: {error.strerror}"


def _in_processes(
    function: Callable[[Task], Any], tasks: Iterator[Task], workers: int
) -> Iterator[tuple[Task, Any]]:
    threads = max(1, cores() // workers)
    at_work: dict[Any, tuple[multiprocessing.process.BaseProcess, Task]] = {}  # pipe -> process, its task
    try:
        for task in itertools.islice(tasks, workers):
            pipe, process = _start(threads)
            _give(pipe, function, task)
            at_work[pipe] = process, task
        while at_work:
            for pipe in cast("list[Any]", wait(list(at_work))):
                process, task = at_work.pop(pipe)
                try:
                    outcome = pipe.recv()
                except (EOFError, OSError):
                    process.join()
                    outcome = Failure(
                        f"its process ended with status {process.exitcode}; perhaps there was not enough memory"
                    )
                for following in itertools.islice(tasks, 1):
                    if not process.is_alive():
                        pipe.close()
                        pipe, process = _start(threads)
                    _give(pipe, function, following)
                    at_work[pipe] = process, following
                if pipe not in at_work:
                    pipe.close()  # it ends
                yield task, outcome
    finally:
        for process, _ in at_work.values():
            process.terminate()


def _start(threads: int) -> tuple[Any, multiprocessing.process.BaseProcess]:
    """A new process that waits for tasks. (Not a fork: PyTorch's threads would be missing in it.)"""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
    # Ctrl-C reaches every process of a terminal. These leave it to this one, with which they end.
    resource_tracker.ensure_running()  # multiprocessing's own helper: starting it would unblock the signal
    blocked = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocked else None
    try:
        process.start()
    finally:
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    return ours, process


def _give(pipe: Connection, function: Callable[[Task], Any], task: Task) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: receiving will tell
        pipe.send((function, task))


def _serve(pipe: Connection, threads: int) -> None:
    """What a process does: task by task, until the other end of the pipe is closed."""
    signal.signal(signal.SIGTERM, _end)
    tqdm.set_lock(threading.RLock())  # else a lock for all processes, which would be left over
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in _THREADS:  # before the first task imports what reads them
        os.environ.setdefault(name, str(threads))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(_outcome(*pipe.recv()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        _end()


def _end(*_: object) -> None:
    discard_unfinished()
    os._exit(1)


def _on_a_cluster(
    function: Callable[[Task], Any], tasks: Iterable[Task], address: str
) -> Iterator[tuple[Task, Any]]:
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise ValueError("scheduler: Dask is not installed here: pip install 'kpnviz[cluster]'") from None
    logging.getLogger("distributed").setLevel(
        logging.CRITICAL
    )  # what goes wrong is said here, in one sentence
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise ValueError(f"scheduler is {visible(address)!r}; an address is like tcp://10.0.0.5:8786")
    if not 1 <= int(found["port"]) <= 65535:
        raise ValueError(f"scheduler is {visible(address)!r}; ports are 1 to 65535")
    try:
        # In a thread, as a notebook has an event loop of its own in this one.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _greet(address)).result()
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except TimeoutError:
        raise ValueError(
            f"scheduler: {address} does not answer: no Dask scheduler spoke there within {_PATIENCE} s"
        ) from None
    except (OSError, ValueError) as error:
        raise ValueError(f"scheduler: {address} does not answer: {one_line(error)}") from error
    with client:
        _check_workers(client, address)
        tasks = list(tasks)
        futures = client.map(functools.partial(_outcome, function), tasks, pure=False, key="kpnviz")
        task_of = dict(zip(futures, tasks, strict=True))
        del futures
        for future in as_completed(list(task_of), loop=client.loop):
            if future.cancelled() or client.status != "running":
                raise ValueError(f"scheduler: {address} has stopped")
            # What is raised here is of Dask: a worker that died several times over this task, say.
            yield task_of.pop(future), _outcome(lambda done: done.result(), future)


async def _greet(address: str) -> None:
    """Ask a server who it is: TimeoutError if it takes too long, ValueError if it is no scheduler.

    Dask itself waits forever for the greeting of a server that takes connections and is not of Dask.
    """
    from distributed import Security
    from distributed.comm import connect

    async def ask() -> Any:
        comm = await connect(address, timeout=_PATIENCE, **Security().get_connection_args("client"))
        try:
            await comm.write({"op": "identity", "reply": True})
            return await comm.read()
        finally:
            comm.abort()

    kind = (await asyncio.wait_for(ask(), _PATIENCE)).get("type")
    if kind != "Scheduler":
        raise ValueError(f"it is a {visible(kind)} of Dask, not its scheduler")


def _check_workers(client: Any, address: str) -> None:
    """ValueError if a worker has no kpnviz, or another version."""
    if not client.scheduler_info(n_workers=-1)["workers"]:
        print(f"{address} has no workers yet; waiting for the first", file=sys.stderr)
    ours = version("kpnviz")
    for worker, theirs in client.run(version, "kpnviz", on_error="return").items():
        if theirs != ours:
            has = f"kpnviz {theirs}" if isinstance(theirs, str) else "no kpnviz"
            raise ValueError(f"scheduler: the worker {worker} has {has}; here it is {ours}")
