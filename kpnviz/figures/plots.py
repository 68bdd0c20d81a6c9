"""Curves and tables of numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from kpnviz.figures.style import GRID, PALETTE, SEQUENTIAL, color_bar, finish


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    x_title: str,
    y_title: str,
    log2: bool = False,
    errors: Mapping[str, Sequence[float]] | None = None,
    tick_text: Sequence[str] | None = None,
    height: int = 330,
    colors: Mapping[str, str] | None = None,
    level: Collection[str] = (),
) -> go.Figure:
    """Lines with a marker at each x; `errors` are bars of one standard error; None or NaN leaves a gap.

    log2 spaces x by its logarithm. Those named in `level` are levels: dashes without markers.
    Ticks stand at x, written as `tick_text` where given.
    """
    figure = go.Figure()
    for index, (name, y) in enumerate(series.items()):
        color = (colors or {}).get(name) or PALETTE[index % len(PALETTE)]
        error = (errors or {}).get(name)
        figure.add_scatter(
            x=list(x), y=list(y), name=name, mode="lines" if name in level and len(x) > 1 else "lines+markers",
            error_y=dict(type="data", array=list(error), thickness=1.2, width=3) if error is not None else None,
            line=dict(width=2.2, color=color, dash="dash" if name in level else "solid"),
            marker=dict(size=7, symbol=index % 8),
            hovertemplate="%{y:.3g}<extra>" + name + "</extra>",
        )  # fmt: skip
    figure.update_xaxes(
        title=x_title, type="log" if log2 else "linear", gridcolor=GRID, zeroline=False, tickangle=0,
        tickvals=list(x), ticktext=list(tick_text or [f"{value:g}" for value in x]),
    )  # fmt: skip
    figure.update_yaxes(title=y_title, gridcolor=GRID, zeroline=False)
    figure.update_layout(
        hovermode="x unified", showlegend=True, legend=dict(orientation="h", yanchor="bottom", y=1.02, x=0)
    )
    return finish(figure, height, left=64, bottom=48, top=44)


def gain_matrix(
    values: np.ndarray, told: Sequence[str], true: Sequence[str], unit: str = "dB", height: int = 380
) -> go.Figure:
    """A table [told, true] of values as colours and numbers; each column's best is framed,
    where it matters which."""
    figure = go.Figure(
        go.Heatmap(
            z=values, x=list(true), y=list(told), colorscale=SEQUENTIAL, colorbar=color_bar(f"PSNR, {unit}"),
            texttemplate="%{z:.1f}", textfont=dict(size=14),
            hovertemplate=f"truly gain %{{x}}, told %{{y}}<br>%{{z:.2f}} {unit}<extra></extra>",
        )
    )  # fmt: skip
    for column, row in enumerate(np.argmax(values, axis=0)):
        if np.ptp(values[:, column]) < 0.01:  # nothing is best where all are alike
            continue
        box = dict(x0=column - 0.48, x1=column + 0.48, y0=row - 0.48, y1=row + 0.48)
        figure.add_shape(type="rect", **box, line=dict(color="#ee3377", width=3))
    figure.update_xaxes(title="gain of the burst", type="category")
    figure.update_yaxes(title="gain that the network is told", type="category")
    return finish(figure, height, left=72, bottom=48)
