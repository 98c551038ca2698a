"""Sample arguments for every differentiable op, for the gradient checks.

An op is named `file.name`; a sample is its arguments, in the forward's order. Arrays of float64
become tensors that require gradients. Values keep clear of kinks and poles.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.ops import shape

_draws = np.random.default_rng(7)


def x(*size: int) -> np.ndarray:
    """Between 0.2 and 1.8 in size, of either sign: away from 0, where many ops have a kink."""
    return np.asarray(_draws.uniform(0.2, 1.8, size) * _draws.choice([-1.0, 1.0], size))


def positive(*size: int) -> np.ndarray:
    return np.asarray(_draws.uniform(0.3, 2.0, size))


def unit(*size: int) -> np.ndarray:
    """Between 0.1 and 0.9: probabilities."""
    return np.asarray(_draws.uniform(0.1, 0.9, size))


def apart(*size: int) -> np.ndarray:
    """No two elements closer than 0.1: extremes stay where they are."""
    n = int(np.prod(size))
    return (_draws.permutation(n) * 0.1 - 0.05 * n + 0.013).reshape(size)


def z(*size: int) -> np.ndarray:
    return x(*size) + 1j * x(*size)


def ints(*size: int, below: int) -> np.ndarray:
    return np.asarray(_draws.integers(0, below, size))


mask = np.array([[True, False, True], [False, False, True]])
rows = np.array([2, 0, 2])

SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    # ------------------------------------------------------------ arithmetic
    "arithmetic.add": [
        (x(2, 3), x(3)),
        (x(2, 1), x(3), 0.5),
        (x(3), 2.0),
        (2.0, x(3)),
        (z(2), z(2)),
    ],
    "arithmetic.sub": [(x(2, 3), x(3)), (x(2, 1), x(3), 0.5), (3.0, x(2)), (z(2), z(2))],
    "arithmetic.mul": [(x(2, 3), x(3)), (x(), x(2)), (x(3), 2.0), (z(2), z(2))],
    "arithmetic.div": [(x(2, 3), x(3)), (2.0, x(3)), (z(2), z(2)), (x(3), x(3), "floor")],
    "arithmetic.remainder": [(np.array([1.3, -2.1]), np.array([0.7, 0.8])), (x(3), 5.0)],
    "arithmetic.pow": [
        (positive(2, 3), x(3)),
        (x(3), 2),
        (x(3), 3),
        (positive(3), -0.5),
        (2.0, x(3)),
        (z(2), 3),
        (x(2), 0),
    ],
    "arithmetic.neg": [(x(2, 3),)],
    "arithmetic.abs": [(x(2, 3),), (z(3),)],
    "arithmetic.sign": [(x(3),)],
    "arithmetic.exp": [(x(3),), (z(2),)],
    "arithmetic.log": [(positive(3),), (z(2),)],
    "arithmetic.log1p": [(positive(3),)],
    "arithmetic.log2": [(positive(3),)],
    "arithmetic.log10": [(positive(3),)],
    "arithmetic.expm1": [(x(3),)],
    "arithmetic.sqrt": [(positive(3),), (z(2),)],
    "arithmetic.rsqrt": [(positive(3),)],
    "arithmetic.reciprocal": [(x(3),), (z(2),)],
    "arithmetic.square": [(x(3),), (z(2),)],
    "arithmetic.sin": [(x(3),), (z(2),)],
    "arithmetic.cos": [(x(3),), (z(2),)],
    "arithmetic.tan": [(unit(3),)],
    "arithmetic.floor": [(x(3) / 2 + 5.0,)],
    "arithmetic.ceil": [(unit(3),)],
    "arithmetic.round": [(unit(2) / 3,)],
    "arithmetic.clamp": [
        (x(2, 3), -1.0, 1.0),
        (x(3), None, 0.1),
        (x(3), 0.1),
        (apart(2, 3), x(3) - 2, x(2, 1) + 2),
    ],
    "arithmetic.maximum": [(apart(2, 3), apart(3) + 0.03)],
    "arithmetic.minimum": [(apart(2, 3), apart(3) + 0.03)],
    "arithmetic.where": [(mask, x(2, 3), x(3)), (mask, 0.0, x(2, 1)), (mask, x(), 1.0)],
    "arithmetic.conjugate": [(z(3),)],
    "arithmetic.real": [(z(3),)],
    "arithmetic.imag": [(z(3),)],
    # ------------------------------------------------------------ activation
    "activation.relu": [(x(2, 3),)],
    "activation.tanh": [(x(2, 3),), (z(2),)],
    "activation.sigmoid": [(x(2, 3),)],
    "activation.leaky_relu": [(x(2, 3), 0.1)],
    "activation.softplus": [(x(2, 3), 2.0), (x(3), 1.0, 0.1)],
    "activation.silu": [(x(2, 3),)],
    "activation.elu": [(x(2, 3), 0.7)],
    "activation.gelu_tanh": [(x(2, 3),)],
    "activation.gelu_erf": [(x(2, 3),)],
    "activation.softmax": [(x(2, 3), 1), (x(2, 3), 0), (x(3), -1)],
    "activation.log_softmax": [(x(2, 3), 1), (x(2, 3), 0)],
    "activation.hardtanh": [(x(3),)],
    "activation.hardsigmoid": [(x(3) * 3,)],
    "activation.hardswish": [(x(3) * 3,)],
    "activation.hardshrink": [(x(3),)],
    "activation.softshrink": [(x(3),)],
    "activation.threshold": [(x(3), 0.1, 5.0)],
    "activation.selu": [(x(3),)],
    "activation.celu": [(x(3), 0.7)],
    "activation.mish": [(x(3),)],
    "activation.softsign": [(x(3),)],
    "activation.logsigmoid": [(x(3),)],
    "activation.prelu": [(x(2, 3), x(1)), (x(2, 3, 2), x(3)), (x(3), x(1))],
    "activation.dropout": [(x(2, 3), mask * 2.0)],
    # ------------------------------------------------------------ indexing
    "indexing.getitem": [
        (x(3, 4), (slice(None), 1)),
        (x(3, 4), rows),
        (x(2, 3), mask),
        (x(3, 4), (None, ..., slice(1, None, 2))),
    ],
    "indexing.put": [(x(3, 4), rows, (3, 4)), (x(2), (0, slice(0, 2)), (2, 3))],
    "indexing.setitem": [
        (x(3, 4), x(4), 1),
        (x(2, 3), x(), mask),
        (x(3, 4), x(2, 4), np.array([0, 2])),
        (x(3, 4), 0.0, slice(1, None)),
    ],
    "indexing.gather": [(x(3, 4), 1, ints(3, 2, below=4)), (x(3, 4), 0, ints(2, 4, below=3))],
    "indexing.scatter": [
        (x(3, 4), 1, np.array([[0, 2], [3, 1], [1, 0]]), x(3, 2)),
        (x(3, 4), 0, np.array([[0, 2], [1, 0]]), x(2, 3)),
        (x(3, 4), 0, np.array([[0, 2]]), 2.0),
    ],
    "indexing.scatter_add": [(x(3, 4), 0, np.array([[0, 2], [0, 1]]), x(2, 3))],
    "indexing.scatter_along": [(x(3, 2), ints(3, 2, below=4), 1, (3, 4))],
    "indexing.embedding": [(ints(2, 3, below=5), x(5, 2)), (ints(4, below=2), x(3, 2), 2, False)],
    "indexing.index_select": [(x(3, 4), 0, rows), (x(3, 4), -1, rows)],
    # ------------------------------------------------------------ einsum
    "einsum.contraction": [
        ("ij,jk->ik", x(2, 3), x(3, 2)),
        ("ij->j", x(2, 3)),
        ("ijk,k,il->lj", x(2, 3, 2), x(2), x(2, 2)),
        ("ij,ij->ij", x(1, 3), x(2, 3)),
        ("ij,k->", x(2, 2), x(3)),
        ("ij,jk->ik", z(2, 2), z(2, 2)),
    ],
    # ------------------------------------------------------------ linear
    "linear.linear": [
        (x(2, 3), x(4, 3), x(4)),
        (x(3), x(4, 3)),
        (x(2, 2, 3), x(4, 3), x(4)),
        (x(2, 3), x(3)),
    ],
    "linear.matmul": [
        (x(2, 3), x(3, 4)),
        (x(3), x(3)),
        (x(2, 3), x(3)),
        (x(3), x(3, 2)),
        (x(2, 1, 2, 3), x(3, 3, 2)),
        (x(2, 2, 3), x(3)),
        (x(3), x(2, 3, 2)),
        (z(2, 2), z(2, 2)),
    ],
    # ------------------------------------------------------------ loss
    "loss.mse": [(x(2, 3), x(2, 3)), (x(2, 3), x(3), "sum"), (x(3), x(3), "none")],
    "loss.l1": [(x(2, 3), x(2, 3) + 5), (x(3), x(3) + 5, "sum"), (x(3), x(3) + 5, "none")],
    "loss.cross_entropy_indices": [
        (x(4, 3), ints(4, below=3)),
        (x(4, 3), ints(4, below=3), np.array([0.5, 1.0, 2.0]), 1, "mean", 0.1),
        (x(2, 3, 2), ints(2, 2, below=3), None, -100, "none"),
        (x(3), ints(below=3), None, -100, "sum"),
    ],
    "loss.nll": [
        (x(4, 3), ints(4, below=3)),
        (x(4, 3), ints(4, below=3), np.array([0.5, 1.0, 2.0]), 1, "sum"),
        (x(2, 3, 2), ints(2, 2, below=3), None, -100, "none"),
    ],
    "loss._bce": [(unit(2, 3), unit(2, 3))],
    "loss._bce_logits": [
        (x(2, 3), unit(2, 3), None, None),
        (x(2, 3), unit(2, 3), np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 2.0])),
    ],
    "loss.huber": [(x(2, 3), x(2, 3), 0.7)],
    "loss.kl": [(x(2, 3), unit(2, 3), False), (x(2, 3), x(2, 3), True)],
    # ------------------------------------------------------------ normalization
    "normalization.layer_norm": [(x(2, 3), (3,), x(3), x(3)), (x(2, 2, 3), (2, 3))],
    "normalization.rms_norm": [(x(2, 3), (3,), x(3)), (x(2, 3), (3,), None, 0.1)],
    # ------------------------------------------------------------ reduction
    "reduction.sum": [(x(2, 3),), (x(2, 3), 1), (x(2, 3), (0, 1), True), (x(),), (z(2, 2), 0)],
    "reduction.mean": [(x(2, 3),), (x(2, 3), -1), (x(2, 3, 2), (0, 2), True)],
    "reduction.prod": [(x(2, 3),), (x(2, 3), 1), (np.array([0.0, 1.5, -0.7]), 0, True)],
    "reduction.amax": [(apart(2, 3),), (apart(2, 3), 1), (apart(2, 3), (0, 1), True)],
    "reduction.amin": [(apart(2, 3),), (apart(2, 3), 0)],
    "reduction.max_along": [(apart(2, 3), 1), (apart(2, 3), 0, True)],
    "reduction.min_along": [(apart(2, 3), 1), (apart(2, 3), 0, True)],
    "reduction.var": [(x(2, 3),), (x(2, 3), 1), (x(2, 3), (0, 1), 0, True)],
    "reduction.cumsum": [(x(2, 3), 1), (x(2, 3), 0)],
    "reduction.logsumexp": [(x(2, 3), 1), (x(2, 3), (0, 1), True)],
    # ------------------------------------------------------------ shape
    "shape.reshape": [(x(2, 3), (3, -1)), (x(1), ())],
    "shape.view": [(x(2, 3), (6,))],
    "shape.transpose": [(x(2, 3), 0, -1)],
    "shape.permute": [(x(2, 3, 2), (2, 0, -2))],
    "shape.unsqueeze": [(x(2, 3), -1)],
    "shape.squeeze": [(x(2, 1, 3, 1),), (x(2, 1, 3, 1), 1)],
    "shape.expand": [(x(2, 1), (3, 2, 4)), (x(), (2,))],
    "shape.sum_to": [(x(3, 2, 4), (2, 1))],
    "shape.cast": [(x(2, 3), np.dtype("complex128"))],
    "shape.clone": [(x(2, 3),)],
    "shape.contiguous": [(x(3, 2).T,)],
    "shape.alias": [(x(2, 3),)],
    "shape.narrow": [(x(2, 4), 1, 1, 2), (x(2, 4), -1, -3, 2)],
    "shape.diagonal": [(x(3, 4),), (x(3, 2, 4), 1, 0, -1), (x(2, 3), -1)],
    "shape.diagonal_of": [(x(3), (3, 4), 1), (x(2, 3), (3, 2, 4), 0, 0, 2)],
    "shape.constant_pad": [(x(2, 3), (1, 2), 0.5), (x(2, 3), (-1, 1, 0, 2))],
    "shape.pad_zeros": [(x(2, 2), (2, 4), 1, 1)],
    "shape._cat": [(0, x(2, 3), x(1, 3)), (-1, x(2, 1), x(2, 2))],
    "shape.flip": [(x(2, 3), (0, -1))],
    "special.erf": [(x(3) * 2,)],
    # ------------------------------------------------------------ outside labtorch.ops
    "inplace.copy_slices": [
        (
            x(3, 4),
            x(2),
            (
                (shape.transpose, (0, 1)),
                (shape.narrow, (0, 1, 1)),
                (shape.squeeze, (0,)),
                (shape.narrow, (0, 0, 2)),
            ),
        )
    ],
}
