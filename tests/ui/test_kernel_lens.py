"""What the app tells its lens, and what the lens tells the app."""

import streamlit as st

from kpnviz.lens.payload import read_header, with_header
from kpnviz.ui import kernel_lens
from kpnviz.ui.state import BY_MESSAGE, LENS_DISPLAY


def test_what_a_person_chose_before_the_lens_heard_of_an_order_is_newer(monkeypatch):
    state, calls = {BY_MESSAGE: True, "lens": {}}, []
    monkeypatch.setattr(st, "session_state", state)
    monkeypatch.setattr(kernel_lens, "_component", lambda: lambda **given: calls.append(given))

    def told():
        kernel_lens.kernel_lens(with_header({"id": "a burst"}, b""), "lens")
        order = read_header(calls[-1]["data"])[0]
        return order["number"], order["display"]["frame"], order["pinned"]

    def report(name, **value):
        state["lens"] = {name: value}
        calls[-1][f"on_{name}_change"]()

    assert told() == (1, 0, None)
    report("display", frame=3, order=1)
    assert told()[0] == 1 and state[LENS_DISPLAY] == {"frame": 3}  # the lens knows it
    state[LENS_DISPLAY] = {}  # back in the browser
    assert told() == (2, 0, None)
    report("display", frame=5, order=1)  # chosen before the lens heard of that
    assert told() == (3, 5, None)  # else it would show frame 0, and the address say 5
    report("pinned", at=[7, 8], order=2)
    assert told() == (4, 5, [7, 8])
    report("pinned", at=None, order=4)
    assert told()[0] == 4
