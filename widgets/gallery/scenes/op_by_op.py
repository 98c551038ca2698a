"""A step gone through op by op: the backward pass has come half way."""

TITLE = {"en": "Op by op", "zh": "逐个算子"}
TEXT = {
    "en": "The button Op does one op: here the gradient has flowed half the way back, and what is "
    "still to come is not computed yet.",
    "zh": "“单算子”按钮每次只执行一个算子：梯度已回传到一半，其余部分尚未计算。",
}
CELLS = [
    """\
import labtorch as torch
import labtorch_widgets as lab
from labtorch import nn, optim
from labtorch.datasets import Digits

torch.manual_seed(0)
digits = Digits(train=True)
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
optimizer = optim.Adam(model.parameters(), lr=1e-2)

def step():
    chosen = torch.randint(0, len(digits), (64,))
    x, y = digits.x[chosen], digits.y[chosen]
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
""",
    """\
panel = lab.train(step, optimizer=optimizer, model=model, start=False)
for _ in range(3):
    panel.step_once()
panel
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-view[data-count='3']")
    op = page.get_by_role("button", name="Op", exact=True).or_(
        page.get_by_role("button", name="单算子", exact=True)
    )
    for _ in range(7):
        op.click()
        page.wait_for_timeout(150)
    page.wait_for_selector(".lt-item.lt-current")
