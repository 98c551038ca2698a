"""What `step()` and `validate()` return, as numbers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST = 12  # metrics that are kept and drawn
FALLING = ("loss", "error", "err", "mse", "mae", "rmse", "perplexity", "nll", "cost")


def numbers(result: Any, giver: str) -> dict[str, float]:
    """`result` as {name: number}; one that is a number alone is the loss.

    Raises TypeError, in words for the learner, where it is neither, or where a dict that `step()`
    returned has no loss in it.
    """
    if not isinstance(result, Mapping):
        return {"loss": _number(result, "loss", giver)}
    if giver == "step()" and "loss" not in result:
        given = ", ".join(repr(str(name)) for name in result) or "nothing"
        raise TypeError(f'step() returned a dict without "loss" in it (it has {given})')
    order = sorted(result.items(), key=lambda item: item[0] != "loss")  # the loss comes first
    return {str(name)[:60]: _number(value, str(name), giver) for name, value in order[:MOST]}


def _number(value: Any, name: str, giver: str) -> float:
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError):
        what = f"a {type(value).__name__}" if value is not None else "None"
        shape = getattr(value, "shape", None)
        shaped = f" of shape {list(shape)}" if shape is not None else ""
        raise TypeError(
            f"{giver} gave {what}{shaped} for '{name}': it has to return a number or a tensor of "
            "one element, or a dict of them by name"
        ) from None


def falls(name: str) -> bool:
    """Is less of this metric better? Of losses and errors; of an accuracy, more is."""
    words = name.lower().replace("-", "_").replace(" ", "_").split("_")
    return any(word in FALLING or word.endswith("loss") for word in words)
