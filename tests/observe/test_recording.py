"""A recording shows what ran, whole and bounded, and changes nothing."""

import gc
import json
import os
import threading
import time

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 1)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def training(seed=0, optimizer=optim.SGD):
    """A model, its optimizer, and a function that does one step and returns the loss."""
    torch.manual_seed(seed)
    model, criterion = Net(), nn.MSELoss()
    x, y = torch.randn(8, 3), torch.randn(8, 1)
    sgd = optimizer(model.parameters(), lr=0.1)

    def step():
        sgd.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        sgd.step()
        return loss

    return model, sgd, step


def recorded(steps=3, **options):
    options.setdefault("budget", 1e9)  # every step is measured, whatever the machine
    model, sgd, step = training()
    with observe.record(**options) as recording:
        for _ in range(steps):
            step()
    return recording


def node(recording, name, step=-1):
    """The first node of that name, and its row."""
    graph = recording.graph(step)
    found = next(n for n in graph["nodes"] if n["name"] == name)
    return found, recording.snapshot(step)["rows"][found["id"]]


def test_a_step_ends_where_the_optimizer_steps():
    recording = recorded(3)
    assert recording.step_count == 3
    assert recording.steps == [0, 1, 2]
    assert [step for step, _ in recording.losses] == [0, 1, 2]


def test_equal_structure_is_stored_once():
    recording = recorded(5)
    assert len({recording.snapshot(s)["graph"] for s in recording.steps}) == 1


def test_the_graph_names_parameters_by_their_state_dict_path():
    graph = recorded(1).graph()
    parameters = {n["name"] for n in graph["nodes"] if n["kind"] == "parameter"}
    assert parameters == {"first.weight", "first.bias", "second.weight", "second.bias"}
    scopes = {(s["path"], s["type"]) for s in graph["scopes"]}
    assert scopes == {("", "Net"), ("first", "Linear"), ("second", "Linear"), ("", "MSELoss")}


def test_ops_belong_to_the_module_that_called_them():
    graph = recorded(1).graph()
    paths = [s["path"] for s in graph["scopes"]]
    where = [(n["name"], n["scope"] is not None and paths[n["scope"]]) for n in graph["nodes"]]
    assert ("relu", "") in where
    assert ("linear", "first") in where and ("linear", "second") in where


def test_edges_carry_shapes_and_argument_names():
    graph = recorded(1).graph()
    linear = next(n for n in graph["nodes"] if n["name"] == "linear")
    given = {e["argument"]: e["shape"] for e in graph["edges"] if e["target"] == linear["id"]}
    assert given == {"input": [8, 3], "weight": [4, 3], "bias": [4]}


def test_numbers_are_those_of_the_run():
    torch.manual_seed(1)
    w = torch.randn(4, 3, requires_grad=True)
    x = torch.randn(5, 4)
    with observe.record(budget=1e9) as recording:
        y = torch.tanh(x @ w)
        y.sum().backward()
    _, row = node(recording, "tanh")
    np.testing.assert_allclose(row["value"]["thumbnail"]["values"], y.detach().numpy(), rtol=1e-6)
    assert row["value"]["thumbnail"]["exact"]
    assert row["value"]["mean"] == pytest.approx(float(y.mean()), rel=1e-5)
    assert row["value"]["norm"] == pytest.approx(float(y.norm()), rel=1e-5)
    _, row = node(recording, "w")
    np.testing.assert_allclose(row["grad"]["thumbnail"]["values"], w.grad.numpy(), rtol=1e-6)
    _, row = node(recording, "matmul")
    assert row["grad"]["max"] == pytest.approx(float((1 - y * y).max()), rel=1e-5)


def test_a_gradient_that_was_not_computed_is_none_not_zero():
    with observe.record(budget=1e9) as recording:
        w = torch.ones(3, requires_grad=True)
        (w * 2).sum()
    assert all(row["grad"] is None for row in recording.snapshot()["rows"])


