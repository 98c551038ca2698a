"""What views ask of a recording beyond summaries: arrays, contributions, updates, other inputs."""

import gc
import weakref

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe, optim
from tests.observe.test_recording import Net, node, training


def test_a_lens_keeps_what_an_op_took_made_and_got_back():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"relu"})
        step()
    relu, row = node(recording, "relu")
    found = recording.arrays(relu["id"])
    np.testing.assert_array_equal(found.outputs[0], np.maximum(found.arguments["input"], 0))
    np.testing.assert_array_equal(
        found.gradients["input"], found.cotangents[0] * (found.arguments["input"] > 0)
    )
    assert row["value"]["norm"] == pytest.approx(np.linalg.norm(found.outputs[0]), rel=1e-5)
    assert recording.arrays(0) is None


def test_a_lens_on_a_node_stays_with_it_from_step_to_step_and_can_be_closed():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        step()
        second = [n["id"] for n in recording.graph()["nodes"] if n["name"] == "linear"][1]
        lens = recording.look_into(node=second)
        step()
        lens.close()
        step()
    assert [recording.arrays(second, s) is not None for s in (0, 1, 2)] == [False, True, False]
    assert recording.arrays(second, 1).outputs[0].shape == (8, 1)


def test_a_lens_can_find_its_nodes_in_the_graph_and_ask_for_a_part():
    model, sgd, step = training()
    asked = []

    def relus(graph):
        asked.append(graph["key"])
        return [n["id"] for n in graph["nodes"] if n["name"] == "relu"]

    def rows(op, args):
        return lambda kind, name, array: array[:2] if kind == "output" else None

    with observe.record(budget=1e9) as recording:
        recording.look_into(where=relus, part=rows)
        for _ in range(3):
            step()
        relu, _ = node(recording, "relu")
        some = recording.arrays(relu["id"])
        recording.look_into(ops={"relu"})  # another one asks for the whole: there is no less of it
        step()
    assert recording.arrays(relu["id"], 0) is None  # its graph was not known yet
    assert asked == [recording.graph()["key"]] * 2  # once a lens was added, and once before
    whole = recording.arrays(relu["id"])
    assert some.part and some.outputs[0].shape == (2, 4) and some.arguments == {"input": None}
    assert whole.part is None and whole.outputs[0].shape == (8, 4)


def test_a_step_that_is_computed_anew_is_counted_once():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        following = observe.Following(recording, model, torch.ones(2, 3))
        step()
    once = following.recording.nbytes
    following.run(0)
    assert following.recording.nbytes == once and following.recording.steps == [0]
    assert following.recording.dropped == ""


def test_large_arrays_are_cut_after_their_first_rows():
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"exp"}, limit=1000)
        y = torch.exp(torch.randn(100, 10))
    exp, _ = node(recording, "exp")
    np.testing.assert_array_equal(recording.arrays(exp["id"]).outputs[0], y.numpy()[:25])


def test_inner_states_are_among_the_arrays():
    lstm = nn.LSTM(3, 4)
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"lstm"})
        output, _ = lstm(torch.randn(5, 2, 3))
    found, _ = node(recording, "lstm")
    assert set(found["states"]) >= {"gates", "cells", "hidden"}
    states = recording.arrays(found["id"]).states
    np.testing.assert_array_equal(states["hidden"][0, 1:], output.detach().numpy())


def test_contributions_of_several_consumers_add_up_to_the_gradient():
    with observe.record(budget=1e9) as recording:
        a = torch.tensor([1.0, 2.0], requires_grad=True)
        b = a * 3
        c = b * b.exp() + b
        c.sum().backward()
    graph, snapshot = recording.graph(), recording.snapshot()
    mul, row = node(recording, "mul")
    sent = [
        np.array(each["grad"]["thumbnail"]["values"][0])
        for each in snapshot["contributions"]
        if graph["edges"][each["edge"]]["source"] == mul["id"]
    ]
    assert len(sent) == 3
    np.testing.assert_allclose(sum(sent), row["grad"]["thumbnail"]["values"][0], rtol=1e-6)


