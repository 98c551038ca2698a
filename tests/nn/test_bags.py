"""Bags of embeddings are PyTorch's."""

import numpy as np
import pytest

from tests.oracle import randn, same, same_error

pytestmark = pytest.mark.oracle
places = np.array([1, 2, 4, 5, 4, 3, 2, 0])


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("offsets", [[0, 4], [0, 0, 3, 3], [0, 8]])
def test_bags_of_any_size(mode, offsets):
    def bag(t, weight):
        f = t.nn.functional.embedding_bag
        return f(t.tensor(places), weight, t.tensor(offsets), mode=mode)

    same(bag, randn(6, 3))


def test_rows_weights_and_padding():
    def bags(t, weight, scale):
        f = t.nn.functional.embedding_bag
        rows = t.tensor(places.reshape(2, 4))
        return (
            f(rows, weight),
            f(rows, weight, mode="sum", per_sample_weights=scale),
            f(rows, weight, padding_idx=4),
            f(rows, weight, mode="max", padding_idx=2),
        )

    same(bags, randn(6, 3), randn(2, 4, seed=1))


def test_the_layer_and_its_refusals():
    def layer(t, weight):
        made = t.nn.EmbeddingBag(6, 3, mode="sum", _weight=weight.detach())
        return made(t.tensor(places), t.tensor([0, 5])), repr(made)

    same(layer, randn(6, 3), gradients=False)
    same_error(
        lambda t, w: t.nn.functional.embedding_bag(t.tensor(places), w),
        randn(6, 3),
        match="offsets",
    )
    same_error(
        lambda t, w: t.nn.functional.embedding_bag(t.tensor([[1]]), w, mode="no"),
        randn(6, 3),
        match="mode has to be one of",
    )
