"""What quantized modules share: weights on grids, grids for results, state beside parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from labtorch.backend import dtypes
from labtorch.engine.apply import apply
from labtorch.nn.module import Module
from labtorch.nn.utils.fusion import fuse_conv_bn_weights
from labtorch.nn.utils.parametrize import type_before_parametrizations
from labtorch.ops.quantization import Grid, quantize
from labtorch.quantization.intrinsic import _FusedModule
from labtorch.tensor.creation import tensor, zeros
from labtorch.tensor.quantized import QuantizedTensor
from labtorch.tensor.tensor import Tensor


class Stated(Module):
    """A module whose state dict holds more than parameters and buffers.

    `_held()` names what is saved beside them, `_taken(name, value)` checks what is loaded and gives
    the write that takes it: as everywhere, nothing is written before all is checked.
    """

    def _held(self) -> dict[str, Any]:
        return {}

    def _taken(self, name: str, value: Any) -> Callable[[], None]:
        raise NotImplementedError(name)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, value in self._held().items():
            destination[prefix + name] = value

    def _load_from_state_dict(  # type: ignore[override]
        self,
        state_dict: Any,
        prefix: str,
        meta: Any,
        strict: bool,
        missing: list,
        unexpected: list,
        errors: list,
    ) -> None:
        writes = []
        for name in self._held():
            key = prefix + name
            if key not in state_dict:
                missing.append(key)
                continue
            try:
                writes.append(self._taken(name, state_dict.pop(key)))
            except (TypeError, ValueError) as error:
                errors.append(f'"{key}" {error}')
        super()._load_from_state_dict(state_dict, prefix, meta, strict, missing, unexpected, errors)
        if hasattr(state_dict, "writes"):
            state_dict.writes += writes
        else:
            for write in writes:
                write()


class OnGrid(Stated):
    """A module whose result lies on a grid of its own, `scale` and `zero_point`."""

    scale: Any = 1.0
    zero_point: Any = 0
    unseen = False  # did the observer that should have chosen the grid see no data?

    def _held(self) -> dict[str, Any]:
        own = {"scale": tensor(float(self.scale)), "zero_point": tensor(int(self.zero_point))}
        return super()._held() | own

    def _taken(self, name: str, value: Any) -> Callable[[], None]:
        if name not in ("scale", "zero_point"):
            return super()._taken(name, value)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise TypeError(f"should be a tensor of one number, not {value!r}")
        number: Any = float(value) if name == "scale" else int(value)
        if name == "scale" and not 0 < number < float("inf"):
            raise ValueError(f"should be positive, not {number}")
        if name == "zero_point" and not -128 <= number <= 255:  # of qint8 and quint8
            raise ValueError(f"should be a number of eight bits, not {number}")
        return lambda: setattr(self, name, number)

    def observed_by(self, observer: Any) -> Any:
        """Take the grid that an observer of the result has chosen."""
        self.unseen = saw_nothing(observer)
        if not self.unseen:
            scale, zero_point = observer.calculate_qparams()
            self.scale, self.zero_point = float(scale), int(zero_point)
        return self

    def grid(self, dtype: dtypes.dtype) -> Grid:
        """Where the result lies; RuntimeError if no data ever said where."""
        scale, zero_point = float(self.scale), int(self.zero_point)
        if self.unseen and (scale, zero_point) == (1.0, 0):
            raise RuntimeError(unseen_message(self._get_name()))
        return Grid(scale, zero_point, dtype)


def saw_nothing(observer: Any) -> bool:
    """Did an observer, or the one in a fake quantizer, see no data?"""
    return bool(getattr(observer, "saw_nothing", lambda: False)())


def unseen_message(name: str) -> str:
    return (
        f"{name}: its observer saw no data before convert(), so that it has no scale: run the "
        "prepared model on some batches first, or load a state_dict with scales"
    )


def quantized_input(module: Module, x: Any) -> QuantizedTensor:
    """x, if it is quantized with one scale; else an error that says what to do."""
    name = module._get_name()
    if not isinstance(x, Tensor):
        raise TypeError(f"{name} takes a quantized tensor, not {type(x).__name__}")
    if not isinstance(x, QuantizedTensor):
        raise NotImplementedError(
            f"{name} takes a quantized tensor, but got one of {x.dtype!r}: a QuantStub before it "
            "in the model, or torch.quantize_per_tensor, makes one"
        )
    if x.grid.axis is not None or x.dtype not in (dtypes.quint8, dtypes.qint8):
        raise RuntimeError(
            f"{name} takes a tensor of quint8 or qint8 with one scale, not {x.dtype!r} on "
            f"{x.grid.scheme!r}"
        )
    check_on_cpu(name, x)
    return x


def check_on_cpu(name: str, x: Tensor) -> None:
    """Quantized weights stay on the CPU, wherever a model is moved: PyTorch's do, too."""
    if x.is_cuda:
        raise NotImplementedError(
            f"{name} computes on the CPU only, but got a tensor on {x.device}: x.cpu(), and "
            "model.cpu() for the layers that stayed floats"
        )


