"""What the page *Your burst* makes of a burst, without a browser."""

from types import SimpleNamespace

import pytest

from kpnviz.burst import BurstRecipe, synthesize
from kpnviz.capture.frame_stack import GRAY
from kpnviz.lens.payload import MAX_BYTES, pack
from kpnviz.ui import upload
from kpnviz.ui.methods import denoise
from kpnviz.ui.parameters import IN_COLOR
from kpnviz.ui.your_burst.frames import sentence

SIDES = (96, 128, 192, 256)


@pytest.mark.parametrize("frames, channel, most", [(8, GRAY, 256), (32, GRAY, 128), (32, IN_COLOR, 128)])
def test_the_lens_shows_as_large_a_part_as_is_sent(frames, channel, most):
    burst = SimpleNamespace(own=SimpleNamespace(order=(0,) * frames))
    assert upload.fitting(burst, ("kpn-l25", "mkpn"), channel, SIDES) == most
    # There is nothing smaller.
    assert upload.fitting(burst, ("kpn-l25", "mkpn"), channel, SIDES[2:]) == max(most, 192)


@pytest.mark.parametrize("color, fits, too_large", [(False, 128, 192), (True, 128, 192)])
def test_what_is_sent_is_what_was_expected(color, fits, too_large):
    small = synthesize(BurstRecipe("city", (60, 60, 16, 16), frames=32, color=color))
    size = len(pack(small, [denoise(method, small) for method in ("kpn-l25", "mkpn")]))
    assert size * fits**2 / 16**2 < MAX_BYTES < size * too_large**2 / 16**2


def test_a_note_is_not_cut():
    note = "a.npy: " + "one pixel in two is green, " * 30 + "the end (--input bayer:GBRG)."
    shown = sentence(note)
    assert shown.count("green") == 30 and "…" not in shown and shown.endswith("“What the numbers mean”\\.")
