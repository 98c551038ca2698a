"""Layers give PyTorch's outputs, gradients, state and text for PyTorch's own sample inputs."""

from __future__ import annotations

import importlib

import pytest

pytest.importorskip("torch")
pytest.importorskip("expecttest")
pytestmark = pytest.mark.oracle
harness = importlib.import_module("tests.conformance.harness")  # it imports PyTorch
layers = importlib.import_module("tests.conformance.layers")


@pytest.mark.parametrize("name", harness.names("modules.txt"))
def test_layer(name: str):
    layers.check_layer(name)
