"""Methods of one's own: loaded from real files, checked, and what is wrong with them said in one sentence."""

import contextlib
import dataclasses
import os
import subprocess
import sys
import textwrap
import threading
import time
from importlib.metadata import EntryPoint
from itertools import count, repeat
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kpnviz import methods
from kpnviz.burst import Burst
from kpnviz.denoise import Denoiser, Estimate, guide
from kpnviz.kernels import KernelField
from kpnviz.methods import MethodError, as_method, check_names, isolated, network, own_method, print_traceback
from kpnviz.methods.isolated import IsolatedMethod
from kpnviz.methods.offered import offer, offered
from kpnviz.noise import NoiseModel

from ..conftest import tiny

N, H, W = 3, 12, 10


@pytest.fixture(scope="module")
def burst():
    rng = np.random.default_rng(0)
    frames = rng.random((N, H, W), dtype=np.float32)
    return Burst(frames, NoiseModel(0.01, 0.001), truth=frames[0], shifts=np.zeros((N, 2)))


@pytest.fixture
def write(tmp_path):
    """Write a file of Python; returns its path."""

    def to(code, name="my_net.py"):
        path = tmp_path / name
        path.write_text("import numpy as np\nimport torch\nimport kpnviz\n" + textwrap.dedent(code))
        return path

    return to


def mean_kernels():
    """Kernels of 3x3 at every pixel that give the mean of the frames."""
    kernels = np.zeros((N, 3, 3, H, W), np.float32)
    kernels[:, 1, 1] = 1
    return KernelField.from_kernels(kernels)


def test_a_picture_kernels_and_an_estimate_become_an_estimate(burst):
    field = mean_kernels()
    results = {
        "picture": burst.mean.astype(np.float64),
        "tensor": torch.from_numpy(burst.mean).requires_grad_(),
        "kernels": field,
        "estimate": Estimate(burst.mean, field, "whatever", 1e9),
    }
    for name, result in results.items():
        estimate = as_method(name, lambda seen, result=result: result)(burst)
        np.testing.assert_allclose(estimate.image, burst.mean, atol=1e-6)
        assert estimate.image.dtype == np.float32 and estimate.model == name and 0 <= estimate.seconds < 60
        assert (estimate.kernels is field) == (name in ("kernels", "estimate"))


def test_a_method_sees_neither_the_truth_nor_what_tells_it(burst):
    seen = []
    as_method("mine", lambda given: seen.append(given) or given.mean)(burst)
    (given,) = seen
    np.testing.assert_array_equal(given.frames, burst.frames)
    assert given.noise == burst.noise and given.white_level == burst.white_level
    assert given.truth is None and given.shifts is None and given.recipe is None


def test_networks_and_baselines_look_alike(burst):
    stacked = as_method("kpn-stacked", Denoiser(tiny("kpn-stacked"), "kpn-stacked"))
    matched = as_method("kpn", Denoiser(tiny("kpn"), "kpn"))
    assert (stacked.takes(8), stacked.takes(3), matched.takes(3)) == (True, False, True)
    assert stacked.title == "KPN 5×5 stacked" and matched.device == "cpu"
    assert matched(burst).kernels is not None
    with pytest.raises(MethodError, match="^the burst has 3 frames; kpn-stacked takes 8$"):
        stacked(burst)
    assert network("kpn").name == "kpn"


BAD = [
    ("return None", "my_net returned None; a method gives a KernelField, an Estimate or a picture [H, W]"),
    ("return [1, 2]", "my_net returned a value of type list"),
    ("return burst.frames", "my_net gave a picture of shape (3, 12, 10); of this burst it is (12, 10)"),
    (
        "return burst.frames[None, :1]",
        "of this burst it is (12, 10); if its axes are [1, 1, H, W]: image[0][0]",
    ),
    (
        "return np.ones((3, 5, 5, 12, 10))",
        "of this burst it is (12, 10); if these are kernels, return KernelField.from_kernels(kernels)",
    ),
    ("return burst.frames[0].astype(int)", "my_net gave a picture of int64; expected floating point"),
    (
        "return np.where(burst.frames[0] == burst.frames[0, 2, 3], np.nan, 0.5)",
        "my_net gave a picture that is not finite: it holds nan at (2, 3)",
    ),
    ("return 1 / 0", "my_net raised ZeroDivisionError for a burst of 3 frames: division by zero"),
    (
        "return kpnviz.KernelField.from_kernels(np.ones((2, 3, 3, 12, 10), np.float32))",
        "my_net: the kernels are those of N = 2 frames, the burst has 3",
    ),
    (
        "f = kpnviz.KernelField.from_kernels(np.ones((3, 3, 3, 12, 10), np.float32), reduce='sum')\n"
        "    return kpnviz.Estimate(kpnviz.Estimate.of(burst, f).image / 3, f, '', 0.)",
        "They agree with reduce='mean'",
    ),
]


