"""Kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from kpnviz.figures.style import DIVERGING, color_bar, finish, fit_to_width, picture_axes
from kpnviz.text import number

_BAR = 46
"""Pixels that the color bar under the kernels takes, with its ticks."""


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
    return fit_to_width(figure, board.weights.shape, bar=False)


class _Board:
    """Kernels laid out on one sheet, in units of a weight, so that all weights have one size at any width."""

    def __init__(self, rows: int, columns: int) -> None:
        self.weights = np.full((rows, columns), np.nan)
        self.text = np.full((rows, columns), "", dtype=object)
        self.frames: list[tuple[int, int, int]] = []

    def put(self, kernel: np.ndarray, top: int, left: int, name: str) -> None:
        K = len(kernel)
        place = slice(top, top + K), slice(left, left + K)
        self.weights[place] = kernel
        self.text[place] = [
            [f"{name}<br>dy {a - K // 2}, dx {b - K // 2}" for b in range(K)] for a in range(K)
        ]
        self.frames.append((top, left, K))

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
            # Under the kernels: beside them it would take a third of the width of a telephone.
            colorbar=color_bar("weight") | dict(
                tickvals=np.sign(marks) * np.sqrt(np.abs(marks)), ticktext=ticks, orientation="h", thickness=12,
                lenmode="pixels", len=220, x=0, xanchor="left", y=0, yanchor="top", ypad=6, xpad=0,
            ),
        )  # fmt: skip
        figure = go.Figure(heatmap)
        for top, left, K in self.frames:
            box = dict(x0=left - 0.5, x1=left + K - 0.5, y0=top - 0.5, y1=top + K - 0.5)
            figure.add_shape(type="rect", **box, line=dict(color="rgba(128, 128, 128, 0.6)", width=1))
        picture_axes(figure, *self.weights.shape, titles=False)
        return finish(figure, height, left=8, bottom=_BAR)


def _ticks(axis, values: Sequence[float], text: Sequence[str]) -> None:
    axis.update(tickmode="array", tickvals=list(values), ticktext=list(text))
