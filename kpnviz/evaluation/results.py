"""The figures of `kpnviz evaluate`: rows, the file that keeps them, and the paper's table beside them."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from kpnviz.analysis.metrics import PROTOCOL
from kpnviz.burst import ALL_MOTIONS, MOTIONS
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.evaluation.testset import BURSTS, FRAMES, PHOTOS, TEST_SET
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO
from kpnviz.noise import GAINS
from kpnviz.paths import locked, write_atomically
from kpnviz.text import escaped

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


YARDSTICK = "kpn-l5"
"""The network that the others are compared with, burst by burst: its kernels are of KPN's size."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a method is measured on: the test set at a gain.

    motion        one of kpnviz.burst.ALL_MOTIONS
    noise_scale   the assumed noise as a multiple of the true one
    frames        of each burst
    """

    motion: str = MOTIONS[0]
    gain: float
    noise_scale: float = 1.0
    frames: int = FRAMES

    @property
    def plain(self) -> bool:
        """Whether the burst has as many frames as usual, and the true noise is assumed."""
        return self.frames == FRAMES and self.noise_scale == 1

    @property
    def order(self) -> tuple:
        """Cases are sorted by this: motions as named, plain ones first, then by frames, noise scale and gain."""
        return ALL_MOTIONS.index(self.motion), not self.plain, self.frames, self.noise_scale, self.gain


@dataclass(frozen=True, kw_only=True)
class Row(Case):
    """A method's figures in a case.

    psnr, ssim    means over the bursts, in dB and 0..1
    psnr_se, ...  their standard errors, bursts of one photo taken together (:func:`mean_and_error`); NaN for one photo.
                  All methods see the same bursts: differences between methods (:func:`difference`) are surer than that
    alignment     slope of the kernels' centroids on the true shifts (kpnviz.analysis.alignment), over all bursts; NaN
                  where there are no kernels, or no shift within their reach
    seconds       median wall time of a burst; NaN if several processes shared the work
    weights       first 12 digits of the sha256 of the network's file; empty for a baseline
    psnrs         the PSNR of each burst; empty if they were not kept
    """

    model: str
    psnr: float
    psnr_se: float
    ssim: float
    ssim_se: float
    alignment: float = math.nan
    seconds: float
    bursts: int
    weights: str = ""
    psnrs: tuple[float, ...] = ()

    @property
    def case(self) -> Case:
        """The case alone."""
        return Case(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Case)})


def mean_and_error(
    values: Sequence[float] | np.ndarray, photos: Sequence[int] | np.ndarray | None = None
) -> tuple[float, float]:
    r"""Mean of n values and its standard error, those of one photo taken together.

    .. math:: \mathrm{SE}^2 = \frac{G}{G - 1} \cdot \frac{1}{n^2} \sum_g \left( \sum_{i \in g} (v_i - \bar v) \right)^2

    for G photos g.

    Crops of one photo are alike, so that 72 bursts of 24 photos tell less than 72 independent ones: the
    cluster-robust variance of a mean (Liang and Zeger, 1986, with the usual correction for few clusters). With one
    value a photo it is the usual :math:`\sqrt{\sum (v_i - \bar v)^2 / (n - 1) / n}`.

    photos   of which photo each value is; else they are those of the test set, in its order

    NaN for one photo, and where values are infinite (the PSNR of a perfect picture), which have no spread.
    """
    v = np.asarray(values, dtype=np.float64)
    mean = float(v.mean())
    _, number = np.unique(np.arange(v.size) % PHOTOS if photos is None else photos, return_inverse=True)
    sums = np.bincount(number, v - mean) if np.isfinite(v).all() else np.empty(0)
    G = len(sums)
    if G < 2:
        return mean, math.nan
    return mean, float(np.sqrt(G / (G - 1) * (sums**2).sum()) / v.size)


def difference(a: Row, b: Row) -> tuple[float, float]:
    """By how many dB the method of row a is better than that of row b on the same bursts: mean and standard error.

    The mean of the differences burst by burst, with the error of :func:`mean_and_error`. NaN where a row does not keep
    its bursts' PSNR, or the rows are not of the same bursts.
    """
    if not a.psnrs or len(a.psnrs) != len(b.psnrs) or (a.motion, a.gain) != (b.motion, b.gain):
        return math.nan, math.nan
    return mean_and_error(np.subtract(a.psnrs, b.psnrs))


def is_tie(mean: float, error: float) -> bool:
    """Whether a mean difference is less than two of its standard errors: it says nothing then."""
    return not abs(mean) >= 2 * error


def best_of(rows: Sequence[Row], metric: str = "psnr") -> tuple[Row | None, set[str]]:
    """The row with the highest figure, and the models whose rows tie with it (`difference`); of SSIM no ties are known.

    Rows are of one case; all but the last digit of what a table shows decides.
    """
    found = [row for row in rows if math.isfinite(getattr(row, metric))]
    if not found:
        return None, set()
    best = max(found, key=lambda row: getattr(row, metric))
    if metric != "psnr":
        return best, set()
    apart = {row.model: difference(best, row) for row in found if row is not best}
    return best, {model for model, (mean, se) in apart.items() if math.isfinite(se) and is_tie(mean, se)}


@dataclass(frozen=True)
class Results:
    """A run of `kpnviz evaluate`: protocol, test set, versions, machine and date by name; and its rows."""

    stamp: dict[str, str]
    rows: list[Row]

    def row(
        self,
        model: str,
        gain: float,
        noise_scale: float = 1.0,
        motion: str = MOTIONS[0],
        frames: int = FRAMES,
    ) -> Row | None:
        """The row of a method in a case, or None."""
        wanted = (model, motion, gain, noise_scale, frames)
        found = (r for r in self.rows if (r.model, r.motion, r.gain, r.noise_scale, r.frames) == wanted)
        return next(found, None)

    @property
    def motions(self) -> tuple[str, ...]:
        """The kinds of motion that it has rows of."""
        return tuple(motion for motion in ALL_MOTIONS if any(row.motion == motion for row in self.rows))


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
    for row in results.rows:
        table.writerow(_cell(name, getattr(row, name)) for name in _COLUMNS)
    write_atomically(Path(path), text.getvalue().encode())


def add_rows(path: Path, rows: Iterable[Row], facts: dict[str, str]) -> None:
    """Put rows into a file of results, in place of those of the same methods and cases, under a new stamp.

    A row of more bursts of the same weights stays: a quick look at a few does not replace a whole run. So do lines of
    the stamp that `facts` do not name. Several processes can write to one file. ValueError as of :func:`kept_rows`.
    """
    with locked(path):
        before = _of_today(path)
        kept = {(row.model, row.case): row for row in before.rows}
        for row in rows:
            old = kept.get((row.model, row.case))
            if old is None or old.weights != row.weights or old.bursts <= row.bursts:
                kept[row.model, row.case] = row
        write_results(path, Results({**before.stamp, **facts}, in_order(kept.values())))


def kept_rows(path: Path) -> list[Row]:
    """The rows of a file of results, if there is one. ValueError where they are of another protocol or test set, with
    which those of today do not compare."""
    return _of_today(path).rows


def _of_today(path: Path) -> Results:
    if not Path(path).exists():
        return Results({}, [])
    results = read_results(path)
    if (results.stamp.get("protocol"), results.stamp.get("test set")) != (PROTOCOL, TEST_SET):
        raise ValueError(
            f"{escaped(path)}: its results are of another protocol or test set, and do not compare with today's; move "
            "it away, or choose another --output"
        )
    return results


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows by method, networks first, then by case."""
    places = {name: place for place, name in enumerate((*ZOO, *BASELINES))}
    return sorted(rows, key=lambda row: (places.get(row.model, len(places)), row.model, row.order))


