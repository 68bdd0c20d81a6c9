"""A burst and its estimates in the kernel lens: shown by a notebook, or saved as a file."""

from __future__ import annotations

import dataclasses
import html
import importlib.util
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kpnviz.burst import Burst, synthesize
from kpnviz.checks import check_index, check_int
from kpnviz.estimate import Estimate, Series
from kpnviz.lens.page import interactive_page
from kpnviz.lens.payload import DISPLAY, MAX_BYTES, Pixel, pack, read_header
from kpnviz.noise import NoiseModel
from kpnviz.paths import check_output, write_atomically
from kpnviz.summary import summary
from kpnviz.text import visible

HEIGHT = 680
"""CSS pixels: a lens with two methods and eight frames fits, and a notebook's window shows it whole."""

THEMES = ("light", "dark")

_ALL_WHITE = 4.0
"""Times the white level: a burst with such a median holds codes (0 to 255, say), not intensities."""


class View:
    """A burst and its estimates, as :func:`show` returns them: the lens where a notebook shows this object.

    payload   what the lens is given, bytes: lens.pack
    """

    def __init__(
        self,
        burst: Burst,
        estimates: Sequence[Estimate | Series],
        payload: bytes,
        pixel: Pixel | None,
        height: int,
        theme: str,
        title: str | None,
    ) -> None:
        self.burst, self.estimates, self.payload = burst, list(estimates), payload
        self.height, self.theme, self.title = height, theme, title
        self._header = read_header(payload)[0]
        self._order: dict[str, Any] = {"number": 0, "pinned": None, "display": DISPLAY}
        y, x = self._header["start"]
        self._start = (int(y), int(x))
        self._widget: Any = None
        if pixel is not None:
            self.pixel = pixel

    @property
    def pixel(self) -> Pixel:
        """(y, x) of the pixel whose kernels the lens shows: the one that a person pinned or looked at last, or was set.

        Setting it pins it in the lens, at once; None lets go of the pinned one. Where anywidget is not installed it
        stays what was set: files tell nothing.
        """
        if self._widget is not None:
            y, x = self._widget.pixel
            return int(y), int(x)
        return self._order["pinned"] or self._start

    @pixel.setter
    def pixel(self, value: Pixel | None) -> None:
        pinned = None if value is None else check_pixel(self.burst, value)
        display = DISPLAY if self._widget is None else (self._widget.chosen or self._order)["display"]
        self._order = {"number": self._order["number"] + 1, "pinned": pinned, "display": display}
        if self._widget is not None:
            with self._widget.hold_sync():
                self._widget.order = self._order
                if pinned is not None:
                    self._widget.pixel = list(pinned)

    @property
    def widget(self) -> Any:
        """The anywidget that shows it, to be laid out among others; ModuleNotFoundError without anywidget."""
        if self._widget is None:
            from kpnviz.lens.widget import LensWidget

            self._widget = LensWidget(
                payload=self.payload,
                height=self.height,
                theme=self.theme,
                order=self._order,
                pixel=list(self._order["pinned"] or self._start),
            )
        return self._widget

    def html(self) -> str:
        """The page with this lens that :meth:`save` writes."""
        pinned = self._order["pinned"]
        display = None
        if self._widget is not None and self._widget.chosen is not None:
            chosen = self._widget.chosen
            if chosen["number"] == self._order["number"]:
                pinned, display = chosen["pinned"], chosen["display"]
        return interactive_page(
            self.burst,
            self.estimates,
            self.payload,
            title=self.title,
            pixel=pinned and tuple(pinned),
            display=display,
            theme=self.theme or None,
        )

    def save(self, file: str | Path) -> Path:
        """Write the lens as one HTML file that needs nothing else: no server, no network. Returns the file.

        It opens with what is pinned and chosen now. ValueError, one sentence, for a name that does not end in .html
        and for a place where nothing can be written.
        """
        if not isinstance(file, str | os.PathLike):
            raise ValueError(f"file is {visible(repr(file))}; it is a path, such as 'kernels.html'")
        target = Path(file)
        if target.suffix.lower() not in (".html", ".htm"):
            raise ValueError(f"{visible(target)}: the name of a page ends in .html")
        check_output(target)
        write_atomically(target, self.html().encode(errors="replace"))  # halves of characters, in a title
        return target

    def __repr__(self) -> str:
        names = ", ".join(self._titles()) or "no estimate"
        return (
            f"View({len(self.burst)} frames of {self.burst.height}x{self.burst.width}, {names}; "
            f"{len(self.payload) / 1e6:.1f} MB): a notebook shows it, view.save('kernels.html') writes a page"
        )

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """The widget; where anywidget is not installed, a frame with the file. Neither holds the payload twice."""
        texts = {"text/plain": repr(self), "text/html": self._summary()}
        if importlib.util.find_spec("anywidget") is None:
            return texts | {"text/html": self._framed()}
        bundle = self.widget._repr_mimebundle_()
        if bundle is None:  # no kernel of a notebook is there to talk to
            return texts
        data, metadata = bundle
        return data | texts, metadata

    def _summary(self) -> str:
        """What stays to be seen where a notebook is read without its widgets."""
        words = ", ".join(self._titles())
        rows = [
            ("Kernel lens", f"{len(self.burst)} frames; {words}" if words else f"{len(self.burst)} frames")
        ]
        rows.append(("to see it", "run this cell, or open what view.save('kernels.html') writes"))
        image = self.burst.reference
        if self.estimates:
            last = self.estimates[-1]
            image = (last[last.numbers[-1]] if isinstance(last, Series) else last).image
        return summary(rows, image, self.burst.white_level)

    def _titles(self) -> list[str]:
        return [method["title"] for method in self._header["methods"]]

    def _framed(self) -> str:
        """A page beside the notebook, in a frame: a page inside the notebook would be slow, and saved with it."""
        file = Path(f"kpnviz-lens-{self._header['id']}.html")
        try:
            self.save(file)
        except (OSError, ValueError) as error:
            return f"<p>{html.escape(str(error))}: the kernel lens cannot be shown. Try view.save(...).</p>"
        name = os.path.basename(file)
        return (
            f'<iframe src="{name}" title="Kernel lens" width="100%" height="{self.height}" style="border: 0"></iframe>'
            f'<p><a href="{name}" target="_blank">{name}</a>. With <code>pip install "kpnviz[notebook]"</code> the '
            "lens is a widget, and view.pixel tells the pixel that you look at.</p>"
        )


