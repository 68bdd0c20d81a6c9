"""What the page *Your burst* makes of a burst, without a browser."""

from types import SimpleNamespace

import pytest

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.lens.payload import MAX_BYTES, pack
from kpnviz.ui import upload
from kpnviz.ui.methods import denoise
from kpnviz.ui.your_burst.frames import sentence

SIDES = (96, 128, 192, 256)


@pytest.mark.parametrize("frames, most", [(8, 256), (32, 128)])
def test_the_lens_shows_as_large_a_part_as_is_sent(frames, most):
    burst = SimpleNamespace(own=SimpleNamespace(order=(0,) * frames))
    assert upload.fitting(burst, ("kpn-l25", "mkpn"), SIDES) == most
    assert upload.fitting(burst, ("kpn-l25", "mkpn"), SIDES[2:]) == max(most, 192)  # there is nothing smaller


def test_what_is_sent_is_what_was_expected():
    small = synthesize(BurstRecipe("city", (60, 60, 16, 16), frames=32))
    size = len(pack(small, [denoise(method, small) for method in ("kpn-l25", "mkpn")]))
    assert size * 128**2 / 16**2 < MAX_BYTES < size * 192**2 / 16**2


def test_a_note_is_not_cut():
    note = "a.npy: " + "one pixel in two is green, " * 30 + "the end (--input bayer:GBRG)."
    shown = sentence(note)
    assert shown.count("green") == 30 and "…" not in shown and shown.endswith("“What the numbers mean”\\.")
