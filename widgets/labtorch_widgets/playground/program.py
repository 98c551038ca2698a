"""The PyTorch program of a playground: what is shown is what runs."""

from __future__ import annotations

from .choices import Choices

POINTS = 300  # of a generated data set
WIDTH = 66  # columns that a line may take, for the view to show it whole
IN_A_ROW = 5  # drawn points
ENGINES = ("torch", "labtorch")

Line = tuple[str, str]  # the text, and the part of the picture that it belongs to

DISC = """\
# a disc (class 1) inside of a ring (class 0)
radius = torch.cat([2 * torch.rand(150), 3.2 + 1.6 * torch.rand(150)])
angle = 2 * torch.pi * torch.rand(300)
points = radius[:, None] * torch.stack([angle.cos(), angle.sin()], 1)
labels = torch.cat([torch.ones(150, 1), torch.zeros(150, 1)])"""
XOR = """\
# class 1 where x1 and x2 have the same sign
points = 10 * torch.rand(300, 2) - 5
labels = (points[:, :1] * points[:, 1:] > 0).float()"""
GAUSS = """\
# a cloud for each class
points = torch.cat([torch.randn(150, 2) + 2, torch.randn(150, 2) - 2])
labels = torch.cat([torch.ones(150, 1), torch.zeros(150, 1)])"""
SPIRAL = """\
# two arms, one per class
radius = torch.linspace(0.2, 5, 150)
angle = 2.2 * radius
arm = radius[:, None] * torch.stack([angle.sin(), angle.cos()], 1)
points = torch.cat([arm, -arm])
labels = torch.cat([torch.ones(150, 1), torch.zeros(150, 1)])"""
MOONS = """\
# two half moons, one per class
angle = torch.pi * torch.rand(150)
moon = 3.4 * torch.stack([angle.cos(), angle.sin()], 1)
shift = torch.tensor([-1.7, -0.9])
points = torch.cat([moon + shift, -moon - shift])
labels = torch.cat([torch.ones(150, 1), torch.zeros(150, 1)])"""
IRIS = """\
# irises (Fisher, 1936): length and width of the petals, scaled
iris = load_iris()
points = torch.tensor(iris.data[:, 2:]).float()
points = 2.4 * (points - points.mean(0)) / points.std(0)
labels = torch.tensor(iris.target == 2).float()[:, None]  # virginica"""
WINE = """\
# Italian wines: alcohol and colour, scaled
wine = load_wine()
points = torch.tensor(wine.data[:, [0, 9]]).float()
points = 2.4 * (points - points.mean(0)) / points.std(0)
points = points.clamp(-6, 6)
labels = torch.tensor(wine.target == 0).float()[:, None]  # Barolo"""
WAVES = """\
# a number for each point: regression
points = 12 * torch.rand(300, 2) - 6
labels = torch.sin(0.6 * points[:, :1]) * torch.cos(0.6 * points[:, 1:])"""
SOURCES = {
    "circle": DISC,
    "xor": XOR,
    "gauss": GAUSS,
    "spiral": SPIRAL,
    "moons": MOONS,
    "iris": IRIS,
    "wine": WINE,
    "waves": WAVES,
}
UNSAMPLED = ("iris", "wine", "drawn")  # scikit-learn takes a second to import; no points yet
SIZES = {"iris": 150, "wine": 178}
FEATURE = {
    "x1": "x1",
    "x2": "x2",
    "x1²": "x1 ** 2",
    "x2²": "x2 ** 2",
    "x1x2": "x1 * x2",
    "sin x1": "x1.sin()",
    "sin x2": "x2.sin()",
}


def write(choices: Choices, engine: str = "torch") -> list[Line]:
    """The program's lines, each with its part: "data", "layer 1", "optimizer", ..."""
    blocks = [
        _imports(choices, engine),
        _data(choices),
        _split(choices),
        _features(choices),
        _model(choices),
        _optimizer(choices),
        _step(choices),
    ]
    lines: list[Line] = []
    for block in filter(None, blocks):
        lines += [("", ""), *block] if lines else block
    return lines


def text(lines: list[Line]) -> str:
    return "\n".join(line for line, _ in lines) + "\n"


def size(choices: Choices) -> int:
    """How many points there are."""
    return len(choices.points) if choices.data == "drawn" else SIZES.get(choices.data, POINTS)


def _imports(choices: Choices, engine: str) -> list[Line]:
    first = "import torch" if engine == "torch" else f"import {engine} as torch"
    lines = [(first, "engine"), (f"from {engine} import nn", "engine")]
    if choices.data in ("iris", "wine"):
        lines.append((f"from sklearn.datasets import load_{choices.data}", "data"))
    return [*lines, ("", ""), (f"torch.manual_seed({choices.seed})", "seed")]


