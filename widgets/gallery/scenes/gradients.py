"""Gradient flow: twelve layers on handwritten digits."""

TITLE = {"en": "Gradient flow", "zh": "梯度流"}
TEXT = {
    "en": "Every layer's gradient, now and over time: its range and distribution, its ratio to the "
    "weights, and what each step changes.",
    "zh": "每一层的梯度，此刻与随时间的变化：范围与分布、与权重之比，以及每一步的改变。",
}
CELLS = [
    """\
import labtorch as torch
import labtorch_widgets as lab
from labtorch import nn, observe, optim
from labtorch.datasets import Digits

torch.manual_seed(0)
digits = Digits(train=True)
layers = [nn.Linear(64, 48), nn.ReLU()]
for _ in range(5):
    layers += [nn.Linear(48, 48), nn.ReLU()]
model = nn.Sequential(nn.Flatten(), *layers, nn.Linear(48, 10))
optimizer = optim.Adam(model.parameters(), lr=2e-3)
""",
    """\
with observe.record(budget=1.0) as recording:
    for step in range(150):
        chosen = torch.randint(0, len(digits), (64,))
        loss = nn.functional.cross_entropy(model(digits.x[chosen]), digits.y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
lab.gradients(recording)
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-gradients .lt-lines path")
    page.locator(".lt-gradients .lt-layer").first.click()
    page.wait_for_selector(".lt-spread-svg .lt-axes text")
    page.mouse.move(4, 4)
