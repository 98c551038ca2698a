"""What is made when it is looked at.

A view of a graph of thousands of nodes shows some dozens; the summaries of the others would be made
for nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


class LazyRow(Mapping[str, Any]):
    """One element of each of several columns, made plain by `plain` when it is asked for."""

    __slots__ = ("_columns", "_at", "_plain")

    def __init__(self, columns: dict[str, list], at: int, plain: Callable[[Any], Any]) -> None:
        self._columns, self._at, self._plain = columns, at, plain

    def __getitem__(self, name: str) -> Any:
        return self._plain(self._columns[name][self._at])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
