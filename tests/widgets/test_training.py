"""The training loop and its panel, without a browser."""

from __future__ import annotations

import threading
import time
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import numpy as np
import pytest
from labtorch_widgets.training.history import History, thin
from labtorch_widgets.training.parameters import parse

from tests.widgets import fake


def train(program: fake.Program, **options: Any) -> lab.TrainingPanel:
    options = {"optimizer": program.optimizer, "graph": False} | options
    return lab.TrainingPanel(program.step, session=program.session, **options)


def loss_points(panel: lab.TrainingPanel) -> list[Any]:
    """The points of the loss line as the browser gets them."""
    return line(panel.view.frame, "loss", "training")["points"]


def line(frame: Any, metric: str, part: str, run: int = 0) -> Any:
    return next(
        each
        for each in frame["runs"][run]["lines"]
        if (each["metric"], each["part"]) == (metric, part)
    )


def until(condition: Any, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_it_trains_to_the_end_without_a_browser() -> None:
    program = fake.Program()
    panel = train(program, steps=50)
    assert panel.wait(20) is panel
    assert (panel.state, panel.step_count, panel.error) == ("done", 50, None)
    assert panel.recording.steps == list(range(50))
    assert panel.view.frame["count"] == 50 and panel.view.frame["state"] == "done"
    assert loss_points(panel)[-1][0] == 49


def test_pause_freezes_and_resume_goes_on() -> None:
    panel = train(fake.Program(pause=0.002))
    until(lambda: panel.step_count > 3)
    panel.pause()
    time.sleep(0.2)
    frozen = panel.step_count
    time.sleep(0.2)
    assert panel.step_count == frozen and panel.state == "paused"
    panel.resume()
    until(lambda: panel.step_count > frozen)
    panel.stop()
    assert panel.wait(5).state == "stopped"


def test_step_once_does_exactly_one() -> None:
    panel = train(fake.Program(), start=False)
    for done in range(1, 6):
        panel.step_once()
        until(lambda: panel.step_count == done)  # noqa: B023
        time.sleep(0.03)
        assert panel.step_count == done
    for _ in range(10):
        panel.step_once()
    until(lambda: panel.step_count == 15)
    assert panel.state == "paused"
    panel.stop()


def test_step_once_pauses_what_runs() -> None:
    panel = train(fake.Program(pause=0.002))
    until(lambda: panel.step_count > 3)
    panel.step_once()
    time.sleep(0.1)
    frozen = panel.step_count
    time.sleep(0.1)
    assert panel.step_count == frozen and panel.state == "paused"
    panel.stop()


def test_a_new_learning_rate_is_used_by_the_very_next_step() -> None:
    program = fake.Program(lr=0.05)
    panel = train(program, start=False)
    for rate in (0.01, 0.02, 0.003):
        panel.learning_rate = rate
        assert panel.learning_rate == rate
        count = panel.step_count
        panel.step_once()
        until(lambda: panel.step_count == count + 1)  # noqa: B023
    assert program.rates == [0.01, 0.02, 0.003]
    panel.stop()


@pytest.mark.parametrize(
    "value", ["fast", "", None, float("nan"), float("inf"), 0, -0.1, True, [0.1]]
)
def test_a_learning_rate_that_will_not_do_is_refused(value: Any) -> None:
    program = fake.Program(lr=0.05)
    panel = train(program, start=False)
    with pytest.raises(ValueError):
        panel.learning_rate = value
    panel.view._on_message(None, {"command": "rate", "value": value}, [])
    assert panel.learning_rate == 0.05
    assert "stays as it was" in panel.view.frame["refused"]
    panel.view._on_message(None, {"command": "rate", "value": " 1e-3 "}, [])
    assert panel.learning_rate == 1e-3 and panel.view.frame["refused"] is None
    panel.stop()


def test_without_an_optimizer_there_is_no_learning_rate() -> None:
    panel = train(fake.Program(), optimizer=None, start=False)
    assert panel.learning_rate is None
    with pytest.raises(AttributeError, match="no optimizer"):
        panel.learning_rate = 0.1
    panel.stop()


def test_an_error_is_told_raised_by_wait_and_costs_no_history() -> None:
    program = fake.Program()

    def step() -> float:
        if program.count == 7:
            raise ValueError("mat1 and mat2 <b>cannot</b> be multiplied")
        return program.step()

    panel = lab.TrainingPanel(step, session=program.session, graph=True)
    with pytest.raises(ValueError, match="cannot"):
        panel.wait(10)
    assert panel.state == "error" and isinstance(panel.error, ValueError)
    told = panel.view.frame["fault"]
    assert told["type"] == "ValueError" and "cannot" in told["message"]
    assert told["function"] == "step" and told["text"].startswith("raise ValueError")
    assert panel.recording.steps == list(range(7))
    panel.cursor.move(3)
    assert panel.view.frame["lossShown"] == pytest.approx(
        program.recording.snapshot(3)["loss"], 1e-3
    )


def test_a_loss_that_is_no_number_stops_and_names_the_first_op() -> None:
    program = fake.Program(spoil=12)
    panel = train(program, steps=50).wait(10)
    assert panel.state == "error" and panel.step_count == 13
    assert panel.view.frame["nonfinite"] == {
        "step": 12,
        "op": "linear",
        "message": "weight has 1 NaN, so the output has 16",
    }
    assert panel.view.frame["loss"] == "nan"


def test_views_of_a_panel_rewind_together() -> None:
    program = fake.Program()
    panel = lab.TrainingPanel(program.step, session=program.session, steps=20)
    other = lab.graph(panel)
    panel.wait(10)
    panel.view._on_message(None, {"command": "seek", "step": 4}, [])
    assert panel.graph is not None
    assert panel.graph.frame["time"]["shown"] == other.frame["time"]["shown"] == 4
    assert panel.view.frame["time"]["step"] == 4 and not panel.view.frame["time"]["live"]


def test_nobody_who_looks_holds_the_training_up() -> None:
    """A view that takes half a second to feed must not slow a step down."""
    program = fake.Program()
    panel = train(program, start=False)
    slow = panel.view.make_frame
    panel.view.make_frame = lambda: (time.sleep(0.5), slow())[1]  # type: ignore
    began = time.monotonic()
    panel.resume()
    until(lambda: panel.step_count >= 100)
    assert time.monotonic() - began < 1.5
    panel.stop()


def test_publishing_is_bounded() -> None:
    program = fake.Program()
    panel = train(program, start=False)
    sent: list[float] = []
    panel.view.observe(lambda change: sent.append(time.monotonic()), "frame")
    panel.resume()
    time.sleep(1.0)
    panel.stop()
    panel.wait(5)
    assert program.count > 50
    assert len(sent) <= 14


def test_wait_gives_up_after_its_timeout() -> None:
    panel = train(fake.Program(pause=0.01))
    with pytest.raises(TimeoutError, match="still training"):
        panel.wait(0.05)
    panel.stop()


def test_it_trains_in_a_thread_of_its_own() -> None:
    threads = set()

    def step() -> float:
        threads.add(threading.current_thread())
        return 1.0

    lab.TrainingPanel(step, steps=3, graph=False, session=fake.Program().session).wait(5)
    assert len(threads) == 1 and threading.main_thread() not in threads


@pytest.mark.parametrize("steps", [0, -1, True])
def test_a_number_of_steps_that_makes_no_sense_is_refused(steps: Any) -> None:
    with pytest.raises(ValueError, match="positive"):
        lab.train(lambda: 1.0, steps=steps)


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="function of no arguments"):
        lab.train(3.0)  # type: ignore[arg-type]


