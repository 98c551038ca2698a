"""Repeats in a sequence: runs of the same few things, one time after the other.

Twelve equal blocks are one block twelve times; a cell that is called for each time step is a loop.
Both are *tandem repeats* of a sequence of labels: a period of p labels that follows itself at once.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FEWEST = 3  # times; two of a kind are easier read as two
LONGEST = 512  # labels of one period


@dataclass(frozen=True)
class Repeat:
    """`times` periods of `period` labels each, from position `start`."""

    start: int
    period: int
    times: int

    @property
    def stop(self) -> int:
        return self.start + self.period * self.times


def repeats(labels: Sequence[int], worth: Callable[[Repeat], bool]) -> list[Repeat]:
    """The repeats in `labels` that are `worth` folding, apart from each other, in order.

    Those that cover most are chosen first; what a chosen one leaves of another may still be worth
    it. Takes O(n p) steps for n labels and periods up to p.
    """
    n = len(labels)
    covers, periods = _longest_covers(np.asarray(labels, dtype=np.int64))
    found: list[Repeat] = []
    starts: list[int] = []
    for start in sorted(np.flatnonzero(covers).tolist(), key=lambda i: (-covers[i], i)):
        at = bisect.bisect_right(starts, start)
        if at and found[at - 1].stop > start:
            continue
        free = (found[at].start if at < len(found) else n) - start
        period = int(periods[start])
        repeat = Repeat(start, period, min(int(covers[start]), free) // period)
        if repeat.times >= FEWEST and worth(repeat):
            found.insert(at, repeat)
            starts.insert(at, start)
    return found


def _longest_covers(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each position: how many labels the longest repeat from there covers, and its period."""
    n = len(labels)
    covers, periods = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for period in range(1, min(n // FEWEST, LONGEST) + 1):
        equal = labels[:-period] == labels[period:]
        breaks = np.append(np.flatnonzero(~equal), len(equal))
        positions = np.arange(len(equal))
        run = breaks[np.searchsorted(breaks, positions)] - positions  # equal ones from here on
        cover = (run // period + 1) * period
        cover[cover < FEWEST * period] = 0
        better = cover > covers[: len(cover)]  # of two that cover as much, the shorter period stays
        covers[: len(cover)][better] = cover[better]
        periods[: len(cover)][better] = period
    return covers, periods
