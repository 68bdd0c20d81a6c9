"""The guided scene: what its texts claim holds on its burst; in a browser it states what Python computes."""

import base64
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

import kpnviz
from kpnviz.analysis.kernel_stats import centroid, frame_share, spread
from kpnviz.analysis.metrics import psnr
from kpnviz.burst import synthesize
from kpnviz.lens.linker import linked
from kpnviz.lens.scene import FOLDER, PARTS, pack_part, recipe, scene
from kpnviz.site.building import PAGES as SITE_PAGES
from kpnviz.ui.choices import PAGES

ROOT = Path(__file__).parent.parent.parent
STEPS = [step["name"] for step in scene()["steps"]]
SHIFTS = np.array(scene()["burst"]["shifts"])
BEYOND = 5  # the frame that moved beyond the reach of all kernels
INNER = slice(8, -8)


@pytest.fixture(scope="module")
def estimates():
    """(network, assumed noise) -> Estimate, once each."""
    made, networks = {}, {}

    def denoise(name, burst, scale):
        if (name, scale) not in made:
            network = networks.setdefault(name, kpnviz.load(name))
            made[name, scale] = network(burst, scale)
        return made[name, scale]

    denoise.of = lambda name="kpn-l11", scale=1.0: denoise(name, synthesize(recipe()), scale)
    return denoise


@pytest.fixture(scope="module")
def burst():
    return synthesize(recipe())


@pytest.fixture(scope="module")
def kernels(estimates):
    """[N, H, W, K, K]"""
    return estimates.of().kernels.region(0, 128, 0, 128)


def test_the_plain_mean_has_less_noise_and_doubled_edges(burst):
    truth, mean, one = burst.truth, burst.mean, burst.reference
    assert psnr(mean, truth) < psnr(one, truth) - 0.5
    lawn = np.s_[8:40, 96:120]  # nothing but lawn in all frames
    noise = [np.std(np.diff(image[lawn])) for image in (one, mean)]
    assert noise[1] < 0.5 * noise[0]
    # Across the dog's head the truth has one steep edge; the mean spreads it over the shifts.
    steep = [np.abs(np.diff(image[10:50, 64])).max() for image in (truth, mean)]
    assert steep[1] < 0.5 * steep[0]


def test_kernels_reach_to_where_the_scene_went(kernels):
    y, x = scene()["pixels"]["eye"]
    away = np.hypot(*(centroid(kernels[:, y, x]) - SHIFTS).T)
    assert max(np.delete(away, BEYOND)) < 1 and away[BEYOND] > 5


def test_a_frame_beyond_reach_and_a_ball_that_flew_on_have_no_weight(burst, kernels):
    share = frame_share(kernels)
    assert abs(SHIFTS[BEYOND]).min() > kernels.shape[-1] // 2
    means = share[:, INNER, INNER].mean((1, 2))
    assert abs(means[BEYOND]) < 0.01 and np.delete(means, BEYOND).min() > 0.1
    ball = share[:, burst.object_at > 0].mean(1)
    assert ball[0] > 0.95 and abs(ball[1:]).max() < 0.02


def test_kernels_swell_with_the_assumed_noise(estimates):
    scales = [0.25, 0.5, 1, 2, 4]
    y, x = scene()["pixels"]["eye"]
    wide = [float(spread(estimates.of(scale=scale).kernels.at(y, x)[0])) for scale in scales]
    assert np.all(np.diff(wide) > 0) and wide[0] < 0.75 and wide[-1] > 2.4
    least = estimates.of(scale=0.25).kernels.at(y, x)
    assert least[0].max() > 0.8 * np.abs(least[0]).sum()  # one weight
    scores = [psnr(estimates.of(scale=scale).image, synthesize(recipe()).truth) for scale in scales]
    assert int(np.argmax(scores)) == 2


