"""`kpnviz bench`: time and peak memory of the operator, of matching and of whole networks, all in one run.

Every case runs in a process of its own, so that its peak memory is its own, and is called once on a tiny input
first, so that compilation is not counted. Compare the figures of one run with each other, not with another
machine's.
"""

from __future__ import annotations

import multiprocessing
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import tifffile
import torch
from torch import Tensor
from tqdm import tqdm

from kpnviz.burst import Burst
from kpnviz.capture.frame_stack import GRAY
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import files_of, read_frames
from kpnviz.denoise import Denoiser
from kpnviz.kernels import factor_channels
from kpnviz.limits import Limits
from kpnviz.local_conv import effective_kernels, local_conv, reflect_pad, upsample_factors
from kpnviz.matching import matching_costs
from kpnviz.models.zoo import STACKED_SUFFIX, build, config_of
from kpnviz.noise import NoiseModel
from kpnviz.threads import results

STACKED, SHIFTED = "stacked copies", "reference"
"""The yardsticks: of local convolution, and of matching (which shifts whole pictures in torch)."""
LARGE = (3000, 4000)
"""Height and width of the burst of files that is read and denoised: 12 megapixels."""
SIDES = (128, 512, 1024)
MODELS = ("kpn", "kpn-l5", "kpn-l25", "mkpn", "mkpn-stacked")
_YARDSTICKS_UP_TO = 512  # MKPN's stacked copies take 5 GB there, and four times that at 1024x1024
_LEAST_SECONDS, _MOST_CALLS = 1.0, 20


def stacked_copies(frames: Tensor, factors: Tensor, sizes: Sequence[int], separable: bool = True) -> Tensor:
    """local_conv as the public PyTorch implementations of KPN write it, the yardstick: [B, H, W].

    For each size, K^2 shifted copies of the frames are stacked, multiplied by the full-resolution kernels
    [B, N, K^2, H, W] and summed.
    """
    H, W = frames.shape[-2:]
    full = upsample_factors(factors, H, W)
    estimates, first = [], 0
    for size in sizes:
        channels = factor_channels((size,), separable)
        kernels = effective_kernels(full[:, :, first : first + channels], (size,), separable).flatten(2, 3)
        first += channels
        padded = reflect_pad(frames, size // 2)
        copies = torch.stack(
            [padded[..., a : a + H, b : b + W] for a in range(size) for b in range(size)], dim=2
        )  # [B, N, K^2, H, W]
        estimates.append((kernels * copies).sum(2))
    return torch.stack(estimates, dim=2).mean((1, 2))


def run(sides: Sequence[int] = SIDES, models: Sequence[str] = MODELS, show_progress: bool = True) -> dict:
    """All measurements, in seconds and bytes: {machine, local_conv: [...], matching, end_to_end, files: the same}."""
    for model in models:
        config_of(model)  # an unknown name is an error now, not minutes later
    cases = list(_cases(sides, models))
    report: dict = {"machine": machine(), "local_conv": [], "matching": [], "end_to_end": [], "files": []}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1) as pool:
        for kind, case in tqdm(cases, disable=not show_progress, desc="bench", unit="case"):
            report[kind].append(pool.submit(_measure, kind, case).result())
    return report


