"""Random numbers: generators, seeds, draws. A seed fixes everything, on every run.

Numbers for a GPU are drawn on the GPU: each device has a stream of its own, which `manual_seed`
seeds with the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from labtorch.backend import devices, dtypes, random_state
from labtorch.backend.arrays import namespace
from labtorch.engine.public import deliver
from labtorch.engine.variable import wrap, wrap_new
from labtorch.ops import elementwise
from labtorch.tensor.creation import _like, _shape
from labtorch.tensor.tensor import Tensor

SEED = 67280421310721  # where nobody seeds


class Generator:
    """A stream of random numbers of its own, with a state that can be saved and restored.

    It draws on its device: PCG64 on the CPU, Philox on a GPU.
    """

    numpy: Any  # what draws: a numpy.random.Generator, or a Stream with its names

    def __init__(self, device: Any = "cpu") -> None:
        self.device = devices.device(device)
        self._seed = 0
        if self.device.type != "cpu":
            from labtorch.backend.cuda.random import Stream

            lib = devices.library(self.device)
            with devices.entered(self.device):
                self.numpy = Stream(lib, SEED)
        self.manual_seed(SEED)

    def manual_seed(self, seed: int) -> Generator:
        number = int(seed)
        if not -(2**63) <= number < 2**64:
            raise ValueError("Overflow: a seed is at least -2**63 and less than 2**64")
        self._seed = number
        if self.device.type == "cpu":
            self.numpy = np.random.Generator(np.random.PCG64(abs(number)))
        else:
            with devices.entered(self.device):
                self.numpy.set_state(number, 0)
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
        if self.device.type != "cpu":
            return self._device_state()
        return wrap(np.frombuffer(random_state.encoded(self._seed, self.numpy), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> Generator:
        """Go on from what `get_state` gave; anything else leaves the generator as it is."""
        if not isinstance(new_state, Tensor) or new_state.dtype is not dtypes.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor, as get_state() returns it")
        if self.device.type != "cpu":
            return self._set_device_state(new_state)
        self._seed, self.numpy = random_state.decoded(new_state.cpu()._array.tobytes())
        return self

    def _device_state(self) -> Tensor:
        """Seed and counter, eight bytes each, as PyTorch has it."""
        with devices.entered(self.device):
            pair = np.array(self.numpy.state(), np.uint64)
        return wrap(pair.astype("<u8").view(np.uint8))

    def _set_device_state(self, state: Tensor) -> Generator:
        raw = state._array
        if not isinstance(raw, np.ndarray) or raw.dtype != np.uint8 or raw.size != 16:
            raise RuntimeError(
                "the state of a generator on a GPU is 16 bytes (uint8) on the CPU, as get_state() "
                f"gives it, not {raw.size} elements of {raw.dtype.name} on {state.device}"
            )
        key, counter = np.ascontiguousarray(raw).view("<u8").tolist()
        self._seed = key
        with devices.entered(self.device):
            self.numpy.set_state(key, counter)
        return self


default_generator = Generator()
_of_device: dict[int, Generator] = {}  # the streams of the GPUs, by number, once used


def device_generator(where: Any = None) -> Generator:
    """The stream of a GPU that draws are taken from which are given none."""
    index = devices.index(where)
    found = _of_device.get(index)
    if found is None:
        found = Generator(devices.device("cuda", index))
        _of_device[index] = found.manual_seed(default_generator.initial_seed())
    return found


def manual_seed(seed: int) -> Generator:
    """Seed every random draw, on every device, that is not given a generator of its own."""
    for each in _of_device.values():
        each.manual_seed(seed)
    return default_generator.manual_seed(seed)


def seed() -> int:
    drawn = default_generator.seed()
    for each in _of_device.values():
        each.manual_seed(drawn)
    return drawn


def initial_seed() -> int:
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    return default_generator.get_state()


def set_rng_state(state: Tensor) -> None:
    default_generator.set_state(state)


def _stream(generator: Generator | None, where: Any = None) -> Any:
    """What draws on a device: `generator`, if one is given, else that of the device."""
    where = devices.default() if where is None else devices.device(where)
    kind = "cpu" if where is None else where.type
    if generator is None:
        return default_generator.numpy if kind == "cpu" else device_generator(where).numpy
    if generator.device.type != kind:
        raise RuntimeError(
            f"Expected a '{kind}' device type for generator but found '{generator.device.type}'"
        )
    return generator.numpy


def stream_like(array: Any, generator: Generator | None = None) -> Any:
    """What draws on the device that holds `array`."""
    return _stream(generator, devices.of_array(array))


def _drawn(draw: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """`draw()`, on a device, as a tensor."""
    kind = dtypes.as_numpy(dtype) or dtypes.get_default_dtype().numpy
    where = devices.default() if device is None else devices.device(device)
    if where is None or where.type == "cpu":
        array = np.asarray(draw()).astype(kind, copy=False)
    else:
        with devices.entered(where):
            array = draw().astype(kind, copy=False)
    out: Tensor = wrap_new(array)
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
    return _drawn(
        lambda: _stream(generator, device).random(_shape(size), dtype=_floats(dtype)),
        dtype,
        device,
        requires_grad,
    )


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
    return _drawn(
        lambda: _stream(generator, device).standard_normal(_shape(size), dtype=_floats(dtype)),
        dtype,
        device,
        requires_grad,
    )


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
    return _drawn(
        lambda: _stream(generator, device).integers(low, high, _shape((size,))),
        dtype or dtypes.int64,
        device,
        requires_grad,
    )


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
    return _drawn(
        lambda: _stream(generator, device).permutation(n),
        dtype or dtypes.int64,
        device,
        requires_grad,
    )


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
    negative = arrays[1] < 0
    if negative.any() if hasattr(negative, "any") else negative:
        raise RuntimeError("normal expects all elements of std >= 0.0")
    shapes = [getattr(a, "shape", ()) for a in arrays]
    shape = np.broadcast_shapes(*shapes) if size is None else _shape((size,))
    device = next((x.device for x in (mean, std) if isinstance(x, Tensor)), options.get("device"))
    dtype = next(
        (x.dtype for x in (mean, std) if isinstance(x, Tensor)), options.pop("dtype", None)
    )

    def draw() -> Any:
        z = _stream(generator, device).standard_normal(shape, dtype=_floats(dtype))
        return z * arrays[1] + arrays[0]

    return _drawn(draw, dtype, device, False)


def bernoulli(input: Tensor, *, generator: Generator | None = None, out: Any = None) -> Tensor:
    """1 with probability input, else 0."""
    if out is not None:
        return deliver("bernoulli", lambda: bernoulli(input, generator=generator), (input,), out)
    p = input._array
    if p.size and not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    drawn = _drawn(
        lambda: stream_like(p, generator).random(p.shape), dtypes.float64, input.device, False
    )
    return elementwise.bernoulli(input, drawn)


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
    lib = namespace(input._array)
    weights = lib.atleast_2d(input._array).astype(np.float64)
    if (weights < 0).any() or not lib.isfinite(weights).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement and num_samples > (weights > 0).sum(1).min():
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    stream = stream_like(weights, generator)
    if replacement:
        edges = lib.cumsum(weights, 1)
        draws = stream.random((len(weights), num_samples)) * edges[:, -1:]
        picked = lib.stack([lib.searchsorted(e, d, side="right") for e, d in zip(edges, draws)])
    else:  # the exponential race: the n first arrivals
        with np.errstate(divide="ignore"):
            arrivals = stream.standard_exponential(weights.shape) / weights
        picked = lib.argsort(arrivals, 1)[:, :num_samples]
    picked = picked.astype(np.int64)
    return wrap(picked if input.ndim == 2 else picked[0])
