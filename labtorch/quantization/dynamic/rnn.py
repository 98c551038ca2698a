"""Recurrent layers with quantized weights; inputs and states are quantized as they come.

A layer's whole input is laid on one grid, its state on a new one at every step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labtorch.backend import dtypes
from labtorch.nn import recurrent
from labtorch.nn.containers import ModuleList
from labtorch.nn.functional.recurrent import STEPS
from labtorch.nn.module import Module
from labtorch.nn.utils.parametrize import type_before_parametrizations
from labtorch.ops.shape import cat, narrow
from labtorch.ops.unrolled import unrolled
from labtorch.quantization.dynamic.linear import product, weight_as
from labtorch.quantization.qconfig import default_dynamic_qconfig
from labtorch.quantization.quantized.base import (
    Stated,
    blank,
    checked_bias,
    checked_weight,
    one_line,
)
from labtorch.tensor.creation import zeros
from labtorch.tensor.tensor import Tensor


class PackedParameter(Stated):
    """The weights of one layer and direction: (w_ih, w_hh, b_ih, b_hh).

    PyTorch keeps an object of C++ in its place, which no other program reads.
    """

    def __init__(self, param: tuple) -> None:
        super().__init__()
        self.param = param

    def _held(self) -> dict[str, Any]:
        return {"param": self.param}

    def _taken(self, name: str, value: Any) -> Callable[[], None]:
        taken = _checked(value, self.param)
        return lambda: setattr(self, "param", taken)


def _checked(value: Any, old: tuple) -> tuple:
    """Weights and biases (in any number) of the shapes of those that were there."""
    if not isinstance(value, (tuple, list)) or len(value) != len(old):
        raise TypeError(f"should be {len(old)} tensors: weights, then biases")
    half = sum(each is not None and each.ndim == 2 for each in old)  # without biases, all
    weights: list[Tensor] = []
    for given, own in zip(value[:half], old):
        if getattr(given, "is_quantized", False) or not isinstance(given, Tensor):
            weights.append(checked_weight(given, own.shape))
        elif tuple(given.shape) != tuple(own.shape):
            raise ValueError(f"size mismatch: {list(given.shape)}, not {list(own.shape)}")
        else:
            weights.append(given.detach().to(dtypes.float16))
    rows = old[0].shape[0]
    return (*weights, *(checked_bias(each, rows) for each in value[half:]))


def _blank(rows: int, columns: int, dtype: dtypes.dtype) -> Tensor:
    return blank(rows, columns) if dtype is dtypes.qint8 else zeros(rows, columns, dtype=dtype)


def _check_dtype(name: str, dtype: dtypes.dtype) -> None:
    if dtype not in (dtypes.qint8, dtypes.float16):
        raise RuntimeError(f"{name}: Unsupported dtype for dynamic RNN quantization: {dtype!r}")


class RNNBase(recurrent.RNNBase):
    """What the dynamically quantized LSTM and GRU share: float inputs, states and results."""

    _version = 2
    _FLOAT_MODULE: type = recurrent.RNNBase
    _all_weight_values: ModuleList

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        Module.__init__(self)
        recurrent._check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, 0)
        if mode not in ("LSTM", "GRU"):
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        _check_dtype(mode, dtype)
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.dtype = float(dropout), bidirectional, dtype
        self.proj_size, self.training = 0, False
        rows, directions = recurrent.GATES[mode] * hidden_size, 2 if bidirectional else 1
        held = []
        for at in range(num_layers * directions):
            width = input_size if at < directions else hidden_size * directions
            weights = _blank(rows, width, dtype), _blank(rows, hidden_size, dtype)
            held.append(PackedParameter((*weights, *_no_biases(rows, bias))))
        self._all_weight_values = ModuleList(held)

    def _get_name(self) -> str:
        return f"DynamicQuantized{self.mode}"

    def __repr__(self) -> str:
        return one_line(self)

    def check_input(self, input: Tensor, batch_sizes: Any) -> None:
        expected = 3 if batch_sizes is None else 2
        if input.ndim != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.shape[-1]}"
            )

    def _computed(self, input: Tensor, sizes: Any, states: tuple[Tensor, ...]) -> tuple:
        name, kind = self._get_name(), self.mode.lower()

        def enter(sequence: list, own: tuple) -> tuple[list, tuple]:
            w_ih, w_hh, b_ih, b_hh, _ = own
            whole = product(name, cat(sequence, 0), w_ih, b_ih)
            starts = [0]
            for each in sequence:
                starts.append(starts[-1] + len(each))
            parts = [narrow(whole, 0, at, end - at) for at, end in zip(starts, starts[1:])]
            hidden = w_hh if w_hh.is_quantized else w_hh.float()
            return parts, (None, hidden, None, b_hh, None)

        weights = [each for held in self._all_weight_values for each in held.param]
        settings = sizes, None, self.num_layers, self.bidirectional
        first = self.batch_first and sizes is None
        return unrolled(STEPS[kind], input, states, weights, *settings, first, enter)

    def set_weight_bias(self, weight_bias_dict: dict[str, Tensor]) -> None:
        """Take weights and biases by the names that the float layer has for them."""
        made = []
        for held, names in zip(self._all_weight_values, self._names()):
            made.append(_checked([weight_bias_dict[name] for name in names], held.param))
        for held, param in zip(self._all_weight_values, made):
            held.param = param

    def _names(self) -> list[list[str]]:
        kinds = ["weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if self.bias else ())]
        suffixes = ("", "_reverse")[: 2 if self.bidirectional else 1]
        return [
            [f"{kind}_l{layer}{suffix}" for kind in kinds]
            for layer in range(self.num_layers)
            for suffix in suffixes
        ]

    def _by_name(self, kind: str) -> dict[str, Tensor]:
        pairs = zip(self._names(), self._all_weight_values)
        found = {n: t for names, held in pairs for n, t in zip(names, held.param)}
        return {name: each for name, each in found.items() if name.startswith(kind)}

    def get_weight(self) -> dict[str, Tensor]:
        """The weights by the names that the float layer has for them."""
        return self._by_name("weight")

    def get_bias(self) -> dict[str, Tensor]:
        """The biases by the names that the float layer has for them."""
        return self._by_name("bias")

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The dynamically quantized form of an `nn.LSTM` or `nn.GRU` with a qconfig."""
        name = f"nn.quantized.dynamic.{cls.__name__}"
        if type_before_parametrizations(mod) is not cls._FLOAT_MODULE:
            raise AssertionError(
                f"{name}.from_float only works for nn.LSTM and nn.GRU, got {type(mod)}"
            )
        if not hasattr(mod, "qconfig"):
            raise AssertionError(f"{name}.from_float: Input float module must have qconfig defined")
        if mod.proj_size:
            raise NotImplementedError(f"{name}: there is no quantized form of proj_size > 0")
        maker = (mod.qconfig or default_dynamic_qconfig).weight
        made = cls(
            mod.input_size,
            mod.hidden_size,
            mod.num_layers,
            mod.bias,
            mod.batch_first,
            mod.dropout,
            mod.bidirectional,
            maker().dtype,
        )
        float_weights = {n: getattr(mod, n) for names in made._names() for n in names}
        made.set_weight_bias(
            {
                n: weight_as(name, each, maker) if n.startswith("weight") else each
                for n, each in float_weights.items()
            }
        )
        return made


