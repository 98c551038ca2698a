"""Attention and the Transformer's layers, with PyTorch as the oracle."""

from __future__ import annotations

import copy
import math
import pickle
import warnings

import numpy as np
import pytest

import labtorch
from labtorch import nn
from labtorch.engine.events import Watcher, watch
from labtorch.nn import functional as F
from labtorch.nn.attention import SDPBackend, sdpa_kernel
from tests.oracle import randn, same, same_error

oracle = pytest.mark.oracle

Q, K, V = randn(2, 4, 3, 5), randn(2, 4, 6, 5, seed=1), randn(2, 4, 6, 7, seed=2)
SEEN = np.random.default_rng(0).random((3, 6)) < 0.6
SEEN[1] = False  # a query that may see nothing


# ---------------------------------------------------------------- the op
@oracle
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"attn_mask": SEEN},
        {"attn_mask": SEEN[2]},
        {"attn_mask": randn(4, 3, 6, seed=3), "scale": 0.3},
        {"attn_mask": np.where(SEEN, 0.0, -math.inf)},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_attention_is_pytorchs(options):
    if "attn_mask" in options and options["attn_mask"].ndim == 1:
        options = {"attn_mask": options["attn_mask"][None]}

    def expression(t, q, k, v, mask):
        given = options | ({} if mask is None else {"attn_mask": mask})
        return t.nn.functional.scaled_dot_product_attention(q, k, v, **given)

    same(expression, Q, K, V, options.get("attn_mask"))


@oracle
def test_heads_of_keys_can_be_shared_and_batches_broadcast():
    attention = lambda t, *x, **o: t.nn.functional.scaled_dot_product_attention(*x, **o)  # noqa: E731
    same(lambda t, q, k, v: attention(t, q, k, v, enable_gqa=True), Q, K[:, :2], V[:, :1])
    same(attention, Q, K[:1], V)
    same(attention, Q[0, 0], K[0, 0], V[0, 0])


@oracle
@pytest.mark.parametrize(
    ("inputs", "options", "match"),
    [
        ((Q, K, V), {"attn_mask": SEEN, "is_causal": True}, "Explicit attn_mask should not be set"),
        ((Q[0, 0, 0], K, V), {}, "to all be  at least 2 dimensional"),
        ((Q, K.astype("float32"), V), {}, "to have the same dtype"),
        ((Q, K, V), {"attn_mask": SEEN.astype(np.int64)}, "Expected attn_mask dtype to be bool"),
        ((Q, K, V), {"attn_mask": SEEN[:, :5]}, None),
        ((Q, K[..., :4], V), {}, None),
        ((Q, K, V[..., :4, :]), {}, None),
        ((Q, K[:, :3], V[:, :3]), {}, None),
        ((Q, K[:, :3], V[:, :3]), {"enable_gqa": True}, "Number of heads in key and value must"),
        ((Q, K, V), {"dropout_p": 1.5}, "dropout probability has to be between 0 and 1"),
        ((Q, K, None), {}, "argument 'value' (position 3) must be Tensor"),
        ((Q.astype(int), K.astype(int), V.astype(int)), {}, "expected scalar type Float"),
    ],
)
def test_attention_refuses_what_pytorch_refuses(inputs, options, match):
    def expression(t, q, k, v, mask):
        given = options | ({} if mask is None else {"attn_mask": mask})
        return t.nn.functional.scaled_dot_product_attention(q, k, v, **given)

    same_error(expression, *inputs, options.get("attn_mask"), match=match)


def _tensors(*arrays):
    return [labtorch.tensor(each, requires_grad=True) for each in arrays]


def test_the_weights_are_kept_for_those_who_look():
    y = F.scaled_dot_product_attention(*_tensors(Q, K, V), labtorch.tensor(SEEN))
    node = y.grad_fn
    weights = node.saved["weights"].numpy()
    assert weights.shape == (2, 4, 3, 6)
    np.testing.assert_allclose(weights[..., [0, 2], :].sum(-1), 1)
    assert not weights[..., ~SEEN].any()
    np.testing.assert_allclose(weights @ V, y.detach().numpy())


def test_the_weights_are_shown_to_watchers_where_no_graph_is_made():
    seen = []

    class Looking(Watcher):
        def op_ended(self, call, outputs):
            seen.extend(call.kept["weights"].shape for _ in outputs)

    with labtorch.no_grad(), watch(Looking()):
        F.scaled_dot_product_attention(*_tensors(Q, K, V))
    assert seen == [(2, 4, 3, 6)]


