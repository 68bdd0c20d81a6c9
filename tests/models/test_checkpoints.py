"""Round trips, and every way in which a checkpoint can be wrong."""

import hashlib
import json
import pickle
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kpnviz.commands.main import main
from kpnviz.models import checkpoints
from kpnviz.models.checkpoints import CheckpointError

from ..conftest import burst_tensors, tiny


@pytest.fixture
def saved(tmp_path, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    network = tiny("mkpn-stacked")
    checkpoints.save(tmp_path / "mkpn.safetensors", network, {"training": {"steps": 3}})
    return network, tmp_path / "mkpn.safetensors"


def rewrite(path, data):
    """Other bytes under a card that agrees with them: the hash alone must not be what refuses them."""
    path.write_bytes(data)
    card = json.loads(path.with_suffix(".json").read_text())
    card["sha256"] = hashlib.sha256(data).hexdigest()
    path.with_suffix(".json").write_text(json.dumps(card))


def test_weights_and_card_survive(saved):
    network, path = saved
    assert checkpoints.available() == ("mkpn",)
    loaded = checkpoints.load_network("mkpn")
    assert loaded.config == network.config and not loaded.training
    for a, b in zip(network.state_dict().values(), loaded.state_dict().values(), strict=True):
        assert torch.equal(a.half().float(), b)
    frames, *noise = burst_tensors(8, 16, 16)
    np.testing.assert_allclose(
        loaded(frames, *noise).factors, network(frames, *noise).factors.detach(), atol=2e-3
    )
    card = checkpoints.read_card("mkpn")
    assert card["training"] == {"steps": 3} and card["name"] == "mkpn"
    assert card["bytes"] == path.stat().st_size
    assert card["params"] == sum(p.numel() for p in network.parameters())
    assert load_file(path)["head.bias"].dtype == torch.float16


def test_a_path_works_like_a_name(saved):
    _, path = saved
    assert checkpoints.load_network(path).config == checkpoints.load_network("mkpn").config


def refused(sentence):
    with pytest.raises(CheckpointError, match=sentence) as error:
        checkpoints.load_network("mkpn")
    assert "mkpn" in str(error.value) and "\n" not in str(error.value)


def test_changed_bytes_are_refused(saved):
    data = bytearray(saved[1].read_bytes())
    data[-1] ^= 1
    saved[1].write_bytes(data)
    refused("sha256 begins with .* its card says")


def test_a_pickle_is_refused_unread(saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    rewrite(saved[1], pickle.dumps(Trap()))
    refused("not a safetensors file")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(saved, value):
    weights = load_file(saved[1])
    weights["head.bias"][0] = value
    save_file(weights, saved[1])
    rewrite(saved[1], saved[1].read_bytes())
    refused("head.bias holds values that are not finite")


def test_wrong_shapes_and_names_are_refused(saved):
    weights = load_file(saved[1])
    save_file({**weights, "head.bias": weights["head.bias"][:-1].clone()}, saved[1])
    rewrite(saved[1], saved[1].read_bytes())
    refused("head.bias has shape")
    save_file({**weights, "other": torch.zeros(1)}, saved[1])
    rewrite(saved[1], saved[1].read_bytes())
    refused("missing or unknown: other")


@pytest.mark.parametrize(
    "card, sentence",
    [
        ("no json", "not valid JSON"),
        ("[1]", "not valid JSON"),
        (None, "card is missing"),
    ],
)
def test_bad_cards_are_refused(saved, card, sentence):
    file = saved[1].with_suffix(".json")
    file.unlink() if card is None else file.write_text(card)
    refused(sentence)


def test_a_config_that_builds_nothing_is_refused(saved):
    file = saved[1].with_suffix(".json")
    card = json.loads(file.read_text())
    for change in ({"sizes": [4]}, {"trunk": 5}, {"unknown": 1}):
        file.write_text(json.dumps({**card, "config": {**card["config"], **change}}))
        refused("the config builds no network")


def test_a_missing_checkpoint_says_what_there_is(saved):
    with pytest.raises(CheckpointError, match="^there is no network kpn-l5; available here: mkpn"):
        checkpoints.load_network("kpn-l5")


def test_a_card_with_the_first_spelling_of_license_is_read(tmp_path):
    path = tmp_path / "old.safetensors"
    checkpoints.save(path, tiny("kpn-l5"), {"licence": "MIT"})
    card = checkpoints.read_card(path)
    assert card["license"] == "MIT" and "licence" not in card


def with_config(saved, **changes):
    file = saved[1].with_suffix(".json")
    card = json.loads(file.read_text())
    trunk = card["config"]["trunk"] | changes.pop("trunk", {})
    file.write_text(json.dumps(card | {"config": card["config"] | {"trunk": trunk} | changes}))


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"trunk": {"convs": 10**9}}, "trunk: convs is 1000000000; it is a whole number from 1 to 8"),
        ({"trunk": {"convs": 1e9}}, "trunk: convs is 1000000000.0"),
        ({"trunk": {"convs": True}}, "trunk: convs is True"),
        ({"trunk": {"encoder": [10**9] * 3}}, "trunk: width is 1000000000"),
        ({"trunk": {"encoder": [4] * 30, "decoder": [4] * 28}}, "trunk: blocks of the encoder is 30"),
        ({"trunk": {"encoder": "abc"}}, "trunk: width is 'a'"),
        ({"trunk": {"leak": 1e300}}, "trunk: leak is 1e\\+300"),
        (
            {"trunk": {"encoder": [2048] * 8, "decoder": [2048] * 6, "convs": 8}},
            "parameters; up to 100000000",
        ),
        ({"sizes": [1000001]}, "sizes: a kernel size is 1000001; it is a whole number from 0 to 101"),
        ({"sizes": [1e30]}, "sizes: a kernel size is 1e\\+30"),
        ({"sizes": [3.0]}, "sizes: a kernel size is 3.0"),
        ({"sizes": list(range(1, 102, 2)) * 2}, "names a size twice"),
        ({"frames": 10**12}, "frames is 1000000000000; it is a whole number from 1 to 64"),
        ({"windows": 99}, "windows is 99"),
        ({"separable": 1}, "separable is 1; it is true or false"),
    ],
)
def test_a_card_is_bounded_before_anything_is_built(saved, changes, sentence):
    with_config(saved, **changes)
    begun = time.perf_counter()
    refused(sentence)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("config", [{"sizes": (1, 101), "frames": 1}, {"frames": 64, "noise_map": False}])
