"""The training panel as a learner meets it: real engine, real JupyterLab, real Chromium."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.widgets.program import cells

pytestmark = pytest.mark.browser

PANEL = ".lt-view[data-state]"
OUTPUT = ".jp-OutputArea-output:has(.lt-view)"


@pytest.fixture
def panel(open_notebook: Any) -> Any:
    """A notebook in which training has begun and shows."""
    return begin(open_notebook)


def begin(open_notebook: Any, **options: Any) -> Any:
    notebook = open_notebook(cells(**options), height=1150)
    notebook.run_all(timeout=20)
    assert notebook.errors == []
    notebook.page.wait_for_selector(f"{PANEL} .lt-chart")
    return notebook


def shown_count(notebook: Any) -> int:
    return int(notebook.page.locator(PANEL).get_attribute("data-count"))


def kernel_count(notebook: Any) -> int:
    return int(notebook.run("print(panel.step_count)"))


def wait_for(condition: Any, seconds: float = 5.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def click(notebook: Any, name: str) -> None:
    notebook.page.locator(PANEL).get_by_role("button", name=name, exact=True).click()


def test_the_loss_line_grows_while_it_trains(panel: Any) -> None:
    def points() -> int:
        return (panel.page.locator(".lt-line").get_attribute("d") or "").count("L")

    first = wait_for(points)
    wait_for(lambda: points() > first + 20)
    assert panel.page.locator(PANEL).get_attribute("data-state") == "running"
    assert "steps/s" in panel.page.locator(".lt-pace").inner_text()
    assert re.search(r"\d+ s left", panel.page.locator(".lt-pace").inner_text())
    assert panel.console == []


def test_pause_freezes_the_step_count_within_a_fifth_of_a_second(panel: Any) -> None:
    wait_for(lambda: shown_count(panel) > 5)
    click(panel, "Pause")
    time.sleep(0.2)
    frozen = kernel_count(panel)
    time.sleep(0.5)
    assert kernel_count(panel) == frozen
    wait_for(lambda: shown_count(panel) == frozen)
    click(panel, "Resume")
    wait_for(lambda: shown_count(panel) > frozen)


def test_the_controls_act_while_a_later_cell_waits_for_the_end(open_notebook: Any) -> None:
    notebook = open_notebook([*cells(steps=300), "_ = panel.wait()"], height=1150)
    notebook.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    notebook.page.wait_for_selector(f"{PANEL} .lt-chart")
    wait_for(lambda: shown_count(notebook) > 5)
    click(notebook, "Pause")
    wait_for(lambda: notebook.page.locator(PANEL).get_attribute("data-state") == "paused")
    notebook.page.wait_for_timeout(200)  # what was on its way when the button was pressed
    frozen = shown_count(notebook)
    notebook.page.wait_for_timeout(500)
    assert shown_count(notebook) == frozen < 300
    click(notebook, "Resume")
    wait_for(lambda: shown_count(notebook) == 300, seconds=15)
    assert notebook.errors == []


def test_step_moves_by_exactly_one(panel: Any) -> None:
    click(panel, "Pause")
    time.sleep(0.2)
    before = kernel_count(panel)
    for moved in (1, 2, 3):
        click(panel, "Step")
        wait_for(lambda: shown_count(panel) == before + moved)  # noqa: B023
        time.sleep(0.15)
        assert kernel_count(panel) == before + moved
    step = panel.page.locator(".lt-view[data-step]").get_attribute("data-step")
    assert int(step) == before + 2  # steps count from zero: the graph shows the one just done


def test_a_new_learning_rate_is_used_by_the_very_next_step(panel: Any) -> None:
    click(panel, "Pause")
    time.sleep(0.2)
    done = kernel_count(panel)
    box = panel.page.get_by_role("textbox", name="Learning rate")
    box.fill("0.125")
    box.press("Enter")
    click(panel, "Step")
    wait_for(lambda: shown_count(panel) == done + 1)
    assert panel.run("print(rates[-2:])").strip() == "[0.01, 0.125]"


@pytest.mark.parametrize("typed", ["fast", "0", "-1", "inf", "nan"])
def test_a_learning_rate_that_will_not_do_is_refused(panel: Any, typed: str) -> None:
    box = panel.page.get_by_role("textbox", name="Learning rate")
    box.fill(typed)
    box.press("Enter")
    wait_for(lambda: "stays as it was" in panel.page.locator(".lt-refusal").inner_text())
    assert box.input_value() == "0.01"
    assert panel.run("print(panel.learning_rate)").strip() == "0.01"
    assert kernel_count(panel) < wait_for(lambda: kernel_count(panel))


def test_the_slider_changes_the_learning_rate_while_it_trains(panel: Any) -> None:
    slider = panel.page.get_by_role("slider", name=re.compile("Learning rate"))
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    wait_for(lambda: float(panel.run("print(rates[-1])")) > 0.011)


def test_rewinding_redraws_the_numbers_of_that_step(panel: Any) -> None:
    wait_for(lambda: shown_count(panel) > 30)
    slider = panel.page.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("Home")
    graph = panel.page.locator(".lt-view[data-step]")
    wait_for(lambda: graph.get_attribute("data-step") == "0")
    slider.press("ArrowRight")
    wait_for(lambda: graph.get_attribute("data-step") != "0")
    step = int(graph.get_attribute("data-step"))
    loss = float(panel.run(f"print(panel.recording.snapshot({step})['loss'])"))
    node = panel.page.locator('.lt-item[aria-label^="mse_loss"]')
    wait_for(
        lambda: float(node.locator(".lt-subtitle").text_content()) == pytest.approx(loss, rel=1e-3)
    )
    heading = panel.page.locator("[data-role=loss]").inner_text()
    assert float(heading.split()[-1]) == pytest.approx(loss, rel=1e-3)
    assert kernel_count(panel) > 30  # training goes on meanwhile
    panel.page.locator(PANEL).get_by_role("button", name="Live").click()
    wait_for(lambda: int(graph.get_attribute("data-step")) > step)


def test_dragging_over_the_chart_rewinds(panel: Any) -> None:
    wait_for(lambda: shown_count(panel) > 30)
    chart = panel.page.locator(".lt-chart").bounding_box()
    panel.page.mouse.click(chart["x"] + chart["width"] / 2, chart["y"] + 80)
    live = panel.page.locator(PANEL).get_by_role("button", name="Live")
    wait_for(lambda: live.get_attribute("aria-pressed") == "false")


def test_stop_ends_it_and_keeps_what_was_recorded(panel: Any) -> None:
    wait_for(lambda: shown_count(panel) > 5)
    click(panel, "Stop")
    wait_for(lambda: panel.page.locator(PANEL).get_attribute("data-state") == "stopped")
    assert panel.page.get_by_role("slider", name="Recorded step").is_enabled()
    assert panel.run("panel.wait(); print(panel.state)").strip() == "stopped"


def test_running_the_cell_again_stops_the_first_training(panel: Any) -> None:
    panel.run("first = panel")
    panel.run_all(timeout=20)
    wait_for(lambda: panel.run("print(first.state)").strip() == "stopped")
    assert panel.run("print(panel.state)").strip() == "running"


def test_a_step_that_raises_is_told_with_its_line_and_keeps_the_history(open_notebook: Any) -> None:
    source = cells()
    source.insert(
        1,
        "train = step\ndef step():\n    if len(rates) == 8:\n"
        "        model(x[:, :2])\n    return train()",
    )
    notebook = open_notebook(source, height=1150)
    notebook.run_all(timeout=20)
    alarm = notebook.page.locator(f"{PANEL} .lt-alarm")
    alarm.wait_for()
    text = alarm.inner_text()
    assert "RuntimeError" in text
    assert "model(x[:, :2])" in text or "self.linear(x)" in text
    assert "line" in text
    assert "8 of" in notebook.page.locator("[data-role=count]").inner_text()
    assert notebook.page.locator(".lt-line").get_attribute("d").count("L") == 7
    assert notebook.page.locator(".lt-failed").count() == 1
    notebook.screenshot("panel-error", OUTPUT)


def test_a_loss_that_is_no_number_stops_with_the_first_op_that_made_one(open_notebook: Any) -> None:
    source = cells()
    source.insert(
        1,
        "train = step\ndef step():\n    if len(rates) == 8:\n"
        "        with torch.no_grad():\n            model.linear.weight.fill_(float('nan'))\n"
        "    return train()",
    )
    notebook = open_notebook(source, height=1150)
    notebook.run_all(timeout=20)
    alarm = notebook.page.locator(f"{PANEL} .lt-alarm")
    alarm.wait_for()
    assert "linear" in alarm.inner_text()
    assert "step 8" in alarm.inner_text()
    wait_for(lambda: notebook.page.locator(".lt-failed").count() == 1)
    notebook.screenshot("panel-nonfinite", OUTPUT)


def test_the_language_changes_while_it_trains(panel: Any) -> None:
    panel.run("lab.language('zh')")
    panel.page.get_by_role("button", name="暂停").wait_for()
    assert "计算图" in panel.page.locator(".lt-view[data-step]").inner_text()
    assert "学习率" in panel.page.locator(PANEL).inner_text()
    panel.run("lab.language('en')")
    panel.page.get_by_role("button", name="Pause").wait_for()


def test_the_losses_stand_in_a_table_too(panel: Any) -> None:
    click(panel, "Pause")
    time.sleep(0.3)
    click(panel, "Table")
    rows = panel.page.locator(".lt-losses tbody tr")
    wait_for(lambda: rows.count() > 1)
    assert rows.last.locator("th").inner_text() == "0"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_for_axe_in_either_theme(panel: Any, theme: str) -> None:
    from tests.widgets.axe import serious

    panel.theme(theme)
    wait_for(lambda: shown_count(panel) > 20)
    click(panel, "Pause")
    panel.page.mouse.move(5, 5)
    time.sleep(0.4)
    panel.screenshot(f"panel-{theme}", OUTPUT)
    assert serious(panel.page) == []
    panel.theme("light")
