"""From losses on a grid to a map: bands between even levels, in one colour from deep to high."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..shared.colour import mix
from ..shared.numbers import number

WIDTH, HEIGHT = 600, 400  # the map's own units, the browser's and the still's
BANDS = 14
# ColorBrewer's YlGnBu, from deep water to the heights: told apart by colour-blind eyes, and in grey
RAMP = ("#0c2c84", "#225ea8", "#1d91c0", "#41b6c4", "#7fcdbb", "#c7e9b4", "#ffffd9")


def colour(share: float) -> str:
    """The colour at `share` (0 to 1) of the way from the lowest loss to the highest."""
    place = min(max(share, 0.0), 1.0) * (len(RAMP) - 1)
    at = min(int(place), len(RAMP) - 2)
    return mix(RAMP[at], RAMP[at + 1], place - at)


def levels(values: np.ndarray) -> np.ndarray:
    """Where bands begin and end: even steps of the square root above the lowest loss, so that a
    bowl has rings that are evenly apart. Empty where nothing is finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return finite
    low, high = float(finite.min()), float(finite.max())
    if not high - low > 1e-12 * max(abs(low), abs(high)):
        return np.array([low, low])
    return low + (high - low) * np.linspace(0, 1, BANDS + 1) ** 2


def chart(us: np.ndarray, vs: np.ndarray, values: np.ndarray, bounds: Any) -> dict[str, Any]:
    """The map of a grid: its window, its losses, and its bands as paths in the map's units."""
    edges = levels(values)
    u0, u1, v0, v1 = bounds
    return {
        "window": [u0, u1, v0, v1],
        "values": [[number(v) for v in row] for row in values.tolist()],
        "bands": _bands(us, vs, values, bounds, edges),
        "holes": bool(not np.isfinite(values).all()),
        "lowest": _lowest(us, vs, values),
    }


def _lowest(us: np.ndarray, vs: np.ndarray, values: np.ndarray) -> dict[str, Any] | None:
    if not np.isfinite(values).any():
        return None
    j, i = np.unravel_index(
        np.nanargmin(np.where(np.isfinite(values), values, np.nan)), values.shape
    )
    return {
        "u": number(float(us[i])),
        "v": number(float(vs[j])),
        "loss": number(float(values[j, i])),
    }


def _bands(
    us: np.ndarray, vs: np.ndarray, values: np.ndarray, bounds: Any, edges: np.ndarray
) -> list[dict[str, Any]]:
    from contourpy import FillType, contour_generator

    if not edges.size:
        return []
    u0, u1, v0, v1 = bounds
    xs, ys = (us - u0) / (u1 - u0) * WIDTH, (v1 - vs) / (v1 - v0) * HEIGHT
    z = np.ma.masked_invalid(values)
    if edges[0] == edges[-1]:  # all the same: one band, widened so that it holds them
        wide = abs(float(edges[0])) * 1e-6 + 1e-12
        edges = np.array([edges[0] - wide, edges[0] + wide])
    generator: Any = contour_generator(xs, ys, z, fill_type=FillType.OuterOffset)
    count = len(edges) - 1
    found = []
    for k, (low, high) in enumerate(zip(edges, edges[1:])):
        # the ends are inside of the first and the last band
        lower = low - 1e-9 * (edges[-1] - edges[0]) if k == 0 else low
        upper = high + 1e-9 * (edges[-1] - edges[0]) if k == count - 1 else high
        polygons, offsets = generator.filled(lower, upper)
        path = "".join(
            _ring(polygon[start:end])
            for polygon, offset in zip(polygons, offsets)
            for start, end in zip(offset, offset[1:])
        )
        tone = colour(k / max(1, count - 1))
        found.append({"d": path, "colour": tone, "low": number(low), "high": number(high)})
    return found


def _ring(points: np.ndarray) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points.tolist()) + "Z"
