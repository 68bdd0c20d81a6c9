"""What the pages of the site compute beside the networks, and what they read of files: in Node, against Python."""

import io
import re
import zipfile

import numpy as np
import pytest

from kpnviz.analysis.best_size import best_size
from kpnviz.analysis.maps import class_psnr, frame_maps, pixel_classes, squared_error
from kpnviz.analysis.metrics import inner, psnr
from kpnviz.burst import Burst, BurstRecipe, synthesize
from kpnviz.capture.kernel_file import load_kernels, save_kernels
from kpnviz.color import srgb_encode
from kpnviz.consistency import picture_of
from kpnviz.denoise import load
from kpnviz.estimate import Estimate
from kpnviz.evaluation.results import Results, read_results
from kpnviz.kernels import KernelField
from kpnviz.lens.payload import unpack
from kpnviz.lens.texts import result_tables
from kpnviz.noise import NoiseModel
from kpnviz.site.texts import formula, markup, results_texts, texts
from kpnviz.ui import foreign, kernel_example
from kpnviz.ui.cache import matrix_recipe
from kpnviz.ui.choices import MATRIX_CROP

from ..test_consistency import FRAMES as MOVED
from ..test_consistency import KERNELS as KERNEL
from ..test_consistency import applied
from .conftest import JavaScriptError, build, checkpoint, photo_files


