"""The widget of hidden states."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import traitlets

from ..shared.cursor import TimeCursor, nearest
from ..shared.numbers import number, plain
from ..shared.view import View, bundle
from . import equations, image
from .course import Course, course, norms, tokens
from .recurrence import FUSED, Recurrence, loop_nodes, recurrences
from .slow import Slow
from .still import draw

SORTS = ("unit", "activity", "similarity")
LIMIT = 1 << 24  # bytes of one array: a sequence of 1000 steps with the gates of 512 units
CHOICES = 64  # outputs that can be asked about


def _loops(graph: Any) -> list[int]:
    """For a lens: it is asked in the middle of a training, which nothing here may end."""
    try:
        return loop_nodes(graph)
    except Exception:
        return []


class StatesView(View):
    """The live hidden states: see `labtorch_widgets.states`."""

    _esm = bundle("states.js")
    _css = bundle("states.css")

    picture = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        cursor: TimeCursor,
        following: Any = None,
        *,
        lengths: Sequence[int] | None = None,
        text: Sequence[Any] | None = None,
        vocabulary: Sequence[str] | dict[int, str] | None = None,
        classes: Sequence[str] | None = None,
        lang: str | None = None,
    ) -> None:
        from labtorch.observe.sequences import sequences_of

        self._following = following
        self._recording = cursor.recording if following is None else following.recording
        self._lengths = None if lengths is None else [int(n) for n in lengths]
        self._text, self._vocabulary = text, vocabulary
        self._classes = None if classes is None else [str(each) for each in classes]
        self._layer: str | None = None
        self._sequence = 0
        self._name, self._sort = "h", "unit"
        self._unit: int | None = None
        self._t: int | None = None
        self._brush: tuple[float, int, int] | None = None
        self._tabled = False
        self._found: tuple[str, list[Recurrence]] = ("", [])
        self._drawn: tuple[Any, ...] = ()
        self._order = np.arange(0)
        self._kept = sequences_of(self._recording)
        lenses = [
            self._recording.look_into(ops=(*FUSED, "embedding"), part=self._kept, limit=LIMIT),
            self._recording.look_into(where=_loops, part=self._kept, limit=LIMIT),
        ]
        for lens in lenses:
            weakref.finalize(self, lens.close)
        reference = weakref.WeakMethod(self.refresh)

        def ready() -> None:
            if (refresh := reference()) is not None:
                refresh(now=True)

        self._slow = Slow(ready)
        self._latest: tuple[Any, int, Any] = (None, -1, None)  # of what, step, norms
        super().__init__(cursor, lang=lang)
        self.commands |= {
            "layer": self._on_layer,
            "sequence": self._on_sequence,
            "show": self._on_show,
            "sort": self._on_sort,
            "look": self._on_look,
            "select": self._on_select,
            "ask": self._on_ask,
            "table": self._on_table,
        }
        if following is not None:  # once more, now that the lenses are there
            cursor.recording.between_steps(following.again).add_done_callback(lambda _: ready())
        self.refresh(now=True)

    # What the base asks for

    def make_frame(self) -> dict[str, Any]:
        frame: dict[str, Any] = {"time": self.cursor.span(), "problem": "nothing", "step": None}
        frame["followed"] = self._following is not None
        found = self._look()
        if found is None:
            return frame | self._error()
        step, graph = found
        frame["step"] = step
        layers = self._recurrences(graph)
        frame["layers"] = [_label(each) for each in layers]
        if not layers:
            return frame | {"problem": "noRecurrent"} | self._error()
        chosen = next((each for each in layers if each.key == self._layer), layers[0])
        frame["layer"] = chosen.key
        seen = course(self._recording, graph, step, chosen, self._sequence)
        if seen is None:
            return frame | {"problem": "notKept"} | self._error()
        return frame | self._described(step, graph, seen) | self._error()

    def still(self) -> str:
        with self._lock:
            return draw(self.picture, self.frame, self.language)

    def summary(self) -> str:
        return "StatesView()"

    # Where in time, and of which layer

    def _look(self) -> tuple[int, Any] | None:
        step = self.cursor.step
        for _ in range(8):  # the store may let a step go while it is being asked for
            steps = self._recording.steps
            if step is None or not steps:
                return None
            step = nearest(steps, step)
            try:
                return step, self._recording.graph(step)
            except LookupError:
                continue
        return None

    def _error(self) -> dict[str, Any]:
        error = None if self._following is None else self._following.error
        return {"error": None if error is None else f"{type(error).__name__}: {error}"[:500]}

    def _recurrences(self, graph: Any) -> list[Recurrence]:
        if self._found[0] != graph["key"]:
            self._found = graph["key"], recurrences(graph)
        return self._found[1]

    # The frame of a course

    def _described(self, step: int, graph: Any, seen: Course) -> dict[str, Any]:
        ids = tokens(self._recording, graph, step, seen)
        length = self._length(seen, ids)
        name = self._name if self._name in seen.states else "h"
        values = seen.states[name]
        self._draw((step, seen.recurrence.key, seen.sequence, name), values)
        if self._unit is None:
            self._unit = int(np.nan_to_num(seen.states["h"].astype(float)).std(axis=0).argmax())
        unit = max(0, min(self._unit, values.shape[1] - 1))
        t = seen.steps - 1 if self._t is None else self._t
        if self._t is None and 0 < length < seen.steps:
            t = length - 1
        t = max(0, min(t, seen.steps - 1))
        gradient = self._gradient(step, graph, seen)
        dependence = self._dependence(step, seen)
        letters = self._letters(seen, ids)
        return plain(
            {
                "problem": None,
                "kind": seen.recurrence.kind,
                "backwards": seen.recurrence.backwards,
                "sequence": {
                    "index": seen.sequence, "batch": seen.batch,
                    "first": seen.kept.start, "stop": seen.kept.stop, "packed": seen.packed,
                },
                "names": list(seen.states),
                "name": name,
                "sort": self._sort,
                "steps": seen.steps,
                "longest": seen.longest,
                "length": length,
                "reads": seen.reads,
                "tokens": letters,
                "gradient": gradient,
                "dependence": dependence,
                "brush": self._selected(values),
                "units": values.shape[1],
                "cell": equations.at(seen, unit, t),
                "value": number(float(values[t, unit]), 6),
                "rows": self._rows(seen, unit, letters, gradient, dependence)
                if self._tabled else None,
            },
            6,
        )  # fmt: skip

    def _length(self, seen: Course, ids: tuple[list[int], int] | None) -> int:
        """How many of the steps are no padding."""
        known = seen.steps
        if self._lengths is not None and seen.sequence < len(self._lengths):
            known = self._lengths[seen.sequence]
        elif ids is not None and not seen.packed:
            known = ids[1]
        return max(0, min(known, seen.steps))

    def _letters(self, seen: Course, ids: tuple[list[int], int] | None) -> list[str] | None:
        """What stands at each step, where that is known."""
        if self._text is not None and seen.sequence < len(self._text):
            return [str(each)[:24] for each in self._text[seen.sequence]][: seen.longest]
        if ids is None:
            return None
        names: Any = self._vocabulary
        if names is None:
            return [str(each) for each in ids[0]]
        if not isinstance(names, dict):
            names = dict(enumerate(names))
        return [str(names.get(each, each))[:24] for each in ids[0]]

    def _draw(self, what: tuple[Any, ...], values: np.ndarray) -> None:
        """Send the picture anew where it is another one."""
        if (*what, self._sort) == self._drawn:
            return
        self._drawn = (*what, self._sort)
        self._order = image.ordered(values, self._sort)
        shown, block = image.pooled(values[:, self._order])
        limit = image.nice_limit(shown)
        self.picture = {
            "levels": image.quantised(shown, limit),
            "units": self._order.tolist(),
            "block": block,
            "rows": shown.shape[1],
            "columns": shown.shape[0],
            "limit": limit,
        }

    def _gradient(self, step: int, graph: Any, seen: Course) -> dict[str, Any]:
        """|∂loss/∂h_t| at every step, of every layer of the call."""
        of = "loss" if self._following is None else "output"
        if seen.recurrence.call is None:
            if seen.gradients is None:
                return {"of": of, "state": "gradient", "layers": []}
            own = {"key": seen.recurrence.key, "values": norms(seen.gradients)}
            return {"of": of, "state": "ready", "layers": [own]}
        call, sequence = seen.recurrence.call, seen.sequence
        captured = self._recording.arrays(call, step)
        if captured is None:
            return {"of": of, "state": "gradient", "layers": []}

        def work() -> Any:
            from labtorch.observe.through_time import gradients_through_time

            norms_of_all = np.linalg.norm(gradients_through_time(captured, sequence), axis=-1)
            self._latest = about, step, norms_of_all
            return norms_of_all

        about = graph["key"], call, sequence
        hurry = not self.cursor.live or self.cursor.recording.thread is None
        key = (id(captured), captured.op and step, call, sequence)
        found = self._slow.ask(key, work, hurry=hurry)
        at = step
        if found is None and self.cursor.live and about == self._latest[0]:
            _, at, found = self._latest  # a training that runs on leaves no step time to be shown
        if found is None:
            return {"of": of, "state": "computing", "layers": []}
        if isinstance(found, LookupError):
            return {"of": of, "state": getattr(found, "why", "other"), "layers": []}
        layers = [each for each in self._recurrences(graph) if each.call == call]
        return {
            "of": of,
            "state": "ready",
            "step": at if at != step else None,
            "layers": [
                {
                    "key": each.key,
                    "values": (found[each.index][:-1] if each.backwards
                               else found[each.index][1:]).tolist(),
                }
                for each in layers
            ],
        }  # fmt: skip

    def _dependence(self, step: int, seen: Course) -> dict[str, Any] | None:
        """How much the prediction, or else the loss, depends on what stands at each step."""
        if self._following is None:
            if seen.of_input is None or seen.recurrence.layer:
                return None
            return {"of": "loss", "values": seen.of_input.tolist()}
        found = self._following.found.get(step)
        if found is None or seen.sequence >= len(found.norms):
            return None
        values = found.norms[seen.sequence]
        outputs, chosen = found.outputs[seen.sequence], int(found.chosen[seen.sequence])
        return {
            "of": "output",
            "values": values.tolist(),
            "outputs": outputs[:CHOICES].tolist(),
            "classes": [self._class(at) for at in range(min(len(outputs), CHOICES))],
            "chosen": chosen,
            "asked": self._following.output,
            "position": found.position,
        }

    def _class(self, at: int) -> str:
        known = self._classes
        return known[at] if known is not None and at < len(known) else str(at)

    def _selected(self, values: np.ndarray) -> dict[str, Any] | None:
        """The units whose magnitude reaches the threshold at every step of a range."""
        if self._brush is None:
            return None
        threshold, start, stop = self._brush
        start, stop = (max(0, min(t, len(values) - 1)) for t in (start, stop))
        with np.errstate(invalid="ignore"):
            active = (np.abs(values[start : stop + 1]) >= threshold).all(axis=0)
        return {
            "threshold": threshold, "start": start, "stop": stop,
            "units": np.flatnonzero(active).tolist(),
        }  # fmt: skip

    def _rows(
        self, seen: Course, unit: int, letters: Any, gradient: Any, dependence: Any
    ) -> list[dict[str, Any]]:
        own = [g for g in gradient["layers"] if g["key"] == seen.recurrence.key]
        return [
            {
                "t": t,
                "token": letters[t] if letters and t < len(letters) else None,
                **{
                    name: float(x[t, unit]) if unit < x.shape[1] else None
                    for name, x in seen.states.items()
                },
                "gradient": own[0]["values"][t] if own and t < len(own[0]["values"]) else None,
                "dependence": dependence["values"][t]
                if dependence and t < len(dependence["values"]) else None,
            }
            for t in range(seen.steps)
        ]  # fmt: skip

    # What a learner does: whatever a page sends is checked here

    def _on_layer(self, key: str) -> None:
        with self._lock:
            self._layer, self._brush = str(key), None
            self.refresh(now=True)

    def _on_sequence(self, index: int) -> None:
        with self._lock:
            self._sequence = max(0, int(index))
            # the steps to come keep the sequences around it
            self._kept.first = max(0, self._sequence - 1)
            self.refresh(now=True)
        if self._sequence not in self._shown_sequences():
            self._recording.measure_next()

    def _shown_sequences(self) -> range:
        own = self.frame.get("sequence") or {"first": 0, "stop": 0}
        return range(own["first"], own["stop"])

    def _on_show(self, name: str) -> None:
        with self._lock:
            self._name, self._brush = str(name), None
            self.refresh(now=True)

    def _on_sort(self, by: str) -> None:
        if by not in SORTS:
            raise ValueError(f"no order '{by}'")
        with self._lock:
            self._sort = by
            self.refresh(now=True)

    def _on_look(self, unit: int | None = None, t: int | None = None) -> None:
        """Go to a unit, to a step in time, or both."""
        with self._lock:
            if unit is not None:
                self._unit = max(0, int(unit))
            if t is not None:
                self._t = max(0, int(t))
            self.refresh(now=True)
            asked = (self.frame.get("dependence") or {}).get("position")
            if t is not None and asked is not None and asked != self._t:
                self._ask()

    def _on_select(self, threshold: float | None = None, start: int = 0, stop: int = 0) -> None:
        with self._lock:
            self._brush = None
            if threshold is not None:
                low, high = sorted((int(start), int(stop)))
                self._brush = abs(float(threshold)), low, high
            self.refresh(now=True)

    def _on_ask(self, output: int | None = None) -> None:
        if self._following is not None:
            with self._lock:
                self._following.output = None if output is None else max(0, int(output))
                self._ask()

    def _ask(self) -> None:
        """Differentiate another prediction, as soon as the training is between two steps."""
        following, reference = self._following, weakref.ref(self)

        def answered(_: Any) -> None:
            view = reference()
            if view is not None:
                view._drawn = ()
                view._slow.forget()
                view.refresh(now=True)

        following.choose(following.output, self._t).add_done_callback(answered)

    def _on_table(self, show: bool) -> None:
        with self._lock:
            self._tabled = bool(show)
            self.refresh(now=True)


def _label(recurrence: Recurrence) -> dict[str, Any]:
    return {
        "key": recurrence.key,
        "name": recurrence.name,
        "kind": recurrence.kind,
        "layer": recurrence.layer,
        "layers": recurrence.layers,
        "backwards": recurrence.backwards,
        "directions": recurrence.directions,
    }
