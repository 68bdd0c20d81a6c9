"""The noise fit of a burst as a plot: variance against mean of its patches, and the line."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from kpnviz.capture.noise_estimation import NoiseFit
from kpnviz.noise import NoiseModel

_POINTS = 1500


def noise_plot(fit: NoiseFit, told: NoiseModel) -> Any:
    """An Altair chart: patches, the fitted line, and the line of the noise that the network is told.

    Patches that the fit left out (clipped, textured) are pale; at most 1500 are drawn.
    """
    chosen = np.unique(np.linspace(0, len(fit.means) - 1, min(len(fit.means), _POINTS)).astype(int))
    low, high = np.quantile(fit.means[fit.used], [0, 1])
    top = 1.6 * float(np.quantile(fit.variances[fit.used], 0.98))
    points = [
        {
            "mean": round(float(fit.means[i]), 6),
            "variance": float(fit.variances[i]),
            "patch": "in the fit" if fit.used[i] else "left out",
        }
        for i in chosen
        if fit.variances[i] <= top and low - 0.05 <= fit.means[i] <= high + 0.05
    ]
    ends = np.array([max(0.0, float(low)), float(high)])
    lines = [
        {"mean": float(m), "variance": float(noise.read_std**2 + noise.shot_gain * m), "line": name}
        for name, noise in (("estimate", fit.noise), ("told", told))
        for m in ends
    ]
    x = alt.X("mean:Q", title="mean of the patch, linear intensity (white = 1)")
    y = alt.Y(
        "variance:Q",
        title="variance over the frames",
        scale=alt.Scale(domain=[0, top]),
        axis=alt.Axis(format="~g"),
    )
    patches = (
        alt.Chart(alt.Data(values=points))
        .mark_circle(size=16, clip=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "patch:N",
                scale=alt.Scale(domain=["in the fit", "left out"], range=["#4c8fd0", "#b4bac2"]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            opacity=alt.Opacity(
                "patch:N", scale=alt.Scale(domain=["in the fit", "left out"], range=[0.7, 0.35]), legend=None
            ),
            tooltip=[alt.Tooltip("mean:Q", format=".3f"), alt.Tooltip("variance:Q", format=".2e"), "patch:N"],
        )
    )
    drawn = (
        alt.Chart(alt.Data(values=lines))
        .mark_line(strokeWidth=2.5, clip=True)
        .encode(
            x=x,
            y=y,
            stroke=alt.Stroke(
                "line:N",
                scale=alt.Scale(domain=["estimate", "told"], range=["#d9662c", "#7a5cc8"]),
                legend=alt.Legend(title=None, orient="top"),
            ),
            strokeDash=alt.StrokeDash(
                "line:N", scale=alt.Scale(domain=["estimate", "told"], range=[[1, 0], [6, 4]]), legend=None
            ),
        )
    )
    return (patches + drawn).resolve_scale(color="independent", stroke="independent").properties(height=320)
