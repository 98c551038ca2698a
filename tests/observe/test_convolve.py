"""One convolution or pooling of a picture, against the definitions."""

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, observe
from labtorch.observe import convolve


def by_definition(x, w, stride, padding, dilation):
    x = np.pad(x, padding)
    reach = [dilation * (k - 1) for k in w.shape]
    out = [(m - r - 1) // stride + 1 for m, r in zip(x.shape, reach)]
    y = np.zeros(out)
    for i in range(out[0]):
        for j in range(out[1]):
            rows = i * stride + dilation * np.arange(w.shape[0])
            columns = j * stride + dilation * np.arange(w.shape[1])
            y[i, j] = (w * x[np.ix_(rows, columns)]).sum()
    return y


@pytest.mark.parametrize(
    ("stride", "padding", "dilation"), [(1, 0, 1), (2, 1, 1), (3, 2, 2), (1, 4, 3)]
)
def test_it_is_the_cross_correlation(stride, padding, dilation):
    draw = np.random.default_rng(0)
    x, w = draw.normal(size=(9, 8)).astype("f"), draw.normal(size=(3, 2)).astype("f")
    y = convolve.correlate(x, w, stride, padding, dilation)
    np.testing.assert_allclose(y, by_definition(x, w, stride, padding, dilation), rtol=1e-4)


def test_pooling_without_a_stride_moves_by_its_window():
    x = np.arange(28 * 28, dtype="f").reshape(28, 28)
    assert convolve.pool(x, "max", 2).shape == (14, 14)
    assert convolve.pool(x, "max", 2, 1).shape == (27, 27)
    np.testing.assert_array_equal(convolve.pool(x, "max", 2)[0, :2], [29, 31])
    np.testing.assert_array_equal(convolve.pool(x, "average", 2)[0, :2], [14.5, 16.5])


def test_a_picture_is_any_array_of_two_dimensions():
    x = torch.arange(6.0).reshape(1, 1, 2, 3).requires_grad_()
    np.testing.assert_array_equal(convolve.picture(x), [[0, 1, 2], [3, 4, 5]])
    for bad in (np.zeros(3), np.zeros((2, 3, 4)), np.zeros((0, 3)), np.array([["a"]])):
        with pytest.raises(ValueError):
            convolve.picture(bad)


def test_it_leaves_no_trace_in_a_recording():
    model = nn.Linear(2, 1)
    with observe.record(budget=1e9) as recording:
        loss = model(torch.ones(3, 2)).sum()
        convolve.correlate(np.ones((3, 3), "f"), np.ones((2, 2), "f"))
        loss.backward()
    assert [n["name"] for n in recording.graph()["nodes"] if n["kind"] == "op"] == ["linear", "sum"]
    assert torch.is_grad_enabled()
