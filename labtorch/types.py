"""Names for type hints, as in `torch.types`."""

from __future__ import annotations

import builtins

from labtorch.backend.devices import device
from labtorch.tensor import Size

Number = builtins.int | builtins.float | builtins.bool
Device = device | str | int | None
_size = Size | list[int] | tuple[int, ...]
