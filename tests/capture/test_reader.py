"""Oracle: arrays written here, and Pillow's own reading where it can."""

import dataclasses
import gc
import io
import os
import signal
import struct
import tempfile
import warnings
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter1d

from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, BurstRecipe, Misalignment, MovingObject, synthesize
from kpnviz.capture import reader
from kpnviz.capture.alignment import shift_of_smoothed
from kpnviz.capture.frame_stack import GRAY, FrameStack
from kpnviz.capture.from_files import read_burst
from kpnviz.capture.overviews import sharpness
from kpnviz.capture.own_burst import OwnBurst
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import files_of, get_ready, natural, read_frames
from kpnviz.capture.writer import write_burst
from kpnviz.color import LUMINANCE_WEIGHTS, luminance, srgb_decode
from kpnviz.limits import Limits
from kpnviz.noise import NoiseModel
from kpnviz.pictures import read_picture, write_png16, write_tiff
from kpnviz.ui import export

from .picture_makers import description, npz, pillow, samples, tiff, zipped

RNG = np.random.default_rng(0)
RGB16 = RNG.integers(0, 65536, (13, 21, 3), np.uint16)
RGB8 = RNG.integers(0, 256, (13, 21, 3), np.uint8)
ALL = (slice(None), slice(None))


def two(data, suffix="x"):
    return read_frames([(f"a.{suffix}", data), (f"b.{suffix}", data)])


@pytest.fixture(autouse=True)
def no_temporary_file_stays(tmp_path, monkeypatch):
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        write_png16(RGB16),
        write_tiff(RGB16),
        tiff(RGB16, photometric="rgb"),
        tiff(RGB16, photometric="rgb", byteorder=">"),
        tiff(RGB16, photometric="rgb", byteorder=">", compression="zlib"),
        tiff(RGB16, photometric="rgb", tile=(16, 16), compression="zlib"),
        tiff(RGB16, photometric="rgb", rowsperstrip=3),
    ],
)
def test_sixteen_bit_color_keeps_its_sixteen_bits(data):
    stack = two(data)
    assert stack.codes.dtype == np.uint16
    np.testing.assert_array_equal(stack.codes[1], RGB16.transpose(2, 0, 1))
    np.testing.assert_allclose(
        stack.light(0, 1, *ALL), srgb_decode(RGB16[..., 1] / 65535), rtol=1e-5, atol=1e-7
    )


def test_an_interlaced_png_of_16_bits():
    # Adam7 of a 2x1 picture: pixel 0 in the first pass, pixel 1 in the sixth, each a row with its filter byte.
    values = [[1, 513, 65535], [258, 772, 4660]]
    body = b"".join(b"\0" + struct.pack(">3H", *pixel) for pixel in values)
    data = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 1)
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(body)), (b"IEND", b"")):
        data += struct.pack(">I", len(content)) + kind + content
        data += struct.pack(">I", zlib.crc32(kind + content))
    assert read_picture("a", data, Limits()).codes[:, 0, :].T.tolist() == values


