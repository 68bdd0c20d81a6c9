"""Which files are bursts by themselves. Oracles: the frames that NumPy, tifffile and Pillow were given."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from kpnviz.capture.several import holds_several

FRAMES = np.random.default_rng(0).integers(0, 255, (4, 20, 24), np.uint8)


def animation(path, frames, **options):
    first, *more = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=True, append_images=more, **options)


WRITERS = {
    "a.tif": lambda path, frames: tifffile.imwrite(path, frames, metadata=None, photometric="minisblack"),
    "big.tif": lambda path, frames: tifffile.imwrite(
        path, frames, bigtiff=True, byteorder=">", photometric="minisblack"
    ),
    "j.tif": lambda path, frames: tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX"}),
    "c.tif": lambda path, frames: tifffile.imwrite(path, frames, imagej=True),
    "o.ome.tiff": lambda path, frames: tifffile.imwrite(path, frames, metadata={"axes": "ZYX"}),
    "a.npy": np.save,
    "c.npy": lambda path, frames: np.save(path, np.stack([frames] * 3, axis=-1)),
    "a.gif": lambda path, frames: animation(path, frames),
    "a.png": animation,
    "a.webp": animation,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_holds_several_frames_or_one(name, tmp_path):
    for count in (1, 4):
        path = tmp_path / f"{count}{name}"
        WRITERS[name](path, FRAMES[:count])
        assert holds_several(path) is (count > 1)


def test_channels_previews_and_damage_are_no_frames(tmp_path):
    colors = {"imagej": True, "metadata": {"axes": "CYX"}}
    tifffile.imwrite(tmp_path / "color.tif", FRAMES[:3], **colors)
    with tifffile.TiffWriter(tmp_path / "preview.tif") as file:
        file.write(FRAMES[0])
        file.write(FRAMES[0, ::2, ::2], subfiletype=1)
    np.save(tmp_path / "rgb.npy", np.moveaxis(FRAMES[:3], 0, -1))
    (tmp_path / "empty.tif").touch()
    (tmp_path / "cut.tif").write_bytes(b"II*\0\xff\xff")
    for path in [*tmp_path.iterdir(), tmp_path / "nothing.tif"]:
        assert not holds_several(path), path
