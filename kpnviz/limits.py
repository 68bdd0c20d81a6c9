"""Limits of what is read from files, links and uploads, none of which can be trusted. Every limit stands here."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass

MAX_INTENSITY = 1e6
"""Largest intensity (white = 1) of a frame, either sign: squares and products of such values fit float32."""

MAX_COUNT = 5e9
"""Largest integer of a frame, either sign, before it is divided by white: 32 bits."""

MAX_SHIFT = 1e6
"""Largest shift of a frame, in pixels."""

MIN_WHITE = 1e-6
"""Smallest white level, and smallest span of codes between black and white times 1/65535."""

MAX_CHUNKS = 100_000
"""Chunks of a PNG; segments of a JPEG, or directory entries of a TIFF, are far fewer."""

MAX_TAG_VALUES = 1_000_000
"""Numbers in one tag of a TIFF."""

MAX_OBJECTS = 8
"""Moving objects of a burst; those that are drawn (`burst.draw_objects`) are up to three."""

MAX_KERNEL = 61
"""Side of the largest kernel of other people's networks."""

MAX_KERNEL_FRAMES = 32
"""Frames of a burst whose kernels other people's networks predicted."""

MAX_KERNEL_METHODS = 16
"""Networks whose kernels one file holds."""

MULTIPLY_ADDS_A_SECOND = 5e9
"""What a core does when foreign kernels are applied, about: a file whose kernels would take longer than
`Limits.seconds` is refused before they are."""

MAX_DIRECTORY_BYTES = 1_000_000
"""What a ZIP says about its members."""

MAX_JSON_BYTES = 1_000_000
"""burst.json, the recipe in an NPZ, and the card of a checkpoint."""


class FileError(ValueError):
    """A file that is no frame of a burst: one sentence that names the file and the reason."""


class LimitError(FileError):
    """Files that take more than the limits: not one that is broken, which a burst may do without."""


_SETTINGS = {
    "frames": ("KPNVIZ_MAX_FRAMES", 1),
    "pixels": ("KPNVIZ_MAX_MEGAPIXELS", 10**6),
    "file_bytes": ("KPNVIZ_MAX_FILE_MEGABYTES", 10**6),
    "total_bytes": ("KPNVIZ_MAX_MEGABYTES", 10**6),
    "readers": ("KPNVIZ_MAX_READERS", 1),
    "memory_bytes": ("KPNVIZ_READ_MEGABYTES", 10**6),
    "seconds": ("KPNVIZ_READ_SECONDS", 1),
    "method_seconds": ("KPNVIZ_METHOD_SECONDS", 1),
    "computing": ("KPNVIZ_MAX_COMPUTING", 1),
    "cache_bytes": ("KPNVIZ_CACHE_MEGABYTES", 10**6),
    "upload_bytes": ("KPNVIZ_UPLOAD_MEGABYTES", 10**6),
}


_GENEROUS = {
    "frames": 128,
    "pixels": 175_000_000,
    "file_bytes": 4_000_000_000,
    "total_bytes": 16_000_000_000,
    "memory_bytes": 8_000_000_000,
    "seconds": 600,
}
"""Defaults where the files are one's own. A process still reads them, within so much memory and processor time."""


@dataclass(frozen=True)
class Limits:
    """What reading a burst may take, beyond which it is refused; and what all visitors of the app share.

    The defaults are those of the app, where strangers bring files.

    frames          of a burst
    pixels          of one frame
    file_bytes      of one file, and of a member of a ZIP
    total_bytes     of all files, and of all that a ZIP or NPZ holds, numbers of an NPZ with the 4 bytes each that they
                    have when they are kept
    total_pixels    of all frames: what the temporary file on disk may grow to, 6 bytes each for 16-bit color;
                    0: eight times `pixels`
    readers         bursts that are read at once; more wait for their turn
    memory_bytes    of the process that reads;  seconds of processor time that it has
    method_seconds  wall time that a method of one's own has for a burst in the app
    computing       visitors' computations at once; more wait for their turn. 0: as many as there are cores, as more
                    would share them and all end later
    cache_bytes     what the app keeps of what it computed
    upload_bytes    files that visitors have sent, all together, in the server's memory
    """

    frames: int = 32
    pixels: int = 32_000_000
    file_bytes: int = 400_000_000
    total_bytes: int = 400_000_000
    total_pixels: int = 0
    readers: int = 2
    memory_bytes: int = 1_000_000_000
    seconds: int = 20
    method_seconds: int = 60
    computing: int = 0
    cache_bytes: int = 800_000_000
    upload_bytes: int = 1_000_000_000

    def __post_init__(self) -> None:
        if self.total_pixels == 0:
            object.__setattr__(self, "total_pixels", 8 * self.pixels)
        if self.computing == 0:
            object.__setattr__(self, "computing", cores())
        for field in dataclasses.fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"limit {field.name} is {getattr(self, field.name)!r}; it must be above 0")

    @classmethod
    def from_environment(cls, generous: bool = False) -> Limits:
        """The defaults, or what the environment says (README lists the variables).

        generous   the defaults of the command line and of ``kpnviz.read_burst``, where files are one's own
        """
        values = dict(_GENEROUS) if generous else {}
        for field, (variable, unit) in _SETTINGS.items():
            text = os.environ.get(variable)
            if text:
                try:
                    values[field] = int(float(text) * unit)
                except (ValueError, OverflowError):
                    raise ValueError(f"{variable} is {text!r}; it must be a number") from None
        return cls(**values)

    def named(self, field: str) -> str:
        """A limit and the variable that sets it, for the end of a sentence: "32 (KPNVIZ_MAX_FRAMES)"."""
        value = getattr(self, field)
        if field == "total_pixels":
            return f"{value / 1e6:g} megapixels (8 times {_SETTINGS['pixels'][0]})"
        unit = {"frames": "", "pixels": " megapixels", "seconds": " s", "method_seconds": " s"}.get(
            field, " MB"
        )
        return f"{value / _SETTINGS[field][1]:g}{unit} ({_SETTINGS[field][0]})"

    def __str__(self) -> str:
        """For people who are about to upload."""
        return (
            f"up to {self.frames} frames of {self.pixels / 1e6:g} megapixels, {self.file_bytes / 1e6:g} MB a file, "
            f"{self.total_bytes / 1e6:g} MB in all"
        )


def first_of(files: int, limits: Limits) -> str:
    """The sentence on more files than a burst may have."""
    return f"Of {files} files the first {limits.frames} are read; a burst has up to {limits.named('frames')}."


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
