"""The arithmetic of the kernel lens, its modules in a browser, against the Python core."""

import base64
import dataclasses
import json

import numpy as np
import pytest
import torch

from kpnviz.analysis.best_size import TIE, best_size
from kpnviz.analysis.counterfactuals import ChangedKernels, drop_frames, restrict_sizes, shift_frame
from kpnviz.analysis.ideal import expected_error, ideal_kernels
from kpnviz.analysis.kernel_stats import centroid, entropy, mass, spread
from kpnviz.analysis.maps import burst_response, disagreement, frame_maps, kernel_kinds, mean_kernels
from kpnviz.analysis.metrics import psnr
from kpnviz.burst import Burst, BurstRecipe, Misalignment, synthesize
from kpnviz.color import srgb_decode, srgb_encode
from kpnviz.figures.style import DIVERGING
from kpnviz.kernels import KernelField, factor_channels
from kpnviz.lens import pack
from kpnviz.lens.page import SCRIPTS
from kpnviz.lens.rounding import in_8_bits
from kpnviz.matching import matching_costs
from kpnviz.noise import NoiseModel, stabilize

from .kinds import KINDS, of_kind

pytestmark = pytest.mark.browser

H, W = 23, 34
RECIPE = BurstRecipe(
    "dog", (50, 60, H, W), NoiseModel.for_gain(2), frames=3, misalignment=Misalignment(2, 2, 0), seed=4
)


SIZE = {"height": H, "width": W}
MODULES = (
    "assumed",
    "carpet",
    "changed_picture",
    "field",
    "ideal",
    "kept_field",
    "kernels",
    "kinds",
    "layout",
    "maps",
    "matching",
    "mixed_field",
    "moved_frame",
    "paint",
    "palette",
    "payload",
    "peaks",
    "predicted_anew",
    "regions",
    "response",
    "size_pictures",
    "sizes",
    "stack",
    "view_parts",
)


@pytest.fixture(scope="module")
def script(chromium):
    """Evaluates an expression of what the lens' modules export, as a browser imports them; arguments are `a`."""
    page = chromium.new_page()
    files = {path.name: path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js")}

    def answer(route):
        name = route.request.url.rpartition("/")[2]
        route.fulfill(
            body=files.get(name, "<!doctype html>"), content_type="text/javascript" if name else "text/html"
        )

    page.route("http://lens.test/**", answer)
    page.goto("http://lens.test/")
    page.evaluate(
        "async (names) => { for (const name of names) Object.assign(globalThis, await import(`/${name}.js`)); }",
        MODULES,
    )
    # JSON has no typed arrays: factors come as the bits of float16, a payload as base64.
    page.evaluate(
        """() => {
          globalThis.sent = ({ factors, ...rest }) =>
            ({ ...rest, factors: { ...factors, values: Uint16Array.from(factors.values) } });
          globalThis.ran = (steps) => { for (;;) { const { done, value } = steps.next(); if (done) return value; } };
          const list = (value) => (value.length ? [...value] : value);
          globalThis.plain = (maps) => Object.fromEntries(Object.entries(maps).map(([k, v]) => [k, list(v)]));
          globalThis.unpacked = (text) => readPayload(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
        }"""
    )

    def evaluate(expression, **arguments):
        return page.evaluate(
            f"(text) => {{ const a = JSON.parse(text); return {expression}; }}", json.dumps(arguments)
        )

    yield evaluate
    page.close()


def array(values):
    """As the scripts have arrays: {values, shape}."""
    return {"values": np.asarray(values, dtype=np.float64).ravel().tolist(), "shape": list(np.shape(values))}


def halves(values):
    """The bits of float16 numbers, in which factors travel."""
    bits = values.astype(np.float16).view(np.uint16)
    return {"values": bits.ravel().tolist(), "shape": list(values.shape)}


@pytest.mark.parametrize(("sizes", "separable"), [((1, 3, 5), True), ((3,), False)])
def test_kernels_and_their_statistics(script, sizes, separable):
    shape = (1, 3, factor_channels(sizes, separable), (H + 1) // 2, (W + 1) // 2)
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(0)).half()
    field = KernelField(factors.float(), sizes, separable, H, W)
    sent = {"sizes": sizes, "separable": separable, "factors": halves(factors[0].numpy()), **SIZE}
    for y, x in [(0, 0), (H - 1, W - 1), (10, 17)]:
        found = script(
            "new KernelField(sent(a.kernels)).at(a.y, a.x)"
            ".map((w) => [Array.from(w), { ...kernelStats(w, a.K), ...shapeOf(w, a.K) }])",
            kernels=sent, K=max(sizes), y=y, x=x,
        )  # fmt: skip
        expected = field.at(y, x)
        for (weights, stats), kernel in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.reshape(weights, kernel.shape), kernel, atol=1e-5)
            assert stats["mass"] == pytest.approx(mass(kernel), abs=1e-4)
            assert stats["centroid"] == pytest.approx(centroid(kernel), abs=1e-4)
            assert stats["spread"] == pytest.approx(spread(kernel), abs=1e-4)
            assert stats["entropy"] == pytest.approx(entropy(kernel), abs=1e-4)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(("sizes", "separable"), [((1, 3, 5), True), ((3, 5), False)])
