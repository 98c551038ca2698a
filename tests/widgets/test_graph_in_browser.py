"""The computation graph as a learner meets it: real engine, real JupyterLab, real Chromium."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.widgets.program import MODEL
from tests.widgets.test_training_in_browser import wait_for

pytestmark = pytest.mark.browser

RECORD = """\
with torch.observe.record(budget=1) as recording:
    for _ in range(20):
        step()
view = lab.graph(recording)
view
"""
LINEAR = '.lt-item[aria-label^="linear, operation"]'


@pytest.fixture
def graph(open_notebook: Any) -> Any:
    cells = [MODEL.replace("{seconds}", "0"), "import labtorch.observe", RECORD]
    notebook = open_notebook(cells, height=900)
    notebook.run_all(timeout=20)
    assert notebook.errors == []
    notebook.page.wait_for_selector(".lt-item")
    return notebook


def keys(notebook: Any) -> list[str]:
    items = notebook.page.locator(".lt-item:not(.lt-leaving)")
    return items.evaluate_all("items => items.map((item) => item.dataset.key)")


def press(notebook: Any, key: str) -> None:
    notebook.page.keyboard.press(key)
    time.sleep(0.05)


def focused(notebook: Any) -> str:
    return notebook.page.evaluate("() => document.activeElement.getAttribute('data-key')")


def test_linear_is_a_module_that_collapses_and_expands(graph: Any) -> None:
    header = graph.page.locator('.lt-header[data-key="/model/linear"]')
    assert "Linear" in header.text_content()
    assert graph.page.locator(LINEAR).count() == 1
    header.click()
    wait_for(lambda: "/model/linear" in keys(graph))
    closed = graph.page.locator('.lt-item[data-key="/model/linear"]')
    assert closed.get_attribute("aria-expanded") == "false"
    assert "1 op · 4 parameters" in closed.text_content()
    assert graph.page.locator(f"{LINEAR}:not(.lt-leaving)").count() == 0
    closed.click()
    wait_for(lambda: graph.page.locator(LINEAR).count() == 1)
    assert graph.console == []


def test_levels_open_and_close_all_at_once(graph: Any) -> None:
    for _ in range(2):
        graph.page.get_by_role("button", name="Close one level of modules").click()
        time.sleep(0.4)
    assert [key for key in keys(graph) if key.count("/")] == ["/model", "/criterion"]
    graph.page.get_by_role("button", name="Open one level of modules").click()
    wait_for(lambda: "/model/linear" in keys(graph))


def test_edges_carry_the_shapes(graph: Any) -> None:
    texts = graph.page.locator(".lt-shape-label").all_text_contents()
    assert "64 × 3" in texts and "1 × 3" in texts and "64 × 1" in texts


def test_a_click_on_linear_opens_value_gradient_formula_and_source(graph: Any) -> None:
    graph.page.locator(LINEAR).click()
    pane = graph.page.locator(".lt-pane")
    pane.locator("math").first.wait_for()
    text = pane.inner_text()
    for heading in ("Your code", "Formula", "Value", "Gradient", "Backward", "Kept for backward"):
        assert heading in text
    assert pane.locator(".lt-source").inner_text().strip() == "return self.linear(x)"
    assert pane.locator(".lt-source u").inner_text() == "self.linear(x)"
    assert "line 16" in text
    assert pane.locator(".lt-vjp math").count() >= 2
    row = "recording.snapshot()['rows'][recording_linear]"
    graph.run(
        "nodes = recording.graph()['nodes']\n"
        "recording_linear = [n['id'] for n in nodes if n['name'] == 'linear'][0]"
    )
    mean = float(graph.run(f"print({row}['value']['mean'])"))
    shown = pane.locator(".lt-moments dd").first.inner_text().replace("−", "-")
    assert float(shown) == pytest.approx(mean, rel=1e-2)
    assert pane.locator(".lt-heat").count() == 2
    graph.screenshot("graph-pane", ".lt-view")
    pane.locator(".lt-pane-body").evaluate("body => body.scrollTop = body.scrollHeight")
    graph.screenshot("graph-pane-end", ".lt-view")


def test_a_small_parameter_shows_its_exact_numbers(graph: Any) -> None:
    graph.page.locator('.lt-item[aria-label^="weight, parameter"]').click()
    cells = graph.page.locator(".lt-pane .lt-matrix").first.locator("td")
    cells.first.wait_for()
    shown = [float(text.replace("−", "-")) for text in cells.all_inner_texts()]
    used = graph.run(
        "node = [n['id'] for n in recording.graph()['nodes'] if n['name'] == 'linear.weight'][0]\n"
        "print(*recording.snapshot()['rows'][node]['value']['thumbnail']['values'][0])"
    )
    assert shown == pytest.approx([float(number) for number in used.split()], rel=1e-3)


def test_a_gradient_that_has_not_arrived_is_said_to_be_missing(open_notebook: Any) -> None:
    forward = (
        "with torch.observe.record(budget=1) as recording:\n    model(x)\nlab.graph(recording)"
    )
    cells = [MODEL.replace("{seconds}", "0"), "import labtorch.observe", forward]
    notebook = open_notebook(cells)
    notebook.run_all(timeout=20)
    notebook.page.locator(LINEAR).click()
    wait_for(lambda: "not yet computed" in notebook.page.locator(".lt-pane").inner_text())
    assert notebook.page.locator(f"{LINEAR} .lt-waiting").count() == 1


def test_the_keyboard_does_it_all(graph: Any) -> None:
    graph.page.locator(".lt-item").first.focus()
    press(graph, "End")
    loss = focused(graph)
    assert loss.endswith("mse_loss")
    press(graph, "ArrowUp")
    assert focused(graph) in (":input:y", "/model/linear:op:linear")
    graph.page.locator(LINEAR).focus()
    press(graph, "ArrowDown")
    assert focused(graph) == loss
    press(graph, "ArrowUp")
    graph.page.locator(LINEAR).focus()
    press(graph, "Enter")
    pane = graph.page.locator(".lt-pane")
    pane.wait_for(state="visible")
    press(graph, "Escape")
    pane.wait_for(state="hidden")
    wait_for(lambda: focused(graph) == "/model/linear:op:linear")
    press(graph, "-")
    wait_for(lambda: focused(graph) == "/model/linear")
    assert graph.page.locator(LINEAR + ":not(.lt-leaving)").count() == 0
    press(graph, "+")
    wait_for(lambda: graph.page.locator(LINEAR).count() == 1)


def test_keys_pressed_in_the_graph_stay_there(graph: Any) -> None:
    """JupyterLab's shortcuts would select another cell, or begin to edit one."""
    state = """() => {
        const notebook = window.jupyterapp.shell.currentWidget.content;
        return [notebook.activeCellIndex, notebook.mode, notebook.widgets.length];
    }"""
    graph.page.locator(LINEAR).focus()
    before = graph.page.evaluate(state)
    for key in ("ArrowUp", "ArrowDown", "a", "b", "+", "Enter"):
        press(graph, key)
    assert graph.page.evaluate(state) == before