def test_the_best_size_is_that_of_python(run_node, tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.random((40, 53), np.float32)
    images = [truth + rng.normal(0, 0.1 * (1 + np.sin(np.arange(53) / k)), truth.shape) for k in (3, 5, 7, 9)]
    sizes = [None, 3, 5, 25]
    files = {"truth": truth} | {f"image{i}": image.astype(np.float32) for i, image in enumerate(images)}
    job = {"images": [f"image{i}" for i in range(4)], "truth": "truth", "sizes": sizes, "H": 40, "W": 53}
    (found,) = run_node(tmp_path, [("bestSize", job)], files)
    expected = best_size([squared_error(image.astype(np.float32), truth) for image in images], sizes)
    np.testing.assert_allclose(found["local"], expected.local.ravel(), atol=2e-5)
    assert tuple(found["classes"]) == expected.classes
    assert (found["index"] == expected.index.ravel() + 1).mean() > 0.999 and len(set(found["index"])) > 2


def test_classes_of_pixels_and_their_psnr_are_those_of_python(run_node, tmp_path):
    truth = synthesize(BurstRecipe("dog", (20, 30, 61, 78), frames=1, color=True)).truth
    rng = np.random.default_rng(0)
    errors = rng.random((2, 61, 78)).astype(np.float32)
    files = {"color": truth, "gray": truth[1], "error0": errors[0], "error1": errors[1]}
    jobs = [
        ("classes", {"truth": name, "errors": ["error0", "error1"], "C": C, "H": 61, "W": 78})
        for name, C in (("color", 3), ("gray", 1))
    ]
    for name, found in zip(("color", "gray"), run_node(tmp_path, jobs, files), strict=True):
        expected = pixel_classes(files[name])
        assert set(expected.ravel()) == {0, 1, 2}
        assert (found["classes"] == expected.ravel()).mean() > 0.999  # but for rounding at a threshold
        inside = expected[inner(expected.shape)]
        assert found["shares"] == pytest.approx([(inside == i).mean() for i in range(3)], abs=1e-3)
        for psnrs, error in zip(found["psnr"], errors, strict=True):
            assert psnrs == pytest.approx(class_psnr(error.astype(float), expected), abs=0.01)


def test_figures_of_results_are_those_of_python(run_node, tmp_path):
    results = read_results()
    plain = results_texts(results)
    jobs, wanted = [], []
    for motion, gain, method in (
        ("whole-pixel", 4, "kpn-l5"),
        ("moving", 16, "mkpn"),
        ("sub-pixel", 1, "kpn-l25"),
    ):
        rows = result_tables.rows_of(results, motion)
        of = next(one for one in plain["motions"] if one["name"] == motion)
        pairs = of["pairs"][str(gain)]
        chosen = result_tables.comparable(rows, gain).index(method)
        jobs.append(("forests", {"pairs": pairs, "chosen": chosen, "near": plain["near"]}))
        wanted.append(result_tables.compared(rows, gain, method))
    assert len(wanted[0]) == 2  # near and far
    for forests, found in zip(wanted, run_node(tmp_path, jobs), strict=True):
        assert [one["heading"] for one in found] == [forest.heading for forest in forests]
        for one, forest in zip(found, forests, strict=True):
            assert (one["titles"], one["ties"]) == (list(forest.titles), list(forest.ties))
            assert one["x_title"] == forest.x_title
            for key in ("values", "errors"):
                assert one[key] == pytest.approx(getattr(forest, key), abs=2e-5)


def test_bursts_of_the_matrix_of_gains_are_cut_out_as_in_the_app(run_node, tmp_path):
    pixels = [(0, 0), (50, 70), (127, 127), (31, 96)]
    for crop in ((10, 20, 128, 128), (0, 5, 48, 96)):
        recipe = BurstRecipe("dog", crop)
        (found,) = run_node(
            tmp_path, [("matrix", {"recipe": {"crop": crop}, "pixels": pixels, "side": MATRIX_CROP})]
        )
        assert [tuple(one) for one in found] == [matrix_recipe(recipe, pixel).crop for pixel in pixels]


def kernels_of_kinds():
    """A burst and estimates of every kind that a file may hold."""
    rng = np.random.default_rng(1)
    frames = rng.random((3, 14, 17)).astype(np.float32)
    burst = Burst(frames, NoiseModel(0.01, 0.001), truth=frames[0] * 0.9)
    some = {
        "dense, by zeros": KernelField.from_kernels(
            rng.normal(size=(3, 3, 3, 14, 17)).astype(np.float16), padding="zero", reduce="sum"
        ),
        "separable, half": KernelField.from_factors(
            [rng.normal(size=(3, k, 7, 9)) for k in (3, 5)],
            [rng.normal(size=(3, k, 7, 9)) for k in (3, 5)],
            size=(14, 17),
        ),
        "valid": KernelField.from_kernels(
            np.asfortranarray(rng.normal(size=(3, 5, 5, 10, 13))), padding="valid"
        ),
        "basis": KernelField.from_basis(
            rng.normal(size=(4, 3, 5, 5)), rng.normal(size=(4, 14, 17)), padding="replicate"
        ),
    }
    return burst, [Estimate.of(burst, field, name=name) for name, field in some.items()]


def test_kernels_of_any_kind_are_read_and_applied_as_by_python(run_node, tmp_path):
    burst, estimates = kernels_of_kinds()
    save_kernels(tmp_path / "kinds.npz", burst, estimates)
    with np.load(tmp_path / "kinds.npz") as stored:  # the same, deflated
        np.savez_compressed(tmp_path / "packed.npz", **stored)
    color = synthesize(BurstRecipe("dog", (90, 90, 20, 24), frames=2, color=True))
    weights = np.random.default_rng(2).normal(size=(2, 3, 3, 3, 20, 24)).astype(np.float32)
    of_channels = Estimate.of(color, KernelField.from_kernels(weights), name="of each channel")
    save_kernels(tmp_path / "color.npz", color, [of_channels])
    with np.load(tmp_path / "kinds.npz") as stored:  # one channel is gray, and a batch of one a picture
        one_of = {"frames": 1, "truth": 0, **{key: 0 for key in stored if key.endswith("image")}}
        channel = {key: np.expand_dims(stored[key], axis) for key, axis in one_of.items()}
        np.savez(tmp_path / "channel.npz", **{**stored, **channel})
    names = ("kinds.npz", "packed.npz", "color.npz", "channel.npz")
    found = run_node(tmp_path, [("kernels", {"file": name}) for name in names])
    for name, one in zip(names, found, strict=True):
        assert not isinstance(one, JavaScriptError), one
        header, arrays = unpack(one["payload"].tobytes())
        same, expected = load_kernels(tmp_path / name)
        assert np.array_equal(arrays[header["frames"]], same.frames)
        assert one["titles"] == [estimate.model for estimate in expected]
        for method, estimate in zip(header["methods"], expected, strict=True):
            panel, kernels = header["panels"][method["panel"]], method["kernels"]
            np.testing.assert_allclose(
                arrays[panel["image"]], estimate.image, atol=2e-5, err_msg=method["title"]
            )
            if estimate.image.shape == same.frames.shape[1:]:
                expected_psnr = psnr(estimate.image, same.truth, same.white_level)
                assert panel["scores"]["psnr"] == pytest.approx(expected_psnr, abs=1e-3)
            field = estimate.kernels
            assert np.array_equal(arrays[kernels["factors"]], field.factors[0].float().numpy())
            assert (kernels["padding"], kernels["reduce"]) == (field.padding, field.reduce)


def test_frames_of_0_to_255_are_remarked_on_in_the_words_of_the_app(run_node, tmp_path):
    frames = np.random.default_rng(0).uniform(0, 1, (2, 8, 9)).astype(np.float32)
    field = KernelField.from_kernels(np.ones((2, 3, 3, 8, 9), np.float32) / 9)
    cases = [(1, 1), (2, 1), (251, 1), (251, 255), (900, 1), (1e5, 2)]
    bursts = [Burst(scale * frames, white_level=white) for scale, white in cases]
    names = [f"{i}.npz" for i in range(len(cases))]
    for name, burst in zip(names, bursts, strict=True):
        save_kernels(tmp_path / name, burst, [Estimate.of(burst, field, name="mean")])
    found = [one["note"] for one in run_node(tmp_path, [("kernels", {"file": name}) for name in names])]
    assert found == [foreign.above_white(burst) for burst in bursts]
    assert [bool(note) for note in found] == [False, False, True, False, True, True]
    assert "divide the frames by 255, or add the key white_level with the value 255." in found[2]
    assert "divide the frames by 1023," in found[4]


def test_the_example_of_kernels_is_that_of_the_app(run_node, tmp_path):
    files, names = photo_files(["city"])
    (found,) = run_node(tmp_path, [("example", {"names": names})], files)
    assert not isinstance(found, JavaScriptError), found
    np.testing.assert_allclose(found["frames"], kernel_example.frames.ravel(), atol=1e-6, rtol=0)
    np.testing.assert_allclose(found["kernels"], kernel_example.kernels.ravel(), atol=1e-5, rtol=0)
    assert found["titles"] == ["Bilateral filter"] == [kernel_example.mine.model]


FRAMES, KERNELS = np.zeros((2, 8, 9), np.float32), np.zeros((2, 3, 3, 8, 9), np.float32)
LIES = {
    "it holds no frames": {"kernels": KERNELS},
    "frames has shape (8, 9); expected [N, H, W]": {"frames": FRAMES[0], "kernels": KERNELS},
    "frames holds whole numbers": {"frames": FRAMES.astype(int), "kernels": KERNELS},
    "frames holds NaN": {"frames": FRAMES * np.nan, "kernels": KERNELS},
    "it holds no kernels": {"frames": FRAMES},
    "kernels has shape (2, 9, 8, 9); expected [N, K, K, h, w]": {
        "frames": FRAMES,
        "kernels": KERNELS.reshape(2, 9, 8, 9),
    },
    "H and W are exchanged; the last two axes are to be [h, w]": {
        "frames": FRAMES,
        "kernels": KERNELS.swapaxes(-1, -2),
    },
    "so K = 4, and kernels have an odd side up to 61; its axes are to be [N, K, K, h, w]": {
        "frames": FRAMES,
        "kernels": np.zeros((2, 4, 4, 8, 9)),
    },
    "so N = 3 frames, and the burst has 2; its axes are to be [N, K, K, h, w]": {
        "frames": FRAMES,
        "kernels": np.zeros((3, 3, 3, 8, 9)),
    },
    "so K = 8 rows and 9 columns, and kernels are square; its axes are to be [N, K, K, h, w]": {
        "frames": FRAMES,
        "kernels": KERNELS.transpose(0, 3, 4, 1, 2),
    },
    "so N = 8 frames, and the burst has 2; its axes are to be [N, K, h, w]": {
        "frames": FRAMES,
        "vertical": np.zeros((8, 3, 9, 2), np.float32),
        "horizontal": np.zeros((8, 3, 9, 2), np.float32),
    },
    "its name says 5": {"frames": FRAMES, "kernels_5": KERNELS},
    "expected kernels, or vertical and horizontal": {"frames": FRAMES, "vertical": KERNELS[:, 0]},
    "padding is “mirror”": {"frames": FRAMES, "kernels": KERNELS, "padding": "mirror"},
    "scale is 3": {"frames": FRAMES, "kernels": KERNELS, "scale": 3},
    "kernal is no key": {"frames": FRAMES, "kernal": KERNELS},
    "method 0: the picture is not what": {"frames": FRAMES, "kernels": KERNELS, "image": FRAMES[0] + 1},
    "they are counted from 0": {"frames": FRAMES, "1/kernels": KERNELS},
    "so F = 2 and 3": {"frames": FRAMES, "basis": np.zeros((2, 2, 3, 3)), "coefficients": np.zeros((3, 8, 9))},
    "read_std and shot_gain come together": {"frames": FRAMES, "kernels": KERNELS, "read_std": 0.1},
    "dtype or a header that is not read": {"frames": FRAMES, "kernels": np.array([{}])},
}  # fmt: skip


def test_every_lie_about_kernels_is_one_sentence(run_node, tmp_path):
    contents = {}
    for i, arrays in enumerate(LIES.values()):
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        contents[f"lie{i}.npz"] = buffer.getvalue()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, frames=FRAMES, kernels=KERNELS)
    good = buffer.getvalue()
    stored = io.BytesIO()
    np.savez(stored, frames=FRAMES, kernels=KERNELS)
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        place = archive.getinfo("frames.npy").header_offset + 60
    wrong_length = bytearray(good)
    entry = good.index(b"PK\1\2")
    wrong_length[entry + 24 : entry + 28] = (50).to_bytes(
        4, "little"
    )  # more is in it than its directory says
    bomb = bytearray(good)
    bomb[entry + 24 : entry + 28] = (2**31).to_bytes(4, "little")
    contents |= {
        "cut.npz": good[:-30],
        "stored.npz": stored.getvalue().replace(KERNELS.tobytes(), b"\1" + KERNELS.tobytes()[1:]),
        "flipped.npz": good[:place] + bytes([good[place] ^ 255]) + good[place + 1 :],
        "longer.npz": bytes(wrong_length),
        "bomb.npz": bytes(bomb),
        "text.npz": b"no zip",
        "renamed.npz": stored.getvalue().replace(b"frames.npy", b"kernel.npy", 1),
    }
    said = [
        *LIES,
        "it is cut off",
        "which is damaged",
        "which is damaged",
        "which is damaged",
        "unpacks to more than",
        "is no NPZ",
        "calls a member frames.npy in its directory, and kernel.npy where it lies",
    ]
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    found = run_node(tmp_path, [("kernels", {"file": name}) for name in contents])
    for name, sentence, one in zip(contents, said, found, strict=True):
        assert isinstance(one, JavaScriptError), (name, sentence)
        assert sentence in str(one) and str(one).startswith(name) and "\n" not in str(one), (name, one)