# A column a field, the model first, what makes the case second.
_FIELDS = {field.name: field for field in dataclasses.fields(Row)}
_COLUMNS = ["model", *(name for name in _FIELDS if name != "model")]
_NEEDED = [name for name in _COLUMNS if _FIELDS[name].default is dataclasses.MISSING or name == "noise_scale"]
_DIGITS = {"psnr": 4, "psnr_se": 4, "ssim": 5, "ssim_se": 5, "alignment": 4, "seconds": 5}
_READ: dict[str, Callable[[str], object]] = {
    "model": str,
    "motion": lambda text: ALL_MOTIONS[ALL_MOTIONS.index(text)],
    "frames": int,
    "bursts": int,
    "weights": str,
    "psnrs": lambda text: tuple(map(float, text.split())),
}


def _cell(name: str, value) -> object:
    if name == "psnrs":
        return " ".join(f"{psnr:.2f}" for psnr in value)
    if name in _DIGITS:
        return round(value, _DIGITS[name])
    return f"{value:g}" if isinstance(value, float) else value


def read_results(path: Path | None = None) -> Results:
    """The results of a file, or those beside the checkpoints. ValueError where there are none or they are damaged.

    Files from before there were three kinds of motion have fewer columns: theirs is whole-pixel shake, 8 frames.
    """
    path = results_path() if path is None else Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{escaped(path)}: no results can be read; `kpnviz evaluate` makes them") from error
    facts = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# ") and ": " in line)
    table = list(csv.reader(line for line in lines if not line.startswith("#")))
    columns = table[0] if table else []
    if not set(_NEEDED) <= set(columns) <= set(_COLUMNS):
        raise ValueError(f"{escaped(path)}: the columns are not {', '.join(_COLUMNS)}")
    rows = []
    for number, values in enumerate(table[1:], start=1):
        try:
            cells = zip(columns, values, strict=True)
            read = {name: _READ.get(name, float)(value) for name, value in cells}
            rows.append(Row(**read))  # type: ignore[arg-type]
        except ValueError as error:
            raise ValueError(f"{escaped(path)}: row {number} is damaged ({error})") from error
    return Results(facts, rows)


