"""A transformer of a dozen equal blocks, folded, with one block open and coloured by its work."""

TITLE = {"en": "Computation graph: repeats and amounts", "zh": "计算图：重复与数量"}
TEXT = {
    "en": "Twelve equal blocks are one box, “× 12”, until it is opened; colour says where the "
    "time, the memory or the arithmetic goes.",
    "zh": "十二个相同的模块折叠为一个“× 12”方框，可随时展开；颜色显示时间、内存或计算量花在哪里。",
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
class RowsTransformer(nn.Module):
    \"\"\"Reads a digit as eight rows of eight pixels.\"\"\"

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 32)
        block = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 12)
        self.head = nn.Linear(32, 10)

    def forward(self, images):
        rows = images.reshape(-1, 8, 8)
        return self.head(self.blocks(self.embed(rows)).mean(1))

model = RowsTransformer()
view = lab.graph(model)
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for step in range(6):
    chosen = torch.randint(0, len(digits), (32,))
    loss = nn.functional.cross_entropy(model(digits.x[chosen]), digits.y[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
view
""",
]


def arrange(page) -> None:
    page.wait_for_selector('.lt-item[data-key*="×TransformerEncoderLayer"]')
    page.locator(".lt-select").select_option("flops")
    page.wait_for_selector(".lt-heat-scale")
    page.wait_for_timeout(500)
