"""Pictures written as linear DNG. Oracle: LibRaw, which reads them."""

import io

import numpy as np
import pytest
import rawpy
from PIL import Image

from kpnviz.capture.reader import read_frames
from kpnviz.capture.writer import encoded

from ..capture.picture_makers import dng, npy, pillow

RNG = np.random.default_rng(0)
MOSAIC = RNG.integers(600, 4000, (48, 64)).astype(np.uint16)


def taken(data):
    """What LibRaw says: codes [H, W, C] or [H, W], black, white, white balance, and the matrix to sRGB."""
    with rawpy.imread(io.BytesIO(data)) as raw:
        codes = raw.raw_image_visible.copy()
        black, white = raw.black_level_per_channel[0], raw.white_level
        return codes, black, white, np.array(raw.camera_whitebalance)[:3], raw.color_matrix[:, :3].copy()


def test_a_picture_of_raws_keeps_its_camera_colors():
    stack = read_frames([(f"{i}.dng", dng(MOSAIC)) for i in range(2)])
    picture = RNG.normal(0.5, 0.4, (3, 24, 32)).astype(np.float32)  # noise below black, light beyond white
    data = encoded(picture, stack, 0, ".dng", linear=True)
    codes, black, white, balance, matrix = taken(data)
    np.testing.assert_allclose(
        (codes[..., :3] - float(black)) / (white - black), picture.transpose(1, 2, 0), atol=5e-5
    )
    with rawpy.imread(io.BytesIO(dng(MOSAIC))) as camera:
        expected = np.array(camera.camera_whitebalance)[:3]
        np.testing.assert_allclose(balance / balance[1], expected / expected[1], rtol=1e-4)
        np.testing.assert_allclose(matrix, camera.color_matrix[:, :3], atol=2e-3)
    again = read_frames([("a.dng", data)])
    whole = slice(0, 24), slice(0, 32)
    for c in range(3):
        np.testing.assert_allclose(again.light(0, c, *whole), picture[c], atol=5e-5)
    np.testing.assert_allclose(again.developed(picture), stack.developed(picture), atol=5e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_other_files_is_linear_srgb_or_gray(channels):
    exif = Image.Exif()
    exif[0x0110], exif[0x8769] = "Camera", {0x829A: 0.01}
    frame = RNG.integers(0, 256, (24, 27, 3), np.uint8)
    stack = read_frames([("a.png", pillow(frame if channels == 3 else frame[..., 0], "PNG", exif=exif))])
    picture = RNG.uniform(0, 1, (channels, 24, 27)).astype(np.float32)
    data = encoded(picture, stack, 0, ".dng", linear=True)
    codes, black, white, balance, matrix = taken(data)
    light = (codes.reshape(24, 27, -1)[..., :channels] - float(black)) / (white - black)
    np.testing.assert_allclose(light, picture.transpose(1, 2, 0), atol=2e-5)
    if channels == 3:
        np.testing.assert_allclose(balance, 1, atol=1e-4)
        np.testing.assert_allclose(matrix, np.eye(3), atol=2e-3)
    read = Image.Exif()
    read.load_from_fp(io.BytesIO(data))
    assert read[0x0110] == "Camera" and read.get_ifd(0x8769)[0x829A] == pytest.approx(0.01)


def test_four_planes_of_a_sensor_become_a_dng():
    planes = RNG.integers(0, 1023, (2, 4, 24, 29)).astype(np.uint16)
    stack = read_frames([("a.npy", npy(planes))])
    picture = RNG.uniform(0, 1, (3, 24, 29)).astype(np.float32)
    codes, black, white, _, _ = taken(encoded(picture, stack, 0, ".dng", linear=True))
    np.testing.assert_allclose(
        (codes[..., :3] - float(black)) / (white - black), picture.transpose(1, 2, 0), atol=2e-5
    )
