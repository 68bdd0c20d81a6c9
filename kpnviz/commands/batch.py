"""`kpnviz denoise --each`: every burst in folders, each to a picture of its own. Started again, it goes on."""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from kpnviz.capture.decoding import METADATA, natural
from kpnviz.commands.burst import check_noise_options, denoise_burst, loading
from kpnviz.outside import visible
from kpnviz.paths import held, write_atomically
from kpnviz.workers import Failure, outcomes

if TYPE_CHECKING:
    from kpnviz.denoise import Denoiser

RECORD = "bursts.jsonl"
"""The file beside the pictures with a line of JSON for each burst: how it was denoised, or why it was not."""

# Also those that cannot be read, so that a folder of them is not passed over in silence: reading it says why.
_PICTURES = re.compile(
    "png|jpe?g|tiff?|webp|bmp|gif|avif|hei[cf]|jp2|jxl|p[gp]m|psd|"
    "dng|3fr|arw|cr[23w]|dcr|erf|fff|iiq|kdc|mef|mos|mrw|nef|nrw|orf|pef|ra[fw]|rw[2l]|sr[2fw]|x3f",
    re.IGNORECASE,
)
_ARCHIVES = (".zip", ".npz")


@dataclass(frozen=True)
class Task:
    """A burst to denoise.

    name         among the others: its place below the folder that was given
    burst        its folder or file;  output   the picture to write
    fingerprint  hash of its files' names, sizes and times and of the options: the same for a picture that is up to date
    """

    name: str
    burst: Path
    output: Path
    fingerprint: str


def denoise_each(options: argparse.Namespace) -> int:
    """Run the command; 1 if a burst failed. ValueError, before the work, for what concerns all of them."""
    check_noise_options(options)
    options.output = Path(os.path.abspath(options.output))
    check_output_folder(options.output)
    bursts = find_bursts(options.files)
    from kpnviz.denoise import load  # imports that take seconds
    from kpnviz.models import checkpoints

    if Path(options.model).is_file():  # workers have other working directories
        options.model = os.path.abspath(options.model)
    weights = checkpoints.read_card(options.model)["sha256"]
    if options.scheduler is None:  # a wrong tile, say, is told once; devices are those of the workers
        load(**loading(options))
    with held(options.output):
        record = options.output / RECORD
        written = read_record(record)
        tasks = plan(bursts, options, weights, written)
        done = len(bursts) - len(tasks)
        before = f"; {done} of them done before" if done else ""
        _say(
            f"{len(bursts)} burst{'s' if len(bursts) != 1 else ''} to {visible(options.output, 200)}{before}"
        )
        # Anew, with one line a burst: also the mark that this folder is of this command.
        write_atomically(record, "".join(json.dumps(line) + "\n" for line in written.values()).encode())
        failed = 0
        run = functools.partial(denoise_one, options, weights)
        results = outcomes(run, tasks, options.workers or 1, options.scheduler)
        with (
            open(record, "a", encoding="utf-8") as file,
            tqdm(total=len(tasks), unit="burst", disable=not sys.stderr.isatty()) as bar,
        ):
            for number, (task, result) in enumerate(results, start=1):
                line: dict[str, Any] = {"name": task.name, "burst": str(task.burst)}
                if isinstance(result, Failure):
                    failed += 1
                    line["error"] = result.sentence
                    said = f"failed: {visible(result.sentence, 400)}"
                else:
                    line |= {"fingerprint": task.fingerprint, **result}
                    said = (
                        f"{len(result['frames'])} frames of {result['height']}x{result['width']}, "
                        f"{result['total_seconds']:.1f} s"
                    )
                file.write(json.dumps(line) + "\n")
                file.flush()
                if options.json:
                    print(json.dumps(line), flush=True)
                bar.update()
                _say(f"[{number}/{len(tasks)}] {visible(task.name)}: {said}")
    if failed:
        _say(f"{failed} of {len(bursts)} bursts failed; {visible(record, 200)} says why")
    return 1 if failed else 0


def find_bursts(folders: Iterable[str | Path]) -> dict[str, Path]:
    """Name -> path of the bursts in folders: folders with pictures, ZIPs and NPZs, at any depth.

    FOLDER/a/b and FOLDER/a/b.zip are called a/b; what is given itself and is a burst, by its own name. One picture
    beside folders with bursts is none. Passed over are names that begin with a dot or @ (of systems), and folders that
    this command wrote. ValueError where there is no burst, and for two of one name, capitals or not: their pictures
    would be one file.
    """
    found: dict[str, Path] = {}
    taken: dict[str, Path] = {}
    for folder in folders:
        root = Path(os.path.abspath(folder))
        if not root.exists():
            raise ValueError(f"{visible(folder)}: there is no such file or folder")
        paths = sorted(_find(root), key=lambda path: natural(str(path)))
        if not paths:
            raise ValueError(
                f"{visible(folder)} holds no burst: --each takes folders of folders with pictures, of ZIPs or of NPZs"
            )
        for path in paths:
            place = path.relative_to(root) if path != root else Path(root.name)
            name = (place.with_suffix("") if path.is_file() else place).as_posix()
            other = taken.setdefault(name.casefold(), path)
            if other != path:
                raise ValueError(
                    f"{visible(other, 200)} and {visible(path, 200)} would become one picture, {visible(name)}; "
                    "give them output folders of their own"
                )
            found[name] = path
    return found


