"""kpnviz bench --app: what it reports, and what it says when it cannot."""

import json
import shutil
import sys

import pytest

from kpnviz.commands.main import main
from kpnviz.evaluation import app_benchmark

REPORT = {
    "machine": {"processor": "a processor", "gpu": None},
    "app": {
        "browser": "Chromium 1",
        "methods": ["KPN L5", "MKPN"],
        "pixels": "128x128",
        "first_page_seconds": 4.25,
        "change_seconds": {"median": 0.5, "worst": 0.75, "all": [0.5, 0.5, 0.75]},
        "hover_ms": {"p50": 20.04, "p95": 24.06, "moves": 120},
    },
}


def test_the_text_holds_every_figure():
    text = app_benchmark.as_text(REPORT)
    for figure in ("4.25 s", "0.50 s", "worst of 3: 0.75 s", "20.0 ms", "p95: 24.1 ms", "120 moves"):
        assert figure in text
    assert "a processor" in text and "KPN L5, MKPN" in text and "None" not in text


def test_the_command_prints_text_or_json(monkeypatch, capsys):
    monkeypatch.setattr(app_benchmark, "run", lambda: REPORT)
    assert main(["bench", "--app", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == REPORT
    assert main(["bench", "--app"]) == 0
    assert capsys.readouterr().out.strip() == app_benchmark.as_text(REPORT)


def test_without_playwright_one_sentence_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    assert main(["bench", "--app"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and "pip install playwright" in captured.err and captured.err.count("\n") == 1


@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, app_benchmark._BROWSERS)), reason="no browser is installed")
def test_it_measures_a_real_browser():
    app = app_benchmark.run(changes=1, moves=12)["app"]
    assert app["methods"] and 0 < app["first_page_seconds"] < 120
    assert len(app["change_seconds"]["all"]) == 1 and 0 < app["change_seconds"]["worst"] < 60
    assert 0 < app["hover_ms"]["p50"] <= app["hover_ms"]["p95"] < 10_000
    assert 6 <= app["hover_ms"]["moves"] <= 12
