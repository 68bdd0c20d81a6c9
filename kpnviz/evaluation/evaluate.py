"""`kpnviz evaluate`: every network and baseline on one fixed test set, and the file of its results."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from kpnviz.analysis.metrics import PROTOCOL, psnr, ssim
from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.color import displayed
from kpnviz.denoise import load
from kpnviz.evaluation.baselines import BASELINES
from kpnviz.models import checkpoints
from kpnviz.models.zoo import ZOO
from kpnviz.noise import GAINS, NoiseModel
from kpnviz.paths import PACKAGE, write_atomically
from kpnviz.photos import read_scene

TEST_PHOTOS = PACKAGE / "testset"
BURSTS = 72
BEYOND_TRAINING = 16
"""A gain that no network was trained for, and twice the paper's noisiest."""
NOISE_SCALES = (0.25, 0.5, 2.0, 4.0)
ROBUSTNESS = ("kpn", "mkpn", "kpn-blind")
"""What is told a wrong noise estimate (x NOISE_SCALES) in a whole run."""

TEST_SET = (
    f"{BURSTS} bursts a gain: 8 frames of 128x128, 3 bursts of each of the 24 Kodak photos (luminance, box-reduced "
    "by 2 in linear light), misalignment of the MKPN paper, white level 1"
)

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

Method = Callable[[Burst], np.ndarray]
"""A denoiser as it is evaluated: burst -> picture [H, W], linear intensity on the burst's scale."""

_CROP_STREAM = 3  # kpnviz.burst has streams 1 and 2
_SIDE, _MARGIN, _CROPS = 128, 16, 3


