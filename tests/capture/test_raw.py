"""Oracle: DNGs made here, whose mosaics, levels and noise are known; rawpy and LibRaw open them."""

import importlib.machinery
import io
import struct
import sys
import types

import numpy as np
import pytest
import tifffile

from kpnviz.capture.frame_stack import GRAY
from kpnviz.capture.prepare import prepare
from kpnviz.capture.raw import _planes, _Said, kind_of, read_raw
from kpnviz.capture.reader import read_frames
from kpnviz.limits import FileError, Limits
from kpnviz.noise import NoiseModel

from .picture_makers import (
    BLACK,
    NOISE_PROFILE,
    WHITE,
    dng,
    linear_dng,
    monochrome_dng,
    pillow,
    tiff,
)

LIMITS = Limits()
H, W = 96, 128
SPAN = WHITE - BLACK


def mosaic(seed=0):
    return np.random.default_rng(seed).integers(BLACK - 60, WHITE + 1, (H, W)).astype(np.uint16)


def planes_of(codes):
    linear = (codes.astype(np.float64) - BLACK) / SPAN
    greens = (linear[0::2, 1::2] + linear[1::2, 0::2]) / 2
    return np.stack([linear[0::2, 0::2], greens, linear[1::2, 1::2]])


def test_planes_levels_and_noise_of_a_dng():
    codes = mosaic()
    frame = read_raw("a.dng", dng(codes), LIMITS)
    np.testing.assert_allclose(frame.planes, planes_of(codes), atol=1e-6)
    assert frame.planes.min() < 0  # noise below black survives
    expected = [(S, O) for S, O in zip(NOISE_PROFILE[::2], NOISE_PROFILE[1::2], strict=True)]  # noqa: E741
    for (read_std, shot_gain), (S, O), greens in zip(frame.noise, expected, (1, 2, 1), strict=True):  # noqa: E741
        assert shot_gain == pytest.approx(S / greens)
        assert read_std == pytest.approx(np.sqrt(O / greens))


def test_one_noise_pair_stands_for_all_colors_and_a_wrong_one_for_none():
    noise = read_raw("a.dng", dng(mosaic(), noise=(4e-3, 1e-4)), LIMITS).noise
    assert [shot_gain for _, shot_gain in noise] == pytest.approx([4e-3, 2e-3, 4e-3])
    assert read_raw("a.dng", dng(mosaic(), noise=None), LIMITS).noise is None
    assert read_raw("a.dng", dng(mosaic(), noise=(4e-3, -1e-4)), LIMITS).noise is None
    for wrong in (float("nan"), float("inf"), 1e300):
        assert read_raw("a.dng", dng(mosaic(), noise=(wrong, 1e-4)), LIMITS).noise is None


@pytest.mark.parametrize("kind", ["deflate", "deflate of floating point", "JPEG XL"])
def test_what_libraw_does_not_unpack_is_named(kind):
    """It refuses integers; floating point without a predictor it reads, as noise."""
    codes = mosaic().astype(np.float32) / WHITE if "floating" in kind else mosaic()
    packed = {} if kind == "JPEG XL" else {"compression": "zlib"}
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, (0, 1, 1, 2), True),
    ]
    file = io.BytesIO()
    tifffile.imwrite(file, codes, photometric="cfa", metadata=None, extratags=tags, **packed)
    file.seek(0)
    if kind == "JPEG XL":
        with tifffile.TiffFile(file, mode="r+b") as opened:
            opened.pages.first.tags["Compression"].overwrite(52546)
    with pytest.raises(
        FileError, match=f"^a.dng is a DNG packed by {kind.split()[0]}.* LibRaw does not unpack; "
    ):
        read_raw("a.dng", file.getvalue(), LIMITS)


