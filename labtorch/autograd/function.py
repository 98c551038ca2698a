"""Ops of the user's own: a subclass of `Function` with a forward and a backward on tensors.

    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2

    y = Cube.apply(x)

Each subclass is an op, and each call one node, `CubeBackward`, for the graph and for watchers. The
ops inside forward are not recorded; those inside backward are, where a graph is asked for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.engine import errors
from labtorch.engine.apply import apply
from labtorch.engine.backward import fit
from labtorch.engine.inplace import check_writable, record
from labtorch.engine.modes import no_grad
from labtorch.engine.node import Node, Packed
from labtorch.engine.op import Op, op
from labtorch.engine.thread import Thread, local, saved_hooks
from labtorch.engine.variable import Variable, wrap


class _Saved:
    """A tensor that a forward saved: an input, with its version, or the index of an output."""

    def __init__(self, tensor: Variable, index: int | None, thread: Thread) -> None:
        counter = tensor.version()
        self.index, self.counter, self.count = index, counter, counter.count
        # an output is kept as its array: the tensor would hold the node, which holds this
        self.value: Any = tensor if index is None else tensor._array
        hooks = saved_hooks(thread)
        if hooks is not None:
            self.value = Packed(tensor, hooks)

    def tensor(self, node: Node | None, name: str) -> Any:
        """The tensor in its place in the graph, unless somebody has changed it since."""
        value = self.value
        if isinstance(value, Packed):
            array = value.unpacked()
            if self.index is not None:
                return self._output(node, array)
            return value.restored(array) if local.thread.grad_enabled else wrap(array)
        if self.counter.count != self.count:
            raise errors.located(
                RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    f"inplace operation: a tensor of shape {list(value.shape)}, which {name} "
                    f"saved, is at version {self.counter.count}; expected version {self.count} "
                    f"instead{errors.changed_by(self.counter)}"
                )
            )
        return value if self.index is None else self._output(node, value)

    def _output(self, node: Node | None, array: Any) -> Any:
        return wrap(array) if node is None else node.output(array, self.index or 0, self.counter)


class FunctionCtx:
    """What a forward leaves for its backward; attributes of your own are welcome."""

    def __init__(self, name: str, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._name = name
        self._to_save: tuple = ()
        self._saved: list[_Saved | None] = []
        self._dirty: tuple = ()
        self._constant: tuple = ()
        self._materialize = True
        self._node: Callable[[], Node | None] = lambda: None

    def save_for_backward(self, *tensors: Variable | None) -> None:
        """Keep inputs or outputs for backward, as `ctx.saved_tensors`."""
        for at, each in enumerate(tensors):
            if each is not None and not isinstance(each, Variable):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {at} is of type "
                    f"{type(each).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Variable | None) -> None:
        """Accepted; forward-mode differentiation is `labtorch.func.jvp`, which needs no saving."""

    def mark_dirty(self, *tensors: Variable) -> None:
        """Say which inputs forward has changed in place; it must return them, too."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Variable) -> None:
        """Say which outputs no gradient flows through."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """With False, backward is given None, not zeros, for an output that nothing used."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple:
        node = self._node()
        return tuple(each and each.tensor(node, self._name) for each in self._saved)


class _Call:
    """One call of a `Function`, on its way from the arguments to the node."""

    def __init__(self, function: type[Function], args: tuple) -> None:
        needs = tuple(isinstance(each, Variable) and each._requires_grad for each in args)
        self.function, self.args = function, args
        self.ctx = FunctionCtx(f"{function.__name__}Backward", needs)
        self.specs = [
            (each._array.shape, each._array.dtype) if isinstance(each, Variable) else None
            for each in args
        ]
        self.results: tuple = ()
        self.outputs: list[tuple | None] = []  # per result: shape, dtype and array library

    def __repr__(self) -> str:  # as views show it
        return self.ctx._name

    def forward(self) -> tuple:
        """Run the user's forward, unrecorded, and hand on the arrays of the tensors it gives."""
        thread = local.thread
        mode, watchers = thread.grad_enabled, thread.watchers
        thread.grad_enabled, thread.watchers = False, ()
        try:
            given = self.function._forward(self.ctx, self.args)
        except Exception as error:
            error.explained = True  # type: ignore[attr-defined]  # it is the user's own
            raise
        finally:
            thread.grad_enabled, thread.watchers = mode, watchers
        self.single = not isinstance(given, tuple)
        self.results = (given,) if self.single else given
        self.outputs = [
            (each._array.shape, each._array.dtype, namespace(each._array))
            if isinstance(each, Variable)
            else None
            for each in self.results
        ]
        return tuple(each._array for each in self.results if isinstance(each, Variable))

    def finish(self, made: tuple) -> Any:
        """Put the tensors that stand in the graph where forward's own were, and save."""
        ctx, thread = self.ctx, local.thread
        places = [i for i, each in enumerate(self.results) if isinstance(each, Variable)]
        results, raw = list(self.results), self.results
        node = next((out._node for out in made if out._node is not None), None)
        own: dict[int, int] = {}  # id of an output of forward -> which of the node's it is
        for index, (place, out) in enumerate(zip(places, made)):
            before = raw[place]
            is_input = any(before is each for each in self.args)
            is_dirty = any(before is each for each in ctx._dirty)
            if is_dirty or not is_input:
                own[id(before)] = index
            out._counter = before.version()
            if any(before is each for each in ctx._constant):
                out._node, out._requires_grad = None, False
            if is_dirty and out._node is not None:
                check_writable(before, self.function.__name__)
                record(before, out)
            results[place] = before if is_dirty else out
        if node is not None:
            node.outputs = [None] * len(made)  # backward makes the zeros, if it wants any
            ctx._node = ref(node)
            with no_grad():
                ctx._saved = [
                    None if each is None else _Saved(each, own.get(id(each)), thread)
                    for each in ctx._to_save
                ]
        ctx._to_save = ctx._dirty = ctx._constant = ()
        self.args = self.results = ()  # the node holds its inputs; its outputs hold the node
        return results[0] if self.single else tuple(results)

    def backward(self, g: list) -> list:
        """Run the user's backward on the gradients of the outputs; check what it gives."""
        thread = local.thread
        recorded, watchers = thread.grad_enabled, thread.watchers
        given, cotangents = iter(g), []
        for spec in self.outputs:
            each = None if spec is None else next(given)
            if each is None and spec is not None and self.ctx._materialize:
                each = spec[2].zeros(spec[0], spec[1])
            if each is not None and not isinstance(each, Variable):
                each = wrap(np.asarray(each) if isinstance(each, np.generic) else each)
            cotangents.append(each)
        if not recorded:
            thread.watchers = ()  # one node, whatever it computes
        try:
            found = self.function._backward(self.ctx, cotangents)
        finally:
            thread.watchers = watchers
        gradients = list(found) if isinstance(found, (tuple, list)) else [found]
        count, name = len(self.specs), self.ctx._name
        if len(gradients) < count or any(each is not None for each in gradients[count:]):
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients (expected {count}, got "
                f"{len(gradients)})"
            )
        return [None, *(self._checked(i, gradients[i], recorded) for i in range(count))]

    def _checked(self, index: int, gradient: Any, recorded: bool) -> Any:
        """A gradient in the shape and dtype of its input."""
        spec = self.specs[index]
        if gradient is None or spec is None:
            return None
        if not isinstance(gradient, Variable):
            raise RuntimeError(f"expected Variable or None (got {type(gradient).__name__})")
        shape, dtype = spec
        given = gradient._array.shape
        if given != shape:
            behind = given[len(given) - len(shape) :]
            if len(given) < len(shape) or any(a not in (1, b) for a, b in zip(shape, behind)):
                raise RuntimeError(
                    f"Function {self.ctx._name} returned an invalid gradient at index {index} - "
                    f"got {list(given)} but expected shape compatible with {list(shape)}"
                )
        fitted: Any = gradient if recorded else gradient._array
        return fitted if given == shape and gradient._array.dtype == dtype else fit(fitted, *spec)


