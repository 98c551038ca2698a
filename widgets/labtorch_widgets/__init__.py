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
from .tensors import TensorsView, broadcast, tensors
from .training import ComparisonView, TrainingPanel, compare, progress, train

__all__ = [
    "ComparisonView",
    "Dashboard",
    "GraphView",
    "TensorsView",
    "TimeCursor",
    "TrainingPanel",
    "View",
    "broadcast",
    "compare",
    "graph",
    "language",
    "progress",
    "tensors",
    "train",
    "watch",
]
