"""The scene picker: thumbnails of the gallery, and the chosen photo with its crop to be dragged."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image

from kpnviz.burst import BurstRecipe
from kpnviz.color import displayed
from kpnviz.photos import gallery, photo_path, read_scene
from kpnviz.ui.component import component

_FOLDER = Path(__file__).parent
_THUMBNAIL = 72

Scene = tuple[str, int, int]
"""Photo, and the top and left of the crop in pixels of the reduced photo."""


def _data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


@st.cache_data(max_entries=1, show_spinner=False)
def _thumbnails() -> list[dict[str, str]]:
    thumbnails = []
    for name in gallery():
        with Image.open(photo_path(name)) as image:
            small = image.convert("RGB").reduce(max(1, min(image.size) // _THUMBNAIL))
        thumbnails.append({"name": name, "url": _data_url(small)})
    return thumbnails


@st.cache_data(max_entries=32, show_spinner=False)
def _preview(photo: str, reduction: int, color: bool) -> str:
    encoded = displayed(read_scene(photo, reduction, color))
    return _data_url(Image.fromarray(np.round(255 * encoded).astype(np.uint8)))


def scene_picker(recipe: BurstRecipe, key: str, on_change: Callable[[], None]) -> None:
    """Show the photo and the square crop of a recipe; a new choice is `chosen(key)` in `on_change`."""
    if recipe.crop is None:
        raise ValueError("crop is None; the scene picker moves a crop")
    height, width = read_scene(recipe.photo, recipe.reduction).shape
    top, left, size, _ = recipe.crop
    component(_FOLDER, "picker")(
        data={
            "photos": _thumbnails(),
            "photo": recipe.photo,
            "preview": _preview(recipe.photo, recipe.reduction, recipe.color),
            "height": height,
            "width": width,
            "crop": [top, left, size],
        },
        key=key,
        on_scene_change=on_change,
    )


def chosen(key: str) -> Scene | None:
    """What was chosen last in the picker `key`, or None."""
    scene = (st.session_state.get(key) or {}).get("scene")
    if not isinstance(scene, dict) or scene.get("photo") not in gallery():
        return None
    return scene["photo"], int(scene["top"]), int(scene["left"])