def test_a_node_knows_the_line_and_columns_that_called_it():
    with observe.record() as recording:
        w = torch.ones(3, requires_grad=True)
        doubled = 2 * w + torch.exp(w)  # noqa: F841
    exp, _ = node(recording, "exp")
    source = exp["source"]
    assert source["text"][source["column"] : source["end_column"]] == "torch.exp(w)"
    mul, _ = node(recording, "mul")
    source = mul["source"]
    assert source["text"][source["column"] : source["end_column"]] == "2 * w"
    assert source["file"] == __file__


def test_columns_count_characters_not_bytes():
    with observe.record() as recording:
        权重 = torch.ones(3, requires_grad=True)
        结果 = torch.exp(权重)  # noqa: F841
    source = node(recording, "exp")[0]["source"]
    assert source["text"][source["column"] : source["end_column"]] == "torch.exp(权重)"


def test_formulas_and_saved_tensors_are_told():
    linear, _ = node(recorded(1), "linear")
    assert linear["formula"] and {v["input"] for v in linear["vjps"]} == {"weight", "bias"}
    assert [(s["name"], s["nbytes"]) for s in linear["saved"]] == [("input", 8 * 3 * 4)]


def test_watched_training_is_bitwise_equal_to_unwatched():
    for optimizer in (optim.SGD, optim.Adam):
        model, _, step = training(optimizer=optimizer)
        plain = [float(step()) for _ in range(50)]
        weights = model.state_dict()
        watched_model, _, step = training(optimizer=optimizer)
        with observe.record(budget=1e9):
            watched = [float(step()) for _ in range(50)]
        assert plain == watched
        for name, value in watched_model.state_dict().items():
            assert value.numpy().tobytes() == weights[name].numpy().tobytes()


def test_two_threads_do_not_see_each_other():
    inside, done = threading.Event(), threading.Event()

    def elsewhere():
        inside.wait(10)
        (torch.ones(2, requires_grad=True) * 3).sum().backward()
        done.set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    with observe.record() as recording:
        torch.exp(torch.ones(2))
        inside.set()
        assert done.wait(10)
    thread.join()
    assert [n["name"] for n in recording.graph()["nodes"] if n["kind"] == "op"] == ["exp"]


def test_a_watcher_that_raises_is_detached_and_the_work_goes_on():
    class Broken(observe.Watcher):
        heard = 0

        def op_ended(self, call, outputs):
            self.heard += 1
            raise ZeroDivisionError("broken")

    broken = Broken()
    with pytest.warns(RuntimeWarning, match="Broken failed on op_ended"), observe.watch(broken):
        y = torch.ones(2) + 1
        z = y * 2
    assert z.tolist() == [4, 4] and broken.heard == 1


def test_no_watcher_is_left_behind_after_an_error():
    with pytest.raises(RuntimeError), observe.record():
        torch.ones(2) + torch.ones(3)
    from labtorch.engine.thread import current

    assert current().watchers == ()


def test_a_failed_op_is_in_the_partial_graph():
    model = Net()
    with pytest.raises(RuntimeError, match="mat1 and mat2"), observe.record() as recording:
        model(torch.ones(8, 5))
    failure = recording.snapshot()["failure"]
    assert failure["kind"] == "error" and failure["op"] == "linear"
    assert recording.graph()["nodes"][failure["node"]]["name"] == "linear"


def test_the_first_op_that_made_a_nan_is_named():
    with observe.record() as recording:
        w = torch.tensor([-1.0, 2.0], requires_grad=True)
        hidden = torch.log(w) * 3
        loss = torch.exp(hidden).mean()
        loss.backward()
    failure = recording.snapshot()["failure"]
    assert (failure["kind"], failure["op"]) == ("nonfinite", "log")


