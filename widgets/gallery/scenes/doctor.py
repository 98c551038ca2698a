"""The doctor at a deep network of sigmoids."""

TITLE = {"en": "Gradient doctor", "zh": "梯度诊断"}
TEXT = {
    "en": "Why the gradient vanishes, in a sentence, with the path it took and the op to blame.",
    "zh": "用一句话说明梯度为何消失，并给出它经过的路径和起因的运算。",
}
CELLS = [
    """\
import labtorch as torch
import labtorch_widgets as lab
from labtorch import nn, observe, optim
from labtorch.datasets import Digits

torch.manual_seed(0)
digits = Digits(train=True)
layers = [nn.Linear(64, 32), nn.Sigmoid()]
for _ in range(6):
    layers += [nn.Linear(32, 32), nn.Sigmoid()]
model = nn.Sequential(nn.Flatten(), *layers, nn.Linear(32, 10), nn.Softmax(1))
optimizer = optim.SGD(model.parameters(), lr=0.1)
""",
    """\
with observe.record(budget=1.0) as recording:
    for step in range(20):
        chosen = torch.randint(0, len(digits), (64,))
        loss = nn.functional.cross_entropy(model(digits.x[chosen]), digits.y[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
lab.doctor(recording)
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-doctor .lt-card .lt-hop[data-worst]")
    page.mouse.move(4, 4)
