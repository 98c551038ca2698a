"""The one signed colour scale: orange below zero, blue above, the same zero everywhere.

Gradients span many orders of magnitude, so their scale is symmetric-logarithmic, and fixed: a
bar of one length means one size in every node, every step and every notebook.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

PALETTE = json.loads(Path(__file__).with_name("palette.json").read_text(encoding="utf-8"))


def signed(value: float, limit: float, theme: str = "light") -> str:
    """The colour of `value` where `limit` (> 0) is the largest magnitude shown, as "#rrggbb".

    Values beyond the limit take the limit's colour.
    """
    share = max(-1.0, min(1.0, value / limit)) if limit > 0 else 0.0
    end = PALETTE["positive"] if share > 0 else PALETTE["negative"]
    return mix(PALETTE["zero"][theme], end, abs(share))


def symlog(value: float) -> float:
    """`value` on the gradients' scale, in [-1, 1]: 0 below the threshold, ±1 at the limit."""
    threshold, limit = PALETTE["symlog"]["threshold"], PALETTE["symlog"]["limit"]
    share = math.log1p(abs(value) / threshold) / math.log1p(limit / threshold)
    return math.copysign(min(share, 1.0), value)


def mix(start: str, end: str, share: float) -> str:
    """The colour at `share` of the way from `start` to `end`, per channel."""
    pairs = ((int(start[i : i + 2], 16), int(end[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
