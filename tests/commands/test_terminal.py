"""What commands print cannot make a terminal do anything."""

import contextlib
from pathlib import Path

import pytest

from kpnviz import read_burst
from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.writer import check_folder, write_burst
from kpnviz.commands.main import main
from kpnviz.models import checkpoints

from ..conftest import tiny

HOSTILE = "a\x1b]0;title\x07\u202eb"
SHOWN = r"a\x1b]0;title\x07\u202eb"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn"), {})
    write_burst(tmp_path / "b", synthesize(BurstRecipe("dog", (0, 0, 24, 24))))


@pytest.mark.parametrize(
    "arguments",
    [
        ["denoise", "b", "-o", f"{HOSTILE}.png"],
        ["denoise", HOSTILE, "-o", "out.png"],
        ["denoise", "b", "-o", f"{HOSTILE}.jpg"],
        ["denoise", "b", "-o", f"{HOSTILE}/out.png"],
        ["denoise", "b", "-o", "out.png", "--model", HOSTILE],
        ["kernels", "b", "-o", f"{HOSTILE}.npz", "--at", "3,4"],
        ["synth", "dog", "-o", HOSTILE, "--crop", "0,0,24,24"],
        ["synth", HOSTILE, "-o", "c"],
        ["models", HOSTILE],
        ["evaluate", "--models", HOSTILE],
        ["evaluate", "--models", "mean", "--output", f"{HOSTILE}/results.csv"],
    ],
)
def test_names_are_escaped(arguments, capsys):
    with contextlib.suppress(SystemExit):
        main(arguments)
    output = capsys.readouterr()
    assert SHOWN in output.err and output.out == ""
    assert not {"\x1b", "\x07", "\u202e"} & set(output.err)


def test_names_of_networks_are_escaped(tmp_path, capsys):
    checkpoints.save(tmp_path / f"{HOSTILE}.safetensors", tiny("mkpn"), {})
    assert main(["models"]) == 0
    assert (
        main(["evaluate", "--models", HOSTILE, "--limit", "1", "--gains", "4", "--motion", "whole-pixel"])
        == 0
    )
    output = capsys.readouterr()
    assert SHOWN in output.out and SHOWN in output.err
    assert not {"\x1b", "\x07", "\u202e"} & set(output.out)  # (the progress bar moves the cursor on stderr)
    assert "\x1b]" not in output.err and "\u202e" not in output.err


@pytest.mark.parametrize("ask", [read_burst, checkpoints.load_network, lambda name: check_folder(Path(name))])
def test_names_are_escaped_in_what_functions_raise(ask, tmp_path):
    if ask not in (read_burst, checkpoints.load_network):
        (tmp_path / HOSTILE).write_text("")
    with pytest.raises(ValueError, match="title") as raised:
        ask(HOSTILE)
    assert "\x1b" not in str(raised.value)
