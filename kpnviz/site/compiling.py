"""The engine as WebAssembly: what is committed, from which source, and how it is compiled.

Users need no compiler. ``python -m kpnviz.site`` compiles with Zig's clang (`pip install ziglang`, part of kpnviz[dev])
and writes beside the two builds a hash of all that they were made of; a test and the build of the site compare it.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "engine"

SOURCES = ("engine.c", "constants.h")

BUILDS = {"engine.wasm": (), "engine.relaxed.wasm": ("-mrelaxed-simd", "-DRELAXED")}
"""For every browser that has 128-bit SIMD; and for those that also have fused multiply-adds (relaxed SIMD, 2023)."""

HASH = FOLDER / "source.sha256"

_FLAGS = (
    *("-target", "wasm32-freestanding", "-msimd128", "-O3", "-ffast-math", "-nostdlib", "-fno-builtin"),
    *("-Wall", "-Wextra", "-Werror", "-Wl,--no-entry", "-Wl,--import-memory", "-Wl,--export=__heap_base"),
    *("-Wl,-z,stack-size=131072", "-Wl,--strip-all"),
)


def source_hash() -> str:
    """sha256 of the sources and of how they are compiled."""
    digest = hashlib.sha256(repr((_FLAGS, BUILDS)).encode())
    for name in SOURCES:
        digest.update((FOLDER / name).read_bytes())
    return digest.hexdigest()


def up_to_date() -> bool:
    """Whether the builds in the repository are those of the source."""
    return HASH.is_file() and HASH.read_text().split()[0] == source_hash()


def compiled(name: str) -> bytes:
    """One of BUILDS, compiled anew. ValueError where there is no compiler, or the source is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, name)
        caches = {f"ZIG_{kind}_CACHE_DIR": str(Path(folder, "cache")) for kind in ("LOCAL", "GLOBAL")}
        command = [sys.executable, "-m", "ziglang", "cc", *_FLAGS, *BUILDS[name], "engine.c", "-o", str(out)]
        result = subprocess.run(command, cwd=FOLDER, env=os.environ | caches, capture_output=True, text=True)
        if result.returncode:
            raise ValueError(
                f"{name} cannot be compiled: {result.stderr.strip() or 'the compiler says nothing'}"
            )
        return out.read_bytes()


def compile_all() -> None:
    """Compile BUILDS into the repository, with the hash of their source."""
    for name in BUILDS:
        (FOLDER / name).write_bytes(compiled(name))
    HASH.write_text(f"{source_hash()}  {' '.join(SOURCES)} and how they are compiled\n")
