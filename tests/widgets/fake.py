"""A recording made by hand in the snapshot's format: views are tested without the engine.

A small network (Linear, ReLU, Linear, mean squared error) is trained with plain NumPy; every step
is written down as `labtorch.observe.snapshot` says.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from labtorch_widgets.shared.source import Finished

SOURCE = "        return self.fc2(torch.relu(self.fc1(x)))  # <b>not markup</b>"


def summary(array: Any) -> dict[str, Any]:
    array = np.asarray(array, dtype=np.float64)
    finite = array[np.isfinite(array)]
    grid = np.atleast_2d(array)[:32, :32]
    glyphs = [
        (int(i), int(j), "nan" if np.isnan(grid[i, j]) else "inf" if grid[i, j] > 0 else "-inf")
        for i, j in np.argwhere(~np.isfinite(grid))
    ]
    counts, edges = np.histogram(finite, bins=16) if finite.size else (None, None)
    moments = {
        "mean": finite.mean(),
        "std": finite.std(),
        "min": finite.min(),
        "max": finite.max(),
        "norm": np.sqrt((finite**2).sum()),
    } if finite.size else dict.fromkeys(("mean", "std", "min", "max", "norm"))  # fmt: skip
    return {
        "shape": list(array.shape),
        "dtype": "float32",
        **{name: None if value is None else float(value) for name, value in moments.items()},
        "zeros": float((array == 0).mean()),
        "nan": int(np.isnan(array).sum()),
        "inf": int(np.isinf(array).sum()),
        "histogram": None
        if counts is None
        else {"edges": edges.tolist(), "counts": counts.tolist()},
        "thumbnail": {
            "values": [[float(v) if np.isfinite(v) else None for v in row] for row in grid],
            "glyphs": glyphs,
            "exact": grid.shape == np.atleast_2d(array).shape,
        },
    }


def node(id: int, kind: str, name: str, scope: int | None, shape: list[int], **more: Any) -> Any:
    return {
        "id": id,
        "kind": kind,
        "name": name,
        "scope": scope,
        "function": None,
        "shape": shape,
        "dtype": "float32",
        "device": "cpu",
        "requires_grad": kind in ("op", "parameter"),
        "arguments": {},
        "formula": "",
        "vjps": [],
        "saved": [],
        "states": [],
        "nbytes": 4 * int(np.prod(shape)),
        "flops": None,
        "source": None,
    } | more


def source(column: int, end: int, line: int = 9) -> dict[str, Any]:
    return {
        "file": "/tmp/ipykernel_1/2.py",
        "line": line,
        "end_line": line,
        "column": column,
        "end_column": end,
        "text": SOURCE,
        "function": "forward",
    }


def linear(shape_in: list[int], weight: list[int]) -> dict[str, Any]:
    return {
        "formula": r"y_{ni} = \sum_{j} x_{nj} W_{ij} + b_i",
        "vjps": [
            {"input": "input", "formula": r"\bar{x} = \bar{y} W"},
            {"input": "weight", "formula": r"\bar{W} = \bar{y}^{\top} x"},
            {"input": "bias", "formula": r"\bar{b}_i = \sum_{n} \bar{y}_{ni}"},
        ],
        "saved": [
            {
                "name": "input",
                "shape": shape_in,
                "dtype": "float32",
                "nbytes": 4 * shape_in[0],
                "node": None,
                "output": 0,
            },
            {
                "name": "weight",
                "shape": weight,
                "dtype": "float32",
                "nbytes": 4 * weight[0],
                "node": None,
                "output": 0,
            },
        ],
    }


NODES = [
    node(0, "input", "x", None, [16, 8]),
    node(1, "parameter", "fc1.weight", 1, [6, 8]),
    node(2, "parameter", "fc1.bias", 1, [6]),
    node(
        3, "op", "linear", 1, [16, 6], source=source(39, 50), **linear([16, 8], [6, 8])
    ),
    node(
        4,
        "op",
        "relu",
        0,
        [16, 6],
        formula=r"y = \max(0, x)",
        vjps=[
            {
                "input": "input",
                "formula": r"\bar{x} = \bar{y} \odot \begin{cases} 1 & x > 0 \\ "
                r"0 & \text{otherwise} \end{cases}",
            }
        ],
        source=source(28, 51),
    ),
    node(5, "parameter", "fc2.weight", 2, [1, 6]),
    node(6, "parameter", "fc2.bias", 2, [1]),
    node(7, "op", "linear", 2, [16, 1], source=source(15, 52), **linear([16, 6], [1, 6])),
    node(8, "input", "<img src=x onerror=alert(1)>", None, [16, 1]),
    node(
        9,
        "op",
        "mse_loss",
        3,
        [],
        function="mse_loss",
        arguments={"reduction": "mean"},
        formula=r"\ell = \frac{1}{N} \sum_{n} (x_n - t_n)^2",
        vjps=[{"input": "input", "formula": r"\bar{x} = \frac{2}{N} \bar{\ell} \, (x - t)"}],
        source=source(8, 60, 21),
    ),
]  # fmt: skip
EDGES = [
    (0, 3, "input"), (1, 3, "weight"), (2, 3, "bias"), (3, 4, "input"), (4, 7, "input"),
    (5, 7, "weight"), (6, 7, "bias"), (7, 9, "input"), (8, 9, "target"),
]  # fmt: skip
SCOPES = [(None, "MLP", "", "MLP"), (0, "fc1", "fc1", "Linear"), (0, "fc2", "fc2", "Linear"),
          (None, "MSELoss", "", "MSELoss")]  # fmt: skip
GRAPH: dict[str, Any] = {
    "key": "mlp",
    "nodes": NODES,
    "edges": [
        {
            "source": a,
            "target": b,
            "argument": argument,
            "output": 0,
            "shape": NODES[a]["shape"],
            "dtype": "float32",
        }
        for a, b, argument in EDGES
    ],
    "scopes": [
        {"id": i, "parent": parent, "name": name, "path": path, "type": kind}
        for i, (parent, name, path, kind) in enumerate(SCOPES)
    ],
}


class FakeRecording(Finished):
    """What `labtorch.observe.record()` gives, as far as views know it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kept: dict[int, dict[str, Any]] = {}

    @property
    def steps(self) -> list[int]:
        with self.lock:
            return list(self.kept)

    @property
    def losses(self) -> list[tuple[int, float]]:
        with self.lock:
            return [(step, snapshot["loss"]) for step, snapshot in self.kept.items()]

    @property
    def step_count(self) -> int:
        return len(self.kept)

    def graph(self, step: int = -1) -> dict[str, Any]:
        return GRAPH

    def snapshot(self, step: int = -1) -> dict[str, Any]:
        with self.lock:
            return self.kept[step if step >= 0 else max(self.kept)]