@pytest.mark.parametrize("kind", ["png", "png gray", "jpeg", "webp", "tiff", "png 16 gray"])
def test_pictures_are_decoded_as_pillow_does_and_taken_to_linear_light(kind):
    data = samples()[kind]
    with Image.open(io.BytesIO(data)) as file:
        expected = np.asarray(ImageOps.exif_transpose(file))
    expected = expected[..., None] if expected.ndim == 2 else expected
    stack = two(data)
    assert stack.encoded and "noise" in stack.notes[-1]
    top = 65535 if "16" in kind else 255
    for channel in range(stack.channels):
        linear = srgb_decode(expected[..., channel] / top)
        np.testing.assert_allclose(stack.light(1, channel, *ALL), linear, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_rotation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = pillow(RGB8, "PNG", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(two(data).codes[0], upright.transpose(2, 0, 1))


def test_gray_of_color_is_luminance_and_has_the_noise_of_it():
    stack = two(write_png16(RGB16))
    expected = luminance(srgb_decode(RGB16 / 65535))
    np.testing.assert_allclose(
        stack.light(0, GRAY, slice(2, 9), slice(3, 11)), expected[2:9, 3:11], rtol=1e-5
    )
    rows, columns = np.array([0, 5, 0]), np.array([7, 1])
    np.testing.assert_allclose(
        stack.light(0, GRAY, rows, columns), expected[np.ix_(rows, columns)], rtol=1e-5
    )
    noise = NoiseModel(0.03, 0.002)
    frames = np.full((2, 3, 200, 200), 0.4, np.float32)
    noisy = noise.add_to(frames, np.random.default_rng(0))
    gray = read_frames([("a.npz", npz(frames=noisy, read_std=noise.read_std, shot_gain=noise.shot_gain))])
    std = gray.channel_noise(GRAY).std_map(np.array([[0.4]]))[0, 0]
    assert gray.light(0, GRAY, *ALL).std() == pytest.approx(std, rel=0.02)
    assert std == pytest.approx(
        np.sqrt(sum(w * w for w in LUMINANCE_WEIGHTS)) * np.sqrt(0.03**2 + 0.002 * 0.4)
    )


def test_float_tiffs_are_linear():
    gray, color = RNG.normal(0.2, 0.3, (2, 9, 12)), RNG.normal(0.2, 0.3, (9, 12, 3))
    stack = read_frames([(str(i), tiff(frame.astype(np.float32))) for i, frame in enumerate(gray)])
    assert not stack.encoded and not stack.notes
    np.testing.assert_array_equal(stack.light(1, 0, *ALL), gray[1].astype(np.float32))
    data = tiff(color.astype(np.float32), photometric="rgb", compression="zlib")
    np.testing.assert_array_equal(two(data).codes[0], color.astype(np.float32).transpose(2, 0, 1))


def test_alpha_palettes_and_gray_with_alpha():
    opaque = np.concatenate([RGB8, np.full((13, 21, 1), 200, np.uint8)], axis=-1)
    stack = two(pillow(opaque, "PNG"))
    np.testing.assert_array_equal(stack.codes[0], RGB8.transpose(2, 0, 1))
    assert any("transparency" in note for note in stack.notes)
    picture = Image.fromarray(RGB8).quantize(16)
    file = io.BytesIO()
    picture.save(file, "PNG")
    stack = two(file.getvalue())
    np.testing.assert_array_equal(stack.codes[0], np.asarray(picture.convert("RGB")).transpose(2, 0, 1))
    assert any("palette" in note for note in stack.notes)
    gray = np.stack([RGB8[..., 0], RGB8[..., 1]], axis=-1)
    np.testing.assert_array_equal(two(pillow(gray, "PNG")).codes[0, 0], RGB8[..., 0])


def bilevel(format):
    file = io.BytesIO()
    Image.fromarray(RGB8[..., 0] > 99).save(file, format)
    return file.getvalue()


def with_nan():
    values = np.full((9, 9), 0.5, np.float32)
    values[3, 4] = np.nan
    return tiff(values)


@pytest.mark.parametrize(
    "data, sentence",
    [
        (b"", "b.x is empty"),
        (b"hello, world" * 9, "b.x is not a picture that can be read"),
        (b"GIF89a" + bytes(50), "b.x begins as a GIF and is incomplete or broken"),
        (pillow(RGB8, "JPEG")[:3], "b.x begins as a JPEG and is incomplete or broken"),
        (pillow(RGB8, "PNG")[:3], "b.x begins as a PNG and is incomplete or broken"),
        (tiff(RGB16, photometric="rgb")[:60], "b.x begins as a TIFF and is incomplete or broken"),
        (b"II*\0" + bytes(99), "b.x begins as a TIFF and is incomplete or broken"),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "b.x is a HEIC file that is incomplete or broken",
        ),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "b.x is a video"),
        (pillow(RGB8, "PNG")[:300], "b.x cannot be read"),
        (pillow(RGB8, "JPEG")[:500], "b.x cannot be read"),
        (pillow(RGB8, "WEBP")[:80], "b.x"),
        (write_png16(RGB16)[:300], "b.x cannot be read"),
        (tiff(RGB16, photometric="rgb")[:500], "b.x cannot be read"),
        (bilevel("PNG"), "b.x has 1 bit a pixel"),
        (bilevel("TIFF"), "b.x has 1 bit a pixel"),
        (tiff(np.zeros((8, 8, 4), np.uint8), photometric="separated"), "b.x is CMYK"),
        (with_nan(), "b.x holds a value that is not finite (NaN or infinity), at row 3, column 4"),
        (
            tiff(np.full((8, 8, 3), np.inf, np.float32), photometric="rgb"),
            "b.x holds values that are not finite",
        ),
        (tiff(np.zeros((8, 8), np.complex64)), "b.x has complex values"),
        (pillow(RGB8[:9], "PNG"), "b.x has 21x9 pixels and a.png has 21x13"),
        (pillow(RGB8[..., 0], "PNG"), "b.x is another kind of picture than a.png: gray, not color"),
        (write_png16(RGB16), "b.x is another kind of picture than a.png: 16 bits, not 8 bits"),
    ],
)
def test_what_is_no_frame_is_refused_in_one_sentence(data, sentence):
    with pytest.raises(ValueError) as refusal:
        read_frames([("a.png", pillow(RGB8, "PNG")), ("../tmp/b.x", data)])
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def huge_png(width, height):
    data = bytearray(pillow(RGB8, "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def test_limits_are_checked_before_anything_is_decoded():
    for size in ((8000, 4001), (2**31 - 1, 2**31 - 1), (70000, 70000)):
        with pytest.raises(ValueError, match="a.png .*(megapixels|too many pixels|cannot be read)"):
            read_frames([("a.png", huge_png(*size))])
    data = pillow(RGB8, "PNG")
    with pytest.raises(ValueError, match="b.png takes the files beyond 0.001 MB"):
        read_frames([("a.png", data), ("b.png", data)], Limits(total_bytes=1000))
    with pytest.raises(ValueError, match="c.png takes the frames beyond 0.0006 megapixels"):
        read_frames([(f"{n}.png", data) for n in "abc"], Limits(total_pixels=600))
    with pytest.raises(ValueError, match="a.png has 21x13 pixels; the limit is 0.0001 megapixels"):
        read_frames([("a.png", data)], Limits(pixels=100))
    with pytest.raises(ValueError, match="there are no frames"):
        read_frames([])
    assert len(read_frames([(f"{i}.png", data) for i in range(32)])) == 32


def test_of_too_many_files_the_first_are_read():
    data = pillow(RGB8, "PNG")
    for count in (33, 40):
        files = [(f"{i}.png", data) for i in range(count)]
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            for name, one in files:
                archive.writestr(name, one)
        # Files that are not read count to no limit.
        for given in (files, iter(files), [("a.zip", zipped.getvalue())]):
            limits = Limits(total_bytes=36 * len(data) + len(zipped.getvalue()))
            stack = read_frames(given, limits if given is files else None)
            assert [name.removeprefix("a.zip/") for name in stack.names] == [name for name, _ in files[:32]]
            sentence = f"Of {count} files the first 32 are read; a burst has up to 32 (KPNVIZ_MAX_FRAMES)."
            assert sentence in stack.notes


def test_limits_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("KPNVIZ_MAX_MEGAPIXELS", "0.0001")
    with pytest.raises(ValueError, match="limit is 0.0001 megapixels"):
        two(pillow(RGB8, "PNG"))
    monkeypatch.setenv("KPNVIZ_MAX_MEGAPIXELS", "many")
    with pytest.raises(ValueError, match="KPNVIZ_MAX_MEGAPIXELS is 'many'"):
        two(pillow(RGB8, "PNG"))


def test_zips():
    frames = [(f"../../etc/f{i}.png", pillow(RGB8, "PNG")) for i in (10, 2)]
    extra = [("__MACOSX/._f2.png", b"junk"), ("folder/.DS_Store", b"junk"), ("folder/", b"")]
    stack = read_frames([("burst.zip", zipped(frames + extra))])
    assert stack.names == ("burst.zip/f2.png", "burst.zip/f10.png")
    with pytest.raises(ValueError, match="in.zip is a ZIP in a ZIP"):
        read_frames([("out.zip", zipped([("in.zip", zipped(frames))]))])
    with pytest.raises(ValueError, match="e.zip holds no files"):
        read_frames([("e.zip", zipped([]))])
    bomb = zipped([("zeros.png", bytes(3_000_000))])
    assert len(bomb) < 10_000
    with pytest.raises(ValueError, match="bomb.zip unpacks to more than 1 MB"):
        read_frames([("bomb.zip", bomb)], Limits(total_bytes=1_000_000))
    # Two that are allowed one by one, and not together.
    padded = [(f"{i}.png", pillow(RGB8, "PNG") + bytes(600_000)) for i in range(2)]
    assert len(read_frames([("pair.zip", zipped(padded))])) == 2
    with pytest.raises(ValueError, match="pair.zip unpacks to more than 1 MB"):
        read_frames([("pair.zip", zipped(padded))], Limits(total_bytes=1_000_000))
    # A directory that understates the size: what is unpacked is bounded by what it says.
    lying = bytearray(bomb)
    place = lying.rindex(b"PK\1\2")
    lying[place + 24 : place + 28] = struct.pack("<I", 100)
    with pytest.raises(ValueError, match="bomb.zip"):
        read_frames([("bomb.zip", bytes(lying))], Limits(total_bytes=1_000_000))
    locked = bytearray(zipped(frames))
    place = locked.index(b"PK\1\2")
    locked[place + 8] |= 1
    with pytest.raises(ValueError, match="is encrypted"):
        read_frames([("locked.zip", bytes(locked))])
    with pytest.raises(ValueError, match="cut.zip is a ZIP that cannot be read"):
        read_frames([("cut.zip", zipped(frames)[:200])])


def test_npz_of_kpnviz():
    burst = synthesize(BurstRecipe("dog", crop=(0, 0, 20, 30)))
    arrays = dict(frames=burst.frames, read_std=burst.noise.read_std, shot_gain=burst.noise.shot_gain)
    stack = read_frames([("b.npz", npz(**arrays, truth=burst.truth, shifts=burst.shifts))])
    np.testing.assert_array_equal(stack.codes[list(stack.places), 0], burst.frames)
    np.testing.assert_array_equal(stack.truth(0, *ALL), burst.truth)
    np.testing.assert_array_equal(stack.shifts, burst.shifts)
    assert stack.noise == (burst.noise,) and stack.known
    for changes, sentence in [
        (dict(frames=np.zeros((3, 4, 4), np.int8)), "b.npz: frames has dtype int8"),
        (dict(frames=np.full((3, 4, 4), np.nan)), "not finite"),
        (dict(frames=np.array([{}], dtype=object)), "b.npz: frames holds Python objects"),
        (dict(read_std=-1.0), "b.npz: noise"),
        (dict(shifts=np.zeros(3)), "b.npz: shifts"),
        (dict(truth=np.zeros(1)), "b.npz: truth does not fit"),
        (dict(white_level=0.0), "b.npz: white_level is 0.0; it is a number above 0"),
        (dict(white_level=np.zeros(2)), "b.npz: white_level"),
        (dict(moving_mask=np.zeros((1, 5, 5))), "b.npz: moving_mask and moving_shifts do not fit the frames"),
        (
            dict(moving_mask=np.zeros((1, 20, 30))),
            "b.npz: moving_mask and moving_shifts do not fit the frames",
        ),
        (
            dict(moving_mask=np.full((1, 20, 30), 2.0), moving_shifts=np.zeros((1, 8, 2))),
            "b.npz: moving_mask holds values beyond 0 to 1",
        ),
        (dict(recipe="{"), "b.npz: recipe is not that of a burst"),
        (dict(recipe='{"photo": "dog", "seed": -1}'), "b.npz: recipe is not that of a burst: seed is -1"),
        (dict(recipe='{"seed": 1, "grain": 2}'), "b.npz: recipe is not that of a burst"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            read_frames([("b.npz", npz(**(arrays | changes)))])
    data = npz(**arrays)
    with pytest.raises(ValueError, match="comes beside"):
        read_frames([("b.npz", data), ("c.npz", data)])
    with pytest.raises(ValueError, match="unpacks to more than"):
        read_frames([("b.npz", npz(frames=np.zeros((2, 500, 500))))], Limits(total_bytes=100_000))


def moving(objects, side=50):
    return dict(
        frames=np.zeros((2, side, side), np.float16) + 0.5,
        moving_mask=np.zeros((objects, side, side), bool),
        moving_shifts=np.zeros((objects, 2, 2), np.int8),
    )


def test_what_an_npz_holds_counts_as_it_is_kept():
    """A mask of one bit a pixel packs to nothing, and is 4 bytes a pixel."""
    stack = read_frames([("b.npz", npz(**moving(8)))], Limits(total_bytes=101_000))
    assert stack.moving_mask.shape == (8, 50, 50)
    # It stays on disk: nothing of it is copied.
    on_disk = np.frombuffer(stack.mapping, np.float32)
    assert np.shares_memory(stack.moving_mask, on_disk) and np.shares_memory(stack.codes, on_disk)
    with pytest.raises(
        ValueError, match="b.npz: moving_mask takes the burst beyond 0.0999 MB, the limit in all"
    ):
        read_frames([("b.npz", npz(**moving(8)))], Limits(total_bytes=99_900))
    with pytest.raises(ValueError, match="b.npz: truth takes the burst beyond"):
        arrays = dict(frames=moving(1)["frames"], truth=np.zeros((50, 50), np.float16))
        read_frames([("b.npz", npz(**arrays))], Limits(total_bytes=29_900))
    with pytest.raises(ValueError, match="b.npz has 9 moving objects; a burst has up to 8"):
        read_frames([("b.npz", npz(**moving(9)))])


@pytest.mark.parametrize("color", [False, True])
def test_a_written_burst_comes_back(tmp_path, color):
    noise = NoiseModel.for_gain(8)
    recipe = BurstRecipe("city", (5, 7, 33, 41), noise, white_level=0.5, seed=2, color=color)
    burst = synthesize(recipe)
    planes = burst.frames if color else burst.frames[:, None]
    metadata = write_burst(tmp_path / "burst", burst)
    step = 1 / (metadata["white_code"] - metadata["black_code"])
    assert step < 5e-5
    for given in ([tmp_path / "burst"], sorted((tmp_path / "burst").glob("*.png"))):
        stack = read_frames(files_of(given))
        assert stack.known and stack.noise == (recipe.noise,) * planes.shape[1] and not stack.notes
        np.testing.assert_array_equal(stack.shifts, burst.shifts)
        assert stack.white_level == 0.5 and stack.recipe == recipe
        assert burst.frames.min() < -0.1  # noise below zero survives
        for c in range(planes.shape[1]):
            for i in range(8):
                np.testing.assert_allclose(stack.light(i, c, *ALL), planes[i, c], atol=0.51 * step)
            truth = burst.truth[c] if color else burst.truth
            np.testing.assert_allclose(stack.truth(c, *ALL), truth, atol=0.51 * step)
    read = read_burst(tmp_path / "burst", color=True)
    np.testing.assert_allclose(read.frames, burst.frames, atol=0.51 * step)
    np.testing.assert_allclose(read.truth, burst.truth, atol=0.51 * step)
    assert (read.noise, read.recipe, read.white_level) == (recipe.noise, recipe, 0.5)


def test_a_burst_without_noise_comes_back_without(tmp_path):
    burst = Burst(np.random.default_rng(0).random((2, 3, 20, 24), dtype=np.float32))
    assert write_burst(tmp_path / "b", burst)["noise"] is None
    assert read_frames(files_of([tmp_path / "b"])).noise is None


def test_channels_of_color_files_have_their_own_noise():
    """As camera raws state it; a network is shown R, G and B with all three."""
    codes = np.random.default_rng(0).random((4, 3, 20, 24), dtype=np.float32)
    noises = tuple(NoiseModel(r, r / 10) for r in (0.01, 0.02, 0.04))
    stack = FrameStack(codes, (0, 1, 2), tuple("abc"), noise=noises, known=True, truth_place=3)
    view = prepare(stack).color(noises)
    burst = view.crop(2, 3, 10, 11)
    np.testing.assert_array_equal(burst.frames, codes[:3, :, 2:12, 3:14])
    np.testing.assert_array_equal(burst.truth, codes[3, :, 2:12, 3:14])
    assert burst.noise == view.channel_noises("a test") == noises and burst.channel(2).noise == noises[2]
    with pytest.raises(ValueError, match="the files are gray"):
        prepare(FrameStack(codes[:, :1], (0, 1, 2), tuple("abc"))).color(noises)


def test_a_channel_of_color_has_no_recipe():
    """The recipe makes a burst of luminance: from it one would get other frames than these."""
    recipe = BurstRecipe("city", crop=(5, 7, 33, 41))
    for count, kept in ((1, recipe), (3, None)):
        frames = synthesize(dataclasses.replace(recipe, color=count == 3)).frames
        codes = frames.reshape(8, count, 33, 41)
        stack = FrameStack(codes, tuple(range(8)), tuple("abcdefgh"), known=True, recipe=recipe)
        assert prepare(stack).channel(count - 1, recipe.noise).crop(0, 0, 33, 41).recipe == kept


def test_color_channels_have_noise_of_their_own():
    burst = synthesize(BurstRecipe("dog", crop=(0, 0, 64, 64), color=True))
    noise = burst.frames[0] - burst.truth
    assert abs(np.corrcoef([n.ravel() for n in noise])[np.triu_indices(3, 1)]).max() < 0.1


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (dict(format="x"), 'does not say "format"'),
        (dict(frames="a.png"), "does not list the names"),
        (dict(frames=["a.png", "a.png"]), "lists a frame twice"),
        (dict(black_code=9, white_code=9), "black_code and white_code"),
        (dict(white_code=float("nan")), "black_code and white_code"),
        (dict(black_code="0"), "takes|black|frames"),
        (dict(white_level=0), "burst.json: white_level is 0; it is a number above 0"),
        (dict(noise=[{"read_std": -1, "shot_gain": 0}] * 3), "is not one"),
        (dict(noise=[{"read_std": 1, "shot_gain": 0}]), "noise of 1 channels; the frames have 3"),
        (dict(noise=3), "noise is not a list"),
        (dict(shifts=[[0, 0]]), "shifts are not"),
        (dict(frames=["a.png", "c.png"]), "b.png is not named in burst.json"),
        (dict(frames=["c.png", "a.png", "b.png"]), "c.png, the reference of burst.json, is missing"),
    ],
)
def test_burst_json_is_not_believed_blindly(changes, sentence):
    frames = [(name, write_png16(RGB16)) for name in ("a.png", "b.png")]
    good = read_frames([("burst.json", description(["a.png", "b.png"])), *frames])
    np.testing.assert_allclose(good.light(0, 2, *ALL), (RGB16[..., 2] - 1000.0) / 60000, rtol=1e-5, atol=1e-7)
    if changes == dict(black_code="0"):  # a number as text is one
        return
    with pytest.raises(ValueError, match=sentence):
        read_frames([*frames, ("burst.json", description(**{"frames": ["a.png", "b.png"], **changes}))])


def test_a_burst_of_the_first_format_is_still_read():
    """There, black_level and white_level were the codes."""
    frames = [(name, write_png16(RGB16)) for name in ("a.png", "b.png")]
    codes = {"black_level": 1000, "white_level": 61000, "black_code": None, "white_code": None}
    stack = read_frames(
        [("burst.json", description(["a.png", "b.png"], format="kpnviz burst 1", **codes)), *frames]
    )
    assert stack.levels == (1000, 61000) and stack.white_level == 1


def test_metadata_that_is_no_json():
    for data in (b"{", b"[" * 100_000, b"\xff\xfe", b'"x"'):
        with pytest.raises(ValueError, match="burst.json"):
            read_frames([("burst.json", data)])


def test_pages_that_are_let_go_come_back(monkeypatch):
    monkeypatch.setattr("kpnviz.capture.frame_stack._RESIDENT_BYTES", 0)
    stack = two(write_png16(RGB16))
    for _ in range(2):
        expected = srgb_decode(RGB16[..., 2] / 65535)
        np.testing.assert_allclose(stack.light(1, 2, *ALL), expected, rtol=1e-5, atol=1e-7)


def test_the_temporary_file_has_no_name_and_is_closed(tmp_path):
    gc.collect()
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    stack = two(pillow(RGB8, "PNG"))
    assert stack.mapping is not None and not stack.codes.flags.writeable
    assert list((tmp_path / "tmp").iterdir()) == []
    stack.light(0, 0, *ALL)
    del stack
    gc.collect()
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_names_with_numbers_are_in_their_order(tmp_path):
    assert sorted(["f10", "f2", "a", "f1b"], key=natural) == ["a", "f1b", "f2", "f10"]
    for name in ("f10.png", "f2.png", ".hidden"):
        (tmp_path / name).write_bytes(pillow(RGB8, "PNG"))
    assert [name for name, _ in files_of([tmp_path])] == ["f2.png", "f10.png"]


def test_two_folders_or_zips_are_two_bursts(tmp_path):
    frames = [(f"{i}.png", pillow(np.roll(RGB8, i, 0), "PNG")) for i in range(2)]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for name, data in frames:
            (tmp_path / folder / name).write_bytes(data)
    one, two = tmp_path / "one", tmp_path / "two"
    for given in ([one, two], [one, two / "0.png"], [two / "0.png", one]):
        with pytest.raises(
            ValueError, match="is a folder, which is a burst of its own; give one folder, or files"
        ):
            read_burst(given)
    for given in ([one / "0.png", two / "1.png"], [one]):
        assert len(read_frames(files_of(given))) == 2
    pair = ("a.zip", zipped(frames))
    with pytest.raises(ValueError, match="b.zip comes beside another ZIP; give one burst at a time"):
        read_frames([pair, ("b.zip", zipped(frames))])
    described = ("burst.json", description(frames=["1.png", "0.png"]))
    for given in ([pair, described], [described, pair]):
        assert read_frames(given).names == ("a.zip/1.png", "a.zip/0.png")


def as_stack(frames):
    frames = np.asarray(frames, np.float32)
    return read_frames([("burst.npz", npz(frames=frames, white_level=1.0))])


MOVING = (
    MovingObject("girl", (9, 20), 12, (0.5, -1.5), ((0.1, 2.0), (0.05, 1.0)), 2.0),
    MovingObject("city", (20, 9), 10, (1.0, 0.0)),
)


@pytest.mark.parametrize(
    "recipe",
    [
        BurstRecipe("dog", (0, 0, 21, 30), NoiseModel.for_gain(4), white_level=0.2, seed=5),
        BurstRecipe(
            "dog", None, NoiseModel(0.01, 0.0), frames=3, shifts=((0, 0), (1, -2), (3, 4)), reduction=8
        ),
        BurstRecipe(
            "dog",
            (9, 9, 30, 33),
            misalignment=Misalignment(subpixel=True),
            moving=MOVING,
            frames=5,
            white_level=0.7,
        ),
        BurstRecipe("dog", (9, 9, 30, 33), moving=MOVING[0], frames=13),
    ],
)
def test_an_exported_burst_comes_back_exactly(tmp_path, recipe):
    burst = synthesize(recipe)
    (tmp_path / "b.npz").write_bytes(export.npz(burst, []))
    read = read_burst(tmp_path / "b.npz")
    for name in ("frames", "truth", "shifts", "moving_mask", "moving_shifts"):
        expected, found = getattr(burst, name), getattr(read, name)
        assert (expected is None) == (found is None), name
        np.testing.assert_array_equal(found, expected, err_msg=name)
        assert expected is None or found.dtype == expected.dtype, name
    assert (read.noise, read.white_level, read.recipe) == (burst.noise, burst.white_level, burst.recipe)
    score = psnr(burst.mean, burst.truth, burst.white_level)
    assert psnr(read.mean, read.truth, read.white_level) == score


def test_a_part_of_a_burst_takes_its_part_of_what_is_known():
    burst = synthesize(BurstRecipe("dog", (9, 9, 30, 33), moving=MOVING, frames=5, white_level=0.7))
    own = prepare(read_frames([("b.npz", export.npz(burst, []))]), frames=3)
    part = own.channel(0, burst.noise).crop(4, 6, 20, 22)
    assert own.order[0] == 0 and part.white_level == 0.7 and part.recipe is None
    np.testing.assert_array_equal(part.moving_mask, burst.moving_mask[:, 4:24, 6:28])
    np.testing.assert_array_equal(part.moving_shifts, burst.moving_shifts[:, own.order])
    np.testing.assert_array_equal(part.shifts, burst.shifts[list(own.order)])


def test_read_burst_gives_what_a_network_takes(tmp_path):
    recipe = BurstRecipe("dog", crop=(60, 60, 96, 96), noise=NoiseModel(0.02, 0.004), seed=3)
    burst = synthesize(recipe)
    write_burst(tmp_path, burst)
    read = read_burst(tmp_path)
    np.testing.assert_allclose(read.frames, burst.frames, atol=1e-4)
    np.testing.assert_allclose(read.truth, burst.truth, atol=1e-4)
    np.testing.assert_array_equal(read.shifts, burst.shifts)
    assert read.noise == burst.noise
    assert len(read_burst([tmp_path / "frame_00.png", tmp_path / "frame_03.png"], frames=4)) == 4
    assert read_burst(str(tmp_path), noise=NoiseModel(0.5, 0)).noise.read_std == 0.5
    (
        tmp_path / "burst.json"
    ).unlink()  # nobody states the noise: it is estimated, of codes that are not light
    assert read_burst(sorted(tmp_path.glob("frame_*"))).noise != burst.noise
    with pytest.raises(ValueError, match="channel is 1; the files have 1, counted from 0"):
        read_burst(tmp_path, channel=1)
    with pytest.raises(ValueError, match="nowhere: there is no such file or folder"):
        read_burst("nowhere")


def test_the_truth_of_a_written_burst_is_known_however_its_frames_are_named(tmp_path):
    recipe = BurstRecipe("dog", crop=(60, 60, 64, 72), seed=3)
    gray, colors = synthesize(recipe), synthesize(dataclasses.replace(recipe, color=True))
    for name, burst in (("gray", gray), ("color", colors)):
        write_burst(tmp_path / name, burst)
        # Of the luminance of color frames, the luminance of the truth.
        expected = burst.truth if name == "gray" else np.tensordot(LUMINANCE_WEIGHTS, burst.truth, 1)
        frames = sorted((tmp_path / name).glob("frame_*.png"))
        for files in (tmp_path / name, [*frames, tmp_path / name / "truth.png"], frames, frames[:3]):
            np.testing.assert_allclose(read_burst(files).truth, expected, atol=2e-5)
    np.testing.assert_allclose(read_burst(tmp_path / "color", channel=2).truth, colors.truth[2], atol=2e-5)
    # Without it, or with a burst.json that names what lies elsewhere, there is none.
    (tmp_path / "elsewhere.png").write_bytes((tmp_path / "gray" / "truth.png").read_bytes())
    metadata = tmp_path / "gray" / "burst.json"
    metadata.write_text(metadata.read_text().replace('"truth.png"', '"../elsewhere.png"'))
    (tmp_path / "gray" / "truth.png").unlink()
    assert read_burst(tmp_path / "gray").truth is None


def test_few_frames_are_repeated_and_of_many_the_sharpest_are_taken():
    from scipy.ndimage import gaussian_filter

    burst = synthesize(
        BurstRecipe(
            "dog", crop=(40, 40, 96, 96), frames=10, shifts=((0, 0),) * 10, noise=NoiseModel(0.001, 1e-4)
        )
    )
    frames = np.stack([gaussian_filter(f, 1 + 0.5 * i) for i, f in enumerate(burst.frames)])
    assert np.all(np.diff([sharpness(f) for f in frames]) < 0)
    stack = as_stack(frames[[5, 0, 9, 4, 3, 2, 1, 8, 7, 6]])
    assert prepare(stack).order == tuple(range(10)) and "left out" not in prepare(stack).report
    own = prepare(stack, frames=8)
    assert own.reference == 0 and "as given" in own.report
    object.__setattr__(stack, "known", False)
    own = prepare(stack, frames=8)
    assert own.order == prepare(stack).taking(8).order
    assert own.order == (
        1,
        0,
        3,
        4,
        5,
        6,
        8,
        9,
    )  # the sharpest first, the two most blurred (2 and 7) left out
    sentence = "Left out, as 8 frames are used, the sharpest that were found: burst.npz, frame 2, burst.npz, frame 7."
    assert sentence in own.report and own.left_out_notes == [sentence]
    few = prepare(as_stack(burst.frames[:3]), frames=8)
    assert few.order == (0, 1, 2, 1, 2, 1, 2, 1) and "5 places repeat" in few.report
    assert prepare(stack, frames=1).order == (1,)
    with pytest.raises(ValueError, match="frames is 0"):
        prepare(stack, frames=0)


def test_large_shifts_are_undone_and_small_ones_left_to_the_kernels():
    shifts = ((0, 0), (1, -2), (9, -7), (0, 3.5))
    recipe = BurstRecipe(
        "city", crop=(60, 60, 120, 120), frames=4, shifts=shifts, noise=NoiseModel(0.01, 1e-4)
    )
    burst = synthesize(recipe)
    own: OwnBurst = prepare(as_stack(burst.frames), frames=4, align=True)
    np.testing.assert_allclose([shift.measured for shift in own.shifts], shifts, atol=0.1)
    assert [shift.undone for shift in own.shifts[:3]] == [(0, 0), (0, 0), (9, -7)]
    assert own.shifts[3].undone in ((0, 3), (0, 4))  # whole pixels; half a pixel is left to the kernels
    assert str(own.shifts[2]) == "shift dy +9.0, dx −7.0 px, undone"
    window = own.channel(0, recipe.noise).window(slice(20, 100), slice(20, 100))
    np.testing.assert_array_equal(window[2], burst.frames[2, 29:109, 13:93])
    assert np.abs(window[2] - window[0]).mean() < 0.02
    # Beyond the edge: the reflection, as everywhere in kpnviz.
    corner = own.channel(0, recipe.noise).window(slice(0, 5), slice(0, 9))
    padded = np.pad(burst.frames[2], 12, mode="reflect")
    np.testing.assert_array_equal(corner[2], padded[12 + 9 : 12 + 14, 12 - 7 : 12 + 2])
    assert not any(any(shift.undone) for shift in prepare(as_stack(burst.frames), frames=4).shifts)


def test_large_pictures_are_aligned_from_coarse_to_fine(monkeypatch):
    monkeypatch.setattr("kpnviz.capture.overviews._OVERVIEW_PIXELS", 10_000)
    shifts = ((0, 0), (13, -6), (-11, 15))
    burst = synthesize(BurstRecipe("city", frames=3, shifts=shifts, noise=NoiseModel.for_gain(2)))
    found = prepare(as_stack(burst.frames), frames=3, align=True).shifts
    np.testing.assert_allclose([shift.measured for shift in found], shifts, atol=0.25)


@pytest.mark.parametrize("tall", [False, True])
@pytest.mark.parametrize("rows", [1, 5])
def test_thin_pictures_are_aligned_on_few_pixels(monkeypatch, rows, tall):
    """An overview whose reduction ended at the shorter side was 31 megapixels of a picture of 31,000,000 x 1."""
    most = 20_000
    monkeypatch.setattr("kpnviz.capture.overviews._OVERVIEW_PIXELS", most)
    monkeypatch.setattr("kpnviz.capture.overviews._PART_PIXELS", most)
    rng = np.random.default_rng(rows)
    scene = gaussian_filter1d(rng.random((rows, 200_050)), 3, axis=1).astype(np.float32)
    frames = np.stack([scene[:, 50:], scene[:, 9:-41]])[:, None]  # what lay at x lies at x + 41
    stack = as_stack(np.swapaxes(frames, 2, 3)[:, 0] if tall else frames[:, 0])
    read, compared, light, find = [], [], FrameStack.light, shift_of_smoothed

    def count_read(self, *args):
        read.append(light(self, *args))
        return read[-1]

    def count_compared(a, b, *args, **more):
        compared.append(a.size)
        return find(a, b, *args, **more)

    monkeypatch.setattr(FrameStack, "light", count_read)
    monkeypatch.setattr("kpnviz.capture.pairs.shift_of_smoothed", count_compared)
    own = prepare(stack, align=True)
    assert max(part.size for part in read) <= most and max(compared) <= most
    along = [shift.measured[0 if tall else 1] for shift in own.shifts]
    assert abs(abs(along[1 - own.reference]) - 41) < 1 and along[own.reference] == 0


def test_what_nobody_waits_for_ends():
    class LeftError(Exception):
        pass

    calls = []

    def leave():
        calls.append(1)
        if len(calls) == 5:
            raise LeftError

    burst = synthesize(BurstRecipe("city", crop=(60, 60, 80, 80), frames=6))
    with pytest.raises(LeftError):
        prepare(as_stack(burst.frames), between=leave)
    own = prepare(as_stack(burst.frames))
    calls.clear()
    with pytest.raises(LeftError):
        for _ in range(5):
            own.estimate_noise(between=leave)
    assert len(calls) == 5


@pytest.mark.reader
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process cannot be stopped here")
def test_reading_ends_when_nobody_waits_for_it():
    class LeftError(Exception):
        pass

    def leave():
        raise LeftError

    files = [("a.png", write_png16(RGB16)), ("b.png", write_png16(RGB16))]
    limits = Limits(readers=1, seconds=19)
    get_ready(limits)
    child = reader._spare[0].process
    os.kill(child.pid, signal.SIGSTOP)  # it would be read for ever
    with pytest.raises(LeftError):
        read_frames(files, limits, wanted=leave)
    assert child.poll() is not None
    # Those who wait for a place may leave too, and take none.
    with reader._turn(1, leave), pytest.raises(LeftError):
        read_frames(files, limits, wanted=leave)
    assert len(read_frames(files, limits)) == 2


def test_a_frame_that_is_not_found_is_left_out_where_frames_are_aligned():
    recipe = BurstRecipe("city", crop=(60, 60, 120, 120), frames=5, noise=NoiseModel.for_gain(1))
    frames = synthesize(recipe).frames.copy()
    frames[3] = synthesize(dataclasses.replace(recipe, photo="dog")).frames[0]
    stack = as_stack(frames)
    object.__setattr__(stack, "known", False)
    own = prepare(stack, frames=5, align=True)
    lost = [i for i, shift in enumerate(own.shifts) if shift.measured is None]
    assert own.reference != 3
    assert lost == [3] and own.shifts[3].undone == (0, 0) and 3 not in own.order and len(own.order) == 5
    assert str(own.shifts[3]) == "shift not found"
    assert "another scene, or turned or zoomed too far): burst.npz, frame 3." in own.report
    assert own.estimate_noise().frames == 4
    # Where nothing is aligned, all are used as they are.
    own = prepare(stack, frames=5, align=False)
    assert 3 in own.order and "No shift was found for burst.npz, frame 3: it is used unshifted" in own.report
    window = own.channel(0, recipe.noise).window(slice(0, 120), slice(0, 120))
    np.testing.assert_array_equal(window[own.order.index(3)], frames[3])
    two = as_stack(frames[[0, 3]])
    with pytest.raises(ValueError, match="noise: no frame could be aligned with the reference"):
        prepare(two).estimate_noise()


@pytest.mark.parametrize("count", [2, 3, 8, 13, 32])
def test_any_number_of_frames_is_used(count):
    burst = synthesize(BurstRecipe("dog", crop=(40, 40, 64, 64), frames=count, noise=NoiseModel.for_gain(2)))
    own = prepare(as_stack(burst.frames))
    assert sorted(own.order) == list(range(count)) and len(own.shifts) == count
    view = own.channel(GRAY, burst.noise)
    assert len(view) == count and view.window(slice(0, 9), slice(0, 9)).shape == (count, 9, 9)
    # Of 32 frames one is shifted by 12 pixels: without it more of this small picture is shown by all others.
    assert own.estimate_noise().frames == (31 if count == 32 else count)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("notes.docx", b"PK\3\4junk", "notes.docx is a ZIP that cannot be read"),
        ("a.zip", zipped([("a.png", b"")])[:40], "a.zip is a ZIP that cannot be read"),
        ("a.npz", npz(frames=np.zeros((2, 9, 9)))[:200], "a.npz is a ZIP that cannot be read"),
        (
            "b.docx",
            zipped([("[Content_Types].xml", b""), ("word/document.xml", b"")]),
            "b.docx is a document",
        ),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_a_zip_that_cannot_be_read_is_left_out_as_other_files_are(name, data, why, first):
    frames = [(f"{i}.png", pillow(RGB8, "PNG")) for i in range(2)]
    stack = read_frames([(name, data), *frames] if first else [*frames, (name, data)])
    assert len(stack) == 2 and any(f"Left out, as it cannot be read: {why}" in note for note in stack.notes)
    with pytest.raises(ValueError, match=why):
        read_frames([(name, data)])


def test_tiffs_of_tifffile_have_the_pixels_that_tifffile_reads():
    data = write_tiff(RGB16)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(data)), RGB16)
    with Image.open(io.BytesIO(write_png16(RGB16))) as file:
        np.testing.assert_array_equal(np.asarray(file), RGB16 >> 8)


