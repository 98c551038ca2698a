"""Going through a step op by op; sessions that move from thread to thread; work left unwatched."""

import threading

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe
from tests.observe.test_recording import training


def held(session, step, seen):
    """Run `step` op by op; `seen` gets (graph, snapshot) at every stop."""
    with observe.op_by_op(session, lambda: seen.append(session.recording.present)):
        step()


@pytest.mark.parametrize("watched", [False, True])
def test_every_op_forward_and_backward_stops_on_the_graph_of_the_last_step(watched):
    model, sgd, step = training()
    session = observe.watching(model, budget=1e9) if watched else observe.Session(budget=1e9)
    if not watched:
        session.start()
    step()
    whole = session.recording.graph()
    seen = []
    held(session, step, seen)
    session.stop()
    names = [whole["nodes"][snapshot["current"]]["name"] for _, snapshot in seen]
    assert names[:8] == ["linear", "relu", "linear", "mse_loss"] + [
        "mse_loss", "linear", "relu", "linear"
    ]  # fmt: skip
    assert sorted(names[8:]) == ["first.bias", "first.weight", "second.bias", "second.weight"]
    assert all(graph is whole for graph, _ in seen)
    values = [sum(row["value"] is not None for row in snapshot["rows"]) for _, snapshot in seen]
    assert values[:4] == sorted(values[:4]) and values[0] == 4 and values[4] == len(whole["nodes"])
    assert all(len(snapshot["rows"]) == len(whole["nodes"]) for _, snapshot in seen)
    assert all(row["grad"] is None for row in seen[3][1]["rows"])
    assert seen[-1][1]["partial"] and session.recording.present is None
    assert session.recording.snapshot()["current"] is None


def test_a_step_that_goes_another_way_than_the_last_is_shown_on_a_graph_of_its_own():
    model, sgd, step = training()
    session = observe.Session(budget=1e9)
    session.start()
    step()
    seen = []
    held(session, lambda: torch.tanh(model(torch.ones(2, 3))).sum().backward(), seen)
    session.stop()
    graph, snapshot = seen[3]
    assert graph["nodes"][snapshot["current"]]["name"] == "tanh"
    assert len(graph["nodes"]) == len(snapshot["rows"])


def test_what_follows_the_optimizer_in_a_step_does_not_stop():
    model, sgd, step = training()
    session = observe.Session(budget=1e9)
    session.start()

    def with_a_metric():
        step()
        (torch.ones(4) > 0).float().mean()

    seen, alone = [], []
    held(session, step, alone)
    session.discard()
    held(session, with_a_metric, seen)
    assert len(seen) == len(alone)
    session.discard()
    step()
    session.stop()
    assert "gt" not in {n["name"] for n in session.recording.graph()["nodes"]}


def test_the_numbers_are_those_of_a_step_without_stops():
    finals = []
    for stops in (False, True):
        torch.manual_seed(0)
        model, sgd, step = training()
        session = observe.Session()
        session.start()
        for _ in range(3):
            held(session, step, []) if stops else step()
        session.stop()
        finals.append(model.first.weight.detach().numpy().copy())
    np.testing.assert_array_equal(*finals)


def test_unwatched_work_is_no_part_of_a_recording():
    model, sgd, step = training()
    with observe.record() as recording:
        step()
        with observe.unwatched():
            model(torch.ones(2, 3)).sum().backward()
        step()
    assert recording.step_count == 2
    assert len(recording.graph(0)["nodes"]) == len(recording.graph(1)["nodes"])


def test_a_cell_that_ends_does_not_end_the_step_of_another_thread():
    model = nn.Linear(2, 1)
    session = observe.watching(model)
    begun, go_on = threading.Event(), threading.Event()

    def work():
        session.start()
        model(torch.ones(1, 2))
        begun.set()
        go_on.wait(5)
        model(torch.ones(1, 2))
        session.stop()

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait(5)
    session.end_step()
    session.discard()
    go_on.set()
    thread.join()
    assert session.recording.step_count == 1
    ops = [n for n in session.recording.graph()["nodes"] if n["kind"] == "op"]
    assert [n["name"] for n in ops] == ["linear", "linear"]


def test_a_session_can_be_handed_back_to_the_thread_it_came_from():
    model = nn.Linear(2, 1)
    session = observe.watching(model)
    home = session.recording.thread

    def work():
        session.start()
        model(torch.ones(1, 2))
        session.stop()
        session.start(home)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    model(torch.ones(1, 2))
    session.end_step()
    session.stop()
    assert session.recording.step_count == 2


def test_a_parameter_can_be_read_and_an_edit_says_what_was_there():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        step()
        weight = next(n["id"] for n in recording.graph()["nodes"] if n["name"] == "first.weight")
        now = model.first.weight.detach().numpy().copy()
        np.testing.assert_array_equal(recording.read(weight).result(0), now)
        np.testing.assert_array_equal(
            recording.read(weight, (slice(1, 3), slice(0, 2))).result(0), now[1:3, 0:2]
        )
        assert recording.edit(weight, (1, 2), 0.5).result(0) == now[1, 2]
        assert recording.read(weight, (1, 2)).result(0) == 0.5
        with pytest.raises(LookupError, match="no parameter"):
            recording.read(0)
