"""`kpnviz denoise --each`: what a burst is, the same pictures as one by one, what a second start leaves out."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from torch import nn

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.detail import NEARER
from kpnviz.capture.writer import write_burst
from kpnviz.commands import batch
from kpnviz.commands.main import main
from kpnviz.limits import Limits
from kpnviz.models import checkpoints
from kpnviz.noise import NoiseModel
from kpnviz.paths import held
from kpnviz.pictures import read_picture

from ..clusters import dask_cluster
from ..conftest import tiny

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder with a tiny network and three bursts: a folder, one in a folder, and an NPZ."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPNVIZ_CHECKPOINTS", str(folder / "checkpoints"))
        network = tiny("mkpn")
        with torch.no_grad():
            nn.init.normal_(network.head.weight, std=0.02)
        checkpoints.save(folder / "checkpoints" / "mkpn.safetensors", network, {})
        bursts = [synthesize(BurstRecipe("dog", (60, 90, 33, 40), frames=3, seed=seed)) for seed in range(3)]
        write_burst(folder / "bursts" / "b2", bursts[0])
        write_burst(folder / "bursts" / "inside" / "b10", bursts[1])
        noise = {"read_std": bursts[2].noise.read_std, "shot_gain": bursts[2].noise.shot_gain}
        np.savez(folder / "bursts" / "c.v1.npz", frames=bursts[2].frames, **noise)
        yield folder


@pytest.fixture(autouse=True)
def here(shared, tmp_path, monkeypatch):
    """A copy of the bursts of one's own, with the times of the files, and one thread as in each worker."""
    shutil.copytree(shared / "bursts", tmp_path / "bursts")
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cluster(shared, tmp_path_factory):
    """Address of a Dask scheduler with two processes, which find the checkpoints of `shared`."""
    with dask_cluster(tmp_path_factory.mktemp("dask")) as address:
        yield address


def each(*arguments, output="out"):
    return main(["denoise", "--each", *map(str, arguments), "-o", output])


def pictures(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.name != batch.RECORD
    }


def decoded(folder):
    """The codes of each picture of a folder."""
    return {name: read_picture(name, data, Limits()).codes for name, data in pictures(folder).items()}


def assert_same_but_for_rounding(codes, expected):
    """Two processes may round differently: numba inlines what it has just compiled, not what it loads from its cache.
    Rounding of float32 is less than a code of 16 bits; its slope through sRGB is at most 13.
    """
    assert codes.dtype == expected.dtype == np.uint16
    np.testing.assert_allclose(codes.astype(int), expected.astype(int), rtol=0, atol=8)


def lines(folder="out"):
    return [json.loads(line) for line in (Path(folder) / batch.RECORD).read_text().splitlines()]


def test_each_burst_becomes_the_picture_that_it_becomes_alone(capsys):
    assert each("bursts") == 0
    said = capsys.readouterr()
    assert said.out == "" and "3 bursts to " in said.err
    names = ["b2", "c.v1", "inside/b10"]
    for number, name in enumerate(names, start=1):
        assert f"[{number}/3] {name}: 3 frames of 33x40, " in said.err
    alone = {"b2": "b2", "c.v1": "c.v1.npz", "inside/b10": "inside/b10"}
    for name, burst in alone.items():
        assert main(["denoise", f"bursts/{burst}", "-o", "alone.png", "--json"]) == 0
        assert Path("alone.png").read_bytes() == Path(f"out/{name}.png").read_bytes()  # in one process
        report = json.loads(capsys.readouterr().out)
        (line,) = (line for line in lines() if line["name"] == name)
        assert line["burst"] == str(Path(f"bursts/{burst}").absolute())
        for key in set(report) - {"output", "seconds"}:
            assert line[key] == report[key], key
    assert sorted(pictures("out")) == [f"{name}.png" for name in names]


