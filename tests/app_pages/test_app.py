"""The page without a browser."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

import kpnviz
from kpnviz.analysis import kernel_stats, metrics
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.lens.texts.result_tables import beyond_training
from kpnviz.models.zoo import ZOO
from kpnviz.noise import NoiseModel
from kpnviz.paths import ROOT
from kpnviz.serving import in_parts, work
from kpnviz.serving.cache import SizedCache
from kpnviz.ui import cache, choices, link
from kpnviz.ui.choices import PAGES, SHAKES
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.elements import plain
from kpnviz.ui.parameters import DEFAULTS, FRAMES, GAIN, LESSON, METHODS, MOVING, PHOTO, SEED, SHAKE, TEACH
from kpnviz.ui.presets import PRESETS, state_of
from kpnviz.ui.state import (
    EXAMPLES,
    LESSON_BACK,
    LESSON_END,
    LESSON_NEXT,
    LESSON_OPEN,
    PIXEL,
    gain_button,
    lesson_answer,
    widget,
)

SMALL = {"crop": 96}


def open_app(**state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for key, value in (SMALL | state).items():
        app.session_state[key] = value
    return app.run()


def test_the_page_runs_and_says_how_it_measures():
    app = open_app()
    assert not app.exception
    assert not app.error
    assert any(metrics.PROTOCOL_OF_ONE in caption.value for caption in app.caption)
    assert app.multiselect(key=widget(METHODS)).value == choices.default_methods()


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (tuple(ZOO), ["kpn", "kpn-l25", "mkpn"]),
        (("kpn-l5", "mkpn"), ["kpn-l5", "mkpn"]),
        (("kpn", "kpn-l5", "kpn-l9"), ["kpn", "kpn-l5"]),
        (("kpn-l3",), ["kpn-l3"]),
        ((), []),
    ],
)
def test_methods_at_first_are_those_of_the_papers_figures_where_they_are_trained(
    trained, expected, monkeypatch
):
    monkeypatch.setattr(choices, "available", lambda: trained)
    assert choices.default_methods() == expected


def test_a_pinned_pixel_gets_its_statistics():
    app = open_app(pixel=(40, 52), methods=["mkpn"])
    assert not app.exception
    table = app.dataframe[0].value
    kernels = kpnviz.load("mkpn")(kpnviz.synthesize(recipe_of(DEFAULTS | SMALL))).kernels.at(40, 52)
    np.testing.assert_allclose(table["share"], 100 * kernel_stats.frame_share(kernels), atol=0.0501)
    np.testing.assert_allclose(
        table[["centroid_dy", "centroid_dx"]], kernel_stats.centroid(kernels), atol=0.00501
    )
    np.testing.assert_allclose(table["entropy"], kernel_stats.entropy(kernels), rtol=1e-5)


def test_a_pinned_pixel_outside_a_smaller_picture_is_forgotten():
    app = open_app(pixel=(120, 120))
    assert not app.exception
    assert not app.dataframe


def test_controls_change_the_burst():
    app = open_app(methods=[])
    app.button(key=gain_button(8)).click().run()
    assert app.slider(key=widget(GAIN)).value == 8
    app.toggle(key=widget(MOVING)).set_value(True).run()
    app.selectbox(key=widget(SHAKE)).set_value("strong").run()
    assert not app.exception
    assert not app.error
    state = {key: app.session_state[key] for key in DEFAULTS}
    assert recipe_of(state).noise == NoiseModel.for_gain(8)
    assert recipe_of(state).moving is not None
    assert recipe_of(state).misalignment == SHAKES["strong"]


def told(app):
    """Names of the widgets whose value Python sets: what a person chose in the browser meanwhile is replaced."""
    widgets = (*app.slider, *app.multiselect, *app.selectbox, *app.number_input, *app.toggle)
    return {widget.key for widget in widgets if widget.proto.set_value}


def test_a_control_is_told_only_what_was_set_elsewhere():
    app = open_app(methods=["mkpn"])
    assert {widget(key) for key in (GAIN, FRAMES, SEED, METHODS)} <= told(app)  # a new page
    app.slider(key=widget(FRAMES)).set_value(9).run()
    app.number_input(key=widget(SEED)).set_value(3).run()
    assert not told(app)  # it may be at 12 by now
    assert app.session_state[FRAMES] == 9 and app.session_state[SEED] == 3
    app.button(key=gain_button(8)).click().run()
    assert told(app) == {widget(GAIN)}
    app.switch_page("app_pages/noise.py").run()
    assert {widget(key) for key in (GAIN, FRAMES, SEED, METHODS)} <= told(app)
    assert app.slider(key=widget(FRAMES)).value == 9
    assert not app.exception


def test_methods_cannot_be_chosen_all_at_once():
    # Streamlit's "Select all" takes as many as there is room for, which is one, and then offers nothing.
    app = open_app(methods=["mkpn"])
    own = open_app().switch_page("app_pages/your_burst.py").run()
    for page in (app, own):
        assert page.multiselect[0].proto.select_all == 0


def test_what_is_said_of_training_follows_its_ranges(monkeypatch):
    assert beyond_training((1, 2, 4, 8, 16)) == "Gains ×4, ×8 and ×16 lie beyond training."
    assert beyond_training((1, 2)) == ""
    monkeypatch.setattr("kpnviz.noise.TRAINING_READ_STD", (1e-3, 0.1))
    monkeypatch.setattr("kpnviz.noise.TRAINING_SHOT_GAIN", (1e-4, 0.04))
    assert beyond_training((1, 2, 4, 8, 16)) == "Gain ×16 lies beyond training."


def test_a_larger_crop_moves_into_the_photo():
    recipe = recipe_of(DEFAULTS | {"crop": 256, "top": 150, "left": 288})
    assert recipe.crop == (32, 32, 256, 256)


def test_without_checkpoints_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    app = open_app()
    assert not app.exception
    assert "kpnviz train" in app.error[0].value


def test_a_damaged_checkpoint_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    # A name that no other test has loaded: what is loaded stays in memory.
    (tmp_path / "kpn-damaged.safetensors").write_bytes(b"not weights")
    app = open_app(methods=["kpn-damaged"])
    assert not app.exception
    assert plain("kpn-damaged") in app.error[0].value


def test_the_navigation_lists_every_page():
    assert {path.stem for path in (ROOT / "app_pages").glob("*.py")} == set(PAGES)


def test_the_scene_survives_a_change_of_page():
    app = open_app(methods=["mkpn"], pixel=(10, 20))
    app.button(key=gain_button(8)).click().run()
    app.number_input(key=widget(SEED)).set_value(5).run()
    app.switch_page("app_pages/learn.py").run()
    assert not app.exception
    app.switch_page("app_pages/explore.py").run()
    assert not app.exception
    assert app.slider(key=widget(GAIN)).value == 8
    assert app.number_input(key=widget(SEED)).value == 5
    assert app.multiselect(key=widget(METHODS)).value == ["mkpn"]
    assert app.session_state[PIXEL] == (10, 20)


@pytest.mark.parametrize(
    "preset",
    [*PRESETS[:2], *(pytest.param(preset, marks=pytest.mark.slow) for preset in PRESETS[2:])],
    ids=lambda preset: preset.title,
)
def test_a_preset_is_shown(preset):
    app = open_app()
    app.menu_button(key=EXAMPLES).click(PRESETS.index(preset)).run()
    assert not app.exception and not app.error
    assert any(preset.look in text.value for text in app.markdown)
    assert app.session_state[PIXEL] == preset.pixel
    recipe = recipe_of(DEFAULTS | dict(preset.scene))
    assert recipe_of({key: app.session_state[key] for key in DEFAULTS}) == recipe
    assert preset.pixel[0] < recipe.crop[2] and preset.pixel[1] < recipe.crop[3]
    assert link.read(link.write(state_of(preset)))[1] == ""  # what it sets is valid


def test_presets_show_what_their_titles_say():
    scenes = {preset.title: recipe_of(DEFAULTS | dict(preset.scene)) for preset in PRESETS}
    assert scenes["Fur at gain ×4"].noise == NoiseModel.for_gain(4)
    beyond = np.abs(scenes["Beyond the reach of 5×5"].shifts).max(axis=1)
    assert (beyond[3:] > 2).all() and (beyond[:3] <= 2).all()
    moving = next(preset for preset in PRESETS if preset.title == "Moving object")
    burst = kpnviz.synthesize(scenes["Moving object"])
    assert burst.object_at[moving.pixel] == 1
    assert scenes["Flat sky at gain ×8"].noise == NoiseModel.for_gain(8)
    noisier = {title: scene.noise.beyond_training for title, scene in scenes.items()}
    assert noisier["Noisier than the paper"] and not noisier["Beyond the reach of 5×5"]
    y, x = next(preset.pixel for preset in PRESETS if preset.title.startswith("Flat sky"))
    sky = kpnviz.synthesize(scenes["Flat sky at gain ×8"]).truth[:, y - 5 : y + 6, x - 5 : x + 6]
    assert all(channel.std() < 0.05 * channel.mean() for channel in sky)


@pytest.mark.parametrize(
    "number", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, len(LESSONS)))]
)
def test_a_lesson_asks_before_it_reveals_and_goes_on_elsewhere(number):
    lesson = LESSONS[number]
    app = open_app(lesson=number).switch_page("app_pages/learn.py").run()
    assert not app.exception and not app.error
    assert app.latex[0].value.strip("$\n ") == lesson.equation
    assert not any(lesson.reveal in text.value for text in app.markdown)
    app.radio(key=widget(lesson_answer(number))).set_value(lesson.options[lesson.right]).run()
    assert any("Yes." in text.value and lesson.reveal in text.value for text in app.markdown)
    wrong = lesson.options[lesson.right - 1]
    app.radio(key=widget(lesson_answer(number))).set_value(wrong).run()
    right = f"No. The right answer: “{lesson.options[lesson.right]}”."
    assert any(right in text.value and lesson.reveal in text.value for text in app.markdown)
    before = app.session_state[PHOTO], app.session_state[GAIN]
    assert before == (
        DEFAULTS["photo"],
        DEFAULTS["gain"],
    )  # a lesson leaves the scene alone until it is opened
    assert any(lesson.caption in text.value for text in app.caption)
    app.button(key=LESSON_OPEN).click().run()
    assert not app.exception and app.title[0].value != "Learn"
    if lesson.opens == "explore":
        assert app.slider(key=widget(GAIN)).value == state_of(lesson.burst)["gain"]
        assert app.session_state[PIXEL] == lesson.burst.pixel


def test_lessons_follow_each_other():
    app = open_app(lesson=1).switch_page("app_pages/learn.py").run()
    app.button(key=LESSON_END).click().run()
    assert app.session_state[LESSON] == 2 and app.header[0].value == LESSONS[2].title
    app.button(key=LESSON_BACK).click().run()
    assert app.session_state[LESSON] == 1 and not app.exception
    app.session_state[LESSON] = len(LESSONS) - 1
    app.run()
    assert app.button(key=LESSON_NEXT).disabled and not any(b.key == LESSON_END for b in app.button)


def test_teacher_mode_folds_the_controls_and_enlarges_the_type():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["teach"] = "1"
    app.query_params["crop"] = "96"
    app.run()
    assert not app.exception and not app.warning
    assert app.session_state[TEACH] and "teach" in app.query_params
    assert any("font-size: 21px" in block.body for block in app.get("html"))


def test_two_sessions_share_nothing():
    one, other = open_app(methods=["mkpn"]), open_app(methods=["mkpn"])
    one.button(key=gain_button(8)).click().run()
    one.session_state[PIXEL] = (3, 4)
    one.run()
    other.run()
    assert other.slider(key=widget(GAIN)).value == DEFAULTS["gain"]
    assert other.session_state[PIXEL] is None


def test_results_in_parts_that_cannot_be_kept_all_at_a_time_come_together(monkeypatch):
    most = 6 * 2**20  # what MKPN makes of 96x96 pixels, and little more
    monkeypatch.setattr(work, "cached_values", SizedCache(most))
    monkeypatch.setattr(in_parts, "PATIENCE", 0)
    made = cache.early_payload
    shown = []
    monkeypatch.setattr(
        cache, "early_payload", lambda recipe, *rest: shown.append(rest[-1]) or made(recipe, *rest)
    )
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
    app.query_params.update({"seed": "4712", "color": "0", "methods": "kpn-l5~kpn-l9~mkpn", "crop": "96"})
    app.run()
    assert not app.exception
    assert shown[:2] == [(), ("mkpn",)] and len(shown) <= 3
    assert app.get("download_button")  # what stands under the lens when all has come


def test_the_frames_are_shown_before_networks_run_that_were_not_run_yet(monkeypatch):
    shown = []
    made = cache.early_payload
    monkeypatch.setattr(
        cache,
        "early_payload",
        lambda recipe, *rest: shown.append((recipe.seed, *rest)) or made(recipe, *rest),
    )
    for _ in range(2):  # the second visitor's are there
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=240)
        app.query_params.update({"seed": "4711", "methods": "kpn-l5", "crop": "96", "nonsense": "1"})
        app.run()
        assert not app.exception
        assert "nonsense" in app.warning[0].value  # said in the first of two runs, and still there
        assert shown == [(4711, ("kpn-l5",), ())]
