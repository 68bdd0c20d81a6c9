"""Files that visitors send: what is taken, what is refused, and what is let go when."""

import asyncio
import threading

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec
from streamlit.web.server.starlette import starlette_routes

from kpnviz.limits import FileError, Limits
from kpnviz.serving import uploads as module
from kpnviz.serving.uploads import MAX_AGE, MAX_IDLE, UploadGate, Uploads, contents_of, drop_all, were_read

MB = 10**6


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def uploads(clock):
    """40 MB for a session, 100 MB for all."""
    return Uploads(Limits(total_bytes=40 * MB, upload_bytes=100 * MB), clock)


def asked(uploads, session, name="a.png"):
    return uploads.get_upload_urls(session, [name])[0].file_id


def sent(uploads, session, size=None, name="a.png", data=None):
    """A file on its way through Streamlit: (its id, whether it was taken)."""
    data = bytes(size) if data is None else data
    file_id = asked(uploads, session, name)
    taken = uploads.begin(session, file_id, len(data))
    if taken:
        uploads.add_file(session, UploadedFileRec(file_id, name, "image/png", data))
        uploads.end(session, file_id)
    return file_id, taken


def test_what_was_sent_is_there_until_it_is_removed(uploads):
    (one, _), (two, _) = sent(uploads, "A", data=b"one"), sent(uploads, "A", data=b"two", name="b.png")
    assert [uploads.contents("A", file_id, "") for file_id in (one, two)] == [b"one", b"two"]
    # What a page is given has no contents: nothing of them is kept elsewhere.
    assert [(file.name, file.data) for file in uploads.get_files("A", [two, "unknown", one])] == [
        ("b.png", b""),
        ("a.png", b""),
    ]
    assert uploads.get_files("B", [one]) == [] and uploads.held == 6
    uploads.remove_file("A", one)
    with pytest.raises(FileError, match="^a.png is gone; drop it once more$"):
        uploads.contents("A", one, "a.png")
    with pytest.raises(FileError):
        uploads.contents("B", two, "b.png")  # it is another session's
    uploads.remove_session_files("A")
    uploads.remove_session_files("nobody")
    assert uploads.held == 0


def test_a_file_is_taken_once_and_where_a_page_asked_for_it(uploads):
    file_id = asked(uploads, "A")
    for session, wrong in (("B", file_id), ("A", file_id[:-1]), ("A", "")):
        with pytest.raises(LookupError):
            uploads.begin(session, wrong, 1)
    assert uploads.begin("A", file_id, 1)
    with pytest.raises(LookupError):
        uploads.begin("A", file_id, 1)
    # Who asks for more and more addresses has the last thousand of them.
    uploads.get_upload_urls("A", ["a"] * 5000)
    uploads.get_upload_urls("A", ["b"])
    assert len(uploads._files["A"]) == 1000


def test_a_session_and_the_server_have_a_total(uploads):
    assert sent(uploads, "A", 30 * MB)[1]
    late, taken = sent(uploads, "A", 20 * MB, name="late.png")
    assert not taken
    with pytest.raises(FileError, match="^late.png was not taken: your uploads .* more than 40 MB together$"):
        uploads.contents("A", late, "late.png")
    assert sent(uploads, "B", 30 * MB)[1]
    # What is on its way counts as what has arrived, and no more when it was broken off.
    arriving = asked(uploads, "C")
    assert uploads.begin("C", arriving, 30 * MB)
    one_more, taken = sent(uploads, "D", 20 * MB, name="d.png")
    assert not taken and uploads.held == 90 * MB
    with pytest.raises(FileError, match="d.png was not taken: the server holds .* 100 MB; try again"):
        uploads.contents("D", one_more, "d.png")
    uploads.end("C", arriving)
    assert sent(uploads, "D", 20 * MB)[1] and uploads.held == 80 * MB


def remove_the_file(uploads, file_id):
    uploads.remove_file("A", file_id)


def end_the_session(uploads, file_id):
    uploads.remove_session_files("A")


def ask_for_a_thousand_more(uploads, file_id):
    assert len(uploads.get_upload_urls("A", ["more.png"] * 1000)) > 900


@pytest.mark.parametrize("remove", [remove_the_file, end_the_session, ask_for_a_thousand_more])
def test_a_file_counts_while_it_arrives_even_if_it_was_removed(uploads, remove):
    """One session had 1,796 MB on their way at once: it deleted each file before its last bytes."""
    arriving = []
    for _ in range(20):
        file_id = asked(uploads, "A")
        if uploads.begin("A", file_id, 10 * MB):
            arriving.append(file_id)
            remove(uploads, file_id)
    assert len(arriving) == 4 and uploads.held == 40 * MB
    for file_id in arriving:
        uploads.add_file("A", UploadedFileRec(file_id, "a.png", "image/png", bytes(10 * MB)))
        assert uploads.held == 40 * MB
    for file_id in arriving:
        uploads.end("A", file_id)
    # Only what was not removed is left: a file that arrives does not lose its address to newer ones.
    left = 4 if remove is ask_for_a_thousand_more else 0
    assert len(uploads.get_files("A", arriving)) == left and uploads.held == left * 10 * MB
    assert uploads._removed == {}


