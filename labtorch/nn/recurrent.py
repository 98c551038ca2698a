"""Recurrent layers, over whole sequences and step by step."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from labtorch.nn import init
from labtorch.nn.functional.recurrent import run
from labtorch.nn.module import Module
from labtorch.nn.parameter import Parameter
from labtorch.nn.utils.rnn import PackedSequence
from labtorch.ops.unrolled import gru_cell, lstm_cell, rnn_relu_cell, rnn_tanh_cell
from labtorch.tensor.creation import empty, zeros
from labtorch.tensor.tensor import Tensor

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What RNN, LSTM and GRU share: weights, their names, and the shapes of sequences and states.

    The whole call is one node, which keeps its inner states by name (see `ops.recurrent`).
    `layer.unroll = True` computes it step by step instead, in nodes for every step.
    """

    unroll = False

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
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if mode not in GATES:
            raise ValueError(f"Unrecognized RNN mode: {mode}")
        _check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        self.mode = mode
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        state = proj_size or hidden_size
        rows = GATES[mode] * hidden_size
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            features = input_size if layer == 0 else state * (2 if bidirectional else 1)
            sizes: dict[str, tuple] = {"weight_ih": (rows, features), "weight_hh": (rows, state)}
            if bias:
                sizes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                sizes["weight_hr"] = (proj_size, hidden_size)
            for suffix in ("", "_reverse")[: 2 if bidirectional else 1]:
                names = [f"{name}_l{layer}{suffix}" for name in sizes]
                for name, size in zip(names, sizes.values()):
                    made = Parameter(empty(*size, device=device, dtype=dtype))
                    self.register_parameter(name, made)
                self._all_weights.append(names)
        self._flat_weights_names = [name for names in self._all_weights for name in names]
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    @property
    def _flat_weights(self) -> list[Tensor]:
        own = self._parameters
        try:
            return [own[name] for name in self._flat_weights_names]  # type: ignore[misc]
        except KeyError:  # a parametrisation computes one of them
            return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The weights by layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self) -> None:
        """Nothing to do: weights need not lie side by side in memory here."""

    # ---------------------------------------------------------------- shapes
    def check_input(self, input: Tensor, batch_sizes: Any) -> None:
        kind = self._flat_weights[0].dtype
        if input.dtype != kind:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({kind}). "
                f"Convert input: input.to({kind}), or convert model: model.to({input.dtype})"
            )
        expected = 3 if batch_sizes is None else 2
        if input.ndim != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.shape[-1]}"
            )

    def _expected(self, input: Tensor, batch_sizes: Any, width: int) -> tuple[int, int, int]:
        count = self.num_layers * (2 if self.bidirectional else 1)
        batch = input.shape[0 if self.batch_first else 1] if batch_sizes is None else batch_sizes[0]
        return count, int(batch), width

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Any) -> tuple[int, int, int]:
        return self._expected(input, batch_sizes, self.proj_size or self.hidden_size)

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple, msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        if tuple(hx.shape) != tuple(expected_hidden_size):
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Any) -> None:
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """States in another order of the sequences."""
        return hx if permutation is None else hx[:, permutation]

    # ---------------------------------------------------------------- the call
    def _named(self, state: Any) -> tuple[tuple[Tensor, ...], str]:
        """The state's tensors, and what errors call them."""
        return (state,), "hx"

    def _first_states(self, input: Tensor, batch_sizes: Any) -> Any:
        size = self.get_expected_hidden_size(input, batch_sizes)
        return zeros(size, dtype=input.dtype, device=input.device)

    def _last_states(self, states: tuple) -> Any:
        return states[0]

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        packed, sizes, batched = None, None, True
        if isinstance(input, PackedSequence):
            packed = input
            input, sizes = packed.data, tuple(packed.batch_sizes.tolist())
            if hx is not None:
                hx = self.permute_hidden(hx, packed.sorted_indices)
        elif input.ndim not in (2, 3):
            raise ValueError(
                f"{self._get_name()}: Expected input to be 2D or 3D, got {input.ndim}D instead"
            )
        else:
            batched = input.ndim == 3
            if hx is not None:
                hx = self._batched(hx, batched)
            if not batched:
                input = input.unsqueeze(0 if self.batch_first else 1)
        if hx is None:
            hx = self._first_states(input, sizes)
        self.check_forward_args(input, hx, sizes)
        if (
            packed is None
            and 0 in input.shape[:2]
            and not input.shape[1 if self.batch_first else 0]
        ):
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        output, *last = self._computed(input, sizes, self._named(hx)[0])
        if packed is not None:
            last = self.permute_hidden(self._last_states(tuple(last)), packed.unsorted_indices)
            return PackedSequence(output, *packed[1:]), last
        if not batched:
            output = output.squeeze(0 if self.batch_first else 1)
            last = [each.squeeze(1) for each in last]
        return output, self._last_states(tuple(last))

    def _computed(self, input: Tensor, sizes: Any, states: tuple[Tensor, ...]) -> tuple:
        """(output, h_n), and c_n of an LSTM, of a batch; `sizes` of packed sequences, else None."""
        return run(
            self.mode.lower(),
            input,
            sizes,
            states,
            self._flat_weights,
            self.num_layers,
            self.dropout,
            self.training,
            self.bidirectional,
            self.batch_first and sizes is None,
            self.unroll,
        )

    def _batched(self, hx: Any, batched: bool) -> Any:
        """The states of an unbatched call as those of a batch of one."""
        states, names = self._named(hx)
        if any(each.ndim != (3 if batched else 2) for each in states):
            given = ", ".join(f"{each.ndim}-D" for each in states)
            what = "batched 3-D" if batched else "unbatched 2-D"
            raise RuntimeError(
                f"For {what} input, {names} should also be {3 if batched else 2}-D but got "
                + (f"({given}) tensors" if len(states) > 1 else f"{given} tensor")
            )
        return hx if batched else self._last_states(tuple(each.unsqueeze(1) for each in states))

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        return text