def test_a_nan_in_a_large_array_is_found_too():
    with observe.record() as recording:
        w = torch.ones(200, 200, requires_grad=True)
        hidden = torch.log(w - 1)
        loss = (torch.tanh(hidden) * torch.exp(hidden - hidden)).mean()
        loss.backward()
    assert recording.snapshot()["failure"]["op"] == "log"


def test_a_nan_in_the_data_is_not_blamed_on_an_op():
    x = torch.tensor([[float("nan"), 1.0]])
    model = nn.Linear(2, 1)
    with observe.record() as recording:
        model(x).sum().backward()
    failure = recording.snapshot()["failure"]
    assert recording.graph()["nodes"][failure["node"]]["name"] == "x"


def test_evaluation_under_no_grad_is_not_part_of_the_training_graph():
    model, sgd, step = training()
    with observe.record(budget=1e9) as recording:
        for _ in range(2):
            with torch.no_grad():
                torch.exp(model(torch.ones(2, 3)))
            step()
    assert "exp" not in [n["name"] for n in recording.graph()["nodes"]]


def test_the_graph_of_two_steps_differs_where_control_flow_did():
    w = torch.ones(3, requires_grad=True)
    with observe.record(budget=1e9) as recording:
        for deep in (False, True):
            y = torch.exp(w)
            if deep:
                y = torch.tanh(y)
            y.sum().backward()
            observe.mark_step()
    diff = recording.diff(0, 1)
    assert diff["removed"] == []
    assert [recording.graph(1)["nodes"][i]["name"] for i in diff["added"]] == ["tanh"]


def test_a_module_called_twice_makes_two_scopes():
    shared = nn.Linear(3, 3)
    with observe.record() as recording:
        shared(shared(torch.ones(1, 3))).sum().backward()
    graph = recording.graph()
    assert [s["type"] for s in graph["scopes"]] == ["Linear", "Linear"]
    assert len([n for n in graph["nodes"] if n["kind"] == "parameter"]) == 2


def test_parameters_of_modules_that_are_not_called_have_their_names():
    attention = nn.MultiheadAttention(4, 2)
    x = torch.ones(3, 1, 4)
    with observe.record() as recording:
        attention(x, x, x)[0].sum().backward()
    held = {n["name"] for n in recording.graph()["nodes"] if n["kind"] == "parameter"}
    assert held == {name for name, _ in attention.named_parameters()}


def test_views_of_a_recording_are_plain_data():
    recording = recorded(2)
    json.dumps([recording.graph(), recording.snapshot(), recording.diff(0, 1)], allow_nan=False)


def test_a_step_with_a_new_structure_is_kept_even_unmeasured():
    w = torch.ones(3, requires_grad=True)
    with observe.record(budget=0) as recording:
        for step in range(20):
            (torch.exp(w) if step < 10 else torch.sin(w)).sum().backward()
            observe.mark_step()
    assert recording.steps == [0, 1, 2, 10]
    assert not recording.snapshot(10)["measured"]
    assert [n["name"] for n in recording.graph(10)["nodes"]] == ["w", "sin", "sum"]


def test_a_glimpse_says_the_same_as_a_snapshot():
    recording = recorded(2)
    glimpse = recording.glimpse(1)
    glimpse |= {
        "rows": [dict(row) for row in glimpse["rows"]],
        "contributions": list(glimpse["contributions"]),
    }
    assert glimpse == recording.snapshot(1)
    assert dict(recording.glimpse(1)["rows"][-1]) == recording.snapshot(1)["rows"][-1]


def test_a_difference_in_the_middle_of_a_long_graph_is_found_at_once():
    w = torch.ones(3, requires_grad=True)
    with observe.record(budget=1e9) as recording:
        for extra in (0, 3):
            y = w
            for at in range(1000):
                y = torch.tanh(y) if 500 <= at < 500 + extra else torch.sin(y)
            y.sum().backward()
            observe.mark_step()
    start = time.perf_counter()
    diff = recording.diff(0, 1)
    assert time.perf_counter() - start < 2
    assert len(diff["same"]) == 1002 - 3
    names = [recording.graph(1)["nodes"][i]["name"] for i in diff["added"]]
    assert names == ["tanh"] * 3 and len(diff["removed"]) == 3


