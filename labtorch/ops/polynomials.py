"""Orthogonal polynomials, by their recurrences (DLMF 18.9)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from labtorch.backend.arrays import is_array, namespace
from labtorch.backend.dtypes import promote
from labtorch.engine.op import op
from labtorch.engine.public import NOWHERE, public
from labtorch.ops.arithmetic import _floating

HIGHEST = 100_000  # steps of a recurrence


def _polynomial(name: str, letter: str, first: Callable, following: Callable) -> Any:
    """p_0 = 1, p_1 = first(x), p_{k + 1} = following(k, x, p_k, p_{k - 1}); 0 for n < 0."""

    @public(NOWHERE, aliases=f"special.{name}")
    @op(rf"y = {letter}(x)", name=f"special_{name}", broadcasts=True)
    def polynomial(input, n):
        lib = namespace(input if is_array(input) else n)
        dtype = _floating(lib.zeros((), promote(input, n))).dtype
        x, degree = lib.broadcast_arrays(
            lib.asarray(input, "float64"), lib.trunc(lib.asarray(n, "float64"))
        )
        highest = degree.max() if degree.size else 0
        if not highest < HIGHEST:  # NaN, too
            raise RuntimeError(f"a degree of {highest} is more than {HIGHEST} steps can reach")
        before, now = lib.ones_like(x), first(x)
        result = lib.where(degree == 0, before, lib.where(degree == 1, now, 0.0))
        for k in range(1, int(highest)):
            before, now = now, following(k, x, now, before)
            result = lib.where(degree == k + 1, now, result)
        return lib.where(lib.isnan(x), math.nan, result).astype(dtype)

    return polynomial


def _chebyshev(kind: str, first: Callable) -> tuple[Any, Any]:
    def following(k: int, x: Any, now: Any, before: Any) -> Any:
        return 2 * x * now - before

    return _polynomial(f"chebyshev_polynomial_{kind}", f"{kind.upper()}_n", first, following), (
        _polynomial(
            f"shifted_chebyshev_polynomial_{kind}",
            f"{kind.upper()}^*_n",
            lambda x: first(2 * x - 1),
            lambda k, x, now, before: following(k, 2 * x - 1, now, before),
        )
    )


chebyshev_polynomial_t, shifted_chebyshev_polynomial_t = _chebyshev("t", lambda x: x)
chebyshev_polynomial_u, shifted_chebyshev_polynomial_u = _chebyshev("u", lambda x: 2 * x)
chebyshev_polynomial_v, shifted_chebyshev_polynomial_v = _chebyshev("v", lambda x: 2 * x - 1)
chebyshev_polynomial_w, shifted_chebyshev_polynomial_w = _chebyshev("w", lambda x: 2 * x + 1)
hermite_polynomial_h = _polynomial(
    *("hermite_polynomial_h", "H_n", lambda x: 2 * x),
    lambda k, x, now, before: 2 * x * now - 2 * k * before,
)
hermite_polynomial_he = _polynomial(
    *("hermite_polynomial_he", "He_n", lambda x: x),
    lambda k, x, now, before: x * now - k * before,
)
laguerre_polynomial_l = _polynomial(
    *("laguerre_polynomial_l", "L_n", lambda x: 1 - x),
    lambda k, x, now, before: ((2 * k + 1 - x) * now - k * before) / (k + 1),
)
legendre_polynomial_p = _polynomial(
    *("legendre_polynomial_p", "P_n", lambda x: x),
    lambda k, x, now, before: ((2 * k + 1) * x * now - k * before) / (k + 1),
)
