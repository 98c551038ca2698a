"""What all optimisers share: parameter groups, state, and the walk over the parameters.

An optimiser is its update rule. A subclass defines

    step_parameter(group, state, w, g)

which changes the array `w` in place, given its gradient `g`, the group's options and the
parameter's own state; weight decay and `maximize` are already in `g`. `begin(group)` makes what the
rule needs once per step. Arrays for intermediate results come from `scratch`, so that a step
allocates nothing; on a GPU it gives None, and what is `fused` keeps them in registers.
"""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.backend.arrays import Array, namespace
from labtorch.backend.fused import fused
from labtorch.engine import events
from labtorch.engine.modes import enable_grad
from labtorch.engine.thread import local
from labtorch.engine.variable import wrap
from labtorch.tensor.tensor import RemovableHandle, Tensor

ndarray, multiply, subtract = np.ndarray, np.multiply, np.subtract


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def constants(like: Array, *values: Any) -> Any:
    """Numbers as they are taken fastest beside `like`: by NumPy as 0-d arrays, by a GPU, and where
    there is one element, as they are.

    What is `fused` is handed its constants: where two meet inside, CuPy works in half precision.
    """
    if like.__class__ is not ndarray or like.size == 1:
        return values
    return _numbers(like.dtype, values)


@functools.lru_cache(maxsize=1024)
def _numbers(dtype: np.dtype, values: tuple[float, ...]) -> list[np.ndarray]:
    """As 0-d arrays: a ufunc takes one in half the time of a Python float."""
    made = [np.asarray(value, dtype) for value in values]
    for each in made:
        each.flags.writeable = False
    return made