def test_backward_turns_are_the_order_of_the_pass():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        step()
    nodes, rows = recording.graph()["nodes"], recording.snapshot()["rows"]
    turns = {n["name"]: r["turn"] for n, r in zip(nodes, rows) if r["turn"] is not None}
    assert turns["mse_loss"] == 0 and turns["relu"] == 2
    assert {turns[name] for name in ("first.weight", "first.bias")} <= set(range(4, 8))
    assert rows[0]["turn"] is None  # the input needs no gradient


def test_a_parameters_update_is_what_the_optimizer_added():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        step()
    _, row = node(recording, "first.weight")
    assert row["update"]["norm"] == pytest.approx(0.1 * row["grad"]["norm"], rel=1e-4)
    assert recording.series("first.weight", "norm", of="update")[0][1] == row["update"]["norm"]


def test_the_update_of_a_parameter_without_dimensions_is_measured_too():
    w = nn.Parameter(torch.tensor(3.0))
    sgd = optim.SGD([w], lr=0.5)
    with observe.record(budget=1e9) as recording:
        (w * 2).backward()
        sgd.step()
    _, row = node(recording, "w")
    assert row["update"]["mean"] == -1.0


def test_saved_tensors_say_whose_they_are():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        step()
    graph = recording.graph()
    relu, _ = node(recording, "relu")
    second = [n for n in graph["nodes"] if n["name"] == "linear"][1]
    weight = next(n["id"] for n in graph["nodes"] if n["name"] == "second.weight")
    saved = {s["name"]: s["node"] for s in second["saved"]}
    assert saved == {"input": relu["id"], "weight": weight}
    assert second["flops"] == 2 * 8 * 4 + 8 and second["nbytes"] == 8 * 4


def test_an_edit_is_made_between_steps_and_seen_by_the_next():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        step()
        bias = next(n["id"] for n in recording.graph()["nodes"] if n["name"] == "second.bias")
        recording.edit(bias, (0,), 5.0).result(0)
        step()
        with pytest.raises(IndexError):
            recording.edit(bias, (1,), 5.0)
        with pytest.raises(LookupError, match="no parameter"):
            recording.edit(0, (0, 0), 5.0)
    assert recording.snapshot(1)["rows"][bias]["value"]["max"] == 5.0


class Dropping(Net):
    def forward(self, x):
        return self.second(nn.functional.dropout(self.first(x), 0.5, self.training))


@pytest.mark.parametrize("follow", [False, True])
def test_following_a_model_on_other_inputs_changes_no_number(follow):
    torch.manual_seed(0)
    model = Dropping()
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    sgd = optim.SGD(model.parameters(), lr=0.1)
    other = torch.ones(2, 3)
    losses = []
    with observe.record(budget=1e9) as recording:
        following = observe.Following(recording, model, other) if follow else None
        for _ in range(5):
            sgd.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            sgd.step()
            losses.append(loss.item())
    if not follow:
        type(model).expected = losses
        return
    assert losses == type(model).expected and model.training
    assert following.recording.steps == [0, 1, 2, 3, 4]
    with torch.no_grad():
        expected = model.eval()(other)
    linear = [n for n in following.recording.graph(4)["nodes"] if n["name"] == "linear"][1]
    shown = following.recording.snapshot(4)["rows"][linear["id"]]["value"]["thumbnail"]["values"]
    np.testing.assert_allclose(shown, expected.numpy(), rtol=1e-6)


def watched_training():
    model, sgd, step = training()
    session = observe.watching(model)
    recording = session.recording
    assert observe.watching(model) is session
    torch.exp(torch.randn(3))  # other work
    session.end_step()
    assert recording.step_count == 0
    for _ in range(3):
        step()
        with torch.no_grad():  # an evaluation
            output = model(torch.randn(2, 3))
        output.mean()  # of the evaluation, too, though not under no_grad
    session.end_step()
    return recording


def test_a_watched_model_is_recorded_and_nothing_else():
    from labtorch.engine.thread import current

    recording = watched_training()
    assert recording.step_count == 3
    names = {n["name"] for n in recording.graph()["nodes"] if n["kind"] == "op"}
    assert names == {"linear", "relu", "mse_loss"}
    gc.collect()  # the model is gone, and with it its session
    assert current().watchers == () and recording.thread is None


