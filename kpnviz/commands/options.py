"""Numbers on the command line have ranges: what is outside is one sentence at once, and exit code 2."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from kpnviz.text import visible

_OPTION = re.compile(r"--[a-z][a-z-]*")
_NUMBERS = re.compile(r"-(inf|nan|[0-9.]+(e[+-]?[0-9]+)?)(,-?[0-9.]+(e[+-]?[0-9]+)?)*", re.IGNORECASE)


class WrongOptionError(ValueError):
    """Options that do not go together, or ask for what cannot be: exit code 2."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line; `--help` is there for the rest."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """`--at -1,1` and `--black -1e3` give these values, which may be refused: argparse takes them for options."""
        joined: list[str] = []
        for argument in sys.argv[1:] if args is None else args:
            if joined and _NUMBERS.fullmatch(argument) and _OPTION.fullmatch(joined[-1]):
                joined[-1] += f"={argument}"
            else:
                joined.append(argument)
        return super().parse_known_args(joined, namespace)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {visible(message, 400)}\n")


def number(least: float, most: float, kind: type = float) -> Callable[[str], Any]:
    """Type of an option: a number from `least` to `most`."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except (ValueError, OverflowError):
            value = None
        if value is None or not least <= value <= most:
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(
                f"{visible(text, 40)} is not {what} from {least:.8g} to {most:.8g}"
            )
        return value

    return parse


def integer(least: int, most: int) -> Callable[[str], int]:
    """Type of an option: a whole number from `least` to `most`."""
    return number(least, most, int)


def several(*kinds: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Type of an option: numbers with commas between them."""

    def parse(text: str) -> tuple[Any, ...]:
        parts = text.split(",")
        if len(parts) != len(kinds):
            raise argparse.ArgumentTypeError(
                f"{visible(text, 40)} is not {len(kinds)} numbers with commas between them"
            )
        return tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))

    return parse


MOTIONS = ("whole-pixel", "sub-pixel", "moving", "handheld")
"""ALL_MOTIONS of burst/, whose import takes seconds."""

DEVICE_HELP = "where networks compute: cpu, cuda, cuda:1, or another that PyTorch has here (cpu)"

SEED = integer(0, 2**63 - 1)
GAIN = number(1e-3, 1e4)
NOISE = number(0, 1000)


def add_method(parser: argparse._ActionsContainer, text: str, several: bool = False) -> None:
    """Add --method: a method of one's own (kpnviz.methods.own_method)."""
    parser.add_argument(
        "--method",
        action="append" if several else "store",
        metavar="FILE.py:FUNCTION",
        help=f"{text}; or the name of an installed one (entry point of the group kpnviz.methods)",
    )


def add_workers(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --workers and --scheduler, of which a command takes one: who does what (kpnviz.workers.outcomes)."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--workers",
        type=integer(1, 1024),
        metavar="N",
        help=f"{what} at once, each in a process of its own with its share of the cores (1)",
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="do them on the workers of this Dask scheduler, e.g. tcp://10.0.0.5:8786; they need kpnviz and the "
        "same paths",
    )