@pytest.mark.parametrize(("code", "sentence"), BAD)
def test_what_is_wrong_with_a_result_is_one_sentence(burst, write, code, sentence):
    path = write(f"def predict(burst):\n    {code}\n")
    method = own_method(f"{path}:predict")
    with pytest.raises(MethodError) as error:
        method(burst)
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_title_frames_and_name_come_from_the_file(write, tmp_path):
    write("scale = 2", "helper_of_a_test.py")
    path = write(
        """
        import helper_of_a_test
        def predict(burst): return burst.mean
        def other(burst): return burst.mean
        predict.title = "My KPN"
        other.frames = range(2, 4)
        """
    )
    mine, other = own_method(f"{path}:predict"), own_method(f"{path}:other")
    assert (mine.name, mine.title, mine.frames) == ("my_net", "My KPN", None)
    assert (other.name, other.title, other.frames) == ("my_net-other", "my_net-other", {2, 3})
    assert mine.source == f"{path}:predict"


@pytest.mark.parametrize(
    ("code", "source", "sentence"),
    [
        ("", "{}:predict", "my_net.py has no predict"),
        ("predict = 3", "{}:predict", "my_net is a int, which cannot be called"),
        ("1 / 0", "{}:predict", "my_net.py:predict cannot be loaded: ZeroDivisionError: division by zero"),
        ("def f(:", "{}:f", "my_net.py:f cannot be loaded: SyntaxError"),
        ("raise SystemExit(3)", "{}:f", "cannot be loaded: SystemExit: 3"),
        ("def predict(b): pass\npredict.frames = 0", "{}:predict", "my_net: frames has 0"),
        ("def predict(b): pass\npredict.frames = 'all'", "{}:predict", "my_net: frames has 'all'"),
        ("def predict(b): pass\npredict.frames = []", "{}:predict", "my_net: frames is empty"),
        ("def predict(b): pass\npredict.title = 3", "{}:predict", "my_net: title is 3; it is a text"),
        ("", "{}x.py:predict", "there is no such file"),
        ("", "{}:a b", "it is FILE.py:FUNCTION"),
        ("", "nothing-installed", "it is FILE.py:FUNCTION or an installed method (none is installed)"),
    ],
)
def test_what_is_no_method_is_one_sentence(write, code, source, sentence):
    with pytest.raises(ValueError) as error:
        own_method(source.format(write(code)))
    assert sentence in str(error.value) and "\n" not in str(error.value)


def test_an_installed_method_goes_by_its_name(burst, monkeypatch):
    entry = EntryPoint("their-net", "numpy:asarray", methods.ENTRY_POINTS)

    class Installed(tuple):
        names = frozenset({"their-net"})

    def found(group, name="their-net"):
        assert group == "kpnviz.methods"
        return Installed([entry] if name == "their-net" else [])

    monkeypatch.setattr(methods, "entry_points", found)
    method = own_method("their-net")
    assert method.name == "their-net" and method.predict is np.asarray


def test_names_are_unique():
    check_names(["mine", "yours"], ["nlm"])
    for names in (["mine", "mine"], ["nlm"], ["mkpn"]):
        with pytest.raises(ValueError, match=f"two methods are called {names[0]}"):
            check_names(names, ["nlm"])


def test_a_traceback_begins_in_the_method(burst, write, capsys):
    path = write("def predict(burst):\n    return undefined_name\n")
    method = own_method(f"{path}:predict")
    with pytest.raises(MethodError) as error:
        method(burst)
    print_traceback(error.value)
    text = capsys.readouterr().err
    assert "return undefined_name" in text and "NameError" in text and "kpnviz/methods" not in text
    print_traceback(ValueError("another error"))
    assert capsys.readouterr().err == ""