def test_other_patterns_and_rotations():
    codes = mosaic()
    planes = planes_of(codes)
    bggr = read_raw("a.dng", dng(codes, pattern=(2, 1, 1, 0)), LIMITS).planes
    np.testing.assert_allclose(bggr, planes[::-1], atol=1e-6)
    for orientation, turns in ((3, 2), (6, 3), (8, 1)):
        turned = read_raw("a.dng", dng(codes, orientation=orientation), LIMITS).planes
        np.testing.assert_allclose(turned, np.rot90(planes, turns, axes=(1, 2)), atol=1e-6)


@pytest.mark.parametrize("area", [(3, 5, 91, 120), (2, 5, 91, 120), (3, 4, 90, 121), (4, 6, 92, 120)])
def test_margins_of_any_size_leave_colors_where_they_are(area):
    """A mosaic of one value a color, whose pattern begins at an odd row or column."""
    y, x = np.mgrid[:H, :W] - np.array(area[:2])[:, None, None]
    codes = BLACK + SPAN * np.array([[0.2, 0.4], [0.4, 0.8]])[y % 2, x % 2]
    planes = read_raw("a.dng", dng(codes.astype(np.uint16), area=area), LIMITS).planes
    assert planes.shape[1:] >= (42, 56)
    np.testing.assert_allclose(planes.transpose(1, 2, 0) - (0.2, 0.4, 0.8), 0, atol=1e-3)


def test_the_pattern_is_that_of_the_visible_part(monkeypatch):
    """What rawpy says of a sensor that starts to see at row 1, column 3: `raw_pattern` is that of the whole sensor."""
    pattern = np.array([[0, 1], [3, 2]])
    y, x = np.mgrid[:9, :13]
    colors = pattern[y % 2, x % 2].astype(np.uint8)
    values = np.array([0.2, 0.4, 0.8, 0.4])[colors] * 1000

    class Raw:
        sizes = types.SimpleNamespace(raw_width=13, raw_height=9, flip=0)
        raw_type, color_desc, num_colors = "flat", b"RGBG", 3
        raw_image_visible, raw_colors_visible = values[1:, 3:], colors[1:, 3:]
        black_level_per_channel, white_level = [0, 0, 0, 0], 1000
        color_matrix, camera_whitebalance = np.eye(3, 4), [1, 1, 1, 0]
        open_buffer = unpack = lambda *_: None
        __enter__, __exit__ = lambda self: self, lambda *_: None

    rawpy = types.SimpleNamespace(
        __spec__=importlib.machinery.ModuleSpec("rawpy", None),
        RawPy=Raw,
        RawType=types.SimpleNamespace(Flat="flat"),
    )
    monkeypatch.setitem(sys.modules, "rawpy", rawpy)
    planes = read_raw("a.dng", b"", LIMITS).planes
    assert planes.shape == (3, 4, 5)
    np.testing.assert_allclose(planes.transpose(1, 2, 0) - (0.2, 0.4, 0.8), 0, atol=1e-6)


def test_a_gray_scene_is_developed_gray():
    # AsShotNeutral (1/2, 1, 1): a gray surface gives half as much red.
    gray = np.full((H, W), BLACK + 0.4 * SPAN)
    gray[0::2, 0::2] = BLACK + 0.2 * SPAN
    stack = read_frames([(f"{i}.dng", dng(gray.astype(np.uint16))) for i in range(2)])
    planes = np.stack([stack.light(0, c, slice(None), slice(None)) for c in range(3)])
    np.testing.assert_allclose(stack.developed(planes), 0.4, atol=2e-3)


