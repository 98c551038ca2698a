"""A tensor and autograd library with PyTorch's API, made to be seen: `import labtorch as torch`."""

from __future__ import annotations

import warnings as _warnings

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
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from labtorch.ops.activation import relu, sigmoid, tanh
from labtorch.ops.arithmetic import (
    abs,
    add,
    ceil,
    clamp,
    conj,
    cos,
    div,
    exp,
    expm1,
    floor,
    floor_divide,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    reciprocal,
    remainder,
    round,
    rsqrt,
    sign,
    sin,
    sqrt,
    square,
    sub,
    tan,
)
from labtorch.ops.compare import (
    allclose,
    bitwise_and,
    bitwise_not,
    bitwise_or,
    bitwise_xor,
    eq,
    equal,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    lt,
    ne,
)
from labtorch.ops.einsum import einsum
from labtorch.ops.indexing import gather, index_select
from labtorch.ops.linear import matmul
from labtorch.ops.reduction import (
    all,
    amax,
    amin,
    any,
    argmax,
    argmin,
    cumsum,
    logsumexp,
    mean,
    prod,
    sum,
)
from labtorch.ops.shape import (
    cat,
    clone,
    diagonal,
    flip,
    narrow,
    squeeze,
    stack,
    transpose,
    unsqueeze,
)
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
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from labtorch.tensor.functions import (
    argsort,
    bmm,
    broadcast_to,
    chunk,
    dot,
    fill,
    flatten,
    index_put,
    is_floating_point,
    is_tensor,
    log_softmax,
    masked_fill,
    max,
    meshgrid,
    min,
    mm,
    nonzero,
    norm,
    numel,
    permute,
    repeat,
    reshape,
    result_type,
    scatter,
    scatter_add,
    select,
    softmax,
    sort,
    split,
    std,
    t,
    topk,
    tril,
    triu,
    unbind,
    unflatten,
    unique,
    var,
    where,
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

float = float32
double = float64
half = float16
short = int16
int = int32
long = int64
cfloat = complex64
cdouble = complex128
subtract, multiply, divide, true_divide, negative, absolute, clip = (
    sub,
    mul,
    div,
    div,
    neg,
    abs,
    clamp,
)
concat = concatenate = cat
swapaxes = swapdims = transpose
greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne

from labtorch import autograd, nn, optim, utils

__version__ = "0.1.0"