class FakeSession:
    """What `labtorch.observe.Session` is to a training loop; the program itself records."""

    def __init__(self, recording: FakeRecording) -> None:
        self.recording = recording

    def start(self, thread: Any = None) -> None: ...
    def stop(self) -> None: ...
    def end_step(self) -> None: ...
    def discard(self) -> None: ...


class Optimizer:
    def __init__(self, lr: float) -> None:
        self.param_groups = [{"lr": lr}]


class Program:
    """The network, its data and its training step; writes each step into `recording`."""

    def __init__(self, lr: float = 0.05, spoil: int | None = None, pause: float = 0.0) -> None:
        random = np.random.default_rng(0)
        self.recording = FakeRecording()
        self.optimizer = Optimizer(lr)
        self.spoil, self.pause = spoil, pause
        self.x = random.normal(size=(16, 8))
        self.t = self.x[:, :1] * 2 - self.x[:, 1:2]
        self.w1, self.b1 = random.normal(size=(6, 8)) / 3, np.zeros(6)
        self.w2, self.b2 = random.normal(size=(1, 6)) / 2, np.zeros(1)
        self.count = 0
        self.rates: list[float] = []

    @property
    def session(self) -> FakeSession:
        return FakeSession(self.recording)

    def step(self) -> float:
        time.sleep(self.pause)
        if self.count == self.spoil:
            self.w2[0, 2] = np.nan
        h1 = self.x @ self.w1.T + self.b1
        a1 = np.maximum(h1, 0)
        y = a1 @ self.w2.T + self.b2
        loss = float(((y - self.t) ** 2).mean())
        gy = 2 * (y - self.t) / y.size
        gw2, gb2, ga1 = gy.T @ a1, gy.sum(0), gy @ self.w2
        gh1 = ga1 * (h1 > 0)
        gw1, gb1 = gh1.T @ self.x, gh1.sum(0)
        values = [self.x, self.w1, self.b1, h1, a1, self.w2, self.b2, y, self.t, loss]
        grads = [None, gw1, gb1, gh1, ga1, gw2, gb2, gy, None, 1.0]
        bad = not np.isfinite(loss)
        snapshot = {
            "step": self.count,
            "graph": "mlp",
            "seconds": self.count * 0.01,
            "duration": 0.01,
            "loss": loss,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "measured": True,
            "failure": {
                "node": 7,
                "op": "linear",
                "kind": "nonfinite",
                "message": "weight has 1 NaN, so the output has 16",
            }
            if bad
            else None,
            "partial": False,
            "current": None,
            "contributions": [],
            "rows": [
                {
                    "value": summary(value),
                    "grad": None if grad is None else summary(grad),
                    "update": None,
                    "forward_seconds": 2e-5,
                    "backward_seconds": 3e-5,
                    "forward_start": at * 2e-5,
                    "backward_start": 1e-3 - at * 3e-5,
                    "turn": None if grad is None else len(values) - at,
                }
                for at, (value, grad) in enumerate(zip(values, grads, strict=True))
            ],
        }
        rate = self.optimizer.param_groups[0]["lr"]
        self.rates.append(rate)
        for parameter, grad in ((self.w1, gw1), (self.b1, gb1), (self.w2, gw2), (self.b2, gb2)):
            parameter -= rate * grad
        with self.recording.lock:
            self.recording.kept[self.count] = snapshot
        self.count += 1
        return loss


def recorded(steps: int = 60, spoil: int | None = None) -> FakeRecording:
    program = Program(spoil=spoil)
    for _ in range(steps):
        program.step()
    return program.recording