class Optimizer:
    """Base of all optimisers.

    `params` are tensors, pairs (name, tensor), or groups: dicts with "params" and options of their
    own. `defaults` are the options of groups that do not set them.
    """

    state: dict[Tensor, dict[str, Any]]
    param_groups: list[dict[str, Any]]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {params.type()}"
            )
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self.steps_taken = 0
        self._scratch: dict[Any, np.ndarray] = {}
        self._step_pre_hooks: OrderedDict = OrderedDict()
        self._step_post_hooks: OrderedDict = OrderedDict()
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(dict(group) if isinstance(group, dict) else group)

    # ---------------------------------------------------------------- the rule
    def begin(self, group: dict[str, Any]) -> None:
        """Prepare what `step_parameter` needs for every parameter of `group`."""

    def step_parameter(
        self, group: dict[str, Any], state: dict[str, Any], w: Array, g: Array
    ) -> None:
        """The update rule: change `w` in place."""
        raise NotImplementedError

    def scratch(self, like: Array, slot: int = 0) -> Any:
        """An array for an intermediate result, shared by all parameters of this shape; None where
        there is no need of one, on a GPU."""
        if like.__class__ is not ndarray:
            return None
        key = (like.shape, like.dtype.num, slot)
        found = self._scratch.get(key)
        if found is None:
            found = self._scratch[key] = np.empty_like(like)
        return found

    def descent(self, group: dict[str, Any], w: Array, g: Array) -> Array:
        """The gradient to descend: g, negated to maximize, with weight_decay * w added."""
        decay, maximize = group.get("weight_decay", 0), group.get("maximize", False)
        if not decay and not maximize:
            return g
        buffer = self.scratch(w, -1)
        if maximize:
            g = namespace(g).negative(g, out=buffer)
        if not decay:
            return g
        return _decayed(g, w, buffer, self.scratch(w, -2), *constants(w, decay))

    # ---------------------------------------------------------------- the step
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient; `closure` computes the loss anew first."""
        if self._step_pre_hooks:
            self._run_pre_hooks(closure)
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            self.step_group(group)
        self.steps_taken += 1
        if self._step_post_hooks:
            for hook in list(self._step_post_hooks.values()):
                hook(self, (closure,) if closure else (), {})
        thread = local.thread
        if thread.watchers:
            events.emit(thread, "parameters_stepped", self)
        return loss

    def step_group(self, group: dict[str, Any]) -> None:
        """Apply the rule to every parameter of a group that has a gradient."""
        self.begin(group)
        step, state = self.step_parameter, self.state
        name = f"{type(self).__name__}.step()"
        plain = not (group.get("weight_decay") or group.get("maximize"))
        for parameter in group["params"]:
            gradient = parameter._grad
            if gradient is not None:
                w, g = parameter._array, gradient._array
                step(group, state[parameter], w, g if plain else self.descent(group, w, g))
                parameter.version().written(name)

    def _run_pre_hooks(self, closure: Any) -> None:
        for hook in list(self._step_pre_hooks.values()):
            changed = hook(self, (closure,) if closure else (), {})
            if changed is not None and not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    f"{self.step} must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {changed}."
                )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with 0."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if set_to_none:
                    parameter._grad = None
                elif parameter._grad is not None:
                    gradient = parameter._grad
                    if gradient._node is not None or gradient._requires_grad:
                        gradient = parameter._grad = gradient.detach()
                    gradient._array[...] = 0

    # ---------------------------------------------------------------- groups
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own, also after training has begun."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the "
                "ordering of tensors in sets will change between runs. Please use a list instead."
            )
        params = list(params)
        names = None
        if params and all(isinstance(each, tuple) for each in params):
            names, params = [each[0] for each in params], [each[1] for each in params]
        for each in params:
            if isinstance(each, tuple):
                raise ValueError(
                    "all optimizer params should be with/without names. Some param names are "
                    "missing"
                )
            if not isinstance(each, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    + f"{type(each).__module__}.{type(each).__name__}".removeprefix("builtins.")
                )
            if not self.defaults.get("differentiable") and each._node is not None:
                raise ValueError("can't optimize a non-leaf Tensor")
        param_group["params"] = params
        if names is not None:
            param_group["param_names"] = names
        if self.param_groups and ("param_names" in self.param_groups[0]) != (names is not None):
            raise ValueError(
                "all optimizer param groups should be with/without names. cannot add param group "
                + ("without" if names is None else "with")
                + " names to the optimizer"
            )
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    + name
                )
            param_group.setdefault(name, default)
        if len(params) != len({id(each) for each in params}):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error; see github.com/pytorch/pytorch/issues/40967 for more "
                "information",
                stacklevel=3,
            )
        known = {id(each) for group in self.param_groups for each in group["params"]}
        if any(id(each) in known for each in params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for name in sorted(group):
                if name != "params":
                    text += f"    {name}: {group[name]}\n"
        return text + ")"

    # ---------------------------------------------------------------- state
    def state_dict(self) -> dict[str, Any]:
        """The state by the parameters' numbers, and the groups with those numbers."""
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            for each in group["params"]:
                numbers.setdefault(id(each), len(numbers))
            packed["params"] = [numbers[id(each)] for each in group["params"]]
            groups.append(packed)
        state = {
            (numbers[id(key)] if isinstance(key, Tensor) else key): value
            for key, value in self.state.items()
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a saved state; the parameters stay, matched by their order.

        Raises ValueError, with nothing changed, if groups, numbers of parameters or shapes differ.
        """
        _check_structure(state_dict)
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        for mine, theirs in zip(self.param_groups, saved):
            if len(mine["params"]) != len(theirs["params"]):
                raise ValueError(
                    "loaded state dict contains a parameter group that doesn't match the size of "
                    "optimizer's group"
                )
        by_number = dict(
            zip(
                chain.from_iterable(group["params"] for group in saved),
                chain.from_iterable(group["params"] for group in self.param_groups),
            )
        )
        state: dict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            parameter = by_number.get(key)
            if parameter is None:
                state[key] = value
            else:
                for name, each in value.items():
                    self._check_state(name, each, parameter)
                state[parameter] = {name: _taken(name, v, parameter) for name, v in value.items()}
        groups = []
        for mine, theirs in zip(self.param_groups, saved):
            group = deepcopy({name: value for name, value in theirs.items() if name != "params"})
            if "param_names" in mine and "param_names" not in group:
                group["param_names"] = mine["param_names"]
            group["params"] = mine["params"]
            groups.append(group)
        self.__setstate__({"state": state, "param_groups": groups})

    def _check_state(self, name: str, value: Any, parameter: Tensor) -> None:
        """Refuse a state that cannot belong to the parameter: one that is not spread over it."""
        if not isinstance(value, Tensor) or value.numel() == 1:
            return
        shape, own = value._array.shape, parameter._array.shape
        if len(shape) > len(own) or any(a not in (1, b) for a, b in zip(shape[::-1], own[::-1])):
            raise ValueError(
                f"loaded state dict has '{name}' of shape {tuple(shape)} for a parameter of shape "
                f"{tuple(own)}"
            )
        if value.is_complex() and not parameter.is_complex():
            raise ValueError(
                f"loaded state dict has '{name}' of {value.dtype} for a parameter of "
                f"{parameter.dtype}"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__.setdefault("steps_taken", 0)
        self._scratch = {}
        for table in ("_step_pre_hooks", "_step_post_hooks"):
            self.__dict__.setdefault(table, OrderedDict())
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    # ---------------------------------------------------------------- hooks
    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step."""
        handle = RemovableHandle(self._step_pre_hooks)
        self._step_pre_hooks[handle.id] = hook
        return handle

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        handle = RemovableHandle(self._step_post_hooks)
        self._step_post_hooks[handle.id] = hook
        return handle


def _check_structure(state_dict: Any) -> None:
    """Refuse what is not shaped like an optimizer's state_dict."""
    if not isinstance(state_dict, dict) or not {"state", "param_groups"} <= state_dict.keys():
        raise ValueError(
            "an optimizer's state dict has 'state' and 'param_groups'; is this a model's, or a "
            "whole checkpoint, of which the optimizer's is a part?"
        )
    for group in state_dict["param_groups"]:
        if not isinstance(group, dict) or not isinstance(group.get("params"), list):
            raise ValueError("loaded state dict has a parameter group without its 'params'")
    for key, value in state_dict["state"].items():
        if isinstance(key, int) and not isinstance(value, dict):
            raise ValueError(f"loaded state dict has a {type(value).__name__} for parameter {key}")


def _taken(name: str, value: Any, parameter: Tensor) -> Any:
    """A copy of a saved value, where and in the dtype in which the parameter is."""
    if not isinstance(value, Tensor):
        return deepcopy(value)
    array = value._array
    if name != "step":  # it is counted on the CPU
        array = devices.move(array, devices.of_array(parameter._array))
    if name != "step" and parameter.is_floating_point() and array.dtype.kind == "f":
        return wrap(array.astype(parameter._array.dtype))
    return wrap(array.copy())


@fused
def _decayed(g, w, out, s, decay):
    """g + decay w."""
    lib = namespace(w)
    return lib.add(g, lib.multiply(w, decay, out=s), out=out)


def shrink(w: Array, by: Any) -> None:
    """w <- by w, in place."""
    namespace(w).multiply(w, *constants(w, by), w)


def descend(w: Array, u: Array, lr: Any, out: Any = None) -> None:
    """w <- w - lr u, in place; `out` may take lr u, and lr comes from `constants`."""
    if w.__class__ is not ndarray:
        _descend(w, u, lr)
    elif w.size == 1:  # five times as fast on Python numbers, and rounded once instead of twice
        w.fill(w.item() - lr * u.item())
    else:
        subtract(w, multiply(u, lr, out), w)


@fused
def _descend(w, u, lr):
    w -= u * lr


def zeros_like(w: Array) -> Tensor:
    """State of the shape of a parameter, filled with 0."""
    return wrap(namespace(w).zeros_like(w))


def check(value: Any, fits: bool, message: str) -> None:
    """Refuse an option out of its range, as PyTorch words it."""
    if not fits:
        raise ValueError(f"Invalid {message}: {value}")


def check_lr(lr: Any) -> None:
    """A learning rate is a number that is not negative, or a tensor of one element."""
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    check(lr, 0.0 <= float(lr), "learning rate")
