"""Text that people read: what comes from strangers (names of files, errors of libraries), made safe, and numbers."""

from __future__ import annotations

MAX_NAME = 80
"""Characters of a name that are shown."""


def escaped(text: object) -> str:
    """Text on one line that a terminal obeys in nothing: control characters, of direction too, as \\n or \\u202e."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def visible(text: object, most: int = MAX_NAME) -> str:
    """Text on one line, at most so many characters: control characters as \\n or \\x1b, the middle as … if too long."""
    shown = escaped(str(text).strip())
    return shown if len(shown) <= most else f"{shown[: most // 2]}…{shown[len(shown) - (most - 1) // 2 :]}"


def one_line(error: BaseException) -> str:
    """An error of a library as the end of a sentence; its type's name where it has no text, or cannot give it."""
    try:
        text = " ".join(str(error).split())
    except (Exception, SystemExit):  # its __str__ is a stranger's code
        text = ""
    return visible(text or type(error).__name__, 200).rstrip(".")


def number(value: float, digits: int) -> str:
    """'−0.35': a true minus sign, as in the lens and in figures, and none before a zero."""
    return f"{value:z.{digits}f}".replace("-", "−")


def percent(share: float, digits: int = 0) -> str:
    """'34 %' of 0.34."""
    return f"{number(100 * share, digits)} %"


def times(factor: float) -> str:
    """'×0.25': a multiple."""
    return f"×{round(factor, 2):g}"


def offset(dy: float, dx: float) -> str:
    """'dy −2, dx 0.5 px': a shift, of whole pixels or parts."""
    return f"dy {float(dy):zg}, dx {float(dx):zg} px".replace("-", "−")
