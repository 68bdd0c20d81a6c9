"""Compiled loops where nothing can be written; threads that do not stand in each other's way."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import pytest
import torch

from kpnviz import threads
from kpnviz.threads import announce_compilation, compiled, in_threads


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


@pytest.mark.parametrize(
    "on_disk, end", [(True, "happens only once"), (False, "at each start: nothing can be written")]
)
def test_the_first_compilation_of_a_process_is_said(on_disk, end, monkeypatch):
    monkeypatch.setattr(threads, "_on_disk", on_disk)
    said = []
    announce_compilation(said.append)
    assert not said
    for factor in (2, 3):
        assert numba.njit(lambda x, factor=factor: factor * x)(2) == factor * 2
        assert len(said) == 1 and end in said[0]


@pytest.mark.parametrize("number", [3, 4.5])
def test_a_compiled_function_is_the_function(number):
    assert compiled(lambda x: 2 * x + 1)(number) == 2 * number + 1


@pytest.mark.parametrize("before, after", [(None, "1000"), ("7", "7")])
def test_threads_of_torch_do_not_spin_for_long(before, after):
    """What is set before stays."""
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {} if before is None else {"GOMP_SPINCOUNT": before}
    program = "import sys, kpnviz, os; print('torch' in sys.modules, os.environ['GOMP_SPINCOUNT'])"
    found = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["False", after]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyTorch's threads are left as they are")
def test_within_threads_pytorch_has_one():
    """And again all of them afterwards, in this thread and in new ones."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        seen = []
        in_threads(lambda task: seen.append(torch.get_num_threads()), 4)
        assert seen == [1] * 4 and torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)