def test_unusual_values_in_their_range_work(saved, config):
    network = tiny("mkpn-stacked", **config)
    checkpoints.save(saved[1], network, {})
    assert checkpoints.load_network("mkpn").config == network.config


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("[" * 500_000, "the card is not valid JSON"),
        ('{"a": ' * 100_000, "the card is not valid JSON"),
        ("{" + " " * 10**6 + "}", "the card has more than 1 MB"),
        ('{"name": 1}', "name is 1 in the card, not a text"),
        ('{"name": "x"}', "the card says no config"),
        ('{"name": "x", "config": {}, "params": "many"}', "params is 'many' in the card, not a whole number"),
        ('{"name": "x", "config": {}, "params": true}', "params is True in the card, not a whole number"),
        ('{"name": "x", "config": {}, "params": 1, "bytes": 1, "sha256": "x"}', "builds no network"),
    ],
)
def test_a_card_keeps_to_its_schema(saved, text, sentence):
    saved[1].with_suffix(".json").write_text(text)
    refused(sentence)


def test_a_file_larger_than_any_network_is_refused_unread(saved, monkeypatch):
    """The limit is four bytes for each of MAX_PARAMETERS, and a megabyte beside them."""
    _, path = saved
    monkeypatch.setattr(checkpoints, "MAX_PARAMETERS", 10**6)
    with path.open("r+b") as file:
        file.truncate(5_000_001)  # sparse: takes no room
    monkeypatch.setattr(type(path), "read_bytes", lambda self: pytest.fail("it was read"))
    refused(r"has 5 MB; no network here is as large")


def test_one_bad_card_does_not_hide_the_others(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    for name in ("kpn", "mkpn"):
        checkpoints.save(tmp_path / f"{name}.safetensors", tiny(name), {})
    (tmp_path / "kpn.json").unlink()
    for command in ("models", "zoo"):
        assert main([command]) == 0
        said = capsys.readouterr()
        assert "mkpn " in said.out and "kpn.json: this checkpoint's card is missing" in said.err
        assert "None" not in said.out
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path / "nowhere"))
    for command in ("models", "zoo"):
        assert main([command]) == 1
        assert "nowhere: there is no such folder of checkpoints" in capsys.readouterr().err
