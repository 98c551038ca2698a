"""The graph for those who look: nodes and edges, what is saved, and hooks on several tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from labtorch.engine.node import (
    AccumulateGrad,
    Node,
    RemovableHandle,
    accumulator,
    choose_node,
)
from labtorch.engine.thread import after_backward, current
from labtorch.engine.variable import Variable, wrap


class GradientEdge(NamedTuple):
    """One edge of the graph: a node, and which of its outputs."""

    node: Node | AccumulateGrad
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Variable) -> GradientEdge:
    """Where gradients of `tensor` arrive: it can stand for the tensor in `autograd.grad`."""
    if not tensor._requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    return GradientEdge(tensor._node or accumulator(tensor), tensor._output)


def at_edge(edge: GradientEdge) -> Variable:
    """A tensor without a value in the place of an edge."""
    if isinstance(edge.node, AccumulateGrad):
        return edge.node.variable
    tensor = wrap(None)
    tensor._node, tensor._output, tensor._requires_grad = edge.node, edge.output_nr, True
    return tensor


class saved_tensors_hooks:
    """Inside the block, `pack(tensor)` is called on all that is saved for backward; what it returns
    is kept instead, and `unpack` turns it into a tensor again when backward needs it.
    """

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.hooks = (pack_hook, unpack_hook)

    def __enter__(self) -> None:
        thread = current()
        if thread.saved_hooks and isinstance(thread.saved_hooks[-1], str):
            raise RuntimeError(thread.saved_hooks[-1])
        thread.saved_hooks = (*thread.saved_hooks, self.hooks)
        choose_node(thread)

    def __exit__(self, *_: Any) -> None:
        thread = current()
        thread.saved_hooks = thread.saved_hooks[:-1]
        choose_node(thread)


class save_on_cpu(saved_tensors_hooks):
    """Inside the block, what is saved for backward waits in the computer's own memory."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(
            lambda tensor: (tensor.device, tensor.to("cpu", copy=True)),
            lambda packed: packed[1].to(packed[0]),
        )


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """Inside the block, what is saved for backward is saved as a copy, and may be written to."""

    def __init__(self) -> None:
        super().__init__(lambda tensor: tensor.clone(), lambda copy: copy)


class disable_saved_tensors_hooks(saved_tensors_hooks):
    """Inside the block, `saved_tensors_hooks` raises `error_message`."""

    def __init__(self, error_message: str) -> None:
        self.hooks = error_message  # type: ignore[assignment]


def register_multi_grad_hook(
    tensors: Sequence[Variable],
    fn: Callable[..., None],
    *,
    mode: Literal["all", "any"] = "all",
) -> RemovableHandle:
    """Call `fn` once a backward pass: with `mode="all"`, with the list of all gradients (None for a
    tensor that got none); with "any", with the first that is there.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    arrived: dict[int, Any] = {}
    called: list[bool] = []

    def forget() -> None:
        arrived.clear()
        called.clear()

    def call_with_all() -> None:
        if arrived:
            gradients = [arrived.get(i) for i in range(len(tensors))]
            forget()
            fn(gradients)

    def note(index: int, gradient: Any) -> None:
        thread = current()
        if mode == "any":
            if not called:
                called.append(True)
                after_backward(thread, forget)
                fn(gradient)
            return
        if not arrived:  # those that get no gradient are known at the end of the pass
            after_backward(thread, call_with_all)
        arrived[index] = gradient
        if len(arrived) == len(tensors):
            call_with_all()

    def listener(index: int) -> Callable[[Any], None]:
        return lambda gradient: note(index, gradient)

    handles = [each.register_hook(listener(i)) for i, each in enumerate(tensors)]  # type: ignore
    handles[0].also = tuple(handles[1:])
    return handles[0]


def increment_version(tensor: Variable | Sequence[Variable]) -> None:
    """Say that the memory of a tensor has been changed by other means."""
    for each in [tensor] if isinstance(tensor, Variable) else tensor:
        each.version().written("increment_version()")


__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]
