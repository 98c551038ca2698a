"""The doctor's widget: a card for each finding, the gravest first."""

from __future__ import annotations

import time
from typing import Any

from ..shared.cursor import TimeCursor
from ..shared.numbers import plain
from ..shared.view import View, bundle
from ..shared.words import word
from . import sentences
from .doctor_still import draw

BETWEEN = 0.5  # seconds between two diagnoses, while it is live
MOST_HOPS = 80  # of a path that a card shows; the middle of a longer one is left out


class DoctorView(View):
    """What is wrong with the gradients, and why: see `labtorch_widgets.doctor`."""

    _esm = bundle("doctor.js")
    _css = bundle("doctor.css")

    def __init__(self, cursor: TimeCursor, *, lang: str | None = None) -> None:
        self._examined: tuple[int, list[Any]] | None = None
        self._looked = 0.0
        super().__init__(cursor, lang=lang)
        self.refresh(now=True)

    @property
    def findings(self) -> list[Any]:
        """The findings of the step at the cursor, as `labtorch.observe.doctor` gives them."""
        from labtorch.observe import doctor

        for _ in range(8):  # a step may be let go while it is being asked for
            if (step := self.cursor.step) is None or step not in self.cursor.recording.steps:
                return []
            if self._examined is not None and self._examined[0] == step:
                return self._examined[1]
            try:
                found = doctor.examine(self.cursor.recording, step)
            except LookupError:
                continue
            self._examined = (step, found)
            return found
        return []

    def refresh(self, *, now: bool = False) -> None:
        """A diagnosis is read, so that two a second are enough."""
        if now or time.monotonic() - self._looked > BETWEEN:
            self._looked = time.monotonic()
            super().refresh(now=now)

    def make_frame(self) -> dict[str, Any]:
        found = self.findings
        step = self._examined[0] if found and self._examined else None
        return {
            "time": self.cursor.span() | {"shown": step},
            "findings": [self._card(finding) for finding in found],
        }

    def still(self) -> str:
        return draw(self.findings, self.cursor.step, self.language)

    def summary(self) -> str:
        """The kinds of findings; none while the recording goes on, as they change then."""
        recording = self.cursor.recording
        if not getattr(recording, "idle", True):
            return "DoctorView()"
        kinds = dict.fromkeys(finding["kind"] for finding in self.findings)
        return f"DoctorView({', '.join(kinds)})"

    def __str__(self) -> str:
        found = self.findings
        return sentences.text(found, self.language) or word("doctor.nothing", self.language)

    def _card(self, finding: Any) -> dict[str, Any]:
        path, worst = finding["path"], finding["worst"]
        graph = self.cursor.recording.graph(self._examined[0])  # type: ignore[index]
        return {
            "key": f"{finding['kind']}:{finding['node']}:{(finding['parameters'] or [''])[0]}",
            "kind": finding["kind"],
            "severity": finding["severity"],
            "says": [
                {
                    "key": saying["key"],
                    "values": sentences.values(saying),
                    "more": int(saying["values"].get("more") or 0),
                }
                for saying in finding["says"]
            ],
            "advice": finding["advice"],
            "parameters": finding["parameters"][:40],
            "path": plain(
                [
                    dict(hop) | {"shape": graph["nodes"][hop["node"]]["shape"]}
                    for hop in _shortened(path, worst)
                ]
            ),
            "worst": None if worst is None else path[worst]["node"],
            "source": _source(finding["source"]),
        }


def _source(source: Any) -> dict[str, Any] | None:
    return None if source is None else {"line": source["line"], "text": source["text"].strip()}


def _shortened(path: list[Any], worst: int | None) -> list[Any]:
    """Both ends of a path and what is around the worst of it."""
    if len(path) <= MOST_HOPS:
        return path
    third, at = MOST_HOPS // 3, worst or 0
    keep = {*range(third), *range(at - third // 2, at + third // 2)}
    keep |= set(range(len(path) - third, len(path)))
    return [hop for i, hop in enumerate(path) if i in keep]
