"""The gradients of hidden states, against the unrolled layer's own and finite differences."""

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe
from labtorch.nn.utils.rnn import pack_padded_sequence
from labtorch.observe.sequences import Sequences, alone
from labtorch.observe.through_time import gradients_through_time

LAYERS = {
    "lstm": lambda: nn.LSTM(3, 4, 2, batch_first=True, dtype=torch.float64),
    "bidirectional lstm": lambda: nn.LSTM(3, 4, 2, bidirectional=True, dtype=torch.float64),
    "projected lstm": lambda: nn.LSTM(3, 4, proj_size=2, dtype=torch.float64),
    "gru": lambda: nn.GRU(3, 4, 2, batch_first=True, dtype=torch.float64),
    "rnn": lambda: nn.RNN(3, 4, dtype=torch.float64),
    "relu rnn": lambda: nn.RNN(3, 4, nonlinearity="relu", bias=False, dtype=torch.float64),
}


def recorded(layer, x, loss, **lens):
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"lstm", "gru", "rnn"}, **lens)
        output, last = layer(x)
        loss(output, last[0] if isinstance(last, tuple) else last).backward()
    node = next(n for n in recording.graph()["nodes"] if n["name"] in ("lstm", "gru", "rnn"))
    return recording.arrays(node["id"])


def half_squares(output, last):
    return (output**2).sum() / 2 + last.sum()


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("part", [None, Sequences(1, nbytes=1)])
def test_the_gradient_of_the_first_state_is_the_ops_own(name, part):
    torch.manual_seed(0)
    captured = recorded(LAYERS[name](), torch.randn(3, 5, 3).double(), half_squares, part=part)
    sequence = 1
    found = gradients_through_time(captured, sequence)
    at = sequence if part is None else 0
    own = captured.gradients["hx"][:, at] if captured.gradients.get("hx") is not None else None
    assert found.shape == alone(captured, sequence).states["hidden"].shape
    if own is not None:
        np.testing.assert_allclose(found[0, 0], own[0], atol=1e-12)


@pytest.mark.parametrize("name", ["lstm", "bidirectional lstm", "gru", "rnn", "relu rnn"])
def test_gradients_of_every_state_are_those_of_the_unrolled_layer(name):
    torch.manual_seed(1)
    layer, x = LAYERS[name](), torch.randn(3, 5, 3).double()
    found = gradients_through_time(recorded(layer, x, half_squares), 2)
    layer.unroll = True
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"mul", "add", "tanh", "relu"})
        output, last = layer(x)
        half_squares(output, last[0] if isinstance(last, tuple) else last).backward()
    graph = recording.graph()
    name_of = {n["id"]: n["name"] for n in graph["nodes"]}
    fed = [  # the states that the steps hand on: what the product with weight_hh takes
        next(e["source"] for e in graph["edges"] if e["target"] == n and e["argument"] == "input")
        for n in (
            e["target"] for e in graph["edges"] if name_of[e["source"]].startswith("weight_hh")
        )
    ]
    cotangents = [
        recording.arrays(node).cotangents[0][2]
        for node in fed
        if name_of[node] in ("mul", "add", "tanh", "relu")
    ]
    own = [g for layer_found in found for g in layer_found]
    assert cotangents
    for cotangent in cotangents:
        assert any(np.allclose(cotangent, g, atol=1e-12) for g in own)


def test_gradients_are_what_finite_differences_say():
    torch.manual_seed(2)
    layer = nn.GRU(2, 3, dtype=torch.float64)
    x = torch.randn(6, 1, 2).double()
    found = gradients_through_time(recorded(layer, x, half_squares), 0)
    with torch.no_grad():
        _, middle = layer(x[:3])
        for unit in range(3):
            nudge = torch.zeros(1, 1, 3).double()
            nudge[0, 0, unit] = 1e-6
            # what comes before step 3 is fixed; its own output counts in the loss, too
            up, down = (
                half_squares(*layer(x[3:], h)) + (h**2).sum() / 2
                for h in (middle + nudge, middle - nudge)
            )
            assert found[0, 3, unit] == pytest.approx(((up - down) / 2e-6).item(), rel=1e-6)


def test_packed_sequences_end_where_they_end():
    torch.manual_seed(3)
    layer = nn.LSTM(2, 3, bidirectional=True, dtype=torch.float64)
    x = torch.randn(6, 4, 2).double()
    packed = pack_padded_sequence(x, [6, 5, 3, 1])
    whole = recorded(layer, packed, lambda output, last: (output.data**2).sum() + last.sum())
    some = recorded(
        layer, packed, lambda output, last: (output.data**2).sum() + last.sum(),
        part=Sequences(2, nbytes=1),
    )  # fmt: skip
    assert some.part.kept == range(2, 3) and some.states["hidden"].shape[2] == 1
    for captured in (whole, some):
        call = alone(captured, 2)
        assert (call.steps, call.longest) == (3, 6)
        expected, (last, _) = layer(x[:3, 2:3])
        np.testing.assert_allclose(call.results[0], expected[:, 0].detach().numpy(), atol=1e-12)
        np.testing.assert_allclose(call.states["hidden"][0, 3], last[0, 0].detach().numpy())
        found = gradients_through_time(captured, 2)
        assert found.shape == (2, 4, 3)
    np.testing.assert_allclose(
        gradients_through_time(whole, 2), gradients_through_time(some, 2), atol=1e-12
    )
    single = recorded(layer, x[:3, 2:3], lambda output, last: (output**2).sum() + last.sum())
    np.testing.assert_allclose(
        gradients_through_time(single, 0), gradients_through_time(whole, 2), atol=1e-12
    )


def test_it_says_why_it_cannot():
    layer, x = nn.RNN(3, 4), torch.randn(5, 2, 3)
    captured = recorded(layer, x, half_squares)
    with pytest.raises(LookupError, match="sequence 2 was not kept"):
        gradients_through_time(captured, 2)
    small = recorded(layer, x, half_squares, limit=150)
    with pytest.raises(LookupError):
        gradients_through_time(small, 0)
    with observe.record(budget=1e9) as recording:
        recording.look_into(ops={"rnn"})
        layer(x)
    node = next(n for n in recording.graph()["nodes"] if n["name"] == "rnn")
    with pytest.raises(LookupError, match="no gradient came back"):
        gradients_through_time(recording.arrays(node["id"]), 0)


def test_an_rnns_gradient_vanishes_where_an_lstms_does_not():
    torch.manual_seed(4)
    shares = {}
    for kind in (nn.RNN, nn.LSTM):
        layer = kind(4, 16, batch_first=True)
        if kind is nn.LSTM:
            with torch.no_grad():
                layer.bias_hh_l0[16:32] = 5.0  # gates that forget nothing
        found = gradients_through_time(
            recorded(layer, torch.randn(1, 60, 4), lambda output, last: output[:, -1].sum()), 0
        )
        sizes = np.linalg.norm(found[0], axis=-1)
        shares[kind] = sizes[1] / sizes[-1]
    assert shares[nn.RNN] < 1e-6 < 1e-3 < shares[nn.LSTM]
