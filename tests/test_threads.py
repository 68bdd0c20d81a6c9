"""Compiled loops where nothing can be written."""

import numba
import pytest

from kpnviz.threads import compiled


def test_loops_compile_where_no_cache_can_be_written(monkeypatch):
    asked = []

    def njit(cache=False, **options):
        asked.append((cache, options))
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(len, fastmath=True) is len
    assert asked == [(True, {"nogil": True, "fastmath": True}), (False, {"nogil": True, "fastmath": True})]


@pytest.mark.parametrize("number", [3, 4.5])
def test_a_compiled_function_is_the_function(number):
    assert compiled(lambda x: 2 * x + 1)(number) == 2 * number + 1