def test_who_has_a_thousand_files_on_their_way_gets_no_more_addresses(uploads):
    for info in uploads.get_upload_urls("A", ["a.png"] * 1000):
        assert uploads.begin("A", info.file_id, 1)
    assert uploads.get_upload_urls("A", ["b.png"]) == [] and uploads.held == 1000


def test_forty_files_that_no_page_reads_do_not_add_up(uploads):
    """As it was seen: 40 files of 20 MB stayed, 800 MB."""
    taken = [sent(uploads, "A", 20 * MB)[1] for _ in range(40)]
    assert taken == [True, True] + [False] * 38 and uploads.held == 40 * MB


def test_files_that_were_read_make_room_the_oldest_first(uploads, clock):
    first, second = (sent(uploads, "A", 20 * MB, name=name)[0] for name in ("first.png", "second.png"))
    uploads.read("A", [first, second, "unknown"])
    uploads.read("nobody", [first])
    assert sent(uploads, "A", 10 * MB)[1]
    with pytest.raises(FileError, match="^first.png was let go for newer ones; drop it once more$"):
        uploads.contents("A", first, "first.png")
    assert len(uploads.contents("A", second, "")) == 20 * MB
    # The files of others too; those that nobody has read stay.
    clock.now += 1
    for session in "BC":
        assert sent(uploads, session, 30 * MB)[1]
    assert sent(uploads, "D", 25 * MB)[1] and uploads.held == 95 * MB
    with pytest.raises(FileError, match="second.png was let go"):
        uploads.contents("A", second, "")
    assert not sent(uploads, "D", 15 * MB)[1]


def test_what_is_over_goes_by_the_clock(uploads, clock):
    file_id, _ = sent(uploads, "A", 30 * MB)
    clock.now = MAX_AGE
    uploads.drop_old()
    assert uploads.held == 30 * MB
    clock.now += 1
    uploads.drop_old()
    assert uploads.held == 0
    with pytest.raises(FileError, match="^a.png was let go 30 minutes after it came; drop it once more$"):
        uploads.contents("A", file_id, "")
    # A page still knows it by its name, so that a burst which was read of it stays.
    assert [file.name for file in uploads.get_files("A", [file_id])] == ["a.png"]


def test_what_a_page_reads_is_what_was_sent_without_a_copy(uploads, monkeypatch):
    data = bytes(1000)
    for manager in (uploads, MemoryUploadedFileManager("/x")):
        file_id = asked(manager, "A")
        manager.add_file("A", UploadedFileRec(file_id, "a.png", "", data))
        monkeypatch.setattr(module, "_here", lambda manager=manager: (manager, "A"))
        (file,) = [UploadedFile(record, None) for record in manager.get_files("A", [file_id])]
        assert contents_of(file) is data
        were_read([file])
        drop_all()
        assert manager.get_files("A", [file_id]) == []


# --- Over ASGI, with Streamlit's own route behind the gate ---


class OneSession:
    @staticmethod
    def is_active_session(session_id):
        return session_id == "A"


@pytest.fixture
def application(uploads, monkeypatch):
    monkeypatch.setattr(starlette_routes, "is_xsrf_enabled", lambda: False)
    routes = starlette_routes.create_upload_routes(OneSession, uploads, "kernels")
    return Starlette(routes=routes, middleware=[Middleware(UploadGate, uploads=uploads, base="/kernels/")])


