"""The figures of `kpnviz evaluate`: rows, the file that keeps them, and the paper's table beside them."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from kpnviz.analysis.metrics import PROTOCOL
from kpnviz.evaluation.testset import BURSTS, TEST_SET
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO
from kpnviz.paths import write_atomically

PAPER_TABLE_1: dict[str, dict[int, tuple[float, float]]] = {
    name: dict(zip((1, 2, 4, 8), zip(values[::2], values[1::2], strict=True), strict=True))
    for name, values in {
        "mkpn": (35.10, 0.925, 32.22, 0.878, 28.61, 0.781, 25.78, 0.692),
        "kpn": (34.28, 0.914, 31.46, 0.862, 27.86, 0.756, 24.90, 0.654),
        "kpn-l25": (34.96, 0.922, 32.04, 0.871, 28.44, 0.770, 25.66, 0.686),
        "kpn-l13": (34.71, 0.918, 31.77, 0.870, 28.15, 0.772, 25.34, 0.683),
        "kpn-l11": (34.67, 0.919, 31.78, 0.871, 28.15, 0.773, 25.26, 0.679),
        "kpn-l9": (34.57, 0.917, 31.63, 0.867, 28.07, 0.769, 25.34, 0.681),
        "kpn-l7": (34.54, 0.918, 31.65, 0.866, 28.10, 0.765, 25.37, 0.679),
        "kpn-l5": (34.30, 0.906, 31.36, 0.855, 27.76, 0.754, 24.88, 0.658),
        "kpn-l3": (33.65, 0.897, 30.79, 0.844, 27.26, 0.735, 24.55, 0.632),
        "kpn-l1": (31.66, 0.837, 28.50, 0.759, 24.32, 0.607, 21.30, 0.486),
    }.items()
}
"""Model -> gain -> (PSNR in dB, SSIM): Table 1 of Marinč et al., Multi-Kernel Prediction Networks, 2019."""

PAPER_NOTE = (
    "paper: Table 1 of Marinč et al. 2019, a million steps, other photos: compare down a column, not across"
)


@dataclass(frozen=True)
class Row:
    """A method's figures at one gain.

    noise_scale   the assumed noise as a multiple of the true one
    psnr, ssim    means over the bursts, in dB and 0..1
    psnr_se, ...  their standard errors, NaN for one burst: how much the bursts differ. All methods see the same
                  bursts, so that differences between methods are surer than that.
    seconds       median wall time of a burst
    weights       first 12 digits of the sha256 of the network's file; empty for a baseline
    """

    model: str
    gain: float
    noise_scale: float
    psnr: float
    psnr_se: float
    ssim: float
    ssim_se: float
    seconds: float
    bursts: int
    weights: str = ""


@dataclass(frozen=True)
class Results:
    """A run of `kpnviz evaluate`: protocol, test set, versions, machine and date by name; and its rows."""

    stamp: dict[str, str]
    rows: list[Row]

    def row(self, model: str, gain: float, noise_scale: float = 1.0) -> Row | None:
        """The row of a method at a gain, or None."""
        wanted = (model, gain, noise_scale)
        return next((row for row in self.rows if (row.model, row.gain, row.noise_scale) == wanted), None)


def results_path() -> Path:
    """Where the results of a whole run are: beside the checkpoints."""
    return checkpoints.folder() / "results.csv"


def stamp(machine: Mapping[str, object]) -> dict[str, str]:
    """What stands above the rows: protocol, test set, versions and date, and the machine."""
    versions = {name: version(name) for name in ("kpnviz", "numpy", "scikit-image")}
    facts = {"protocol": PROTOCOL, "test set": TEST_SET, **versions, **machine}
    facts.pop("system", None)  # a kernel's build number says nothing about the figures
    facts["date"] = datetime.now(UTC).date().isoformat()
    return {key: str(value) for key, value in facts.items() if value is not None}


def write_results(path: Path, results: Results) -> None:
    """Write results as CSV, the stamp in lines `# key: value` before the header."""
    text = io.StringIO()
    for key, value in results.stamp.items():
        text.write(f"# {key}: {value}\n")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    digits = {"psnr": 4, "psnr_se": 4, "ssim": 5, "ssim_se": 5, "seconds": 5}
    for row in results.rows:
        values = dataclasses.asdict(row)
        table.writerow(round(v, digits[k]) if k in digits else _plain(v) for k, v in values.items())
    write_atomically(Path(path), text.getvalue().encode())


_COLUMNS = [field.name for field in dataclasses.fields(Row)]
_TYPES = {"model": str, "weights": str, "bursts": int}


def _plain(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value


def read_results(path: Path | None = None) -> Results:
    """The results of a file, or those beside the checkpoints. ValueError where there are none or they are damaged."""
    path = results_path() if path is None else Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no results can be read; `kpnviz evaluate` makes them") from error
    facts = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# ") and ": " in line)
    table = list(csv.reader(line for line in lines if not line.startswith("#")))
    if not table or table[0] != _COLUMNS:
        raise ValueError(f"{path}: the columns are not {', '.join(_COLUMNS)}")
    rows = []
    for number, values in enumerate(table[1:], start=1):
        try:
            cells = zip(_COLUMNS, values, strict=True)
            rows.append(Row(**{name: _TYPES.get(name, float)(value) for name, value in cells}))
        except ValueError as error:
            raise ValueError(f"{path}: row {number} is damaged ({error})") from error
    return Results(facts, rows)


def as_json(results: Results) -> dict:
    """{protocol, stamp, rows}; a figure that is not finite is None (JSON has no infinity)."""
    rows = [
        {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in row.items()}
        for row in map(dataclasses.asdict, results.rows)
    ]
    return {"protocol": PROTOCOL, "stamp": results.stamp, "rows": rows}


def as_text(results: Results) -> str:
    """A table for each gain and noise scale, the paper's figures beside ours."""
    bursts = max(row.bursts for row in results.rows)
    part = f" (the first {bursts} only)" if bursts < BURSTS else ""
    lines = [PROTOCOL, f"{TEST_SET}{part}; mean ± standard error", PAPER_NOTE]
    cases = sorted({(row.noise_scale != 1, row.noise_scale, row.gain) for row in results.rows})
    for _, scale, gain in cases:
        title = f"gain ×{gain:g}" + (f", assumed noise ×{scale:g}" if scale != 1 else "")
        lines += ["", f"{title:36}{'PSNR, dB':>14}{'SSIM':>16}{'paper':>14}{'ms':>8}"]
        for row in results.rows:
            if (row.noise_scale, row.gain) == (scale, gain):
                theirs = PAPER_TABLE_1.get(row.model, {}).get(int(gain)) if gain == int(gain) else None
                paper = f"{theirs[0]:.2f} {theirs[1]:.3f}" if theirs and scale == 1 else ""
                lines.append(
                    f"  {row.model:34}{row.psnr:7.2f} ± {row.psnr_se:4.2f}{row.ssim:8.3f} ± {row.ssim_se:5.3f}"
                    f"{paper:>14}{row.seconds * 1e3:8.0f}"
                )
    return "\n".join(lines)


def zoo() -> list[dict]:
    """The models of the zoo that have a checkpoint: name, sizes, params, bytes, steps; psnr and ssim by gain.

    Figures are those of results.csv that were measured with these very weights, at the true noise; else none.
    """
    try:
        rows = read_results().rows
    except ValueError:
        rows = []
    models = []
    for name in checkpoints.available():
        if name not in ZOO:
            continue
        card = checkpoints.read_card(name)
        own = [
            row
            for row in rows
            if (row.model, row.weights, row.noise_scale) == (name, card["sha256"][:12], 1.0)
        ]
        models.append(
            {
                "name": name,
                "sizes": card["config"]["sizes"],
                "params": card["params"],
                "bytes": card["bytes"],
                "steps": card.get("training", {}).get("steps"),
                "psnr": {f"{row.gain:g}": row.psnr for row in own},
                "ssim": {f"{row.gain:g}": row.ssim for row in own},
            }
        )
    return models
