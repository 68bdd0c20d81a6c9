"""Curves and tables of numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from kpnviz.figures.style import GRID, PALETTE, SEQUENTIAL, color_bar, finish

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
    figure.update_xaxes(
        title="mean of the patch, linear intensity (white = 1)", gridcolor=GRID, zeroline=False
    )
    figure.update_yaxes(
        title="variance over the frames", range=[0, top], tickformat="~g", gridcolor=GRID, zeroline=False
    )
    figure.update_layout(legend=dict(orientation="h", yanchor="bottom", y=1.02, x=0))
    return finish(figure, height, left=80, bottom=48, top=44)
