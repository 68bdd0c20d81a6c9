"""The page without a browser, and what the kernel lens is sent."""

import dataclasses

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

import kpnviz
from kpnviz import kernel_stats, metrics
from kpnviz.burst import Burst, BurstRecipe
from kpnviz.denoise import Estimate
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.noise import NoiseModel
from kpnviz.paths import ROOT
from kpnviz.ui import kernel_lens
from kpnviz.ui.controls import DEFAULTS, recipe_of
from kpnviz.ui.kernel_lens import pack, unpack

SMALL = {"crop": 96}


def open_app(**state):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    for key, value in (SMALL | state).items():
        app.session_state[key] = value
    return app.run()


def test_the_page_runs_and_says_how_it_measures():
    app = open_app()
    assert not app.exception
    assert not app.error
    assert any(metrics.PROTOCOL in caption.value for caption in app.caption)
    assert {"kpn-l5", "mkpn"} <= set(app.multiselect(key="methods").value)


def test_a_pinned_pixel_gets_its_statistics():
    app = open_app(lens={"pinned": [40, 52]}, methods=["mkpn"])
    assert not app.exception
    table = app.dataframe[0].value
    kernels = kpnviz.load("mkpn")(kpnviz.synthesize(recipe_of(DEFAULTS | SMALL))).kernels.at(40, 52)
    np.testing.assert_allclose(table["share"], kernel_stats.frame_share(kernels), rtol=1e-5)
    np.testing.assert_allclose(
        table[["centroid_dy", "centroid_dx"]], kernel_stats.centroid(kernels), atol=1e-5
    )
    np.testing.assert_allclose(table["entropy"], kernel_stats.entropy(kernels), rtol=1e-5)


def test_a_pinned_pixel_outside_a_smaller_picture_is_forgotten():
    app = open_app(lens={"pinned": [120, 120]})
    assert not app.exception
    assert not app.dataframe


def test_controls_change_the_burst():
    app = open_app(methods=[])
    app.button(key="gain_8").click().run()
    assert app.slider(key="gain").value == 8
    app.toggle(key="moving").set_value(True).run()
    app.button_group(key="shake").set_value(["strong"]).run()
    assert not app.exception
    assert not app.error
    state = {key: app.session_state[key] for key in DEFAULTS}
    assert recipe_of(state).noise == NoiseModel.for_gain(8)
    assert recipe_of(state).moving is not None


def test_a_larger_crop_moves_into_the_photo():
    recipe = recipe_of(DEFAULTS | {"crop": 256, "top": 150, "left": 288})
    assert recipe.crop == (32, 32, 256, 256)


def test_without_checkpoints_one_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    app = open_app()
    assert not app.exception
    assert "kpnviz train" in app.error[0].value


def test_a_damaged_checkpoint_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(tmp_path))
    (tmp_path / "kpn-l3.safetensors").write_bytes(b"not weights")
    app = open_app(methods=["kpn-l3"])
    assert not app.exception
    assert "kpn-l3" in app.error[0].value


def random_estimate(burst, sizes, separable, name, frames=None):
    factors = torch.randn(
        1,
        frames or len(burst),
        factor_channels(sizes, separable),
        (burst.height + 1) // 2,
        (burst.width + 1) // 2,
        generator=torch.Generator().manual_seed(1),
    )
    field = KernelField(factors / max(sizes), sizes, separable, burst.height, burst.width)
    return Estimate(burst.reference, field, name, 0.0)


def test_the_payload_holds_the_pictures_and_the_kernels():
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 21, 34)))
    estimates = [
        random_estimate(burst, (1, 3, 5), True, "mkpn"),
        random_estimate(burst, (5,), False, "kpn"),
        random_estimate(burst, (5,), False, "kpn-1frame", frames=1),
        Estimate(burst.mean, None, "kpn-direct", 0.0),
    ]
    header, arrays = unpack(pack(burst, estimates, start=(3, 4)))
    assert header["start"] == [3, 4]
    np.testing.assert_array_equal(arrays[header["frames"]], burst.frames)
    titles = [panel["title"] for panel in header["panels"]]
    assert titles == ["Frame", "Plain mean", "MKPN", "KPN 5×5", "KPN 1frame", "KPN direct", "Truth"]
    mean = header["panels"][1]
    np.testing.assert_array_equal(arrays[mean["image"]], burst.mean)
    assert mean["scores"]["psnr"] == pytest.approx(metrics.psnr(burst.mean, burst.truth))
    for method, estimate in zip(header["methods"], estimates, strict=True):
        if estimate.kernels is None:
            assert method["kernels"] is None
            continue
        factors = torch.from_numpy(arrays[method["kernels"]["factors"]].astype(np.float32))[None]
        sent = dataclasses.replace(estimate.kernels, factors=factors)
        np.testing.assert_allclose(sent.at(20, 33), estimate.kernels.at(20, 33), rtol=3e-3, atol=1e-3)


def test_a_burst_without_truth_or_a_single_pixel_can_be_packed():
    burst = Burst(np.full((1, 1, 1), 0.5, np.float32), NoiseModel(0.1, 0.01))
    header, _ = unpack(pack(burst, [random_estimate(burst, (3,), True, "kpn-l3")]))
    assert [panel["kind"] for panel in header["panels"]] == ["frame", "mean", "method"]
    assert header["shifts"] is None
    assert all(panel["scores"] is None for panel in header["panels"])


def test_equal_results_have_equal_payloads_and_others_do_not():
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 16, 16)))
    estimate = random_estimate(burst, (3,), True, "kpn-l3")
    same, other = pack(burst, [estimate]), pack(burst, [dataclasses.replace(estimate, image=burst.mean)])
    assert same == pack(burst, [estimate])
    assert unpack(same)[0]["id"] != unpack(other)[0]["id"]


def test_a_payload_beyond_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(kernel_lens, "MAX_BYTES", 10_000)
    burst = kpnviz.synthesize(BurstRecipe("dog", crop=(50, 60, 32, 32)))
    with pytest.raises(ValueError, match="smaller crop or fewer methods"):
        pack(burst, [])
