"""What the server has ready when its first visitor comes."""

import gc

from kpnviz.ui import cache, server, work
from kpnviz.ui.controls import DEFAULTS, default_methods, recipe_of


def test_the_first_page_is_made_before_anybody_asks(monkeypatch):
    work.kept_values.clear()
    server.warm_up()
    assert gc.get_freeze_count() > 100_000  # of what was imported, garbage is collected no more
    gc.unfreeze()
    monkeypatch.setattr(cache, "pack", None)  # nothing is packed any more
    assert len(cache.lens_payload(recipe_of(DEFAULTS), tuple(default_methods()))) > 2**20


def test_without_a_network_it_serves_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    work.kept_values.clear()
    server.warm_up()
    work.kept_values.clear()
    gc.unfreeze()
