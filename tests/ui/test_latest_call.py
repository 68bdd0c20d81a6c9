"""Components that Streamlit calls again before it has cleaned up after the call before."""

import json
import shutil
import subprocess

import pytest

from kpnviz.lens.linker import linked
from kpnviz.paths import PACKAGE

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")


def test_what_a_newer_call_shows_is_not_ended_by_the_clean_up_of_an_older_one():
    script = linked(PACKAGE / "ui" / "latest_call.js") + (
        "const ended = [], root = {}, other = {};"
        "const calls = [[root, 'a'], [root, 'b'], [other, 'c']];"
        "const [a, b, c] = calls.map(([of, name]) => ofLatestCall(of, () => ended.push(name)));"
        "a(); c(); const before = [...ended]; b(); console.log(JSON.stringify([before, ended]));"
    )
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(done.stdout) == [["c"], ["c", "b"]]
