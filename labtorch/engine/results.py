"""Results with named fields: `torch.return_types.max(values=..., indices=...)`."""

from __future__ import annotations

from collections import namedtuple
from functools import cache


@cache
def return_type(function: str, fields: tuple[str, ...]) -> type:
    """The tuple type that `function` returns."""

    def describe(self: tuple) -> str:
        lines = ",\n".join(f"{name}={value!r}" for name, value in zip(fields, self))
        return f"torch.return_types.{function}(\n{lines})"

    base = namedtuple(function, fields)  # type: ignore[misc]  # the fields are the caller's
    return type(function, (base,), {"__slots__": (), "__repr__": describe})
