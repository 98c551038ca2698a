"""Initial values of parameters, written in place and outside the graph."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from labtorch.backend import devices
from labtorch.backend.arrays import namespace, on_device_of
from labtorch.tensor.random import Generator, stream_like
from labtorch.tensor.tensor import Tensor


def _fill(tensor: Tensor, values: Any) -> Tensor:
    tensor._array[...] = values
    tensor.version().written("torch.nn.init")
    return tensor


def _drawing_dtype(tensor: Tensor) -> Any:
    dtype = tensor._array.dtype
    return dtype if dtype in (np.float32, np.float64) else np.float64


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform on [a, b)."""
    drawn = stream_like(tensor._array, generator).random(
        tensor._array.shape, dtype=_drawing_dtype(tensor)
    )
    return _fill(tensor, drawn * (b - a) + a)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal with the given mean and standard deviation."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    stream = stream_like(tensor._array, generator)
    drawn = stream.standard_normal(tensor._array.shape, dtype=_drawing_dtype(tensor))
    return _fill(tensor, drawn * std + mean)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Normal, drawn again where it falls outside [a, b]."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
        return _fill(tensor, _by_inversion(tensor, mean, std, a, b, generator))
    stream = stream_like(tensor._array, generator)
    drawn = stream.standard_normal(tensor._array.shape) * std + mean
    outside = (drawn < a) | (drawn > b)
    while outside.any():
        drawn[outside] = stream.standard_normal(int(outside.sum())) * std + mean
        outside = (drawn < a) | (drawn > b)
    return _fill(tensor, drawn)


def _by_inversion(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Any:
    """Far out in a tail, where nearly every draw would be thrown away: invert the distribution."""
    from statistics import NormalDist

    normal = NormalDist(mean, std)
    low, high = normal.cdf(a), normal.cdf(b)
    drawn = stream_like(tensor._array, generator).uniform(low, high, tensor._array.shape)
    inside = np.clip(devices.move(drawn, devices.CPU), 1e-300, 1 - 1e-16)
    found = np.clip(np.vectorize(normal.inv_cdf, otypes=[float])(inside), a, b)
    return devices.move(found, tensor.device)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One number everywhere."""
    return _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    return _fill(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    return _fill(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal of a matrix."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _fill(tensor, on_device_of(np.eye(*tensor._array.shape), tensor._array))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Convolution weights that pass each channel on as it is."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    sizes = tensor._array.shape
    if sizes[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    out = sizes[0] // groups
    zeros_(tensor)
    centre = tuple(n // 2 for n in sizes[2:])
    for group in range(groups):
        for channel in range(min(out, sizes[1])):
            tensor._array[(group * out + channel, channel, *centre)] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output sums over, and how many outputs an input reaches."""
    if tensor.ndim < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    sizes = tensor._array.shape
    field = math.prod(sizes[2:])
    return sizes[1] * field, sizes[0] * field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode == "fan_in" else fan_out


LINEAR = "linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d".split()


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights must grow to make up for what a nonlinearity shrinks."""
    if nonlinearity in LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is None:
            slope = 0.01
        elif isinstance(param, (int, float)) and not isinstance(param, bool):
            slope = param
        else:
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Uniform within gain sqrt(6 / (fan_in + fan_out)). Source: Glorot and Bengio (2010)."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Normal with std gain sqrt(2 / (fan_in + fan_out)). Source: Glorot and Bengio (2010)."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    if 0 in tensor._array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Uniform within gain sqrt(3 / fan). Source: He, Zhang, Ren, Sun (2015)."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Normal with std gain / sqrt(fan). Source: He, Zhang, Ren, Sun (2015)."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Orthogonal rows or columns, whichever are fewer. Source: Saxe, McClelland, Ganguli (2013)."""
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not tensor._array.size:
        return tensor
    rows = tensor._array.shape[0]
    columns = tensor._array.size // rows
    drawn = stream_like(tensor._array, generator).standard_normal((rows, columns))
    lib = namespace(drawn)
    q, r = lib.linalg.qr(drawn.T if rows < columns else drawn)
    q = q * lib.sign(lib.diag(r))  # makes the distribution uniform over orthogonal matrices
    q = q.T if rows < columns else q
    return _fill(tensor, (q * gain).reshape(tensor._array.shape))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal, with the share `sparsity` of each column set to 0. Source: Martens (2010)."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor._array.shape
    normal_(tensor, 0, std, generator)
    for column in range(columns):
        zeros = stream_like(tensor._array, generator).permutation(rows)[
            : math.ceil(sparsity * rows)
        ]
        tensor._array[zeros, column] = 0
    return tensor
