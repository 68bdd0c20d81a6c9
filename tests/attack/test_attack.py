"""The attack, small: `python -m tests.attack` runs it at any size. docs/SECURITY.md says what was found."""

import mmap

import numpy as np
import pytest

from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.reader import _stack, read_frames
from kpnviz.limits import FileError, Limits

from ..capture.picture_makers import samples
from .files import LIMITS, bombs, check_sentence, mutated, read_here
from .links import follow
from .weights import checkpoint, loads

pytestmark = pytest.mark.reader

CASES = 400
IN_ITS_PROCESS = 40
"""Every so many cases are read as an upload is, in a process of its own: the others are read in this one."""


def as_stack(case, files):
    if case % IN_ITS_PROCESS == 0:
        return read_frames(files, LIMITS)
    said, output = read_here(files)
    if "refused" in said:
        raise FileError(said["refused"])
    with output:
        return _stack(said["read"], mmap.mmap(output.fileno(), 0, access=mmap.ACCESS_READ))


def became_a_burst(case):
    kind, files = mutated(case)
    try:
        stack = as_stack(case, files)
    except FileError as error:
        check_sentence(str(error), files)
        return False
    assert isinstance(stack, FrameStack) and 1 <= len(stack) <= 32
    for frame in range(len(stack)):
        light = stack.light(frame, 0, slice(None), slice(None))
        assert light.shape == (stack.height, stack.width) and np.isfinite(light).all(), (case, kind)
    return True


@pytest.mark.filterwarnings("ignore")
def test_mutated_files_become_a_burst_or_a_sentence():
    bursts = sum(became_a_burst(case) for case in range(CASES))
    # Both happen, or the mutations are too wild or too tame.
    assert CASES / 50 < bursts < CASES * 0.9


def test_what_is_mutated_is_valid():
    for kind, data in samples().items():
        if kind in ("npz", "zip"):
            assert "read" in read_here([(kind, data)])[0]
        elif kind != "burst.json":
            assert "read" in read_here([("a", data)])[0]


@pytest.mark.filterwarnings("ignore")
def test_bombs_are_refused_before_they_go_off():
    for what, files, sentence in bombs(0.04):
        said, _ = read_here(files, Limits())
        if sentence is not None:
            assert sentence in said.get("refused", ""), (what, said)
            check_sentence(said["refused"], files)


@pytest.mark.parametrize("model", ["mkpn-stacked", "kpn-l5"])
def test_damaged_checkpoints_become_a_network_or_a_sentence(tmp_path, model):
    data, card = checkpoint(tmp_path, model)
    loaded = sum(loads(case, data, card, tmp_path / "hurt.safetensors") for case in range(150))
    assert 0 < loaded < 75


def test_links_lead_to_a_valid_state():
    followed = sum(follow(case) for case in range(400))
    assert 0 < followed < 200
