"""Where an epoch of a DataLoader is, so that another process can go on from there.

The order of an epoch is not kept: it is drawn again, from the random states in which it began.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np

from labtorch.tensor.random import Generator, get_rng_state, set_rng_state
from labtorch.tensor.tensor import Tensor


class Position:
    """The batches that an epoch has handed out, and the random states in which it began."""

    def __init__(self, generators: list[Generator]) -> None:
        self.generators = generators
        self.batches = 0
        self.begun: list[Tensor] = []
        self.workers: dict[int, tuple] = {}  # the random states of workers, by their number

    def begin(self) -> None:
        self.begun = [each.get_state() for each in self.generators]

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draw inside as at the beginning of the epoch; the streams outside stay where they are."""
        now = [each.get_state() for each in self.generators]
        try:
            for each, state in zip(self.generators, self.begun):
                each.set_state(state)
            yield
        finally:
            for each, state in zip(self.generators, now):
                each.set_state(state)

    def state_dict(self) -> dict[str, Any]:
        """Numbers and tensors only. The first generator is the global one: its owner saves it."""
        return {
            "batches": self.batches,
            "begun": list(self.begun),
            "generators": [each.get_state() for each in self.generators[1:]],
            "workers": dict(self.workers),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a saved position, and set the generators of the loader's own."""
        names = {"batches", "begun", "generators", "workers"}
        if not isinstance(state, Mapping) or set(state) != names:
            raise ValueError(
                f"a DataLoader's state is a dict of {', '.join(sorted(names))}, as its "
                "state_dict() returns it"
            )
        batches, begun, own = state["batches"], state["begun"], state["generators"]
        if not (isinstance(begun, list) and isinstance(own, list)):
            raise ValueError("begun and generators are lists of random states")
        if not isinstance(state["workers"], dict):
            raise ValueError("workers is a dict of random states by the numbers of workers")
        if type(batches) is not int or batches < 0:
            raise ValueError(f"batches is a count, not {batches!r}")
        many = len(self.generators)
        if len(own) != many - 1 or len(begun) not in ((many,) if batches else (0, many)):
            raise ValueError(
                f"the state is of a DataLoader with {len(own)} generators of its own; this one has "
                f"{many - 1}"
            )
        for generator, each in (*zip(self.generators, begun), *zip(self.generators[1:], own)):
            Generator(generator.device).set_state(each)  # refuses what is no state
        for number, each in state["workers"].items():
            if type(number) is not int or number < 0:
                raise ValueError(f"a worker's number is a count, not {number!r}")
            check_random_states(each)
        for generator, each in zip(self.generators[1:], own):
            generator.set_state(each)
        self.batches, self.begun = batches, list(begun)
        self.workers = dict(state["workers"])


def random_states() -> tuple:
    """The states of Python's, NumPy's and labtorch's streams: numbers, strings and a tensor."""
    kind, keys, *rest = cast(tuple, np.random.get_state())
    return random.getstate(), (kind, keys.tolist(), *rest), get_rng_state()


def set_random_states(states: tuple) -> None:
    """Go on from what `random_states` returned, in this process or another."""
    check_random_states(states)
    random.setstate(states[0])
    np.random.set_state(states[1])
    set_rng_state(states[2])


def check_random_states(states: Any) -> None:
    """Raise ValueError if these are not three random states; nothing is changed."""
    try:
        python, (kind, keys, at, gauss, cached), own = states
        random.Random().setstate(python)
        if not 0 <= at <= 624:  # NumPy would read outside
            raise ValueError(f"position {at} of 624")
        np.random.RandomState().set_state((kind, keys, at, gauss, cached))
        Generator().set_state(own)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"these are no random states of a worker: {error}") from None
