"""Control flow that changed in the middle of a training: what came and what went."""

TITLE = {"en": "Computation graph: what changed", "zh": "计算图：发生了什么变化"}
TEXT = {
    "en": "From step 4 on the program computes something else: added nodes, removed ones as "
    "ghosts, and the step at which it happened as a tick on the slider. The cell that is called "
    "for every time step is one box with a loop.",
    "zh": "从第 4 步起程序的计算改变了：新增的节点、以虚影表示的被移除节点，"
    "以及滑块上标出的变化时刻。每个时间步都调用的单元是一个带环的方框。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, optim
from labtorch.datasets import Digits

torch.manual_seed(0)
digits = Digits(train=True)
""",
    """\
class Reader(nn.Module):
    \"\"\"Reads a digit row by row.\"\"\"

    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(8, 24), nn.Linear(24, 10)

    def forward(self, images, gated):
        rows = images.reshape(-1, 8, 8)
        h = torch.zeros(len(rows), 24)
        for t in range(8):
            h = self.cell(rows[:, t], h)
        h = h * torch.sigmoid(h) if gated else torch.relu(h)
        return self.head(h)

model = Reader()
view = lab.graph(model, depth=1)
optimizer = optim.Adam(model.parameters(), lr=1e-2)
for step in range(8):
    chosen = torch.randint(0, len(digits), (32,))
    loss = nn.functional.cross_entropy(model(digits.x[chosen], step >= 4), digits.y[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
view
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-changes:not([hidden])")
    page.locator(".lt-changes button").first.click()
    page.wait_for_selector(".lt-item.lt-added")
    page.wait_for_timeout(500)
