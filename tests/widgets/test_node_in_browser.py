"""A node opened and the backward pass, as a learner goes through them in JupyterLab."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.widgets.axe import serious
from tests.widgets.test_training_in_browser import wait_for

pytestmark = pytest.mark.browser

MODEL = """\
import labtorch as torch
import numpy as np
from labtorch import nn, optim
from labtorch.autograd import Function
import labtorch_widgets as lab

class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 3 * x  # forgot to square it

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return Cube.apply(self.second(h + torch.relu(h)))

torch.manual_seed(1)
x, y = torch.randn(6, 3), torch.randn(6, 2)
model = Net()
sgd = optim.SGD(model.parameters(), lr=0.01)

def step():
    sgd.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    sgd.step()
"""
SHOW = "view = lab.graph(model)\nstep()\nview.unfold(9)\nview"


@pytest.fixture
def graph(open_notebook: Any) -> Any:
    notebook = open_notebook([MODEL, SHOW], height=1000)
    notebook.run_all(timeout=20)
    assert notebook.errors == []
    notebook.page.wait_for_selector(".lt-item")
    return notebook


def opened(notebook: Any, key: str) -> Any:
    notebook.page.locator(f'.lt-item[data-key="{key}"]').click()
    pane = notebook.page.locator(".lt-pane")
    pane.locator(".lt-array").first.wait_for()
    return pane


def plain(text: str) -> float:
    return float(text.replace("−", "-"))


def test_a_click_on_an_element_puts_its_numbers_into_the_formula(graph: Any) -> None:
    pane = opened(graph, "/model/second:op:linear")
    graph.run("step(); import labtorch.observe as o; r = o.watching(model).recording")
    cell = pane.locator(".lt-matrix").first.locator("td").nth(5)  # [2, 1] of 6 × 2
    cell.click()
    equation = pane.locator(".lt-equation").first
    wait_for(lambda: "y_{2,1}" in (equation.get_attribute("aria-label") or ""))
    node = "[n['id'] for n in r.graph()['nodes'] if n['name'] == 'linear'][1]"
    graph.run(f"a = r.arrays({node})")
    value = float(graph.run("print(a.outputs[0][2, 1])"))
    latex = equation.get_attribute("aria-label")
    assert float(latex.split(" ")[-1]) == pytest.approx(value, rel=6e-3)
    first = graph.run("print(f\"{a.arguments['input'][2, 0]:.3g}\")").strip()
    assert f"= {first} " in latex
    graph.page.mouse.move(5, 5)  # what was chosen is read where nothing is pointed at
    reading = pane.locator(".lt-array-reading").first.inner_text()
    assert reading.startswith("[2, 1] = ")
    assert plain(reading.split("= ")[1]) == pytest.approx(value, rel=1e-6)
    # what was sent back to the weight, chosen by keyboard
    pane.locator(".lt-sent summary").nth(1).click()
    sent = pane.locator(".lt-sent").nth(1).locator("td")
    sent.first.wait_for()
    sent.first.focus()
    graph.page.keyboard.press("ArrowRight")
    graph.page.keyboard.press("ArrowDown")
    graph.page.keyboard.press("Enter")
    line = pane.locator(".lt-rule").nth(1).locator(".lt-equation")
    wait_for(lambda: r"\bar W_{1,1}" in (line.get_attribute("aria-label") or ""))
    grad = float(graph.run("print(a.gradients['weight'][1, 1])"))
    shown = re.search(
        r"approx (-?[\d.]+)(?: \\cdot 10\^\{(-?\d+)\})?$", line.get_attribute("aria-label")
    )
    assert float(shown[1]) * 10 ** int(shown[2] or 0) == pytest.approx(grad, rel=6e-3)
    assert graph.console == []


def test_the_badge_is_green_for_a_right_rule_and_red_for_a_wrong_one(graph: Any) -> None:
    pane = opened(graph, "/model/first:op:linear")
    pane.get_by_role("button", name="Check the gradient").click()
    wait_for(lambda: "next step" in pane.locator(".lt-check").inner_text())
    graph.run("step(); view.cursor.advance(now=True)")
    wait_for(lambda: pane.locator(".lt-badge").count() == 2)
    assert pane.locator(".lt-verdict-ok").count() == 2
    pane = opened(graph, "/model:op:Cube")
    graph.run("step(); view.cursor.advance(now=True)")
    pane.get_by_role("button", name="Check the gradient").click()
    wait_for(lambda: pane.locator(".lt-verdict-wrong").count() == 1)
    text = pane.locator(".lt-verdict").inner_text()
    assert "✗" in text and "the rule says" in text
    pane.locator(".lt-pane-body").evaluate("it => it.scrollTop = it.scrollHeight")
    graph.screenshot("node-wrong", ".lt-view")
    for theme in ("light", "dark"):
        graph.theme(theme)
        assert serious(graph.page) == []
    graph.theme("light")
    assert graph.console == []


def test_the_backward_pass_goes_stop_by_stop_and_adds_up(graph: Any) -> None:
    page = graph.page
    page.get_by_role("button", name="Backward").click()
    player = page.locator(".lt-player")
    player.wait_for()
    wait_for(lambda: "begins here" in player.inner_text())
    kept = [page.locator(".lt-meter-text").inner_text()]
    arrived = []
    count = int(player.locator(".lt-place").inner_text().split(" of ")[1])
    for at in range(2, count + 1):
        page.keyboard.press(".")
        wait_for(lambda at=at: player.locator(".lt-place").inner_text() == f"{at} of {count}")
        kept.append(page.locator(".lt-meter-text").inner_text())
        assert page.locator(".lt-item.lt-turn").count() == 1
        fan = player.locator(".lt-fan p")
        if fan.count():
            arrived.append(re.search(r"(\d) of (\d) have", fan.inner_text()).groups())
    assert arrived == [("1", "2"), ("2", "2"), ("2", "2")]
    assert kept[0] != "0 B kept" and kept[-1] == "0 B kept"
    norms = graph.run(
        "s = r = __import__('labtorch.observe').observe.watching(model).recording\n"
        "g, q = r.graph(), r.snapshot()\n"
        "print([f\"{q['rows'][n['id']]['grad']['norm']:.3g}\" for n in g['nodes']"
        " if n['name'] == 'tanh'][0])"
    ).strip()
    page.get_by_role("button", name="Kept").click()
    page.keyboard.press(",")
    while "tanh:" not in player.inner_text():
        player.focus()
        page.keyboard.press("ArrowLeft")
        time.sleep(0.15)
    assert norms in player.locator(".lt-told").inner_text().replace("−", "-")
    total = player.locator(".lt-total figcaption").inner_text()
    assert norms in total
    graph.screenshot("backward-fan", ".lt-view")
    for theme in ("light", "dark"):
        graph.theme(theme)
        assert serious(page) == []
    graph.theme("light")
    # what has not been reached shows no gradient
    assert page.locator(".lt-item:not(.lt-reached) .lt-track.lt-waiting").count() >= 2
    player.focus()
    page.keyboard.press("Escape")
    player.wait_for(state="hidden")
    assert page.locator(".lt-turn, .lt-flowed").count() == 0
    assert graph.console == []


def test_it_plays_by_itself_pauses_and_speaks_chinese(graph: Any) -> None:
    page = graph.page
    page.get_by_role("button", name="Backward").click()
    player = page.locator(".lt-player")
    player.wait_for()
    wait_for(lambda: player.locator(".lt-place").inner_text().startswith("1 of"))
    page.keyboard.press(" ")
    wait_for(lambda: player.locator(".lt-place").inner_text().startswith("3 of"), 5)
    page.keyboard.press(" ")
    place = player.locator(".lt-place").inner_text()
    time.sleep(1.5)
    assert player.locator(".lt-place").inner_text() == place
    graph.run("lab.language('zh')")
    wait_for(lambda: "它的梯度" in player.inner_text())
    graph.screenshot("backward-zh", ".lt-view")
    graph.run("lab.language('en'); view.unfold(0)")
    wait_for(lambda: "operations go backward" in player.inner_text())
    assert graph.console == []
