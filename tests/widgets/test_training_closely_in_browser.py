"""Validation, comparisons, op by op, edits and reloads in the panel, in a real browser."""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import pytest

from tests.widgets.axe import serious
from tests.widgets.program import cells
from tests.widgets.test_training_in_browser import OUTPUT, PANEL, click, shown_count, wait_for

pytestmark = pytest.mark.browser

DIGITS = """\
import labtorch as torch, time
import labtorch_widgets as lab
from labtorch import nn, optim
from labtorch.data import DataLoader
from labtorch.datasets import Digits

train, test = Digits(train=True), Digits(train=False)

def training(rate, wait=0.0, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    optimizer = optim.SGD(model.parameters(), lr=rate)

    def step(batch):
        time.sleep(wait)
        x, y = batch
        optimizer.zero_grad()
        scores = model(x)
        loss = nn.functional.cross_entropy(scores, y)
        loss.backward()
        optimizer.step()
        return {"loss": loss, "accuracy": (scores.argmax(1) == y).float().mean()}

    def validate():
        with torch.no_grad():
            scores = model(test.x)
            loss = nn.functional.cross_entropy(scores, test.y)
            return {"loss": loss, "accuracy": (scores.argmax(1) == test.y).float().mean()}

    options = {"epochs": 3, "validate": validate, "graph": False} | options
    panel = lab.train(step, optimizer=optimizer, batches=DataLoader(train, 64, shuffle=True),
                      model=model, name=f"lr={rate}", **options)
    panel.model = model
    return panel
"""
CNN = """\
torch.manual_seed(0)
class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 1, 1)
        self.fc1, self.fc2 = nn.Linear(64 * 6 * 6, 128), nn.Linear(128, 10)
    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.fc2(torch.relu(self.fc1(torch.flatten(x, 1))))
cnn = CNN()
adam = optim.Adam(cnn.parameters())
images, labels = torch.randn(64, 1, 24, 24), torch.randint(0, 10, (64,))
def heavy():
    adam.zero_grad()
    loss = nn.functional.cross_entropy(cnn(images), labels)
    loss.backward()
    adam.step()
    return loss
panel = lab.train(heavy, optimizer=adam)
panel
"""


def kernel(notebook: Any, expression: str) -> Any:
    """What an expression is in the kernel, by way of JSON."""
    return json.loads(notebook.run(f"import json; print(json.dumps({expression}))"))


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_metrics_validation_and_compared_runs_are_those_of_the_kernel(open_notebook: Any) -> None:
    notebook = open_notebook(
        [
            DIGITS,
            "slow = training(0.02)\nslow.wait(); panel = training(0.2).compare(slow)\npanel",
            "panel.wait(); view = lab.compare(slow, panel)\nview",
        ],
        height=1500,
    )
    notebook.run_all(timeout=60)
    page = notebook.page
    page.wait_for_selector(f"{PANEL}[data-state=done]")
    panel = page.locator(PANEL)
    assert panel.locator("[data-role=count]").inner_text() == "epoch 3 of 3 · 23 of 23"
    accuracy = kernel(notebook, "panel.run.training['accuracy'].last[1]")
    shown = panel.locator('[data-role="accuracy"]').inner_text()
    assert number(shown.split()[-1]) == pytest.approx(accuracy, rel=1e-3)
    best = kernel(notebook, "min(v for _, v in panel.run.validation['loss'].points())")
    text = panel.locator('[data-role="loss validation"]').inner_text()
    assert number(text.split()[-1].strip("()")) == pytest.approx(best, rel=1e-3)
    assert panel.locator(".lt-main-chart .lt-valid").count() == 2
    assert panel.locator(".lt-main-chart .lt-best").count() == 2
    assert panel.locator(".lt-multiples .lt-line").count() == 2
    assert panel.locator(".lt-main-chart .lt-epoch").count() == 3
    assert panel.locator(".lt-main-chart .lt-label").all_text_contents() == ["lr=0.02", "lr=0.2"]
    notebook.screenshot("training-compared", OUTPUT)

    # rewinding: the readings are those of that step
    slider = panel.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("Home")
    page.wait_for_selector('[data-role="rate"]')
    first = kernel(notebook, "panel.run.at(0)[0]")
    wait_for(
        lambda: (
            number(panel.locator("[data-role=loss]").inner_text().split()[-1])
            == pytest.approx(first["loss"], rel=1e-3)
        )
    )
    shown = panel.locator('[data-role="accuracy"]').inner_text()
    assert number(shown.split()[-1]) == pytest.approx(first["accuracy"], rel=1e-3)
    assert panel.locator('[data-role="rate"]').inner_text().endswith("0.2")
    panel.get_by_role("button", name="Live").click()

    # a run is hidden and shown, by keyboard too; the table has final and best values
    chip = panel.locator(".lt-chip", has_text="lr=0.02")
    chip.focus()
    chip.press("Enter")
    wait_for(lambda: panel.locator(".lt-main-chart .lt-valid").count() == 1)
    click(notebook, "Table")
    rows = panel.locator(".lt-runs tbody tr")
    wait_for(lambda: rows.count() == 8)
    cellsof = rows.nth(1).locator("th,td").all_inner_texts()
    assert cellsof[:4] == ["lr=0.2", "accuracy", "training", "69"]
    assert number(cellsof[4]) == pytest.approx(accuracy, rel=1e-3)

    # what was chosen is there again after the page is loaded anew
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(600)
    page.reload()
    page.wait_for_selector(f"{PANEL} .lt-runs", timeout=40_000)
    chip = page.locator(f"{PANEL} .lt-chip", has_text="lr=0.02")
    assert chip.get_attribute("aria-pressed") == "false"

    # the comparison
    comparison = page.locator(".lt-comparison")
    assert comparison.get_attribute("data-runs") == "2"
    assert comparison.locator(".lt-summary tbody tr").count() == 8
    for theme in ("light", "dark"):
        notebook.theme(theme)
        assert serious(page) == []
        notebook.screenshot(f"comparison-{theme}", ".lt-comparison")
    notebook.theme("light")


