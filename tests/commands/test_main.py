"""The command line: exit codes, one-sentence errors, JSON on stdout."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import kpnviz
from kpnviz.burst import ALL_MOTIONS
from kpnviz.commands import main as command_line
from kpnviz.commands import options
from kpnviz.commands.main import main
from kpnviz.models import checkpoints
from kpnviz.paths import CHECKPOINTS, GALLERY

from ..conftest import tiny


def test_models_lists_the_cards(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn"), {})
    assert main(["models", "--json"]) == 0
    assert [card["name"] for card in json.loads(capsys.readouterr().out)] == ["mkpn"]
    assert main(["models"]) == 0
    assert "1,3,5,7,9,11" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_apps_server_ends_with_the_command(stop, tmp_path):
    """Also where only the command is told to stop, as a service manager does."""
    server = [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"]
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's `&` ignores it
        f"from kpnviz.commands.main import run_beside; run_beside({server}, {str(tmp_path)!r})"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    pid = int(command.stdout.readline())
    command.send_signal(stop)
    command.wait(60)
    with pytest.raises(ProcessLookupError):
        for _ in range(600):
            os.kill(pid, 0)
            time.sleep(0.1)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            ["train", "resnet", "--photos", str(GALLERY), "--steps", "1"],
            "kpnviz train: model 'resnet' is not in the zoo",
        ),
        (["train", "mkpn", "--photos", "/nowhere", "--steps", "1"], "kpnviz train: photos: no PNG"),
        (
            ["train", "mkpn", "--photos", str(GALLERY), "--steps", "1"],
            f"kpnviz train: output: '{CHECKPOINTS / 'mkpn.safetensors'}' is there already",
        ),
        (
            ["train", "--all", "--photos", str(GALLERY), "--steps", "1"],
            f"kpnviz train: output: '{CHECKPOINTS / 'kpn.safetensors'}' is there already",
        ),
        (["bench", "--models", "resnet"], "kpnviz bench: model 'resnet' is not in the zoo"),
    ],
)
def test_errors_are_one_sentence_and_exit_1(arguments, sentence, capsys, tmp_path):
    if arguments[0] == "train":
        arguments += ["--runs", str(tmp_path)]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(sentence) and error.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["unknown"], ["train", "mkpn"], ["train", "mkpn", "--photos", "x", "--steps", "x"]]
)
def test_wrong_usage_exits_2(arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2


TRAIN = ["train", "mkpn", "--photos", "x"]
OWN = ["denoise", "a", "b", "-o", "o.png"]


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            ["synth", "dog", "-o", "b", "--gain", "1e308"],
            "argument --gain: 1e308 is not a number from 0.001 to 10000",
        ),
        (["synth", "dog", "-o", "b", "--gain", "inf"], "argument --gain: inf is not a number"),
        (["synth", "dog", "-o", "b", "--gain", "nan"], "argument --gain: nan is not a number"),
        (["synth", "dog", "-o", "b", "--gain", "a\x1b[31m"], r"argument --gain: a\x1b[31m is not a number"),
        (["synth", "dog", "-o", "b", "--seed", "-1"], "argument --seed: -1 is not a whole number from 0"),
        (["synth", "dog", "-o", "b", "--seed", "1" * 5000], "argument --seed: 1111"),
        (
            ["synth", "dog", "-o", "b", "--noise", "1e308,0"],
            "argument --noise: 1e308 is not a number from 0 to 1000",
        ),
        (["synth", "dog", "-o", "b", "--noise", "1"], "argument --noise: 1 is not 2 numbers with commas"),
        (
            ["synth", "dog", "-o", "b", "--frames", "1"],
            "--frames is 1; a burst of files has 2 to 128 (KPNVIZ_MAX_FRAMES)",
        ),
        (["synth", "dog", "-o", "b", "--frames", "1000000000"], "argument --frames: 1000000000 is not"),
        (["synth", "dog", "-o", "b", "--crop", "0,0,9,1e9"], "argument --crop: 1e9 is not a whole number"),
        (
            ["synth", "dog", "-o", "b", "--crop", "0,0,99999,99999"],
            "8 frames of 99999x99999 are more than can be read again, 1400 megapixels (8 times KPNVIZ_MAX_MEG",
        ),
        (["synth", "dog", "-o", "b", "--reduction", "0"], "argument --reduction: 0 is not"),
        (["synth", "dog", "-o", "b", "--shake", "2,1e308,0"], "argument --shake: 1e308 is not"),
        ([*OWN, "--read-std", "-1", "--shot-gain", "0"], "argument --read-std: -1 is not"),
        ([*OWN, "--tile", "1000000000000"], "argument --tile: 1000000000000 is not"),
        (["kernels", "a", "--at", "1", "-o", "k.npz"], "argument --at: 1 is not 2 numbers with commas"),
        ([*TRAIN, "--steps", "-1"], "argument --steps: -1 is not"),
        ([*TRAIN, "--minutes", "inf"], "argument --minutes: inf is not"),
        ([*TRAIN, "--steps", "1", "--batch", "1000000000"], "argument --batch: 1000000000 is not"),
        ([*TRAIN, "--steps", "1", "--crop", "40000"], "argument --crop: 40000 is not"),
        ([*TRAIN, "--steps", "1", "--learning-rate", "nan"], "argument --learning-rate: nan is not"),
        ([*TRAIN, "--steps", "1", "--lambda-1", "2"], "argument --lambda-1: 2 is not"),
        ([*TRAIN, "--steps", "1", "--seed", "-3"], "argument --seed: -3 is not"),
        (["bench", "--sides", "40000"], "argument --sides: 40000 is not a whole number from 16 to 2048"),
        (["bench", "--sides", "17"], "sides: 17 is not an even number"),
        (["evaluate", "--gains", "1e308"], "argument --gains: 1e308 is not"),
        (["evaluate", "--noise-scales", "-1"], "argument --noise-scales: -1 is not"),
        (["evaluate", "--frames", "100000"], "argument --frames: 100000 is not"),
        (["evaluate", "--limit", "0"], "argument --limit: 0 is not"),
        (["app", "--port", "99999"], "argument --port: 99999 is not a whole number from 1 to 65535"),
        (["app", "--zoom"], "unrecognized arguments: --zoom"),
    ],
)
def test_numbers_out_of_range_are_one_sentence_and_exit_2(arguments, sentence, capsys):
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    error = capsys.readouterr().err
    assert code == 2 and sentence in error and error.startswith("kpnviz") and error.count("\n") == 1


def test_motions_are_those_of_bursts():
    assert options.MOTIONS == ALL_MOTIONS


@pytest.mark.parametrize("command", [["app"], ["bench", "--app"]])
def test_without_streamlit_the_app_names_its_extra(command, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "streamlit", None)
    assert main(command) == 1
    assert capsys.readouterr().err == (
        f"kpnviz {command[0]}: the app needs streamlit, not installed here: pip install 'kpnviz[app]'\n"
    )


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "--help"])
    assert stop.value.code == 0 and "torchrun" in capsys.readouterr().out


REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}


def test_without_a_command_there_is_help_and_the_version_on_request(capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("usage: kpnviz [-h] [--version] COMMAND")
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"kpnviz {kpnviz.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["models"],
        *(pytest.param(more, marks=pytest.mark.slow) for more in (["--help"], ["models", "--json"])),
    ],
)
def test_who_reads_no_more_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)  # as `head` does once it has its lines
    command = [sys.executable, "-m", "kpnviz", *arguments]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141 or arguments == [
        "--help"
    ]  # as of a program that SIGPIPE ends; argparse may hide it


WITHOUT_TORCH = """
import json, sys
sys.modules["torch"] = None  # importing it is an error
from kpnviz.commands.main import main
for command in json.load(sys.stdin):
    try:
        code = main(command)
    except SystemExit as stop:
        code = stop.code
    print("exit", code, file=sys.stderr)
