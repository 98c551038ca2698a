"""Comparisons and logic: boolean results, no gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend.arrays import is_array, namespace, require_tensors
from labtorch.backend.dtypes import check_ordered
from labtorch.engine.op import Op
from labtorch.engine.public import ELEMENTWISE, METHOD, public


def _binary(name: str, function: str, formula: str, aliases: str = "") -> Op:
    ordered = name in ("lt", "le", "gt", "ge")
    logical = name.startswith("logical")

    def forward(input: Any, other: Any) -> Any:
        if logical:
            require_tensors(name, input=input, other=other)
        elif not name.startswith("bitwise"):
            require_tensors(name, input=input)
        lib = namespace(input if is_array(input) else other)
        if ordered:
            check_ordered(name, input)
            check_ordered(name, other)
        return getattr(lib, function)(input, other)

    return public(ELEMENTWISE, aliases)(Op(forward, formula, name=name, promotes=True))


def _unary(name: str, function: str, formula: str, where: tuple = METHOD) -> Op:
    def forward(input: Any) -> Any:
        return getattr(namespace(input), function)(input)

    return public(where)(Op(forward, formula, name=name))


eq = _binary("eq", "equal", r"y = [a = b]")
ne = _binary("ne", "not_equal", r"y = [a \ne b]", "not_equal")
lt = _binary("lt", "less", r"y = [a < b]", "less")
le = _binary("le", "less_equal", r"y = [a \le b]", "less_equal")
gt = _binary("gt", "greater", r"y = [a > b]", "greater")
ge = _binary("ge", "greater_equal", r"y = [a \ge b]", "greater_equal")
logical_and = _binary("logical_and", "logical_and", r"y = a \land b")
logical_or = _binary("logical_or", "logical_or", r"y = a \lor b")
logical_xor = _binary("logical_xor", "logical_xor", r"y = a \oplus b")
bitwise_and = _binary("bitwise_and", "bitwise_and", r"y = a \mathbin{\&} b")
bitwise_or = _binary("bitwise_or", "bitwise_or", r"y = a \mid b")
bitwise_xor = _binary("bitwise_xor", "bitwise_xor", r"y = a \oplus b")
logical_not = _unary("logical_not", "logical_not", r"y = \lnot x", ELEMENTWISE)
bitwise_not = _unary("bitwise_not", "invert", r"y = \lnot x", ELEMENTWISE)
isnan = _unary("isnan", "isnan", r"y = [x \text{ is NaN}]")
isinf = _unary("isinf", "isinf", r"y = [x = \pm\infty]")
isfinite = _unary("isfinite", "isfinite", r"y = [|x| < \infty]")


def _values(*tensors: Any) -> list[np.ndarray]:
    return [t._array for t in tensors]


@public()
def allclose(
    input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Do all elements satisfy |input - other| <= atol + rtol |other|?"""
    a, b = _values(input, other)
    if a.dtype != b.dtype:
        raise RuntimeError(f"{a.dtype} did not match {b.dtype}")
    return bool(namespace(a).allclose(a, b, rtol, atol, equal_nan=equal_nan))


@public()
def equal(input: Any, other: Any) -> bool:
    """Have both the same shape and elements?"""
    a, b = _values(input, other)
    return a.shape == b.shape and bool((a == b).all())
