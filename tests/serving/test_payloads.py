"""What lenses fetch: payloads, over a real connection."""

import gc
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import Future

import pytest
import uvicorn
from starlette.applications import Starlette

from kpnviz.serving import payloads
from kpnviz.serving.payloads import AbandonedError

PATIENCE = 20  # seconds


@pytest.fixture(autouse=True)
def unserved(monkeypatch):
    """Nothing has been offered, and no server is there."""
    monkeypatch.setattr(payloads, "_served", False)
    yield
    payloads._offered.clear()


@pytest.fixture
def server(unserved):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    application = Starlette(routes=payloads.routes("/kernels/"))
    running = uvicorn.Server(uvicorn.Config(application, "127.0.0.1", port, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not running.started and time.monotonic() < deadline:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/kernels"
    running.should_exit = True
    thread.join(PATIENCE)


def get(address):
    request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read(), answer.headers


def refused(address):
    with pytest.raises(urllib.error.HTTPError) as failure:
        get(address)
    return failure.value.code, failure.value.read().decode()


def test_nothing_is_offered_where_no_server_answers():
    assert payloads.offer("one", b"contents") is None


def test_a_payload_comes_whole_and_as_it_is(server):
    contents = bytes(range(256)) * 5000  # more than one piece, and one that is not full
    address = payloads.offer("one", contents)
    found, headers = get(f"{server}/{address}")
    assert found == contents
    assert headers["Content-Length"] == str(len(contents)) and headers["Cache-Control"] == "no-store"
    assert payloads.offer("one", contents) == address


def test_addresses_cannot_be_guessed(server, monkeypatch):
    one, other = payloads.offer("one", b"1"), payloads.offer("two", b"2")
    assert one != other and "one" not in one
    assert get(f"{server}/{other}")[0] == b"2"
    assert len(one.removeprefix("payloads/")) == 32  # 128 bits
    monkeypatch.setattr(payloads, "_secret", b"of another server" * 2)
    assert payloads.offer("one", b"1") != one
    code, sentence = refused(f"{server}/payloads/{'0' * 32}")
    assert (code, sentence) == (404, "There is no such payload.")


def test_what_does_not_fit_is_not_offered(server, monkeypatch):
    monkeypatch.setattr(payloads, "_offered", payloads.LRUCache(100, payloads._size))
    assert payloads.offer("large", bytes(101)) is None
    first, second = payloads.offer("first", bytes(60)), payloads.offer("second", bytes(60))
    assert refused(f"{server}/{first}")[0] == 404  # there is no room for both
    assert get(f"{server}/{second}")[0] == bytes(60)


def test_what_is_still_being_made_is_waited_for(server, monkeypatch):
    """One that was given up meanwhile is ordered anew."""
    monkeypatch.setattr(payloads, "_REQUEST_EVERY", 0.05)
    given_up, made = Future(), Future()
    orders = [given_up] * 3 + [made] * 1000
    address = payloads.offer("one", lambda: orders.pop(0))
    threading.Timer(0.3, given_up.set_exception, [AbandonedError()]).start()
    threading.Timer(0.6, made.set_result, [b"at last"]).start()
    assert get(f"{server}/{address}")[0] == b"at last"
    assert 5 < 1003 - len(orders) < 100


def test_what_is_too_large_is_said(server):
    failed = Future()
    failed.set_exception(ValueError("these pictures are 60 MB"))
    address = payloads.offer("one", lambda: failed)
    assert refused(f"{server}/{address}") == (413, "these pictures are 60 MB")


def test_nobody_asks_for_it_when_the_browser_has_hung_up(server, monkeypatch):
    monkeypatch.setattr(payloads, "_REQUEST_EVERY", 0.05)
    asked = []

    def order():
        asked.append(time.monotonic())
        return Future()

    address = payloads.offer("one", order)
    host, port = server.removeprefix("http://").removesuffix("/kernels").split(":")
    with socket.create_connection((host, int(port))) as browser:
        browser.sendall(f"GET /kernels/{address} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        deadline = time.monotonic() + PATIENCE
        while len(asked) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert len(asked) >= 3
    time.sleep(1)  # far longer than until the next time it would ask
    before = len(asked)
    time.sleep(1)
    assert len(asked) == before


def test_nothing_is_written_of_what_was_given_up_when_nobody_waits(server, monkeypatch, caplog):
    monkeypatch.setattr(payloads, "_REQUEST_EVERY", 0.05)
    orders = [Future()]
    address = payloads.offer("one", lambda: orders[0])
    host, port = server.removeprefix("http://").removesuffix("/kernels").split(":")
    with socket.create_connection((host, int(port))) as browser:
        browser.sendall(f"GET /kernels/{address} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        time.sleep(0.5)
    time.sleep(0.5)
    orders[0].set_exception(AbandonedError())
    time.sleep(0.2)
    payloads._offered.clear()
    orders.clear()  # with them goes what was waited for
    gc.collect()
    time.sleep(0.2)
    assert "never retrieved" not in caplog.text


def test_a_download_that_is_broken_off_is_not_written_to_the_end(server, monkeypatch, caplog):
    """asyncio logs every further write: 8,500 lines "socket.send() raised exception" were seen."""
    sent, pieces = [], payloads._chunks

    async def counted(contents):
        async for piece in pieces(contents):
            sent.append(len(piece))
            yield piece

    monkeypatch.setattr(payloads, "_chunks", counted)
    address = payloads.offer("one", bytes(40_000_000))
    host, port = server.removeprefix("http://").removesuffix("/kernels").split(":")
    for _ in range(3):
        sent.clear()
        with socket.create_connection((host, int(port))) as browser:
            browser.sendall(f"GET /kernels/{address} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            browser.recv(2**20)
            # It is closed with what has not been read: the other side learns that at its next write.
            browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.5)
        assert sum(sent) < 20_000_000
    assert "socket.send() raised exception" not in caplog.text
