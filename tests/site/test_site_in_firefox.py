"""The site in Firefox, where there is one: its pages open and compute, and its pictures are those of Python."""

import pytest

from .firefox import firefox
from .test_site_in_a_browser import DONE, SEEN, address, check_pictures, folder, text, wait_until  # noqa: F401

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_pages_open_and_pictures_are_those_of_python(address, tmp_path):  # noqa: F811
    query = "v=2&photo=dog&color=1&crop=96&top=40&left=70&frames=4&gain=2.5&shake=paper&moving=1&seed=3"
    query += "&methods=kpn-direct~mkpn"
    with firefox(tmp_path) as page:
        page.goto(f"{address}?{query}")
        wait_until(page, DONE)
        check_pictures(page, query)
        for name, seen in SEEN.items():
            if name == "Sizes":  # this site has one size
                continue
            page.evaluate(
                f"[...document.querySelectorAll('#navigation a')].find((a) => a.textContent === {name!r}).click()"
            )
            wait_until(page, seen)
            assert text(page, "problem") == "", name
