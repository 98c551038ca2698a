"""Ops, one by one: exported at batch 2, run by onnxruntime at 1, 3 and 7."""

from __future__ import annotations

import math

import pytest

import labtorch as torch
import labtorch.nn.functional as F
from labtorch import nn
from tests.onnx.agreement import floats, integers, same

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("error::labtorch.onnx.TracerWarning")


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def agrees(function, inputs, opset=None):
    """At other sizes of the dimensions in which inputs(2) and inputs(3) differ."""
    model, args = Function(function).eval(), inputs(2)
    names = [f"input_{i}" for i in range(len(args))]
    axes = {
        name: {d: "n" for d, (p, q) in enumerate(zip(a.shape, b.shape)) if p != q}
        for name, a, b in zip(names, args, inputs(3))
    }
    program = torch.onnx.export(
        model, args, input_names=names, dynamic_axes=axes, opset_version=opset
    )
    for n in (1, 3, 7):
        same(program, model, inputs(n))


def x(n):
    return (floats(n, 4, 6),)


def some(n):
    """Numbers between 0.1 and 0.9."""
    return (floats(n, 4, 6).sigmoid() * 0.8 + 0.1,)


def two(n):
    return floats(n, 4, 6), floats(4, 1, seed=1)


def ints(n):
    return integers(9, n, 4), integers(5, n, 4, seed=1) + 1


def flags(n):
    return floats(n, 4) > 0, floats(n, 4, seed=1) > 0


ELEMENTWISE = """abs neg exp sin cos atan sinh asinh erf floor ceil sign relu sigmoid tanh square
expm1 frac trunc round exp2 isnan isinf isfinite erfc deg2rad rad2deg silu logical_not""".split()
POSITIVE = """sqrt log log2 log10 log1p rsqrt reciprocal asin acos atanh tan logit""".split()


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name):
    agrees(getattr(torch, name, None) or getattr(F, name), x)


@pytest.mark.parametrize("name", POSITIVE)
def test_elementwise_of_positive_numbers(name):
    agrees(getattr(torch, name), some)


def in_place(x):
    y = x.clone()
    y[:, 1] = 3.0
    y[:, :, 2:4] += 1
    y[:, 0, 0].mul_(2)
    y.clamp_(max=2.5)
    return y * x


def in_place_of_a_view(x):
    y = torch.zeros(x.size(0), 4, 6)
    part = y[:, :2]
    part.copy_(x[:, :2])
    y[y == 0] = -1.0
    y[:, 3].fill_(0.5)
    return part + 1, y.sum(1)


def integers_in_place(a, b):
    c = a.clone()
    last = c[:, -1]
    c[:, 0] = 7
    c[c > 5] += 1
    last.zero_()
    return c + b, last


