"""The table of real motions: its numbers are those of its bursts, and what undoes more of the motion is better."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from benchmarks import real_motion
from benchmarks.real_motion import Outcome, as_text, measured, scene_of
from kpnviz.camera_motion import CameraMotion
from kpnviz.photos import photo_path, read_scene


def test_a_photo_fills_the_frame_by_its_mirror_image(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (700, 1300), dtype=np.uint8)).save(tmp_path / "small.png")
    folder = tmp_path / "scenes"
    folder.mkdir()
    scene = read_scene(str(scene_of(tmp_path / "small.png", folder)), 1)
    photo = read_scene(str(tmp_path / "small.png"), 1)
    assert scene.shape == (768, 1152)
    np.testing.assert_allclose(scene[:700], photo[:, :1152], atol=2e-5)
    np.testing.assert_allclose(scene[700:], photo[-1:-69:-1, :1152], atol=2e-5)


def test_more_of_the_motion_undone_is_better(monkeypatch):
    """With the mean of the frames in place of a network."""
    monkeypatch.setattr(real_motion, "SHAPE", (192, 256))
    monkeypatch.setattr(real_motion, "_WINDOW", 96)
    monkeypatch.setattr(real_motion, "MOTIONS", {"turn": CameraMotion(rotation=4)})
    mean = lambda burst, keep_kernels: SimpleNamespace(image=burst.frames.mean(axis=0))  # noqa: E731
    (found,) = measured(mean, [photo_path("city")], [4.0])
    one, shifted, field, oracle, aligned = found.psnrs
    assert (
        shifted + 1 < field < oracle + 0.5 < aligned + 0.5 and field > one + 1
    )  # a mean of frames that are apart is a blur
    assert found.read_ratio == pytest.approx(1, abs=0.02) and found.shot_ratio == pytest.approx(1, abs=0.25)


def test_the_table_is_the_mean_over_photos_and_the_error_of_paired_differences():
    found = [
        Outcome(
            motion,
            1.0,
            photo,
            (30.0, 31.0 + photo, 32.0 + photo, 32.5 + 1.2 * photo, 33.0 + 1.4 * photo),
            1.05,
            1.2,
        )
        for motion in real_motion.MOTIONS
        for photo in (0, 1)
    ]
    text = as_text(found)
    assert "| translation | 30.00 | 31.50 | 32.50 | 33.10 | 33.70 | −0.60 ± 0.10 | −1.20 ± 0.20 |" in text
    assert text.startswith("| PSNR, dB | ×1: one frame |") and "2 photos" in text
    assert "read_std within 10 % of the true one in 100% of the bursts, shot_gain in 0%" in text
