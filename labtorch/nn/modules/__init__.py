"""PyTorch's path to the layers: `nn.modules.linear.Linear` is `nn.Linear`."""

from __future__ import annotations

from typing import Any

from labtorch import nn
from labtorch.nn import containers as container
from labtorch.nn import embedding as sparse
from labtorch.nn.modules import module

__all__ = ["container", "module", "sparse"]


def __getattr__(name: str) -> Any:
    return getattr(nn, name)
