"""The oracle helper: run one expression in labtorch and in PyTorch, and compare what comes out.

pytestmark = pytest.mark.oracle

def test_softmax_is_pytorchs():
    same(lambda t, x: t.softmax(x, -1), randn(3, 4))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import labtorch

TOLERANCE = {"float16": 2e-3, "float32": 2e-5, "float64": 1e-9}
TOLERANCE |= {"complex64": 2e-5, "complex128": 1e-9}


def randn(*shape: int, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    """Normal draws, the same in every run."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def same(
    expression: Callable[..., Any],
    *inputs: Any,
    gradients: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
) -> Any:
    """Assert that `expression(module, *tensors)` agrees, and return labtorch's result.

    Arrays among `inputs` become tensors on both sides (those of floating dtype require gradients);
    anything else is passed on. Compared are structure, types of numbers, shapes, dtypes, values,
    requires_grad, and the gradients for random cotangents, computed with PyTorch's as the truth.
    """
    import torch

    ours, theirs = (_run(module, expression, inputs, gradients) for module in (labtorch, torch))
    tolerance = {"rtol": rtol, "atol": atol}
    _compare("result", ours[0], theirs[0], **tolerance)
    if gradients:
        for i, (mine, reference) in enumerate(zip(ours[1], theirs[1])):
            _compare(f"gradient of input {i}", mine, reference, **tolerance)
    return ours[0]


def same_error(
    expression: Callable[..., Any],
    *inputs: Any,
    match: str | None = None,
    parent: type[Exception] | None = None,
) -> Exception:
    """Assert that both sides refuse, with one type of exception, and return labtorch's.

    `match` is PyTorch's key phrase: both messages hold it. With `parent`, both are of that type.
    """
    import torch

    raised = []
    for module in (labtorch, torch):
        try:
            found = expression(module, *tensors(module, inputs))
        except Exception as error:
            raised.append(error)
        else:
            raise AssertionError(f"{module.__name__} raised nothing and gave {found!r}")
    ours, theirs = raised
    kind = type(theirs) if parent is None else parent
    alike = type(ours) is kind or parent is not None and isinstance(ours, parent)
    assert alike and isinstance(theirs, kind), f"{ours!r}, but PyTorch raises {theirs!r}"
    if match is not None:
        for message in (str(ours), str(theirs)):
            assert match in message, f"{match!r} is not in {message!r}"
    return ours


def tensors(module: Any, inputs: tuple, requires_grad: bool = False) -> list[Any]:
    """The inputs with every array as a tensor of `module`."""
    made = []
    for each in inputs:
        if isinstance(each, (np.ndarray, np.generic)):
            tensor = module.from_numpy(np.array(each))
            each = tensor.requires_grad_() if requires_grad and each.dtype.kind in "fc" else tensor
        made.append(each)
    return made


def _run(module: Any, expression: Callable, inputs: tuple, gradients: bool) -> tuple[Any, list]:
    made = tensors(module, inputs, gradients)
    result = expression(module, *made)
    leaves = [each for each in made if getattr(each, "requires_grad", False) and each.is_leaf]
    roots = [each for each in _flat(module, result) if each.requires_grad]
    if not (gradients and leaves and roots):
        return result, []
    draws = np.random.default_rng(1)
    cotangents = []
    for root in roots:
        draw = draws.standard_normal(tuple(root.shape))
        if root.is_complex():
            draw = draw + 1j * draws.standard_normal(tuple(root.shape))
        cotangents.append(module.from_numpy(np.asarray(draw)).to(root.dtype))
    found = module.autograd.grad(roots, leaves, cotangents, retain_graph=True, allow_unused=True)
    return result, list(found)


def _flat(module: Any, result: Any) -> list[Any]:
    """The tensors in a result, in order."""
    if isinstance(result, module.Tensor):
        return [result]
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, (tuple, list)) and not isinstance(result, module.Size):
        return [tensor for each in result for tensor in _flat(module, each)]
    return []


def _compare(where: str, ours: Any, theirs: Any, rtol: float | None, atol: float | None) -> None:
    import torch

    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, labtorch.Tensor), f"{where}: {type(ours).__name__}, not a Tensor"
        assert tuple(ours.shape) == tuple(theirs.shape), (
            f"{where}: shape {tuple(ours.shape)}, PyTorch {tuple(theirs.shape)}"
        )
        assert str(ours.dtype) == str(theirs.dtype), (
            f"{where}: dtype {ours.dtype}, PyTorch {theirs.dtype}"
        )
        assert ours.requires_grad == theirs.requires_grad, (
            f"{where}: requires_grad {ours.requires_grad}, PyTorch {theirs.requires_grad}"
        )
        mine = ours.detach().numpy()
        reference = theirs.detach().resolve_conj().resolve_neg().numpy()
        tolerance = TOLERANCE.get(mine.dtype.name, 0.0)
        np.testing.assert_allclose(
            mine,
            reference,
            rtol=tolerance if rtol is None else rtol,
            atol=tolerance if atol is None else atol,
            err_msg=where,
        )
    elif isinstance(theirs, dict):
        assert isinstance(ours, dict) and list(ours) == list(theirs), f"{where}: {list(ours)}"
        for key in theirs:
            _compare(f"{where}[{key!r}]", ours[key], theirs[key], rtol, atol)
    elif isinstance(theirs, (tuple, list)):
        assert isinstance(ours, (tuple, list)) and len(ours) == len(theirs), (
            f"{where}: {type(ours).__name__} of {len(ours)}, PyTorch {type(theirs).__name__} of "
            f"{len(theirs)}"
        )
        for i, (mine, reference) in enumerate(zip(ours, theirs)):
            _compare(f"{where}[{i}]", mine, reference, rtol, atol)
    elif isinstance(theirs, float):
        assert type(ours) is float, f"{where}: {type(ours).__name__}, PyTorch float"
        np.testing.assert_allclose(ours, theirs, rtol=rtol or 1e-6, atol=atol or 0, err_msg=where)
    elif isinstance(theirs, (torch.dtype, torch.device)):
        assert str(ours) == str(theirs), f"{where}: {ours}, PyTorch {theirs}"
    else:
        assert type(ours).__name__ == type(theirs).__name__ and ours == theirs, (
            f"{where}: {ours!r}, PyTorch {theirs!r}"
        )
