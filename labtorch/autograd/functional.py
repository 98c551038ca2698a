"""Jacobians, Hessians and their products with vectors, of functions of tensors.

A vector-Jacobian product v^T J is one backward pass. A Jacobian-vector product J v is two: v^T J is
linear in v, and its transpose is J. A whole Jacobian takes a pass for each element of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from labtorch.autograd.gradients import grad
from labtorch.backend.arrays import namespace, ones_like
from labtorch.engine.modes import enable_grad
from labtorch.engine.variable import wrap
from labtorch.ops.shape import alias, stack
from labtorch.tensor.tensor import Tensor


def jacobian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """J of shape (*output, *input): d func(*inputs) / d inputs, for each output and each input.

    `vectorize` and `strategy` are accepted and change nothing. With `strict`, an output that does
    not depend on an input is an error; otherwise its Jacobian is zero.
    """
    if strict and vectorize:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together. Please either set `strict=False` or `vectorize=False`."
        )
    with enable_grad():
        xs, one_input = _inputs(inputs, "jacobian", create_graph)
        ys, one_output = _outputs(func(*xs), "jacobian")
        rows = tuple(_jacobian_of(y, i, xs, create_graph, strict) for i, y in enumerate(ys))
    return _as_given(tuple(_as_given(each, one_input) for each in rows), one_output)


def _jacobian_of(y: Tensor, i: int, xs: tuple, create_graph: bool, strict: bool) -> tuple:
    """The Jacobians of one output with respect to each input."""
    _require_differentiable(y, i, strict)
    rows: list[list] = [[] for _ in xs]
    for cotangent in basis(y) if y._requires_grad else ():
        found = _grad(y, xs, cotangent, create_graph)
        for j, (x, g, row) in enumerate(zip(xs, found, rows)):
            if strict and g is None:
                raise RuntimeError(
                    f"Output {i} of the user-provided function is independent of input {j}. This "
                    "is not allowed in strict mode."
                )
            if strict and create_graph and not g._requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {j}. "
                    "This is not allowed in strict mode when create_graph=True."
                )
            row.append(zeros(x) if g is None else g)
    return tuple(
        stack(row).reshape(y.shape + x.shape) if row else zeros(x, y.shape + x.shape)
        for x, row in zip(xs, rows)
    )


def hessian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """H of shape (*input, *input): the second derivatives of a scalar `func(*inputs)`."""
    xs, one_input = _inputs(inputs, "hessian", True)

    def gradient(*args: Tensor) -> Any:
        y = _single(func(*args), "hessian")
        _require_differentiable(y, 0, strict)
        found = _grad(y, args, None, True) if y._requires_grad else [None] * len(args)
        for j, g in enumerate(found):
            if strict and (g is None or not g._requires_grad):
                raise RuntimeError(_CONSTANT_JACOBIAN.format(j))
        return tuple(zeros(x) if g is None else g for x, g in zip(args, found))

    found = jacobian(gradient, tuple(xs), create_graph=create_graph, strict=False)
    return found[0][0] if one_input else found


def vjp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    r"""func(*inputs), and $v^{\top} J$: the gradient of <v, func(*inputs)>."""
    with enable_grad():
        xs, one_input = _inputs(inputs, "vjp", create_graph)
        ys, one_output = _outputs(func(*xs), "vjp")
        vs = _vector(v, ys, "the user-provided function returns a single Tensor", create_graph)
        for i, y in enumerate(ys):
            _require_differentiable(y, i, strict)
        pulled = _grad(ys, xs, vs, create_graph)
        found = _filled(pulled, xs, strict, "The output of the user-provided function is")
    return _result(ys, one_output, create_graph), _as_given(found, one_input)


def jvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """func(*inputs), and J v: how it changes when the inputs change along v."""
    with enable_grad():
        xs, one_input = _inputs(inputs, "jvp", create_graph)
        vs = _vector(v, xs, _ONE_INPUT, True)
        ys, one_output = _outputs(func(*xs), "jvp")
        for i, y in enumerate(ys):
            _require_differentiable(y, i, strict)
        found = _filled(pushed(ys, xs, vs, create_graph), ys, strict, "The output is")
    return _result(ys, one_output, create_graph), _as_given(found, one_output)


def vhp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    r"""func(*inputs), a scalar, and $v^{\top} H$; cheaper than `hvp`, and equal to it."""
    with enable_grad():
        xs, one_input = _inputs(inputs, "vhp", create_graph)
        vs = _vector(v, xs, _ONE_INPUT, create_graph)
        y = _single(func(*xs), "vhp")
        _require_differentiable(y, 0, strict)
        slopes = _filled(_grad(y, xs, None, True), xs, strict, "The output of the function is")
        if strict:
            for j, g in enumerate(slopes):
                if not g._requires_grad:
                    raise RuntimeError(_CONSTANT_JACOBIAN.format(j))
        found = _filled(_grad(slopes, xs, vs, create_graph), xs, strict, "The jacobian is")
    return _result((y,), True, create_graph), _as_given(found, one_input)


def hvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """func(*inputs), a scalar, and H v. H is symmetric, so this is `vhp`."""
    return vhp(func, inputs, v, create_graph, strict)


# ------------------------------------------------------------------------------------- the parts
_ONE_INPUT = "the input to the user-provided function is a single Tensor"
_CONSTANT_JACOBIAN = (
    "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {} is independent of the input. This is not allowed in strict mode. You "
    "should ensure that your function is twice differentiable and that the jacobian depends on "
    "the inputs."
)


def pushed(ys: Sequence, xs: Sequence, vs: Sequence, create_graph: bool) -> list:
    """J v by two backward passes: the first gives u^T J, which is linear in u; its transpose is J.

    None for a y that no x changes.
    """
    moved = [i for i, y in enumerate(ys) if y._requires_grad]
    roots = [ys[i] for i in moved]
    us = [zeros(y).requires_grad_() for y in roots]
    found: list[Any] = [None] * len(ys)
    if not roots:
        return found
    rows = grad(roots, list(xs), us, create_graph=True, allow_unused=True)
    pairs = [(row, v) for row, v in zip(rows, vs) if row is not None and row._requires_grad]
    if not pairs:
        return found
    slopes = grad(
        [row for row, _ in pairs],
        us,
        [v for _, v in pairs],
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
    )
    for i, slope in zip(moved, slopes):
        found[i] = slope
    return found


def basis(like: Tensor) -> list[Tensor]:
    """Tensors of the shape of `like`, one an element: 1 there and 0 elsewhere."""
    units = []
    for i in range(like.numel()):
        unit = zeros(like)
        unit._array.reshape(-1)[i] = 1
        units.append(unit)
    return units


def zeros(like: Tensor, shape: tuple | None = None) -> Any:
    array = like._array
    return wrap(namespace(array).zeros(array.shape if shape is None else shape, array.dtype))


def _grad(ys: Any, xs: Sequence, vs: Any, create_graph: bool) -> list:
    """`grad`, of those outputs that have one."""
    ys = [ys] if isinstance(ys, Tensor) else list(ys)
    vs = [vs] if vs is None or isinstance(vs, Tensor) else list(vs)
    pairs = [(y, v) for y, v in zip(ys, vs) if y._requires_grad]
    if not pairs:
        return [None] * len(xs)
    return list(
        grad(
            [y for y, _ in pairs],
            list(xs),
            [v for _, v in pairs],
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
    )


def _filled(found: Sequence, like: Sequence, strict: bool, what: str) -> tuple:
    """Zeros where there is no gradient; an error in strict mode."""
    for i, g in enumerate(found):
        if strict and g is None:
            raise RuntimeError(
                f"{what} independent of entry {i}. This is not allowed in strict mode."
            )
    return tuple(zeros(x) if g is None else g for g, x in zip(found, like))


def _tuple(given: Any, what: str, name: str) -> tuple[tuple, bool]:
    if isinstance(given, Tensor):
        return (given,), True
    if not isinstance(given, tuple):
        raise TypeError(
            f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
            f"given {what} has type {type(given)}."
        )
    for i, each in enumerate(given):
        if not isinstance(each, Tensor):
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
                f"value at index {i} has type {type(each)}."
            )
    return given, False


def _inputs(inputs: Any, name: str, create_graph: bool) -> tuple[tuple, bool]:
    """The inputs as places to differentiate at: in the caller's graph, or apart from it."""
    given, single = _tuple(inputs, "inputs", name)
    return tuple(
        alias(x) if create_graph and x._requires_grad else x.detach().requires_grad_()
        for x in given
    ), single


