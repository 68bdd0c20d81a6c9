"""local_conv: each backend against the oracle, and the oracle against what can be worked out by hand."""

import importlib.util
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from kpnviz.kernels import factor_channels
from kpnviz.local_conv import (
    effective_kernels,
    local_conv,
    made_in_blocks,
    reflect_pad,
    shared_by_channels,
    upsample_factors,
)

MKPN = (1, 3, 5, 7, 9, 11)
SIZES = (1, 5, 3)
TRITON_MISSING = importlib.util.find_spec("triton") is None
TRITON_INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
needs_triton = pytest.mark.skipif(
    TRITON_MISSING or not (torch.cuda.is_available() or TRITON_INTERPRETED),
    reason="triton is not installed"
    if TRITON_MISSING
    else "no CUDA device; TRITON_INTERPRET=1 runs the Triton kernels on the CPU",
)
TRITON_DEVICE = "cpu" if TRITON_INTERPRETED else "cuda"
SHAPES = [
    (1, 1, 1, 1),
    (2, 3, 7, 5),
    (1, 2, 1, 9),
    (1, 1, 9, 1),
    (1, 2, 10, 34),
    (1, 1, 67, 19),
]  # B, N, H, W
LAYOUTS = [(SIZES, True), ((5,), True), ((3, 5), False), ((5,), False)]  # sizes, separable


def make(shape, sizes, separable=True, dtype=torch.float32, seed=0):
    B, N, H, W = shape
    channels = 2 * sum(sizes) if separable else sum(s * s for s in sizes)
    generator = torch.Generator().manual_seed(seed)
    frames = torch.rand(B, N, H, W, generator=generator, dtype=dtype)
    factors = torch.randn(B, N, channels, (H + 1) // 2, (W + 1) // 2, generator=generator, dtype=dtype)
    return frames, factors


def random_like(x):
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)


def relative_error(a, b):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    return ((a - b).abs().max() / b.abs().max().clamp_min(1e-6)).item()


def result_and_gradient(frames, factors, sizes, device="cpu", **options):
    """The result, and the gradient of the factors for a random gradient of the result."""
    factors = factors.to(device).detach().requires_grad_()
    out = local_conv(frames.to(device), factors, sizes, **options)
    (gradient,) = torch.autograd.grad(out, factors, random_like(out).to(device))
    return out.detach().cpu(), gradient.cpu()


def assert_as_oracle(shape, sizes, separable, backend, device="cpu"):
    frames, factors = make(shape, sizes, separable)
    for reduce in ("none", "size", "mean"):
        options = {"separable": separable, "reduce": reduce}
        expected = result_and_gradient(frames, factors, sizes, backend="reference", **options)
        for fused in (False,) if reduce == "none" else (False, True):
            actual = result_and_gradient(
                frames, factors, sizes, device, backend=backend, fused=fused, **options
            )
            assert relative_error(actual[0], expected[0]) < 1e-5, (reduce, fused)
            assert relative_error(actual[1], expected[1]) < 1e-5, (reduce, fused)


# Every backend against the oracle.


