"""A tensor and autograd library with PyTorch's API, made to be seen: `import labtorch as torch`."""

from __future__ import annotations

import math as _math
import warnings as _warnings
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

from labtorch.backend import memory as _memory

_memory.keep_freed_memory()
# log(0) is -inf and 0/0 is NaN, as in PyTorch, without a word: the lab shows where they begin
_warnings.filterwarnings("ignore", ".* encountered in ", RuntimeWarning, r"labtorch\.")

from labtorch.backend.absent import explains as _explains
from labtorch.backend.devices import device, get_default_device, set_default_device
from labtorch.backend.dtypes import (
    bfloat16,
    bool,
    can_cast,
    complex64,
    complex128,
    dtype,
    finfo,
    float16,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int8,
    int16,
    int32,
    int64,
    promote_types,
    qint8,
    qint32,
    quint8,
    set_default_dtype,
    uint8,
    uint16,
    uint32,
    uint64,
)
from labtorch.backend.layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    jagged,
    layout,
    memory_format,
    preserve_format,
    sparse_coo,
    sparse_csr,
    strided,
)
from labtorch.backend.schemes import (
    per_channel_affine,
    per_channel_affine_float_qparams,
    per_channel_symmetric,
    per_tensor_affine,
    per_tensor_symmetric,
    qscheme,
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
from labtorch.tensor.typed import TYPES as _TYPES

globals().update(_TYPES)

float = float32
double = float64
half = float16
short = int16
int = int32
long = int64
cfloat = complex64
cdouble = complex128

pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None

from labtorch import (
    accelerator,
    amp,
    autograd,
    backends,
    compiler,
    cuda,
    fft,
    func,
    jit,
    linalg,
    masked,
    mps,
    nn,
    optim,
    random,
    signal,
    special,
    types,
    utils,
    version,
)
from labtorch.amp import GradScaler, autocast
from labtorch.compiler import compile
from labtorch.func import vmap
from labtorch.io import load, save
from labtorch.utils.as_torch import as_torch

globals().update(_names())  # the ops and functions that are declared `@public`

if _TYPE_CHECKING:

    def __getattr__(name: str) -> _Any: ...
else:
    _LATER = (
        "ao",
        "datasets",
        "distributed",
        "distributions",
        "multiprocessing",
        "observe",
        "onnx",
        "profiler",
        "quantization",
        "serialization",
        "testing",
    )
    __getattr__ = _explains("", globals(), later=_LATER)


__version__ = version.__version__
