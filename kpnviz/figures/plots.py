"""Curves and tables of numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from kpnviz.figures.style import GRID, PALETTE, SEQUENTIAL, ZERO, color_bar, finish
from kpnviz.text import number

_NOISE_POINTS = 1500
_NOISE_COLORS = ("#d9662c", "#7a5cc8")


def curves(
    x: Sequence[float],
    series: Mapping[str, Sequence[float | None]],
    x_title: str,
    y_title: str,
    log2: bool = False,
    errors: Mapping[str, Sequence[float | None]] | None = None,
    tick_text: Sequence[str] | None = None,
    height: int = 330,
    colors: Mapping[str, str] | None = None,
    level: Collection[str] = (),
    zero: bool = False,
) -> go.Figure:
    """Lines with a marker at each x; `errors` are bars of one standard error; None or NaN leaves a gap.

    log2 spaces x by its logarithm. Those named in `level` are levels: dashes without markers.
    Ticks stand at x, written as `tick_text` where given. `zero` draws a line at 0, for differences.
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
    figure.update_yaxes(title=y_title, gridcolor=GRID, zeroline=zero, zerolinecolor=ZERO, zerolinewidth=2)
    if zero:
        figure.update_yaxes(rangemode="tozero")
    figure.update_layout(
        hovermode="x unified", showlegend=True, legend=dict(orientation="h", yanchor="bottom", y=1.02, x=0)
    )
    return finish(figure, height, left=64, bottom=48, top=44)


def near(figure: go.Figure, most: float) -> go.Figure:
    """Let the axis of `curves` show values up to `most` away from 0; those beyond are written at its end.

    One that is far off would squash what the others are apart.
    """
    inside = [0.0]
    first, last = (end(x for trace in figure.data for x in trace.x) for end in (min, max))
    sides = {first: ("left", -7), last: ("right", 7)}  # at an end they would touch the numbers of the axis
    for trace in figure.data:
        for x, y in zip(trace.x, trace.y, strict=True):
            if y is None or not np.isfinite(y):
                continue
            if abs(y) <= most:
                inside.append(float(y))
                continue
            log = figure.layout.xaxis.type == "log"
            anchor, shift = sides.get(x, ("center", 0))
            figure.add_annotation(
                x=np.log10(x) if log else x, y=0 if y < 0 else 1, yref="paper", showarrow=False,
                text=f"{'▼' if y < 0 else '▲'}<br>{number(y, 1)}", yanchor="bottom" if y < 0 else "top",
                font=dict(size=12, color=trace.line.color), align=anchor, xanchor=anchor, xshift=shift,
            )  # fmt: skip
    room = 0.15 * (max(inside) - min(inside)) or 0.1
    return figure.update_yaxes(range=[min(inside) - room, max(inside) + room])


def forest(
    names: Sequence[str],
    values: Sequence[float],
    errors: Sequence[float],
    x_title: str,
    ties: Collection[str] = (),
    others: Sequence[float | None] | None = None,
    legend: tuple[str, str] = ("", ""),
) -> go.Figure:
    """Values side by side, a row a name from the top down, with bars of two standard errors, and a line at 0.

    ties    names whose value says nothing: gray and hollow
    others  second values, joined to the first by a line that is their gap, first minus second, which is written at the
            end of the row; `legend` names both
    """
    rows = list(range(len(names)))[::-1]
    figure = go.Figure()
    gaps: list[tuple[int, float, float]] = []
    if others is not None:
        gaps = [(y, a, b) for y, a, b in zip(rows, values, others, strict=True) if b is not None]
        figure.add_scatter(
            x=[x for _, a, b in gaps for x in (a, b, None)], y=[end for y, *_ in gaps for end in (y, y, None)],
            mode="lines", line=dict(width=3, color=GRID), hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=[b for *_, b in gaps], y=[y for y, *_ in gaps], mode="markers", name=legend[1],
            marker=dict(size=10, symbol="diamond-open", color=PALETTE[7], line=dict(width=2)),
            customdata=[names[::-1][y] for y, *_ in gaps],
            hovertemplate="%{customdata}<br>%{x:.2f}<extra>" + legend[1] + "</extra>", cliponaxis=False,
        )  # fmt: skip
    colors = ["#999999" if name in ties else PALETTE[0] for name in names]
    figure.add_scatter(
        x=list(values), y=rows, mode="markers", name=legend[0], customdata=list(zip(names, errors, strict=True)),
        marker=dict(size=9, color=colors, symbol=["circle-open" if name in ties else "circle" for name in names]),
        error_x=dict(type="data", array=[2 * error for error in errors], thickness=1.4, width=3, color="#888888"),
        hovertemplate="%{customdata[0]}<br>%{x:.2f} ± %{customdata[1]:.2f}<extra>" + legend[0] + "</extra>",
    )  # fmt: skip
    figure.update_xaxes(title=x_title, gridcolor=GRID, zeroline=True, zerolinecolor=ZERO, zerolinewidth=2)
    if gaps:
        figure.update_xaxes(rangemode="tozero")
    for y, a, b in gaps:  # where no line and no bar goes
        figure.add_annotation(
            x=1, xref="paper", xanchor="left", xshift=8, y=y, text=number(a - b, 2), showarrow=False,
            font=dict(size=12),
        )  # fmt: skip
    figure.update_yaxes(tickvals=rows, ticktext=list(names), showgrid=False, zeroline=False, automargin=True)
    figure.update_yaxes(range=[-0.7, len(names) - 0.3])
    figure.update_layout(
        showlegend=others is not None, legend=dict(orientation="h", yanchor="bottom", y=1.01, x=0)
    )
    finish(figure, 24 * len(names) + 96, left=8, bottom=48, top=40 if others is not None else 12)
    return figure.update_layout(margin_r=52) if gaps else figure


