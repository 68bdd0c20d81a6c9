"""Files of bursts, read in the process of the tests: starting one for each of so many takes most of their time.

What the process is for (limits, turns, what is said when it dies) is tested in capture/test_decoding.py, which has it.
"""

import io
import json
import tempfile
from types import SimpleNamespace

from kpnviz.capture import decoding, reader
from kpnviz.limits import FileError


class _Pipe(io.BytesIO):
    """What is written stays there to be read when it has been closed."""

    def close(self):
        self.seek(0)


class ReadsHere(reader._Child):
    """What reads one burst as the process does, by the same code on both sides of the pipe."""

    def __init__(self, limits):
        self.limits, self.output = limits, tempfile.TemporaryFile()  # noqa: SIM115
        self.process = SimpleNamespace(stdin=_Pipe(), poll=lambda: None)

    def close(self):
        self.output.close()

    def read(self, files, progress=None, wanted=lambda: None, kind=None):
        wanted()
        said = []
        self._send_all(files, kind)
        decoding.run(
            self.limits,
            self.process.stdin,
            self.output,
            lambda what: said.append(json.loads(json.dumps(what))),
        )
        self.output.flush()
        for name in said[:-1]:
            if progress is not None:
                progress(name)
        if "refused" in said[-1]:
            raise FileError(said[-1]["refused"])
        return said[-1]["read"]
