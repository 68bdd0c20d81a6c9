"""Background tasks: computed once, behind all that visitors wait for, and ended when nobody requests them."""

import threading
import time

import pytest

from kpnviz.serving import background
from kpnviz.serving.background import BackgroundTasks
from kpnviz.serving.payloads import AbandonedError
from kpnviz.serving.work import turn

PATIENCE = 20  # seconds


def test_a_result_is_computed_once_and_cached():
    tasks, computed = BackgroundTasks("test", 10_000), []

    def task(turn):
        with turn():
            computed.append(1)
        return b"result"

    assert tasks.wait("key", task) == tasks.wait("key", task) == b"result" and computed == [1]
    assert tasks.request("key", task).result(PATIENCE) == b"result" and computed == [1]


def test_beyond_its_bytes_the_oldest_result_is_dropped():
    tasks, computed = BackgroundTasks("test", 250), []
    for key in ("a", "b", "c", "a"):
        tasks.wait(key, lambda _, key=key: computed.append(key) or bytes(100))
    assert computed == ["a", "b", "c", "a"]


def test_an_error_is_everyones_and_is_cached():
    tasks, computed = BackgroundTasks("test", 10_000), []

    def task(_):
        computed.append(1)
        raise ValueError("these pictures are 60 MB")

    for _ in range(2):
        with pytest.raises(ValueError, match="60 MB"):
            tasks.wait("key", task)
    assert computed == [1]


def test_it_waits_for_visitors_ends_when_nobody_requests_it_and_starts_again(monkeypatch):
    monkeypatch.setattr(background, "ABANDONED_AFTER", 0.2)
    tasks, visitor_has_left, computed = BackgroundTasks("test", 10_000), threading.Event(), []

    def task(turn):
        with turn():
            computed.append(1)
        return b"result"

    def visit():
        with turn("a visitor"):
            visitor_has_left.wait(PATIENCE)

    visitor = threading.Thread(target=visit)
    visitor.start()
    time.sleep(0.1)
    result = tasks.request("key", task)
    assert isinstance(result.exception(PATIENCE), AbandonedError) and computed == []
    visitor_has_left.set()
    visitor.join()
    assert tasks.wait("key", task) == b"result" and computed == [1]
