"""synth | denoise | kernels from the command line, on an odd size, against the Python API."""

import dataclasses
import json

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn

from kpnviz.burst import BurstRecipe, Misalignment, synthesize, with_motion
from kpnviz.capture.from_files import read_burst
from kpnviz.capture.reader import files_of, read_frames
from kpnviz.capture.writer import write_burst
from kpnviz.color import srgb_encode
from kpnviz.commands.denoising import said_once
from kpnviz.commands.main import main
from kpnviz.denoise import Denoiser, load
from kpnviz.limits import Limits
from kpnviz.models import checkpoints
from kpnviz.noise import NoiseModel
from kpnviz.pictures import read_picture, write_png16

from ..capture.picture_makers import dng, pillow
from ..conftest import tiny


@pytest.fixture(autouse=True)
def one_tiny_network(tmp_path, monkeypatch):
    folder = tmp_path / "checkpoints"
    monkeypatch.setenv("KPNVIZ_CHECKPOINTS", str(folder))
    network = tiny("mkpn")
    with torch.no_grad():
        nn.init.normal_(network.head.weight, std=0.02)
    checkpoints.save(folder / "mkpn.safetensors", network, {})
    checkpoints.save(folder / "kpn-direct.safetensors", tiny("kpn-direct"), {})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return main([str(argument) for argument in arguments])


def read16(path):
    return read_picture(path.name, path.read_bytes(), Limits()).codes / 65535


def expected(image):
    return srgb_encode(np.clip(image, 0, 1))


@pytest.mark.parametrize("motion", ["sub-pixel", "moving", "handheld"])
def test_synth_of_every_motion(motion, tmp_path, capsys):
    command = ["synth", "dog", "-o", "burst", "--crop", "60,90,33,40", "--frames", 3, "--seed", 2]
    assert run(*command, "--motion", motion, "--json") == 0
    burst = synthesize(with_motion(BurstRecipe("dog", (60, 90, 33, 40), frames=3, seed=2), motion))
    frames = np.stack(
        [read16(tmp_path / "burst" / name)[0] for name in json.loads(capsys.readouterr().out)["frames"]]
    )
    # The files have a black level and a scale: correlation tells that they are these frames.
    for written, frame in zip(frames, burst.frames, strict=True):
        assert np.corrcoef(written.ravel(), frame.ravel())[0, 1] > 0.9999
    with pytest.raises(SystemExit):
        run(*command, "--motion", "zoom")


def test_synth_then_denoise_gives_what_the_app_shows(tmp_path):
    assert run("synth", "dog", "-o", "burst", "--gain", 4, "--seed", 1, "--crop", "60,90,97,75") == 0
    assert run("denoise", "burst", "-o", "out.png") == 0
    burst = synthesize(BurstRecipe("dog", crop=(60, 90, 97, 75), noise=NoiseModel.for_gain(4), seed=1))
    shown = expected(load("mkpn")(burst).image)
    written = read16(tmp_path / "out.png")[0]
    # Frames are quantized to 16 bits and the result again: far below one step of 8 bits.
    np.testing.assert_allclose(written, shown, atol=1e-3)
    assert np.abs(written - shown).mean() < 1e-4
    frames = sorted((tmp_path / "burst").glob("frame_*.png"))
    assert run("denoise", *frames, "-o", "same.png") == 0
    np.testing.assert_array_equal(read16(tmp_path / "same.png")[0], written)


