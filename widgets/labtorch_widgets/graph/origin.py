"""What a graph can be drawn of: models, recordings, and tensors that exist already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..shared.cursor import TimeCursor, cursor_of
from ..shared.source import Recording, SingleStep


def moment_of(source: Any, inputs: tuple[Any, ...] = ()) -> TimeCursor:
    """The cursor of what is to be drawn; with `inputs`, of one run of the model on them.

    Raises TypeError for what no graph can be drawn of.
    """
    from labtorch import observe

    if inputs:
        models = _models(source)
        if models is None:
            raise TypeError(
                f"a {type(source).__name__} cannot be called on inputs: expected a model, or a "
                "list or dict of models"
            )
        return cursor_of(observe.run_once(models, *inputs))
    if _is_known(source):
        return cursor_of(source)
    if _models(source) is not None:
        raise TypeError(
            f"a {type(source).__name__} of models needs inputs to run them on: lab.graph(models, x)"
        )
    try:
        return TimeCursor(SingleStep(*observe.autograd_graph(source)))
    except TypeError as error:
        raise TypeError(
            f"cannot show a {type(source).__name__}: expected a model, what "
            "labtorch.observe.record() gives, a (graph, snapshot) pair, a training panel, or "
            f"tensors; {error}"
        ) from None


def _is_known(source: Any) -> bool:
    step = isinstance(source, tuple | list) and len(source) == 2 and isinstance(source[0], dict)
    return (
        hasattr(source, "named_modules")
        or isinstance(source, TimeCursor | Recording)
        or isinstance(getattr(source, "cursor", None), TimeCursor)
        or (step and "nodes" in source[0])
    )


def _models(source: Any) -> Any:
    """`source` if it is a model, or a container of models and nothing else."""
    if type(source).__name__ in ("ModuleList", "ModuleDict"):  # modules, but not to be called
        return dict(source.named_children())
    if hasattr(source, "named_modules"):
        return source
    parts = source.values() if isinstance(source, Mapping) else source
    if isinstance(source, Mapping | list | tuple) and source:
        if all(hasattr(each, "named_modules") for each in parts):
            return source
    return None
