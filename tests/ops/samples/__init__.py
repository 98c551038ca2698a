"""Sample arguments for every differentiable op, for the gradient checks; one file per family.

An op is named `file.name`; a sample is its arguments, in the forward's order. Arrays of float64
become tensors that require gradients. Values keep clear of kinks and poles.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

SAMPLES: dict[str, list[tuple[Any, ...]]] = {}
for _info in pkgutil.iter_modules(__path__, __name__ + "."):
    SAMPLES.update(getattr(importlib.import_module(_info.name), "SAMPLES", {}))
