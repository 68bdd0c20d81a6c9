"""The command line: exit codes, one-sentence errors, JSON on stdout."""

import json
import sys

import pytest

from kpnviz.burst import MOTIONS
from kpnviz.commands import options
from kpnviz.commands.main import main
from kpnviz.models import checkpoints

from ..conftest import tiny


def test_models_lists_the_cards(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    checkpoints.save(tmp_path / "mkpn.safetensors", tiny("mkpn"), {})
    assert main(["models", "--json"]) == 0
    assert [card["name"] for card in json.loads(capsys.readouterr().out)] == ["mkpn"]
    assert main(["models"]) == 0
    assert "1,3,5,7,9,11" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            ["train", "resnet", "--photos", "x", "--steps", "1"],
            "kpnviz train: model 'resnet' is not in the zoo",
        ),
        (["train", "mkpn", "--photos", "/nowhere", "--steps", "1"], "kpnviz train: photos: no PNG"),
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
    "arguments", [[], ["unknown"], ["train", "mkpn"], ["train", "mkpn", "--photos", "x", "--steps", "x"]]
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
        (["synth", "dog", "-o", "b", "--frames", "1"], "--frames is 1; a burst of files has 2 to 32"),
        (["synth", "dog", "-o", "b", "--frames", "1000000000"], "argument --frames: 1000000000 is not"),
        (["synth", "dog", "-o", "b", "--crop", "0,0,9,1e9"], "argument --crop: 1e9 is not a whole number"),
        (
            ["synth", "dog", "-o", "b", "--crop", "0,0,9000,9000"],
            "8 frames of 9000x9000 are more than 256 megapixels",
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
    assert options.MOTIONS == MOTIONS


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
