"""Which function translates which op; the files in `translators` fill the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TRANSLATORS: dict[str, Callable[..., Any]] = {}


def translates(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the translator of the ops of these names.

    It is called with the graph under construction and the op's own arguments, tensors as `Value`s,
    and returns the `Value` of the result; of an op with several results, a tuple.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            if name in TRANSLATORS:
                raise ValueError(f"{name} has a translator already")
            TRANSLATORS[name] = function
        return function

    return declare
