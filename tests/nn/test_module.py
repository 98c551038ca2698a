"""Module: what it registers, finds, converts, saves, loads, prints and calls."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import OrderedDict

import pytest

import labtorch
from labtorch import nn
from labtorch.engine import events
from tests.oracle import randn, same, same_error


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.second = nn.Linear(4, 2, bias=False)
        self.register_buffer("seen", labtorch.zeros(2))
        self.register_buffer("passing", labtorch.zeros(1), persistent=False)

    def forward(self, x):
        return self.second(self.first(x).relu())


def test_assignment_registers_parameters_buffers_and_modules_in_order():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "first.weight",
        "first.bias",
        "second.weight",
    ]
    assert [name for name, _ in net.named_buffers()] == ["seen", "passing"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "second"]
    assert list(net.state_dict()) == ["seen", "first.weight", "first.bias", "second.weight"]


def test_a_parameter_shared_by_two_modules_is_listed_once_and_saved_twice():
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 1
    assert len(list(net.named_parameters(remove_duplicate=False))) == 2
    assert list(net.state_dict()) == ["0.weight", "1.weight"]


@pytest.mark.oracle
@pytest.mark.parametrize(
    "attempt",
    [
        lambda t, m: setattr(m, "weight", 3),
        lambda t, m: setattr(m, "weight", t.ones(2)),
        lambda t, m: m.register_parameter("a.b", None),
        lambda t, m: m.register_parameter("", None),
        lambda t, m: m.register_parameter("p", t.ones(2)),
        lambda t, m: m.register_parameter("forward", None),
        lambda t, m: m.register_buffer("b", 3),
        lambda t, m: m.add_module("m", 3),
        lambda t, m: m.add_module("a.b", t.nn.Identity()),
        lambda t, m: m.nothing,
        lambda t, m: m.get_submodule("a.b"),
        lambda t, m: m.get_parameter("training"),
        lambda t, m: t.nn.Module()(1),
        lambda t, m: m.to(t.int64),
        lambda t, m: m.train("yes"),
        lambda t, m: m.load_state_dict([]),
        lambda t, m: t.nn.Module.__new__(t.nn.Linear).__setattr__("w", t.nn.Parameter(t.ones(1))),
        lambda t, m: t.nn.Module.__new__(t.nn.Linear).__setattr__("m", t.nn.ReLU()),
        lambda t, m: t.nn.ModuleList([m])[1],
        lambda t, m: t.nn.Sequential(m)[-2],
    ],
)
def test_wrong_use_is_refused_with_pytorchs_error(attempt):
    same_error(lambda t: attempt(t, t.nn.Linear(2, 3)))


def test_none_keeps_the_name_of_a_parameter():
    layer = nn.Linear(2, 3)
    layer.bias = None
    assert "bias" in layer._parameters and layer.bias is None
    assert layer(labtorch.ones(1, 2)).shape == (1, 3)
    layer.bias = nn.Parameter(labtorch.ones(3))
    assert len(list(layer.parameters())) == 2


def test_deleting_and_replacing_by_another_kind_moves_the_name():
    net = Net()
    del net.first
    assert not hasattr(net, "first") and "first" not in dir(net)
    net.second = nn.Parameter(labtorch.ones(1))
    assert "second" in net._parameters and "second" not in net._modules


def test_a_parametrised_weight_is_computed_by_the_attribute():
    class Doubled(nn.Linear):
        def __init__(self) -> None:
            super().__init__(2, 2, bias=False)
            self.original = nn.Parameter(labtorch.eye(2))
            del self.weight

        def __getattr__(self, name):
            if name == "weight" and "original" in self._parameters:
                return self.original * 2
            return super().__getattr__(name)

    assert Doubled()(labtorch.tensor([[1.0, 3.0]])).tolist() == [[2.0, 6.0]]


def test_train_eval_and_requires_grad_reach_every_module():
    net = Net()
    assert all(not module.training for module in net.eval().modules())
    assert all(module.training for module in net.train().modules())
    assert all(not p.requires_grad for p in net.requires_grad_(False).parameters())


def test_zero_grad_drops_or_fills():
    net = Net()
    net(labtorch.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all((p.grad == 0).all() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_conversion_keeps_the_parameters_identity_and_integers():
    net = Net()
    net.register_buffer("count", labtorch.tensor(3))
    before = list(net.parameters())
    net.double()
    assert all(a is b for a, b in zip(before, net.parameters()))
    assert {p.dtype for p in net.parameters()} == {labtorch.float64}
    assert net.seen.dtype == labtorch.float64 and net.count.dtype == labtorch.int64
    assert next(net.to(labtorch.float32).parameters()).dtype == labtorch.float32


def test_apply_goes_from_the_inside_out():
    order = []
    nn.Sequential(nn.ReLU(), nn.Tanh()).apply(lambda m: order.append(type(m).__name__))
    assert order == ["ReLU", "Tanh", "Sequential"]


# -------------------------------------------------------------------- state
def test_state_dict_shares_memory_and_load_copies_into_the_same_memory():
    net, other = Net(), Net()
    state = net.state_dict()
    with labtorch.no_grad():
        net.second.weight[...] = 7.0
    assert (state["second.weight"] == 7).all()
    held = other.second.weight
    assert repr(other.load_state_dict(state)) == "<All keys matched successfully>"
    assert other.second.weight is held and (held == 7).all()


@pytest.mark.oracle
@pytest.mark.parametrize(
    "change",
    [
        lambda t, state: state.pop("0.bias"),
        lambda t, state: state.update(extra=t.ones(1)),
        lambda t, state: state.update({"0.bias": t.ones(5)}),
        lambda t, state: state.update({"0.bias": 3, "1.weight": t.ones(1)}),
    ],
)
def test_a_state_that_does_not_fit_is_refused_in_pytorchs_words(change):
    def attempt(t):
        net = t.nn.Sequential(t.nn.Linear(2, 3), t.nn.Linear(3, 2))
        state = net.state_dict()
        change(t, state)
        net.load_state_dict(state)

    error = same_error(attempt, match="Error(s) in loading state_dict for Sequential:\n\t")
    try:
        import torch

        attempt(torch)
    except RuntimeError as reference:
        assert str(error) == str(reference)


def test_nothing_is_copied_when_one_shape_is_wrong():
    net = Net()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = {name: value + 1 for name, value in before.items()}
    state["second.weight"] = labtorch.ones(9)
    with pytest.raises(RuntimeError, match="size mismatch for second.weight"):
        net.load_state_dict(state)
    assert all((net.state_dict()[name] == value).all() for name, value in before.items())


def test_without_strict_the_names_that_fit_are_loaded():
    net = Net()
    result = net.load_state_dict({"seen": labtorch.ones(2), "more": labtorch.ones(1)}, strict=False)
    assert result.unexpected_keys == ["more"]
    assert result.missing_keys == ["first.weight", "first.bias", "second.weight"]
    assert (net.seen == 1).all()


def test_assign_takes_the_tensors_themselves():
    net = nn.Linear(2, 2, bias=False)
    given = labtorch.ones(2, 2)
    net.load_state_dict({"weight": given}, assign=True)
    assert isinstance(net.weight, nn.Parameter) and net.weight.requires_grad
    assert net.weight.data_ptr() == given.data_ptr()


def test_extra_state_is_saved_and_restored():
    class Counting(nn.Module):
        calls = 0

        def get_extra_state(self):
            return {"calls": self.calls}

        def set_extra_state(self, state):
            self.calls = state["calls"]

    module = Counting()
    module.calls = 5
    other = Counting()
    other.load_state_dict(module.state_dict())
    assert list(module.state_dict()) == ["_extra_state"] and other.calls == 5


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_has_the_same_values_and_memory_of_its_own(copied):
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    net(labtorch.ones(1, 2)).sum().backward()
    twin = copied(net)
    assert twin[0].weight is not net[0].weight and isinstance(twin[0].weight, nn.Parameter)
    assert twin[0].weight.requires_grad and twin[0].weight.grad is None or copied is copy.deepcopy
    with labtorch.no_grad():
        twin[0].weight[...] = 9.0
    assert (net[0].weight != 9).all()
    assert twin(labtorch.ones(1, 2)).shape == (1, 3)


def test_a_shared_parameter_is_still_shared_in_a_copy():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    twin = copy.deepcopy(net)
    assert twin[1].weight is twin[0].weight


# -------------------------------------------------------------------- text
@pytest.mark.oracle
@pytest.mark.parametrize(
    "build",
    [
        lambda n: n.Sequential(n.Linear(2, 3), n.ReLU(inplace=True), n.Dropout(0.2)),
        lambda n: n.Sequential(OrderedDict(a=n.Linear(2, 3, bias=False), b=n.Sequential(n.Tanh()))),
        lambda n: n.ModuleList([n.Linear(2, 2), n.Linear(2, 2), n.GELU("tanh"), n.Linear(2, 2)]),
        lambda n: n.ModuleDict({"x": n.Embedding(5, 3, padding_idx=0), "y": n.Identity()}),
        lambda n: n.ModuleList([n.Sequential(n.Flatten(), n.Unflatten(1, (2, 2)))] * 2),
        lambda n: n.CrossEntropyLoss(),
        lambda n: n.LayerNorm((3, 4)),
        lambda n: n.Bilinear(2, 3, 4),
    ],
)
def test_modules_print_as_pytorchs(build):
    same(lambda t: repr(build(t.nn)))


@pytest.mark.oracle
def test_a_parameter_prints_as_pytorchs():
    same(lambda t, x: repr(t.nn.Parameter(x)), randn(2, 3, dtype="float32"), gradients=False)


# -------------------------------------------------------------------- hooks
def test_forward_hooks_see_and_replace_arguments_and_result():
    layer, seen = nn.Identity(), []
    layer.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    handle = layer.register_forward_hook(lambda m, args, out: seen.append(out.item()) or out * 10)
    assert layer(labtorch.tensor(1.0)).item() == 20 and seen == [2.0]
    handle.remove()
    assert layer(labtorch.tensor(1.0)).item() == 2


def test_hooks_with_kwargs_and_prepend_run_in_order():
    class Add(nn.Module):
        def forward(self, x, by=0):
            return x + by

    module, order = Add(), []
    module.register_forward_hook(lambda *_: order.append("second"))
    module.register_forward_hook(lambda *_: order.append("first"), prepend=True)
    module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"by": kwargs["by"] * 2}), with_kwargs=True
    )
    assert module(labtorch.tensor(1.0), by=2).item() == 5 and order == ["first", "second"]


def test_a_hook_that_is_always_called_is_called_when_forward_fails():
    class Broken(nn.Module):
        def forward(self):
            raise ValueError("broken")

    module, called = Broken(), []
    module.register_forward_hook(lambda *_: called.append(1), always_call=True)
    with pytest.raises(ValueError, match="broken"):
        module()
    assert called == [1]


@pytest.mark.oracle
@pytest.mark.parametrize("input_requires_grad", [True, False])
def test_full_backward_hooks_see_pytorchs_gradients(input_requires_grad):
    x, w = randn(3, 4, dtype="float32"), randn(2, 4, dtype="float32", seed=1)

    def expression(t, x, w):
        layer, seen = t.nn.Linear(4, 2, bias=False), []
        layer.weight = t.nn.Parameter(w)
        layer.register_full_backward_pre_hook(lambda m, g: (g[0] * 3,))
        layer.register_full_backward_hook(lambda m, gi, go: seen.extend([gi[0], go[0]]))
        x.requires_grad_(input_requires_grad)
        (layer(x) ** 2).sum().backward()
        return [layer.weight.grad, x.grad, *seen]

    same(expression, x, w, gradients=False)


@pytest.mark.oracle
def test_a_full_backward_hook_replaces_the_gradient_of_the_input():
    def expression(t, x):
        layer = t.nn.Tanh()
        layer.register_full_backward_hook(lambda m, gi, go: (gi[0] * 2,))
        return layer(x)

    same(expression, randn(3, 4, dtype="float32"))


def test_state_dict_hooks_may_rename():
    layer = nn.Linear(1, 1)

    def rename(module, state, prefix, metadata):
        state[prefix + "slope"] = state.pop(prefix + "weight")

    layer.register_state_dict_post_hook(rename)
    assert list(layer.state_dict()) == ["bias", "slope"]


# -------------------------------------------------------------------- scopes
def test_every_node_knows_the_modules_it_was_made_in():
    net = Net()
    node = net(labtorch.ones(1, 3)).grad_fn
    outer, inner, _ = node.scope
    assert inner() is net.second and outer[1]() is net and outer[0] is None


def test_the_scope_is_left_also_when_forward_fails():
    net = Net()
    with pytest.raises(RuntimeError):
        net(labtorch.ones(1, 5))
    assert labtorch.engine.thread.current().scope is None


def test_watchers_hear_of_scopes_in_order_with_a_number_per_call():
    heard = []

    class Ear(events.Watcher):
        def scope_entered(self, scope):
            heard.append(("in", type(scope[1]()).__name__, scope[2]))

        def scope_left(self, scope):
            heard.append(("out", type(scope[1]()).__name__, scope[2]))

    net = nn.Sequential(nn.ReLU())
    with events.watch(Ear()):
        net(labtorch.ones(1))
    assert [each[:2] for each in heard] == [
        ("in", "Sequential"),
        ("in", "ReLU"),
        ("out", "ReLU"),
        ("out", "Sequential"),
    ]
    assert heard[0][2] == heard[3][2] < heard[1][2]


def test_a_model_is_freed_by_counting_references():
    gc.collect()
    gc.disable()
    try:
        net = Net()
        alive = weakref.ref(net)
        loss = net(labtorch.ones(1, 3)).sum()
        loss.backward()
        del net, loss
        assert alive() is None
    finally:
        gc.enable()


@pytest.mark.oracle
def test_a_prefix_is_taken_from_a_state_dict_as_by_pytorch():
    torch = pytest.importorskip("torch")
    from labtorch.nn.modules.utils import consume_prefix_in_state_dict_if_present as ours

    theirs = torch.nn.modules.utils.consume_prefix_in_state_dict_if_present
    states = []
    for library, consume in ((labtorch, ours), (torch, theirs)):
        n = library.nn
        state = n.DataParallel(n.Sequential(n.Linear(1, 1), n.BatchNorm1d(1))).state_dict()
        consume(state, "module.")
        states.append((list(state), state._metadata))
    assert states[0] == states[1]
