"""The benchmark measures what it says; how fast is never asserted here (`kpnviz bench` reports that)."""

import pytest
import torch

from kpnviz.evaluation import benchmark
from kpnviz.kernels import factor_channels
from kpnviz.local_conv import local_conv


@pytest.mark.parametrize("sizes, separable", [((1, 3, 5), True), ((3,), False)])
def test_the_yardstick_computes_the_same(sizes, separable):
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(2, 3, 9, 11, generator=generator)
    factors = torch.randn(2, 3, factor_channels(sizes, separable), 5, 6, generator=generator)
    ours = local_conv(frames, factors, sizes, separable=separable)
    torch.testing.assert_close(
        benchmark.stacked_copies(frames, factors, sizes, separable), ours, rtol=1e-4, atol=1e-5
    )


def test_report(monkeypatch):
    monkeypatch.setattr(benchmark, "_cases", lambda sides, models: [
        ("local_conv", {"backend": backend, "sizes": [3], "separable": True, "frames": 8, "height": 128, "width": 128})
        for backend in ("numba", benchmark.STACKED)
    ] + [(kind, {"model": "kpn-l5", "height": 96, "width": 128}) for kind in ("end_to_end", "files")])  # fmt: skip
    report = benchmark.run(show_progress=False)
    assert set(report) == {"machine", "local_conv", "end_to_end", "files"}
    assert set(report["local_conv"][0]) >= {
        "backend",
        "sizes",
        "frames",
        "height",
        "width",
        "seconds",
        "peak_bytes",
    }
    assert set(report["end_to_end"][0]) == {"model", "height", "width", "seconds", "peak_bytes"}
    assert all(row["seconds"] > 0 for row in report["local_conv"] + report["end_to_end"] + report["files"])
    # 9 copies of 8 frames of 128x128 in float32 are 4.7 MB, and so are the kernels.
    assert report["local_conv"][1]["peak_bytes"] > 9e6 > 5 * report["local_conv"][0]["peak_bytes"]
    text = benchmark.as_text(report)
    assert "x faster" in text and "8 files read" in text and "kpn-l5" in text
