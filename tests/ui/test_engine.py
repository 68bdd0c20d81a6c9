"""The files with which the app's lens predicts in the browser."""

import asyncio

import pytest
from starlette.requests import Request

from kpnviz.models.checkpoints import available, folder
from kpnviz.site.compiling import BUILDS
from kpnviz.ui import engine


def get(path, **headers):
    scope = {
        "type": "http",
        "path_params": {"path": path},
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    return asyncio.run(engine._answer(Request(scope)))


@pytest.mark.parametrize("path", ["worker.js", *BUILDS, "models/mkpn.json", "models/mkpn.safetensors"])
def test_the_engine_is_that_of_the_site_and_browsers_keep_it(path):
    answer = get(path)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-cache"
    if path.startswith("models/"):
        assert answer.body == (folder() / path.removeprefix("models/")).read_bytes()
    again = get(path, if_none_match=answer.headers["etag"])
    assert (again.status_code, again.body) == (304, b"")
    assert get(path, if_none_match='"another"').status_code == 200


@pytest.mark.parametrize(
    "path", ["", "engine.c", "models/results.csv", "models/../results.csv", "models/none.json", "models/mkpn"]
)
def test_nothing_else_is_given(path):
    assert "mkpn" in available()
    assert get(path).status_code == 404
