"""What pyproject.toml cannot say of a build: what only a wheel holds, and links that a package index can follow."""

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class WheelContents(BuildHookInterface):
    """Puts the app's pages and the trained networks into a wheel.

    An editable install reads them in the repository: hatchling's own `force-include` would give it a second copy.
    """

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update(self.config["include"])


class IndexPage(MetadataHookInterface):
    """README.md as the package index shows it: a link to a file of the repository becomes its address there."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        base = metadata["urls"]["Repository"]
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = re.sub(r"\]\((?!https?:|#)([^)]+\.(?:png|svg))\)", rf"]({base}/raw/main/\1)", text)
        text = re.sub(r"\]\((?!https?:|#)([^)]+)\)", rf"]({base}/blob/main/\1)", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
