"""Text from outside, made to be shown as it is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from kpnviz.text import visible
from kpnviz.ui.elements import plain, rounded


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("IMG_0001 (2).dng", r"IMG\_0001 \(2\)\.dng"),
        ("0~0_1~-1", r"0\~0\_1\~\-1"),
        ("# a | `b` $c$ :red[d]", r"\# a \| \`b\` \$c\$ \:red\[d\]"),
        ("<b>&amp;", r"\<b\>\&amp\;"),
        ("line\nnext\x1b\u202e", r"line\\nnext\\x1b\\u202e"),
        ("    code", "code"),
        ("größe 5×5 …", "größe 5×5 …"),
    ],
)
def test_marks_are_escaped_and_control_characters_shown(text, shown):
    assert plain(text) == shown


@given(st.text(), st.integers(2, 100))
def test_every_mark_is_escaped_and_nothing_else_changes(text, most):
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", plain(text, most))
    assert shown.replace("\u2060", "") == visible(text, most)
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\.", "", plain(text, most)))
    assert visible(text, most).isprintable() and len(visible(text, most)) <= most


@pytest.mark.parametrize(("value", "shown"), [(-0.004, "0.0"), (-0.006, "-0.01"), (0.126, "0.13")])
def test_a_table_shows_no_negative_zero(value, shown):
    assert str(rounded(value, 2)) == shown


def test_results_take_the_place_of_a_skeleton():
    def page():
        import streamlit as st

        from kpnviz.ui import elements

        for ready in (False, True):
            with elements.awaited(ready, "Computing …") as place, place():
                st.write(f"result {ready}")
        try:
            with elements.awaited(False, "Computing …"):
                raise ValueError("it is too large")
        except ValueError as error:
            elements.failure(error)
        with elements.awaited(False, "More …"):
            pass

    app = AppTest.from_function(page).run()
    assert [text.value for text in app.markdown] == ["result False", "result True"]
    assert len(app.error) == 1
    assert [block.body.count("class='skeleton'") for block in app.get("html")] == [
        1
    ]  # of what is still awaited


def test_of_a_long_text_both_ends_are_seen():
    assert visible("frame" * 40 + ".png", 20) == "frameframe…frame.png"


def page():
    from kpnviz.ui.elements import failure

    failure(ValueError("~~a~~.png has *no* pixels"))


def test_an_error_is_shown_as_it_was_written():
    app = AppTest.from_function(page).run()
    assert app.error[0].value == r"\~\~a\~\~\.png has \*no\* pixels."