def show(
    burst: Burst,
    estimates: Estimate | Series | Sequence[Estimate | Series] = (),
    *,
    pixel: Pixel | None = None,
    height: int = HEIGHT,
    theme: str | None = None,
    lossy: bool = False,
    max_bytes: int = MAX_BYTES,
    title: str | None = None,
) -> View:
    """The kernel lens with the frames of a burst and the kernels of its estimates.

    estimates   one or several; a Series is one method with a scrubber over its numbers
    pixel       (y, x), pinned at first
    height      CSS pixels that the lens fits into, 300 to 4000
    theme       "light" or "dark"; None: the notebook's, followed as it changes
    lossy       dense kernels in 8 bits, half of the size; the page states the largest change of the pictures. (Those of
                KernelField.from_basis are small, as basis and coefficients are kept)
    max_bytes   of what a notebook or a file then holds; more is refused, before anything is shown
    title       heading of the page that is saved; None: the photo, where it is known, else whose kernels these are

    >>> view = kpnviz.show(burst, [mine, kpnviz.load("mkpn")(burst)])                       # doctest: +SKIP
    >>> view                          # last in a notebook's cell: the lens                 # doctest: +SKIP
    >>> view.save("kernels.html")     # anywhere: a page to give away                       # doctest: +SKIP
    >>> mine.kernels.at(*view.pixel)  # the kernels that are looked at                      # doctest: +SKIP

    ValueError, one sentence, for anything else than this, for kernels of other frames, and beyond `max_bytes`.
    """
    if not isinstance(burst, Burst):
        raise ValueError(f"burst is of type {type(burst).__name__}; it is a kpnviz.Burst(frames)")
    middle = float(np.median(burst.frames))
    if middle > _ALL_WHITE * burst.white_level:
        warnings.warn(
            f"white is {burst.white_level:g} and half of the frames' values are above {middle:.3g}: they are shown as "
            "white; Burst(frames, white_level=...) states another one",
            stacklevel=2,
        )
    height = check_int("height", height, 300, 4000)
    max_bytes = check_int("max_bytes", max_bytes, 1, 2**40)
    if theme is not None and theme not in THEMES:
        raise ValueError(f"theme is {visible(repr(theme))}; it is 'light', 'dark' or None")
    if title is not None and not isinstance(title, str):
        raise ValueError(f"title is {visible(repr(title))}; it is a text or None")
    listed = _listed(estimates)
    if pixel is not None:
        pixel = check_pixel(burst, pixel)
    payload = pack(burst, listed, pixel, _clean_frames(burst), max_bytes=max_bytes, lossy=lossy)
    return View(burst, listed, payload, pixel, height, theme or "", title)


def _listed(estimates: Any) -> list[Estimate | Series]:
    """One estimate or several as a list; ValueError for anything else."""
    source = "Estimate.of(burst, field), or what kpnviz.load(...)(burst) gives"
    if isinstance(estimates, Estimate | Series):
        return [estimates]
    if isinstance(estimates, str | Mapping) or not isinstance(estimates, Iterable):
        raise ValueError(
            f"estimates is of type {type(estimates).__name__}; it is an Estimate, a Series or a list of them: "
            f"{source}"
        )
    listed = list(estimates)
    for one in listed:
        if not isinstance(one, Estimate | Series):
            raise ValueError(
                f"estimates holds something of type {type(one).__name__}; each is an Estimate or a Series: "
                f"{source}"
            )
    return listed


def _clean_frames(burst: Burst) -> np.ndarray | None:
    """The frames without noise, which the ideal kernels need: of a burst whose recipe makes its truth again."""
    if burst.recipe is None or burst.truth is None:
        return None
    try:
        clean = synthesize(dataclasses.replace(burst.recipe, noise=NoiseModel(0, 0)))
    except (ValueError, OSError):  # its photo is not here
        return None
    same = clean.frames.shape == burst.frames.shape and np.array_equal(clean.reference, burst.truth)
    return clean.frames if same else None


def check_pixel(burst: Burst, value: Any) -> Pixel:
    """(y, x) as integers; ValueError for what is no pixel of the frames."""
    try:
        y, x = value
    except (TypeError, ValueError):
        raise ValueError(f"pixel is {visible(repr(value))}; it is (y, x)") from None
    return (
        check_index("pixel: y", y, burst.height, "the frames have rows"),
        check_index("pixel: x", x, burst.width, "the frames have columns"),
    )
