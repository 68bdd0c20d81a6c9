"""The files of the site, and its links, which are the app's."""

import gzip
import html
import io
import json
import re
from dataclasses import asdict
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest
from PIL import Image

from kpnviz.commands.main import main
from kpnviz.commands.site import offer
from kpnviz.evaluation.results import read_results
from kpnviz.lens.scene import scene
from kpnviz.lens.texts.examples import EXAMPLES
from kpnviz.lens.texts.lessons import LESSONS
from kpnviz.lens.texts.numbers import numbers
from kpnviz.lens.texts.verdicts import verdicts
from kpnviz.models.zoo import SHIPPED
from kpnviz.photos import gallery, photo_path
from kpnviz.site.building import single_page, site_files
from kpnviz.ui import choices, link
from kpnviz.ui.presets import address_of, number_in

MODELS, PHOTOS = ["kpn-l5", "mkpn"], ["dog", "flowers"]


def offer_in(page):
    return json.loads(re.search(r'id="offer">(.*?)</script>', page, re.DOTALL)[1])


@pytest.fixture(scope="module")
def whole_offer():
    """That of a site of everything."""
    return offer_in(site_files(list(SHIPPED), list(gallery()), offer())["index.html"].decode())


def test_the_site_holds_what_it_needs_and_asks_no_other_address():
    files = site_files(MODELS, PHOTOS, offer())
    assert {f"models/{name}.safetensors" for name in MODELS} | {
        f"photos/{name}.webp" for name in PHOTOS
    } <= set(files)
    page = files["index.html"].decode()
    assert offer_in(page)["methods"] == ["mkpn"]  # of the app's first choice what is here
    assert "default-src &#x27;none&#x27;; script-src &#x27;self&#x27;" in page
    for name in ("index.html", "site.js", "worker.js"):
        assert not re.search(r"src=.?https?:|<link[^>]+https?:|import\(|@import url", files[name].decode()), (
            name
        )
    code = ("index.html", "engine.relaxed.wasm", "site.js", "worker.js", "background.js")
    explore = (*code, "models/mkpn.json", "models/mkpn.safetensors", "photos/dog.webp")
    burst, networks = scene()["burst"], scene()["networks"]
    first = networks["kernels"]
    photos = (f"photos/{photo}.webp" for photo in (burst["photo"], burst["ball"]["photo"]))
    opening = (*code, f"models/{first}.json", f"models/{first}.safetensors", *photos)
    files |= site_files([first, networks["sizes"]], PHOTOS, offer())
    with Image.open(io.BytesIO(files["photos/dog.webp"])) as found, Image.open(photo_path("dog")) as photo:
        assert np.array_equal(np.asarray(found), np.asarray(photo))  # nothing is lost
    for names in (explore, opening):  # until the first picture of a network is there
        assert sum(len(gzip.compress(files[name])) for name in names) < 3e6


def test_one_file_holds_all_of_it():
    page = single_page(["mkpn"], ["dog"], offer())
    names = set(re.findall(r'data-file="([^"]+)"', page))
    assert {
        "worker.js",
        "engine.wasm",
        "models/mkpn.json",
        "models/mkpn.safetensors",
        "photos/dog.webp",
    } <= names
    assert "connect-src &#x27;none&#x27;" in page and "{{" not in page.partition("<script")[0]


