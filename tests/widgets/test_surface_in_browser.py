"""The loss surface as a learner meets it: real engine, real JupyterLab, real Chromium."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

pytestmark = pytest.mark.browser

PROGRAM = """\
import numpy as np
import labtorch as torch
from labtorch import nn, optim
import labtorch_widgets as lab

torch.manual_seed(0)
x = torch.randn(64, 1)
y = 2 * x + 0.5
model, criterion = nn.Linear(1, 1), nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr={rate}, maximize={climb})
xs, ys = x.numpy()[:, 0], y.numpy()[:, 0]

def loss_at(u, v):
    return float(((u * xs + v - ys) ** 2).mean())

def step():
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    return loss

view = lab.surface(model, lambda model: criterion(model(x), y))
view
"""
VIEW = ".lt-view[data-stride]"


def begin(open_notebook: Any, rate: float = 0.1, climb: bool = False, steps: int = 20) -> Any:
    source = PROGRAM.replace("{rate}", str(rate)).replace("{climb}", str(climb))
    notebook = open_notebook([source, f"for _ in range({steps}):\n    step()"])
    notebook.run_all(timeout=30)
    assert notebook.errors == []
    notebook.page.wait_for_selector(f'{VIEW}[data-stride="1"]')
    wait_for(lambda: notebook.page.locator(VIEW).get_attribute("data-step") == str(steps - 1))
    return notebook


def wait_for(condition: Any, seconds: float = 8.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.03)
    return found


def numbers(text: str) -> list[float]:
    plain = text.replace("−", "-")
    return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", plain)]


def fact(notebook: Any, part: str, name: str) -> float:
    """A number of the side: of the ball, or of the crosshair."""
    row = notebook.page.locator(
        f"{part} dl div", has=notebook.page.locator(f"dt:text-is('{name}')")
    )
    return numbers(row.first.locator("dd").inner_text())[0]


BALL, HERE = ".lt-sf-ballinfo", ".lt-sf-here section:first-child"


def test_ball_crosshair_and_rewinding_tell_the_engines_numbers(open_notebook: Any) -> None:
    notebook = begin(open_notebook)
    page = notebook.page
    slider = page.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("Home")
    wait_for(lambda: page.locator(VIEW).get_attribute("data-step") == "0")
    wait_for(lambda: "step 0" in page.locator(BALL).inner_text())
    recorded = float(notebook.run("print(view.cursor.recording.snapshot(0)['loss'])"))
    assert fact(notebook, BALL, "loss of the step") == pytest.approx(recorded, rel=1e-3)
    u, v = fact(notebook, BALL, "weight"), fact(notebook, BALL, "bias")
    assert float(notebook.run(f"print(loss_at({u}, {v}))")) == pytest.approx(recorded, rel=1e-2)
    # the plane's loss under the ball is interpolated between points of the grid
    assert fact(notebook, BALL, "loss of the plane there") == pytest.approx(recorded, rel=2e-2)
    # the crosshair, by keyboard
    plot = page.locator(".lt-sf-map")
    plot.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp"):
        plot.press(key)
    here = fact(notebook, HERE, "weight"), fact(notebook, HERE, "bias")
    assert here[0] > u and here[1] > v
    expected = float(notebook.run(f"print(loss_at{here})"))
    assert fact(notebook, HERE, "loss") == pytest.approx(expected, rel=2e-2)
    # the path in the table
    page.get_by_role("button", name="Table").click()
    rows = page.locator(".lt-sf-table tbody tr")
    wait_for(lambda: rows.count() == 20)
    cells = numbers(rows.nth(7).inner_text())
    loss = float(notebook.run("print(view.cursor.recording.snapshot(7)['loss'])"))
    assert cells[0] == 7 and cells[3] == pytest.approx(loss, rel=1e-3)
    assert notebook.console == []


def test_the_ball_is_put_elsewhere_and_training_goes_on_from_there(open_notebook: Any) -> None:
    notebook = begin(open_notebook)
    page = notebook.page
    box = page.locator(".lt-sf-map").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2)
    page.get_by_role("button", name="Put the ball here").click()
    u, v = fact(notebook, HERE, "weight"), fact(notebook, HERE, "bias")
    wait_for(
        lambda: (
            numbers(notebook.run("print(model.weight.item(), model.bias.item())"))
            == pytest.approx([u, v], rel=1e-2, abs=1e-2)
        )
    )
    notebook.run("step()")
    wait_for(lambda: page.locator(VIEW).get_attribute("data-step") == "20")
    wait_for(lambda: fact(notebook, BALL, "weight") == pytest.approx(u, rel=1e-2, abs=1e-2))
    assert notebook.console == []


def test_the_wrong_sign_is_seen_to_climb_and_the_window_follows(open_notebook: Any) -> None:
    notebook = begin(open_notebook, climb=True, steps=25)
    page = notebook.page
    wait_for(lambda: "has climbed" in page.locator(BALL).inner_text())

    def placed() -> bool:
        """Does the ball stand inside of the map?"""
        ball = page.locator(".lt-sf-ball").bounding_box()
        plot = page.locator(".lt-sf-edge").bounding_box()
        x, y = ball["x"] + ball["width"] / 2, ball["y"] + ball["height"] / 2
        inside_x = plot["x"] <= x <= plot["x"] + plot["width"]
        return inside_x and plot["y"] <= y <= plot["y"] + plot["height"]

    wait_for(placed)
    wide = numbers(" ".join(page.locator(".lt-sf-x").all_text_contents()))
    notebook.screenshot("surface-climbs", VIEW)
    slider = page.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("Home")
    wait_for(lambda: "step 0" in page.locator(BALL).inner_text())
    wait_for(
        lambda: (
            max(numbers(" ".join(page.locator(".lt-sf-x").all_text_contents())) or [1e9])
            < max(map(abs, wide)) / 2
        )
    )
    wait_for(placed)
    assert notebook.console == []


def test_planes_looks_and_windows_are_chosen(open_notebook: Any) -> None:
    from tests.widgets.axe import serious

    notebook = begin(open_notebook)
    page = notebook.page
    names = page.locator(".lt-sf-name")
    page.get_by_role("combobox", name="Plane").select_option("pca")
    wait_for(lambda: "first component of the path (" in names.first.text_content())
    wait_for(lambda: page.locator(".lt-sf-bands path").count() > 5)
    page.get_by_role("combobox", name="Plane").select_option("gradient")
    wait_for(lambda: "uphill" in names.first.text_content())
    page.get_by_role("combobox", name="Plane").select_option("parameters")
    wait_for(lambda: names.first.text_content() == "weight")
    before = page.locator(".lt-sf-x").all_text_contents()
    page.get_by_role("button", name="Zoom in").click()
    wait_for(lambda: page.locator(".lt-sf-x").all_text_contents() != before)
    follow = page.get_by_role("button", name="Follow")
    assert follow.get_attribute("aria-pressed") == "false"
    follow.click()
    wait_for(lambda: page.locator(".lt-sf-x").all_text_contents() == before)
    for theme in ("light", "dark"):
        notebook.theme(theme)
        page.get_by_role("button", name="Map").click()
        assert serious(page) == []
        notebook.screenshot(f"surface-{theme}", VIEW)
        page.get_by_role("button", name="Relief").click()
        relief = page.locator(".lt-sf-relief")
        relief.focus()
        one = relief.evaluate("canvas => canvas.toDataURL()")
        relief.press("ArrowLeft")
        assert relief.evaluate("canvas => canvas.toDataURL()") != one
        assert serious(page) == []
    notebook.run("lab.language('zh')")
    page.get_by_role("button", name="立体").wait_for()
    assert "损失曲面" in page.locator(VIEW).inner_text()
    notebook.run("lab.language('en')")
    notebook.theme("light")
    assert notebook.console == []
