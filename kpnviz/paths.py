"""Where the app's pages, the trained networks and the photos lie: in a checkout or in a wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
_BUNDLE = PACKAGE / "_bundle"

ROOT = _BUNDLE if _BUNDLE.is_dir() else PACKAGE.parent
"""The folder of app.py, app_pages/ and checkpoints/: the repository, or kpnviz/_bundle in a wheel."""

CHECKPOINTS = ROOT / "checkpoints"
GALLERY = PACKAGE / "gallery"
