"""Watch any code run: record what the engine announces, summarised, within a budget.

>>> import labtorch as torch
>>> from labtorch import observe
>>> w = torch.tensor([2.0], requires_grad=True)
>>> with observe.record() as recording:
...     loss = (3 * w).sum()
...     loss.backward()
>>> [node["name"] for node in recording.graph()["nodes"]]
['w', 'mul', 'sum']
"""

from labtorch.engine.events import Watcher, mark_step, watch
from labtorch.observe import convolve, doctor, series
from labtorch.observe.autograd_graph import autograd_graph
from labtorch.observe.follow import Following
from labtorch.observe.once import run_once
from labtorch.observe.recording import Recording
from labtorch.observe.session import Session, record, watching
from labtorch.observe.stepping import op_by_op, unwatched

__all__ = [
    "Following",
    "Recording",
    "Session",
    "Watcher",
    "autograd_graph",
    "convolve",
    "doctor",
    "mark_step",
    "op_by_op",
    "record",
    "run_once",
    "series",
    "unwatched",
    "watch",
    "watching",
]
