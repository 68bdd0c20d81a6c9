"""One script of several ES modules: what a page that has no server, Streamlit and a notebook each want as one text.

There is no build step: the modules are linked when the script is first asked for. Each becomes a function that is
called once and returns what it exports, after those that it imports; the entry module stands at the end, as it is.
Comments that fill their lines are left out. The modules keep to a part of the language that is read line by line:

    import { a, b } from "./other.js";        also over several lines
    import TEXT from "./file.html";           the contents of a file: .html, .css, .svg, .json
    export function f(...)                    and async function, function*, class, const NAME = ...
    export default ...                        of the entry module alone

`tsc` checks the same files as modules (`make lint`).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

_NAMES = re.compile(r'^import \{([\w$,\s]+)\} from "(\.[\w./-]+\.js)";$', re.MULTILINE)
_TEXT = re.compile(r'^import ([\w$]+) from "(\.[\w./-]+\.(?:html|css|svg|json))";$', re.MULTILINE)
_EXPORT = re.compile(
    r"^export (?=(?:async )?function\*? ([\w$]+)|class ([\w$]+)|const ([\w$]+) =)", re.MULTILINE
)
_DEFAULT = re.compile(r"^export default (?=\S)", re.MULTILINE)
# No ".*" before it: of a picture in one line, every place would be tried as the line's beginning.
_LEFT_OVER = re.compile(r"^[ \t]*(?:import|export)\b|\bimport(?:\(|\.meta\b)", re.MULTILINE)
_COMMENT = re.compile(r"^ *(?:/\*\*(?:[^*]|\*(?!/))*\*/|//.*)\n", re.MULTILINE)


@cache
def linked(entry: Path) -> str:
    """The module `entry` and all that it imports, as the text of one module.

    ValueError, a sentence, for a file that is not there, for imports and exports of another form than those above,
    for a name that a module does not export, and for modules that import each other in a circle.
    """
    numbers: dict[Path, int] = {}  # of the modules that the entry imports, in the order in which they run
    exports: dict[Path, set[str]] = {}
    texts: list[str] = []

    def link(path: Path, importing: tuple[Path, ...]) -> str:
        """The text of a module with its imports replaced; what it imports comes before."""
        if path in importing:
            circle = " imports ".join(module.name for module in (*importing[importing.index(path) :], path))
            raise ValueError(f"modules import each other in a circle: {circle}")
        text = _COMMENT.sub("", _read(path))

        def names(match: re.Match[str]) -> str:
            wanted = [name for name in re.split(r"[,\s]+", match[1]) if name]
            other = (path.parent / match[2]).resolve()
            if other not in numbers:
                body = link(other, (*importing, path))
                found = exports[other] = exported(body)
                body = _EXPORT.sub("", body)
                _check(body, other)
                numbers[other] = len(numbers)
                texts.append(
                    f"const ${numbers[other]} = (() => {{\n{body}\nreturn {{ {', '.join(sorted(found))} }};\n}})();\n"
                )
            for name in wanted:
                if name not in exports[other]:
                    raise ValueError(
                        f"{path.name} imports {name} from {other.name}, which does not export it"
                    )
            return f"const {{ {', '.join(wanted)} }} = ${numbers[other]};"

        def contents(match: re.Match[str]) -> str:
            # "</" would end the script of an HTML page.
            literal = json.dumps(_read((path.parent / match[2]).resolve())).replace("</", r"<\/")
            return f"const {match[1]} = {literal};"

        return _TEXT.sub(contents, _NAMES.sub(names, text))

    body = link(entry.resolve(), ())
    _check(_DEFAULT.sub("", _EXPORT.sub("", body)), entry)
    return "\n".join([*texts, body])


def exported(text: str) -> set[str]:
    """The names that the text of a module exports."""
    return {next(filter(None, match.groups())) for match in _EXPORT.finditer(text)}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise ValueError(f"there is no file {path}") from None


def _check(text: str, path: Path) -> None:
    """ValueError where an import or an export is left, of a form that is not linked."""
    left = _LEFT_OVER.search(text)
    if left:
        line = text[text.rfind("\n", 0, left.start()) + 1 :].partition("\n")[0]
        raise ValueError(f"{path.name}: {line.strip()!r} is no import or export of a form that can be linked")
