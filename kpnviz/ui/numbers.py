"""The statistics of the kernels at one pixel, as a table on a page."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from kpnviz.analysis.tables import pixel_statistics
from kpnviz.burst import Burst
from kpnviz.denoise import Estimate
from kpnviz.ui.elements import rounded
from kpnviz.ui.state import STATISTICS

_COLUMNS = {
    "share": st.column_config.NumberColumn("share", format="%.1f %%", help="Signed sum of the weights / N"),
    "centroid_dy": st.column_config.NumberColumn(
        "centroid dy, px", format="%.2f", help="Center of |weights|"
    ),
    "centroid_dx": st.column_config.NumberColumn(
        "centroid dx, px", format="%.2f", help="Center of |weights|"
    ),
    "true_dy": st.column_config.NumberColumn("true dy, px", help="Where the scene of this pixel went"),
    "true_dx": st.column_config.NumberColumn("true dx, px", help="Where the scene of this pixel went"),
    "within_reach": st.column_config.CheckboxColumn("within reach", help="Of the largest kernel"),
    "spread": st.column_config.NumberColumn(
        "spread, px", format="%.2f", help="RMS distance from the centroid"
    ),
    "entropy": st.column_config.NumberColumn("entropy, bits", format="%.2f", help="Of |weights| / their sum"),
}


def pixel_table(burst: Burst, estimates: Sequence[Estimate], y: int, x: int) -> None:
    """Show the statistics of a pixel, folded: they are many."""
    rows = pixel_statistics(burst, estimates, y, x)
    if not rows:
        return
    for row in rows:
        row |= {name: rounded(row[name], 2) for name in ("centroid_dy", "centroid_dx")}
        row["share"] = rounded(100 * row["share"], 1)
    with st.expander(
        f"Statistics of the kernels at the pinned pixel: y {y}, x {x}", icon=":material/table_chart:"
    ):
        st.dataframe(rows, column_config=_COLUMNS, hide_index=True, height="content", key=STATISTICS)