def machine() -> dict:
    """What the figures were measured on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _cases(sides: Sequence[int], models: Sequence[str]) -> Iterator[tuple[str, dict]]:
    gpu = torch.cuda.is_available()
    backends = ["numba", "torch", STACKED] + ["triton", "triton fused"] * gpu
    matchers = [("numba", "cpu"), (SHIFTED, "cpu")] + [("triton", "cuda"), (SHIFTED, "cuda")] * gpu
    configs = [config_of(model) for model in models]
    # What several networks have in common is measured once.
    kernels = dict.fromkeys((config.sizes, config.separable, config.frames) for config in configs)
    seen = dict.fromkeys(
        (max(config.sizes) // 2, config.windows, config.separable, config.frames)
        for config in configs
        if config.matching
    )
    for side in sides:
        size = {"height": side, "width": side}
        for sizes, separable, frames in kernels:
            for backend in backends:
                if backend != STACKED or side <= _YARDSTICKS_UP_TO:
                    case = {"sizes": list(sizes), "separable": separable, "frames": frames}
                    yield "local_conv", {"backend": backend, **case, **size}
        for reach, windows, marginal, frames in seen:
            for backend, device in matchers:
                if backend != SHIFTED or side <= _YARDSTICKS_UP_TO:
                    case = {"reach": reach, "windows": windows, "marginal": marginal, "frames": frames}
                    yield "matching", {"backend": backend, "device": device, **case, **size}
        for model in models:
            yield "end_to_end", {"model": model, **size}
    for i, model in enumerate(models[-2:]):
        for color in (False, True) if i == 0 else (False,):
            yield "files", {"model": model, "color": color, "height": LARGE[0], "width": LARGE[1]}


def _measure(kind: str, case: dict) -> dict:
    make = {
        "local_conv": _local_conv_call,
        "matching": _matching_call,
        "end_to_end": _end_to_end_call,
        "files": _files_call,
    }[kind]
    make(case, 64, 64)()
    call = make(case, case["height"], case["width"])
    device_is_gpu = case.get("device") == "cuda" or str(case.get("backend", "")).startswith("triton")

    def seconds() -> float:
        begun = time.perf_counter()
        call()
        if device_is_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    start = _reset_peak(device_is_gpu)
    if kind == "files":  # it takes half a minute, and the first call is as any other
        parts = call()
        assert isinstance(parts, dict)
        return {**case, "seconds": sum(parts.values()), **parts, "peak_bytes": max(_peak(False) - start, 0)}
    seconds()
    peak = _peak(device_is_gpu) - start
    times: list[float] = []
    while len(times) < 3 or (sum(times) < _LEAST_SECONDS and len(times) < _MOST_CALLS):
        times.append(seconds())
    return {**case, "seconds": float(np.median(times)), "peak_bytes": max(peak, 0)}


def _local_conv_call(case: dict, height: int, width: int) -> Callable[[], object]:
    backend, sizes, separable = case["backend"], case["sizes"], case["separable"]
    device = "cuda" if backend.startswith("triton") else "cpu"
    generator = torch.Generator().manual_seed(0)
    channels = factor_channels(tuple(sizes), separable)
    frames = torch.rand((1, case["frames"], height, width), generator=generator).to(device)
    factors = torch.rand((1, case["frames"], channels, height // 2, width // 2), generator=generator).to(
        device
    )
    if backend == STACKED:
        return lambda: stacked_copies(frames, factors, sizes, separable)
    name, _, fused = backend.partition(" ")
    return lambda: local_conv(frames, factors, sizes, separable=separable, fused=bool(fused), backend=name)


def _matching_call(case: dict, height: int, width: int) -> Callable[[], object]:
    frames = torch.randn((1, case["frames"], height, width), generator=torch.Generator().manual_seed(0))
    frames = frames.to(case["device"])
    options = {"marginal": case["marginal"], "backend": case["backend"]}
    return lambda: matching_costs(frames, case["reach"], case["windows"], **options)


def _end_to_end_call(case: dict, height: int, width: int) -> Callable[[], object]:
    torch.manual_seed(0)
    denoiser = Denoiser(build(config_of(case["model"])).eval(), case["model"])
    frames = np.random.default_rng(0).random(
        (denoiser.network.config.frames, height, width), dtype=np.float32
    )
    burst = Burst(frames, NoiseModel.for_gain(4))
    return lambda: denoiser(burst)


def _files_call(case: dict, height: int, width: int) -> Callable[[], dict[str, float]]:
    """Read a burst of 16-bit files, align it, estimate its noise and denoise it: seconds of preparing and denoising."""
    torch.manual_seed(0)
    denoiser = Denoiser(
        build(config_of(case["model"])).eval(), case["model"], tile=896
    )  # as the command line has it
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(8_000, 40_000, (height // 50 + 1, width // 50 + 1)), np.ones((50, 50)))
    channels = range(3) if case.get("color") else [GRAY]
    folder = tempfile.TemporaryDirectory()
    for i in range(denoiser.network.config.frames):
        noisy = [rng.normal(scene[:height, :width], 1000).astype(np.uint16) for _ in channels]
        pixels = np.stack(noisy, axis=-1) if len(noisy) > 1 else noisy[0]
        tifffile.imwrite(Path(folder.name) / f"{i}.tif", pixels)

    def call() -> dict[str, float]:
        with folder:
            begun = time.perf_counter()
            burst = prepare(read_frames(files_of([folder.name]), Limits.from_environment(generous=True)))
            noises = results(lambda c: burst.estimate_noise(c).noise, channels)
            view = burst.color(noises) if len(noises) > 1 else burst.channel(GRAY, noises[0])
            prepared = time.perf_counter()
            denoiser(view, keep_kernels=False)
            return {"preparing": prepared - begun, "denoising": time.perf_counter() - prepared}

    return call


def _reset_peak(gpu: bool) -> int:
    """Memory in use now, from which the peak is counted anew; bytes."""
    if gpu:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    # Linux lets a process reset its own high-water mark.
    Path("/proc/self/clear_refs").write_text("5")
    return _status_bytes("VmRSS")


def _peak(gpu: bool) -> int:
    return torch.cuda.max_memory_allocated() if gpu else _status_bytes("VmHWM")


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}; peak memory is measured on Linux only")


def as_text(report: dict) -> str:
    """The report as tables, each figure beside its ratio to the yardstick of its group."""
    lines = [", ".join(f"{key} {value}" for key, value in report["machine"].items() if value)]
    lines += _table("local convolution", "time, memory against stacked copies")
    for row in report["local_conv"]:
        name = f"{row['backend']}, {'x'.join(map(str, row['sizes']))}{'' if row['separable'] else ' dense'}"
        same = ("sizes", "separable", "frames", "height", "width")
        lines.append(_line(name, row) + _ratios(row, report["local_conv"], STACKED, same))
    if report["matching"]:
        lines += _table("matching", "time, memory against the reference")
    for row in report["matching"]:
        all_of = "" if row["marginal"] else " all"
        name = f"{row['backend']} {row['device']}{all_of}, reach {row['reach']}, J = {row['windows']}"
        task = ("device", "reach", "windows", "marginal", "frames", "height", "width")
        lines.append(_line(name, row) + _ratios(row, report["matching"], SHIFTED, task))
    lines += _table("end to end", "time against kpn-l5, and of matching against stacked frames")
    for row in report["end_to_end"]:
        seconds = {r["model"]: r["seconds"] for r in report["end_to_end"] if r["height"] == row["height"]}
        yardsticks = [name for name in ("kpn-l5", _stacked(row["model"], seconds)) if name in seconds]
        ratios = ", ".join(f"{row['seconds'] / seconds[name]:.2f}x {name}" for name in yardsticks)
        lines.append(_line(row["model"], row) + (ratios and f"   {ratios}"))
    if report["files"]:
        frames = config_of(report["files"][0]["model"]).frames
        lines += ["", f"{frames} files read, aligned, noise estimated, denoised"]
    for row in report["files"]:
        gray = [r["seconds"] for r in report["files"] if r["model"] == row["model"] and not r["color"]]
        times = f"   preparing {row['preparing']:.1f} s, denoising {row['denoising']:.1f} s"
        ratio = f", {row['seconds'] / gray[0]:.2f}x gray" if row["color"] and gray else ""
        lines.append(_line(row["model"] + ", color" * row["color"], row) + times + ratio)
    return "\n".join(lines)


def _ratios(row: dict, rows: list[dict], yardstick: str, same: Sequence[str]) -> str:
    """How a row compares with that of the yardstick, for which all of `same` is the same."""
    for other in rows:
        if other["backend"] == yardstick != row["backend"] and all(other[key] == row[key] for key in same):
            memory = other["peak_bytes"] / max(row["peak_bytes"], 1)
            return f"   {other['seconds'] / row['seconds']:.1f}x faster, {memory:.0f}x less"
    return ""


def _stacked(model: str, models: Iterable[str]) -> str | None:
    """That of these models which is as `model` but sees stacked frames."""
    return model + STACKED_SUFFIX if model + STACKED_SUFFIX in models else None


def _table(title: str, ratios: str) -> list[str]:
    return ["", f"{title:34}{'pixels':>12}{'ms':>10}{'MB':>9}   {ratios}"]


def _line(name: str, row: dict) -> str:
    pixels = f"{row['height']}x{row['width']}"
    return f"{name:34}{pixels:>12}{row['seconds'] * 1e3:>10.1f}{row['peak_bytes'] / 1e6:>9.0f}"
