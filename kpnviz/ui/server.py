"""The app's server, `python -m kpnviz.ui.server`: Streamlit, made ready for its first visitor while it starts.

Options are those of `streamlit run`. That serves app.py too, but then the first visitor waits for what is done here,
and there are no parcels.
"""

from __future__ import annotations

import sys
from pathlib import Path

from kpnviz.ui import warm_up


def main() -> None:
    """Serve the app until it is stopped."""
    warm_up.begin()
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