@pytest.mark.parametrize("other", ["two", pytest.param("cluster", marks=pytest.mark.slow)])
def test_two_processes_and_a_cluster_write_the_same_pictures(request, other, capsys):
    Path("bursts/bad").mkdir()
    Path("bursts/bad/x.png").write_bytes(b"no picture")
    many = ["--workers", 2] if other == "two" else ["--scheduler", request.getfixturevalue("cluster")]
    for name, way in {"one": [], other: many}.items():
        assert each("bursts", "--color", "--json", *way, output=name) == 1
        said = capsys.readouterr()
        assert "bad: failed: x.png is not a picture" in said.err
        assert "1 of 4 bursts failed; " in said.err.splitlines()[-1]
        assert [json.loads(line) for line in said.out.splitlines()] == lines(name)
        assert len(lines(name)) == 4
    one, found = decoded("one"), decoded(other)
    assert len(one) == 3 and found.keys() == one.keys()
    for name, codes in found.items():
        assert_same_but_for_rounding(codes, one[name])


@pytest.mark.slow
def test_an_evaluation_has_the_same_figures_with_workers_and_on_a_cluster(cluster, capsys):
    command = ["evaluate", "--models", "mkpn", "aligned-mean", "--limit", "2", "--json"]
    command += ["--motion", "whole-pixel", "--gains", "4", "8", "--noise-scales", "1", "2"]
    found = []
    for way in ([], ["--workers", "2"], ["--scheduler", cluster]):
        assert main([*command, *way]) == 0, capsys.readouterr().err
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert all((row.pop("seconds") is None) == bool(way) for row in rows)
        found.append(rows)
    assert len(found[0]) == 8 and found[0][0]["alignment"] is not None
    for rows in found[1:]:
        for row, expected in zip(rows, found[0], strict=True):
            assert row == {key: about(value) for key, value in expected.items()}


def about(value):
    """The same but for rounding, as above: figures of float32 pictures, PSNR of 20 to 40 dB."""
    if isinstance(value, list):
        return [about(item) for item in value]
    return pytest.approx(value, abs=1e-4) if isinstance(value, float) else value


def test_what_was_done_is_left_out_when_started_again(capsys):
    (empty := Path("bursts/empty")).mkdir()
    (empty / "x.png").write_bytes(b"no picture")
    assert each("bursts") == 1
    before, record = pictures("out"), lines()

    def again(*arguments):
        """The names of the bursts that are done by the next start."""
        capsys.readouterr()
        each("bursts", *arguments)
        done = [line for line in capsys.readouterr().err.splitlines() if line.startswith("[")]
        return [line.split("] ")[1].split(":")[0] for line in done]

    assert again() == ["empty"]  # what failed is tried again
    shutil.rmtree(empty)
    assert again() == [] and pictures("out") == before
    assert {line["name"]: line for line in lines()} == {line["name"]: line for line in record}
    Path("out/b2.png").unlink()
    assert again() == ["b2"] and pictures("out") == before
    with open(f"out/{batch.RECORD}", "a") as file:  # a computer that went off
        file.write('{"name": "b2", "err')
    os.utime("bursts/inside/b10/frame_01.png", (1, 1))
    assert again() == ["inside/b10"]
    assert len(lines()) == 4  # one a burst, and the one that is gone
    shutil.move("bursts", "moved")  # the same files elsewhere
    shutil.copytree("moved", "bursts")
    assert again() == []
    assert again("--tile", 64) == []  # a matter of memory, not of the picture
    assert again("--linear") == ["b2", "c.v1", "inside/b10"] and pictures("out") != before
    assert again("--linear", "--format", "tif") == ["b2", "c.v1", "inside/b10"]
    assert again("--linear") == []
    network = tiny("mkpn", seed=1)
    checkpoints.save(Path("other.safetensors"), network, {})
    assert again("--model", "other.safetensors") == ["b2", "c.v1", "inside/b10"]