def test_read_burst_warns_of_frames_that_are_left_out(tmp_path):
    frames = np.random.default_rng(0).random((4, 24, 24)).astype(np.float32)
    frames[2, 3, 4] = np.inf
    for i, frame in enumerate(frames):
        np.save(tmp_path / f"{i}.npy", frame)
    with pytest.warns(
        UserWarning, match="Left out, as it cannot be read: 2.npy holds a value that is not finite"
    ):
        assert len(read_burst(tmp_path, align=False).frames) == 3


def test_read_burst_warns_once_of_all_that_is_left_out_and_keeps_it_as_notes(tmp_path):
    recipe = BurstRecipe("city", crop=(60, 60, 120, 120), frames=5, noise=NoiseModel.for_gain(1))
    frames = synthesize(recipe).frames.copy()
    frames[2] = np.nan
    frames[3] = synthesize(dataclasses.replace(recipe, photo="dog")).frames[0]
    for i, frame in enumerate(frames):
        np.save(tmp_path / f"{i}.npy", frame)
    with pytest.warns(UserWarning) as warned:
        burst = read_burst(tmp_path, noise=NoiseModel(0.08, 0.0025))
    assert len(burst) == 3 and len(warned) == 1
    sentences = str(warned[0].message)
    assert "it cannot be read: 2.npy holds" in sentences and "not found in the reference" in sentences
    assert "zoomed too far): 3.npy." in sentences and warned[0].filename == __file__
    notes = " ".join(burst.gray().notes)
    assert "2.npy holds" in notes and "zoomed too far): 3.npy." in notes and "The reference is" in notes
    assert "times as strong as is stated (given): they show read_std 0.0" in notes
    assert "too smooth, take these." in notes and synthesize(recipe).notes == ()
    # What was asked for is no surprise.
    for i in (2, 3):
        (tmp_path / f"{i}.npy").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        two = read_burst(tmp_path, frames=2)
    assert "2 frames are used, the sharpest" in " ".join(two.notes) and "as is stated" not in " ".join(
        two.notes
    )


def test_overexposed_frames_are_not_taken_for_those_of_a_covered_lens():
    rng = np.random.default_rng(0)
    white = np.minimum(1 + 0.03 * rng.standard_normal((3, 64, 80)), 1)
    dark = 0.002 + 0.01 * rng.standard_normal((3, 64, 80))
    for light, said in (
        (white, "Much of the frames is at white"),
        (dark, "nothing but noise, as with the cap"),
    ):
        stack = FrameStack(light.astype(np.float32)[:, None], (0, 1, 2), ("a", "b", "c"))
        report = prepare(stack).report
        assert said in report and "Left out" not in report
