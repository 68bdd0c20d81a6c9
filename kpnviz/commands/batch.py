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

from kpnviz.capture.burst_json import METADATA
from kpnviz.capture.choosing import LEFT_OUT, SAME_AS, frames_among
from kpnviz.capture.decoding import natural
from kpnviz.capture.detail import NEARER
from kpnviz.capture.reader import files_of
from kpnviz.capture.several import holds_several
from kpnviz.commands.denoising import check_input, check_options, denoise_burst, loading
from kpnviz.paths import held, write_atomically
from kpnviz.text import visible
from kpnviz.workers import Failure, os_sentence, outcomes

if TYPE_CHECKING:
    from kpnviz.denoise import Denoiser

RECORD = "bursts.jsonl"
"""The file beside the pictures with a line of JSON for each burst: how it was denoised, or why it was not."""

# Also those that cannot be read, so that a folder of them is not passed over in silence: reading it says why.
_PICTURES = re.compile(
    "png|jpe?g|tiff?|webp|bmp|gif|avif|hei[cf]|jp2|jxl|p[fgp]m|psd|npy|fits?|fts|"
    "mp4|mov|m4v|avi|mkv|webm|3gp|mts|m2ts|mpe?g|wmv|"
    "dng|3fr|arw|cr[23w]|dcr|erf|fff|iiq|kdc|mef|mos|mrw|nef|nrw|orf|pef|ra[fw]|rw[2l]|sr[2fw]|x3f",
    re.IGNORECASE,
)
_PACKED = (".fits.gz", ".fit.gz", ".fts.gz")
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

    def line(self, picture: bool) -> dict[str, Any]:
        """The beginning of its line in the record.

        picture   whether a file at `output` is, or may be, of this burst and this command: it may be replaced
        """
        return {"name": self.name, "burst": str(self.burst), "output": str(self.output), "picture": picture}


def denoise_each(options: argparse.Namespace) -> int:
    """Run the command; 1 if a burst failed. ValueError, before the work, for what concerns all of them."""
    check_options(options)
    check_input(options)
    options.output = Path(os.path.abspath(options.output))
    check_input_folders(options.files)
    check_output_folder(options.output)
    from kpnviz.denoise import load  # imports that take seconds
    from kpnviz.models import checkpoints

    if Path(options.model).is_file():  # workers have other working directories
        options.model = os.path.abspath(options.model)
    weights = checkpoints.read_card(options.model)["sha256"]
    if options.scheduler is None:  # a wrong tile, say, is told once; devices are those of the workers
        load(**loading(options))
    bursts = find_bursts(options.files)
    record = options.output / RECORD
    try:
        with held(options.output):
            failed = _denoise_all(bursts, options, weights, record)
    except OSError as error:
        if error.filename is None:  # not of a file: of standard output, say
            raise
        raise ValueError(f"output: {os_sentence(error)}") from error
    if failed:
        _say(f"{failed} of {len(bursts)} bursts failed; {visible(record, 200)} says why")
    return 1 if failed else 0


def _denoise_all(bursts: Mapping[str, Path], options: argparse.Namespace, weights: str, record: Path) -> int:
    """Denoise what is not done yet, and keep the record; returns how many bursts failed."""
    written = read_record(record)
    tasks = plan(bursts, options, weights, written)
    done = len(bursts) - len(tasks)
    before = f"; {done} of them done before" if done else ""
    _say(f"{len(bursts)} burst{'s' if len(bursts) != 1 else ''} to {visible(options.output, 200)}{before}")
    _write_record(record, written)  # also the mark that this folder is of this command
    failed = 0
    run = functools.partial(denoise_one, options, weights)
    with (
        open(record, "a", encoding="utf-8") as file,
        tqdm(total=len(tasks), unit="burst", disable=not sys.stderr.isatty()) as bar,
    ):

        def note(line: dict[str, Any]) -> None:
            written.pop(_key(line), None)  # the lines are in the order of their ends
            written[_key(line)] = line
            file.write(json.dumps(line) + "\n")
            file.flush()

        def begun() -> Iterator[Task]:
            """The tasks, each after a line of its own: a kill can come between its picture and its last line."""
            for task in tasks:
                note(task.line(picture=True))
                yield task

        try:
            results = outcomes(run, begun(), options.workers or 1, options.scheduler)
            for number, (task, result) in enumerate(results, start=1):
                if isinstance(result, Failure):
                    failed += 1
                    # A picture of an earlier run is still of this burst.
                    line = task.line(picture=os.path.lexists(task.output)) | {"error": result.sentence}
                    said = f"failed: {visible(result.sentence, 400)}"
                else:
                    line = task.line(picture=True) | {"fingerprint": task.fingerprint, **result}
                    said = (
                        f"{len(result['frames'])} frames of {result['height']}x{result['width']}, "
                        f"{result['total_seconds']:.1f} s"
                    )
                note(line)
                if options.json:
                    print(json.dumps(line), flush=True)
                bar.update()
                _say(f"[{number}/{len(tasks)}] {visible(task.name)}: {said}")
                for sentence in line.get("notes", ()):
                    if sentence.startswith(LEFT_OUT) or SAME_AS in sentence or NEARER in sentence:
                        _say(f"  {visible(sentence, 400)}")
        finally:
            _write_record(record, written)
    return failed