def test_kernels_without_some_sizes_are_those_of_restricted_sizes(script, sizes, separable, keep):
    shape = (1, 2, factor_channels(sizes, separable), (H + 1) // 2, (W + 1) // 2)
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(3)).half()
    field = KernelField(factors.float(), sizes, separable, H, W)
    kept = sizes[:-1]
    changed = ChangedKernels(restrict_sizes(field, kept), share_of=field if keep else None)
    margin = (max(sizes) - max(kept)) // 2
    for y, x in [(7, 20), (0, W - 1)]:
        expected = changed.at(y, x)[1]
        weights, alone = script(
            "((field) => [[...field.frameAt(1, a.y, a.x)], field.weightAt(1, a.y, a.x, a.at, a.at)])"
            "(new KeptField(new KernelField(sent(a.kernels)), "
            "{ kept: a.kept, keepShare: a.keep, dropped: [], nonnegative: false }))",
            kernels={"sizes": sizes, "separable": separable, "factors": halves(factors[0].numpy()), **SIZE},
            kept=kept, keep=keep, at=max(sizes) // 2, y=y, x=x,
        )  # fmt: skip
        atol = 1e-5 * max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(
            np.reshape(weights, (max(sizes),) * 2), np.pad(expected, margin), atol=atol
        )
        middle = len(expected) // 2
        assert alone == pytest.approx(expected[middle, middle], abs=atol)


@pytest.mark.parametrize(("sizes", "separable"), [((1, 3, 5), True), ((3,), False)])
def test_what_uses_a_pixel_is_what_changes_with_it(script, sizes, separable):
    """The adjoint: one more at one pixel of one frame, and the picture's change is what the lens says, over N."""
    shape = (1, 2, factor_channels(sizes, separable), (H + 1) // 2, (W + 1) // 2)
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(0)).half()
    field = KernelField(factors.float(), sizes, separable, H, W)
    sent = {"sizes": sizes, "separable": separable, "factors": halves(factors[0].numpy()), **SIZE}
    K, r = max(sizes), max(sizes) // 2
    for y, x in [(11, 20), (H - 3, 3)]:
        frames = torch.zeros(1, 2, H, W)
        frames[0, 1, y, x] = 1
        change = np.pad(field.apply(frames)[0].numpy(), r)[y : y + K, x : x + K]
        found = script(
            "Array.from(usesOf(new KernelField(sent(a.kernels)), 1, a.y, a.x, a.H, a.W))",
            kernels=sent,
            y=y,
            x=x,
            H=H,
            W=W,
        )
        np.testing.assert_allclose(np.reshape(found, (K, K)) / 2, change, atol=1e-5)


@pytest.mark.parametrize("padding", ["reflect", "zero", "valid"])
@pytest.mark.parametrize("separable", [True, False])
def test_the_mean_of_the_pictures_of_sizes_is_the_picture_without_the_others(script, separable, padding):
    sizes, inset = (1, 3, 7), 3 if padding == "valid" else 0
    h, w = H - 2 * inset, W - 2 * inset
    shape = (
        1,
        2,
        3,
        factor_channels(sizes, separable),
        (h + 1) // 2,
        (w + 1) // 2,
    )  # of each channel its own
    factors = (0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(5))).half()
    field = KernelField(factors.float(), sizes, separable, h, w, padding)
    frames = torch.rand(1, 2, 3, H, W, generator=torch.Generator().manual_seed(6))
    found = script(
        "ran(sizePictures(new KernelField(sent(a.kernels)), a.frames))"
        ".map(({ picture, share }) => [picture, share].map((of) => Array.from(of, (v) => v || 0)))",
        kernels={
            "sizes": sizes, "separable": separable, "factors": halves(factors[0].numpy()), "padding": padding,
            "height": h, "width": w, "inset": inset,
        },
        frames=array(frames[0]),
    )  # fmt: skip
    pictures, shares = np.reshape(found, (3, 2, 3, H, W)).swapaxes(0, 1)[
        ..., inset : inset + h, inset : inset + w
    ]
    for size, share in zip(sizes, shares, strict=True):
        masses = field.channel(1).sizes_at(h - 1, 9)[size].sum((-1, -2))
        assert share[1, h - 1, 9] == pytest.approx(masses.sum() / 2, abs=1e-4)
    for kept in ([3, 7], sizes) if inset else ([1], [3, 7], sizes):
        made = np.mean([pictures[sizes.index(size)] for size in kept], axis=0)
        np.testing.assert_allclose(made, restrict_sizes(field, kept).apply(frames)[0], atol=2e-5)


@pytest.mark.parametrize("half", [True, False])
def test_maps_are_those_of_python(script, half):
    sizes = (1, 3, 5)
    h, w = ((H + 1) // 2, (W + 1) // 2) if half else (H, W)
    shape = (1, 2, factor_channels(sizes, True), h, w)
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(7)).half()
    field = KernelField(factors.float(), sizes, True, H, W)
    sent = {
        "sizes": sizes,
        "separable": True,
        "half": half,
        "factors": halves(factors[0].numpy()),
        **SIZE,
    }
    found = script("plain(ran(fieldMaps(new KernelField(sent(a.kernels)), [1])))", kernels=sent)
    expected = frame_maps(field, 1)
    dy, dx = np.moveaxis(expected.centroid, -1, 0)
    for name, values in {**vars(expected), "dy": dy, "dx": dx}.items():
        if name != "centroid":
            np.testing.assert_allclose(np.reshape(found[name], (h, w)), values, atol=1e-4, err_msg=name)

    # The size and the reach of both frames together, from their definitions.
    both = script("plain(ran(fieldMaps(new KernelField(sent(a.kernels)), [0, 1])))", kernels=sent)
    alone = [
        np.abs(restrict_sizes(field, [n]).predicted(slice(None), [0, 1])).sum((0, -1, -2)) for n in sizes
    ]
    np.testing.assert_array_equal(np.reshape(both["size"], (h, w)), np.argmax(alone, axis=0))
    kernels = np.abs(field.predicted(slice(None), [0, 1])).sum(0)
    held = (
        np.stack([kernels[..., 2 - r : 3 + r, 2 - r : 3 + r].sum((-1, -2)) for r in range(3)], -1)
        / kernels.sum((-1, -2))[..., None]
    )
    np.testing.assert_array_equal(np.reshape(both["reach"], (h, w)), 1 + 2 * np.argmax(held >= 0.5, axis=-1))
    np.testing.assert_allclose(
        np.reshape(both["share"], (h, w)), frame_maps(field, 0).share + expected.share, atol=1e-4
    )


