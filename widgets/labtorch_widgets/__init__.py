"""Views that show, while it happens, what a model computes and how it trains.

>>> import labtorch_widgets as lab  # doctest: +SKIP
>>> panel = lab.train(step, optimizer=optimizer, steps=500)  # doctest: +SKIP

Views read recordings (`labtorch.observe`) and nothing else of the engine.
"""

from .dashboard import Dashboard, watch
from .graph import GraphView, graph
from .shared.cursor import TimeCursor
from .shared.view import View
from .shared.words import language
from .states import StatesView, states
from .training import TrainingPanel, train

__all__ = [
    "Dashboard",
    "GraphView",
    "StatesView",
    "TimeCursor",
    "TrainingPanel",
    "View",
    "graph",
    "language",
    "states",
    "train",
    "watch",
]
