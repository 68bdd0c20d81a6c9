"""Any Firefox over WebDriver BiDi, which it speaks itself: neither geckodriver nor Playwright's own build is needed."""

import contextlib
import json
import re
import shutil
import subprocess
import time

import pytest


class Firefox:
    """One tab of a headless Firefox."""

    def __init__(self, socket):
        self._socket, self._count = socket, 0
        self._ask("session.new", capabilities={})
        self.tab = self._ask("browsingContext.create", type="tab")["context"]
        self._ask("browsingContext.setViewport", context=self.tab, viewport={"width": 1280, "height": 900})

    def _ask(self, method, **params):
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:  # events come in between
            answer = json.loads(self._socket.recv(timeout=90))
            if answer.get("id") == self._count:
                assert answer["type"] == "success", answer
                return answer["result"]

    def goto(self, address):
        self._ask("browsingContext.navigate", context=self.tab, url=address, wait="interactive")

    def evaluate(self, expression):
        """The value of an expression, or of a function without arguments, which JSON can hold."""
        expression = f"({expression})()" if expression.startswith("() =>") else expression
        found = self._ask(
            "script.evaluate",
            expression=f"JSON.stringify({expression})",
            target={"context": self.tab},
            awaitPromise=True,
        )
        assert found["type"] == "success", found["exceptionDetails"]["text"]
        return json.loads(found["result"].get("value", "null"))

    def screenshot(self):
        """PNG, as base64."""
        return self._ask("browsingContext.captureScreenshot", context=self.tab)["data"]


@contextlib.contextmanager
def firefox(profile):
    """A Firefox with an empty folder as its profile; the test is skipped where there is none."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    client = pytest.importorskip("websockets.sync.client")
    if program is None:
        pytest.skip("there is no Firefox (apt-get install firefox-esr)")
    command = [
        program,
        "--headless",
        "--no-remote",
        "--profile",
        str(profile),
        "--remote-debugging-port",
        "0",
    ]
    log = profile / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        end = time.monotonic() + 60
        while not (found := re.search(r"BiDi listening on (ws://\S+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.2)
        with client.connect(f"{found[1]}/session", max_size=None) as socket:
            yield Firefox(socket)
    finally:
        process.terminate()
        process.wait(30)
