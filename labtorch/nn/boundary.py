"""The two edges of a module call in the graph, where its backward hooks listen."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from labtorch.engine.op import op
from labtorch.engine.variable import Variable, wrap
from labtorch.tensor.tensor import Tensor


class Crossing:
    """One call of a module with backward hooks: its gradients on their way through."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.grad_output: tuple = ()
        self.places: tuple[int, ...] = ()  # of the arguments that are tensors
        self.count = 0  # of the arguments
        self.asked: tuple[bool, ...] = ()  # which of them ask for a gradient

    def at_output(self, gradients: list) -> list:
        """The gradient of the outputs is complete."""
        gradients = [_as_tensor(each) for each in gradients]
        for _, hook in self.module._all_hooks("_backward_pre_hooks"):
            changed = hook(self.module, tuple(gradients))
            if changed is not None:
                gradients = list(changed) if isinstance(changed, tuple) else [changed]
        self.grad_output = tuple(gradients)
        if not any(self.asked):
            self._run_hooks((None,) * self.count)
        return gradients

    def at_input(self, gradients: list) -> list:
        """The gradient of the inputs is complete."""
        full: list[Any] = [None] * self.count
        for place, asked, gradient in zip(self.places, self.asked, gradients):
            full[place] = _as_tensor(gradient) if asked else None
        given = self._run_hooks(tuple(full))
        return [given[place] for place in self.places]

    def _run_hooks(self, grad_input: tuple) -> tuple:
        for _, hook in self.module._all_hooks("_backward_hooks"):
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(grad_input):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, got "
                    f"{len(changed)}, but expected {len(grad_input)}"
                )
            grad_input = changed
        return grad_input


def _as_tensor(gradient: Any) -> Any:
    return gradient if gradient is None or isinstance(gradient, Variable) else wrap(gradient)


def _as_given(gradients: list, like: list) -> list:
    """Back to arrays, where the pass runs on arrays."""
    if any(isinstance(each, Variable) for each in like):
        return gradients
    return [each._array if isinstance(each, Variable) else each for each in gradients]


@op(r"y = x", name="module_inputs", many=True)
def _inputs(crossing, *tensors):
    return tensors


@_inputs.vjps(formula=r"\bar x = \bar y \text{, seen by the module's backward hooks}")
def _(g, crossing):
    return [None, *_as_given(crossing.at_input(g), g)]


@op(r"y = x", name="module_outputs", many=True)
def _outputs(crossing, *tensors):
    return tensors


@_outputs.vjps(formula=r"\bar x = \bar y \text{, seen by the module's backward hooks}")
def _(g, crossing):
    return [None, *_as_given(crossing.at_output(g), g)]


def call_with_backward_hooks(module: Any, args: tuple, forward: Callable[[tuple], Any]) -> Any:
    """Call `forward(args)` between the two boundaries."""
    crossing = Crossing(module)
    places = tuple(i for i, each in enumerate(args) if isinstance(each, Tensor))
    crossing.places, crossing.count = places, len(args)
    crossing.asked = tuple(args[i]._requires_grad for i in places)
    if any(crossing.asked):
        inner = list(args)
        for place, tensor in zip(places, _inputs(crossing, *(args[i] for i in places))):
            inner[place] = tensor
        args = tuple(inner)
    result = forward(args)
    if isinstance(result, Tensor):
        return _outputs(crossing, result)[0] if result._requires_grad else result
    if isinstance(result, (tuple, list)) and all(isinstance(each, Tensor) for each in result):
        if not any(each._requires_grad for each in result):
            return result
        return type(result)(_outputs(crossing, *result))
    warnings.warn(
        "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors "
        f"but received {type(result)}",
        stacklevel=4,
    )
    return result
