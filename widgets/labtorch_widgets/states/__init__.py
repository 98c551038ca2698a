"""Hidden states of recurrent layers: units over time, the cell step by step, gradients in time."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from ..shared.cursor import TimeCursor, cursor_of
from .view import StatesView

__all__ = ["StatesView", "states"]


def states(
    source: Any,
    inputs: Any = None,
    *,
    model: Any = None,
    lengths: Sequence[int] | None = None,
    text: str | Sequence[str] | None = None,
    vocabulary: Sequence[str] | dict[int, str] | None = None,
    classes: Sequence[str] | None = None,
    lang: str | None = None,
) -> StatesView:
    """Show the states that recurrent layers carry along a sequence, live while they train.

    `source` is a model (watched from then on), what `labtorch.observe.record()` gives, or a
    training panel. `nn.LSTM`, `nn.GRU`, `nn.RNN`, their cells in a loop, and any module that takes
    in one call what its last call computed are found in it. States are kept from the moment that
    the view is opened.

    Without `inputs`, the training's own batch is shown, with |∂loss/∂h_t| at every step t. With
    `inputs` (a tensor, or a tuple of the model's arguments), `model` (where `source` is none) runs
    on these after each kept step, in evaluation mode, and what its prediction depends on is shown.

    `lengths` are those of the padded sequences; packed ones, and tokens that an embedding knows as
    padding, need none. `text` is what was encoded, a string (or a list of tokens) for each
    sequence; with `vocabulary`, a name for each id, it is read from the ids that the model embeds.
    `classes` name the model's outputs. `lang` is "en" or "zh".

    Raises TypeError for a source that is none of these, or for inputs without a model, and
    ValueError for an unknown language.
    """
    cursor = cursor_of(source)
    return StatesView(
        cursor,
        _following(cursor, source, model, inputs),
        lengths=lengths,
        text=[text] if isinstance(text, str) else text,
        vocabulary=vocabulary,
        classes=classes,
        lang=lang,
    )


def _following(cursor: TimeCursor, source: Any, model: Any, inputs: Any) -> Any:
    if inputs is None:
        return None
    followed = model if model is not None else source
    if not hasattr(followed, "named_modules"):
        raise TypeError("inputs need a model to run on them: lab.states(model, inputs)")
    from labtorch.observe.dependence import Dependence

    given = inputs if type(inputs) in (tuple, list) else (inputs,)
    recording: Any = cursor.recording
    following = Dependence(recording, followed, *given)
    weakref.finalize(cursor, following.close)
    return following
