"""The docstrings of kpnviz as reStructuredText, which they nearly are.

A docstring says what its names mean in columns, two spaces or more between them:

    frames   [B, N, H, W], linear intensity
    sizes    odd kernel sizes, which may
             go on in the next line

These become a list, indented blocks are shown as they are, and shapes such as [B, N, H, W] are set as code.
"""

from __future__ import annotations

import re
import textwrap
from typing import Any

from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode

import kpnviz

_NAME = r"[A-Za-z_*][\w*.]*(?: \[[\w, ]+\])?"
_NAMES = re.compile(rf"{_NAME}(?:, {_NAME})*")
_ENTRY = re.compile(rf"(?P<names>{_NAMES.pattern}) {{2,}}(?P<text>(?!->|=)\S.*)")
_SECOND = re.compile(r"(?:;|,)? {2,}(?=[a-z_]+ {2,}\S)")
_SHAPE = re.compile(
    r"(?<![\w\])`])\[(?:\.\.\.|\w[\w+/\-]*|ceil\(\w/2\))(?:, [^\[\]`|]{1,14})*\](?=[\s.,;:)]|$)"
)


def as_rest(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    result: list[str] = []
    verbatim = ""  # what the indented blocks that follow belong to
    for block in filter(None, blocks):
        if block[0].startswith(" "):
            block = textwrap.dedent("\n".join(block)).split("\n")
            if verbatim == "directive":
                result += [f"    {line}" for line in block]
            elif _ENTRY.fullmatch(block[0]):
                result += _entries(block)
            else:
                if verbatim != "literal":
                    result += ["::", ""]
                result += [f"    {line}" for line in block]
                verbatim = "literal"
        elif block[0].startswith(".. "):
            result += block
            verbatim = "directive"
        elif block[0].startswith(">>>"):
            result += block
            verbatim = ""
        else:
            first = next((at for at, line in enumerate(block) if _ENTRY.fullmatch(line)), len(block))
            result += [_inline(line) for line in block[:first]]
            if first and first < len(block):
                result.append("")
            if first < len(block):
                result += _entries(block[first:])
            verbatim = ""
        result.append("")
    return result


def _entries(block: list[str]) -> list[str]:
    """Names and their meanings, in columns, as a definition list."""
    entries: list[tuple[str, list[str]]] = []
    column = 0
    for line in block:
        match = _ENTRY.fullmatch(line)
        names = line[:column].strip()
        if match:
            column = match.start("text")
            name, text = match["names"], match["text"]
            while second := _SECOND.search(text):  # two entries in one line
                entries.append((name, [text[: second.start()]]))
                found = _ENTRY.fullmatch(text[second.end() :])
                assert found is not None
                name, text = found["names"], found["text"]
            entries.append((name, [text]))
        elif column and line[column - 1 : column] == " " and _NAMES.fullmatch(names):
            entries.append((names, [line[column:]]))
        else:
            entries[-1][1].append(line.strip())
    result = [".. container:: names", ""]
    for name, texts in entries:
        result.append("    " + ", ".join(f"``{one}``" for one in re.split(r", (?![^\[]*\])", name)))
        result += [f"        {_inline(text)}" for text in texts] + [""]
    return result


def _inline(line: str) -> str:
    """Shapes become code; a bar is a bar."""
    parts = re.split(r"(:\w+:`[^`]*`|``.*?``|`[^`]*`)", line)
    parts[::2] = [_SHAPE.sub(r"``\g<0>``", part).replace("|", r"\|") for part in parts[::2]]
    return "".join(parts)


def _process(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    lines[:] = as_rest(lines)


def _signature(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Defaults that a dataclass makes anew are no Python, and with them a signature would be left as it is."""
    return signature and re.sub("<factory>", "...", signature).replace("~kpnviz.", "kpnviz."), returns


def _short(app: Sphinx, domain: str, kind: str, content: Any) -> None:
    """The value of a constant only where it can be read: not a table of configs, not functions by their address."""
    for signature in content.parent.findall(addnodes.desc_signature):
        for value in list(signature.findall(addnodes.desc_annotation)):
            if value.astext().startswith(" = ") and (
                len(value.astext()) > 200 or "<function" in value.astext()
            ):
                value.parent.remove(value)


def _skip(app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any) -> bool | None:
    """What `import kpnviz` gives has its page; the pages of the modules do not say it again."""
    module = app.env.current_document.autodoc_module
    if not getattr(value, "__module__", "kpnviz").startswith(("kpnviz", "builtins")):
        return True
    if what == "module" and module != "kpnviz" and name in kpnviz.__all__ and name != "GAINS":
        return True if value is getattr(kpnviz, name) else None
    return None


def _find(app: Sphinx, env: Any, node: Any, content: Any) -> Any:
    """A name without its module means the one object that has it."""
    if node.get("refdomain") != "py":
        return None
    domain = env.domains["py"]
    target = node["reftarget"].removesuffix("()")
    found = domain.find_obj(env, None, None, target, node["reftype"], 1)
    if not found and "." in target:  # an object that is documented under a shorter name
        found = domain.find_obj(env, None, None, target.rpartition(".")[2], node["reftype"], 1)
    places = {(entry.docname, entry.node_id): name for name, entry in found if not entry.aliased}
    if len(places) != 1:
        return None
    ((document, identity), name), *_ = places.items()
    return make_refnode(app.builder, node["refdoc"], document, identity, content, name)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _signature)
    app.connect("object-description-transform", _short)
    app.connect("autodoc-skip-member", _skip)
    app.connect("missing-reference", _find)
    return {"parallel_read_safe": True}
