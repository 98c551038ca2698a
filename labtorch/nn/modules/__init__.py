"""PyTorch's paths to the layers: `nn.modules.linear.Linear` is `nn.Linear`."""

from __future__ import annotations

import sys
from typing import Any

from labtorch import nn
from labtorch.nn import (
    activation,
    batchnorm,
    conv,
    dropout,
    flatten,
    linear,
    loss,
    normalization,
    pooling,
    transformer,
)
from labtorch.nn import containers as container
from labtorch.nn import embedding as sparse
from labtorch.nn import recurrent as rnn
from labtorch.nn.modules import module, utils

__all__ = ["activation", "batchnorm", "container", "conv", "dropout", "flatten", "linear", "loss"]
__all__ += ["module", "normalization", "pooling", "rnn", "sparse", "transformer", "utils"]

# `import labtorch.nn.modules.linear` finds the module itself here: it has no file in this folder
for _name in __all__:
    sys.modules.setdefault(f"{__name__}.{_name}", globals()[_name])


def __getattr__(name: str) -> Any:
    return getattr(nn, name)
