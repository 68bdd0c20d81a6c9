"""A visitor without a browser: asks the app what a page asks it, and reads what comes, but paints nothing.

It speaks Streamlit's own messages (websocket, protobuf), and fetches what the lens and the slider of assumed noise
fetch. A browser that paints takes as much processor time as the server it asks; many of them on the server's machine
would measure each other.
"""

from __future__ import annotations

import asyncio
import json
import struct
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

_GAIN = "Sensor gain"  # the slider's label
_STEP, _MOST = 0.1, 16.0
_RESTED = 0.7  # seconds until a page asks for other assumed noise: ui/kernel_lens/loader.js


class Visitor:
    """A page of Explore at an address with a query; use it in `async with`.

    failures   sentences: what the page says of errors
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.failures: list[str] = []
        self._lens: tuple[str, bool, bool] | None = None  # what came last; has it kernels, has it all
        self._fetched = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._gain: tuple[str, float] | None = None  # the slider's id, and where it stands
        self._page = ""
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> Visitor:
        stream = urljoin(self.address.replace("http", "ws", 1), "/_stcore/stream")
        self._socket = await connect(stream, subprotocols=["streamlit"], max_size=None, compression=None)  # type: ignore[list-item]
        self._tasks["read"] = asyncio.create_task(self._read(self._socket))
        await self._ask()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._socket is not None:
            await self._socket.close()

    async def kernels(self) -> None:
        """Wait until the lens has kernels."""
        while self._lens is None or not self._lens[1]:
            await self._next()

    async def change(self) -> float:
        """Turn the gain up by one step; seconds until the new burst's pictures and kernels are here."""
        if self._gain is None or self._lens is None:
            raise ValueError(f"{self.address}: the page has no slider {_GAIN!r}, or no lens")
        slider, gain = self._gain
        self._gain = slider, round(min(gain + _STEP, _MOST), 1)
        before, begun = self._lens, time.monotonic()
        await self._ask()
        while self._lens == before or not self._lens[2]:
            await self._next()
        return time.monotonic() - begun

    async def _next(self) -> None:
        self._fetched.clear()
        await self._fetched.wait()

    async def _ask(self) -> None:
        message = BackMsg()
        state = message.rerun_script
        state.query_string = urlsplit(self.address).query
        state.page_script_hash = self._page
        if self._gain is not None:
            widget = state.widget_states.widgets.add()
            widget.id, value = self._gain
            widget.double_array_value.data.append(value)
        assert self._socket is not None
        await self._socket.send(message.SerializeToString())

    async def _read(self, socket: ClientConnection) -> None:
        async for data in socket:
            message = ForwardMsg()
            message.ParseFromString(data)  # type: ignore[arg-type]
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._page = message.new_session.page_script_hash
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._take(message.delta.new_element)

    def _take(self, element: Any) -> None:
        kind = element.WhichOneof("type")
        if kind == "slider" and element.slider.label == _GAIN and self._gain is None:
            self._gain = element.slider.id, element.slider.default[0]
        elif kind == "exception":
            self.failures.append(element.exception.message)
        elif kind == "bidi_component":
            component = element.bidi_component
            if component.component_name == "kpnviz.kernel_lens":
                order = _header(component.bytes)
                payload, assumed = order["payload"], order["assumed"]
                if self._lens is None or self._lens[0] != payload["id"]:
                    self._begin("lens", payload["id"], self._fetch_lens(payload))
                if assumed:
                    self._begin(
                        "assumed", assumed["burst"], self._fetch_assumed(assumed["addresses"].values())
                    )

    def _begin(self, what: str, name: str, work: Any) -> None:
        """Fetch this instead of what is being fetched, if that is another."""
        going = self._tasks.get(what)
        if going is not None:
            if going.get_name() == name:
                work.close()
                return
            going.cancel()
        self._tasks[what] = asyncio.create_task(work, name=name)

    async def _fetch_lens(self, payload: dict[str, str]) -> None:
        header = _header(await self._get(payload["address"]))
        has_kernels = any(method["kernels"] for method in header["methods"])
        has_all = all(panel["image"] is not None for panel in header["panels"])
        self._lens = payload["id"], has_kernels, has_all
        self._fetched.set()

    async def _fetch_assumed(self, addresses: Any) -> None:
        await asyncio.sleep(_RESTED)
        for address in addresses:
            await self._get(address)

    async def _get(self, path: str) -> bytes:
        parts = urlsplit(urljoin(self.address, path))
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.read()
            if int(head.split()[1]) != 200:
                self.failures.append(f"{parts.path}: {head.splitlines()[0].decode()}")
            return body
        finally:
            with suppress(OSError):
                writer.close()


def _header(data: bytes) -> dict[str, Any]:
    """The header before the rest of what a component is sent: lens.payload.with_header."""
    (length,) = struct.unpack_from("<I", data)
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    return header
