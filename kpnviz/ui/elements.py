"""What pages are put together from: foreign text, figures, rows of pictures, grids, a floating progress bar."""

from __future__ import annotations

import base64
import functools
import html
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, weighted_sum
from kpnviz.color import LUMINANCE_WEIGHTS, displayed
from kpnviz.figures import Figure
from kpnviz.lens.texts.result_tables import Cell
from kpnviz.text import MAX_NAME, visible
from kpnviz.ui.tips import with_terms

P = ParamSpec("P")
Option = TypeVar("Option")

_SENTENCE = 1000  # characters of a message
# Dashes, arrows and addresses are replaced even where they are escaped, unless something stands between.
_PAIRS = re.compile(
    r"(?<=[-<])(?=-)|(?<=-)(?=>)|(?<=[<>~])(?==)|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE
)
_WORD_JOINER = "\u2060"  # invisible

# To Markdown, and to what Streamlit adds to it ($formulas$, :red[colors], :emojis:), these may mean something.
_MARKS = re.compile(r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]""")


def plain(text: object, most: int = MAX_NAME) -> str:
    """Markdown that shows a text as it is: for all that comes from outside, as names of files, and for messages."""
    return _MARKS.sub(r"\\\g<0>", _PAIRS.sub(_WORD_JOINER, visible(text, most)))


def failure(error: object) -> None:
    """Show an error's sentence, without its full stop; it may quote what a stranger wrote."""
    st.error(f"{plain(error, _SENTENCE).removesuffix('.')}.")


def fragment(function: Callable[P, None]) -> Callable[P, None]:
    """st.fragment, with the sentence of a ValueError in its place: it also runs by itself, where nobody catches it."""

    @functools.wraps(function)
    def run(*args: P.args, **more: P.kwargs) -> None:
        try:
            function(*args, **more)
        except ValueError as error:
            failure(error)

    return st.fragment(run)


def is_dark() -> bool:
    return st.context.theme.type == "dark"


# Streamlit's own theme writes figures in a gray that a projector loses. A style sheet follows the theme at once;
# colors given by Python would wait for the next run.
_CHART_STYLE = """<style>
.js-plotly-plot .infolayer text, .js-plotly-plot .xtick text, .js-plotly-plot .ytick text {
  fill: currentColor !important; fill-opacity: 0.88 !important;
}
/* Without a mouse Plotly's buttons would lie over legends and maps all the time. */
@media (hover: none), (max-width: 640px) { .js-plotly-plot .modebar-container { display: none; } }
</style>"""


_LEAST_HEIGHT = 170  # pixels, for the title of a color bar


def chart(figure: Figure, key: str) -> None:
    """Show a figure as wide as its container, its text in the color of the page's."""
    st.html(_CHART_STYLE)
    bar = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"]}
    fit = (figure.layout.meta or {}).get("fit")
    if fit is None:
        st.plotly_chart(figure, key=key, config=bar)
        return
    name = re.sub("[^A-Za-z0-9_-]", "-", f"{key}_fit")  # as Streamlit makes a class of a key
    # 100cqw: the width of the container, which is what counts, not that of the window.
    width = f"calc((100cqw - {fit['beside']}px) * {fit['squares']:.4f} + {fit['around']}px)"
    height = f"height: clamp({_LEAST_HEIGHT}px, {width}, {figure.layout.height}px) !important;"
    st.html(
        f"<style>.st-key-{name} {{ container-type: inline-size; }} .st-key-{name} > div {{ {height} }}</style>"
    )
    with st.container(key=name):
        st.plotly_chart(figure, key=key, config=bar, height="stretch")


def progress_bar(key: str, text: str) -> DeltaGenerator:
    """A progress bar that floats at the top right: what was shown last stays where it is meanwhile."""
    place = "position: fixed; top: 0.75rem; right: 2rem; width: min(22rem, 60vw); z-index: 1000;"
    st.html(f"<style>.st-key-{key}_progress {{ {place} }}</style>")
    return st.container(key=f"{key}_progress").progress(0.0, text)


def choose(
    label: str,
    options: Sequence[Option],
    key: str,
    first: Option,
    format_func: Callable[[Any], str] = str,
) -> Option:
    """Draw a choice of one: what the session holds under `key`, or `first` where that is not among the options."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = first
    chosen = st.segmented_control(label, options, key=key, format_func=format_func, required=True)
    return first if chosen is None else chosen


def size_ticks(sizes: Sequence[int]) -> list[str]:
    """Kernel sizes at an axis with a logarithmic scale, in a narrow figure: 11 has no room between 9 and 13."""
    return ["" if size == 11 and {9, 13} <= set(sizes) else str(size) for size in sizes]


def grid(key: str, width: int) -> DeltaGenerator:
    """A container whose contents stand in equal columns of at least `width` pixels, as many as fit."""
    columns = f"repeat(auto-fit, minmax(min({width}px, 100%), 1fr))"
    style = f".st-key-{key}_grid {{ display: grid; grid-template-columns: {columns}; align-items: start; }}"
    st.html(f"<style>{style}</style>")
    return st.container(key=f"{key}_grid")


_SKELETON = """<style>
.skeleton { height: min(60vh, 34rem); display: grid; place-items: center; border-radius: 0.5rem;
  background: color-mix(in srgb, currentColor 7%, transparent); animation: breathe 2s ease-in-out infinite; }
