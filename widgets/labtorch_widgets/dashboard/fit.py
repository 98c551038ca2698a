"""Which views a dashboard can open, and which of them a model asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

CONVOLUTIONS = ("Conv", "conv")
RECURRENT = ("RNN", "LSTM", "GRU", "rnn", "lstm", "gru")


class Kind(NamedTuple):
    """A view that a dashboard can open: how it is made, and the names that call for it."""

    make: Callable[..., Any]  # (dashboard, inputs, lang)
    names: tuple[str, ...] | None = None  # of modules' classes or ops, as parts; None: any model
    at_first: bool = True  # is it open at first where it fits?


def _graph(dashboard: Any, inputs: Any, lang: str | None) -> Any:
    from ..graph.view import GraphView

    return GraphView(dashboard.cursor, lang=lang)


def _features(dashboard: Any, inputs: Any, lang: str | None) -> Any:
    from ..features import features

    model = dashboard.model
    given = inputs if model is not None else None
    return features(dashboard.cursor, given, model=model, lang=lang)


def _states(dashboard: Any, inputs: Any, lang: str | None) -> Any:
    from ..states import states

    model = dashboard.model
    given = inputs if model is not None else None
    return states(dashboard.cursor, given, model=model, lang=lang)


def _gradients(dashboard: Any, inputs: Any, lang: str | None) -> Any:
    from ..gradients import gradients

    return gradients(dashboard.cursor, lang=lang)


def _doctor(dashboard: Any, inputs: Any, lang: str | None) -> Any:
    from ..gradients import doctor

    return doctor(dashboard.cursor, lang=lang)


def _timeline(dashboard: Any, inputs: Any, lang: str | None) -> Any:
    from ..timeline import timeline

    return timeline(dashboard.cursor, lang=lang)


KINDS: dict[str, Kind] = {
    "graph": Kind(_graph),
    "features": Kind(_features, CONVOLUTIONS),
    "states": Kind(_states, RECURRENT),
    "gradients": Kind(_gradients),
    "doctor": Kind(_doctor, at_first=False),
    "timeline": Kind(_timeline, at_first=False),
}


def names_in(model: Any, cursor: Any) -> set[str]:
    """The classes of the model's modules, and the ops of the step that is shown."""
    names: set[str] = set()
    if model is not None:
        for _, module in model.named_modules():
            names |= {each.__name__ for each in type(module).__mro__}
    if (found := cursor.look()) is not None:
        _, graph, _ = found
        names |= {node["name"] for node in graph["nodes"] if node["kind"] == "op"}
        names |= {scope["type"] for scope in graph["scopes"]}
    return names


def fitting(names: set[str]) -> list[str]:
    """The views that a model with these classes and ops asks for, in the order they stand in."""
    return [
        kind
        for kind, (_, wanted, _) in KINDS.items()
        if wanted is None or any(part in name for part in wanted for name in names)
    ]