def test_what_a_burst_is(monkeypatch):
    def touch(*names):
        for name in names:
            path = Path("data") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    touch("a10/1.JPG", "a9/1.dng", "a9/2.dng", "a9/all.zip", "a9/edited/1.png", "a9/edited/2.png")
    touch("scene/preview.png", "scene/README.md", "scene/iso/1.tif", "scene/iso/2.tif", "z.v2.NPZ")
    touch(
        "docs/a.txt", ".git/1.png", "@eaDir/1.png", "__MACOSX/1.png", f"older/{batch.RECORD}", "older/1.png"
    )
    touch("synth/burst.json", "phone/1.heic", "x.zip/1.png")
    os.symlink(Path("data").absolute(), "data/scene/back")
    os.symlink(Path("data/a10").absolute(), "data/linked")
    root = Path("data").absolute()
    names = ["a9", "a9/edited", "a10", "phone", "scene/iso", "synth", "x.zip", "z.v2"]
    found = batch.find_bursts(["data"])
    assert list(found) == names
    assert found == {name: root / (name if name != "z.v2" else "z.v2.NPZ") for name in names}
    assert batch.find_bursts(["data/a9/../a9", Path("data/z.v2.NPZ")]) == {
        "a9": root / "a9",
        "edited": root / "a9/edited",
        "z.v2": root / "z.v2.NPZ",
    }
    monkeypatch.chdir("data/scene/iso")
    assert batch.find_bursts(["."]) == {"iso": root / "scene/iso"}


def test_videos_are_bursts_but_not_those_of_the_moment_around_a_picture():
    video = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(40)
    for name in ("clips/a.mp4", "clips/b.mov", "photos/IMG_1.mov", "both/c.mp4", "both/notes.srt"):
        path = Path("videos") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(video)
    for name in ("photos/IMG_1.jpg", "photos/IMG_2.jpg", "both/1.jpg", "both/2.jpg"):
        (Path("videos") / name).write_bytes(b"\xff\xd8\xff")
    assert set(batch.find_bursts(["videos"])) == {"clips/a", "clips/b", "photos", "both", "both/c"}


def test_a_file_of_several_frames_is_a_burst_by_itself_and_what_is_left_out_is_said(capsys):
    frames = synthesize(BurstRecipe("dog", (60, 90, 32, 40), frames=3, seed=3)).frames
    bursts = [frames, frames[:, ::-1]]
    shutil.rmtree("bursts")
    folder = Path("bursts/stacks")
    folder.mkdir(parents=True)
    tifffile.imwrite(folder / "a.tif", bursts[0], photometric="minisblack")
    np.save(folder / "b.npy", bursts[1])
    assert list(batch.find_bursts(["bursts"])) == ["stacks/a", "stacks/b"]
    assert each("bursts") == 0
    frames = {line["name"]: line["frames"] for line in lines()}
    assert {name: len(of) for name, of in frames.items()} == {"stacks/a": 3, "stacks/b": 3}
    # Single pictures beside them are a burst without them.
    for i, frame in enumerate(bursts[0]):
        np.save(folder / f"frame{i}.npy", frame)
    np.save(folder / "other.npy", bursts[1][0][:, :32])
    capsys.readouterr()
    assert each("bursts", output="again") == 0
    said = capsys.readouterr().err
    (line,) = (line for line in lines("again") if line["name"] == "stacks")
    assert sorted(line["frames"]) == [f"frame{i}.npy" for i in range(3)]
    (sentence,) = (note for note in line["notes"] if note.startswith("Left out"))
    assert "other.npy" in sentence and sentence in said


def test_a_picture_that_is_worse_than_its_reference_is_said(capsys):
    """With hardly any noise; the weights of this network are random."""
    clean = BurstRecipe("dog", (60, 90, 64, 64), NoiseModel(0.001, 0.00001), frames=3)
    write_burst(Path("clean/a"), synthesize(clean))
    assert each("clean") == 0
    (line,) = lines()
    (sentence,) = (note for note in line["notes"] if NEARER in note)
    assert sentence.endswith("state it (--read-std, --shot-gain).") and sentence in capsys.readouterr().err
    assert main(["denoise", "clean/a", "-o", "a.png"]) == 0
    assert sentence in capsys.readouterr().err


