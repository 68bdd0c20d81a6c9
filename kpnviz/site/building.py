"""Writes the site: a folder that any web server can serve, or one file that opens without any."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import html
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

import kpnviz
from kpnviz.capture import kernel_file
from kpnviz.evaluation.results import Results, read_results, results_path
from kpnviz.lens.document import STYLE
from kpnviz.lens.linker import linked
from kpnviz.lens.scene import scene
from kpnviz.lens.texts import examples
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.lens.texts.numbers import numbers
from kpnviz.lens.texts.pages import FAR
from kpnviz.models.checkpoints import folder as checkpoint_folder
from kpnviz.models.checkpoints import load_network, read_card
from kpnviz.models.kpn import ModelConfig
from kpnviz.models.zoo import title_of
from kpnviz.paths import write_atomically
from kpnviz.photos import photo_path
from kpnviz.site import compiling
from kpnviz.site.texts import page_texts, results_texts, texts

SCRIPTS, HTML = (Path(__file__).parent / name for name in ("scripts", "pages"))

PAGES = {
    "explore": "Explore",
    "kernels": "Explore",
    "noise": "Noise",
    "sizes": "Sizes",
    "results": "Results",
    "learn": "Learn",
    "your_burst": "Your photo",
    "your_kernels": "Your kernels",
}
"""Path of each page, as in the app, and its title; what the app has beyond them is said there."""

WORKERS = {"worker.js": "worker.js", "background.js": "background_worker.js"}
"""Scripts that run in workers, by the files of the site: one network each, and all else that takes long."""

REPOSITORY: str = scene()["source"]

_POLICY = (
    "default-src 'none'; script-src {scripts} 'wasm-unsafe-eval'; worker-src blob:; connect-src {files}; "
    "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""What the browser lets the page do: its own scripts, its own files, no other address."""