def _check_options(
    input_size: Any, hidden_size: Any, num_layers: Any, bias: Any, batch_first: Any, dropout: Any,
    proj_size: Any,
) -> None:  # fmt: skip
    number = isinstance(dropout, numbers.Number) and not isinstance(dropout, bool)
    if not number or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element "
            "being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout "
            f"expects num_layers greater than 1, but got dropout={dropout} and num_layers=1",
            stacklevel=4,
        )
    for name, value, kind in (
        ("bias", bias, bool),
        ("batch_first", batch_first, bool),
        ("input_size", input_size, int),
        ("hidden_size", hidden_size, int),
    ):
        if not isinstance(value, kind):
            raise TypeError(
                f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
            )
    sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
    for name, value in sizes.items():
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")


def _no_projection(kwargs: dict) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNN(RNNBase):
    r"""h_t = tanh(x_t W_ih^T + b_ih + h_{t-1} W_hh^T + b_hh), or with ReLU.

    RNN(input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False,
    dropout=0.0, bidirectional=False). Takes (T, N, input_size), (T, input_size) or a
    PackedSequence, and h_0; gives all h_t of the last layer, and the last h of every layer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_projection(kwargs)
        if len(args) > 3:
            nonlinearity, args = args[3], (*args[:3], *args[4:])
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    r"""i, f, o = sigmoid(...), g = tanh(...), c_t = f c_{t-1} + i g, h_t = o tanh(c_t).

    LSTM(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False, proj_size=0). Takes (T, N, input_size), (T, input_size) or a
    PackedSequence, and (h_0, c_0); gives all h_t of the last layer, and the last (h, c) of every
    layer. Source: Hochreiter, Schmidhuber (1997); projections: Sak, Senior, Beaufays (2014).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Any) -> tuple[int, int, int]:
        return self._expected(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Any) -> None:
        self.check_input(input, batch_sizes)
        sizes = (
            self.get_expected_hidden_size(input, batch_sizes),
            self.get_expected_cell_size(input, batch_sizes),
        )
        for i, (state, size) in enumerate(zip(hidden, sizes, strict=True)):
            self.check_hidden_size(state, size, f"Expected hidden[{i}] size {{}}, got {{}}")

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        return hx if permutation is None else tuple(each[:, permutation] for each in hx)

    def _named(self, state: Any) -> tuple[tuple[Tensor, ...], str]:
        return tuple(state), "hx and cx"

    def _first_states(self, input: Tensor, batch_sizes: Any) -> Any:
        size = self.get_expected_cell_size(input, batch_sizes)
        c = zeros(size, dtype=input.dtype, device=input.device)
        return super()._first_states(input, batch_sizes), c

    def _last_states(self, states: tuple) -> Any:
        return states


class GRU(RNNBase):
    r"""r, z = sigmoid(...), n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn)),
    h_t = (1 - z) n + z h_{t-1}.

    GRU(input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0,
    bidirectional=False). Takes (T, N, input_size), (T, input_size) or a PackedSequence, and h_0;
    gives all h_t of the last layer, and the last h of every layer. Source: Cho et al. (2014).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _no_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """The weights of one step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(rows, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(rows, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            made = Parameter(empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, made)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, cell: Any, input: Tensor, hx: Any, names: tuple[str, ...]) -> tuple:
        """Call `cell` with batches; an unbatched input is a batch of one."""
        if input.ndim not in (1, 2):
            raise ValueError(
                f"{self._get_name()}: Expected input to be 1D or 2D, got {input.ndim}D instead"
            )
        for name, state in zip(names, hx or ()):
            if state.ndim not in (1, 2):
                raise ValueError(
                    f"{self._get_name()}: Expected {name} to be 1D or 2D, got {state.ndim}D instead"
                )
        batched = input.ndim == 2
        if not batched:
            input = input.unsqueeze(0)
        if hx is None:
            state = zeros(input.shape[0], self.hidden_size, dtype=input.dtype, device=input.device)
            hx = (state,) * len(names)
        elif not batched:
            hx = tuple(each.unsqueeze(0) for each in hx)
        made = cell(
            input,
            hx if len(names) > 1 else hx[0],
            self.weight_ih,
            self.weight_hh,
            self.bias_ih,
            self.bias_hh,
        )
        states = made if isinstance(made, tuple) else (made,)
        return states if batched else tuple(each.squeeze(0) for each in states)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"


class RNNCell(RNNCellBase):
    r"""One step of an RNN: h' = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh), or with ReLU."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        cell = rnn_tanh_cell if self.nonlinearity == "tanh" else rnn_relu_cell
        return self._step(cell, input, None if hx is None else (hx,), ("hidden",))[0]


class LSTMCell(RNNCellBase):
    r"""One step of an LSTM: (h', c') from x and (h, c)."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple:
        return self._step(lstm_cell, input, hx, ("hx[0]", "hx[1]"))


class GRUCell(RNNCellBase):
    r"""One step of a GRU: h' from x and h."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step(gru_cell, input, None if hx is None else (hx,), ("hidden",))[0]
