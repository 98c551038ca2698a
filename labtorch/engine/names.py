"""What PyTorch calls the node of an op: `AddmmBackward0` for a linear layer on a matrix.

Most names follow from the op's own (`log_softmax`: `LogSoftmaxBackward0`). Those that do not are
here, with a function of what the node saved where PyTorch has several names for one op. A node that
was freed goes by its op's usual name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

CAPITAL = re.compile(r"(^|_|\d)_?([a-z])")  # max_pool2d: MaxPool2D

Saved = dict[str, Any]  # what a node has saved, by name; empty once it is freed


def _numbered(usual: int, **also: int) -> Callable[[str], Callable[[Saved], str]]:
    """Overloads that differ in an argument: SumBackward0 of all, SumBackward1 along `dim`."""

    def name(base: str) -> Callable[[Saved], str]:
        def of(saved: Saved) -> str:
            for argument, number in also.items():
                if saved.get(argument) is not None:
                    return f"{base}Backward{number}"
            return f"{base}Backward{usual}"

        return of

    return name


_along = _numbered(0, dim=1)


def _dims(saved: Saved, name: str) -> int:
    """How many dimensions the tensor argument `name` has; -1 where nothing saved tells."""
    shape = saved.get(name + "_shape", getattr(saved.get(name), "shape", None))
    return -1 if shape is None else len(shape)


def _linear(saved: Saved) -> str:
    bias = "bias_shape" in saved
    if _dims(saved, "input") not in (-1, 2):
        return "ViewBackward0" if bias else "UnsafeViewBackward0"
    return "AddmmBackward0" if bias or not saved else "MmBackward0"


def _matmul(saved: Saved) -> str:
    known = {
        (1, 1): "DotBackward0",
        (2, 1): "MvBackward0",
        (1, 2): "SqueezeBackward4",
        (2, 2): "MmBackward0",
        (-1, -1): "MmBackward0",
        (3, 3): "BmmBackward0",
    }
    return known.get((_dims(saved, "input"), _dims(saved, "other")), "UnsafeViewBackward0")


def _getitem(saved: Saved) -> str:
    index = saved.get("index", 0)
    parts = index if isinstance(index, tuple) else (index,)
    name = "AliasBackward0"  # the last step, from left to right, of those that PyTorch would take
    for part in parts:
        if (
            isinstance(part, bool)
            or part is not None
            and not isinstance(part, (int, slice, type(...)))
        ):
            return "IndexBackward0"
        if isinstance(part, int):
            name = "SelectBackward0"
        elif part is None:
            name = "UnsqueezeBackward0"
        elif isinstance(part, slice) and part != slice(None):
            name = "SliceBackward0"
    return name


def _pow(saved: Saved) -> str:
    exponent = saved.get("exponent", 0)
    return "PowBackward1" if hasattr(exponent, "shape") else "PowBackward0"


def _transpose(saved: Saved) -> str:
    return (
        "TBackward0" if (saved.get("dim0"), saved.get("dim1")) == (1, 0) else "TransposeBackward0"
    )


NAMES: dict[str, str | Callable[[Saved], str]] = {
    "linear": _linear,
    "matmul": _matmul,
    "getitem": _getitem,
    "pow": _pow,
    "transpose": _transpose,
    "sum": _along("Sum"),
    "mean": _along("Mean"),
    "prod": _along("Prod"),
    "squeeze": _along("Squeeze"),
    "amax": "AmaxBackward0",
    "reshape": "ViewBackward0",
    "narrow": "SliceBackward0",
    "cast": "ToCopyBackward0",
    "to": "ToCopyBackward0",
    "contiguous": "CloneBackward0",
    "square": "PowBackward0",
    "clamp": "ClampBackward1",
    "logsigmoid": "LogSigmoidBackward0",
    "gelu_erf": "GeluBackward0",
    "gelu_tanh": "GeluBackward0",
    "selu": "EluBackward0",
    "relu6": "HardtanhBackward0",
    "prelu": "PreluKernelBackward0",
    "smooth_l1_loss": "SmoothL1LossBackward0",
    "cross_entropy": "NllLossBackward0",
    "constant_pad": "ConstantPadNdBackward0",
    "setitem": "CopySlices",
    "copy_slices": "CopySlices",
    "conv1d": "ConvolutionBackward0",
    "conv2d": "ConvolutionBackward0",
    "conv3d": "ConvolutionBackward0",
    "conv": "ConvolutionBackward0",
    "conv_transpose": "ConvolutionBackward0",
    "conv_transpose1d": "ConvolutionBackward0",
    "conv_transpose2d": "ConvolutionBackward0",
    "conv_transpose3d": "ConvolutionBackward0",
    "max_pool2d": "MaxPool2DWithIndicesBackward0",
    "max_pool3d": "MaxPool3DWithIndicesBackward0",
    "batch_norm": "NativeBatchNormBackward0",
    "layer_norm": "NativeLayerNormBackward0",
    "group_norm": "NativeGroupNormBackward0",
}


def node_name(op: Any, saved: Saved) -> str:
    """PyTorch's name for a node of `op` that has saved `saved`."""
    name = NAMES.get(op.name)
    if op.node_name is not None:
        name = op.node_name
    if name is None:
        name = (
            CAPITAL.sub(lambda found: found[1].strip("_") + found[2].upper(), op.name) + "Backward0"
        )
    return name if isinstance(name, str) else name(saved)
