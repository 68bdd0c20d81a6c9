"""`python -m tests.attack [N] [--first CASE]`: N mutated files, each a burst or a sentence that names a file.

With `--checkpoints` N damaged checkpoints, with `--links` N links instead, and with `--bombs` every bomb at its full
size. What each bomb took is printed: time, peak memory of the process that reads files, sampled, and how much this one
grew at most; what is a burst is then aligned and measured here, as the page does it. A fault is an exception, a crash,
or a sentence that names no file.

Mutated files are read in forks of this process, which has the imports already, within the limits that every upload has;
bombs, as an upload is, in a process of its own.
"""

import argparse
import json
import mmap
import os
import tempfile
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

from kpnviz.capture import decoding
from kpnviz.limits import FileError, Limits

from .files import LIMITS, bombs, check_sentence, mutated, read_here

warnings.simplefilter("ignore")


def fork_and_read(files, limits):
    """(what is said, or None if the fork died; status; rusage)."""
    answer, write = os.pipe()
    fork = os.fork()
    if fork == 0:
        try:
            os.close(answer)
            decoding.limit_resources(limits)
            said, _ = read_here(files, limits)
            os.write(write, json.dumps(said).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(answer, "rb") as pipe:
        text = pipe.read()
    _, status, usage = os.wait4(fork, 0)
    return (json.loads(text) if text else None), status, usage


def mutations(first, count):
    bursts, refused, died, slowest, most = 0, 0, 0, 0.0, 0
    limits = replace(LIMITS, memory_bytes=1_000_000_000)
    for case in range(first, first + count):
        kind, files = mutated(case)
        said, status, usage = fork_and_read(files, limits)
        slowest, most = max(slowest, usage.ru_utime + usage.ru_stime), max(most, usage.ru_maxrss)
        if said is None:
            died += 1
            print(f"case {case} ({kind}): the process ended with status {status}")
        elif "refused" in said:
            refused += 1
            check_sentence(said["refused"], files)
        else:
            bursts += 1
            assert 2 <= len(said["read"]["places"]) <= limits.frames, case
    print(
        f"{count} mutated files: {bursts} bursts, {refused} refused, {died} ended their process; the slowest took "
        f"{slowest:.2f} s, the largest {most / 1000:.0f} MB"
    )


def read_as_uploads_are(files, limits):
    """(sentence, seconds, peak memory of the process in MB, most growth of this one) of an upload."""
    from kpnviz.capture.reader import _Child, _stack  # here: the forks do without torch
    from kpnviz.ui import upload

    Path("/proc/self/clear_refs").write_text("5")  # the most memory is that from here on
    mine = memory_mb(os.getpid(), "VmRSS")
    begun = time.perf_counter()
    child, peak = _Child(limits), [0.0]

    def watch():
        while child.process.returncode is None:
            peak[0] = max(peak[0], memory_mb(child.process.pid, "VmHWM"))
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = child.read(files)
        stack = _stack(found, mmap.mmap(child.output.fileno(), 0, access=mmap.ACCESS_READ))
        read = time.perf_counter() - begun
        upload._prepared(("a bomb",), stack)
        sentence = f"a burst: read in {read:.1f} s, aligned and measured in {time.perf_counter() - begun - read:.1f} s"
    except FileError as error:
        check_sentence(str(error), files)
        sentence = str(error)
    seconds, grown = time.perf_counter() - begun, memory_mb(os.getpid(), "VmHWM") - mine
    watcher.join()
    child.close()
    return sentence, seconds, peak[0], grown


def damage(cases):
    from .weights import checkpoint, loads

    models = ("mkpn-stacked", "kpn-l5", "kpn-direct")
    with tempfile.TemporaryDirectory() as folder:
        whole = [checkpoint(Path(folder), model) for model in models]
        loaded = sum(
            loads(case, *whole[case % len(models)], Path(folder, "hurt.safetensors")) for case in cases
        )
    print(f"{len(cases)} damaged checkpoints: {loaded} became a network, the others a sentence")


def memory_mb(pid, what):
    try:
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(what)) / 1000
    except (OSError, StopIteration, ValueError):
        return 0.0


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=2000, help="mutated files (2000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (0)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--bombs", action="store_true", help="the bombs instead")
    what.add_argument("--checkpoints", action="store_true", help="N damaged checkpoints instead")
    what.add_argument("--links", action="store_true", help="N links instead")
    options = parser.parse_args()
    cases = range(options.first, options.first + options.count)
    if options.checkpoints:
        damage(cases)
    elif options.links:
        from .links import follow

        print(
            f"{len(cases)} links: {sum(map(follow, cases))} followed as they are, the others with a sentence"
        )
    elif not options.bombs:
        mutations(options.first, options.count)
    for what, files, expected in bombs() if options.bombs else ():
        sent = sum(len(data) for _, data in files)
        sentence, seconds, memory, grown = read_as_uploads_are(files, Limits())
        good = expected is None or expected in sentence
        print(
            f"| {what} | {sent / 1e6:.3g} MB | {seconds:.1f} s | {memory:.0f} MB, {grown:+.0f} | {sentence} |"
            + ("" if good else f"  FAULT: expected {expected!r}"),
            flush=True,
        )


if __name__ == "__main__":
    main()
