"""From a float model to a quantized one: prepare it, let it see data, convert it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from labtorch.backend import dtypes
from labtorch.nn.containers import Sequential
from labtorch.nn.dropout import Dropout
from labtorch.nn.embedding import Embedding, EmbeddingBag
from labtorch.nn.linear import Linear
from labtorch.nn.module import Module
from labtorch.nn.recurrent import GRU, LSTM, GRUCell, LSTMCell, RNNCell
from labtorch.nn.utils.parametrize import type_before_parametrizations
from labtorch.quantization.fake_quantize import FakeQuantizeBase
from labtorch.quantization.intrinsic import _FusedModule
from labtorch.quantization.observer import ObserverBase
from labtorch.quantization.qconfig import (
    QConfig,
    default_dynamic_qconfig,
    float16_dynamic_qconfig,
    float_qparams_weight_only_qconfig,
)
from labtorch.quantization.quantization_mappings import (
    DEFAULT_MODULE_TO_ACT_POST_PROCESS,
    get_default_dynamic_quant_module_mappings,
    get_default_qat_module_mappings,
    get_default_qconfig_propagation_list,
    get_default_static_quant_module_mappings,
)
from labtorch.quantization.quantized.base import warn_unseen
from labtorch.quantization.quantized.functional_modules import FloatFunctional, QFunctional
from labtorch.quantization.stubs import DeQuantStub, QuantWrapper

OBSERVER = "activation_post_process"


# ---------------------------------------------------------------- qconfigs
def propagate_qconfig_(
    module: Module, qconfig_dict: dict | None = None, prepare_custom_config_dict: Any = None
) -> None:
    """Give every module below the qconfig of its own, or of its name, its type, or its parent."""
    _propagate(module, qconfig_dict or {}, None, "")


def _propagate(module: Module, given: dict, parent: QConfig | None, path: str) -> None:
    found = given.get(path, given.get(type_before_parametrizations(module), parent))
    found = getattr(module, "qconfig", found)
    if found is not None and not (hasattr(found, "activation") and hasattr(found, "weight")):
        where = f"'{path}'" if path else "the model"
        raise TypeError(
            f"the qconfig of {where} is {found!r}: a QConfig is expected, as "
            "get_default_qconfig('x86') gives one"
        )
    module.qconfig = found
    for name, child in module.named_children():
        _propagate(child, given, found, f"{path}.{name}" if path else name)


def _remove_qconfig(module: Module) -> None:
    """Take away what preparing has added."""
    for each in module.modules():
        each.__dict__.pop("qconfig", None)
        if isinstance(getattr(each, OBSERVER, None), (ObserverBase, FakeQuantizeBase)):
            if not isinstance(each, FakeQuantizeBase):
                delattr(each, OBSERVER)
        for table in (each._forward_pre_hooks, each._forward_hooks):
            for key in [k for k, (hook, *_) in table.items() if hook in _HOOKS]:
                del table[key]  # type: ignore[attr-defined]


# ---------------------------------------------------------------- preparing
def _observe_result(self: Any, args: tuple, result: Any) -> Any:
    return self.activation_post_process(result)


def _observe_input(self: Any, args: tuple) -> Any:
    return self.activation_post_process(args[0])


_HOOKS = (_observe_result, _observe_input)


def _sees_one_batch(qconfig: QConfig) -> bool:
    """Does the observer follow each batch anew? Then it is one of inputs, as in dynamic models."""
    made = qconfig.activation()
    made = getattr(made, OBSERVER, made)
    return getattr(made, "averaging_constant", None) == 1


def _attach(module: Module, maker: Any = None) -> None:
    """Let an observer look at what a module gives."""
    qconfig = getattr(module, "qconfig", None)
    if qconfig is None or isinstance(module, DeQuantStub) or hasattr(module, OBSERVER):
        return
    observer = (maker or qconfig.activation)()
    module.add_module(OBSERVER, observer.train(module.training))
    if _sees_one_batch(qconfig):
        module.register_forward_pre_hook(_observe_input, prepend=True)
    else:
        module.register_forward_hook(_observe_result, prepend=True)


def _add_observers(module: Any, leaves: set[type], whole: Iterable[type], custom: dict) -> None:
    for name, child in module.named_children():
        kind = type_before_parametrizations(child)
        if kind is Dropout:
            continue
        if issubclass(kind, (FloatFunctional, QFunctional)):
            if getattr(child, "qconfig", None) is not None:
                child.activation_post_process = child.qconfig.activation()
        elif isinstance(child, _FusedModule) or kind in whole:
            _attach(child)
        elif child.training and kind in DEFAULT_MODULE_TO_ACT_POST_PROCESS:
            _attach(child, DEFAULT_MODULE_TO_ACT_POST_PROCESS[kind])
        elif kind in custom and getattr(child, "qconfig", None) is not None:
            setattr(module, name, custom[kind].from_float(child))
            _attach(getattr(module, name))
        else:
            _add_observers(child, leaves, whole, custom)
    kind = type_before_parametrizations(module)
    leaf = not [name for name in module._modules if name != "parametrizations"]
    if kind in leaves and not isinstance(module, Sequential):
        if leaf or hasattr(module, "weight_fake_quant"):
            _attach(module)


def prepare(
    model: Any,
    inplace: bool = False,
    allow_list: Any = None,
    observer_non_leaf_module_list: Any = None,
    prepare_custom_config_dict: Any = None,
) -> Any:
    """A copy of a model (or the model itself) with observers, which then has to see some data.

    What has a `qconfig`, its own or that of a module above, is observed; `qconfig = None` leaves a
    module out. Next: run it on some batches, then `convert`.
    """
    model = model if inplace else copy.deepcopy(model)
    propagate_qconfig_(model)
    if not any(getattr(each, "qconfig", None) for each in model.modules()):
        warnings.warn(
            "None of the submodule got qconfig applied. Make sure you passed correct configuration "
            "through `qconfig_dict` or by assigning the `.qconfig` attribute directly on "
            "submodules: model.qconfig = get_default_qconfig('x86')",
            stacklevel=2,
        )
    leaves = get_default_qconfig_propagation_list() if allow_list is None else set(allow_list)
    custom = (prepare_custom_config_dict or {}).get("float_to_observed_custom_module_class", {})
    _add_observers(model, leaves, observer_non_leaf_module_list or (), custom)
    return model


def add_quant_dequant(module: Any) -> Any:
    """Put every leaf that has a qconfig into a `QuantWrapper`: it then takes and gives floats."""
    if not module._modules and getattr(module, "qconfig", None):
        return QuantWrapper(module)
    for name, child in module.named_children():
        module._modules[name] = add_quant_dequant(child)
    return module


# ---------------------------------------------------------------- converting
def swap_module(
    mod: Any,
    mapping: dict[type, Any],
    custom_module_class_mapping: dict[type, Any] | None = None,
    use_precomputed_fake_quant: bool = False,
) -> Any:
    """What takes the place of a module with a qconfig, or the module itself."""
    kind, custom = type_before_parametrizations(mod), custom_module_class_mapping or {}
    if getattr(mod, "qconfig", None) is None or kind not in {*mapping, *custom}:
        return mod
    if kind in custom:
        made = custom[kind].from_observed(mod)
    else:
        made = mapping[kind].from_float(mod, use_precomputed_fake_quant=use_precomputed_fake_quant)
    for hook, with_kwargs, _ in mod._forward_pre_hooks.values():
        if hook not in _HOOKS:
            made.register_forward_pre_hook(hook, with_kwargs=with_kwargs)
    for hook, with_kwargs, always in mod._forward_hooks.values():
        if hook not in _HOOKS:
            made.register_forward_hook(hook, with_kwargs=with_kwargs, always_call=always)
    return made


def convert(
    module: Any,
    mapping: dict[type, Any] | None = None,
    inplace: bool = False,
    remove_qconfig: bool = True,
    is_reference: bool = False,
    convert_custom_config_dict: Any = None,
    use_precomputed_fake_quant: bool = False,
) -> Any:
    """A copy of a prepared model that has seen data (or the model itself), quantized.

    Every module that has a qconfig and a quantized form gives way to it. Warns of observers that
    saw no data: their modules refuse to compute until a state dict brings their scales; and where
    nothing was quantized. Raises AssertionError if a module has a qconfig, but no observer; the
    model is then as it was.
    """
    if is_reference:
        raise NotImplementedError("convert makes quantized modules only, no reference modules")
    module = module if inplace else copy.deepcopy(module)
    if mapping is None:
        mapping = get_default_static_quant_module_mappings()
    custom = (convert_custom_config_dict or {}).get("observed_to_quantized_custom_module_class", {})
    swaps: list[tuple[Any, str, Any]] = []  # all are made before the first takes its place
    _collect(module, mapping, custom, use_precomputed_fake_quant, {}, swaps)
    for owner, name, new in swaps:
        owner._modules[name] = new
    warn_unseen([n for n, each in module.named_modules() if getattr(each, "unseen", False)])
    if remove_qconfig:
        if not swaps:
            warnings.warn(
                f"convert: nothing was quantized, as {_why(module, mapping)}", stacklevel=2
            )
        _remove_qconfig(module)
    return module


def _why(module: Any, mapping: dict[type, Any]) -> str:
    """Why no part of a module gave way to a quantized one, and what helps."""
    if getattr(module, "qconfig", None) is not None and type(module) in mapping:
        return (
            f"the model is itself the {type(module).__name__} that would be replaced: "
            "nn.Sequential(model) holds it"
        )
    below = (each for each in module.modules() if each is not module)
    if any(getattr(each, "qconfig", None) is not None for each in below):
        kinds = sorted({each.__name__ for each in mapping})
        return f"no module that has a qconfig is of a type with such a form: {', '.join(kinds)}"
    return (
        "no module below has a qconfig and a quantized form: "
        "model.qconfig = get_default_qconfig('x86') and prepare(model) come first"
    )


def _collect(
    owner: Any, mapping: dict, custom: dict, precomputed: bool, made: dict, swaps: list
) -> None:
    """What takes whose place below a module; a module in two places is made once."""
    for name, child in owner._modules.items():
        if child is None:
            continue
        if child not in made:
            try:
                made[child] = swap_module(child, mapping, custom, precomputed)
            except (AssertionError, RuntimeError, TypeError, ValueError) as error:
                raise type(error)(f"convert: '{name}': {error}") from None
            if made[child] is child and not isinstance(child, _FusedModule):
                _collect(child, mapping, custom, precomputed, made, swaps)
        if made[child] is not child:
            swaps.append((owner, name, made[child]))


# ---------------------------------------------------------------- all steps in one
def quantize(
    model: Any,
    run_fn: Callable,
    run_args: Any,
    mapping: dict[type, Any] | None = None,
    inplace: bool = False,
) -> Any:
    """`prepare`, `run_fn(model, *run_args)`, which shows the model data, and `convert`."""
    model = model if inplace else copy.deepcopy(model)
    model.eval()
    prepare(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model, mapping, inplace=True)


_RECURRENT = (Linear, LSTM, GRU, LSTMCell, RNNCell, GRUCell)
_DYNAMIC: dict[dtypes.dtype, tuple[QConfig, tuple[type, ...]]] = {
    dtypes.qint8: (default_dynamic_qconfig, _RECURRENT),
    dtypes.float16: (float16_dynamic_qconfig, _RECURRENT),
    dtypes.quint8: (float_qparams_weight_only_qconfig, (EmbeddingBag, Embedding)),
}


def quantize_dynamic(
    model: Any,
    qconfig_spec: Any = None,
    dtype: dtypes.dtype = dtypes.qint8,
    mapping: dict[type, Any] | None = None,
    inplace: bool = False,
) -> Any:
    """A copy of a model (or the model itself) with quantized weights, which needs to see no data.

    Inputs and results stay floats: a layer quantizes its input as it comes. `qconfig_spec` is a set
    of types and names of modules, or a dict from these to QConfigs; without it, linear and
    recurrent layers are quantized to qint8, or to float16, or, with quint8, embeddings.

    >>> from labtorch import nn
    >>> quantize_dynamic(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), {nn.Linear})[0].weight().dtype
    torch.qint8
    """
    if isinstance(qconfig_spec, (type, str)):
        raise TypeError(
            "quantize_dynamic: qconfig_spec is a set of types and names, as {nn.Linear}, or a dict "
            f"from these to QConfigs, not {qconfig_spec!r}"
        )
    if not isinstance(qconfig_spec, dict):
        if dtype not in _DYNAMIC:
            known = ", ".join(map(repr, _DYNAMIC))
            raise (ValueError if qconfig_spec is None else RuntimeError)(
                f"Don't know how to quantize with default settings for {dtype!r}: {known} are "
                "known. Provide full qconfig please"
            )
        qconfig, kinds = _DYNAMIC[dtype]
        qconfig_spec = dict.fromkeys(kinds if qconfig_spec is None else qconfig_spec, qconfig)
    _check_names(model, qconfig_spec)
    if mapping is None:
        mapping = get_default_dynamic_quant_module_mappings()
    model = model if inplace else copy.deepcopy(model)
    model.eval()
    propagate_qconfig_(model, qconfig_spec)
    return convert(model, mapping, inplace=True)


def _check_names(model: Module, spec: dict) -> None:
    names = {name for name, _ in model.named_modules()}
    unknown = [each for each in spec if isinstance(each, str) and each not in names]
    if unknown:
        raise ValueError(
            f"quantize_dynamic: the model has no module {', '.join(map(repr, unknown))}"
        )


# ---------------------------------------------------------------- training with grids in sight
def prepare_qat(model: Any, mapping: dict[type, Any] | None = None, inplace: bool = False) -> Any:
    """A copy of a model in training mode (or the model itself) whose layers see their weights and
    results rounded, so that training makes up for it. Next: train it, `eval()`, `convert`."""
    if not model.training:
        raise AssertionError(
            "prepare_qat only works on models in training mode: call model.train() first"
        )
    if mapping is None:
        mapping = get_default_qat_module_mappings()
    model = model if inplace else copy.deepcopy(model)
    propagate_qconfig_(model)
    convert(model, mapping, inplace=True, remove_qconfig=False)
    return prepare(model, inplace=True, observer_non_leaf_module_list=set(mapping.values()))


def quantize_qat(model: Any, run_fn: Callable, run_args: Any, inplace: bool = False) -> Any:
    """`prepare_qat`, `run_fn(model, *run_args)`, which trains the model, and `convert`."""
    model = model if inplace else copy.deepcopy(model)
    model.train()
    prepare_qat(model, inplace=True)
    run_fn(model, *run_args)
    return convert(model, inplace=True)


def default_eval_fn(model: Any, calib_data: Iterable) -> None:
    """Show a model the inputs of (input, target) pairs: a `run_fn` for `quantize`."""
    for data, _ in calib_data:
        model(data)
