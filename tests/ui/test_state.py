"""The names of what a session knows."""

import re
from pathlib import Path

from streamlit.testing.v1 import AppTest

from kpnviz.paths import ROOT
from kpnviz.ui import state
from kpnviz.ui.state import LENS_DISPLAY, PIXEL, lens_drawn


def test_no_key_is_named_twice():
    values = [value for name, value in vars(state).items() if name.isupper()]
    assert len(values) == len(set(values)) > 50


def test_pages_take_keys_from_there():
    """A key that is written out where it is used would be a second name."""
    written = re.compile(
        r"session_state(?:\[|\.(?:get|pop|setdefault)\()f?[\"']|session_state\.(?!update|get|pop|set|to)"
    )
    for path in (*Path(ROOT, "app_pages").glob("*.py"), *Path(state.__file__).parent.rglob("*.py")):
        assert not written.search(path.read_text()), path


def test_a_lens_that_was_drawn_before_the_last_change_is_behind():
    def script():
        import streamlit as st

        from kpnviz.ui.kernel_lens import is_behind

        st.text(is_behind("lens"))

    app = AppTest.from_function(script).run()
    assert app.text[0].value == "False"  # there is none
    drawn = (PIXEL, LENS_DISPLAY, (3, 4), {})
    for pixel, display, behind in (((3, 4), {}, False), ((3, 5), {}, True), ((3, 4), {"frame": 1}, True)):
        app.session_state[lens_drawn("lens")] = drawn
        app.session_state[PIXEL], app.session_state[LENS_DISPLAY] = pixel, display
        assert app.run().text[0].value == str(behind)