def test_numbers_near_zero_fill_a_histogram():
    with observe.record(budget=1e9) as recording:
        torch.tensor([1e-40, 2e-40, 3e-40]) * 1
    assert sum(recording.snapshot()["rows"][0]["value"]["histogram"]["counts"]) == 3


def test_nan_and_inf_are_told_apart_from_numbers():
    with observe.record() as recording:
        torch.tensor([[1.0, float("nan")], [float("inf"), 3.0]]) * 1
    value = node(recording, "mul")[1]["value"]
    assert (value["nan"], value["inf"], value["max"], value["mean"]) == (1, 1, 3.0, 2.0)
    assert value["thumbnail"]["values"] == [[1.0, None], [None, 3.0]]
    assert [tuple(g) for g in value["thumbnail"]["glyphs"]] == [(0, 1, "nan"), (1, 0, "inf")]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (5, 0), (33,), (1000, 77), (3, 4, 5, 6)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.complex64])
def test_any_array_is_summarised(shape, dtype):
    with observe.record() as recording:
        torch.ones(shape, dtype=dtype).clone()
    value = node(recording, "clone")[1]["value"]
    assert value["shape"] == list(shape)
    rows = value["thumbnail"]["values"]
    assert len(rows) <= 32 and all(len(row) <= 32 for row in rows)
    if np.prod(shape):
        assert (value["min"], value["max"]) == (1.0, 1.0)


def test_series_follow_a_node_over_the_steps():
    recording = recorded(4)
    points = recording.series("first.weight", "norm", of="grad")
    assert [step for step, _ in points] == [0, 1, 2, 3] and all(v > 0 for _, v in points)
    assert recording.series("loss") == recording.losses
    with pytest.raises(LookupError, match="no node 'nowhere'"):
        recording.series("nowhere")


def test_a_step_that_is_not_kept_is_refused_with_its_neighbour():
    recording = recorded(20, keep=4)
    assert len(recording.steps) == 6  # the last 4, and a sample of 2
    assert recording.steps[-4:] == [16, 17, 18, 19]
    missing = next(s for s in range(20) if s not in recording.steps)
    with pytest.raises(LookupError, match=f"step {missing} is not kept"):
        recording.snapshot(missing)
    assert "dropped" in recording.dropped


def test_what_is_kept_stays_under_the_cap():
    recording = recorded(300, cap=1 << 18, keep=10_000)
    assert recording.nbytes <= 1 << 18
    assert 0 < len(recording.steps) < 300 and recording.step_count == 300
    assert "dropped" in recording.dropped


def test_memory_is_flat_over_ten_thousand_recorded_steps():
    _, _, step = training()

    def measured():
        gc.collect()
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
        return len(gc.get_objects()), pages * os.sysconf("SC_PAGE_SIZE")

    with observe.record(keep=32, cap=1 << 20) as recording:
        for _ in range(2000):
            step()
        objects, size = measured()
        for _ in range(8000):
            step()
        more_objects, more_size = measured()
    assert recording.step_count == 10_000
    # a step leaves some 60 objects and 10 kB while it is kept; 8,000 of them would show
    assert more_objects - objects < 5_000
    assert more_size - size < 8 << 20


def test_a_recording_is_saved_to_one_file_and_read_back(tmp_path):
    recording = recorded(3)
    recording.save(tmp_path / "run.labtorch")
    loaded = observe.Recording.load(tmp_path / "run.labtorch")
    assert loaded.steps == recording.steps
    assert loaded.graph() == recording.graph()
    assert json.dumps(loaded.snapshot(1)) == json.dumps(recording.snapshot(1))
    assert loaded.series("loss") == recording.series("loss")
    assert list(tmp_path.iterdir()) == [tmp_path / "run.labtorch"]


