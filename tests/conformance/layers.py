"""Run PyTorch's own samples of one layer in both engines: outputs, gradients, state and text."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from torch.testing._internal.common_modules import module_db

import labtorch
from tests.conformance import harness

INFOS = {info.name: info for info in module_db}
RANDOM = ("Dropout", "RReLU", "FractionalMaxPool")
SAMPLES = 8  # per layer and mode, spread over those that PyTorch has


def _samples(info: Any, training: bool, most: int) -> list[Any]:
    made = info.module_inputs_func(
        info, device="cpu", dtype=torch.float32, requires_grad=True, training=training
    )
    return made[:: max(1, -(-len(made) // most))]


def _copy_state(ours: Any, theirs: Any) -> None:
    state = {name: value.detach() for name, value in theirs.state_dict().items()}
    ours.load_state_dict({name: labtorch.tensor(value.numpy()) for name, value in state.items()})


def _flat(result: Any, kind: type) -> list[Any]:
    if isinstance(result, kind):
        return [result]
    if isinstance(result, (tuple, list)):
        return [each for part in result for each in _flat(part, kind)]
    return []


def _same(ours: Any, theirs: Any, what: str) -> None:
    assert (ours is None) == (theirs is None), what
    if theirs is None:
        return
    mine, theirs = torch.from_numpy(ours.detach().cpu().numpy().copy()), theirs.detach()
    finite = theirs[torch.isfinite(theirs)].abs() if theirs.is_floating_point() else torch.empty(0)
    largest = float(finite.max()) if finite.numel() else 1.0  # sums round by their largest terms
    said = lambda message: f"{what}: {message}"  # noqa: E731
    atol = 1e-4 * max(1.0, largest)
    torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=atol, equal_nan=True, msg=said)


def check_layer(name: str, device: str = "cpu", most: int = SAMPLES) -> None:
    """Assert that the layer, on a device, is PyTorch's on the CPU."""
    info, ran = INFOS[name], 0
    torch.manual_seed(0)
    labtorch.manual_seed(0)
    for training in (True, False):
        for sample in _samples(info, training, most):
            to = harness.Translation(device)
            given, call = sample.constructor_input, sample.forward_input
            try:
                arguments = to(given.args), to(given.kwargs)
                inputs = to(call.args), to(call.kwargs)
            except harness.Unposable:
                continue
            with warnings.catch_warnings(action="ignore"):
                theirs = info.module_cls(*given.args, **copy.deepcopy(given.kwargs))
                ours = harness.find(labtorch, name)(*arguments[0], **arguments[1]).to(device)
                assert repr(ours) == repr(theirs)
                lazy = "Lazy" in name
                if not lazy:
                    assert list(ours.state_dict()) == list(theirs.state_dict())
                    _copy_state(ours, theirs)
                theirs.train(training), ours.train(training)
                expected = theirs(*call.args, **call.kwargs)
                found = ours(*inputs[0], **inputs[1])
            ran += 1
            a, b = _flat(found, labtorch.Tensor), _flat(expected, torch.Tensor)
            assert [tuple(x.shape) for x in a] == [tuple(x.shape) for x in b]
            if lazy or any(word in name for word in RANDOM) and training:
                continue  # weights or draws are each engine's own
            for x, y in zip(a, b):
                _same(x, y, f"{name}: output for {sample.desc}")
            for key, value in theirs.state_dict().items():
                _same(ours.state_dict()[key], value, f"{name}: {key} after the call")
            roots = [i for i, y in enumerate(b) if y.requires_grad]
            if not roots:
                continue
            sum(b[i].float().pow(2).sum() for i in roots).backward()
            sum(a[i].float().pow(2).sum() for i in roots).backward()
            ours_by_name = dict(ours.named_parameters())
            for key, parameter in theirs.named_parameters():
                _same(ours_by_name[key].grad, parameter.grad, f"{name}: gradient of {key}")
            for source, mine in list(to.seen.values()):
                if source.requires_grad and source.is_leaf:
                    _same(mine.grad, source.grad, f"{name}: gradient of an input")
    assert ran, f"no sample of {name} could be run"
