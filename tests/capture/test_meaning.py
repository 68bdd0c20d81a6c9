"""What the numbers of files mean: guessed, said, chosen. Oracles: the light that files were made of."""

import io
import json
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.frame_stack import GRAY
from kpnviz.capture.from_files import read_burst
from kpnviz.capture.meaning import Input, guess_input
from kpnviz.capture.metadata import about, converted, profile_of
from kpnviz.capture.reader import read_frames
from kpnviz.color import srgb_decode, srgb_encode
from kpnviz.limits import FileError
from kpnviz.noise import NoiseModel
from kpnviz.photos import read_scene
from kpnviz.pictures import icc_profile, write_png16, write_tiff

from .picture_makers import description, npy, pillow, tiff

ALL = slice(None, None), slice(None, None)
P3 = np.array([[0.5151, 0.2919, 0.1572], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]])
"""Display P3 in XYZ, adapted to D50, as Apple's profile has it."""
SRGB = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])


def light_of(photo="flowers", color=True):
    return synthesize(
        BurstRecipe(photo, (60, 50, 64, 72), NoiseModel(0.004, 0.0004), frames=2, color=color)
    ).frames


def read(*files, name="png"):
    return read_frames([(f"{i}.{name}", data) for i, data in enumerate(files)])


def whole(stack, frame, channel):
    return stack.light(frame, channel, slice(0, stack.height), slice(0, stack.width))


def mosaic_of(frame):
    """RGGB of [3, H, W]."""
    out = frame[1].copy()
    out[::2, ::2], out[1::2, 1::2] = frame[0, ::2, ::2], frame[2, 1::2, 1::2]
    return out


@pytest.mark.parametrize("bits, shift", [(12, 0), (12, 4), (10, 0), (14, 2)])
def test_counts_in_16_bits_are_linear(bits, shift):
    white = 2**bits - 1
    light = np.clip(light_of(color=False), 0, 1)
    codes = (np.rint(light / light.max() * white).astype(np.uint16)) << shift
    stack = read(*(write_png16(frame) for frame in codes))
    assert not stack.encoded and stack.meaning == Input("linear", "", None, white << shift)
    np.testing.assert_allclose(whole(stack, 1, GRAY), codes[1] / (white << shift), atol=1e-6)
    assert "linear light" in stack.notes[0] and f"{bits} bits" in stack.notes[0]
    # Whoever knows better says so.
    assert stack.meant("srgb").encoded and "sRGB-encoded" in stack.meant("srgb").notes[0]
    black = stack.meant(None, 64 << shift)
    np.testing.assert_allclose(whole(black, 0, GRAY), (codes[0] / 2.0**shift - 64) / (white - 64), atol=1e-6)


def test_full_16_bits_are_srgb_unless_told_otherwise():
    codes = np.rint(65535 * srgb_encode(np.clip(light_of(), 0, 1))).astype(np.uint16).transpose(0, 2, 3, 1)
    stack = read(*map(write_png16, codes))
    assert stack.encoded and stack.meaning == Input() and not stack.guess
    np.testing.assert_allclose(whole(stack, 0, 2), srgb_decode(codes[0, ..., 2] / 65535), rtol=1e-5)
    linear = stack.meant("linear", 256, 60000)
    np.testing.assert_allclose(
        whole(linear, 0, 2), (codes[0, ..., 2].astype(float) - 256) / (60000 - 256), rtol=1e-4, atol=1e-6
    )
    dark = [write_png16(np.minimum(frame, 4000), icc_profile(False, False)) for frame in codes]
    assert not read(*dark).encoded  # counts by their range ...
    gamma = [data.replace(b"IDAT", b"IDAT") for data in dark]
    assert read(
        *(with_gamma(data, 45455) for data in gamma)
    ).encoded  # ... unless the file says that it is encoded
    assert not read(*(with_gamma(write_png16(frame), 100000) for frame in codes)).encoded


def with_gamma(png, value):
    import zlib

    body = b"gAMA" + struct.pack(">I", value)
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    start = png.find(b"iCCP")
    if start >= 0:
        length = struct.unpack(">I", png[start - 4 : start])[0]
        png = png[: start - 4] + png[start + 8 + length :]
    at = png.find(b"IDAT") - 4
    return png[:at] + chunk + png[at:]


