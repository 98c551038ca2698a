"""Complex numbers and their parts."""

from __future__ import annotations

from labtorch.backend.arrays import namespace
from labtorch.engine.op import op
from labtorch.ops.arithmetic import imag, real


@op(r"y = a + i b", name="complex", broadcasts=True)
def joined(real, imag):
    lib = namespace(real)
    y = lib.empty(lib.broadcast_shapes(real.shape, imag.shape), lib.result_type(real, "complex64"))
    y.real, y.imag = real, imag
    return y


@joined.vjp("real", r"\bar a = \operatorname{Re} \bar y")
def _(g):
    return real(g)


@joined.vjp("imag", r"\bar b = \operatorname{Im} \bar y")
def _(g):
    return imag(g)


@op(r"y = (\operatorname{Re} x, \operatorname{Im} x)", name="view_as_real", view=True)
def as_pairs(input):
    return input[..., None].view(input.real.dtype)


@as_pairs.vjp("input", r"\bar x = \bar y_1 + i \bar y_2")
def _(g):
    return joined(g[..., 0], g[..., 1])


@op(r"y = x_1 + i x_2", name="view_as_complex", view=True)
def of_pairs(input):
    return input.view(f"complex{input.itemsize * 16}")[..., 0]


@of_pairs.vjp("input", r"\bar x = (\operatorname{Re} \bar y, \operatorname{Im} \bar y)")
def _(g):
    lib = namespace(getattr(g, "_array", g))
    return as_pairs(g) if hasattr(g, "_array") else as_pairs.forward(lib.asarray(g))
