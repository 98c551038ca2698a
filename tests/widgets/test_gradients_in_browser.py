"""Gradient flow and the doctor as a learner meets them: real engine, JupyterLab, Chromium."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

pytestmark = pytest.mark.browser

FLOW, DOCTOR = ".lt-gradients", ".lt-doctor"
MODEL = """\
import json, math
import numpy as np
import labtorch as torch
import labtorch_widgets as lab
from labtorch import nn, observe, optim
torch.manual_seed(0)
x, y = torch.randn(64, 16), torch.randint(0, 4, (64,))
model = nn.Sequential(
    nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 4)
)
optimizer = optim.SGD(model.parameters(), lr=0.1)
kept = []

def step():
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    before = [p.detach().numpy().copy() for p in model.parameters()]
    kept.append([np.array(p.grad.numpy()) for p in model.parameters()])
    optimizer.step()
    updates.append([p.detach().numpy() - b for p, b in zip(model.parameters(), before)])
    weights.append(before)
    return loss
updates, weights = [], []
"""
SICK = """\
torch.manual_seed(0)
layers = [nn.Linear(16, 12), nn.Sigmoid()]
for _ in range(6):
    layers += [nn.Linear(12, 12), nn.Sigmoid()]
sick = nn.Sequential(*layers, nn.Linear(12, 4))
with observe.record() as ill:
    nn.functional.cross_entropy(sick(x), y).backward()
norms = [float(np.linalg.norm(p.grad.numpy())) for p in sick.parameters()]
lab.doctor(ill)
"""


def wait_for(condition: Any, seconds: float = 6.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def number(text: str) -> float:
    return float(re.sub("[^0-9.e−-]", "", text).replace("−", "-"))


@pytest.fixture
def recorded(open_notebook: Any) -> Any:
    """Forty steps recorded and shown, and below them the doctor at a sick model."""
    run = "with observe.record(budget=1e9) as recording:\n    for _ in range(40):\n        step()\n"
    notebook = open_notebook([MODEL, f"{run}lab.gradients(recording)", SICK], height=1500)
    notebook.run_all(timeout=30)
    assert notebook.errors == []
    notebook.page.wait_for_selector(f"{FLOW} .lt-lines path")
    notebook.page.wait_for_selector(f"{DOCTOR} .lt-card")
    return notebook


def norms_shown(notebook: Any) -> list[float]:
    cells = notebook.page.locator(f"{FLOW} tbody tr:not(.lt-part) td[data-value=norm]")
    return [number(text) for text in cells.all_inner_texts()]


def test_rows_charts_and_cursor_agree_with_the_engine(recorded: Any) -> None:
    page = recorded.page
    code = "print(json.dumps([math.hypot(*[float(np.linalg.norm(g)) for g in kept[{step}][i:i+2]]) "
    code += "for i in (0, 2, 4)]))"
    assert norms_shown(recorded) == pytest.approx(
        json.loads(recorded.run(code.replace("{step}", "39"))), rel=6e-3
    )
    # weight and bias apart, with the ratio of update to weight
    page.locator(f"{FLOW} .lt-fold").first.click()
    part = page.locator(f"{FLOW} tr[data-part=weight]").first
    code_of_part = """