def as_json(results: Results) -> dict:
    """{protocol, stamp, rows}; a figure that is not finite is None (JSON has no infinity)."""

    def plain(value: object) -> object:
        if isinstance(value, tuple):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    rows = [{name: plain(getattr(row, name)) for name in _COLUMNS} for row in results.rows]
    return {"protocol": PROTOCOL, "stamp": results.stamp, "rows": rows}


def as_text(results: Results) -> str:
    """Tables for each kind of motion, the paper's figures beside those of whole-pixel shake; then the other cases."""
    bursts = max(row.bursts for row in results.rows)
    part = f" (the first {bursts} only)" if bursts < BURSTS else ""
    lines = [PROTOCOL, TEST_SET + part, "mean ± standard error, bursts of one photo taken together"]
    for motion in ALL_MOTIONS:
        rows = [row for row in results.rows if row.motion == motion]
        lines += _of_motion(motion, [row for row in rows if row.plain])
        by_frames = _varied([row for row in rows if row.noise_scale == 1], "frames")
        lines += _table("PSNR, dB, against the number of frames", by_frames, _psnr, "frames")
        by_scale = _varied([row for row in rows if row.frames == FRAMES], "noise_scale")
        lines += _table("PSNR, dB, against assumed noise / true noise", by_scale, _psnr, "noise_scale")
    seconds: dict[str, list[float]] = {}
    for row in results.rows:
        if row.plain and math.isfinite(row.seconds):
            seconds.setdefault(row.model, []).append(row.seconds)
    times = ", ".join(f"{name} {1e3 * np.median(values):.0f}" for name, values in seconds.items())
    lines += ["", f"milliseconds a burst: {times}"] if times else []
    return "\n".join(lines)


