"""Decodes one camera raw file in a process of its own, with little memory and no rights to write.

kpnviz/capture/raw.py runs this file as a script: the file on stdin; on stdout one line of JSON, then the samples.
LibRaw is C++ that reads files from anywhere: what goes wrong here goes wrong alone. It imports nothing
of kpnviz, whose imports would take longer than the decoding.
"""

from __future__ import annotations

import io
import json
import resource
import sys

import numpy as np

_NOISE_PROFILE, _DNG_ORDER = 51041, b"RGB"


class RefusedError(Exception):
    """The file is not what is read here; the message ends the sentence '<file> ...'."""


def limit_resources(memory: int, seconds: int) -> None:
    """At most `memory` bytes of address space and `seconds` of processor time; no file is written, no core."""
    for which, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(which)
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (allowed, allowed))


def decode_raw(data: bytes, max_pixels: int) -> tuple[dict, np.ndarray]:
    """The half-size Bayer planes of a raw file: ({noise, matrix, white_balance}, [3, H/2, W/2] float32).

    Planes are R, the mean of both greens, and B; black level 0, white level 1, not clipped, upright.
    `noise` holds (shot_gain, read_std^2) of R, G, B as the DNG's NoiseProfile gives them for one
    photosite, or is None; `matrix` takes white-balanced camera colors to linear sRGB.
    """
    import rawpy

    with rawpy.RawPy() as raw:
        raw.open_buffer(io.BytesIO(data))
        sizes = raw.sizes
        if sizes.raw_width * sizes.raw_height > max_pixels:
            raise RefusedError(
                f"has {sizes.raw_width}x{sizes.raw_height} pixels; "
                f"the limit is {max_pixels / 1e6:g} megapixels"
            )
        raw.unpack()
        if raw.raw_type != rawpy.RawType.Flat:
            raise RefusedError("is a raw file without a color filter array; only Bayer sensors are read")
        if raw.raw_pattern is None or raw.raw_pattern.shape != (2, 2):
            raise RefusedError("is a raw file of a sensor that is not Bayer (X-Trans or other)")
        # raw_pattern begins at the corner of the sensor, the mosaic at that of its visible part.
        pattern, colors = raw.raw_colors_visible[:2, :2], raw.color_desc
        if pattern.shape != (2, 2):
            H, W = raw.raw_image_visible.shape
            raise RefusedError(f"has {W}x{H} pixels; a Bayer block is 2x2")
        letters = [[chr(colors[pattern[y, x]]) for x in range(2)] for y in range(2)]
        if sorted(letters[0] + letters[1]) != ["B", "G", "G", "R"]:
            raise RefusedError(
                f"is a raw file with the filters {letters}; one red, two green and one blue are read"
            )
        mosaic = raw.raw_image_visible
        H, W = (length // 2 for length in mosaic.shape)
        planes = np.zeros((3, H, W), dtype=np.float32)
        for y in range(2):
            for x in range(2):
                black = float(raw.black_level_per_channel[pattern[y, x]])
                span = float(raw.white_level) - black
                if not span > 0:
                    raise RefusedError(f"has the white level {raw.white_level} at a black level of {black:g}")
                plane = (mosaic[y : 2 * H : 2, x : 2 * W : 2].astype(np.float32) - black) / span
                color = "RGB".index(letters[y][x])
                planes[color] += plane / 2 if color == 1 else plane
        matrix = np.asarray(raw.color_matrix, dtype=np.float64)[:, :3]
        balance = np.asarray(raw.camera_whitebalance, dtype=np.float64)[:3]
        turns = {3: 2, 5: 1, 6: 3}.get(sizes.flip, 0)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        matrix = np.eye(3)
    if not np.isfinite(balance).all() or balance.min() <= 0:
        balance = np.ones(3)
    info = {
        "noise": noise_profile(data),
        "matrix": matrix.tolist(),
        "white_balance": (balance / balance[1]).tolist(),
    }
    return info, np.rot90(planes, turns, axes=(1, 2))


def noise_profile(data: bytes) -> list[list[float]] | None:
    """(S, O) of R, G and B from a DNG's NoiseProfile (tag 51041), or None: there is none that makes sense.

    The signal's variance is S x + O, x in 0..1 from black to white (DNG 1.4, NoiseProfile). Either one pair
    for all colors, or one a plane in the order of CFAPlaneColor, which is R, G, B unless it says otherwise.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages = [file.pages.first, *(file.pages.first.pages or ())]
            for page in pages:
                tag = page.tags.get(_NOISE_PROFILE)
                if tag is None:
                    continue
                values = np.atleast_1d(np.asarray(tag.value, dtype=np.float64))
                if values.shape not in ((2,), (6,)) or not np.isfinite(values).all() or values.min() < 0:
                    return None
                return np.resize(values, 6).reshape(3, 2).tolist()
    # A raw file that is no TIFF, or one whose tags are damaged, has no profile; its pixels may be fine.
    except Exception:
        return None
    return None


def decode_float_tiff(data: bytes, max_pixels: int) -> tuple[dict, np.ndarray]:
    """A TIFF of three floating-point samples a pixel: ({}, [3, H, W] float32, linear)."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        if page.imagewidth * page.imagelength > max_pixels:
            raise RefusedError(
                f"has {page.imagewidth}x{page.imagelength} pixels; "
                f"the limit is {max_pixels / 1e6:g} megapixels"
            )
        codes = page.asarray()
        planar = page.planarconfig == 2
    if codes.ndim != 3 or codes.shape[0 if planar else 2] not in (3, 4):
        raise RefusedError(f"is a floating-point TIFF of shape {codes.shape}; [H, W] and [H, W, 3] are read")
    codes = codes[:3] if planar else codes[..., :3].transpose(2, 0, 1)
    if not np.isfinite(codes).all():
        raise RefusedError("holds values that are not finite (NaN or infinity)")
    return {}, codes.astype(np.float32)


def main(arguments: list[str]) -> int:
    kind, max_pixels, memory, seconds = arguments[0], *map(int, arguments[1:4])
    limit_resources(memory, seconds)
    data = sys.stdin.buffer.read()
    try:
        info, samples = (decode_raw if kind == "raw" else decode_float_tiff)(data, max_pixels)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 3
    except MemoryError:
        print("needs more memory than a raw file may", file=sys.stderr)
        return 3
    # LibRaw and tifffile raise dozens of kinds; whichever it is ends one sentence.
    except Exception as error:
        words = (" ".join(str(error).split()) or type(error).__name__)[:200].rstrip(".")
        print("cannot be read:", words.removeprefix("b'").rstrip("'"), file=sys.stderr)
        return 3
    header = json.dumps(info | {"shape": samples.shape})
    sys.stdout.buffer.write(header.encode() + b"\n")
    sys.stdout.buffer.write(np.ascontiguousarray(samples, dtype=np.float32).data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
