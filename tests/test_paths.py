"""Safe writing: what lies beside an output stays, and so do its mode and its link; writers at once do not disturb each
other."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from kpnviz.burst import Burst
from kpnviz.capture.writer import write_burst
from kpnviz.noise import NoiseModel
from kpnviz.paths import check_output, held, locked, write_atomically, write_together


def test_what_has_a_similar_name_is_not_touched(tmp_path):
    (tmp_path / "a.partial").mkdir()
    (tmp_path / "a.partial" / "mine").write_text("mine")
    (tmp_path / "b.partial").write_text("mine")
    (tmp_path / "target").write_text("mine")
    (tmp_path / "c.partial").symlink_to("target")
    before = sorted(os.listdir(tmp_path))
    for name in "abc":
        write_atomically(tmp_path / name, b"new")
        assert (tmp_path / name).read_bytes() == b"new"
    for kept in ("a.partial/mine", "b.partial", "target", "c.partial"):
        assert (tmp_path / kept).read_text() == "mine"
    assert (tmp_path / "c.partial").is_symlink()
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "a", "b", "c"])
    write_atomically(tmp_path / ("n" * 255), b"the longest name that there is")


def test_an_output_keeps_its_mode_and_its_link(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    target.write_text("older")
    target.chmod(0o640)
    link.symlink_to("elsewhere/target")
    check_output(link)
    write_atomically(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    (tmp_path / "dangling").symlink_to("elsewhere/not yet")
    write_atomically(tmp_path / "dangling", b"new")
    assert (tmp_path / "elsewhere" / "not yet").read_bytes() == b"new"
    umask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "fresh", b"new")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path / "elsewhere")) == ["not yet", "target"]


def test_only_files_are_written_over(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for name, reason in (("pipe", "it is not a file"), ("loop", "it is not a file"), (".", "it is a folder")):
        with pytest.raises(OSError, match=reason):
            write_atomically(tmp_path / name, b"new")
        with pytest.raises(ValueError, match=f"cannot be written: {reason}"):
            check_output(tmp_path / name)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode) and (tmp_path / "loop").is_symlink()


def test_files_that_belong_together_are_replaced_together(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"old")

    def full_disk(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left on device: .*b'"):
        write_together({tmp_path / "a": b"new", tmp_path / "b": full_disk})
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"old", b"old"]
    write_together({tmp_path / "a": b"new", tmp_path / "b": b"new"})
    assert [(tmp_path / name).read_bytes() for name in sorted(os.listdir(tmp_path))] == [b"new", b"new"]


def test_of_many_writers_at_once_each_succeeds_and_one_wins(tmp_path):
    values = [bytes([number]) * 10_000 for number in range(160)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda value: write_atomically(tmp_path / "out", value), values))
    assert (tmp_path / "out").read_bytes() in values and os.listdir(tmp_path) == ["out"]


def test_two_bursts_written_to_one_folder_at_once_are_not_mixed(tmp_path):
    def contents(folder):
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    bursts = [
        Burst(np.full((N, 8, 8), light, np.float32), NoiseModel(light, 0))
        for N, light in ((3, 0.2), (6, 0.4))
    ]
    for number, burst in enumerate(bursts):
        write_burst(tmp_path / str(number), burst)
    alone = [contents(tmp_path / "0"), contents(tmp_path / "1")]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(100):
            list(pool.map(lambda burst: write_burst(tmp_path / "both", burst), bursts))
            assert contents(tmp_path / "both") in alone


@pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")
def test_who_holds_a_folder_can_write_a_file_in_it(tmp_path):
    """A training run holds its folder, and saves weights and card under a lock on the same folder."""
    code = (
        "import pathlib, sys; from kpnviz.paths import held, locked\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with held(folder), locked(folder / 'a'): pass\n"
        "with locked(folder / 'a'): print('done')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60).stdout == "done\n"
    with held(tmp_path), pytest.raises(ValueError, match="another process is at work"), held(tmp_path):
        pass
    with locked(tmp_path / "a"):
        pass