@dataclass(frozen=True)
class Row:
    """A method's figures at one gain.

    noise_scale   the method was told this multiple of the true noise (1: the truth)
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


def burst_recipes(gain: float, limit: int | None = None) -> list[BurstRecipe]:
    """The test set at a gain: the recipes of its 72 bursts, or of the first `limit` of them.

    Three crops of 128x128 a photo, at least 16 px from its edge, so that no shift reaches beyond it. Along the longer
    side crop i lies at a random position of the i-th third of those possible, along the shorter anywhere; the
    generator is seeded by the photo's number. The order is crop 0 of all photos by name, then crop 1, then crop 2.
    Burst k has the seed k at every gain, hence the same shake, and the same grain but for its strength.
    """
    if limit is not None and not 1 <= limit <= BURSTS:
        raise ValueError(f"limit is {limit}; the test set has {BURSTS} bursts a gain")
    noise = NoiseModel.for_gain(gain)
    photos = sorted(TEST_PHOTOS.glob("*.png"))
    crops = [_crops(read_scene(str(path), 1).shape, number) for number, path in enumerate(photos)]
    places = [(path, crop[i]) for i in range(_CROPS) for path, crop in zip(photos, crops, strict=True)]
    return [
        BurstRecipe(str(path), (top, left, _SIDE, _SIDE), noise, reduction=1, seed=k)
        for k, (path, (top, left)) in enumerate(places[:limit])
    ]


def _crops(shape: tuple[int, ...], photo: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng([_CROP_STREAM, photo])
    rooms = [n - _SIDE - 2 * _MARGIN + 1 for n in shape]
    crops = []
    for i in range(_CROPS):
        spans = [(n * i // _CROPS, n * (i + 1) // _CROPS) if n == max(rooms) else (0, n) for n in rooms]
        top, left = (_MARGIN + int(rng.integers(*span)) for span in spans)
        crops.append((top, left))
    return crops


def pack_photo(photo: Path, folder: Path) -> Path:
    """Write a photo as the test set keeps it, 16-bit gray PNG: luminance box-reduced by 2, sRGB-encoded."""
    encoded = displayed(read_scene(str(photo), 2).astype(np.float64))
    path = Path(folder) / f"{Path(photo).stem}.png"
    Image.fromarray(np.rint(65535 * encoded).astype(np.uint16)).save(path, optimize=True)
    return path


def methods(names: Iterable[str] | None = None) -> dict[str, Method]:
    """Name -> method: the trained networks and the baselines that are named, or all of them."""
    networks = checkpoints.available()
    if names is None:
        names = (*(name for name in networks if name in ZOO), *BASELINES)
    chosen: dict[str, Method] = {}
    for name in names:
        if name in BASELINES:
            chosen[name] = BASELINES[name]
        elif name in networks:
            chosen[name] = _of_network(name)
        else:
            known = ", ".join((*networks, *BASELINES))
            raise ValueError(f"model {name!r} is neither a trained network nor a baseline: {known}")
    if not chosen:
        raise ValueError("models is empty; name one network or baseline, or more")
    return chosen


def _of_network(name: str) -> Method:
    denoiser = load(name)
    return lambda burst: denoiser(burst, keep_kernels=False).image


def evaluate(
    methods: Mapping[str, Method],
    gains: Sequence[float] = tuple(GAINS),
    noise_scales: Sequence[float] = (1.0,),
    limit: int | None = None,
    show_progress: bool = False,
) -> list[Row]:
    """Run methods on the test set: a row for each method, noise scale and gain, in this order.

    A noise scale s hands the method the burst with s times the standard deviation in its noise model; the frames stay
    as they are. `limit`: the first bursts only.
    """
    for name, values in (("models", methods), ("gains", gains), ("noise scales", noise_scales)):
        if not values:
            raise ValueError(f"{name} is empty; an evaluation needs one or more")
    recipes = {gain: burst_recipes(gain, limit) for gain in gains}
    for scale in noise_scales:
        NoiseModel(0, 0).scaled(scale)  # a scale that is no number is an error now, not minutes later
    scores: dict[tuple[str, float, float], list[tuple[float, float, float]]] = {
        (name, scale, gain): [] for name in methods for scale in noise_scales for gain in gains
    }
    total = len(scores) * len(recipes[gains[0]])
    with tqdm(total=total, desc="evaluate", unit="picture", disable=not show_progress) as progress:
        for gain in recipes:
            for recipe in recipes[gain]:
                burst = synthesize(recipe)
                assert burst.truth is not None
                for scale in noise_scales:
                    told = dataclasses.replace(
                        burst, noise=burst.noise.scaled(scale), truth=None, shifts=None
                    )
                    for name, method in methods.items():
                        begun = time.perf_counter()
                        image = method(told)
                        seconds = time.perf_counter() - begun
                        score = (psnr(image, burst.truth), ssim(image, burst.truth), seconds)
                        scores[name, scale, gain].append(score)
                        progress.update()
    return [_row(*case, values) for case, values in scores.items()]


def _row(model: str, scale: float, gain: float, values: list[tuple[float, float, float]]) -> Row:
    psnrs, ssims, seconds = np.asarray(values).T
    weights = checkpoints.read_card(model)["sha256"][:12] if model in checkpoints.available() else ""
    return Row(
        model,
        float(gain),
        float(scale),
        *mean_and_error(psnrs),
        *mean_and_error(ssims),
        seconds=float(np.median(seconds)),
        bursts=len(values),
        weights=weights,
    )


def mean_and_error(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Mean and its standard error, sqrt(sum (v - mean)^2 / (n - 1) / n).

    NaN for one value, and where values are infinite (the PSNR of a perfect picture), which have no spread.
    """
    mean = float(np.mean(values))
    if len(values) < 2 or not np.isfinite(values).all():
        return mean, math.nan
    return mean, float(np.std(values, ddof=1) / len(values) ** 0.5)


def evaluate_all(limit: int | None = None, show_progress: bool = False) -> list[Row]:
    """The whole run behind results.csv: all at the paper's gains and beyond; then wrong noise estimates."""
    everything = methods()
    rows = evaluate(everything, (*GAINS, BEYOND_TRAINING), (1.0,), limit, show_progress)
    robust = {name: method for name, method in everything.items() if name in ROBUSTNESS}
    if robust:
        rows += evaluate(robust, tuple(GAINS), NOISE_SCALES, limit, show_progress)
    return rows


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
        title = f"gain ×{gain:g}" + (f", told {scale:g} times the noise" if scale != 1 else "")
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