def test_only_one_box_is_a_tab_stop(graph: Any) -> None:
    assert graph.page.locator('.lt-graph [data-key][tabindex="0"]').count() == 1


def test_hover_lights_a_node_with_its_neighbours_and_path(graph: Any) -> None:
    graph.page.locator('.lt-item[aria-label^="y, input"]').hover()
    far = graph.page.locator(".lt-item.lt-far")
    wait_for(lambda: far.count() > 0)
    labels = [item.get_attribute("aria-label") for item in far.all()]
    assert not any(label.startswith(("y,", "mse_loss")) for label in labels)
    assert graph.page.locator(".lt-edge.lt-near").count() == 1


def test_a_slider_of_its_own_rewinds(graph: Any) -> None:
    slider = graph.page.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("Home")
    wait_for(lambda: graph.page.locator(".lt-view").get_attribute("data-step") == "0")
    loss = float(graph.run("print(recording.snapshot(0)['loss'])"))
    shown = graph.page.locator('.lt-item[aria-label^="mse_loss"] .lt-subtitle').text_content()
    assert float(shown) == pytest.approx(loss, rel=1e-3)


def test_the_nodes_stand_in_a_table_too(graph: Any) -> None:
    graph.page.get_by_role("button", name="Table").click()
    rows = graph.page.locator(".lt-table tbody tr")
    wait_for(lambda: rows.count() == 6)
    assert "linear.weight" in graph.page.locator(".lt-table").inner_text()
    graph.screenshot("graph-table", ".lt-view")


def test_markup_in_a_name_is_shown_and_never_run(open_notebook: Any) -> None:
    imports = "import labtorch_widgets as lab\nfrom tests.widgets import fake\n"
    code = imports + "lab.graph(fake.recorded(3))"
    notebook = open_notebook([code])
    notebook.run_all(timeout=20)
    notebook.page.wait_for_selector(".lt-item")
    name = "<img src=x onerror=alert(1)>"
    item = notebook.page.locator(f'.lt-item[data-key=":input:{name}"]')
    assert item.locator(".lt-title").text_content() == name
    item.click()
    wait_for(lambda: notebook.page.locator(".lt-pane h2").inner_text().startswith(name))
    assert notebook.page.locator(".lt-view img").count() == 0
    assert notebook.console == []


def test_reduced_motion_is_respected(open_notebook: Any) -> None:
    cells = [MODEL.replace("{seconds}", "0"), "import labtorch.observe", RECORD]
    notebook = open_notebook(cells, reduced_motion="reduce")
    notebook.run_all(timeout=20)
    notebook.page.locator('.lt-header[data-key="/model/linear"]').click()
    wait_for(lambda: "/model/linear" in keys(notebook))
    assert notebook.page.locator(".lt-leaving").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_for_axe_in_either_theme(graph: Any, theme: str) -> None:
    from tests.widgets.axe import serious

    graph.theme(theme)
    graph.page.locator(LINEAR).click()
    graph.page.locator(".lt-pane math").first.wait_for()
    graph.page.mouse.move(5, 5)
    time.sleep(0.4)
    graph.screenshot(f"graph-{theme}", ".lt-view")
    assert serious(graph.page) == []
    graph.theme("light")
