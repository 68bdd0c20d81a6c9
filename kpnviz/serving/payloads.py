"""Payloads: large bytes that the browser fetches from an address, and not within Streamlit's messages.

Streamlit hashes and serializes a message several times, keeps it in the server's memory while a slow browser reads it,
and sends nothing else meanwhile. A payload is streamed from where it is cached, as fast as the browser reads it. It may
be requested while it is still being computed; when the browser hangs up, the request ends.

`routes` belong to the server that `kpnviz app` starts (asgi.py). On another server, or where a proxy does not let these
requests through, pages send the same bytes in messages.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future

from cachetools import LRUCache
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from kpnviz.limits import Limits

Pending = Callable[[], "Future[bytes]"]
"""Requests what is still to be computed. It is called again and again while a browser waits; what was abandoned is then
started again."""

_SHARE = 1 / 4  # of the bytes that the app may cache
_CHUNK = 2**18  # bytes
_REQUEST_EVERY = 1.0  # seconds
_PENDING_BYTES = 2**20  # about what a Pending holds: a burst

_secret = secrets.token_bytes(32)  # without it nobody can guess the address of another visitor's payload
_lock = threading.Lock()
_served = False


class AbandonedError(Exception):
    """The exception of a Pending's Future that nobody has requested for a while."""


def _size(contents: bytes | Pending) -> int:
    return len(contents) if isinstance(contents, bytes) else _PENDING_BYTES


_offered: LRUCache[str, bytes | Pending] = LRUCache(_SHARE * Limits.from_environment().cache_bytes, _size)


def offer(name: str, contents: bytes | Pending) -> str | None:
    """The address of a payload, relative to a page's; None where it cannot be fetched and has to be sent in a message.

    A name always stands for the same contents.
    """
    if not _served or _size(contents) > _offered.maxsize:
        return None
    token = hashlib.blake2b(name.encode(), key=_secret, digest_size=16).hexdigest()
    with _lock:
        _offered[token] = contents
    return f"payloads/{token}"


def routes(base: str) -> list[Route]:
    """The route of all payloads; `base` is the path of the app, or ""."""
    global _served
    _served = True
    prefix = f"/{base.strip('/')}".rstrip("/")
    return [Route(f"{prefix}/payloads/{{token}}", _answer)]


async def _answer(request: Request) -> Response:
    with _lock:
        contents = _offered.get(request.path_params["token"])
    try:
        if callable(contents):
            contents = await _result(contents, request)
    except ValueError as error:  # it is too large
        return PlainTextResponse(str(error), 413)
    if contents is None:
        return PlainTextResponse("There is no such payload.", 404)
    headers = {
        "Content-Length": str(len(contents)),
        "Content-Encoding": "identity",  # compressing takes longer than sending
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_chunks(contents), media_type="application/octet-stream", headers=headers)


async def _result(pending: Pending, request: Request) -> bytes | None:
    """The contents, once they are computed; None when the browser has hung up."""
    while not await request.is_disconnected():
        result = pending()
        waited = asyncio.wrap_future(result)
        # asyncio logs an exception that nobody has looked at, as when the browser hangs up.
        waited.add_done_callback(asyncio.Future.exception)
        await asyncio.wait([waited], timeout=_REQUEST_EVERY)
        if result.done() and not isinstance(result.exception(), AbandonedError):
            return result.result()
    return None


async def _chunks(contents: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(contents)
    for start in range(0, len(view), _CHUNK):
        # Lets the server see that the browser has hung up: it would write the rest to a closed socket, and asyncio
        # would log every chunk.
        await asyncio.sleep(0)
        yield view[start : start + _CHUNK]
