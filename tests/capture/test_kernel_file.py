"""Files of frames and kernels: what anybody writes with np.savez is read, and what lies is one sentence."""

import io
import json
import os
import zipfile

import numpy as np
import pytest
import torch

import kpnviz
from kpnviz import consistency
from kpnviz.burst import Burst, BurstRecipe, synthesize, with_motion
from kpnviz.capture import decoding, kernel_file
from kpnviz.capture.kernel_file import load_kernels, save_kernels
from kpnviz.capture.reader import arrays_in, get_ready
from kpnviz.estimate import Estimate
from kpnviz.kernels import KernelField
from kpnviz.limits import FileError, Limits
from kpnviz.noise import NoiseModel

from .. import test_foreign_kernels as foreign
from ..attack.files import mutate

LIMITS = Limits()


@pytest.fixture
def in_this_process(monkeypatch):
    """What the process that reads files does, done here: to start one takes a second."""

    def read(name, data, limits, wanted):
        said, output = [], io.BytesIO()
        line = json.dumps([name, len(data), "kernels"]).encode() + b"\n"
        decoding.run(limits, io.BytesIO(line + data), output, said.append)
        if "refused" in said[-1]:
            raise FileError(said[-1]["refused"])
        return said[-1]["read"], arrays_in(said[-1]["read"], bytearray(output.getvalue()))

    monkeypatch.setattr(kernel_file, "read_kernel_arrays", read)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def load(data, limits=LIMITS):
    return load_kernels(("own.npz", data), limits=limits)


def plain(**more):
    rng = np.random.default_rng(0)
    arrays = dict(frames=rng.random((2, 9, 10)), kernels=rng.random((2, 3, 3, 9, 10)))
    return {key: value for key, value in (arrays | more).items() if value is not None}


@pytest.mark.parametrize("kind", foreign.KINDS)
def test_foreign_kernels_come_back(in_this_process, kind):
    field, frames, expected = kind()
    burst = Burst(frames, truth=frames[0])
    file = io.BytesIO()
    save_kernels(file, burst, [Estimate.of(burst, field, name="theirs", image=expected)])
    read, (estimate,) = load(file.getvalue())
    np.testing.assert_array_equal(read.frames, burst.frames)
    np.testing.assert_array_equal(read.truth, burst.truth)
    assert read.noise is None and estimate.model == "theirs"
    assert repr(estimate.kernels) == repr(field)
    np.testing.assert_allclose(estimate.kernels.at(2, 3), field.at(2, 3), rtol=1e-6)
    np.testing.assert_allclose(estimate.image, expected.reshape(estimate.image.shape), atol=3e-5)


@pytest.mark.parametrize("color", [False, True])
def test_all_that_is_known_of_a_burst_comes_back(tmp_path, color):
    recipe = with_motion(BurstRecipe("city", (20, 30, 24, 26), seed=2, color=color), "moving")
    burst = synthesize(recipe)
    estimates = [kpnviz.load("mkpn")(burst), kpnviz.load("kpn-l5")(burst, channels="each")]
    save_kernels(tmp_path / "a.npz", burst, estimates)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    read, found = load_kernels(tmp_path / "a.npz")
    for name in ("frames", "truth", "shifts", "moving_mask", "moving_shifts"):
        np.testing.assert_array_equal(getattr(read, name), getattr(burst, name))
    assert (read.noise, read.white_level, read.recipe) == (burst.noise, burst.white_level, recipe)
    for estimate, other in zip(found, estimates, strict=True):
        assert estimate.model == other.model and estimate.kernels.sizes == other.kernels.sizes
        assert torch.equal(estimate.kernels.factors, other.kernels.factors)
        np.testing.assert_allclose(estimate.image, other.image, atol=1e-5)
    # It is a burst, too.
    np.testing.assert_array_equal(kpnviz.read_burst(tmp_path / "a.npz", color=color).frames, burst.frames)


