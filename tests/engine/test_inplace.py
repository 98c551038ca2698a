"""In-place ops: versions, leaves, and views that share memory and history."""

from __future__ import annotations

import numpy as np
import pytest

import labtorch as torch
from tests.oracle import randn, same, same_error

STALE = "one of the variables needed for gradient computation has been modified by an inplace"


# ------------------------------------------------------------------------------------- versions
@pytest.mark.oracle
@pytest.mark.parametrize(
    ("op", "program"),
    [
        ("mul", lambda t, y: (y * y, y.add_(1))[0]),
        ("exp", lambda t, y: (lambda z: (z, z.add_(1))[0])(y.exp())),
        ("mul", lambda t, y: (y * y, y[0].add_(1))[0]),
        ("mul", lambda t, y: (y[0] * y[1], y.zero_())[0]),
        ("matmul", lambda t, y: (y @ y.t(), y.__setitem__(0, 0.0))[0]),
        ("sigmoid", lambda t, y: (lambda z: (z, z.detach().add_(1))[0])(y.sigmoid())),
    ],
)
def test_a_stale_saved_tensor_raises_and_names_the_op(op, program):
    def stale(t, x):
        program(t, x.requires_grad_() * 2).sum().backward()

    assert f"which {op} saved" in str(same_error(stale, randn(3, 4), match=STALE))


@pytest.mark.oracle
def test_what_was_not_saved_may_change():
    same(lambda t, x: (lambda y: (y + 1, y.zero_())[0])(x * 2), randn(3))
    same(lambda t, x: (lambda y: (y.sum(), y.exp_())[0])(x * 2), randn(3))


def test_no_grad_writes_count_too():
    x = torch.ones(2, requires_grad=True)
    y = x * x
    with torch.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match=STALE):
        y.sum().backward()


def test_versions_count_writes_and_are_shared_by_views():
    x = torch.zeros(3)
    assert x._version == 0
    x.add_(1)
    x[0] = 2
    x[1:].mul_(2)
    x.detach().zero_()
    assert x._version == 4


# --------------------------------------------------------------------------------------- leaves
@pytest.mark.oracle
@pytest.mark.parametrize(
    "write",
    [
        lambda x: x.add_(1),
        lambda x: x.zero_(),
        lambda x: x.__setitem__(0, 1.0),
        lambda x: x.__iadd__(1),
        lambda x: x.copy_(x.detach()),
    ],
)
def test_a_leaf_that_requires_a_gradient_is_not_overwritten(write):
    match = "a leaf Variable that requires grad"
    same_error(lambda t, x: write(x.requires_grad_()), randn(3), match=match)
    match = "a view of a leaf Variable that requires grad"
    same_error(lambda t, x: write(x.requires_grad_()[:2]), randn(3), match=match)


def test_a_leaf_may_be_written_to_under_no_grad():
    x = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        x -= 0.5
        x[0] = 7
    assert x.tolist() == [7.0, 0.5, 0.5] and x.is_leaf and x.requires_grad


# -------------------------------------------------------------------------------- recorded writes
INPLACE = """neg_ abs_ exp_ sqrt_ rsqrt_ reciprocal_ sin_ cos_ tanh_ sigmoid_ relu_ square_ log_
log1p_ expm1_ floor_ ceil_ round_ sign_ tan_ log2_ log10_""".split()


@pytest.mark.oracle
@pytest.mark.parametrize("name", INPLACE)
def test_in_place_ops_differentiate_as_their_functional_twins(name):
    positive = np.abs(randn(2, 3)) + 0.1
    same(lambda t, x: getattr(x * 1, name)(), positive)
    same(lambda t, x: (lambda y: (y, getattr(y[1], name)())[0])(x * 1), positive)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "program",
    [
        lambda t, y, w: y.mul_(w),
        lambda t, y, w: y.div_(w),
        lambda t, y, w: y.pow_(2).add_(w, alpha=3),
        lambda t, y, w: y.sub_(w).clamp_(-1, 1),
        lambda t, y, w: y.masked_fill_(w > 0, 2.0),
        lambda t, y, w: y.copy_(w),
        lambda t, y, w: y.fill_(3.0),
        lambda t, y, w: y.zero_(),
    ],
)
def test_in_place_ops_of_two_tensors(program):
    same(
        program := (lambda p: lambda t, x, w: p(t, x * 1, w))(program),
        randn(3, 4),
        randn(4, seed=1),
    )


@pytest.mark.oracle
def test_an_in_place_op_cannot_change_the_shape():
    error = same_error(
        lambda t, x, y: x.add_(y),
        randn(1, 3),
        randn(2, 3),
        match="doesn't match the broadcast shape",
    )
    assert "[1, 3]" in str(error) and "[2, 3]" in str(error)


@pytest.mark.oracle
def test_an_in_place_op_keeps_the_dtype():
    same(lambda t, x, y: x.add_(y), randn(3, dtype="float32"), randn(3), gradients=False)
    ints = np.array([1, 2, 3])
    same_error(lambda t, x: x.mul_(1.5), ints, match="can't be cast to the desired output type")


