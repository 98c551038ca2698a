"""A column and a row, broadcast to a matrix."""

from typing import Any

TITLE = {"en": "Broadcasting", "zh": "广播"}
TEXT = {
    "en": "Two shapes aligned from the right: which axes are stretched, and what comes of it.",
    "zh": "两个形状从右对齐：哪些轴被拉伸，结果是什么。",
}
CELLS = [
    """\
import labtorch as torch
import labtorch_widgets as lab
""",
    """\
column, row = torch.randn(4, 1), torch.randn(7)
lab.broadcast(column, row)
""",
]


def arrange(page: Any) -> None:
    page.locator(".lt-pictures svg").first.wait_for()
