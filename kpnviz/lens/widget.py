"""The kernel lens in a notebook, as a widget: the payload travels as bytes, and the pixel that is shown comes back.

It needs anywidget, which is imported here alone: `kpnviz.lens.view` does without where it is not installed.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from kpnviz.lens.linker import linked
from kpnviz.lens.page import SCRIPTS


class LensWidget(anywidget.AnyWidget):
    """What Python and the notebook's page know together of one lens; scripts/widget.js is the other half.

    payload   what lens.pack wrote; sent once, as bytes
    height    CSS pixels that the lens fits into;  theme   "light", "dark", or "": the notebook's
    order     what Python set last: {"number", "pinned": [y, x] or None, "display"}; each has another number
    chosen    what a person pinned and chose since, in the same form and with the order's number; None: nothing
    pixel     [y, x], the pixel that is shown, once the mouse rests on it
    """

    _esm = linked(SCRIPTS / "widget.js")

    payload = traitlets.Bytes().tag(sync=True)
    height = traitlets.Int().tag(sync=True)
    theme = traitlets.Unicode().tag(sync=True)
    order: Any = traitlets.Dict().tag(sync=True)
    chosen: Any = traitlets.Dict(default_value=None, allow_none=True).tag(sync=True)
    pixel: Any = traitlets.List(traitlets.Int(), minlen=2, maxlen=2, default_value=[0, 0]).tag(sync=True)