@pytest.mark.parametrize("backend", ["reference", "torch", "numba"])
@pytest.mark.parametrize(("sizes", "separable"), LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_backend_agrees_with_the_oracle(backend, sizes, separable, shape):
    assert_as_oracle(shape, sizes, separable, backend)


@needs_triton
@pytest.mark.parametrize(("sizes", "separable"), LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_triton_agrees_with_the_oracle(sizes, separable, shape):
    assert_as_oracle(shape, sizes, separable, "triton", TRITON_DEVICE)


@pytest.mark.parametrize("sizes", [MKPN, (27,)])
def test_numba_agrees_for_many_and_for_large_sizes(sizes):
    # 27 rows are worked on in groups, the last one completed with zeros, and 3 rows are fewer than the kernel's radius
    frames, factors = make((1, 2, 3, 30), sizes)
    expected = result_and_gradient(frames, factors, sizes, reduce="none", backend="reference")
    actual = result_and_gradient(frames, factors, sizes, reduce="none", backend="numba")
    assert relative_error(actual[0], expected[0]) < 1e-5
    assert relative_error(actual[1], expected[1]) < 1e-5


@pytest.mark.parametrize(("sizes", "separable"), [LAYOUTS[0], LAYOUTS[2]])
@pytest.mark.parametrize("width", [511, 512, 513, 1025])
def test_numba_agrees_across_blocks_of_columns(width, sizes, separable):
    assert_as_oracle((1, 2, 3, width), sizes, separable, "numba")


@settings(max_examples=15, deadline=None)
@given(st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)), st.booleans())
def test_numba_and_torch_agree_with_the_oracle_for_any_shape(shape, separable):
    sizes = SIZES if separable else (3, 5)
    frames, factors = make(shape, sizes, separable)
    expected = local_conv(frames, factors, sizes, separable=separable, reduce="none", backend="reference")
    for backend in ("numba", "torch"):
        actual = local_conv(frames, factors, sizes, separable=separable, reduce="none", backend=backend)
        assert relative_error(actual, expected) < 1e-5


@pytest.mark.parametrize(("sizes", "separable"), [(MKPN, True), ((13, 25), True), ((3, 5), False)])
@pytest.mark.parametrize(("H", "W"), [(7, 127), (8, 129), (46, 260)])
def test_factors_may_be_made_where_they_are_applied(H, W, sizes, separable):
    """One block of cells, two that overlap nearly everywhere, and parts of several threads; in color."""
    _, factors = make((1, 2, H, W), sizes, separable)
    frames = torch.rand(2, 3, H, W, generator=torch.Generator().manual_seed(2))

    def some(rows, columns, out, plane, at):
        wanted = factors[0, ..., rows, columns].numpy()
        out.reshape(*wanted.shape[:2], plane)[..., at : at + wanted[0, 0].size] = wanted.reshape(
            *wanted.shape[:2], -1
        )

    actual = made_in_blocks(frames, some, sizes, separable=separable)
    for c in range(3):
        expected = local_conv(frames[None, :, c], factors, sizes, separable=separable, backend="reference")
        assert relative_error(actual[c], expected[0]) < 1e-5
    assert made_in_blocks(frames[..., :60], some, sizes, separable=separable) is None


def test_views_that_are_not_contiguous():
    frames, factors = make((2, 3, 8, 6), SIZES)
    out = local_conv(frames.mT, factors.mT, SIZES, backend="numba", reduce="none")
    expected = local_conv(
        frames.mT.contiguous(), factors.mT.contiguous(), SIZES, backend="reference", reduce="none"
    )
    assert relative_error(out, expected) < 1e-5
    factors.requires_grad_()
    out = local_conv(frames, factors, SIZES, backend="numba")
    out.sum().backward()  # the gradient of a sum is an expanded scalar
    assert factors.grad.abs().sum() > 0


# The oracle against what is known.


