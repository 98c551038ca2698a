"""Feature maps: what each convolution, activation and pooling made of a picture, and how."""

from __future__ import annotations

from typing import Any

from ..shared.cursor import cursor_of
from .view import MOST_INPUTS, SAMPLES, FeatureView

__all__ = ["FeatureView", "features"]


def features(
    source: Any,
    inputs: Any = None,
    *,
    model: Any = None,
    samples: int = SAMPLES,
    lang: str | None = None,
    timeline: bool = True,
) -> FeatureView:
    """Show the maps and kernels of every convolution, live while the model trains.

    `source` is a model (watched from then on), what `labtorch.observe.record()` gives, or a
    training panel; views of one recording share their moment. The maps are those of the first
    `samples` of each training batch; or, with `inputs` (a tensor, or a tuple of what the model
    takes), of these, which the model is run on after each kept step, in evaluation mode and without
    a trace in its training. With `inputs`, a source that is no model needs the `model` too.

    A pixel of a map, once clicked, shows the window it was computed from, the products with the
    kernel, and their sum. `lang` is "en" or "zh"; without `timeline` the view has no slider of its
    own.

    Raises TypeError for a source that is none of these, ValueError for `inputs` without a model,
    for `samples` below 1 and for an unknown language.
    """
    if isinstance(samples, bool) or int(samples) < 1:
        raise ValueError(f"samples must be a positive number, not {samples!r}")
    if model is None and hasattr(source, "named_modules"):
        model = source
    if inputs is not None:
        if model is None:
            raise ValueError(
                "to be run on inputs, the model itself is needed: features(source, inputs, "
                "model=model)"
            )
        inputs = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
        samples = min(MOST_INPUTS, len(inputs[0]) if inputs[0].ndim > 1 else 1)
    return FeatureView(
        cursor_of(source),
        model=model,
        inputs=inputs,
        samples=int(samples),
        lang=lang,
        timeline=timeline,
    )
