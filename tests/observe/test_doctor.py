"""The doctor names the right cause and op in sick models, and raises no alarm at healthy ones."""

import math

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe, optim
from labtorch.datasets import Digits
from labtorch.nn import functional as F
from labtorch.observe import doctor, series

digits = Digits(train=True)
X, Y = digits.x.reshape(len(digits), -1), digits.y


def trained(model, *, lr=0.01, kind=optim.SGD, steps=3, x=X, y=Y, loss=F.cross_entropy, **more):
    optimizer = kind(model.parameters(), lr=lr, **more)
    with observe.record(budget=1e9) as recording:
        for step in range(steps):
            at = step * 64 % (len(x) - 64)
            optimizer.zero_grad()
            loss(model(x[at : at + 64]), y[at : at + 64]).backward()
            optimizer.step()
    return recording


def mlp(activation, depth, width=32, std=None):
    layers = [nn.Linear(64, width), activation()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), activation()]
    model = nn.Sequential(*layers, nn.Linear(width, 10))
    if std is not None:
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(0, std)
    return model


class Broken(nn.Module):
    """Something between two layers, or a layer that is not what it seems."""

    def __init__(self, between):
        super().__init__()
        self.first, self.last, self.between = nn.Linear(64, 16), nn.Linear(16, 10), between

    def forward(self, x):
        return self.last(self.between(self.first, x))


def without_grad(layer, x):
    with torch.no_grad():
        return layer(x)