def test_floating_point_counts_are_not_all_white():
    light = light_of(color=False)
    counts = (light / light.max() * 3900).astype(np.float32)
    stack = read(*(tiff(frame) for frame in counts), name="tif")
    assert stack.meaning == Input("linear", "", None, 4095)
    np.testing.assert_allclose(whole(stack, 0, 0), counts[0] / 4095, rtol=1e-5)
    assert "the brightest numbers are about" in stack.notes[0]
    high = np.where(light > np.quantile(light, 0.95), 5 * light, light).astype(np.float32)
    bright = read(*(tiff(frame) for frame in high), name="tif")
    np.testing.assert_allclose(whole(bright, 0, 0), high[0], rtol=1e-6)  # highlights beyond white
    assert not bright.notes
    encoded = bright.meant("srgb")
    assert encoded.encoded
    np.testing.assert_allclose(whole(encoded, 0, 0), srgb_decode(high[0].astype(float)), rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint8])
def test_a_mosaic_in_a_gray_picture_is_taken_apart(dtype):
    light = np.clip(light_of() * np.array([0.5, 1, 0.4])[:, None, None], 0, 1)
    top = 4095 if dtype == np.uint16 else 255
    codes = np.rint(light * top).astype(dtype)
    mosaics = [mosaic_of(frame) for frame in codes]
    stack = read(*(tiff(mosaic) for mosaic in mosaics), name="tif")
    assert stack.meaning.name == "bayer:RGGB" and "Bayer" in stack.notes[0] and "BGGR" in stack.notes[0]
    assert (stack.channels, stack.height, stack.width) == (3, 32, 36)
    white = stack.levels[1]
    np.testing.assert_allclose(whole(stack, 1, 0), codes[1, 0, ::2, ::2] / white, rtol=1e-5)
    green = (codes[1, 1, ::2, 1::2].astype(float) + codes[1, 1, 1::2, ::2]) / 2 / white
    np.testing.assert_allclose(whole(stack, 1, 1), green, rtol=1e-5)
    np.testing.assert_array_equal(whole(stack, 1, GRAY), whole(stack, 1, 1))
    rows, columns = np.array([3, 0, 31]), np.array([35, 2])
    np.testing.assert_array_equal(stack.light(1, 2, rows, columns), whole(stack, 1, 2)[np.ix_(rows, columns)])
    swapped = stack.meant("bayer:BGGR")
    np.testing.assert_array_equal(whole(swapped, 0, 2), whole(stack, 0, 0))
    turned = stack.meant("bayer:GRBG")
    np.testing.assert_allclose(whole(turned, 0, 0), mosaics[0][::2, 1::2] / white, rtol=1e-5)
    gray = stack.meant("linear")
    assert gray.channels == 1 and gray.levels[1] == white
    np.testing.assert_allclose(whole(gray, 0, 0), mosaics[0] / white, rtol=1e-5)
    # A picture is none, however noisy.
    noise = np.random.default_rng(0).integers(0, 4000, (40, 40), np.uint16)
    for picture in (codes[0, 1], noise):
        assert guess_input(picture[None, None], 4000, 4095)[0].encoding != "bayer"


def test_a_quad_bayer_mosaic_is_said_to_be_taken_for_gray():
    codes = np.rint(np.clip(light_of()[0] * [[[0.4]], [[1]], [[0.3]]], 0, 1) * 60000).astype(np.uint16)
    codes = codes.repeat(2, axis=1).repeat(2, axis=2)
    quad = mosaic_of(codes).repeat(2, axis=0).repeat(2, axis=1)
    for part in (quad, quad[1:, 1:]):
        meaning, guess, _ = guess_input(part[None, None], 60000, 65535)
        assert not meaning.pattern and "Quad Bayer" in guess
    assert "Quad" not in guess_input(codes[1][None, None], 60000, 65535)[1]


def test_a_small_noisy_picture_is_not_said_to_be_a_quad_bayer_mosaic():
    """Of crops of 64x64 pixels, chance makes one in fifty look like one."""
    scene, noise = read_scene("house"), NoiseModel.for_gain(8)
    for n, (y, x) in enumerate(np.ndindex(7, 7)):
        light = noise.add_to(scene[32 * y : 32 * y + 64, 32 * x : 32 * x + 64], np.random.default_rng(n))
        codes = np.rint(np.clip(light, 0, 1) * 60000).astype(np.uint16)
        assert "Quad" not in guess_input(codes[None, None], 60000, 65535)[1]


def test_the_greens_of_other_mosaics_lie_on_the_other_diagonal():
    codes = np.rint(np.clip(light_of()[0] * [[[0.4]], [[1]], [[0.3]]], 0, 1) * 60000).astype(np.uint16)
    grbg = np.roll(mosaic_of(codes), 1, axis=1)
    assert guess_input(grbg[None, None], 60000, 65535)[0].name == "bayer:GRBG"


