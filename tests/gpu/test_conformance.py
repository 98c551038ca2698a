"""Operators and layers give on a GPU what PyTorch gives on the CPU: values, dtypes, gradients."""

from __future__ import annotations

import importlib

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")
pytestmark = pytest.mark.oracle
harness = importlib.import_module("tests.conformance.harness")  # it imports PyTorch
layers = importlib.import_module("tests.conformance.layers")
MOST = 3  # samples of a kind: the CPU's run has more


@pytest.mark.parametrize("name", [*harness.names("tier1.txt"), *harness.names("tier2.txt")])
def test_operator(gpu, name):
    found = harness.problems(name, gpu, MOST)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", harness.names("modules.txt"))
def test_layer(gpu, name):
    layers.check_layer(name, gpu, MOST)
