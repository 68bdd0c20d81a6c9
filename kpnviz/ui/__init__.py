"""The app, and the only room that knows Streamlit: controls, caches, links, what pages are put together from."""

import os

# Threads of a network wait for each other some thousand times a burst. By default they do so spinning, and where others
# compute as well, that takes ten times as long as the network. It is read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
