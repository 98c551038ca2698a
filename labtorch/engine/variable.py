"""What the engine knows of a tensor; `labtorch.tensor` adds PyTorch's methods."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from labtorch.engine.thread import local

if TYPE_CHECKING:
    from labtorch.engine.node import Node

ref = weakref.ref


class Version:
    """Counts in-place changes of one block of memory; shared by a tensor and its views."""

    __slots__ = ("count", "views", "limit", "writer")

    def __init__(self) -> None:
        self.count = 0
        self.writer: tuple | None = None  # who changed the memory last, and where, if known
        self.views: list[weakref.ref] | None = None
        self.limit = 8

    def written(self, by: str, at: tuple[str, int] | None = None) -> None:
        """Note a change: by which op, and on which line of the user's."""
        self.count += 1
        self.writer = (by, at)

    def add_view(self, view: Variable) -> None:
        """Remember a view, weakly, in order of creation."""
        if self.views is None:
            self.views = []
        elif len(self.views) >= self.limit:  # forget the dead, in amortised constant time
            self.views = [each for each in self.views if each() is not None]
            self.limit = 2 * len(self.views) + 8
        self.views.append(ref(view))

    def living_views(self) -> list[Any]:
        """The views that somebody still holds, in order of creation."""
        found = [each() for each in self.views or ()]
        return [each for each in found if each is not None]


class InferenceVersion(Version):
    """The version of what is made in inference mode: nobody counts it, so nobody may save it."""

    __slots__ = ()

    def __init__(self) -> None:
        self.views, self.writer, self.limit = None, None, 8

    @property
    def count(self) -> int:  # type: ignore[override]
        raise RuntimeError(
            "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
            "inference mode in computation tracked by autograd. To work around this, you can make "
            "a clone to get a normal tensor and use it in autograd, or use `torch.no_grad()` "
            "instead of `torch.inference_mode()`."
        )

    def written(self, by: str, at: tuple[str, int] | None = None) -> None:
        if not local.thread.inference:
            raise RuntimeError(
                "Inplace update to inference tensor outside InferenceMode is not allowed.You can "
                f"make a clone to get a normal tensor before doing inplace update ({by})."
            )

    def add_view(self, view: Variable) -> None:
        """No history is ever made for one: nobody needs to find its views."""


INFERENCE = InferenceVersion()


class NoArray(NotImplementedError):
    """A tensor was asked for its array and holds none: it takes ops its own way, `tensor.take`."""

    def __init__(self, tensor: Variable, message: str) -> None:
        super().__init__(message)
        self.tensor = tensor


class Variable:
    """An array with a place in the graph.

    The defaults live on the class, so that making a tensor sets what differs and nothing else.
    """

    _array: Any
    _requires_grad: bool = False
    _node: Node | None = None  # the op call that made it; None for a leaf
    _output: int = 0  # which of that call's outputs it is
    _grad: Variable | None = None
    _counter: Version | None = None  # None until somebody counts
    _base: Variable | None = None  # the tensor whose memory this one shows
    _view: tuple | None = (
        None  # of a view that in-place ops may be recorded on: its op and arguments
    )
    _hooks: Any = None  # of a leaf; those of other tensors are kept by their node
    _post_accumulate: Any = None
    _retains: bool = False  # does a tensor with a node keep its gradient?
    _accumulator: Any = None  # of a leaf: a weak reference to its AccumulateGrad
    _identity: int | None = None  # sequence number, given when a watcher first sees the tensor
    _name: str | None = None

    def version(self) -> Version:
        """The counter of this tensor's memory, made when first needed."""
        if self._counter is None:
            self._counter = Version()
        return self._counter

    def is_inference(self) -> bool:
        """Was the tensor made in inference mode?"""
        return self._counter is INFERENCE

    def own_hooks(self, table: str) -> OrderedDict:
        """One of a leaf's tables of hooks, made when the first hook comes."""
        if getattr(self, table) is None:
            setattr(self, table, OrderedDict())
        return getattr(self, table)


tensor_class: type[Variable] = Variable  # set by labtorch.tensor, which imports this room
to_device: Any = None  # set by it, too: the op that moves a tensor


def wrap(array: Any) -> Any:
    """A tensor that holds `array`, outside any graph."""
    out = object.__new__(tensor_class)
    out._array = array
    return out


def wrap_new(array: Any) -> Any:
    """As `wrap`, for a tensor that the user makes: an inference tensor in inference mode."""
    out = wrap(array)
    if local.thread.inference:
        out._counter = INFERENCE
    return out
