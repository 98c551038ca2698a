"""Less memory for more time: what a part of the model saves is forgotten and computed again.

Inside `checkpoint`, nothing that nodes save for backward is kept. The first node that needs it runs
the function once more, from its inputs and with the same random numbers; so gradients are bit for
bit those of the ordinary pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

from labtorch.autograd.graph import saved_tensors_hooks
from labtorch.engine.modes import enable_grad
from labtorch.engine.thread import current
from labtorch.tensor.random import get_rng_state, set_rng_state
from labtorch.tensor.tensor import Tensor


class CheckpointError(RuntimeError):
    """The function did not do the same the second time."""


class _Region:
    """One checkpointed call: how to compute what its nodes saved once more."""

    def __init__(self, function: Callable, args: tuple, kwargs: dict, random: Any) -> None:
        self.function, self.args, self.kwargs, self.random = function, args, kwargs, random
        self.contexts: tuple = (nullcontext(), nullcontext())
        self.count = 0
        self.values: dict[int, Any] = {}

    def pack(self, tensor: Tensor) -> int:
        """Keep the tensor's number among all that is saved, not the tensor."""
        self.count += 1
        return self.count - 1

    def unpack(self, index: int) -> Any:
        if index not in self.values:
            self._compute_again()
        return self.values.pop(index)

    def _compute_again(self) -> None:
        found: list[Any] = []
        thread = current()
        watchers, thread.watchers = thread.watchers, ()  # they have seen these ops
        after = None
        if self.random is not None:
            after = get_rng_state()
            set_rng_state(self.random)
        try:
            with (
                enable_grad(),
                self.contexts[1],
                saved_tensors_hooks(found.append, lambda _: None),
            ):
                args = tuple(_apart(each) for each in self.args)
                self.function(*args, **{k: _apart(v) for k, v in self.kwargs.items()})
        finally:
            thread.watchers = watchers
            if after is not None:
                set_rng_state(after)
        if len(found) != self.count:
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the "
                "original forward and recomputation.\nNumber of tensors saved during forward: "
                f"{self.count}\nNumber of tensors saved during recomputation: {len(found)}"
            )
        self.values = dict(enumerate(found))


def _apart(value: Any) -> Any:
    """A tensor outside of the graph that asks for a gradient where the original does."""
    if not isinstance(value, Tensor):
        return value
    return value.detach().requires_grad_(value._requires_grad)


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple] | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)`, computed again in the backward pass instead of remembered.

    `use_reentrant` is accepted: there is one way here, which has the properties of PyTorch's
    `use_reentrant=False` (keyword arguments, `autograd.grad`, inputs without gradients). The number
    of saved tensors is checked, and the function always runs to its end.
    """
    random = get_rng_state() if preserve_rng_state else None
    region = _Region(function, args, kwargs, random)
    if context_fn is not None:
        region.contexts = context_fn()
    with region.contexts[0], saved_tensors_hooks(region.pack, region.unpack):
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
) -> Any:
    """A sequence of modules in `segments` parts, each but the last one checkpointed."""
    layers = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(layers) // segments
    for start in range(0, size * (segments - 1), size):
        input = checkpoint(
            _chain(layers[start : start + size]),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve_rng_state,
        )
    return _chain(layers[size * (segments - 1) :])(input)


def _chain(layers: Sequence[Callable]) -> Callable:
    def run(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    return run
