"""Numbers of a training of any length, in bounded memory and with no spike lost."""

from __future__ import annotations

import math
from threading import Lock

CAPACITY = 2048
DRAWN = 300  # buckets a chart of common width can tell apart


class History:
    """(step, value) pairs of one metric; once full, neighbours merge into their extremes.

    One thread appends, others read.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._points: list[tuple[int, float]] = []
        self._lock = Lock()
        self.lowest: tuple[int, float] | None = None
        self.highest: tuple[int, float] | None = None

    def __len__(self) -> int:
        return len(self._points)

    def append(self, step: int, value: float) -> None:
        with self._lock:
            self._points.append((step, value))
            if math.isfinite(value):
                if self.lowest is None or value < self.lowest[1]:
                    self.lowest = (step, value)
                if self.highest is None or value > self.highest[1]:
                    self.highest = (step, value)
            if len(self._points) >= self._capacity:
                # The older three quarters thin out; the newest stay as they are.
                keep = self._capacity // 4
                self._points[:-keep] = thin(self._points[:-keep], self._capacity // 8)

    def points(self, buckets: int = DRAWN) -> list[tuple[int, float]]:
        """At most `2 * buckets` points that look like all of them."""
        with self._lock:
            points = list(self._points)
        return thin(points, buckets)

    def until(self, step: int) -> tuple[int, float] | None:
        """The last point at `step` or before it."""
        with self._lock:
            return next((point for point in reversed(self._points) if point[0] <= step), None)

    @property
    def last(self) -> tuple[int, float] | None:
        return self._points[-1] if self._points else None


def thin(points: list[tuple[int, float]], buckets: int) -> list[tuple[int, float]]:
    """The lowest and highest point of each of `buckets` runs, and both ends, in order."""
    if len(points) <= 2 * buckets:
        return points
    size = math.ceil(len(points) / buckets)
    kept = {0, len(points) - 1}
    for start in range(0, len(points), size):
        run = range(start, min(start + size, len(points)))
        finite = [i for i in run if math.isfinite(points[i][1])] or list(run)
        kept.add(min(finite, key=lambda i: points[i][1]))
        kept.add(max(finite, key=lambda i: points[i][1]))
    return [points[i] for i in sorted(kept)]
