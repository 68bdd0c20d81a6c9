"""What words mean: no network has a word in its title that is not explained."""

from kpnviz.lens.terms import explained, words_of
from kpnviz.models.zoo import ZOO, title_of


def test_every_word_of_every_title_is_explained_once():
    for title in map(title_of, ZOO):
        words = [title] if title == "MKPN 25" else title.split(" ")
        assert len(words_of(title)) == len(words), title
    assert words_of("KPN L25")[1].startswith("L25: kernels of 25×25 pixels")
    assert words_of("A network of my own") == []
    lines = explained(map(title_of, ZOO)).splitlines()
    assert len(lines) == len(set(lines)) and sum("L5: " in line for line in lines) == 1
