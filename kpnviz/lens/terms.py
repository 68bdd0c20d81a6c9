"""What the words and marks of the lens and the pages mean: `terms.json`, which the lens' scripts read, too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any


@cache
def terms() -> dict[str, Any]:
    """The contents of terms.json: what the words of methods' titles, the pictures and the marks mean."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "terms.json").read_text(encoding="utf-8"))
    return found


def words_of(title: str) -> list[str]:
    """The words of a method's title that are explained, a sentence each: "KPN L5 blind" has three."""
    methods = terms()["methods"]
    if title in methods:
        return [methods[title]]
    found = []
    for word in title.split(" "):
        size = re.fullmatch(r"L(\d+)", word)
        if size:
            found.append(methods["L"].format(name=word, size=size[1]))
        elif word != "L" and word in methods:
            found.append(methods[word])
    return found


def explained_word(word: str) -> str:
    """What a word of a method's title or of a sentence means, a sentence; "" for one that is not explained."""
    found = words_of(word) or [text for name, text in terms()["words"].items() if name == word]
    return f"{found[0]}." if found else ""


def explained(titles: Iterable[str]) -> str:
    """Markdown: a list of all words of the titles that are explained, each once; "L5" stands for all sizes."""
    words: dict[str, None] = {}
    for title in titles:
        for word in words_of(re.sub(r"\bL\d+\b", "L5", title)):
            words.setdefault(word)
    sentences = (word[0].upper() + word[1:] if word.startswith("a ") else word for word in words)
    return "\n".join(f"- {sentence}." for sentence in sentences)
