"""Making tensors and leaving them: creation, NumPy, DLPack, copies, pickles."""

from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest

import labtorch as torch
from tests.oracle import randn, same, same_error

MADE = {
    "nested lists": lambda t: t.tensor([[1, 2], [3, 4]]),
    "floats": lambda t: t.tensor([1.0, 2]),
    "bools": lambda t: t.tensor([True, False]),
    "mixed": lambda t: t.tensor([1, 2.5, True]),
    "complex": lambda t: t.tensor([1j, 2]),
    "scalar": lambda t: t.tensor(5),
    "empty": lambda t: t.tensor([]),
    "dtype given": lambda t: t.tensor([1, 2], dtype=t.float64),
    "truncated": lambda t: t.tensor([1.7, -1.7], dtype=t.int32),
    "of NumPy": lambda t: t.tensor(np.arange(3, dtype=np.int16)),
    "of tensors": lambda t: t.tensor([t.tensor(1.5), t.tensor(2.5)]),
    "as_tensor": lambda t: t.as_tensor([[1.5]]),
    "zeros": lambda t: t.zeros(2, 3),
    "zeros of a tuple": lambda t: t.zeros((2, 3), dtype=t.int64),
    "ones": lambda t: t.ones([2], dtype=t.bool),
    "full": lambda t: [t.full((2,), 3), t.full((2,), 3.5), t.full((), True)],
    "like": lambda t: [t.zeros_like(t.ones(2, dtype=t.int8)), t.full_like(t.ones(2), 7)],
    "arange": lambda t: [t.arange(4), t.arange(1, 4), t.arange(0, 1, 0.3), t.arange(3.0)],
    "arange down": lambda t: [
        t.arange(5, 0, -2),
        t.arange(0),
        t.arange(1, 2, 0.25, dtype=t.float64),
    ],
    "linspace": lambda t: [t.linspace(0, 1, 5), t.linspace(1, -1, 3), t.linspace(0, 1, 1)],
    "eye": lambda t: [t.eye(3), t.eye(2, 3), t.eye(2, dtype=t.int64)],
    "new": lambda t: [t.ones(1, dtype=t.float64).new_zeros(2), t.ones(1).new_tensor([1, 2])],
    "Tensor": lambda t: [t.Tensor([1, 2]), t.Tensor(2, 3).shape],
    "to": lambda t: [t.ones(2).to(t.int64), t.ones(2).double(), t.tensor([0.0, 2.0]).bool()],
    "to like another": lambda t: t.ones(2).to(t.zeros(1, dtype=t.float64)),
    "type": lambda t: [t.ones(1).type(), t.ones(1).type(t.int64), t.ones(1).long().type()],
    "item": lambda t: [t.tensor(2.5).item(), t.tensor([[3]]).item(), t.tensor(True).item()],
    "tolist": lambda t: [t.ones(2, 2).tolist(), t.tensor(1).tolist(), t.tensor([True]).tolist()],
    "numbers": lambda t: [float(t.tensor(2)), int(t.tensor(2.7)), bool(t.tensor([1]))],
    "as an index": lambda t: [10, 20, 30][t.tensor(1)],
    "contains": lambda t: [2 in t.arange(3), 5 in t.arange(3)],
}


@pytest.mark.oracle
@pytest.mark.parametrize("name", MADE)
def test_made_as_in_pytorch(name):
    if name == "Tensor":
        same(lambda t: MADE[name](t)[0])
    same(MADE[name])


@pytest.mark.oracle
@pytest.mark.parametrize(
    "function",
    [
        lambda t: t.tensor("words"),
        lambda t: t.tensor([None]),
        lambda t: t.arange(0, 5, -1),
        lambda t: t.arange(0, 5, 0),
        lambda t: t.linspace(0, 1, -1),
        lambda t: t.from_numpy([1, 2]),
        lambda t: t.from_numpy(np.array(["a"])),
        lambda t: t.eye(-1),
        lambda t: t.tensor([1.0, 2.0]).item(),
        lambda t: t.randint(5, 5, (2,)),
        lambda t: t.normal(0.0, -1.0, (2,)),
        lambda t: t.multinomial(t.tensor([0.0, 0.0]), 1),
        lambda t: t.bernoulli(t.tensor([2.0])),
    ],
)
def test_refused(function):
    same_error(function)


def test_tensor_copies_and_from_numpy_shares():
    array = np.zeros(3)
    copied, shared = torch.tensor(array), torch.from_numpy(array)
    array[0] = 5
    assert copied.tolist() == [0, 0, 0] and shared.tolist() == [5, 0, 0]
    assert shared.numpy() is array and torch.as_tensor(array).numpy() is array


def test_numpys_functions_take_tensors():
    x = torch.tensor([1.0, 4.0])
    assert np.asarray(x) is x.numpy()
    assert np.sqrt(np.asarray(x)).tolist() == [1.0, 2.0]
    assert np.array(x, dtype=np.int64).tolist() == [1, 4]
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x.requires_grad_())


def test_arrays_and_tensors_mix():
    result = np.array([1.0, 2.0]) * torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert isinstance(result, torch.Tensor) and result.tolist() == [3.0, 8.0]


def test_dlpack_shares_memory_both_ways():
    x = torch.arange(3.0)
    array = np.from_dlpack(x)
    array_back = torch.from_dlpack(np.arange(3.0))
    x[0] = 9
    assert array[0] == 9 and array_back.tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(BufferError):
        np.from_dlpack(torch.ones(2, requires_grad=True))


@pytest.mark.oracle
def test_dlpack_to_pytorch():
    import torch as reference

    x = torch.arange(6.0).reshape(2, 3).t()
    assert reference.from_dlpack(x).tolist() == x.tolist()
    assert torch.from_dlpack(reference.arange(3)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("requires_grad", [False, True])
def test_deepcopy_and_pickle(requires_grad):
    x = torch.from_numpy(randn(2, 3)).requires_grad_(requires_grad)
    if requires_grad:
        (x * 2).sum().backward()
    for twin in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin is not x and twin.requires_grad == requires_grad and twin.dtype is x.dtype
        np.testing.assert_array_equal(twin.detach().numpy(), x.detach().numpy())
        assert not np.shares_memory(twin.detach().numpy(), x.detach().numpy())
    if requires_grad:
        assert copy.deepcopy(x).grad.tolist() == x.grad.tolist()


def test_a_view_is_copied_without_its_base():
    view = torch.arange(1000.0)[:2]
    stream = io.BytesIO()
    pickle.dump(view, stream)
    assert len(stream.getvalue()) < 1000
    twin = copy.deepcopy(view)
    twin.fill_(7)
    assert view.tolist() == [0.0, 1.0]


def test_a_computed_tensor_is_not_deepcopied():
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(torch.ones(2, requires_grad=True) * 2)


def test_to_returns_the_tensor_itself_where_nothing_changes():
    x = torch.ones(2)
    assert x.to(torch.float32) is x and x.float() is x and x.to("cpu") is x and x.cpu() is x
    assert x.to(torch.float32, copy=True) is not x


def test_keyword_arguments_work_as_in_pytorch():
    x = torch.ones(2, 3)
    assert torch.zeros(size=(2,)).shape == (2,)
    assert x.sum(dim=0, keepdim=True).shape == (1, 3)
    assert torch.cat(tensors=[x, x], dim=1).shape == (2, 6)
    assert torch.add(x, 1, alpha=2).max().item() == 3.0
