"""The op timeline as a learner meets it: real engine, real JupyterLab, real Chromium."""

from __future__ import annotations

import time
from typing import Any

import pytest

pytestmark = pytest.mark.browser

PROGRAM = """\
import labtorch as torch
from labtorch import nn, optim
import labtorch_widgets as lab

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
criterion, optimizer = nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(32, 1, 8, 8), torch.randint(0, 10, (32,))

with torch.observe.record(budget=1e9) as recording:
    for _ in range(10):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()

def of(name, step=-1):
    nodes = recording.graph(step)["nodes"]
    node = next(n for n in nodes if n["name"] == name)
    return node, recording.snapshot(step)["rows"][node["id"]]

lab.timeline(recording)
"""
VIEW = ".lt-view[data-step]"
CONV = '.lt-ops-op.lt-ops-forward[aria-label^="conv2d"]'


@pytest.fixture
def notebook(open_notebook: Any) -> Any:
    opened = open_notebook([PROGRAM])
    opened.run_all(timeout=30)
    assert opened.errors == []
    opened.page.wait_for_selector(CONV)
    return opened


def wait_for(condition: Any, seconds: float = 6.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.03)
    return found


def microseconds(text: str) -> float:
    number, unit = text.split()[:2]
    return float(number) * {"µs": 1, "ms": 1e3, "s": 1e6}[unit]


def fact(notebook: Any, name: str) -> str:
    page = notebook.page
    row = page.locator(".lt-ops-pane dl div", has=page.locator(f"dt:text-is('{name}')"))
    return row.locator("dd").inner_text()


def test_a_bar_tells_the_engines_times_operations_and_line(notebook: Any) -> None:
    page = notebook.page
    page.locator(CONV).click()
    page.locator(".lt-ops-pane dl").wait_for()
    seconds = float(notebook.run("print(of('conv2d')[1]['forward_seconds'])"))
    assert microseconds(fact(notebook, "time")) == pytest.approx(seconds * 1e6, rel=1e-2)
    flops = 2 * 32 * 8 * 64 * 9 + 32 * 8 * 64
    assert fact(notebook, "FLOPs") == f"{flops:,}"
    rate = float(fact(notebook, "speed").split()[0])
    assert rate == pytest.approx(flops / seconds / 1e9, rel=2e-2)
    assert "model(x)" in page.locator(".lt-ops-pane pre").inner_text()
    wait_for(lambda: "median of" in page.locator(".lt-ops-pane").inner_text())
    # another step: other times
    slider = page.get_by_role("slider", name="Recorded step")
    slider.focus()
    slider.press("ArrowLeft")
    wait_for(lambda: page.locator(VIEW).get_attribute("data-step") == "8")
    before = float(notebook.run("print(of('conv2d', 8)[1]['forward_seconds'])"))
    wait_for(lambda: microseconds(fact(notebook, "time")) == pytest.approx(before * 1e6, rel=1e-2))
    duration = float(notebook.run("print(recording.snapshot(8)['duration'])"))
    told = page.locator("[data-role=facts]").inner_text().removeprefix("step took ")
    assert microseconds(told) == pytest.approx(duration * 1e6, rel=1e-2)
    assert "went into measuring" in told
    assert notebook.console == []


def test_the_keyboard_walks_zooms_and_opens(notebook: Any) -> None:
    page = notebook.page

    def focused() -> str:
        return page.evaluate("() => document.activeElement.getAttribute('aria-label') ?? ''")

    page.locator(CONV).focus()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: focused().startswith("relu, forward"))
    page.keyboard.press("ArrowUp")
    wait_for(lambda: "relu" not in focused() and "forward" in focused())
    page.keyboard.press("0")
    page.locator(CONV).focus()
    wide = page.locator(CONV).locator("rect").bounding_box()["width"]
    page.keyboard.press("Enter")
    page.locator(".lt-ops-pane").wait_for()
    page.get_by_role("button", name="Zoom to it").click()
    wait_for(lambda: page.locator(CONV).locator("rect").bounding_box()["width"] > 2 * wide)
    page.keyboard.press("Escape")
    page.locator(".lt-ops-pane").wait_for(state="hidden")
    page.get_by_role("button", name="All", exact=True).click()
    wait_for(lambda: page.locator(".lt-ops-phase").count() == 3)
    assert notebook.console == []


def test_the_table_sums_up_and_both_themes_and_languages_are_readable(notebook: Any) -> None:
    from tests.widgets.axe import serious

    page = notebook.page
    page.get_by_role("button", name="Table").click()
    rows = page.locator(".lt-ops-table tbody tr")
    wait_for(lambda: rows.count() == 5)
    conv = page.locator(".lt-ops-table tbody tr", has=page.locator("th:text-is('conv2d')"))
    cells = conv.locator("td").all_inner_texts()
    times = notebook.run("r = of('conv2d')[1]; print(r['forward_seconds'], r['backward_seconds'])")
    forward, backward = map(float, times.split())
    assert cells[0] == "1"
    assert microseconds(cells[1]) == pytest.approx(forward * 1e6, rel=1e-2)
    assert microseconds(cells[2]) == pytest.approx(backward * 1e6, rel=1e-2)
    assert microseconds(cells[3]) == pytest.approx((forward + backward) * 1e6, rel=1e-2)
    page.get_by_role("combobox", name="Sum up").select_option("line")
    wait_for(lambda: "criterion(model(x), y)" in rows.first.inner_text())
    peak = page.locator(".lt-ops-memory").get_attribute("aria-label")
    assert "Kept for backward · peak" in peak
    page.locator(CONV).click()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        assert serious(page) == []
        notebook.screenshot(f"timeline-{theme}", VIEW)
    notebook.run("lab.language('zh')")
    wait_for(lambda: "运算时间线" in page.locator(VIEW).inner_text())
    assert page.locator(".lt-ops-phase").first.get_attribute("aria-label").startswith("前向")
    notebook.run("lab.language('en')")
    notebook.theme("light")
    assert notebook.console == []
