"""Learn: short lessons, each with a question to answer before the reveal, and the one figure that it is about."""

import streamlit as st

from kpnviz.evaluation.results import read_results
from kpnviz.lens.texts.lessons import LESSONS, Lesson, said
from kpnviz.ui import claims, elements, lesson_figures
from kpnviz.ui.choices import PAGES
from kpnviz.ui.controls import recipe_of
from kpnviz.ui.page import begin
from kpnviz.ui.parameters import DEFAULTS, LESSON, TEACH
from kpnviz.ui.presenter import presenter
from kpnviz.ui.presets import apply, state_of
from kpnviz.ui.scroll import to_top
from kpnviz.ui.state import (
    LESSON_BACK,
    LESSON_DISPLAY,
    LESSON_END,
    LESSON_NEXT,
    LESSON_OPEN,
    LESSON_PIXEL,
    LESSON_SHOWN,
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
        try:
            measured, numbers = said(lesson, read_results())
        except ValueError:  # no results.csv, or a damaged one: the page Results says so
            return
        if measured:
            claims.sentence(f"On the test set, {measured}", numbers)


def figure(lesson: Lesson, number: int) -> None:
    """What the lesson is about, and the way on."""
    if st.session_state.get(LESSON_SHOWN) != number:  # another lesson than before: its own pixel and display
        st.session_state[LESSON_SHOWN] = number
        st.session_state[LESSON_PIXEL], st.session_state[LESSON_DISPLAY] = None, {}
    state = state_of(lesson.burst)
    recipe = recipe_of({key: state[key] for key in DEFAULTS})
    try:
        ready = lesson_figures.is_ready(lesson, recipe)
        with st.container(key="lesson_figure"), elements.awaited(ready, "Denoising …") as place:
            lesson_figures.prepare(lesson, recipe)
            with place():
                lesson_figures.draw(lesson, recipe)
    except ValueError as error:
        elements.failure(error)
    if st.button(
        f"Open in {PAGES[lesson.opens]}",
        key=LESSON_OPEN,
        icon=":material/open_in_full:",
        on_click=apply if lesson.opens == "explore" else None,
        args=(lesson.burst,) if lesson.opens == "explore" else (),
    ):
        st.switch_page(f"app_pages/{lesson.opens}.py")


def text(lesson: Lesson, title: bool = True) -> None:
    if title:
        st.header(lesson.title, anchor=False)
    st.markdown(lesson.text)
    st.latex(lesson.equation)
    st.caption(f"Equation: {lesson.source}.")


def show(number: int) -> None:
    st.session_state[LESSON] = number


def lesson_steps() -> None:
    """Title and number of the lesson in front of a class, and the next one by key."""
    presenter([lesson.title for lesson in LESSONS], st.session_state[LESSON], True, show)


def answered(number: int) -> bool:
    return st.session_state.get(lesson_answer(number)) is not None


def written(number: int) -> str:
    return f"{number + 1} · {LESSONS[number].title}"


def progress() -> int:
    """Where one is, and the way back and on; the lesson's number."""
    number = st.session_state[LESSON]
    last = len(LESSONS) - 1
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.button(
            "Back",
            key=LESSON_BACK,
            icon=":material/arrow_back:",
            disabled=number == 0,
            on_click=show,
            args=(number - 1,),
        )
        st.button(
            "Next", key=LESSON_NEXT, icon=":material/arrow_forward:", icon_position="right", type="primary",
            disabled=number == last, on_click=show, args=(number + 1,),
        )  # fmt: skip
        with st.container(width=340):
            st.selectbox(
                "Lesson",
                range(len(LESSONS)),
                format_func=written,
                label_visibility="collapsed",
                **control(LESSON),
            )
    done = sum(map(answered, range(len(LESSONS))))
    st.progress((number + 1) / len(LESSONS), f"Lesson {number + 1} of {len(LESSONS)}, {done} answered")
    return number


def go_on(number: int) -> None:
    """At the end of a lesson, the next one; it begins at its top."""
    if number + 1 < len(LESSONS):
        st.button(
            f"Next: {LESSONS[number + 1].title}", key=LESSON_END, icon=":material/arrow_forward:",
            icon_position="right", type="primary", on_click=show, args=(number + 1,),
        )  # fmt: skip
    to_top(number)


if st.session_state.get(TEACH):  # what is asked and what is seen beside each other, on one screen
    number = st.session_state[LESSON]
    lesson = LESSONS[number]
    begin(lesson.title, "", tools=lesson_steps)
    # A lens has its kernels beside the picture.
    left, right = st.columns([4, 6] if lesson.figure == "others" else [6, 5], gap="medium")
    with left, st.container(key="lesson_text"):
        # The answer is to be seen without scrolling: what was read before it is folded away.
        with st.expander("The lesson's text") if answered(number) else st.container():
            text(lesson, title=False)
        question(lesson, number)
    with right:
        figure(lesson, number)
else:
    begin(
        "Learn",
        f"{len(LESSONS)} lessons of two minutes each: read, answer the question, look at the figure. What a network "
        "does is there to be seen, and need not be what theory says.",
    )
    number = progress()
    lesson = LESSONS[number]
    with elements.grid("lesson", 430):
        left, right = st.container(), st.container()
    with left:
        text(lesson)
        question(lesson, number)
    with right:
        figure(lesson, number)
        go_on(number)