# In a process of its own.

ISOLATED = """
    import os, time
    def predict(burst):
        print("this is no answer")
        first = float(burst.frames[0, 0, 0])
        if first == 1: time.sleep(60)
        if first == 2: os._exit(7)
        if first == 3: raise KeyError("three")
        kernels = np.zeros((3, 3, 3, 12, 10), np.float32); kernels[:, 1, 1] = 1
        return kpnviz.KernelField.from_kernels(kernels)
    predict.title = "Mine"
    predict.frames = 3
"""


def starting_with(burst, value):
    frames = burst.frames.copy()
    frames[0, 0, 0] = value
    return Burst(frames, burst.noise)


def test_a_method_in_a_process_of_its_own(burst, write, capfd):
    method = IsolatedMethod(f"{write(ISOLATED)}:predict", seconds=3)
    try:
        assert (method.name, method.title, method.frames) == ("my_net", "Mine", {3})
        estimate = method(burst)
        np.testing.assert_allclose(estimate.image, burst.mean, atol=1e-6)
        assert estimate.kernels is not None and estimate.kernels.frames == 3
        with pytest.raises(MethodError, match="^my_net raised KeyError for a burst of 3 frames: 'three'$"):
            method(starting_with(burst, 3))
        with pytest.raises(MethodError, match="^the process of the method ended with status 7"):
            method(starting_with(burst, 2))
        with pytest.raises(MethodError, match=r"^my_net took longer than 3 s \(KPNVIZ_METHOD_SECONDS\)"):
            method(starting_with(burst, 1))
        np.testing.assert_allclose(method(burst).image, burst.mean, atol=1e-6)  # in a new process
        errors = capfd.readouterr().err
        assert "this is no answer" in errors and "raise KeyError" in errors
    finally:
        method.close()


def test_whoever_waits_may_give_up_and_the_next_is_served(burst, write):
    method = IsolatedMethod(f"{write(ISOLATED)}:predict", seconds=60)
    left = threading.Event()

    def wanted():
        if left.is_set():
            raise InterruptedError

    try:
        waiting = []

        def ask():
            try:
                method(starting_with(burst, 1), wanted)
            except InterruptedError:
                waiting.append("gave up")

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.3)
        left.set()
        np.testing.assert_allclose(method(burst).image, burst.mean, atol=1e-6)
        thread.join()
        assert waiting == ["gave up"]
    finally:
        method.close()


@pytest.mark.slow
def test_a_method_that_cannot_be_loaded_is_not_offered(write, capfd):
    with pytest.raises(MethodError, match="cannot be loaded: ZeroDivisionError"):
        offer([f"{write('1 / 0')}:predict"])
    assert offered() == {}
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_offered_methods_go_by_name(burst, write):
    offer([f"{write(ISOLATED)}:predict"])
    try:
        assert list(offered()) == ["my_net"] and offered()["my_net"].title == "Mine"
        with pytest.raises(TypeError):
            offered()["other"] = None
    finally:
        offer([])
    assert offered() == {}


