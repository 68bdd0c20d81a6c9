"""What the app keeps, and under which names."""

from kpnviz.ui import work


def test_functions_of_one_name_in_two_modules_are_kept_apart():
    namespaces = [{"__name__": name} for name in ("tests.one", "tests.two")]
    for number, names in enumerate(namespaces):
        exec(f"def made(key, more=0): return ({number}, key, more)", names)
    first, second = (work.kept_at_once(names["made"]) for names in namespaces)
    assert not work.is_kept(first, "a")
    assert first("a") == (0, "a", 0) and work.is_kept(first, "a") and not work.is_kept(second, "a")
    assert second("a") == (1, "a", 0) and first("a") == (0, "a", 0)
    assert first("a", more=1) == (0, "a", 1)