w, u = weights[39][0], updates[39][0]
sizes = [float(np.linalg.norm(a)) for a in (kept[39][0], w, u)]
print(json.dumps([sizes[0], sizes[1], sizes[2] / sizes[1]]))"""
    expected = json.loads(recorded.run(code_of_part))
    cells = part.locator("td").all_inner_texts()
    assert number(cells[1]) == pytest.approx(expected[0], rel=6e-3)
    assert number(cells[4]) == pytest.approx(expected[1], rel=6e-3)
    ratio = part.locator(".lt-ratio-cell > span").inner_text()
    assert number(ratio) == pytest.approx(expected[2], rel=6e-2)
    # the keyboard reads a value and moves the cursor that all views share
    chart = page.locator(f"{FLOW} .lt-plot-svg")
    chart.focus()
    for key in ("ArrowLeft", "Home", *["ArrowRight"] * 7, "ArrowDown"):
        page.keyboard.press(key)
    tip = page.locator(f"{FLOW} .lt-tip").inner_text()
    row = recorded.run("print(json.dumps(math.hypot(*[float(np.linalg.norm(g)) "
                       "for g in kept[7][2:4]])))")  # fmt: skip
    assert tip.startswith("2: ") and "step 7" in tip
    assert number(tip.split(":")[1].split(" at ")[0]) == pytest.approx(json.loads(row), rel=6e-3)
    page.keyboard.press("Enter")
    wait_for(lambda: page.locator(FLOW).get_attribute("data-step") == "7")
    assert norms_shown(recorded) == pytest.approx(
        json.loads(recorded.run(code.replace("{step}", "7"))), rel=6e-3
    )
    assert recorded.console == []


def test_statistics_pictures_windows_and_distributions(recorded: Any) -> None:
    page = recorded.page
    view = page.locator(FLOW)
    view.get_by_role("button", name="Activations").click()
    wait_for(lambda: view.get_by_label("Statistic").input_value() == "gradient")
    view.get_by_label("Statistic").select_option("zeros")
    share = "recording.snapshot()['rows'][n['id']]['value']['zeros'] * 100"
    shares = json.loads(recorded.run(f"print(json.dumps([{share} "
        "for n in recording.graph()['nodes'] if n['name'] == 'relu']))"))  # fmt: skip
    cells = [text.strip() for text in view.locator("tbody td:nth-child(5)").all_inner_texts()]
    assert [number(cells[1]), number(cells[3])] == pytest.approx(shares, rel=6e-2)
    view.get_by_role("button", name="Heat map").click()
    assert view.locator("canvas").first.is_visible()
    recorded.screenshot("gradients-heat", FLOW)
    view.get_by_role("button", name="Parameters").click()
    view.get_by_role("button", name="Lines").click()
    view.get_by_role("button", name="Show 2 over time").click()
    wait_for(lambda: "2.weight" in view.locator(".lt-spread h3").inner_text())
    view.locator(".lt-spread").get_by_role("button", name="the value").click()
    wait_for(lambda: "value" in view.locator(".lt-spread h3").inner_text())
    view.locator(".lt-spread-svg").click(position={"x": 70, "y": 60})
    wait_for(lambda: int(view.get_attribute("data-step")) < 3)
    page.keyboard.press("Escape")
    view.get_by_role("button", name="Table").click()
    assert view.locator(".lt-gradients-table table").count() == 2
    assert recorded.console == []


def test_the_doctor_names_cause_path_and_factors(recorded: Any) -> None:
    page = recorded.page
    card = page.locator(f"{DOCTOR} .lt-card").first
    assert card.get_attribute("data-kind") == "vanishing"
    sentence = card.locator(".lt-sentence").inner_text()
    first = json.loads(recorded.run("print(norms[0])"))
    assert number(sentence.split(" is ")[1].split(" ")[0]) == pytest.approx(first, rel=6e-2)
    assert "sigmoid" in sentence and "slope is at most 1/4" in sentence
    names = card.locator(".lt-hop-name").all_inner_texts()
    assert names[0] == "cross_entropy" and names[-1] == "0.weight"
    assert names.count("sigmoid") == 7
    worst = card.locator(".lt-hop[data-worst]")
    assert worst.get_attribute("aria-pressed") == "true"
    worst.focus()
    page.keyboard.press("End")
    told = card.locator(".lt-hop-numbers").inner_text()
    assert number(told.split("gradient ")[1].split(" ")[0]) == pytest.approx(first, rel=6e-3)
    assert "DoctorView(vanishing)" == recorded.run("print(repr(lab.doctor(ill)), end='')")
    assert "Vanishing gradient" in recorded.run("print(lab.doctor(ill))")
    page.locator(DOCTOR).get_by_role("button", name="Table").click()
    assert page.locator(f"{DOCTOR} .lt-doctor-table td").first.is_visible()
    assert recorded.console == []


def test_nothing_serious_for_axe_in_either_theme_or_language(recorded: Any) -> None:
    from tests.widgets.axe import serious

    recorded.page.locator(f"{FLOW} .lt-layer").first.click()
    recorded.page.wait_for_selector(".lt-spread-svg .lt-axes text")
    recorded.page.mouse.move(3, 3)
    for theme in ("dark", "light"):
        recorded.theme(theme)
        recorded.screenshot(f"gradients-{theme}", FLOW)
        recorded.screenshot(f"doctor-{theme}", DOCTOR)
        assert serious(recorded.page) == []
    recorded.run("lab.language('zh')")
    wait_for(lambda: "梯度流" in recorded.page.locator(FLOW).inner_text())
    wait_for(lambda: "梯度消失" in recorded.page.locator(DOCTOR).inner_text())
    recorded.screenshot("gradients-zh", FLOW)
    recorded.screenshot("doctor-zh", DOCTOR)
    recorded.run("lab.language('en')")


def test_live_while_it_trains(open_notebook: Any) -> None:
    train = "import time\ndef slow():\n    time.sleep(0.01)\n    return step()\n"
    train += "panel = lab.train(slow, optimizer=optimizer, graph=False)\nlab.gradients(panel)"
    notebook = open_notebook([MODEL, train], height=1300)
    notebook.run_all(timeout=30)
    view = notebook.page.locator(FLOW)
    first = wait_for(lambda: int(view.get_attribute("data-columns") or 0))
    wait_for(lambda: int(view.get_attribute("data-columns")) > first + 10)
    notebook.run("panel.pause(); panel.cursor.move(2)")
    wait_for(lambda: view.get_attribute("data-step") == "2")
    notebook.run("panel.stop()")
    assert notebook.console == [] and notebook.errors == []
