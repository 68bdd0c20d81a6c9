"""Which files and frames are used, and which frame is the reference: folders and bursts made here."""

import dataclasses

import numpy as np
import pytest

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.choosing import frames_among, listed, reference_of
from kpnviz.capture.prepare import prepare, read_burst
from kpnviz.capture.reader import read_frames
from kpnviz.limits import FileError
from kpnviz.noise import NoiseModel

from .picture_makers import dng, npy, pillow, zipped

PICTURE = pillow(np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8), "PNG")
MOSAIC = dng(np.random.default_rng(0).integers(600, 4000, (24, 32)).astype(np.uint16))


def test_of_raws_and_pictures_in_pairs_the_raws_are_read():
    files = [("IMG_1.DNG", MOSAIC), ("IMG_1.JPG", PICTURE), ("IMG_2.JPG", PICTURE), ("IMG_2.dng", MOSAIC)]
    for given in (files, files[::-1], [("all.zip", zipped(files))]):
        stack = read_frames(given)
        assert len(stack) == 2 and all(name.lower().endswith(".dng") for name in stack.names)
        assert any("the raws are read, not IMG_" in note for note in stack.notes)
    # A picture that has no raw beside it is another kind of frame, and that is said.
    with pytest.raises(FileError, match="is another kind of picture than|has 16x12 pixels"):
        read_frames([*files, ("IMG_3.JPG", PICTURE)])


def test_what_lies_beside_frames_is_skipped_and_said():
    beside = [
        "Thumbs.db",
        "desktop.ini",
        "a.xmp",
        "notes.txt",
        "A.THM",
        ".DS_Store",
        "._a.png",
        "a.pp3",
        "x.json",
    ]
    files = [("a.png", PICTURE), *((name, b"junk") for name in beside), ("b.png", PICTURE)]
    for given in (files, [("all.zip", zipped(files))]):
        stack = read_frames(given)
        assert [name[-5:] for name in stack.names] == ["a.png", "b.png"]
        (note,) = (note for note in stack.notes if "no frames" in note)
        assert (
            note.startswith("Not read, as they are no frames: ") and "Thumbs.db" in note and "more." in note
        )
    assert not any("no frames" in note for note in read_frames([("a.png", PICTURE)]).notes)


def test_what_is_alone_is_read_and_named():
    with pytest.raises(FileError, match="^notes.txt is not a picture that can be read"):
        read_frames([("notes.txt", b"junk")])
    assert frames_among(["a.txt", "burst.json"]) == ([0, 1], [])
    assert frames_among(["IMG.HEIC", "IMG.MOV"])[0] == [0]
    assert listed(list("abcdefg")) == "a, b, c, d and 3 more" and listed(list("abcde")) == "a, b, c, d, e"


@pytest.fixture(scope="module")
def frames():
    recipe = BurstRecipe("city", crop=(60, 60, 120, 136), frames=4, noise=NoiseModel.for_gain(2), seed=2)
    return synthesize(recipe).frames, synthesize(dataclasses.replace(recipe, photo="dog", seed=3)).frames


def burst_of(*frames):
    return read_frames([(f"{i}.npy", npy(np.asarray(frame, np.float32))) for i, frame in enumerate(frames)])


@pytest.mark.parametrize("sharper", [False, True])
def test_frames_of_another_scene_are_left_out_and_are_no_reference(frames, sharper):
    city, dog = frames
    # However sharp: its contrast three times that of the others.
    other = np.clip(0.5 + (dog[:2] - dog[:2].mean()) * (3 if sharper else 1), 0, 1)
    own = prepare(burst_of(other[0], *city, other[1]))
    assert own.left_out == {0, 5} and own.reference in (1, 2, 3, 4)
    assert sorted(own.order) == [1, 2, 3, 4] and sorted(set(own.taking(8).order)) == [1, 2, 3, 4]
    assert "Left out, as they show another scene: 0.npy, 5.npy." in own.report
    assert "(the sharpest of the scene that most frames show)" in own.report
    assert len(own.channel(0, NoiseModel(0.1, 0)).window(slice(0, 9), slice(0, 9))) == 4
    assert own.estimate_noise().frames == 4
    # Whoever wants the other scene says so.
    chosen = prepare(burst_of(other[0], *city, other[1]), reference=5)
    assert chosen.reference == 5 and chosen.left_out == {1, 2, 3, 4} and "(as chosen)" in chosen.report


def test_of_two_scenes_one_is_used_alone(frames):
    own = prepare(burst_of(frames[0][0], frames[1][0]))
    assert own.order == (own.reference,) and len(own.left_out) == 1
    assert "another scene" in own.report


def test_the_reference_is_chosen_by_name_or_number(frames, tmp_path):
    names = []
    for i, frame in enumerate(frames[0]):
        names.append(tmp_path / f"f{i}.npy")
        np.save(names[-1], frame.astype(np.float32))
    for wanted in ("f2.npy", 2):
        burst = read_burst(names, reference=wanted)
        np.testing.assert_array_equal(burst.frames[0], frames[0][2].astype(np.float32))
    assert reference_of(["a.zip/x.png", "a.zip/y.png"], "y.png") == 1
    for wanted in ("f9.npy", "4", "-1"):
        with pytest.raises(
            FileError, match=f"reference is {wanted}; it is a frame's name, or its number from 0 to 3"
        ):
            reference_of([f"f{i}.npy" for i in range(4)], wanted)
    (tmp_path / "b.npz").write_bytes(b"")
    np.savez(tmp_path / "b.npz", frames=frames[0], truth=frames[0][0])
    with pytest.raises(ValueError, match="what is known of this burst is of its frame 0"):
        read_burst(tmp_path / "b.npz", reference=1)
