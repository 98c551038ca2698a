"""Run a program's text for some steps from given weights, and store the loss of each step.

    python -m tests.programs.run torch|labtorch PROGRAM INPUTS.npz LOSSES.npz

The text runs as it is. What it leaves open (`x`, `y`: "suppose they are data and labels") stands
ready as globals, as does the name `range`: the training loop asks for it when the model is built,
so there the weights are set, and the loss is noted after every step.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

STEPS = 100


def main(engine: str, program: str, given: str, to: str) -> None:
    if engine == "labtorch":
        import labtorch

        labtorch.as_torch()
    import torch
    from torch import optim

    inputs = dict(np.load(given))
    data = {name: torch.from_numpy(inputs.pop(name)) for name in ("x", "y")}
    scope = {"optim": optim, **data, "__name__": "__main__"}  # 4.2 takes optim from 4.1's imports
    losses: list[float] = []

    def training(*_: int) -> Iterator[int]:
        scope.update(data)
        weights = {name: torch.from_numpy(each) for name, each in inputs.items()}
        scope["model"].load_state_dict(weights)
        for step in builtins.range(STEPS):
            yield step
            losses.append(scope["loss"].item())

    scope["range"] = training
    exec(compile(Path(program).read_text("utf-8"), program, "exec"), scope)
    np.savez(to, losses=losses)


if __name__ == "__main__":
    main(*sys.argv[1:])
