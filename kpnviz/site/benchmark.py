"""`kpnviz bench --site`: the engine of the site beside PyTorch and numba, one thread each, in turns in one run.

Figures are seconds of processor time, of several calls the least: other processes disturb them little. Compare the
ratios; those of another machine are others.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.denoise import Denoiser, load
from kpnviz.evaluation.benchmark import machine
from kpnviz.lens.linker import linked
from kpnviz.models.checkpoints import folder, read_card
from kpnviz.models.kpn import ModelConfig
from kpnviz.photos import read_scene
from kpnviz.site import compiling

MODELS = ("kpn-l5", "mkpn", "kpn")
SIDE = 128

_SCRIPT = Path(__file__).parent / "scripts" / "benchmark.js"
_RELAXED_FLAG = "--experimental-wasm-relaxed-simd"  # until Node 21 it is asked for
_TURNS, _CALLS = 3, 4


def run(models: Sequence[str] = MODELS, side: int = SIDE, turns: int = _TURNS) -> dict[str, Any]:
    """Seconds of each network and way to compute it, of a burst of 8 frames of side x side pixels.

    ValueError where there is no Node (Node.js), or no network of a name.
    """
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        raise ValueError("the site's engine is timed in Node.js, and there is no program node here")
    ways = {"simd": ("engine.wasm", [node])}
    relaxed = _relaxed(node)
    if relaxed is not None:
        ways["relaxed"] = ("engine.relaxed.wasm", [node, *relaxed])
    start = max(0, (read_scene("dog").shape[0] - side) // 2)
    burst = synthesize(BurstRecipe("dog", (start, start, side, side)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        networks = {name: load(name) for name in models}
        for network in networks.values():
            network(burst)  # it is compiled
        rows: dict[str, dict[str, Any]] = {name: {"model": name} for name in models}
        for _ in range(turns):
            for name, row in rows.items():
                _least(row, "native", {"seconds": _native(networks[name], burst)})
                for way, (build, command) in ways.items():
                    _least(row, way, _in_node(command, build, name, burst))
    finally:
        torch.set_num_threads(threads)
    for row in rows.values():
        for way in ways:
            row[way]["ratio"] = row[way]["seconds"] / row["native"]["seconds"]
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "machine": machine() | {"threads": 1, "node": version},
        "side": side,
        "cases": list(rows.values()),
    }


def _least(row: dict[str, Any], way: str, found: dict[str, float]) -> None:
    if way not in row or found["seconds"] < row[way]["seconds"]:
        row[way] = found


def _native(network: Denoiser, burst: Burst) -> float:
    least = float("inf")
    for _ in range(_CALLS):
        begun = time.process_time()
        network(burst)
        least = min(least, time.process_time() - begun)
    return least


def _in_node(command: list[str], build: str, name: str, burst: Burst) -> dict[str, float]:
    """What benchmark.js measures: seconds of a call and of preparing the weights, bytes of memory."""
    assert burst.recipe is not None
    N, H, W = burst.frames.shape
    noise = {"read_std": burst.recipe.noise.read_std, "shot_gain": burst.recipe.noise.shot_gain}
    with tempfile.TemporaryDirectory() as place:
        frames, script = Path(place, "frames"), Path(place, "run.mjs")
        frames.write_bytes(burst.frames.tobytes())
        job = {
            "build": str(compiling.FOLDER / build),
            "config": ModelConfig.from_dict(read_card(name)["config"]).to_dict(),
            "weights": str(folder() / f"{name}.safetensors"),
            "frames": str(frames),
            "burst": {"noise": noise, "N": N, "C": 1, "H": H, "W": W},
            "repeats": _CALLS,
        }
        front = 'import { readFileSync } from "node:fs";\nglobalThis.readFile = readFileSync;\n'
        script.write_text(f"{front}globalThis.job = {json.dumps(job)};\n{linked(_SCRIPT)}", encoding="utf-8")
        done = subprocess.run([*command, str(script)], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{name} cannot be timed in Node: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _relaxed(node: str) -> list[str] | None:
    """What Node is told so that it takes the build with fused multiply-adds; None where it does not."""
    build = json.dumps(str(compiling.FOLDER / "engine.relaxed.wasm"))
    code = f"process.exit(WebAssembly.validate(require('fs').readFileSync({build})) ? 0 : 1)"
    for flags in ([], [_RELAXED_FLAG]):
        if subprocess.run([node, *flags, "-e", code], capture_output=True).returncode == 0:
            return flags
    return None


def as_text(report: dict[str, Any]) -> str:
    """The report for people."""
    about = report["machine"]
    lines = [
        f"{about['processor']}, one thread; Node {about['node']}, torch {about['torch']}",
        f"8 frames of {report['side']}x{report['side']}: ms of processor time, and the ratio to PyTorch with numba",
        f"{'':10}{'native':>8}{'SIMD':>18}{'relaxed SIMD':>18}{'weights':>10}{'memory':>9}",
    ]
    for row in report["cases"]:
        cells = [
            f"{1e3 * row[way]['seconds']:6.0f} ({row[way]['ratio']:.2f}x)" if way in row else ""
            for way in ("simd", "relaxed")
        ]
        memory = f"{row['simd']['bytes'] / 2**20:.0f} MB"
        lines.append(
            f"{row['model']:10}{1e3 * row['native']['seconds']:8.0f}{cells[0]:>18}{cells[1]:>18}"
            f"{1e3 * row['simd']['prepared']:7.0f} ms{memory:>9}"
        )
    return "\n".join(lines)