def _no_biases(rows: int, bias: bool) -> tuple:
    return (zeros(rows), zeros(rows)) if bias else ()


class LSTM(RNNBase, recurrent.LSTM):
    """`nn.LSTM` with quantized weights; see this file's head."""

    _FLOAT_MODULE = recurrent.LSTM

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        RNNBase.__init__(self, "LSTM", *args, **kwargs)


class GRU(RNNBase, recurrent.GRU):
    """`nn.GRU` with quantized weights; see this file's head."""

    _FLOAT_MODULE = recurrent.GRU

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        RNNBase.__init__(self, "GRU", *args, **kwargs)


class RNNCellBase(Stated, recurrent.RNNCellBase):
    """What the dynamically quantized cells share."""

    _FLOAT_MODULE: type = recurrent.RNNCellBase
    _CHUNKS = 4  # gates, stacked in a weight's rows

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        Module.__init__(self)
        _check_dtype(type(self).__name__, dtype)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.weight_dtype, rows = dtype, self._CHUNKS * hidden_size
        weights = _blank(rows, input_size, dtype), _blank(rows, hidden_size, dtype)
        self._pairs = [(w, zeros(rows) if bias else None) for w in weights]

    def _get_name(self) -> str:
        return f"DynamicQuantized{type(self).__name__}"

    def _held(self) -> dict[str, Any]:
        return dict(zip(("_packed_weight_ih", "_packed_weight_hh"), self._pairs))

    def _taken(self, name: str, value: Any) -> Callable[[], None]:
        at = 0 if name == "_packed_weight_ih" else 1
        pair = _checked(value, self._pairs[at])

        def take() -> None:
            self._pairs[at] = pair

        return take

    @property
    def weight_ih(self) -> Any:  # type: ignore[override]
        return _usable(self._pairs[0][0])

    @property
    def weight_hh(self) -> Any:  # type: ignore[override]
        return _usable(self._pairs[1][0])

    @property
    def bias_ih(self) -> Tensor | None:
        return self._pairs[0][1]

    @property
    def bias_hh(self) -> Tensor | None:
        return self._pairs[1][1]

    @classmethod
    def from_float(cls, mod: Any, use_precomputed_fake_quant: bool = False) -> Any:
        """The dynamically quantized form of a cell with a qconfig."""
        name = f"nn.quantized.dynamic.{cls.__name__}"
        if type_before_parametrizations(mod) is not cls._FLOAT_MODULE:
            raise AssertionError(
                f"{name}.from_float only works for nn.{cls.__name__}, got {type(mod)}"
            )
        if not hasattr(mod, "qconfig"):
            raise AssertionError(f"{name}.from_float: Input float module must have qconfig defined")
        maker = (mod.qconfig or default_dynamic_qconfig).weight
        options = {"dtype": maker().dtype}
        if hasattr(mod, "nonlinearity"):
            options["nonlinearity"] = mod.nonlinearity
        made = cls(mod.input_size, mod.hidden_size, mod.bias, **options)
        weights = ((mod.weight_ih, mod.bias_ih), (mod.weight_hh, mod.bias_hh))
        made._pairs = [
            (weight_as(name, w, maker), None if b is None else b.detach()) for w, b in weights
        ]
        return made


def _usable(weight: Tensor) -> Tensor:
    return weight if weight.is_quantized else weight.float()


class LSTMCell(RNNCellBase, recurrent.LSTMCell):
    """`nn.LSTMCell` with quantized weights."""

    _FLOAT_MODULE = recurrent.LSTMCell


class GRUCell(RNNCellBase, recurrent.GRUCell):
    """`nn.GRUCell` with quantized weights."""

    _FLOAT_MODULE, _CHUNKS = recurrent.GRUCell, 3


class RNNCell(RNNCellBase, recurrent.RNNCell):
    """`nn.RNNCell` with quantized weights."""

    _FLOAT_MODULE, _CHUNKS = recurrent.RNNCell, 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: dtypes.dtype = dtypes.qint8,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity
