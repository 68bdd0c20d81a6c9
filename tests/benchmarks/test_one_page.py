"""kpnviz bench --app: what it reports, and what it says when it cannot."""

import json
import shutil
import sys

import pytest

from benchmarks import one_page
from kpnviz import paths
from kpnviz.commands.main import main

REPORT = {
    "machine": {"processor": "a processor", "gpu": None},
    "app": {
        "browser": "Chromium 1",
        "methods": ["KPN L5", "MKPN"],
        "pixels": "128x128",
        "first_page_seconds": 4.25,
        "frames_seconds": 1.5,
        "link_seconds": {"frames": 1.375, "kernels": 2.125},
        "change_seconds": {
            "median": 0.5,
            "p95": 0.625,
            "worst": 0.75,
            "all": [0.5, 0.5, 0.75],
            "parts": {"asked": 0.011, "answered": 0.432, "painted": 0.057, "networks": 0.321},
        },
        "hover_ms": {"p50": 20.04, "p95": 24.06, "moves": 120},
    },
}


def test_the_text_holds_every_figure():
    text = one_page.as_text(REPORT)
    for figure in (
        "4.25 s",
        "1.50 s",
        "1.38 s   its kernels: 2.12 s",
        "0.50 s",
        "p95: 0.62 s",
        "worst of 3: 0.75 s",
        "20.0 ms",
        "p95: 24.1 ms",
    ):
        assert figure in text
    for part in (
        "asked 0.011 s",
        "answered 0.432 s",
        "painted 0.057 s",
        "networks alone 0.321 s",
        "120 moves",
    ):
        assert part in text
    assert "a processor" in text and "KPN L5, MKPN" in text and "None" not in text


def test_the_command_prints_text_or_json(monkeypatch, capsys):
    monkeypatch.setattr(one_page, "run", lambda: REPORT)
    assert main(["bench", "--app", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == REPORT
    assert main(["bench", "--app"]) == 0
    assert capsys.readouterr().out.strip() == one_page.as_text(REPORT)


def test_without_playwright_one_sentence_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    assert main(["bench", "--app"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "pip install playwright" in captured.err and captured.err.count("\n") == 1


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, one_page._BROWSERS)), reason="no browser is installed")
def test_it_measures_a_real_browser():
    app = one_page.run(changes=1, moves=12)["app"]
    assert app["methods"] and 0 < app["first_page_seconds"] < 120
    assert 0 < app["frames_seconds"] <= app["first_page_seconds"]
    assert 0 < app["link_seconds"]["frames"] <= app["link_seconds"]["kernels"] < 120
    change = app["change_seconds"]
    assert len(change["all"]) == 1 and 0 < change["worst"] < 60
    parts = change["parts"]
    assert parts["asked"] + parts["answered"] + parts["painted"] == pytest.approx(change["worst"])
    assert all(seconds > 0 for seconds in parts.values())
    assert 0 < app["hover_ms"]["p50"] <= app["hover_ms"]["p95"] < 10_000
    assert 6 <= app["hover_ms"]["moves"] <= 12


def test_where_the_benchmarks_are_not_installed_one_sentence_says_where_they_are(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(paths, "ROOT", tmp_path)  # as in a wheel
    assert main(["bench", "--app"]) == 1
    captured = capsys.readouterr()
    assert (
        captured.out == "" and "checkout of the repository" in captured.err and captured.err.count("\n") == 1
    )
