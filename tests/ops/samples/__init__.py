"""Sample arguments for every differentiable op, for the gradient checks; one file per family.

An op is named `file.name`; a sample is its arguments, in the forward's order. Arrays of float64
become tensors that require gradients. Values keep clear of kinks and poles.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

SAMPLES: dict[str, list[tuple[Any, ...]]] = {}
# how an op is called where it is not a function of every element of its arguments, or where its
# results are unique only up to a sign: THROUGH[name](op, *args)
THROUGH: dict[str, Callable[..., Any]] = {}
for _info in pkgutil.iter_modules(__path__, __name__ + "."):
    _module = importlib.import_module(_info.name)
    SAMPLES.update(getattr(_module, "SAMPLES", {}))
    THROUGH.update(getattr(_module, "THROUGH", {}))
