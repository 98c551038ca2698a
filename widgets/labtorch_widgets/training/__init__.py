"""Training in a thread, with a panel that shows and steers it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .comparison import ComparisonView
from .panel import TrainingPanel, panels
from .progress import progress

__all__ = ["ComparisonView", "TrainingPanel", "compare", "progress", "train"]


def train(
    step: Callable[..., Any],
    *,
    optimizer: Any = None,
    steps: int | None = None,
    batches: Iterable[Any] | None = None,
    epochs: int | None = None,
    steps_per_epoch: int | None = None,
    validate: Callable[[], Any] | None = None,
    every: int | None = None,
    model: Any = None,
    name: str | None = None,
    start: bool = True,
    graph: bool = True,
    lang: str | None = None,
) -> TrainingPanel:
    """Train in the background and show it live; the cell returns at once.

    `step()` does one training step (zero_grad, forward, backward, optimizer.step) and returns the
    loss, as a number or something with `.item()`, or a dict of at most 12 such metrics with the
    loss among them: `{"loss": loss, "accuracy": accuracy}`. With `optimizer` the panel sets the
    learning rate of all its parameter groups.

    >>> lab.train(step, optimizer=optimizer, steps=500)  # doctest: +SKIP
    >>> lab.train(step, optimizer=optimizer, batches=loader, epochs=5,
    ...           validate=evaluate, model=model, name="lr=0.1")  # doctest: +SKIP

    How long: `steps` in all, or `epochs`; without either it trains until stopped. With `batches`
    (a DataLoader, a list) every step is called with the next batch, `step(batch)`, and an epoch
    goes through them once; else, or to cut epochs short, `steps_per_epoch` says how long one is.

    Validation: `validate()` returns a number or a dict, as `step` does. It runs in the training
    thread, unrecorded, after each epoch, or after `every` so many steps (without epochs a tenth of
    `steps`), and at the end; putting the model into evaluation mode and back is its own business.
    Of a metric whose name says loss or error the lowest value is the best, of others the highest.

    With `model` the training is recorded where `lab.watch(model)` and `lab.graph(model)` look, so
    that they and the panel share one moment in time. When it has ended, the model is watched in
    the notebook's own thread again.

    `name` is what the run is called where it is compared with others: `lab.compare`,
    `panel.compare(other)`. `start=False` waits for the learner; `graph=False` leaves the
    computation graph out.

    Running the same cell again stops what it started before, whose lines stay as a ghost. Where
    nobody looks (a script, a notebook under test), `train(...).wait()` blocks until the training
    has ended and raises what `step()` raised.

    Raises TypeError where `step`, `batches` or `validate` are not what they have to be, ValueError
    where numbers are not positive or say two things at once, RuntimeError where another panel is
    training the same `model`.
    """
    return TrainingPanel(
        step,
        optimizer=optimizer,
        steps=steps,
        batches=batches,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        validate=validate,
        every=every,
        model=model,
        name=name,
        start=start,
        graph=graph,
        lang=lang,
    )


def compare(*given: TrainingPanel, lang: str | None = None) -> ComparisonView:
    """Draw the lines of several trainings in one chart, whether they have ended or not.

    Each begins at step 0; a table says their final and best values. Name them with
    `lab.train(..., name="lr=0.1")`.

    Raises TypeError for what is no training panel, or where none is given.
    """
    if not given:
        raise TypeError("lab.compare needs the panels to compare: lab.compare(first, second)")
    found = panels(given)
    cursors = list(dict.fromkeys(panel.cursor for panel in found))
    return ComparisonView(cursors, [panel.run for panel in found], lang)