def reasons():
    """Files of pictures that were made in another way than their kernels say."""
    flipped, exchanged = KERNEL[:, ::-1, ::-1], KERNEL.swapaxes(1, 2)
    plain = applied().mean(0)
    pictures = {
        "another padding": applied(mode="reflect").mean(0),
        "padding and sum": applied(mode="edge").sum(0),
        "flipped": applied(kernels=flipped).mean(0),
        "exchanged": applied(kernels=exchanged).mean(0),
        "both": applied(kernels=exchanged[:, ::-1, ::-1]).mean(0),
        "order": applied(MOVED[[2, 0, 3, 1]]).mean(0),
        "twice": applied(MOVED[[0, 0, 0, 0]]).mean(0),
        "order, padding, sum": applied(MOVED[[2, 0, 3, 1]], mode="edge").sum(0),
        "order, flipped": applied(MOVED[::-1], flipped).mean(0),
        "divided": plain / KERNEL.sum((1, 2)).mean(0),
        "divided inside": plain / applied(np.ones_like(MOVED)).mean(0),
        "factor": 255 * plain,
        "added": plain + MOVED[0],
        "constant": plain - 0.05,
        "factor and constant": 2 * plain + 0.1,
        "transfer": srgb_encode(plain),
        "clipped": plain.clip(0.3, 0.6),
        "noise": np.random.default_rng(2).random(plain.shape),
        "rows": applied().mean(1),
        "columns, sum": applied().sum(2),
        "turned": plain.T,
        "another size": plain[1:],
    }
    files = {
        why: (MOVED, {"kernels": KERNEL, "padding": "zero", "image": image.astype(np.float32)})
        for why, image in pictures.items()
    }
    few = KERNEL[..., :12, :15]
    repeated = applied(kernels=np.kron(few, np.ones((2, 2), np.float32))).mean(0)
    files["repeated"] = (MOVED, {"kernels": few, "scale": 2, "padding": "zero", "image": repeated})
    rng = np.random.default_rng(7)
    frames, order = rng.random((6, 3, 20, 21), np.float32), rng.permutation(6)
    kernels = rng.normal(0.1, 0.1, (6, 3, 3, 18, 19)).astype(np.float32)
    image = sum(
        kernels[:, None, a, b] * frames[order, :, a : a + 18, b : b + 19] for a in range(3) for b in range(3)
    )
    files["order in color"] = (frames, {"kernels": kernels, "padding": "valid", "image": image.mean(0)})
    files["channels"] = (frames, {"kernels": kernels, "padding": "valid"})
    files["constants"] = (frames, {"kernels": kernels, "padding": "valid"})
    u, v = rng.normal(0.2, 0.1, (2, 4, 5, 24, 30)).astype(np.float32)
    image = applied(kernels=v[:, :, None] * u[:, None]).mean(0)
    files["separable"] = (MOVED, {"vertical": u, "horizontal": v, "padding": "zero", "image": image})
    return files