def test_text_and_still_are_fit_for_a_notebook_without_a_kernel() -> None:
    panel = train(fake.Program(), steps=30).wait(10)
    data = panel._repr_mimebundle_()
    data = data[0] if isinstance(data, tuple) else data
    assert data["text/plain"] == repr(panel) == "TrainingPanel(steps=30)"
    assert ET.fromstring(data["image/svg+xml"]).tag.endswith("svg")
    waiting = train(fake.Program(), start=False)
    assert "after the first step" in waiting.view.still()
    waiting.stop()


def test_the_history_is_bounded_and_keeps_every_spike() -> None:
    history = History(capacity=400)
    for step in range(50_000):
        history.append(step, 100.0 if step == 1234 else 1 / (step + 1))
    assert len(history) < 400
    points = history.points(50)
    assert len(points) <= 102
    assert (1234, 100.0) in points and points[0] == (0, 1.0) and points[-1][0] == 49_999
    assert points == sorted(points)


def test_thinning_keeps_a_loss_that_is_no_number_at_the_end() -> None:
    points = [(i, 1.0) for i in range(999)] + [(999, float("nan"))]
    assert thin(points, 10)[-1][0] == 999


def test_the_engine_trains_under_a_panel() -> None:
    import labtorch as torch
    from labtorch import nn, optim

    torch.manual_seed(0)
    x = torch.randn(32, 2)
    y = x @ torch.tensor([[1.0], [-1.0]])
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    panel = lab.train(step, optimizer=optimizer, steps=100).wait(20)
    assert panel.state == "done"
    assert panel.view.frame["loss"] < 1e-3
    assert panel.graph is not None
    assert any(item["title"] == "weight" for item in panel.graph.scene["items"])


