"""Kernels, their factors and their frequency response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from kpnviz.figures.style import DIVERGING, SEQUENTIAL, color_bar, finish, fit_to_width, picture_axes
from kpnviz.text import number

_NEGATIVE, _POSITIVE = "#4393c3", "#d6604d"


def kernel_rows(
    kernels: Sequence[Sequence[np.ndarray | None]],
    row_titles: Sequence[str],
    column_titles: Sequence[str],
    column_axis: str,
    dark: bool = False,
    height: int = 320,
    colors: Sequence[str] = (),
) -> go.Figure:
    """A table of kernels [K, K] (K may differ; None leaves a gap) on one scale, symmetric about 0.

    Weights are colored by their signed root, as in the kernel lens: weak kernels are to be seen beside
    strong ones. The color bar's ticks are weights. `column_axis` says what the columns are, `colors` mark rows.
    """
    K = max(kernel.shape[-1] for row in kernels for kernel in row if kernel is not None)
    board = _Board(len(kernels) * (K + 1) - 1, len(column_titles) * (K + 1) - 1)
    for i, row in enumerate(kernels):
        for j, kernel in enumerate(row):
            if kernel is not None:
                margin = (K - kernel.shape[-1]) // 2
                name = f"{row_titles[i]}, {column_axis} {column_titles[j]}"
                board.put(kernel, i * (K + 1) + margin, j * (K + 1) + margin, name)
    figure = board.figure(dark, height)
    middle = (K - 1) / 2
    _ticks(figure.layout.xaxis, [j * (K + 1) + middle for j in range(len(column_titles))], column_titles)
    if colors:
        row_titles = [
            f'{name} <span style="color:{color}">■</span>'
            for name, color in zip(row_titles, colors, strict=False)
        ]
    _ticks(figure.layout.yaxis, [i * (K + 1) + middle for i in range(len(row_titles))], row_titles)
    figure.update_xaxes(side="top", tickangle=0, title=dict(text=column_axis, standoff=4))
    figure.update_layout(margin=dict(l=80, t=52))
    return fit_to_width(figure, board.weights.shape, bar=True)


def decomposition(
    factors: Mapping[int, tuple[np.ndarray, np.ndarray]],
    kernels: Mapping[int, np.ndarray],
    fused: np.ndarray,
    dark: bool = False,
    height: int = 440,
    columns: int = 4,
) -> go.Figure:
    """Of one pixel and frame, for each size s: the factors (vertical u [s], horizontal v [s]) as bars, the
    kernel u v^T [s, s] beside them, and at the end the fused kernel [K, K] (eq. 3), all on one scale.

    `factors` may be empty (dense kernels). Bars are drawn to one scale of their own; hovering gives values.
    """
    K, bar = len(fused), 3.0
    panels = [(f"{size}×{size}", size, kernel) for size, kernel in kernels.items()]
    panels.append(("fused" if len(kernels) > 1 else "applied", 0, fused))
    rows = -(-len(panels) // columns)
    columns = min(columns, len(panels))
    cell_height, cell_width = K + bar + 4.0, K + bar + 2.5
    board = _Board(round(rows * cell_height), round(columns * cell_width))
    largest = max((np.abs(f).max() for pair in factors.values() for f in pair), default=0.0) or 1.0
    bars: dict[str, list] = {key: [] for key in ("x0", "y0", "x1", "y1", "value", "name")}
    for index, (title, size, kernel) in enumerate(panels):
        side = len(kernel)
        margin = (K - side) // 2
        top = round(index // columns * cell_height + bar + 2) + margin
        left = round(index % columns * cell_width + bar) + margin
        board.put(kernel, top, left, title)
        board.label(title, left + (side - 1) / 2, top + side + 0.1)
        if size not in factors:
            continue
        u, v = (values / largest * bar for values in factors[size])
        for k in range(size):
            shapes = (
                (left - 1 - max(u[k], 0), top + k - 0.4, left - 1 - min(u[k], 0), top + k + 0.4),
                (left + k - 0.4, top - 1 - max(v[k], 0), left + k + 0.4, top - 1 - min(v[k], 0)),
            )
            for kind, (x0, y0, x1, y1), values in zip("uv", shapes, factors[size], strict=True):
                for key, value in zip(
                    bars, (x0, y0, x1, y1, float(values[k]), f"{title} {kind}"), strict=True
                ):
                    bars[key].append(value)
    figure = board.figure(dark, height)
    if bars["x0"]:
        _add_bars(figure, bars)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.update_layout(margin_b=28)  # letters under the last row do not shrink with it
    return fit_to_width(figure, board.weights.shape, bar=True)


def response_map(
    frequencies: np.ndarray, response: np.ndarray, decibel: bool, height: int = 420
) -> go.Figure:
    """|H| [P, P] over frequencies [P] in cycles a pixel: as it is, or in dB down to 40 dB below 1."""
    floor = -40.0
    with np.errstate(divide="ignore"):
        values = np.maximum(20 * np.log10(response), floor) if decibel else response
    name, unit = ("20 log₁₀|H|", "dB") if decibel else ("|H|", "")
    figure = go.Figure(
        go.Heatmap(
            z=values, x=frequencies, y=frequencies, colorscale=SEQUENTIAL,
            zmin=floor if decibel else 0, zmax=max(0.0 if decibel else 1.0, float(values.max())),
            colorbar=color_bar(f"{name}{', ' + unit if unit else ''}"),
            hovertemplate=f"fy %{{y:.2f}}, fx %{{x:.2f}} cycles/px<br>{name} %{{z:.2f}} {unit}<extra></extra>",
        )
    )  # fmt: skip
    ticks = [-0.5, -0.25, 0, 0.25, 0.5]
    figure.update_xaxes(title="fx, cycles/px", tickvals=ticks, constrain="domain", zeroline=False)
    figure.update_yaxes(
        title="fy, cycles/px", tickvals=ticks, scaleanchor="x", constrain="domain", zeroline=False
    )
    return finish(figure, height, left=64, bottom=48)


class _Board:
    """Kernels laid out on one sheet, in units of a weight, so that all weights have one size at any width."""

    def __init__(self, rows: int, columns: int) -> None:
        self.weights = np.full((rows, columns), np.nan)
        self.text = np.full((rows, columns), "", dtype=object)
        self.frames: list[tuple[int, int, int]] = []
        self.labels: list[tuple[str, float, float]] = []

    def put(self, kernel: np.ndarray, top: int, left: int, name: str) -> None:
        K = len(kernel)
        place = slice(top, top + K), slice(left, left + K)
        self.weights[place] = kernel
        self.text[place] = [
            [f"{name}<br>dy {a - K // 2}, dx {b - K // 2}" for b in range(K)] for a in range(K)
        ]
        self.frames.append((top, left, K))

    def label(self, text: str, x: float, y: float) -> None:
        self.labels.append((text, x, y))

    def figure(self, dark: bool, height: int) -> go.Figure:
        largest = float(np.nanmax(np.abs(self.weights))) or 1.0
        marks = largest * np.array([-1, -0.25, 0, 0.25, 1])
        # Two digits that count, of the largest; as in the lens.
        digits = max(2, 1 - int(np.floor(np.log10(largest))))
        ticks = [number(mark, digits if mark else 0) for mark in marks]
        heatmap = go.Heatmap(
            z=np.sign(self.weights) * np.sqrt(np.abs(self.weights)), zmin=-(largest**0.5), zmax=largest**0.5,
            colorscale=DIVERGING[dark], customdata=self.weights, text=self.text, hoverongaps=False,
            hovertemplate="%{text}<br>weight %{customdata:.4f}<extra></extra>",
            colorbar=color_bar("weight") | dict(
                tickvals=np.sign(marks) * np.sqrt(np.abs(marks)), ticktext=ticks
            ),
        )  # fmt: skip
        figure = go.Figure(heatmap)
        for top, left, K in self.frames:
            box = dict(x0=left - 0.5, x1=left + K - 0.5, y0=top - 0.5, y1=top + K - 0.5)
            figure.add_shape(type="rect", **box, line=dict(color="rgba(128, 128, 128, 0.6)", width=1))
        for text, x, y in self.labels:
            figure.add_annotation(x=x, y=y, text=text, showarrow=False, yanchor="top")
        picture_axes(figure, *self.weights.shape, titles=False)
        # Right of the color bar's title, which Plotly would cut where kernels are small.
        return finish(figure, height, left=8, bottom=8).update_layout(margin_r=28)


def _add_bars(figure: go.Figure, bars: Mapping[str, list]) -> None:
    """Rectangles of two colors, by sign, in the board's own coordinates; their middles carry hover text."""
    for color, positive in ((_POSITIVE, True), (_NEGATIVE, False)):
        x: list[float | None] = []
        y: list[float | None] = []
        for x0, y0, x1, y1, value in zip(*(bars[key] for key in list(bars)[:5]), strict=True):
            if (value >= 0) == positive:
                x += [x0, x1, x1, x0, x0, None]
                y += [y0, y0, y1, y1, y0, None]
        figure.add_scatter(
            x=x, y=y, mode="lines", fill="toself", fillcolor=color, line=dict(width=0), hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip
    figure.add_scatter(
        x=[(a + b) / 2 for a, b in zip(bars["x0"], bars["x1"], strict=True)],
        y=[(a + b) / 2 for a, b in zip(bars["y0"], bars["y1"], strict=True)],
        mode="markers", marker=dict(size=8, opacity=0), text=bars["name"], customdata=bars["value"],
        hovertemplate="%{text}: %{customdata:.4f}<extra></extra>", showlegend=False,
    )  # fmt: skip


def _ticks(axis, values: Sequence[float], text: Sequence[str]) -> None:
    axis.update(tickmode="array", tickvals=list(values), ticktext=list(text))
