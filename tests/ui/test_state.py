"""The names of what a session knows."""

import re
from pathlib import Path

from kpnviz.paths import ROOT
from kpnviz.ui import state


def test_no_key_is_named_twice():
    values = [value for name, value in vars(state).items() if name.isupper()]
    assert len(values) == len(set(values)) > 50


def test_pages_take_keys_from_there():
    """A key that is written out where it is used would be a second name."""
    written = re.compile(
        r"session_state(?:\[|\.(?:get|pop|setdefault)\()f?[\"']|session_state\.(?!update|get|pop|set|to)"
    )
    for path in (*Path(ROOT, "app_pages").glob("*.py"), *Path(state.__file__).parent.rglob("*.py")):
        assert not written.search(path.read_text()), path
