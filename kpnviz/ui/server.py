"""The app's server, `python -m kpnviz.ui.server`: Streamlit, made ready for its first visitor while it starts.

Options are those of `streamlit run`. That serves app.py too, but then the first visitor waits for what is done here,
and there are no parcels.
"""

from __future__ import annotations

import gc
import sys
import threading
from contextlib import suppress
from pathlib import Path


def warm_up() -> None:
    """Import what pages need, and make what the first page shows: compiled code is loaded with the first picture."""
    from kpnviz.ui import cache, export, link, numbers, page, presets  # noqa: F401
    from kpnviz.ui.controls import DEFAULTS, default_methods, recipe_of

    with suppress(ValueError):  # the page will say so, to whom it concerns
        cache.lens_payload(recipe_of(DEFAULTS), tuple(default_methods()))
    # Streamlit collects garbage after every run of a script: 0.2 s, in which nothing is sent, for all that was imported
    # here. That stays anyway: it need not be looked at again.
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve the app until it is stopped."""
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
    import click
    from streamlit.web.cli import main as streamlit

    command = ["run", str(Path(__file__).with_name("asgi.py")), *sys.argv[1:]]
    try:
        streamlit(command, prog_name="kpnviz", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # Ctrl-C; `kpnviz app` says that it stopped
        sys.exit(130)


if __name__ == "__main__":
    main()
