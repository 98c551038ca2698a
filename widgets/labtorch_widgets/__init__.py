"""Views that show, while it happens, what a model computes and how it trains.

>>> import labtorch_widgets as lab  # doctest: +SKIP
>>> panel = lab.train(step, optimizer=optimizer, steps=500)  # doctest: +SKIP

Views read recordings (`labtorch.observe`) and nothing else of the engine.
"""

from .convolution import ConvolutionView, convolution
from .dashboard import Dashboard, watch
from .features import FeatureView, features
from .gradients import DoctorView, GradientsView, doctor, gradients
from .graph import GraphView, draw_graph, graph
from .playground import PlaygroundView, playground
from .shared.cursor import TimeCursor
from .shared.view import View
from .shared.words import language
from .states import StatesView, states
from .surface import SurfaceView, surface
from .tensors import TensorsView, broadcast, tensors
from .timeline import TimelineView, timeline
from .training import ComparisonView, TrainingPanel, compare, progress, train

__all__ = [
    "ComparisonView",
    "ConvolutionView",
    "Dashboard",
    "DoctorView",
    "FeatureView",
    "GradientsView",
    "GraphView",
    "PlaygroundView",
    "StatesView",
    "SurfaceView",
    "TensorsView",
    "TimeCursor",
    "TimelineView",
    "TrainingPanel",
    "View",
    "broadcast",
    "compare",
    "convolution",
    "doctor",
    "draw_graph",
    "features",
    "gradients",
    "graph",
    "language",
    "playground",
    "progress",
    "states",
    "surface",
    "tensors",
    "timeline",
    "train",
    "watch",
]
