"""What words mean: no network has a word in its title that is not explained."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kpnviz import lens
from kpnviz.lens.linker import linked
from kpnviz.lens.terms import explained_word, with_terms, words_in, words_of
from kpnviz.models.zoo import ZOO, title_of


def test_every_word_of_every_title_is_explained_once():
    for title in map(title_of, ZOO):
        words = [title] if title == "MKPN 25" else title.split(" ")
        assert len(words_of(title)) == len(words), title
    assert words_of("KPN L25")[1].startswith("L25: kernels of 25×25 pixels")
    assert words_of("A network of my own") == []
    words = words_in(map(title_of, ZOO))
    assert len(words) == len(set(words)) and [word for word in words if word.startswith("L")] == ["L5"]
    assert all(map(explained_word, words))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_scripts_find_the_same_words(tmp_path):
    """Of titles, of sentences, and of words that only begin like one."""
    texts = [
        *map(title_of, ZOO),
        "share and share alike, unreachable",
        "read_std 0.02 · shot_gain 0.004",
        "L25x (L9)",
    ]
    script = linked(Path(lens.__file__).parent / "scripts" / "terms.js").replace("export ", "")
    code = (
        f"const texts = {json.dumps(texts)};"
        "console.log(JSON.stringify([texts.map((text) => partsOf(text).filter(({ tip }) => tip)), wordsIn(texts)]));"
    )
    (tmp_path / "terms.mjs").write_text(f"{script}\n{code}", encoding="utf-8")
    done = subprocess.run(["node", tmp_path / "terms.mjs"], capture_output=True, text=True, check=True)
    parts, words = json.loads(done.stdout)
    for text, found in zip(texts, parts, strict=True):
        terms = re.findall("data-tip='([^']*)'>([^<]*)</span>", with_terms(text))
        assert [(html.unescape(tip), word) for tip, word in terms] == [
            (one["tip"], one["text"]) for one in found
        ]
    assert words == words_in(texts) and "read_std" in words
