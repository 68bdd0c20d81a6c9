"""A Series is an ordered set of estimates that are alike."""

import json
from fractions import Fraction

import numpy as np
import pytest
import torch

import kpnviz
from kpnviz.burst import Burst
from kpnviz.estimate import Estimate, Series
from kpnviz.kernels import KernelField, dilated

BURST = Burst(np.random.default_rng(0).random((2, 6, 7)))


def estimate(side=3, W=7, **options):
    return Estimate.of(
        Burst(BURST.frames[:, :, :W]), KernelField.from_kernels(torch.ones(2, side, side, 6, W), **options)
    )


def test_a_series_is_ordered_and_read_by_its_numbers():
    a, b = estimate(), estimate()
    given = {1000: a, 4000.5: b}
    series = kpnviz.Series("training step", given)
    del given[1000]
    assert series.numbers == tuple(series) == (1000, 4000.5) and len(series) == 2
    assert series[1000] is a and list(series.values()) == [a, b]
    assert repr(series) == "Series('training step', 2 estimates, 1000 to 4000.5)"


@pytest.mark.parametrize(
    "name, make, sentence",
    [
        ("", lambda: {1: estimate(), 2: estimate()}, "name is ''; it is what the numbers are"),
        ("step", lambda: [estimate(), estimate()], "estimates is of type list; it is {number: Estimate}"),
        ("step", lambda: {1: estimate()}, "step has 1 estimates; a series has 2 or more"),
        ("step", lambda: {4: estimate(), 1: estimate()}, "step: 1 comes after 4; the numbers ascend"),
        ("step", lambda: {1: estimate(), 10**400: estimate()}, r"step: a number is beyond 2\^53"),
        ("step", lambda: {1: estimate(), Fraction(10**400): estimate()}, "is not a finite number"),
        ("step", lambda: {"1": estimate(), "2": estimate()}, "step: '1' is not a finite number"),
        ("step", lambda: {1: estimate(), np.nan: estimate()}, "step: nan is not a finite number"),
        ("step", lambda: {1: estimate(), 2: None}, "step 2: NoneType is given; it is an Estimate"),
        (
            "step",
            lambda: {1: estimate(), 2: estimate(W=5)},
            r"step: 2 has a picture of shape \(6, 5\), 1 has \(6, 7\); those of a series are alike",
        ),
        ("step", lambda: {1: estimate(), 2: estimate(side=5)}, "step: 2 has kernels KernelField.*sizes 5"),
        ("step", lambda: {1: estimate(), 2: estimate(reduce="sum")}, "those of a series are alike"),
    ],
)
def test_what_is_no_series_is_one_sentence(name, make, sentence):
    with pytest.raises(ValueError, match=sentence):
        Series(name, make())


def test_numbers_of_a_series_are_those_of_python():
    numbers = np.int64(1), np.float32(1.5), Fraction(5, 2)
    series = Series("step", {number: estimate() for number in numbers})
    assert json.dumps(series.numbers) == "[1, 1.5, 2.5]" and series[np.int64(1)] is series[1]
    kpnviz.show(BURST, series)


KERNELS = torch.ones(2, 3, 3, 6, 7)


def test_a_picture_may_be_a_tensor():
    image = torch.rand(6, 7, requires_grad=True)
    mine = Estimate(image, None, "mine", 0.0)
    np.testing.assert_array_equal(mine.image, image.detach().numpy())
    assert kpnviz.show(BURST, mine).payload


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: Estimate.of(BURST, KernelField.from_kernels(KERNELS), tolerance="a"), "tolerance is 'a'"),
        (lambda: Estimate.of(BURST, KernelField.from_kernels(KERNELS), tolerance=np.nan), "tolerance is nan"),
        (lambda: Estimate.of(BURST, KernelField.from_kernels(KERNELS), tolerance=-1), "tolerance is -1"),
        (
            lambda: Estimate.of(BURST, KernelField.from_kernels(KERNELS), name=b"x"),
            "name is b'x'; it is a text",
        ),
        (
            lambda: Estimate.of(BURST, KernelField.from_kernels(KERNELS), name=" "),
            "name is ' '; it is a text",
        ),
        (
            lambda: Estimate(BURST, KernelField.from_kernels(KERNELS), "x", 0.0),
            "image is of type Burst; it is a picture",
        ),
        (lambda: Estimate(np.zeros(7), None, "x", 0.0), "image has shape (7,); it is [H, W] or [C, H, W]"),
        (
            lambda: Estimate(np.zeros((6, 7)), KERNELS, "x", 0.0),
            "kernels is of type Tensor; it is a KernelField",
        ),
        (lambda: kpnviz.show(BURST, None), "estimates is of type NoneType; it is an Estimate"),
        (lambda: kpnviz.show(BURST).save(None), "file is None; it is a path"),
        (lambda: kpnviz.show(BURST).save("a\0.html"), "'a\\x00.html' cannot be written"),
        (
            lambda: Estimate.of(BURST, KernelField.from_kernels(KERNELS), tolerance=-(10**400)),
            "tolerance is -1",
        ),
        (
            lambda: KernelField.from_kernels(torch.nested.nested_tensor([KERNELS])),
            "has tensors of several shapes",
        ),
        (lambda: kpnviz.show(BURST, title=["a"]), "title is ['a']; it is a text or None"),
        (lambda: dilated(KERNELS, 10**9), "dilation is 1000000000; it makes kernels of K = 2000000001"),
        (lambda: KernelField.from_kernels(KERNELS.to_sparse()), "kernels has layout torch.sparse_coo"),
        (lambda: KernelField.from_kernels(KERNELS.to("meta")), "kernels has the device meta"),
        (
            lambda: KernelField.from_kernels(KERNELS.to(torch.float8_e5m2)),
            "kernels has dtype torch.float8_e5m2",
        ),
    ],
)
def test_what_is_no_argument_is_one_sentence(call, sentence):
    with pytest.raises(ValueError, match="^[^\n]+$") as error:
        call()
    assert sentence in str(error.value)
