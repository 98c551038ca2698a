"""A character-level classifier of surnames, and what its predictions depend on."""

TITLE = {"en": "Text, shaded by what counts", "zh": "按重要性着色的文本"}
TEXT = {
    "en": "`lab.states(model, inputs, vocabulary=...)`: characters are shaded by how much the "
    "prediction depends on them; padding is hatched.",
    "zh": "`lab.states(model, inputs, vocabulary=...)`：字符颜色的深浅表示预测对它的依赖程度；"
    "填充部分画有斜线。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, optim

torch.manual_seed(0)
names = {
    "Italian": "rossi bianchi ferrari esposito romano colombo ricci marino greco bruno gallo conti "
    "costa giordano mancini rizzo lombardi moretti barbieri fontana santoro mariani rinaldi",
    "Japanese": "sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato "
    "yoshida yamada sasaki yamaguchi matsumoto inoue kimura hayashi shimizu saito mori abe ikeda",
    "Russian": "ivanov smirnov kuznetsov popov vasiliev petrov sokolov mikhailov novikov fedorov "
    "morozov volkov alekseev lebedev semenov egorov pavlov kozlov stepanov nikolaev orlov",
}
vocabulary = ["·", *"abcdefghijklmnopqrstuvwxyz"]

def encode(words, width=12):
    return torch.tensor([[vocabulary.index(c) for c in w.ljust(width, "·")] for w in words])

words = [w for group in names.values() for w in group.split()]
labels = torch.tensor([k for k, group in enumerate(names.values()) for _ in group.split()])
x = encode(words)
""",
    """\
class Names(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(27, 16, padding_idx=0)
        self.gru = nn.GRU(16, 32, batch_first=True)
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        output, _ = self.gru(self.embedding(x))
        last = (x != 0).sum(1) - 1
        return self.head(output[torch.arange(len(x)), last])

model = Names()
optimizer = optim.Adam(model.parameters(), lr=1e-2)
view = lab.states(
    model, encode(["morimoto", "bellini", "romanov"]),
    vocabulary=vocabulary, classes=list(names),
)
for step in range(80):
    loss = nn.functional.cross_entropy(model(x), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
view
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-letter")
    page.locator(".lt-view input.lt-number").first.fill("2")
    page.locator(".lt-view input.lt-number").first.press("Enter")
    page.wait_for_selector(".lt-letter:text-is('v')")
    page.locator(".lt-letter").nth(6).click()
    page.wait_for_selector(".lt-equations math")