class Function:
    """Base class of ops with a forward and a backward of your own; see the module's docstring.

    Define `forward(ctx, *args)`, or `forward(*args)` with `setup_context(ctx, inputs, output)`, and
    `backward(ctx, *grad_outputs)`, which returns a gradient, or None, for each argument of forward.
    """

    generate_vmap_rule = False  # accepted: `vmap` runs functions one by one and needs no rule

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            f"new-style autograd function with static forward method: {type(self).__name__}"
            ".apply(...) on the class itself."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the function: its result stands in the graph as one node."""
        if kwargs:
            apart = cls.setup_context is Function.setup_context  # forward takes ctx first
            bound = inspect.signature(cls.forward).bind(
                *((None,) if apart else ()), *args, **kwargs
            )
            bound.apply_defaults()
            args = bound.args[1:] if apart else bound.args
        if "_op" not in cls.__dict__:
            cls._op = _declare(cls)
        call = _Call(cls, args)
        return call.finish(apply(cls._op, (call, *args)))

    @classmethod
    def _forward(cls, ctx: FunctionCtx, args: tuple) -> Any:
        if cls.setup_context is Function.setup_context:
            return cls.forward(ctx, *args)
        output = cls.forward(*args)
        cls.setup_context(ctx, args, output)
        return output

    @classmethod
    def _backward(cls, ctx: FunctionCtx, cotangents: list) -> Any:
        rule = cls.backward if cls.backward is not Function.backward else cls.vjp
        return rule(ctx, *cotangents)

    _op: Op


def _declare(cls: type[Function]) -> Op:
    """The op of a subclass; what its forward computes is in the call."""

    def forward(ctx, *args):
        return ctx.forward()

    declared = Op(forward, rf"y = \operatorname{{{cls.__name__}}}(x)", name=cls.__name__, many=True)
    declared.__doc__, declared.node_name = cls.__doc__, f"{cls.__name__}Backward"

    @declared.vjps(formula=rf"\bar x = \operatorname{{{cls.__name__}}}.\mathrm{{backward}}(\bar y)")
    def _(g, ctx):
        return ctx.backward(g)

    return declared


@op(r"y = x", name="once_differentiable", many=True)
def _once(*tensors):
    """Pass gradients on that cannot be differentiated again."""
    return tensors


@_once.vjps(formula=r"\text{none}")
def _(g):
    raise RuntimeError(
        "trying to differentiate twice a function that was marked with @once_differentiable"
    )


def once_differentiable(backward: Callable) -> Callable:
    """Decorate a backward that cannot itself be differentiated: a second time is an error."""

    @functools.wraps(backward)
    def run(ctx: Any, *cotangents: Any) -> Any:
        with no_grad():
            found = backward(ctx, *cotangents)
        roots = [g for g in cotangents if isinstance(g, Variable) and g._requires_grad]
        if not local.thread.grad_enabled or not roots:
            return found
        gradients = list(found) if isinstance(found, tuple) else [found]
        places = [i for i, each in enumerate(gradients) if isinstance(each, Variable)]
        made = _once(*(gradients[i] for i in places), *roots)
        for place, tensor in zip(places, made):
            gradients[place] = tensor
        return tuple(gradients) if isinstance(found, tuple) else gradients[0]

    return run
