"""The graph behind tensors that exist already, read from their nodes."""

import dataclasses

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe
from labtorch.observe.autograd_graph import tensors_in


def names(graph):
    return [node["name"] for node in graph["nodes"]]


def test_it_is_the_graph_that_a_recording_sees():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    x, t = torch.randn(5, 3), torch.tensor([0, 1, 0, 1, 1])
    with observe.record(budget=1e9) as recording:
        loss = nn.functional.cross_entropy(model(x), t)
    graph, snapshot = observe.autograd_graph(loss)
    recorded = recording.graph()
    for one in (graph, recorded):
        one["shown"] = sorted((n["kind"], n["name"], n["shape"], n["dtype"]) for n in one["nodes"])
    assert graph["shown"] == recorded["shown"]
    assert [s["path"] for s in graph["scopes"]] == [s["path"] for s in recorded["scopes"]]
    ends = {
        (names(g)[e["source"]], names(g)[e["target"]], e["argument"], tuple(e["shape"]))
        for g in (graph, recorded)
        for e in g["edges"]
    }
    assert len(ends) == len(graph["edges"]) == len(recorded["edges"])
    assert snapshot["loss"] == pytest.approx(loss.item())


def test_values_and_gradients_are_those_that_are_kept():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.exp(w)
    loss = y.sum()
    loss.backward(retain_graph=True)
    graph, snapshot = observe.autograd_graph(loss)
    rows = dict(zip(names(graph), snapshot["rows"]))
    assert rows["exp"]["value"]["mean"] == pytest.approx(np.exp([1, 2]).mean())
    assert rows["w"]["grad"]["norm"] == pytest.approx(np.linalg.norm(np.exp([1, 2])))
    assert rows["exp"]["grad"] is None and rows["exp"]["forward_seconds"] is None


def test_looking_changes_nothing():
    w = torch.ones(3, requires_grad=True)
    seen = []
    w.register_hook(seen.append)
    y = torch.relu(w * 2)
    observe.autograd_graph(y)
    assert seen == [] and w.grad is None
    y.sum().backward()  # the graph is still there
    np.testing.assert_array_equal(w.grad.numpy(), [2, 2, 2])


def test_a_freed_graph_is_drawn_with_what_is_left_of_it():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    loss = model(torch.randn(5, 3)).sum()
    loss.backward()
    graph, _ = observe.autograd_graph(loss)
    assert [n for n in names(graph) if "." not in n] == ["linear", "relu", "linear", "sum"]
    assert {n["dtype"] for n in graph["nodes"]} == {"float32", "unknown"}


def test_tensors_are_found_in_containers():
    @dataclasses.dataclass
    class Pair:
        a: object
        b: object

    a, b, c = (torch.ones(1) for _ in range(3))
    loop = [a]
    loop.append(loop)
    assert list(tensors_in({"x": Pair(a, (b, [c])), "y": loop})) == [a, b, c]
    with pytest.raises(TypeError, match="found none in int"):
        observe.autograd_graph(3)


def test_a_chain_of_any_length_is_walked():
    x = torch.ones(1, requires_grad=True)
    for _ in range(5000):
        x = x + 1
    assert len(observe.autograd_graph(x)[0]["nodes"]) == 5001
