"""Training with grids in sight: the same losses and gradients as PyTorch's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import labtorch
from labtorch import nn
from labtorch import quantization as q
from tests.oracle import same_error
from tests.quantization.both import carried, numbers, pair

pytestmark = pytest.mark.oracle


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*deprecated|.*reduce_range")
        yield


def network(t: Any) -> Any:
    n = t.nn
    return n.Sequential(
        n.Conv2d(2, 6, 3, padding=1), n.BatchNorm2d(6), n.ReLU(),
        n.Conv2d(6, 4, 3, stride=2), n.ReLU(),
        n.Flatten(), n.Linear(16, 8), n.ReLU(), n.Linear(8, 3),
    )  # fmt: skip


FUSED = [["0", "1", "2"], ["3", "4"], ["6", "7"]]


def trained(t: Any, model: Any, steps: int, backend: str = "qnnpack") -> tuple:
    """A prepared model after some steps, the losses, and the gradients of the first step."""
    flow = t.ao.quantization
    model = flow.QuantWrapper(flow.fuse_modules_qat(model.train(), FUSED))
    model.qconfig = flow.get_default_qat_qconfig(backend, version=0)
    model.train()
    model = flow.prepare_qat(model)
    optimizer = t.optim.SGD(model.parameters(), lr=0.05)
    losses, first = [], {}
    for i in range(steps):
        x, y = t.from_numpy(numbers(16, 2, 6, 6, seed=i)), t.arange(16) % 3
        optimizer.zero_grad()
        loss = t.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        first = first or {n: p.grad.numpy().copy() for n, p in model.named_parameters()}
        optimizer.step()
        losses.append(loss.item())
    return model, losses, first


@pytest.mark.parametrize("backend", ["qnnpack", "x86"])
def test_losses_and_gradients_are_pytorchs(backend):
    import torch

    ours, theirs = (
        trained(t, model, 3, backend) for t, model in zip((labtorch, torch), pair(network))
    )
    np.testing.assert_allclose(ours[1], theirs[1], rtol=2e-2)
    np.testing.assert_allclose(ours[1][0], theirs[1][0], rtol=1e-4)
    assert ours[2].keys() == theirs[2].keys()
    # the odd number that lies between two codes falls to another side: most gradients are equal
    near = [
        np.isclose(a, theirs[2][name], rtol=1e-2, atol=1e-4).mean() for name, a in ours[2].items()
    ]
    assert np.mean(near) > 0.9
    assert ours[0].state_dict().keys() == theirs[0].state_dict().keys()


def test_what_pytorch_has_trained_converts_to_the_same():
    import torch

    theirs, _, _ = trained(torch, pair(network)[1], 3)
    ours, _, _ = trained(labtorch, network(labtorch), 1)
    ours.load_state_dict(carried(theirs.state_dict(), torch, labtorch))
    x = numbers(8, 2, 6, 6, seed=9)
    small = [
        t.ao.quantization.convert(model.eval()) for t, model in ((labtorch, ours), (torch, theirs))
    ]
    y, reference = small[0](labtorch.from_numpy(x)).numpy(), small[1](torch.from_numpy(x)).numpy()
    assert abs(y - reference).max() <= 2.001 * small[0].module[8].scale
    assert list(small[0].state_dict()) == list(small[1].state_dict())


def test_a_prepared_model_computes_nearly_what_converts():
    model, _, _ = trained(labtorch, network(labtorch), 5)
    model.eval().apply(q.disable_observer)
    x = labtorch.from_numpy(numbers(8, 2, 6, 6, seed=9))
    with labtorch.no_grad():
        near = model(x)
        small = q.convert(model)
        assert abs(small(x) - near).max().item() <= 3 * small.module[8].scale


def test_training_lowers_the_loss():
    labtorch.manual_seed(0)
    model = q.QuantWrapper(network(labtorch).train())
    model.qconfig = q.get_default_qat_qconfig()
    model.train()
    model = q.prepare_qat(model)
    optimizer = labtorch.optim.Adam(model.parameters(), lr=0.03)
    x, y = labtorch.from_numpy(numbers(32, 2, 6, 6)), labtorch.arange(32) % 3
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_a_frozen_norm_stays_frozen():
    model, _, _ = trained(labtorch, network(labtorch), 1)
    conv = model.module[0]
    model.apply(q.qat.freeze_bn_stats).train()
    before = conv.bn.running_mean.clone()
    model(labtorch.from_numpy(numbers(4, 2, 6, 6)))
    assert not conv.bn.training and (conv.bn.running_mean == before).all()
    model.apply(q.qat.update_bn_stats)
    model(labtorch.from_numpy(numbers(4, 2, 6, 6)))
    assert (conv.bn.running_mean != before).any()


def test_parameters_are_shared_with_the_fused_layers():
    layer = nn.Linear(3, 2)
    layer.qconfig = q.default_qat_qconfig
    made = q.qat.Linear.from_float(layer)
    assert made.weight is layer.weight and made.to_float().weight is layer.weight


def test_embeddings_train_on_grids_of_their_own():
    import torch

    found = []
    for t, model in zip((labtorch, torch), pair(lambda t: t.nn.Sequential(t.nn.Embedding(9, 4)))):
        flow = t.ao.quantization
        model.qconfig = flow.default_embedding_qat_qconfig
        model.train()
        ready = flow.prepare_qat(model, flow.get_embedding_qat_module_mappings())
        y = ready(t.tensor([1, 2, 8]))
        small = flow.convert(ready.eval(), flow.get_embedding_static_quant_module_mappings())
        found.append((y.detach().numpy(), small(t.tensor([1, 2, 8])).numpy()))
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_model_in_eval_mode_is_refused():
    same_error(
        lambda t: t.ao.quantization.prepare_qat(t.nn.Sequential(t.nn.Linear(2, 2)).eval()),
        match="prepare_qat only works on models in training mode",
    )
    same_error(lambda t: t.ao.nn.qat.Linear(2, 2), match="qconfig must be provided")
    same_error(lambda t: t.ao.nn.qat.Linear.from_float(t.nn.Linear(2, 2)), parent=AssertionError)
