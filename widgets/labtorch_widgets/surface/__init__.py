"""The loss as a landscape over two parameters or two directions, with the path walked over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..shared.cursor import cursor_of
from .view import SurfaceView

__all__ = ["SurfaceView", "surface"]


def surface(
    model: Any,
    loss: Callable[..., Any],
    *,
    source: Any = None,
    parameters: Sequence[str] | None = None,
    directions: Any = None,
    span: float | tuple[tuple[float, float], tuple[float, float]] | None = None,
    resolution: int = 49,
    training: bool = False,
    lang: str | None = None,
) -> SurfaceView:
    """Show the loss around the model's weights, and where training has walked.

    `loss(model)` is the loss of a model of that form on data that stay the same:
    `lambda model: criterion(model(x), y)`. A function of no arguments is asked between two steps
    of the training instead, with the weights of the model itself, which are put back.

    The plane is that of two numbers among the weights, `parameters=("fc.weight[0, 0]", "fc.bias")`,
    or of two `directions`: "random" (with the lengths of the filters, after Li et al. 2018), "pca"
    (the plane that the path stays closest to), "gradient" (uphill to the right), or a pair of
    directions, each with one array a parameter. A model with two numbers in all shows those; any
    other one random directions.

    `source` is what records the training: a model, a recording, a panel (by default, `model` is
    watched). `span` is how far to look around where the path began: a number, or two ranges.
    `resolution` is how many points there are across; `training` keeps the model in training mode.

    Raises TypeError where `loss` cannot be called so; LookupError, IndexError or ValueError for
    parameters or directions that the model does not have; ImportError without contourpy, which
    comes with matplotlib.
    """
    return SurfaceView(
        cursor_of(model if source is None else source),
        model,
        loss,
        parameters=parameters,
        directions=directions,
        span=span,
        resolution=resolution,
        training=training,
        lang=lang,
    )