def test_an_odd_size_in_color(tmp_path, capsys):
    rng = np.random.default_rng(0)
    photo = np.kron(rng.integers(0, 256, (17, 21, 3)), np.ones((8, 8, 1))).astype(np.uint8)[:133, :165]
    (tmp_path / "photo.png").write_bytes(pillow(photo, "PNG"))
    options = ("--color", "--reduction", 1, "--gain", 2, "--json")
    assert run("synth", "photo.png", "-o", "burst", *options) == 0
    assert json.loads(capsys.readouterr().out)["noise"][2]["read_std"] == NoiseModel.for_gain(2).read_std
    assert (
        run("denoise", "burst", "-o", "out.tif", "--color", "--tile", 64, "--channels", "each", "--json") == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert (report["height"], report["width"]) == (133, 165)
    assert [row["channel"] for row in report["noise"]] == ["R", "G", "B"]
    written = tifffile.imread(tmp_path / "out.tif")
    assert written.shape == (133, 165, 3) and written.dtype == np.uint16
    recipe = BurstRecipe(str(tmp_path / "photo.png"), noise=NoiseModel.for_gain(2), reduction=1, color=True)
    burst, denoiser = synthesize(recipe), Denoiser(load("mkpn").network, "mkpn", tile=192)
    for c in range(3):
        image = denoiser(burst.channel(c)).image
        np.testing.assert_allclose(written[..., c] / 65535, expected(image), atol=2e-3, err_msg=str(c))
    assert run("denoise", "burst", "-o", "shared.tif", "--color", "--tile", 64) == 0
    written = np.moveaxis(tifffile.imread(tmp_path / "shared.tif"), -1, 0)
    np.testing.assert_allclose(written / 65535, expected(denoiser(burst).image), atol=2e-3)
    assert run("denoise", "burst", "-o", "plain.tif", "--tile", 64) == 0  # the files are in color
    np.testing.assert_array_equal(np.moveaxis(tifffile.imread(tmp_path / "plain.tif"), -1, 0), written)
    assert run("denoise", "burst", "-o", "gray.tif", "--gray") == 0
    assert tifffile.imread(tmp_path / "gray.tif").shape == (133, 165)
    assert run("denoise", "burst", "-o", "x.png", "--gray", "--channels", "each") == 1
    assert (
        "--channels is of R, G and B: it comes with --color, and not with --gray" in capsys.readouterr().err
    )


def test_kernels_are_those_of_the_whole_picture(tmp_path, capsys):
    run("synth", "city", "-o", "burst", "--crop", "20,30,141,163", "--seed", 2, "--shake", "2,16,4")
    capsys.readouterr()
    burst = synthesize(
        BurstRecipe("city", crop=(20, 30, 141, 163), seed=2, misalignment=Misalignment(2, 16, 4))
    )
    whole = load("mkpn")(burst)
    for y, x in ((0, 0), (70, 81), (140, 162), (33, 5)):
        assert run("kernels", "burst", "--at", f"{y},{x}", "-o", "k.npz", "--json") == 0
        assert json.loads(capsys.readouterr().out)["pixel"] == [y, x]
        with np.load(tmp_path / "k.npz") as arrays:
            kernels, patches, value = arrays["kernels"][0], arrays["patches"][0], arrays["value"][0]
            np.testing.assert_allclose(kernels, whole.kernels.at(y, x), atol=2e-4)
            assert (kernels * patches).sum() / 8 == pytest.approx(value, abs=1e-5)
            assert value == pytest.approx(whole.image[y, x], abs=1e-3)
            assert arrays["kernels_7"].shape == (1, 8, 7, 7)
            np.testing.assert_array_equal(arrays["pixel"], (y, x))
            names = {"kernels_S" if name.startswith("kernels_") else name for name in arrays}
    with pytest.raises(SystemExit):
        run("kernels", "--help")
    told = capsys.readouterr().out.split("FILE holds")[1].splitlines()
    assert {line.split()[0] for line in told if "  [" in line} == names


def test_own_photos_are_aligned_their_noise_estimated_and_their_frames_repeated(tmp_path, capsys):
    burst = synthesize(
        BurstRecipe(
            "city",
            crop=(20, 30, 120, 150),
            frames=3,
            shifts=((0, 0), (1, 0), (7, -5)),
            noise=NoiseModel(0.01, 1e-3),
        )
    )
    for i, frame in enumerate(burst.frames):
        codes = np.rint(255 * expected(0.15 + 0.8 * np.repeat(frame[..., None], 3, axis=2))).astype(np.uint8)
        (tmp_path / f"IMG_{i}.jpg").write_bytes(pillow(codes, "JPEG", quality=98))
    names = [f"IMG_{i}.jpg" for i in range(3)]
    checkpoints.save(tmp_path / "checkpoints" / "eight.safetensors", tiny("mkpn-stacked"), {})
    assert run("denoise", *names, "-o", "out.png", "--color", "--json", "--model", "eight") == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert len(report["frames"]) == 8 and set(report["frames"]) == set(names)
    assert sum(report["undone"]) >= 1
    assert {row["source"] for row in report["noise"]} == {"estimated from the burst"}
    assert "sRGB-encoded" in output.err and "repeat frames" in output.err
    assert "shift dy" not in output.err  # only with --verbose
    given = ("--read-std", 0.03, "--shot-gain", 0.01)
    assert run("denoise", *names, "-o", "off.png", "--align", "off", "--gray", *given) == 0
    said = capsys.readouterr().err
    assert (
        "noise of gray, given: read_std 0.03000" in said
        and "as strong as is stated (given): they show" in said
    )
    # std = sqrt(0.03^2 + 0.01 * 0.18) = 0.05196
    assert "3 of 3 frames are used; noise of 5.20% of white at middle gray (18%), given.\n" in said


def test_counts_are_written_back_with_the_size_of_a_pixel(tmp_path, capsys):
    rng = np.random.default_rng(1)
    light = np.kron(rng.uniform(20, 900, (8, 9)), np.ones((8, 8)))
    frames = np.rint(100 + rng.poisson(light, (4, 64, 72)) + rng.normal(0, 3, (4, 64, 72))).astype(np.uint16)
    stack = ("a.tif", {"imagej": True, "resolution": (8.0, 8.0), "metadata": {"unit": "um"}})
    sizes = "".join(f' PhysicalSize{axis}="0.125" PhysicalSize{axis}Unit="\u00b5m"' for axis in "XY")
    ome = f'<?xml version="1.0"?><OME><Image><Pixels SizeX="72"{sizes}></Pixels></Image></OME>'
    pages = ("b.tif", {"description": ome.encode(), "metadata": None})
    for name, options in (stack, pages):
        tifffile.imwrite(name, frames, photometric="minisblack", **options)
        command = ["denoise", name, "--black", 100, "--white", 4095, "--input", "linear"]
        assert run(*command, "--float", "-o", "float.tif") == 0
        assert "number in the files = 100 + 3995 × value. --counts writes" in capsys.readouterr().err
        assert run(*command, "--counts", "-o", "counts.tif", "--json") == 0
        assert json.loads(capsys.readouterr().out)["encoding"] == "counts"
        counts = tifffile.imread("counts.tif")
        np.testing.assert_allclose(counts, 100 + 3995 * tifffile.imread("float.tif"), rtol=1e-5)
        assert counts.mean() == pytest.approx(frames.mean(), rel=0.02)
        with tifffile.TiffFile("counts.tif") as file:
            tags = file.pages.first.tags
            assert tags["ResolutionUnit"].value == 3  # cm
            # 0.125 µm are 80000 pixels a cm.
            assert [np.divide(*tags[f"{axis}Resolution"].value) for axis in "XY"] == [80000, 80000]
    (tmp_path / "c.png").write_bytes(pillow(rng.integers(9, 240, (64, 64), np.uint8), "PNG"))
    assert run("denoise", "c.png", "-o", "c.tif", "--counts") == 1
    assert "the numbers of c.png are sRGB-encoded, no counts of a sensor" in capsys.readouterr().err


def test_what_is_said_of_every_channel_is_said_once():
    sentences = (
        "It looks 1.4 times as strong.",
        "It looks 1.5 times as strong.",
        "It looks 1.4 times as strong.",
    )
    assert said_once("RGB", sentences) == ["It looks 1.4 times as strong."]
    assert said_once("RGB", ("", "Odd.", "Odd.")) == ["G, B: Odd."] and said_once("RGB", ("", "", "")) == []


def test_ones_own_files_may_be_more_than_the_app_takes(tmp_path, capsys):
    assert run("synth", "dog", "-o", "burst", "--frames", 40, "--crop", "0,0,24,24") == 0
    assert run("denoise", "burst", "-o", "out.png") == 0
    assert len(read_burst("burst")) == 40
    with pytest.raises(ValueError, match=r"burst has up to 32 \(KPNVIZ_MAX_FRAMES\)"):
        read_frames(files_of(["burst"]))


def test_networks_compute_on_the_device_that_is_named(tmp_path, monkeypatch):
    devices = []
    monkeypatch.setattr(
        "kpnviz.denoise.load", lambda name, device, tile=1024: devices.append(device) or load(name, tile=tile)
    )
    run("synth", "dog", "-o", "burst", "--crop", "0,0,24,24")
    assert run("denoise", "burst", "-o", "out.png", "--device", "cuda:1") == 0
    assert run("kernels", "burst", "-o", "k.npz", "--at", "3,4", "--device", "mps") == 0
    monkeypatch.setattr("kpnviz.methods.load", lambda name, device: devices.append(device) or load(name))
    case = ["--motion", "whole-pixel", "--gains", 4, "--limit", 1]
    assert run("evaluate", "--models", "mkpn", *case, "--device", "cuda") == 0
    assert devices == ["cuda:1", "mps", "cuda"]


@pytest.mark.parametrize("count", [2, 11])
def test_a_network_of_any_number_of_frames_takes_all(tmp_path, capsys, count):
    checkpoints.save(tmp_path / "checkpoints" / "any.safetensors", tiny("kpn-l5"), {})
    burst = synthesize(BurstRecipe("city", (20, 30, 64, 70), frames=count, white_level=0.5))
    write_burst(tmp_path / "burst", burst)
    assert run("denoise", "burst", "-o", "out.png", "--model", "any", "--json", "--verbose") == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert len(set(report["frames"])) == count and "frame_01.png: shift" in output.err
    # White is white in the picture.
    shown = expected(load("any")(burst).image / 0.5)
    np.testing.assert_allclose(read16(tmp_path / "out.png")[0], shown, atol=2e-3)
    assert run("kernels", "burst", "--at", "9,9", "-o", "k.npz", "--model", "any") == 0
    assert np.load(tmp_path / "k.npz")["kernels"].shape[1] == count


def test_a_frame_of_another_scene_is_left_out_and_the_reference_can_be_chosen(tmp_path, capsys):
    for i, photo in enumerate(("city", "city", "city", "dog")):
        frame = synthesize(BurstRecipe(photo, (80, 80, 96, 96), NoiseModel(0.01, 1e-3), frames=1, seed=i))
        codes = np.rint(255 * expected(0.1 + 0.8 * frame.frames[0])).astype(np.uint8)
        (tmp_path / f"{i}.png").write_bytes(pillow(codes, "PNG"))
    assert run("denoise", *(f"{i}.png" for i in range(4)), "-o", "out.png", "--json", "--verbose") == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert report["left_out"] == ["3.png"] and sorted(report["frames"]) == ["0.png", "1.png", "2.png"]
    assert "another scene, or turned or zoomed too far): 3.png." in output.err
    assert "3.png: shift not found" in output.err
    files = ("0.png", "1.png", "2.png")
    assert run("denoise", *files, "-o", "out.png", "--json", "--reference", "1.png") == 0
    assert json.loads(capsys.readouterr().out)["frames"][0] == "1.png"
    assert run("denoise", *files, "-o", "out.png", "--reference", "7") == 1
    assert "reference is 7; it is a frame's name, or its number from 0 to 2" in capsys.readouterr().err


def test_raw_is_developed_in_color_and_kept_linear_on_request(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(2):
        codes = (512 + 900 + 100 * rng.standard_normal((80, 96))).astype(np.uint16)
        (tmp_path / f"{i}.dng").write_bytes(dng(codes))
    assert run("denoise", "0.dng", "1.dng", "-o", "out.tif", "--color") == 0
    assert tifffile.imread(tmp_path / "out.tif").shape == (40, 48, 3)
    assert run("denoise", "0.dng", "1.dng", "-o", "linear.png", "--linear") == 0
    assert read16(tmp_path / "linear.png").mean() == pytest.approx(900 / 3583, rel=0.2)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["denoise", "nowhere", "-o", "a.png"], "nowhere: there is no such file or folder"),
        (
            ["denoise", "bursts", "-o", "a.png"],
            "bursts holds no files; of a folder of bursts `kpnviz denoise --each`",
        ),
        (["denoise", "a.png", "-o", "out.jpg"], "out.jpg: the picture is a .png, .tif, .tiff or .dng"),
        (["denoise", "a.png", "bad.png", "-o", "out.png"], "bad.png is not a picture that can be read"),
        (["denoise", "a.png", "a.png", "-o", "o.png", "--model", "x"], "there is no network x"),
        (["denoise", "a.png", "a.png", "-o", "o.png", "--tile", "7"], "tile is 7"),
        (
            ["denoise", "a.png", "a.png", "-o", "o.png", "--device", "meta"],
            "device is 'meta'; PyTorch says: ",
        ),
        (
            ["kernels", "a.png", "a.png", "-o", "o.npz", "--at", "1,1", "--device", "x"],
            "device is 'x'; PyTorch",
        ),
        (
            ["denoise", "a.png", "a.png", "-o", "o.png", "--read-std", "1"],
            "--read-std and --shot-gain come together",
        ),
        (["kernels", "burst", "--at", "30,20", "-o", "k.npz"], "--at is 30,20; the frames have 30x40 pixels"),
        (["kernels", "burst", "--at", "3,2", "-o", "k.npz", "--model", "kpn-direct"], "has no kernels"),
        (
            [
                "denoise",
                "a.png",
                "a.png",
                "-o",
                "o.png",
                "--input",
                "linear",
                "--black",
                "-1e3",
                "--white",
                "-2e3",
            ],
            "black is -1000 and white is -2000; black is below white",
        ),
        (["synth", "nobody", "-o", "b"], "photo 'nobody' is neither"),
        (["synth", "dog", "-o", "b", "--crop", "0,0,999,9"], "does not fit the photo"),
    ],
)
def test_errors_are_one_sentence_and_exit_1(tmp_path, capsys, arguments, sentence):
    big = np.random.default_rng(0).integers(9, 240, (64, 64), np.uint8)
    (tmp_path / "a.png").write_bytes(pillow(big, "PNG"))
    (tmp_path / "bad.png").write_bytes(b"not a picture at all")
    (tmp_path / "bursts" / "one").mkdir(parents=True)
    if "burst" in arguments:
        run("synth", "dog", "-o", "burst", "--crop", "0,0,30,40")
        capsys.readouterr()
    assert main(arguments) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith(f"kpnviz {arguments[0]}: ") and sentence in lines[-1]
    assert not list(tmp_path.glob("o*.png"))


