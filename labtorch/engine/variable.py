"""What the engine knows of a tensor; `labtorch.tensor` adds PyTorch's methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labtorch.engine.node import Node


class Version:
    """Counts in-place changes of one block of memory; shared by a tensor and its views."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Variable:
    """An array with a place in the graph.

    The defaults live on the class, so that making a tensor sets what differs and nothing else.
    """

    _array: Any
    _requires_grad: bool = False
    _node: Node | None = None  # the op call that made it; None for a leaf
    _output: int = 0  # which of that call's outputs it is
    _grad: Variable | None = None
    _version: Version | None = None  # None until somebody counts
    _base: Variable | None = None  # the tensor whose memory this one shows
    _hooks: Any = None  # of a leaf; those of other tensors are kept by their node
    _post_accumulate: Any = None
    _identity: int | None = None  # sequence number, given when a watcher first sees the tensor
    _name: str | None = None

    def version(self) -> Version:
        """The counter of this tensor's memory, made when first needed."""
        if self._version is None:
            self._version = Version()
        return self._version


tensor_class: type[Variable] = Variable  # set by labtorch.tensor, which imports this room


def wrap(array: Any) -> Any:
    """A tensor that holds `array`, outside any graph."""
    out = object.__new__(tensor_class)
    out._array = array
    return out
