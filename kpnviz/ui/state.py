"""Keys of st.session_state that are no parameters (parameters.py), and how a control keeps its value between pages.

Streamlit forgets a widget's key when its page is left; on the way, the key still holds the value of the page before,
but the widget of the same name on the next page does not take it. So what all pages share lies in keys that no widget
owns, and the widget that shows such a key has one of its own (`control`). Keys that begin with an underscore belong
to the code alone; the others are widgets of one page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

# --- What is looked at ---
PIXEL = "pixel"  # the pinned pixel (y, x), or None
LENS_DISPLAY = "display"  # options of the lens that are not as in lens.DISPLAY
TRY_AGAIN = "try_again"  # the button that runs methods again that failed
EXAMPLES = "examples"  # the menu of examples
PRESENTER = "presenter"  # what steps through examples in teacher mode
PRESENTED = "_presented"  # number of the example that was shown last

DRAWN_CONTROLS = "_drawn_controls"  # (page, {widget: its limits}): what was drawn since the page was opened

DRAWER = "drawer"  # what closes the sidebar of a phone
TIPS = "tips"  # what explains words where they stand
TIPS_ASIDE = "tips_aside"  # the same in the sidebar
THEME = "theme"  # what runs the page again when the theme is switched

# --- The link ---
LINK_PROBLEM = "link_problem"  # what was wrong with it, a sentence, until a person does something
WRITTEN = "_written"  # the query that was last written to the address
SHARE = "share"  # the button that copies it
OPENED_PLAIN = "_opened_plain"  # the session began at an address that holds nothing

# --- The name in the corner, and the guided scene ---
FIRST_MINUTE = "first_minute"  # the component
SCENE_BY_MESSAGE = "_scene_by_message"  # this session's browser could not fetch the scene's parts

# --- The controls of the burst ---
PICKER = "picker"  # the scene picker
DRAWN = "_drawn"  # the recipe that is on the page
SHIFTS_GIVEN = "_shifts_given"  # what the table of shifts was last given
TABLE_VERSION = "_table_version"  # counts the tables of shifts; see shift_table

# --- Explore ---
LENS = "lens"  # the kernel lens
IN_PARTS = "_in_parts"  # what the page showed while methods denoise: serving/in_parts.py
BY_MESSAGE = "_by_message"  # this session's browser could not fetch a payload: it is sent messages
STATISTICS = "statistics"  # the table of the pinned pixel

# --- Kernels ---
KERNELS_LENS, KERNELS_DISPLAY = "kernels_lens", "kernels_display"  # the lens, and its display
KERNELS_OPENED = "_kernels_opened"  # the view that the lens was last told to show

# --- Noise, Sizes ---
NOISE_LENS, NOISE_DISPLAY = "noise_lens", "noise_display"  # the lens with the slider, and its display
MATRIX_METHOD = "matrix_method"  # of the table of gains
SIZES_LENS, SIZES_DISPLAY = "sizes_lens", "sizes_display"  # the lens of all sizes, and its display

# --- Learn ---
LESSON_SHOWN = "_lesson"  # the lesson whose pixel and display are in the two keys below
LESSON_PIXEL, LESSON_DISPLAY = (
    "lesson_pixel",
    "lesson_display",
)  # as PIXEL and LENS_DISPLAY, of the lesson's lens
LESSON_LENS = "lesson_lens"  # the kernel lens of the lesson
LESSON_BACK, LESSON_NEXT, LESSON_END = "lesson_back", "lesson_next", "lesson_end"  # buttons to other lessons
LESSON_OPEN = "lesson_open"  # the button to the page that goes on from a lesson
KEPT_SIZES = "kept_sizes"  # that the lesson on fusing fuses
SCROLL = "scroll"  # what brings the page to its top

# --- Your burst: what was read and chosen, in keys that no widget owns ---
OWN_BURST = "_own_burst"  # the Upload that was read; none: the example is shown
OWN_READ = "_own_read"  # (ids of the files, FrameStack) of what was read and is not aligned yet
OWN_NOISE = "_own_noise"  # rows of the table of its noise, as they were edited
OWN_NOISE_GIVEN = "_own_noise_given"  # rows that the table on the page was given; it remembers edits of them
OWN_PICTURE = "_own_picture"  # (settings, picture) last denoised; so too the next three
OWN_PAYLOAD = "_own_lens"  # (settings, payload) of the lens
OWN_ASSUMED = "_own_assumed"  # (settings, estimates) with other assumed noise
OWN_MAPS = "_own_maps"  # (settings, maps) of a frame
OWN_REFERENCE = "_own_reference"  # the frame that is to be its reference, until it is
OWN_EXAMPLE = "_own_example"  # the Upload of the example, where something of it was chosen
OWN_MEANT = "_own_meant"  # what its numbers are to be taken for, until they are
OWN_DENOISE, OWN_CANCEL = "own_denoise", "own_cancel"  # the whole picture
OWN_STOP = "own_stop"  # the button that ends the reading and aligning of a burst
OWN_LET_GO = "own_let_go"  # the button that brings the example back
OWN_WHOLE = "own_whole"  # the viewer of the whole picture
OWN_MIDDLE = "_own_middle"  # middle (y, x) of that part, where it was moved
OWN_TOP, OWN_LEFT = "own_top", "own_left"  # sliders that move it
OWN_LENS = "own_lens"  # the kernel lens
OWN_PIXEL, OWN_DISPLAY = "own_pixel", "own_display"  # as PIXEL and LENS_DISPLAY, of that lens

# --- Your kernels ---
FOREIGN = "_foreign"  # the file that was read (foreign.Opened); none: the example is shown
FOREIGN_READ = "_foreign_read"  # (what Streamlit calls the file that was read last, why it was refused or "")
FOREIGN_LENS = "foreign_lens"  # the kernel lens
FOREIGN_PIXEL, FOREIGN_DISPLAY = "foreign_pixel", "foreign_display"  # as PIXEL and LENS_DISPLAY, of that lens
FOREIGN_LET_GO = "foreign_let_go"  # the button that brings the example back


def widget(key: str) -> str:
    """The key of the widget that shows a key of the session (`control`)."""
    return f"{key}_widget"


def control(key: str, on_change: Callable[[], None] | None = None) -> dict[str, Any]:
    """Arguments `key` and `on_change` of a widget that shows st.session_state[key], and writes there what is chosen.

    The value may be set elsewhere at any time, and it stays when the widget's page is left. `on_change` is called
    after a choice was written. `st.slider("Sensor gain", 1.0, 16.0, **control(GAIN))`, for one.
    """
    state, own = st.session_state, widget(key)
    show_in(own, state[key])

    def take() -> None:
        state[key] = state[own]
        if on_change is not None:
            on_change()

    return {"key": own, "on_change": take}


def show_in(own: str, value: object, limits: object = None) -> None:
    """Let the widget with the key `own`, which is drawn next, show a value.

    It is told only where it does not show that value already: what it is told replaces what a person has chosen in the
    browser meanwhile, and of quick presses of a key some would be lost. `limits` are those of the widget's arguments
    that make another widget of it, as the ends of a slider do.
    """
    state = st.session_state
    drawn = state.setdefault(DRAWN_CONTROLS, (None, {}))[1]
    if own not in state or state[own] != value or drawn.get(own, ()) != (limits,):
        state[own] = value
    drawn[own] = (limits,)


def open_page() -> None:
    """Called as each page begins: on a page that was not the last one, every widget is new, and has to be told."""
    context = get_script_run_ctx()
    page = context.page_script_hash if context else None
    if st.session_state.get(DRAWN_CONTROLS, (None,))[0] != page:
        st.session_state[DRAWN_CONTROLS] = (page, {})


def shift_table(version: int) -> str:
    """The table of shifts; a new version is a new table."""
    return f"_table_{version}"


def gain_button(gain: int) -> str:
    """The button that sets a gain of the paper."""
    return f"gain_{gain}"


def lesson_answer(lesson: int) -> str:
    """The answer to a lesson's question."""
    return f"answer_{lesson}"


