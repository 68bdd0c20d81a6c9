"""The process that reads files: its limits, its turns, and what is said when it ends."""

import errno
import io
import json
import os
import signal
import subprocess
import threading
import time

import numpy as np
import pytest

from kpnviz.capture import decoding, reader
from kpnviz.capture.reader import get_ready, read_frames
from kpnviz.limits import FileError, Limits
from kpnviz.pictures import write_png16

from .picture_makers import description, npz, pillow, samples, tiff, zipped

PAIR = [(f"{i}.png", pillow(np.full((8, 9, 3), 9 * i, np.uint8), "PNG")) for i in range(2)]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_limits_are_set_before_anything_is_read():
    code = (
        "import json, resource, sys; from kpnviz.capture import decoding; from kpnviz.limits import Limits\n"
        "decoding.limit_resources(Limits(memory_bytes=2**30, seconds=7, pixels=10**6))\n"
        "r = resource; print(json.dumps([r.getrlimit(w)[0] for w in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE)]))\n"
        "print('torch' in sys.modules)\n"
        "try: bytearray(3 * 2**30)\nexcept MemoryError: print('refused')"
    )
    start = decoding.how_to_start(Limits())
    done = subprocess.run(
        [*start["args"][:2], "-c", code], env=start["env"], capture_output=True, text=True, check=True
    )
    limits, torch, refused = done.stdout.split("\n")[:3]
    assert json.loads(limits) == [2**30, 7, 400_000_000] and torch == "False" and refused == "refused"


@pytest.mark.reader
def test_what_needs_more_memory_than_allowed_is_refused():
    zeros = tiff(np.zeros((3000, 4000, 3), np.float32), photometric="rgb", compression="zlib")
    assert len(zeros) < 1_000_000
    assert len(read_frames([("a.tif", zeros), ("b.tif", zeros)])) == 2
    with pytest.raises(FileError, match=r"^a.tif (needs more than 250 MB \(KPNVIZ_READ_M|cannot be read)"):
        read_frames([("a.tif", zeros)], Limits(memory_bytes=250_000_000))


@pytest.mark.reader
def test_what_takes_longer_than_allowed_is_refused():
    zeros = write_png16(np.zeros((4000, 6000, 3), np.uint16))
    sentence = r"^\d.png takes longer to be read than 1 s \(KPNVIZ_READ_SECONDS\), the limit of all files$"
    with pytest.raises(FileError, match=sentence):
        read_frames([(f"{i}.png", zeros) for i in range(8)], Limits(seconds=1))


@pytest.mark.reader
def test_a_process_that_waits_for_nothing_is_ended(monkeypatch):
    monkeypatch.setattr(reader, "_PATIENCE", 0.2)

    def files():
        yield PAIR[0]
        time.sleep(3)
        yield PAIR[1]

    with pytest.raises(FileError, match="takes longer to be read than 1 s"):
        read_frames(files(), Limits(seconds=1))


@pytest.mark.reader
def test_a_process_that_dies_is_an_error_of_its_file():
    child, begun = reader._Child(Limits()), []

    def files():
        yield PAIR[0]
        wait_for(lambda: begun == ["0.png"])
        child.process.send_signal(signal.SIGSEGV)
        yield PAIR[1]

    with pytest.raises(FileError, match="^0.png cannot be read: its decoder stopped with status -11$"):
        child.read(files(), progress=begun.append)
    child.close()


def test_a_full_disk_is_said():
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

    said = []
    stream = b"".join(json.dumps([name, len(data)]).encode() + b"\n" + data for name, data in PAIR)
    decoding.run(Limits(), io.BytesIO(stream), Full(), said.append)
    assert said[-1] == {"refused": "0.png cannot be read: [Errno 28] No space left on device"}


@pytest.mark.reader
def test_a_process_stands_ready_and_is_taken_once():
    get_ready()
    (spare,) = reader._spare
    get_ready()
    assert reader._spare == [spare]
    assert len(read_frames(PAIR)) == 2
    assert not reader._spare and spare.process.poll() is not None
    get_ready()
    first = reader._spare[0]
    assert len(read_frames(PAIR, Limits(seconds=19))) == 2  # other limits: another process
    assert first.process.poll() is not None
    get_ready()
    reader._spare[0].process.kill()
    reader._spare[0].process.wait()
    assert len(read_frames(PAIR)) == 2
    reader._give_up_spare()


