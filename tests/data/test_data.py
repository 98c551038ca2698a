"""Datasets, samplers, batches."""

from __future__ import annotations

import importlib.util
from collections import Counter, namedtuple

import numpy as np
import pytest

import labtorch
from labtorch.utils import data
from tests.oracle import same, same_error


class Squares(data.Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, i):
        return i, float(i * i)


class Count(data.IterableDataset):
    def __iter__(self):
        return iter(range(7))


def test_batches_come_in_order_and_the_last_is_shorter():
    loader = data.DataLoader(Squares(), batch_size=4)
    batches = [x.tolist() for x, _ in loader]
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] and len(loader) == 3
    assert len(list(data.DataLoader(Squares(), batch_size=4, drop_last=True))) == 2


def test_a_shuffle_visits_everything_once_and_follows_the_seed():
    def order(generator=None):
        loader = data.DataLoader(Squares(), batch_size=3, shuffle=True, generator=generator)
        return [i for x, _ in loader for i in x.tolist()]

    labtorch.manual_seed(5)
    first = order()
    second = order()
    labtorch.manual_seed(5)
    assert order() == first != second and sorted(first) == list(range(10))
    mine = [order(labtorch.Generator().manual_seed(1)) for _ in range(2)]
    assert mine[0] == mine[1]


def test_a_tensor_dataset_is_batched_as_row_by_row():
    x, y = labtorch.arange(10.0).reshape(5, 2), labtorch.arange(5)
    dataset = data.TensorDataset(x, y)
    assert dataset[1][0].tolist() == [2.0, 3.0] and len(dataset) == 5
    slow = data.DataLoader(data.Subset(dataset, range(5)), batch_size=2)
    for a, b in zip(data.DataLoader(dataset, batch_size=2), slow):
        assert isinstance(a, list) and isinstance(b, list)
        assert a[0].tolist() == b[0].tolist() and a[1].tolist() == b[1].tolist()
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        data.TensorDataset(x, labtorch.ones(3))


def test_an_iterable_dataset_is_batched_as_it_comes():
    assert [b.tolist() for b in data.DataLoader(Count(), batch_size=3)] == [
        [0, 1, 2],
        [3, 4, 5],
        [6],
    ]
    assert len(list(data.DataLoader(Count(), batch_size=3, drop_last=True))) == 2
    assert list(data.DataLoader(Count(), batch_size=None)) == list(range(7))


def test_without_batches_single_samples_come():
    assert list(data.DataLoader(Squares(), batch_size=None))[3] == [3, 9.0]


def test_a_batch_sampler_and_a_collate_function_of_ones_own():
    loader = data.DataLoader(Squares(), batch_sampler=[[1, 2], [5]], collate_fn=lambda b: b)
    assert list(loader) == [[(1, 1.0), (2, 4.0)], [(5, 25.0)]]


def test_datasets_add_up_and_are_split_without_overlap():
    both = Squares() + Squares()
    assert len(both) == 20 and both[13] == (3, 9.0) and both[-1] == (9, 81.0)
    parts = data.random_split(Squares(), [7, 3], labtorch.Generator().manual_seed(0))
    assert sorted(i for part in parts for i in part.indices) == list(range(10))
    assert [len(p) for p in data.random_split(Squares(), [0.5, 0.25, 0.25])] == [6, 2, 2]


def test_samplers_draw_what_they_promise():
    weights = data.WeightedRandomSampler([0.0, 1.0, 3.0], 4000)
    drawn = Counter(weights)
    assert drawn[0] == 0 and abs(drawn[2] / drawn[1] - 3) < 0.5
    assert sorted(data.WeightedRandomSampler([1.0, 1.0, 1.0], 3, replacement=False)) == [0, 1, 2]
    assert len(list(data.RandomSampler(range(5), replacement=True, num_samples=12))) == 12
    assert len(list(data.RandomSampler(range(5), num_samples=12))) == 12
    assert sorted(data.SubsetRandomSampler([4, 7])) == [4, 7]
    assert list(data.BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]


@pytest.mark.oracle
@pytest.mark.parametrize(
    "batch",
    [
        lambda t: [1, 2],
        lambda t: [1.5, 2.0],
        lambda t: [True, False],
        lambda t: ["a", "b"],
        lambda t: [t.ones(2), t.zeros(2)],
        lambda t: [(1, 2.0), (3, 4.0)],
        lambda t: [{"a": 1, "b": [1, 2]}, {"a": 3, "b": [4, 5]}],
        lambda t: [np.ones(2, "float32"), np.zeros(2, "float32")],
        lambda t: [np.float32(1), np.float32(2)],
    ],
)
def test_batches_are_collated_as_pytorchs(batch):
    def expression(t):
        if t is not labtorch:
            import torch.utils.data  # noqa: F401
        return t.utils.data.default_collate(batch(t))

    same(expression)


def test_named_tuples_keep_their_type():
    Pair = namedtuple("Pair", "x y")
    made = data.default_collate([Pair(1, 2), Pair(3, 4)])
    assert isinstance(made, Pair) and made.y.tolist() == [2, 4]


@pytest.mark.oracle
@pytest.mark.parametrize(
    "attempt",
    [
        lambda d: d.DataLoader([1], batch_size=0),
        lambda d: d.DataLoader([1], num_workers=-1),
        lambda d: d.DataLoader([1], timeout=-1),
        lambda d: d.DataLoader([1], shuffle=True, sampler=[0]),
        lambda d: d.DataLoader([1], batch_sampler=[[0]], batch_size=2),
        lambda d: d.DataLoader([1], batch_size=None, drop_last=True),
        lambda d: d.DataLoader([1], prefetch_factor=2),
        lambda d: d.DataLoader([1], persistent_workers=True),
        lambda d: d.DataLoader([], shuffle=True),
        lambda d: d.random_split(range(5), [1, 2]),
        lambda d: d.WeightedRandomSampler([1.0], 0),
        lambda d: d.BatchSampler([1], 2, "no"),
        lambda d: d.default_collate([object()]),
        lambda d: d.default_collate([[1], [1, 2]]),
        lambda d: d.Dataset()[0],
    ],
)
def test_wrong_use_is_refused_with_pytorchs_error(attempt):
    same_error(lambda t: attempt(t.utils.data))


@pytest.mark.skipif(importlib.util.find_spec("sklearn") is None, reason="needs scikit-learn")
def test_the_diabetes_data_are_real_and_can_be_standardised():
    from labtorch.datasets import FEATURES, diabetes

    x, y = diabetes()
    assert x.shape == (442, 10) and y.shape == (442, 1) and len(FEATURES) == 10
    assert x[:, 0].min().item() == 19 and y.max().item() == 346
    x, y = diabetes(standardise=True)
    assert abs(x.mean().item()) < 1e-6 and abs(y.std(unbiased=False).item() - 1) < 1e-5