def test_running_the_cell_again_leaves_the_former_run_as_a_ghost(open_notebook: Any) -> None:
    notebook = open_notebook([DIGITS, "panel = training(0.1, epochs=1)\npanel"], height=1000)
    notebook.run_all(timeout=60)
    notebook.page.wait_for_selector(f"{PANEL}[data-state=done]")
    assert notebook.page.locator(".lt-ghost").count() == 0
    former = kernel(notebook, "panel.run.training['loss'].last[1]")
    notebook.run_all(timeout=60)
    notebook.page.wait_for_selector(f"{PANEL} .lt-main-chart .lt-line.lt-ghost")
    click(notebook, "Table")
    rows = notebook.page.locator(f"{PANEL} .lt-runs tbody tr")
    wait_for(lambda: rows.count() == 8)
    ghost = rows.nth(4).locator("th,td").all_inner_texts()
    assert ghost[0] == "former run" and number(ghost[4]) == pytest.approx(former, rel=1e-3)
    assert notebook.console == []


def test_op_by_op_slow_motion_and_an_edit_by_hand(open_notebook: Any) -> None:
    notebook = open_notebook([DIGITS, "panel = training(0.1, graph=True, start=False)\npanel"],
                             height=1500)  # fmt: skip
    notebook.run_all(timeout=60)
    page = notebook.page
    page.wait_for_selector(f"{PANEL} .lt-chart")
    panel = page.locator(PANEL)
    click(notebook, "Step")
    wait_for(lambda: shown_count(notebook) == 1)
    current = page.locator(".lt-item.lt-current .lt-title")
    pace = panel.locator(".lt-pace")
    ways = [f"forward: {op}" for op in ("reshape", "linear", "relu", "linear", "cross_entropy")]
    for way in (*ways, "backward: cross_entropy"):
        click(notebook, "Op")
        op = way.split()[1]
        wait_for(lambda: current.count() == 1 and current.text_content() == op)  # noqa: B023
        wait_for(lambda: pace.inner_text() == way)  # noqa: B023
    assert shown_count(notebook) == 1
    step = page.locator(".lt-view[data-step]").get_attribute("data-step")
    assert step == "1"  # the step under way
    notebook.screenshot("op-by-op", OUTPUT)

    # an edit waits for the end of the step, and the next one uses it
    click(notebook, "Parameters")
    panel.get_by_role("combobox", name="Parameter").select_option("3.bias")
    cell = panel.get_by_role("button", name="3.bias [2]")
    click(notebook, "Step")
    wait_for(lambda: shown_count(notebook) == 2)
    before = kernel(notebook, "panel.model[3].bias[2].item()")
    wait_for(lambda: number(cell.inner_text()) == pytest.approx(before, rel=1e-2))
    cell.press("Enter")
    typed = panel.get_by_role("textbox", name="New value of 3.bias [2]")
    typed.fill("much")
    typed.press("Enter")
    wait_for(lambda: "no number" in panel.locator(".lt-objection").inner_text())
    cell.click()
    typed.fill("2.5")
    typed.press("Enter")
    wait_for(lambda: cell.inner_text() == "2.5")
    assert kernel(notebook, "panel.model[3].bias[2].item()") == 2.5
    flag = panel.locator(".lt-flag title")
    assert flag.text_content().startswith("3.bias[2]: ") and "at step 2" in flag.text_content()
    click(notebook, "Step")
    wait_for(lambda: shown_count(notebook) == 3)
    used = "next(n['id'] for n in panel.recording.graph()['nodes'] if n['name'] == '3.bias')"
    row = f"panel.recording.snapshot()['rows'][{used}]['value']['thumbnail']['values'][0][2]"
    assert kernel(notebook, row) == 2.5
    panel.get_by_role("button", name="Undo").click()
    wait_for(lambda: panel.locator(".lt-undone").count() == 1)
    assert kernel(notebook, "panel.model[3].bias[2].item()") == pytest.approx(before)
    for theme in ("light", "dark"):
        notebook.theme(theme)
        page.mouse.move(5, 5)
        notebook.screenshot(f"parameters-{theme}", PANEL)
        assert serious(page) == []
    notebook.theme("light")

    # slow motion, and a pause in the middle of a step
    panel.get_by_role("combobox", name="Pace").select_option("ops4")
    click(notebook, "Resume")
    wait_for(lambda: current.count() == 1)
    click(notebook, "Pause")
    wait_for(lambda: panel.get_attribute("data-state") == "paused")
    page.wait_for_timeout(200)
    held = panel.locator(".lt-pace").inner_text()
    page.wait_for_timeout(600)
    assert panel.locator(".lt-pace").inner_text() == held and shown_count(notebook) == 3
    notebook.run("lab.language('zh')")
    page.get_by_role("button", name="单算子").wait_for()
    notebook.screenshot("op-by-op-zh", OUTPUT)
    notebook.run("lab.language('en')")
    click(notebook, "Stop")
    wait_for(lambda: panel.get_attribute("data-state") == "stopped")
    assert shown_count(notebook) == 4
    assert notebook.console == []