# Metrics, epochs, validation


def test_a_step_may_return_several_metrics() -> None:
    program = fake.Program()
    told = []

    def step() -> Any:
        loss = program.step()
        told.append(1 / (1 + loss))
        return {"accuracy": np.float32(told[-1]), "loss": loss}

    panel = lab.TrainingPanel(step, steps=20, session=program.session, graph=False).wait(10)
    assert [m["name"] for m in panel.view.frame["metrics"]] == ["loss", "accuracy"]
    points = line(panel.view.frame, "accuracy", "training")["points"]
    assert [x for x, _ in points] == list(range(20))
    np.testing.assert_allclose([y for _, y in points], told, rtol=1e-4)
    panel.cursor.move(7)
    reading = {r["metric"]: r["value"] for r in panel.view.frame["readings"]}
    assert reading["accuracy"] == pytest.approx(told[7], rel=1e-4)
    assert panel.view.frame["rateShown"] is None  # no optimizer


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "gave None for 'loss'"),
        ("low", "gave a str for 'loss'"),
        ({"accuracy": 1.0}, 'without "loss" in it'),
        ({"loss": np.ones(3)}, r"of shape \[3\] for 'loss'"),
    ],
)
def test_a_result_that_is_no_loss_is_told(result: Any, message: str) -> None:
    panel = lab.TrainingPanel(lambda: result, session=fake.Program().session, graph=False)
    with pytest.raises(TypeError, match=message):
        panel.wait(5)


def test_epochs_call_step_with_each_batch_and_validate_after_each() -> None:
    program = fake.Program()
    seen: list[int] = []
    validated: list[int] = []

    def step(batch: int) -> float:
        seen.append(batch)
        return program.step()

    def validate() -> dict[str, float]:
        validated.append(len(seen))
        return {"loss": 5.0 - len(validated), "accuracy": [0.5, 0.9, 0.7][len(validated) - 1]}

    panel = lab.TrainingPanel(
        step, batches=[1, 2, 3, 4], epochs=3, validate=validate, session=program.session,
        graph=False,
    ).wait(10)  # fmt: skip
    assert seen == [1, 2, 3, 4] * 3 and validated == [4, 8, 12]
    assert (panel.state, panel.step_count, repr(panel)) == ("done", 12, "TrainingPanel(steps=12)")
    frame = panel.view.frame
    assert frame["epochs"] == {
        "starts": [[1, 0], [2, 4], [3, 8]], "epoch": 3, "epochs": 3, "done": 4, "length": 4
    }  # fmt: skip
    assert line(frame, "loss", "validation")["points"] == [[3, 4.0], [7, 3.0], [11, 2.0]]
    assert line(frame, "loss", "validation")["best"] == [11, 2.0]
    assert line(frame, "accuracy", "validation")["best"] == [7, 0.9]