@pytest.mark.parametrize("command", ["synth", "denoise", "kernels"])
def test_help_has_examples_and_wrong_usage_exits_2(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0 and f"kpnviz {command} " in capsys.readouterr().out.split("examples:")[1]
    with pytest.raises(SystemExit) as stop:
        main([command])
    assert stop.value.code == 2


def test_a_new_burst_replaces_an_older_longer_one(tmp_path):
    run("synth", "dog", "-o", "burst", "--crop", "0,0,20,20", "--frames", 12)
    run("synth", "dog", "-o", "burst", "--crop", "0,0,20,20", "--frames", 3)
    assert len(list((tmp_path / "burst").glob("frame_*.png"))) == 3


def test_the_other_spelling_of_color_is_read_but_not_shown(tmp_path, capsys):
    for option in ("--color", "--colour"):
        assert run("synth", "dog", "-o", str(tmp_path / option), "--crop", "0,0,16,16", option, "--json") == 0
        assert len(json.loads(capsys.readouterr().out)["noise"]) == 3
    with pytest.raises(SystemExit):
        run("denoise", "--help")
    assert "--color " in (text := capsys.readouterr().out) and "--colour" not in text


def test_where_there_is_no_estimate_a_guess_is_made_and_said(tmp_path, capsys):
    (tmp_path / "a.png").write_bytes(
        pillow(np.random.default_rng(0).integers(9, 240, (64, 64), np.uint8), "PNG")
    )
    assert main(["denoise", "a.png", "a.png", "-o", "o.png", "--json"]) == 0
    said = capsys.readouterr()
    (noise,) = json.loads(said.out)["noise"]
    assert noise["source"] == "from few pixels: rough" and noise["read_std"] > 0.1  # what is there is noise
    assert noise["caution"].startswith("The noise could not be estimated from the burst: there is one frame")
    assert "All 2 frames are the same as a.png, which is used alone." in said.err
    assert noise["caution"] in said.err


def test_a_turned_burst_is_laid_onto_its_reference_and_what_is_left_is_said(tmp_path, capsys):
    command = [
        "synth",
        "city",
        "-o",
        "burst",
        "--crop",
        "20,20,200,230",
        "--frames",
        3,
        "--gain",
        1,
        "--reduction",
        2,
    ]
    assert run(*command, "--rotation", 6, "--motion", "sub-pixel") == 0
    capsys.readouterr()
    assert run("denoise", "burst", "-o", "out.png", "--align", "on", "--json", "--verbose") == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["undone"] == [False, True, True] and min(report["bend"][1:]) > 3
    left = np.array(report["remaining"]["pixels"])
    assert left.shape == (3, 3) and 0.3 < left.max() <= 3.01
    assert np.array(report["remaining"]["frames"]).max() == 3
    assert "left to the kernels in each ninth of the picture, px (frames that show it, of 3):" in err
    assert "2 frames were shifted back onto it, by displacements that differ over the picture" in err
    shifts = []
    for y, x in ((5, 5), (195, 225)):
        assert run("kernels", "burst", "--at", f"{y},{x}", "-o", "k.npz", "--align", "on") == 0
        with np.load(tmp_path / "k.npz") as arrays:
            kernels, patches, value = arrays["kernels"][0], arrays["patches"][0], arrays["value"][0]
            assert (kernels * patches).sum() / 3 == pytest.approx(value, abs=1e-5)
            shifts.append(arrays["shifts"])
    assert np.abs(shifts[0] - shifts[1]).max() > 10  # opposite corners of a turned frame
    with pytest.raises(SystemExit):
        run(*command, "--rotation", 90)
    assert run(*command, "--force", "--rotation", 1, "--motion", "moving") == 2
    assert "--rotation turns the camera; with --motion moving it only shifts" in capsys.readouterr().err


def test_numbers_profiles_exif_floats_and_aligned_frames(tmp_path, capsys):
    """Counts of a camera in 16 bits: what they mean is guessed or said, and what is written says what it is."""
    recipe = BurstRecipe("city", (60, 50, 130, 140), NoiseModel(0.004, 0.0004), frames=3, color=True, seed=2)
    burst = synthesize(dataclasses.replace(recipe, shifts=((0, 0), (7, -9), (-4, 6))))
    gains = np.array([1, 1.25, 0.8])
    exif = Image.Exif()
    exif[0x0110], exif[0x0112] = "Camera 5", 1
    (tmp_path / "in").mkdir()
    for i, frame in enumerate(burst.frames):
        codes = np.rint(np.clip(gains[i] * frame, 0, 1) * 4031 + 64).astype(np.uint16)
        data = write_png16(np.moveaxis(codes, 0, -1), b"", exif.tobytes())
        (tmp_path / "in" / f"{i}.png").write_bytes(data)
    command = ["denoise", "in", "-o", "out.tif", "--color", "--json", "--verbose", "--black", 64]
    assert run(*command, "--float", "--aligned", "aligned") == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report["input"] == {"encoding": "linear", "black": 64, "white": 4095}
    assert report["encoding"] == "linear" and sorted(report["brightness"])[0] < 0.85
    assert "EV, undone" in err and "left to the kernels in each ninth" in err
    picture = tifffile.imread(tmp_path / "out.tif")
    assert picture.dtype == np.float32 and picture.shape == (130, 140, 3)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        tags = {tag.code: tag.value for tag in file.pages.first.tags}
    assert tags[0x0110] == "Camera 5" and 0x0112 not in tags and b"Linear RGB" in tags[0x8773]
    # The aligned frames, read again, are taken as they are, and give the same picture.
    noise = json.loads((tmp_path / "aligned" / "burst.json").read_text())["noise"]
    assert [one["read_std"] for one in noise] == pytest.approx([one["read_std"] for one in report["noise"]])
    aligned = read_burst(tmp_path / "aligned", color=True)
    reference = int(report["frames"][0][0])
    inner = (slice(None), slice(20, -20), slice(20, -20))
    for frame in aligned.frames:
        ratio = np.median(frame[inner] / np.maximum(gains[reference] * burst.truth, 0.02)[inner])
        assert ratio == pytest.approx(1, abs=0.05) or reference
    assert run("denoise", "aligned", "-o", "again.tif", "--float", "--color") == 0
    np.testing.assert_allclose(tifffile.imread(tmp_path / "again.tif"), picture, atol=2e-3)
    assert run(*command, "--aligned", "aligned", "--linear") == 0  # its own folder is written anew
    (tmp_path / "in" / "note.txt").write_text("mine")
    assert run(*command[:4], "--aligned", "in") == 1
    capsys.readouterr()
    assert run("denoise", "in/0.png", "in/1.png", "-o", "out.png", "--float") == 1
    assert "--float writes floating point, which is a .tif" in capsys.readouterr().err
    assert run("denoise", "in/0.png", "in/1.png", "-o", "out.png", "--input", "raw") == 1
    assert "input is 'raw'; it is srgb, linear, or bayer:RGGB" in capsys.readouterr().err
