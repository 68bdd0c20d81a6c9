"""Large pictures in tiles: what is fetched is the picture, and its reductions are means of light."""

import asyncio
import gc
import io

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette

from kpnviz.color import displayed, srgb_decode
from kpnviz.sampling import box_reduce
from kpnviz.serving import tiles
from kpnviz.serving.tiles import SIDE, Layers, Pyramid


def picture(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def answer_of(application, path):
    """Status, content type and body that an application answers a request of this path with."""
    messages = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        messages.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    asyncio.run(application(scope, receive, send))
    headers = dict(messages[0]["headers"])
    return messages[0]["status"], headers[b"content-type"], messages[1]["body"]


def decoded(png):
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("shape", [(600, 517), (1200, 300, 3), (257, 256), (1, 1)])
def test_tiles_put_together_are_the_picture_and_one_holds_the_smallest(shape):
    given = picture(*shape)
    pyramid = Pyramid(given)
    rows, columns = (-(-n // SIDE) for n in shape[:2])
    last = len(pyramid.levels) - 1
    whole = [[decoded(pyramid.tile(last, r, c)) for c in range(columns)] for r in range(rows)]
    assert (np.concatenate([np.concatenate(row, axis=1) for row in whole]) == given).all()
    assert max(pyramid.levels[0].shape[:2]) <= SIDE
    with pytest.raises(LookupError):
        pyramid.tile(last, rows, 0)
    with pytest.raises(LookupError):
        pyramid.tile(len(pyramid.levels), 0, 0)
    with pytest.raises(LookupError):
        pyramid.tile(last, -1, 0)


def test_a_reduced_picture_is_the_mean_of_the_light():
    given = picture(1200, 1400, 3)  # in more than one strip
    half = Pyramid(given).levels[-2]
    expected = displayed(box_reduce(srgb_decode(given / 255), 2))
    np.testing.assert_allclose(half, 255 * expected, atol=0.501)


def test_an_odd_edge_counts_twice():
    given = picture(301, 299)
    half = Pyramid(given).levels[-2]
    assert half.shape == (151, 150)
    expected = displayed(srgb_decode(given[-1:, -1:] / 255)) * 255
    np.testing.assert_allclose(half[-1, -1], expected[0, 0], atol=0.501)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4)), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)])
def test_other_arrays_are_refused(wrong):
    with pytest.raises(ValueError, match=r"picture is .*expected uint8"):
        Pyramid(wrong)


def test_layers_are_of_one_size():
    with pytest.raises(ValueError, match="the same size"):
        Layers(before=Pyramid(picture(3, 4)), after=Pyramid(picture(4, 3)))


def test_tiles_are_served_while_somebody_keeps_the_picture(monkeypatch):
    monkeypatch.setattr(tiles, "_served", False)
    before, after = picture(300, 400), 255 - picture(300, 400)
    layers = Layers(before=Pyramid(before), after=Pyramid(after))
    assert layers.address is None
    application = Starlette(routes=tiles.routes("/base/"))
    address = f"/base/{layers.address}"
    status, kind, body = answer_of(application, f"{address}/after/1/1/1")
    assert (status, kind) == (200, b"image/png")
    assert (decoded(body) == after[256:, 256:]).all()
    assert (decoded(answer_of(application, f"{address}/before/1/0/0")[2]) == before[:256, :256]).all()
    for wrong in ("/other/1/0/0", "/after/2/0/0", "/after/1/2/0", "/after/1/-1/0", "/after/1/0/99999999999"):
        assert answer_of(application, address + wrong)[0] == 404
    del layers
    gc.collect()
    assert answer_of(application, f"{address}/after/1/1/1")[0] == 404