def _find(path: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    if path.is_file():
        if path.suffix.lower() in _ARCHIVES:
            yield path
        return
    real = path.resolve()
    if real in above or (path / RECORD).exists():  # a link that leads back; pictures of this command
        return
    try:
        inside = sorted(path.iterdir(), key=lambda entry: natural(entry.name))
    except OSError:
        yield path  # that it cannot be read is said when its turn comes
        return
    inside = [entry for entry in inside if entry.name[0] not in ".@" and entry.name != "__MACOSX"]
    below = [burst for entry in inside if entry.is_dir() for burst in _find(entry, above | {real})]
    pictures = sum(_PICTURES.fullmatch(entry.suffix[1:]) is not None for entry in inside)
    if (path / METADATA).is_file() or pictures > (1 if below else 0):
        yield path  # with the ZIPs in it, if there are any
    else:
        for entry in inside:
            if not entry.is_dir():
                yield from _find(entry)
    yield from below


def check_output_folder(folder: Path) -> None:
    """ValueError for a file, and for a folder that holds something but not the record of this command."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"output: {visible(folder, 200)} is a file; with --each it is a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RECORD).exists():
        raise ValueError(
            f"output: {visible(folder, 200)} holds files that `kpnviz denoise --each` did not write; name a new folder"
        )


def read_record(path: Path) -> dict[str, dict[str, Any]]:
    """The last line of each burst in a file of records; lines that are none, such as one half-written, are left out."""
    lines: dict[str, dict[str, Any]] = {}
    if path.exists():
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
                lines[line["name"]] = line
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
    return lines


def plan(
    bursts: Mapping[str, Path],
    options: argparse.Namespace,
    weights: str,
    written: Mapping[str, dict[str, Any]],
) -> list[Task]:
    """What is to be done: the bursts without a picture, and those whose picture is of other files or options.

    ValueError if a picture would be lost that is of another burst, which is still there.
    """
    names = ("noise", "read_std", "shot_gain", "align", "color", "linear")
    settings = {"weights": weights} | {name: getattr(options, name) for name in names}
    tasks = []
    for name, burst in bursts.items():
        output = options.output / f"{name}.{options.format or 'png'}"
        task = Task(name, burst, output, _fingerprint(burst, settings))
        line = written.get(name, {})
        there = output.exists()
        if there and line.get("fingerprint") == task.fingerprint:
            continue
        other = Path(str(line.get("burst", burst)))
        if there and other != burst and other.exists():
            raise ValueError(
                f"output: {visible(output, 200)} is the picture of {visible(other, 200)}, not of "
                f"{visible(burst, 200)}; name another folder"
            )
        tasks.append(task)
    return tasks


def _fingerprint(burst: Path, settings: Mapping[str, object]) -> str:
    from kpnviz.capture.reader import files_of

    try:
        files = [(name, file.stat()) for name, file in files_of([burst])]
    except OSError:  # said when it is read
        files = []
    facts = [(name, status.st_size, status.st_mtime_ns) for name, status in files]
    return hashlib.sha256(json.dumps([settings, facts]).encode()).hexdigest()[:16]


def denoise_one(options: argparse.Namespace, weights: str, task: Task) -> dict[str, Any]:
    """Denoise a burst, in whichever process or machine this is; returns what `kpnviz denoise --json` prints, and more.

    ValueError where files or weights are not those of the machine that gave the task.
    """
    begun = time.perf_counter()
    here = socket.gethostname()
    for path in (task.burst, options.output / RECORD):
        if not path.exists():
            raise ValueError(
                f"{visible(path, 200)} is not there on {here}; every worker has to see the same files under the same "
                "paths"
            )
    denoiser = _network(weights, **loading(options))
    task.output.parent.mkdir(parents=True, exist_ok=True)
    values = vars(options) | {"files": [str(task.burst)], "output": task.output}
    report = denoise_burst(argparse.Namespace(**values), denoiser, quiet=True)
    seconds = round(time.perf_counter() - begun, 3)
    return report | {"total_seconds": seconds, "host": here, "kpnviz": version("kpnviz")}


@functools.lru_cache(maxsize=2)
def _network(weights: str, **arguments: Any) -> Denoiser:
    """A network, loaded once in a process, if its weights are these."""
    from kpnviz.denoise import load
    from kpnviz.models import checkpoints

    found = checkpoints.read_card(arguments["name"])["sha256"]
    if found != weights:
        raise ValueError(
            f"the weights of {arguments['name']} on {socket.gethostname()} are not those of where the command was "
            "started"
        )
    return load(**arguments)


def _say(message: str) -> None:
    tqdm.write(message, file=sys.stderr)
