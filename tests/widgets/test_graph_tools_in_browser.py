"""Large and changing graphs in a real JupyterLab: repeats, search, colours, comparing, files."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.widgets.axe import serious
from tests.widgets.test_training_in_browser import wait_for

pytestmark = pytest.mark.browser

TRANSFORMER = """\
import labtorch as torch
from labtorch import nn, observe
import labtorch_widgets as lab

torch.manual_seed(0)
model = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 60)
x = torch.randn(2, 5, 32)
with observe.record(budget=1) as recording:
    model(x).mean().backward()
view = lab.graph(recording)
view
"""
BRANCH = """\
import labtorch as torch
from labtorch import nn, observe
import labtorch_widgets as lab

torch.manual_seed(0)

class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.RNNCell(3, 5), nn.Linear(5, 1)

    def forward(self, x, deep):
        h = torch.zeros(len(x), 5)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
        return self.head(torch.tanh(h) if deep else torch.relu(h).exp())

rnn, xs = Cell(), torch.randn(4, 6, 3)
with observe.record(budget=1) as recording:
    for step in range(5):
        rnn(xs, step >= 3).mean().backward()
        observe.mark_step()
view = lab.graph(recording)
view
"""


def longest_task(page: Any, act: Any) -> float:
    """Milliseconds that the longest task of the page's main thread computes while `act` runs.

    Of its own time: what other programs take from it on a busy machine does not count.
    """
    browser = page.context.browser
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    act()
    events = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        each["tdur"]
        for each in events
        if each["name"].endswith("RunTask")
        and (each["pid"], each["tid"]) in main
        and "tdur" in each
    ]
    assert tasks
    return max(tasks) / 1000


def titles(page: Any) -> list[str]:
    return page.locator(".lt-item:not(.lt-leaving) .lt-title").all_text_contents()


def opened(open_notebook: Any, code: str) -> Any:
    notebook = open_notebook([code], height=900)
    notebook.run_all(timeout=30)
    assert notebook.errors == []
    notebook.page.wait_for_selector(".lt-item")
    return notebook


def test_sixty_blocks_are_one_box_that_opens_without_blocking_the_page(open_notebook: Any) -> None:
    notebook = opened(open_notebook, TRANSFORMER)
    page = notebook.page
    block = page.locator('.lt-item[data-key="/model/×TransformerEncoderLayer"]')
    assert "TransformerEncoderLayer× 60" in block.text_content().replace(" ×", "×")
    held = int(notebook.run("print(sum(p.numel() for p in model.parameters()))"))
    assert f"{held:,} parameters" in block.text_content()
    notebook.screenshot("graph-repeats", ".lt-view")
    block.click()
    wait_for(lambda: page.locator(".lt-item:not(.lt-leaving)").count() == 62)

    def open_all() -> None:
        page.locator('.lt-item[data-key="/model/0"]').focus()
        page.keyboard.press("Shift+Enter")  # all of the class: as many as can be drawn
        wait_for(lambda: page.locator(".lt-item:not(.lt-leaving)").count() > 300, 20)
        time.sleep(1)

    longest = longest_task(page, open_all)
    print(f"the longest task while 300 boxes appear takes {longest:.0f} ms")
    assert longest < 200
    time.sleep(1)
    count = page.locator(".lt-item:not(.lt-leaving)").count()
    assert count == int(notebook.run("print(len(view.scene['items']))")) <= 400
    assert "stayed closed" in page.locator(".lt-said").inner_text()
    notebook.screenshot("graph-many", ".lt-view")

    # the overview shows where one is, and leads elsewhere
    overview = page.locator(".lt-map")
    assert overview.is_visible()
    before = page.locator(".lt-canvas").get_attribute("transform")
    overview.focus()
    page.keyboard.press("ArrowDown")
    wait_for(lambda: page.locator(".lt-canvas").get_attribute("transform") != before)

    # a search leads to what is hidden
    notebook.run("view.unfold(0)")
    wait_for(lambda: page.locator(".lt-item:not(.lt-leaving)").count() < 10)
    box = page.get_by_role("searchbox", name="Find a node or module")
    box.fill("layers.41 linear2 parameter")
    box.press("Enter")
    total = int(notebook.run("print(view.search('layers.41 linear2 parameter')['total'])"))
    wait_for(lambda: page.locator(".lt-count").inner_text() == f"1 / {total}")
    wait_for(lambda: page.locator(".lt-sought").count() == 1)
    assert "linear2" in page.locator(".lt-sought").get_attribute("data-key")
    box.press("Enter")
    wait_for(lambda: page.locator(".lt-count").inner_text() == f"2 / {total}")
    notebook.screenshot("graph-search", ".lt-view")

    # colours: a closed module has the sum of what it holds
    notebook.run("view.unfold(1)")
    wait_for(lambda: block.count() == 1)
    page.get_by_label("Colour the boxes by").select_option("flops")
    flops = "sum(n['flops'] or 0 for n in recording.graph()['nodes'] if n['scope'])"
    wait_for(lambda: "%" in block.locator(".lt-subtitle").text_content())
    shown = notebook.run(
        f"print(abs(view.frame['overlay']['amounts']['/model/×TransformerEncoderLayer'] - {flops}))"
    )
    assert float(shown) < 1e3
    assert page.locator(".lt-heat-scale").is_visible()
    # the box is in sight, though the search had led far away
    stage = page.locator(".lt-stage").bounding_box()
    shown_at = block.bounding_box()
    assert stage["y"] <= shown_at["y"] <= stage["y"] + stage["height"]
    notebook.screenshot("graph-colours", ".lt-view")
    assert notebook.console == []


def test_a_loop_rolls_up_and_changes_of_the_graph_are_marked(open_notebook: Any) -> None:
    notebook = opened(open_notebook, BRANCH)
    page = notebook.page
    cell = page.locator('.lt-item[data-key="/rnn/×cell"]')
    assert "× 6" in cell.text_content()
    loop = page.locator(".lt-shape-label").all_text_contents()
    assert loop.count("4 × 5") >= 2  # what flows around, and what comes out
    notebook.screenshot("graph-rolled", ".lt-view")
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Unroll repeats").click()
    wait_for(lambda: titles(page).count("cellRNNCell") == 6)
    time.sleep(0.5)
    notebook.screenshot("graph-unrolled", ".lt-view")

    text = page.locator(".lt-changes")
    assert text.inner_text() == "Graph changed at step 3"
    page.get_by_role("button", name="Previous step at which the graph changed").click()
    wait_for(lambda: page.locator(".lt-comparison").is_visible())
    assert "Step 3 compared with step 2" in page.locator(".lt-comparison").inner_text()
    assert page.locator(".lt-item.lt-added .lt-title").all_text_contents() == ["tanh"]
    assert sorted(page.locator(".lt-item.lt-removed .lt-title").all_text_contents()) == [
        "exp",
        "relu",
    ]
    assert page.locator(".lt-item.lt-removed .lt-badge").first.text_content() == "−"
    page.locator(".lt-comparison summary").click()
    for theme in ("light", "dark"):
        notebook.theme(theme)
        notebook.screenshot(f"graph-diff-{theme}", ".lt-view")
        assert serious(page) == []
    notebook.theme("light")
    page.get_by_role("button", name="Compare no more").click()
    wait_for(lambda: page.locator(".lt-item.lt-removed").count() == 0)

    # a path that stays lit
    page.locator('.lt-item[aria-label^="x"], .lt-item[data-key$=":xs"]').first.focus()
    page.keyboard.press("p")
    assert page.locator(".lt-pinned").count() == 1
    page.keyboard.press("p")
    assert page.locator(".lt-pinned").count() == 0

    # files
    starts = {"SVG picture": b"<svg", "PNG picture": b"\x89PNG", "DOT (Graphviz)": b"digraph"}
    for name, start in (starts | {"HTML page": b"<!doctype html>"}).items():
        page.get_by_role("button", name="More").click()
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        assert Path(download.value.path()).read_bytes().startswith(start)
    notebook.run("lab.language('zh')")
    wait_for(lambda: page.locator(".lt-changes").inner_text() == "图在第 3 步改变")
    page.get_by_role("button", name="更多").click()
    notebook.screenshot("graph-menu-zh", ".lt-view")
    assert serious(page) == []
    assert notebook.console == []


def test_a_page_of_its_own_moves_and_needs_no_network(browser: Any, tmp_path: Path) -> None:
    from labtorch_widgets import graph

    from tests.widgets import fake

    graph(fake.recorded(3)).export(tmp_path / "graph.html")
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "graph.html").as_uri())
    before = page.locator("#stage svg").get_attribute("viewBox")
    page.locator("#stage").focus()
    page.keyboard.press("+")
    assert page.locator("#stage svg").get_attribute("viewBox") != before
    assert page.locator("tbody tr").count() == len(fake.NODES)
    assert page.locator("img").count() == 0
    assert [url for url in asked if not url.startswith("file:")] == []
    page.close()
