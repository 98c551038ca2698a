"""The training loop and its panel, without a browser."""

from __future__ import annotations

import threading
import time
import xml.etree.ElementTree as ET
from typing import Any

import labtorch_widgets as lab
import pytest
from labtorch_widgets.training.history import History, thin

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