def test_why_a_picture_is_another_is_said_in_the_words_of_python(run_node, tmp_path):
    files, said = reasons(), {}
    for why, (frames, method) in files.items():
        padding, size = method["padding"], frames.shape[-2:] if "scale" in method else None
        given = method.get("kernels")
        field = (
            KernelField.from_factors(method["vertical"], method["horizontal"], padding=padding)
            if given is None
            else KernelField.from_kernels(given, size=size, padding=padding)
        )
        if why == "channels":
            method["image"] = picture_of(frames, field)[::-1]
        if why == "constants":
            method["image"] = picture_of(frames, field) + np.float32([[[0.1]], [[0.2]], [[-0.3]]])
        with pytest.raises(ValueError) as refused:
            Estimate.of(Burst(frames), field, name="mine", image=method["image"])
        said[why] = str(refused.value)
        np.savez(tmp_path / f"{len(said)}.npz", frames=frames, title="mine", **method)
    found = run_node(tmp_path, [("kernels", {"file": f"{i + 1}.npz"}) for i in range(len(said))])
    about = re.compile(r"\d+\.\d+(e-?\d+)?")  # sums are rounded otherwise
    for number, ((why, sentence), one) in enumerate(zip(said.items(), found, strict=True), start=1):
        assert isinstance(one, JavaScriptError), why
        mine, theirs = about.sub("#", str(one)), about.sub("#", f"{number}.npz: {sentence}")
        if why.startswith("constant"):  # which place differs most is a matter of rounding
            mine, theirs = (re.sub(r"at [\w ,]+ \(", "(", text) for text in (mine, theirs))
        assert mine == theirs, why
    assert all("None of the usual reasons" in said[why] for why in ("clipped", "noise"))


