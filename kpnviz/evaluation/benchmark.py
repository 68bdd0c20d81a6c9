"""`kpnviz bench`: time and peak memory of the operator and of whole networks, all in one run.

Every case runs in a process of its own, so that its peak memory is its own, and is called once on a tiny input
first, so that compilation is not counted. Compare the figures of one run with each other, not with another
machine's.
"""

from __future__ import annotations

import multiprocessing
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from kpnviz.burst import Burst
from kpnviz.capture.frame_stack import GRAY
from kpnviz.capture.prepare import prepare
from kpnviz.capture.reader import files_of, read_frames
from kpnviz.denoise import Denoiser
from kpnviz.kernels import factor_channels
from kpnviz.local_conv import effective_kernels, local_conv, reflect_pad, upsample_factors
from kpnviz.models.zoo import build, config_of
from kpnviz.noise import NoiseModel

STACKED = "stacked copies"
LARGE = (3000, 4000)
"""Height and width of the burst of files that is read and denoised: 12 megapixels."""
SIDES = (128, 512, 1024)
MODELS = ("kpn", "kpn-l5", "kpn-l25", "mkpn")
_FRAMES = 8
_STACKED_UP_TO = 512  # MKPN's stacked copies take 5 GB there, and four times that at 1024x1024
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
    """All measurements: {machine, local_conv: [...], end_to_end: [...], files: [...]}; seconds and bytes."""
    for model in models:
        config_of(model)  # an unknown name is an error now, not minutes later
    cases = list(_cases(sides, models))
    report: dict = {"machine": machine(), "local_conv": [], "end_to_end": [], "files": []}
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
    backends = ["numba", "numba fused", "torch", STACKED]
    if torch.cuda.is_available():
        backends += ["triton", "triton fused"]
    for side in sides:
        for model in models:
            for backend in backends:
                if backend == STACKED and side > _STACKED_UP_TO:
                    continue
                config = config_of(model)
                yield (
                    "local_conv",
                    {
                        "backend": backend,
                        "sizes": list(config.sizes),
                        "separable": config.separable,
                        "frames": _FRAMES,
                        "height": side,
                        "width": side,
                    },
                )
        for model in models:
            yield "end_to_end", {"model": model, "height": side, "width": side}
    yield "files", {"model": models[-1], "height": LARGE[0], "width": LARGE[1]}


def _measure(kind: str, case: dict) -> dict:
    make = {"local_conv": _local_conv_call, "end_to_end": _end_to_end_call, "files": _files_call}[kind]
    make(case, 64, 64)()
    call = make(case, case["height"], case["width"])
    device_is_gpu = str(case.get("backend", "")).startswith("triton")

    def seconds() -> float:
        begun = time.perf_counter()
        call()
        if device_is_gpu:
            torch.cuda.synchronize()
        return time.perf_counter() - begun

    start = _reset_peak(device_is_gpu)
    first = seconds()
    peak = _peak(device_is_gpu) - start
    times: list[float] = []
    if kind == "files":  # it takes a minute, and the first call is as any other
        times.append(first)
    while kind != "files" and (len(times) < 3 or (sum(times) < _LEAST_SECONDS and len(times) < _MOST_CALLS)):
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


def _end_to_end_call(case: dict, height: int, width: int) -> Callable[[], object]:
    torch.manual_seed(0)
    denoiser = Denoiser(build(config_of(case["model"])).eval(), case["model"])
    frames = np.random.default_rng(0).random(
        (denoiser.network.config.frames, height, width), dtype=np.float32
    )
    burst = Burst(frames, NoiseModel.for_gain(4))
    return lambda: denoiser(burst)


def _files_call(case: dict, height: int, width: int) -> Callable[[], object]:
    """Read a burst of 16-bit files, align it, estimate its noise and denoise it."""
    torch.manual_seed(0)
    denoiser = Denoiser(build(config_of(case["model"])).eval(), case["model"], tile=512)
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(8_000, 40_000, (height // 50 + 1, width // 50 + 1)), np.ones((50, 50)))
    folder = tempfile.TemporaryDirectory()
    for i in range(_FRAMES):
        noisy = rng.normal(scene[:height, :width], 1000).astype(np.uint16)
        Image.fromarray(noisy).save(Path(folder.name) / f"{i}.tif")

    def call() -> None:
        with folder:
            burst = prepare(read_frames(files_of([folder.name])))
            view = burst.channel(GRAY, burst.estimate_noise().noise)
            denoiser(view, keep_kernels=False)

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
    """The report as two tables, each figure beside its ratio to the yardstick of its group."""
    lines = [", ".join(f"{key} {value}" for key, value in report["machine"].items() if value), ""]
    lines.append(
        f"{'local convolution':34}{'pixels':>12}{'ms':>10}{'MB':>9}   time, memory against stacked copies"
    )
    for row in report["local_conv"]:
        name = f"{row['backend']}, {'x'.join(map(str, row['sizes']))}{'' if row['separable'] else ' dense'}"
        same = ("sizes", "separable", "height", "width")
        stacked = [
            other
            for other in report["local_conv"]
            if other["backend"] == STACKED and all(other[key] == row[key] for key in same)
        ]
        ratio = ""
        if stacked and row["backend"] != STACKED:
            memory = stacked[0]["peak_bytes"] / max(row["peak_bytes"], 1)
            ratio = f"   {stacked[0]['seconds'] / row['seconds']:.1f}x faster, {memory:.0f}x less"
        lines.append(_line(name, row) + ratio)
    lines += ["", f"{'end to end':34}{'pixels':>12}{'ms':>10}{'MB':>9}   time against kpn-l5"]
    for row in report["end_to_end"]:
        base = [r for r in report["end_to_end"] if r["model"] == "kpn-l5" and r["height"] == row["height"]]
        lines.append(
            _line(row["model"], row) + (f"   {row['seconds'] / base[0]['seconds']:.2f}x" if base else "")
        )
    for row in report["files"]:
        lines += ["", f"{_FRAMES} files read, aligned, noise estimated, denoised", _line(row["model"], row)]
    return "\n".join(lines)


def _line(name: str, row: dict) -> str:
    pixels = f"{row['height']}x{row['width']}"
    return f"{name:34}{pixels:>12}{row['seconds'] * 1e3:>10.1f}{row['peak_bytes'] / 1e6:>9.0f}"