class NoWaiting(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to what is due next. For what uses no other threads."""

    now = 0.0

    def __init__(self):
        super().__init__()
        select = self._selector.select

        def jump(timeout):
            self.now += timeout or 0
            return select(timeout and 0)

        self._selector.select = jump

    def time(self):
        return self.now


def put(application, session, file_id, parts, *headers, method="PUT", loop=None):
    """The status that a request gets, and how many of its parts were asked for.

    A number among the parts is a pause in seconds, which needs the `loop` NoWaiting.
    """
    parts, status, asked = list(parts), [], []

    async def receive():
        while parts and isinstance(parts[0], float):
            await asyncio.sleep(parts.pop(0))
        if not parts:
            return {"type": "http.disconnect"}
        asked.append(parts.pop(0))
        return {
            "type": "http.request",
            "body": asked[-1],
            "more_body": any(isinstance(part, bytes) for part in parts),
        }

    async def send(message):
        if message["type"] == "http.response.start":
            status.append(message["status"])

    path = f"/kernels/_stcore/upload_file/{session}/{file_id}"
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "headers": [(b"content-type", b"multipart/form-data; boundary=XX"), *headers],
    }  # fmt: skip
    with asyncio.Runner(loop_factory=loop and (lambda: loop)) as runner:
        runner.run(application(scope, receive, send))
    return (status or [None])[0], len(asked)


def form(data, name="a.png"):
    head = f'--XX\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    return [head, *(data[at : at + MB] for at in range(0, len(data), MB)), b"\r\n--XX--\r\n"]


def length(parts):
    return b"content-length", str(sum(map(len, parts))).encode()


def test_a_browser_sends_what_its_page_asked_for(application, uploads):
    file_id, parts = asked(uploads, "A"), form(b"contents")
    assert put(application, "A", file_id, parts, length(parts)) == (204, 3)
    assert uploads.contents("A", file_id, "") == b"contents" and uploads.held == 8
    assert put(application, "A", file_id, [b""], method="DELETE")[0] == 204
    assert uploads.held == 0


def test_what_no_page_asked_for_is_not_even_read(application, uploads):
    parts = form(bytes(20 * MB))
    assert put(application, "A", "0" * 32, parts, length(parts)) == (403, 0)
    file_id = asked(uploads, "A")
    for headers in ([], [(b"content-length", b"-1")], [length(parts), (b"transfer-encoding", b"chunked")]):
        assert put(application, "A", file_id, parts, *headers) == (411, 0)
    gone = asked(uploads, "B")  # the tab of this session was closed
    assert put(application, "B", gone, parts, length(parts))[0] == 400
    assert uploads.held == 0


def test_what_has_no_room_is_thrown_away_as_it_comes_and_the_page_is_told(application, uploads, monkeypatch):
    parts = form(bytes(60 * MB))
    file_id = asked(uploads, "A", "huge.png")
    held = []
    monkeypatch.setattr(uploads, "add_file", lambda *_: held.append(1))
    assert put(application, "A", file_id, parts, length(parts)) == (204, len(parts))
    assert not held and uploads.held == 0
    assert [file.name for file in uploads.get_files("A", [file_id])] == ["huge.png"]
    with pytest.raises(FileError, match="huge.png was not taken: your uploads would have more than 40 MB"):
        uploads.contents("A", file_id, "")


def test_what_is_broken_off_or_takes_for_ever_counts_no_more(application, uploads, monkeypatch):
    parts = form(bytes(20 * MB))
    file_id = asked(uploads, "A")
    status, _ = put(application, "A", file_id, parts[:5], length(parts))
    assert status != 204 and uploads.held == 0
    assert uploads.begin("A", file_id, 1)  # it may be tried again
    uploads.end("A", file_id)
    monkeypatch.setattr(module, "MAX_AGE", 0.05)

    async def slowly(scope, receive, send):
        assert uploads.held > 0
        await asyncio.sleep(3600)

    assert put(UploadGate(slowly, uploads, "kernels"), "A", file_id, parts, length(parts))[0] is None
    assert uploads.held == 0


FOREVER = 1e9


def test_an_upload_without_bytes_ends_and_its_place_is_free(application, uploads):
    """Three connections that had sent 400 bytes refused everybody's uploads for half an hour."""
    head = form(b"")[0]
    for size, taken in ((30 * MB, True), (60 * MB, False)):  # of one that has no room nothing is stored
        file_id, loop = asked(uploads, "A"), NoWaiting()
        said = b"content-length", str(size).encode()
        # An empty message is not a byte.
        status, _ = put(application, "A", file_id, [head, 20.0, b"", FOREVER, b"late"], said, loop=loop)
        assert status is None and loop.now == pytest.approx(MAX_IDLE) and uploads.held == 0
        assert ("not taken" in uploads._files["A"][file_id].refused) is not taken
    assert sent(uploads, "A", 40 * MB)[1]


def test_an_upload_that_is_slow_is_taken(application, uploads):
    file_id, parts, loop = asked(uploads, "A"), form(b"contents"), NoWaiting()
    slowly = [part for byte in b"".join(parts) for part in (0.9 * MAX_IDLE / 2, bytes([byte]))]
    assert put(application, "A", file_id, slowly, length(parts), loop=loop)[0] == 204
    assert loop.now > 10 * MAX_IDLE and uploads.contents("A", file_id, "") == b"contents"


def test_what_comes_after_the_last_byte_may_take_longer(uploads):
    async def reads_and_waits(scope, receive, send):
        assert (await receive())["body"] == b"all"
        await asyncio.sleep(2 * MAX_IDLE)
        assert (await receive())["type"] == "http.disconnect"
        await send({"type": "http.response.start", "status": 204})

    gate, loop = UploadGate(reads_and_waits, uploads, "kernels"), NoWaiting()
    file_id = asked(uploads, "A")
    said = b"content-length", b"3"
    assert put(gate, "A", file_id, [b"all", 2 * MAX_IDLE], said, loop=loop)[0] == 204
    assert loop.now == pytest.approx(4 * MAX_IDLE)


def test_many_threads_never_hold_more_than_the_total(uploads):
    most = []

    def visit(name):
        for _ in range(20):
            file_id, _ = sent(uploads, name, 9 * MB)
            most.append(uploads.held)
            uploads.read(name, [file_id])

    threads = [threading.Thread(target=visit, args=(name,)) for name in "ABCD"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80 and max(most) <= 100 * MB