def test_a_file_that_is_no_recording_is_refused(tmp_path):
    bad = tmp_path / "bad"
    bad.write_bytes(b"not gzip")
    with pytest.raises(ValueError, match="is not a recording"):
        observe.Recording.load(bad)


def test_an_empty_recording_says_so():
    with observe.record() as recording:
        pass
    assert recording.steps == [] and recording.losses == []
    with pytest.raises(LookupError, match="nothing is recorded yet"):
        recording.snapshot()


def test_measuring_stops_when_the_budget_is_spent():
    with observe.record(budget=0) as recording:
        _, _, step = training()
        for _ in range(20):
            step()
    assert recording.steps == [0, 1, 2] and len(recording.losses) == 20
    assert "17 of 20 steps were not measured" in recording.dropped


def test_a_model_goes_by_the_name_that_the_user_gave_it():
    classifier, criterion = nn.Linear(2, 2), nn.MSELoss()
    with observe.record() as recording:
        criterion(classifier(torch.ones(1, 2)), torch.zeros(1, 2))
        nn.ReLU()(torch.ones(2))
    scopes = recording.graph()["scopes"]
    assert [s["name"] for s in scopes] == ["classifier", "criterion", "ReLU"]


def test_a_step_that_somebody_asks_for_is_measured():
    _, _, step = training()
    with observe.record(budget=0) as recording:
        for number in range(20):
            if number == 13:
                recording.measure_next()
            step()
    assert recording.steps == [0, 1, 2, 13]


def test_a_parameter_that_was_nan_before_is_named_by_its_path():
    model, _, step = training()
    with torch.no_grad():
        model.second.weight[0, 0] = float("nan")
    with observe.record() as recording:
        step()
    failure = recording.snapshot()["failure"]
    assert failure["op"] == "second.weight" and "second.weight" in failure["message"]


def test_ops_know_the_function_that_called_them():
    with observe.record() as recording:
        x = torch.ones(3, requires_grad=True)
        (torch.norm(x) + x.sum()).backward()
    ops = [(n["name"], n["function"]) for n in recording.graph()["nodes"] if n["kind"] == "op"]
    assert ("linalg_vector_norm", "norm") in ops
    assert ("sum", None) in ops and ("add", None) in ops


@pytest.mark.parametrize("budget", [0.0, 0.05])
def test_measuring_takes_no_more_than_its_share_of_the_time(budget, monkeypatch):
    from labtorch.observe import recorder, summary

    now = 0.0

    def clock():
        return now

    class Slow(summary.Probe):
        def __init__(self, array):
            nonlocal now
            now += 0.01
            super().__init__(array)

    monkeypatch.setattr(recorder, "perf_counter", clock)
    monkeypatch.setattr(summary, "Probe", Slow)
    model, sgd, step = training()
    with observe.record(budget=budget) as recording:
        for _ in range(500):
            now += 0.1  # what the step itself takes
            step()
    probes = len(recording.steps) * 20
    assert len(recording.steps) > 3 if budget else recording.steps == [0, 1, 2]
    assert (probes - 60) * 0.01 <= budget * 500 * 0.1 + 0.01 * 20


def test_a_loop_that_python_has_sped_up_is_the_same_structure():
    model, sgd, _ = training()
    criterion = nn.MSELoss()
    x, y = torch.randn(64, 3), torch.randn(64, 1)
    with observe.record(budget=1e9) as recording:
        for step in range(24):  # calls are specialised after a few rounds
            batch = slice(8 * (step % 8), 8 * (step % 8) + 8)
            sgd.zero_grad()
            criterion(model(x[batch]), y[batch]).backward()
            sgd.step()
    assert len({recording.snapshot(step)["graph"] for step in recording.steps}) == 1