def test_a_forward_pass_alone_is_a_step_when_it_is_ended():
    model = Net()
    session = observe.watching(model)
    model(torch.ones(2, 3))
    session.end_step()
    session.stop()
    assert session.recording.step_count == 1
    assert "relu" in {n["name"] for n in session.recording.graph()["nodes"]}


def test_the_step_under_way_can_be_shown_op_by_op():
    seen = []

    class OpByOp(observe.Watcher):
        def op_ended(self, call, outputs):
            session.show_partial()
            graph, snapshot = session.recording.present
            seen.append(([n["name"] for n in graph["nodes"]], snapshot["partial"]))

        def node_begun(self, node, cotangents):
            session.show_partial()
            rows = session.recording.present[1]["rows"]
            seen.append(sum(row["grad"] is not None for row in rows))

    model, sgd, step = training()
    session = observe.Session(budget=1e9)
    session.start()
    with observe.watch(OpByOp()):
        step()
    session.stop()
    assert seen[0] == (["x", "first.weight", "first.bias", "linear"], True)
    assert len(seen[3][0]) == len(session.recording.graph()["nodes"])
    assert seen[4:] == [1, 2, 3, 4]
    assert session.recording.present is None and session.recording.step_count == 1


def pooled():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
    sgd = optim.SGD(model.parameters(), lr=0.01)
    x = torch.randn(6, 1, 8, 8)

    def step():
        sgd.zero_grad()
        model(x).square().mean().backward()
        sgd.step()

    return x, step


def test_a_lens_may_keep_the_first_samples_only_and_no_gradients():
    x, step = pooled()
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"conv2d", "relu", "max_pool2d"}, samples=2, backward=False)
        step()
    conv, relu, pool = (
        recording.arrays(node(recording, name)[0]["id"])
        for name in ("conv2d", "relu", "max_pool2d")
    )
    np.testing.assert_array_equal(conv.arguments["input"], x.numpy()[:2])
    assert conv.arguments["weight"].shape == (2, 1, 3, 3)
    assert all(gradient is None for gradient in conv.gradients.values())
    assert pool.outputs[0].shape == (2, 2, 3, 3) and pool.cotangents == [None]
    # what one op made and the next one took is kept, and counted, once
    assert relu.arguments["input"] is conv.outputs[0]


def test_of_two_lenses_on_an_op_each_gets_what_it_asked_for():
    x, step = pooled()
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"conv2d"}, samples=2, backward=False)
        recording.look_into(ops={"conv2d"})
        step()
    conv = recording.arrays(node(recording, "conv2d")[0]["id"])
    assert len(conv.outputs[0]) == 6 and conv.gradients["weight"].shape == (2, 1, 3, 3)


def test_an_argument_written_in_place_is_kept_as_the_op_took_it():
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"exp", "sin"})
        y = torch.exp(torch.zeros(3))
        y[0] = 7.0
        torch.sin(y)
    sin = recording.arrays(node(recording, "sin")[0]["id"])
    np.testing.assert_array_equal(sin.arguments["input"], [7, 1, 1])


def test_where_arrays_fill_the_store_they_go_before_summaries_and_stay_spread():
    x = torch.randn(64, 64)
    with observe.record(budget=1e9, cap=1_500_000) as recording:
        recording.look_into(ops={"exp"})
        for _ in range(60):
            torch.exp(x)
            observe.mark_step()
    held = recording.steps_with_arrays
    assert recording.steps == list(range(60)) and recording.nbytes <= 1_500_000
    assert 10 < len(held) < 60 and held[0] == 0 and held[-1] == 59
    assert max(np.diff(held)) <= 60 / len(held) * 4


def followed_in_vain():
    model = nn.Sequential(nn.Linear(3, 1))
    return weakref.ref(model), observe.Following(observe.Recording(), model, torch.ones(2, 5))


def test_a_model_that_fails_on_the_inputs_is_not_kept_alive_by_its_error():
    model, following = followed_in_vain()
    gc.collect()
    assert isinstance(following.error, RuntimeError)
    assert model() is None
