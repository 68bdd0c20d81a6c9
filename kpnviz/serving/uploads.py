"""Uploaded files, which Streamlit would keep in memory without a limit in total, for as long as a session lasts.

A page asks for an address, at which one file is taken if there is room for it before its first byte comes: for its
session, and for the server. To make room, files that a page has already read are dropped; where that is not enough the
file is refused, and the page says so when it wants to read it. After MAX_AGE every file is dropped.

What `st.file_uploader` gives a page are empty files with names. Their contents are here alone (`contents_of`), so that
dropping them frees their memory whatever else a session refers to.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.stats import Stat
from streamlit.runtime.uploaded_file_manager import UploadedFileManager, UploadedFileRec, UploadFileUrlInfo

from kpnviz.limits import FileError, Limits
from kpnviz.text import visible

MAX_AGE = 30 * 60.0
"""Seconds after which an uploaded file is dropped, and within which it must have arrived."""

MAX_IDLE = 30.0
"""Seconds without a byte after which an upload ends: it takes room from others."""

_ENVELOPE = 2**20  # bytes around a file, in which a browser sends it
_MAX_ADDRESSES = 1000  # that a session may have; a burst has up to 32 files

_ADDRESS = "_stcore/upload_file"


@dataclass(eq=False)
class _File:
    """A file that a page asked for.

    size      bytes that it has, or was said to have while it arrives; they count
    data      None: it is arriving, was never sent, or was dropped; then `refused` says why
    was_read  a page has read it and does not need it any more: it is dropped first
    """

    name: str
    kind: str = ""
    size: int = 0
    data: bytes | None = None
    refused: str = ""
    since: float = 0.0
    arriving: bool = False
    was_read: bool = False


class Uploads(UploadedFileManager):
    """The uploaded files of all sessions; safe to use from many threads."""

    def __init__(
        self,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
        address: str = _ADDRESS,
    ) -> None:
        limits = limits or Limits.from_environment()
        self.max_bytes = limits.upload_bytes
        self._together = limits.total_bytes
        self.max_bytes_of_one = min(self._together + _ENVELOPE, self.max_bytes)
        self._clock, self._address = clock, address
        self._files: dict[str, dict[str, _File]] = {}
        # Removed before their transfer has ended: they take memory, so they count, until it has. By session and file.
        self._removed: dict[tuple[str, str], _File] = {}
        self._lock = threading.RLock()

    # --- What Streamlit asks for ---

    @property
    def stats_families(self) -> Sequence[str]:
        return ()

    def get_stats(self, family_names: Sequence[str] | None = None) -> Mapping[str, Sequence[Stat]]:
        return {}

    def get_upload_urls(self, session_id: str, file_names: Sequence[str]) -> list[UploadFileUrlInfo]:
        """Addresses that nobody can guess, for files that a page is about to send."""
        with self._lock:
            files = self._files.setdefault(session_id, {})
            too_many = max(len(files) + len(file_names) - _MAX_ADDRESSES, 0)
            for file_id in [file_id for file_id, file in files.items() if not file.arriving][:too_many]:
                del files[file_id]
            found = []
            for name in file_names[: _MAX_ADDRESSES - len(files)]:
                file_id = secrets.token_hex(16)
                files[file_id] = _File(visible(name))
                address = f"/{self._address}/{session_id}/{file_id}"
                found.append(UploadFileUrlInfo(file_id, address, address))
            return found

    def add_file(self, session_id: str, file: UploadedFileRec) -> None:
        with self._lock:
            known = self._files.get(session_id, {}).get(file.file_id)
            if known is not None:  # else it was dropped while it arrived
                known.name, known.kind = file.name, file.type
                known.data, known.size, known.since = file.data, len(file.data), self._clock()

    def get_files(self, session_id: str, file_ids: Sequence[str]) -> list[UploadedFileRec]:
        with self._lock:
            files = self._files.get(session_id, {})
            known = {file_id: files[file_id] for file_id in file_ids if file_id in files}
            return [UploadedFileRec(file_id, file.name, file.kind, b"") for file_id, file in known.items()]

    def remove_file(self, session_id: str, file_id: str) -> None:
        with self._lock:
            file = self._files.get(session_id, {}).pop(file_id, None)
            if file is not None and file.arriving:
                self._removed[session_id, file_id] = file

    def remove_session_files(self, session_id: str) -> None:
        with self._lock:
            for file_id in list(self._files.get(session_id, {})):
                self.remove_file(session_id, file_id)
            self._files.pop(session_id, None)

    # --- What pages ask for ---

    def contents(self, session_id: str, file_id: str, name: str) -> bytes:
        """What was uploaded; FileError, a sentence, if it was refused or dropped."""
        with self._lock:
            file = self._files.get(session_id, {}).get(file_id)
            if file is None:
                raise FileError(f"{visible(name)} is gone; drop it once more")
            if file.data is None:
                raise FileError(file.refused or f"{file.name} has not arrived")
            return file.data

    def read(self, session_id: str, file_ids: Iterable[str]) -> None:
        """Say that a page has read them: they are dropped first."""
        with self._lock:
            for file_id in file_ids:
                if (file := self._files.get(session_id, {}).get(file_id)) is not None:
                    file.was_read = True

    # --- What the server asks for ---

    @property
    def held(self) -> int:
        """Bytes of all files, those that arrive included."""
        with self._lock:
            return sum(file.size for file in self._all())

    def begin(self, session_id: str, file_id: str, size: int) -> bool:
        """Make room for a file of so many bytes: whether it may be sent. LookupError if no page asked for it."""
        with self._lock:
            file = self._files.get(session_id, {}).get(file_id)
            if file is None or file.arriving or file.data is not None:
                raise LookupError(file_id)
            self.drop_old()
            mine, everyones = (self.max_bytes_of_one, session_id), (self.max_bytes, None)
            for limit, whose in (mine, everyones):
                if not self._made_room(size, limit, whose):
                    why = (
                        f"your uploads would have more than {self._together / 1e6:g} MB together"
                        if whose
                        else f"the server holds all the uploads that it can, {self.max_bytes / 1e6:g} MB; try again in "
                        "some minutes"
                    )
                    file.refused = f"{file.name} was not taken: {why}"
                    return False
            file.size, file.since, file.arriving, file.refused = size, self._clock(), True, ""
            return True

    def end(self, session_id: str, file_id: str) -> None:
        """A file has arrived, or will not any more."""
        with self._lock:
            self._removed.pop((session_id, file_id), None)
            file = self._files.get(session_id, {}).get(file_id)
            if file is not None:
                file.arriving = False
                if file.data is None:
                    file.size = 0

    def drop_old(self) -> None:
        with self._lock:
            for file in self._all():
                if file.data is not None and self._clock() - file.since > MAX_AGE:
                    self._drop(file, f"{MAX_AGE / 60:g} minutes after it came")

    def _all(self, session_id: str | None = None) -> Iterator[_File]:
        sessions = self._files.values() if session_id is None else [self._files.get(session_id, {})]
        yield from (file for files in sessions for file in files.values())
        yield from (file for (owner, _), file in self._removed.items() if session_id in (None, owner))

    def _made_room(self, size: int, limit: int, session_id: str | None) -> bool:
        """Whether so many bytes more fit into `limit`, once the oldest of those that were read are dropped."""
        free = limit - size - sum(file.size for file in self._all(session_id))
        old = [file for file in self._all(session_id) if file.was_read and file.data is not None]
        old.sort(key=lambda file: file.since)
        if free + sum(file.size for file in old) < 0:
            return False
        for file in old:
            if free >= 0:
                break
            free += file.size
            self._drop(file, "for newer ones")
        return True

    @staticmethod
    def _drop(file: _File, why: str) -> None:
        file.data, file.size = None, 0
        file.refused = f"{file.name} was let go {why}; drop it once more"


def contents_of(file: Any) -> bytes:
    """What is in a file of `st.file_uploader`; FileError, a sentence, if it was refused or dropped."""
    manager, session_id = _here()
    if isinstance(manager, Uploads):
        return manager.contents(session_id, file.file_id, file.name)
    return bytes(file.getvalue())  # of Streamlit's own manager, elsewhere; getbuffer() would copy it


def were_read(files: Iterable[Any]) -> None:
    """Say that a page has read files of `st.file_uploader` and does not need them any more."""
    manager, session_id = _here()
    if isinstance(manager, Uploads):
        manager.read(session_id, [file.file_id for file in files])


def drop_all() -> None:
    """Drop all that this session has uploaded."""
    manager, session_id = _here()
    if manager is not None:
        manager.remove_session_files(session_id)


def _here() -> tuple[UploadedFileManager | None, str]:
    context = get_script_run_ctx(suppress_warning=True)
    return (context.uploaded_file_mgr, context.session_id) if context else (None, "")


def _ending_when_idle(receive: Receive) -> Receive:
    """`receive`, with TimeoutError after MAX_IDLE seconds without a byte of the request."""
    complete = False

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:  # nothing more is due: who asks again waits for the browser to disconnect
            return await receive()
        async with asyncio.timeout(MAX_IDLE):
            while True:
                message = await receive()
                complete = not message.get("more_body", False)
                if complete or message.get("body"):
                    return message

    return receive_in_time


class UploadGate:
    """In front of Streamlit, which reads an upload before it asks whether it may: asks `uploads` first."""

    def __init__(self, app: ASGIApp, uploads: Uploads, base: str = "") -> None:
        prefix = re.escape(f"/{base.strip('/')}".rstrip("/"))
        self._app, self._uploads = app, uploads
        self._path = re.compile(rf"{prefix}/{_ADDRESS}/([^/]+)/([^/]+)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and scope["method"] == "PUT":
            found = self._path.fullmatch(scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        receive = _ending_when_idle(receive)
        request = Request(scope, receive)
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or "transfer-encoding" in request.headers:
            await PlainTextResponse("Say how long the file is.", 411)(scope, receive, send)
            return
        session_id, file_id = found.groups()
        try:
            taken = self._uploads.begin(session_id, file_id, int(length))
        except LookupError:
            await PlainTextResponse("No page asked for this file.", 403)(scope, receive, send)
            return
        try:
            async with asyncio.timeout(MAX_AGE):
                if taken:
                    await self._app(scope, receive, send)
                else:
                    # The browser is told that all is well, so that it runs the page, which will say what is not. It
                    # listens when it has sent all.
                    async for _ in request.stream():
                        pass
                    await Response(status_code=204)(scope, receive, send)
        except (TimeoutError, ClientDisconnect):
            pass
        finally:
            if taken:
                self._uploads.end(session_id, file_id)
