"""Hostile files: mutations of valid ones of every format, and bombs, built to cost memory or time.

A mutated case is its number: a failure says which, and that number alone repeats it. This module does without torch, as
the process that reads files does.
"""

import bz2
import io
import json
import struct
import tempfile
import zipfile
import zlib

import numpy as np
from PIL import Image

from kpnviz.capture import decoding
from kpnviz.limits import Limits
from kpnviz.pictures import write_png16

from ..capture.picture_makers import description, dng, npz, pillow, samples, tiff

LIMITS = Limits(pixels=1_000_000, file_bytes=4_000_000, total_bytes=4_000_000, total_pixels=4_000_000)


def mutate(data, rng):
    """A few bytes changed, cut out, doubled, or set to what counts and sizes break on."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        if not data:
            break
        # Headers are where the decisions are: half of the mutations hit the first 300 bytes.
        reach = len(data) if rng.random() < 0.5 else min(300, len(data))
        place = int(rng.integers(reach))
        length = int(rng.integers(1, 9))
        kind = rng.integers(6)
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[place : place + length] = rng.bytes(length)
        elif kind == 2:
            del data[place : place + int(rng.integers(1, 40))]
        elif kind == 3:
            data[place:place] = data[place : place + int(rng.integers(1, 40))]
        elif kind == 4:
            width = int(rng.choice([1, 2, 4, 8]))
            half = 2 ** (8 * width - 1)
            value = (0, 1, half - 1, half, 2 * half - 1)[rng.integers(5)]
            data[place : place + width] = value.to_bytes(width, ("little", "big")[rng.integers(2)])
        else:
            del data[place:]
    return bytes(data)


def mutated(case):
    """The files of a case: (kind, [(name, bytes)])."""
    rng = np.random.default_rng([7, case])
    originals = samples(int(rng.integers(4)))
    mosaic = rng.integers(500, 4096, (16, 24)).astype(np.uint16)
    color = rng.random((9, 8, 3), np.float32)
    originals |= {"dng": dng(mosaic), "float tiff": tiff(color, photometric="rgb", compression="zlib")}
    kind = str(rng.choice(sorted(originals)))
    whole = originals[kind]
    hurt = mutate(whole, rng)
    if kind == "burst.json":
        files = [("burst.json", hurt), ("png 16", originals["png 16"]), ("png 16 2", originals["png 16"])]
    elif kind in ("npz", "zip"):
        files = [(f"hurt.{kind}", hurt)]
    else:
        files = (
            [("whole", whole), ("hurt", hurt)] if rng.random() < 0.7 else [("hurt", hurt), ("hurt too", hurt)]
        )
    return kind, files


def stream(files):
    """Files as reader.py sends them to the process that reads."""
    return b"".join(json.dumps([name, len(data)]).encode() + b"\n" + data for name, data in files)


def read_here(files, limits=LIMITS):
    """What that process says of files, read in this one; with the file that it writes."""
    said = []
    output = tempfile.TemporaryFile()  # noqa: SIM115
    decoding.run(limits, io.BytesIO(stream(files)), output, said.append)
    return said[-1], output


def check_sentence(sentence, files):
    """A refusal is one sentence that names a file."""
    assert sentence and sentence.isprintable() and len(sentence) < 400, sentence
    named = any(name in sentence for name, _ in files) or sentence.startswith("there ")
    assert named, sentence


def bombs(scale=1.0):
    """(what it is, files, a part of the sentence that refuses them or None for any); `scale` of their full size."""

    def size(full):
        return max(int(full * scale), 100)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    png = pillow(np.zeros((8, 8), np.uint8), "PNG")
    jpeg = pillow(np.zeros((8, 8, 3), np.uint8), "JPEG")
    gray = Image.new("L", (8, 8))

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_BZIP2) as archive, archive.open("a.png", "w") as member:
        for _ in range(size(1500)):
            member.write(bytes(1_000_000))
    yield "ZIP, bzip2 member of 1.5 GB of zeros", [("a.zip", file.getvalue())], "method 12"

    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.png", "w") as member:
        for _ in range(size(1500)):
            member.write(bytes(1_000_000))
    lying = bytearray(file.getvalue())
    if scale == 1:
        yield "ZIP, deflated member of 1.5 GB of zeros", [("a.zip", bytes(lying))], "the limit of one file"
    place = lying.rindex(b"PK\1\2")
    lying[place + 24 : place + 28] = struct.pack("<I", 100)
    yield "the same, whose directory says 100 bytes", [("a.zip", bytes(lying))], "a.zip"

    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = size(8_000_000)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count % 65536, count % 65536, len(entry) * count, 0, 0)
    yield "ZIP, 8 million directory entries", [("a.zip", b"PK\3\4" + entry * count + end)], "too many members"

    lying = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        lying, {"descr": "<f4", "fortran_order": False, "shape": (30, 5000, 5000)}
    )
    yield (
        "NPY, 64 bytes that say they are 3 GB",
        [("a.npy", lying.getvalue() + bytes(64))],
        "have another number",
    )

    smallest = b"P5 1 1 255\n\0" * size(30_000_000)
    yield "PGM, 30 million pictures of a pixel", [("a.pgm", smallest)], None

    header = npz(frames=np.zeros((2, 1, 1), np.float32))
    assert header
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("frames.npy", "w") as member,
    ):
        np.lib.format.write_array_header_1_0(
            member, {"descr": "<f4", "fortran_order": False, "shape": (size(60_000_000), 1, 1)}
        )
        for _ in range(size(60_000_000) // 100_000):
            member.write(bytes(400_000))
        member.write(bytes(size(60_000_000) % 100_000 * 4))
    yield "NPZ, 60 million frames of 1x1", [("a.npz", file.getvalue())], None

    values = size(95_000_000)
    directory = struct.pack("<2sHIH", b"II", 42, 8, 2)
    directory += struct.pack("<HHII", 256, 3, 1, 8) + struct.pack("<HHII", 65000, 3, values, 38) + bytes(4)
    yield (
        "TIFF, a tag of 95 million values",
        [("a.tif", directory + bytes(2 * values))],
        "tag of" if values > 10**6 else None,
    )

    segments = b"\xff\xe1\0\2" * size(10_000_000)
    yield "JPEG, 10 million empty segments", [("a.jpg", jpeg[:2] + segments + jpeg[2:])], "parts"

    chunks = chunk(b"tEXt", b"a\0b") * size(3_000_000)
    yield "PNG, 3 million chunks", [("a.png", png[:33] + chunks + png[33:])], "parts"

    file = io.BytesIO()
    gray.save(file, "TIFF", save_all=True, append_images=[gray] * size(3000))
    many = "a burst has up to 32" if scale == 1 else None
    yield "TIFF, 3,000 pages", [("a.tif", file.getvalue())], many

    zeros = zlib.compress(bytes(size(400_000_000)), 9)
    icc = chunk(b"iCCP", b"a\0\0" + zeros) + chunk(b"zTXt", b"a\0\0" + zeros)
    yield "PNG, 400 MB in a color profile and a text", [("a.png", png[:33] + icc + png[33:])] * 2, None

    side = size(5600)
    color = tiff(np.zeros((side, side, 3), np.float64), photometric="rgb", compression="zlib")
    yield "TIFF, 31 megapixels of float64 zeros in color", [("a.tif", color)] * 2, None

    large = write_png16(np.zeros((side, side, 3), np.uint16))
    yield "PNG, 8 of 31 megapixels, 16 bits, color", [(f"{i}.png", large) for i in range(8)], None

    line = pillow(np.zeros((1, size(31_000_000)), np.uint8), "PNG")
    yield "PNG, 2 of 31,000,000 x 1 pixels", [("a.png", line), ("b.png", line)], None

    flat = pillow(np.zeros((size(2800), size(2800)), np.uint8), "PNG")
    yield "PNG, 32 of 7.8 megapixels, 8 bits, gray", [(f"{i}.png", flat) for i in range(32)], None

    masks = np.zeros((254, size(1000), size(1000)), bool)
    arrays = dict(frames=np.zeros((2, *masks.shape[1:]), np.float16), moving_mask=masks)
    arrays["moving_shifts"] = np.zeros((254, 2, 2), bool)
    yield "NPZ, 2 frames of 1 megapixel and 254 masks", [("a.npz", npz(**arrays))], "a.npz"

    file = io.BytesIO()
    Image.new("RGB", (size(16383),) * 2).save(file, "WEBP", lossless=True, method=0)
    yield "WebP, 268 megapixels of black", [("a.webp", file.getvalue())], None

    deep = b"[" * size(900_000)
    yield "burst.json, 900,000 brackets", [("burst.json", deep)], "burst.json"
    recipe = json.loads(description(["a.png", "b.png"]))
    for what, changes in (
        ("black_code 1e300", {"black_code": 1e300}),
        ("shifts of 1e300", {"shifts": [[0, 0], [1e300, 0]]}),
        ("white_level 1e300", {"white_level": 1e300}),
    ):
        frames = [(name, write_png16(np.zeros((8, 8), np.uint16))) for name in ("a.png", "b.png")]
        yield (
            f"burst.json, {what}",
            [("burst.json", json.dumps(recipe | changes).encode()), *frames],
            "burst.json",
        )

    # A mosaic whose header promises what its bytes do not hold.
    raw = bytearray(dng(np.full((64, 64), 700, np.uint16)))
    for code in (256, 257):
        place = raw.index(struct.pack("<HHI", code, 4, 1))
        raw[place + 8 : place + 12] = struct.pack("<I", size(5600))
    yield "DNG, 64x64 pixels that say they are 5600x5600", [("a.dng", bytes(raw))], None
    assert bz2