@pytest.mark.parametrize("load", ["regression", "cnn"])
def test_a_click_is_seen_to_act_at_once(open_notebook: Any, load: str) -> None:
    source = cells(seconds=0, steps=None) if load == "regression" else [DIGITS, CNN]
    notebook = open_notebook(source, height=1150)
    notebook.run_all(timeout=30)
    notebook.page.wait_for_selector(f"{PANEL} .lt-chart")
    wait_for(lambda: shown_count(notebook) > 10, 20)
    taken = notebook.page.evaluate(
        """async () => {
            const panel = document.querySelector(".lt-view[data-state]");
            const rest = (ms) => new Promise((done) => setTimeout(done, ms));
            const taken = [];
            for (let i = 0; i < 14; i++) {
                const wanted = panel.dataset.state === "running" ? "paused" : "running";
                const began = performance.now();
                panel.querySelector(".lt-button").click();
                while (panel.dataset.state !== wanted && performance.now() - began < 3000)
                    await new Promise(requestAnimationFrame);
                taken.push((performance.now() - began) / 1000);
                await rest(250);
            }
            return taken;
        }"""
    )
    print(f"{load}: median {statistics.median(taken):.3f} s, worst {max(taken):.3f} s")
    assert statistics.median(taken) < 0.15
    click(notebook, "Stop")


def test_two_tabs_show_one_panel_and_a_closed_one_holds_nothing_up(open_notebook: Any) -> None:
    notebook = open_notebook(cells(), height=1150)
    notebook.run_all(timeout=20)
    page = notebook.page
    page.wait_for_selector(f"{PANEL} .lt-chart")
    other = page.context.new_page()
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(500)
    other.goto(notebook.lab.url(notebook.name))
    other.wait_for_selector(f"{PANEL} .lt-chart", timeout=40_000)
    other.get_by_role("button", name="log", exact=True).click()
    log = page.get_by_role("button", name="log", exact=True)
    wait_for(lambda: log.get_attribute("aria-pressed") == "true")
    other.locator(PANEL).get_by_role("button", name="Pause").click()
    wait_for(lambda: page.locator(PANEL).get_attribute("data-state") == "paused")
    other.close()
    click(notebook, "Resume")
    before = shown_count(notebook)
    wait_for(lambda: shown_count(notebook) > before + 20)


def test_a_kernel_that_is_gone_is_said(open_notebook: Any) -> None:
    notebook = open_notebook(cells(), height=1150)
    notebook.run_all(timeout=20)
    page = notebook.page
    page.wait_for_selector(f"{PANEL} .lt-chart")
    page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.shutdown()"""
    )
    time.sleep(0.5)
    click(notebook, "Pause")
    notice = page.locator(f"{PANEL} .lt-notice")
    notice.wait_for(timeout=9000)
    assert "does not answer" in notice.inner_text()