def carried(estimates, pixel):
    """Of each size of MKPN on frame 0, its part of all |w|."""
    sizes = estimates.of("mkpn").kernels.sizes_at(*pixel)
    weight = np.array([np.abs(kernel[0]).sum() for kernel in sizes.values()])
    return weight / weight.sum()


def test_large_sizes_carry_the_lawn_and_small_ones_the_fur(estimates):
    lawn, fur = (carried(estimates, scene()["pixels"][name]) for name in ("lawn", "fur"))
    assert lawn[-2:].sum() > 0.8 and lawn[:3].sum() < 0.05
    assert fur[:3].sum() > 0.7 and fur[-2:].sum() < 0.2


def test_a_picture_is_named_after_the_frame_that_is_chosen():
    """Any frame can be chosen in every step that shows them: no caption fixes one."""
    for step in scene()["steps"]:
        assert not re.search(r"[Ff]rame \d", step["left"] + step["right"]), step["name"]


def test_the_last_step_names_pages_that_there_are():
    """Those of the app in the app, those of the site on the site; Explore holds the rest."""
    for of, pages in (("app", PAGES), ("site", SITE_PAGES)):
        ways = [way for way in scene()["steps"][-1]["ways"] if way.get("of", of) == of]
        assert {way["title"] for way in ways if "page" not in way} == {"Examples", "Assumed noise"}
        # The scene leads to Explore by itself.
        expected = {page: title for page, title in pages.items() if title != "Explore"}
        assert {way["page"]: way["title"] for way in ways if "page" in way} == expected, of


