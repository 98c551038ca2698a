"""Hidden states as a learner meets them: real engine, real JupyterLab, real Chromium."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.widgets.test_training_in_browser import wait_for

pytestmark = pytest.mark.browser

READER = """\
import labtorch as torch
from labtorch import nn, optim
import labtorch_widgets as lab
import numpy as np

torch.manual_seed(0)

class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(10, 50, 2, batch_first=True)
        self.fc = nn.Linear(50, 2)

    def forward(self, x):
        h0 = torch.zeros(2, x.size(0), 50)
        c0 = torch.zeros(2, x.size(0), 50)
        output, _ = self.lstm(x, (h0, c0))
        return self.fc(output[:, -1, :])

model, x, y = Reader(), torch.randn(32, 20, 10), torch.randint(0, 2, (32,))
optimizer = optim.Adam(model.parameters(), lr=0.01)

def step():
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss

view = lab.states(model, lengths=[20, 12] + [20] * 30)
view
"""
TRAIN = """\
for _ in range(10):
    step()
"""
KERNEL = """\
def arrays(step):
    graph = view.cursor.recording.graph(step)
    node = next(n["id"] for n in graph["nodes"] if n["name"] == "lstm")
    return view.cursor.recording.arrays(node, step)
"""
NAMES = """\
import labtorch as torch
from labtorch import nn, optim
import labtorch_widgets as lab

torch.manual_seed(0)
words = ["rossi", "sato", "ivanov", "marino", "tanaka", "petrov"]
vocabulary = "·abcdefghijklmnopqrstuvwxyz"
encode = lambda words: torch.tensor([[vocabulary.index(c) for c in w.ljust(8, "·")] for w in words])

