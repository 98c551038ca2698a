"""Training steps of the document's programs on a GPU: the CPU's numbers, and no hidden copies."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn
from tests.benchmarks import steps
from tests.gpu import standin as stand_in


def program(name, rule, device):
    """The model and a function that takes one step, from the same weights on any device."""
    engine = steps.Engine("labtorch")
    model, criterion, _, x, y = steps.PROGRAMS[name](engine, np.random.default_rng(0))
    draw = np.random.default_rng(1)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(engine.floats(0.1 * draw.standard_normal(tuple(p.shape))))
    model.to(device)
    x, y = x.to(device), y.to(device)
    options = {"lr": 0.01} | ({"momentum": 0.9} if rule == "SGD" else {})
    optimizer = getattr(torch.optim, rule)(model.parameters(), **options)

    def step():
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return model, step


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
@pytest.mark.parametrize("name", ["linear", "mlp", "cnn", "lstm"])
def test_steps_are_the_cpus(gpu, name, rule):
    (here, step), (there, step_there) = program(name, rule, "cpu"), program(name, rule, gpu)
    losses = [(step().item(), step_there().item()) for _ in range(3)]
    np.testing.assert_allclose(*zip(*losses), rtol=1e-4)
    for (what, p), q in zip(here.named_parameters(), there.parameters()):
        mine, theirs = q.grad.cpu().numpy(), p.grad.numpy()
        np.testing.assert_allclose(mine, theirs, 1e-3, 1e-3 * abs(theirs).max(), err_msg=what)


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
@pytest.mark.parametrize("name", ["linear", "mlp", "cnn", "lstm"])
def test_a_step_copies_nothing_that_was_not_asked_for(standin, name, rule):
    _, step = program(name, rule, "cuda")
    step()
    stand_in.crossings.clear()
    loss = step()
    asked = {"to device": 2} if name == "lstm" else {}  # by the program: h and c, from zeros
    assert stand_in.crossings == asked, dict(stand_in.places)
    loss.item()
    assert stand_in.crossings == asked | {"number": 1}


def test_a_label_without_a_class_shows_as_nan_on_a_gpu(gpu):
    x = torch.randn(3, 4, device=gpu, requires_grad=True)
    loss = nn.functional.cross_entropy(x, torch.tensor([0, 9, -100], device=gpu), reduction="none")
    assert torch.isfinite(loss).tolist() == [True, False, True]
    loss.sum().backward()
    assert torch.isnan(x.grad).any(1).tolist() == [False, True, False]
    assert torch.isnan(nn.functional.nll_loss(x, torch.tensor([0, 9, 1], device=gpu))).item()


def test_an_index_without_a_row_shows_as_nan_on_a_gpu(gpu):
    table = nn.Embedding(3, 2, device=gpu)
    rows = table(torch.tensor([0, 5, 2], device=gpu))
    assert torch.isnan(rows).any(1).tolist() == [False, True, False]
    with pytest.raises(IndexError, match="out of range"):
        nn.Embedding(3, 2)(torch.tensor([0, 5]))


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_a_captured_step_is_the_step(name):
    """What waits for the GPU cannot be captured: this, too, says that nothing does."""
    engine = steps.Engine("labtorch")
    model, criterion, _, x, y = steps.PROGRAMS[name](engine, np.random.default_rng(0))
    model, x, y = model.cuda(), x.cuda(), y.cuda()
    if name == "lstm":  # its program makes h and c on the host
        forward = lambda x: model.fc(model.lstm(x)[0][:, -1, :])  # noqa: E731
    else:
        forward = model
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, capturable=True)

    def step():
        loss = criterion(forward(x), y)
        loss.backward()
        optimizer.step()
        return loss

    with torch.cuda.stream(torch.cuda.Stream()):
        for _ in range(3):
            optimizer.zero_grad()
            step()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = {p: {k: v.clone() for k, v in s.items()} for p, s in optimizer.state.items()}
    optimizer.zero_grad()
    eager = [step().item()]
    for _ in range(2):
        optimizer.zero_grad()
        eager.append(step().item())
    model.load_state_dict(before)
    for p, kept in state.items():
        for key, value in kept.items():
            optimizer.state[p][key].copy_(value)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad()
    with torch.cuda.graph(graph):
        loss = step()
    replayed = []
    for _ in range(3):
        graph.replay()
        replayed.append(loss.item())
    np.testing.assert_allclose(replayed, eager, rtol=1e-4)
