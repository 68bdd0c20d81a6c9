"""Which files and frames are used, and which frame is the reference: folders and bursts made here."""

import dataclasses

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.choosing import frames_among, largest_scene, listed, reference_of
from kpnviz.capture.from_files import read_burst
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import files_of, read_frames
from kpnviz.capture.writer import encoded, write_burst
from kpnviz.limits import FileError
from kpnviz.noise import NoiseModel
from kpnviz.photos import read_scene
from kpnviz.pictures import write_png16

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
    assert any(
        n.startswith("Left out: IMG_3.JPG. IMG_3.JPG ")
        for n in read_frames([*files, ("IMG_3.JPG", PICTURE)]).notes
    )


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


@pytest.mark.parametrize("suffix", [".png", ".tif", ".dng"])
def test_pictures_that_were_denoised_here_are_left_out_of_the_burst_beside_them(suffix, tmp_path):
    frames = [(f"{i}.png", PICTURE) for i in range(2)]
    stack = read_frames(frames)
    picture = np.random.default_rng(1).uniform(0, 1, (3, 48, 64)).astype(np.float32)
    ours = f"clean{suffix}", encoded(picture, stack, 0, suffix, linear=suffix == ".dng")
    (tmp_path / ours[0]).write_bytes(ours[1])
    for given in (
        [*frames, ours],
        [*frames, (ours[0], tmp_path / ours[0])],
        [("all.zip", zipped([ours, *frames]))],
    ):
        again = read_frames(given)
        assert len(again) == 2
        assert again.notes[0] == f"{ours[0]} was left out: kpnviz wrote it."
    # Alone, they are frames; and so is what `synth` and `--aligned` write.
    assert (
        len(read_frames([ours])) == len(read_frames([(f"{i}{suffix}", ours[1]) for i in range(2)])) - 1 == 1
    )
    assert len(read_frames([("a.png", write_png16(np.zeros((9, 9), np.uint16))), ours])) == 1
    write_burst(tmp_path / "burst", synthesize(BurstRecipe("city", crop=(60, 60, 16, 16), frames=2)))
    assert len(read_frames(files_of([tmp_path / "burst"]))) == 2


def test_few_frames_of_another_size_or_kind_are_left_out():
    """Whichever comes first; of half and half there is no saying which are the burst."""
    turned = pillow(np.zeros((16, 12, 3), np.uint8), "PNG")
    gray = pillow(np.arange(192, dtype=np.uint8).reshape(12, 16), "PNG")
    good = [(f"{i}.png", PICTURE) for i in range(1, 5)]
    for given in ([("0.png", turned), *good], [*good[:2], ("0.png", turned), *good[2:]]):
        stack = read_frames(given)
        assert stack.names == ("1.png", "2.png", "3.png", "4.png")
        np.testing.assert_array_equal(stack.codes, read_frames(good).codes)
        assert any(
            note.startswith("Left out: 0.png. 0.png has 12x16 pixels and 1.png has 16x12;")
            for note in stack.notes
        )
    stack = read_frames([("a.png", gray), ("b.png", turned), *good])
    assert len(stack) == 4 and stack.channels == 3
    assert any("a.png is another kind of picture than 1.png: gray, not color" in note for note in stack.notes)
    with pytest.raises(FileError, match="1.png has 16x12 pixels and 0.png has 12x16; the frames of a burst"):
        read_frames([("0.png", turned), *good[:1]])


def test_a_link_to_nothing_is_said(tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.png").write_bytes(PICTURE)
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    stack = read_frames(files_of([tmp_path]))
    assert stack.names == ("0.png", "1.png")
    assert "Not read, as they are links to files that are not there: 2.png." in stack.notes


def test_what_holds_for_several_files_is_said_once():
    clear = pillow(np.dstack([np.zeros((12, 16, 3), np.uint8), np.full((12, 16), 255, np.uint8)]), "PNG")
    notes = read_frames([(f"{i}.png", clear) for i in range(3)]).notes
    assert [note for note in notes if "transparency" in note] == [
        "0.png, 1.png, 2.png: transparency was dropped."
    ]


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
    assert (
        "Left out, as they were not found in the reference (another scene, or turned or zoomed too far): 0.npy, 5.npy."
        in own.report
    )
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


def test_frames_of_another_exposure_that_are_white_in_part_are_aligned():
    """+2 EV, a fifth of it at white, in small bright places; the shift is the one that was made."""
    rng, shifts = np.random.default_rng(1), [(0, 0), (3, -4), (-2, 5), (4, 1)]
    dark, bright = (gaussian_filter(rng.normal(size=(136, 152)), 1.5) for _ in range(2))
    scene = np.where(bright > np.quantile(bright, 0.8), 1.0, 0.19 + 0.01 * dark / dark.std())
    frames = [
        np.clip(gain * scene[8 + dy : 128 + dy, 8 + dx : 144 + dx] + rng.normal(0, 0.01, (120, 136)), 0, 1)
        for gain, (dy, dx) in zip((1, 4, 1, 4), shifts, strict=True)
    ]
    own = prepare(burst_of(*frames), reference=0)
    assert not own.left_out
    for shift, (dy, dx) in zip(own.shifts, shifts, strict=True):
        np.testing.assert_allclose(shift.measured, (-dy, -dx), atol=0.3)


def test_overexposed_frames_belong_to_the_scene_of_the_others():
    """Three frames of a scene, of which one has nearly all at white, and two of another scene."""
    rng = np.random.default_rng(1)
    city, dog = (read_scene(name)[20:220, 20:260] for name in ("city", "dog"))
    city, gains = city / np.quantile(city, 0.97), np.array([1, 4, 24, 1, 1])
    pictures = [
        np.clip(gain * scene[4 + i : 164 + i, 6 - i : 206 - i] + rng.normal(0, 0.005, (160, 200)), 0, 1)
        / gain
        for i, (scene, gain) in enumerate(zip([city] * 3 + [dog] * 2, gains, strict=True))
    ]
    scores, noise = [1.0, 0.9, 0.8, 0.5, 0.4], NoiseModel(0.005, 0)
    assert largest_scene(pictures, scores, noise, (0.9 / gains).tolist()) == [0, 1, 2]
    assert 2 not in largest_scene(pictures, scores, noise)  # what white is compared with tells of no scene


def test_frames_too_small_to_be_aligned_are_used_as_they_are(frames):
    for height in (1, 2, 12):
        own = prepare(burst_of(*frames[0][:, :height, :40]))
        assert not own.left_out and not own.displacements.any() and "another scene" not in own.report
        assert f"Frames of 40x{height} pixels are too small to be aligned" in own.report