def test_epochs_of_unknown_length_and_without_batches() -> None:
    class Stream:
        def __iter__(self) -> Any:
            return iter(range(5))

    panel = lab.TrainingPanel(
        lambda batch: 1.0, batches=Stream(), epochs=2, session=fake.Program().session, graph=False
    ).wait(5)
    assert panel.step_count == 10 and panel.view.frame["epochs"]["length"] == 5
    panel = lab.TrainingPanel(
        lambda: 1.0, steps_per_epoch=3, epochs=2, session=fake.Program().session, graph=False
    ).wait(5)
    assert panel.step_count == 6 and panel.run.epochs == [0, 3]


def test_an_iterator_that_is_used_up_is_told() -> None:
    panel = lab.TrainingPanel(
        lambda batch: 1.0, batches=iter([1, 2]), epochs=2, session=fake.Program().session,
        graph=False,
    )  # fmt: skip
    with pytest.raises(ValueError, match="only once"):
        panel.wait(5)
    assert panel.step_count == 2


def test_validation_every_so_many_steps_and_at_the_end() -> None:
    program = fake.Program()
    at: list[int] = []
    panel = train(program, steps=11, validate=lambda: at.append(program.count) or 1.0, every=4)
    panel.wait(5)
    assert at == [4, 8, 11]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"steps": 3, "epochs": 2}, "either steps or epochs"),
        ({"epochs": 2}, "steps_per_epoch"),
        ({"epochs": 0, "steps_per_epoch": 2}, "positive"),
        ({"every": 5}, "validate="),
        ({"batches": 3}, "iterate over"),
        ({"validate": 3.0}, "function of no arguments"),
    ],
)
def test_plans_that_make_no_sense_are_refused(options: Any, error: str) -> None:
    with pytest.raises((ValueError, TypeError), match=error):
        lab.train(lambda: 1.0, **options)


# Comparing


def test_runs_are_compared_from_their_first_step() -> None:
    first = train(fake.Program(lr=0.01), steps=30, name="low").wait(10)
    second = train(fake.Program(lr=0.1), steps=20, name="high").wait(10)
    view = lab.compare(first, second)
    assert [run["name"] for run in view.frame["runs"]] == ["low", "high"]
    for at, panel in enumerate((first, second)):
        losses = [loss for _, loss in panel.recording.losses]
        drawn = line(view.frame, "loss", "training", at)
        np.testing.assert_allclose([y for _, y in drawn["points"]], losses, rtol=1e-4)
        assert drawn["best"][1] == pytest.approx(min(losses), rel=1e-4)
    first.compare(second, second, first)
    assert [run["name"] for run in first.view.frame["runs"]] == ["low", "high"]
    assert ET.fromstring(first.view.still()).tag.endswith("svg")
    with pytest.raises(TypeError, match="lab.train"):
        lab.compare(first, 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="panels to compare"):
        lab.compare()


def test_a_comparison_follows_runs_that_still_train() -> None:
    first, second = train(fake.Program(pause=0.002)), train(fake.Program(pause=0.002))
    view = lab.compare(first, second)
    seen = view.frame["runs"][1]["count"]
    until(lambda: view.frame["runs"][1]["count"] > seen)
    assert {run["name"] for run in view.frame["runs"]} == {"run 1", "run 2"}
    first.stop(), second.stop()