CHANGES = [
    {"kept": [1, 3, 5], "dropped": [0, 2], "nonnegative": False, "keepShare": True},
    {"kept": [3, 5], "dropped": [1], "nonnegative": True, "keepShare": True},
    {"kept": [1, 3, 5], "dropped": [], "nonnegative": True, "keepShare": False},
]


@pytest.mark.parametrize("changes", CHANGES, ids=["dropped", "all", "nonnegative"])
def test_the_picture_of_changed_kernels_is_that_of_python(script, changes):
    """What if, in color: sizes, frames and negative weights left out; the kernels that are shown are those applied."""
    sizes = (1, 3, 5)
    shape = (1, 3, factor_channels(sizes, True), (H + 1) // 2, (W + 1) // 2)
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(11)).half()
    field = KernelField(factors.float(), sizes, True, H, W)
    frames = np.random.default_rng(12).random((3, 3, H, W), dtype=np.float32)
    changed = restrict_sizes(field, changes["kept"])
    changed = drop_frames(changed, changes["dropped"]) if changes["dropped"] else changed
    kernels = ChangedKernels(changed, changes["nonnegative"], field if changes["keepShare"] else None)
    expected = kernels.apply(frames)
    sent = {"sizes": sizes, "separable": True, "factors": halves(factors[0].numpy()), **SIZE}
    picture, weights = script(
        "((field) => [[...ran(changedPicture([{ field, share: 1 }], a.frames, a.changes))], "
        "new KeptField(field, a.changes).at(7, 20).map((w) => [...w])])(new KernelField(sent(a.kernels)))",
        kernels=sent, frames=array(frames), changes=changes,
    )  # fmt: skip
    atol = 2e-5 * float(np.abs(expected).max())
    np.testing.assert_allclose(np.reshape(picture, (3, H, W)), expected, atol=atol)
    np.testing.assert_allclose(np.reshape(weights, (3, 5, 5)), kernels.at(7, 20), atol=atol)
    mixed = script(
        "((field) => [...ran(changedPicture([0.3, 0.7].map((share) => ({ field, share })), a.frames, a.changes))])"
        "(new KernelField(sent(a.kernels)))",
        kernels=sent, frames=array(frames), changes=changes,
    )  # fmt: skip
    np.testing.assert_allclose(mixed, picture, atol=atol)  # of two that are alike


def test_changed_kernels_of_a_basis_make_the_picture_that_they_are_shown_to(script):
    factors = 0.3 * torch.randn((1, 4, H, W), generator=torch.Generator().manual_seed(13))
    basis = torch.randn((4, 2, 3, 3), generator=torch.Generator().manual_seed(14))
    field = KernelField.from_basis(basis, factors[0], padding="zero", reduce="sum")
    frames = np.random.default_rng(15).random((2, 1, H, W), dtype=np.float32)
    expected = ChangedKernels(drop_frames(field, [1]), True).apply(frames[:, 0])
    found = script(
        "((factors) => [...ran(changedPicture([{ share: 1, field: new KernelField({ ...a.kernels, factors }) }],"
        " a.frames, a.changes))])({ values: Float32Array.from(a.factors.values), shape: a.factors.shape })",
        kernels={
            "sizes": [3], "separable": False, "half": False, "padding": "zero", "reduce": "sum", "basis": array(basis),
            **SIZE,
        },
        factors=array(factors), frames=array(frames),
        changes={"kept": [3], "dropped": [1], "nonnegative": True, "keepShare": False},
    )  # fmt: skip
    np.testing.assert_allclose(np.reshape(found, (H, W)), expected, atol=1e-5 * np.abs(expected).max())


def test_a_frame_moved_by_hand_is_that_of_python(script):
    burst = synthesize(RECIPE)
    found = script("[...withMovedFrame(a.frames, 2, [3, -5]).values]", frames=array(burst.frames[:, None]))
    expected = shift_frame(burst, 2, 3, -5).frames
    np.testing.assert_allclose(np.reshape(found, expected.shape), expected, atol=1e-7)


