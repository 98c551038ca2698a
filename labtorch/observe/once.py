"""A model run once, to see what it computes, leaving everything as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labtorch.engine import events
from labtorch.engine.thread import current
from labtorch.observe import source
from labtorch.observe.recorder import Recorder
from labtorch.observe.recording import Recording
from labtorch.observe.structure import variable_name
from labtorch.random import fork_rng


def run_once(models: Any, *inputs: Any, **named: Any) -> Recording:
    """Call the model (each, of a list or a dict of them) on the inputs; what it computed is step 0.

    Buffers and random generators are put back, other recordings do not see the run. Where an op
    fails, the recording holds what had run until then and says which op failed; what fails
    elsewhere is raised.
    """
    called = _called(models)
    recording = Recording(keep=1)
    recorder = Recorder(recording, budget=1.0, head_start=0.0)
    thread = current()
    before = thread.scope, thread.watchers
    buffers = [(buffer, buffer._array.copy()) for model, _ in called for buffer in model.buffers()]
    with fork_rng():
        try:
            thread.scope, thread.watchers = None, ()
            with events.watch(recorder):
                for model, name in called:
                    if name:
                        recorder.roots[model] = name
                    model(*inputs, **named)
        except Exception:
            if recorder.failure is None:
                raise
        finally:
            thread.scope, thread.watchers = before
            recorder.step_marked()
            for buffer, array in buffers:
                buffer._array[...] = array
    return recording


def _called(models: Any) -> list[tuple[Any, str]]:
    """The models, each with what the user calls it."""
    if isinstance(models, Mapping):
        return [(model, str(name)) for name, model in models.items()]
    if isinstance(models, list | tuple):
        return [(model, "") for model in models]
    return [(models, variable_name(models, source.calling_frame()))]