def _of_motion(motion: str, rows: Sequence[Row]) -> list[str]:
    """The tables of a kind of motion, from plain rows."""
    if not rows:
        return []
    lines = ["", motion.upper()]
    beside = ""
    if motion == MOTIONS[0] and any(row.model in PAPER_TABLE_1 for row in rows):
        lines.append(PAPER_NOTE)
        beside = ", in brackets the paper's"
    lines += _table(f"PSNR, dB{beside}", rows, lambda row: _psnr(row) + _theirs(row, "psnr"))
    lines += _table(f"SSIM{beside}", rows, lambda row: f"{row.ssim:.3f}" + _theirs(row, "ssim"))
    aligning = [row for row in rows if math.isfinite(row.alignment)]
    title = "alignment: slope of the kernels' centroids on the true shifts"
    lines += _table(title, aligning, lambda row: f"{row.alignment:.2f}")
    yardstick = {row.gain: row for row in rows if row.model == YARDSTICK}
    differences = {
        row: difference(row, yardstick[row.gain])
        for row in rows
        if row.model != YARDSTICK and row.gain in yardstick
    }
    compared = [row for row, (mean, _) in differences.items() if math.isfinite(mean)]
    title = f"PSNR minus that of {YARDSTICK}, dB, burst by burst"
    return lines + _table(title, compared, lambda row: "{:+.2f} ± {:.2f}".format(*differences[row]))


def _psnr(row: Row) -> str:
    return f"{row.psnr:.2f}" + ("" if math.isnan(row.psnr_se) else f" ± {row.psnr_se:.2f}")


def _theirs(row: Row, metric: str) -> str:
    """The paper's figure in brackets, where it has one: of whole-pixel shake, and of its networks and gains."""
    if row.motion != MOTIONS[0] or row.gain not in GAINS or row.model not in PAPER_TABLE_1:
        return ""
    psnr, ssim = PAPER_TABLE_1[row.model][int(row.gain)]
    return f" ({psnr:.2f})" if metric == "psnr" else f" ({ssim:.3f})"


def _varied(rows: Sequence[Row], quantity: str) -> list[Row]:
    """The rows of methods and gains that were measured at more than one value of a quantity."""
    values: dict[tuple[str, float], set[float]] = {}
    for row in rows:
        values.setdefault((row.model, row.gain), set()).add(getattr(row, quantity))
    return [row for row in rows if len(values[row.model, row.gain]) > 1]


def _table(title: str, rows: Sequence[Row], text: Callable[[Row], str], across: str = "gain") -> list[str]:
    """Lines of a table: a line a method (and gain), a column a value of `across`; none without rows."""
    if not rows:
        return []
    columns = sorted({getattr(row, across) for row in rows})
    cells: dict[str, dict[float, str]] = {}
    for row in rows:
        label = row.model if across == "gain" else f"{row.model} ×{row.gain:g}"
        cells.setdefault(label, {})[getattr(row, across)] = text(row)
    width = 3 + max(len(cell) for line in cells.values() for cell in line.values())
    sign = "×" if across != "frames" else ""
    lines = ["", title, " " * 20 + "".join(f"{sign}{column:g}".rjust(width) for column in columns)]
    for label, line in cells.items():
        lines.append(f"  {label:18}" + "".join(line.get(column, "").rjust(width) for column in columns))
    return lines


def zoo(tell: Callable[[str], object]) -> list[dict]:
    """The models of the zoo that have a checkpoint: name, sizes, params, bytes, steps of training, those of the weights
    that it started from among them; psnr, ssim and alignment by motion and gain.

    Figures are those of results.csv that were measured with these very weights, at the true noise; else none. Of a card
    that cannot be read, `tell` gets a sentence.
    """
    try:
        rows = read_results().rows
    except ValueError:
        rows = []
    models = []
    for name, card in checkpoints.cards(tell).items():
        if name not in ZOO:
            continue
        own = [row for row in rows if (row.model, row.weights) == (name, card["sha256"][:12]) and row.plain]
        figures: dict[str, dict[str, dict[str, float]]] = {"psnr": {}, "ssim": {}, "alignment": {}}
        for metric, by_motion in figures.items():
            for row in own:
                if math.isfinite(value := getattr(row, metric)):
                    by_motion.setdefault(row.motion, {})[f"{row.gain:g}"] = value
        models.append(
            {
                "name": name,
                "sizes": card["config"]["sizes"],
                "params": card["params"],
                "bytes": card["bytes"],
                "steps": checkpoints.training_steps(card),
                **figures,
            }
        )
    return models