def test_what_is_predicted_for_a_moved_frame_is_shown_once_all_networks_have_answered(script):
    """The newest question wins; what was found belongs to one move, one assumed noise and one burst."""
    seen = script("""(async () => {
      const panels = ["one", "two"].map((name) => ({ name, image: [0] }));
      const methods = [0, 1].map((panel) => ({ panel, kernels: { withFactors: (factors) => factors } }));
      const scoreOf = ([v]) => `${v} dB`;
      const byHand = { isMoved: true, moved: { frame: 1, shift: [0, 1] }, frames: "frames", scoreOf };
      const data = { id: "a", burst: "b", panels, methods, noise: [{}], series: null };
      const state = { data, byHand, assumed: { applied: 1 }, changed() {} };
      const anew = new PredictedAnew(state);
      const asked = [];
      const predict = (name, frames, noise, scale) => new Promise((give, fail) =>
        asked.push({ name, scale, give: (v) => give({ image: [v], factors: v }), fail }));
      const rest = () => new Promise((done) => setTimeout(done, 200));
      const look = () => {
        anew.follow();
        return [anew.ready, anew.status, anew.fieldOf(methods[0]) ?? null, anew.variantOf(panels[1]) ?? null];
      };
      const seen = [];
      anew.asked = true;
      seen.push(look()); // nobody to ask
      anew.set({ burst: "b", networks: ["one"], predict });
      seen.push(anew.offered);
      anew.set({ burst: "b", networks: ["one", "two"], predict });
      look(); await rest();
      asked[0].give(1); await rest();
      seen.push(look()); // one is not all
      byHand.moved = { frame: 1, shift: [0, 2] };
      look(); asked[1].give(2); await rest();
      seen.push(look()); // answers of before the move
      asked[2].give(3); asked[3].give(4); await rest();
      seen.push(look());
      state.assumed.applied = 0;
      seen.push(look());
      await rest(); asked[5].fail(new Error("no memory")); await rest();
      seen.push(look());
      anew.asked = false;
      seen.push(look());
      return [seen, asked.map(({ name, scale }) => [name, scale])];
    })()""")
    waiting = [False, "predicting …", None, None]
    assert seen[0] == [
        [False, "", None, None],
        False,
        waiting,
        waiting,
        [True, "", 3, {"image": [4], "score": "4 dB"}],
        waiting,
        [False, "The networks cannot predict here: no memory", None, None],
        [False, "", None, None],
    ]
    assert seen[1] == [["one", 2], ["two", 2]] * 2 + [["one", 1], ["two", 1]]


