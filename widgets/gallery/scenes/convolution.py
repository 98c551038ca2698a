"""The convolution explorer on a handwritten digit, the kernel turned, stride 2."""

TITLE = {"en": "Convolution explorer", "zh": "卷积探索器"}
TEXT = {
    "en": "`lab.convolution(digit)`: a kernel on its way over a picture, with stride, padding and "
    "dilation, as cross-correlation or turned as convolution; pooling the same way.",
    "zh": "`lab.convolution(digit)`：卷积核在图像上滑动，可调步幅、填充与膨胀，"
    "可选互相关或翻转后的卷积；池化同样可看。",
}
CELLS = [
    """\
from labtorch.datasets import Digits

lab.convolution(Digits().x[0], [[-1, -1, 0], [-1, 0, 1], [0, 1, 1]], padding=1)
""",
]


def arrange(page) -> None:
    page.wait_for_selector(".lt-convolution .lt-plane[role='slider']")
    page.locator(".lt-flip button").nth(1).click()
    page.wait_for_selector(".lt-flip button:nth-child(2)[aria-pressed='true']")
    plane = page.locator(".lt-plane[role='slider']")
    box = plane.bounding_box()
    plane.click(position={"x": box["width"] * 0.56, "y": box["height"] * 0.06})
    page.wait_for_timeout(300)
