"""Nested tuples, lists and dicts as a list of their leaves, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def flatten(tree: Any) -> tuple[list, Callable[[list], Any]]:
    """The leaves in order, and what builds the same structure from other leaves."""
    leaves: list[Any] = []
    build = _take_apart(tree, leaves)
    return leaves, lambda values: build(iter(values))


def _take_apart(tree: Any, leaves: list) -> Callable:
    if isinstance(tree, dict):
        parts = {key: _take_apart(value, leaves) for key, value in tree.items()}
        mapping = type(tree)
        return lambda values: mapping((key, part(values)) for key, part in parts.items())
    if isinstance(tree, (tuple, list)):
        several = [_take_apart(value, leaves) for value in tree]
        kind = type(tree)
        if hasattr(tree, "_fields"):  # a named tuple
            return lambda values: kind(*[part(values) for part in several])
        return lambda values: kind([part(values) for part in several])
    leaves.append(tree)
    return next


def spread(prefix: Any, tree: Any) -> list:
    """`prefix`, a structure that is `tree`'s at its top, as one value for each leaf of `tree`.

    Where the prefix ends, its value holds for all that is below. Raises ValueError if it does not
    fit.
    """
    if isinstance(prefix, dict) and isinstance(tree, dict) and prefix.keys() == tree.keys():
        return [leaf for key in tree for leaf in spread(prefix[key], tree[key])]
    if isinstance(prefix, (tuple, list)):
        if isinstance(tree, (tuple, list)) and len(prefix) == len(tree):
            return [leaf for a, b in zip(prefix, tree) for leaf in spread(a, b)]
        raise ValueError
    if isinstance(prefix, dict):
        raise ValueError
    return [prefix] * len(flatten(tree)[0])
