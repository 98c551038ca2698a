"""The playground as a learner meets it: real engine, real JupyterLab, real Chromium."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

pytestmark = pytest.mark.browser

VIEW = ".lt-playground"
OUTPUT = ".jp-OutputArea-output:has(.lt-playground)"


def begin(open_notebook: Any, call: str = "") -> Any:
    cell = f"import labtorch_widgets as lab\nview = lab.playground({call})\nview"
    notebook = open_notebook([cell], height=1250)
    notebook.run_all(timeout=20)
    assert notebook.errors == []
    notebook.page.wait_for_selector(f"{VIEW} .lt-unit")
    return notebook


def wait_for(condition: Any, seconds: float = 8.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.03)
    return found


def kernel(notebook: Any, expression: str) -> Any:
    """A value in the kernel, by way of JSON."""
    return json.loads(notebook.run(f"import json; print(json.dumps({expression}))"))


def button(notebook: Any, name: str) -> Any:
    return notebook.page.locator(VIEW).get_by_role("button", name=name, exact=True)


def shown(notebook: Any, name: str = "count") -> int:
    return int(notebook.page.locator(VIEW).get_attribute(f"data-{name}"))


def code(notebook: Any) -> str:
    return "\n".join(notebook.page.locator(f"{VIEW} .lt-code code").all_inner_texts())


def test_train_pause_step_rewind(open_notebook: Any) -> None:
    notebook = begin(open_notebook)
    page = notebook.page
    button(notebook, "Train").click()
    wait_for(lambda: shown(notebook) > 60)
    button(notebook, "Pause").click()
    wait_for(lambda: page.locator(VIEW).get_attribute("data-state") == "paused")
    wait_for(
        lambda: shown(notebook) == shown(notebook, "shown") == kernel(notebook, "view.step_count")
    )
    losses = kernel(notebook, "view.losses")
    for side in ("train", "test"):
        text = page.locator(f"[data-role={side}-loss]").inner_text()
        assert float(text.replace("−", "-")) == pytest.approx(losses[side], rel=6e-3)
    done = shown(notebook)
    button(notebook, "Step").click()
    wait_for(lambda: shown(notebook) == done + 1 == kernel(notebook, "view.step_count"))
    slider = page.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("Home")
    wait_for(lambda: shown(notebook, "shown") == 0)
    untrained = kernel(
        notebook,
        "float(view.recording.arrays(next(n['id'] for n in view.recording.graph(0)['nodes']"
        " if n['name'] == '0.weight'), 0).outputs[0][1, 0])",
    )
    page.get_by_role("button", name="layer 1, unit 2").click()
    box = page.get_by_role("spinbutton", name="Weight from x1 to layer 1, unit 2")
    assert float(box.input_value()) == pytest.approx(untrained, rel=1e-3)
    assert notebook.console == []


def test_the_network_is_built_by_hand_and_the_program_follows(open_notebook: Any) -> None:
    notebook = begin(open_notebook)
    page = notebook.page
    assert "nn.Linear(2, 4)," in code(notebook)
    button(notebook, "Add a unit to layer 1").click()
    wait_for(lambda: "nn.Linear(2, 5)," in code(notebook))
    assert page.locator(".lt-code .lt-new").count() >= 1  # the lines that changed light up
    button(notebook, "Add a layer").click()
    wait_for(lambda: page.locator(".lt-unit").count() == 5 + 2 + 2 + 1)
    button(notebook, "Feature x1x2").click()
    wait_for(lambda: "x1 * x2" in code(notebook))
    page.get_by_label("Activation").select_option("ReLU")
    page.get_by_label("Optimizer").select_option("SGD with momentum")
    wait_for(lambda: "momentum=0.9" in code(notebook) and "nn.ReLU()," in code(notebook))
    button(notebook, "spiral").click()
    wait_for(lambda: "two arms" in code(notebook))
    lines = [line for line in kernel(notebook, "view.code").splitlines() if line]
    assert code(notebook).splitlines() == lines
    assert kernel(notebook, "[list(p.shape) for p in view.model.parameters()][::2]") == [
        [5, 3],
        [2, 5],
        [2, 2],
        [1, 2],
    ]
    assert page.locator(".lt-link").count() == 15 + 10 + 4 + 2
    button(notebook, "labtorch").click()
    wait_for(lambda: "import labtorch as torch" in code(notebook))
    unit = page.get_by_role("button", name="layer 2, unit 1")
    unit.hover()
    assert page.locator(".lt-code .lt-together").all_inner_texts() == ["    nn.Linear(5, 2),"]
    assert page.locator(".lt-side h2").inner_text() == "layer 2, unit 1"
    # what is on show outlives the page
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.reload()
    page.wait_for_selector(f"{VIEW} .lt-unit", timeout=30_000)
    wait_for(lambda: "nn.Linear(3, 5)," in code(notebook))
    assert page.locator(".lt-unit").count() == 10


def test_a_link_is_clicked_and_its_weight_set(open_notebook: Any) -> None:
    notebook = begin(open_notebook, "layers=[3, 2]")
    page = notebook.page
    box = page.locator('.lt-link[data-layer="1"][data-unit="2"][data-source="1"]').bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
    hit = page.locator('.lt-hit[data-layer="1"][data-unit="2"][data-source="1"]')
    hit.dispatch_event("pointerenter")
    weight = kernel(notebook, "float(view.model[0].weight[2, 1])")
    told = page.locator(".lt-net .lt-tip").inner_text()
    number = float(re.search(r": (−?[\d.]+)", told).group(1).replace("−", "-"))
    assert number == pytest.approx(weight, rel=6e-3)
    hit.dispatch_event("click")
    field = page.get_by_role("spinbutton", name="Weight from x2 to layer 1, unit 3")
    field.fill("-3.25")
    field.press("Enter")
    wait_for(lambda: kernel(notebook, "float(view.model[0].weight[2, 1])") == -3.25)
    field.press("Escape")
    assert page.get_by_role("dialog").count() == 0
    # the same by keyboard alone: to the unit with arrow keys, Enter, its bias
    unit = page.get_by_role("button", name="layer 1, unit 1")
    unit.focus()
    unit.press("ArrowDown")
    page.keyboard.press("Enter")
    bias = page.get_by_role("spinbutton", name="Bias of layer 1, unit 2")
    notebook.screenshot("playground-card", OUTPUT)
    bias.fill("0.5")
    bias.press("Enter")
    wait_for(lambda: kernel(notebook, "float(view.model[0].bias[1])") == 0.5)
    assert "Weights set by hand: 2" in page.locator(".lt-notes").inner_text()


def test_points_are_drawn_by_pointer_and_by_keyboard(open_notebook: Any) -> None:
    notebook = begin(open_notebook)
    page = notebook.page
    button(notebook, "your own").click()
    page.locator(".lt-empty").wait_for()
    wait_for(lambda: button(notebook, "Train").is_disabled())
    plane = page.locator(".lt-plane")
    plane.scroll_into_view_if_needed()

    def at(x1: float, x2: float) -> tuple[float, float]:
        box = plane.bounding_box()
        return (
            box["x"] + (x1 + 6) / 12 * box["width"],
            box["y"] + (6 - x2) / 12 * box["height"],
        )

    page.mouse.click(*at(2, 3))
    wait_for(lambda: len(kernel(notebook, "view.points")) == 1)
    assert kernel(notebook, "view.points")[0][:3] == pytest.approx([2, 3, 1], abs=0.1)
    page.mouse.move(*at(-4, -3))
    button(notebook, "Class 0").click()
    page.mouse.move(*at(-4, -3))
    page.mouse.down()
    page.mouse.move(*at(-1, -3), steps=12)
    page.mouse.up()
    wait_for(lambda: len(kernel(notebook, "view.points")) > 4)
    assert {point[2] for point in kernel(notebook, "view.points")[1:]} == {0}
    drawn = len(kernel(notebook, "view.points"))
    plane.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", " "):
        plane.press(key)
    wait_for(lambda: len(kernel(notebook, "view.points")) == drawn + 1)
    assert [0.4, 0.8, 0] in [point[:3] for point in kernel(notebook, "view.points")]
    wait_for(lambda: "[0.4, 0.8, 0]," in code(notebook))
    button(notebook, "Erase").click()
    page.mouse.click(*at(2, 3))
    wait_for(lambda: len(kernel(notebook, "view.points")) == drawn)
    notebook.screenshot("playground-drawn", OUTPUT)
    button(notebook, "Clear").click()
    wait_for(lambda: kernel(notebook, "view.points") == [])
    assert notebook.console == []


def test_a_divergence_is_told_and_restarted(open_notebook: Any) -> None:
    notebook = begin(
        open_notebook, 'data="waves", activation="ReLU", optimizer="SGD", lr=1000, layers=[8, 8]'
    )
    page = notebook.page
    button(notebook, "Train").click()
    alarm = page.locator(f"{VIEW} .lt-alarm")
    alarm.wait_for()
    assert "no longer a number" in alarm.inner_text()
    notebook.screenshot("playground-diverged", OUTPUT)
    alarm.get_by_role("button", name="Restart").click()
    wait_for(lambda: alarm.is_hidden() and shown(notebook) == 0)
    page.get_by_label("Learning rate").select_option("0.01")
    wait_for(lambda: "lr=0.01)" in code(notebook))
    button(notebook, "Train").click()
    wait_for(lambda: shown(notebook) > 20)
    assert page.locator(VIEW).get_attribute("data-state") == "running"


def test_both_languages_both_themes_a_table_and_axe(open_notebook: Any) -> None:
    from tests.widgets.axe import serious

    notebook = begin(open_notebook, 'data="xor", start=True')
    page = notebook.page
    wait_for(lambda: shown(notebook) > 150)
    button(notebook, "Pause").click()
    button(notebook, "Table").click()
    rows = page.locator(f"{VIEW} .lt-table-box tbody tr")
    assert rows.count() == 4 + 2 + 1 + 300
    for theme in ("light", "dark"):
        notebook.theme(theme)
        page.mouse.move(5, 5)
        page.wait_for_timeout(300)
        assert serious(page) == []
        notebook.screenshot(f"playground-{theme}", OUTPUT)
    notebook.theme("light")
    notebook.run("lab.language('zh')")
    button(notebook, "训练").wait_for()
    assert "背后的程序" in page.locator(VIEW).inner_text()
    assert page.get_by_role("button", name="第 1 层第 2 个单元").count() == 1
    notebook.screenshot("playground-zh", OUTPUT)
    assert notebook.console == []


def test_nothing_is_cut_off_at_other_widths(open_notebook: Any) -> None:
    notebook = begin(open_notebook, "layers=[8, 8, 8, 8, 8, 8]")
    for width in (760, 1024, 1900):
        notebook.page.set_viewport_size({"width": width, "height": 1250})
        notebook.page.wait_for_timeout(400)
        overflow = notebook.page.evaluate(
            """() => [...document.querySelectorAll(".lt-playground :is(section, .lt-bar)")]
                .filter((part) => part.scrollWidth > part.clientWidth + 1)
                .map((part) => part.className)"""
        )
        notebook.screenshot(f"playground-{width}", OUTPUT)
        assert overflow == [], width
