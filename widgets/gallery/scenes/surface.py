"""A learning rate that overshoots, on the loss surface of a line through the diabetes data."""

from typing import Any

TITLE = {"en": "The loss surface, and the path walked over it", "zh": "损失曲面与走过的路径"}
TEXT = {
    "en": "A line predicts diabetes from body mass: two parameters, so the loss is a landscape. "
    "The learning rate is too high: the ball jumps across the valley. Rewind, turn it, put the "
    "ball elsewhere.",
    "zh": "用一条直线从体重指数预测糖尿病：两个参数，损失就是一片地形。学习率太大，"
    "小球在谷的两侧来回跳。可以倒回、转动，也可以把小球放到别处。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, optim
from labtorch.datasets import diabetes
import labtorch_widgets as lab

torch.manual_seed(0)
data = diabetes(standardise=True)
x, y = data.x[:, 2:3], data.y            # body mass index, progression of the disease
model, criterion = nn.Linear(1, 1), nn.MSELoss()
with torch.no_grad():
    model.weight.fill_(-1.1)
    model.bias.fill_(0.9)
optimizer = optim.SGD(model.parameters(), lr=0.9)

with torch.observe.record(budget=1) as recording:
    for _ in range(16):
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()""",
    """\
lab.surface(model, lambda model: criterion(model(x), y), source=recording)""",
]


def arrange(page: Any) -> None:
    """The crosshair on the other side of the valley, when every point is there."""
    page.wait_for_selector('.lt-view[data-stride="1"]')
    plot = page.locator(".lt-sf-map").bounding_box()
    page.mouse.click(plot["x"] + plot["width"] * 0.8, plot["y"] + plot["height"] * 0.3)
    page.locator(".lt-sf-cross text").wait_for()
