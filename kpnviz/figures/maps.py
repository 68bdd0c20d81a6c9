"""Values over the picture."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from kpnviz.figures.style import DIVERGING, MARK, SEQUENTIAL, color_bar, finish, fit_to_width, picture_axes

_SHIFT = "#0f9d76"
_LEFT = ["#2b5a83", "#6d4d86", "#a8433f"]  # white text is read on all of them, on a light and a dark page


def image_map(
    values: np.ndarray,
    unit: str,
    step: int = 1,
    pixel: tuple[int, int] | None = None,
    diverging: bool = False,
    dark: bool = False,
    height: int = 380,
    limits: tuple[float, float] | None = None,
) -> go.Figure:
    """Values [h, w] over the picture, each standing for step x step pixels; `pixel` (y, x) is marked.

    unit   for the color bar and the hover text;  limits  of the scale, else those of the values
    """
    low, high = limits or (float(np.nanmin(values)), float(np.nanmax(values)))
    if diverging:
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    start = (step - 1) / 2
    heatmap = go.Heatmap(
        z=values, x0=start, dx=step, y0=start, dy=step, zmin=low, zmax=high,
        colorscale=DIVERGING[dark] if diverging else SEQUENTIAL,
        colorbar=color_bar(unit),
        hovertemplate=f"y %{{y:.0f}}, x %{{x:.0f}}<br>%{{z:.3f}} {unit}<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(heatmap)
    picture_axes(figure, values.shape[0] * step, values.shape[1] * step)
    if pixel is not None:
        _mark(figure, *pixel)
    return fit_to_width(finish(figure, height), values.shape, bar=True)


def ninths(values: np.ndarray, counts: np.ndarray, shape: tuple[int, int], height: int = 220) -> go.Figure:
    """Values in pixels of each ninth of a picture of `shape` (H, W), [3, 3], and how many frames show it."""
    H, W = shape
    text = [
        [f"{px:.1f} px<br>{n} frame{'s' if n != 1 else ''}" for px, n in zip(*row, strict=True)]
        for row in zip(values, counts, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=values, x0=W / 6, dx=W / 3, y0=H / 6, dy=H / 3, zmin=0, zmax=max(4.0, float(values.max())),
            colorscale=_LEFT, showscale=False, text=text, texttemplate="%{text}", hoverinfo="skip",
            textfont=dict(color="white", size=13), xgap=1, ygap=1,
        )
    )  # fmt: skip
    picture_axes(figure, H, W, titles=False)
    return fit_to_width(finish(figure, height), shape, bar=False)


def displacement(
    picture: np.ndarray,
    centroids: np.ndarray,
    step: int,
    true_shift: tuple[float, float] | None = None,
    pixel: tuple[int, int] | None = None,
    arrows: int = 16,
    height: int = 380,
    axes: bool = True,
) -> go.Figure:
    """Centroids (dy, dx) in pixels, [h, w, 2], each for step x step pixels, as arrows over a picture.

    picture     [H, W] displayed values, 0 to 1
    true_shift  (dy, dx) in pixels: drawn as one arrow from `pixel`
    arrows      how many along the longer side; each is drawn so long that 1 px of displacement is
                a third of their distance, or less where the longest would cross its neighbors
    axes        without them the picture gets all of the width
    """
    h, w = centroids.shape[:2]
    stride = max(1, round(max(h, w) / arrows))
    chosen = centroids[stride // 2 :: stride, stride // 2 :: stride]
    y, x = np.mgrid[stride // 2 : h : stride, stride // 2 : w : stride] * step + (step - 1) / 2
    longest = float(np.hypot(*np.moveaxis(chosen, -1, 0)).max())
    spacing = stride * step
    scale = min(spacing / 3, 1.5 * spacing / max(longest, 1e-6))
    figure = go.Figure(
        go.Heatmap(z=picture, zmin=0, zmax=1, colorscale="Gray", showscale=False, hoverinfo="skip")
    )
    tips_y, tips_x = y + chosen[..., 0] * scale, x + chosen[..., 1] * scale
    for color, width in (("rgba(0, 0, 0, 0.7)", 4), (MARK, 1.8)):
        _segments(figure, y, x, tips_y, tips_x, color, width)
    figure.add_scatter(
        x=tips_x.ravel(), y=tips_y.ravel(), mode="markers", name="centroid",
        marker=dict(size=5, color=MARK, line=dict(width=1, color="black")),
        customdata=np.stack((y.ravel(), x.ravel(), *np.moveaxis(chosen, -1, 0).reshape(2, -1)), axis=1),
        hovertemplate="y %{customdata[0]:.0f}, x %{customdata[1]:.0f}<br>"
        "centroid dy %{customdata[2]:.2f}, dx %{customdata[3]:.2f} px<extra></extra>",
    )  # fmt: skip
    if true_shift is not None and pixel is not None:
        tip = np.asarray(pixel) + np.asarray(true_shift) * scale
        start_y, start_x = np.array([pixel[0]]), np.array([pixel[1]])
        for color, width in (("black", 6), (_SHIFT, 3.5)):
            _segments(figure, start_y, start_x, tip[:1], tip[1:], color, width)
        figure.add_scatter(
            x=tip[1:], y=tip[:1], mode="markers", name="true shift",
            marker=dict(size=10, color=_SHIFT, line=dict(width=1.5, color="black")),
            hovertemplate=f"true shift dy {true_shift[0]:g}, dx {true_shift[1]:g} px<extra></extra>",
        )  # fmt: skip
    picture_axes(figure, *picture.shape)
    figure.update_layout(showlegend=False)
    edges = {} if axes else {"left": 0, "bottom": 0, "top": 0}
    finish(figure, height, **edges).update_layout(meta={"arrow_scale": scale})
    if not axes:
        figure.update_xaxes(visible=False).update_yaxes(visible=False)
    return fit_to_width(figure, picture.shape, bar=False)


def arrow_scale(figure: go.Figure) -> float:
    """How many times as long as they are the arrows of a `displacement` figure are drawn."""
    return float(figure.layout.meta["arrow_scale"])


def _segments(figure: go.Figure, y0, x0, y1, x1, color: str, width: float) -> None:
    """Lines from (y0, x0) to (y1, x1), arrays of one shape."""
    gaps = np.full(np.size(x0), np.nan)
    figure.add_scatter(
        x=np.stack((np.ravel(x0), np.ravel(x1), gaps), axis=1).ravel(),
        y=np.stack((np.ravel(y0), np.ravel(y1), gaps), axis=1).ravel(),
        mode="lines", line=dict(color=color, width=width), hoverinfo="skip", showlegend=False,
    )  # fmt: skip


def _mark(figure: go.Figure, y: int, x: int) -> None:
    figure.add_scatter(
        x=[x], y=[y], mode="markers", showlegend=False, hoverinfo="skip",
        marker=dict(symbol="square-open", size=13, color=MARK, line=dict(width=2.5)),
    )  # fmt: skip
