"""Results in parts: what is shown when, and that a page always comes to an end."""

import itertools

import pytest
from streamlit.testing.v1 import AppTest

from kpnviz.serving import in_parts, work
from kpnviz.serving.cache import SizedCache
from kpnviz.serving.in_parts import InParts

SIZE = 1000  # bytes of a result
computed = []


@work.cached
def result(name):
    computed.append(name)
    return name.encode() * SIZE


@work.cached
def joined(names):
    return b"".join(map(result, names))


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch):
    monkeypatch.setattr(work, "cached_values", SizedCache(100 * SIZE))
    monkeypatch.setattr(in_parts, "PATIENCE", 0)
    computed.clear()


def parts():
    return InParts(result, {name: (name,) for name in "abc"}, (joined, (("a", "b", "c"),)))


def test_results_come_in_the_order_that_is_asked_for_and_once():
    said = []
    found = dict(parts().results("c", lambda share, name: said.append((round(share, 2), name))))
    assert computed == ["c", "a", "b"] and said == [(0, "c"), (0.33, "a"), (0.67, "b")]
    assert found["a"] == b"a" * SIZE
    assert parts().ready == ("a", "b", "c") and not parts().complete
    joined(("a", "b", "c"))
    assert parts().complete and computed == ["c", "a", "b"]


def test_without_a_whole_it_is_complete_when_all_parts_are_ready():
    some = InParts(result, {name: (name,) for name in "ab"})
    result("b")
    assert some.ready == ("b",) and not some.complete
    result("a")
    assert some.complete


def page():
    import streamlit as st

    from kpnviz.serving.work import is_continued
    from tests.serving.test_in_parts import parts

    st.session_state.setdefault("shown", [])
    if not is_continued():
        st.session_state["visits"] = st.session_state.get("visits", 0) + 1
    some = parts()
    ready = some.to_show("_parts", "cab", wait=st.session_state.get("wait", False))
    st.session_state["shown"] = [*st.session_state["shown"], "".join(ready)]
    if ready != some.names:
        some.show_more("cab")
    st.session_state["end"] = True


def visit(wait=False):
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["wait"] = wait
    app.run()
    assert not app.exception and app.session_state["end"] and app.session_state["visits"] == 1
    return app.session_state["shown"]


def test_a_page_shows_more_and_more():
    assert visit() == ["", "c", "ac", "abc"] and computed == ["c", "a", "b"]
    assert visit() == ["abc"]  # the second visitor's are there


def test_a_page_that_shows_something_else_waits_for_the_first_part():
    assert visit(wait=True) == ["c", "ac", "abc"]


def test_with_patience_all_parts_come_together(monkeypatch):
    monkeypatch.setattr(in_parts, "PATIENCE", 60)
    assert visit(wait=True) == ["abc"] and computed == ["c", "a", "b"]


def test_parts_that_do_not_fit_into_the_cache_come_together(monkeypatch):
    for results in (0, 1, 2):
        monkeypatch.setattr(work, "cached_values", SizedCache((results * 1.5 + 0.5) * SIZE))
        shown = visit()
        assert shown[-1] == "abc" and len(shown) <= 4
        assert all(a != b for a, b in itertools.pairwise(shown))
