"""A digits classifier with validation, compared with a run at another learning rate."""

TITLE = {"en": "Training panel", "zh": "训练面板"}
TEXT = {
    "en": "`lab.train`: loss, accuracy and validation by epochs, two learning rates compared, "
    "and a weight changed by hand while it trains.",
    "zh": "`lab.train`：按轮次显示损失、准确率与验证，比较两种学习率，训练中还可手动改权重。",
}
CELLS = [
    """\
import labtorch as torch
import labtorch_widgets as lab
from labtorch import nn, optim
from labtorch.data import DataLoader
from labtorch.datasets import Digits

train, test = Digits(train=True), Digits(train=False)

def training(rate, **options):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    optimizer = optim.SGD(model.parameters(), lr=rate)

    def step(batch):
        x, y = batch
        optimizer.zero_grad()
        scores = model(x)
        loss = nn.functional.cross_entropy(scores, y)
        loss.backward()
        optimizer.step()
        return {"loss": loss, "accuracy": (scores.argmax(1) == y).float().mean()}

    def validate():
        with torch.no_grad():
            scores = model(test.x)
            loss = nn.functional.cross_entropy(scores, test.y)
            return {"loss": loss, "accuracy": (scores.argmax(1) == test.y).float().mean()}

    return lab.train(step, optimizer=optimizer, batches=DataLoader(train, 64, shuffle=True),
                     epochs=6, validate=validate, model=model, name=f"lr={rate}", **options)
""",
    """\
slow = training(0.02, graph=False).wait()
panel = training(0.2, graph=False).compare(slow)
panel
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-view[data-state=done]")
    page.get_by_role("button", name="Parameters").or_(
        page.get_by_role("button", name="参数")
    ).first.click()
    page.wait_for_selector(".lt-number")
