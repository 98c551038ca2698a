"""Tensors in memory and broadcasting, in JupyterLab."""

from __future__ import annotations

from typing import Any

import pytest

from tests.widgets.axe import serious
from tests.widgets.test_training_in_browser import wait_for

pytestmark = pytest.mark.browser

CELLS = [
    "import labtorch as torch\nimport labtorch_widgets as lab\n",
    "a = torch.arange(12.0).reshape(3, 4) / 4\nb = a.T\n"
    "big = torch.full((3, 70, 80), float('nan'))\nlab.tensors(a, b, big)",
    "lab.broadcast((4, 1), (3,))",
    "lab.broadcast(torch.ones(2, 3), (2,))",
]


def test_tensors_and_broadcasting_by_pointer_and_keyboard(open_notebook: Any) -> None:
    notebook = open_notebook(CELLS, height=1000)
    notebook.run_all(timeout=20)
    page = notebook.page
    page.locator(".lt-card").nth(2).wait_for()
    assert notebook.errors == []
    memory = page.locator(".lt-memory").first
    reading = memory.locator(".lt-arithmetic")
    cells = memory.locator(".lt-card").nth(1).locator("td")
    cells.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert reading.inner_text() == "b[1, 1]  →  0 + 1·1 + 1·4 = 5"
    lit = memory.locator(".lt-contents .lt-lit-cell")
    value = float(notebook.run("print(b[1, 1].item())"))
    assert float(lit.inner_text()) == value
    memory.locator(".lt-contents td").nth(6).hover()
    wait_for(lambda: reading.inner_text() == "6  =  a[1, 2]  =  b[2, 1]")
    # the rank-3 tensor: a slider for its first axis, a window on the others, NaN told
    third = page.locator(".lt-card").nth(2)
    assert "NaN" in third.inner_text() and "rows 0–47 of 70" in third.inner_text()
    slider = third.get_by_role("slider")
    slider.focus()
    slider.press("ArrowRight")
    third.locator(".lt-array-stage").focus()
    wait_for(lambda: third.locator(".lt-array-reading").inner_text() == "[1, 0, 0] = NaN")
    # changed in place by a later cell
    notebook.run("a[0, 0] = 9; get_ipython().events.trigger('post_run_cell', None)")
    wait_for(lambda: memory.locator(".lt-contents td").first.inner_text() == "9")
    fits, bad = page.locator(".lt-broadcast").all()
    assert "(4, 3)" in fits.inner_text() and fits.locator(".lt-stretched").count() == 2
    assert "unsqueeze(1)" in bad.inner_text() and bad.locator("td.lt-fault").count() == 3
    for theme in ("light", "dark"):
        notebook.theme(theme)
        notebook.screenshot(f"broadcast-bad-{theme}", ".lt-view:has(.lt-fault)")
        assert serious(page) == []
    notebook.theme("light")
    page.get_by_role("button", name="Table").first.click()
    wait_for(lambda: page.locator(".lt-table tbody tr").count() == 3)
    notebook.run("lab.language('zh')")
    wait_for(lambda: "步幅" in page.locator(".lt-table").inner_text())
    notebook.run("lab.language('en')")
    assert notebook.console == []
