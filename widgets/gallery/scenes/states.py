"""An LSTM that reads handwritten digits one row of pixels after another."""

TITLE = {"en": "Hidden states", "zh": "隐藏状态"}
TEXT = {
    "en": "`lab.states(model)`: every unit of an LSTM over time, the gradient that comes back to "
    "each step, and one cell with its gates and its equations, numbers put in.",
    "zh": "`lab.states(model)`：LSTM 的每个单元随时间的变化、传回每个时刻的梯度，"
    "以及一个单元的门和代入数字的公式。",
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
rows = digits.x.flatten(1).reshape(-1, 32, 2)  # two pixels at each of 32 steps

class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, 32, batch_first=True)
        self.head = nn.Linear(32, 10)

    def forward(self, x):
        output, _ = self.lstm(x)
        return self.head(output[:, -1, :])

model = Reader()
optimizer = optim.Adam(model.parameters(), lr=1e-2)
view = lab.states(model)
for step in range(150):
    chosen = torch.randint(0, len(digits), (64,))
    loss = nn.functional.cross_entropy(model(rows[chosen]), digits.y[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
view
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-bar-own")
    page.locator(".lt-states-bar select").select_option("similarity")
    chart = page.locator(".lt-states-plot")
    chart.focus()
    for _ in range(9):
        chart.press("ArrowLeft")
    page.wait_for_selector('.lt-cell[data-t="22"]')
    page.wait_for_selector(".lt-equations math")
