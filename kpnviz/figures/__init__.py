"""Figures: arrays in, Plotly figure out. Nothing is computed here that a reader could not check in the arrays.

Backgrounds are transparent and text takes the color of whoever shows the figure, so that one figure suits
a light and a dark page; only diverging scales ask which it is, since their middle should be calm on either.
"""

from plotly.graph_objects import Figure

from kpnviz.figures.kernels import kernel_rows
from kpnviz.figures.maps import arrow_scale, displacement, image_map, ninths
from kpnviz.figures.plots import curves, forest, gain_matrix, near, noise_fit
from kpnviz.figures.style import PALETTE

__all__ = [
    "PALETTE",
    "Figure",
    "arrow_scale",
    "curves",
    "displacement",
    "forest",
    "gain_matrix",
    "image_map",
    "kernel_rows",
    "near",
    "ninths",
    "noise_fit",
]