class Recurrent(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.w = nn.Parameter(torch.randn(16, 16) * scale / 4)
        self.into, self.out = nn.Linear(8, 16), nn.Linear(16, 10)

    def forward(self, x):
        rows, state = x.reshape(-1, 8, 8), torch.zeros(x.shape[0], 16)
        for t in range(8):
            state = torch.relu(self.into(rows[:, t]) + state @ self.w)
        return self.out(state)


def dying(bias, units):
    model = mlp(nn.ReLU, 3)
    with torch.no_grad():
        model[2].bias[:units] = bias
    return model


def half_used():
    model = mlp(nn.ReLU, 2)
    model.spare = nn.Linear(3, 3)
    model.forward = lambda x: model[2](model[1](model[0](x)))
    return model


SICK = {
    "a deep sigmoid net": (lambda: trained(mlp(nn.Sigmoid, 8)), "vanishing", "sigmoid", "0.weight"),
    "saturated sigmoids": (
        lambda: trained(mlp(nn.Sigmoid, 4, std=3.0)), "saturated", "sigmoid", None),
    "thirty tanh layers that start small": (
        lambda: trained(mlp(nn.Tanh, 30, std=0.02)), "vanishing", "linear", "0.weight"),
    "ReLU layers that start huge": (
        lambda: trained(mlp(nn.ReLU, 5, std=1.0), steps=1), "exploding", "linear", "0.weight"),
    "a ReLU whose input is always negative": (
        lambda: trained(dying(-10.0, 32)), "dead", "relu", "2.weight"),
    "21 of 32 dead units": (lambda: trained(dying(-10.0, 21)), "dead", "relu", "2.weight"),
    "a learning rate of 100": (
        lambda: trained(mlp(nn.ReLU, 3), lr=100.0, steps=8), "learning_rate", None, None),
    "Adam with a learning rate of 1": (
        lambda: trained(mlp(nn.ReLU, 3), lr=1.0, kind=optim.Adam, steps=12),
        "learning_rate", None, None),
    "the logarithm of negative numbers": (
        lambda: trained(Broken(lambda f, x: torch.log(f(x))), steps=1), "nonfinite", "log", None),
    "a division by zero": (
        lambda: trained(Broken(lambda f, x: f(x) / torch.relu(f(x))), steps=1),
        "nonfinite", "div", None),
    "an exponential that overflows": (
        lambda: trained(Broken(lambda f, x: torch.exp(f(x) * 1e4)), steps=1),
        "nonfinite", "exp", None),
    "the slope of a root at zero": (
        lambda: trained(Broken(lambda f, x: torch.sqrt(torch.relu(f(x)))), steps=1),
        "nonfinite_gradient", "sqrt", "first.bias"),
    "that slope, steps later": (
        lambda: trained(Broken(lambda f, x: torch.sqrt(torch.relu(f(x)))), steps=4),
        "nonfinite_gradient", "sqrt", "first.bias"),
    "a recurrent matrix that is too small": (
        lambda: trained(Recurrent(0.2)), "forgetting", "matmul", None),
    "a recurrent matrix that is too large": (
        lambda: trained(Recurrent(6.0), lr=1e-9), "amplifying", "matmul", None),
    "a detached branch": (
        lambda: trained(Broken(lambda f, x: torch.relu(f(x)).detach()), steps=1),
        "detached", "relu", "first.weight"),
    "a layer under no_grad": (
        lambda: trained(Broken(without_grad), steps=1), "no_grad", "linear", "first.weight"),
    "argmax on the way": (
        lambda: trained(Broken(lambda f, x: F.one_hot(f(x).argmax(1), 16).float()), steps=1),
        "not_differentiable", "argmax", "first.weight"),
    "rounding on the way": (
        lambda: trained(Broken(lambda f, x: torch.round(f(x))), steps=1),
        "blocked", "round", "first.weight"),
    "a layer that is never used": (
        lambda: trained(half_used(), steps=1), "unused", None, "spare.weight"),
    "a softmax before cross_entropy": (
        lambda: trained(nn.Sequential(nn.Linear(64, 10), nn.Softmax(1))),
        "softmax_twice", "softmax", None),
    "data with a NaN": (
        lambda: trained(mlp(nn.ReLU, 3), x=torch.where(X > 0.99, math.nan, X), steps=1),
        "nonfinite_input", None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", SICK)
def test_the_first_finding_names_the_cause_the_op_and_the_parameter(name):
    torch.manual_seed(0)
    run, kind, op, parameter = SICK[name]
    recording = run()
    found = doctor.examine(recording)[0]
    assert found["kind"] == kind and found["severity"] in ("error", "warning")
    if op is not None:
        assert recording.graph()["nodes"][found["node"]]["name"] == op
        assert found["source"]["text"]
    if parameter is not None:
        assert found["parameters"][0] == parameter
    if found["worst"] is not None:
        assert found["path"][found["worst"]]["node"] == found["node"]


def test_the_factors_of_a_path_are_those_of_the_gradients_along_it():
    torch.manual_seed(0)
    model = mlp(nn.Sigmoid, 8)
    made = []
    with observe.record(budget=1e9) as recording:
        x = X[:64]
        for layer in model:
            x = layer(x)
            x.retain_grad()
            made.append(x)
        F.cross_entropy(x, Y[:64]).backward()
    path = doctor.examine(recording)[0]["path"]
    norms = [np.linalg.norm(each.grad.numpy()) for each in reversed(made)]
    assert [hop["norm"] for hop in path[1:-1]] == pytest.approx(norms, rel=1e-4)
    ratios = [after / before for before, after in zip(norms, norms[1:])]
    assert [hop["factor"] for hop in path[1:-2]] == pytest.approx(ratios, rel=1e-4)
    weight = np.linalg.norm(model[0].weight.grad.numpy())
    assert path[-1]["norm"] == pytest.approx(weight, rel=1e-4)


def test_slopes_and_dead_units_are_those_of_the_arrays():
    torch.manual_seed(0)
    with observe.record(budget=1e9) as recording:
        hidden = nn.Linear(64, 32)
        relu = torch.relu(hidden(X[:64]) - 0.2)
        sigmoid = torch.sigmoid(nn.Linear(32, 8)(relu) * 30)
        sigmoid.sum().backward()
    case = doctor.Case(recording.graph(), recording.snapshot())
    at = {node["name"]: node["id"] for node in case.nodes}
    s = sigmoid.detach().numpy()
    assert doctor.mean_slope(case, at["sigmoid"]) == pytest.approx((s * (1 - s)).mean(), rel=1e-4)
    flat = (np.abs(np.log(s / (1 - s))) > 5).mean()
    assert doctor.flat_share(case, at["sigmoid"]) == pytest.approx(flat, abs=0.05)
    dead = (relu.detach().numpy() == 0).all(0).mean()
    assert doctor.dead_share(case, at["relu"]) == pytest.approx(dead)


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.last = nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.one(x.reshape(-1, 1, 8, 8))), 2)
        return self.last(F.max_pool2d(torch.relu(self.two(x)), 2).flatten(1))


class Sequences(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.last = nn.LSTM(8, 24, batch_first=True), nn.Linear(24, 10)

    def forward(self, x):
        return self.last(self.lstm(x.reshape(-1, 8, 8))[0][:, -1])


HEALTHY = {
    "MLP, Adam": lambda: trained(mlp(nn.ReLU, 3), lr=1e-2, kind=optim.Adam, steps=80),
    "MLP, SGD": lambda: trained(mlp(nn.ReLU, 3), lr=0.1, momentum=0.9, steps=80),
    "tanh": lambda: trained(mlp(nn.Tanh, 4), lr=0.1, steps=80),
    "two sigmoids": lambda: trained(mlp(nn.Sigmoid, 3), lr=1e-2, kind=optim.Adam, steps=80),
    "CNN": lambda: trained(Convolutional(), lr=3e-3, kind=optim.Adam, steps=60),
    "LSTM": lambda: trained(Sequences(), lr=1e-2, kind=optim.Adam, steps=60),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_no_alarm_in_any_step_of_a_healthy_training(name):
    torch.manual_seed(0)
    recording = HEALTHY[name]()
    for step in recording.steps:
        found = doctor.examine(recording, step)
        assert [f["kind"] for f in found if f["severity"] in ("error", "warning")] == []
        assert found[0]["kind"] == "healthy"


def test_models_trained_in_turns_raise_no_alarm():
    torch.manual_seed(0)
    one, two = nn.Linear(8, 8), nn.Linear(8, 1)
    first, second = (optim.SGD(m.parameters(), lr=0.01) for m in (one, two))
    with observe.record(budget=1e9) as recording:
        for _ in range(4):
            second.zero_grad()
            two(one(torch.randn(16, 8)).detach()).mean().backward()
            second.step()
            first.zero_grad()
            two(one(torch.randn(16, 8))).mean().backward()
            first.step()
    found = doctor.examine(recording, recording.steps[2])
    assert [f["severity"] for f in found if f["kind"] == "detached"] == ["note"]


def test_a_step_without_backward_and_an_empty_recording_are_said_plainly():
    with observe.record() as recording:
        torch.ones(3).sum()
    assert doctor.examine(recording)[0]["kind"] == "no_backward"
    with observe.record() as empty:
        pass
    with pytest.raises(LookupError):
        doctor.examine(empty)


def test_series_read_the_store_without_unpacking_it():
    recording = trained(mlp(nn.ReLU, 3), steps=2)
    measured, snapshot = series.moments(recording, 1), recording.snapshot(1)
    for what in ("value", "grad", "update"):
        for moments, row in zip(measured[what], snapshot["rows"]):
            assert (moments is None) == (row[what] is None)
            if moments is not None:
                assert list(moments) == [row[what][name] for name in series.MOMENTS]
    weight = next(n["id"] for n in recording.graph()["nodes"] if n["name"] == "0.weight")
    expected = snapshot["rows"][weight]["grad"]["histogram"]
    assert series.histogram(recording, 1, weight) == expected
