"""The states of one sequence of a batch, step by step, out of the arrays that a lens kept."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .recurrence import GATES, Recurrence

PART = r"(?:slice\([^()]*\)|Ellipsis|None|-?\d+)"  # of an index, as graphs write it


@dataclass
class Course:
    """One layer in one direction along one sequence: T steps (of the batch's longest `longest`)."""

    recurrence: Recurrence
    sequence: int
    batch: int
    kept: range  # sequences of the batch that can be looked at
    longest: int
    packed: bool
    states: dict[str, np.ndarray]  # (T, H) by name: "h", "c", and the gates
    before: dict[str, np.ndarray]  # (T, H): the states that each step began with
    of_x: np.ndarray | None = None  # (T, gates H): W_ih x + b_ih
    of_h: np.ndarray | None = None  # (T, gates H): W_hh h + b_hh
    relu: bool = False
    projected: bool = False
    gradients: np.ndarray | None = None  # (T, P), where the engine passed by every step itself
    of_input: np.ndarray | None = None  # (T,): norms of the gradient of what the call was given
    reads: list[int] = field(default_factory=list)  # steps that the model goes on with

    @property
    def steps(self) -> int:
        return len(self.states["h"])

    @property
    def size(self) -> int:
        """Units with a state."""
        return self.states.get("c", self.states["h"]).shape[1]


def course(recording: Any, graph: Any, step: int, chosen: Recurrence, at: int) -> Course | None:
    """The chosen recurrence along the sequence `at` in `step`; None where it was not kept.

    A place beyond the kept sequences is taken as the nearest one that is.
    """
    with contextlib.suppress(LookupError):
        if chosen.call is not None:
            return _of_call(recording, graph, step, chosen, at)
        return _of_loop(recording, step, chosen, at)
    return None


# ---------------------------------------------------------------- fused ops
def _of_call(recording: Any, graph: Any, step: int, chosen: Recurrence, at: int) -> Course | None:
    from labtorch.observe.sequences import alone

    captured = None if chosen.call is None else recording.arrays(chosen.call, step)
    if captured is None or chosen.call is None:
        return None
    first = alone(captured, at)
    if first is None:
        part = getattr(captured, "part", None)
        kept = part.kept if part is not None else range(captured.states["hidden"].shape[2])
        if not kept:
            return None
        first = alone(captured, min(max(at, kept.start), kept.stop - 1))
    call, k = first, chosen.index
    if call is None or k >= len(call.states["hidden"]):
        return None
    later, earlier = (slice(None, -1), slice(1, None))[:: -1 if not chosen.backwards else 1]
    hidden = call.states["hidden"][k]
    states, before = {"h": hidden[later]}, {"h": hidden[earlier]}
    if call.name == "lstm" and "cells" in call.states:
        cells = call.states["cells"][k]
        states["c"], before["c"] = cells[later], cells[earlier]
    if "gates" in call.states:
        names = GATES[call.name]
        states |= dict(zip(names, np.split(call.states["gates"][k], len(names), axis=-1)))
    found = Course(
        chosen, call.sequence, call.batch, call.kept, call.longest,
        graph["nodes"][chosen.call]["arguments"]["batch_sizes"] is not None,
        states, before, relu=call.relu, projected="c" in states
        and states["c"].shape[1] != hidden.shape[1],
        of_input=None if call.of_input is None else np.linalg.norm(call.of_input, axis=-1),
        reads=_reads(graph, chosen.call, call.longest),
    )  # fmt: skip
    weights, x = call.weights_of(k), _input(call, chosen)
    if weights is not None and x is not None:
        w_ih, w_hh, *biases = weights
        b_ih, b_hh = biases[:2] if len(biases) > 1 else (0, 0)
        found.of_x, found.of_h = x @ w_ih.T + b_ih, before["h"] @ w_hh.T + b_hh
    return found


def _input(call: Any, chosen: Recurrence) -> np.ndarray | None:
    """What the layer was given: the call's input, or the states of the layer below."""
    if chosen.layer == 0:
        return call.given["input"]
    hidden, k = call.states["hidden"], (chosen.layer - 1) * chosen.directions
    x = hidden[k, 1:]
    if chosen.directions == 2:
        x = np.concatenate([x, hidden[k + 1, :-1]], axis=-1)
    dropped = call.given["dropped"]
    return x if dropped is None else x * dropped[chosen.layer - 1]


def _reads(graph: Any, call: int, steps: int) -> list[int]:
    """The steps of the call's output that are picked by number: output[:, -1] reads the last."""
    axis = 1 if graph["nodes"][call]["arguments"]["batch_first"] else 0
    found = set()
    for edge in graph["edges"]:
        target = graph["nodes"][edge["target"]]
        if edge["source"] != call or edge["output"] or target["name"] not in ("getitem", "select"):
            continue
        if target["name"] == "select":
            chosen = (
                [target["arguments"].get("index")] if target["arguments"]["dim"] == axis else []
            )
        else:
            index = str(target["arguments"].get("index"))
            plain = re.fullmatch(rf"\(?({PART}(, |,?\)?$))+", index)
            parts = re.findall(PART, index) if plain else []
            chosen = parts[axis : axis + 1] if "Ellipsis" not in parts[: axis + 1] else []
        found |= {int(n) % steps for n in chosen if re.fullmatch(r"-?\d+", str(n))}
    return sorted(found)


# ---------------------------------------------------------------- loops
def _of_loop(recording: Any, step: int, chosen: Recurrence, at: int) -> Course | None:
    kept = [
        {name: recording.arrays(node, step) for name, node in nodes.items()}
        for nodes in chosen.steps
    ]
    h = kept[0].get("h")
    if h is None or any(k.get("h") is None or k["h"].outputs[0] is None for k in kept):
        return None
    value = h.outputs[0]
    whole, part = value.ndim < 2, getattr(h, "part", None)
    sequences = part.kept if part is not None and not whole else range(1 if whole else len(value))
    batch = part.batch if part is not None and part.batch > 0 else sequences.stop
    at = min(max(at, sequences.start), sequences.stop - 1)

    def row(array: Any) -> Any:
        return array if array is None or whole else array[at - sequences.start]

    def over_time(name: str, cotangents: bool = False) -> np.ndarray | None:
        found = []
        for arrays in kept:
            captured = arrays.get(name)
            several = None if captured is None else (
                captured.cotangents if cotangents else captured.outputs
            )  # fmt: skip
            value = row(several[0]) if several else None
            if value is None and not cotangents:
                return None
            found.append(value)
        like = next((value for value in found if value is not None), None)
        if like is None:
            return None
        return np.stack([np.zeros_like(like) if value is None else value for value in found])

    names = [name for name in chosen.steps[0] if "_" not in name]
    order = sorted(names, key=("h", "c", *GATES[chosen.kind]).index) if chosen.kind else names
    states = {name: x for name in order if (x := over_time(name)) is not None}
    before = {name: x for name in ("h", "c") if (x := over_time(f"{name}_before")) is not None}
    if chosen.kind == "":
        gone = np.vstack([np.full_like(states["h"][:1], np.nan), states["h"][:-1]])
        before = {"h": gone}
    return Course(
        chosen, at, batch, sequences, len(kept), False, states, before,
        over_time("of_x"), over_time("of_h"),
        relu=chosen.kind == "rnn" and _is_relu(kept[0]["h"]),
        projected="c" in states and states["c"].shape[1] != states["h"].shape[1],
        gradients=over_time("h", cotangents=True),
    )  # fmt: skip


def _is_relu(captured: Any) -> bool:
    return captured.op is not None and captured.op.name == "relu"


# ---------------------------------------------------------------- what the sequence is made of
def tokens(recording: Any, graph: Any, step: int, found: Course) -> tuple[list[int], int] | None:
    """The ids that were embedded along the sequence, and how many of them are no padding."""
    embeddings = [n for n in graph["nodes"] if n["kind"] == "op" and n["name"] == "embedding"]
    kept = [(n, recording.arrays(n["id"], step)) for n in embeddings]
    arrays = [
        (n, c.arguments["input"])
        for n, c in kept
        if c is not None and c.arguments.get("input") is not None
    ]
    for node, ids in arrays:
        row = _row(ids, graph, found)
        if row is not None:
            return _without_padding(row, node["arguments"].get("padding_idx"))
    single = [ids.reshape(-1) for _, ids in arrays if ids.size and ids.ndim < 2]
    if len(single) == found.longest and all(found.sequence < len(ids) for ids in single):
        row = np.array([ids[found.sequence] for ids in single])
        return _without_padding(row, arrays[0][0]["arguments"].get("padding_idx"))
    return None


def _row(ids: np.ndarray, graph: Any, found: Course) -> np.ndarray | None:
    if ids.ndim == 1:
        return ids if found.batch == 1 and len(ids) == found.longest else None
    if ids.ndim != 2:
        return None
    first = True
    if found.recurrence.call is not None:
        arguments = graph["nodes"][found.recurrence.call]["arguments"]
        first = bool(arguments["batch_first"]) or arguments["batch_sizes"] is not None
    ids = ids if first else ids.T
    return ids[found.sequence] if ids.shape == (found.batch, max(found.longest, ids.shape[1])) \
        else None  # fmt: skip


def _without_padding(row: np.ndarray, padding: Any) -> tuple[list[int], int]:
    real = np.flatnonzero(row != padding) if padding is not None else np.arange(len(row))
    return [int(each) for each in row], int(real[-1]) + 1 if len(real) else 0


def norms(gradients: np.ndarray) -> list[float]:
    return [float(each) for each in np.linalg.norm(gradients.astype(np.float64), axis=-1)]