CASES = {
    # arithmetic with numbers, tensors that broadcast, mixed dtypes
    "numbers": (lambda x: 2 * x + 1 - x / 3 - (1 - x) + 2 / (x * x + 1), x),
    "broadcast": (lambda a, b: a + b * a - b / (a.abs() + 1), two),
    "mixed": (lambda a, b: (a + b) / 2 + a * 1.5 + a // b + (a > b), ints),
    "pow": (lambda x: x**2 + x**3 + x.abs() ** 0.5 + 2**x + x.abs() ** x, x),
    "remainder": (lambda a, b: (a % b, a // b, -a % b, torch.fmod(-a, b)), ints),
    "remainder of floats": (lambda x: (x % 0.7, x // 0.7, torch.fmod(x, 0.7)), x),
    "div by rounding": (lambda a, b: torch.div(-a, b, rounding_mode="trunc"), ints),
    "div by rounding floats": (
        lambda x: (
            torch.div(x, 0.3, rounding_mode="floor") + torch.div(x, 0.3, rounding_mode="trunc")
        ),
        x,
    ),
    "alpha": (lambda a, b: torch.add(a, b, alpha=2) - torch.sub(a, b, alpha=0.5), two),
    "addcmul": (lambda a, b: torch.addcmul(a, b, b, value=2) + torch.addcdiv(a, b, b), two),
    "lerp": (lambda a, b: torch.lerp(a, b, 0.3), lambda n: (*x(n), floats(n, 4, 6, seed=1))),
    "atan2": (lambda a, b: torch.atan2(a, b) + torch.hypot(a, b), two),
    "logaddexp": (lambda a, b: torch.logaddexp(a, b), two),
    "xlogy": (lambda x: torch.xlogy(x, x), some),
    "clamp": (lambda x: x.clamp(-0.5, 0.7) + x.clamp(min=0.1) + x.clip(max=0.2), x),
    "clamp by tensors": (lambda a, b: torch.clamp(a, min=b), two),
    "maximum": (lambda a, b: torch.maximum(a, b) + torch.minimum(a, b) * torch.fmax(a, b), two),
    "where": (lambda a, b: torch.where(a > b, a, b) + torch.where(a > 0, 1.0, -1.0), two),
    "where of flags": (lambda a, b: torch.where(a, b, ~b), flags),
    "nan_to_num": (lambda x: torch.nan_to_num(torch.log(x)), x),
    "round": (lambda x: torch.round(x, decimals=1), x),
    "cast": (lambda x: (x.int() + x.long(), x.double() * 2, (x > 0).float(), x.bool()), x),
    "compare": (lambda a, b: ((a < b) | (a >= b + 1), (a == a) & (a != b), a <= b), two),
    "compare ints": (lambda a, b: (a < b, a == b, a >= 3, a.eq(2).sum()), ints),
    "logic": (lambda a, b: (a & b, a | ~b, a ^ b, torch.logical_and(a, b), a == b), flags),
    "bits": (lambda a, b: (a & b, a | b, a ^ b, ~a), ints),
    "isclose": (lambda a, b: torch.isclose(a, a + 1e-9), two),
    # reductions
    "sum": (lambda x: (x.sum(), x.sum(1), x.sum((0, 2)), x.sum(-1, keepdim=True)), x),
    "mean": (lambda x: (x.mean(), x.mean(1), x.mean((1, 2), keepdim=True), x.mean(0)), x),
    "var": (lambda x: (x.var(), x.std(1), x.var(1, unbiased=False), x.std((1, 2)), x.var(2)), x),
    "var over the batch": (lambda x: (x * 2).var(0, correction=0), x),
    "prod": (lambda x: (x.prod(), x.prod(1)), some),
    "max": (lambda x: (*x.max(1), *x.min(2, keepdim=True)), x),
    "max of all": (lambda x: x.amax() - x.amin(), x),
    "amax": (lambda x: (x.amax(1), x.amin((1, 2)), x.amax((1, 2), keepdim=True)), x),
    "argmax": (lambda x: (x.argmax(), x.argmax(1), x.argmin(-1, keepdim=True)), x),
    "any": (lambda x: ((x > 1).any(), (x > 1).any(1), (x > -9).all(), (x > 0).all(2)), x),
    "norm": (lambda x: (x.norm(), x.norm(dim=1), x.norm(1, dim=2), F.normalize(x, dim=1)), x),
    "norms": (lambda x: (x.norm(3, dim=1), x.norm(math.inf, dim=1), x.norm(0, dim=1)), x),
    "logsumexp": (lambda x: x.logsumexp(1), x),
    "cumsum": (lambda x: (x.cumsum(1), x.cumsum(0), x.cumprod(2)), x),
    "softmax": (lambda x: (x.softmax(1), x.log_softmax(0), F.softmin(x, dim=2)), x),
    "topk": (lambda x: x.topk(3, dim=1), x),
    "smallest": (lambda x: x.topk(2, dim=2, largest=False), x),
    "sort": (lambda x: (*x.sort(1), *x.sort(2, descending=True)), x),
    "argsort": (lambda x: x.argsort(1), x),
    # shapes
    "reshape": (lambda x: (x.reshape(-1, 6), x.view(x.size(0), -1), x.flatten(), x.reshape(-1)), x),
    "reshape by sizes": (lambda x: x.view(x.shape[0] * 2, 2, x.shape[2]), x),
    "transpose": (lambda x: (x.transpose(1, 2), x.permute(2, 0, 1), x.mT, x.movedim(0, 2)), x),
    "squeeze": (lambda x: (x.unsqueeze(1), x[:, :1].squeeze(1), x[:, :1, :1].squeeze((1, 2))), x),
    "expand": (
        lambda x: (x[:, :1].expand(-1, 5, -1), x[:, None].expand(x.size(0), 2, 4, 6)),
        x,
    ),
    "repeat": (lambda x: (x.repeat(1, 2, 3), x.tile(2), x.repeat(2, 1, 1, 1)), x),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, dim=1), x),
    "cat": (lambda x: (torch.cat([x, x * 2], 1), torch.stack([x, -x], 1), torch.cat([x, x])), x),
    "split": (lambda x: (*x.split(2, 1), *x.chunk(3, 2), *x.unbind(1)[:2]), x),
    "pad": (lambda x: (F.pad(x, (1, 2)), F.pad(x, (0, 0, 1, 1), value=3.0), F.pad(x, (-1, 2))), x),
    "pad by copies": (lambda x: (F.pad(x, (1, 2), "reflect"), F.pad(x, (2, 1), "replicate")), x),
    "flip": (lambda x: (x.flip(1), x.flip((0, 2)), x.roll(2, 1), x.roll((1, -1), (1, 2))), x),
    "diagonal": (lambda x: (x.diagonal(0, 1, 2), x.diagonal(1, 1, 2)), x),
    "tril": (lambda x: (x.tril(), x.triu(1), torch.tril(x, -1)), x),
    "unfold": (lambda x: x.unfold(2, 3, 2), x),
    "meshgrid": (lambda x: torch.meshgrid(x[0, 0], x[0, :, 0], indexing="ij"), x),
    "rearranged": (lambda x: x.reshape(x.size(0), 2, 2, 6).transpose(1, 2).flatten(1), x),
    # made anew, with the sizes of the inputs
    "zeros": (lambda x: (torch.zeros_like(x) + 1, torch.ones(x.size(0), 3), x.new_zeros(2)), x),
    "arange": (lambda x: torch.arange(x.size(0)) * 2 + x.sum().long() * 0, x),
    "arange of floats": (lambda x: torch.arange(x.size(0), dtype=torch.float32) * x[:, 0, 0], x),
    "full": (lambda x: torch.full((x.size(0), 1, 1), 2.5) * x, x),
    "eye": (lambda x: torch.eye(4) @ x, x),
    "mask": (lambda x: (x @ x.mT).masked_fill(torch.triu(torch.ones(4, 4), 1).bool(), -9.0), x),
    "size in arithmetic": (lambda x: x.sum() / x.size(0) + x * (1.0 / x.shape[0]), x),
    # indexing
    "slices": (lambda x: (x[0], x[:, 1], x[..., -1], x[:, ::2], x[:, 1:3, 2:], x[-1:]), x),
    "new dimensions": (lambda x: (x[:, None], x[..., None, 0], x[None, :, 1]), x),
    "lists": (lambda x: (x[:, [2, 0, 1]], x[:, :, [0, -1]], x[:, [0, 1], [2, 3]]), x),
    "tensors": (lambda x, i: (x[:, i], x[torch.arange(x.size(0)), i[0]], x[0][i]), None),
    "a mask": (lambda x: (x[x > 0], x[:, torch.tensor([True, False, True, True])]), x),
    "gather": (lambda x: (x.gather(1, x.argmax(1, keepdim=True)), x.index_select(1, ONE)), x),
    "take_along_dim": (lambda x: torch.take_along_dim(x, x.argsort(2), 2), x),
    "scatter": (lambda x: torch.zeros_like(x).scatter(2, x.argmax(2, keepdim=True), 1.0), x),
    "scatter_add": (lambda x: x.scatter_add(1, (x > 0).long(), x), x),
    "index_add": (lambda x: x.index_add(1, ONE, x[:, :2]), x),
    "masked_fill": (lambda x: x.masked_fill(x > 0, -1.0) + x.masked_fill(x < 0, math.inf).exp(), x),
    "one_hot": (lambda a, b: F.one_hot(a, 9), ints),
    "embedding": (lambda a, b: F.embedding(a, TABLE) + F.embedding(b, TABLE), ints),
    "in place": (in_place, x),
    "in place of a view": (in_place_of_a_view, x),
    "integers in place": (integers_in_place, ints),
    # products
    "matmul": (lambda x: (x @ x.mT, x @ TABLE[:6], torch.bmm(x, x.mT), x[0] @ x[0].T), x),
    "vectors": (lambda x: (x @ ROW, torch.dot(x[0, 0], ROW), torch.outer(ROW, x[0, 0])), x),
    "einsum": (lambda x: (torch.einsum("bij,bkj->bik", x, x), torch.einsum("bij->j", x)), x),
    "baddbmm": (lambda x: torch.baddbmm(x @ x.mT, x, x.mT, beta=0.5, alpha=2), x),
    "addmm": (lambda x: torch.addmm(ROW[:4], x[0], x[0].T) + torch.addmv(ROW[:4], x[0], ROW), x),
    "tensordot": (lambda x: torch.tensordot(x, TABLE[:6], dims=1), x),
    "linear": (lambda x: F.linear(x, TABLE[:, :6] if TABLE.shape[1] > 6 else TABLE.T[:, :6]), x),
    "cdist": (lambda x: torch.cdist(x + 1, x), x),
    "cosine": (lambda x: F.cosine_similarity(x, x.flip(1), dim=2), x),
    # attention and images
    "attention": (lambda x: F.scaled_dot_product_attention(x, x, x), x),
    "causal": (lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True), x),
    "masked": (lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=x[:, :, :4] > -1), x),
    "interpolate": (
        lambda x: F.interpolate(x.unsqueeze(1), scale_factor=2, mode="bilinear"),
        x,
    ),
    "nearest": (lambda x: F.interpolate(x.unsqueeze(1), size=(7, 5)), x),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x.reshape(x.size(0), 4, 2, 3), 2), x),
    "glu": (lambda x: F.glu(x, 2) + F.softplus(x[:, :, :3]) * F.hardtanh(x[:, :, :3]), x),
}
ONE = torch.tensor([1, 3])
TABLE, ROW = floats(12, 3), floats(6)


@pytest.mark.parametrize("name", CASES)
def test_op(name):
    function, inputs = CASES[name]
    if inputs is None:
        inputs = lambda n: (floats(n, 4, 6), integers(4, 2, n))  # noqa: E731
    agrees(function, inputs)


@pytest.mark.parametrize("name", ["var", "gather", "in place", "split", "softmax", "causal"])
@pytest.mark.parametrize("opset", [18, 23])
def test_other_opsets(name, opset):
    agrees(*CASES[name], opset)


class Counter(nn.Module):
    """A buffer that the model counts in."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, x):
        self.seen += x.sum(0)
        return x + self.seen


def test_a_buffer_that_is_written_to():
    model, x = Counter(), floats(2, 3)
    program = torch.onnx.export(model, (x,))
    assert model.seen.tolist() == [0.0] * 3
    same(program, model, (x,))
