"""Numbers on their way to the browser: JSON knows no NaN, and four digits are enough to look at."""

from __future__ import annotations

import math
from typing import Any


def number(value: float | None, digits: int = 5) -> float | int | str | None:
    """`value` for JSON: rounded to `digits` significant digits; "nan", "inf", "-inf" as words."""
    if value is None:
        return None
    if isinstance(value, int):
        return value
    if math.isfinite(value):
        return float(f"{value:.{digits}g}")
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def plain(data: Any, digits: int = 5) -> Any:
    """`data` with every number in it made fit for JSON."""
    if isinstance(data, dict):
        return {str(key): plain(item, digits) for key, item in data.items()}
    if isinstance(data, list | tuple):
        return [plain(item, digits) for item in data]
    if isinstance(data, bool) or data is None or isinstance(data, str | int):
        return data
    if isinstance(data, float):
        return number(data, digits)
    return str(data)


def spoken(value: float | str | None, digits: int = 3) -> str:
    """`value` as people read it: a true minus sign, no exponent where a few zeros will do."""
    if value is None:
        return ""
    if isinstance(value, str) or not math.isfinite(value):
        return {"nan": "NaN", "inf": "∞", "-inf": "−∞"}[str(value)]
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")


def shape_text(shape: list[int]) -> str:
    """A shape as edges show it: "64 × 10"; a scalar has no sides, which is said with a word."""
    return " × ".join(map(str, shape)) if shape else "()"
