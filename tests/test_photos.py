"""Oracle: pictures of known values, written here."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from kpnviz.color import srgb_decode
from kpnviz.photos import gallery, read_photo, read_scene
from kpnviz.pictures import write_png16


def test_the_gallery_is_there_and_every_photo_reads():
    names = gallery()
    assert len(names) >= 16
    for name in names:
        scene = read_scene(name)
        assert scene.shape == (288, 288) and scene.dtype == np.float32
        assert 0 <= scene.min() < scene.max() <= 1.0001


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "LA"])
def test_pictures_of_any_mode_become_linear_rgb(tmp_path, mode):
    picture = Image.new("RGB", (6, 4), (188,) * 3).convert(mode, palette=Image.Palette.ADAPTIVE)
    path = tmp_path / "photo.png"
    picture.save(path)
    photo = read_photo(path)
    assert photo.shape == (4, 6, 3)
    np.testing.assert_allclose(photo, srgb_decode(np.float64(188 / 255)), rtol=0.02)


def test_floating_point_is_linear_light(tmp_path):
    values = np.array([[0.0, 0.5, 1.0], [1.5, -0.1, 0.25]], np.float32)
    tifffile.imwrite(tmp_path / "light.tif", values)
    np.testing.assert_array_equal(read_photo(tmp_path / "light.tif"), np.repeat(values[..., None], 3, axis=2))


def test_sixteen_bit_color_keeps_its_levels(tmp_path):
    levels = np.random.default_rng(0).integers(0, 65536, (5, 7, 3), np.uint16)
    (tmp_path / "deep.png").write_bytes(write_png16(levels))
    np.testing.assert_allclose(read_photo(tmp_path / "deep.png"), srgb_decode(levels / 65535), rtol=1e-5)


def test_what_is_no_photo_is_refused(tmp_path):
    for dtype, reason in (
        (np.uint32, "32-bit integers; save it with 8 or 16 bits"),
        (np.int32, "32-bit integers; "),
    ):
        tifffile.imwrite(tmp_path / "long.tif", np.full((4, 6), 30000, dtype))
        with pytest.raises(ValueError, match=f"^photo 'long.tif' has {reason}"):
            read_photo(tmp_path / "long.tif")
    Image.new("CMYK", (6, 4)).save(tmp_path / "ink.tif")
    with pytest.raises(ValueError, match="^photo 'ink.tif' is CMYK; convert it to RGB$"):
        read_photo(tmp_path / "ink.tif")


def test_sixteen_bit_gray_keeps_its_levels(tmp_path):
    levels = np.array([[0, 1, 1000, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    np.testing.assert_allclose(
        read_photo(tmp_path / "deep.png")[..., 1], srgb_decode(levels / 65535), rtol=1e-5
    )


def test_exif_rotation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_photo(tmp_path / "turned.jpg").shape == (6, 4, 3)


def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(ValueError, match="photo 'broken.png' begins as a PNG and is incomplete or broken"):
        read_photo(tmp_path / "broken.png")
    whole = tmp_path / "cut.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(whole)
    whole.write_bytes(whole.read_bytes()[:2000])
    with pytest.raises(ValueError, match="photo 'cut.png' cannot be read"):
        read_photo(whole)
    monkeypatch.setenv("KPNVIZ_MAX_MEGAPIXELS", "20e-6")
    Image.new("RGB", (6, 4)).save(tmp_path / "large.png")
    with pytest.raises(ValueError, match="'large.png' has 6x4 pixels"):
        read_photo(tmp_path / "large.png")


def test_a_name_cannot_leave_the_gallery():
    with pytest.raises(ValueError, match="neither in the gallery"):
        read_photo("../gallery/nothing")
