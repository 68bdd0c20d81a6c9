"""Words on pages that are explained where they stand."""

import re

import pytest

from kpnviz.lens.terms import explained_word, terms
from kpnviz.ui.tips import with_terms


def explained_in(text):
    found = re.findall(r"data-tip='([^']*)'>([^<]*)</span>", with_terms(text))
    return {word: tip for tip, word in found}


def test_each_word_is_explained_once_and_all_else_is_as_it_was():
    found = explained_in("KPN L25 stacked leads L25 & KPN [[3]] <b>")
    assert list(found) == ["KPN", "L25", "stacked"] and "25×25 pixels" in found["L25"]
    assert re.sub("<[^>]*>", "", with_terms("L25 & L25 [[3]] <b>")) == "L25 &amp; L25 [[3]] &lt;b&gt;"


@pytest.mark.parametrize("word", [*terms()["methods"], *terms()["words"]])
def test_every_word_that_terms_json_explains_is_found_on_pages(word):
    word = "L25" if word == "L" else word
    assert explained_word(word).endswith(".") and list(explained_in(f"the {word} one")) == [word]


def test_words_within_others_are_none():
    assert not explained_in("directly, redirect, KPNs, L25x, unreachable, shares")
