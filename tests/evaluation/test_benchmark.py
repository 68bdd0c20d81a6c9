"""The benchmark measures what it says; how fast is never asserted here (`kpnviz bench` reports that)."""

import pytest
import torch

from kpnviz.evaluation import benchmark
from kpnviz.kernels import factor_channels
from kpnviz.local_conv import local_conv
from kpnviz.models.zoo import config_of


@pytest.mark.parametrize("sizes, separable", [((1, 3, 5), True), ((3,), False)])
def test_the_yardstick_computes_the_same(sizes, separable):
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(2, 3, 9, 11, generator=generator)
    factors = torch.randn(2, 3, factor_channels(sizes, separable), 5, 6, generator=generator)
    ours = local_conv(frames, factors, sizes, separable=separable)
    torch.testing.assert_close(
        benchmark.stacked_copies(frames, factors, sizes, separable), ours, rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_report(monkeypatch):
    side = {"height": 128, "width": 128}
    seen = {"device": "cpu", "reach": 2, "windows": 2, "marginal": True, "frames": 4}
    monkeypatch.setattr(benchmark, "_cases", lambda sides, models: [
        ("local_conv", {"backend": backend, "sizes": [3], "separable": True, "frames": 8, **side})
        for backend in ("numba", benchmark.STACKED)
    ] + [
        ("matching", {"backend": backend, **seen, **side}) for backend in ("numba", benchmark.SHIFTED)
    ] + [("end_to_end", {"model": "kpn-l5", "height": 96, "width": 128})] + [
        ("files", {"model": "kpn-l5", "color": color, "height": 96, "width": 128}) for color in (False, True)
    ])  # fmt: skip
    report = benchmark.run(show_progress=False)
    assert set(report) == {"machine", "local_conv", "matching", "end_to_end", "files"}
    assert set(report["local_conv"][0]) == {
        "backend",
        "sizes",
        "separable",
        "frames",
        "height",
        "width",
        "seconds",
        "peak_bytes",
    }
    assert set(report["end_to_end"][0]) == {"model", "height", "width", "seconds", "peak_bytes"}
    assert all(row["seconds"] > 0 for kind in set(report) - {"machine"} for row in report[kind])
    # 9 copies of 8 frames of 128x128 in float32 are 4.7 MB, and so are the kernels.
    assert report["local_conv"][1]["peak_bytes"] > 9e6 > 5 * report["local_conv"][0]["peak_bytes"]
    # The reference has the costs of all 25 displacements in memory, of 2 windows, 4 frames and 64x64 cells: 3.3 MB.
    assert report["matching"][1]["peak_bytes"] > 3.2e6
    text = benchmark.as_text(report)
    frames = config_of("kpn-l5").frames
    gray, color = report["files"]
    assert gray["seconds"] == gray["preparing"] + gray["denoising"]
    assert f"{color['seconds'] / gray['seconds']:.2f}x gray" in text and "kpn-l5, color" in text
    assert text.count("x faster") == 2 and f"{frames} files read" in text and "kpn-l5" in text


def test_cases_cover_what_the_networks_do():
    """Frames, reach and windows are those of each network; what several have in common is measured once."""
    models = ["kpn-1frame-stacked", "mkpn-stacked", "mkpn"]
    cases = list(benchmark._cases([64, 1024], models))
    mkpn = config_of("mkpn")
    assert {(tuple(case["sizes"]), case["frames"]) for kind, case in cases if kind == "local_conv"} == {
        (config_of(model).sizes, config_of(model).frames) for model in models
    }
    of_side = [case for kind, case in cases if kind == "matching" and case["device"] == "cpu"]
    assert [(case["backend"], case["height"]) for case in of_side] == [
        ("numba", 64),
        ("reference", 64),
        ("numba", 1024),
    ]
    for case in of_side:
        assert (case["reach"], case["windows"], case["marginal"], case["frames"]) == (
            max(mkpn.sizes) // 2,
            mkpn.windows,
            mkpn.separable,
            mkpn.frames,
        )
    assert [case["model"] for kind, case in cases if kind == "end_to_end"] == 2 * models


def test_ratios_are_against_the_same_task():
    """By hand: 2 s against 1 s and 0.5 s; the burst of another size has no yardstick."""
    task = {"device": "cpu", "reach": 5, "windows": 3, "marginal": True, "frames": 8, "width": 64}
    made = [("reference", 64, 2.0), ("numba", 64, 0.5), ("numba", 128, 0.1)]
    matching = [
        {"backend": b, "height": h, "seconds": s, "peak_bytes": 8_000_000 * s, **task} for b, h, s in made
    ]
    networks = [
        ("kpn-l5", 64, 0.5),
        ("mkpn-stacked", 64, 1.0),
        ("mkpn", 64, 1.5),
        ("mkpn", 128, 9.0),
    ]
    end_to_end = [
        {"model": m, "height": h, "width": 64, "seconds": s, "peak_bytes": 1} for m, h, s in networks
    ]
    text = benchmark.as_text(
        {"machine": {}, "local_conv": [], "matching": matching, "end_to_end": end_to_end, "files": []}
    )
    lines = {tuple(line.split()[:2]): line for line in text.splitlines() if line}
    numba = [line for line in text.splitlines() if line.startswith("numba")]
    assert (
        numba[0].endswith("4.0x faster, 4x less") and "x faster" not in numba[1] + lines["reference", "cpu,"]
    )
    assert lines["mkpn-stacked", "64x64"].endswith("   2.00x kpn-l5")
    assert lines["mkpn", "64x64"].endswith("   3.00x kpn-l5, 1.50x mkpn-stacked")
    assert lines["mkpn", "128x64"].endswith("9000.0        0")
