"""`mount`, as a host uses it: in a page that is none of ours."""

import dataclasses

import pytest
import torch

import kpnviz
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.lens import DISPLAY, pack
from kpnviz.lens.linker import linked
from kpnviz.lens.page import SCRIPTS

from ..app_pages.lens_driver import watch

pytestmark = pytest.mark.browser

SETUP = """async ([script, one, two, display]) => {
  const { mount } = await import(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  Object.assign(globalThis, { one: new Uint8Array(one), two: new Uint8Array(two), display, heard: [] });
  document.body.innerHTML = "<div id=place style='width: 900px'></div>";
  const place = document.getElementById("place").attachShadow({ mode: "open" });
  globalThis.lens = mount(place, {
    payload: globalThis.one, order: { pinned: [3, 4], display }, height: 420,
    theme: { text: "#eee", background: "#111", primary: "#6cf", font: "serif" },
    onPinned: (pixel) => heard.push(pixel), onDisplay: ({ look }) => heard.push(look),
  });
}"""


def test_a_host_states_its_height_and_its_colors_and_hears_what_is_chosen(chromium):
    burst = kpnviz.synthesize(kpnviz.BurstRecipe("dog", (50, 60, 32, 32), frames=3))
    shape = (1, 3, factor_channels((3,), True), 16, 16)
    field = KernelField(torch.randn(shape, generator=torch.Generator().manual_seed(0)), (3,), True, 32, 32)
    estimate = Estimate(burst.mean, field, "mkpn", 0.1, "mkpn")
    other = dataclasses.replace(burst, frames=burst.frames * 0.9)
    page = watch(chromium.new_page(viewport={"width": 1000, "height": 900}))
    payloads = [list(pack(one, [estimate])) for one in (burst, other)]
    page.evaluate(SETUP, [linked(SCRIPTS / "mount.js"), *payloads, DISPLAY])
    page.locator(".lens[data-y='3'][data-x='4'][data-pinned=true].dark").wait_for()
    page.wait_for_timeout(800)  # it tells nothing that the host itself has set
    assert page.evaluate("heard") == []
    box = page.locator(".lens").bounding_box()
    assert box["height"] <= 420
    assert page.evaluate("[lens.painter.ink.paper, getComputedStyle(lens.root).fontFamily]") == [
        "#111",
        "serif",
    ]
    page.locator(".tab#sum").click()
    page.locator(".pin").click()
    page.wait_for_timeout(1200)
    assert page.evaluate("heard") == [None, "sum"]
    first = page.evaluate("lens.id")
    page.evaluate("lens.show(two)")
    assert page.evaluate("lens.state.look") == "sum" and page.evaluate("lens.id") != first
    # Nothing that shows a payload may write into it.
    assert page.evaluate(
        "Object.isFrozen(lens.state.data.panels[0]) && Object.isFrozen(lens.state.data.methods[0].kernels)"
    )
    page.evaluate("lens.destroy()")
    page.close()
    assert not page.errors