def find_bursts(folders: Iterable[str | Path]) -> dict[str, Path]:
    """Name -> path of the bursts in folders: folders with pictures, files that hold several frames, ZIPs and NPZs, at
    any depth.

    FOLDER/a/b and FOLDER/a/b.zip are called a/b; what is given itself and is a burst, by its own name. One picture
    beside other bursts is none. Passed over are names that begin with a dot or @ (of systems), folders that
    this command wrote, and links to folders that are found in another way. ValueError where there is no burst, and for
    two of one name, capitals or not: their pictures would be one file.
    """
    found: dict[str, Path] = {}
    taken: dict[str, Path] = {}
    for folder in folders:
        root = Path(os.path.abspath(folder))
        paths = sorted(_find(root, set()), key=lambda path: natural(str(path)))
        if not paths:
            raise ValueError(
                f"{visible(folder)} holds no burst: --each takes folders of folders with pictures, of ZIPs, of NPZs or "
                "of other files that hold several frames"
            )
        for path in paths:
            place = path.relative_to(root) if path != root else Path(root.name)
            name = (place.with_suffix("") if os.path.isfile(path) else place).as_posix()
            other = taken.setdefault(name.casefold(), path)
            if other != path:
                raise ValueError(
                    f"{visible(other, 200)} and {visible(path, 200)} would become one picture, {visible(name)}; "
                    "give them output folders of their own"
                )
            found[name] = path
    return found


def _find(path: Path, seen: set[Path]) -> Iterator[Path]:
    """The bursts in a folder; those of a folder in `seen`, which is added to, were found before.

    Asks with os.path, which answers no where pathlib raises an error: what may not be looked at is then a burst, and
    that it cannot be read is said when its turn comes.
    """
    if os.path.isfile(path):
        if path.suffix.lower() in _ARCHIVES or _is_stack(path):
            yield path
        return
    real = Path(os.path.realpath(path))
    if real in seen or os.path.isfile(path / RECORD):
        return
    try:
        inside = sorted(path.iterdir(), key=lambda entry: natural(entry.name))
    except OSError:
        yield path
        return
    seen.add(real)
    inside = [entry for entry in inside if entry.name[0] not in ".@" and entry.name != "__MACOSX"]
    among = frames_among([entry.name for entry in inside])[0]  # no video of the moment around a picture
    inside = [entry for i, entry in enumerate(inside) if i in among or os.path.isdir(entry)]
    # Links last, so that a burst has the name of its own folder where both are here.
    folders = sorted(filter(os.path.isdir, inside), key=os.path.islink)
    below = [burst for entry in folders for burst in _find(entry, seen)]
    described = os.path.isfile(path / METADATA)
    stacks = [] if described else [entry for entry in inside if os.path.isfile(entry) and _is_stack(entry)]
    pictures = sum(_is_picture(entry) for entry in inside) - len(stacks)
    if described or pictures > (1 if below or stacks else 0):
        yield path  # with the ZIPs in it, if there are any
        yield from stacks
    else:
        for entry in inside:
            if not os.path.isdir(entry):
                yield from _find(entry, seen)
    yield from below


def _is_picture(path: Path) -> bool:
    return _PICTURES.fullmatch(path.suffix[1:]) is not None or path.name.lower().endswith(_PACKED)


def _is_stack(path: Path) -> bool:
    """Whether a picture's file is a burst by itself."""
    return _is_picture(path) and holds_several(path)


def _paths(burst: Path) -> list[str]:
    """What is read of a burst: of a folder the files that are no bursts themselves; all, if burst.json lists them."""
    if not os.path.isdir(burst) or os.path.isfile(burst / METADATA):
        return [str(burst)]
    files = [file for _, file in files_of([burst])]
    single = [str(file) for file in files if not _is_stack(file)]
    return single if len(single) < len(files) else [str(burst)]


def check_input_folders(folders: Iterable[str | Path]) -> None:
    """ValueError for one that is not there."""
    for folder in folders:
        try:
            os.stat(folder)
        except OSError as error:
            if isinstance(error, FileNotFoundError | NotADirectoryError):
                raise ValueError(f"{visible(folder)}: there is no such file or folder") from None
            raise ValueError(os_sentence(error)) from None


