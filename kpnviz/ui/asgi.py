"""The app as it is served: Streamlit's pages, and what their lenses fetch."""

import streamlit as st

from kpnviz.paths import ROOT
from kpnviz.ui import parcels

app = st.App(ROOT / "app.py", routes=parcels.routes(st.get_option("server.baseUrlPath")))
