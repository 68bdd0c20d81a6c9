"""The app, and the only room that knows Streamlit: controls, caches, links, what pages are put together from."""
