"""Module: what a model is built from. It owns parameters, buffers and other modules by name."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any
from weakref import ref

from labtorch.backend import devices, dtypes
from labtorch.engine import events
from labtorch.engine.modes import no_grad
from labtorch.engine.thread import local, sequence
from labtorch.engine.variable import wrap
from labtorch.nn.boundary import call_with_backward_hooks
from labtorch.nn.parameter import Buffer, Parameter, is_lazy
from labtorch.tensor.tensor import RemovableHandle, Tensor

EXTRA_STATE = "_extra_state"
NOTHING: Mapping = MappingProxyType({})


class _IncompatibleKeys(namedtuple("IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What `load_state_dict` returns: the names that found no partner on the other side."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class _Loading(OrderedDict):
    """A state dict on its way into a module, and the assignments that wait until all is checked."""

    def __init__(self, state: Mapping) -> None:
        super().__init__(state)
        self.writes: list[Callable[[], None]] = []
        self.extras: list[Callable[[], None]] = []  # what may fail, and so comes first
        self.assign = False


class Module:
    """Base class of all layers and models: subclass it and define `forward`.

    Parameters, buffers and submodules are registered by assigning them to attributes; `__init__`
    must call `super().__init__()` before the first of them.

    >>> import labtorch
    >>> class Line(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = Parameter(labtorch.tensor(2.0))
    ...     def forward(self, x):
    ...         return self.slope * x
    >>> Line()(labtorch.tensor(3.0)).item()
    6.0
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]

    _version: int = 1
    dump_patches = False
    call_super_init = False

    # the tables of hooks are made when the first hook comes; until then a call takes the short way
    _hooked = False
    _global_hooks: dict[str, dict] = {}
    _forward_pre_hooks: Mapping = NOTHING
    _forward_hooks: Mapping = NOTHING
    _backward_pre_hooks: Mapping = NOTHING
    _backward_hooks: Mapping = NOTHING
    _state_dict_pre_hooks: Mapping = NOTHING
    _state_dict_hooks: Mapping = NOTHING
    _load_state_dict_pre_hooks: Mapping = NOTHING
    _load_state_dict_post_hooks: Mapping = NOTHING

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            given = next(iter(kwargs)) if kwargs else None
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument '{given}'"
                if given
                else f"{type(self).__name__}.__init__() takes 1 positional argument but "
                f"{len(args) + 1} were given"
            )
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _modules={},
        )
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ---------------------------------------------------------------- calling
    def forward(self, *input: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` in the module's own scope, so that every op knows whose it is."""
        thread = local.thread
        outer = thread.scope
        if thread.watchers:
            return self._call_watched(thread, outer, args, kwargs)
        thread.scope = (outer, ref(self), 0)
        try:
            if self._hooked:
                return self._call_hooked(args, kwargs)
            return self.forward(*args, **kwargs)
        finally:
            thread.scope = outer

    def _call_watched(self, thread: Any, outer: Any, args: tuple, kwargs: dict) -> Any:
        scope = thread.scope = (outer, ref(self), sequence())
        events.emit(thread, "scope_entered", scope)
        try:
            if self._hooked:
                return self._call_hooked(args, kwargs)
            return self.forward(*args, **kwargs)
        finally:
            events.emit(thread, "scope_left", scope)
            thread.scope = outer

    def _all_hooks(self, table: str) -> list[tuple[int, Any]]:
        """The hooks of all modules, then the module's own, each with its key."""
        return [*self._global_hooks.get(table, NOTHING).items(), *getattr(self, table).items()]

    def _call_hooked(self, args: tuple, kwargs: dict) -> Any:
        done: set[int] = set()
        try:
            return self._through_hooks(args, kwargs, done)
        except Exception:
            for key, (hook, with_kwargs, always) in self._all_hooks("_forward_hooks"):
                if always and key not in done:
                    try:
                        hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
                    except Exception as error:
                        warnings.warn(
                            "module forward hook with ``always_call=True`` raised an exception "
                            f"that was silenced as another error was raised in forward: {error}",
                            stacklevel=4,
                        )
            raise

    def _through_hooks(self, args: tuple, kwargs: dict, done: set[int]) -> Any:
        for _, (hook, with_kwargs, _) in self._all_hooks("_forward_pre_hooks"):
            if with_kwargs:
                changed = hook(self, args, kwargs)
                if changed is not None:
                    if not (isinstance(changed, tuple) and len(changed) == 2):
                        raise RuntimeError(
                            "forward pre-hook must return None or a tuple "
                            f"of (new_args, new_kwargs), but got {changed}."
                        )
                    args, kwargs = changed
            else:
                changed = hook(self, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
        if self._all_hooks("_backward_hooks") or self._all_hooks("_backward_pre_hooks"):
            return call_with_backward_hooks(
                self, args, lambda inner: self._forward_and_hooks(inner, kwargs, done)
            )
        return self._forward_and_hooks(args, kwargs, done)

    def _forward_and_hooks(self, args: tuple, kwargs: dict, done: set[int]) -> Any:
        result = self.forward(*args, **kwargs)
        for key, (hook, with_kwargs, _) in self._all_hooks("_forward_hooks"):
            done.add(key)
            changed = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if changed is not None:
                result = changed
        return result

    # ---------------------------------------------------------------- attributes
    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for table in ("_parameters", "_buffers", "_modules"):
            found = own.get(table)
            if found is not None and name in found:
                return found[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._require_init("parameters")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._require_init("module")
            self._forget(name, "_parameters", "_buffers")
            self._modules[name] = value
        elif name in own.get("_parameters", ()):
            self._only_none(name, value, "parameter", "torch.nn.Parameter or None")
            self.register_parameter(name, value)
        elif name in own.get("_modules", ()):
            self._only_none(name, value, "child module", "torch.nn.Module or None")
            self._modules[name] = value
        elif isinstance(value, Buffer):
            self._require_init("buffer")
            self._forget(name, "_parameters", "_modules")
            self.register_buffer(name, value, value.persistent)
        elif name in own.get("_buffers", ()):
            if not isinstance(value, Tensor):
                self._only_none(name, value, "buffer", "torch.nn.Buffer, torch.Tensor or None")
            self._buffers[name] = value
        else:
            object.__setattr__(self, name, value)

    def _require_init(self, what: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")

    def _forget(self, name: str, *tables: str) -> None:
        """Let go of what had the name before, in the instance's own dict and in `tables`."""
        for table in (self.__dict__, *(self.__dict__[each] for each in tables)):
            table.pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    @staticmethod
    def _only_none(name: str, value: Any, what: str, expected: str) -> None:
        if value is not None:
            raise TypeError(
                f"cannot assign '{_typename(value)}' as {what} '{name}' ({expected} expected)"
            )

    def __delattr__(self, name: str) -> None:
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        names.update(self._parameters, self._buffers, self._modules)
        return sorted(name for name in names if not name[0].isdigit())

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)

    # ---------------------------------------------------------------- registration
    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Own `param` under `name`; None keeps the name free of a value."""
        self._require_init("parameter")
        self._check_name(name, "parameter", self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{_typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param._node is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    "be created explicitly. To express '{name}' as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Own `tensor` under `name`; a buffer that is not persistent stays out of state_dict."""
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name(name, "buffer", self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = tensor
        (
            self._non_persistent_buffers_set.discard
            if persistent
            else self._non_persistent_buffers_set.add
        )(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Own `module` under `name`."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{_typename(module)} is not a Module subclass")
        self._check_name(name, "module", self._modules)
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, name: str, what: str, table: dict) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {_typename(name)}")
        if "." in name:
            hint = f", got: {name}" if what == "module" else ""
            raise KeyError(f'{what} name can\'t contain "."{hint}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if name not in table and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    # ---------------------------------------------------------------- by path
    def get_submodule(self, target: str) -> Module:
        """The module at a dotted path such as "encoder.0.linear"; "" is the module itself."""
        module: Module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def _at(self, target: str, kind: str, table: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in getattr(module, table):
            raise AttributeError(f"`{name}` is not {kind}")
        return getattr(module, name)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._at(target, "an nn.Parameter", "_parameters")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._at(target, "a buffer", "_buffers")

    # ---------------------------------------------------------------- iteration
    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """The module itself and all below it, each with its path; each module once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        for _, module in self.named_modules():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules right below this one; each once."""
        memo = set()
        for name, module in self._modules.items():
            if module is not None and module not in memo:
                memo.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        for _, module in self.named_children():
            yield module

    def _named_members(
        self,
        members: Callable[[Module], Any],
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for path, module in modules:
            for name, value in members(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its path, in the order of registration; each once."""
        yield from self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate
        )

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its path; each once."""
        yield from self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # ---------------------------------------------------------------- modes
    def train(self, mode: bool = True) -> Any:
        """Set training mode (dropout drops, norms use the batch) here and below."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Any:
        """Set evaluation mode here and below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with 0."""
        for parameter in self.parameters():
            if parameter._grad is not None:
                if set_to_none:
                    parameter._grad = None
                else:
                    parameter._grad = parameter._grad.detach()  # type: ignore[attr-defined]
                    parameter._grad._array = parameter._grad._array * 0

    def share_memory(self) -> Any:
        return self

    # ---------------------------------------------------------------- conversion
    def apply(self, fn: Callable[[Module], None]) -> Any:
        """Call `fn` on every module, the innermost first."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Replace the values of all parameters, gradients and buffers by `fn` of them."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is None:
                    continue
                parameter._array = fn(parameter.detach())._array
                gradient = parameter._grad
                if gradient is not None:
                    gradient._array = fn(gradient.detach())._array  # type: ignore[attr-defined]
            for name, buffer in self._buffers.items():
                if is_lazy(buffer):
                    buffer._array = fn(buffer.detach())._array  # type: ignore[union-attr]
                elif buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move to a device, cast floating-point values to a dtype, or both; in place."""
        non_blocking = kwargs.pop("non_blocking", False)
        kwargs.pop("memory_format", None)
        where, kind = kwargs.pop("device", None), kwargs.pop("dtype", None)
        if kwargs:
            raise TypeError(f"to() got an unexpected keyword argument '{next(iter(kwargs))}'")
        for each in args:
            if isinstance(each, Tensor):
                where, kind = each.device, each.dtype
            elif isinstance(each, dtypes.dtype):
                kind = each
            elif isinstance(each, bool):
                non_blocking = each
            elif isinstance(each, (str, int, devices.device)):
                where = each
        if kind is not None and not (kind.is_floating_point or kind.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={kind}"
            )

        def convert(tensor: Tensor) -> Tensor:
            fits = tensor._array.dtype.kind in "fc"
            to = kind if fits else None
            return tensor.to(device=where, dtype=to, non_blocking=non_blocking)

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Move to a device without the values: what was there is not copied."""
        where = devices.device(device)

        def empty(tensor: Tensor) -> Tensor:
            library = devices.library(where)
            return wrap(library.empty(tensor._array.shape, tensor._array.dtype))

        return self._apply(empty, recurse)

    def type(self, dst_type: Any) -> Any:
        """Cast all parameters and buffers."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def _float_to(self, kind: dtypes.dtype) -> Any:
        return self._apply(lambda t: t.to(kind) if t._array.dtype.kind == "f" else t)

    def float(self) -> Any:
        return self._float_to(dtypes.float32)

    def double(self) -> Any:
        return self._float_to(dtypes.float64)

    def half(self) -> Any:
        return self._float_to(dtypes.float16)

    def cpu(self) -> Any:
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Any:
        return self._apply(lambda tensor: tensor.cuda(device))

    # ---------------------------------------------------------------- state
    def get_extra_state(self) -> Any:
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called."
        )

    def set_extra_state(self, state: Any) -> None:
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called."
        )

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> OrderedDict:
        """All parameters and persistent buffers by path, sharing the module's memory."""
        if args:
            given = [*args, *(destination, prefix, keep_vars)[len(args) :]]
            destination, prefix, keep_vars = given
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            changed = hook(self, destination, prefix, metadata)
            if changed is not None:
                destination = changed
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in self._own_state():
            destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Module.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _own_state(self) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy the values of a state dict into the module's own.

        With `strict`, names must agree; shapes always must. Everything is checked before anything
        is copied: a module is never half loaded. With `assign`, the tensors themselves are taken.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None) or {}
        loading = _Loading(state_dict)
        loading.assign = assign

        def load(module: Module, state: _Loading, prefix: str) -> None:
            version = metadata.get(prefix[:-1], {})
            given = dict(version, assign_to_params_buffers=True) if assign else version
            module._load_from_state_dict(state, prefix, given, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    load(child, state, f"{prefix}{name}.")
            result = _IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, result) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not "
                        "expected to return new values, if incompatible_keys need to be modified, "
                        "it should be done inplace."
                    )

        load(self, loading, "")
        if strict:
            for what, names in (("Unexpected", unexpected), ("Missing", missing)):
                if names:
                    quoted = ", ".join(f'"{name}"' for name in names)
                    errors.insert(0, f"{what} key(s) in state_dict: {quoted}. ")
        if missing and unexpected and strict:
            errors += _where_names_are(missing, state_dict)
        if errors:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                + "\n\t".join(errors)
            )
        for write in (*loading.extras, *loading.writes):
            write()
        return _IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Mapping,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Match this module's own names, not its children's, with those under `prefix`."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        writes: list[Callable[[], None]] = []
        extras: list[Callable[[], None]] = []
        own = dict(self._own_state())
        for name, value in own.items():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            given = state_dict[key]
            if not isinstance(given, Tensor):
                error_msgs.append(
                    f'While copying the parameter named "{key}", expected torch.Tensor or '
                    f"Tensor-like object from checkpoint but received {type(given)}"
                )
                continue
            if given.is_quantized:
                error_msgs.append(
                    f"{key} is quantized in the checkpoint: it fits a model that was quantized in "
                    "the same way, and its dequantize() fits this one."
                )
                continue
            waits = is_lazy(value) and not is_lazy(given)  # for its shape: it takes any
            if value._array.ndim == 0 and given._array.ndim == 1 and given._array.size == 1:
                given = given[0]  # files of before 0-d tensors
            if given._array.shape != value._array.shape and not waits:
                error_msgs.append(
                    f"size mismatch for {key}: copying a param with shape {given.shape} from "
                    f"checkpoint, the shape in current model is {value.shape}."
                )
                continue
            if local_metadata.get("assign_to_params_buffers", False):
                writes.append(functools.partial(self._assign, name, value, given))
            elif (
                dtypes.CATEGORY[given._array.dtype.kind] > dtypes.CATEGORY[value._array.dtype.kind]
            ):
                error_msgs.append(
                    f"dtype mismatch for {key}: a value of {given.dtype} from checkpoint does not "
                    f"fit into {value.dtype} of the current model."
                )
            else:
                if waits:
                    shape = given.shape
                    writes.append(functools.partial(value.materialize, shape))  # type: ignore[attr-defined]
                writes.append(functools.partial(_copy_into, value, given))
        extra = prefix + EXTRA_STATE
        if type(self).set_extra_state is not Module.set_extra_state:
            if extra in state_dict:
                extras.append(functools.partial(self.set_extra_state, state_dict[extra]))
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        if strict:
            for key in state_dict:
                if key.startswith(prefix) and key != extra:
                    name = key[len(prefix) :].split(".", 1)
                    # a name of its own, or one that a child answers for
                    known = name[0] in self._modules if len(name) > 1 else name[0] in own
                    if not known:
                        unexpected_keys.append(key)
        if isinstance(state_dict, _Loading):
            state_dict.writes += writes
            state_dict.extras += extras
        else:
            for write in (*extras, *writes):
                write()

    def _assign(self, name: str, value: Tensor, given: Tensor) -> None:
        if isinstance(value, Parameter):
            if not isinstance(given, Parameter):
                given = Parameter(given.detach(), requires_grad=value.requires_grad)
            else:
                given.requires_grad_(value.requires_grad)
        setattr(self, name, given)

    # ---------------------------------------------------------------- hooks
    def _register(self, table: str, hook: Any, prepend: bool = False) -> RemovableHandle:
        if table not in self.__dict__:
            self.__dict__[table] = OrderedDict()
        hooks = self.__dict__[table]
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before forward; it may return new arguments."""
        self.__dict__["_hooked"] = True
        return self._register("_forward_pre_hooks", (hook, with_kwargs, False), prepend)

    def register_forward_hook(
        self,
        hook: Callable,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after forward; it may return a new output."""
        self.__dict__["_hooked"] = True
        return self._register("_forward_hooks", (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the gradients of the inputs are computed."""
        self.__dict__["_hooked"] = True
        return self._register("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the inputs' gradients are there."""
        self.__dict__["_hooked"] = True
        return self._register("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """As `register_full_backward_hook`."""
        return self.register_full_backward_hook(hook)

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before `state_dict`."""
        return self._register("_state_dict_pre_hooks", hook)

    def register_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after `state_dict`."""
        return self._register("_state_dict_hooks", hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, ...)` before its own names are matched."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable, with_module: bool = False
    ) -> RemovableHandle:
        bound = functools.partial(hook, self) if with_module else hook
        return self._register("_load_state_dict_pre_hooks", bound)

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` once the names are matched."""
        return self._register("_load_state_dict_post_hooks", hook)

    # ---------------------------------------------------------------- text
    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the brackets of the module's own line."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        own = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        if len(own) == 1 and not children:
            return f"{self._get_name()}({own[0]})"
        lines = own + children
        body = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{self._get_name()}({body})"


def indented(text: str) -> str:
    """`text` with all lines but the first moved two columns to the right."""
    return text.replace("\n", "\n  ")


def _where_names_are(names: list[str], state_dict: Mapping[str, Any]) -> list[str]:
    """What to say if a state dict has the names, but elsewhere, or with another prefix."""
    for key, value in state_dict.items():
        if isinstance(value, Mapping) and any(name in value for name in names):
            return [f"They are a part of what was given: load_state_dict(checkpoint[{key!r}])."]
    if any(f"module.{name}" in state_dict for name in names):
        return [
            "The names given begin with 'module.', as those of a model in DataParallel: "
            "nn.modules.utils.consume_prefix_in_state_dict_if_present(state_dict, 'module.')."
        ]
    if any(name.removeprefix("module.") in state_dict for name in names):
        return ["The names given are those of the model in it: model.module.load_state_dict()."]
    return []


def _copy_into(target: Tensor, source: Tensor) -> None:
    """Write values into memory that the optimizer and the user know; the version goes up."""
    array = source._array
    if array.__class__ is not target._array.__class__:
        array = devices.move(array, target.device)
    target._array[...] = array
    target.version().written("load_state_dict()")


def _typename(value: Any) -> str:
    if isinstance(value, Tensor):
        return value.type()
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
