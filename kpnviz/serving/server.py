"""Start Streamlit's server, and what it is to have ready, at the same time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kpnviz.serving import warm_up


def run(application: Path, prepare: Callable[[], object], options: Sequence[str]) -> None:
    """Serve the ASGI application of a file until it is stopped; options are those of `streamlit run`."""
    warm_up.begin(prepare)
    import click
    from streamlit.web.cli import main as streamlit

    try:
        streamlit(["run", str(application), *options], prog_name="kpnviz", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:  # Ctrl-C; `kpnviz app` says that it stopped
        sys.exit(130)
