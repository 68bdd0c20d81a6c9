"""The table of parameters: what one row gives a new control."""

import pytest
from streamlit.testing.v1 import AppTest

from kpnviz.lens import DISPLAY
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.photos import gallery
from kpnviz.ui import link
from kpnviz.ui.choices import CROPS, LESSON_COUNT, PAGES, SHAKES
from kpnviz.ui.link_formats import Integer, Number
from kpnviz.ui.parameters import DEFAULTS, GAIN, PARAMETERS, PHOTO, SEED, limits, parameter, with_defaults
from kpnviz.ui.state import LENS_DISPLAY, widget


@pytest.fixture
def blur():
    """A new control: this row, and the slider of `page` below."""
    yield parameter("blur", 0.5, Number(0, 4, digits=2), ["noise"])
    del PARAMETERS["blur"]


def page():
    import streamlit as st

    from kpnviz.ui.link import open_session
    from kpnviz.ui.parameters import limits
    from kpnviz.ui.state import control, open_page

    open_session()
    open_page()
    st.slider("Blur", **limits("blur"), **control("blur"))
    st.write(f"{st.session_state['blur']} {st.session_state['link_problem']}")


def test_a_new_slider_is_one_row_and_one_widget(blur):
    """Its default, its limits, the address, links to the pages that show it, and a sentence for a bad link."""
    app = AppTest.from_function(page, default_timeout=60)
    app.run()
    slider = app.slider(key=widget(blur))
    assert (slider.value, slider.min, slider.max) == (0.5, 0, 4) and "blur" not in app.query_params
    slider.set_value(2.25).run()
    assert app.query_params["blur"] == "2.25" and app.markdown[0].value.startswith("2.25")
    address = "https://example.org/{}?v=1"
    state = {blur: app.session_state[blur]}
    assert "blur=2.25" in link.link(address.format("noise"), state)
    assert "blur" not in link.link(address.format("kernels"), state)

    again = AppTest.from_function(page, default_timeout=60)
    again.query_params["blur"] = "2.25"
    assert again.run().slider(key=widget(blur)).value == 2.25

    bad = AppTest.from_function(page, default_timeout=60)
    bad.query_params["blur"] = "9"
    assert bad.run().slider(key=widget(blur)).value == 4
    assert "blur “9” lies outside 0 to 4, 4 is the nearest" in bad.markdown[0].value


def test_a_name_has_one_row(blur):
    with pytest.raises(ValueError, match="blur is already in the table"):
        parameter("blur", 0)


@pytest.mark.parametrize("row", PARAMETERS.values(), ids=lambda row: row.name)
def test_every_default_comes_back_from_a_link(row):
    state = with_defaults({"shake": "by hand"})
    default = row.default_in(state)
    assert set(row.pages) <= set(PAGES)
    if row.format is None:
        assert not row.pages  # what no link holds stays in the session
        return
    text = row.format.write(default, state)
    if row.of(state) is not None:
        found, problem = link.read({"shake": "hand", row.name: text})
        assert problem == "" or (row.name != "shake" and "shifts" in problem)
        assert row.of(found) == default


def test_links_hold_all_that_the_lens_of_explore_can_be_set_to():
    """But for the step of a series: no page with a link shows one."""
    inside = {row.key for row in PARAMETERS.values() if row.inside == LENS_DISPLAY}
    assert inside == set(DISPLAY) - {"step"}
    query = link.write({LENS_DISPLAY: {"look": "sum", "channel": 0}})
    assert query["channel"] == "R" and link.read(query)[0][LENS_DISPLAY]["channel"] == 0


def test_limits_are_those_of_the_row():
    assert limits(GAIN) == {"min_value": 1.0, "max_value": 16.0} and type(limits(GAIN)["min_value"]) is float
    assert limits(SEED)["max_value"] == 2**31 - 1 and type(limits(SEED)["min_value"]) is int
    with pytest.raises(ValueError, match="photo is no number"):
        limits(PHOTO)


def test_a_default_keeps_within_limits_that_depend_on_others():
    assert with_defaults({"crop": max(CROPS)})["top"] == 288 - 256 < DEFAULTS["top"]


def test_every_lesson_has_a_link():
    assert len(LESSONS) == LESSON_COUNT


def test_people_count_from_one():
    lesson = Integer(0, 6, offset=1)
    assert lesson.write(0, {}) == "1" and lesson.write(99, {}) == "7"


def test_the_scene_at_first_can_be_chosen():
    assert DEFAULTS["photo"] in gallery() and DEFAULTS["crop"] in CROPS and DEFAULTS["shake"] in SHAKES
