"""Files of several frames and of other numbers. Oracles: the arrays that NumPy, tifffile and Pillow wrote."""

import gzip
import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from kpnviz.capture.reader import read_frames
from kpnviz.limits import FileError, Limits
from kpnviz.pictures import read_picture

from .picture_makers import description, npy, npz, pillow, tiff, zipped

RNG = np.random.default_rng(0)
LIGHT = np.clip(RNG.normal(0.4, 0.2, (5, 12, 16)), 0.01, 0.99)
COLOR = RNG.integers(0, 256, (4, 12, 16, 3), np.uint8)


def light(stack):
    """[N, C, H, W] of linear light."""
    whole = slice(0, stack.height), slice(0, stack.width)
    return np.stack([[stack.light(i, c, *whole) for c in range(stack.channels)] for i in range(len(stack))])


@pytest.mark.parametrize("dtype", ["u2", ">u2", "i2", "i4", "u4", "i8", "f2", "f4", ">f8"])
@pytest.mark.parametrize("kind", ["npy", "npz", "frames of an npz"])
def test_an_array_of_any_numbers_is_a_burst(kind, dtype):
    top = 1 if "f" in dtype else 4095
    array = (LIGHT * top).astype(dtype)
    data = (
        npy(array) if kind == "npy" else npz(frames=array) if kind == "frames of an npz" else npz(stack=array)
    )
    stack = read_frames([(f"a.{kind[-3:]}", data)])
    assert len(stack) == 5 and stack.channels == 1 and not stack.encoded
    np.testing.assert_allclose(light(stack)[:, 0], array.astype(float) / top, rtol=1e-6)
    assert (
        stack.names[1]
        == f"a.{kind[-3:]}"
        + (", frame 1" if kind == "npy" or ("f" in dtype and kind != "npz") else ": frames, frame 1").replace(
            "frames", "stack" if kind == "npz" else "frames"
        )
        or "frame 1" in stack.names[1]
    )


@pytest.mark.parametrize(
    "array, expected",
    [
        (COLOR, COLOR.transpose(0, 3, 1, 2)),
        (np.asfortranarray(COLOR), COLOR.transpose(0, 3, 1, 2)),
        (COLOR.transpose(0, 3, 1, 2), COLOR.transpose(0, 3, 1, 2)),
        (COLOR[0], COLOR[:1].transpose(0, 3, 1, 2)),
        (COLOR[0, ..., 0], COLOR[:1, None, ..., 0]),
        (COLOR[:, None, ..., 0], COLOR[:, None, ..., 0]),
        (np.concatenate([COLOR, np.full_like(COLOR[..., :1], 200)], -1), COLOR.transpose(0, 3, 1, 2)),
    ],
)
def test_axes_of_arrays(array, expected):
    for data in (("a.npy", npy(array)), ("a.npz", npz(frames=array)), ("a.npz", npz(frames=array / 255))):
        stack = read_frames([data])
        shown = stack.codes if stack.codes.dtype == np.uint8 else np.rint(stack.codes * 255)
        np.testing.assert_array_equal(shown, expected)
    stack = read_frames([("a.npy", npy(array))])
    np.testing.assert_array_equal(stack.codes, expected)
    assert stack.encoded  # 8 bits are those of pictures


def test_four_planes_of_an_array_are_those_of_a_sensor():
    planes = (LIGHT[:4] * 1023).astype(np.uint16)
    stack = read_frames([("a.npy", npy(np.stack([planes, planes[::-1]])))])
    assert stack.channels == 3 and stack.pattern == "RGGB" and len(stack) == 2
    greens = (planes[1] + planes[2].astype(float)) / 2 / 1023
    np.testing.assert_allclose(light(stack)[0], [planes[0] / 1023, greens, planes[3] / 1023], rtol=1e-6)