def test_names_that_would_be_one_picture_are_refused(capsys):
    shutil.copytree("bursts/b2", "bursts/B2")
    assert each("bursts") == 1
    assert (
        "would become one picture, b2; give them" in (said := capsys.readouterr().err) and "bursts/B2" in said
    )
    shutil.rmtree("bursts/B2")
    shutil.copytree("bursts", "others")
    assert each("bursts", "others") == 1
    assert "would become one picture" in capsys.readouterr().err
    assert not Path("out").exists()
    # One after the other: what was made of the first stays.
    assert each("bursts") == 0
    before = pictures("out")
    os.utime("others/b2/frame_01.png", (1, 1))
    capsys.readouterr()
    assert each("others") == 1
    assert "out/b2.png is the picture of " in capsys.readouterr().err and pictures("out") == before
    shutil.rmtree("bursts/b2")  # its picture may be all that is left of it
    assert each("others") == 1 and pictures("out") == before


def test_only_pictures_of_the_same_burst_by_the_record_are_replaced(capsys):
    assert each("bursts") == 0

    def refused(sentence, *arguments):
        """The command changes nothing."""
        before = pictures("."), lines()
        capsys.readouterr()
        assert each("bursts", *arguments) == 1
        error = capsys.readouterr().err
        assert sentence in error and error.count("\n") == 1
        assert (pictures("."), lines()) == before

    # A file of one's own, then a burst of this name.
    Path("out/thesis.png").write_bytes(b"mine")
    shutil.copytree("bursts/b2", "bursts/thesis")
    refused("out/thesis.png is there, and by the record it is not the picture of ")
    # As much where the burst was tried before, and failed.
    Path("out/thesis.png").unlink()
    Path("bursts/thesis/frame_01.png").write_bytes(b"no picture")
    assert each("bursts") == 1
    Path("out/thesis.png").write_bytes(b"mine")
    refused("out/thesis.png is there, and by the record it is not the picture of ")
    # The record is of the .png.
    Path("out/thesis.png").unlink()
    shutil.rmtree("bursts/thesis")
    Path("out/b2.tif").write_bytes(b"mine")
    refused("out/b2.tif is there, and by the record it is not the picture of ", "--format", "tif")
    Path("out/b2.tif").unlink()
    # A link to a frame: of another burst of the run.
    for link in (os.symlink, os.link):
        Path("out/b2.png").unlink()
        link(Path("bursts/inside/b10/frame_00.png").absolute(), "out/b2.png")
        refused("out/b2.png is one of the files that are read", "--linear")
    os.rename("out/b2.png", "out/b3.png")  # and without a line in the record
    os.rename("bursts/b2", "bursts/b3")
    refused("out/b3.png is there, and by the record it is not the picture of ")


def test_a_kill_between_a_picture_and_its_line_does_not_stop_the_next_start(monkeypatch, capsys):
    def killed(options, weights, task):
        """The picture is written, and nothing more."""
        denoise_one(options, weights, task)
        recorded.append(record.read_bytes())
        raise KeyboardInterrupt

    denoise_one, record, recorded = batch.denoise_one, Path("out") / batch.RECORD, []
    with monkeypatch.context() as patch:
        patch.setattr(batch, "denoise_one", killed)
        assert each("bursts") == 130
    record.write_bytes(recorded[0])  # after a kill nothing more is written to it
    before = pictures("out")
    assert list(before) == ["b2.png"]
    assert each("bursts") == 0
    assert len(lines()) == 3 and len(pictures("out")) == 3 and pictures("out")["b2.png"] == before["b2.png"]


def test_the_settings_of_a_picture_are_its_own_and_not_those_of_another_format(capsys):
    assert each("bursts/b2") == 0
    before = pictures("out")
    assert each("bursts/b2", "--linear", "--format", "tif") == 0
    assert each("bursts/b2", "--linear") == 0
    assert pictures("out")["b2.png"] != before["b2.png"]


def close(monkeypatch, folder):
    """Make a folder one that may not be entered, also for root: no file in it can be asked about."""
    closed = str(Path(folder).absolute())

    def guard(name):
        before = getattr(os, name)

        def guarded(path=".", *arguments, **options):
            if not isinstance(path, int):
                text = os.path.abspath(os.fspath(path))
                if text.startswith(closed + "/") or (text == closed and name in ("listdir", "scandir")):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return before(path, *arguments, **options)

        monkeypatch.setattr(os, name, guarded)

    for name in ("stat", "lstat", "listdir", "scandir"):
        guard(name)