def _outputs(outputs: Any, name: str) -> tuple[tuple, bool]:
    return _tuple(outputs, "outputs of the user-provided function", name)


def _single(given: Any, name: str) -> Tensor:
    ys, single = _outputs(given, name)
    if not single:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if ys[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {name} should contain a single element"
        )
    return ys[0].reshape(())


def _vector(v: Any, like: tuple, where: str, create_graph: bool) -> tuple:
    """The vector of a product, checked against what it multiplies."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"The vector v can only be None if {where} with a single element.")
        return (wrap(ones_like(like[0]._array)),)
    given, _ = _tuple(v, "v", "the product")
    if len(given) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(given)}."
        )
    for i, (each, x) in enumerate(zip(given, like)):
        if each.shape != x.shape:
            entry = f"Entry {i} in v" if len(like) > 1 else "v"
            raise RuntimeError(
                f"{entry} has invalid size: should be {x.shape} but got {each.shape}."
            )
    return given if create_graph else tuple(each.detach() for each in given)


def _require_differentiable(y: Tensor, i: int, strict: bool) -> None:
    if strict and not y._requires_grad:
        raise RuntimeError(
            f"Output {i} of the user-provided function does not require gradients. The outputs "
            "must be computed in a differentiable manner from the input when running in strict "
            "mode."
        )


def _result(ys: tuple, single: bool, create_graph: bool) -> Any:
    return _as_given(ys if create_graph else tuple(y.detach() for y in ys), single)


def _as_given(values: tuple, single: bool) -> Any:
    return values[0] if single else values
