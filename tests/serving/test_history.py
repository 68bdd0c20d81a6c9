"""What a run of a page that was already left writes to the browser's history."""

import json
import shutil
import subprocess

import pytest

from kpnviz.serving.asgi import HISTORY

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")

# A window and its history, as far as the script uses them; Streamlit pushes and replaces as the app's address changes.
WINDOW = """
const listeners = {}, entries = ["http://a/"];
let at = 0;
let loaded = true, reloads = 0;
const location = { get href() { return entries[at]; }, reload() { reloads += 1; } };
const document = { get baseURI() { return entries[at]; }, querySelector: () => (loaded ? {} : null) };
const absolute = (address) => new URL(address, location.href).href;
const history = {
  pushState(_, __, address) { entries.splice(at + 1); entries.push(absolute(address)); at += 1; },
  replaceState(_, __, address) { entries[at] = absolute(address); },
};
const addEventListener = (kind, listener) => (listeners[kind] ??= []).push(listener);
const fire = (kind, more) => {
  for (const listener of listeners[kind] ?? []) listener({ isTrusted: true, altKey: false, button: 0, ...more });
};
const go = (step) => { at += step; fire("popstate"); };
"""
CASES = """
history.pushState({}, "", "/?gain=4");  // the app's first word on its address
fire("pointerdown");
history.pushState({}, "", "/noise?gain=4");
history.pushState({}, "", "/noise?gain=4&look=sum");  // what the page adds
fire("keydown");
history.pushState({}, "", "/sizes?gain=4&look=sum");
const visited = [...entries];
go(-1);
history.replaceState({}, "", "/noise?gain=4&look=sum");  // as it is
history.pushState({}, "", "/sizes?gain=4&look=sum");  // of the page that was left
fire("keydown", { altKey: true });  // Alt and an arrow
history.replaceState({}, "", "/noise?gain=4");
go(-1);
history.replaceState({}, "", "/?gain=4&look=sum");
go(1);
go(1);
const kept = entries.join() === visited.join() && at === 2;
fire("pointerdown");
history.pushState({}, "", "/sizes?gain=8");
const reached = entries[at], before = reloads;
loaded = false;  // the page was loaded again, and Streamlit is not there yet
go(-1);
console.log(JSON.stringify([visited, kept, reached, before, reloads]));
"""


def test_one_act_is_one_entry_and_what_was_left_is_not_written():
    script = WINDOW + HISTORY + CASES
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=60, check=True
    )
    visited, kept, last, *reloads = json.loads(done.stdout)
    assert visited == ["http://a/?gain=4", "http://a/noise?gain=4&look=sum", "http://a/sizes?gain=4&look=sum"]
    assert kept and last == "http://a/sizes?gain=8" and reloads == [0, 1]
