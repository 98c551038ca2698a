"""Recurrent calls by sequence: which of a batch a lens keeps, and one of them taken by itself.

The sequences of a batch do not know of each other, so that a few of them can be kept and looked at
without the rest.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

from labtorch.engine.op import Op
from labtorch.engine.variable import Variable
from labtorch.observe.capture import LIMIT, Captured

RECURRENT = ("lstm", "gru", "rnn")
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
STATES = {"lstm": 6, "gru": 5, "rnn": 1}  # numbers that a unit's inner states take at a step
NBYTES = 1 << 19  # of inner states a step, unless one sequence alone takes more
MOST = 8  # sequences kept of a loop that the user's code runs


class Kept:
    """The part of one call's arrays that belongs to the sequences `kept` of a batch of `batch`."""

    def __init__(self, op: Op | None, args: tuple, first: int, nbytes: int) -> None:
        self.name = "" if op is None else op.name
        self.sizes: Sequence[int] | None = None
        self.batch_axis, self.batch = 0, -1
        most = MOST
        if op is not None and self.name in RECURRENT:
            given = dict(zip(op.parameters, args))
            self.sizes = given["batch_sizes"]
            self.batch_axis = 0 if given["batch_first"] else 1
            count, self.batch, width = given["hx"].shape
            shape = given["input"].shape
            steps = len(self.sizes) if self.sizes else shape[1 - self.batch_axis]
            each = count * steps * width * STATES[self.name] * given["hx"]._array.itemsize
            most = max(1, nbytes // max(each, 1))
        elif args and isinstance(args[0], Variable) and args[0]._array.ndim > 1:
            self.batch = args[0]._array.shape[0]
        self.wanted = range(first, first + most)

    @property
    def kept(self) -> range:
        """Which sequences are kept; all where the batch has too few for the wish."""
        most = len(self.wanted)
        if self.batch < 0:
            return self.wanted
        first = max(0, min(self.wanted.start, self.batch - most))
        return range(first, min(first + most, self.batch))

    @property
    def batch_sizes(self) -> tuple[int, ...] | None:
        """Of the packed rows that are kept; None where the batch is not packed."""
        kept = self.kept
        if self.sizes is None:
            return None
        return tuple(min(max(n - kept.start, 0), len(kept)) for n in self.sizes)

    def __call__(self, kind: str, name: str, array: Any) -> Any:
        if self.name in RECURRENT:
            return self._of_a_call(kind, name, array)
        if self.name == "embedding":  # which tokens these are
            return array if (kind, name) == ("argument", "input") else None
        if kind in ("argument", "gradient", "state"):
            return None
        kept = self.kept
        return array[kept.start : kept.stop] if array.ndim > 1 else array

    def _of_a_call(self, kind: str, name: str, array: Any) -> Any:
        if name.startswith("weights"):
            return array if kind == "argument" and array.nbytes <= LIMIT else None
        kept = self.kept
        within = slice(kept.start, kept.stop)
        if kind == "state" or name == "dropped":
            return array[:, :, within]
        if name in ("input", "0"):
            if self.sizes is not None:
                return array[_rows(self.sizes, kept)]
            return array[within] if self.batch_axis == 0 else array[:, within]
        return array[:, within]


def _rows(sizes: Sequence[int], kept: range) -> np.ndarray:
    """Which packed rows are of the sequences `kept`, in the packed order."""
    starts = accumulate([0, *sizes[:-1]])
    return np.array(
        [start + n for start, size in zip(starts, sizes) for n in kept if n < size], np.intp
    )


class Sequences:
    """`part` of a lens on recurrence: some sequences of the batch, from the one at `first` on, as
    many as fit `nbytes` of inner states, and one at least."""

    def __init__(self, first: int = 0, nbytes: int = NBYTES) -> None:
        self.first, self.nbytes = first, nbytes

    def __call__(self, op: Op | None, args: tuple) -> Kept:
        return Kept(op, args, self.first, self.nbytes)


_wishes: weakref.WeakKeyDictionary[Any, Sequences] = weakref.WeakKeyDictionary()


def sequences_of(recording: Any) -> Sequences:
    """The wish that all who look into a recording's sequences share: lenses that wish for different
    parts of one call would have it kept whole."""
    return _wishes.setdefault(recording, Sequences())


@dataclass
class Alone:
    """One sequence of a captured call of `lstm`, `gru` or `rnn`, as an unpacked batch of one."""

    name: str
    sequence: int  # in the batch, in the order of its packed form where it has one
    batch: int
    kept: range  # those of the batch that can be asked for
    steps: int  # of this sequence
    longest: int  # steps of the batch
    layers: int
    directions: int
    relu: bool
    weights: list[np.ndarray | None]
    given: dict[str, np.ndarray | None]  # input (T, I), hx, cx (L D, F), dropped (L - 1, T, D P)
    results: list[np.ndarray | None]  # output (T, D P), h_n, c_n (L D, F)
    cotangents: list[np.ndarray | None]  # of the results
    of_input: np.ndarray | None  # gradient of the input
    states: dict[str, np.ndarray]  # (L D, T or T + 1, F)

    @property
    def size(self) -> int:
        """H."""
        return self.states["cells" if self.name == "lstm" else "hidden"].shape[-1]

    def weights_of(self, k: int) -> list[np.ndarray] | None:
        """W_ih, W_hh, b_ih, b_hh, W_hr of one layer and direction, as many of them as there are;
        None where they are too large to be kept whole."""
        per = len(self.weights) // (self.layers * self.directions)
        own = self.weights[k * per : (k + 1) * per]
        rows = [GATES[self.name] * self.size] * per
        if per % 2:
            rows[-1] = self.states["hidden"].shape[-1]
        whole = [w for w, n in zip(own, rows) if w is not None and len(w) == n]
        return whole if len(whole) == per else None


def alone(captured: Captured, sequence: int) -> Alone | None:
    """The sequence at place `sequence` of a captured call, or None where it was not kept."""
    op = captured.op
    if op is None or op.name not in RECURRENT:
        raise ValueError(f"no call of {', '.join(RECURRENT)}: {op}")
    given = dict(zip(op.parameters, captured.args))
    hidden = captured.states.get("hidden")
    part = captured.part
    if isinstance(part, Kept):
        kept, batch, sizes = part.kept, part.batch, part.batch_sizes
    else:
        sizes = given["batch_sizes"]
        batch = 0 if hidden is None else hidden.shape[2]
        kept = range(batch)
    directions = 2 if given["bidirectional"] else 1
    if hidden is None or sequence not in kept or len(hidden) < given["layers"] * directions:
        return None
    at = sequence - kept.start
    longest = hidden.shape[1] - 1
    steps = longest if sizes is None else sum(n > at for n in sizes)

    def row(x: np.ndarray | None) -> np.ndarray | None:
        """Of what is laid out as the input; None, too, where the lens's limit has cut it."""
        if x is None:
            return None
        try:
            if sizes is not None:
                own = x[_rows(sizes, range(at, at + 1))]
            else:
                own = x[at] if given["batch_first"] else x[:, at]
        except IndexError:
            return None
        return own if len(own) == steps else None

    def state(x: np.ndarray | None) -> np.ndarray | None:
        return None if x is None else x[:, at]

    dropped = given["dropped"]
    return Alone(
        name=op.name,
        sequence=sequence,
        batch=batch,
        kept=kept,
        steps=steps,
        longest=longest,
        layers=given["layers"],
        directions=directions,
        relu=bool(given.get("relu")),
        weights=list(captured.args[op.arity :]),
        given={
            "input": row(given["input"]),
            "hx": state(given["hx"]),
            "cx": state(given.get("cx")),
            "dropped": None if dropped is None else dropped[:, :steps, at],
        },
        results=[row(captured.outputs[0]), *map(state, captured.outputs[1:])],
        cotangents=[row(captured.cotangents[0]), *map(state, captured.cotangents[1:])],
        of_input=row(captured.gradients.get("input")),
        states={
            name: x[:, : steps + (x.shape[1] > longest), at]
            for name, x in captured.states.items()
            if x is not None
        },
    )
