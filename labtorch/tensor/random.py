"""Random numbers: generators, seeds, draws. A seed fixes everything, on every run."""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend import devices, dtypes, random_state
from labtorch.engine.public import deliver
from labtorch.engine.variable import wrap, wrap_new
from labtorch.ops import elementwise
from labtorch.tensor.creation import _like, _shape
from labtorch.tensor.tensor import Tensor


class Generator:
    """A stream of random numbers of its own, with a state that can be saved and restored."""

    def __init__(self, device: Any = "cpu") -> None:
        self.device = devices.device(device)
        self._seed = 0
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> Generator:
        number = int(seed)
        if not -(2**63) <= number < 2**64:
            raise ValueError("Overflow: a seed is at least -2**63 and less than 2**64")
        self._seed = number
        self.numpy = np.random.Generator(np.random.PCG64(abs(self._seed)))
        return self

    def initial_seed(self) -> int:
        return self._seed

    def seed(self) -> int:
        """Seed from the system's entropy, and say with what."""
        drawn = int(np.random.SeedSequence().entropy) % (1 << 63)  # type: ignore[arg-type]
        self.manual_seed(drawn)
        return drawn

    def get_state(self) -> Tensor:
        """Where the stream is, as bytes."""
        return wrap(np.frombuffer(random_state.encoded(self._seed, self.numpy), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on from what `get_state` gave; anything else leaves the generator as it is."""
        if not isinstance(new_state, Tensor) or new_state.dtype is not dtypes.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor, as get_state() returns it")
        self._seed, self.numpy = random_state.decoded(new_state.cpu()._array.tobytes())
        return self


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed every random draw that is not given a generator of its own."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    return default_generator.seed()


def initial_seed() -> int:
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    default_generator.set_state(state)


def _stream(generator: Generator | None) -> np.random.Generator:
    return (generator or default_generator).numpy


def _drawn(array: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    kind = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
    array = np.asarray(array).astype(kind, copy=False)
    where = devices.default() if device is None else devices.device(device)
    out: Tensor = wrap_new(array if where is None else devices.move(array, where))
    if requires_grad:
        out.requires_grad = True
    return out


def _floats(dtype: Any) -> Any:
    """The dtype in which to draw: NumPy draws float32 and float64."""
    kind = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
    return kind if kind in (np.float32, np.float64) else np.dtype(np.float64)


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """Uniform on [0, 1)."""
    array = _stream(generator).random(_shape(size), dtype=_floats(dtype))
    return _drawn(array, dtype, device, requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Normal with mean 0 and variance 1."""
    size = (named["size"],) if "size" in named else size
    array = _stream(generator).standard_normal(_shape(size), dtype=_floats(dtype))
    return _drawn(array, dtype, device, requires_grad)


def randint(
    *bounds: Any,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    layout: Any = None,
    **named: Any,
) -> Tensor:
    """Integers from low (0 unless given) up to but without high: randint(low, high, size)."""
    parts = [*bounds]
    size = named.get("size", parts.pop() if isinstance(parts[-1], (tuple, list)) else None)
    low = named.get("low", parts[0] if len(parts) == 2 else 0)
    high = named.get("high", parts[-1] if parts else None)
    if high is None or size is None:
        raise TypeError("randint() takes (high, size) or (low, high, size)")
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    array = _stream(generator).integers(low, high, _shape((size,)))
    return _drawn(array, dtype or dtypes.int64, device, requires_grad)


def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    out: Any = None,
    layout: Any = None,
    pin_memory: bool = False,
) -> Tensor:
    """The integers 0 .. n-1 in random order."""
    return _drawn(_stream(generator).permutation(n), dtype or dtypes.int64, device, requires_grad)


rand_like, randn_like = _like(rand), _like(randn)


def normal(
    mean: Any,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    **options: Any,
) -> Tensor:
    """Normal draws; means and standard deviations are tensors, or numbers with a size."""
    arrays = [x._array if isinstance(x, Tensor) else x for x in (mean, std)]
    if np.any(np.asarray(arrays[1]) < 0):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    shape = np.broadcast_shapes(*(np.shape(a) for a in arrays)) if size is None else _shape((size,))
    dtype = next(
        (x.dtype for x in (mean, std) if isinstance(x, Tensor)), options.pop("dtype", None)
    )
    draw = _stream(generator).standard_normal(shape, dtype=_floats(dtype))
    return _drawn(draw * arrays[1] + arrays[0], dtype, options.pop("device", None), False)


def bernoulli(input: Tensor, *, generator: Generator | None = None, out: Any = None) -> Tensor:
    """1 with probability input, else 0."""
    if out is not None:
        return deliver("bernoulli", lambda: bernoulli(input, generator=generator), (input,), out)
    p = input._array
    if p.size and not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    return elementwise.bernoulli(input, wrap(np.asarray(_stream(generator).random(p.shape))))


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
    out: Any = None,
) -> Tensor:
    """Draw category indices with probabilities proportional to the rows of `input`."""
    if input.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, not {input.ndim}")
    if not input.is_floating_point():
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {input.dtype}"
        )
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    weights = np.atleast_2d(input._array).astype(np.float64)
    if (weights < 0).any() or not np.isfinite(weights).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement and num_samples > (weights > 0).sum(1).min():
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    stream = _stream(generator)
    if replacement:
        edges = np.cumsum(weights, 1)
        draws = stream.random((len(weights), num_samples)) * edges[:, -1:]
        picked = np.stack([np.searchsorted(e, d, side="right") for e, d in zip(edges, draws)])
    else:  # the exponential race: the n first arrivals
        with np.errstate(divide="ignore"):
            arrivals = stream.standard_exponential(weights.shape) / weights
        picked = np.argsort(arrivals, 1)[:, :num_samples]
    picked = picked.astype(np.int64)
    return wrap(picked if input.ndim == 2 else picked[0])
