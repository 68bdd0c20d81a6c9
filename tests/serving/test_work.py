"""What the app caches, and under which keys."""

from kpnviz.serving import work


def test_functions_of_one_name_in_two_modules_are_cached_apart():
    namespaces = [{"__name__": name} for name in ("tests.one", "tests.two")]
    for number, names in enumerate(namespaces):
        exec(f"def made(key, more=0): return ({number}, key, more)", names)
    first, second = (work.cached_at_once(names["made"]) for names in namespaces)
    assert not work.is_cached(first, "a")
    assert first("a") == (0, "a", 0) and work.is_cached(first, "a") and not work.is_cached(second, "a")
    assert second("a") == (1, "a", 0) and first("a") == (0, "a", 0)
    assert first("a", more=1) == (0, "a", 1)