def test_texts_are_html_without_scripts_and_formulas_are_drawn():
    assert markup("**a** *b* `c<` [[0]]", [{"text": "1 < 2", "says": 'x "y"'}]) == (
        '<b>a</b> <em>b</em> <code>c&lt;</code> <a class="measured" data-number="0" '
        'title="x &quot;y&quot;. Opens a burst that shows it.">1 &lt; 2</a>'
    )
    assert formula(r"\begin{gathered} a \\ b \end{gathered}", "block").count("<math") == 2
    found = texts(Results({}, []))
    without = results_texts(Results({}, []))
    assert without["verdicts"] == [] and without["motions"] == []
    for lesson in found["lessons"]:
        shown = lesson["text"] + lesson["equation"] + lesson["reveal"]
        assert "$" not in shown and "\\" not in shown and "<script" not in shown, lesson["title"]
        assert lesson["said"] == ""


def test_the_curves_of_noise_are_medians_of_pythons_maps(run_node, tmp_path):
    recipe = BurstRecipe("dog", (64, 64, 32, 40), NoiseModel(0.02, 0.004), frames=2, seed=5, reduction=2)
    burst = synthesize(recipe)
    files, names = photo_files(["dog"])
    as_link = {
        "photo": "dog", "crop": [64, 64, 32, 40], "noise": {"read_std": 0.02, "shot_gain": 0.004}, "frames": 2,
        "misalignment": {"small": 2, "large": 16, "rate": 1.5, "subpixel": False}, "shifts": None, "moving": [],
        "white_level": 1, "reduction": 2, "seed": 5, "color": False, "camera": None,
    }  # fmt: skip
    job = {"build": build(), "checkpoint": checkpoint("kpn-l3"), "recipe": as_link, "names": names}
    (found,) = run_node(tmp_path, [("answer", job)], files)
    assert not isinstance(found, JavaScriptError), found
    made = load("kpn-l3")(burst)
    maps = frame_maps(made.kernels, 0)
    assert found["spread"] == pytest.approx(float(np.median(maps.spread)), abs=2e-3)
    assert found["share"] == pytest.approx(float(np.median(maps.share)), abs=1e-3)
    assert found["psnr"] == pytest.approx(psnr(made.image, burst.truth), abs=1e-3)
    shares = [float(frame_maps(made.kernels, i).share.mean()) for i in range(2)]
    assert found["shares"] == pytest.approx(shares, abs=1e-3)