# With the engine: op by op, shared recordings, edits


def regression() -> Any:
    import labtorch as torch
    from labtorch import nn, optim

    torch.manual_seed(0)
    x = torch.randn(32, 2)
    y = x @ torch.tensor([[1.0], [-1.0]])
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    model.register_buffer("seen", torch.zeros(1, dtype=torch.int64))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step() -> Any:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, optimizer, step


def at(panel: lab.TrainingPanel) -> str | None:
    """What the graph highlights: the name of the node just done."""
    present = panel.recording.present
    if present is None or present[1]["current"] is None:
        return None
    return present[0]["nodes"][present[1]["current"]]["name"]


def test_op_does_exactly_one_op_and_the_graph_shows_it() -> None:
    model, optimizer, step = regression()
    panel = lab.train(step, optimizer=optimizer, start=False)
    panel.step_once()
    until(lambda: panel.step_count == 1)
    names = []
    for _ in range(8):
        before = panel.recording.present
        panel.op_once()
        until(lambda: panel.recording.present is not before)  # noqa: B023
        time.sleep(0.02)
        names.append(at(panel))
        assert panel.step_count == 1 and panel.view.frame["within"]
    assert names == ["linear", "relu", "linear", "mse_loss", "mse_loss", "linear", "relu", "linear"]
    assert panel.graph is not None
    boxes = {item["key"]: item["title"] for item in panel.graph.scene["items"]}
    assert boxes[panel.graph.frame["current"]] == "linear"
    for _ in range(4):  # the gradients reach the four parameters
        panel.op_once()
        time.sleep(0.05)
    assert panel.step_count == 1
    panel.op_once()  # the optimizer's step is the last of its ops
    until(lambda: panel.step_count == 2)
    time.sleep(0.1)
    assert panel.recording.present is None and panel.state == "paused"
    panel.op_once()
    until(lambda: at(panel) == "linear")
    panel.step_once()  # the rest of the step
    until(lambda: panel.step_count == 3)
    assert panel.state == "paused"
    panel.op_once()
    until(lambda: at(panel) == "linear")
    panel.stop()  # finishes the step, fast
    panel.wait(5)
    assert (panel.state, panel.step_count) == ("stopped", 4)


def test_slow_motion_and_back_to_full_speed() -> None:
    model, optimizer, step = regression()
    panel = lab.train(step, optimizer=optimizer, start=False)
    panel.pace = "ops4"
    panel.resume()
    until(lambda: at(panel) == "linear")
    until(lambda: at(panel) == "relu")
    assert panel.step_count == 0
    panel.pause()  # in the middle of the step
    held = panel.recording.present
    time.sleep(0.4)
    assert panel.recording.present is held and panel.state == "paused"
    panel.pace = "full"
    panel.resume()
    until(lambda: panel.step_count > 20)
    panel.pace = "steps10"
    time.sleep(0.3)
    before = panel.step_count
    time.sleep(0.5)
    assert 3 <= panel.step_count - before <= 7
    with pytest.raises(ValueError, match="no pace"):
        panel.pace = "warp"
    panel.stop()
    panel.wait(5)


def test_going_op_by_op_changes_no_number() -> None:
    losses = []
    for by_op in (False, True):
        model, optimizer, step = regression()
        panel = lab.train(step, optimizer=optimizer, steps=4, start=False, graph=False)
        while panel.state != "done":
            panel.op_once() if by_op else panel.step_once()
            time.sleep(0.004)
        losses.append([loss for _, loss in panel.recording.losses])
    assert losses[0] == losses[1]


