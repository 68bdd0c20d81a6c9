"""Valid files of every format that a burst may come in, for the tests."""

import io
import json
import zipfile

import numpy as np
import tifffile
from PIL import Image

from kpnviz.pictures import icc_profile, write_png16, write_tiff

NOISE_PROFILE = (1e-3, 1e-5, 2e-3, 2e-5, 3e-3, 3e-5)
BLACK, WHITE = 512, 4095


def pillow(array, format, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, format, **options)
    return file.getvalue()


def tiff(array, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, metadata=None, **options)
    return file.getvalue()


def dng(mosaic, noise=NOISE_PROFILE, orientation=1, levels=True, pattern=(0, 1, 1, 2), area=None):
    """A DNG of a Bayer mosaic [H, W] uint16, RGGB unless told otherwise, with or without its tags.

    pattern   colors (0, 1, 2) of 2x2 pixels; or rows such as "RRGG" of any number
    area      (top, left, bottom, right) of what is a picture; the pattern begins at its corner
    """
    rows, columns = 2, 2
    if isinstance(pattern[0], str):
        rows, columns = len(pattern), len(pattern[0])
        pattern = tuple("RGB".index(color) for row in pattern for color in row)
    tags = [
        (50706, "B", 4, (1, 4, 0, 0), True),  # DNGVersion
        (50708, "s", 0, "kpnviz test", True),  # UniqueCameraModel
        (274, "H", 1, orientation, True),
        (33421, "H", 2, (rows, columns), True),  # CFARepeatPatternDim
        (33422, "B", rows * columns, pattern, True),  # CFAPattern
        (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),  # ColorMatrix1
        (50728, "2I", 3, (1, 2, 1, 1, 1, 1), True),  # AsShotNeutral: red needs twice the gain
        (50778, "H", 1, 21, True),  # CalibrationIlluminant1: D65
    ]
    if levels:
        tags += [(50714, "I", 1, BLACK, True), (50717, "I", 1, WHITE, True)]
    if area:
        tags.append((50829, "I", 4, area, True))  # ActiveArea
    if noise:
        tags.append((51041, "d", len(noise), noise, True))
    return tiff(mosaic, photometric="cfa", extratags=tags)


_COLOR_TAGS = [
    (50721, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),  # ColorMatrix1
    (50728, "2I", 3, (1, 2, 1, 1, 1, 1), True),  # AsShotNeutral
]
_DNG_TAGS = [
    (50706, "B", 4, (1, 4, 0, 0), True),
    (50708, "s", 0, "kpnviz test", True),
    (50778, "H", 1, 21, True),
]


def linear_dng(colors, black=0, white=65535):
    """A DNG of [H, W, 3] uint16 that holds all colors of each pixel."""
    levels = [(50714, "I", 3, (black,) * 3, True), (50717, "I", 3, (white,) * 3, True)]
    return tiff(colors, photometric="linear_raw", extratags=[*_DNG_TAGS, *_COLOR_TAGS, *levels])


def monochrome_dng(values):
    """A DNG of a sensor without colors, [H, W] uint16."""
    levels = [
        (50714, "I", 1, BLACK, True),
        (50717, "I", 1, WHITE, True),
        (51041, "d", 2, NOISE_PROFILE[:2], True),
    ]
    file = io.BytesIO(tiff(values, photometric="minisblack", extratags=[*_DNG_TAGS, *levels]))
    with tifffile.TiffFile(file, mode="r+b") as opened:
        opened.pages.first.tags["PhotometricInterpretation"].overwrite(
            34892
        )  # tifffile writes it with colors alone
    return file.getvalue()


def zipped(files, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def description(frames, **changes):
    values = {"format": "kpnviz burst 2", "frames": frames, "black_code": 1000, "white_code": 61000}
    return json.dumps(values | changes).encode()


def samples(seed=0, H=14, W=18):
    """One valid file of every format: {kind: bytes}."""
    rng = np.random.default_rng(seed)
    gray8, rgb8 = rng.integers(0, 256, (H, W), np.uint8), rng.integers(0, 256, (H, W, 3), np.uint8)
    gray16, rgb16 = rng.integers(0, 65536, (H, W), np.uint16), rng.integers(0, 65536, (H, W, 3), np.uint16)
    turned = Image.Exif()
    turned[0x0112] = 6
    taken = Image.Exif()
    taken[0x0110], taken[0x8769] = "Camera", {0x829A: 0.01, 0x829D: 2.0, 0x8827: 400}
    return {
        "png": pillow(rgb8, "PNG"),
        "png gray": pillow(gray8, "PNG", exif=turned),
        "png 16": write_png16(rgb16),
        "png 16 gray": write_png16(gray16),
        "png of a profile": write_png16(rgb16, icc_profile(False, True), taken.tobytes()),
        "jpeg": pillow(rgb8, "JPEG", exif=turned),
        "webp": pillow(rgb8, "WEBP", lossless=True),
        "tiff": pillow(rgb8, "TIFF", compression="tiff_lzw"),
        "tiff 16": write_tiff(rgb16),
        "tiff float": tiff(gray16.astype(np.float32) / 65535),
        "npy": npy(gray16[None].repeat(2, 0)),
        "pgm": b"P5 %d %d 65535\n" % (W, H) + gray16.astype(">u2").tobytes(),
        "gif": pillow(gray8, "GIF", save_all=True, append_images=[Image.fromarray(gray8 // 2)]),
        "tiff of pages": tiff(gray16[None].repeat(3, 0), photometric="minisblack"),
        "tiff of imagej": tiff(gray16[None].repeat(2, 0), imagej=True),
        "npz": npz(frames=rng.random((3, H, W), np.float32), read_std=0.02, shot_gain=0.003),
        "zip": zipped([("a.png", pillow(gray8, "PNG")), ("b.png", pillow(gray8, "PNG"))]),
        "burst.json": description(["png 16", "png 16 2"], noise=[{"read_std": 0.01, "shot_gain": 0.001}] * 3),
    }