def test_a_folder_that_may_not_be_read_is_one_failed_burst(monkeypatch, capsys):
    shutil.copytree("bursts/b2", "bursts/closed/a")
    os.symlink("round", "bursts/round")  # a link to itself
    close(monkeypatch, "bursts/closed")
    with pytest.raises(PermissionError):
        Path("bursts/closed/a").exists()
    assert each("bursts") == 1
    error = capsys.readouterr().err
    assert f"closed: failed: '{Path('bursts/closed').absolute()}': Permission denied\n" in error
    assert "round: failed: " in error and "Errno" not in error
    assert "2 of 5 bursts failed" in error and len(pictures("out")) == 3


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("mode", [0, 0o400])
def test_a_folder_without_permission_is_failed_bursts(mode, capsys):
    shutil.copytree("bursts/b2", "bursts/closed/a")
    os.chmod("bursts/closed", mode)
    try:
        assert each("bursts") == 1
    finally:
        os.chmod("bursts/closed", 0o700)
    error = capsys.readouterr().err
    assert "Permission denied" in error and "1 of 4 bursts failed" in error


def test_folders_that_link_to_each_other_are_visited_once(monkeypatch):
    names = [f"b{i}" for i in range(7)]
    for name in names:
        Path("web", name).mkdir(parents=True)
        Path("web", name, "0.png").touch()
        Path("web", name, "1.png").touch()
        for other in names:
            os.symlink(Path("web", other).absolute(), Path("web", name, f"a{other}"))
    visits = []
    iterdir = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda path: visits.append(path) or iterdir(path))
    found = batch.find_bursts(["web"])
    assert len(found) == 7 and len(visits) == 8
    assert len({path.resolve() for path in found.values()}) == 7


def test_the_model_is_checked_before_the_folders_are_searched(monkeypatch, capsys):
    monkeypatch.setattr(batch, "find_bursts", None)
    assert each("bursts", "--model", "resnet") == 1
    assert "there is no network" in capsys.readouterr().err


def test_a_picture_and_a_folder_of_one_name_are_refused_before_the_work(capsys):
    os.rename("bursts/b2", "bursts/B")
    shutil.copytree("bursts/B", "bursts/b.png/sub")
    assert each("bursts", "--format", "tif") == 0
    Path("out/B.tif").unlink()
    capsys.readouterr()
    assert each("bursts") == 1
    error = capsys.readouterr().err
    assert "b.png would be the picture of " in error and error.count("\n") == 1
    assert sorted(pictures("out")) == ["b.png/sub.tif", "c.v1.tif", "inside/b10.tif"]
    # What is there from before can be in the way, too: that burst fails alone.
    shutil.rmtree("out/inside")
    Path("out/inside").touch()
    assert each("bursts", "--format", "tif") == 1
    error = capsys.readouterr().err
    assert f"inside/b10: failed: output: '{Path('out/inside').absolute()}': File exists\n" in error
    assert "1 of 4 bursts failed" in error and Path("out/B.tif").exists()


def test_an_output_folder_that_cannot_be_used_is_one_sentence(monkeypatch, capsys):
    Path("out", batch.RECORD).mkdir(parents=True)
    assert each("bursts") == 1
    assert "out holds files that `kpnviz denoise --each` did not write" in capsys.readouterr().err
    Path("closed").mkdir()
    close(monkeypatch, "closed")
    for output in ("closed", "closed/out"):
        assert each("bursts", output=output) == 1
        error = capsys.readouterr().err
        assert f"output: '{Path(output).absolute()}': Permission denied\n" in error


