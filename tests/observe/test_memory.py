"""What the backward pass keeps alive, when, and what a recording says of a step's times."""

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.observe.memory import alive, kept_for_backward
from tests.observe.test_recording import recorded, training


def kept(recording):
    graph = recording.graph()
    found = kept_for_backward(graph, recording.timings()["rows"])
    return [(graph["nodes"][each["node"]]["name"], each) for each in found]


def test_activations_wait_until_the_backward_pass_has_used_them():
    recording = recorded(1)
    by_name = dict(kept(recording))
    assert set(by_name) == {"linear", "relu"}  # parameters, input and target live anyway
    rows = recording.snapshot()["rows"]
    names = [node["name"] for node in recording.graph()["nodes"]]
    relu = rows[names.index("relu")]
    second = rows[len(names) - 1 - names[::-1].index("linear")]
    hidden = by_name["relu"]  # saved by itself (where it let pass) and by the second layer
    assert hidden["nbytes"] == 8 * 4 * 4
    assert hidden["start"] == relu["forward_start"] + relu["forward_seconds"]
    assert hidden["end"] == relu["backward_start"] + relu["backward_seconds"]
    assert hidden["end"] > second["backward_start"]


def test_the_staircase_rises_in_the_forward_pass_and_comes_down_to_nothing():
    steps = alive([each for _, each in kept(recorded(1))])
    sizes = [size for _, size in steps]
    assert max(sizes) > 0 and sizes[-1] == 0 and min(sizes) == 0
    assert [second for second, _ in steps] == sorted(second for second, _ in steps)


def test_a_view_keeps_what_it_shows_and_is_counted_once():
    with observe.record(budget=1e9) as recording:
        w = torch.randn(6, requires_grad=True)
        y = w.exp()
        (y.reshape(2, 3) * y.reshape(2, 3).detach().clone()).sum().backward()
    found = dict(kept(recording))
    assert found["exp"]["nbytes"] == 24 and "reshape" not in found


def test_without_a_backward_pass_nothing_is_let_go():
    with observe.record(budget=1e9) as recording:
        torch.randn(6, requires_grad=True).exp().exp()
    found = kept(recording)
    assert len(found) == 2 and all(each["end"] is None for _, each in found)


def test_timings_are_those_of_the_snapshot():
    recording = recorded(3)
    for step in recording.steps:
        timings, snapshot = recording.timings(step), recording.snapshot(step)
        for name, column in timings["rows"].items():
            assert column == [row[name] for row in snapshot["rows"]]
        assert timings["duration"] == snapshot["duration"] > snapshot["measuring_seconds"] > 0


def test_what_is_done_before_a_measured_step_sees_the_parameters_that_it_uses():
    model, _, step = training()
    seen = {}
    with observe.record(budget=1e9) as recording:
        end = recording.before_measured_steps(
            lambda at: seen.update({at: model.first.weight.detach().numpy().copy()})
        )
        for _ in range(3):
            step()
        end()
        step()
    assert sorted(seen) == [0, 1, 2]
    at = [n["name"] for n in recording.graph()["nodes"]].index("first.weight")
    for number, weight in seen.items():
        used = recording.snapshot(number)["rows"][at]["value"]["thumbnail"]["values"]
        np.testing.assert_array_equal(used, weight)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_measuring_before_steps_changes_no_number(kind):
    losses = []
    for watched in (False, True):
        torch.manual_seed(0)
        model, x = nn.Linear(3, 1), torch.ones(4, 3)
        optimizer = kind(model.parameters(), lr=0.1)
        with observe.record(budget=1e9) as recording:
            if watched:
                recording.before_measured_steps(lambda at: None)
            for _ in range(3):
                optimizer.zero_grad()
                loss = model(x).square().mean()
                loss.backward()
                optimizer.step()
        losses.append(loss.item())
    assert losses[0] == losses[1]
