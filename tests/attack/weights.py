"""Damaged checkpoints: bytes changed in weights, with a hash that fits or not, and values in cards that mean harm.

As with files, a case is its number.
"""

import copy
import hashlib
import json
import time

import numpy as np

from kpnviz.models import checkpoints
from kpnviz.models.checkpoints import CheckpointError

from ..conftest import tiny
from .files import mutate

SECONDS = 1.0
"""Within which a checkpoint is read or refused; asked for in processor time, which other work does not stretch."""

VALUES = (
    None, True, -1, 0, 1, 2, 10**9, 10**30, 1e30, 1e300, 0.5, "", "1", "‮kpn", "a" * 5000,
    [], [10**9], [1000001], [3, 3], [5, 1], [-1], [0.5], ["a"], [[]] * 50, {}, {"a": {}}, {"encoder": [10**9]},
)  # fmt: skip


def checkpoint(folder, model):
    """The bytes of a small network's weights, and its card."""
    path = folder / f"{model}.safetensors"
    checkpoints.save(path, tiny(model), {"training": {"steps": 3}})
    return path.read_bytes(), json.loads(path.with_suffix(".json").read_text())


def places(value, path=()):
    """Where values are in a card: paths of keys and indices."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inside:
        yield (*path, key)
        yield from places(child, (*path, key))


def damaged(case, data, card):
    """The weights and the text of the card of a case."""
    rng = np.random.default_rng([8, case])
    card = copy.deepcopy(card)
    kind = rng.integers(4)
    if kind == 0:
        return mutate(data, rng), json.dumps(card).encode()
    if kind == 1:
        data = mutate(data, rng)
        card["sha256"] = hashlib.sha256(data).hexdigest()
        return data, json.dumps(card).encode()
    if kind == 2:
        return data, mutate(json.dumps(card).encode(), rng)
    *above, last = list(places(card))[rng.integers(len(list(places(card))))]
    parent = card
    for key in above:
        parent = parent[key]
    if rng.random() < 0.1 and isinstance(parent, dict):
        del parent[last]
    else:
        parent[last] = VALUES[rng.integers(len(VALUES))]
    return data, json.dumps(card).encode()


def loads(case, data, card, path):
    """Whether the case's checkpoint became a network; AssertionError where it did neither that nor was it refused."""
    weights, text = damaged(case, data, card)
    path.write_bytes(weights)
    path.with_suffix(".json").write_bytes(text)
    begun = time.process_time()
    try:
        checkpoints.load_network(path)
        loaded = True
    except CheckpointError as error:
        sentence = str(error)
        assert sentence.isprintable() and str(path.parent) in sentence and len(sentence) < 600, (
            case,
            sentence,
        )
        loaded = False
    assert time.process_time() - begun < SECONDS, case
    return loaded