@pytest.mark.oracle
def test_expanded_memory_is_not_written_to():
    same_error(
        lambda t, x: x.expand(3, 2).add_(1), randn(1, 2), match="refers to a single memory location"
    )


# ---------------------------------------------------------------------------------------- views
@pytest.mark.parametrize(
    "look",
    [
        lambda x: x[1],
        lambda x: x[:, ::2],
        lambda x: x.t(),
        lambda x: x.view(-1),
        lambda x: x.reshape(2, 6),
        lambda x: x.unsqueeze(0),
        lambda x: x.permute(1, 0),
        lambda x: x.narrow(0, 1, 2),
        lambda x: x.squeeze(),
        lambda x: x.flatten(),
        lambda x: x.detach(),
        lambda x: x.chunk(2)[0],
        lambda x: x.split(1, 1)[2],
        lambda x: x.unbind(1)[3],
        lambda x: x.T,
    ],
)
def test_views_share_memory(look):
    x = torch.zeros(3, 4)
    view = look(x)
    assert np.shares_memory(view.numpy(), x.numpy())
    view.fill_(5)
    assert x.max().item() == 5.0
    x.zero_()
    assert view.max().item() == 0.0


def test_a_view_knows_its_base():
    x = torch.zeros(3, 4)
    assert x._base is None and x[0]._base is x and x[0].view(2, 2)[1]._base is x
    assert x.t().reshape(-1)._base is None  # a copy


@pytest.mark.oracle
@pytest.mark.parametrize(
    "program",
    [
        lambda t, b, w: b[0].mul_(2),
        lambda t, b, w: b[0].mul_(w),
        lambda t, b, w: b[:, 1].add_(b[:, 2].detach()),
        lambda t, b, w: b.t()[1:].transpose(0, 1)[0].exp_(),
        lambda t, b, w: b.view(-1)[3:7].sin_().mul_(2),
        lambda t, b, w: b[1].copy_(w),
        lambda t, b, w: b[1:][0].zero_(),
        lambda t, b, w: b[0].__setitem__(slice(1, 3), w[:2]),
        lambda t, b, w: b.unsqueeze(0)[0, 2].fill_(1.0),
        lambda t, b, w: [b.narrow(0, i, 1).mul_(i) for i in range(3)],
        lambda t, b, w: (b[0].add_(w), b[0].mul_(w), b[:, 0].neg_()),
        lambda t, b, w: b.diagonal().mul_(2),
    ],
)
def test_a_recorded_write_to_a_view_goes_through_the_base(program):
    def expression(t, x, w):
        b = x * 1
        program(t, b, w)
        return b * b

    same(expression, randn(3, 4), randn(4, seed=1))


@pytest.mark.oracle
def test_a_recorded_write_to_the_base_goes_through_its_views():
    def expression(t, x):
        b = x * 1
        row, column, corner = b[0], b[:, 1], b[:2].view(-1)[3]
        b.mul_(3)
        return row * row, column, corner

    same(expression, randn(3, 4))


@pytest.mark.oracle
def test_a_recorded_write_to_a_view_goes_through_its_siblings():
    def expression(t, x):
        b = x * 1
        row, column = b[0], b[:, 1]
        row.exp_()
        return row, column * column, b.sum()

    same(expression, randn(3, 4))


@pytest.mark.oracle
def test_filling_a_buffer_row_by_row():
    def expression(t, x):
        rows = t.zeros(3, 4, dtype=t.float64)
        view = rows[1]
        for i in range(3):
            rows[i].copy_(x[i] * i)
        return rows, view

    same(expression, randn(3, 4))


@pytest.mark.oracle
def test_filling_a_buffer_by_index():
    def expression(t, x):
        y = t.zeros(4, 3, dtype=t.float64)
        for i in range(3):
            y[i] = x[i] * (y[i - 1] + 1) if i else x[i]
        y[t.tensor([3, 0])] += 1
        return y

    same(lambda t, x: expression(t, x).sum(0), randn(3, 3), gradients=False)


@pytest.mark.oracle
def test_second_order_through_a_write_to_a_view():
    def expression(t, x):
        b = x * 1
        b[0].sin_()
        b.view(-1)[2:5].pow_(3)
        return t.autograd.grad((b * b).sum(), x, create_graph=True)[0]

    same(expression, randn(3, 4))


def test_a_view_made_under_no_grad_is_not_written_to_with_gradients():
    b = torch.ones(3, requires_grad=True) * 1
    with torch.no_grad():
        view = b[0]
    with pytest.raises(RuntimeError, match="A view was created in no_grad mode"):
        view.mul_(torch.ones((), requires_grad=True))


def test_a_buffer_in_another_layout_is_written_to_in_the_right_place():
    leaf = torch.randn(4, 3, requires_grad=True)
    b = (leaf * 1).t().contiguous().t()  # a base whose rows are columns
    b = torch.from_numpy(np.asfortranarray(b.detach().numpy()))
    w = torch.ones(2, requires_grad=True)
    b.t().reshape(-1)[2:4].mul_(w)  # a view in this layout, a copy in the usual one
    (b * b.detach()).sum().backward()
    values = b.detach().t().reshape(-1)[2:4]
    np.testing.assert_allclose(w.grad.numpy(), (values * values).numpy(), rtol=1e-6)
