"""The backward pass in its middle, where two branches of a residual network meet."""

from typing import Any

TITLE = {"en": "Backward, one operation at a time", "zh": "反向传播，一次一个运算"}
TEXT = {
    "en": "A residual network: the tensor in the middle is used twice, so two gradients come back "
    "and add up before the eyes, while what was kept for backward is let go.",
    "zh": "残差网络：中间的张量被使用两次，两份梯度先后传回并相加；为反向传播保留的内存随之释放。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, observe
from labtorch.datasets import Digits
import labtorch_widgets as lab

torch.manual_seed(0)
digits = Digits()
x, y = digits.x[:16].flatten(1), digits.y[:16]

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(64, 12)
        self.second = nn.Linear(12, 12)
        self.output = nn.Linear(12, 10)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.output(h + torch.relu(self.second(h)))

model = Residual()
""",
    """\
with observe.record(budget=1) as recording:
    nn.functional.cross_entropy(model(x), y).backward()
view = lab.graph(recording)
view
""",
]


def arrange(page: Any) -> None:
    page.locator(".lt-item").first.wait_for()
    page.get_by_role("button", name="Backward").or_(
        page.get_by_role("button", name="反向")
    ).first.click()
    page.locator(".lt-player .lt-told").wait_for()
    while not page.locator(".lt-fan").count():
        page.keyboard.press(".")
        page.wait_for_timeout(150)
    page.locator(".lt-saved-meter button").click()
    page.wait_for_timeout(400)
