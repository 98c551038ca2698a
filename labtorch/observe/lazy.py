"""A sequence whose elements are made when they are looked at.

A view of a graph of thousands of nodes shows some dozens; the summaries of the others would be made
for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any


class Lazy(Sequence[Any]):
    """`size` elements, the one at i by make(i); each is made once."""

    def __init__(self, size: int, make: Callable[[int], Any]) -> None:
        self._made: list[Any] = [None] * size
        self._make = make

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        found = self._made[at]
        if found is None:
            found = self._made[at] = self._make(range(len(self))[at])
        return found

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))