def test_four_planes_of_a_sensor_lose_none():
    light = np.clip(light_of(), 0, 1)
    planes = np.rint(255 * light[:, [0, 1, 1, 2]]).astype(np.uint8).transpose(0, 2, 3, 1)
    stack = read(*(pillow(frame, "PNG") for frame in planes))
    assert stack.meaning.name == "bayer:RGGB" and (stack.channels, stack.height) == (3, 64)
    np.testing.assert_allclose(whole(stack, 1, 2), planes[1, ..., 3] / 255, rtol=1e-5)
    assert not any("transparency" in note for note in stack.notes)
    wide = [write_png_rgba16(257 * frame.astype(np.uint16)) for frame in planes]
    np.testing.assert_allclose(whole(read(*wide), 1, 2), planes[1, ..., 3] / 255, rtol=1e-5)
    for number in (planes, planes.astype(np.uint16) * 16, (planes / 255).astype(np.float32)):
        stack = read(npy(number), name="npy")
        assert stack.meaning.name == "bayer:RGGB" and stack.codes.shape[1] == 4
    # Transparency is one: of few values, mostly opaque, or smooth.
    y, x = np.mgrid[:64, :72]
    for transparency in (
        np.where(x < 50, 255, x),
        3 * x,
        255 * np.exp(-((y - 32) ** 2 + (x - 36) ** 2) / 900),
    ):
        soft = planes.copy()
        soft[..., 3] = transparency
        for seen in (read(*(pillow(frame, "PNG") for frame in soft)), read(npy(soft), name="npy")):
            assert (
                seen.channels == 3
                and seen.codes.shape[1] == 3
                and "transparency was dropped" in seen.notes[0]
            )
    # Another plane behind R, G and B makes no sensor of them.
    beside = np.concatenate([light, light[:, :1] * 0.4 + light[:, 1:2] * 0.5], axis=1).transpose(0, 2, 3, 1)
    seen = read(npy(beside.astype(np.float32)), name="npy")
    assert seen.meaning.encoding == "linear" and "the first three are taken for R, G and B" in seen.notes[0]
    np.testing.assert_array_equal(whole(seen, 1, 2), beside[1, ..., 2].astype(np.float32))


def write_png_rgba16(codes):
    import zlib

    H, W = codes.shape[:2]
    rows = np.concatenate([np.zeros((H, 1), np.uint8), codes.astype(">u2").reshape(H, -1).view(np.uint8)], 1)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", W, H, 16, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )


def p3_profile():
    """sRGB's profile with the primaries of Display P3."""
    icc = bytearray(icc_profile(False, False))
    for key, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), P3.T, strict=True):
        at = icc.find(key)
        start = struct.unpack(">I", icc[at + 4 : at + 8])[0]
        icc[start + 8 : start + 20] = struct.pack(">3i", *(round(65536 * v) for v in column))
    return bytes(icc).replace(b"sRGB RGB", b"Display!")


def test_colors_of_display_p3_become_those_of_srgb():
    light = np.clip(light_of(), 0, 1)
    in_p3 = np.einsum("rc,nchw->nrhw", np.linalg.inv(P3) @ SRGB, light)
    codes = np.rint(65535 * srgb_encode(np.clip(in_p3, 0, 1))).astype(np.uint16).transpose(0, 2, 3, 1)
    stack = read(*(write_png16(frame, p3_profile()) for frame in codes))
    assert stack.profile is not None and "Display!" in stack.notes[0]
    planes = np.stack([whole(stack, 0, c) for c in range(3)])
    np.testing.assert_allclose(stack.developed(planes), light[0], atol=4e-4)
    luminance = np.tensordot([0.2225, 0.7169, 0.0606], light[0], axes=1)
    np.testing.assert_allclose(whole(stack, 0, GRAY), luminance, atol=5e-4)
    with pytest.raises(FileError, match="another color profile than 0.png"):
        read(write_png16(codes[0], p3_profile()), write_png16(codes[1]))


