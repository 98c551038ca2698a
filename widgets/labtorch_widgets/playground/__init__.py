"""A network to play with: data, layers and weights changed by hand, trained by the real engine."""

from __future__ import annotations

from ..shared.words import known
from .choices import read
from .view import PlaygroundView

__all__ = ["PlaygroundView", "playground"]


def playground(
    state: str = "", *, start: bool = False, lang: str | None = None, **choices: object
) -> PlaygroundView:
    """Choose points, layers and an optimizer; watch the boundary form; read the program behind it.

    The program beside the picture is the program that trains: it is written from what is chosen,
    and runs as it stands, with labtorch in the place of torch. `view.code` is its text;
    `view.model` is the model while it trains; `view.state` the choices as one line, which
    `playground(state=...)` takes back. Other views show the same training: `lab.graph(view)`.

    `state` is such a line (""  for the usual choices); `choices` change it by name:

        lab.playground(data="spiral", layers=[8, 8], activation="Tanh", lr=0.03)

    They are `data` ("circle", "xor", "gauss", "spiral", "moons", "iris", "wine", "waves", "drawn"),
    `noise`, `train` (percent of the points), `batch` (0: all points), `layers` (up to 6 of up to 8
    units), `activation` ("ReLU", "Tanh", "Sigmoid", "linear"), `features` (of "x1", "x2", "x1²",
    "x2²", "x1x2", "sin x1", "sin x2"), `lr`, `optimizer` ("SGD", "momentum", "Adam"), `penalty`
    ("none", "L1", "L2") with its `strength`, `seed`, and `points` drawn by hand: (x1, x2, class)
    within 6 of the origin. `start` begins to train at once; `lang` is "en" or "zh".

    Running the same cell again ends what it started before.

    Raises ValueError for a choice that is unknown or not possible, and for an unknown language.
    """
    known(lang)
    return PlaygroundView(read(state).changed(choices), start=start, lang=lang)