def test_a_watched_model_and_the_panel_share_recording_and_moment() -> None:
    from labtorch import observe
    from labtorch.engine.thread import current

    model, optimizer, step = regression()
    graph = lab.graph(model)
    session = observe.watching(model)
    step()
    panel = lab.train(step, optimizer=optimizer, model=model, steps=50).wait(10)
    assert panel.recording is session.recording and panel.cursor is graph.cursor
    assert session.recording.step_count == 51
    assert loss_points(panel)[0][0] == 1  # the step that the model did before is not the run's
    panel.view._on_message(None, {"command": "seek", "step": 10}, [])
    assert graph.frame["time"]["shown"] == panel.view.frame["time"]["step"] == 10
    assert session.recording.thread is current()  # back where it came from
    step()
    assert session.recording.step_count == 52
    running = lab.train(step, optimizer=optimizer, model=model)
    with pytest.raises(RuntimeError, match="another panel"):
        lab.train(step, optimizer=optimizer, model=model)
    assert running.state == "running"
    running.stop()
    assert running.wait(5).error is None
    session.stop()


def send(panel: lab.TrainingPanel, command: str, **values: Any) -> Any:
    panel.view._on_message(None, {"command": command, **values}, [])
    return panel.view.frame["parameters"]


def test_a_weight_is_edited_between_two_steps_and_the_edit_undone() -> None:
    model, optimizer, step = regression()
    panel = lab.train(step, optimizer=optimizer, start=False)
    for _ in range(3):
        panel.step_once()
    until(lambda: panel.step_count == 3)
    send(panel, "keep", name="drawer", value=True)
    send(panel, "choose", name="0.weight")
    until(lambda: panel.view.frame["parameters"]["values"] is not None)
    shown = np.array(panel.view.frame["parameters"]["values"])
    np.testing.assert_allclose(shown, model[0].weight.detach().numpy(), rtol=1e-5)
    former = model[0].weight[1, 0].item()
    send(panel, "edit", index=[1, 0], value="1.5")
    until(lambda: panel.view.frame["edits"])
    assert model[0].weight[1, 0].item() == 1.5
    (edit,) = panel.view.frame["edits"]
    assert edit == {
        "step": 3, "name": "0.weight", "index": [1, 0], "after": 1.5, "undoes": False,
        "before": pytest.approx(former, rel=1e-4),
    }  # fmt: skip
    until(lambda: panel.view.frame["parameters"]["values"][1][0] == 1.5)
    panel.step_once()
    until(lambda: panel.step_count == 4)
    graph, snapshot = panel.recording.graph(3), panel.recording.snapshot(3)
    used = next(n["id"] for n in graph["nodes"] if n["name"] == "0.weight")
    assert snapshot["rows"][used]["value"]["thumbnail"]["values"][1][0] == 1.5
    send(panel, "undo")
    until(lambda: len(panel.view.frame["edits"]) == 2)
    assert model[0].weight[1, 0].item() == former
    assert not panel.view.frame["parameters"]["undo"]
    panel.cursor.move(3)
    frame = panel.view.frame["parameters"]
    assert not frame["live"] and frame["values"][1][0] == 1.5
    panel.stop()


@pytest.mark.parametrize(
    ("index", "value", "told"),
    [
        ([0, 0], "much", "no number"),
        ([0, 0], "nan", "finite"),
        ([0, 0], "-inf", "finite"),
        ([0, 0], "1e39", "does not fit"),
        ([0, 0], True, "no number"),
        ([3, 0], "1", "no number at"),
        ([-1, 0], "1", "no number at"),
        ([0], "1", "no number at"),
        ("00", "1", "no number at"),
        (None, None, "no number at"),
    ],
)
def test_an_edit_that_will_not_do_is_refused_in_words(index: Any, value: Any, told: str) -> None:
    model, optimizer, step = regression()
    panel = lab.train(step, optimizer=optimizer, steps=1, graph=False).wait(5)
    before = model[0].weight.detach().numpy().copy()
    send(panel, "keep", name="drawer", value=True)
    send(panel, "choose", name="0.weight")
    assert told in send(panel, "edit", index=index, value=value)["refused"]
    np.testing.assert_array_equal(model[0].weight.detach().numpy(), before)
    assert panel.view.frame["edits"] == []