def test_a_mosaic_without_tags_is_shown_with_the_mean_gray():
    """A gray scene behind filters that pass half of the red and a fifth of the blue."""
    scene = np.clip(light_of()[:, 1], 0.05, 0.9)
    mosaic = scene[:1].copy()
    mosaic[:, ::2, ::2] *= 0.5
    mosaic[:, 1::2, 1::2] *= 0.2
    stack = read(npy(np.rint(65535 * mosaic[0]).astype(np.uint16)), name="npy").meant("bayer:RGGB")
    planes = np.stack([whole(stack, 0, c) for c in range(3)])
    shown = stack.developed(planes).mean(axis=(1, 2))
    np.testing.assert_allclose(shown, shown[1], rtol=0.02)
    assert "No tag gives a white balance" in " ".join(stack.notes)
    np.testing.assert_allclose(stack.rendering[1], [2, 1, 5], rtol=0.1)


def test_profiles_that_are_srgb_change_nothing_and_linear_ones_are_linear():
    assert profile_of(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), 3) is None
    for gray in (True, False):
        ImageCms.ImageCmsProfile(io.BytesIO(icc_profile(gray, True)))  # as others read it
        assert profile_of(icc_profile(gray, False), 1 if gray else 3) is None
        assert profile_of(icc_profile(gray, True), 1 if gray else 3)["linear"]
    codes = np.rint(65535 * np.clip(light_of(), 0, 1)).astype(np.uint16).transpose(0, 2, 3, 1)
    stack = read(*(write_png16(frame, icc_profile(False, True)) for frame in codes))
    assert not stack.encoded
    np.testing.assert_allclose(whole(stack, 0, 1), codes[0, ..., 1] / 65535, rtol=1e-5)
    assert profile_of(b"nonsense" * 40, 3) is None and profile_of(b"", 3) is None


def test_profiles_of_tables_are_converted_by_littlecms_or_said():
    codes = np.rint(255 * srgb_encode(np.clip(light_of(), 0, 1))).astype(np.uint8).transpose(0, 2, 3, 1)
    p3, planes = p3_profile(), codes[0].transpose(2, 0, 1)
    expected = ImageCms.profileToProfile(
        Image.fromarray(codes[0]), ImageCms.ImageCmsProfile(io.BytesIO(p3)), ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    np.testing.assert_array_equal(converted(planes, p3), np.asarray(expected).transpose(2, 0, 1))
    # A profile without curves has to have tables; this one has neither, and LittleCMS refuses it.
    broken = p3.replace(b"rTRC", b"rXXX")
    assert "has tables" in profile_of(broken, 3) and converted(planes, broken) is None
    stack = read(*(pillow(frame, "PNG", icc_profile=broken) for frame in codes))
    assert stack.profile is None and "Display! has tables, which are not converted" in stack.notes[0]


@pytest.mark.parametrize(
    "kind, parameters, curve",
    [
        (0, (2.2,), lambda x: x**2.2),
        (3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), srgb_decode),
        (4, (2.0, 1.0, 0.0, 0.5, 0.25, 0.1, 0.05), lambda x: np.where(x >= 0.25, x**2 + 0.1, x / 2 + 0.05)),
    ],
)
def test_parametric_curves(kind, parameters, curve):
    from kpnviz.capture.metadata import _curve

    tag = b"para\0\0\0\0" + struct.pack(">HH", kind, 0)
    tag += struct.pack(f">{len(parameters)}i", *(round(65536 * p) for p in parameters))
    np.testing.assert_allclose(_curve(tag), curve(np.linspace(0, 1, 1024)), atol=1e-4)


def exif_of(exposure=(1, 100), iso=400, orientation=6):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132], exif[0x0112] = (
        "Maker",
        "Camera 5",
        "2026:01:02 03:04:05",
        orientation,
    )
    exif[0x8769] = {
        0x829A: exposure[0] / exposure[1],
        0x829D: 2.0,
        0x8827: iso,
        0x927C: b"secret",
        0xA002: 9999,
    }
    return exif


def test_exif_says_the_exposure_and_goes_on_less_what_no_longer_holds():
    image = pillow(np.zeros((8, 12, 3), np.uint8), "JPEG", exif=exif_of())
    said = about(image)
    assert said.exposure == pytest.approx(0.01 * 400 / 4)
    kept = Image.Exif()
    kept.load(said.exif)
    assert (kept[0x010F], kept[0x0110], kept[0x0132]) == ("Maker", "Camera 5", "2026:01:02 03:04:05")
    assert 0x0112 not in kept
    inside = kept.get_ifd(0x8769)
    assert inside[0x8827] == 400 and 0x927C not in inside and 0xA002 not in inside
    again = Image.Exif()
    again.load(exif_of().tobytes())
    as_tiff = pillow(np.zeros((8, 12, 3), np.uint8), "TIFF", exif=again)
    assert about(as_tiff).exposure == pytest.approx(1.0)
    assert about(b"II*\0" + b"\xff" * 40).exif == b"" == about(b"nothing").exif
    frames = [pillow(np.full((8, 12, 3), 90, np.uint8), "JPEG", exif=exif_of((1, n))) for n in (100, 50)]
    stack = read(*frames, name="jpg")
    assert stack.exposures == pytest.approx((1.0, 2.0)) and len(stack.exif) == 2


