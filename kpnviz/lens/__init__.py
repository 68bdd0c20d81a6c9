"""The kernel lens: the pictures of a burst, and the kernels of the pixel at the cursor, in any browser.

payload.py  packs a burst and its estimates: kernels of any kind, pictures alone, series
rounding.py in how many bits kernels travel, and what that changes
scripts/    show that: ES modules, of which `mount` puts a lens into an element
page.py     writes both into one HTML file
linker.py   makes one script of the modules, for hosts that want one: that page, Streamlit, a notebook
view.py     kpnviz.show: the lens in a notebook, by widget.py where anywidget is installed, or saved as that page

It needs NumPy and PyTorch alone.
"""

from kpnviz.lens.page import interactive_page
from kpnviz.lens.payload import DISPLAY, MAX_BYTES, Pixel, pack, pack_assumed, unpack
from kpnviz.lens.view import View, show

__all__ = [
    "DISPLAY",
    "MAX_BYTES",
    "Pixel",
    "View",
    "interactive_page",
    "pack",
    "pack_assumed",
    "show",
    "unpack",
]
