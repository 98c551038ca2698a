"""The document's CNN on real digits: a quarter of the size, hardly an error more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import labtorch as torch
from labtorch import nn, quantization
from labtorch.nn import functional as F

TRAINED = 1297  # of 1797 digits; the rest is held out


class ConvLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, stride, padding):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.conv(x))


class CNN(nn.Module):
    """As in the document, section 4.2."""

    def __init__(self):
        super().__init__()
        self.conv1 = ConvLayer(1, 32, 3, 1, 1)
        self.conv2 = ConvLayer(32, 64, 3, 1, 1)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(64 * 6 * 6, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(x))
        x = x.view(-1, 64 * 6 * 6)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    """Digits of 8x8 pixels, three times as high and wide, and what they are, in random order."""
    found = pytest.importorskip("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(len(found.target))
    images = np.kron(found.images / 16, np.ones((3, 3)))[order, None]
    return torch.tensor(images, dtype=torch.float32), torch.tensor(found.target[order])


def train(model: Any, digits: tuple, epochs: int, lr: float = 2e-3) -> Any:
    images, targets = (each[:TRAINED] for each in digits)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _ in range(epochs):
        for start in range(0, TRAINED, 64):
            optimizer.zero_grad()
            batch = slice(start, min(start + 64, TRAINED))
            F.cross_entropy(model(images[batch]), targets[batch]).backward()
            optimizer.step()
    return model


@pytest.fixture(scope="module")
def trained(digits: tuple) -> Any:
    torch.manual_seed(0)
    return train(CNN(), digits, epochs=8).eval()


def held_out(digits: tuple) -> list[Any]:
    return [each[TRAINED:] for each in digits]


FUSED = [["conv1.conv", "conv1.relu"], ["conv2.conv", "conv2.relu"]]


@pytest.mark.parametrize("backend", ["x86", "qnnpack"])
def test_static_int8_takes_a_quarter_of_the_bytes_and_at_most_a_point(trained, digits, backend):
    model = quantization.QuantWrapper(quantization.fuse_modules(trained, FUSED))
    model.qconfig = quantization.get_default_qconfig(backend)
    small = quantization.quantize(model, lambda m, x: m(x), [digits[0][:256]])
    found = quantization.report(trained, small, *held_out(digits))
    print(f"{backend}\n{found}")
    before, after = found.accuracy
    assert before > 95
    assert after >= before - 1
    assert found.ratio <= 0.27
    assert found.sqnr > 20


def test_training_with_grids_in_sight_keeps_the_accuracy(trained, digits):
    model = quantization.QuantWrapper(quantization.fuse_modules_qat(trained.train(), FUSED))
    trained.eval()
    model.qconfig = quantization.get_default_qat_qconfig("x86")
    model.train()
    prepared = quantization.prepare_qat(model)
    train(prepared, digits, epochs=1, lr=1e-4)
    small = quantization.convert(prepared.eval())
    found = quantization.report(trained, small, *held_out(digits))
    before, after = found.accuracy
    assert after >= before - 1
    assert found.ratio <= 0.27


def test_dynamic_quantization_keeps_convolutions_and_the_accuracy(trained, digits):
    small = quantization.quantize_dynamic(trained, {nn.Linear})
    found = quantization.report(trained, small, *held_out(digits))
    before, after = found.accuracy
    assert after >= before - 1
    # a byte for each weight of linear layers; convolutions and biases stay floats, as in PyTorch
    linear = trained.fc1.weight.numel() + trained.fc2.weight.numel()
    floats = sum(each.numel() for each in trained.parameters())
    assert found.ratio == pytest.approx(1 - 0.75 * linear / floats, abs=0.01)
    convolutions = quantization.report(trained.conv1, small.conv1, digits[0][:1])
    assert convolutions.ratio == 1 and convolutions.sqnr == float("inf")
