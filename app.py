"""kpnviz: the app's frame. `kpnviz app` runs it."""

import streamlit as st

from kpnviz.paths import PACKAGE

icon = PACKAGE / "ui" / "icon.png"
st.set_page_config("kpnviz", page_icon=icon, layout="wide", initial_sidebar_state=300)
st.navigation([st.Page("pages/explore.py", title="Explore", default=True)]).run()
