"""Views that show, while it happens, what a model computes and how it trains.

>>> import labtorch_widgets as lab  # doctest: +SKIP
>>> panel = lab.train(step, optimizer=optimizer, steps=500)  # doctest: +SKIP

Views read recordings (`labtorch.observe`) and nothing else of the engine.
"""

from .dashboard import Dashboard, watch
from .features import FeatureView, features
from .graph import GraphView, graph
from .shared.cursor import TimeCursor
from .shared.view import View
from .shared.words import language
from .surface import SurfaceView, surface
from .tensors import TensorsView, broadcast, tensors
from .timeline import TimelineView, timeline
from .training import ComparisonView, TrainingPanel, compare, progress, train

__all__ = [
    "ComparisonView",
    "Dashboard",
    "FeatureView",
    "GraphView",
    "SurfaceView",
    "TensorsView",
    "TimeCursor",
    "TimelineView",
    "TrainingPanel",
    "View",
    "broadcast",
    "compare",
    "features",
    "graph",
    "language",
    "progress",
    "surface",
    "tensors",
    "timeline",
    "train",
    "watch",
]
