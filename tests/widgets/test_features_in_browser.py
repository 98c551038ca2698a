"""Feature maps and the convolution explorer as a learner meets them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.widgets import axe
from tests.widgets.test_training_in_browser import wait_for

pytestmark = pytest.mark.browser

MODEL = """\
import labtorch as torch
import labtorch_widgets as lab
from labtorch import nn, optim
from labtorch.datasets import Digits

torch.manual_seed(0)
digits = Digits(train=True)

class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv2(torch.relu(self.conv1(x)))))
        return self.fc(x.flatten(1))

model = CNN()
optimizer = optim.Adam(model.parameters(), lr=0.01)
inputs = digits.x[:5]
maps = {}

def step(i):
    optimizer.zero_grad()
    chosen = torch.randint(0, len(digits), (32,))
    nn.functional.cross_entropy(model(digits.x[chosen]), digits.y[chosen]).backward()
    optimizer.step()
    with torch.no_grad():
        first = torch.relu(model.conv1(inputs))
        maps[i] = model.conv1(inputs).numpy(), model.conv2(first).numpy(), first.numpy()
"""
TRAIN = """\
from labtorch import observe
with observe.record(budget=1e9) as recording:
    view = lab.features(recording, inputs, model=model)
    for i in range(12):
        step(i)
