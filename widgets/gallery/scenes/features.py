"""Feature maps of the document's network in small, trained on digits, with one pixel opened."""

TITLE = {"en": "Feature maps", "zh": "特征图"}
TEXT = {
    "en": "`lab.features(model, digits)`: what every layer makes of the chosen digits while the "
    "model learns. A click on a pixel shows the window, the kernel, the products and their sum.",
    "zh": "`lab.features(model, digits)`：训练过程中每一层如何看待选定的数字。"
    "点击一个像素，可见窗口、卷积核、乘积以及它们的和。",
}
CELLS = [
    """\
import labtorch as torch
from labtorch import nn, optim
from labtorch.datasets import Digits

torch.manual_seed(0)
digits, test = Digits(train=True), Digits(train=False)


class CNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc = nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(x.flatten(1))


model = CNN()
optimizer = optim.Adam(model.parameters(), lr=0.01)
""",
    """\
view = lab.features(model, test.x[:6])
for _ in range(80):
    chosen = torch.randint(0, len(digits), (64,))
    loss = nn.functional.cross_entropy(model(digits.x[chosen]), digits.y[chosen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
view
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-features[data-step]:not([data-step=''])")
    page.locator(".lt-features").locator(".lt-column[aria-label=conv2] .lt-map").nth(3).click()
    page.wait_for_selector(".lt-detail:not([hidden]) .lt-chip")
    plane = page.locator(".lt-plane[role='slider']")
    box = plane.bounding_box()
    plane.click(position={"x": box["width"] * 0.44, "y": box["height"] * 0.31})
    page.get_by_role("button", name="Back to the picture").or_(
        page.get_by_role("button", name="回溯到图像")
    ).click()
    page.wait_for_selector(".lt-map-pane .lt-window")
    page.wait_for_timeout(300)