@pytest.mark.parametrize("write", [write_png16, write_tiff])
def test_what_is_written_has_a_profile_and_exif(write):
    exif = about(pillow(np.zeros((8, 12, 3), np.uint8), "JPEG", exif=exif_of())).exif
    codes = np.random.default_rng(0).integers(0, 65536, (9, 14, 3), np.uint16)
    data = write(codes, icc_profile(False, False), exif)
    with Image.open(io.BytesIO(data)) as file:
        assert ImageCms.getProfileDescription(
            ImageCms.ImageCmsProfile(io.BytesIO(file.info["icc_profile"]))
        ).startswith("sRGB")
        read_back = file.getexif()
        assert read_back[0x0110] == "Camera 5" and float(read_back.get_ifd(0x8769)[0x829A]) == pytest.approx(
            0.01
        )
    name = "png" if write is write_png16 else "tif"
    np.testing.assert_array_equal(read(data, data, name=name).codes[0], codes.transpose(2, 0, 1))


@pytest.mark.parametrize(
    "options, sentence",
    [
        (("rgb", None, None), "input is 'rgb'; it is srgb, linear, or bayer:RGGB"),
        (("bayer", None, None), "after bayer comes one of RGGB"),
        (("bayer:RGBG", None, None), "after bayer comes one of RGGB"),
        (("srgb", 5, None), "black and white are of linear light"),
        (("linear", 9, 9), "black is 9 and white is 9; black is below white"),
        (("linear", float("nan"), None), "black is nan"),
        (
            ("linear", None, 0),
            "black is 0, as nobody states another one, and white is 0; black is below white",
        ),
        (("linear", None, -5), "and white is -5; black is below white"),
        (("linear", None, 1e300), "white is 1e.300; it is a number as files hold them, from -5e.09 to 5e.09"),
    ],
)
def test_what_cannot_be_meant_is_one_sentence(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Input.of(*options)


@pytest.mark.parametrize("black, white", [(None, 1e-3), (None, 1e-300), (4094.9999, 4095), (-1e-300, 1e-9)])
def test_black_and_white_that_are_too_close_are_one_sentence(black, white):
    stack = read(write_png16(np.full((9, 9), 3000, np.uint16)))
    with pytest.raises(ValueError, match="too close to each other for files with numbers from 3000 to 3000"):
        stack.meant("linear", black, white)
    assert stack.meant("linear", None, 0.01).light(0, GRAY, *ALL).max() == pytest.approx(3e5)


def test_files_that_say_themselves_what_they_mean_are_not_asked(tmp_path):
    frames = [write_png16(np.full((9, 9), 3000, np.uint16))] * 2
    described = [("a.png", frames[0]), ("b.png", frames[1]), ("burst.json", description(["a.png", "b.png"]))]
    stack = read_frames(described)
    assert stack.meaning is None and stack.levels == (1000, 61000)
    with pytest.raises(ValueError, match="says itself what its numbers mean"):
        stack.meant("srgb")
    color = read(*[write_png16(np.full((9, 9, 3), 3000, np.uint16))] * 2)
    with pytest.raises(ValueError, match="has three colors at each pixel"):
        color.meant("bayer:RGGB")
    for i, data in enumerate(frames):
        (tmp_path / f"{i}.png").write_bytes(data)
    burst = read_burst(tmp_path, input="linear", white=6000, noise=NoiseModel(0.01, 0), align=False)
    assert json.dumps(burst.frames.max().item()) == "0.5"


@pytest.mark.parametrize("options", [{"imagej": True}, {"ome": True}])
def test_what_described_a_stack_does_not_go_into_a_picture_of_it(options):
    file = io.BytesIO()
    tifffile.imwrite(file, np.arange(4 * 20 * 24, dtype=np.uint16).reshape(4, 20, 24), **options)
    stack = read_frames([("a.tif", file.getvalue())])
    written = write_tiff(np.zeros((20, 24), np.uint16), exif=stack.exif[0])
    assert tifffile.imread(io.BytesIO(written)).shape == (20, 24)
