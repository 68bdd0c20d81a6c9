"""kpnviz bench --load: what it reports, and what it says when it cannot."""

import asyncio
import json
import os
import shutil
import sys

import pytest

from benchmarks import many_visitors, one_page
from kpnviz.commands.main import main

REPORT = {
    "machine": {"processor": "a processor", "gpu": None},
    "load": {
        "visitors": 8,
        "waves": 2,
        "changes": 96,
        "every_seconds": 5.0,
        "pixels": "128x128",
        "server_cores": [0],
        "client_cores": [1],
        "busy": 1.25,
        "first_seconds": {"p50": 1.0, "p95": 2.0, "worst": 2.5},
        "change_seconds": {"p50": 0.5, "p95": 0.75, "worst": None},
        "painted_seconds": {"p50": 0.625, "p95": 1.25, "worst": 1.375},
        "failures": ["no pictures after 60 s"],
        "rss": {"start": 500_000_000, "waves": [900_000_000, 910_000_000], "peak": 950_000_000},
    },
}


def test_the_text_holds_every_figure():
    text = many_visitors.as_text(REPORT)
    for figure in (
        "8 visitors, 2 times; 96 changes",
        "p95 2.00 s",
        "p95 0.75 s   worst none",
        "p95 1.25 s",
        "900 910",
    ):
        assert figure in text
    assert "[0], visitors on [1]; load average before: 1.2" in text and "no pictures after 60 s" in text
    assert "peak 950" in text and "None" not in text


def test_p95_is_a_time_that_95_percent_do_not_exceed():
    seconds = [*range(1, 101)]
    assert many_visitors._figures(seconds) == {"p50": 51, "p95": 96, "worst": 100}
    assert many_visitors._figures([3.0]) == {"p50": 3.0, "p95": 3.0, "worst": 3.0}
    assert many_visitors._figures([]) == {"p50": None, "p95": None, "worst": None}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes cannot be pinned here")
def test_server_and_browsers_have_cores_of_their_own_and_all_come_back():
    before = os.sched_getaffinity(0)
    with many_visitors._on_other_cores() as (server, client):
        assert os.sched_getaffinity(0) == set(server) < before or len(before) == 1
        assert set(server) | set(client) == before
        assert not set(server) & set(client) or len(before) == 1
        many_visitors._pin(client)
    assert os.sched_getaffinity(0) == before


def test_the_command_prints_text_or_json(monkeypatch, capsys):
    monkeypatch.setattr(many_visitors, "run", lambda visitors, waves: REPORT | {"asked": [visitors, waves]})
    assert main(["bench", "--load", "8", "--waves", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == REPORT | {"asked": [8, 2]}
    assert main(["bench", "--load", "8"]) == 0
    assert capsys.readouterr().out.strip() == many_visitors.as_text(REPORT)
    assert main(["bench", "--waves", "2"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_visitor_who_finds_no_server_is_a_failure():
    seen = asyncio.run(many_visitors._without_browser("http://127.0.0.1:9/?v=1", 1, 0.0))
    assert len(seen.failures) == 1 and not seen.first and not seen.changes


def test_without_psutil_one_sentence_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert main(["bench", "--load", "2"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "pip install psutil" in captured.err and captured.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, one_page._BROWSERS)), reason="no browser is installed")
def test_it_measures_a_browser_and_visitors_without_one(monkeypatch):
    monkeypatch.setattr(many_visitors, "EVERY", 0.5)
    load = many_visitors.run(3, waves=1, changes=1)["load"]
    assert load["failures"] == [] and load["changes"] == 3
    for figures in (load["first_seconds"], load["change_seconds"], load["painted_seconds"]):
        assert 0 < figures["p50"] <= figures["worst"] < 60
    assert 50e6 < load["rss"]["start"] < load["rss"]["waves"][0] <= load["rss"]["peak"]
