"""The command line: exit codes, one-sentence errors, JSON on stdout."""

import json
import sys

import pytest

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
        (["train", "mkpn", "--photos", "x", "--steps", "-1"], "kpnviz train: steps is -1"),
        (["bench", "--sides", "7"], "kpnviz bench: sides: 7 is not"),
        (["bench", "--models", "resnet"], "kpnviz bench: model 'resnet' is not in the zoo"),
        (["app", "--port", "99999"], "kpnviz app: port is 99999"),
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
