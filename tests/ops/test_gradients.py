"""Every differentiable op agrees with finite differences, to order 1 and 2; no oracle is needed."""

from __future__ import annotations

import importlib
import pkgutil
from functools import partial
from typing import Any

import numpy as np
import pytest

import labtorch
import labtorch.ops
from labtorch.autograd import grad, gradcheck, gradgradcheck
from labtorch.engine import inplace
from labtorch.engine.op import Op
from tests.ops.samples import SAMPLES, THROUGH


def _differentiable_ops() -> dict[str, Op]:
    found: dict[str, Op] = {"inplace.copy_slices": inplace.copy_slices}
    for info in pkgutil.walk_packages(labtorch.ops.__path__, "labtorch.ops."):
        module = importlib.import_module(info.name)
        for name, op in vars(module).items():
            if isinstance(op, Op) and op.differentiable and op.__module__ == module.__name__:
                name = op.name if name.startswith("_") and name.endswith("_op") else name
                found[f"{info.name.removeprefix('labtorch.ops.')}.{name}"] = op
    return found


OPS = _differentiable_ops()
CALLS = {op: partial(THROUGH[name], op) if name in THROUGH else op for name, op in OPS.items()}
CASES = [
    pytest.param(op, args, id=f"{name}-{i}")
    for name, op in OPS.items()
    for i, args in enumerate(SAMPLES.get(name, []))
]


def _tensors(args: tuple) -> tuple:
    """Floating arrays that are the op's operands as tensors with gradients, others as they are."""
    made = []
    for each in args:
        if isinstance(each, np.ndarray):
            each = labtorch.tensor(each, requires_grad=each.dtype.kind in "fc")
        made.append(each)
    return tuple(made)


def _arguments(op: Op, args: tuple) -> tuple:
    """As tensors; an operand for which the op declares no rule does not require a gradient."""
    made = _tensors(args)
    for i, each in enumerate(made):
        if isinstance(each, labtorch.Tensor) and not op.differentiable >> i & 1:
            each.requires_grad_(False)
    index = {"getitem": 1, "put": 1, "setitem": 2}.get(op.name)  # an index is plain arrays
    return made if index is None else (*made[:index], args[index], *made[index + 1 :])


def test_every_differentiable_op_has_a_sample():
    missing = sorted(set(OPS) - set(SAMPLES))
    assert not missing, f"give tests/ops/samples.py arguments for {missing}"
    assert not set(SAMPLES) - set(OPS), "samples of ops that are gone"


def test_every_differentiable_op_has_a_formula_for_itself_and_for_each_rule():
    bare = [name for name, op in OPS.items() if not op.formula]
    bare += [name for name, op in OPS.items() if not all(f["formula"] for f in op.formulas())]
    assert not bare


@pytest.mark.parametrize(("op", "args"), CASES)
def test_gradient(op: Op, args: tuple):
    assert gradcheck(CALLS[op], _arguments(op, args))


@pytest.mark.parametrize(("op", "args"), CASES)
def test_gradient_of_the_gradient(op: Op, args: tuple):
    assert gradgradcheck(CALLS[op], _arguments(op, args), fast_mode=True)


@pytest.mark.parametrize(("op", "args"), CASES)
def test_rule_gives_the_same_on_arrays_and_on_tensors(op: Op, args: tuple):
    """An ordinary pass runs the rules on arrays, create_graph=True on tensors."""
    given = _arguments(op, args)
    leaves = [x for x in given if isinstance(x, labtorch.Tensor) and x.requires_grad]
    result = CALLS[op](*given)
    outputs = [
        y for y in ([result] if isinstance(result, labtorch.Tensor) else result) if y.requires_grad
    ]
    cotangents = [labtorch.randn_like(y) for y in outputs]
    plain = grad(outputs, leaves, cotangents, retain_graph=True, allow_unused=True)
    recorded = grad(outputs, leaves, cotangents, create_graph=True, allow_unused=True)
    for leaf, a, b in zip(leaves, plain, recorded):
        assert a is not None and b is not None
        assert a.shape == b.shape == leaf.shape
        assert a.dtype is b.dtype is leaf.dtype
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-12, 1e-12)


def test_a_wrong_rule_is_found():
    @labtorch.engine.op(r"y = x^2", name="wrong")
    def wrong(input: Any) -> Any:
        return input * input

    @wrong.vjp("input", r"\bar x = 3 \bar y x")
    def _(g: Any, input: Any) -> Any:
        return g * input * 3

    x = labtorch.tensor([1.0, 2.0], dtype=labtorch.float64, requires_grad=True)
    with pytest.raises(
        RuntimeError, match="Jacobian mismatch for output 0 with respect to input 0"
    ):
        gradcheck(wrong, x)
    assert not gradcheck(wrong, x, raise_exception=False)
    assert not gradcheck(wrong, x, raise_exception=False, fast_mode=True)


def test_a_wrong_rule_of_second_order_is_found():
    @labtorch.engine.op(r"y = x^3", name="wrong")
    def wrong(input: Any) -> Any:
        return input * input * input

    @wrong.vjp("input", r"\bar x = 3 \bar y x^2")
    def _(g: Any, input: Any) -> Any:
        plain = getattr(input, "_array", input)  # leaves the graph
        return g * (plain * plain * 3)

    x = labtorch.tensor([1.0, 2.0], dtype=labtorch.float64, requires_grad=True)
    assert gradcheck(wrong, x)
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        gradgradcheck(wrong, x)


def test_gradcheck_needs_an_input_that_requires_a_gradient():
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(lambda x: x, labtorch.ones(2))


def test_gradcheck_warns_of_single_precision():
    x = labtorch.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="double precision"):
        gradcheck(lambda x: x * 2, x, eps=1e-2, atol=1e-2)