def factors_of(kernel, N=1, H=6, W=7):
    """The same dense kernel for all pixels."""
    size = len(kernel)
    values = torch.as_tensor(kernel, dtype=torch.float64).reshape(1, 1, size * size, 1, 1)
    return values.expand(1, N, size * size, (H + 1) // 2, (W + 1) // 2)


def test_identity_kernels_return_the_frame():
    frames = torch.rand(2, 3, 5, 8)
    sizes = SIZES
    one_hot = torch.cat([torch.eye(s)[s // 2] for s in sizes for _ in range(2)])  # u, then v, of each size
    factors = one_hot[:, None, None].expand(2, 3, -1, 3, 4)
    for backend in ("reference", "torch", "numba"):
        per_size = local_conv(frames, factors, sizes, reduce="none", backend=backend)
        torch.testing.assert_close(per_size, frames[:, :, None].expand(-1, -1, 3, -1, -1))
        torch.testing.assert_close(local_conv(frames, factors, sizes, backend=backend), frames.mean(1))


def test_box_kernel_against_a_direct_loop():
    frame = np.random.default_rng(0).random((6, 7))
    padded = np.pad(frame, 1, mode="reflect")
    expected = np.array([[padded[y : y + 3, x : x + 3].mean() for x in range(7)] for y in range(6)])
    actual = local_conv(
        torch.from_numpy(frame)[None, None],
        factors_of(np.full((3, 3), 1 / 9)),
        (3,),
        separable=False,
        backend="reference",
    )
    np.testing.assert_allclose(actual[0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("backend", ["reference", "torch", "numba"])
@pytest.mark.parametrize(("dy", "dx"), [(0, 1), (1, 0), (-2, 1), (2, -2)])
def test_a_one_hot_kernel_shifts_the_frame_and_is_not_flipped(backend, dy, dx):
    """K[r + dy, r + dx] = 1 brings to (y, x) what was at (y + dy, x + dx)."""
    frame = torch.rand(6, 7)
    padded = np.pad(frame.numpy(), 2, mode="reflect")
    expected = padded[2 + dy : 8 + dy, 2 + dx : 9 + dx]
    kernel = torch.zeros(5, 5)
    kernel[2 + dy, 2 + dx] = 1
    separable = torch.cat([torch.eye(5)[2 + dy], torch.eye(5)[2 + dx]])[:, None, None].expand(1, 1, -1, 3, 4)
    for factors in (factors_of(kernel).float(), separable):
        actual = local_conv(frame[None, None], factors, (5,), separable=factors is separable, backend=backend)
        np.testing.assert_allclose(actual[0].numpy(), expected, atol=1e-6)


def test_separable_factors_are_the_outer_product_u_v():
    frames, factors = make((1, 2, 6, 7), (3,), dtype=torch.float64)
    full = upsample_factors(factors, 6, 7)
    dense = torch.einsum("bnahw,bnchw->bnachw", full[:, :, :3], full[:, :, 3:])
    torch.testing.assert_close(effective_kernels(full, (3,), separable=True), dense)
    padded = reflect_pad(frames, 1)
    taps = torch.stack([padded[..., a : a + 6, c : c + 7] for a in range(3) for c in range(3)], dim=2)
    expected = (taps * dense.flatten(2, 3)).sum(2).mean(1)
    torch.testing.assert_close(local_conv(frames, factors, (3,), backend="reference"), expected)


@pytest.mark.parametrize(("sizes", "separable"), [(SIZES, True), ((3, 5), False)])
def test_the_effective_kernels_are_what_is_applied(sizes, separable):
    """The invariant of the viewer: what is displayed is what was applied. Also for a crop of the factors."""
    frames, factors = make((1, 2, 9, 10), sizes, separable, dtype=torch.float64)
    denoised = local_conv(frames, factors, sizes, separable=separable, backend="torch")
    crop = upsample_factors(factors, 9, 10)[..., 2:5, 3:7]
    kernels = effective_kernels(crop, sizes, separable)
    assert kernels.shape == (1, 2, 5, 5, 3, 4)
    patches = F.unfold(reflect_pad(frames, 2), 5).view(1, 2, 5, 5, 9, 10)[..., 2:5, 3:7]
    torch.testing.assert_close((patches * kernels).sum((2, 3)).mean(1), denoised[..., 2:5, 3:7])


def test_upsampling_is_bilinear_interpolation():
    factors = torch.rand(1, 2, 3, 4, 5)
    expected = F.interpolate(factors[0], scale_factor=2, mode="bilinear", align_corners=False)[None]
    torch.testing.assert_close(upsample_factors(factors, 8, 10), expected)
    torch.testing.assert_close(upsample_factors(factors, 7, 9), expected[..., :7, :9])
    row = upsample_factors(torch.tensor([0.0, 4.0]).view(1, 1, 1, 1, 2), 1, 4)
    torch.testing.assert_close(row.flatten(), torch.tensor([0.0, 1.0, 3.0, 4.0]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (6, 4)])
@pytest.mark.parametrize("radius", [0, 1, 5, 12])
def test_reflect_pad_is_that_of_numpy(shape, radius):
    x = torch.rand(2, *shape)
    expected = np.pad(x.numpy(), ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
    np.testing.assert_array_equal(reflect_pad(x, radius).numpy(), expected)


# Gradients and dtypes.


@pytest.mark.parametrize("backend", ["reference", "torch"])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("separable", [True, False])
def test_gradcheck(backend, fused, separable):
    frames, factors = make((1, 2, 3, 4), (1, 3), separable, dtype=torch.float64)
    inputs = frames.requires_grad_(), factors.requires_grad_()
    options = {"separable": separable, "fused": fused, "backend": backend}
    assert torch.autograd.gradcheck(lambda x, f: local_conv(x, f, (1, 3), **options), inputs)


def test_frames_that_need_a_gradient_get_one_from_every_backend():
    frames, factors = make((1, 2, 6, 7), (1, 3))
    gradients = []
    for backend in ("reference", "torch", "numba", None):
        x = frames.clone().requires_grad_()
        out = local_conv(x, factors, (1, 3), backend=backend)
        gradients.append(torch.autograd.grad(out, x, random_like(out))[0])
    for gradient in gradients[1:]:
        torch.testing.assert_close(gradient, gradients[0])


def test_half_precision_factors_are_computed_in_float32():
    frames, factors = make((1, 2, 6, 7), SIZES)
    rounded = factors.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        out = local_conv(frames, rounded, SIZES)
    expected = local_conv(frames, rounded.float(), SIZES, backend="reference")
    assert relative_error(out, expected) < 1e-5
    out.sum().backward()
    assert rounded.grad.dtype == torch.bfloat16


def test_double_is_computed_in_double():
    frames, factors = make((1, 2, 6, 7), (1, 3), dtype=torch.float64)
    expected = local_conv(frames, factors, (1, 3), backend="reference")
    torch.testing.assert_close(local_conv(frames, factors, (1, 3)), expected, rtol=1e-12, atol=1e-12)


# Threads, laziness, fallback.


def test_threads_may_call_numba_at_once():
    cases = [make((1, 2, 70, 60), MKPN, seed=seed) for seed in range(6)]
    expected = [local_conv(*case, MKPN, backend="torch") for case in cases]
    errors = [[] for _ in cases]

    def work(index):
        for _ in range(10):
            out = local_conv(*cases[index], MKPN, backend="numba")
            errors[index].append(relative_error(out, expected[index]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(cases))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(each) for each in errors] == [10] * len(cases)
    assert max(map(max, errors)) < 1e-5


def test_a_failure_in_a_thread_is_raised():
    from kpnviz.threads import in_threads

    with pytest.raises(ZeroDivisionError):
        in_threads(lambda task: 1 // (task - 5), 8)


def test_the_result_does_not_depend_on_the_number_of_threads():
    frames, factors = make((1, 3, 70, 60), SIZES)
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 3):
            torch.set_num_threads(count)
            results.append(result_and_gradient(frames, factors, SIZES, backend="numba"))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_importing_imports_neither_numba_nor_triton():
    code = "import sys, kpnviz.local_conv; sys.exit(bool({'numba', 'triton'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_without_numba_torch_takes_over(monkeypatch):
    frames, factors = make((1, 2, 6, 7), (1, 3))
    # by name: in the package's namespace, `local_conv` is the function
    monkeypatch.setattr(sys.modules["kpnviz.local_conv"], "_installed", lambda package: False)
    monkeypatch.setitem(sys.modules, "kpnviz.local_conv._cpu", None)  # importing it would raise
    expected = local_conv(frames, factors, (1, 3), backend="reference")
    torch.testing.assert_close(local_conv(frames, factors, (1, 3)), expected)
    with pytest.raises(ValueError, match="numba is not installed"):
        local_conv(frames, factors, (1, 3), backend="numba")


# Errors.

FRAMES, FACTORS = make((1, 2, 6, 7), (1, 3))
BAD_CALLS = [
    ({"sizes": (1, 4)}, "sizes: 4 is even; kernel sizes must be odd"),
    ({"sizes": ()}, "sizes is empty"),
    ({"sizes": 5}, "sizes is 5; expected a sequence"),
    ({"sizes": (1, -3)}, "sizes: -3 is not a positive integer"),
    ({"sizes": (1.0, 3)}, "sizes: 1.0 is not a positive integer"),
    ({"sizes": (1, 5)}, r"factors has 8 channels, sizes (1, 5) separable need 12"),
    ({"separable": False}, r"factors has 8 channels, sizes (1, 3) dense need 10"),
    ({"frames": FRAMES[0]}, "frames has shape (2, 6, 7); expected [B, N, H, W]"),
    ({"frames": FRAMES[..., :0]}, "frames has shape (1, 2, 6, 0)"),
    ({"frames": FRAMES.long()}, "frames has dtype torch.int64"),
    ({"frames": FRAMES[:, :1]}, "factors has N=2, frames has N=1"),
    ({"frames": FRAMES.expand(3, -1, -1, -1)}, "factors has B=1, frames has B=3"),
    ({"frames": FRAMES.to("meta")}, "factors is on cpu, frames is on meta"),
    ({"factors": FACTORS[0]}, "factors has shape (2, 8, 3, 4)"),
    ({"factors": FACTORS[..., :3]}, "factors has a grid of 3x3, a picture of 6x7 needs 3x4"),
    ({"reduce": "total"}, "reduce is 'total'; choose one of 'none', 'size', 'mean', 'sum'"),
    ({"reduce": "none", "fused": True}, "fused=True with reduce='none'"),
    ({"backend": "cuda"}, "backend is 'cuda'; choose None or one of"),
    (
        {"backend": "numba", "frames": FRAMES.double()},
        "backend is 'numba', which computes in float32, not torch.float64",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD_CALLS)
def test_a_bad_argument_is_named(change, message):
    arguments = {"frames": FRAMES, "factors": FACTORS, "sizes": (1, 3), **change}
    with pytest.raises(ValueError) as error:
        local_conv(arguments.pop("frames"), arguments.pop("factors"), arguments.pop("sizes"), **arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_arguments_of_the_helpers_are_named():
    with pytest.raises(ValueError, match="factors has a grid of 3x4, frames of 8x8 need 4x4"):
        upsample_factors(FACTORS, 8, 8)
    with pytest.raises(ValueError, match="factors has shape"):
        upsample_factors(FACTORS[0], 6, 7)
    with pytest.raises(ValueError, match="factors_full has 8 channels"):
        effective_kernels(FACTORS, (5,))
    with pytest.raises(ValueError, match="factors_full has shape"):
        effective_kernels(FACTORS[0], (1, 3))
    with pytest.raises(ValueError, match="x has shape"):
        reflect_pad(torch.zeros(3), 1)
    with pytest.raises(ValueError, match="r is -1"):
        reflect_pad(torch.zeros(3, 3), -1)


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("gradients", [True, False])
def test_channels_that_share_kernels_are_each_filtered(separable, gradients):
    generator, sizes = torch.Generator().manual_seed(4), (1, 5)
    frames = torch.randn(2, 3, 3, 43, 37, generator=generator)
    channels = factor_channels(sizes, separable)
    factors = torch.randn(2, 3, channels, 22, 19, generator=generator, requires_grad=gradients)
    with torch.set_grad_enabled(gradients):
        result = shared_by_channels(frames, factors, sizes, separable=separable)
    assert result.requires_grad == gradients
    for c in range(3):
        expected = local_conv(frames[:, :, c], factors, sizes, separable=separable, backend="reference")
        torch.testing.assert_close(result[:, c], expected, rtol=1e-4, atol=1e-4)
