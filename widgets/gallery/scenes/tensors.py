"""Views of one tensor on one strip of memory."""

from typing import Any

TITLE = {"en": "Tensors that share memory", "zh": "共享内存的张量"}
TEXT = {
    "en": "A matrix, its transpose and a row of it lie in the same cells: strides and offset say "
    "which element is where. A copy has cells of its own.",
    "zh": "矩阵、它的转置和它的一行位于同样的内存格：步幅和偏移说明哪个元素在哪里。"
    "副本有自己的格。",
}
CELLS = [
    """\
import labtorch as torch
import labtorch_widgets as lab
""",
    """\
matrix = torch.arange(1.0, 13.0).reshape(3, 4)
transposed = matrix.T
row = matrix[1]
copy = transposed.contiguous()
lab.tensors(matrix, transposed, row, copy)
""",
]


def arrange(page: Any) -> None:
    page.locator(".lt-card").nth(1).locator("td").nth(7).focus()
    page.locator(".lt-lit-cell").first.wait_for()
