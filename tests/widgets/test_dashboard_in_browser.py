"""The dashboard as a learner meets it: real engine, real JupyterLab, real Chromium."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.widgets.axe import serious
from tests.widgets.models import HEAD, RESNET, TEXT
from tests.widgets.test_training_in_browser import wait_for

pytestmark = pytest.mark.browser

BAR = ".lt-dashboard"
FIRST = [
    "import labtorch_widgets as lab\n" + HEAD + RESNET,
    "dashboard = lab.watch(model)\ndashboard",
    "for _ in range(6):\n    dashboard.recording.measure_next()\n    step()",
]


@pytest.fixture
def dashboard(open_notebook: Any) -> Any:
    notebook = open_notebook(FIRST, height=1400)
    notebook.run_all(timeout=30)
    assert notebook.errors == []
    notebook.page.wait_for_selector(f'{BAR}[data-step="5"]')
    return notebook


def loss_in(reading: Any) -> float:
    return float(re.search(r"loss ([\d.e−-]+)", reading.inner_text())[1].replace("−", "-"))


def test_training_in_another_cell_shows_in_views_that_share_one_moment(dashboard: Any) -> None:
    page = dashboard.page
    loss = float(dashboard.run("print(dashboard.recording.snapshot(5)['loss'])"))
    reading = page.locator(f"{BAR} [role=status]")
    assert loss_in(reading) == pytest.approx(loss, rel=1e-3)
    assert page.locator(f"{BAR} h2").inner_text() == "ResNet"
    page.wait_for_selector(".lt-item")
    slider = page.locator(f"{BAR} input[type=range]")
    slider.focus()
    slider.press("Home")
    wait_for(lambda: "step 0 " in reading.inner_text())
    first = float(dashboard.run("print(dashboard.recording.snapshot(0)['loss'])"))
    assert loss_in(reading) == pytest.approx(first, rel=1e-3)
    wait_for(
        lambda: page.locator('.lt-view[data-step="0"]').count() == page.locator(".lt-view").count()
    )
    assert dashboard.console == []


def test_views_open_and_close_and_survive_a_page_reload(dashboard: Any) -> None:
    page = dashboard.page
    switch = page.locator(BAR).get_by_role("button", name="Graph", exact=True)
    assert switch.get_attribute("aria-pressed") == "true"
    others = page.locator(f'{BAR} .lt-choice button[aria-pressed="true"]').count()
    page.wait_for_selector(".lt-graph")
    switch.focus()
    switch.press("Enter")
    wait_for(lambda: page.locator(".lt-graph").count() == 0)
    assert "graph" not in dashboard.run("print(dashboard.opened)")
    slider = page.locator(f"{BAR} input[type=range]")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    wait_for(lambda: page.locator(BAR).get_attribute("data-step") == "1")
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(500)
    page.reload()
    page.wait_for_selector(f'{BAR}[data-step="1"]', timeout=60_000)
    assert page.locator(".lt-graph").count() == 0
    pressed = page.locator(f'{BAR} .lt-choice button[aria-pressed="true"]')
    wait_for(lambda: pressed.count() == others - 1)
    page.locator(BAR).get_by_role("button", name="Graph", exact=True).click()
    page.wait_for_selector(".lt-graph .lt-item")


def test_two_dashboards_stand_side_by_side_and_two_tabs_show_one(open_notebook: Any) -> None:
    cells = [
        "import labtorch_widgets as lab\n" + HEAD + RESNET,
        "first = lab.watch(model)\nfirst",
        "for _ in range(3):\n    step()",
        TEXT,
        "second = lab.watch(model)\nsecond",
        "for _ in range(5):\n    second.recording.measure_next()\n    step()",
    ]
    notebook = open_notebook(cells, height=1400)
    notebook.run_all(timeout=30)
    page = notebook.page
    wait_for(lambda: page.locator(BAR).count() == 2)
    titles = page.locator(f"{BAR} h2")
    assert titles.all_inner_texts() == ["ResNet", "TextClassifier"]
    wait_for(lambda: [b.get_attribute("data-step") for b in page.locator(BAR).all()] == ["2", "4"])
    slider = page.locator(f"{BAR} input[type=range]").first
    slider.focus()
    slider.press("Home")
    wait_for(lambda: [b.get_attribute("data-step") for b in page.locator(BAR).all()] == ["0", "4"])
    assert notebook.errors == [] and notebook.console == []
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(500)
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector(f'{BAR}[data-step="0"]', timeout=60_000)
    other.locator(f"{BAR} input[type=range]").first.press("End")
    wait_for(lambda: page.locator(BAR).first.get_attribute("data-step") == "2")
    other.close()
    slider.press("Home")
    wait_for(lambda: page.locator(BAR).first.get_attribute("data-step") == "0")


def test_words_and_themes(dashboard: Any) -> None:
    page = dashboard.page
    for theme in ("dark", "light"):
        dashboard.theme(theme)
        dashboard.screenshot(f"dashboard-{theme}", ".jp-OutputArea-output:has(.lt-view)")
        assert serious(page) == []
    page.get_by_role("button", name="Switch all views to Chinese").click()
    wait_for(lambda: "损失" in page.locator(f"{BAR} [role=status]").inner_text())
    assert page.locator(".lt-graph").get_attribute("aria-label") == "计算图"
    page.get_by_role("button", name="将所有视图切换为英文").click()
    wait_for(lambda: "loss" in page.locator(f"{BAR} [role=status]").inner_text())