def test_arrays_of_one_size_are_frames():
    stack = read_frames([("a.npz", npz(a=LIGHT[0], b=LIGHT[1]))])
    np.testing.assert_allclose(light(stack)[:, 0], LIGHT[:2], rtol=1e-6)
    one_each = read_frames([(f"{i}.npy", npy(frame)) for i, frame in enumerate(LIGHT)])
    np.testing.assert_allclose(light(one_each)[:, 0], LIGHT, rtol=1e-6)


def test_small_counts_are_counts():
    counts = RNG.integers(0, 6, (3, 9, 9)).astype(np.int32)
    np.testing.assert_allclose(light(read_frames([("a.npy", npy(counts))]))[:, 0], counts / 5, rtol=1e-6)


@pytest.mark.parametrize(
    "how",
    [{}, {"imagej": True}, {"ome": True}, {"compression": "zlib"}, {"bigtiff": True}, {"byteorder": ">"}],
)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8", "i4", "u4"])
def test_pages_of_a_tiff_are_frames(how, dtype):
    if how == {"imagej": True} and dtype in ("i2", "f8", "i4", "u4"):
        pytest.skip("ImageJ has no such numbers")
    top = 1 if "f" in dtype else 255 if dtype == "u1" else 1023
    array = (LIGHT * top).astype(dtype)
    file = io.BytesIO()
    tifffile.imwrite(file, array, photometric="minisblack", **how)
    stack = read_frames([("a.tif", file.getvalue())])
    assert stack.names[4] == "a.tif, frame 4"
    if "u1" not in dtype or "imagej" in how or "ome" in how:
        stack = stack.meant("linear")
    expected = array.astype(float) / top
    if stack.encoded:
        np.testing.assert_array_equal(stack.codes[:, 0], array)
    else:
        np.testing.assert_allclose(light(stack)[:, 0], expected, rtol=1e-6)


@pytest.mark.parametrize("how", ["imagej", "ome"])
@pytest.mark.parametrize("axes", ["TCYX", "CTYX", "ZCYX"])
def test_colors_and_times_of_a_microscope(how, axes):
    if how == "imagej" and axes == "CTYX":
        pytest.skip("ImageJ has its channels after times")
    frames = RNG.integers(0, 4096, (4, 3, 12, 16)).astype(np.uint16)
    file = io.BytesIO()
    stored = frames if axes[1] == "C" else frames.swapaxes(0, 1)
    tifffile.imwrite(file, stored, photometric="minisblack", metadata={"axes": axes}, **{how: True})
    stack = read_frames([("a.tif", file.getvalue())])
    np.testing.assert_array_equal(stack.codes, frames)
    assert not stack.encoded


def test_a_stack_of_imagej_behind_one_page():
    frames = (LIGHT * 4095).astype(np.uint16)
    file = io.BytesIO()
    with tifffile.TiffWriter(file, imagej=True) as writer:
        writer.write(frames, truncate=True)
    np.testing.assert_array_equal(read_frames([("a.tif", file.getvalue())]).codes[:, 0], frames)
    with pytest.raises(
        FileError, match=r"^a.tif (says that it holds 5 pictures, and ends before|cannot be read)"
    ):
        read_frames([("a.tif", file.getvalue()[:-99])])