def _data(choices: Choices) -> list[Line]:
    if choices.data == "drawn":
        return [(line, "data") for line in _drawn(choices)]
    lines = [(line, "data") for line in SOURCES[choices.data].splitlines()]
    if choices.noise:
        name, shape = (
            ("labels", "300, 1") if choices.regression else ("points", f"{size(choices)}, 2")
        )
        lines.append((f"{name} = {name} + {choices.noise:g} * torch.randn({shape})", "noise"))
    return lines


def _drawn(choices: Choices) -> list[str]:
    if not choices.points:
        return ["# no points yet", "points, labels = torch.empty(0, 2), torch.empty(0, 1)"]
    lines = ["# points drawn by hand: x1, x2, class", "drawn = torch.tensor(["]
    told = [f"[{x1:g}, {x2:g}, {label}]," for x1, x2, label in choices.points]
    lines += ["    " + " ".join(told[at : at + IN_A_ROW]) for at in range(0, len(told), IN_A_ROW)]
    return [*lines, "], dtype=torch.float32)", "points, labels = drawn[:, :2], drawn[:, 2:]"]


def _split(choices: Choices) -> list[Line]:
    count = size(choices)
    cut = max(1, round(count * choices.train / 100)) if count else 0
    return [
        (f"order = torch.randperm({count})", "split"),
        (f"train, test = order[:{cut}], order[{cut}:]", "split"),
    ]


def _features(choices: Choices) -> list[Line]:
    if choices.features == ("x1", "x2"):
        return [("x = points", "features")]
    columns = ", ".join(FEATURE[name] for name in choices.features)
    return [
        ("def features(points):", "features"),
        ("    x1, x2 = points[:, 0], points[:, 1]", "features"),
        (f"    return torch.stack([{columns}], 1)", "features"),
        ("", ""),
        ("x = features(points)", "features"),
    ]


def _model(choices: Choices) -> list[Line]:
    lines: list[Line] = [("model = nn.Sequential(", "network")]
    width = len(choices.features)
    for number, units in enumerate(choices.layers, 1):
        lines.append((f"    nn.Linear({width}, {units}),", f"layer {number}"))
        if choices.activation != "linear":
            lines.append((f"    nn.{choices.activation}(),", "activation"))
        width = units
    return [*lines, (f"    nn.Linear({width}, 1),", "output"), (")", "network")]


def _optimizer(choices: Choices) -> list[Line]:
    loss = "MSELoss" if choices.regression else "BCEWithLogitsLoss"
    kind = "Adam" if choices.optimizer == "Adam" else "SGD"
    settings = f"lr={choices.lr:g}"
    if choices.optimizer == "momentum":
        settings += ", momentum=0.9"
    decay = f"weight_decay={choices.strength:g}" if choices.penalty == "L2" else ""
    made = f"optimizer = torch.optim.{kind}("
    lines = [(f"criterion = nn.{loss}()", "loss")]
    whole = f"{made}model.parameters(), {', '.join(filter(None, (settings, decay)))})"
    if len(whole) <= WIDTH:
        return [*lines, (whole, "optimizer")]
    return [
        *lines,
        (made, "optimizer"),
        (f"    model.parameters(), {', '.join(filter(None, (settings, decay)))}", "optimizer"),
        (")", "optimizer"),
    ]


def _step(choices: Choices) -> list[Line]:
    lines: list[Line] = []
    if choices.batch:
        lines += [("shuffle = torch.Generator().manual_seed(0)", "batch"), ("", "")]
    lines.append(("def step():", "step"))
    if choices.batch:
        lines += [
            ("    chosen = torch.randperm(len(train), generator=shuffle)", "batch"),
            (f"    batch = train[chosen[:{choices.batch}]]", "batch"),
        ]
    else:
        lines.append(("    batch = train", "batch"))
    lines += [
        ("    optimizer.zero_grad()", "step"),
        ("    loss = criterion(model(x[batch]), labels[batch])", "step"),
    ]
    if choices.penalty == "L1":
        lines += [
            ("    size = sum(p.abs().sum() for p in model.parameters())", "penalty"),
            (f"    loss = loss + {choices.strength:g} * size", "penalty"),
        ]
    return [
        *lines,
        ("    loss.backward()", "step"),
        ("    optimizer.step()", "step"),
        ("    return loss", "step"),
    ]
