"""Parcels: large bytes for the browser, which fetches them itself instead of getting them in Streamlit's messages.

A message is hashed and serialized several times, waits in the server's memory for a browser that is slow, and holds up
what a person does next. A parcel goes to the browser from where it is kept, piece by piece, as fast as it is read. It
may be asked for while it is still being made; a browser that hangs up no longer wants it.

`routes` are part of the server that `kpnviz app` starts (asgi.py). Where there is another server, or something between
it and the browser does not let them through, what a page needs travels in messages.
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

Order = Callable[[], "Future[bytes]"]
"""Asks for what is to be made, again and again while somebody waits for it; one that is given up is begun anew."""

_SHARE = 1 / 4  # of what the app may keep
_PIECE = 2**18  # bytes
_ASK_EVERY = 1.0  # seconds
_ORDER_BYTES = 2**20  # about what an order holds: a burst

_secret = secrets.token_bytes(32)  # nobody can guess the address of another visitor's parcel
_lock = threading.Lock()
_served = False


class GivenUpError(Exception):
    """What an order's Future raises when nobody has asked for it for a while."""


def _size(contents: bytes | Order) -> int:
    return len(contents) if isinstance(contents, bytes) else _ORDER_BYTES


_offered: LRUCache[str, bytes | Order] = LRUCache(_SHARE * Limits.from_environment().cache_bytes, _size)


def offer(name: str, contents: bytes | Order) -> str | None:
    """The address of a parcel, relative to a page's; None where it cannot be fetched, but has to be sent.

    A name stands for the same contents for ever.
    """
    if not _served or _size(contents) > _offered.maxsize:
        return None
    token = hashlib.blake2b(name.encode(), key=_secret, digest_size=16).hexdigest()
    with _lock:
        _offered[token] = contents
    return f"parcels/{token}"


def routes(base: str) -> list[Route]:
    """What the server answers beside Streamlit's own; `base` is the path of the app, or ""."""
    global _served
    _served = True
    prefix = f"/{base.strip('/')}".rstrip("/")
    return [Route(f"{prefix}/parcels/{{token}}", _answer)]


async def _answer(request: Request) -> Response:
    with _lock:
        contents = _offered.get(request.path_params["token"])
    try:
        if callable(contents):
            contents = await _made(contents, request)
    except ValueError as error:  # it is too large
        return PlainTextResponse(str(error), 413)
    if contents is None:
        return PlainTextResponse("There is no such parcel.", 404)
    headers = {
        "Content-Length": str(len(contents)),
        "Content-Encoding": "identity",  # not compressed: that would take longer than sending it
        "Cache-Control": "no-store",
    }
    return StreamingResponse(_pieces(contents), media_type="application/octet-stream", headers=headers)


async def _made(order: Order, request: Request) -> bytes | None:
    """What was ordered, once it is there; None when nobody waits for it any more."""
    while not await request.is_disconnected():
        made = order()
        waited = asyncio.wrap_future(made)
        # Whoever hangs up looks at no exception; asyncio would write of each that nobody did.
        waited.add_done_callback(asyncio.Future.exception)
        await asyncio.wait([waited], timeout=_ASK_EVERY)
        if made.done() and not isinstance(made.exception(), GivenUpError):
            return made.result()
    return None


async def _pieces(contents: bytes) -> AsyncIterator[memoryview]:
    whole = memoryview(contents)
    for start in range(0, len(whole), _PIECE):
        # Here the server may hear that the browser has hung up; else all the rest is written to nobody, and asyncio
        # logs each piece.
        await asyncio.sleep(0)
        yield whole[start : start + _PIECE]