def test_dropout_is_the_seeds_and_keeps_the_mean():
    ones = labtorch.ones(2, 3, 50, 40), labtorch.ones(2, 3, 60, 40), labtorch.ones(2, 3, 60, 8)
    draws = []
    for _ in range(2):
        labtorch.manual_seed(3)
        draws.append(F.scaled_dot_product_attention(*ones, dropout_p=0.25))
    assert labtorch.equal(*draws)
    assert abs(draws[0].mean().item() - 1) < 0.01
    assert draws[0].std().item() > 0.05
    assert not F.scaled_dot_product_attention(*ones, dropout_p=1.0).any()


def test_gradients_of_both_orders_with_dropout_and_an_empty_row():
    mask = labtorch.tensor(np.where(SEEN, 0.1, -math.inf)[:, :3])
    inputs = _tensors(Q[0, :2], K[0, :2, :3], V[0, :2, :3])

    def attend(*x):
        labtorch.manual_seed(0)
        return F.scaled_dot_product_attention(*x, mask, dropout_p=0.4)

    assert labtorch.autograd.gradcheck(attend, inputs)
    assert labtorch.autograd.gradgradcheck(attend, inputs, fast_mode=True)


def test_the_choice_of_a_kernel_changes_nothing():
    plain = F.scaled_dot_product_attention(*_tensors(Q, K, V))
    with sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH], set_priority=True):
        assert labtorch.equal(plain, F.scaled_dot_product_attention(*_tensors(Q, K, V)))
    with pytest.raises(AssertionError, match="must be an instance of SDPBackend"):
        with sdpa_kernel("flash"):
            pass


# ---------------------------------------------------------------- the layers
def _pair(make):
    """The same module in PyTorch and here, with the same state in float64."""
    import torch

    theirs = make(torch.nn).double()
    ours = make(nn).double()
    drawn = np.random.default_rng(4)
    state = {k: drawn.standard_normal(tuple(v.shape)) * 0.5 for k, v in theirs.state_dict().items()}
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
    ours.load_state_dict({k: labtorch.from_numpy(v) for k, v in state.items()})
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return {"labtorch": ours, "torch": theirs}


X, Y = randn(3, 2, 8), randn(5, 2, 8, seed=1)
PADDED = np.array([[False] * 5, [False, False, False, True, True]])
HIDDEN = np.triu(np.ones((3, 5), bool), 2)


@oracle
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False, "batch_first": True},
        {"add_bias_kv": True, "add_zero_attn": True},
        {"kdim": 8, "vdim": 4},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
@pytest.mark.parametrize(
    "call",
    [
        {},
        {"need_weights": False, "attn_mask": HIDDEN},
        {"key_padding_mask": PADDED, "attn_mask": HIDDEN, "average_attn_weights": False},
        {"need_weights": False, "key_padding_mask": PADDED, "is_causal": True, "attn_mask": HIDDEN},
    ],
    ids=lambda call: "-".join(call) or "plain",
)
def test_multihead_attention_is_pytorchs(options, call):
    pair = _pair(lambda n: n.MultiheadAttention(8, 4, **options))
    masks = {k: v for k, v in call.items() if isinstance(v, np.ndarray)}
    swap = (lambda a: a.swapaxes(0, 1)) if options.get("batch_first") else lambda a: a

    def expression(t, x, y, z, *given):
        layer = pair[t.__name__]
        output, weights = layer(x, y, z, **(call | dict(zip(masks, given))))
        slopes = t.autograd.grad(output.square().sum(), list(layer.parameters()), retain_graph=True)
        return [output, *([] if weights is None else [weights]), *slopes]

    same(expression, swap(X), swap(Y), swap(Y[..., : options.get("vdim", 8)]), *masks.values())


@oracle
def test_multihead_attention_without_a_batch():
    pair = _pair(lambda n: n.MultiheadAttention(8, 2))
    same(lambda t, x, y: pair[t.__name__](x, y, y), X[:, 0], Y[:, 0])
    mask = np.stack([HIDDEN, HIDDEN])
    same(lambda t, x, y, m: pair[t.__name__](x, y, y, attn_mask=m), X[:, 0], Y[:, 0], mask)


