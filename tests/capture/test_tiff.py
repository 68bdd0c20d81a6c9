"""TIFFs of every kind that tifffile writes: read as they were written and upright, or refused in one sentence."""

import io

import numpy as np
import pytest
import tifffile

from kpnviz.capture.decoding import Burst
from kpnviz.limits import FileError, Limits

from .picture_makers import pillow, tiff

RNG = np.random.default_rng(0)

TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""What the TIFF 6.0 specification (Orientation, tag 274) says of the stored rows and columns."""


def values(dtype, shape):
    low, high = (-0.2, 1.5) if np.dtype(dtype).kind == "f" else (0, np.iinfo(dtype).max)
    return RNG.uniform(low, high, shape).astype(dtype)


def read(data):
    """The codes [C, H, W] that are read, and the notes: in this process, as so many are read here."""
    output = io.BytesIO()
    burst = Burst(Limits(), output, lambda name: None)
    burst.add("a.tif", data)
    return np.frombuffer(output.getvalue(), burst.dtype).reshape(burst.shape), burst.described()["notes"]


GRAY = [("minisblack", "uint8"), ("minisblack", "uint16"), ("minisblack", "float32")]
GRAY += [("miniswhite", "uint8"), ("miniswhite", "uint16")]


@pytest.mark.parametrize("layout", [{}, {"compression": "zlib"}, {"planarconfig": "separate"}])
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_gray_with_transparency_is_gray(dtype, layout):
    stored = values(dtype, (6, 9))
    both = np.stack([stored, np.full_like(stored, 1)], axis=0 if layout.get("planarconfig") else -1)
    codes, notes = read(tiff(both, photometric="minisblack", extrasamples=["unassalpha"], **layout))
    np.testing.assert_array_equal(codes, stored[None])
    assert "transparency was dropped" in " ".join(notes)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("layout", [{}, {"compression": "zlib"}, {"compression": "lzma"}, {"tile": (16, 16)}])
@pytest.mark.parametrize(("photometric", "dtype"), GRAY)
def test_gray_is_black_at_0_and_upright(photometric, dtype, layout, byteorder):
    for orientation, turned in TURNED.items():
        stored = values(dtype, (6, 9))
        more = {**layout, "byteorder": byteorder, "extratags": [(274, "H", 1, orientation, True)]}
        data = tiff(stored, photometric=photometric, **more)
        if (photometric, dtype, byteorder) == ("miniswhite", "uint16", ">"):  # Pillow opens all but these
            with pytest.raises(FileError, match="is a TIFF of a kind that is not read"):
                read(data)
            continue
        codes, _ = read(data)
        expected = np.iinfo(dtype).max - stored if photometric == "miniswhite" else stored
        assert codes.dtype == dtype
        np.testing.assert_array_equal(codes[0], turned(expected))


DTYPES = ["uint8", "uint16", "float16", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_color_in_every_layout_is_upright_and_keeps_its_bits(planar, dtype):
    for orientation, turned in TURNED.items():
        stored = values(dtype, (6, 9, 4 if orientation % 2 else 3))
        for more in ({}, {"compression": "zlib", "byteorder": ">"}, {"rowsperstrip": 2}):
            data = tiff(
                stored.transpose(2, 0, 1) if planar == "separate" else stored,
                photometric="rgb", planarconfig=planar, extratags=[(274, "H", 1, orientation, True)], **more,
            )  # fmt: skip
            codes, notes = read(data)
            assert codes.dtype == (dtype if dtype.startswith("u") else "float32")
            np.testing.assert_array_equal(
                codes, turned(stored)[..., :3].transpose(2, 0, 1).astype(codes.dtype)
            )
            assert any("transparency" in note for note in notes) == (stored.shape[2] == 4)


def test_a_palette_is_looked_up():
    table = RNG.integers(0, 256, (3, 256)).astype(np.uint16)
    stored = values("uint8", (6, 9))
    codes, _ = read(
        tiff(stored, photometric="palette", colormap=257 * table, extratags=[(274, "H", 1, 6, True)])
    )
    np.testing.assert_array_equal(codes, TURNED[6](table[:, stored].transpose(1, 2, 0)).transpose(2, 0, 1))


def with_tag(data, tag, value):
    """The TIFF with another value of a tag; None takes the tag out of sight, as one that nobody knows."""
    file = io.BytesIO(data)
    with tifffile.TiffFile(file, mode="r+b") as opened:
        found = opened.pages.first.tags[tag]
        if value is None:
            file.seek(found.offset)
            file.write((60000).to_bytes(2, "little"))
        else:
            found.overwrite(value)
    return file.getvalue()


COLORS = {
    "separated": "a.tif is CMYK; convert it to RGB",
    "cielab": "a.tif is Lab; convert it to RGB",
    "icclab": "a.tif is Lab; convert it to RGB",
    "itulab": "a.tif is Lab; convert it to RGB",
    "logluv": "a.tif is LogLuv; convert it to floating-point RGB",
    "ycbcr": "a.tif is a TIFF of several values a pixel that are not RGB; convert it to RGB",
    "linear_raw": "a.tif has the TIFF PhotometricInterpretation 34892; gray, RGB and palettes are read",
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("photometric", COLORS)
def test_what_is_neither_gray_nor_rgb_is_refused(photometric, dtype):
    for planar in ("contig", "separate"):
        stored = values(dtype, (6, 9, 4 if photometric == "separated" else 3))
        if planar == "separate":
            stored = stored.transpose(2, 0, 1)
        with pytest.raises(FileError) as refusal:
            read(tiff(stored, photometric=photometric, planarconfig=planar))
        if dtype.startswith("f"):
            assert str(refusal.value) == COLORS[photometric]
        assert str(refusal.value).startswith("a.tif ") and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            tiff(values("float32", (6, 9)), photometric="miniswhite"),
            "a.tif is a floating-point TIFF whose 0 is white; save it with 0 as black",
        ),
        (
            with_tag(
                with_tag(tiff(values("uint8", (6, 12)), photometric="minisblack"), "BitsPerSample", 12),
                "ImageWidth",
                8,
            ),
            "a.tif has 12 bits a sample; save it with 8 or 16",
        ),
        (
            with_tag(pillow(values("uint8", (6, 9)), "TIFF"), "PhotometricInterpretation", None),
            "a.tif does not say how its values are colors (TIFF PhotometricInterpretation)",
        ),
        (
            tiff(values("uint8", (6, 9, 2)), photometric="minisblack", planarconfig="separate"),
            "a.tif is a TIFF of a kind that is not read; save it as gray or RGB of 8 or 16 bits",
        ),
    ],
)
def test_numbers_that_are_no_light_are_refused(data, sentence):
    with pytest.raises(FileError) as refusal:
        read(data)
    assert str(refusal.value) == sentence


def test_floating_point_of_16_bits_is_read():
    numbers = (np.arange(48, dtype=np.float16) / 47).reshape(6, 8)
    np.testing.assert_array_equal(read(tiff(numbers))[0], numbers[None].astype(np.float32))