def test_papers_and_source_are_those_of_the_citation():
    citation = (ROOT / "CITATION.cff").read_text()
    for paper in scene()["papers"].values():
        assert f"title: {paper['title']}\n" in citation and f"url: {paper['url']}\n" in citation
        assert all(f"family-names: {name}\n" in citation for name in re.split(", | and ", paper["authors"]))
        assert f"year: {paper['year']}\n" in citation
    assert {step["paper"] for step in scene()["steps"]} == set(scene()["papers"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert scene()["source"] == project["urls"]["Repository"]


def test_an_unknown_part_is_named(estimates):
    with pytest.raises(ValueError, match="no part 'end'; it has kernels, noise, sizes"):
        pack_part("end", estimates)


@pytest.fixture(scope="module")
def address(estimates, tmp_path_factory):
    """A page of its own that opens the scene."""
    parts = {part: base64.b64encode(pack_part(part, estimates)).decode() for part in PARTS}
    script = linked(FOLDER / "mount.js").replace("export function", "function")
    text = f"""<!doctype html><meta charset="utf-8"><body style="color: black"><script type="module">{script}
      const DATA = {json.dumps(parts)};
      const bytes = (part) => Uint8Array.from(atob(DATA[part]), (c) => c.charCodeAt(0));
      globalThis.ended = [];
      mountScene(document.body, {{ load: async (part) => bytes(part), onEnd: (all) => ended.push(all),
        toPage: (page) => ended.push(page) }}).open();
      </script>"""
    file = tmp_path_factory.mktemp("scene") / "scene.html"
    file.write_text(text, encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def opened(chromium, address):
    """Opens the scene in a window of its own."""
    contexts, errors = [], []

    def open_scene(width=1280, height=720, **options):
        contexts.append(chromium.new_context(viewport={"width": width, "height": height}, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.locator("dialog[data-painted=burst]").wait_for()
        return page

    yield open_scene
    for context in contexts:
        context.close()
    assert not errors


def facts(page):
    return page.locator(".facts").inner_text()


def painted(page, name):
    page.locator(f"dialog[data-painted={name}]").wait_for()


@pytest.mark.browser
def test_keys_step_and_every_step_has_the_same_places(opened):
    page = opened(reduced_motion="reduce")

    def places():
        return [
            page.locator(place).bounding_box()
            for place in (".left canvas", ".right canvas", ".next", ".play")
        ]

    first = places()
    for name in STEPS[1:-1]:
        page.keyboard.press("ArrowRight")
        painted(page, name)
        assert page.locator("dialog").get_attribute("data-step") == name
        assert places() == first
    page.keyboard.press("PageDown")
    assert page.locator(".overview svg").is_visible()
    page.keyboard.press("PageDown")  # it stays at its end
    page.keyboard.press("PageUp")
    assert page.locator("dialog").get_attribute("data-step") == STEPS[-2]
    page.keyboard.press("Escape")
    assert page.evaluate("ended") == [False] and page.locator("dialog").is_hidden()


@pytest.mark.browser
def test_with_reduced_motion_nothing_moves_by_itself(opened):
    page = opened(reduced_motion="reduce")
    for name in STEPS[:-1]:
        painted(page, name)
        assert page.locator(".play").inner_text() == "Play"
        before = page.locator(".show").screenshot()
        page.wait_for_timeout(300)
        assert page.locator(".show").screenshot() == before
        page.locator(".next").click()
    page.locator(".ways a", has_text="Learn").click()  # the last step leads to pages
    assert page.evaluate("ended") == [True, "learn"] and page.locator("dialog").is_hidden()


@pytest.mark.browser
def test_it_states_what_python_computes(opened, estimates, kernels, burst):
    page = opened(reduced_motion="reduce")
    dB = [f"{psnr(image, burst.truth):.1f} dB" for image in (burst.reference, burst.mean)]
    assert re.findall(r"[\d.]+ dB", facts(page)) == dB
    page.locator(".next").click()
    page.locator(".strip button").nth(7).click()
    y, x = scene()["pixels"]["eye"]
    value = f"{estimates.of().image[y, x]:.3f}"
    page.get_by_text(f"All frames add up to {value}; the picture’s pixel is {value} (white = 1).").wait_for()
    page.locator(".next").click()
    shares = frame_share(kernels)[:, ::2, ::2].mean((1, 2))
    written = page.locator(".strip span").all_inner_texts()
    assert [int(text.split()[0].replace("−", "-")) for text in written] == [round(100 * s) for s in shares]
    page.locator(".next").click()
    page.locator(".slider input").fill("2")
    wide = spread(estimates.of(scale=4).kernels.at(y, x)[0])
    page.get_by_text(f"spreads over {wide:.1f} px").wait_for()
    page.locator(".next").click()
    large = [carried(estimates, scene()["pixels"][name])[-2:].sum() for name in ("lawn", "fur")]
    page.get_by_text(
        f"carry {100 * large[0]:.0f} % of the weight on the lawn, and {100 * large[1]:.0f} %"
    ).wait_for()


@pytest.mark.browser
def test_on_a_phone_all_is_within_the_window_and_the_last_step_ends_it(opened):
    page = opened(360, 640)
    for name in STEPS[:-1]:
        painted(page, name)
        assert page.locator("dialog").evaluate(
            "(e) => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight"
        )
        page.locator(".next").click()
    assert page.locator("dialog").evaluate("(e) => e.scrollHeight <= e.clientHeight")
    page.get_by_role("button", name="Explore", exact=True).click()
    assert page.evaluate("ended") == [True]


@pytest.mark.browser
def test_no_caption_is_cut_and_the_buttons_are_in_sight(opened):
    """On a telephone, upright and on its side."""
    for width, height in ((390, 844), (844, 390)):
        page = opened(width, height, reduced_motion="reduce")
        for name in STEPS[:-1]:
            painted(page, name)
            if page.locator(".strip").is_visible():
                page.locator(".strip button").nth(5).click()  # its shift is the longest
            for caption in page.locator("figcaption").all():
                assert caption.evaluate(
                    "(e) => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight + 1"
                )
            for button in (".play", ".back", ".next"):
                expect(page.locator(button)).to_be_in_viewport(ratio=1)
            page.locator(".next").click()
        page.close()
