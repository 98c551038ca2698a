"""A tensor and autograd library with PyTorch's API, made to be seen: `import labtorch as torch`."""

from __future__ import annotations

import warnings as _warnings
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from labtorch.backend import memory as _memory

_memory.keep_freed_memory()
# log(0) is -inf and 0/0 is NaN, as in PyTorch, without a word: the lab shows where they begin
_warnings.filterwarnings("ignore", ".* encountered in ", RuntimeWarning, r"labtorch\.")

from labtorch.backend.devices import device
from labtorch.backend.dtypes import (
    bool,
    complex64,
    complex128,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    int8,
    int16,
    int32,
    int64,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from labtorch.backend.threads import get_num_threads, set_num_threads
from labtorch.engine.modes import (
    enable_grad,
    inference_mode,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    is_grad_enabled,
    is_inference,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from labtorch.engine.public import names as _names
from labtorch.tensor import Size, Tensor
from labtorch.tensor import methods as _methods
from labtorch.tensor.creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from labtorch.tensor.printing import set_printoptions
from labtorch.tensor.random import (
    Generator,
    bernoulli,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)

globals().update(_names())  # the ops and functions that are declared `@public`

float = float32
double = float64
half = float16
short = int16
int = int32
long = int64
cfloat = complex64
cdouble = complex128

from labtorch import autograd, fft, linalg, nn, optim, special, utils

if _TYPE_CHECKING:

    def __getattr__(name: str) -> _Any: ...


__version__ = "0.1.0"
