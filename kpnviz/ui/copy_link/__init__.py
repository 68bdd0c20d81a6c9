"""The button that copies the link to what is on the page.

It is in the browser's address (`link.sync_address`): a click copies what of it the page shows, without asking Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kpnviz.ui.component import component
from kpnviz.ui.state import SHARE

_FOLDER = Path(__file__).parent


def copy_link(names: Iterable[str], what: str) -> None:
    """Show the button, and beside it the one for the same page in teacher mode.

    names  of the query that the link holds, beside the version
    what   the link is to, after "Copies the link to"
    """
    component(_FOLDER, "copy")(data={"names": sorted(names), "what": what}, key=SHARE)
