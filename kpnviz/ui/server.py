"""The app's server, `python -m kpnviz.ui.server`: Streamlit, made ready for its first visitor while it starts.

Options are those of `streamlit run`. That serves app.py too, but then the first visitor waits for what is done here,
and pages send in messages what a browser would fetch.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from kpnviz.methods import offered
from kpnviz.serving import server
from kpnviz.text import escaped

FIRST_PAGE = "explore"
"""Of PAGES in page.py, whose import takes long."""


def prepare() -> None:
    """Import what pages need, and compute what the first page shows, which loads compiled code and networks."""
    from kpnviz.threads import announce_compilation
    from kpnviz.ui import assumed_noise, cache, export, identity, kernel_lens, link, numbers, page, presets  # noqa: F401
    from kpnviz.ui.choices import default_networks
    from kpnviz.ui.controls import recipe_of
    from kpnviz.ui.parameters import DEFAULTS

    announce_compilation(lambda message: print(f"kpnviz: {message}", file=sys.stderr))
    with suppress(ValueError):  # the page says it to whom it concerns
        cache.lens_payload(recipe_of(DEFAULTS), tuple(default_networks()))


def main(arguments: list[str]) -> None:
    """Serve the app. Its own options come before those of Streamlit: --method SOURCE, several times perhaps."""
    sources = []
    while arguments[:1] == ["--method"]:
        sources.append(arguments[1])
        arguments = arguments[2:]
    try:
        offered.offer(sources)
    except ValueError as error:
        sys.exit(f"kpnviz app: {escaped(error)}")
    # Streamlit imports pandas when the first component is drawn: half a second, and 40,000 objects that the collection
    # after each run would look through (serving/warm_up.py). Here, before there is another thread: Plotly looks whether
    # pandas is imported, and fails where another thread is still at it.
    import pandas  # noqa: F401

    server.run(Path(__file__).with_name("asgi.py"), prepare, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
