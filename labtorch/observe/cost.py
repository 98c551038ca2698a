"""What an op costs by its shapes: floating-point operations of its forward pass.

A multiplication with its addition counts as two operations, as is usual for products of matrices
and convolutions; a function of one number (exp, sqrt, max) counts as one; what only moves numbers
counts as nothing. Costs of lower order (one division a row) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Shapes = dict[str, list[int]]

VIEWS = frozenset(
    """alias as_strided diagonal expand getitem imag narrow permute real reshape squeeze transpose
    unfold unsqueeze view view_as_complex view_as_real""".split()
)
FREE = VIEWS | frozenset(
    """bernoulli cast cat clone complex constant_pad contiguous copy_slices copysign diagonal_of
    element embedding fill flip gather im2col index_select module_inputs module_outputs
    once_differentiable overlap_add pad_zeros pick put put_back roll scatter scatter_along setitem
    to where""".split()
)
REDUCTIONS = frozenset(
    """all amax amin any argmax argmin max mean min nll_loss prod sum sum_to adaptive_avg_pool
    adaptive_max_pool scatter_add scatter_reduce window_sum col2im""".split()
)
PER_ELEMENT = {  # of what the op takes, where it is not one
    "addcdiv": 3,
    "addcmul": 3,
    "bce": 6,  # two logarithms, two products, a difference, the sum
    "huber": 5,
    "kl_div": 3,
    "l1_loss": 3,  # difference, modulus, sum
    "lerp": 3,
    "linalg_vector_norm": 2,
    "log_softmax": 5,  # maximum, difference, exp, sum, difference
    "logsumexp": 4,
    "mse_loss": 3,  # difference, square, sum
    "softmax": 5,  # maximum, difference, exp, sum, quotient
    "var": 4,  # sum, difference, square, sum
}
UNKNOWN = frozenset(
    """correlate geqrf linalg_eig linalg_eigh linalg_eigvals linalg_eigvalsh linalg_ldl_factor_ex
    linalg_ldl_solve linalg_pinv linalg_svd linalg_svdvals map_dims matrix_exp resample
    sort_order window_spread""".split()
)


def flops(
    name: str, inputs: Shapes, output: list[int], arguments: Mapping[str, Any] | None = None
) -> int | None:
    """Of the op `name` on inputs of these shapes, by argument; None where the rule is not known.

    `arguments` are those that are no tensors: a kernel's size, an equation.
    """
    made = math.prod(output)
    family = name.removesuffix("_with_indices").rstrip("123d")
    if name in FREE:
        return 0
    if name in UNKNOWN or not inputs:
        return None
    rule = RULES.get(name) or RULES.get(family)
    if rule is not None:
        try:
            return rule(inputs, made, arguments or {})
        except (KeyError, IndexError):  # a graph that was freed does not know all that its ops took
            return None
    largest = max((math.prod(shape) for shape in inputs.values()), default=0)
    if name in PER_ELEMENT:
        return PER_ELEMENT[name] * max(largest, made)
    if name in REDUCTIONS or family in REDUCTIONS:
        return largest
    return made if largest <= made else None  # elementwise, possibly broadcast


def _matrices(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    return 2 * made * inputs["input"][-1]


def _linear(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    return 2 * made * inputs["input"][-1] + _biases(inputs, made)


def _biases(inputs: Shapes, made: int) -> int:
    return made if "bias" in inputs else 0


def _convolution(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    """Every number made takes one product with each weight of its filter, of its group only."""
    return 2 * made * math.prod(inputs["weight"][1:]) + _biases(inputs, made)


def _transposed_convolution(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    """Every number taken goes, weighted, to each place under its filter."""
    taken = math.prod(inputs["input"])
    return 2 * taken * math.prod(inputs["weight"][1:]) + _biases(inputs, made)


def _pooling(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int | None:
    size = arguments.get("kernel_size")
    if size is None:
        return None
    if isinstance(size, int):
        size = [size] * max(1, len(inputs["input"]) - 2)
    return made * math.prod(size)


def _normalisation(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    """Mean and variance (sum; difference, square, sum), difference and quotient, then the affine
    map; a batch norm with running statistics is one product and one sum an element."""
    affine = ("weight" in inputs) + ("bias" in inputs)
    if arguments.get("training") is False:
        return 2 * made
    return (6 + affine) * made


def _rms_norm(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    return (3 + ("weight" in inputs)) * made


def _cross_entropy(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    logits = math.prod(inputs["input"])
    probabilities = inputs["target"] == inputs["input"]
    return 5 * logits + 2 * logits * probabilities


def _bce_logits(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    # max(x, 0) - x t + log1p(exp(-|x|)), with a product for each weight
    return (8 + ("weight" in inputs) + ("pos_weight" in inputs)) * math.prod(inputs["input"])


def _attention(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    """softmax(q k^T * scale + mask) v."""
    scores = math.prod(inputs["query"][:-1]) * inputs["key"][-2]
    products = 2 * scores * (inputs["query"][-1] + inputs["value"][-1])
    return products + (6 + ("attn_mask" in inputs)) * scores


def _recurrent(gates: int, cell: int) -> Callable[[Shapes, int, Mapping[str, Any]], int]:
    """Per token and hidden unit: `gates` sums of two products, and `cell` more operations."""

    def rule(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
        tokens = math.prod(inputs["input"][:-1])
        weights = [shape for name, shape in inputs.items() if name.startswith("weights")]
        products = sum(2 * math.prod(shape) for shape in weights if len(shape) == 2)
        biases = sum(shape[0] for shape in weights if len(shape) == 1)
        state = inputs.get("cx", inputs["hx"])  # one for each layer and direction
        return tokens * (products + biases + (gates + cell) * state[0] * state[-1])

    return rule


def _einsum(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int | None:
    """Of one or two operands: one product and one sum for every combination of the indices."""
    equation = str(arguments.get("equation", "")).replace(" ", "")
    terms = equation.split("->")[0].split(",")
    shapes = list(inputs.values())
    if "." in equation or len(terms) != len(shapes) or len(shapes) > 2:
        return None
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, shapes):
        for letter, size in zip(term, shape):
            sizes[letter] = max(size, sizes.get(letter, 1))
    return len(shapes) * math.prod(sizes.values())


def _cubic(factor: float) -> Callable[[Shapes, int, Mapping[str, Any]], int]:
    def rule(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
        *batch, rows, columns = inputs["A"]
        return round(factor * math.prod(batch) * rows * columns * min(rows, columns))

    return rule


def _solve(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    """Factors of A, then two triangular systems for each right-hand side."""
    n = inputs["A"][-1]
    return round(2 / 3 * math.prod(inputs["A"]) * n) + 2 * n * made


def _triangular(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int:
    return inputs["A"][-1] * made


def _fourier(inputs: Shapes, made: int, arguments: Mapping[str, Any]) -> int | None:
    """5 N log2 N, the usual account of a fast transform of N complex numbers."""
    shape, dims = inputs["input"], arguments.get("dims")
    if dims is None:
        return None
    length = math.prod(shape[d] for d in ([dims] if isinstance(dims, int) else dims))
    return round(5 * max(math.prod(shape), made) * math.log2(length)) if length > 1 else 0


RULES: dict[str, Callable[[Shapes, int, Mapping[str, Any]], int | None]] = {
    "avg_pool": _pooling,
    "batch_norm": _normalisation,
    "bce_logits": _bce_logits,
    "conv": _convolution,
    "conv_transpose": _transposed_convolution,
    "convolve": _convolution,
    "cross_entropy": _cross_entropy,
    "einsum": _einsum,
    "fft_c2c": _fourier,
    "fft_c2r": _fourier,
    "fft_r2c": _fourier,
    "group_norm": _normalisation,
    "gru": _recurrent(3, 8),  # 3 gates; r n, its sum; h = n + z (h - n)
    "layer_norm": _normalisation,
    "linalg_cholesky_ex": _cubic(1 / 3),
    "det": _cubic(2 / 3),
    "slogdet": _cubic(2 / 3),
    "linalg_inv": _cubic(2),
    "linalg_lu_factor_ex": _cubic(2 / 3),
    "linalg_qr": _cubic(4 / 3),
    "linalg_solve": _solve,
    "linalg_solve_triangular": _triangular,
    "linear": _linear,
    "lstm": _recurrent(4, 9),  # 4 gates; c = f c + i g; h = o tanh c
    "matmul": _matrices,
    "max_pool": _pooling,
    "rms_norm": _rms_norm,
    "rnn": _recurrent(1, 1),
    "scaled_dot_product_attention": _attention,
    "spread": _transposed_convolution,
}
