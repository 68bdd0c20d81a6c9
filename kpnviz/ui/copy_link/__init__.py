"""The button that copies the link to what is on the page.

The browser's address is that link (`link.sync_address`): a click copies it at once, without asking Python.
"""

from __future__ import annotations

from pathlib import Path

from kpnviz.ui.component import component
from kpnviz.ui.state import SHARE

_FOLDER = Path(__file__).parent


def copy_link() -> None:
    """Show the button, and beside it the one for the same page in teacher mode."""
    component(_FOLDER, "copy")(key=SHARE)
