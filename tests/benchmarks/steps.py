"""Training steps timed side by side in labtorch and PyTorch.

    python tests/benchmarks/steps.py [linear mlp ...] [--threads 2] [--rounds 15] [--json FILE]
    python tests/benchmarks/steps.py cnn lstm --device cuda

Each engine works in a process of its own. They take turns, block by block, and who goes first
alternates, so that a change in the machine's speed meets both. A block is a number of steps after a
few untimed ones; the figure of a program is the median over rounds of PyTorch's time over
labtorch's: above 1, labtorch is faster. Both start from the same weights, and their first losses
must agree: a fast wrong answer does not count. `+watch` times labtorch's own step under
`observe.record()` against the unwatched one.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

STEPS = {  # timed in a block
    "linear": 300,
    "linear+watch": 300,
    "mlp": 60,
    "mlp+watch": 60,
    "lstm": 30,
    "lstm+watch": 30,
    "cnn": 12,
    "cnn+watch": 12,
}
UNTIMED = 3


class Engine:
    """labtorch or PyTorch, by the names they share."""

    def __init__(self, name: str, device: str = "cpu") -> None:
        self.torch = importlib.import_module(name)
        self.nn = importlib.import_module(f"{name}.nn")
        self.optim = importlib.import_module(f"{name}.optim")
        self.name, self.device = name, device

    def wait(self) -> None:
        """Until all that was asked for is done."""
        if self.device != "cpu":
            self.torch.cuda.synchronize()

    def floats(self, array: np.ndarray) -> Any:
        return self.torch.tensor(np.asarray(array, np.float32)).to(self.device)

    def integers(self, array: np.ndarray) -> Any:
        return self.torch.tensor(np.asarray(array, np.int64)).to(self.device)


def linear(engine: Engine, draw: np.random.Generator) -> tuple[Any, ...]:
    """The document's linear regression: 100 points, one weight, one bias, SGD."""
    x = draw.standard_normal((100, 1))
    y = 2 * x + 1 + 0.5 * draw.standard_normal((100, 1))
    model = engine.nn.Linear(1, 1)
    make = lambda parameters: engine.optim.SGD(parameters, lr=0.01)  # noqa: E731
    return model, engine.nn.MSELoss(), make, engine.floats(x), engine.floats(y)


def mlp(engine: Engine, draw: np.random.Generator) -> tuple[Any, ...]:
    """A classifier of 64 x 64 inputs, two hidden layers of 128, Adam."""
    nn = engine.nn
    x, labels = draw.standard_normal((64, 64)), draw.integers(0, 10, 64)
    model = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    make = lambda parameters: engine.optim.Adam(parameters, lr=1e-3)  # noqa: E731
    return model, nn.CrossEntropyLoss(), make, engine.floats(x), engine.integers(labels)


def lstm(engine: Engine, draw: np.random.Generator) -> tuple[Any, ...]:
    """The document's LSTM: 32 sequences of 20 x 10, two layers of 50, Adam."""
    torch, nn = engine.torch, engine.nn

    class Classifier(nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(10, 50, 2, batch_first=True)
            self.fc = nn.Linear(50, 2)

        def forward(self, x: Any) -> Any:
            h = torch.zeros(2, x.size(0), 50).to(x)
            c = torch.zeros(2, x.size(0), 50).to(x)
            output, _ = self.lstm(x, (h, c))
            return self.fc(output[:, -1, :])

    x, labels = draw.standard_normal((32, 20, 10)), draw.integers(0, 2, 32)
    make = lambda parameters: engine.optim.Adam(parameters, lr=0.01)  # noqa: E731
    return Classifier(), nn.CrossEntropyLoss(), make, engine.floats(x), engine.integers(labels)


def cnn(engine: Engine, draw: np.random.Generator) -> tuple[Any, ...]:
    """The document's CNN: two convolutions with pooling, two linear layers, SGD."""
    nn = engine.nn

    class CNN(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 1, 1)
            self.pool = nn.MaxPool2d(2, 2)
            self.fc1, self.fc2 = nn.Linear(64 * 6 * 6, 128), nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            x = self.pool(nn.functional.relu(self.conv1(x)))
            x = self.pool(nn.functional.relu(self.conv2(x)))
            return self.fc2(nn.functional.relu(self.fc1(x.view(-1, 64 * 6 * 6))))

    x, labels = draw.standard_normal((64, 1, 24, 24)), draw.integers(0, 10, 64)
    make = lambda parameters: engine.optim.SGD(parameters, lr=0.01)  # noqa: E731
    return CNN(), nn.CrossEntropyLoss(), make, engine.floats(x), engine.integers(labels)


PROGRAMS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "linear": linear,
    "mlp": mlp,
    "lstm": lstm,
    "cnn": cnn,
}