"""


def test_what_is_wrong_at_first_sight_is_said_before_torch_is_imported(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine").write_bytes(b"")
    out = ["-o", "out.png"]
    expected = {
        ("denoise", "nothing", *out): "nothing: there is no such file or folder",
        ("denoise", "a.png", "-o", "out.jpg"): "out.jpg: the picture is a .png, .tif, .tiff or .dng",
        ("denoise", "a.png", "-o", "nowhere/out.png"): "there is no folder 'nowhere'",
        ("denoise", "a.png", "-o", "a.png"): "is one of the files that are read",
        ("denoise", "b", "c", *out): "b is a folder, which is a burst of its own",
        ("denoise", "a.png", *out, "--read-std", "1"): "--read-std and --shot-gain come together",
        ("kernels", "nothing", *out, "--at", "1,2"): "nothing: there is no such file or folder",
        ("synth", "nobody", *out): "photo 'nobody' is neither in the gallery",
        ("synth", "dog", "-o", "c"): "c holds files that kpnviz did not write",
        ("synth", "dog", "-o", "new", "--crop", "0,0,999,9"): "does not fit the photo",
        ("train", "mkpn", "--photos", "nowhere", "--steps", "1"): "photos: no PNG",
        ("evaluate", "--output", "nowhere/results.csv"): "there is no folder 'nowhere'",
        ("evaluate", "--tune", "nowhere"): "photos: no PNG",
    }
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        input=json.dumps(list(expected)),
        cwd=tmp_path,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = done.stderr.splitlines()
    assert lines[1::2] == ["exit 1"] * len(expected)
    for line, sentence in zip(lines[::2], expected.values(), strict=True):
        assert sentence in line


@pytest.mark.parametrize("options, host", [([], "127.0.0.1"), (["--host", "0.0.0.0"], "0.0.0.0")])
def test_the_app_listens_on_this_machine_alone_unless_it_is_told_otherwise(options, host, monkeypatch):
    pytest.importorskip("streamlit")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    started = []
    monkeypatch.setattr(command_line, "run_beside", lambda command, folder: started.append(command) or 0)
    assert main(["app", "--port", port, *options]) == 0
    (command,) = started
    given = dict(zip(command[3::2], command[4::2], strict=True))
    assert given == {"--server.address": host, "--server.port": port}


def test_a_port_or_an_address_that_cannot_be_had_is_said(capsys):
    pytest.importorskip("streamlit")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert main(["app", "--port", port]) == 1
    assert (
        capsys.readouterr().err
        == f"kpnviz app: port {port} of 127.0.0.1 is taken; choose another with --port\n"
    )
    assert main(["app", "--host", "192.0.2.1"]) == 1  # an address for documentation, nobody's (RFC 5737)
    assert "kpnviz app: --host is '192.0.2.1', on which nothing can listen here: " in capsys.readouterr().err