def site_files(models: Sequence[str], photos: Sequence[str], offer: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a site, by their paths in it.

    models, photos   names of networks that have a checkpoint, and of photos of the gallery
    offer            what the controls offer, as scripts/parameters.js has it: all but models and photos

    ValueError where there is no such network or photo, or the engine in this installation is not that of its source.
    """
    files = _contents(models, photos, offer)
    script = linked(SCRIPTS / "site.js").encode()
    offered = _offer(models, photos, offer)
    known = {
        name: (len(data), hashlib.sha256(data).hexdigest()[:16])
        for name, data in files.items()
        if not name.startswith("models/")  # a network's card has its hash
    }
    pages = {}
    for name, title in PAGES.items():
        # A folder for each: the app's addresses, such as noise?v=2&..., lead there on any web server.
        root, folder = ("./", "") if name == "explore" else ("../", f"{name}/")
        # Not the script of an older site that a browser has kept.
        address = f"{root}site.js?{hashlib.sha256(script).hexdigest()[:16]}"
        page = _page(offered, address, "'self'", "'self'", root=root, title=title, known=known)
        pages[f"{folder}index.html"] = page.encode()
    return pages | files | {"site.js": script}


def write_site(out: Path, files: Mapping[str, bytes]) -> int:
    """Write the files into a folder, which is made; files that are there are replaced, others stay. Their size."""
    for name, data in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    return sum(map(len, files.values()))


def single_page(models: Sequence[str], photos: Sequence[str], offer: Mapping[str, Any]) -> str:
    """The same as one HTML file, which opens offline; arguments as of :func:`site_files`."""
    files = _contents(models, photos, offer)
    del files["LICENSE.txt"]
    script = linked(SCRIPTS / "site.js")
    inside = "".join(
        f'<script type="text/plain" data-file="{html.escape(name)}">{_packed(data)}</script>'
        for name, data in files.items()
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _page(
        _offer(models, photos, offer),
        script,
        f"'sha256-{digest}'",
        "'none'",
        inside,
    )


def _contents(models: Sequence[str], photos: Sequence[str], offer: Mapping[str, Any]) -> dict[str, bytes]:
    """Engine, workers, networks, photos, also those that moving objects are cut out of, and their licenses."""
    if not compiling.up_to_date():
        raise ValueError(
            "the engine is not that of its source, kpnviz/site/engine: run python -m kpnviz.site"
        )
    files = {name: (compiling.FOLDER / name).read_bytes() for name in compiling.BUILDS}
    files |= {name: linked(SCRIPTS / script).encode() for name, script in WORKERS.items()}
    for name in models:
        load_network(name)  # it refuses what is damaged, and says why
        for suffix in (".json", ".safetensors"):
            files[f"models/{name}{suffix}"] = (checkpoint_folder() / f"{name}{suffix}").read_bytes()
    more = (offer["moving"][photo]["photo"] for photo in photos)
    for name in dict.fromkeys((*photos, *more, *(_scene_photos() if _has_scene(models) else ()))):
        files[f"photos/{name}.webp"] = _photo(name)
    results = _results()
    files["texts.json"] = json.dumps(texts(results)).encode()
    files["results.json"] = json.dumps(_finite(results_texts(results))).encode()
    if results.rows:
        files["results.csv"] = results_path().read_bytes()
    files["LICENSE.txt"] = _LICENSES.encode()
    return files


@functools.cache
def _photo(name: str) -> bytes:
    """A photo of the gallery as lossless WebP, which takes a fifth less than PNG."""
    buffer = io.BytesIO()
    with Image.open(photo_path(name)) as photo:
        photo.convert("RGB").save(buffer, "WEBP", lossless=True, method=4, quality=75)
    return buffer.getvalue()


def _results() -> Results:
    """What results.csv holds; no rows where there is none, or it cannot be read."""
    try:
        return read_results()
    except (OSError, ValueError):
        return Results({}, [])


def _finite(value: Any) -> Any:
    """The same with None for numbers that are not finite, which JSON has not."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _has_scene(models: Sequence[str]) -> bool:
    """Whether the networks of the guided scene are there."""
    return set(scene()["networks"].values()) <= set(models)


def _scene_photos() -> tuple[str, str]:
    burst = scene()["burst"]
    return burst["photo"], burst["ball"]["photo"]


_LICENSES = """The code and the networks of this site: MIT license, the kpnviz authors.
The photos: GB82 image set, https://github.com/gianni-rosato/gb82-image-set, CC0 1.0.
"""


def _offer(models: Sequence[str], photos: Sequence[str], offer: Mapping[str, Any]) -> dict[str, Any]:
    if not models:
        raise ValueError("models names none; a site has one network or more")
    if not photos:
        raise ValueError("photos names none; a site has one photo or more")
    shown = [name for name in offer["methods"] if name in models] or list(models)[: offer["most_methods"]]
    configs = {name: ModelConfig.from_dict(read_card(name)["config"]) for name in models}
    return {
        **offer,
        "photos": list(photos),
        "moving": {photo: offer["moving"][photo] for photo in photos},
        "models": [
            {"name": name, "title": title_of(name), "config": configs[name].to_dict()} for name in models
        ],
        "methods": shown,
        "sized": [name for name in offer["sized"] if name in models],
        "lessons": len(LESSONS),
        "texts": page_texts(offer["matrix"]["gains"]),
        "far": FAR,
        "numbers": [
            {"text": html.escape(number.text), "says": html.escape(number.says), **_seen(number.burst)}
            for number in numbers(_results())
            if number.burst.scene.get("photo", "dog") in photos
        ],
        "examples": [one for one in examples.as_json() if one["scene"].get("photo", "dog") in photos],
        "scene": _has_scene(models),
        "installation": f"{REPOSITORY}#readme",
        "kernel_keys": kernel_file.KEYS,
    }


def _seen(burst: examples.Example) -> dict[str, Any]:
    """How it is shown, without its texts."""
    return {name: getattr(burst, name) for name in ("pixel", "scene", "methods", "display")}


def _page(
    offer: Mapping[str, Any],
    script: str,
    scripts: str,
    files: str,
    inside: str = "",
    root: str = "./",
    title: str = "Explore",
    known: Mapping[str, tuple[int, str]] | None = None,
) -> str:
    """The page; `script` is the address of its script, or the script itself where `inside` holds all files.

    known   bytes and hash of the files that come with the page, which it checks
    """
    policy = _POLICY.format(scripts=scripts, files=files)
    data = json.dumps(offer).replace("<", "\\u003c")
    code = (
        f'<script type="module">{script}</script>'
        if inside
        else f'<script type="module" src="{script}"></script>'
    )
    parts = {
        "policy": html.escape(policy, quote=True),
        "style": STYLE + (HTML / "site.css").read_text(encoding="utf-8"),
        "version": kpnviz.__version__,
        "repository": html.escape(REPOSITORY),
        "root": root,
        "files": html.escape(json.dumps(known or {}), quote=True),
        "title": title,
        "offer": data,
        "inside": inside,
        "code": code,
    }
    page = (HTML / "site.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