def test_what_anybody_writes_by_hand(in_this_process):
    """One method without a number, several with; every dtype, order and byte order of NumPy."""
    arrays = plain()
    expected = Estimate.of(Burst(arrays["frames"]), KernelField.from_kernels(arrays["kernels"]))
    burst, (estimate,) = load(npz(**arrays))
    assert estimate.model == "method 0" and burst.white_level == 1
    assert load(npz(**plain(title=" ")))[1][0].model == "method 0"
    np.testing.assert_allclose(estimate.image, expected.image, rtol=1e-5)
    for frames in (arrays["frames"].astype(">f4"), np.asfortranarray(arrays["frames"])):
        again, _ = load(npz(**plain(frames=frames)))
        np.testing.assert_array_equal(again.frames, burst.frames)
    u = np.ones((2, 3, 3, 5, 5), np.float16)
    noise = dict(read_std=np.array([0.1, 0.2, 0.3]), shot_gain=0.0, white_level=0.5)
    frames = np.random.default_rng(0).random((2, 3, 9, 10), dtype=np.float32)
    several = {"0/title": "a", "0/basis": np.ones((1, 2, 1, 1)), "0/coefficients": np.ones((1, 9, 10))}
    several |= {"0/reduce": "sum", "1/scale": 2, "1/padding": "zero"}
    several |= {
        "1/vertical_3": u,
        "1/horizontal_3": u,
        "1/vertical_1": u[:, :, :1],
        "1/horizontal_1": u[:, :, :1],
    }
    burst, (first, second) = load(npz(frames=frames, **noise, **several))
    assert burst.noise == tuple(NoiseModel(r, 0) for r in (0.1, 0.2, 0.3)) and burst.white_level == 0.5
    np.testing.assert_allclose(first.image, frames.sum(0), rtol=1e-6)
    field = second.kernels
    assert (field.sizes, field.padding, field.half, field.channels) == ((1, 3), "zero", True, 3)
    np.testing.assert_allclose(field.at(4, 4)[0, 0], [[0.5] * 3, [0.5, 1, 0.5], [0.5] * 3])


def test_bfloat16_kernels_and_valid_ones_at_half_resolution_are_kept(in_this_process):
    burst = Burst(np.random.default_rng(0).random((2, 11, 12)))
    kernels = torch.rand(2, 3, 3, 5, 5).bfloat16()
    field = KernelField.from_kernels(kernels, size=(9, 10), padding="valid")
    file = io.BytesIO()
    save_kernels(file, burst, Estimate.of(burst, field))
    _, (estimate,) = load(file.getvalue())
    assert torch.equal(estimate.kernels.factors, field.factors.float())
    assert estimate.kernels.padding == "valid" and estimate.image.shape == (9, 10)


