"""Amounts that colour the boxes: where the time, the memory, the arithmetic and the signal are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..shared.numbers import plain
from .fold import Folded, Outline

Amount = Callable[[Any, Any], float | None]  # of a node and its row


def _seconds(_: Any, row: Any) -> float | None:
    spent = [row["forward_seconds"], row["backward_seconds"]]
    known = [each for each in spent if each is not None]
    return sum(known) if known else None


def _statistic(of: str, name: str) -> Amount:
    def amount(_: Any, row: Any) -> float | None:
        summary = row[of]
        return None if summary is None else summary[name]

    return amount


# What is summed over all that a closed module holds; the rest is of the tensor that it returns.
SUMS: dict[str, Amount] = {
    "time": _seconds,
    "memory": lambda node, _: node["nbytes"],
    "flops": lambda node, _: node["flops"],
}
STATISTICS: dict[str, Amount] = {
    "norm": _statistic("value", "norm"),
    "std": _statistic("value", "std"),
    "gradient": _statistic("grad", "norm"),
}
MEASURES = (*SUMS, *STATISTICS)


def overlay(by: str, outline: Outline, folded: Folded, row: Callable[[int], Any]) -> dict[str, Any]:
    """How much each item has of what is measured, from 0 (least) to 1 (most), and the numbers.

    Sums are shared out linearly, from zero; norms, which span orders of magnitude, by their
    logarithm.
    """
    amounts: dict[str, float | None] = {item.key: None for item in folded.items}
    if by in SUMS:
        amount = SUMS[by]
        for node in outline.nodes:
            one = amount(node, row(node["id"])) if node["kind"] == "op" or by == "memory" else None
            if one is not None:
                key = folded.owner[node["id"]]
                amounts[key] = (amounts[key] or 0) + one
    else:
        for item in folded.items:
            if item.node is not None:
                node = outline.nodes[item.node]
                amounts[item.key] = STATISTICS[by](node, row(item.node))
    known = [each for each in amounts.values() if each is not None and math.isfinite(each)]
    low, high = _ends(by, known)
    return plain(
        {
            "by": by,
            "low": low,
            "high": high,
            "total": sum(known) if by in SUMS and known else None,
            "amounts": amounts,
            "shares": {key: _share(by, each, low, high) for key, each in amounts.items()},
        }
    )


def _ends(by: str, known: list[float]) -> tuple[float | None, float | None]:
    if not known:
        return None, None
    if by in SUMS:
        return 0.0, max(known)
    return min((each for each in known if each > 0), default=0.0), max(known)


def _share(by: str, amount: float | None, low: float | None, high: float | None) -> float | None:
    if amount is None or low is None or not high or not math.isfinite(amount):
        return None
    if by in SUMS:
        return amount / high
    if amount <= 0:
        return 0.0
    return math.log(amount / low) / math.log(high / low) if high > low else 1.0
