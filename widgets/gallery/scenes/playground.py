"""The playground, with a spiral learned and the program that learned it."""

TITLE = {"en": "Playground", "zh": "游乐场"}
TEXT = {
    "en": (
        "`lab.playground()`: points, layers and weights changed by hand; the boundary that forms; "
        "and the PyTorch program that is really running."
    ),
    "zh": (
        "`lab.playground()`：亲手改动数据点、层和权重，看分界线形成；"
        "旁边就是真正在运行的 PyTorch 程序。"
    ),
}
CELLS = [
    """\
view = lab.playground(
    data="spiral", noise=0.1, features=["x1", "x2", "sin x1", "sin x2"],
    layers=[8, 8, 4], batch=30, lr=0.01,
)
view
""",
]


def arrange(page) -> None:
    view = page.locator(".lt-playground")
    view.get_by_label("Speed").or_(view.get_by_label("速度")).select_option(index=3)
    train = view.locator(".lt-run")
    train.click()
    page.wait_for_function(
        "() => Number(document.querySelector('.lt-playground').dataset.count) > 1500",
        timeout=30_000,
    )
    train.click()
    page.wait_for_selector(".lt-playground[data-state=paused]")
    page.mouse.move(2, 2)
