"""The notebook cells that browser tests run: a linear regression, as a chapter would write it."""

from __future__ import annotations

MODEL = """\
import labtorch as torch
from labtorch import nn, optim
import labtorch_widgets as lab
import time

torch.manual_seed(0)
x = torch.randn(64, 3)
y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3 + 0.1 * torch.randn(64, 1)

class LinearRegression(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 1)

    def forward(self, x):
        return self.linear(x)

model = LinearRegression()
criterion = nn.MSELoss()
optimizer = optim.SGD(model.parameters(), lr=0.01)
rates = []

def step():
    time.sleep({seconds})
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    rates.append(optimizer.param_groups[0]["lr"])
    optimizer.step()
    return loss
"""
TRAIN = """\
panel = lab.train(step, optimizer=optimizer, steps={steps}, start={start})
panel
"""


def cells(*, seconds: float = 0.01, steps: int | None = 5000, start: bool = True) -> list[str]:
    """The program, slowed to `seconds` a step so that a person could follow it."""
    return [
        MODEL.replace("{seconds}", str(seconds)),
        TRAIN.replace("{steps}", str(steps)).replace("{start}", str(start)),
    ]
