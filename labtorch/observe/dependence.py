"""How much a prediction depends on each position of the sequence that it was made from.

Source: Madsen, "Visualizing memorization in RNNs", Distill (2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labtorch.autograd.gradients import grad
from labtorch.engine import events
from labtorch.engine.thread import current
from labtorch.engine.variable import Variable
from labtorch.observe.follow import Following
from labtorch.observe.recording import Recording
from labtorch.observe.sequences import RECURRENT
from labtorch.tensor.tensor import Tensor


@dataclass
class Dependences:
    """What one run found. C classes, N sequences, T positions."""

    norms: np.ndarray  # (N, T): the norm of the gradient of the chosen output at each position
    outputs: np.ndarray  # (N, C): what the model gave, at `position`
    chosen: np.ndarray  # (N,): which of these was differentiated
    position: int | None  # of the prediction, where the model makes one at each position


class _Path(events.Watcher):
    """Notes what tokens are embedded as, and on which axis a recurrent layer has its steps."""

    def __init__(self) -> None:
        self.embedded: list[Any] = []
        self.batch_first = True

    def op_ended(self, call: events.Call, outputs: tuple[Variable, ...]) -> None:
        if call.op.name == "embedding":
            self.embedded += outputs
        elif call.op.name in RECURRENT:
            given = dict(zip(call.op.parameters, call.args))
            self.batch_first = bool(given["batch_first"]) or given["batch_sizes"] is not None


class Dependence(Following):
    r"""Follows a model, and differentiates what it predicts: $\|\partial y_k / \partial x_t\|$.

    y_k is the largest output of each sequence, or the one that `choose` names. x_t is what position
    t is given to the model as: its embedding, or, where inputs are floating, the input itself. The
    pass is recorded as any other; `.grad` of the parameters is not touched.
    """

    def __init__(self, training: Recording, model: Any, *inputs: Any, **options: Any) -> None:
        self.output: int | None = None  # of the C outputs; None: the largest
        self.position: int | None = None  # of the T predictions; None: the last
        self.found: dict[int, Dependences] = {}  # by step
        super().__init__(training, model, *inputs, **options)

    def choose(self, output: int | None = None, position: int | None = None) -> Any:
        """Differentiate this output from now on; the newest step is computed anew. A Future."""
        self.output, self.position = output, position
        return self._training.between_steps(self.again)

    def again(self) -> None:
        """Compute the newest step once more."""
        steps = self.recording.steps
        self.run(steps[-1] if steps else 0)

    def compute(self, model: Any, inputs: tuple) -> None:
        current().grad_enabled = True
        given = [
            x.detach().requires_grad_() if isinstance(x, Tensor) and x.is_floating_point() else x
            for x in inputs
        ]
        path = _Path()
        with events.watch(path):
            output = model(*given)
        while isinstance(output, tuple | list):
            output = output[0]
        sources = path.embedded or [
            x for x in given if isinstance(x, Tensor) and x.requires_grad and x.ndim > 1
        ]
        if not isinstance(output, Tensor) or not output.requires_grad:
            raise TypeError("the model's (first) result is no tensor that could be differentiated")
        flat, position = self._at_position(output, sources, path.batch_first)
        values = flat.detach().numpy()
        best = values.argmax(axis=1)
        chosen = best if self.output is None else np.full_like(best, self.output)
        scalar = flat[np.arange(len(chosen)), chosen].sum()
        parameters = [p for p in model.parameters() if p.requires_grad]
        # the parameters' gradients, too, so that the pass goes through all that the model did
        found = grad(scalar, [*sources, *parameters], allow_unused=True)[: len(sources)]
        norms = _norms([g for g in found if g is not None], path.batch_first)
        step = self.recording.step_count
        self.found[step] = Dependences(norms, values, chosen, position)
        while len(self.found) > 2 * self.recording.keep:
            del self.found[next(iter(self.found))]

    def _at_position(
        self, output: Tensor, sources: list[Tensor], batch_first: bool
    ) -> tuple[Tensor, int | None]:
        """The outputs (N, C) that are asked about, and where in the sequence they were made."""
        per_step = output.ndim == 3
        if output.ndim == 2 and len(sources) == 1:
            per_step = sources[0].ndim == 2 and len(output) == len(sources[0]) > 1
        if not per_step:
            return output.reshape(1, -1) if output.ndim < 2 else output.flatten(1), None
        axis = 0 if output.ndim == 2 or not batch_first else 1
        steps = output.shape[axis]
        position = steps - 1 if self.position is None else min(max(self.position, 0), steps - 1)
        at = output.select(axis, position)
        return at.reshape(1, -1) if at.ndim < 2 else at, position


def _norms(gradients: list[Tensor], batch_first: bool) -> np.ndarray:
    """(N, T), of one gradient (N, T, E), (T, N, E) or (T, E), or of one for every position."""
    arrays = [np.linalg.norm(g.detach().numpy(), axis=-1) for g in gradients]
    if not arrays:
        return np.zeros((0, 0))
    if len(arrays) > 1:  # a loop: (N,) or a number each
        return np.stack([np.atleast_1d(each) for each in arrays], axis=1)
    (norms,) = arrays
    if norms.ndim == 1:
        return norms[None]
    return norms if batch_first else norms.T