def training_step(engine: Engine, program: str) -> Callable[[], Any]:
    """One step of the program, from weights that do not depend on the engine."""
    model, criterion, make, x, y = PROGRAMS[program](engine, np.random.default_rng(0))
    model.to(engine.device)
    draw = np.random.default_rng(1)
    weights = {
        name: engine.floats(0.1 * draw.standard_normal(tuple(value.shape)))
        for name, value in model.state_dict().items()
    }
    model.load_state_dict(weights)
    optimizer = make(model.parameters())

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def serve(name: str, threads: int, device: str) -> None:
    """In a process of its own: a line 'program' in, a line of JSON out."""
    engine = Engine(name, device)
    engine.torch.set_num_threads(threads)
    steps: dict[str, Callable[[], Any]] = {}
    losses: dict[str, list[float]] = {}
    for line in sys.stdin:
        entry = line.strip()
        program, _, watched = entry.partition("+")
        if entry not in steps:
            steps[entry] = training_step(engine, program)
            losses[entry] = [float(steps[entry]().item()) for _ in range(5)]
        step = steps[entry]
        watch: Any = contextlib.nullcontext()
        if watched:
            watch = importlib.import_module(f"{name}.observe").record()
        with watch:
            for _ in range(UNTIMED):
                step()
            engine.wait()
            start = time.perf_counter()
            for _ in range(STEPS[entry]):
                step()
            engine.wait()
            seconds = (time.perf_counter() - start) / STEPS[entry]
        print(json.dumps({"seconds": seconds, "losses": losses[entry]}), flush=True)


class Worker:
    """An engine in a process of its own."""

    def __init__(self, name: str, threads: int, device: str) -> None:
        command = [sys.executable, __file__, "--serve", name, "--threads", str(threads)]
        command += ["--device", device]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )

    def block(self, entry: str) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(entry + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"an engine died on {entry}")
        return json.loads(answer)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(10)


def compare(entry: str, mine: Worker, other: Worker, against: str, rounds: int) -> dict[str, Any]:
    """Blocks of both in turn; the median ratio."""
    first = mine.block(entry)["losses"], other.block(against)["losses"]
    pairs = []
    for turn in range(rounds):
        if turn % 2:
            theirs, ours = other.block(against)["seconds"], mine.block(entry)["seconds"]
        else:
            ours, theirs = mine.block(entry)["seconds"], other.block(against)["seconds"]
        pairs.append((ours, theirs))
    return {
        "labtorch_us": 1e6 * median(p[0] for p in pairs),
        "against_us": 1e6 * median(p[1] for p in pairs),
        "ratio": median(theirs / ours for ours, theirs in pairs),
        "losses_agree": bool(np.allclose(*first, rtol=1e-3)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="*", default=list(STEPS), help=", ".join(STEPS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu", help="cpu or cuda: for both engines")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", help="write the figures to this file, too")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.threads, options.device)
    if unknown := set(options.programs) - set(STEPS):
        parser.error(f"no program {', '.join(unknown)}; there are {', '.join(STEPS)}")
    mine, oracle = (Worker(name, options.threads, options.device) for name in ("labtorch", "torch"))
    figures = {}
    for entry in options.programs:
        plain, _, watched = entry.partition("+")
        figure = compare(entry, mine, mine if watched else oracle, plain, options.rounds)
        figures[entry] = figure
        of = "unwatched / watched" if watched else "PyTorch / labtorch"
        print(
            f"{entry:13} {figure['labtorch_us']:9.1f} us, against {figure['against_us']:9.1f} us: "
            f"{of} {figure['ratio']:.2f}{'' if figure['losses_agree'] else '  LOSSES DIFFER'}",
            flush=True,
        )
    mine.close()
    oracle.close()
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