# ---------------------------------------------------------------- from observed layers
class Observed(NamedTuple):
    """A float layer and what its observers know."""

    layer: Any
    weight: QuantizedTensor
    bias: Tensor | None
    result: Any  # the observer of the result, or None


def observed(name: str, mod: Any, kinds: tuple[type, ...], precomputed: bool = False) -> Observed:
    """What a prepared module says; batch norms that training has kept are folded in."""
    training = hasattr(mod, "weight_fake_quant")
    if not training and type_before_parametrizations(mod) not in kinds:
        known = ", ".join(each.__name__ for each in kinds)
        raise AssertionError(
            f"{name}.from_float only works for {known}, but got: {type(mod).__name__}"
        )
    if getattr(mod, "qconfig", None) is None:
        raise AssertionError(
            f"{name}.from_float: the {type(mod).__name__} must have qconfig defined: prepare(model)"
        )
    layer = mod[0] if isinstance(mod, _FusedModule) else mod
    maker = getattr(layer, "qconfig", None) or mod.qconfig
    observer = mod.weight_fake_quant if training else maker.weight()
    weight, bias = layer.weight, layer.bias
    if hasattr(mod, "bn"):
        bn = mod.bn
        statistics = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
        weight, bias = fuse_conv_bn_weights(weight, bias, *statistics)
    laid = weight_on_grid(name, weight, observer, precomputed)
    return Observed(
        layer,
        laid,
        None if bias is None else bias.detach().to(dtypes.float32),
        getattr(mod, "activation_post_process", None),
    )


def weight_on_grid(
    name: str, weight: Tensor, observer: Any, precomputed: bool = False
) -> QuantizedTensor:
    """A weight on the grid that its observer chooses, within the observer's integers."""
    if not precomputed:
        observer(weight.detach())
    inner = getattr(observer, "activation_post_process", observer)
    if inner.dtype not in (dtypes.qint8, dtypes.quint8):
        raise AssertionError(f"{name}: Weight observer must have dtype qint8, got {inner.dtype!r}")
    scale, zero = observer.calculate_qparams()
    if inner.qscheme.per_channel:
        floats = inner.qscheme.name.endswith("float_qparams")
        kinds = ("float32", "float32") if floats else ("float64", "int64")
        scales, zeros = (x.cpu()._array.astype(kind) for x, kind in zip((scale, zero), kinds))
        grid = Grid(scales, zeros, inner.dtype, inner.ch_axis)
    else:
        grid = Grid(float(scale), int(zero), inner.dtype)
    codes = apply(quantize, (weight.detach().to(dtypes.float32), grid))
    if (inner.quant_min, inner.quant_max) != grid.limits:
        codes = codes.clamp(inner.quant_min, inner.quant_max)
    return QuantizedTensor(codes, grid)


def result_observer(name: str, parts: Observed) -> Any:
    """The observer of the result; an error where the model was not prepared."""
    if not hasattr(parts.result, "calculate_qparams"):
        raise AssertionError(
            f"{name}.from_float: the {type(parts.layer).__name__} has no observer: prepare(model), "
            "then run it on some batches, then convert"
        )
    return parts.result


# ---------------------------------------------------------------- checks
def blank(*size: int, dtype: dtypes.dtype = dtypes.qint8) -> QuantizedTensor:
    """A weight that waits for its numbers."""
    kind = dtypes.int8 if dtype is dtypes.qint8 else dtypes.uint8
    return QuantizedTensor(zeros(size, dtype=kind), Grid(1.0, 0, dtype))


def checked_weight(weight: Any, shape: tuple[int, ...] | None, axis: int = 0) -> QuantizedTensor:
    """A weight for a layer: qint8, of its shape, with one scale or one per output channel."""
    if not isinstance(weight, QuantizedTensor) or weight.dtype is not dtypes.qint8:
        kind = repr(weight.dtype) if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"should be a tensor of torch.qint8, not {kind}")
    if shape is not None and tuple(weight.shape) != tuple(shape):
        raise ValueError(
            f"size mismatch: a weight of shape {list(weight.shape)}, but the layer's is "
            f"{list(shape)}"
        )
    if weight.grid.axis not in (None, axis):
        raise ValueError(
            f"should have its scales along dimension {axis}, that of output channels, not "
            f"{weight.grid.axis}"
        )
    return weight


def checked_bias(bias: Any, count: int | None) -> Tensor | None:
    """A bias of floats for `count` outputs, or None."""
    if bias is None:
        return None
    if not isinstance(bias, Tensor) or not bias.is_floating_point():
        raise TypeError(f"should be a bias of floats, or None, not {bias!r}")
    if count is not None and tuple(bias.shape) != (count,):
        raise ValueError(f"size mismatch: a bias of shape {list(bias.shape)} for {count} outputs")
    return bias.detach().to(dtypes.float32)


def one_line(module: Module) -> str:
    """The text of a module whose children only hold its weights."""
    return f"{module._get_name()}({module.extra_repr()})"


def warn_unseen(names: list[str]) -> None:
    if names:
        warnings.warn(
            f"convert: {', '.join(names)} saw no data, and will refuse to compute until a "
            "state_dict with scales is loaded: run the prepared model on some batches first",
            stacklevel=3,
        )