def lying(shape, dtype="<f4", key="kernels", real=None):
    """A file whose header of one array says what its bytes are not."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    body = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + (real or b"\0" * 64)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in plain(**{key: None}).items():
            archive.writestr(f"{name}.npy", npz_member(array))
        archive.writestr(f"{key}.npy", body)
    return file.getvalue()


def npz_member(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array))
    return file.getvalue()


class Evil:
    def __reduce__(self):
        return (print, ("run",))


K = plain()["kernels"]
NAN = K.copy()
NAN[1, 2, 0, 3, 4] = np.nan


@pytest.mark.parametrize(
    "make, sentence",
    [
        (
            lambda: lying((10**6, 3, 3, 9, 10)),
            "kernels has 64 bytes; dtype float32 and shape .1000000, 3, 3, 9, 10.",
        ),
        (lambda: lying((2**40, 2**40)), "kernels has 64 bytes; dtype float32"),
        (lambda: lying((4, -4)), r"kernels has shape \(4, -4\); axes have lengths of 0 or more"),
        (lambda: lying((-4, -4)), r"kernels has shape \(-4, -4\); axes"),
        (lambda: lying((True, 16)), r"kernels has shape \(True, 16\); axes"),
        (
            lambda: npz(**plain(kernels=None, kernels_5=K)),
            r"kernels_5 has shape \(2, 3, 3, 9, 10\), so K = 3; its name says 5",
        ),
        (
            lambda: npz(**plain(**{f"{i}/title": "a" for i in range(99)})),
            "holds methods 0, .*, 16, ...; they are",
        ),
        (
            lambda: lying((4,), "|O", real=b"cos\nsystem\n(S'echo'\ntR." + b" " * 8),
            r"kernels holds Python objects \(dtype object\)",
        ),
        (
            lambda: lying((8,), "<f8", "frames"),
            r"frames has shape \(8,\); expected \[N, H, W\] or \[N, C, H, W\]",
        ),
        (lambda: npz(**plain(kernels=np.array(Evil()))), "kernels holds Python objects"),
        (lambda: npz(**plain(kernels=NAN)), "kernels holds weights that are not finite"),
        (lambda: npz(**plain(kernels=K * 1e300)), "kernels holds weights that are not finite"),
        (lambda: npz(**plain(frames=np.full((2, 9, 10), np.inf))), "frames holds values that are not finite"),
        (
            lambda: npz(**plain(kernels=K.astype(int))),
            "kernels has dtype int64; expected a floating point dtype",
        ),
        (
            lambda: npz(**plain(kernels=np.moveaxis(K, 0, -1))),
            r"method 0: kernels.* so K = 3 rows and 9 columns; kernels are square",
        ),
        (
            lambda: npz(**plain(kernels=K[:, :, :, :, :9])),
            "kernels are those of 9x9 pixels, the frames have 9x10",
        ),
        (
            lambda: npz(**plain(kernels=K[:, :2, :2])),
            "method 0: kernels.* so K = 2; kernels have an odd side",
        ),
        (lambda: npz(**plain(kernels=K[:1])), "kernels are those of N = 1 frames, the burst has 2"),
        (lambda: npz(**plain(kernels=K[:0])), r"kernels has shape \(0, 3, 3, 9, 10\); an axis is empty"),
        (lambda: npz(**plain(kernels=None)), "holds no kernels"),
        (lambda: npz(**plain(frames=None)), r"holds no frames, \[N, H, W\] or \[N, C, H, W\]"),
        (
            lambda: npz(**plain(frames=np.zeros((33, 2, 2)))),
            "frames has N = 33 frames; kernels are read of up to 32",
        ),
        (
            lambda: npz(**plain(frames=np.zeros((2, 9, 10, 3)))),
            r"so C = 9 channels; .* \[N, H, W, C\]: frames.transpose\(0, 3, 1, 2\)",
        ),
        (lambda: npz(**plain(padding="wrap")), "method 0: padding is 'wrap'; choose one of 'reflect'"),
        (lambda: npz(**plain(reduce="max", title="a\nb")), r"a\\nb: reduce is 'max'; choose 'mean' or 'sum'"),
        (lambda: npz(**plain(padding=3)), "padding is not a text"),
        (lambda: npz(**plain(scale=3)), "scale is 3.0; it is 1, or 2 for kernels at half resolution"),
        (
            lambda: npz(**plain(scale=2)),
            "scale is 2, half resolution, and the kernels are given at every pixel, 9x10",
        ),
        (
            lambda: npz(**plain(paddng="zero")),
            "holds 'paddng', which is no key of a file of kernels; padding is one",
        ),
        (
            lambda: npz(**plain(burst=np.ones(3))),
            "holds 'burst', which is no key .*; it needs frames and, say, kernels",
        ),
        (
            lambda: npz(**plain(vertical=K[:, 0])),
            "it has kernels, vertical; expected kernels, or vertical and",
        ),
        (
            lambda: npz(**plain(image=np.ones((9, 10)))),
            "the picture is not what the kernels make of the frames",
        ),
        (lambda: npz(**plain(image=np.ones((9, 11)))), r"the picture has shape \(9, 11\)"),
        (
            lambda: npz(**plain(truth=np.ones((3, 3)))),
            r"truth has shape \(3, 3\); of the frames it is \(9, 10\)",
        ),
        (lambda: npz(**plain(read_std=0.1)), "read_std and shot_gain come together"),
        (lambda: npz(**plain(read_std=-1, shot_gain=0)), "read_std is -1.0; noise must be a number"),
        (lambda: npz(**plain(white_level=0)), "white_level is 0.0; it is a number from"),
        (lambda: npz(**plain(recipe="[")), "recipe is not that of a burst"),
        (lambda: npz(**plain(), **{"2/kernels": K}), "holds methods 0, 2; they are counted from 0"),
        (lambda: npz(**plain(), **{"0/kernels": K}), "holds kernels of method 0 twice"),
        # 3000 x 3000 numbers, were they broadcast.
        (
            lambda: npz(**plain(read_std=np.full((3000, 1), 0.1), shot_gain=np.full((1, 3000), 0.1))),
            r"read_std has shape \(3000, 1\); it is a number, or one of each channel, C = 1",
        ),
        (
            lambda: npz(**plain(scale=2, kernels=np.ones(5))),
            r"kernels has shape \(5,\); expected \[N, K, K, H, W",
        ),
        (
            lambda: npz(**plain(scale=2, kernels=np.float32(1))),
            r"kernels has shape \(\); expected \[N, K, K, H, W",
        ),
        (
            lambda: npz(**plain(scale=2, kernels=None, basis=np.float32(1), coefficients=K[0, 0])),
            r"basis has shape \(\); expected \[F, N, K, K\]",
        ),
        (
            lambda: npz(**plain(scale=2, kernels=None, vertical=np.ones(2), horizontal=np.ones(2))),
            r"vertical has shape \(2,\); expected \[N, K, H, W\]",
        ),
        (lambda: npz(**plain(padding="x" * 200_000)), "method 0: padding is 'xxx"),
        (lambda: npz(**plain(reduce="x" * 200_000)), "method 0: reduce is 'xxx"),
        (lambda: npz(**plain(shifts=np.full((2, 2), np.inf))), "shifts holds"),
        (lambda: npz(**plain(shifts=np.full((2, 2), 1e300))), "shifts holds"),
        (
            lambda: npz(**plain(shifts=np.ones((70_000, 2)))),
            r"shifts has shape \(70000, 2\); expected \[N, 2\]",
        ),
        (lambda: npz(**plain(format="kpnviz kernels 2")), "has format 'kpnviz kernels 2'; this kpnviz reads"),
        (lambda: b"not a zip", "is not an NPZ with frames and kernels; numpy.savez or"),
        (lambda: npz(**plain())[:-60], "is a ZIP that cannot be read"),
        (lambda: b"", "is not an NPZ"),
    ],
)
def test_what_is_no_file_of_kernels_is_one_sentence(in_this_process, make, sentence):
    with pytest.raises(FileError, match=sentence) as raised:
        load(make())
    said = str(raised.value)
    assert said.startswith("own.npz") and "\n" not in said and len(said) < 600


def test_no_more_is_read_than_the_limits_allow(in_this_process):
    """Zeros pack to nothing: it is their number that counts, before any of them is unpacked."""
    file = io.BytesIO()
    np.savez_compressed(file, frames=np.zeros((2, 40, 40)), kernels=np.zeros((2, 25, 25, 40, 40), np.float16))
    bomb = file.getvalue()
    assert len(bomb) < 40_000
    small = Limits(file_bytes=5_000_000, total_bytes=5_000_000)
    with pytest.raises(FileError, match=r"kernels takes the file beyond 5 MB \(KPNVIZ_MAX_MEGABYTES\)"):
        load(bomb, small)
    with pytest.raises(
        FileError, match="own.npz/kernels.npy unpacks to 4.00.* MB; the limit of one file is 3 MB"
    ):
        load(bomb, Limits(file_bytes=3_000_000))
    basis = npz(frames=np.zeros((2, 400, 400)), basis=np.ones((400, 2, 61, 61), np.float16),
                coefficients=np.zeros((400, 200, 200), np.float16), scale=2)  # fmt: skip
    with pytest.raises(FileError, match="its kernels take 768 MB a frame to be applied; the limit is 500 MB"):
        load(basis, Limits(memory_bytes=500_000_000))
    with pytest.raises(
        FileError, match=r"its kernels take 4.8e.11 multiply-adds to be applied, longer than 20 s"
    ):
        load(basis, Limits())
    with pytest.raises(FileError, match=r"frames has N = 2 frames; kernels are read of up to 1"):
        load(npz(**plain()), Limits(frames=1))


def test_the_time_is_that_of_all_methods_together(in_this_process):
    one = plain()
    frames, K = one["frames"], one["kernels"]
    data = npz(frames=frames, **{"0/kernels": K, "1/kernels": K})
    work, limits = 9 * 10 * 9 * 2, Limits(seconds=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel_file, "MULTIPLY_ADDS_A_SECOND", 1.5 * work)
        assert load(npz(**one), limits)
        with pytest.raises(FileError, match="method 1: its kernels take 3.2e.03 multiply-adds with those of"):
            load(data, limits)


def test_why_a_picture_is_wrong_is_not_sought_for_long_and_others_may_compute(in_this_process, monkeypatch):
    data, paused = npz(**plain(image=np.full((9, 10), 0.5))), []
    with pytest.raises(FileError, match="None of the usual reasons explains it"):
        load_kernels(("own.npz", data), pause=lambda: paused.append(1))
    assert len(paused) > 15
    monkeypatch.setattr(kernel_file, "_EXPLAINING", 0)
    paused.clear()
    with pytest.raises(FileError, match="Why was not sought to the end: it takes too long"):
        load_kernels(("own.npz", data), pause=lambda: paused.append(1))
    assert len(paused) == 2


def test_kernels_are_applied_in_parts_between_which_who_left_ends_it(in_this_process, monkeypatch):
    """However large the kernels are: the picture of 9 rows is made row by row here."""
    monkeypatch.setattr(consistency, "_AT_ONCE", 1)
    paused = []

    def pause():
        paused.append(1)
        if len(paused) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_kernels(("own.npz", npz(**plain())), pause=pause)
    assert len(paused) == 5


def test_what_takes_more_memory_than_there_is_is_named(in_this_process, monkeypatch):
    def picture_of(*_):
        raise RuntimeError("not enough memory:\nyou tried to allocate 9 bytes")

    monkeypatch.setattr(kernel_file, "picture_of", picture_of)
    with pytest.raises(FileError, match="own.npz: method 0: not enough memory: you tried"):
        load(npz(**plain()))


def test_what_cannot_be_saved_is_named(tmp_path):
    burst = Burst(plain()["frames"])
    estimate = Estimate.of(burst, KernelField.from_kernels(K))
    for estimates, sentence in (
        ([], "there are 0 estimates; a file has 1 to 16"),
        ([Estimate(burst.reference, None, "direct", 0.0)], "direct has no kernels"),
    ):
        with pytest.raises(ValueError, match=sentence):
            save_kernels(tmp_path / "a.npz", burst, estimates)
    with pytest.raises(ValueError, match="the kernels are those of N = 2 frames, the burst has 1"):
        save_kernels(tmp_path / "a.npz", Burst(burst.frames[:1]), [estimate])
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileError, match="there is no such file"):
        load_kernels(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "change, sentence",
    [
        (dict(file=None), "file is None; it is a path, or a file that is open"),
        (dict(file="nowhere/a.npz"), "'nowhere/a.npz' cannot be written: there is no folder 'nowhere'"),
        (dict(file="."), "'.' cannot be written: it is a folder"),
        (dict(file="fifo"), "'fifo' cannot be written: it is not a file"),
        (dict(burst=3), "burst is of type int"),
        (dict(estimates="abc"), "estimates is 'abc'; it is a list of kpnviz.Estimate"),
        (dict(estimates=None), "estimates is None; it is a list"),
        (dict(estimates=[3]), "estimates holds 3, of type int"),
        (dict(image=np.full((9, 10), np.nan)), "mine: the picture holds values that are not finite"),
        (dict(image=np.full((9, 10), 1e7)), "mine: the picture "),
        (dict(image=np.ones((3, 3))), r"mine: the picture has dtype float64 and shape \(3, 3\)"),
        (
            dict(kernels=KernelField(torch.zeros(1, 2, 126, 9, 10), (63,), True, 9, 10)),
            "mine: the kernels have K = 63; a file holds those of up to 61",
        ),
        (
            dict(kernels=KernelField(torch.full((1, 2, 1, 9, 10), 1e7), (1,), False, 9, 10)),
            r"mine: the weights go from 1e\+07 to 1e\+07",
        ),
    ],
)
def test_what_could_not_be_read_is_not_saved(tmp_path, monkeypatch, change, sentence):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    burst = Burst(plain()["frames"])
    field = change.pop("kernels", KernelField.from_kernels(K))
    mine = Estimate(change.pop("image", burst.reference), field, "mine", 0.0)
    given = dict(file="a.npz", burst=burst, estimates=[mine]) | change
    with pytest.raises(ValueError, match=sentence):
        save_kernels(**given)
    assert [path.name for path in tmp_path.iterdir()] == ["fifo"]


def test_the_file_that_a_link_leads_to_is_replaced_and_keeps_its_mode(tmp_path):
    burst = Burst(plain()["frames"])
    kept, link = tmp_path / "kept.npz", tmp_path / "link.npz"
    kept.touch(0o600)
    link.symlink_to(kept)
    save_kernels(link, burst, Estimate.of(burst, KernelField.from_kernels(K)))
    assert link.is_symlink() and kept.stat().st_mode & 0o777 == 0o600
    assert "0/kernels" in np.load(kept)


def test_reading_ends_when_nobody_wants_it():
    def wanted():
        raise KeyboardInterrupt

    get_ready(LIMITS)
    with pytest.raises(FileError, match="own.npz: kernels holds weights that are not finite"):
        load(npz(**plain(kernels=NAN)))  # what the process says comes out of it
    get_ready(Limits(seconds=19))
    with pytest.raises(KeyboardInterrupt):
        load_kernels(("a.npz", _slow()), limits=Limits(seconds=19), wanted=wanted)


def _slow():
    """Half a gigabyte that packs to nothing is not read within the half second after which is asked."""
    file = io.BytesIO()
    np.savez_compressed(
        file, frames=np.zeros((2, 3000, 3000), np.float32), kernels=np.zeros((2, 1, 1, 3000, 3000))
    )
    return file.getvalue()


@pytest.mark.parametrize("case", range(60))
def test_mutated_files_are_read_or_refused(in_this_process, case):
    rng = np.random.default_rng([20, case])
    several = {
        "0/basis": np.ones((2, 2, 3, 3)),
        "0/coefficients": np.ones((2, 5, 5)),
        "0/scale": 2,
        "1/kernels": K,
    }
    frames = rng.random((2, 9, 10))
    try:
        burst, estimates = load(mutate(npz(frames=frames, read_std=0.1, shot_gain=0.01, **several), rng))
    except FileError as error:
        assert str(error).startswith("own.npz") and "\n" not in str(error)
    else:
        assert len(burst) and all(np.isfinite(estimate.image).all() for estimate in estimates)