def lens_order(lens: str) -> str:
    """What a lens was last told to show, with a number that grows."""
    return f"_{lens}_order"


def lens_seen(lens: str) -> str:
    """The pixel and display that a lens knows of."""
    return f"_{lens}_seen"


def own_files(uploader: int) -> str:
    """The drop zone; one that is to be empty again is another one."""
    return f"own_files_{uploader}"


def foreign_file(uploader: int) -> str:
    """The drop zone of Your kernels; one that is to be empty again is another one."""
    return f"foreign_file_{uploader}"


def own_noise(ids: tuple[str, ...]) -> str:
    """The table of an upload's noise."""
    return f"own_noise_{hash(ids)}"


def own_meaning(name: str, burst: tuple[str, ...]) -> str:
    """A control of what an upload's numbers mean."""
    return f"own_{name}_{hash(burst)}"


def own_reference(frame: int) -> str:
    """The button that makes a frame the reference."""
    return f"own_reference_{frame}"


def own_map_frame(frames: int) -> str:
    """The frame whose maps are shown, of a method that takes so many."""
    return f"own_map_frame_{frames}"


def of_size(name: str, size: object) -> str:
    """A slider or choice (`rows`, `columns`, `own_assumed_side`) with limits set by a size."""
    return f"{name}_{size}"