@pytest.mark.slow
def test_its_process_ends_with_whoever_started_it(write):
    path = write("import time\ndef predict(burst):\n    time.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "kpnviz.methods.isolated", f"{path}:predict"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdin.close()
    assert process.wait(timeout=120) == 0
    process.stdout.close()


def test_gray_methods_work_in_color():
    """Kernels are those of a weighted sum and applied to each channel; pictures are asked for channel by channel."""
    rng = np.random.default_rng(0)
    burst = Burst(rng.random((N, 3, H, W), dtype=np.float32), NoiseModel(0.01, 0.001))
    seen = []

    def mean(burst):
        seen.append(burst)
        return mean_kernels()

    made = as_method("mine", mean)(burst)
    np.testing.assert_allclose(made.image, burst.mean, atol=1e-6)
    assert made.kernels is not None and made.kernels.channels is None
    assert [one.channels for one in seen] == [None] and seen[0].noise == guide(burst).noise

    picture = as_method("mine", lambda burst: 2 * burst.reference)(burst)
    np.testing.assert_array_equal(picture.image, 2 * burst.reference)

    def colored(burst):
        assert burst.channels == 3
        return burst.reference

    colored.color = True
    np.testing.assert_array_equal(as_method("mine", colored)(burst).image, burst.reference)

    def either(burst):  # it takes color *too*: a gray burst comes as it is
        return burst.reference

    either.color = True
    for one in (burst, constant(0.5)):
        np.testing.assert_array_equal(as_method("mine", either)(one).image, one.reference)
    colored.color = "yes"
    with pytest.raises(ValueError, match="mine: color is 'yes'; it is True or False"):
        as_method("mine", colored)


def constant(value):
    return Burst(np.full((N, H, W), value, np.float32), NoiseModel(0.01, 0.001))


@pytest.mark.slow
def test_a_method_that_forks_answers_the_burst_that_was_asked(write):
    code = "import os\ndef predict(burst):\n    os.fork()\n    return burst.frames[0]\n"
    method = IsolatedMethod(f"{write(code)}:predict", seconds=30)
    try:
        for value in (1, 2, 3, 4):
            assert method(constant(value)).image.max() == value
    finally:
        method.close()


def test_an_answer_to_another_task_is_dropped(write):
    process = isolated._Process(f"{write('def predict(burst): return burst.frames[0]')}:predict")
    try:
        process.answer(60, lambda: None, "late")
        process._answers.put((0, "of a task before"))
        assert process.ask(constant(2), 60, lambda: None, "late").image.max() == 2
    finally:
        process.close()


@pytest.mark.parametrize("answer", [Estimate(np.zeros((3, 3), np.float32), None, "m", 0.0), {"image": 3}])
def test_an_answer_that_is_no_estimate_of_this_burst_is_refused(answer):
    method = object.__new__(IsolatedMethod)
    method.name, method.seconds, method._turn = "my_net", 1.0, threading.Lock()
    method._started = lambda wanted: SimpleNamespace(ask=lambda *_: answer)
    with pytest.raises(MethodError, match="^the process of my_net gave no estimate of this burst$"):
        method(constant(1))


@pytest.mark.slow
def test_a_copy_of_the_process_that_a_method_forks_ends_with_the_method(write):
    """On the command line, where there is one process: what follows would be done, and said, twice."""
    code = "import os\ndef predict(burst):\n    os.fork()\n    return burst.frames[0]\n"
    run = f"""
        import numpy as np, kpnviz
        from kpnviz.methods import own_method
        own_method("{write(code)}:predict")(kpnviz.Burst(np.zeros((2, 4, 4))))
        print("done")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(run)], capture_output=True, text=True, check=True
    )
    assert result.stdout == "done\n"


def test_the_time_of_kernels_is_that_of_applying_them_too(burst, monkeypatch):
    real = Estimate.of

    def slow(*args, **more):
        return dataclasses.replace(real(*args, **more), seconds=1000.0)

    monkeypatch.setattr(Estimate, "of", slow)
    field = mean_kernels()
    given = Estimate(burst.mean, field, "mine", 5.0)
    assert 1000 < as_method("mine", lambda _: field)(burst).seconds < 1100
    assert as_method("mine", lambda _: given)(burst).seconds < 100  # the method has applied them itself


@pytest.mark.slow
@pytest.mark.parametrize("start", ["os.fork()", "subprocess.Popen(['sleep', '60'])"])
def test_the_limit_ends_what_a_method_started_too(write, tmp_path, start):
    path = tmp_path / "group"
    code = f"""
        import os, subprocess, time
        def predict(burst):
            if burst.frames.max() > 1: return burst.frames[0]
            open({str(path)!r}, "w").write(str(os.getpgrp()))
            {start}
            time.sleep(60)
    """
    method = IsolatedMethod(f"{write(code)}:predict", seconds=1.5)
    try:
        begun = time.monotonic()
        with pytest.raises(MethodError, match="took longer than"):
            method(constant(1))
        assert time.monotonic() - begun < 20
        method.seconds = 30
        assert method(constant(2)).image.max() == 2
        group = int(path.read_text())
        assert group != os.getpgrp()
        states = [Path(f"/proc/{pid}/stat") for pid in os.listdir("/proc") if pid.isdigit()]
        alive = []
        for stat in states:
            with contextlib.suppress(OSError):
                state, _, pgrp = stat.read_text().rpartition(")")[2].split()[:3]
                alive += [stat] if int(pgrp) == group and state != "Z" else []
        assert not alive
    finally:
        method.close()


@pytest.mark.slow
def test_kernels_of_a_class_of_the_method_come_as_kpnvizs_own(burst, write):
    code = """
        class Mine(kpnviz.KernelField):
            pass
        def predict(burst):
            kernels = np.zeros((3, 3, 3, 12, 10), np.float32); kernels[:, 1, 1] = 1
            return Mine.from_kernels(kernels)
    """
    method = IsolatedMethod(f"{write(code)}:predict", seconds=30)
    try:
        estimate = method(burst)
        assert type(estimate.kernels) is KernelField and estimate.kernels.sizes == (3,)
        np.testing.assert_allclose(estimate.image, burst.mean, atol=1e-6)
    finally:
        method.close()


@pytest.mark.slow
def test_an_answer_that_cannot_be_read_is_said_at_once(burst, write):
    code = """
        import os
        def predict(burst):
            for fd in range(3, 20):
                try: os.write(fd, b"nonsense" * 4)
                except OSError: pass
            return burst.mean
    """
    method = IsolatedMethod(f"{write(code)}:predict", seconds=60)
    try:
        with pytest.raises(
            MethodError, match="^the answer of the method's process cannot be read: its header"
        ):
            method(burst)
    finally:
        method.close()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("np.full((12, 10), 1e300)", r"holds 1e\+300 at \(0, 0\); intensities are up to 1e\+06"),
        ("np.full((12, 10), -2e6, np.float32)", r"holds -2e\+06 at"),
        ("np.ma.masked_less(np.ones((12, 10)), 2)", "the picture has masked values"),
        ("torch.zeros(12, 10).to_sparse()", "gave no dense picture"),
        ("__import__('sys').exit(0)", "my_net raised SystemExit for a burst of 3 frames: 0$"),
    ],
)
def test_what_is_no_picture_of_intensities_is_refused(burst, write, code, sentence):
    method = own_method(f"{write(f'def predict(burst): return {code}')}:predict")
    with pytest.raises(MethodError, match=sentence):
        method(burst)


def test_whatever_a_method_raises_is_said(burst, write):
    code = """
        class Mute(Exception):
            def __str__(self): raise RuntimeError
        def predict(burst):
            raise [Mute, SystemExit, KeyboardInterrupt][int(burst.frames[0, 0, 0]) - 1]
    """
    method = IsolatedMethod(f"{write(code)}:predict", seconds=30)
    try:
        for value, name in enumerate(("Mute", "SystemExit", "KeyboardInterrupt"), 1):
            with pytest.raises(MethodError, match=f"^my_net raised {name}.*: {name}$"):
                method(starting_with(burst, value))
    finally:
        method.close()


@pytest.mark.parametrize(
    "takes, available, expected",
    [
        ([None, None], 5, None),
        ([{2, 8}], 5, 2),  # the most that there are
        ([{2, 8}], 9, 8),
        ([{8, 16}], 5, 8),  # the fewest, some repeated
        ([{2, 4, 8}, None, {4, 8, 9}], 7, 4),
    ],
)
def test_methods_get_the_most_frames_that_all_of_them_take(takes, available, expected):
    named = {f"m{i}": one and frozenset(one) for i, one in enumerate(takes)}
    assert methods.common_frames(named, available) == expected


def test_methods_that_take_no_common_number_are_named():
    with pytest.raises(ValueError, match=r"different numbers of frames \(a 2 or 4, b 8\)"):
        methods.common_frames({"a": frozenset({4, 2}), "b": frozenset({8}), "c": None}, 9)


def test_frames_without_an_end_are_refused():
    def predict(burst):
        return burst.mean

    for endless, sentence in ((count(1), "frames has 1025"), (repeat(3), "frames has more than 1024")):
        predict.frames = endless
        with pytest.raises(ValueError, match=sentence):
            as_method("mine", predict)