def check_output_folder(folder: Path) -> None:
    """ValueError for a file, and for a folder that holds something but not the record of this command."""
    try:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"output: {visible(folder, 200)} is a file; with --each it is a folder")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / RECORD).is_file():
            raise ValueError(
                f"output: {visible(folder, 200)} holds files that `kpnviz denoise --each` did not write; "
                "name a new folder"
            )
    except OSError as error:
        raise ValueError(f"output: {os_sentence(error)}") from None


_Lines = dict[tuple[str, str], dict[str, Any]]
"""(name of a burst, suffix of its picture) -> what is known of the two."""


def read_record(path: Path) -> _Lines:
    """The last line of each picture in a record; lines that are none, such as one half-written, are left out."""
    lines: _Lines = {}
    if path.exists():
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
                lines[_key(line)] = line
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
    return lines


def _key(line: Mapping[str, Any]) -> tuple[str, str]:
    return line["name"], Path(line.get("output", "")).suffix or ".png"


def _write_record(path: Path, lines: _Lines) -> None:
    write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines.values()).encode())


def plan(
    bursts: Mapping[str, Path], options: argparse.Namespace, weights: str, written: _Lines
) -> list[Task]:
    """What is to be done: the bursts without a picture, and those whose picture is of other files or options.

    ValueError if a file would be lost that is not a picture of the same burst by the record, or that is read; and if
    the picture of one burst would have the name of the folder for another one's.
    """
    names = ("noise", "read_std", "shot_gain", "align", "color", "linear")
    settings = {"weights": weights} | {name: getattr(options, name) for name in names}
    if options.color:
        settings["channels"] = options.channels or "shared"
    more = ("input", "black", "white", "float", "counts", "reference")
    settings |= {name: getattr(options, name) for name in more if getattr(options, name) not in (None, False)}
    if options.defects != "auto":
        settings["defects"] = options.defects
    suffix = f".{options.format or 'png'}"
    files = {name: _files(burst) for name, burst in bursts.items()}
    inputs = {(status.st_dev, status.st_ino) for found in files.values() for _, status in found}
    pictures = {Path(name.casefold() + suffix): burst for name, burst in bursts.items()}
    tasks = []
    for name, burst in bursts.items():
        for folder in Path(name.casefold()).parents:
            if folder in pictures:
                raise ValueError(
                    f"{visible(folder)} would be the picture of {visible(pictures[folder], 200)} and the folder for "
                    f"that of {visible(burst, 200)}; give them output folders of their own"
                )
        output = options.output / f"{name}{suffix}"
        task = Task(name, burst, output, _fingerprint(files[name], settings))
        line = written.get((name, suffix), {})
        if os.path.isfile(output) and line.get("fingerprint") == task.fingerprint:
            continue
        if os.path.lexists(output):
            _check_replaceable(task, line, inputs)
        tasks.append(task)
    return tasks


def _check_replaceable(task: Task, line: Mapping[str, Any], inputs: set[tuple[int, int]]) -> None:
    """ValueError if what is in the place of a picture may not be replaced; `line` is what the record says of it."""
    output, burst = visible(task.output, 200), visible(task.burst, 200)
    if not line.get("picture", "fingerprint" in line):
        raise ValueError(
            f"output: {output} is there, and by the record it is not the picture of {burst}; move it away or name "
            "another folder"
        )
    other = str(line.get("burst"))
    if other != str(task.burst):
        raise ValueError(
            f"output: {output} is the picture of {visible(other, 200)}, not of {burst}; name another folder"
        )
    if os.path.exists(task.output):
        status = os.stat(task.output)
        if (status.st_dev, status.st_ino) in inputs:
            raise ValueError(f"output: {output} is one of the files that are read; name another folder")


def _files(burst: Path) -> list[tuple[str, os.stat_result]]:
    try:
        return [
            (name, file.stat() if file.exists() else file.lstat()) for name, file in files_of(_paths(burst))
        ]
    except (OSError, RuntimeError):  # said when it is read; RuntimeError: a link to itself
        return []


def _fingerprint(files: Iterable[tuple[str, os.stat_result]], settings: Mapping[str, object]) -> str:
    facts = [(name, status.st_size, status.st_mtime_ns) for name, status in files]
    return hashlib.sha256(json.dumps([settings, facts]).encode()).hexdigest()[:16]


def denoise_one(options: argparse.Namespace, weights: str, task: Task) -> dict[str, Any]:
    """Denoise a burst, in whichever process or machine this is; returns what `kpnviz denoise --json` prints, and more.

    ValueError where files or weights are not those of the machine that gave the task.
    """
    begun = time.perf_counter()
    here = socket.gethostname()
    for path in (task.burst, options.output / RECORD):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise ValueError(
                f"{visible(path, 200)} is not there on {here}; every worker has to see the same files under the same "
                "paths"
            ) from None
    denoiser = _network(weights, **loading(options))
    try:
        task.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"output: {os_sentence(error)}") from None
    values = vars(options) | {"files": _paths(task.burst), "output": task.output}
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
