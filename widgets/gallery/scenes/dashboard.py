"""The dashboard of a small convolutional network, while it learns handwritten digits."""

TITLE = {"en": "Dashboard", "zh": "仪表板"}
TEXT = {
    "en": "`lab.watch(model)`: the views that fit the model, all at one moment in time.",
    "zh": "`lab.watch(model)`：适合该模型的视图，全部停在同一时刻。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, optim
from labtorch.datasets import Digits

torch.manual_seed(0)
""",
    """\
digits = Digits(train=True)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(8 * 4 * 4, 10),
)
optimizer = optim.Adam(model.parameters(), lr=1e-2)
dashboard = lab.watch(model)
for step in range(60):
    chosen = torch.randint(0, len(digits), (64,))
    loss = nn.functional.cross_entropy(model(digits.x[chosen]), digits.y[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
dashboard
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-dashboard[data-step]:not([data-step=''])")
    page.wait_for_selector(".lt-item")
