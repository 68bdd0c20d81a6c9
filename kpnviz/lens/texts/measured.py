"""Numbers of results.csv in a text: what each is, how sure it is, and a burst that shows it.

    say = Sayer(read_results())
    text = f"MKPN is {say.ahead('mkpn', 'kpn-l5', 'whole-pixel', 1)}."      # "MKPN is [[0]]."
    say.numbers[0].text                                                       # "0.10 ± 0.03 dB ahead of KPN L5"

A text holds its numbers as [[place in the list]]: who shows it puts each of them in, with a link to its burst. A number
that results.csv does not have raises MissingError: then the text is not shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from kpnviz.evaluation.baselines import title_of
from kpnviz.evaluation.results import Results, Row, difference, is_tie
from kpnviz.evaluation.testset import FRAMES
from kpnviz.lens.texts.examples import Example

MOTION_WORDS = {
    "whole-pixel": "whole-pixel shake",
    "sub-pixel": "sub-pixel shake",
    "moving": "moving objects",
    "handheld": "a handheld camera",
}

SHAKEN: dict[str, dict[str, Any]] = {
    "whole-pixel": {"shake": "paper"},
    "sub-pixel": {"shake": "sub-pixel"},
    "moving": {"shake": "sub-pixel", "moving": True},
    "handheld": {"shake": "handheld"},
}
"""The scene of a burst with each kind of motion, as in Example."""


class MissingError(LookupError):
    """What results.csv does not have."""


@dataclass(frozen=True)
class Measured:
    """A number in a text.

    text    as it is written, with its unit and its standard error
    value, error  the number and its standard error; None where there is none, as for an alignment
    of      where results.csv has it: `model`, `motion`, `gain`, `noise_scale`, `frames`, and `figure`: alignment, or
            psnr, a difference of two methods, burst by burst; `less` has `model`, `noise_scale` and `frames` of the
            other one
    says    what it is, a sentence
    burst   one that shows it
    """

    text: str
    value: float
    error: float | None
    of: Mapping[str, Any]
    says: str
    burst: Example


@dataclass
class Sayer:
    """Puts numbers of results into texts; see above. `scene` is that of the bursts that show them."""

    results: Results
    scene: Mapping[str, Any] = field(default_factory=dict)
    numbers: list[Measured] = field(default_factory=list)

    @cached_property
    def _rows(self) -> dict[tuple[str, str, float, float, int], Row]:
        return {(r.model, r.motion, r.gain, r.noise_scale, r.frames): r for r in self.results.rows}

    def row(self, model: str, motion: str, gain: float, noise: float = 1.0, frames: int = FRAMES) -> Row:
        row = self._rows.get((model, motion, gain, noise, frames))
        if row is None:
            raise MissingError(f"{model}, {motion}, gain {gain:g}, noise {noise:g}, {frames} frames")
        return row

    def less(self, a: Row, b: Row) -> tuple[float, float]:
        """By how many dB a is better than b, and the standard error."""
        mean, se = difference(a, b)
        if not (math.isfinite(mean) and math.isfinite(se)):
            raise MissingError(f"the bursts of {a.model} and {b.model}, {a.motion}, gain {a.gain:g}")
        return mean, se

    def ahead(self, a: str, b: str, motion: str, gain: float, of: bool = True) -> str:
        """'[[0]]': '0.10 ± 0.03 dB ahead of KPN L5', or 'behind', or 'level with'. Without `of`, nobody is named."""
        place = self.apart(a, b, motion, gain)
        number = self.numbers[-1]
        assert number.error is not None
        if is_tie(number.value, number.error):
            whom = f"level with {title_of(b)}" if of else "a tie"
            digits = _digits(number.value)
            text = f"{whom} ({number.value:+z.{digits}f} ± {number.error:.{digits}f} dB)"
        elif of:
            text = f"{number.text} {'ahead of' if number.value > 0 else 'behind'} {title_of(b)}"
        else:
            text = f"{number.text} {'ahead' if number.value > 0 else 'behind'}"
        self.numbers[-1] = replace(number, text=text)
        return place

    def apart(
        self,
        a: str,
        b: str,
        motion: str,
        gain: float,
        noise: tuple[float, float] = (1.0, 1.0),
        frames: tuple[int, int] = (FRAMES, FRAMES),
        sign: int = 0,
    ) -> str:
        """'[[0]]': '0.10 ± 0.03 dB', how far the PSNR of a lies from that of b; noise and frames of each of them.

        Where words around it say which is higher, `sign` is 1 for a or -1 for b; MissingError if it is the other one.
        """
        rows = [self.row(name, motion, gain, n, f) for name, n, f in zip((a, b), noise, frames, strict=True)]
        mean, se = self.less(*rows)
        if mean * sign < 0:
            raise MissingError(f"{a} and {b} the other way round")
        display: dict[str, Any] = {"shown": a} | ({"other": b} if a != b else {"compare": "one"})
        if noise[0] != 1:
            display["assumed"] = math.log2(noise[0])
        scene = {"gain": float(gain)} | ({"frames": frames[0]} if frames[0] != FRAMES else {})
        words = [
            title_of(name)
            + (f" with {n:g} times the true noise assumed" if n != 1 else "")
            + (f" of {f} frames" if frames != (FRAMES, FRAMES) else "")
            for name, n, f in zip((a, b), noise, frames, strict=True)
        ]
        says = (
            f"PSNR of {words[0]} minus that of {words[1]}, burst by burst: {mean:+.2f} ± {se:.2f} dB "
            f"({MOTION_WORDS[motion]}, gain ×{gain:g}, {rows[0].bursts} bursts)"
        )
        of = _case(rows[0], "psnr") | {
            "less": {k: _case(rows[1])[k] for k in ("model", "noise_scale", "frames")}
        }
        methods = tuple(dict.fromkeys((b, a)))
        digits = _digits(mean)
        return self._say(
            f"{abs(mean):.{digits}f} ± {se:.{digits}f} dB",
            mean,
            se,
            of,
            says,
            motion,
            scene,
            methods,
            display,
        )

    def alignment(self, model: str, motion: str, gain: float, beside: str) -> str:
        """'[[0]]': '0.88', the slope of the centroids of a network's kernels; its burst shows another one `beside`."""
        row = self.row(model, motion, gain)
        if not math.isfinite(row.alignment):
            raise MissingError(f"alignment of {model}")
        value = 0.0 if abs(row.alignment) < 0.005 else row.alignment  # not -0.00
        says = (
            f"Slope of the centroids of {title_of(model)}'s kernels on the true shifts, frames 1 to 7, at textured "
            f"pixels and within reach ({MOTION_WORDS[motion]}, gain ×{gain:g}, {row.bursts} bursts)"
        )
        return self._say(
            f"{value:.2f}", row.alignment, None, _case(row, "alignment"), says, motion,
            {"gain": float(gain)}, (model, beside), {"frame": 1, "shown": model},
        )  # fmt: skip

    def _say(
        self,
        text: str,
        value: float,
        error: float | None,
        of: Mapping[str, Any],
        says: str,
        motion: str,
        scene: Mapping[str, Any],
        methods: tuple[str, ...],
        display: Mapping[str, Any],
    ) -> str:
        # The burst is gray, as those of the test set.
        seen = {"color": False, **self.scene, **SHAKEN[motion], **scene}
        burst = Example(says.partition(":")[0], says, seen.pop("pixel", None), seen, methods, display)
        self.numbers.append(Measured(text, value, error, of, says, burst))
        return f"[[{len(self.numbers) - 1}]]"


def _digits(value: float) -> int:
    """How many are written after the point: enough to see whether a difference is more than two standard errors."""
    return 2 if abs(value) >= 0.1 else 3


def _case(row: Row, figure: str = "") -> dict[str, Any]:
    found = {name: getattr(row, name) for name in ("model", "motion", "gain", "noise_scale", "frames")}
    return found | ({"figure": figure} if figure else {})