@pytest.mark.reader
def test_progress_names_what_is_read_while_it_is_read():
    (_, first), (_, second) = PAIR
    begun, at_handing_over = [], []

    def files():
        yield "a.png", first
        wait_for(lambda: begun == ["a.png"])  # it is said before the next file comes
        at_handing_over.extend(begun)
        yield "b.zip", zipped([("c.png", second), ("d.png", second)])

    assert read_frames(files(), progress=begun.append).names == ("a.png", "b.zip/c.png", "b.zip/d.png")
    assert at_handing_over == ["a.png"]
    assert begun == ["a.png", "b.zip", "b.zip/c.png", "b.zip/d.png"]

    def leave(name):
        raise KeyboardInterrupt(name)

    with pytest.raises(KeyboardInterrupt, match="^0.png$"):
        read_frames(PAIR, progress=leave)


@pytest.mark.reader
def test_so_many_bursts_are_read_at_once():
    limits = Limits(readers=2, seconds=18)
    now, most, lock = [0], [0], threading.Lock()

    def files():
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.3)
        yield from PAIR
        with lock:
            now[0] -= 1

    threads = [threading.Thread(target=lambda: read_frames(files(), limits)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 2


@pytest.mark.reader
def test_files_on_disk_that_are_none_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    for name in ("pipe.png", "gone.png"):
        with pytest.raises(FileError, match=f"^{name} is not a file$"):
            read_frames([(name, tmp_path / name)])
    big = tmp_path / "big.png"
    with open(big, "wb") as file:
        file.truncate(10**12)
    sentence = r"^big.png has 1e\+06 MB; the limit of one file is 400 MB \(KPNVIZ_MAX_FILE_MEGABYTES\)$"
    with pytest.raises(FileError, match=sentence):
        read_frames([("big.png", big)])


@pytest.mark.reader
def test_every_limit_is_said_and_comes_from_the_environment(monkeypatch):
    wide = Limits()
    for variable, value, sentence in (
        ("KPNVIZ_MAX_MEGAPIXELS", "0.00001", "limit is 1e-05 megapixels"),
        ("KPNVIZ_MAX_FILE_MEGABYTES", "0.00001", "the limit of one file is 1e-05 MB"),
        ("KPNVIZ_MAX_MEGABYTES", "0.0002", "beyond 0.0002 MB"),
        ("KPNVIZ_READ_MEGABYTES", "1", "stopped with status|needs more than 1 MB|cannot be read"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, value)
            assert str(Limits.from_environment()) != str(wide) or "READ" in variable
            large = ("2.png", pillow(np.zeros((3000, 3000), np.uint8), "PNG"))
            third = large if "READ" in variable else ("2.png", PAIR[0][1])
            with pytest.raises(ValueError, match=sentence) as raised:
                read_frames([*PAIR, third])
            assert f"({variable})" in str(raised.value) or "READ" in variable
    monkeypatch.setenv("KPNVIZ_MAX_READERS", "0")
    with pytest.raises(ValueError, match="limit readers is 0; it must be above 0"):
        Limits.from_environment()
    monkeypatch.undo()
    assert str(wide) == "up to 32 frames of 32 megapixels, 400 MB a file, 400 MB in all"
    # Files of one's own may be larger; what the environment says counts there, too.
    own = Limits.from_environment(generous=True)
    grown = {name for name, most in vars(wide).items() if getattr(own, name) > most}
    assert grown == {
        "frames",
        "pixels",
        "file_bytes",
        "total_bytes",
        "total_pixels",
        "memory_bytes",
        "seconds",
    }
    monkeypatch.setenv("KPNVIZ_MAX_FRAMES", "5")
    assert Limits.from_environment(generous=True).frames == 5
    with pytest.raises(
        FileError, match=r"beyond 1.6e-05 megapixels \(8 times KPNVIZ_MAX_MEGAPIXELS\), the limit"
    ):
        read_frames([*PAIR, ("2.png", PAIR[0][1])], Limits(total_pixels=16))


LEVELS = {"frames": np.full((2, 6, 7), 0.5)}


@pytest.mark.parametrize(
    "arrays, sentence",
    [
        ({"frames": np.full((2, 6, 7), 1e300)}, "n.npz: frames, frame 0 holds values that are not finite"),
        (
            {"frames": np.full((2, 6, 7), -1e38)},
            "n.npz: frames, frame 0 holds the value -1e\\+38; intensities",
        ),
        (LEVELS | {"truth": np.full((6, 7), 1e38)}, "n.npz: truth holds the value 1e\\+38"),
        (
            LEVELS | {"read_std": [], "shot_gain": 0.1},
            "n.npz: read_std has 0 values; the frames have 1 channel",
        ),
        (LEVELS | {"read_std": 0.1, "shot_gain": [0.1, 0.1]}, "n.npz: shot_gain has 2 values"),
        (LEVELS | {"read_std": 1e300, "shot_gain": 0.1}, "n.npz: noise .* is not one: read_std is 1e\\+300"),
        (LEVELS | {"read_std": "a", "shot_gain": 0.1}, "n.npz: read_std has dtype <U1"),
        (LEVELS | {"white_level": 1e300}, "n.npz: white_level is 1e\\+300"),
        (LEVELS | {"shifts": np.full((2, 2), np.nan)}, "n.npz: shifts are not"),
        (
            LEVELS | {"frames": np.zeros((33, 6, 7)), "read_std": 0.1},
            "there are 33 frames; a burst has up to 32",
        ),
        ({"frames": np.zeros((2, 0, 7))}, "n.npz: frames has 7x0 pixels"),
    ],
)
def test_numbers_of_an_npz_are_checked_where_they_enter(arrays, sentence):
    with pytest.raises(FileError, match=sentence):
        read_frames([("n.npz", npz(**arrays))])


def test_numbers_of_a_picture_and_of_burst_json_are_checked_where_they_enter():
    for value in (1e38, -2e6):
        for shape in ((8, 9), (8, 9, 3)):
            data = tiff(
                np.full(shape, value, np.float32), photometric="rgb" if len(shape) == 3 else "minisblack"
            )
            with pytest.raises(FileError, match="a.tif holds the value"):
                read_frames([("a.tif", data)])
    huge = tiff(np.full((8, 9, 3), 1e300), photometric="rgb")
    with pytest.raises(FileError, match="a.tif holds values that are not finite"):
        read_frames([("a.tif", huge)])
    frames = [(name, samples()["png 16 gray"]) for name in ("a.png", "b.png")]
    for changes in (
        {"white_level": 1e300},
        {"white_level": 1e-300},
        {"white_code": 1000 + 1e-9},
        {"shifts": [[0, 0], [1e300, 0]]},
        {"noise": [{"read_std": 1e300, "shot_gain": 0}]},
        {"noise": [{"read_std": 0, "shot_gain": float("inf")}]},
        {"recipe": {"photo": "dog", "white_level": 1e300}},
    ):
        with pytest.raises(FileError, match="^burst.json"):
            read_frames([*frames, ("burst.json", description(["a.png", "b.png"], **changes))])


def test_a_bigtiff_is_read():
    codes = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    data = tiff(codes, photometric="rgb", bigtiff=True)
    np.testing.assert_array_equal(
        read_frames([("a.tif", data), ("b.tif", data)]).codes[0], codes.transpose(2, 0, 1)
    )


def test_arrays_of_an_npz_may_lie_in_any_order_and_dtype():
    frames = np.random.default_rng(0).random((3, 6, 7))
    for stored in (np.asfortranarray(frames), frames.astype(np.float16), frames.astype(">f4")):
        stack = read_frames([("n.npz", npz(frames=stored, truth=np.asfortranarray(stored[0])))])
        np.testing.assert_array_equal(stack.codes[list(stack.places), 0], stored.astype(np.float32))
        np.testing.assert_array_equal(stack.truth(0, slice(None), slice(None)), stored[0].astype(np.float32))


NAMES = {
    "![x](http://127.0.0.1/a.png)a.png": "a.png)a.png",
    "a\x1b[31m\nb\u202e.png": r"a\x1b[31m\nb\u202e.png",
    "n" * 300 + ".png": f"{'n' * 40}…{'n' * 35}.png",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shortened_and_made_visible_where_they_enter(name):
    data = PAIR[0][1]
    stack = read_frames([(name, data), ("b.png", data)])
    assert stack.names == (NAMES[name], "b.png")
    inside = read_frames([("z.zip", zipped([(name, data), ("b.png", data)]))]).names
    assert all(len(n) <= 80 and n.isprintable() for n in inside)
    with pytest.raises(FileError) as refusal:
        read_frames([(name, b"no picture")])
    assert str(refusal.value).startswith(NAMES[name] + " is not a picture")
