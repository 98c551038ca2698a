"""The data sets are real: a model learns them, and what it learned holds on the held-out part."""

import pytest

import labtorch
from labtorch import nn
from labtorch.data import DataLoader
from labtorch.datasets import BreastCancer, Digits, Iris, Wine


@pytest.mark.parametrize(
    ("kind", "count", "shape", "classes"),
    [
        (Digits, 1797, (1, 8, 8), 10),
        (Iris, 150, (4,), 3),
        (Wine, 178, (13,), 3),
        (BreastCancer, 569, (30,), 2),
    ],
)
def test_sizes_and_types(kind, count, shape, classes):
    whole = kind()
    x, y = whole[0]
    assert len(whole) == count and tuple(x.shape) == shape and len(whole.classes) == classes
    assert x.dtype is labtorch.float32 and y.dtype is labtorch.int64
    train, held_out = kind(train=True), kind(train=False)
    assert len(train) + len(held_out) == count
    assert labtorch.equal(train.x, kind(train=True).x)  # whatever the seed of the program
    changed = kind(transform=lambda x: x * 0, target_transform=lambda y: -1)
    assert changed[3][0].abs().sum() == 0 and changed[3][1] == -1
    assert f"{classes} classes" in repr(whole)


def test_digits_are_learned():
    labtorch.manual_seed(0)
    train, held_out = Digits(train=True), Digits(train=False)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
    )
    optimizer = labtorch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(5):
        for x, y in DataLoader(train, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    with labtorch.no_grad():
        right = (model(held_out.x).argmax(1) == held_out.y).float().mean().item()
    assert right > 0.93
