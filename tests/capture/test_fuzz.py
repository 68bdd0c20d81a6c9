"""Mutated files of every format: a burst, or one sentence that names a file; nothing else may happen.

Some hundreds of cases by default; KPNVIZ_FUZZ_CASES sets their number, and `python -m tests.test_fuzz N` runs
N of them by hand. A case is its number: a failure says which, and that number alone repeats it.
"""

import os
import sys

import numpy as np
import pytest

from kpnviz.capture.frame_stack import FrameStack
from kpnviz.capture.reader import read_frames
from kpnviz.pictures import Limits

from .picture_makers import dng, samples, tiff

CASES = int(os.environ.get("KPNVIZ_FUZZ_CASES", "400"))
RAW_EVERY = 40  # raw files start a process each
LIMITS = Limits(pixels=1_000_000, total_bytes=4_000_000, total_pixels=4_000_000)


def mutate(data, rng):
    """A few bytes changed, cut out, doubled, or set to what counts and sizes break on."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if not data:
            break
        # Headers are where the decisions are: half of the mutations hit the first 300 bytes.
        reach = len(data) if rng.random() < 0.5 else min(300, len(data))
        place = int(rng.integers(reach))
        length = int(rng.integers(1, 9))
        kind = rng.integers(6)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[place : place + length] = rng.bytes(length)
        elif kind == 2:
            del data[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            data[place:place] = data[place : place + int(rng.integers(1, 40))]
        elif kind == 4:
            width = int(rng.choice([1, 2, 4, 8]))
            half = 2 ** (8 * width - 1)
            value = (0, 1, half - 1, half, 2 * half - 1)[rng.integers(5)]
            data[place : place + width] = value.to_bytes(width, ("little", "big")[rng.integers(2)])
        else:
            del data[place:]
    return bytes(data)


def check(case):
    """Run a case; returns whether it became a burst."""
    rng = np.random.default_rng([7, case])
    if case % RAW_EVERY == 0:
        mosaic = rng.integers(500, 4096, (16, 24)).astype(np.uint16)
        color = rng.random((9, 8, 3), np.float32)
        originals = {"dng": dng(mosaic), "float tiff": tiff(color, photometric="rgb", compression="zlib")}
    else:
        originals = samples(int(rng.integers(4)))
    kind = str(rng.choice(sorted(originals)))
    whole = originals[kind]
    hurt = mutate(whole, rng)
    if kind == "burst.json":
        pictures = [("png 16", originals["png 16"]), ("png 16 2", originals["png 16"])]
        files = [("burst.json", hurt), *pictures]
    elif kind in ("npz", "zip"):
        files = [(f"hurt.{kind}", hurt)]
    else:
        files = (
            [("whole", whole), ("hurt", hurt)] if rng.random() < 0.7 else [("hurt", hurt), ("hurt too", hurt)]
        )
    try:
        stack = read_frames(files, LIMITS)
    except ValueError as error:
        sentence = str(error)
        assert sentence and "\n" not in sentence and len(sentence) < 400, (case, kind, sentence)
        named = any(name in sentence for name, _ in files) or sentence.startswith("there ")
        assert named, (case, kind, sentence)
        return False
    assert isinstance(stack, FrameStack) and 2 <= len(stack) <= 32
    for frame in range(len(stack)):
        light = stack.light(frame, 0, slice(None), slice(None))
        assert light.shape == (stack.height, stack.width) and np.isfinite(light).all(), (case, kind)
    return True


@pytest.mark.filterwarnings("ignore")
def test_mutated_files_become_a_burst_or_a_sentence():
    bursts = sum(check(case) for case in range(CASES))
    # Both happen, or the mutations are too wild or too tame.
    assert CASES < 100 or CASES / 50 < bursts < CASES * 0.9


def test_what_is_mutated_is_valid():
    for kind, data in samples().items():
        if kind in ("npz", "zip"):
            assert len(read_frames([(kind, data)])) >= 2
        elif kind != "burst.json":
            assert len(read_frames([("a", data), ("b", data)])) == 2


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else CASES
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    became = sum(check(case) for case in range(first, first + wanted))
    print(f"{wanted} cases: {became} bursts, {wanted - became} refusals")
