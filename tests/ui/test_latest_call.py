"""Components that Streamlit calls again before it has cleaned up after the call before."""

import json
import shutil
import subprocess

import pytest

from kpnviz.lens.linker import linked
from kpnviz.paths import PACKAGE

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")

CASES = """
const heard = [];
const call = (root, name) => called(root, () => heard.push(name), () => heard.push("end"));
const rest = () => new Promise((done) => setTimeout(done, 5));
const tell = () => heard.splice(0).join(" ");
const told = [];
let root = {}, older = call(root, "a"), newer = call(root, "b");
older();  // overtaken
told.push(tell());
await rest();
newer();  // the element goes
told.push(tell());
root = {}, newer = call(root, "b"), older = call(root, "a");
older();  // overtaken, but called last
told.push(tell());
root = {};
call(root, "a");
await rest();
newer = call(root, "b");  // as each run replaces the one before
await rest();
newer();
told.push(tell());
call({}, "a")();  // the element was gone before the script had come
told.push(tell());
console.log(JSON.stringify(told));
"""


def test_what_a_newer_call_shows_is_not_ended_by_the_clean_up_of_an_older_one():
    script = linked(PACKAGE / "ui" / "latest_call.js") + CASES
    command = ["node", "--input-type=module", "-e", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == ["a b b", "end", "b a b", "a b end", "a end"]
