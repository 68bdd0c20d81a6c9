"""Learn: short lessons, each with a question to answer before the reveal, and the lens to look for oneself."""

import streamlit as st

from kpnviz.serving import work
from kpnviz.ui import cache, elements
from kpnviz.ui.assumed_noise import offered
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.kernel_lens import kernel_lens
from kpnviz.ui.lessons import LESSONS, Lesson
from kpnviz.ui.methods import own
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import DEFAULTS, LESSON, METHODS, TEACH
from kpnviz.ui.presenter import presenter
from kpnviz.ui.state import (
    LENS_DISPLAY,
    LESSON_DISPLAY,
    LESSON_LENS,
    LESSON_PIXEL,
    LESSON_SHOWN,
    PIXEL,
    control,
    lesson_answer,
)


def question(lesson: Lesson, number: int) -> None:
    """Ask, and say what is right once there is an answer."""
    with st.container(border=True):
        st.session_state.setdefault(lesson_answer(number), None)
        answer = st.radio(
            f"**{lesson.question}**", lesson.options, index=None, **control(lesson_answer(number))
        )
        if answer is None:
            st.caption("Choose an answer to see the right one.")
            return
        right = answer == lesson.options[lesson.right]
        verdict = "Yes." if right else f"No. The right answer: “{lesson.options[lesson.right]}”."
        icon = ":material/check_circle:" if right else ":material/cancel:"
        st.markdown(f"{icon} **{verdict}** {lesson.reveal}")


def look(lesson: Lesson, number: int) -> None:
    """The lens on the lesson's burst."""
    state = lesson.preset.state()
    if st.session_state.get(LESSON_SHOWN) != number:  # another lesson than before: its own pixel and display
        st.session_state[LESSON_SHOWN] = number
        st.session_state[LESSON_PIXEL], st.session_state[LESSON_DISPLAY] = state[PIXEL], state[LENS_DISPLAY]
    recipe, methods = (
        recipe_of({key: state[key] for key in DEFAULTS}),
        tuple(m for m in state[METHODS] if own(m) is None),
    )
    with elements.awaited(work.is_cached(cache.lens_payload, recipe, methods), "Denoising …") as place:
        payload = cache.lens_payload(recipe, methods)
        with place():
            assumed = offered(recipe, methods)
            kernel_lens(payload, LESSON_LENS, LESSON_PIXEL, LESSON_DISPLAY, assumed=assumed)
    if st.button("Open in Explore", icon=":material/open_in_full:", on_click=lesson.preset.apply):
        st.switch_page("app_pages/explore.py")


def what_to_look_for(lesson: Lesson) -> None:
    st.markdown(f":material/visibility: **Look:** {lesson.preset.look}")


def text(lesson: Lesson, title: bool = True) -> None:
    if title:
        st.header(lesson.title, anchor=False)
    st.markdown(lesson.text)
    st.latex(lesson.equation)
    st.caption(f"Equation: {lesson.source}.")


def lesson_steps() -> None:
    """Title and number of the lesson in front of a class, and the next one by key."""
    titles = [lesson.title for lesson in LESSONS]
    presenter(
        titles, st.session_state[LESSON], True, lambda number: st.session_state.update({LESSON: number})
    )


def look_or_say_why(lesson: Lesson, number: int) -> None:
    try:
        look(lesson, number)
    except ValueError as error:
        elements.failure(error)


if st.session_state.get(TEACH):  # what is asked and what is seen beside each other, on one screen
    number = st.session_state[LESSON]
    lesson = LESSONS[number]
    begin(lesson.title, "", tools=lesson_steps)
    left, right = st.columns([6, 5], gap="medium")
    with left:
        text(lesson, title=False)
        question(lesson, number)
        what_to_look_for(lesson)
    with right:  # nothing above the lens: its kernels are to be on the screen
        look_or_say_why(lesson, number)
else:
    begin(
        "Learn",
        "Seven lessons of two minutes each. Read, answer the question, then look for yourself: what a network does "
        "is there to be seen, and need not be what theory says.",
    )
    number = st.segmented_control(
        "Lesson",
        range(len(LESSONS)),
        format_func=lambda i: f"{i + 1} {LESSONS[i].title}",
        required=True,
        label_visibility="collapsed",
        **control(LESSON),
    )
    lesson = LESSONS[number]
    left, right = st.columns([5, 4], gap="large")
    with left:
        text(lesson)
    with right:
        question(lesson, number)
    what_to_look_for(lesson)
    look_or_say_why(lesson, number)
