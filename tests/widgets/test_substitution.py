"""Formulas with their numbers put in come to what the engine has computed, element by element."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from labtorch_widgets.graph import substitution
from labtorch_widgets.graph.evidence import gather
from labtorch_widgets.shared.formula import mathml

import labtorch as torch
from labtorch import observe
from labtorch.nn import functional as F

CLASSES = torch.tensor([2, 0, 1, 2])


def positive(*shape: int) -> Any:
    return torch.rand(*shape) + 0.2


# name of the op, what is called, shapes of its float arguments
CASES: list[tuple[str, Callable, tuple]] = [
    ("linear", F.linear, ((4, 3), (2, 3), (2,))),
    ("linear", F.linear, ((2, 4, 3), (2, 3))),
    ("matmul", torch.matmul, ((3, 4), (4, 2))),
    ("matmul", torch.matmul, ((2, 3, 4), (2, 4, 2))),
    ("matmul", torch.matmul, ((2, 3, 4), (4, 2))),
    ("matmul", torch.matmul, ((3, 4), (4,))),
    ("matmul", torch.matmul, ((4,), (4, 2))),
    ("matmul", torch.matmul, ((4,), (4,))),
    ("add", torch.add, ((3, 4), (4,))),
    ("add", lambda a, b: torch.add(a, b, alpha=-0.5), ((3, 4), (3, 1))),
    ("add", lambda a: a + 2.5, ((3, 4),)),
    ("sub", torch.sub, ((3, 4), (3, 4))),
    ("sub", lambda a, b: torch.sub(a, b, alpha=3), ((3, 4), ())),
    ("mul", torch.mul, ((2, 3, 4), (3, 1))),
    ("mul", lambda a: 3 * a, ((5,),)),
    ("div", torch.div, ((3, 4), (4,))),
    ("pow", lambda a: a**2, ((3, 4),)),
    ("pow", lambda a: positive(3, 4).detach() * 0 + a.abs() ** 1.5, ((3, 4),)),
    ("maximum", torch.maximum, ((3, 4), (4,))),
    ("minimum", torch.minimum, ((3, 4), (3, 4))),
    ("leaky_relu", F.leaky_relu, ((3, 4),)),
    ("softplus", F.softplus, ((3, 4),)),
    *((name, getattr(torch, name), ((3, 4),)) for name in
      "relu tanh sigmoid exp square neg abs sin cos reciprocal".split()),
    ("silu", F.silu, ((3, 4),)),
    *((name, lambda x, f=name: getattr(torch, f)(x * x + 0.1), ((3, 4),)) for name in
      "log log1p sqrt".split()),
    ("sum", torch.sum, ((3, 4),)),
    ("sum", lambda x: x.sum(1), ((3, 4, 2),)),
    ("mean", torch.mean, ((3, 4),)),
    ("mean", lambda x: x.mean((0, 2), keepdim=True), ((3, 4, 2),)),
    ("amax", lambda x: x.amax(1), ((3, 4),)),
    ("mse_loss", F.mse_loss, ((4, 3), (4, 3))),
    ("mse_loss", lambda a, b: F.mse_loss(a, b, reduction="sum"), ((4, 3), (4, 3))),
    ("mse_loss", lambda a, b: F.mse_loss(a, b, reduction="none"), ((4, 3), (4, 3))),
    ("cross_entropy", lambda x: F.cross_entropy(x, CLASSES), ((4, 3),)),
    ("cross_entropy", lambda x: F.cross_entropy(x, CLASSES, reduction="sum"), ((4, 3),)),
    ("cross_entropy", lambda x: F.cross_entropy(x, CLASSES, reduction="none"), ((4, 3),)),
    ("cross_entropy", lambda x: F.cross_entropy(x, CLASSES, ignore_index=2), ((4, 3),)),
    ("nll_loss", lambda x: F.nll_loss(F.log_softmax(x, 1), CLASSES), ((4, 3),)),
    ("softmax", lambda x: F.softmax(x, 1), ((4, 3),)),
    ("softmax", lambda x: F.softmax(x, 0), ((4, 3),)),
    ("log_softmax", lambda x: F.log_softmax(x, -1), ((4, 3),)),
    ("conv1d", lambda x, w, b: F.conv1d(x, w, b, 2, padding=1), ((2, 3, 7), (2, 3, 3), (2,))),
    ("conv2d", lambda x, w, b: F.conv2d(x, w, b), ((2, 2, 5, 5), (3, 2, 3, 3), (3,))),
    ("conv2d", lambda x, w: F.conv2d(x, w, padding=1, dilation=2), ((2, 2, 5, 6), (2, 2, 3, 2))),
    ("conv2d", lambda x, w: F.conv2d(x, w, padding="same"), ((2, 5, 6), (2, 2, 3, 3))),
    ("max_pool2d", lambda x: F.max_pool2d(x, 2), ((2, 2, 4, 4),)),
    ("max_pool2d", lambda x: F.max_pool2d(x, 3, stride=1, padding=1), ((1, 2, 4, 4),)),
    ("max_pool1d", lambda x: F.max_pool1d(x, 2), ((2, 2, 6),)),
    ("avg_pool2d", lambda x: F.avg_pool2d(x, 2, stride=1, padding=1), ((2, 2, 4, 4),)),
    ("reshape", lambda x: x.reshape(2, 6), ((3, 4),)),
    ("transpose", lambda x: x.transpose(0, 1), ((3, 4),)),
    ("permute", lambda x: x.permute(2, 0, 1), ((2, 3, 4),)),
    ("unsqueeze", lambda x: x.unsqueeze(1), ((3, 4),)),
    ("expand", lambda x: x.expand(3, 4), ((1, 4),)),
    ("embedding", lambda w: F.embedding(CLASSES, w), ((3, 2),)),
    ("layer_norm", lambda x, w, b: F.layer_norm(x, (4,), w, b), ((3, 4), (4,), (4,))),
]  # fmt: skip


def recorded(call: Callable, shapes: tuple, lens: str | None) -> Any:
    torch.manual_seed(1)
    inputs = [torch.randn(*shape, requires_grad=True) for shape in shapes]
    with observe.record(budget=1e9) as recording:
        if lens:
            recording.look_into(ops={lens})
        y = call(*inputs)
        (y * torch.randn(*y.shape)).sum().backward()
    return recording


@pytest.mark.parametrize("lens", [True, False], ids=["lens", "thumbnails"])
@pytest.mark.parametrize("name, call, shapes", CASES, ids=lambda c: c if isinstance(c, str) else "")
def test_every_rule_comes_to_the_engines_numbers(name, call, shapes, lens) -> None:
    recording = recorded(call, shapes, name if lens else None)
    graph, snapshot = recording.graph(), recording.snapshot()
    node = next(n["id"] for n in graph["nodes"] if n["name"] == name)
    given = gather(recording, snapshot["step"], graph, snapshot, node)
    for index in itertools.islice(np.ndindex(given.output.shape), 40):
        line = substitution.forward(name, given, index)
        assert line is not None, index
        assert line["value"] == pytest.approx(float(given.output[index]), rel=1e-6)
        assert "<math" in mathml(line["latex"])
    rules = substitution.BACKWARD.get(name, {})
    assert set(given.gradients) >= set(rules) & set(given.arguments) or not rules
    for argument in set(rules) & set(given.gradients):
        sent = given.gradients[argument]
        for index in itertools.islice(np.ndindex(sent.shape), 40):
            line = substitution.backward(name, given, argument, index)
            assert line is not None, (argument, index)
            assert line["value"] == float(sent[index])


def test_the_numbers_read_as_an_equation() -> None:
    x = torch.tensor([[0.31, -0.4]], requires_grad=True)
    with observe.record() as recording:
        F.linear(x, torch.tensor([[1.2, 0.55]]), torch.tensor([0.1])).sum().backward()
    graph, snapshot = recording.graph(), recording.snapshot()
    linear = next(n["id"] for n in graph["nodes"] if n["name"] == "linear")
    given = gather(recording, 0, graph, snapshot, linear)
    line = substitution.forward("linear", given, (0, 0))
    expected = r"y_{0,0} = 0.31 \cdot 1.2 - 0.4 \cdot 0.55 + 0.1 \approx 0.252"
    assert line["latex"] == expected


def test_long_sums_show_their_first_and_last_terms_and_the_true_total() -> None:
    with observe.record() as recording:
        torch.arange(30.0).sum()
    graph, snapshot = recording.graph(), recording.snapshot()
    given = gather(recording, 0, graph, snapshot, 1)
    line = substitution.forward("sum", given, ())
    assert line["latex"] == r"y = 0 + 1 + 2 + \dots + 29 \approx 435" and line["terms"] == 30


def test_where_the_arrays_are_cut_or_the_rule_would_be_wrong_nothing_is_said() -> None:
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"mean", "sort"}, limit=200)
        torch.randn(100, 5).mean()
    graph, snapshot = recording.graph(), recording.snapshot()
    given = gather(recording, 0, graph, snapshot, 1)
    assert given.arguments["input"].shape == (10, 5)
    assert substitution.forward("mean", given, ()) is None
    assert substitution.forward("cumsum", given, ()) is None
    given.arguments["input"] = np.zeros((100, 5))  # not what the engine had
    assert substitution.forward("mean", given, ()) is None
    for index in ((0,), (-1, 0)):
        assert substitution.forward("mean", given, index) is None


def test_no_rule_writes_a_number_that_is_none() -> None:
    with observe.record() as recording:
        torch.log(torch.tensor([0.0, -1.0, 1.0]))
    graph, snapshot = recording.graph(), recording.snapshot()
    given = gather(recording, 0, graph, snapshot, 1)
    lines = [substitution.forward("log", given, (i,)) for i in range(3)]
    assert [re.search(r"\S+$", line["latex"])[0] for line in lines] == [
        r"-\infty", r"\mathrm{NaN}", "0",
    ]  # fmt: skip
