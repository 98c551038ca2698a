"""Samples of pooling."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.ops.samples.values import apart, x

_PLACING = ((2, 2), (2, 1), (1, 0), (1, 1))
_place = np.array([[[[0, 3, 2], [1, 2, 0]]]])


def _values(op: Any, *args: Any) -> Any:
    return op(*args)[0]


_WITH_INDICES = [f"max_pool{n}d_with_indices" for n in (1, 2, 3)]
_WITH_INDICES += [f"adaptive_max_pool{n}d" for n in (1, 2, 3)]
THROUGH = {f"pooling.{name}": _values for name in _WITH_INDICES}
SAMPLES: dict[str, list[tuple[Any, ...]]] = {
    "pooling.put_back": [(x(1, 1, 2, 3), _place, (3, 4), _PLACING)],
    "pooling.pick": [(x(1, 1, 3, 4), _place, _PLACING)],
    "pooling.window_sum": [(x(1, 1, 3, 4), (2, 3), _PLACING)],
    "pooling.window_spread": [(x(1, 1, 2, 3), (3, 4), _PLACING)],
    "pooling.map_dims": [(x(1, 3, 2), (x(2, 3), x(4, 2)))],
    "pooling.max_pool1d": [(apart(2, 5), 2), (apart(1, 2, 6), 3, 1, 1, 2)],
    "pooling.max_pool2d": [(apart(1, 4, 4), 2), (apart(1, 1, 4, 5), (3, 2), 2, 1, 1, True)],
    "pooling.max_pool3d": [(apart(1, 2, 3, 4), (2, 1, 2), 1)],
    "pooling.max_pool1d_with_indices": [(apart(2, 5), 2)],
    "pooling.max_pool2d_with_indices": [(apart(1, 4, 4), 3, 2, 1)],
    "pooling.max_pool3d_with_indices": [(apart(1, 2, 2, 4), 2)],
    "pooling.avg_pool1d": [(x(2, 5), 2), (x(1, 2, 5), 3, 2, 1, True, False)],
    "pooling.avg_pool2d": [(x(1, 4, 4), 2), (x(1, 1, 4, 5), (3, 2), 2, 1, True, True, 5)],
    "pooling.avg_pool3d": [(x(1, 2, 3, 4), (2, 1, 2), 1)],
    "pooling.adaptive_avg_pool1d": [(x(2, 5), 3)],
    "pooling.adaptive_avg_pool2d": [(x(1, 1, 4, 5), (2, None))],
    "pooling.adaptive_avg_pool3d": [(x(1, 2, 3, 4), 2)],
    "pooling.adaptive_max_pool1d": [(apart(2, 5), 3)],
    "pooling.adaptive_max_pool2d": [(apart(1, 1, 4, 5), (2, 3))],
    "pooling.adaptive_max_pool3d": [(apart(1, 2, 3, 4), 2)],
    "pooling.max_unpool": [(x(1, 2, 2), np.array([[[0, 5], [2, 7]]]), (3, 4))],
}