def test_the_command_writes_both_and_says_what_is_wrong(tmp_path, capsys):
    assert main(["site", "-o", str(tmp_path / "s"), "--models", "mkpn", "--photos", "dog", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["models"] == ["mkpn"]
    assert (tmp_path / "s" / "models" / "mkpn.json").is_file()
    assert (
        main(["page", "--live", "--model", "mkpn", "--photos", "dog", "-o", str(tmp_path / "one.html")]) == 0
    )
    assert "data-file" in (tmp_path / "one.html").read_text()
    capsys.readouterr()
    wrong = {
        "--models: there is no 'mkpm'": ["site", "-o", "x", "--models", "mkpm"],
        "--photos: there is no 'cat'": ["site", "-o", "x", "--photos", "cat"],
        "one.html is a file; the site is a folder": ["site", "-o", str(tmp_path / "one.html")],
        "--live: the page makes its own bursts; it takes no file": ["page", "--live", "a.png", "-o", "x.html"],
        "--photos: only with --live": ["page", "a.png", "--photos", "dog", "-o", "x.html"],
        "FILE: name the frames of a burst": ["page", "-o", "x.html"],
    }  # fmt: skip
    for said, arguments in wrong.items():
        assert main(arguments) == 2
        assert said in capsys.readouterr().err


GOOD = [
    "",
    "v=2&photo=flowers&color=0&crop=96&top=12&left=3&frames=20&gain=2.5&shake=small&moving=1&seed=77&methods=kpn-l5",
    "v=2&shake=hand&frames=3&shifts=0~0_3~-4_-7~25&methods=kpn~mkpn&pixel=60~72",
    "v=2&mode=signed&against=mean&stops=1.5&linear=1&compare=pair&shown=mkpn&other=frame&look=sum&assumed=-0.5&frame=3",
    "v=2&view=10~20~2&shake=sub-pixel&mode=share&channel=B",
    "v=2&methods=kpn-1frame~mkpn&rotation=1.5&shutter=3",
    "v=2&shake=handheld&tilt=0&moving=0",
    "v=2&off=mkpn.1.3~kpn-l5.5&keep=0&dropped=2~0&moved=3~-2~1&nonnegative=1",
    "v=2&look=kinds&mode=kinds&kinds=7&all=1&region=all",
    "v=1&photo=dog",
    "v=2&lesson=4&teach=1&sizes=kpn-l3~mkpn~2",
    "v=2&shown=kpn-l5&other=truth&against=mkpn",
    "v=2&shown=&off=",
    "v=2&kernels_view=what-if&in_dropped=1~2&in_anew=1",
    "v=2&methods=",
    "v=2&noise_assumed=1.5&noise_look=change&noise_moved=2~1~0&noise_anew=1",
    "v=2&sizes=kpn-l3~mkpn~2&sizes_mode=signed&sizes_compare=pair&sizes_view=1~2~0.5&sizes_stops=1",
    "v=2&results_motion=handheld&results_gain=16&results_measure=SSIM&results_compared=nlm",
    "v=2&sizes_look=parts&sizes_off=mkpn.1.11&sizes_keep=0&sizes_channel=R&sizes_mode=share&sizes_all=1",
]
WRONG = [
    "v=9&phto=dog",
    "photo=cat&frames=99&gain=x&crop=100&seed=-1",
    "shake=wild&methods=kpn~none&pixel=a~b&view=1~2",
    "shake=hand&shifts=1~1_2~2",
    "tilt=9&parallax=x",
    "pixel=400~2&top=9999&look=x&assumed=7",
    "off=resnet.3&moved=9~9~99&dropped=x&region=x&kinds=99",
    "sizes=kpn-l3~frame~8",
    "lesson=0&sizes=kpn~mkpn~1&sizes_look=sum",
    "shown=x",
    "other=resnet",
    "against=y",
    "noise_shown=7",
    "off=mkpn",
    "off=~~",
    "sizes_against=z",
    "in_other=x",
    "kernels_view=x",
    "frame=1.5",
    "pixel=5.5~6",
    "shake=hand&frames=2&shifts=0~0_-1.5~3",
    "teach=yes",
    "rotation=3&moving=1",
    "shake=handheld&rotation=3",
    "shake=handheld&moving=1",
    "results_gain=3&results_compared=z",
]


@pytest.mark.parametrize("links", [GOOD, WRONG], ids=["good", "wrong"])
def test_a_link_means_the_same_in_app_and_site(run_node, tmp_path, whole_offer, links):
    (found,) = run_node(tmp_path, [("links", {"links": links, "offer": whole_offer})])
    for text, one in zip(links, found, strict=True):
        state, problem = link.read(dict(parse_qsl(text, keep_blank_values=True)))
        expected = urlencode(link.write(state), safe="~")
        assert dict(parse_qsl(one["again"])) == dict(parse_qsl(expected)), text
        assert bool(one["problem"]) == bool(problem) == (links is WRONG), (one["problem"], problem)
        for page, written in one["pages"].items():  # what each page's own address holds
            assert dict(parse_qsl(written)) == dict(parse_qsl(link.address(page, state).partition("?")[2])), (
                page
            )


def test_examples_and_measured_numbers_open_the_bursts_that_they_open_in_the_app(
    run_node, tmp_path, whole_offer
):
    bursts = [
        *EXAMPLES,
        *(lesson.burst for lesson in LESSONS),
        *(n.burst for v in verdicts(read_results()) for n in v.numbers),
    ]
    (found,) = run_node(
        tmp_path,
        [("examples", {"examples": [asdict(burst) for burst in bursts], "offer": whole_offer})],
    )
    for burst, address in zip(bursts, found, strict=True):
        mine, theirs = (dict(parse_qsl(text)) for text in (address, address_of(burst).partition("?")[2]))
        if not set(burst.methods) <= set(SHIPPED):  # the site has networks alone
            del theirs["other"]
            theirs["methods"] = "mkpn"
        assert mine == theirs, burst


@pytest.mark.parametrize(
    ("names", "other", "shown"),
    [
        (["mkpn", "kpn-l1", "kpn-l5", "kpn-l25"], "kpn-l1", "kpn-l25"),
        (["mkpn", "kpn-l25"], "kpn-l25", "mkpn"),
        (["kpn-l25"], "frame", "kpn-l25"),
        ([], "frame", ""),
    ],
)
def test_sizes_never_compares_a_picture_with_itself(
    run_node, tmp_path, monkeypatch, whole_offer, names, other, shown
):
    models = [model for model in reversed(whole_offer["models"]) if model["name"] in names]
    (found,) = run_node(tmp_path, [("firstSizes", {"offers": [{"models": models, "sized": names}]})])
    monkeypatch.setattr(choices, "sized_methods", lambda: tuple(names))
    expected = {"other": other, "shown": shown, "frame": 0}
    assert found == [expected] and choices.first_look() == {**expected, "look": "sizes"}


def test_a_burst_that_a_number_opens_says_which_number_it_shows(run_node, tmp_path, whole_offer):
    """In app and site, and of no number once the burst, the methods or what is compared are others."""
    known = [one for one in numbers(read_results()) if set(one.burst.methods) <= set(SHIPPED)]
    assert len(known) > 30
    links = [address_of(one.burst).partition("?")[2] for one in known]
    changed = [
        links[0].replace("frame=1&", "frame=5&"),
        links[0].replace("gain=1&", "gain=2&"),
        links[0].replace("methods=", "methods=kpn~"),
    ]
    states = [link.read(dict(parse_qsl(text)))[0] for text in (*links, *changed)]
    shown = [number_in(state, known) for state in states]
    (found,) = run_node(tmp_path, [("numbers", {"links": [*links, *changed], "offer": whole_offer})])
    says = [one and one.says for one in shown]
    assert says == [one.says for one in known] + 3 * [None]
    assert [one and html.unescape(one) for one in found] == says
