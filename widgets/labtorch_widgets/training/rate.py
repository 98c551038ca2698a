"""Learning rates as people type them."""

from __future__ import annotations

import math
from typing import Any

from ..shared.words import word


def parse(value: Any, lang: str | None = None) -> float:
    """`value` as a learning rate.

    Raises ValueError, in words for the learner, unless it is a finite number above zero.
    """
    try:
        if isinstance(value, bool):
            raise ValueError
        rate = float(value)
    except (TypeError, ValueError):
        raise ValueError(word("rate.not_a_number", lang, value=repr(value))) from None
    if math.isnan(rate):
        raise ValueError(word("rate.not_a_number", lang, value=repr(value)))
    if math.isinf(rate):
        raise ValueError(word("rate.infinite", lang))
    if rate <= 0:
        raise ValueError(word("rate.not_positive", lang, value=f"{rate:g}"))
    return rate