@pytest.mark.parametrize(("y", "x", "side"), [(11, 20, 9), (2, W - 1, 17), (5, 5, 0)])
def test_mean_kernels_of_a_region(script, y, x, side):
    sizes = (1, 5)
    shape = (1, 2, factor_channels(sizes, True), (H + 1) // 2, (W + 1) // 2)
    factors = torch.randn(shape, generator=torch.Generator().manual_seed(16)).half()
    region, found = script(
        "((field) => { const region = regionAround(field, a.y, a.x, a.side);"
        " return [region, ran(regionMean(field, region)).map((w) => [...w])]; })(new KernelField(sent(a.kernels)))",
        kernels={"sizes": sizes, "separable": True, "factors": halves(factors[0].numpy()), **SIZE},
        y=y, x=x, side=side,
    )  # fmt: skip
    half = (side - 1) // 2 if side else max(H, W)
    place = max(0, y - half), min(H, y + half + 1), max(0, x - half), min(W, x + half + 1)
    assert (region["top"], region["bottom"], region["left"], region["right"]) == place
    expected = mean_kernels(KernelField(factors.float(), sizes, True, H, W), *place)
    np.testing.assert_allclose(np.reshape(found, expected.shape), expected, atol=1e-5)


@pytest.mark.parametrize("frames", [[1], [0, 1]])
def test_kinds_of_kernels_hold_as_much_of_their_variance_as_pythons(script, frames):
    """Starting points differ, so kinds may; what kinds are for is how much of the kernels' variety they hold."""
    rng = np.random.default_rng(17)
    h, w = 40, 44
    kinds = rng.normal(size=(4, 2 * 25))  # factors of a dense kernel, of each frame
    kind = np.kron(rng.integers(0, 4, (5, 11)), np.ones((8, 4), int))
    factors = kinds[kind] + 0.25 * rng.normal(size=(h, w, 50))
    factors = np.moveaxis(factors, -1, 0).reshape(2, 25, h, w).astype(np.float16)
    field = KernelField(torch.from_numpy(factors).float()[None], (5,), False, 2 * h, 2 * w)
    found = script(
        "((k) => ({ ...k, index: [...k.index], kernels: k.kernels.map((of) => of.map((w) => [...w])) }))"
        "(ran(kernelKinds(new KernelField(sent(a.kernels)), a.frames, 4)))",
        kernels={
            "sizes": [5], "separable": False, "factors": halves(factors), "height": 2 * h, "width": 2 * w,
        },
        frames=frames,
    )  # fmt: skip
    expected = kernel_kinds(field, frames[0] if len(frames) == 1 else None, 4)
    assert found["explained"] == pytest.approx(expected.explained, abs=0.01)
    assert found["spread"] == sorted(found["spread"])
    # What is said of the kinds follows from which place has which.
    index = np.reshape(found["index"], (h, w))
    kernels = np.moveaxis(field.predicted(slice(None), frames), 0, 2).reshape(h, w, -1)
    for number, mean in enumerate(found["kernels"]):
        np.testing.assert_allclose(np.ravel(mean), kernels[index == number].mean(0), atol=1e-4)
    inside = sum(kernels[index == i].var(0).sum() * (index == i).mean() for i in range(4))
    assert found["explained"] == pytest.approx(1 - inside / kernels.reshape(h * w, -1).var(0).sum(), abs=1e-4)


def test_kernels_that_are_all_alike_are_of_one_kind(script):
    factors = np.full((1, 9, 6, 7), 0.25, np.float16)
    found = script(
        "((k) => [k.kernels.length, k.explained])(ran(kernelKinds(new KernelField(sent(a.kernels)), [0], 5)))",
        kernels={"sizes": [3], "separable": False, "factors": halves(factors), "height": 12, "width": 14},
    )  # fmt: skip
    assert found == [1, 1]


@pytest.mark.parametrize("channels", [1, 3])
def test_where_pictures_differ_most(script, channels):
    a, b = np.random.default_rng(18).random((2, channels, 50, 60)).astype(np.float32)
    a, b = (a[0], b[0]) if channels == 1 else (a, b)
    found = script(
        "peaksOf(differences(a.a, a.b, 3000, (v) => encode(v / 0.8)), 50, 60)",
        a=a.ravel().tolist(), b=b.ravel().tolist(),
    )  # fmt: skip
    expected = disagreement(a, b, 0.8)
    assert [tuple(peak["at"]) for peak in found] == [(y, x) for y, x, _ in expected]
    np.testing.assert_allclose([peak["value"] for peak in found], [v for *_, v in expected], atol=1e-5)


@pytest.mark.parametrize("shifts", [None, [(0, 0), (2, -1), (-0.5, 4)]])
def test_frequencies(script, shifts):
    kernels = np.random.default_rng(8).normal(size=(3, 5, 5))
    found, noise = script(
        "[Array.from(responseOf(a.kernels, 5, 3, a.shifts)), noiseLeft(a.kernels, 3)]",
        kernels=kernels.reshape(3, 25).tolist(), shifts=shifts,
    )  # fmt: skip
    _, expected = burst_response(kernels, shifts, points=33)
    np.testing.assert_allclose(np.reshape(found, (33, 33)), expected, atol=1e-9)
    assert noise == pytest.approx(np.sqrt((kernels**2).sum()) / 3)


def test_a_mixture_of_kernels_makes_the_mixture_of_pictures(script):
    rng = np.random.default_rng(1)
    frame = rng.normal(size=(9, 9))
    fields = [halves(rng.normal(size=(1, 25, 5, 5))) for _ in range(2)]
    one, other, mixed = script(
        """((fields) => [...fields, new MixedField(...fields, 0.3)].map((field) => ({
          sum: applyKernels({ values: a.frame, shape: [1, 1, 9, 9] }, field.setsAt(1, 7), field.rule, 1, 7).sums[0],
          weights: Array.from(field.frameAt(0, 1, 7)),
          alone: field.weightAt(0, 1, 7, 3, 1),
        })))(a.fields.map((factors) => new KernelField(sent({ ...a.parts, factors }))))""",
        fields=fields, frame=frame.ravel().tolist(), parts={"sizes": [5], "separable": False, "height": 9, "width": 9},
    )  # fmt: skip
    assert mixed["sum"] == pytest.approx(0.7 * one["sum"] + 0.3 * other["sum"], abs=1e-12)
    patch = np.pad(frame, 2, mode="reflect")[1:6, 7:12]
    assert one["sum"] == pytest.approx((patch.ravel() * one["weights"]).sum(), abs=1e-12)
    assert mixed["alone"] == pytest.approx(mixed["weights"][3 * 5 + 1], abs=1e-12)
    seen = script(
        "Array.from(patchAt(a.frames, 0, 0, 5, 1, 7))",
        frames=array(frame[None, None]),
    )
    np.testing.assert_allclose(seen, patch.ravel(), atol=1e-12)


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (-2, (0, 1, 0)),
        (-1.5, (0, 1, 0.5)),
        (0, (1, 2, 1)),
        (0.25, (2, 3, 0.25)),
        (2, (3, 4, 1)),
        (3, (3, 4, 1)),
    ],
)
def test_other_scales_lie_between_those_that_were_computed(script, power, expected):
    found = script("scaleBeside(a.scales, a.power)", scales=[0.25, 0.5, 1, 2, 4], power=power)
    assert (found["low"], found["high"], found["share"]) == pytest.approx(expected)


@pytest.mark.parametrize(("h", "w"), [(H, W), (9, 30)])
def test_psnr(script, h, w):
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 0.5, (h, w)).astype(np.float32)
    image = (truth + rng.normal(0, 0.1, (h, w))).astype(np.float32)
    found = script(
        "psnrOf(a.image, a.truth, a.h, a.w, 0.5)",
        image=image.ravel().tolist(), truth=truth.ravel().tolist(), h=h, w=w,
    )  # fmt: skip
    assert found == pytest.approx(psnr(image, truth, 0.5), abs=1e-3)