def test_a_burst_of_dngs_and_its_noise():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:H, :W]
    scene = 0.05 + 0.7 * x / W + 0.1 * np.sin(y / 9)
    true = NoiseModel(0.02, 0.004)
    frames = [np.clip(BLACK + SPAN * true.add_to(scene, rng), 0, WHITE).astype(np.uint16) for _ in range(8)]
    profile = (true.shot_gain, true.read_std**2)
    stack = read_frames([(f"{i}.dng", dng(frame, noise=profile)) for i, frame in enumerate(frames)])
    assert (len(stack), stack.channels, stack.height, stack.width) == (8, 3, H // 2, W // 2)
    assert "NoiseProfile" in stack.noise_source and not stack.encoded
    own = prepare(stack)
    for channel in (0, 1, 2, GRAY):
        found, stated = own.estimate_noise(channel).noise, stack.channel_noise(channel)
        assert found.shot_gain == pytest.approx(stated.shot_gain, rel=0.14)
        assert found.read_std == pytest.approx(stated.read_std, rel=0.13)
    assert stack.channel_noise(GRAY) == stack.noise[1]


def test_raw_and_other_pictures_are_not_one_burst():
    raw = dng(mosaic())
    light = tiff(np.full((H // 2, W // 2, 3), 0.5, np.float32), photometric="rgb")
    for files in ([("a.tif", light), ("b.dng", raw)], [("a.dng", raw), ("b.tif", light)]):
        with pytest.raises(
            ValueError,
            match=r"^b.\w+ is another kind of picture than a.\w+: (no camera raw|a camera raw, not .*)$",
        ):
            read_frames(files)
    assert len(read_frames([("a.dng", raw), ("b.dng", raw)])) == 2


def test_kinds_are_told_by_content():
    rgb = np.zeros((9, 9, 3), np.uint8)
    assert kind_of("a", dng(mosaic())) == "raw"
    assert kind_of("a", b"FUJIFILMCCD-RAW 0201") == "raw"
    assert kind_of("a", b"\0\0\0\x18ftypcrx \0") == "raw"
    assert kind_of("a", b"II*\0\x10\0\0\0CR\2\0") == "raw"
    assert kind_of("a", pillow(rgb, "TIFF")) == kind_of("a", tiff(rgb, bigtiff=True)) == "tiff"
    assert kind_of("a", pillow(rgb, "PNG")) == "picture"
    assert kind_of("a", b"II*\0") == "tiff"


def test_what_cannot_be_read_is_said_and_the_caller_lives():
    data = dng(mosaic())
    for name, broken in (("cut.dng", data[: len(data) // 2]), ("magic.raf", b"FUJIFILMCCD-RAW " + bytes(99))):
        with pytest.raises(ValueError, match=rf"^{name} cannot be read: [^\n]+$"):
            read_raw(name, broken, LIMITS)
    with pytest.raises(ValueError, match="a.dng has 128x96 pixels; the limit is 0.001 megapixels"):
        read_raw("a.dng", data, Limits(pixels=1000))
    with pytest.raises(ValueError, match="b.png is another kind|b.png has"):
        read_frames([("a.dng", data), ("b.png", pillow(np.zeros((H // 2, W // 2, 3), np.uint8), "PNG"))])
    # A header that promises 60,000 x 60,000 pixels.
    width = data.index(struct.pack("<HHI", 256, 4, 1))  # ImageWidth
    huge = bytearray(data)
    huge[width + 8 : width + 12] = struct.pack("<I", 60000)
    with pytest.raises(ValueError, match="a.dng"):
        read_raw("a.dng", bytes(huge), LIMITS)


def test_a_dng_without_levels_is_read_by_what_its_samples_can_hold():
    frame = read_raw("a.dng", dng(mosaic(), levels=False, noise=None), LIMITS)
    assert np.isfinite(frame.planes).all() and frame.planes.min() >= 0 and frame.planes.max() <= 1


def test_what_decoding_needs_is_named_where_it_is_missing(monkeypatch):
    data = dng(mosaic())
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(ValueError, match=r"a.dng is a camera raw; rawpy, .* pip install 'kpnviz\[raw\]'"):
        read_raw("a.dng", data, LIMITS)


def test_rawpy_itself_opens_the_dng():
    import rawpy

    codes = mosaic()
    with rawpy.imread(io.BytesIO(dng(codes))) as file:
        np.testing.assert_array_equal(file.raw_image_visible, codes)


LINEAR = np.random.default_rng(3).integers(0, 60000, (H // 2, W // 2, 3)).astype(np.uint16)


def test_a_linear_dng_has_all_colors_of_every_pixel():
    frame = read_raw("a.dng", linear_dng(LINEAR, black=1000, white=61000), LIMITS)
    np.testing.assert_allclose(frame.planes, (LINEAR.transpose(2, 0, 1) - 1000.0) / 60000, atol=1e-6)
    np.testing.assert_allclose(frame.white_balance, (2, 1, 1))
    stack = read_frames([(f"{i}.dng", linear_dng(LINEAR)) for i in range(2)])
    assert (len(stack), stack.channels, stack.encoded) == (2, 3, False)


def test_a_monochrome_dng_is_gray():
    codes = mosaic()
    frame = read_raw("a.dng", monochrome_dng(codes), LIMITS)
    np.testing.assert_allclose(frame.planes[0], (codes.astype(float) - BLACK) / SPAN, atol=1e-6)
    assert frame.matrix is None and frame.noise[0] == pytest.approx(
        (NOISE_PROFILE[1] ** 0.5, NOISE_PROFILE[0])
    )
    stack = read_frames([(f"{i}.dng", monochrome_dng(mosaic(i))) for i in range(3)])
    assert (len(stack), stack.channels, stack.height, stack.encoded) == (3, 1, H, False)
    assert stack.noise is not None and stack.developed(np.zeros((1, 2, 2))).shape == (1, 2, 2)


XTRANS = ("GRGGBG", "BGBRGR", "GRGGBG", "GBGGRG", "RGRBGB", "GBGGRG")  # each 3x3: 5 G, 2 R, 2 B
QUAD = ("RRGG", "RRGG", "GGBB", "GGBB")


@pytest.mark.parametrize("size", [(90, 120), (87, 117)])
@pytest.mark.parametrize("pattern, block, kind", [(XTRANS, 3, "X-Trans"), (QUAD, 4, "Quad Bayer")])
def test_other_mosaics_are_read_in_blocks(pattern, block, kind, size):
    codes = np.random.default_rng(4).integers(BLACK - 60, WHITE + 1, size).astype(np.uint16)
    frame = read_raw("a.dng", dng(codes, pattern=pattern), LIMITS)
    h, w = size[0] // block, size[1] // block
    light = (codes.astype(float) - BLACK) / SPAN
    names = np.array([[*row] for row in pattern])
    for c, color in enumerate("RGB"):
        for i, j in ((0, 0), (1, 0), (h - 1, w - 1), (h // 2, w // 3)):
            inside = [
                light[y, x]
                for y in range(i * block, (i + 1) * block)
                for x in range(j * block, (j + 1) * block)
                if names[y % len(names), x % len(names)] == color
            ]
            assert frame.planes[c, i, j] == pytest.approx(np.mean(inside), abs=1e-6)
    assert frame.planes.shape == (3, h, w) and f"a {kind} sensor: each {block}x{block}" in frame.note
    count = 5 if kind == "X-Trans" else 8
    assert frame.noise[1][1] == pytest.approx(NOISE_PROFILE[2] / count)


@pytest.mark.parametrize(
    "letters, colors, sentence",
    [
        (b"CMYG", 4, "with the colors C, M, Y, G; red, green and blue are read"),
        (b"RGBG", 3, r"whose colors \['RRRRRR', .* do not repeat as those of Bayer, X-Trans or Quad Bayer"),
    ],
)
def test_a_sensor_of_other_colors_is_named(letters, colors, sentence):
    raw = types.SimpleNamespace(
        raw_image_visible=np.zeros((24, 24)),
        raw_colors_visible=np.zeros((24, 24), np.uint8),
        num_colors=colors,
        color_desc=letters,
        raw_type="flat",
    )
    with pytest.raises(ValueError, match=f"a.nef is a raw file of a sensor {sentence}"):
        _planes("a.nef", raw, "flat", _Said())
