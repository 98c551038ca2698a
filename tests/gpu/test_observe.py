"""Watching a GPU: its numbers are reduced there, and come over in one copy a step."""

from __future__ import annotations

import math

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe
from labtorch.backend import devices
from labtorch.observe.ferry import Ferry
from labtorch.observe.summary import Probe, probe
from tests.gpu import standin as stand_in
from tests.gpu.test_steps import program

MOMENTS = ("mean", "std", "min", "max", "norm", "zeros", "nan", "inf")
DRAW = np.random.default_rng(0)


def close(mine, theirs, what=""):
    for name in MOMENTS:
        a, b = mine[name], theirs[name]
        assert (a is None) == (b is None), (what, name)
        if b is not None:
            scale = theirs["norm"] or 1.0 if name in ("mean", "std", "norm") else abs(b)
            assert math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-4 * scale + 1e-7), (what, name, a, b)


@pytest.mark.parametrize("name", ["linear", "cnn", "lstm"])
def test_a_watched_step_makes_one_copy(standin, name):
    _, step = program(name, "Adam", "cuda")
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops=["relu", "lstm", "linear"])
        for _ in range(3):
            stand_in.crossings.clear()
            stand_in.places.clear()
            step()
            found = dict(stand_in.crossings)
            found.pop("to device", None)
            assert found == {"to host": 1}, dict(stand_in.places)


@pytest.mark.parametrize("budget", [0.0, 1e9])
def test_what_a_recording_says_is_what_it_says_of_the_cpu(gpu, budget):
    recordings = []
    for device in ("cpu", gpu):
        _, step = program("cnn", "Adam", device)
        with observe.record(budget=budget) as recording:
            for _ in range(4):
                step()
        recordings.append(recording)
    here, there = recordings
    assert here.steps == there.steps
    for number in here.steps:
        mine, theirs = there.snapshot(number), here.snapshot(number)
        assert math.isclose(mine["loss"], theirs["loss"], rel_tol=1e-4)
        assert mine["learning_rate"] == theirs["learning_rate"]
        for row, other, node in zip(mine["rows"], theirs["rows"], here.graph(number)["nodes"]):
            for kind in ("value", "grad", "update"):
                assert (row[kind] is None) == (other[kind] is None)
                if row[kind] is not None:
                    close(row[kind], other[kind], (node["name"], kind))


ARRAYS = {
    "normal": DRAW.standard_normal((40, 50)).astype("float32"),
    "double": DRAW.standard_normal((3, 70, 35)),
    "half": DRAW.standard_normal((5, 7)).astype("float16"),
    "many": DRAW.standard_normal(100_000).astype("float32"),
    "integers": DRAW.integers(-5, 6, (9, 33)),
    "booleans": DRAW.random((6, 64)) < 0.5,
    "complex": DRAW.standard_normal((4, 4)) + 1j,
    "constant": np.full((3, 3), 2.5, "float32"),
    "zeros": np.zeros(5, "float32"),
    "none": np.zeros((0, 3), "float32"),
    "one": np.array(3.0, "float32"),
    "huge": np.array([3e38, -3e38, 1e38], "float32"),
    "tiny": np.array([1e-40, 2e-40], "float32"),
    "broken": np.array([[1.0, np.nan], [np.inf, -3.0]], "float32"),
    "nothing finite": np.array([np.nan, -np.inf], "float32"),
}


@pytest.mark.parametrize("kind", list(ARRAYS))
def test_a_probe_of_a_gpu_is_the_cpus(gpu, kind):
    array, ferry = ARRAYS[kind], Ferry()
    found = probe(devices.move(array, torch.device(gpu)), ferry)
    ferry.fetch()
    mine, theirs = found.plain(), Probe(array).plain()
    assert {k: mine[k] for k in ("shape", "dtype")} == {k: theirs[k] for k in ("shape", "dtype")}
    close(mine, theirs)
    np.testing.assert_allclose(found.thumbnail, Probe(array).thumbnail, rtol=1e-3, atol=1e-5)
    assert (mine["histogram"] is None) == (theirs["histogram"] is None)
    if theirs["histogram"] is not None:  # a number at an edge may fall on either side of it
        a, b = (np.array(x["histogram"]["counts"]) for x in (mine, theirs))
        assert a.sum() == b.sum() and abs(a - b).sum() <= 0.01 * b.sum()


def test_the_first_op_that_made_a_nan_is_named(gpu):
    with observe.record() as recording:
        w = torch.tensor([-1.0, 2.0], device=gpu, requires_grad=True)
        torch.exp(torch.log(w) * 3).mean().backward()
    failure = recording.snapshot()["failure"]
    assert (failure["kind"], failure["op"]) == ("nonfinite", "log")


def test_a_nan_in_the_data_is_not_blamed_on_an_op(gpu):
    x = torch.tensor([[float("nan"), 1.0]], device=gpu)
    model = nn.Linear(2, 1, device=gpu)
    with observe.record() as recording:
        model(x).sum().backward()
    failure = recording.snapshot()["failure"]
    assert recording.graph()["nodes"][failure["node"]]["name"] == "x"
