"""The global stream of random numbers, under PyTorch's path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labtorch.tensor.random import (
    _of_device,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)

__all__ = [
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]


@contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **options: Any) -> Iterator[None]:
    """Draw what you like inside: afterwards the streams, of GPUs too, go on where they were."""
    state = get_rng_state() if enabled else None
    used = dict(_of_device) if enabled else {}
    states = {index: each.get_state() for index, each in used.items()}
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)
        for index, each in used.items():
            each.set_state(states[index])
