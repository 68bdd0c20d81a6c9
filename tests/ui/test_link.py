"""The state in the address: links that come back as they were sent, and links that cannot be followed."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from kpnviz.camera_motion import CameraMotion
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.models.checkpoints import available
from kpnviz.paths import ROOT
from kpnviz.photos import gallery
from kpnviz.ui import link
from kpnviz.ui.choices import (
    BY_HAND,
    CROPS,
    KERNEL_VIEWS,
    MAX_CAMERA,
    MAX_SHIFT,
    OF_RESULTS,
    PAGES,
    SHAKES,
    default_methods,
    first_look,
    sized_methods,
)
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.parameters import COLOR, DEFAULTS, FRAMES, GAIN, MOVING, SHAKE, SHIFTS
from kpnviz.ui.state import PIXEL, gain_button, widget

SIDE = 288  # of the gallery's photos, reduced

shift = st.tuples(*[st.integers(-MAX_SHIFT, MAX_SHIFT)] * 2)


@st.composite
def states(draw):
    crop = draw(st.sampled_from(CROPS))
    place = st.integers(0, SIDE - crop)
    shake = draw(st.sampled_from([*SHAKES, BY_HAND]))
    display = {"frame": 3, "mode": "signed", "against": "mean", "stops": -0.5, "linear": True}
    display["view"] = [1.25, 30.0, 4.0]
    display |= {"compare": "pair", "shown": "truth", "other": "mean", "look": "sum", "assumed": -1.25}
    frames = draw(st.integers(4, 32))
    display |= {"all": True, "region": draw(st.sampled_from([0, 9, 65])), "kinds": 8, "keep": False}
    display |= {"off": {"kpn-l5": [5], "mkpn": draw(st.sampled_from([[1], [3, 11]]))}, "nonnegative": True}
    display |= {"dropped": [0, frames - 1], "moved": [draw(st.integers(1, frames - 1)), -16, 3], "anew": True}
    shown, inside, of_noise = (draw(st.sets(st.sampled_from(sorted(display)))) for _ in range(3))
    names = ["compare", "mode", "against", "stops", "linear", "view", "all", "off", "keep"]
    of_sizes = draw(st.sets(st.sampled_from(names)))
    return {
        "photo": draw(st.sampled_from(gallery())),
        "top": draw(place),
        "left": draw(place),
        "color": draw(st.booleans()),
        "crop": crop,
        "frames": frames,
        "gain": draw(st.integers(10, 160)) / 10,
        "shake": shake,
        "shifts": ((0, 0), *draw(st.lists(shift, min_size=frames - 1, max_size=frames - 1))),
        "moving": draw(st.booleans()),
        **{name: draw(st.integers(0, round(10 * most))) / 10 for name, most in MAX_CAMERA.items()},
        "seed": draw(st.integers(0, 2**31 - 1)),
        "methods": draw(st.lists(st.sampled_from(available()), min_size=1, max_size=4, unique=True)),
        "pixel": draw(st.none() | st.tuples(*[st.integers(0, crop - 1)] * 2)),
        "display": {name: display[name] for name in shown},
        "teach": draw(st.booleans()),
        "kernels_view": draw(st.sampled_from(list(KERNEL_VIEWS.values()))),
        "kernels_display": {name: display[name] for name in inside},
        **{
            f"results_{name}": draw(st.sampled_from(list(options.values())))
            for name, (_, options) in OF_RESULTS.items()
        },
        "lesson": draw(st.integers(0, len(LESSONS) - 1)),
        "sizes_display": {
            "other": draw(st.sampled_from([*sized_methods(), "truth"])),
            "shown": draw(st.sampled_from(sized_methods())),
            "frame": draw(st.integers(0, frames - 1)),
            "look": draw(st.sampled_from(["sizes", "parts"])),
            **{name: display[name] for name in of_sizes},
        },
        "noise_display": {name: display[name] for name in of_noise},
    }


@given(states())
def test_a_link_opens_what_was_there(state):
    found, problem = link.read(link.write(state))
    assert problem == ""
    assert recipe_of(DEFAULTS | found) == recipe_of(state)
    others = set(found) - set(DEFAULTS)
    assert others == set(state) - set(DEFAULTS)
    assert {name: found[name] for name in others} == {name: state[name] for name in others}


def test_links_of_before_color_stay_gray():
    for query, color in (
        ({}, True),
        ({"v": "2"}, True),
        ({"v": "1"}, False),
        ({"v": "1", "color": "1"}, True),
    ):
        state, problem = link.read({"photo": "city"} | query)
        assert (state["color"], problem) == (color, "")
        assert link.write(state)["color"] == str(int(color)) and link.write(state)["v"] == "2"
    app = open_app({"v": "1", "crop": "96", "methods": "kpn-l1"})
    assert not app.toggle(key=widget(COLOR)).value and app.query_params["color"] == "0"


def test_links_of_before_what_if_moved_into_the_lens_show_the_same():
    old = {
        "kernels_view": "what-if",
        "if_method": "mkpn",
        "if_dropped": "0~3",
        "if_sizes": "5~7",
        "if_renormalize": "0",
    }
    state, problem = link.read(old | {"if_nonnegative": "1", "if_dy": "-2", "if_frame": "4", "if_anew": "1"})
    assert problem == ""
    assert state["kernels_view"] == "What if" and state["kernels_display"] == {
        **{"shown": "mkpn", "dropped": [0, 3], "keep": False, "nonnegative": True},
        **{"off": {"mkpn": [1, 3, 9, 11]}, "moved": [4, -2, 0], "anew": True},
    }


@given(states())
def test_a_link_to_a_page_holds_what_that_page_shows(state):
    written = link.write(state)
    held = {}
    for page in PAGES:
        url = link.link(f"https://example.org/tools/{page}?old=1", state)
        assert url.startswith(f"https://example.org/tools/{page}?v=2")
        held[page] = dict(parse_qsl(urlsplit(url).query))
        assert held[page].items() <= written.items()
    scene = {"photo", "color", "top", "left", "crop", "frames", "gain", "shake", "seed"}
    scene |= {"moving"} if state["shake"] != "handheld" else set()
    for page in ("explore", "kernels", "noise", "sizes"):
        assert scene <= set(held[page])
    for page in ("results", "learn", "your_burst", "your_kernels"):
        chosen = {f"results_{name}" for name in OF_RESULTS} if page == "results" else set()
        assert set(held[page]) <= {"v", "teach", "lesson"} | chosen
        assert not chosen or chosen & set(held[page]) == chosen & set(written)
    if not state["moving"] and state["shake"] != "handheld":
        assert all((name in held["kernels"]) == (name in written) == bool(state[name]) for name in MAX_CAMERA)
    only = {"explore": "look", "kernels": "kernels_view", "sizes": "sizes", "learn": "lesson"}
    for page, name in only.items():
        assert [other for other in held if name in held[other]] == [page] * (name in written)
    assert set().union(*map(set, held.values())) == set(written)  # nothing is held by none
    # The first page has no name in its address.
    assert link.link("https://example.org/", state) == link.link(
        "https://example.org/explore", state
    ).replace("/explore", "/")


@pytest.mark.parametrize(
    ("query", "named", "instead"),
    [
        ({"photo": "dgo"}, "“dgo”", {"photo": "dog"}),
        ({"photo": "../../etc/passwd"}, "passwd", {"photo": "dog"}),
        ({"gain": "99"}, "“99”", {"gain": 16.0}),
        ({"gain": "nan"}, "“nan”", {"gain": 4.0}),
        ({"gain": "-inf"}, "“-inf”", {"gain": 1.0}),
        ({"crop": "130"}, "130", {"crop": 128}),
        ({"top": "500", "crop": "128"}, "“500”", {"top": SIDE - 128}),
        ({"shake": "papr"}, "“papr”", {"shake": "paper"}),
        ({"shake": "hand", "shifts": "0~0_1~2"}, "“0~0_1~2”", {"shifts": ((0, 0), (1, 2), *[(0, 0)] * 6)}),
        ({"shake": "hand", "shifts": "0~0" + "_99~0" * 7}, "“0~0", {"shifts": ((0, 0),) * 8}),
        ({"rotation": "11"}, "“11”", {"rotation": 10.0}),
        ({"parallax": "-1", "moving": "0"}, "“-1”", {"parallax": 0.0}),
        ({"frames": "33"}, "“33”", {"frames": 32}),
        ({"frames": "0"}, "“0”", {"frames": 1}),
        ({"frames": "2.7"}, "frames “2.7” is not a whole number, 3 is shown", {"frames": 3}),
        ({"moving": "0.2"}, "moving “0.2” is not 0 (off) or 1 (on), 0 is shown", {"moving": False}),
        ({"frames": "2", "frame": "3"}, "“3”", {"frames": 2, "display": {"frame": 1}}),
        (
            {"frames": "3", "shake": "hand", "shifts": "0~0_1~2"},
            "of 3 frames",
            {"shifts": ((0, 0), (1, 2), (0, 0))},
        ),
        ({"compare": "wype"}, "“wype”", {"display": {}}),
        ({"assumed": "3"}, "“3”", {"display": {"assumed": 2.0}}),
        ({"look": "framess"}, "“framess”", {"display": {"look": "frames"}}),
        ({"seed": "1e99"}, "“1e99”", {"seed": 2**31 - 1}),
        ({"methods": "mkpn~resnet"}, "“resnet”", {"methods": ["mkpn"]}),
        ({"methods": "~"}, "", {"methods": default_methods()}),
        ({"pixel": "200~3"}, "“200~3”", {"pixel": (127, 3)}),
        ({"pixel": "middle"}, "“middle”", {"pixel": None}),
        ({"mode": "sgned"}, "“sgned”", {"display": {"mode": "signed"}}),
        ({"view": "0~0"}, "“0~0”", {"display": {}}),
        ({"sizes": "kpn-l3~kpn-l4~0"}, "“kpn-l3~kpn-l4~0”", {"sizes_display": first_look()}),
        ({"sizes": "kpn-l3~kpn-l5~9"}, "“kpn-l3~kpn-l5~9”", {"sizes_display": first_look()}),
        ({"sizes": "mean~mkpn"}, "“mean~mkpn”", {"sizes_display": first_look()}),
        ({"kernels_view": "mps"}, "“mps”", {"kernels_view": "Maps"}),
        ({"dropped": "0~8~1"}, "“0~8~1”", {"display": {"dropped": [0, 1]}}),
        ({"in_dropped": "one~2~2"}, "“one~2~2”", {"kernels_display": {"dropped": [2]}}),
        ({"off": "mkpn.1.3~kpn-l5.7~x"}, "“kpn-l5.7”", {"display": {"off": {"mkpn": [1, 3]}}}),
        ({"moved": "8~1~1"}, "“8~1~1”", {"display": {}}),
        ({"moved": "2~1~17"}, "“2~1~17”", {"display": {}}),
        ({"region": "40"}, "“40”", {"display": {}}),
        ({"lesson": "99"}, "“99”", {"lesson": len(LESSONS) - 1}),
        ({"v": "3"}, "version “3”", {}),
        ({"colour": "1"}, "“colour”", {}),
        ({"color": "blue"}, "“blue”", {"color": True}),
        ({"photo": "`**x**`\n" * 99}, "**x**", {"photo": "dog"}),
    ],
)
def test_a_bad_link_is_named_and_opens_the_nearest(query, named, instead):
    state, problem = link.read(query)
    assert {name: state[name] for name in instead} == instead
    assert isinstance(state["gain"], float)  # its slider takes no int
    assert named in problem
    assert len(problem) < 250 and "\n" not in problem
    recipe_of(DEFAULTS | state)  # what it opens can be shown
    again = link.read(link.write(DEFAULTS | state))
    assert again == ({"shifts": state.get(SHIFTS), **state} if "shifts" in state else state, "")


@pytest.mark.parametrize(
    "query",
    [{"off": "~" * 999}, {"methods": "x~" * 9999}, {f"n{i}": "" for i in range(99)}],
    ids=lambda q: next(iter(q)),
)
def test_a_link_that_is_wrong_throughout_is_one_sentence(query):
    _, problem = link.read(query)
    assert len(problem) < 800 and problem.endswith(" things more.")


@given(st.dictionaries(st.sampled_from(sorted(link.names())), st.text(max_size=20), max_size=8))
def test_any_link_opens_something(query):
    state, _ = link.read(query)
    found, problem = link.read(link.write(DEFAULTS | state))
    assert problem == "" and recipe_of(DEFAULTS | found) == recipe_of(DEFAULTS | state)


def open_app(query=None, **state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for name, value in (query or {}).items():
        app.query_params[name] = value
    for key, value in state.items():
        app.session_state[key] = value
    return app.run()


def test_the_address_is_read_once_and_then_follows_the_controls():
    app = open_app({"crop": "96", "gain": "2", "methods": "mkpn", "pixel": "10~20"})
    assert not app.exception and not app.warning
    assert app.slider(key=widget(GAIN)).value == 2
    assert app.session_state[PIXEL] == (10, 20)
    assert any("y 10, x 20" in expander.label for expander in app.expander)
    app.button(key=gain_button(8)).click().run()
    assert app.slider(key=widget(GAIN)).value == 8
    assert app.query_params["gain"] == "8" and app.query_params["v"] == "2"


def test_an_address_from_before_a_change_does_not_take_it_back():
    """The browser sends the address that it knows, which may be that of before the last change."""
    app = open_app({"crop": "96", "methods": "mkpn"})
    before = dict(app.query_params)
    app.button(key=gain_button(8)).click().run()
    for name, value in before.items():
        app.query_params[name] = value[0] if isinstance(value, list) else value
    assert app.query_params["gain"] == "4"
    app.run()
    assert app.slider(key=widget(GAIN)).value == 8 and app.query_params["gain"] == "8"


def test_a_bad_address_is_one_sentence_and_the_page_goes_on():
    app = open_app({"crop": "96", "gain": "loud", "methods": "mkpn"})
    assert not app.exception and not app.error
    assert len(app.warning) == 1 and "“loud”" in app.warning[0].value
    assert app.slider(key=widget(GAIN)).value == DEFAULTS["gain"]
    assert not app.run().warning


def test_the_number_of_frames_reaches_the_burst_and_methods_that_cannot_say_so():
    app = open_app({"crop": "96", "methods": "kpn-l5-stacked~kpn-l5"})
    assert not any("frames, and this burst" in caption.value for caption in app.caption)
    app.slider(key=widget(FRAMES)).set_value(16).run()
    assert not app.exception and not app.error
    assert app.query_params["frames"] == "16"
    assert recipe_of({key: app.session_state[key] for key in DEFAULTS}).frames == 16
    (said,) = [caption.value for caption in app.caption if "this burst has 16" in caption.value]
    assert said.count("KPN L5") == 1 and "KPN L5 stacked: takes 8 frames" in said


def test_shifts_by_hand_follow_the_number_of_frames():
    app = open_app({"crop": "96", "methods": "kpn", "shake": "hand", "shifts": "0~0" + "_1~2" * 7})
    for frames in (3, 5, 1):
        app.slider(key=widget(FRAMES)).set_value(frames).run()
        assert not app.exception and not app.error
        expected = ((0, 0), *((1, 2),) * 2, *((0, 0),) * 2)[:frames]
        assert recipe_of({key: app.session_state[key] for key in DEFAULTS}).shifts == expected


def test_the_camera_of_a_link_turns_the_burst_and_its_slider_the_link():
    app = open_app({"crop": "96", "methods": "kpn-l1", "rotation": "3", "shutter": "2.5"})
    assert not app.exception and not app.warning
    camera = recipe_of({key: app.session_state[key] for key in DEFAULTS}).camera
    assert camera == CameraMotion(rotation=3, shutter=2.5)
    app.slider(key=widget("tilt")).set_value(1.5).run()
    assert app.query_params["tilt"] == "1.5" and app.query_params["rotation"] == "3"
    app.toggle(key=widget(MOVING)).set_value(True).run()
    assert not app.exception and app.slider(key=widget("tilt")).disabled
    assert "rotation" not in app.query_params  # an object moves: the camera only shifts
    assert recipe_of({key: app.session_state[key] for key in DEFAULTS}).camera is None
    app.toggle(key=widget(MOVING)).set_value(False).run()
    assert app.query_params["rotation"] == "3"


def test_shifts_by_hand_reach_the_burst_and_the_address():
    app = open_app({"crop": "96", "methods": "mkpn"})
    app.selectbox(key=widget(SHAKE)).set_value(BY_HAND).run()
    from_the_shake = app.session_state[SHIFTS]
    assert from_the_shake != ((0, 0),) * 8 and len(app.session_state[SHIFTS]) == 8
    assert not app.exception
    shifts = ((0, 0), *[(i, -i) for i in range(1, 8)])
    app.session_state[SHIFTS] = shifts
    app.run()
    assert recipe_of({key: app.session_state[key] for key in DEFAULTS}).shifts == shifts
    assert app.query_params["shifts"] == "0~0_1~-1_2~-2_3~-3_4~-4_5~-5_6~-6_7~-7"
