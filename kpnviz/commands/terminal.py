"""What commands print: names come from outside, so that whatever a terminal would obey is escaped."""

from __future__ import annotations

import sys

from kpnviz.text import escaped


def say(message: str) -> None:
    """Print one line on stderr, for whoever is watching."""
    print(escaped(message), file=sys.stderr)


def show(text: str) -> None:
    """Print lines on stdout: the answer of a command."""
    print(*map(escaped, text.split("\n")), sep="\n")
