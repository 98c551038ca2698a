"""Gradients layer by layer, now and over time; and the doctor, who says what is wrong with them."""

from __future__ import annotations

from typing import Any

from ..shared.cursor import cursor_of
from .doctor import DoctorView
from .view import GradientsView

__all__ = ["DoctorView", "GradientsView", "doctor", "gradients"]


def gradients(source: Any, *, lang: str | None = None) -> GradientsView:
    """Show the size and the distribution of every layer's gradient, at the cursor and over time.

    One row a layer, in order of depth: the gradient's range on a fixed symmetric log scale, its
    norm, its histogram, the share of zeros, the norm of the weights, and the ratio of update to
    weight. Below, a statistic of all layers over the kept steps, as lines or as a heat map; a
    click there moves the moment that all views of the recording share.

    `source` is a model (watched from then on), what `labtorch.observe.record()` gives, a (graph,
    snapshot) pair, or a training panel; `lang` is "en" or "zh".

    Raises TypeError for a source that is none of these and ValueError for an unknown language.
    """
    return GradientsView(cursor_of(source), lang=lang)


def doctor(source: Any, *, lang: str | None = None) -> DoctorView:
    """Say what is wrong with the gradients of the step at the cursor, why, and what helps.

    Every finding names the op to blame, its line, and the path of the gradient from the loss to
    the parameter with the factor by which each op changed its norm. `print(lab.doctor(model))`
    says the same in plain text.

    `source` and `lang` are as in `gradients`, and so are the errors raised.
    """
    return DoctorView(cursor_of(source), lang=lang)
