"""A recording stays under its stated cap, however long it goes on, and says what it dropped."""

import tracemalloc

import numpy as np
import pytest

import labtorch as torch
from labtorch import observe
from labtorch.observe.summary import Probe


def test_a_hundred_thousand_steps_stay_under_the_cap():
    cap = 1 << 20
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with observe.record(keep=256, cap=cap) as recording:
        recording.look_into(ops={"mul"})
        tracemalloc.start()
        try:
            for step in range(100_000):
                w * 2
                observe.mark_step()
                if step % 200 == 0:
                    recording.measure_next()
                if step == 50_000:
                    halfway = tracemalloc.get_traced_memory()[0]
                if step % 5_000 == 0:
                    assert recording.nbytes <= cap
            held = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    assert recording.step_count == 100_000
    assert held - halfway < 200_000  # bytes: it has long reached its size
    assert held < 2 * cap
    assert "steps were not measured" in recording.dropped
    assert "dropped to stay within bounds" in recording.dropped
    assert len(recording.steps) <= 256 + 128


def test_kept_arrays_count_against_the_cap():
    cap = 1 << 20
    x = torch.randn(100, 100)
    with observe.record(keep=256, cap=cap, budget=1e9) as recording:
        recording.look_into(ops={"exp"})
        for _ in range(100):
            torch.exp(x)
            observe.mark_step()
            assert recording.nbytes <= cap
    assert len(recording.steps) > 30  # most keep their summaries
    assert 4 < len(recording.steps_with_arrays) < 30
    assert recording.arrays(1, recording.steps[-1]).outputs[0].shape == (100, 100)


def test_graphs_that_never_repeat_count_against_the_cap():
    cap = 1 << 20
    w = torch.tensor([1.0], requires_grad=True)
    with observe.record(cap=cap, budget=1e9) as recording:
        for step in range(60):
            x = w
            for _ in range(step):
                x = x * 2
            observe.mark_step()
            assert recording.nbytes <= cap
    used = {recording.snapshot(step)["graph"] for step in recording.steps}
    assert len(used) == len(recording.steps) == len(recording._graphs) < 59


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_further_apart_than_their_kind_can_tell_are_summarised(dtype):
    most = np.finfo(dtype).max
    array = np.array([-most, -most / 2, 0, most / 2, most], dtype)
    summary = Probe(array).plain()
    assert sum(summary["histogram"]["counts"]) == 5
    assert summary["histogram"]["counts"][0] == summary["histogram"]["counts"][-1] == 1
    assert (summary["min"], summary["max"]) == (-most, most)
