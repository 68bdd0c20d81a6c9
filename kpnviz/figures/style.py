"""What all figures share: colors, square pixels, transparent backgrounds."""

from __future__ import annotations

import plotly.graph_objects as go

# ColorBrewer RdBu, color-blind safe, blue negative. On a dark page zero is dark, and both ends keep their hue: blue and
# red of the same lightness at each step (OKLCH, hues 248 and 34), not near white.
DIVERGING = {
    False: [
        "#053061",
        "#2166ac",
        "#4393c3",
        "#92c5de",
        "#f7f7f7",
        "#f4a582",
        "#d6604d",
        "#b2182b",
        "#67001f",
    ],
    True: ["#6ab7fe", "#2397f1", "#1575be", "#185383", "#1b1f26", "#7d3829", "#b44d36", "#e56549", "#fd8e74"],
}
SEQUENTIAL = "Viridis"
PALETTE = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#999999",
    "#ee7733",
    "#009988",
    "#994f00",
)
"""Paul Tol's *bright*, color-blind safe, two of his *vibrant* and a brown: for methods side by side."""
GRID = "rgba(128, 128, 128, 0.25)"
ZERO = "rgba(128, 128, 128, 0.9)"
MARK = "#ffb000"


def picture_axes(figure: go.Figure, height: int, width: int, titles: bool = True) -> None:
    """Square pixels, row 0 at the top."""
    if titles:
        figure.update_layout(xaxis_title="x, px", yaxis_title="y, px")
    figure.update_xaxes(
        range=[-0.5, width - 0.5], constrain="domain", showgrid=False, zeroline=False, ticks=""
    )
    figure.update_yaxes(
        range=[height - 0.5, -0.5], scaleanchor="x", constrain="domain", constraintoward="top", showgrid=False,
        zeroline=False, ticks="",
    )  # fmt: skip


def color_bar(title: str) -> dict:
    return dict(title=dict(text=title, side="right", font=dict(size=14)), thickness=14, len=1, outlinewidth=0)


COLOR_BAR_WIDTH = 75
"""Pixels that a color bar, its ticks and its title take."""


def fit_to_width(figure: go.Figure, squares: tuple[int, ...], bar: bool) -> go.Figure:
    """Say that a figure of `squares`, (rows, columns), need not be taller than its width allows.

    Where it is shown narrow, there would be an empty band under it. `bar`: it has a color bar at its right. Called
    last, when margins and height are known.
    """
    rows, columns = squares
    margin = figure.layout.margin
    fit = {
        "squares": rows / columns,
        "beside": margin.l + margin.r + (COLOR_BAR_WIDTH if bar else 0),
        "around": margin.t + margin.b,
    }
    return figure.update_layout(meta=(figure.layout.meta or {}) | {"fit": fit})


def finish(figure: go.Figure, height: int, left: int = 56, bottom: int = 44, top: int = 12) -> go.Figure:
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        axis.update(tickfont=dict(size=13), title=dict(font=dict(size=14)))
    return figure.update_layout(
        height=height,
        margin=dict(l=left, r=8, t=top, b=bottom),
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        font=dict(size=14),
    )