@pytest.mark.parametrize("level, brightness", [(1, 1), (2, 1), (3, 1), (2, 1 / 1024)])
def test_matching_costs(script, level, brightness):
    bright = synthesize(RECIPE)
    noise = NoiseModel(bright.noise.read_std * brightness, bright.noise.shot_gain * brightness)
    burst = Burst(np.float32(brightness) * bright.frames, noise)
    g = torch.from_numpy(stabilize(burst.frames, burst.noise))[None].float()
    expected = matching_costs(g, reach=3, windows=3, backend="reference")[0, :, level - 1].numpy()
    for y, x in [(0, 0), (H - 1, W - 1), (11, 20)]:
        found = script(
            "costsAt(smoothFrames(a.frames, a.noise), a.y, a.x, 3, a.level).map((c) => Array.from(c))",
            frames=array(burst.frames), noise=dataclasses.asdict(burst.noise), y=y, x=x, level=level,
        )  # fmt: skip
        np.testing.assert_allclose(
            np.reshape(found, (3, 7, 7)), expected[..., y // 2, x // 2], rtol=1e-4, atol=1e-4
        )


def test_ideal_kernels(script):
    burst = synthesize(RECIPE)
    clean = synthesize(dataclasses.replace(RECIPE, noise=NoiseModel(0, 0))).frames
    for y, x in [(0, 0), (H - 1, 20), (11, 20)]:
        others = np.random.default_rng(0).normal(size=(3, 5, 5))
        found, least, error = script(
            "((around) => { const found = idealKernels(around); return ["
            "found.map((w) => Array.from(w)), expectedError(around, found), expectedError(around, a.others)]; })"
            "(windowAround(a.clean, a.truth, a.noise, { K: 5, padding: 'reflect', divisor: 3 }, a.y, a.x))",
            clean=array(clean[:, None]), truth=burst.truth.ravel().tolist(), noise=dataclasses.asdict(burst.noise),
            y=y, x=x, others=others.reshape(3, 25).tolist(),
        )  # fmt: skip
        known = clean, burst.truth, burst.noise
        expected = ideal_kernels(*known, 5, y, x)
        np.testing.assert_allclose(np.reshape(found, expected.shape), expected, atol=1e-6)
        assert least == pytest.approx(expected_error(expected, *known, y, x), rel=1e-6)
        assert error == pytest.approx(expected_error(others, *known, y, x), rel=1e-6)


def test_the_srgb_transfer(script):
    values = np.linspace(-0.2, 1.2, 57)
    np.testing.assert_allclose(
        script("a.values.map(encode)", values=values.tolist()), srgb_encode(np.clip(values, 0, 1)), atol=1e-6
    )


def contrast(one, other):
    """Of two colors in 0..255 (WCAG 2: relative luminance)."""
    light, dark = sorted(
        (srgb_decode(np.array(c) / 255) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_ends_of_the_signed_scale_have_a_hue_of_their_own(script, theme):
    """Blue below zero and red above, also at the ends; in the browser as in the figures of Python."""
    assert script("STOPS[a.theme]", theme=theme) == DIVERGING[theme == "dark"]
    for sign, strong, weak in ((1, 0, 2), (-1, 2, 0)):
        for power in (0.25, 0.5, 0.75, 1):
            color = script(
                "[0, 8, 16].map((s) => (PALETTES[a.theme].at(a.t) >>> s) & 255)", theme=theme, t=sign * power
            )
            assert color[strong] - color[weak] > 45


@pytest.mark.parametrize("weight", [-1, -0.2, 0, 0.2, 1])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_mark_is_seen_on_any_weight(script, theme, weight):
    """A cross in the middle of a kernel of equal weights."""
    draw = """(() => {
      const canvas = new OffscreenCanvas(60, 60);
      const ink = { ...INKS[a.theme], text: a.text, weight: 1, shift: "#0f9d76" };
      const weights = new Float64Array(9).fill(a.weight);
      const palette = PALETTES[a.theme];
      const marks = { centroid: [0, 0], shift: null };
      drawKernel(canvas, 60, { weights, K: 3, max: 1, boxSize: 3, palette, ink, ...marks });
      const { data } = canvas.getContext("2d").getImageData(22, 22, 16, 16);
      return Array.from({ length: 256 }, (_, i) => Array.from(data.slice(4 * i, 4 * i + 3)));
    })()"""
    colors = script(draw, theme=theme, weight=weight, text="#e6e8eb" if theme == "dark" else "#1f2328")
    ground, *others = colors  # the first is at a corner, the mark in the middle
    assert sum(contrast(color, ground) >= 3 for color in others) >= 12


@pytest.mark.parametrize(
    ("total", "picture", "text"),
    [
        (0.49502, 0.49498, "picture 0.4950 ✓"),
        (0.4951, 0.495, "≈ picture 0.4950"),
        (0.5, 0.495, "picture 0.4950"),
    ],
)
def test_a_tick_stands_beside_numbers_that_are_the_same(script, total, picture, text):
    found = script("pictureLine(a.total, a.picture, 2e-3)", total=total, picture=picture)
    assert (found["text"], found["kind"]) == (text, "" if total == 0.5 else "agrees")


@pytest.mark.parametrize("frames", [1, 2, 8, 16, 32])
@pytest.mark.parametrize("methods", [1, 2, 3, 4])
@pytest.mark.parametrize("width", [358, 480, 640, 1100])
def test_kernels_fill_their_place_and_never_fall_below_the_smallest(script, width, methods, frames):
    found = script("arrange(a.counts, a.width, 590)", counts=[frames] * methods, width=width)
    columns, side = found["columns"], found["side"]
    beside = 118 if found["named"] else 0
    assert 1 <= columns <= frames
    assert columns * (side + 6) - 6 <= width - beside
    assert 72 <= side <= 176


def test_on_a_telephone_four_kernels_stand_in_a_line(script):
    found = script("arrange([8, 8], 334, Infinity)")
    assert (found["columns"], found["side"], found["named"]) == (4, 79, False)


@pytest.mark.parametrize("width", [300, 338, 366, 800])
def test_long_numbers_of_a_strip_have_room_however_low_the_window(script, width):
    """Of Sum, "+0.0515" in letters of 0.22 of the side; kernels that are too small for them stand in more lines."""
    found = script("arrangeStrip([8, 8, 8], a.width, 100, 1, true)", width=width)
    assert 40 <= found["side"] <= 64 and found["columns"] * (found["side"] + 3) - 3 <= width
    assert script("arrangeStrip([8, 8, 8], a.width, 100)", width=width)["side"] < 30  # numbers are left out


def test_a_page_of_1280_by_800_shows_eight_kernels_of_three_methods_at_once(script):
    """916 px is what the sidebar leaves; 595 px lie between the head of the page and its end."""
    assert script("standsBeside(916)")
    stage = script("stageSize(916, 480, 1)")
    assert stage >= 420
    found = script("arrange([8, 8, 8], a.width, 595)", width=916 - 20 - stage)
    assert found["side"] >= 72 and found["columns"] == 4
    assert 3 * 2 * (found["side"] + 24) + 2 * 8 <= 595


def test_pictures_keep_their_shape(script):
    for width, height in [(358, 700), (436, 600), (916, 800), (1500, 1000)]:
        wide, tall = (
            script("stageSize(a.w, a.h, a.r, {beside: standsBeside(a.w)})", w=width, h=height, r=r)
            for r in (1.5, 0.5)
        )
        assert wide <= width and tall / 0.5 <= 760


@pytest.mark.parametrize("count", [2, 8, 16])
def test_a_point_of_a_sheet_is_found_again_and_the_topmost_counts(script, count):
    width, height = 400, 300
    stack = script("stackOf(400, 300, a.n)", n=count)
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    for i, (x, y) in enumerate(stack["origins"]):
        places = [(x + stack["across"] * u - stack["lean"] * v, y + stack["down"] * v) for u, v in corners]
        assert all(0 <= px <= width and 0 <= py <= height for px, py in places)
        # At its lower edge a sheet is covered by none, as all above it end higher.
        u, v = 123.0, height - 0.5
        at = (x + stack["across"] * u - stack["lean"] * v, y + stack["down"] * v)
        found = script("flatten(stackOf(400, 300, a.n), a.at, [400, 300])", n=count, at=at)
        assert found == pytest.approx([u, v])
        if i:  # where sheets overlap, it is a point of one further up
            at = (x + stack["across"] * u, y)
            assert script("flatten(stackOf(400, 300, a.n), a.at, [400, 300])", n=count, at=at)[1] > 1
    assert script("flatten(stackOf(400, 300, a.n), [1, 1], [400, 300])", n=count) is None


@pytest.mark.parametrize(("scale", "step"), [(3.28, 8), (26, 1), (25.9, 2), (0.1, 512), (60, 1)])
def test_kernels_all_over_are_as_wide_as_can_be_seen_and_a_power_of_two_apart(script, scale, step):
    assert script("carpetStep(a.scale)", scale=scale) == step


def test_kernels_all_over_stand_in_the_middle_of_each_cell_that_is_seen(script):
    found = script("carpetPixels(5, 0, 9, 4.5, 13, 34, 4)")
    # Cells that begin at rows 4, 8 and 12, and at columns 0 and 4: of the last row only row 12 is left.
    assert found == [[y, x] for y in (6, 10, 12) for x in (2, 6)]
    everywhere = script("carpetPixels(0, 0, 13, 34, 13, 34, 1)")
    assert everywhere == [[y, x] for y in range(13) for x in range(34)]


def test_the_class_of_sizes_that_leads_is_that_of_python(script):
    rng = np.random.default_rng(3)
    sizes = [1, 3, 5, 25, None, 11]
    found = best_size([rng.gamma(0.3, 0.01, (20, 20)) for _ in sizes], sizes)
    for y, x in [(0, 0), (19, 19), (10, 3), (4, 17), (12, 12)]:
        local = found.local[:, y, x].tolist()
        leading = script("leadAt(a.local, a.classes)", local=local, classes=found.classes)
        number = found.classes[leading["first"]]
        assert local[leading["first"]] == max(
            v for v, c in zip(local, found.classes, strict=True) if c is not None
        )
        assert found.classes[leading["second"]] != number
        assert found.index[y, x] == (number if leading["lead"] >= TIE else -1)


def test_shares_of_the_classes_of_sizes(script):
    # In the payload 0 is a tie, 1 the first class.
    assert script("sharesOf([0, 1, 1, 3, 0, 0, 3, 3], 3)") == [2 / 8, 0, 3 / 8, 3 / 8]


@pytest.mark.parametrize("type_", [1, 1.4])
@pytest.mark.parametrize("pictures", [1, 2])
@pytest.mark.parametrize(
    ("width", "height"), [(358, 600), (436, 700), (736, 600), (916, 530), (1216, 530), (1860, 860)]
)
def test_nine_kernels_the_picture_and_the_map_fit_their_place(script, width, height, pictures, type_):
    found = script("sizesDesk(a.w, a.h, a.n, 1, 1, 9, a.t)", w=width, h=height, n=pictures, t=type_)
    columns, side, stage = found["columns"], found["side"], found["stage"]
    assert columns * (side + 6) - 6 <= width
    assert 72 <= side <= 176 * type_
    across = pictures + (1 if found["beside"] else 0)
    assert across * stage + (20 if found["beside"] else 0) + (pictures - 1) * 6 <= width
    if found["beside"] and stage > 280:  # below, the page is scrolled
        assert stage + -(-9 // columns) * (side + 38 * type_) <= height


def test_a_page_of_1280_by_800_shows_nine_kernels_in_a_row(script):
    found = script("sizesDesk(916, 530, 1, 1, 1, 9)")
    assert found["columns"] == 9 and found["side"] >= 72 and found["stage"] >= 420


def test_large_letters_come_with_large_kernels(script):
    """All in sight: names stand above the kernels where they would not fit beside them."""
    usual, large = (script("arrange([8, 8, 8], 776, 520, a.t)", t=t) for t in (1, 1.4))
    assert large["side"] >= 1.2 * 72 and large["fits"]
    assert usual["named"] and not large["named"]


CORNERS = [(0, 0), (0, 11), (1, 25), (9, 12), (9, 0), (18, 25), (17, 3)]


@pytest.mark.parametrize("lossy", [False, True])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_receipt_of_any_kernels_is_true_also_at_borders_and_corners(script, kind, lossy):
    """Through the payload: kernels and shares are those of Python, and their sum is the picture in every channel."""
    burst, estimate = of_kind(kind)
    field, C = estimate.kernels, burst.channels or 1
    payload = base64.b64encode(pack(burst, [estimate], lossy=lossy)).decode()
    r = field.reach if field.padding == "valid" else 0
    found = script(
        """((data) => a.pixels.map(([y, x]) => {
          const { kernels: field } = data.methods[0];
          const sets = field.setsAt(y, x);
          const shown = applyKernels(data.frames, sets, field.rule, y, x, 1);
          return {
            covered: field.covers(y, x), sums: shown.sums, error: field.error,
            shares: shown.cells.map(({ share }) => share),
            adds: shown.cells.map(({ adds }) => adds),
            sets: sets.map((set) => set.map((w) => Array.from(w))),
            last: sets.map((_, c) => field.weightAt(field.count - 1, y, x, 1, 2, c)),
          };
        }))(unpacked(a.payload))""",
        payload=payload, pixels=CORNERS,
    )  # fmt: skip
    image = estimate.image.reshape(C, *estimate.image.shape[-2:])
    for (y, x), one in zip(CORNERS, found, strict=True):
        inside = r <= y < 19 - r and r <= x < 26 - r
        assert one["covered"] == inside
        if not inside:
            assert one["sums"] == [0] * C
            continue
        expected = field.at(y - r, x - r)  # [N, K, K] or [N, C, K, K]
        sets = np.reshape(one["sets"], (len(one["sets"]), field.frames, *expected.shape[-2:]))
        given = np.moveaxis(expected, 1, 0) if field.channels else expected[None]
        tolerance = (1 / 127 if lossy and in_8_bits(field) else 1e-3) * np.abs(given).max()
        np.testing.assert_allclose(sets, given, atol=tolerance)
        np.testing.assert_allclose(one["last"], sets[:, -1, 1, 2], atol=1e-12)
        shown = given[min(1, len(given) - 1)]
        shares = shown.sum(axis=(1, 2)) / field.divisor
        np.testing.assert_allclose(one["shares"], shares, atol=1.1 * tolerance * np.sqrt(shown[0].size))
        np.testing.assert_allclose(one["sums"], image[:, y - r, x - r], atol=one["error"])
        np.testing.assert_allclose(np.sum(one["adds"], axis=0), one["sums"], atol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_uses_a_pixel_of_any_kernels_is_the_adjoint(script, kind):
    """One more at one pixel of the last frame, and the picture's change there is what the lens says."""
    burst, estimate = of_kind(kind)
    field, C = estimate.kernels, burst.channels or 1
    payload = base64.b64encode(pack(burst, [estimate])).decode()
    K, k = max(field.sizes), field.reach
    r = k if field.padding == "valid" else 0
    for y, x in [(0, 1), (17, 24), (9, 12)]:
        frames = torch.zeros((1, *burst.frames.shape))
        frames[0, -1, ..., y, x] = 1
        change = field.apply(frames, "sum")[0].numpy().reshape(C, *estimate.image.shape[-2:])[-1]
        change = np.pad(change, k + r)[y : y + K, x : x + K]
        found = script(
            "Array.from(usesOf(unpacked(a.payload).methods[0].kernels, a.frame, a.y, a.x, 19, 26, 2))",
            payload=payload, frame=len(burst) - 1, y=y, x=x,
        )  # fmt: skip
        np.testing.assert_allclose(np.reshape(found, (K, K)), change, atol=1e-3 * np.abs(change).max())


def test_ideal_kernels_of_a_sum_without_padding_beat_all_others(script):
    """Of zero-padded sums: the gradient of the expected error is 0 there, so that no small change makes it less."""
    rng = np.random.default_rng(0)
    clean = synthesize(dataclasses.replace(RECIPE, noise=NoiseModel(0, 0)))
    for y, x in [(0, 0), (H - 1, W - 1)]:
        least, others = script(
            """((around) => { const found = idealKernels(around); const changed = a.changes.map((change) =>
              expectedError(around, found.map((w, i) => w.map((v, j) => v + change[i][j]))));
              return [expectedError(around, found), changed]; })
            (windowAround(a.clean, a.truth, a.noise, { K: 3, padding: "zero", divisor: 1 }, a.y, a.x))""",
            clean=array(clean.frames[:, None]), truth=clean.truth.ravel().tolist(),
            noise=dataclasses.asdict(RECIPE.noise), y=y, x=x, changes=rng.normal(0, 0.01, (20, 3, 9)).tolist(),
        )  # fmt: skip
        assert least < min(others)
        # As large as what a mean of these kernels times three makes: the same picture.
        assert 0 < least < 0.1


def test_matching_in_color_is_that_of_the_weighted_sum(script):
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(3, 3, 4, 5))
    found = script("Array.from(weightedSum(a.frames, [.25, .5, .25]).values)", frames=array(frames))
    np.testing.assert_allclose(
        np.reshape(found, (3, 4, 5)), np.tensordot([0.25, 0.5, 0.25], frames, (0, 1)), atol=1e-12
    )
