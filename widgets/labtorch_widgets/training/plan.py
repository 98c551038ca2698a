"""What there is to do: steps or epochs, with which batches, validated when."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice, repeat
from typing import Any

EPOCH_OVER = "the epoch is over"
UNPLANNED = 100  # steps between two validations of a training without an end


@dataclass(frozen=True)
class Plan:
    """The arguments of `train` that say how long; ValueError and TypeError where they conflict."""

    steps: int | None = None
    batches: Iterable[Any] | None = None
    epochs: int | None = None
    steps_per_epoch: int | None = None
    validate: Callable[[], Any] | None = None
    every: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "epochs", "steps_per_epoch", "every"):
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < 1:
                raise ValueError(f"{name} must be a positive number or None, not {value!r}")
        if self.steps is not None and self.epochs is not None:
            raise ValueError("give either steps or epochs, not both")
        if self.batches is not None and not hasattr(self.batches, "__iter__"):
            raise TypeError(f"batches must be something to iterate over, not {self.batches!r}")
        if self.epochs is not None and self.batches is None and self.steps_per_epoch is None:
            raise ValueError("epochs need batches=, or steps_per_epoch= to say how long one is")
        if self.validate is not None and not callable(self.validate):
            raise TypeError(f"validate must be a function of no arguments, not {self.validate!r}")
        if self.every is not None and self.validate is None:
            raise ValueError("every says how often to validate: give validate= as well")

    @property
    def in_epochs(self) -> bool:
        return self.batches is not None or self.steps_per_epoch is not None

    @property
    def length(self) -> int | None:
        """Steps in an epoch, where that is known before one has been done."""
        lengths = [] if self.steps_per_epoch is None else [int(self.steps_per_epoch)]
        if self.batches is not None:
            try:
                lengths.append(len(self.batches))  # type: ignore[arg-type]
            except TypeError:
                return None
        return min(lengths) if lengths else None

    @property
    def total(self) -> int | None:
        """Steps in all, where that is known."""
        if self.steps is not None:
            return int(self.steps)
        return None if self.epochs is None or self.length is None else self.epochs * self.length

    def feed(self) -> Iterator[tuple[Any, ...] | str]:
        """The arguments of every step to come, and EPOCH_OVER after the last one of an epoch.

        The next epoch's batches are asked for only after that, as in a loop written by hand: a
        validation in between draws the same random numbers.
        """
        left = self.steps if self.steps is not None else float("inf")
        for epoch in count() if self.epochs is None else range(self.epochs):
            done = 0
            for arguments in self._epoch():
                yield arguments
                done += 1
                left -= 1
                if left <= 0:
                    break
            if not done:
                raise ValueError(
                    "batches gave no batch"
                    + (
                        f" in epoch {epoch + 1}: an iterator can be gone through only once; give "
                        "a list or a DataLoader"
                        if epoch
                        else ""
                    )
                )
            if self.in_epochs and (left > 0 or done == self.length):
                yield EPOCH_OVER
            if left <= 0:
                return

    def _epoch(self) -> Iterator[tuple[Any, ...]]:
        if self.batches is not None:
            return ((batch,) for batch in islice(self.batches, self.steps_per_epoch))
        return repeat((), self.steps_per_epoch) if self.steps_per_epoch else repeat(())

    def validates(self, done: int, epoch_over: bool) -> bool:
        """Is it time to validate, after `done` steps?"""
        if self.validate is None:
            return False
        if self.every is None and self.in_epochs:
            return epoch_over
        every = self.every or (max(1, self.steps // 10) if self.steps else UNPLANNED)
        return not epoch_over and done % every == 0
