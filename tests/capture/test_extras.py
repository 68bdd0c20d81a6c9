"""HEIC, videos and FITS, written here by the packages that read them; refused by name where those are missing."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from kpnviz.capture.extras import kind_of_extra
from kpnviz.capture.reader import read_frames
from kpnviz.limits import FileError, Limits
from kpnviz.pictures import read_picture

STEPS = np.stack([np.full((48, 64, 3), 40 * i + 40, np.uint8) for i in range(4)])


def heic(array, **options):
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(array)).save(file, quality=95, **options)
    return file.getvalue()


def video(frames, format="mp4", codec="libx264"):
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def fits(array):
    io_fits = pytest.importorskip("astropy.io.fits")
    file = io.BytesIO()
    io_fits.PrimaryHDU(array).writeto(file)
    return file.getvalue()


def test_heic():
    smooth = np.tile(np.linspace(20, 230, 64).astype(np.uint8)[:, None], (48, 1, 3))
    exif = Image.Exif()
    exif[0x0110] = "Telephone"
    stack = read_frames([(f"{i}.heic", heic(smooth, exif=exif.tobytes())) for i in range(2)])
    assert (len(stack), stack.channels, stack.encoded) == (2, 3, True)
    assert np.abs(stack.codes[0].astype(int) - smooth.transpose(2, 0, 1)).max() <= 4
    assert b"Telephone" in stack.exif[0]
    with pytest.raises(
        FileError, match="^0.heic (is a HEIC file that is incomplete or broken|cannot be read: [^']+)$"
    ):
        read_frames([("0.heic", heic(smooth)[:200])])


def test_pictures_of_one_size_in_a_heic_are_a_burst():
    """Where they have several sizes, others than the main one are previews or maps of depth."""
    pictures = [Image.fromarray(step) for step in STEPS]
    small = [picture.resize((32, 24)) for picture in pictures]
    for several, main, found in (
        (pictures, 0, [40, 80, 120, 160]),
        ([small[0], pictures[1], small[2]], 1, [80]),
    ):
        container = pytest.importorskip("pillow_heif").HeifFile()
        for picture in several:
            container.add_from_pillow(picture)
        file = io.BytesIO()
        container.save(file, quality=95, primary_index=main)
        stack = read_frames([("a.heic", file.getvalue())])
        np.testing.assert_allclose([stack.codes[place].mean() for place in stack.places], found, atol=2)
        assert stack.codes.shape[-2:] == (48, 64)
        picture = read_picture("a.heic", file.getvalue(), Limits())
        assert picture.codes.mean() == pytest.approx(found[0], abs=2)


@pytest.mark.parametrize("format, codec", [("mp4", "libx264"), ("matroska", "libx264"), ("avi", "mpeg4")])
def test_the_frames_of_a_video_are_a_burst(format, codec):
    data = video(STEPS, format, codec)
    assert kind_of_extra(data) == "video"
    stack = read_frames([("a.mp4", data)])
    assert (len(stack), stack.channels, stack.encoded) == (4, 3, True)
    np.testing.assert_allclose(stack.codes.mean(axis=(1, 2, 3)), STEPS.mean(axis=(1, 2, 3)), atol=3)
    assert stack.names[3] == "a.mp4, frame 3" and any("its compression" in note for note in stack.notes)


def test_of_a_long_video_the_first_frames_are_read_and_a_large_one_is_refused():
    data = video(STEPS.repeat(2, 0))
    stack = read_frames([("a.mp4", data)], Limits(frames=5))
    assert len(stack) == 5 and any("of 8 frames the first 5 are read" in n for n in stack.notes)
    assert len(read_frames([("a.mp4", data)], Limits(total_pixels=3 * 48 * 64))) == 3
    with pytest.raises(FileError, match="a.mp4 has 64x48 pixels; the limit is"):
        read_frames([("a.mp4", data)], Limits(pixels=1000))
    with pytest.raises(FileError, match="^a.mp4 is a video that cannot be read: it is incomplete or broken$"):
        read_frames([("a.mp4", data[:60])])


@pytest.mark.parametrize("dtype", ["u2", "i2", "f4", "f8", "i4"])
def test_fits(dtype):
    top = 1 if "f" in dtype else 4095
    frames = (np.random.default_rng(0).uniform(0, 1, (3, 24, 30)) * top).astype(dtype)
    stack = read_frames([("a.fits", fits(frames))])
    whole = slice(0, 24), slice(0, 30)
    light = np.stack([stack.light(i, 0, *whole) for i in range(3)])
    np.testing.assert_allclose(light, frames.astype(float) / top, rtol=1e-5)
    assert len(read_frames([(f"{i}.fit", fits(frame)) for i, frame in enumerate(frames)])) == 3


def test_headers_of_fits_that_lie_are_refused():
    data = bytearray(fits(np.zeros((3, 24, 30), np.float32)))
    for key, value in ((b"NAXIS1  =", 90_000_000), (b"NAXIS3  =", 9_000_000)):
        lying = data.copy()
        place = lying.index(key)
        lying[place : place + 30] = key + f"{value:>21d}".encode()
        with pytest.raises(FileError, match="^a.fits (has|is a FITS file that cannot be read)"):
            read_frames([("a.fits", bytes(lying))])
    with pytest.raises(FileError, match="a.fits is a FITS file"):
        read_frames([("a.fits", b"SIMPLE  =                    T" + bytes(99))])


@pytest.mark.parametrize("package, maker, sentence", [
    ("av", lambda: video(STEPS), "a.x is a video; .* pip install 'kpnviz\\[video\\]'"),
    ("astropy", lambda: fits(np.zeros((3, 9, 9))), "a.x is a FITS file; .* pip install 'kpnviz\\[fits\\]'"),
    ("pillow_heif", lambda: heic(STEPS[0]), "a.x is a HEIC file; .* pip install 'kpnviz\\[heic\\]'"),
])  # fmt: skip
def test_what_decoding_needs_is_named_where_it_is_missing(package, maker, sentence, monkeypatch):
    data = maker()
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FileError, match=sentence):
        read_frames([("a.x", data)])
