"""Gradients checked by central finite differences, to order 1 and 2.

For a function f, a cotangent u and a direction v, backward gives J^T u, and a difference gives J v:

    <J^T u, v> = <u, (f(x + eps v) - f(x - eps v)) / (2 eps)> + O(eps^2)

With a basis of directions and cotangents every entry of the Jacobian is checked; with
`fast_mode=True` one random direction and one random cotangent check them all at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from labtorch.autograd.gradients import grad
from labtorch.backend.arrays import on_device_of
from labtorch.engine.modes import enable_grad
from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import Tensor


class GradcheckError(RuntimeError):
    """A gradient that differs from the finite difference."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Do the gradients of `func(*inputs)` agree with finite differences? Use float64 inputs.

    Checked, too, is that a second backward pass gives the same gradients, to within `nondet_tol`.
    The options from `check_undefined_grad` on, but `fast_mode`, are accepted and check no more.

    >>> import labtorch
    >>> x = labtorch.tensor([1.0, 2.0], dtype=labtorch.float64, requires_grad=True)
    >>> gradcheck(lambda x: x.exp(), (x,))
    True
    """
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    wanted = [i for i, each in enumerate(given) if _requires_grad(each)]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them "
            "have requires_grad=True."
        )
    if any(given[i]._array.dtype.itemsize < 8 for i in wanted):
        warnings.warn(
            "gradcheck: an input has less than double precision; differences will be rough. "
            "Make it with dtype=float64",
            stacklevel=2,
        )
    try:
        _check(func, given, wanted, eps, atol, rtol, fast_mode)
        _check_determinism(func, given, wanted, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Do the gradients of the gradients of `func(*inputs)` agree with finite differences?

    `grad_outputs` are the cotangents at which to differentiate (random ones if not given).
    """
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if grad_outputs is None:
        draws = np.random.default_rng(0)
        roots = [y for y in _outputs(func(*given)) if y._requires_grad]
        grad_outputs = [wrap(_normal(draws, y._array)).requires_grad_() for y in roots]
    cotangents = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs)

    def gradients(*args: Any) -> tuple:
        xs, us = args[: len(given)], args[len(given) :]
        roots = [y for y in _outputs(func(*xs)) if y._requires_grad]
        leaves = [x for x in xs if _requires_grad(x)]
        found = grad(roots, leaves, us, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        given + cotangents,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        fast_mode=fast_mode,
    )


def _check_determinism(func: Callable, given: tuple, wanted: list[int], tolerance: float) -> None:
    """Two backward passes with the same cotangents give the same gradients."""
    with enable_grad():
        outputs = [y for y in _outputs(func(*given)) if y._requires_grad]
    leaves = [given[i] for i in wanted]
    draws = np.random.default_rng(2)
    cotangents = [wrap(_normal(draws, y._array)) for y in outputs]
    passes = [
        grad(outputs, leaves, cotangents, retain_graph=True, allow_unused=True)
        for _ in range(2 if outputs else 0)
    ]
    for first, second in zip(*passes):
        if first is None or not first.numel():
            continue
        if abs(first._array - second._array).max() > tolerance:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and "
                "grad_output multiple times gives different values, although analytical gradient "
                "matches numerical gradient"
            )


def _check(
    func: Callable,
    given: tuple,
    wanted: list[int],
    eps: float,
    atol: float,
    rtol: float,
    fast: bool,
) -> None:
    draws = np.random.default_rng(0)
    with enable_grad():
        outputs = _outputs(func(*given))
    leaves = [given[i] for i in wanted]
    for i, x in zip(wanted, leaves):
        for place, v in _basis(draws, x._array, fast):
            slopes = _difference(func, given, i, v, eps)
            for at, (y, slope) in enumerate(zip(outputs, slopes)):
                for row, u in _basis(np.random.default_rng(1), y._array, fast):
                    (g,) = (
                        grad(y, [x], wrap(u), retain_graph=True, allow_unused=True)
                        if y._requires_grad
                        else (None,)
                    )
                    analytical = 0.0 if g is None else _inner(g._array, v)
                    numerical = _inner(u, slope)
                    if not np.isclose(analytical, numerical, rtol, atol):
                        raise GradcheckError(
                            f"Jacobian mismatch for output {at} with respect to input {i}, "
                            f"at output {row} and input {place}: "
                            f"numerical {numerical:.8g}, analytical {analytical:.8g}"
                        )


def _difference(func: Callable, given: tuple, i: int, v: Any, eps: float) -> list[Any]:
    """(f(x + eps v) - f(x - eps v)) / (2 eps) for each output."""
    sides = []
    for sign in (1, -1):
        moved = wrap(given[i]._array + sign * eps * v).requires_grad_()
        with enable_grad():
            sides.append(_outputs(func(*given[:i], moved, *given[i + 1 :])))
    return [(a._array - b._array) / (2 * eps) for a, b in zip(*sides)]


def _basis(draws: np.random.Generator, like: Any, fast: bool) -> Iterator[tuple[Any, Any]]:
    """Unit arrays for every entry (and its imaginary part); or one random array."""
    if fast:
        yield "all", _normal(draws, like)
        return
    for place in np.ndindex(like.shape):
        for unit in (1, 1j) if like.dtype.kind == "c" else (1,):
            e = np.zeros(like.shape, like.dtype)
            e[place] = unit
            yield place, on_device_of(e, like)


def _normal(draws: np.random.Generator, like: Any) -> Any:
    x = draws.standard_normal(like.shape)
    if like.dtype.kind == "c":
        x = x + 1j * draws.standard_normal(like.shape)
    return on_device_of(np.asarray(x, like.dtype), like)


def _inner(a: Any, b: Any) -> float:
    """Re <a, b>: what a change b of a variable with gradient a does to a real number."""
    return float((a.conj() * b).sum().real)


def _requires_grad(x: Any) -> bool:
    return isinstance(x, Tensor) and x._requires_grad


def _outputs(result: Any) -> list[Tensor]:
    """The results that a gradient can flow back from."""
    if isinstance(result, Tensor):
        result = (result,)
    return [y for y in result if isinstance(y, Tensor) and y._array.dtype.kind in "fc"]
