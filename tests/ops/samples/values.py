"""Random values that keep clear of kinks and poles."""

from __future__ import annotations

import numpy as np

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
