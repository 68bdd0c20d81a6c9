"""Turns and the cache: who computes when, what is dropped, and how many bytes stay."""

import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from kpnviz.serving.cache import SizedCache, size_of
from kpnviz.serving.turns import Turns


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class NotWantedError(Exception):
    pass


class Visitors:
    """Threads that each want one computation; what was begun and ended is told in order."""

    def __init__(self, places):
        self.turns, self.told, self.threads, self.ends = Turns(places), [], [], {}
        self.unwanted, self.most = set(), 0

    def arrive(self, name, owner=None, background=False):
        """One more, which stands in the line or computes when this returns. It ends when it is told to."""
        self.ends[name] = threading.Event()

        def wanted():
            if name in self.unwanted:
                raise NotWantedError

        def compute():
            try:
                with self.turns.turn(owner or name, wanted, background=background):
                    self.told.append(f"+{name}")
                    self.most = max(self.most, len(self.turns._busy))
                    assert self.ends[name].wait(20)
                    self.turns.check()
                    self.told.append(f"-{name}")
            except NotWantedError:
                self.told.append(f"x{name}")

        before = len(self.turns._line) + len(self.turns._busy)
        self.threads.append(threading.Thread(target=compute))
        self.threads[-1].start()
        until(lambda: len(self.turns._line) + len(self.turns._busy) == before + 1)

    def end(self, *names):
        for name in names:
            until(lambda name=name: f"+{name}" in self.told)
            self.ends[name].set()
            until(lambda name=name: {f"-{name}", f"x{name}"} & set(self.told))

    def drop(self, name):
        self.unwanted.add(name)

    def join(self):
        for thread in self.threads:
            thread.join(20)
        assert self.turns.idle
        return self.told


def test_two_at_a_time_in_order_of_arrival():
    visitors = Visitors(places=2)
    for name in "abcde":
        visitors.arrive(name)
    until(lambda: len(visitors.told) == 2)
    assert set(visitors.told) == {"+a", "+b"}
    visitors.end(*"bacde")
    begun = [text[1] for text in visitors.join() if text[0] == "+"]
    assert begun[2:] == ["c", "d", "e"] and visitors.most == 2


def test_one_of_each_owner_and_others_pass():
    visitors = Visitors(places=2)
    visitors.arrive("a1", "a")
    visitors.arrive("a2", "a")
    visitors.arrive("b")
    visitors.end("b", "a1", "a2")
    assert visitors.join() == ["+a1", "+b", "-b", "-a1", "+a2", "-a2"]


def test_background_work_waits_until_nobody_else_does():
    visitors = Visitors(places=1)
    visitors.arrive("a")
    visitors.arrive("background", background=True)
    visitors.arrive("b")
    visitors.end("a", "b", "background")
    assert [text for text in visitors.join() if text[0] == "+"] == ["+a", "+b", "+background"]


def test_background_work_does_not_begin_beside_others_even_where_a_place_is_free():
    visitors = Visitors(places=2)
    visitors.arrive("a")
    visitors.arrive("background", background=True)
    time.sleep(0.05)
    visitors.end("a")
    until(lambda: "+background" in visitors.told)
    visitors.arrive("b")  # who does not wait for it
    visitors.end("b", "background")
    assert visitors.join() == ["+a", "-a", "+background", "+b", "-b", "-background"]


def test_what_is_not_wanted_any_more_never_begins_and_frees_its_place():
    visitors = Visitors(places=1)
    for name in "abc":
        visitors.arrive(name)
    visitors.drop("b")
    until(lambda: "xb" in visitors.told)  # while a computes
    assert len(visitors.turns._line) == 1
    visitors.end("a", "c")
    assert visitors.join() == ["+a", "xb", "-a", "+c", "-c"]


def test_what_is_not_wanted_any_more_ends_between_its_parts():
    visitors = Visitors(places=1)
    visitors.arrive("a")
    visitors.arrive("b")
    until(lambda: "+a" in visitors.told)
    visitors.drop("a")
    visitors.end("a", "b")
    assert visitors.join() == ["+a", "xa", "+b", "-b"]


def test_who_waits_is_told_how_many_come_before():
    turns, told = Turns(1), []
    visitors = threading.Event()

    def hold():
        with turns.turn("a"):
            visitors.wait(20)

    first = threading.Thread(target=hold)
    first.start()
    until(lambda: turns._busy)

    def tell(ahead):
        told.append(ahead)
        visitors.set()

    with turns.turn("b", tell=tell):
        pass
    first.join(20)
    assert told[0] == 1


def test_a_turn_within_a_turn_is_the_same():
    turns = Turns(1)
    with turns.turn("a"), turns.turn("a"), turns.turn("b"):
        assert len(turns._busy) == 1
    assert turns.idle