class Names(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(27, 8, padding_idx=0)
        self.gru = nn.GRU(8, 12, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.gru(self.embedding(x))[0][:, -1])

model, x, y = Names(), encode(words), torch.tensor([0, 1, 2, 0, 1, 2])
optimizer = optim.Adam(model.parameters(), lr=0.01)
view = lab.states(model, encode(["morimoto", "romano"]), vocabulary=vocabulary,
                  classes=["<b>it</b>", "jp", "ru"])
for _ in range(20):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
view
"""


@pytest.fixture
def reader(open_notebook: Any) -> Any:
    notebook = open_notebook([READER, TRAIN], height=1250)
    notebook.run_all(timeout=20)
    notebook.page.wait_for_selector(".lt-bar-own")
    assert notebook.errors == []
    notebook.run(KERNEL)
    return notebook


def cell(notebook: Any) -> tuple[int, int]:
    """The unit and the step in time that the cell's diagram is of."""
    element = notebook.page.locator(".lt-cell")
    return int(element.get_attribute("data-unit")), int(element.get_attribute("data-t"))


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def boxes(notebook: Any) -> dict[str, float]:
    return {
        box.get_attribute("data-name"): number(box.locator(".lt-cell-value").text_content())
        for box in notebook.page.locator(".lt-cell-box").all()
    }


def kernel(notebook: Any, code: str) -> Any:
    return eval(notebook.run(f"print({code})"), {"nan": float("nan")})


def test_the_cell_has_the_engines_numbers_and_keys_move_in_it(reader: Any) -> None:
    plot = reader.page.get_by_role("application")
    plot.focus()
    plot.press("Home")
    for _ in range(4):
        plot.press("ArrowRight")
    wait_for(lambda: cell(reader)[1] == 4)
    unit, _ = cell(reader)
    plot.press("ArrowDown")
    wait_for(lambda: cell(reader) == (unit + 1, 4))
    step = int(reader.page.locator(".lt-view").get_attribute("data-step"))
    expected = kernel(
        reader,
        f"[float(g[0, 4, 0, {unit + 1} + 50 * k]) for g in [arrays({step}).states['gates']] "
        f"for k in range(4)] + [float(arrays({step}).states[n][0, 5, 0, {unit + 1}]) "
        "for n in ('cells', 'hidden')]",
    )
    found = boxes(reader)
    assert [found[n] for n in ("i", "f", "g", "o", "c", "h")] == pytest.approx(expected, rel=5e-3)
    equations = reader.page.locator(".lt-equations math").all()
    assert len(equations) == 6
    last = equations[-1].text_content().split("=")[-1]
    assert number(last) == pytest.approx(expected[-1], rel=5e-3)
    assert f"unit {unit + 1}, t = 4" in plot.get_attribute("aria-label")
    reader.page.locator("[data-name=f].lt-button").click()
    wait_for(lambda: "forget gate" in plot.get_attribute("aria-label"))
    assert reader.console == []


def test_gradients_per_layer_stand_below_and_vanish_in_words(reader: Any) -> None:
    from_kernel = """\
from labtorch.observe.through_time import gradients_through_time
sizes = np.linalg.norm(gradients_through_time(arrays({step}), 0), axis=-1)[:, 1:]
print(sizes.tolist())
"""
    page = reader.page
    step = page.locator(".lt-view").get_attribute("data-step")
    expected = eval(reader.run(from_kernel.replace("{step}", step)))
    own = page.locator(".lt-bar-own title").all_text_contents()
    values = [number(each.split(": ")[1]) for each in own]
    assert values == pytest.approx(expected[0], rel=6e-3)
    assert page.locator(".lt-bar-other").count() == 20
    assert "the gradient shrinks" in page.locator("[data-role=gradient]").inner_text()
    page.get_by_label("Layer").select_option("lstm/1/0")
    wait_for(
        lambda: (
            number(page.locator(".lt-bar-own title").last.text_content().split(": ")[1])
            == pytest.approx(expected[1][-1], rel=6e-3)
        )
    )
    assert reader.console == []


def test_padding_that_the_model_reads_is_told(reader: Any) -> None:
    page = reader.page
    alarm = page.locator(".lt-view .lt-alarm[role=status]").last
    page.get_by_role("button", name="Next sequence").click()
    page.locator(".lt-padding").wait_for()
    text = page.locator(".lt-view").inner_text()
    assert "ends at t = 11" in text and "reads the output at t = 19" in text
    assert page.locator(".lt-wrong").count() == 1 and alarm is not None
    reader.screenshot("states-padding", ".lt-view")
    page.get_by_role("button", name="Previous sequence").click()
    page.locator(".lt-padding").wait_for(state="detached")


def test_units_are_selected_by_threshold_and_brush(reader: Any) -> None:
    page = reader.page
    page.get_by_role("button", name="Lines").click()
    box = page.locator(".lt-states-plot canvas").bounding_box()
    width = box["width"] / 20
    y = box["y"] + 60
    page.get_by_role("spinbutton", name="|value| ≥").fill("0.15")
    page.mouse.move(box["x"] + 8.5 * width, y)
    page.mouse.down()
    page.mouse.move(box["x"] + 12.5 * width, y, steps=4)
    page.mouse.up()
    page.locator(".lt-range").wait_for()
    step = page.locator(".lt-view").get_attribute("data-step")
    expected = kernel(
        reader,
        f"np.flatnonzero((np.abs(arrays({step}).states['hidden'][0, 9:14, 0]) >= 0.15)"
        ".all(axis=0)).tolist()",
    )
    selected = page.locator(".lt-states-selected")
    assert expected
    wait_for(lambda: f"{len(expected)} of 50 units" in selected.inner_text())
    assert f": {', '.join(map(str, expected[:24]))}" in selected.inner_text()
    reader.screenshot("states-lines", ".lt-view")
    page.get_by_role("button", name="Clear").click()
    page.locator(".lt-range").wait_for(state="detached")


def test_rewinding_playing_and_the_table(reader: Any) -> None:
    page = reader.page
    slider = page.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("Home")
    wait_for(lambda: page.locator(".lt-view").get_attribute("data-step") == "0")
    plot = page.get_by_role("application")
    plot.focus()
    plot.press("Home")
    wait_for(lambda: cell(reader)[1] == 0)
    page.get_by_role("button", name="Play").click()
    wait_for(lambda: cell(reader)[1] == 2)
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Table").click()
    rows = page.locator(".lt-states-table tbody tr")
    wait_for(lambda: rows.count() == 20)
    unit, _ = cell(reader)
    hidden = kernel(reader, f"arrays(0).states['hidden'][0, 1:, 0, {unit}].tolist()")
    column = [number(row.locator("td").nth(1).inner_text()) for row in rows.all()]
    assert column == pytest.approx(hidden, rel=1e-3)
    reader.run("lab.language('zh')")
    page.get_by_role("heading", name="隐藏状态").wait_for()
    assert "隐藏状态 h" in page.locator("[data-name=h].lt-button").get_attribute("aria-label")
    reader.run("lab.language('en')")
    assert reader.console == []


def test_it_is_live_while_it_trains(open_notebook: Any) -> None:
    code = READER.replace("view = lab", "panel = lab.train(step, graph=False)\nview = lab")
    notebook = open_notebook([code.replace("lab.states(model", "lab.states(panel")], height=1250)
    notebook.run_all(timeout=20)
    view = notebook.page.locator(".lt-view[data-problem]")
    notebook.page.wait_for_selector(".lt-bar-own")
    first = int(view.get_attribute("data-step"))
    wait_for(lambda: int(view.get_attribute("data-step")) > first + 20, seconds=10)
    notebook.run("panel.stop()")
    assert notebook.console == []


def test_text_is_walked_and_asked_about(open_notebook: Any) -> None:
    notebook = open_notebook([NAMES], height=1250)
    notebook.run_all(timeout=20)
    page = notebook.page
    page.wait_for_selector(".lt-letter")
    assert notebook.errors == []
    letters = page.locator(".lt-letter")
    assert letters.all_inner_texts() == list("morimoto")
    step = page.locator(".lt-view").get_attribute("data-step")
    norms = kernel(notebook, f"view._following.found[{step}].norms.tolist()")
    values = [float(each.get_attribute("data-value")) for each in letters.all()]
    assert values == pytest.approx(norms[0], rel=1e-4)
    letters.nth(7).focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    wait_for(lambda: letters.nth(5).get_attribute("aria-selected") == "true")
    assert page.evaluate("() => document.activeElement.dataset.t") == "5"
    choice = page.get_by_label("Prediction")
    assert "<b>it</b>" in choice.inner_text() and page.locator(".lt-view b").count() == 0
    choice.select_option("2")
    wait_for(lambda: float(letters.nth(0).get_attribute("data-value")) != values[0])
    page.get_by_role("button", name="Next sequence").click()
    wait_for(lambda: letters.all_inner_texts() == list("romano··"))
    assert page.locator(".lt-letter.lt-beyond").count() == 2
    notebook.screenshot("states-text", ".lt-view")
    assert notebook.console == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_for_axe_in_either_theme(open_notebook: Any, theme: str) -> None:
    from tests.widgets.axe import serious

    notebook = open_notebook([READER + TRAIN.replace("10", "4") + "view"], height=1250)
    notebook.run_all(timeout=20)
    page = notebook.page
    page.wait_for_selector(".lt-bar-own")
    notebook.theme(theme)
    page.get_by_role("button", name="Next sequence").click()
    page.locator(".lt-padding").wait_for()
    page.mouse.move(5, 5)
    time.sleep(0.4)
    notebook.screenshot(f"states-{theme}", ".lt-view")
    assert serious(page) == []
    page.get_by_role("button", name="Table").click()
    page.locator(".lt-states-table tbody tr").first.wait_for()
    assert serious(page) == []
    notebook.theme("light")