@pytest.mark.parametrize(
    ("value", "dtype"), [("0.5", "int64"), ("300", "uint8"), ("2", "bool"), ("-1", "uint8")]
)
def test_numbers_that_a_dtype_has_no_room_for_are_refused(value: str, dtype: str) -> None:
    with pytest.raises(ValueError, match="nothing was changed"):
        parse(value, dtype)
    assert parse("1", dtype) == 1


def test_windows_of_large_parameters_are_moved_and_cut() -> None:
    import labtorch as torch
    from labtorch import nn, optim

    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(48, 40))
    optimizer = optim.SGD(model.parameters(), lr=0.0)

    def step() -> Any:
        loss = model(torch.ones(1, 1, 6, 6)).sum()
        loss.backward()
        optimizer.step()
        return loss

    panel = lab.train(step, optimizer=optimizer, steps=1, graph=False).wait(5)
    send(panel, "keep", name="drawer", value=True)
    send(panel, "choose", name="2.weight")
    frame = send(panel, "window", lead=[9], row=99, column=7)
    assert (frame["row"], frame["column"], frame["lead"]) == (8, 7, [])
    frame = send(panel, "hello") or send(panel, "keep", name="drawer", value=True)
    np.testing.assert_allclose(frame["values"], model[2].weight.detach()[8:40, 7:39], rtol=1e-5)
    send(panel, "choose", name="0.weight")
    send(panel, "window", lead=[2, 0], row=0, column=0)
    frame = send(panel, "keep", name="drawer", value=True)
    np.testing.assert_allclose(frame["values"], model[0].weight.detach()[2, 0], rtol=1e-5)


@pytest.mark.parametrize(
    "message",
    [
        None, [], "pause", {"command": "keep"}, {"command": "keep", "name": "frame", "value": {}},
        {"command": "keep", "name": "hidden", "value": [{}]}, {"command": "pace", "name": []},
        {"command": "edit", "index": {}, "value": {}}, {"command": "choose"},
        {"command": "window", "lead": "x", "row": None, "column": 1e999}, {"command": "op", "x": 1},
        {"command": "seek", "step": "soon"}, {"command": "__init__"}, {"command": "undo"},
    ],
)  # fmt: skip
def test_no_message_from_a_page_harms_the_training(message: Any) -> None:
    panel = train(fake.Program(), start=False)
    panel.view._on_message(None, message, [])
    panel.step_once()
    until(lambda: panel.step_count == 1)
    until(lambda: panel.view.frame["count"] == 1)
    panel.stop()
    panel.wait(5)


def test_progress_shows_the_newest_loss(capsys: pytest.CaptureFixture[str]) -> None:
    from labtorch import observe

    model, optimizer, step = regression()
    with observe.record() as recording:
        bar = lab.progress(range(5), show=recording, desc="fit", mininterval=0)
        for _ in bar:
            loss = step()
    assert capsys.readouterr().out == ""
    assert f"loss={loss.item():.4g}" in str(bar)
    assert list(lab.progress([1, 2], disable=True)) == [1, 2]


@pytest.mark.notebook
def test_a_progress_bar_is_stable_in_a_notebook(tmp_path: Any) -> None:
    """Run twice, a notebook with a bar has the same text, and nothing on stderr."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    texts = []
    for _ in range(2):
        notebook = nbformat.v4.new_notebook(
            cells=[
                nbformat.v4.new_code_cell(
                    "import labtorch_widgets as lab, time\n"
                    "for _ in lab.progress(range(20), desc='fit'):\n    time.sleep(0.01)"
                )
            ]
        )
        client.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
        outputs = notebook.cells[0].outputs
        assert [each.output_type for each in outputs] == ["display_data"]
        texts.append(outputs[0].data["text/plain"])
    assert texts[0] == texts[1] and texts[0].startswith("fit:   0%")