@oracle
@pytest.mark.parametrize(
    ("inputs", "options", "match"),
    [
        ((X[:, 0], Y, Y), {}, "For unbatched (2-D) `query`, expected `key` and `value` to be 2-D"),
        ((X[0, 0], Y, Y), {}, "query should be unbatched 2D or batched 3D tensor"),
        ((X, Y[..., :7], Y), {}, "does not match value shape"),
        ((X[..., :7], Y, Y), {}, "was expecting embedding dimension of 8, but got 7"),
        ((X, Y, Y), {"key_padding_mask": PADDED[0]}, "to be `None` or 2-D but found 1-D"),
        ((X, Y, Y), {"key_padding_mask": PADDED[:, :4]}, "Expected key_padded_mask.shape[1]"),
        ((X, Y, Y), {"key_padding_mask": PADDED.astype(int)}, "only bool and floating types of"),
        ((X, Y, Y), {"attn_mask": PADDED[0]}, "`None`, 2-D or 3-D but found 1-D"),
        ((X, Y, Y), {"attn_mask": HIDDEN[:, :4]}, "The shape of the 2D attn_mask is"),
        ((X, Y, Y), {"is_causal": True}, "Need attn_mask if specifying the is_causal hint."),
    ],
)
def test_multihead_attention_refuses_what_pytorch_refuses(inputs, options, match):
    pair = _pair(lambda n: n.MultiheadAttention(8, 2))
    masks = {k: v for k, v in options.items() if isinstance(v, np.ndarray)}

    def expression(t, q, k, v, *given):
        return pair[t.__name__](q, k, v, **(options | dict(zip(masks, given))))

    same_error(expression, *inputs, *masks.values(), match=match)


@oracle
@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda n: n.MultiheadAttention(8, 3), "embed_dim must be divisible by num_heads"),
        (lambda n: n.MultiheadAttention(0, 3), "must be greater than 0"),
        (lambda n: n.TransformerEncoderLayer(8, 2, activation="tanh"), "should be relu/gelu"),
    ],
)
def test_impossible_layers_are_refused(make, match):
    same_error(lambda t: make(t.nn), match=match)


@oracle
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm_first": True, "activation": "gelu", "batch_first": True},
        {"bias": False, "activation": "relu", "layer_norm_eps": 0.1},
    ],
    ids=["plain", "first", "bare"],
)
def test_the_transformer_is_pytorchs(options):
    pair = _pair(lambda n: n.Transformer(8, 2, 1, 2, 12, 0.0, **options))
    swap = (lambda a: a.swapaxes(0, 1)) if options.get("batch_first") else lambda a: a

    def expression(t, src, tgt, padding):
        model = pair[t.__name__]
        ahead = model.generate_square_subsequent_mask(3, dtype=t.float64)
        masks = {"src_key_padding_mask": padding, "memory_key_padding_mask": padding}
        y = model(src, tgt, tgt_mask=ahead, tgt_is_causal=True, **masks)
        slopes = t.autograd.grad(y.sin().sum(), list(model.parameters()), retain_graph=True)
        return [y, *slopes]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, on nested tensors
        same(expression, swap(Y), swap(X), PADDED)


@oracle
def test_padded_ends_are_zero_where_pytorch_skips_them():
    pair = _pair(
        lambda n: n.TransformerEncoder(
            n.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2, n.LayerNorm(8)
        ).eval()
    )

    def expression(t, x, padding):
        with t.no_grad():
            skipped = pair[t.__name__](x, src_key_padding_mask=padding)
        return [skipped, pair[t.__name__](x, src_key_padding_mask=padding)]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for padding in (PADDED, PADDED[:, ::-1].copy()):
            same(expression, Y.swapaxes(0, 1), padding, gradients=False)


@oracle
def test_transformers_refuse_and_warn_as_pytorch_does():
    pair = _pair(lambda n: n.Transformer(8, 2, 1, 1, 12))
    same_error(
        lambda t, x, y: pair[t.__name__](x, y[:, :1]), Y, X, match="batch number of src and tgt"
    )
    same_error(
        lambda t, x, y: pair[t.__name__](x[..., :7], y), Y, X, match="feature number of src and tgt"
    )
    import torch

    for n in (nn, torch.nn):
        with pytest.warns(UserWarning, match="encoder_layer.norm_first was True"):
            n.TransformerEncoder(n.TransformerEncoderLayer(8, 2, norm_first=True), 1)
    for t in (labtorch, torch):
        layer = t.nn.TransformerEncoderLayer(8, 2)
        with pytest.warns(UserWarning, match="Support for mismatched src_key_padding_mask"):
            layer(t.zeros(2, 1, 8), t.zeros(2, 2), t.zeros(1, 2, dtype=t.bool))


def test_layers_start_with_glorots_bounds_and_zero_biases():
    labtorch.manual_seed(0)
    layer = nn.MultiheadAttention(32, 4, add_bias_kv=True)
    bound = math.sqrt(6 / (32 + 96))
    assert 0.95 * bound < layer.in_proj_weight.abs().max().item() <= bound
    assert not layer.in_proj_bias.any() and not layer.out_proj.bias.any()
    model = nn.Transformer(16, 2, 1, 1, 32)
    assert model.encoder.layers[0].linear1.weight.abs().max().item() <= math.sqrt(6 / 48)


def test_a_layer_survives_copying_and_pickling():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu")
    x = labtorch.randn(3, 1, 8)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert labtorch.equal(other(x), layer(x))
