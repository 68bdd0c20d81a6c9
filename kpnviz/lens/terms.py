"""What the words and marks of the lens and the pages mean: `terms.json`, which the lens' scripts read, too."""

from __future__ import annotations

import html
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


@cache
def _word() -> re.Pattern[str]:
    """Words as they stand in names of methods and in sentences, the longest first; numbers, [[3]], are none."""
    names = sorted({*terms()["methods"], *terms()["words"]} - {"L"}, key=len, reverse=True)
    return re.compile(rf"\[\[\d+\]\]|(?<![\w-])({'|'.join(map(re.escape, names))}|L\d+)(?![\w-])")


def with_terms(text: str) -> str:
    """HTML of plain text in which each word that is explained can be asked, where it first stands."""
    return marked_terms(html.escape(text))


def marked_terms(text: str) -> str:
    """The same of HTML without tags, which stays as it is."""
    seen: set[str] = set()

    def term(match: re.Match[str]) -> str:
        word = match[1]
        sentence = explained_word(word) if word and word not in seen else ""
        if not sentence:
            return match[0]
        seen.add(word)
        return f"<span class='term' tabindex='0' data-tip='{html.escape(sentence, quote=True)}'>{word}</span>"

    return _word().sub(term, text)


def line_of(words: Iterable[str]) -> str:
    """HTML of a line of words that can be asked."""
    return f"What the words mean: {' · '.join(map(with_terms, words))}"


def words_in(titles: Iterable[str]) -> list[str]:
    """The words of methods' titles that are explained, each once; "L5" stands for all sizes."""
    found = (_word().findall(re.sub(r"\bL\d+\b", "L5", title)) for title in titles)
    return list(dict.fromkeys(word for words in found for word in words))