def gain_matrix(
    values: np.ndarray, assumed: Sequence[str], true: Sequence[str], unit: str = "dB", height: int = 380
) -> go.Figure:
    """A table [assumed, true] of values as colors and numbers; each column's best is framed,
    where it matters which."""
    figure = go.Figure(
        go.Heatmap(
            z=values, x=list(true), y=list(assumed), colorscale=SEQUENTIAL, colorbar=color_bar(f"PSNR, {unit}"),
            hovertemplate=f"gain %{{x}}, assumed %{{y}}<br>%{{z:.2f}} {unit}<extra></extra>",
        )
    )  # fmt: skip
    # Black on the light half of the colors, white on the dark one: what Plotly chooses itself is a gray.
    cells = [(x, y, values[i, j]) for i, y in enumerate(assumed) for j, x in enumerate(true)]
    middle = float(values.min() + 0.5 * np.ptp(values))
    figure.add_scatter(
        x=[x for x, _, _ in cells], y=[y for _, y, _ in cells], text=[f"{value:.1f}" for *_, value in cells],
        textfont=dict(size=14, color=["black" if value > middle else "white" for *_, value in cells]),
        mode="text", hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    for column, row in enumerate(np.argmax(values, axis=0)):
        if np.ptp(values[:, column]) < 0.01:  # nothing is best where all are alike
            continue
        box = dict(x0=column - 0.48, x1=column + 0.48, y0=row - 0.48, y1=row + 0.48)
        figure.add_shape(type="rect", **box, line=dict(color="#ee3377", width=3))
    figure.update_xaxes(title="gain of the burst", type="category")
    figure.update_yaxes(title="gain of the assumed noise", type="category")
    return finish(figure, height, left=72, bottom=48)


def noise_fit(
    means: np.ndarray,
    variances: np.ndarray,
    used: np.ndarray,
    lines: Mapping[str, tuple[float, float]],
    height: int = 320,
) -> go.Figure:
    """Variance over the frames against mean of a burst's patches, [P] each, and the lines of noise models.

    used    which patches were fitted; the others (clipped, textured) are pale. At most 1500 are drawn
    lines   name -> (read_std, shot_gain): variance = read_std^2 + shot_gain * mean. All but the first are dashed
    """
    low, high = (float(v) for v in np.quantile(means[used], [0, 1]))
    top = 1.6 * float(np.quantile(variances[used], 0.98))
    drawn = np.zeros(len(means), dtype=bool)
    drawn[np.linspace(0, len(means) - 1, min(len(means), _NOISE_POINTS)).astype(int)] = True
    drawn &= (variances <= top) & (low - 0.05 <= means) & (means <= high + 0.05)
    figure = go.Figure()
    for name, which, color, opacity in (
        ("in the fit", drawn & used, "#4c8fd0", 0.7),
        ("left out", drawn & ~used, "#b4bac2", 0.35),
    ):
        figure.add_scatter(
            x=means[which], y=variances[which], name=name, mode="markers",
            marker=dict(size=4, color=color, opacity=opacity),
            hovertemplate="mean %{x:.3f}<br>variance %{y:.2e}<extra>" + name + "</extra>",
        )  # fmt: skip
    ends = np.array([max(0.0, low), high])
    for index, (name, (read_std, shot_gain)) in enumerate(lines.items()):
        figure.add_scatter(
            x=ends, y=read_std**2 + shot_gain * ends, name=name, mode="lines", hoverinfo="skip",
            line=dict(width=2.5, color=_NOISE_COLORS[index % 2], dash="dash" if index else "solid"),
        )  # fmt: skip
    figure.update_xaxes(title="mean of the patch, linear (white = 1)", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(
        title="variance over the frames", range=[0, top], tickformat="~g", gridcolor=GRID, zeroline=False
    )
    figure.update_layout(legend=dict(orientation="h", yanchor="bottom", y=1.02, x=0))
    return finish(figure, height, left=80, bottom=48, top=44)
