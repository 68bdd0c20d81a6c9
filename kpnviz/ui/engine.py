"""The engine of the site without a server, for the app's lens: networks that predict in the visitor's browser.

In *What if* they see a frame that a visitor moves, without a request for each move. The lens fetches engine and weights
when it is first asked to, and browsers keep them: later they only ask whether they are still those.
"""

from __future__ import annotations

import hashlib
from functools import cache

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kpnviz.lens.linker import linked
from kpnviz.models.checkpoints import available, folder
from kpnviz.site.building import SCRIPTS
from kpnviz.site.compiling import BUILDS, FOLDER

_TYPES = {"js": "text/javascript", "wasm": "application/wasm", "json": "application/json"}


def routes(base: str) -> list[Route]:
    """The route of the engine's files, at their paths in the site; `base` is the path of the app, or ""."""
    prefix = f"/{base.strip('/')}".rstrip("/")
    return [Route(f"{prefix}/engine/{{path:path}}", _answer)]


async def _answer(request: Request) -> Response:
    contents = await run_in_threadpool(_contents, request.path_params["path"])
    if contents is None:
        return PlainTextResponse("There is no such file.", 404)
    tag = f'"{hashlib.blake2b(contents, digest_size=16).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}  # kept, and asked for again with the tag
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    kind = _TYPES.get(request.path_params["path"].rpartition(".")[2], "application/octet-stream")
    return Response(contents, media_type=kind, headers=headers)


def _contents(path: str) -> bytes | None:
    """A file of the engine, or of a network that is here; None where there is none at that path."""
    if path == "worker.js":
        return _worker()
    if path in BUILDS:
        return (FOLDER / path).read_bytes()
    name, _, ending = path.removeprefix("models/").rpartition(".")
    if path.startswith("models/") and ending in ("json", "safetensors") and name in available():
        return (folder() / f"{name}.{ending}").read_bytes()
    return None


@cache
def _worker() -> bytes:
    return linked(SCRIPTS / "worker.js").encode()
