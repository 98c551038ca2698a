"""Quantized models: what their weights are called, and recurrent layers as ONNX knows them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from labtorch.nn.functional.recurrent import run
from labtorch.nn.module import Module
from labtorch.tensor.quantized import QuantizedTensor


def weights_of(model: Module) -> Iterator[tuple[str, Any]]:
    """Names and tensors of what quantized modules keep beside parameters and buffers."""
    for path, module in model.named_modules():
        for name, tensor in _kept(module):
            if isinstance(tensor, QuantizedTensor):
                tensor = tensor.codes
            if tensor is not None:
                yield f"{path}.{name}" if path else name, tensor


def _kept(module: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(module, "get_weight"):  # recurrent layers
        yield from {**module.get_weight(), **module.get_bias()}.items()
    elif hasattr(module, "_pairs"):  # recurrent cells
        for name, (weight, bias) in zip(("ih", "hh"), module._pairs):
            yield f"weight_{name}", weight
            yield f"bias_{name}", bias
    else:
        for name in ("weight", "bias"):
            if callable(getattr(type(module), name, None)):
                yield name, getattr(module, name)()


@contextlib.contextmanager
def whole_layers(model: Module) -> Iterator[None]:
    """Let recurrent layers be one op each, also where they would compute step by step.

    Those with quantized weights compute with the floats that these stand for: ONNX has no LSTM of
    integers, but integers are what is stored.
    """
    unrolled = [m for m in model.modules() if m.__dict__.get("unroll")]
    quantized: list[Any] = [m for m in model.modules() if hasattr(m, "_all_weight_values")]
    try:
        for module in unrolled:
            module.unroll = False
        for module in quantized:
            module._computed = _at_once(module)
        yield
    finally:
        for module in unrolled:
            module.unroll = True
        for module in quantized:
            del module._computed


def _at_once(module: Any) -> Any:
    def computed(input: Any, sizes: Any, states: tuple) -> tuple:
        held = [each for layer in module._all_weight_values for each in layer.param]
        weights = [w.dequantize() if w.is_quantized else w.float() for w in held]
        layers, both = module.num_layers, module.bidirectional
        first = module.batch_first and sizes is None
        kind = module.mode.lower()
        return run(kind, input, sizes, states, weights, layers, 0.0, False, both, first)

    return computed