maps[12] = maps[11]  # the maps' own computation is the last step
view
"""


def number(text: str) -> float:
    return float(text.replace("−", "-"))


@pytest.fixture
def features(open_notebook: Any) -> Any:
    notebook = open_notebook([MODEL, TRAIN], height=1300)
    notebook.run_all(timeout=40)
    assert notebook.errors == []
    notebook.page.wait_for_selector(".lt-features .lt-map canvas")
    wait_for(lambda: shown_step(notebook) == "12")
    return notebook


def shown_step(notebook: Any) -> str:
    return notebook.page.locator(".lt-features").get_attribute("data-step")


def expect(notebook: Any, code: str) -> Any:
    return json.loads(notebook.run(f"import json\nprint(json.dumps({code}))"))


def text(notebook: Any, selector: str) -> str:
    return notebook.page.locator(selector).first.inner_text()


def test_a_pixel_is_explained_down_to_the_engines_number(features: Any) -> None:
    page = features.page
    columns = page.locator(".lt-column > header b").all_inner_texts()
    assert columns == ["input", "conv1", "relu", "conv2", "relu", "pool"]
    page.locator(".lt-column[aria-label=conv2] .lt-map").nth(3).click()
    page.wait_for_selector(".lt-detail .lt-chip")
    plane = page.locator(".lt-plane[role=slider]")
    box = plane.bounding_box()
    cell = box["width"] / 8
    plane.click(position={"x": 5.5 * cell, "y": 2.5 * cell})
    engine = float(features.run("print(float(maps[12][1][0, 3, 2, 5]))"))
    wait_for(lambda: "row 2, column 5" in plane.get_attribute("aria-valuetext"))
    role = ".lt-result [data-role={}]"
    wait_for(lambda: abs(number(text(features, role.format("engine"))) - engine) < 1e-5)
    assert number(text(features, role.format("total"))) == pytest.approx(engine, rel=1e-4)
    assert page.locator(".lt-agrees").count() == 1 and page.locator(".lt-chip").count() == 8
    # the focused channel's window, kernel and products are the engine's
    page.locator(".lt-chip").nth(6).click()
    wait_for(lambda: "channel 6" in text(features, ".lt-focus"))
    read = [
        [number(t) for t in grid.locator("span").evaluate_all("s => s.map(e => e.title)")]
        for grid in page.locator(".lt-focus .lt-cells").all()
    ]
    kernel = expect(features, "model.conv2.weight.detach().numpy()[3, 6].ravel().tolist()")
    window = expect(features, "maps[12][2][0, 6, 1:4, 4:7].ravel().tolist()")
    assert read[0] == pytest.approx(window, rel=1e-4, abs=1e-5)
    assert read[1] == pytest.approx(kernel, rel=1e-4)
    assert read[2] == pytest.approx([a * b for a, b in zip(window, kernel)], rel=1e-3, abs=1e-5)
    features.screenshot("features-pixel", ".lt-view")
    # arrow keys move the pixel; at the border the padding is shown
    plane.focus()
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    engine = float(features.run("print(float(maps[12][1][0, 3, 0, 5]))"))
    wait_for(lambda: abs(number(text(features, role.format("engine"))) - engine) < 1e-5)
    assert page.locator(".lt-outside").count() == 3
    page.get_by_role("button", name="Back to the picture").click()
    wait_for(lambda: "3 × 5 pixels" in page.locator(".lt-panes").inner_text())
    assert features.console == []


def test_rewinding_shows_the_maps_as_they_were(features: Any) -> None:
    page = features.page
    page.locator(".lt-column[aria-label=conv1] .lt-map").nth(2).click()
    engine = ".lt-result [data-role=engine]"
    page.wait_for_selector(engine)
    for step in (12, 3):
        features.run(f"view.cursor.move({step})")
        wait_for(lambda: shown_step(features) == str(step))  # noqa: B023
        value = float(features.run(f"print(float(maps[{step}][0][0, 2, 4, 4]))"))
        wait_for(lambda: abs(number(text(features, engine)) - value) < 1e-5)  # noqa: B023
    page.get_by_role("button", name="Next sample").click()
    value = float(features.run("print(float(maps[3][0][1, 2, 4, 4]))"))
    wait_for(lambda: abs(number(text(features, engine)) - value) < 1e-5)
    assert "sample 2 of 5" in page.locator(".lt-sample").inner_text()
    pixels = page.locator(".lt-column[aria-label=input] canvas").first.evaluate(
        "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    ink = expect(features, "digits.x[1, 0].numpy().ravel().tolist()")
    blue = [pixels[4 * i] for i in range(64)]  # the more ink, the less red
    assert all(red < 100 for red, value in zip(blue, ink) if value > 0.9)
    assert all(red > 220 for red, value in zip(blue, ink) if value == 0)


def test_keyboard_table_language_and_theme(features: Any) -> None:
    page = features.page
    page.locator(".lt-map[tabindex='0']").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    wait_for(lambda: "conv2" in text(features, ".lt-detail h2"))
    assert "channel 1" in text(features, ".lt-detail h2")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Model", exact=True).click()
    wait_for(lambda: "+" in text(features, ".lt-under-strip .lt-scale"))
    page.get_by_role("button", name="Table").click()
    page.wait_for_selector(".lt-table-box table tbody tr")
    cells = page.locator(".lt-table-box tbody tr").nth(1).locator("td").all_inner_texts()
    assert number(cells[3]) == pytest.approx(
        float(features.run("print(float(maps[12][1][0, 1].max()))")), rel=1e-3
    )
    for theme in ("light", "dark"):
        features.theme(theme)
        assert axe.serious(page) == []
        features.screenshot(f"features-table-{theme}", ".lt-view")
    features.run('lab.language("zh")')
    wait_for(lambda: "特征图" in text(features, ".lt-features h2"))
    page.get_by_role("button", name="表格").click()
    features.theme("dark")
    assert axe.serious(page) == []
    features.screenshot("features-zh-dark", ".lt-view")
    page.locator(".lt-plane[role=slider]").press("Escape")
    wait_for(lambda: page.locator(".lt-detail").is_hidden())
    assert features.console == []


EXPLORE = """\
import numpy as np
import labtorch_widgets as lab
from labtorch.datasets import Digits
import labtorch as torch
digit = Digits().x[0]
view = lab.convolution(digit, [[1, 2, 0], [0, 1, 0], [0, 0, -1]], padding=1)
view
"""


def test_the_convolution_explorer(open_notebook: Any) -> None:
    notebook = open_notebook([EXPLORE], height=1000)
    notebook.run_all(timeout=20)
    page = notebook.page
    plane = page.locator(".lt-convolution .lt-plane[role=slider]")
    plane.wait_for()

    def value() -> float:
        return number(text(notebook, ".lt-at").split("=")[1])

    def engine(row: int, column: int, kernel: str = "view.kernel", **options: int) -> float:
        given = {"stride": 1, "padding": 1, "dilation": 1} | options
        return float(
            notebook.run(
                f"w = torch.tensor(np.ascontiguousarray({kernel}))[None, None]\n"
                "y = torch.nn.functional.conv2d(digit.reshape(1, 1, 8, 8), w, "
                f"**{given})[0, 0]\nprint(float(y[{row}, {column}]))"
            )
        )

    plane.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    assert value() == pytest.approx(engine(2, 3), abs=1e-4)
    products = page.locator(".lt-sums .lt-cells").nth(2).locator("span")
    titles = products.evaluate_all("s => s.map(e => e.title)")
    assert sum(map(number, titles)) == pytest.approx(value(), abs=1e-4)
    page.get_by_role("button", name="Convolution", exact=True).click()
    flipped = engine(2, 3, "view.kernel[::-1, ::-1]")
    wait_for(lambda: abs(value() - flipped) < 1e-4)
    assert "turned by 180°" in text(notebook, ".lt-applied")
    notebook.screenshot("convolution-flip", ".lt-view")
    # the kernel's own elements, and a preset
    box = page.get_by_role("textbox", name="kernel, row 0, column 1")
    box.fill("-3")
    box.press("Enter")
    wait_for(lambda: notebook.run("print(view.kernel[0, 1])").strip() == "-3.0")
    page.get_by_role("combobox", name="Preset").select_option("blur")
    wait_for(lambda: abs(value() - engine(2, 3)) < 1e-4)
    # sliders by keyboard
    page.get_by_role("slider", name="Stride").focus()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: "Output 4 × 4" in page.locator(".lt-pane-output").inner_text())
    wait_for(lambda: abs(value() - engine(2, 3, stride=2)) < 1e-4)
    # what does not fit is said
    page.get_by_role("slider", name="Dilation").focus()
    page.keyboard.press("End")
    wait_for(lambda: "does not fit" in text(notebook, ".lt-alarm"))
    page.keyboard.press("Home")
    # pooling
    page.get_by_role("button", name="Max pooling").click()
    page.get_by_role("slider", name="Padding").focus()
    page.keyboard.press("Home")
    wait_for(lambda: "Output 4 × 4" in page.locator(".lt-pane-output").inner_text())
    wait_for(lambda: "8 → 7" in text(notebook, ".lt-sizes"))
    assert "8 → 4" in text(notebook, ".lt-sizes")
    page.get_by_role("button", name="Play").click()
    before = text(notebook, ".lt-at")
    wait_for(lambda: text(notebook, ".lt-at") != before)
    page.get_by_role("button", name="Pause").click()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        assert axe.serious(page) == []
        notebook.screenshot(f"convolution-{theme}", ".lt-view")
    assert notebook.console == []


def test_without_a_convolution_it_says_so(open_notebook: Any) -> None:
    cells = [
        "import labtorch as torch, labtorch_widgets as lab\nfrom labtorch import nn",
        "model = nn.Linear(2, 1)\nview = lab.features(model)\nview",
        "model(torch.ones(3, 2)).sum().backward()",
    ]
    notebook = open_notebook(cells)
    notebook.run_all(timeout=20)
    wait_for(lambda: "No convolution" in notebook.page.locator(".lt-features").inner_text())
    assert notebook.console == []
