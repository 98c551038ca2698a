"""Where a convolutional network's step spends its time, on the digits."""

import re
from typing import Any

TITLE = {"en": "Where a step's time and memory go", "zh": "一步的时间与内存花在哪里"}
TEXT = {
    "en": "Every op of the forward and the backward pass in time, module by module, and below it "
    "the activations that wait for the backward pass. One op is open: its time, how usual that is, "
    "its operations a second, its line.",
    "zh": "前向与反向的每个运算按时间排列，逐模块展开；下方是等待反向传播的激活值。打开了一个运算："
    "它的时间、是否寻常、每秒运算数和所在的代码行。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, optim
from labtorch.datasets import Digits
import labtorch_widgets as lab

class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.classify = nn.Linear(128, 10)

    def forward(self, x):
        return self.classify(self.features(x).flatten(1))

torch.manual_seed(0)
digits = Digits()
x = torch.stack([digits[i][0] for i in range(512)])
y = torch.tensor([int(digits[i][1]) for i in range(512)])
model, criterion = CNN(), nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters())

with torch.observe.record(budget=1) as recording:
    for step in range(24):
        batch = slice(64 * (step % 8), 64 * (step % 8) + 64)
        optimizer.zero_grad()
        criterion(model(x[batch]), y[batch]).backward()
        optimizer.step()""",
    """\
lab.timeline(recording)""",
]


def arrange(page: Any) -> None:
    """The second convolution is open, and the table sums up by op."""
    page.locator(".lt-ops-op.lt-ops-forward[aria-label^=conv2d]").nth(1).click()
    page.locator(".lt-ops-pane dl").wait_for()
    page.locator(".lt-ops-main").hover(position={"x": 4, "y": 4})
    page.get_by_role("button", name=re.compile("^(Table|表格)$")).click()
    page.locator(".lt-ops-table tbody tr").first.wait_for()
