"""Recurrent layers: PyTorch's values, gradients and errors; packed sequences; what can be seen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import labtorch
from labtorch.nn.utils import rnn
from tests.oracle import randn, same, same_error

KINDS = ["LSTM", "GRU", "RNN"]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2, "batch_first": True},
    {"num_layers": 3, "bidirectional": True, "bias": False},
    {"num_layers": 2, "dropout": 0.0, "bidirectional": True},
]


def layer(torch: Any, kind: str, *args: Any, **options: Any) -> Any:
    """A layer in double precision whose weights do not depend on the engine."""
    made = getattr(torch.nn, kind)(*args, **options).double()
    for at, weight in enumerate(made.parameters()):
        with torch.no_grad():
            weight.copy_(torch.from_numpy(0.4 * randn(*weight.shape, seed=at + 10)))
    return made


def with_gradients(torch: Any, module: Any, outputs: list) -> list:
    """The outputs, and the gradients of all weights for a loss made of all of them."""
    loss = sum((y * y).sum() for y in outputs)
    return [*outputs, *torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)]


def flat(result: Any) -> list:
    output, last = result
    return [output, *(last if isinstance(last, tuple) else [last])]


@pytest.mark.oracle
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("given", [True, False])
def test_layers_are_pytorchs(kind: str, options: dict, given: bool):
    count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)

    def run(torch: Any, x: Any, h: Any, c: Any) -> Any:
        module = layer(torch, kind, 3, 4, **options)
        state = ((h, c) if kind == "LSTM" else h) if given else None
        return with_gradients(torch, module, flat(module(x, state)))

    x = randn(2, 5, 3) if options.get("batch_first") else randn(5, 2, 3)
    same(run, x, randn(count, 2, 4, seed=1), randn(count, 2, 4, seed=2))


@pytest.mark.oracle
@pytest.mark.parametrize("steps", [1, 2, 6])
def test_layers_that_are_computed_together_are_pytorchs(steps: int):
    def run(torch: Any, x: Any, h: Any, c: Any) -> Any:
        module = layer(torch, "LSTM", 2, 3, 4)
        return with_gradients(torch, module, flat(module(x, (h, c))))

    same(run, randn(steps, 2, 2), randn(4, 2, 3, seed=1), randn(4, 2, 3, seed=2))


@pytest.mark.oracle
def test_projections_and_relu_are_pytorchs():
    def projected(torch: Any, x: Any) -> Any:
        module = layer(torch, "LSTM", 3, 4, 2, bidirectional=True, proj_size=2)
        return with_gradients(torch, module, flat(module(x)))

    def relu(torch: Any, x: Any) -> Any:
        module = layer(torch, "RNN", 3, 4, 2, "relu")
        return with_gradients(torch, module, flat(module(x)))

    same(projected, randn(5, 2, 3))
    same(relu, randn(5, 2, 3))


@pytest.mark.oracle
@pytest.mark.parametrize("kind", KINDS)
def test_unbatched_input_is_pytorchs(kind: str):
    def run(torch: Any, x: Any, h: Any, c: Any) -> Any:
        module = layer(torch, kind, 3, 4)
        return flat(module(x)) + flat(module(x, (h, c) if kind == "LSTM" else h))

    same(run, randn(5, 3), randn(1, 4, seed=1), randn(1, 4, seed=2))


@pytest.mark.oracle
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[4, 3, 1], [2, 4, 3]])
def test_packed_sequences_are_pytorchs(kind: str, lengths: list[int]):
    def run(torch: Any, x: Any, h: Any, c: Any) -> Any:
        module = layer(torch, kind, 3, 4, 2, bidirectional=True)
        pack = torch.nn.utils.rnn.pack_padded_sequence
        packed = pack(x, lengths, enforce_sorted=lengths[0] == 4)
        output, last = module(packed, (h, c) if kind == "LSTM" else h)
        padded, found = torch.nn.utils.rnn.pad_packed_sequence(output, True, -1.0, 6)
        states = list(last) if kind == "LSTM" else [last]
        results = with_gradients(torch, module, [padded, *states])
        return [*results, output.data, output.batch_sizes, found, *flat(module(packed))[1:]]

    same(run, randn(5, 3, 3), randn(4, 3, 4, seed=1), randn(4, 3, 4, seed=2))


@pytest.mark.oracle
def test_sequence_helpers_are_pytorchs():
    def run(torch: Any, a: Any, b: Any, c: Any) -> Any:
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_sequence([a, b, c], enforce_sorted=False)
        left = rnn.pad_sequence([a, b, c], True, 9.0, "left")
        padded = rnn.pad_sequence([a, b, c])
        unpadded = rnn.unpad_sequence(padded.clone(), torch.tensor([2, 4, 1]))
        return [*packed, left, padded, *unpadded, *rnn.unpack_sequence(packed)]

    same(run, randn(2, 3), randn(4, 3, seed=1), randn(1, 3, seed=2))
    same(
        lambda t, p: [t.nn.utils.rnn.invert_permutation(p)], np.array([2, 0, 3, 1]), gradients=False
    )


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("lengths", "match"),
    [
        ([2, 4], "sorted in decreasing order"),
        ([4, 0], "has to be greater than 0"),
        ([4, 2, 1], "to be equal to batch_size, but got 3"),
    ],
)
def test_packing_refuses_what_pytorch_refuses(lengths: list[int], match: str):
    same_error(
        lambda t, x: t.nn.utils.rnn.pack_padded_sequence(x, lengths), randn(4, 2, 3), match=match
    )


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda t, m, x: m(x[0, 0]), "Expected input to be 2D or 3D, got 1D"),
        (lambda t, m, x: m(x.float()), "does not match weight dtype"),
        (lambda t, m, x: m(x[..., :2]), "must be equal to input_size"),
        (lambda t, m, x: m(x, (x, x)), "Expected hidden[0] size"),
        (lambda t, m, x: m(x, (x, x[0])), "but got (3-D, 2-D) tensors"),
        (lambda t, m, x: m(x[0], (x, x)), "For unbatched 2-D input, hx and cx should also be 2-D"),
        (lambda t, m, x: m(x[:0]), "Expected sequence length to be larger than 0"),
        (lambda t, m, x: t.nn.GRU(3, 4, proj_size=2), "only supported for LSTM"),
        (lambda t, m, x: t.nn.RNN(3, 4, nonlinearity="id"), "Unknown nonlinearity 'id'"),
    ],
)
def test_layers_refuse_what_pytorch_refuses(call: Any, match: str):
    same_error(lambda t, x: call(t, layer(t, "LSTM", 3, 4), x), randn(4, 2, 3), match=match)


@pytest.mark.oracle
@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells_are_pytorchs(kind: str):
    def run(torch: Any, x: Any, h: Any, c: Any) -> Any:
        module = layer(torch, kind, 3, 4)
        results = [module(x), module(x, (h, c) if kind[0] == "L" else h), module(x[0])]
        return with_gradients(
            torch, module, [y for each in results for y in (each if kind[0] == "L" else [each])]
        )

    same(run, randn(2, 3), randn(2, 4, seed=1), randn(2, 4, seed=2))


@pytest.mark.oracle
def test_functions_are_pytorchs():
    def run(torch: Any, x: Any, h: Any, c: Any) -> Any:
        module = layer(torch, "LSTM", 3, 4, 2)
        weights = list(module.parameters())
        y = torch.lstm(x, (h, c), weights, True, 2, 0.0, True, False, False)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, [5, 2])
        z = torch.lstm(packed.data, packed.batch_sizes, (h, c), weights, True, 2, 0.0, True, False)
        return [*y, *z]

    same(run, randn(5, 2, 3), randn(2, 2, 4, seed=1), randn(2, 2, 4, seed=2))


@pytest.mark.oracle
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_gradients_are_pytorchs(kind: str):
    def run(torch: Any, x: Any) -> Any:
        module = layer(torch, kind, 2, 3, 2, bidirectional=True)
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, [3, 2])
        output = module(packed)[0].data
        (first,) = torch.autograd.grad((output**2).sum(), x, create_graph=True)
        return list(torch.autograd.grad((first**2).sum(), [x, *module.parameters()]))

    same(run, randn(3, 2, 2), gradients=True)


@pytest.mark.oracle
def test_names_and_repr_are_pytorchs():
    import torch

    for options in (*OPTIONS, {"proj_size": 2, "num_layers": 2, "dropout": 0.5}):
        ours, theirs = labtorch.nn.LSTM(3, 4, **options), torch.nn.LSTM(3, 4, **options)
        assert repr(ours) == repr(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert ours._flat_weights_names == theirs._flat_weights_names
        shapes = [[tuple(w.shape) for w in each] for each in theirs.all_weights]
        assert [[tuple(w.shape) for w in each] for each in ours.all_weights] == shapes
    ours.flatten_parameters()


# ------------------------------------------------------------------------ without an oracle
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("packed", [False, True])
def test_unrolled_gives_the_same_in_nodes_for_every_step(kind: str, packed: bool):
    module = layer(labtorch, kind, 3, 4, 2, bidirectional=True)
    x = labtorch.tensor(randn(5, 2, 3), requires_grad=True)
    found = []
    for unroll in (False, True):
        module.unroll = unroll
        output, last = module(rnn.pack_padded_sequence(x, [5, 3]) if packed else x)
        output = output.data if packed else output
        state = last[-1] if kind == "LSTM" else last
        loss = (output * output).sum() + state.sum()
        gradients = labtorch.autograd.grad(loss, [x, *module.parameters()])
        found.append([output, state, *gradients])
    for fused, stepwise in zip(*found):
        np.testing.assert_allclose(fused.detach(), stepwise.detach(), 1e-12, 1e-12)
    assert found[0][0].grad_fn.op.name == kind.lower()
    assert found[1][0].grad_fn.op.name != kind.lower()
    assert found[1][0].grad_fn.function == (kind.lower() if kind != "RNN" else "rnn_tanh")


def test_a_node_keeps_its_inner_states():
    module = layer(labtorch, "LSTM", 3, 4, 2)
    output, (h, c) = module(labtorch.tensor(randn(5, 2, 3)))
    saved = output.grad_fn.saved
    i, f, g, o = (saved["gates"][..., at : at + 4] for at in range(0, 16, 4))
    hidden, cells = saved["hidden"], saved["cells"]
    assert saved["gates"].shape == (2, 5, 2, 16)
    assert hidden.shape == cells.shape == (2, 6, 2, 4)
    np.testing.assert_array_equal(hidden[1, 1:], output.detach())
    np.testing.assert_array_equal(hidden[:, -1], h.detach())
    np.testing.assert_array_equal(cells[:, -1], c.detach())
    np.testing.assert_allclose(cells[:, 1:], f * cells[:, :-1] + i * g, 1e-12)
    np.testing.assert_allclose(hidden[:, 1:], o * cells[:, 1:].tanh(), 1e-12)
    assert not np.shares_memory(hidden.numpy(), output.detach().numpy())


def test_dropout_lies_between_layers_and_only_in_training():
    module = layer(labtorch, "LSTM", 3, 4, 2, dropout=0.5)
    x = labtorch.tensor(randn(5, 2, 3))
    first, second = module(x)[0], module(x)[0]
    assert not np.array_equal(first.detach(), second.detach())
    module.eval()
    plain = layer(labtorch, "LSTM", 3, 4, 2)
    np.testing.assert_array_equal(module(x)[0].detach(), plain(x)[0].detach())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        labtorch.nn.GRU(3, 4, dropout=0.5)
    assert "num_layers greater than 1" in str(caught[0].message)


def test_packed_sequences_convert():
    packed = rnn.pack_sequence([labtorch.ones(2), labtorch.ones(3)], enforce_sorted=False)
    assert packed.double().data.dtype is labtorch.float64
    assert packed.to("cpu") is packed
    assert repr(packed).startswith("PackedSequence(data=tensor(")