@pytest.mark.parametrize(
    "arguments, code, sentence",
    [
        (["--each", "nothing", "-o", "out"], 1, "nothing: there is no such file or folder"),
        (["--each", "checkpoint.txt", "-o", "out"], 1, "checkpoint.txt holds no burst: --each takes folders"),
        (
            ["--each", "bursts", "-o", "full"],
            1,
            "full holds files that `kpnviz denoise --each` did not write",
        ),
        (
            ["--each", "bursts", "-o", "checkpoint.txt"],
            1,
            "checkpoint.txt is a file; with --each it is a folder",
        ),
        (["--each", "bursts", "-o", "out", "--tile", "17"], 1, "tile is 17"),
        (["--each", "bursts", "-o", "out", "--model", "resnet"], 1, "there is no network resnet"),
        (["--each", "bursts", "-o", "out", "--read-std", "1"], 1, "--read-std and --shot-gain come together"),
        (
            ["bursts/b2", "-o", "out.png", "--workers", "2"],
            2,
            "--workers is for many bursts: only with --each",
        ),
        (["bursts/b2", "-o", "out.png", "--format", "tif"], 2, "--format is for many bursts"),
        (["--each", "bursts", "-o", "out", "--workers", "0"], 2, "0 is not a whole number from 1 to 1024"),
    ],
)
def test_what_concerns_all_bursts_is_said_before_the_work(arguments, code, sentence, capsys):
    Path("checkpoint.txt").touch()
    Path("full").mkdir()
    Path("full/mine.txt").touch()
    try:
        assert main(["denoise", *arguments]) == code
    except SystemExit as exit:
        assert exit.code == code
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
    assert not Path("out").exists() and os.listdir("full") == ["mine.txt"]


def test_one_process_works_in_a_folder(capsys):
    with held(Path("out")):
        assert each("bursts") == 1
    assert "another process is at work in" in capsys.readouterr().err
    assert each("bursts") == 0


def test_names_do_not_reach_the_terminal_raw(capsys):
    os.rename("bursts/b2", "bursts/b\x1b[31m\n2")
    shutil.copytree("bursts/inside/b10", "bursts/b\x1b3")
    Path("bursts/b\x1b3/frame_02.png").write_bytes(b"no picture")
    assert each("bursts") == 1
    error = capsys.readouterr().err
    assert "\x1b" not in error and r"b\x1b[31m\n2: 3 frames" in error
    assert Path("out/b\x1b[31m\n2.png").exists()


def test_a_worker_has_to_see_the_same_files_and_weights(shared, tmp_path):
    assert each("bursts") == 0
    options = main_options("bursts")
    options.output = tmp_path / "out"
    weights = checkpoints.read_card("mkpn")["sha256"]
    task = batch.Task("b", tmp_path / "bursts" / "b2", tmp_path / "out" / "b.png", "")
    assert batch.denoise_one(options, weights, task)["height"] == 33
    with pytest.raises(ValueError, match="the weights of mkpn on .* are not those of where the command was"):
        batch.denoise_one(options, "0" * 64, task)
    gone = batch.Task("b", tmp_path / "gone", task.output, "")
    with pytest.raises(ValueError, match="gone is not there on .*; every worker has to see the same files"):
        batch.denoise_one(options, weights, gone)
    options.output = tmp_path / "elsewhere"  # a folder of this name on another machine
    options.output.mkdir()
    with pytest.raises(ValueError, match="bursts.jsonl is not there on "):
        batch.denoise_one(options, weights, task)


def main_options(*arguments):
    from kpnviz.commands.main import _parser

    return _parser().parse_args(["denoise", "--each", *arguments, "-o", "out"])


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_and_it_goes_on_later(shared, capsys):
    for i in range(20):
        shutil.copytree("bursts/b2", f"bursts/more{i}")
    process = subprocess.Popen(
        [sys.executable, "-m", "kpnviz", "denoise", "--each", "bursts", "-o", "out", "--workers", "2"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stderr:
        if line.startswith("[1/23]"):
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process
    error = process.stderr.read()  # until the last of them has ended
    assert process.wait() == 130
    assert "Traceback" not in error and error.endswith("kpnviz: stopped\n")
    done = sum("fingerprint" in line for line in lines())
    assert 1 <= done < 23
    assert all(path.endswith(".png") and not Path(path).name.startswith(".") for path in pictures("out"))
    assert each("bursts") == 0
    assert f"23 bursts to {Path('out').absolute()}; {done} of them done before" in capsys.readouterr().err
    assert len(pictures("out")) == 23
