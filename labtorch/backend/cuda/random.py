"""Random numbers drawn where they are used: Philox, a stream that is a key and a counter.

A block of the stream is a function of its number alone, so all blocks of a draw are computed at
once, in the same array code on any device, and the state to save is the key and the counter. Both
lie in an array on the device: a captured graph moves the counter on when it is replayed, and so
draws new numbers. (CuPy's own generators have no state that can be read.)

Source: Salmon, Moraes, Dror, Shaw (2011), "Parallel Random Numbers: As Easy as 1, 2, 3",
Philox4x32-10; Box and Muller (1958) for the normal distribution.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

from labtorch.backend.arrays import namespace
from labtorch.backend.fused import fused

_u = np.uint64
LOW, HALF = _u(0xFFFFFFFF), _u(32)
MULTIPLIERS = _u(0xD2511F53), _u(0xCD9E8D57)
WEYL = _u(0x9E3779B9), _u(0xBB67AE85)
ROUNDS = 10


@fused
def _philox(block, key):
    """The four words of each block, as 64-bit integers below 2^32."""
    a, b, c, d = block & LOW, block >> HALF, block & _u(0), block & _u(0)
    left, right = key & LOW, key >> HALF
    for _ in range(ROUNDS):
        p, q = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = (q >> HALF) ^ b ^ left, q & LOW, (p >> HALF) ^ d ^ right, p & LOW
        left, right = (left + WEYL[0]) & LOW, (right + WEYL[1]) & LOW
    return a, b, c, d


@fused
def _floats(words, step, half):
    """The top 24 bits of a word, in [0, 1): times 2^-24."""
    return (words >> half).astype(np.float32) * step


@fused
def _doubles(high, low, step):
    """The top 53 bits of two words, in [0, 1)."""
    bits = ((high << HALF) | low) >> _u(11)
    return bits.astype(np.float64) * step


@fused
def _box_muller(u, v, one, minus_two, turn):
    """Two independent normal numbers of two uniform ones."""
    lib = namespace(u)
    radius = lib.sqrt(lib.log(one - u) * minus_two)
    return radius * lib.cos(v * turn), radius * lib.sin(v * turn)


class Stream:
    """Draws on one device, under the names of `numpy.random.Generator`."""

    def __init__(self, lib: ModuleType, seed: int) -> None:
        self.lib = lib
        self.key = lib.zeros(1, np.uint64)
        self.counter = lib.zeros(1, np.uint64)
        self.set_state(seed, 0)

    def state(self) -> tuple[int, int]:
        """Key and counter; waits for the device."""
        return int(self.key[0]), int(self.counter[0])

    def set_state(self, key: int, counter: int) -> None:
        """Go on from there, in the same memory: what was captured draws from there, too."""
        self.key.fill(key % (1 << 64))
        self.counter.fill(counter % (1 << 64))

    def words(self, n: int) -> Any:
        """The next `n` words: 32 random bits each, in 64-bit integers."""
        blocks = -(-n // 4)
        numbers = self.lib.arange(blocks, dtype=np.uint64) + self.counter
        words = self.lib.stack(_philox(numbers, self.key)).reshape(-1)[:n]
        self.counter += _u(blocks)
        return words

    def random(self, size: Any = None, dtype: Any = np.float64) -> Any:
        """Uniform on [0, 1)."""
        shape = _shape(size)
        n = math.prod(shape)
        if np.dtype(dtype) == np.float32:
            drawn = _floats(self.words(n), np.float32(2**-24), _u(8))
        else:
            words = self.words(2 * n)
            drawn = _doubles(words[:n], words[n:], np.float64(2**-53))
        return drawn.reshape(shape)

    def uniform(self, low: float, high: float, size: Any = None) -> Any:
        return self.random(size) * (high - low) + low

    def standard_normal(self, size: Any = None, dtype: Any = np.float64) -> Any:
        """Mean 0, variance 1."""
        shape, kind = _shape(size), np.dtype(dtype).type
        n = math.prod(shape)
        half = (n + 1) // 2
        u = self.random(2 * half, dtype)
        pair = _box_muller(u[:half], u[half:], kind(1), kind(-2), kind(2 * math.pi))
        return self.lib.concatenate(pair)[:n].reshape(shape)

    def standard_exponential(self, size: Any = None) -> Any:
        return -self.lib.log1p(-self.random(size))

    def gumbel(self, size: Any = None) -> Any:
        return -self.lib.log(self._above_zero(self.standard_exponential(size)))

    def _above_zero(self, x: Any) -> Any:
        return self.lib.maximum(x, np.finfo(x.dtype).tiny)

    def integers(self, low: int, high: int, size: Any = None) -> Any:
        """From low up to but without high; 64 random bits modulo the range."""
        shape = _shape(size)
        words, n = self.words(2 * math.prod(shape)), math.prod(shape)
        bits = (words[:n] << HALF) | words[n:]
        return ((bits % _u(high - low)).astype(np.int64) + low).reshape(shape)

    def lognormal(self, mean: float, sigma: float, size: Any = None) -> Any:
        return self.lib.exp(self.standard_normal(size) * sigma + mean)

    def standard_cauchy(self, size: Any = None) -> Any:
        return self.lib.tan((self.random(size) - 0.5) * math.pi)

    def geometric(self, p: float, size: Any = None) -> Any:
        """Trials until the first success, by inversion."""
        return self.lib.ceil(self._above_zero(self.standard_exponential(size)) / -math.log1p(-p))

    def poisson(self, rates: Any) -> Any:
        return self._of_cupy().poisson(rates, rates.shape)

    def binomial(self, trials: Any, p: Any) -> Any:
        return self._of_cupy().binomial(trials, p, self.lib.broadcast_shapes(trials.shape, p.shape))

    def _of_cupy(self) -> Any:
        """CuPy's generator, for distributions that take rejections, seeded from this stream."""
        high, low = (int(each) for each in self.words(2))  # waits for the device
        draws = self.lib.random
        return draws.Generator(draws.Philox4x3210(high << 32 | low))

    def permutation(self, n: int) -> Any:
        """0 .. n-1 in random order: that of random keys."""
        words = self.words(2 * n)
        return self.lib.argsort((words[:n] << HALF) | words[n:])


def _shape(size: Any) -> tuple[int, ...]:
    if size is None:
        return ()
    return tuple(size) if isinstance(size, (tuple, list)) else (int(size),)