@keyframes breathe { 50% { opacity: 0.55; } }
@media (prefers-reduced-motion: reduce) { .skeleton { animation: none; } }
</style>"""


def skeleton(text: str) -> None:
    """A calm field where a large picture will be, with what is waited for."""
    st.html(f"{_SKELETON}<div class='skeleton' role='status'>{html.escape(text)}</div>")


@contextmanager
def awaited(ready: bool, text: str, key: str | None = None) -> Iterator[Callable[[], DeltaGenerator]]:
    """A place for results that take long: what it gives is called once they are there, and is a container for them.

    Where they are not `ready` yet, a skeleton with `text` is there meanwhile ("": nothing is), and nothing of what was
    there before: that belongs to another burst or choice than what the rest of the page shows by now. With a `key`, the
    container keeps the skeleton's height until the page is complete: what stands below does not jump (page.py).

        with awaited(is_cached(slow, of), "Computing …") as place:
            found = slow(of)
            with place():
                st.write(found)
    """
    key = key and f"awaited_{key}"
    # In both cases one element inside a container: each takes the whole place of the other.
    with st.container(key=key):
        if ready:
            place = st.container()
        else:
            empty = st.empty()
    if ready:
        yield lambda: place
        return
    if text:
        with empty:
            skeleton(text)
    filled = False

    def fill() -> DeltaGenerator:
        nonlocal filled
        filled = True
        return empty.container()

    try:
        yield fill
    except Exception:
        if not filled:
            empty.empty()
        raise


def rounded(value: float, digits: int) -> float:
    """A number as a table shows it, without the sign of a zero: not -0.00."""
    return round(float(value), digits) + 0.0


def shown_gray(image: np.ndarray, white_level: float) -> np.ndarray:
    """Displayed values of the luminance of a picture [H, W] or [3, H, W], for a figure that has colors of its own."""
    return displayed(image if image.ndim == 2 else weighted_sum(image, LUMINANCE_WEIGHTS), white_level)


def decibels(image: np.ndarray, burst: Burst) -> str:
    """'31.40 dB', or nothing for a burst without a truth."""
    return "" if burst.truth is None else f"{psnr(image, burst.truth, burst.white_level):.2f} dB"


_TABLE = """<style>
.numbers { overflow-x: auto; }
.numbers table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
.numbers th, .numbers td { padding: 0.25rem 0.7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 14%, transparent); }
.numbers thead th { font-weight: 600; }
.numbers th:first-child { text-align: left; font-weight: 400; }
.numbers .best { font-weight: 700; background: color-mix(in srgb, #228833 30%, transparent); }
.numbers .tie { background: color-mix(in srgb, #228833 13%, transparent); }
.numbers .less { opacity: 0.65; }
</style>"""


def table(columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]]) -> None:
    """Numbers as a table that scrolls sideways where there is no room: a row is its name and a cell a column.

    `columns` begin with the heading of the names.
    """
    head = "".join(f"<th scope='col'>{html.escape(column)}</th>" for column in columns)
    body = ""
    for name, cells in rows:
        inside = "".join(
            f"<td class='{cell.mark}' title='{html.escape(cell.tip, quote=True)}'>{html.escape(cell.text)}</td>"
            for cell in cells
        )
        body += f"<tr><th scope='row'>{with_terms(name)}</th>{inside}</tr>"
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    st.html(f"{_TABLE}<div class='numbers' tabindex='0'><table>{inside}</table></div>")


_STRIP = """<style>
.strip { display: grid; gap: 0.75rem; grid-template-columns: repeat(auto-fit, minmax(min(WIDTHpx, 100%), 1fr)); }
.strip figure { margin: 0; min-width: 0; max-width: 420px; }
.strip .frame { position: relative; line-height: 0; }
.strip img { width: 100%; image-rendering: pixelated; border-radius: 0.2rem; }
.strip i { position: absolute; outline: 1.5px solid #ffb000; box-shadow: 0 0 0 2.5px rgba(0, 0, 0, 0.5); }
.strip figcaption { font-size: 0.9rem; line-height: 1.35; padding-top: 0.3rem; }
.strip b { font-variant-numeric: tabular-nums; }
</style>"""


def strip(
    items: Sequence[tuple[str, str, np.ndarray]],
    white_level: float = 1.0,
    pixel: tuple[int, int] | None = None,
    side: int | None = None,
    width: int = 150,
) -> None:
    """A row of pictures that wraps: (title, note, linear intensity [H, W] or [3, H, W]) each, with crisp pixels.

    side    show only this many pixels a side around `pixel`, which is marked
    width   in CSS pixels, the least that a picture is given
    """
    cells = []
    for title, note, image in items:
        H, W = image.shape[-2:]
        top, bottom, left, right = 0, H, 0, W
        if pixel is not None and side is not None:
            top, bottom = _window(pixel[0], side, H)
            left, right = _window(pixel[1], side, W)
        codes = np.rint(255 * displayed(image[..., top:bottom, left:right], white_level)).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(codes if codes.ndim == 2 else np.ascontiguousarray(np.moveaxis(codes, 0, -1))).save(
            file, "PNG"
        )
        source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
        mark = ""
        if pixel is not None:
            h, w = bottom - top, right - left
            place = (pixel[1] - left) / w, (pixel[0] - top) / h, 1 / w, 1 / h
            mark = "<i style='left:{:.2%};top:{:.2%};width:{:.2%};height:{:.2%}'></i>".format(*place)
        title, note = html.escape(title), html.escape(note)
        cells.append(
            f"<figure><div class='frame'><img src='{source}' alt='{title}'>{mark}</div>"
            f"<figcaption>{title}<br><b>{note}</b></figcaption></figure>"
        )
    st.html(_STRIP.replace("WIDTH", str(width)) + f"<div class='strip'>{''.join(cells)}</div>")


def _window(middle: int, side: int, length: int) -> tuple[int, int]:
    """`side` places around `middle`, moved into 0..length."""
    side = min(side, length)
    start = min(max(middle - side // 2, 0), length - side)
    return start, start + side