def test_a_turn_within_a_turn_does_not_begin_what_is_not_wanted_any_more():
    turns, newer, begun = Turns(1), [], []

    def wanted():
        if newer:
            raise NotWantedError

    with pytest.raises(NotWantedError), turns.turn("a", wanted):
        for part in (1, 2, 3):
            with turns.turn("a"):
                begun.append(part)
                newer.extend([True] * (part == 2))  # a newer change comes while the second part is computed
    assert begun == [1, 2] and turns.idle


@pytest.mark.parametrize("again_last, order", [(True, "bca"), (False, "bac")])
def test_aside_lets_others_compute_and_comes_back_first_or_last(again_last, order):
    turns, told, others = Turns(1), [], []
    hold = threading.Event()

    def other(name, begun):
        with turns.turn(name):
            begun.set()
            hold.wait(20)
            told.append(name)

    begun = [threading.Event() for _ in "bc"]
    with turns.turn("a"):
        for name, event in zip("bc", begun, strict=True):
            others.append(threading.Thread(target=other, args=(name, event)))
            others[-1].start()
            until(lambda: len(turns._line) == len(others))
        timer = threading.Timer(0.2, hold.set)
        with turns.aside(again_last):
            assert begun[0].wait(20)  # b computes now
            timer.start()
        told.append("a")
    for thread in others:
        thread.join(20)
    assert "".join(told) == order and turns.idle


def test_work_that_fails_frees_its_place_also_when_it_was_aside():
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError), turns.turn("a"):
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError), turns.turn("a"), turns.aside():
        1 / 0  # noqa: B018
    assert turns.idle
    with turns.turn("b"):
        assert len(turns._busy) == 1


def test_cores_are_shared_by_those_who_compute():
    visitors = Visitors(places=4)
    assert visitors.turns.share(8) == 8
    for count, share in enumerate((8, 4, 2, 2, 2, 2), start=1):
        visitors.arrive(str(count))
        until(lambda count=count: len(visitors.turns._busy) == min(count, 4))
        assert visitors.turns.share(8) == share, count
    assert visitors.turns.share(1) == 1
    visitors.end(*"123456")
    visitors.join()


# --- What is kept ---


def test_what_is_kept_is_bounded_in_bytes_and_the_least_recently_used_goes():
    kept, made = SizedCache(3_500_000), []

    def get(name):
        return kept.get(name, lambda: made.append(name) or np.zeros(1_000_000, np.uint8))

    for name in "abcada":
        get(name)
    # a was used after b, so that b had to go for d.
    assert made == ["a", "b", "c", "d"] and 3_000_000 < kept.bytes < 3_500_000
    assert [name in kept for name in "abcd"] == [True, False, True, True]


def test_what_is_larger_than_all_that_may_be_kept_is_returned_and_not_kept():
    kept = SizedCache(1000)
    kept.get("small", lambda: b"x" * 100)
    assert len(kept.get("large", lambda: b"x" * 10_000)) == 10_000
    assert "large" not in kept and "small" in kept


def test_what_several_ask_for_at_once_is_made_once():
    kept, made, go = SizedCache(10**6), [], threading.Event()

    def make():
        go.wait(20)
        made.append(1)
        return "value"

    found = []
    threads = [threading.Thread(target=lambda: found.append(kept.get("key", make))) for _ in range(5)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(20)
    assert found == ["value"] * 5 and made == [1]


def test_what_failed_is_made_by_the_next():
    kept = SizedCache(10**6)
    with pytest.raises(ZeroDivisionError):
        kept.get("key", lambda: 1 // 0)
    assert kept.get("key", lambda: "value") == "value"


def test_who_waits_for_what_another_makes_gives_up_its_place_meanwhile():
    """Else, with one place, the two would wait for each other for ever."""
    turns, kept, found = Turns(1), SizedCache(10**6), []
    waiting = threading.Event()

    def aside(made):
        with turns.aside():
            waiting.set()
            made.wait(20)

    def slow():
        with turns.aside(again_last=True):  # as between two parts of long work
            waiting.wait(20)
        return "value"

    def ask(owner):
        with turns.turn(owner):
            found.append(kept.get("key", slow, aside))

    threads = [threading.Thread(target=ask, args=(owner,), daemon=True) for owner in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == ["value"] * 2


@dataclass(frozen=True)
class Thing:
    array: np.ndarray
    more: tuple
    none: None = None


def test_the_size_of_what_holds_arrays_is_theirs():
    mega = np.zeros((250, 1000), np.float32)
    cases = {
        "an array": (mega, 1_000_000),
        "a part of an array, which keeps all of it": (mega[:10], 1_000_000),
        "half precision": (torch.zeros(1000, 500, dtype=torch.float16), 1_000_000),
        "a part of a tensor": (torch.zeros(1000, 250)[:3], 1_000_000),
        "bytes": (bytes(10**6), 1_000_000),
        "a dataclass": (Thing(mega, (torch.zeros(250_000), [bytes(10**6), {"key": mega}])), 4_000_000),
        "a number": (3.5, 0),
    }
    for name, (value, size) in cases.items():
        assert size <= size_of(value) <= size + 3000, name
