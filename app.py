"""kpnviz: the app's frame. `kpnviz app` runs it."""

import streamlit as st

from kpnviz.paths import PACKAGE
from kpnviz.ui.identity import footer
from kpnviz.ui.link import open_session
from kpnviz.ui.page import SIDEBAR, pages
from kpnviz.ui.parameters import TEACH

open_session()
st.set_page_config(
    "kpnviz",
    page_icon=PACKAGE / "ui" / "icon.png",
    layout="wide",
    initial_sidebar_state="collapsed" if st.session_state[TEACH] else SIDEBAR,
)
st.navigation(pages(), position="top").run()
footer()
