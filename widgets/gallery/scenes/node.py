"""A node opened: value, gradient, formula with numbers put in, and the badge of a check."""

from typing import Any

TITLE = {"en": "A node, with its numbers put in", "zh": "打开一个节点：把数值代入公式"}
TEXT = {
    "en": "The last layer of a digit classifier: the formula for the element that was clicked, "
    "with the numbers of this step, and the rule's gradients checked by finite differences.",
    "zh": "手写数字分类器的最后一层：被点击元素的公式代入这一步的数值，"
    "并用有限差分检验规则给出的梯度。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, optim, datasets
import labtorch_widgets as lab

torch.manual_seed(0)
digits = datasets.Digits()
x, y = digits.x[:8].flatten(1), digits.y[:8]

class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(64, 6)
        self.output = nn.Linear(6, 10)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))

model = Classifier()
optimizer = optim.Adam(model.parameters(), lr=0.02)

def step():
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
""",
    """\
view = lab.graph(model)
for _ in range(12):
    step()
view.open_node("/model/output:op:linear")
step()
view.height = 820
view
""",
]


def arrange(page: Any) -> None:
    page.locator(".lt-pane .lt-equation").first.wait_for()
    page.locator(".lt-check button").click()
    page.locator(".lt-pane .lt-badge").first.wait_for()
    page.locator(".lt-check").evaluate("it => it.scrollIntoView({block: 'end'})")
    page.mouse.move(5, 5)