def test_what_else_lies_in_a_tiff():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in COLOR:
            writer.write(page, photometric="rgb", metadata=None)
            writer.write(page[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    stack = read_frames([("a.tif", file.getvalue())])
    np.testing.assert_array_equal(stack.codes, COLOR.transpose(0, 3, 1, 2))
    assert "a.tif: 4 of its 8 pictures are of another size or previews, and left out." in stack.notes
    file = io.BytesIO()
    two = np.stack([LIGHT[:3], LIGHT[:3] / 2], 1).astype(np.float32)
    tifffile.imwrite(file, two, photometric="minisblack", metadata={"axes": "TCYX"}, ome=True)
    stack = read_frames([("a.tif", file.getvalue())])
    np.testing.assert_allclose(light(stack)[:, 0], LIGHT[:3], rtol=1e-6)
    assert "a.tif: of 2 channels the first is read." in stack.notes
    file = io.BytesIO()
    tifffile.imwrite(file, two, photometric="minisblack", metadata={"axes": "TZYX"}, ome=True)
    with pytest.raises(FileError, match=r"a.tif holds pictures along 2 axes \(3 along T and 2 along Z\)"):
        read_frames([("a.tif", file.getvalue())])


@pytest.mark.parametrize("axes, said", [("ZYX", True), ("TYX", False)])
def test_planes_of_focus_are_said_to_be_no_burst(axes, said):
    file = io.BytesIO()
    light = LIGHT.astype(np.float32)
    tifffile.imwrite(file, light, photometric="minisblack", metadata={"axes": axes}, ome=True)
    notes = " ".join(read_frames([("a.ome.tif", file.getvalue())]).notes)
    assert ("a.ome.tif: its pictures lie along Z: planes of focus" in notes) is said


def test_a_file_of_ome_that_names_others_reads_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    secret = (LIGHT[:1] * 99).astype(np.uint8)
    tifffile.imwrite(tmp_path / "secret.tif", secret, metadata=None)
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((2, 12, 16), np.uint8), ome=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as opened:
        text = opened.pages.first.description
    block = (
        '<TiffData FirstT="0" IFD="0" PlaneCount="1"><UUID FileName="secret.tif">'
        "urn:uuid:00000000-0000-0000-0000-000000000001</UUID></TiffData>"
    )
    start, end = text.index("<TiffData"), text.index("/>", text.index("<TiffData")) + 2
    text = text[:start] + block + block.replace('FirstT="0"', 'FirstT="1"') + text[end:]
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((2, 12, 16), np.uint8), description=text, metadata=None)
    try:
        assert not read_frames([("a.ome.tif", file.getvalue())]).codes.any()
    except FileError as error:
        assert str(error).startswith("a.ome.tif")


def moving(format, frames=COLOR, **options):
    file = io.BytesIO()
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(file, format, save_all=True, append_images=pictures[1:], **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "format, options",
    [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_animations_are_bursts(format, options):
    stack = read_frames([("a.x", moving(format, **options))])
    np.testing.assert_array_equal(stack.codes, COLOR.transpose(0, 3, 1, 2))
    assert stack.names[3] == "a.x, frame 3"


def test_gif_avif_and_mpo_are_bursts():
    # Of 32 grays that a GIF holds exactly; AVIF and JPEG lose a little of a smooth picture.
    grays = (COLOR[..., :1] // 8 * 8).repeat(3, -1)
    stack = read_frames([("a.gif", moving("GIF", grays))])
    np.testing.assert_array_equal(stack.codes, grays.transpose(0, 3, 1, 2))
    smooth = np.stack([np.tile(np.arange(16) * 9 + 20 * i, (16, 1)) for i in range(4)]).astype(np.uint8)
    smooth = smooth[..., None].repeat(3, -1)
    for format in ("AVIF", "MPO"):
        stack = read_frames([("a.x", moving(format, smooth, quality=95))])
        assert len(stack) == 4
        assert np.abs(stack.codes.astype(int) - smooth.transpose(0, 3, 1, 2)).max() <= 6
    # Beside other files the first picture of an MPO is the photo.
    both = read_frames([("a.jpg", moving("MPO", smooth)), ("b.jpg", moving("MPO", smooth[1:]))])
    assert both.names == ("a.jpg", "b.jpg") and abs(float(both.codes[1].mean()) - smooth[1].mean()) < 3


def pnm(kind, array, top):
    H, W = array.shape[:2]
    if kind in ("P2", "P3"):
        body = " ".join(map(str, array.ravel())).encode()
    else:
        body = array.astype(">u2" if top > 255 else "u1").tobytes()
    return f"{kind}\n# a comment\n{W} {H}\n{top}\n".encode() + body


@pytest.mark.parametrize("top", [255, 1023, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_pgm_and_ppm_keep_their_bits(kind, top):
    frames = RNG.integers(0, top + 1, (2, 9, 11, 3))
    frames = frames if kind in ("P3", "P6") else frames[..., :1]
    stack = read_frames([(f"{i}.ppm", pnm(kind, frame, top)) for i, frame in enumerate(frames)])
    np.testing.assert_array_equal(stack.codes, frames.transpose(0, 3, 1, 2))
    assert stack.encoded == (top != 1023)  # 10 bits are counts of a sensor
    if kind == "P5" and top == 255:
        with Image.open(io.BytesIO(pnm(kind, frames[0], top))) as file:
            np.testing.assert_array_equal(np.asarray(file), frames[0, ..., 0])
    if kind in ("P5", "P6"):  # several in a row, as a video is piped
        row = read_frames([("a.ppm", b"".join(pnm(kind, frame, top) for frame in frames))])
        np.testing.assert_array_equal(row.codes, stack.codes)


def test_pfm_and_bmp():
    picture = LIGHT[0].astype("<f4")
    data = b"Pf\n16 12\n-1.0\n" + picture[::-1].tobytes()
    np.testing.assert_array_equal(read_frames([("a.pfm", data)]).codes[0, 0], picture)
    with Image.open(io.BytesIO(data)) as file:
        np.testing.assert_array_equal(np.asarray(file), picture)
    np.testing.assert_array_equal(
        read_frames([("a.bmp", pillow(COLOR[0], "BMP"))]).codes[0], COLOR[0].transpose(2, 0, 1)
    )
    gray = read_frames([("a.bmp", pillow(COLOR[0, ..., 0], "BMP"))])
    np.testing.assert_array_equal(gray.codes[0, 0], COLOR[0, ..., 0])


def header(shape, descr="<f4", body=64):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(body)


def pages(count):
    """A TIFF of many pages of one pixel, each a few bytes."""
    data, at = bytearray(b"II*\0\x08\0\0\0"), 8
    for i in range(count):
        entries = [
            (256, 4, 1, 1),
            (257, 4, 1, 1),
            (258, 3, 1, 8),
            (262, 3, 1, 1),
            (273, 4, 1, 8),
            (279, 4, 1, 1),
        ]
        at += 2 + 12 * len(entries) + 4
        data += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        data += struct.pack("<I", at if i < count - 1 else 0)
    return bytes(data)


@pytest.mark.parametrize(
    "name, data, sentence",
    [
        ("a.npy", npy(np.zeros((4, 9, 9), bool)), "a.npy has 1 bit a pixel, no shades"),
        ("a.npy", npy(np.zeros((4, 9, 9), complex)), "a.npy has values of type complex128; integers and"),
        ("a.npy", npy(np.array([{}])), r"a.npy holds Python objects \(dtype object\), not numbers"),
        ("a.npy", npy(np.zeros((2, 2, 9, 9, 3))), r"a.npy holds numbers \[2, 2, 9, 9, 3\]; \[H, W\], "),
        ("a.npy", npy(np.zeros((2, 9, 9, 5))), r"a.npy holds numbers \[2, 9, 9, 5\]"),
        ("a.npy", npy(np.zeros(9)), "a.npy holds 9 numbers in one row, no picture"),
        ("a.npy", npy(np.full((2, 9, 9), np.nan)), "a.npy, frame 0 holds values that are not finite"),
        ("a.npy", npy(np.full((2, 9, 9), 2**40)), "a.npy, frame 0 holds the value 1099511627776; integers up to 5e"),
        ("a.npy", npy(np.zeros((0, 2, 2), "u1")), "a.npy holds no frames"),
        ("a.npy", header((10**9, 10**5, 10**5)), "a.npy has 64 bytes of numbers; .* have another number"),
        ("a.npy", header((10**9, 10**5), "|u1"), "a.npy has 64 bytes of numbers"),
        ("a.npy", header((2, -9, 9)), "a.npy is an NPY that cannot be read"),
        ("a.npy", b"\x93NUMPY\x01\x00\xff\xff", "a.npy is an NPY that cannot be read"),
        ("a.npz", npz(a=np.zeros((2, 9, 9)), b=np.zeros((3, 9, 9))), "a.npz holds the arrays a, b; that of"),
        ("a.npz", npz(a=np.zeros(3)), "a.npz holds the arrays a; that of the frames is called frames"),
        ("a.pgm", b"P5 99999 99999 255\n", "a.pgm has 99999x99999 pixels; the limit is 32 megapixels"),
        ("a.pgm", b"P5 9 9 255\n" + bytes(80), "a.pgm ends before its 9x9 pixels do"),
        ("a.pgm", b"P5 9 9 70000\n" + bytes(999), "a.pgm has the largest code 70000; it is 1 to 65535"),
        ("a.pgm", b"P2 2 2 9\n1 2 3", "a.pgm does not hold 4 numbers from 0 to 9"),
        ("a.pgm", b"P5 x", "a.pgm is a PGM or PPM whose header cannot be read"),
        ("a.pgm", b"P5" + b" " * 5000 + b"x", "a.pgm is a PGM or PPM whose header cannot be read"),
        ("a.pbm", b"P4 8 1\nx", "a.pbm has 1 bit a pixel"),
        ("a.tif", pages(1000), "a.tif holds 1000 or more pictures; a burst has up to 32"),
    ],
)  # fmt: skip
def test_what_is_no_burst_is_refused_in_one_sentence(name, data, sentence):
    with pytest.raises(FileError, match=sentence) as refusal:
        read_frames([(name, data)])
    assert "\n" not in str(refusal.value)


MANY = COLOR[:2].repeat(17, 0) + np.arange(34, dtype=np.uint8)[:, None, None, None]


@pytest.mark.parametrize(
    "name, data",
    [
        ("a.npy", npy(MANY)),
        ("a.npz", npz(stack=MANY)),
        ("a.npz", npz(frames=MANY)),
        ("a.pgm", b"".join(b"P6 16 12 255\n" + frame.tobytes() for frame in MANY)),
        ("a.tif", tiff(MANY, photometric="rgb")),
        ("a.tif", tiff(MANY, imagej=True)),
        ("a.png", moving("PNG", MANY)),
    ],
)
def test_of_a_file_of_too_many_frames_the_first_are_read(name, data):
    stack = read_frames([(name, data)])
    assert stack.codes[list(stack.places)].tolist() == MANY[:32].transpose(0, 3, 1, 2).tolist()
    of_them = "of its frames the first 32 are read; a burst has up to 32 (KPNVIZ_MAX_FRAMES)."
    assert any(note.startswith(name) and note.endswith(of_them) for note in stack.notes)


def test_frames_of_a_file_count_as_all_frames_do():
    with pytest.raises(
        FileError, match=r"^a.npy holds 4 frames of 16x12 pixels; the limit in all is 0.0006 megapixels"
    ):
        read_frames([("a.npy", npy(COLOR[..., 0]))], Limits(total_pixels=600))
    with pytest.raises(FileError, match="a.npy has 16x12 pixels; the limit"):
        read_frames([("a.npy", npy(COLOR[..., 0]))], Limits(pixels=100))
    # A container beside another file, and one frame alone.
    assert len(read_frames([("a.npy", npy(COLOR)), ("b.png", pillow(COLOR[0], "PNG"))])) == 4
    assert len(read_frames([("b.png", pillow(COLOR[0], "PNG"))])) == 1
    assert tiff(COLOR[0], photometric="rgb") and len(read_frames([("a.npy", npy(LIGHT[0]))])) == 1


@pytest.mark.parametrize(
    "data, kind",
    [
        (b"\xff\x0a\0\0", "a JPEG XL picture"),
        (b"%PDF-1.4", "a PDF"),
        (b"8BPS\0\1", "a Photoshop file"),
    ],
)
def test_what_is_refused_is_named(data, kind):
    with pytest.raises(FileError, match=f"^a.x is {kind}; what can be read is PNG, JPEG, "):
        read_frames([("a.x", data + bytes(64))])


def test_animated_pngs_of_16_bits():
    """Written here chunk by chunk: each frame is the picture that was put in, or one sentence says why it is none."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 65536, (3, 6, 5, 3)).astype(np.uint16)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def animation(size=(5, 6), is_frame=True):
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 5, 6, 16, 2, 0, 0, 0))
        data += chunk(b"acTL", struct.pack(">II", 3 if is_frame else 2, 0))
        for i, frame in enumerate(frames):
            if i or is_frame:
                control = struct.pack(">5I2H2B", 0, *(size if i else (5, 6)), 0, 0, 1, 10, 0, 0)
                data += chunk(b"fcTL", control)
            packed = zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in frame))
            # In two parts: packed pixels go on from chunk to chunk.
            for part in (packed[:40], packed[40:]):
                data += chunk(b"fdAT", bytes(4) + part) if i else chunk(b"IDAT", part)
        return data + chunk(b"IEND", b"")

    stack = read_frames([("a.png", animation())])
    np.testing.assert_array_equal(stack.codes, frames.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(
        read_frames([("a.png", animation(is_frame=False))]).codes, frames[1:].transpose(0, 3, 1, 2)
    )
    with pytest.raises(
        ValueError, match=r"a.png is an animation of 16 bits, of whose frames one is drawn into"
    ):
        read_frames([("a.png", animation(size=(4, 6)))])


def test_an_npz_of_others_means_the_same_whatever_its_array_is_called():
    counts = (LIGHT * 3000).astype(np.float64)
    beside = {"dark": np.zeros((12, 16)), "exposure": 30.0}
    own, *others = (
        read_frames([("a.npz", data)])
        for data in (npz(data=counts), npz(frames=counts), npz(frames=counts, **beside))
    )
    for stack in others:
        assert stack.meaning == own.meaning and not stack.known
        np.testing.assert_array_equal(light(stack), light(own))
        assert stack.meant(white=10_000).levels == (0, 10_000)
    ours = read_frames([("a.npz", npz(frames=LIGHT.astype(np.float32), white_level=1.0))])
    assert ours.known and ours.meaning is None


@pytest.mark.parametrize("most", [20, 200])
def test_few_counts_are_counts_whatever_holds_them(most):
    counts = np.random.default_rng(0).poisson(LIGHT * most)
    stacks = [read_frames([("a.npy", npy(counts.astype(dtype)))]) for dtype in (np.uint16, np.int64)]
    in_tiff = read_frames([("a.tif", tiff(counts.astype(np.uint16), photometric="minisblack"))])
    for stack in [*stacks, in_tiff]:
        assert stack.meaning == stacks[1].meaning and stack.clipped is None
        np.testing.assert_allclose(light(stack), light(stacks[1]), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_big_tiff_may_have_either_order_of_bytes(dtype):
    frames = (LIGHT * (1 if dtype == np.float32 else 250)).astype(dtype)
    little, big = (
        read_frames([("a.tif", tiff(frames, bigtiff=True, byteorder=order, photometric="minisblack"))])
        for order in "<>"
    )
    np.testing.assert_array_equal(little.codes, big.codes)
    assert little.meaning == big.meaning


def test_a_fits_that_gzip_has_packed_is_read_within_the_limits():
    fits = pytest.importorskip("astropy.io.fits")
    file = io.BytesIO()
    fits.PrimaryHDU(LIGHT.astype(np.float32)).writeto(file)
    packed = gzip.compress(file.getvalue())
    stack = read_frames([("a.fits.gz", packed)])
    np.testing.assert_array_equal(light(stack)[:, 0], LIGHT.astype(np.float32))
    bomb = gzip.compress(file.getvalue() + bytes(3_000_000))
    with pytest.raises(FileError, match="a.fits.gz unpacks to more than 1 MB .*, the limit of one file"):
        read_frames([("a.fits.gz", bomb)], Limits(file_bytes=1_000_000))
    with pytest.raises(FileError, match="a.fits.gz is packed by gzip and is incomplete"):
        read_frames([("a.fits.gz", packed[:-200])])
    for other in (gzip.compress(b"text"), b"text"):
        with pytest.raises(FileError, match="PGM/PPM, .*NPY, NPZ, ZIP, .*FITS"):
            read_frames([("a.x", other)])
        with pytest.raises(FileError) as refused:  # of photos
            read_picture("a.x", other, Limits())
        assert "NPY" not in str(refused.value)


def test_files_that_cannot_be_read_are_left_out_where_two_frames_are_left():
    frames = [(f"{i}.png", pillow(COLOR[i], "PNG")) for i in range(3)]
    broken = [("cut.png", frames[0][1][:-40]), ("empty.png", b""), ("text.png", b"text")]
    stack = read_frames([*broken[:1], *frames[:2], *broken[1:]])
    assert stack.names == ("0.png", "1.png")
    (note,) = (note for note in stack.notes if note.startswith("Left out"))
    assert "as they cannot be read: cut.png " in note and "; empty.png is empty; text.png is not " in note
    zipped_ones = read_frames([("a.zip", zipped([*broken, *frames]))])
    assert len(zipped_ones) == 3 and any("a.zip/empty.png is empty" in note for note in zipped_ones.notes)
    # One frame is no burst, and who names one file means that one.
    for files in (
        [*frames[:1], broken[1]],
        broken[1:2],
        [broken[1], *frames, ("burst.json", description(frames=["0.png"]))],
    ):
        with pytest.raises(FileError, match="^empty.png is empty$"):
            read_frames(files)
    # A limit is no damage.
    with pytest.raises(FileError, match="the limit is"):
        read_frames(
            [*frames, ("large.png", pillow(np.zeros((60, 60), np.uint8), "PNG"))], Limits(pixels=2000)
        )
    # Of a stack, what comes before the damage is there.
    one = npy(LIGHT[0].astype(np.float32))
    hurt = LIGHT.astype(np.float32)
    hurt[3, 5, 5] = np.nan
    stack = read_frames([("a.npy", one), ("b.npy", npy(hurt))])
    (note,) = (note for note in stack.notes if note.startswith("Left out, as it cannot be read"))
    assert len(stack) == 3 and "those before are used" in note
    assert "b.npy, frame 3 holds a value that is not finite (NaN or infinity), at row 5, column 5" in note


def test_files_of_several_frames_are_bursts_of_their_own():
    rng = np.random.default_rng(0)
    stacks = [npy(rng.integers(0, 4000, (3, 20, 24), np.uint16)) for _ in range(2)]
    photo = pillow(rng.integers(0, 255, (20, 24), np.uint8), "PNG")
    with pytest.raises(
        FileError, match="b.npy holds several frames, a burst of its own: give it, or the other"
    ):
        read_frames([("a.npy", stacks[0]), ("b.npy", stacks[1])])
    with pytest.raises(FileError, match="a.npy holds several frames, a burst of its own"):
        read_frames([("a.npy", stacks[0]), *((f"{i}.png", photo) for i in range(3))])
    stack = read_frames([("0.png", photo), ("a.npy", stacks[0])])  # one photo beside a stack
    assert len(stack) == 3 and "Left out: 0.png. a.npy holds several frames" in " ".join(stack.notes)
    many = read_frames([("a.npy", stacks[0]), *((f"{i}.png", photo) for i in range(6))])
    assert len(many) == 6 and "Left out: a.npy, frame 0" in " ".join(many.notes)
