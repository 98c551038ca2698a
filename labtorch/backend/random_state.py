"""The state of NumPy's PCG64 as bytes of fixed size: numbers, and nothing that could be run."""

from __future__ import annotations

from typing import Any

import numpy as np

MAGIC = b"labtorch PCG64 1"
# bytes of the seed, PCG64's state and increment, a spare uint32, and how many children were spawned
SIZES = (8, 16, 16, 4, 4)
SIZE = len(MAGIC) + sum(SIZES) + 2


def encoded(seed: int, stream: np.random.Generator) -> bytes:
    """Where a stream is that began from `seed`."""
    source: Any = stream.bit_generator
    now = source.state
    inner, spawned = now["state"], source.seed_seq.n_children_spawned
    numbers = (seed % 2**64, inner["state"], inner["inc"], now["uinteger"], spawned)
    raw = b"".join(number.to_bytes(size, "little") for number, size in zip(numbers, SIZES))
    return MAGIC + raw + bytes([seed < 0, now["has_uint32"]])


def decoded(raw: bytes) -> tuple[int, np.random.Generator]:
    """The seed, and a stream that is where the encoded one was; RuntimeError for other bytes."""
    if len(raw) != SIZE or not raw.startswith(MAGIC) or max(raw[-2:]) > 1:
        raise RuntimeError(
            f"RNG state is wrong: {len(raw)} bytes that are not what get_state() of labtorch "
            "returns"
        )
    numbers, at = [], len(MAGIC)
    for size in SIZES:
        numbers.append(int.from_bytes(raw[at : at + size], "little"))
        at += size
    seed, state, increment, spare, spawned = numbers
    if not increment % 2:
        raise RuntimeError("RNG state is wrong: its increment is even, and PCG64's never is")
    seed -= raw[-2] << 64
    source = np.random.SeedSequence(abs(seed), n_children_spawned=spawned)
    stream = np.random.Generator(np.random.PCG64(source))
    stream.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": state, "inc": increment},
        "has_uint32": raw[-1],
        "uinteger": spare,
    }
    return seed, stream
